/* Batches there and back, what is refused, and the digest that the contract checks. */
#include "sequencer/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hex.h"

static uint8_t scratch_memory[40u << 20], arena_memory[40u << 20];
static uint8_t blob[BATCH_BLOB_BYTES_MAX];

static struct bytes encode(const struct batch *batch) {
    struct arena scratch = arena_over(scratch_memory, sizeof scratch_memory);
    struct buffer out = buffer_over(blob, sizeof blob);
    CHECK(batch_encode(batch, &scratch, &out) == ERR_OK);
    CHECK(scratch.used == 0);
    return buffer_bytes(&out);
}

static void test_round_trip(void) {
    static uint8_t large[900000];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 7 % 251);
    const struct bytes packages[] = {
        BYTES_STRING("first"), {large, sizeof large}, BYTES_STRING("x"), BYTES_STRING("")};
    const struct batch batch = {1000, 4, packages, BYTES_STRING("commit of the last")};
    const struct bytes bytes = encode(&batch);
    CHECK(bytes.size < sizeof large / 4);
    struct arena arena = arena_over(arena_memory, sizeof arena_memory);
    struct batch out;
    CHECK(batch_decode(bytes, &arena, &out) == ERR_OK);
    CHECK(out.first == 1000);
    CHECK(out.count == 4);
    for (size_t i = 0; i < 4; i++)
        CHECK(bytes_equal(out.packages[i], packages[i]));
    CHECK(bytes_equal(out.commit, batch.commit));
    uint8_t *copy = malloc(bytes.size);
    CHECK(copy != NULL);
    memcpy(copy, bytes.data, bytes.size);
    const struct bytes again = encode(&batch);
    CHECK(bytes_equal((struct bytes){copy, bytes.size}, again));
    free(copy);
}

static void test_refused(void) {
    const struct bytes packages[] = {BYTES_STRING("a block's bytes"), BYTES_STRING("another's")};
    const struct batch batch = {5, 2, packages, BYTES_STRING("commit")};
    const struct bytes good = encode(&batch);
    uint8_t bad[256];
    CHECK(good.size < sizeof bad);
    struct batch out;
    struct arena arena = arena_over(arena_memory, sizeof arena_memory);
    for (size_t size = 0; size < good.size; size++) {
        CHECK(batch_decode(bytes_slice(good, 0, size), &arena, &out) != ERR_OK);
        CHECK(arena.used == 0);
    }
    memcpy(bad, good.data, good.size);
    bad[good.size] = 0; /* more than the frame */
    CHECK(batch_decode((struct bytes){bad, good.size + 1}, &arena, &out) == ERR_ENCODING);
    bad[5] = 0x7f; /* says that it unpacks to 2 GiB */
    CHECK(batch_decode((struct bytes){bad, good.size}, &arena, &out) == ERR_LIMIT);
    memcpy(bad, good.data, good.size);
    bad[4] = 9;
    CHECK(batch_decode((struct bytes){bad, good.size}, &arena, &out) == ERR_ENCODING);
    struct arena small = arena_over(arena_memory, 1000);
    CHECK(batch_decode(good, &small, &out) == ERR_LIMIT);
    static struct bytes many[BATCH_BLOCKS_MAX + 1];
    const struct batch long_one = {1, BATCH_BLOCKS_MAX + 1, many, BYTES_EMPTY};
    struct buffer sink = buffer_over(blob, sizeof blob);
    struct arena scratch = arena_over(scratch_memory, sizeof scratch_memory);
    CHECK(batch_encode(&long_one, &scratch, &sink) == ERR_LIMIT);
}

/* The digest separates every field. */
static void test_digest(void) {
    const struct address contract = {{9}};
    const struct signing_domain domain =
        signing_domain_make("AndeSequencerCoordinator", 31337, &contract);
    const struct batch_statement base = {1, 2, {{3}}, {{4}}, {{5}}, 6, {{7}}};
    const struct hash32 digest = batch_digest(&domain, &base);
    for (int field = 0; field < 7; field++) {
        struct batch_statement other = base;
        if (field == 0) other.first += 1;
        if (field == 1) other.last += 1;
        if (field == 2) other.parent_hash.bytes[31] ^= 1;
        if (field == 3) other.last_hash.bytes[31] ^= 1;
        if (field == 4) other.state_root.bytes[31] ^= 1;
        if (field == 5) other.da_height += 1;
        if (field == 6) other.da_commitment.bytes[31] ^= 1;
        const struct hash32 changed = batch_digest(&domain, &other);
        CHECK(!hash_equal(&digest, &changed));
    }
}

/* text_of finds "key":"value" in a line of the vectors; they are written one case a line. */
static struct bytes text_of(const char *line, const char *key) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":\"", key);
    const char *at = strstr(line, quoted);
    CHECK(at != NULL);
    at += strlen(quoted);
    const char *end = strchr(at, '"');
    CHECK(end != NULL);
    return (struct bytes){(const uint8_t *)at, (size_t)(end - at)};
}

static struct hash32 hash_of(const char *line, const char *key) {
    struct hash32 hash;
    CHECK(hex_to_hash(text_of(line, key), &hash) == ERR_OK);
    return hash;
}

static uint64_t number_of(const char *line, const char *key) {
    return strtoull((const char *)text_of(line, key).data, NULL, 10);
}

/* The vectors that the contract's own tests read: same digest, same signature. */
static void test_vectors(void) {
    FILE *file = fopen("contracts/test/vectors/batches.json", "r");
    CHECK(file != NULL);
    static char line[8192];
    uint32_t count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strstr(line, "\"firstBlock\"") == NULL) continue;
        struct address contract, signer, recovered;
        CHECK(hex_to_address(text_of(line, "contract"), &contract) == ERR_OK);
        CHECK(hex_to_address(text_of(line, "signer"), &signer) == ERR_OK);
        const struct signing_domain domain =
            signing_domain_make("AndeSequencerCoordinator", number_of(line, "chainId"), &contract);
        const struct batch_statement statement = {
            .first = number_of(line, "firstBlock"),
            .last = number_of(line, "lastBlock"),
            .parent_hash = hash_of(line, "parentHash"),
            .last_hash = hash_of(line, "lastBlockHash"),
            .state_root = hash_of(line, "stateRoot"),
            .da_height = number_of(line, "daHeight"),
            .da_commitment = hash_of(line, "daCommitment"),
        };
        const struct hash32 digest = batch_digest(&domain, &statement);
        const struct hash32 expected = hash_of(line, "digest");
        CHECK(hash_equal(&digest, &expected));
        uint8_t wire[SECP_SIGNATURE_BYTES];
        struct secp_signature signature;
        CHECK(hex_decode_fixed(text_of(line, "signature"), wire, sizeof wire) == ERR_OK);
        CHECK(secp_signature_read(BYTES_OF(wire), &signature) == ERR_OK);
        CHECK(secp_recover(&digest, &signature, &recovered) == ERR_OK);
        CHECK(address_equal(&signer, &recovered));
        count += 1;
    }
    fclose(file);
    CHECK(count == 12);
}

int main(void) {
    test_vectors();
    test_round_trip();
    test_refused();
    test_digest();
    printf("ok\n");
    return 0;
}
