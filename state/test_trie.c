/* The persistent trie against a full rebuild: random batches of inserts, updates and deletions, on
 * keys that share long prefixes (so that nodes are embedded in their parents) and on random ones.
 */
#include "state/trie.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/trie_root.h"
#include "state/kv_memory.h"
#include "state/proof.h"

#define KEYS_MAX     400
#define MEMORY_BYTES (32u << 20)

struct model_entry {
    struct hash32 key;
    uint8_t value[32];
    size_t value_bytes; /* 0: absent */
};

struct fixture {
    uint64_t random;
    struct model_entry entries[KEYS_MAX]; /* sorted by key */
    size_t count;
    struct kv_memory *kv;
    struct kv_reader reader;
    struct hash32 owner;
    bool has_owner;
    struct arena arena;
};

static uint64_t next_random(struct fixture *fixture) {
    fixture->random ^= fixture->random << 13;
    fixture->random ^= fixture->random >> 7;
    fixture->random ^= fixture->random << 17;
    return fixture->random * 0x2545f4914f6cdd1du >> 16;
}

/* random_key: `shared` of the 64 nibbles are equal in all keys, the others are 0 or 1 or random. */
static struct hash32 random_key(struct fixture *fixture, unsigned shared, bool is_binary) {
    struct hash32 key = {{0}};
    for (unsigned i = shared; i < 64; i++) {
        const unsigned nibble = (unsigned)next_random(fixture) & (is_binary ? 1 : 15);
        key.bytes[i / 2] = (uint8_t)(key.bytes[i / 2] | nibble << (i % 2 == 0 ? 4 : 0));
    }
    return key;
}

static int compare_entries(const void *a, const void *b) {
    return memcmp(a, b, sizeof(struct hash32));
}

static struct bytes payload_of(const struct fixture *fixture, const struct model_entry *entry,
                               struct arena *arena) {
    const struct bytes value = {entry->value, entry->value_bytes};
    if (value.size == 0) return value;
    uint8_t *room = arena_alloc(arena, 40);
    struct buffer buffer = buffer_over(room, 40);
    if (fixture->has_owner) {
        rlp_write_string(&buffer, value);
    } else {
        buffer_append(&buffer, value);
    }
    return buffer_bytes(&buffer);
}

static struct hash32 naive_root(struct fixture *fixture) {
    struct arena *arena = &fixture->arena;
    const size_t mark = arena_mark(arena);
    struct trie_entry *entries = arena_array(arena, fixture->count, sizeof *entries);
    size_t count = 0;
    for (size_t i = 0; i < fixture->count; i++) {
        const struct bytes value = payload_of(fixture, &fixture->entries[i], arena);
        if (value.size == 0) continue;
        entries[count++] = (struct trie_entry){hash_bytes(&fixture->entries[i].key), value};
    }
    struct hash32 root;
    CHECK(trie_root_sorted(entries, count, arena, &root) == ERR_OK);
    arena_release(arena, mark);
    return root;
}

static enum err apply_write(void *context, const struct kv_write *write) {
    return kv_memory_put(context, write->table, write->key, write->value);
}

struct writes {
    struct kv_write list[4096];
    size_t count;
};

static enum err collect(void *context, const struct kv_write *write) {
    struct writes *writes = context;
    CHECK(writes->count < 4096);
    writes->list[writes->count++] = *write;
    return ERR_OK;
}

static void flat_key(const struct fixture *fixture, const struct hash32 *key, uint8_t out[64],
                     size_t *size) {
    *size = 0;
    if (fixture->has_owner) {
        memcpy(out, fixture->owner.bytes, 32);
        *size = 32;
    }
    memcpy(out + *size, key->bytes, 32);
    *size += 32;
}

/* check_tables: KV_TRIE holds exactly what a trie built from nothing would write. */
static void check_tables(struct fixture *fixture) {
    static uint8_t spare_memory[4 << 20] __attribute__((aligned(16)));
    struct kv_memory *spare = kv_memory_create(spare_memory, sizeof spare_memory);
    const struct kv_reader reader = kv_memory_reader(spare);
    struct trie trie;
    const struct hash32 *owner = fixture->has_owner ? &fixture->owner : NULL;
    trie_begin(&trie, &fixture->arena, &reader, owner, true);
    for (size_t i = 0; i < fixture->count; i++) {
        const struct bytes value = payload_of(fixture, &fixture->entries[i], &fixture->arena);
        CHECK(trie_set(&trie, &fixture->entries[i].key, value) == ERR_OK);
    }
    struct hash32 root;
    CHECK(trie_root(&trie, &root) == ERR_OK);
    CHECK(trie_writes(&trie, spare, apply_write) == ERR_OK);
    CHECK(kv_memory_count(spare, KV_TRIE) == kv_memory_count(fixture->kv, KV_TRIE));
    uint8_t cursor[KV_KEY_BYTES_MAX + 1];
    size_t cursor_bytes = 0;
    struct bytes key, value, stored;
    while (reader.seek(reader.context, KV_TRIE, (struct bytes){cursor, cursor_bytes}, &key,
                       &value) == ERR_OK) {
        CHECK(fixture->reader.get(fixture->kv, KV_TRIE, key, &stored) == ERR_OK);
        CHECK(bytes_equal(stored, value));
        memcpy(cursor, key.data, key.size);
        cursor[key.size] = 0;
        cursor_bytes = key.size + 1;
    }
}

static void check_proofs(struct fixture *fixture, struct trie *trie, const struct hash32 *root,
                         unsigned shared, bool is_binary) {
    for (int i = 0; i < 4; i++) {
        struct hash32 key = random_key(fixture, shared, is_binary);
        struct bytes expected = BYTES_EMPTY;
        if (i < 2 && fixture->count != 0) {
            const size_t at = next_random(fixture) % fixture->count;
            key = fixture->entries[at].key;
        }
        for (size_t at = 0; at < fixture->count; at++) {
            if (!hash_equal(&fixture->entries[at].key, &key)) continue;
            expected = payload_of(fixture, &fixture->entries[at], &fixture->arena);
        }
        struct bytes nodes[TRIE_PROOF_NODES_MAX];
        struct proof proof = {nodes, 0};
        struct bytes value;
        CHECK(trie_prove(trie, &key, nodes, &proof.nodes_count, &value) == ERR_OK);
        CHECK(bytes_equal(value, expected));
        CHECK(proof_verify(root, &key, &proof, &value) == ERR_OK);
        CHECK(bytes_equal(value, expected));
        if (proof.nodes_count == 0) continue;
        /* A changed byte anywhere, a missing or an additional node: refused. */
        const size_t index = next_random(fixture) % proof.nodes_count;
        uint8_t *byte =
            (uint8_t *)(uintptr_t)nodes[index].data + next_random(fixture) % nodes[index].size;
        *byte ^= 1;
        CHECK(proof_verify(root, &key, &proof, &value) == ERR_MISMATCH);
        *byte ^= 1;
        proof.nodes_count--;
        CHECK(proof_verify(root, &key, &proof, &value) == ERR_MISMATCH);
        proof.nodes_count += 2;
        nodes[proof.nodes_count - 1] = nodes[0];
        CHECK(proof_verify(root, &key, &proof, &value) == ERR_MISMATCH);
    }
}

static void change_one(struct fixture *fixture, struct trie *trie, struct writes *flat,
                       unsigned shared, bool is_binary) {
    struct model_entry *entry = NULL;
    const struct hash32 key = random_key(fixture, shared, is_binary);
    if (fixture->count != 0 && next_random(fixture) % 3 != 0) {
        entry = &fixture->entries[next_random(fixture) % fixture->count];
    } else {
        entry = bsearch(&key, fixture->entries, fixture->count, sizeof *entry, compare_entries);
    }
    if (entry == NULL) {
        if (fixture->count == KEYS_MAX) return;
        entry = &fixture->entries[fixture->count++];
        *entry = (struct model_entry){.key = key};
    }
    static const size_t sizes[] = {0, 0, 1, 1, 2, 32};
    entry->value_bytes = sizes[next_random(fixture) % 6];
    for (size_t i = 0; i < entry->value_bytes; i++) {
        entry->value[i] = (uint8_t)(1 + next_random(fixture) % 255);
    }
    const struct model_entry changed = *entry;
    qsort(fixture->entries, fixture->count, sizeof *entry, compare_entries);
    CHECK(trie_set(trie, &changed.key, payload_of(fixture, &changed, &fixture->arena)) == ERR_OK);
    uint8_t key_bytes[64];
    struct kv_write write = {.table = fixture->has_owner ? KV_STORAGE : KV_ACCOUNTS};
    write.key.data = key_bytes;
    flat_key(fixture, &changed.key, key_bytes, &write.key.size);
    CHECK(arena_copy(&fixture->arena, write.key, &write.key));
    write.value = (struct bytes){changed.value, changed.value_bytes};
    CHECK(arena_copy(&fixture->arena, write.value, &write.value));
    CHECK(collect(flat, &write) == ERR_OK);
}

static void drop_absent(struct fixture *fixture) {
    size_t kept = 0;
    for (size_t i = 0; i < fixture->count; i++) {
        if (fixture->entries[i].value_bytes == 0) continue;
        fixture->entries[kept++] = fixture->entries[i];
    }
    fixture->count = kept;
}

/* batch changes some keys, maybe asks for the root in between, and writes everything back. */
static void batch(struct fixture *fixture, unsigned shared, bool is_binary) {
    static struct writes flat;
    flat.count = 0;
    const struct hash32 *owner = fixture->has_owner ? &fixture->owner : NULL;
    struct trie trie;
    trie_begin(&trie, &fixture->arena, &fixture->reader, owner, fixture->count == 0);
    struct hash32 root;
    const size_t changes = 1 + next_random(fixture) % 12;
    if (next_random(fixture) % 40 == 0) {
        trie_wipe(&trie);
        for (size_t i = 0; i < fixture->count; i++) {
            uint8_t key[64];
            size_t size;
            flat_key(fixture, &fixture->entries[i].key, key, &size);
            CHECK(kv_memory_put(fixture->kv, fixture->has_owner ? KV_STORAGE : KV_ACCOUNTS,
                                (struct bytes){key, size}, BYTES_EMPTY) == ERR_OK);
        }
        fixture->count = 0;
    }
    for (size_t i = 0; i < changes; i++) {
        change_one(fixture, &trie, &flat, shared, is_binary);
        if (next_random(fixture) % 8 != 0) continue;
        const struct hash32 expected = naive_root(fixture);
        CHECK(trie_root(&trie, &root) == ERR_OK);
        CHECK(hash_equal(&root, &expected));
    }
    const struct hash32 expected = naive_root(fixture);
    CHECK(trie_root(&trie, &root) == ERR_OK);
    CHECK(hash_equal(&root, &expected));
    check_proofs(fixture, &trie, &root, shared, is_binary);
    static struct writes nodes;
    nodes.count = 0;
    CHECK(trie_writes(&trie, &nodes, collect) == ERR_OK);
    for (int pass = 0; pass < 2; pass++) { /* deletions first: a key may come twice */
        for (size_t i = 0; i < nodes.count; i++) {
            if ((nodes.list[i].value.size != 0) != (pass == 1)) continue;
            CHECK(apply_write(fixture->kv, &nodes.list[i]) == ERR_OK);
        }
    }
    CHECK(kv_memory_apply(fixture->kv, flat.list, flat.count) == ERR_OK);
    drop_absent(fixture);
    check_tables(fixture);
}

static void test_random(unsigned shared, bool is_binary, bool has_owner, uint64_t seed,
                        unsigned batches) {
    static struct fixture fixture;
    static uint8_t kv_room[8 << 20] __attribute__((aligned(16)));
    static uint8_t arena_room[MEMORY_BYTES] __attribute__((aligned(16)));
    memset(&fixture, 0, sizeof fixture);
    fixture.random = seed;
    fixture.has_owner = has_owner;
    fixture.owner.bytes[0] = 0xab;
    fixture.kv = kv_memory_create(kv_room, sizeof kv_room);
    fixture.reader = kv_memory_reader(fixture.kv);
    fixture.arena = arena_over(arena_room, sizeof arena_room);
    for (unsigned i = 0; i < batches; i++) {
        arena_reset(&fixture.arena);
        batch(&fixture, shared, is_binary);
    }
}

static void test_record_errors(void) {
    struct trie_record record;
    uint8_t good[6 + 32 + 1 + 3] = {0x00, 0x03, 0x00, 0x01, 0x00, 0x02};
    good[6 + 32] = 3;
    CHECK(trie_record_decode(BYTES_OF(good), &record) == ERR_OK);
    CHECK(record.present == 3 && record.branches == 1);
    CHECK(record.refs[0].size == 32 && record.refs[1].size == 3);
    for (size_t size = 0; size < sizeof good; size++) {
        CHECK(trie_record_decode((struct bytes){good, size}, &record) == ERR_CORRUPT);
    }
    uint8_t bad[sizeof good];
    memcpy(bad, good, sizeof good);
    bad[2] = 0x80; /* a branch that is not present */
    CHECK(trie_record_decode(BYTES_OF(bad), &record) == ERR_CORRUPT);
    memcpy(bad, good, sizeof good);
    bad[6 + 32] = 0; /* an empty name */
    CHECK(trie_record_decode(BYTES_OF(bad), &record) == ERR_CORRUPT);
    const uint8_t single[6 + 32] = {0, 1, 0, 0, 0, 0};
    CHECK(trie_record_decode(BYTES_OF(single), &record) == ERR_CORRUPT);
}

int main(void) {
    test_record_errors();
    for (uint64_t seed = 1; seed <= 6; seed++) {
        test_random(0, false, false, seed * 77, 120);
        test_random(0, false, true, seed * 78, 120);
        test_random(57, true, true, seed * 79, 300);
        test_random(52, true, true, seed * 80, 300);
        test_random(60, false, true, seed * 81, 300);
        test_random(62, false, true, seed * 82, 300);
        test_random(40, true, false, seed * 83, 120);
    }
    return 0;
}
