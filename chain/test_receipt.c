/* Receipts: consensus form by hand, stored form there and back, blooms. */
#include "chain/receipt.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/trie_root.h"

static uint8_t memory[1 << 20];

static void example(struct receipt out[3], struct log logs[2]) {
    memset(out, 0, 3 * sizeof *out);
    memset(logs, 0, 2 * sizeof *logs);
    logs[0] = (struct log){.address = {{0x11}}, .topics_count = 2, .data = BYTES_STRING("some")};
    logs[0].topics[1].bytes[3] = 7;
    logs[1] = (struct log){.address = {{0x22}}, .topics_count = 0, .data = BYTES_EMPTY};
    out[0] = (struct receipt){.type = 2,
                              .succeeded = true,
                              .cumulative_gas_used = 50000,
                              .logs = logs,
                              .logs_count = 2,
                              .gas_used = 50000,
                              .effective_gas_price = u256_from_u64(7)};
    out[1] = (struct receipt){.type = 0,
                              .succeeded = false,
                              .cumulative_gas_used = 71000,
                              .gas_used = 21000,
                              .has_contract_address = true,
                              .contract_address = {{0x33}}};
    out[2] =
        (struct receipt){.has_state_root = true, .cumulative_gas_used = 92000, .gas_used = 21000};
    out[2].state_root = KECCAK_EMPTY;
    for (size_t i = 0; i < 3; i++)
        receipt_bloom(out[i].logs, out[i].logs_count, &out[i].bloom);
}

/* has: adding the entry would change nothing. */
static bool has(const struct bloom *bloom, struct bytes entry) {
    struct bloom more = *bloom;
    bloom_add(&more, entry);
    return memcmp(&more, bloom, sizeof more) == 0;
}

/* A failed legacy transfer's receipt is rlp([0, gas, 256 zeros, []]), written out by hand. */
static void test_consensus_form(void) {
    struct receipt receipts[3];
    struct log logs[2];
    example(receipts, logs);
    struct buffer out = buffer_over(memory, sizeof memory);
    receipt_encode(&receipts[1], &out);
    CHECK(out.size == 3 + 1 + 4 + 3 + 256 + 1);
    CHECK(memcmp(memory, "\xf9\x01\x09\x80\x83\x01\x15\x58\xb9\x01\x00", 11) == 0);
    CHECK(memory[out.size - 1] == 0xc0);
    out.size = 0;
    receipt_encode(&receipts[0], &out);
    CHECK(memory[0] == 2 && memory[1] == 0xf9);
    CHECK(has(&receipts[0].bloom, hash_bytes(&logs[0].topics[1])));
    CHECK(has(&receipts[0].bloom, address_bytes(&logs[1].address)));
}

static void test_stored_form(void) {
    struct receipt receipts[3];
    struct log logs[2];
    example(receipts, logs);
    struct buffer out = buffer_over(memory, sizeof memory / 2);
    receipts_store_encode(receipts, 3, &out);
    CHECK(!out.overflow);
    struct arena arena = arena_over(memory + sizeof memory / 2, sizeof memory / 2);
    const struct receipt *read;
    size_t count;
    CHECK(receipts_store_decode(buffer_bytes(&out), &arena, &read, &count) == ERR_OK);
    CHECK(count == 3);
    struct hash32 before, after;
    CHECK(receipts_root(receipts, 3, &arena, &before) == ERR_OK);
    CHECK(receipts_root(read, count, &arena, &after) == ERR_OK);
    CHECK(hash_equal(&before, &after));
    CHECK(read[1].has_contract_address);
    CHECK(address_equal(&read[1].contract_address, &receipts[1].contract_address));
    CHECK(read[0].effective_gas_price.limb[0] == 7 && read[2].gas_used == 21000);
    CHECK(bytes_equal(read[0].logs[0].data, logs[0].data));

    for (size_t size = 0; size < out.size; size++) {
        const size_t used = arena.used;
        CHECK(receipts_store_decode((struct bytes){memory, size}, &arena, &read, &count) != ERR_OK);
        CHECK(arena.used == used);
    }
    struct arena small = arena_over(arena.data, 64);
    CHECK(receipts_store_decode(buffer_bytes(&out), &small, &read, &count) == ERR_LIMIT);
    CHECK(receipts_root(receipts, 3, &small, &after) == ERR_LIMIT);
    CHECK(small.used == 0);
}

/* The root is that of the trie over the encodings. */
static void test_root(void) {
    struct receipt receipts[3];
    struct log logs[2];
    example(receipts, logs);
    static uint8_t encoded[3][2048];
    struct bytes values[3];
    struct arena arena = arena_over(memory, sizeof memory);
    for (size_t i = 0; i < 3; i++) {
        struct buffer out = buffer_over(encoded[i], sizeof encoded[i]);
        receipt_encode(&receipts[i], &out);
        values[i] = buffer_bytes(&out);
    }
    struct hash32 expected, got;
    CHECK(trie_root_indexed(values, 3, &arena, &expected) == ERR_OK);
    CHECK(receipts_root(receipts, 3, &arena, &got) == ERR_OK);
    CHECK(hash_equal(&expected, &got));
    CHECK(receipts_root(NULL, 0, &arena, &got) == ERR_OK);
    CHECK(hash_equal(&got, &KECCAK_EMPTY_TRIE));
}

int main(void) {
    test_consensus_form();
    test_stored_form();
    test_root();
    return 0;
}
