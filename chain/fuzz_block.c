/* Whatever block_decode accepts encodes to the same bytes; packages, receipts and validator sets
 * are read from the same input without a crash and round-trip too. */
#include "base/check.h"
#include "chain/block.h"
#include "chain/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t memory[4 << 20], encoded[1 << 20];

static void fuzz_receipts(struct bytes in) {
    struct arena arena = arena_over(memory, sizeof memory);
    const struct receipt *receipts;
    size_t count;
    if (receipts_store_decode(in, &arena, &receipts, &count) != ERR_OK) return;
    struct buffer out = buffer_over(encoded, sizeof encoded);
    receipts_store_encode(receipts, count, &out);
    CHECK(bytes_equal(buffer_bytes(&out), in));
}

static void fuzz_validators(struct bytes in) {
    struct validator_set set;
    if (validator_set_decode(in, &set) != ERR_OK) return;
    struct buffer out = buffer_over(encoded, sizeof encoded);
    validator_set_encode(&set, &out);
    CHECK(bytes_equal(buffer_bytes(&out), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena = arena_over(memory, sizeof memory);
    const struct bytes in = {data, size};
    struct buffer out = buffer_over(encoded, sizeof encoded);
    struct block block;
    if (block_decode(in, &arena, &block) == ERR_OK) {
        block_encode(&block, &out);
        CHECK(bytes_equal(buffer_bytes(&out), in));
    }
    struct block_package package;
    if (block_package_decode(in, &package) == ERR_OK) {
        out = buffer_over(encoded, sizeof encoded);
        block_package_encode(&package, &out);
        CHECK(bytes_equal(buffer_bytes(&out), in));
    }
    fuzz_receipts(in);
    fuzz_validators(in);
    return 0;
}
