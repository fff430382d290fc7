/* What base's and the trie's hot paths cost on this machine, each followed by its limit: OpenSSL's
 * Keccak permutation (as SHA3-256, which differs by one padding byte), libsecp256k1 called bare,
 * memcpy of the same bytes for RLP, and for a trie the hashes alone of the nodes that change.
 * It prints one line for each operation: processor time of the fastest run. */
#include <openssl/evp.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"
#include "base/merkle.h"
#include "base/rlp.h"
#include "base/secp.h"
#include "state/kv_memory.h"
#include "state/trie.h"

#define RUNS            20
#define MANY            64
#define SECONDS_PER_RUN 0.01
#define TRIE_ENTRIES    100000
#define TRIE_CHANGES    1000
#define TRIE_ROOM_BYTES ((size_t)64 << 20)

static double now_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* What the measured functions work on; results go to `sink` so that nothing is optimised away. */
struct work {
    uint8_t message[136 * 1024];
    size_t size;
    struct u256 a, b, m;
    struct secp_key key;
    struct hash32 digest;
    struct secp_signature signature;
    secp256k1_context *context;
    EVP_MD_CTX *evp;
    uint8_t encoded[2048];
    struct bytes transaction;
    struct kv_reader tables; /* a trie of TRIE_ENTRIES */
    uint8_t *trie_room;
    size_t nodes; /* that TRIE_CHANGES changes rewrite */
    uint64_t sink;
};

static void run_keccak(struct work *work) {
    const struct hash32 hash = keccak256((struct bytes){work->message, work->size});
    work->message[0] = hash.bytes[0];
}

/* run_keccak_many hashes MANY messages of the size; its line is the price of all of them. */
static void run_keccak_many(struct work *work) {
    struct bytes in[MANY];
    struct hash32 out[MANY];
    for (size_t i = 0; i < MANY; i++)
        in[i] = (struct bytes){work->message + i, work->size};
    keccak256_many(in, MANY, out);
    work->message[0] = out[0].bytes[0];
}

static void run_openssl(struct work *work) {
    uint8_t hash[32];
    CHECK(EVP_DigestInit_ex(work->evp, NULL, NULL) == 1);
    CHECK(EVP_DigestUpdate(work->evp, work->message, work->size) == 1);
    CHECK(EVP_DigestFinal_ex(work->evp, hash, NULL) == 1);
    work->message[0] = hash[0];
}

static void run_sha256(struct work *work) {
    const struct hash32 hash = sha256((struct bytes){work->message, work->size});
    work->message[0] = hash.bytes[0];
}

static void run_recover(struct work *work) {
    struct address address;
    CHECK(secp_recover(&work->digest, &work->signature, &address) == ERR_OK);
    work->sink += address.bytes[0];
}

static void run_recover_bare(struct work *work) {
    secp256k1_ecdsa_recoverable_signature parsed;
    secp256k1_pubkey key;
    uint8_t compact[64];
    memcpy(compact, work->signature.r, 32);
    memcpy(compact + 32, work->signature.s, 32);
    CHECK(secp256k1_ecdsa_recoverable_signature_parse_compact(work->context, &parsed, compact,
                                                              work->signature.y_parity));
    CHECK(secp256k1_ecdsa_recover(work->context, &key, &parsed, work->digest.bytes));
    work->sink += key.data[0];
}

static void run_sign(struct work *work) {
    secp_sign(&work->key, &work->digest, &work->signature);
}

static void run_sign_bare(struct work *work) {
    secp256k1_ecdsa_recoverable_signature signature;
    CHECK(secp256k1_ecdsa_sign_recoverable(work->context, &signature, work->digest.bytes,
                                           work->key.secret, NULL, NULL));
    work->sink += signature.data[0];
}

static void run_mul(struct work *work) {
    work->a = u256_mul(&work->a, &work->b);
}

static void run_div(struct work *work) {
    const struct u256 quotient = u256_div(&work->a, &work->b);
    work->a.limb[0] ^= quotient.limb[0];
}

static void run_mulmod(struct work *work) {
    work->a = u256_mulmod(&work->a, &work->b, &work->m);
}

/* A list as a signed transaction is one: nine strings, two hundred bytes of data. */
static void run_rlp_write(struct work *work) {
    struct buffer out = buffer_over(work->encoded, sizeof work->encoded);
    const size_t mark = rlp_list_begin(&out);
    rlp_write_u64(&out, 7);
    rlp_write_u64(&out, 2000000000);
    rlp_write_u64(&out, 21000);
    rlp_write_string(&out, (struct bytes){work->message, 20});
    rlp_write_u256(&out, &work->m);
    rlp_write_string(&out, (struct bytes){work->message, 200});
    rlp_write_u64(&out, 1);
    rlp_write_string(&out, (struct bytes){work->signature.r, 32});
    rlp_write_string(&out, (struct bytes){work->signature.s, 32});
    rlp_list_end(&out, mark);
    work->transaction = buffer_bytes(&out);
}

static void run_rlp_read(struct work *work) {
    struct bytes in = work->transaction;
    struct bytes payload;
    CHECK(rlp_read_list(&in, &payload) == ERR_OK);
    while (payload.size != 0) {
        struct bytes item;
        CHECK(rlp_read_string(&payload, &item) == ERR_OK);
        work->sink += item.size;
    }
}

static void run_memcpy(struct work *work) {
    memcpy(work->encoded, work->message, work->transaction.size);
    work->message[0] = work->encoded[work->transaction.size - 1];
    __asm__ volatile("" ::: "memory");
}

/* --- a trie */

static struct hash32 trie_key_at(uint64_t index) {
    uint8_t number[8];
    be_write(number, sizeof number, index);
    return keccak256(BYTES_OF(number));
}

static enum err count_node(void *context, const struct kv_write *write) {
    struct work *work = context;
    CHECK(write->table == KV_TRIE);
    work->nodes++;
    return ERR_OK;
}

static enum err put_node(void *context, const struct kv_write *write) {
    return kv_memory_put(context, write->table, write->key, write->value);
}

/* change_trie sets entries [from, from + count) and hashes. */
static void change_trie(struct work *work, struct trie *trie, struct arena *arena, uint64_t from,
                        uint64_t count) {
    struct hash32 root;
    *arena = arena_over(work->trie_room, TRIE_ROOM_BYTES);
    trie_begin(trie, arena, &work->tables, NULL, from == 0);
    for (uint64_t i = 0; i < count; i++) {
        const struct hash32 key = trie_key_at(from + i);
        CHECK(trie_set(trie, &key, (struct bytes){work->message, 80}) == ERR_OK);
    }
    CHECK(trie_root(trie, &root) == ERR_OK);
    work->sink += root.bytes[0];
}

/* run_trie_insert puts new entries into a trie that is stored; their keys' hashes are part of it.
 */
static void run_trie_insert(struct work *work) {
    struct trie trie;
    struct arena arena;
    change_trie(work, &trie, &arena, TRIE_ENTRIES, TRIE_CHANGES);
}

/* run_trie_hashes only hashes as many messages of a full node's size, and as many leaves. */
static void run_trie_hashes(struct work *work) {
    for (size_t done = 0; done < work->nodes; done += MANY) {
        work->size = 532;
        run_keccak_many(work);
    }
    for (size_t done = 0; done < TRIE_CHANGES; done += MANY) {
        work->size = 112;
        run_keccak_many(work);
    }
    work->size = 0;
}

/* measure prints the fastest of RUNS runs: what else the machine does can only slow one down. */
static void measure(const char *name, void (*run)(struct work *), struct work *work) {
    uint64_t count = 1;
    double seconds = 0;
    double best = 0;
    for (int i = 0; i < RUNS;) {
        const double start = now_seconds();
        for (uint64_t k = 0; k < count; k++)
            run(work);
        seconds = now_seconds() - start;
        if (seconds < SECONDS_PER_RUN) {
            count *= seconds < SECONDS_PER_RUN / 10 ? 8 : 2;
            continue;
        }
        const double nanoseconds = seconds * 1e9 / (double)count;
        if (best == 0 || nanoseconds < best) best = nanoseconds;
        i++;
    }
    printf("%-32s %10.1f ns %14.0f per second", name, best, 1e9 / best);
    if (work->size > 1000) printf(" %8.0f MB/s", (double)work->size * 1e3 / best);
    printf("\n");
}

static void measure_hashes(struct work *work) {
    work->evp = EVP_MD_CTX_new();
    CHECK(work->evp != NULL);
    CHECK(EVP_DigestInit_ex(work->evp, EVP_sha3_256(), NULL) == 1);
    work->size = 32;
    measure("keccak256, 32 bytes", run_keccak, work);
    measure("keccak256_many, 64 of 32 bytes", run_keccak_many, work);
    measure("OpenSSL sha3-256, 32 bytes", run_openssl, work);
    measure("sha256, 32 bytes", run_sha256, work);
    work->size = 532;
    measure("keccak256, 532 bytes", run_keccak, work);
    measure("keccak256_many, 64 of 532 bytes", run_keccak_many, work);
    measure("OpenSSL sha3-256, 532 bytes", run_openssl, work);
    work->size = sizeof work->message - 1;
    measure("keccak256, 136 KiB", run_keccak, work);
    measure("OpenSSL sha3-256, 136 KiB", run_openssl, work);
    measure("sha256, 136 KiB", run_sha256, work);
    work->size = 0;
    EVP_MD_CTX_free(work->evp);
}

static void measure_words(struct work *work) {
    static const struct {
        const char *name;
        struct u256 divisor;
    } divisors[] = {
        {"u256_div by 64 bits", {{0x9e3779b97f4a7c15, 0, 0, 0}}},
        {"u256_div by 128 bits", {{0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0, 0}}},
        {"u256_div by 192 bits", {{5, 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0}}},
        {"u256_div by 250 bits", {{5, 7, 0x9e3779b97f4a7c15, 0x358476d1ce4e5b9}}},
    };
    work->a = (struct u256){{1, 2, 3, 0xf000000000000000}};
    work->b = (struct u256){{0x9e3779b97f4a7c15, 7, 9, 11}};
    measure("u256_mul", run_mul, work);
    work->a = (struct u256){{1, 2, 3, 0xf000000000000000}};
    for (size_t i = 0; i < sizeof divisors / sizeof divisors[0]; i++) {
        work->b = divisors[i].divisor;
        measure(divisors[i].name, run_div, work);
    }
    work->m = (struct u256){
        {0x43e1f593f0000001, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029}};
    measure("u256_mulmod, 254-bit modulus", run_mulmod, work);
}

static void measure_keys(struct work *work) {
    work->key.secret[0] = 0x42;
    work->digest = keccak256(BYTES_STRING("bench"));
    work->context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    CHECK(work->context != NULL);
    measure("secp_sign", run_sign, work);
    measure("libsecp256k1 sign, bare", run_sign_bare, work);
    measure("secp_recover", run_recover, work);
    measure("libsecp256k1 recover, bare", run_recover_bare, work);
    secp256k1_context_destroy(work->context);
}

static void measure_tries(struct work *work) {
    struct trie trie;
    struct arena arena;
    void *tables_room = malloc(TRIE_ROOM_BYTES);
    work->trie_room = malloc(TRIE_ROOM_BYTES);
    CHECK(tables_room != NULL && work->trie_room != NULL);
    struct kv_memory *tables = kv_memory_create(tables_room, TRIE_ROOM_BYTES);
    CHECK(tables != NULL);
    work->tables = kv_memory_reader(tables);
    for (uint64_t i = 0; i < TRIE_ENTRIES; i++) {
        const struct hash32 key = trie_key_at(i);
        const struct bytes value = {work->message, 80};
        CHECK(kv_memory_put(tables, KV_ACCOUNTS, hash_bytes(&key), value) == ERR_OK);
    }
    change_trie(work, &trie, &arena, 0, TRIE_ENTRIES);
    CHECK(trie_writes(&trie, tables, put_node) == ERR_OK);
    change_trie(work, &trie, &arena, TRIE_ENTRIES, TRIE_CHANGES);
    CHECK(trie_writes(&trie, work, count_node) == ERR_OK);
    printf("a trie of %d entries; %d new ones change %zu branches\n", TRIE_ENTRIES, TRIE_CHANGES,
           work->nodes);
    measure("trie insert, 1000 entries", run_trie_insert, work);
    measure("their hashes alone", run_trie_hashes, work);
    free(tables_room);
    free(work->trie_room);
}

int main(void) {
    static struct work work;
    measure_hashes(&work);
    measure_words(&work);
    measure_keys(&work);
    measure("rlp write, a transaction", run_rlp_write, &work);
    measure("rlp read, a transaction", run_rlp_read, &work);
    measure("memcpy of its bytes", run_memcpy, &work);
    measure_tries(&work);
    return work.sink == 1; /* never, but the compiler cannot know */
}
