/* Blocks and packages: round trips, truncation at every byte, roots of the lists. */
#include "chain/block.h"

#include "base/check.h"
#include "base/keccak.h"

static uint8_t memory[1 << 20];

static struct block example(void) {
    static const struct withdrawal withdrawals[2] = {{1, 2, {{3}}, 4}, {5, 6, {{7}}, UINT64_MAX}};
    static struct bytes transactions[2];
    static struct header ommer;
    transactions[0] = BYTES_STRING("\xc3\x01\x02\x03");
    transactions[1] = BYTES_STRING("\x02\xc1\x80");
    memset(&ommer, 0, sizeof ommer);
    struct block block;
    memset(&block, 0, sizeof block);
    block.header.number = 7;
    block.header.tail_fields = HEADER_TAIL_PRAGUE;
    block.transactions = transactions;
    block.transactions_count = 2;
    block.ommers = &ommer;
    block.ommers_count = 1;
    block.has_withdrawals = true;
    block.withdrawals = withdrawals;
    block.withdrawals_count = 2;
    return block;
}

static void test_block(void) {
    struct block block = example(), read;
    struct buffer out = buffer_over(memory, sizeof memory / 2);
    block_encode(&block, &out);
    CHECK(block_encoded_bytes(&block) == out.size);
    struct arena arena = arena_over(memory + sizeof memory / 2, sizeof memory / 2);
    CHECK(block_decode(buffer_bytes(&out), &arena, &read) == ERR_OK);
    const struct hash32 hash = header_hash(&block.header);
    CHECK(hash_equal(&hash, &read.hash));
    CHECK(read.transactions_count == 2 && read.ommers_count == 1);
    CHECK(bytes_equal(read.transactions[0], block.transactions[0]));
    CHECK(bytes_equal(read.transactions[1], block.transactions[1]));
    CHECK(read.has_withdrawals && read.withdrawals_count == 2);
    CHECK(read.withdrawals[1].amount_gwei == UINT64_MAX);

    uint8_t again[4096];
    struct buffer second = buffer_over(again, sizeof again);
    block_encode(&read, &second);
    CHECK(bytes_equal(buffer_bytes(&out), buffer_bytes(&second)));
    for (size_t size = 0; size < out.size; size++) {
        CHECK(block_decode((struct bytes){memory, size}, &arena, &read) != ERR_OK);
    }
    struct arena small = arena_over(arena.data, 16);
    CHECK(block_decode(buffer_bytes(&out), &small, &read) == ERR_LIMIT);
    CHECK(small.used == 0);

    block.has_withdrawals = false;
    out.size = 0;
    block_encode(&block, &out);
    CHECK(block_decode(buffer_bytes(&out), &arena, &read) == ERR_OK && !read.has_withdrawals);
}

/* A typed envelope is a string; a string that holds a legacy list is no transaction. */
static void test_wrapped_legacy(void) {
    struct block block = example(), read;
    struct buffer out = buffer_over(memory, sizeof memory / 2);
    struct arena arena = arena_over(memory + sizeof memory / 2, sizeof memory / 2);
    block_encode(&block, &out);
    for (size_t i = 0; i + 4 < out.size; i++) {
        if (memcmp(memory + i, "\x83\x02\xc1\x80", 4) == 0) memory[i + 1] = 0xc2;
    }
    CHECK(block_decode(buffer_bytes(&out), &arena, &read) == ERR_ENCODING);
}

static void test_package(void) {
    struct block block = example();
    struct buffer ethereum = buffer_over(memory, 65536);
    block_encode(&block, &ethereum);
    struct frame frame = {.version = FRAME_VERSION, .height = 7};
    struct buffer encoded = buffer_over(memory + 65536, 65536);
    frame_encode(&frame, &encoded);
    const struct block_package package = {.ethereum_block = buffer_bytes(&ethereum),
                                          .frame_encoded = buffer_bytes(&encoded),
                                          .last_commit = BYTES_STRING("commit")};
    struct buffer out = buffer_over(memory + 131072, 131072);
    block_package_encode(&package, &out);
    struct block_package read;
    CHECK(block_package_decode(buffer_bytes(&out), &read) == ERR_OK);
    CHECK(bytes_equal(read.ethereum_block, package.ethereum_block));
    CHECK(bytes_equal(read.last_commit, package.last_commit));
    CHECK(read.next_validators.size == 0);
    CHECK(read.frame.height == 7);
    for (size_t size = 0; size < out.size; size++) {
        CHECK(block_package_decode((struct bytes){out.data, size}, &read) != ERR_OK);
    }
}

static void test_roots(void) {
    struct arena arena = arena_over(memory, sizeof memory);
    struct hash32 root;
    CHECK(transactions_root(NULL, 0, &arena, &root) == ERR_OK);
    CHECK(hash_equal(&root, &KECCAK_EMPTY_TRIE));
    CHECK(withdrawals_root(NULL, 0, &arena, &root) == ERR_OK);
    CHECK(hash_equal(&root, &KECCAK_EMPTY_TRIE));
    const struct block block = example();
    struct hash32 other;
    CHECK(withdrawals_root(block.withdrawals, 2, &arena, &root) == ERR_OK);
    CHECK(withdrawals_root(block.withdrawals, 1, &arena, &other) == ERR_OK);
    CHECK(!hash_equal(&root, &other));
    CHECK(arena.used == 0);
    struct arena small = arena_over(memory, 64);
    CHECK(withdrawals_root(block.withdrawals, 2, &small, &root) == ERR_LIMIT);
    CHECK(small.used == 0);
}

int main(void) {
    test_block();
    test_wrapped_legacy();
    test_package();
    test_roots();
    return 0;
}
