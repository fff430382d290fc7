/* The ABI against what cast encodes, and digests against the contracts' own vectors. */
#include "l1/abi.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/keccak.h"

/* cast abi-encode and cast calldata of the values that the tests name. */
static const char VALIDATOR_SET[] =
    "00000000000000000000000000000000000000000000000000000000000000070000000000000000"
    "000000000000000000000000000000000000000000000bb800000000000000000000000000000000"
    "00000000000000000000000000000060000000000000000000000000000000000000000000000000"
    "00000000000000020000000000000000000000000000000000000000000000000000000000000040"
    "00000000000000000000000000000000000000000000000000000000000001000000000000000000"
    "00000000111111111111111111111111111111111111111100000000000000000000000000000000"
    "000000000000000000000000000000aa000000000000000000000000000000000000000000000000"
    "00000000000003e80000000000000000000000000000000000000000000000000000000000000080"
    "000000000000000000000000000000000000000000000000000000000000000f687474703a2f2f6f"
    "6e653a38353435000000000000000000000000000000000000000000000000000000000022222222"
    "22222222222222222222222222222222000000000000000000000000000000000000000000000000"
    "00000000000000bb00000000000000000000000000000000000000000000000000000000000007d0"
    "00000000000000000000000000000000000000000000000000000000000000800000000000000000"
    "00000000000000000000000000000000000000000000002b687474703a2f2f612d6d7563682d6c6f"
    "6e6765722d656e64706f696e742e6578616d706c653a383534352f00000000000000000000000000"
    "0000000000000000";
static const char PENDING[] =
    "00000000000000000000000000000000000000000000000000000000000000200000000000000000"
    "00000000000000000000000000000000000000000000000200000000000000000000000000000000"
    "00000000000000000000000000000001000000000000000000000000111111111111111111111111"
    "111111111111111100000000000000000000000000000000000000000000000000000000000000aa"
    "000000000000000000000000000000000000000000000000000000000000000a0000000000000000"
    "00000000000000000000000000000000000000000000013600000000000000000000000000000000"
    "00000000000000000000000000000005000000000000000000000000222222222222222222222222"
    "222222222222222200000000000000000000000000000000000000000000000000000000000000bb"
    "000000000000000000000000000000000000000000000000000000000000000b0000000000000000"
    "000000000000000000000000000000000000000000000137";
static const char FORCED[] =
    "00000000000000000000000000000000000000000000000000000000000000607924f890e12acdf5"
    "16d6278e342cd34550e3bafe0a3dec1b9c2c3e991733711a00000000000000000000000000000000"
    "00000000000000000000000000000005000000000000000000000000000000000000000000000000"
    "0000000000000003c0ffee0000000000000000000000000000000000000000000000000000000000";
static const char SUBMIT_BATCH[] =
    "9194bc4c000000000000000000000000000000000000000000000000000000000000000100000000"
    "00000000000000000000000000000000000000000000000000000002000000000000000000000000"
    "00000000000000000000000000000000000000030000000000000000000000000000000000000000"
    "00000000000000000000000400000000000000000000000000000000000000000000000000000000"
    "00000005000000000000000000000000000000000000000000000000000000000000000600000000"
    "00000000000000000000000000000000000000000000000000000007000000000000000000000000"
    "00000000000000000000000000000000000001000000000000000000000000000000000000000000"
    "00000000000000000000000200000000000000000000000000000000000000000000000000000000"
    "0000004000000000000000000000000000000000000000000000000000000000000000c000000000"
    "000000000000000000000000000000000000000000000000000000411a1a1a1a1a1a1a1a1a1a1a1a"
    "1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b"
    "2b2b2b2b2b2b2b2b2b2b2b2b1b000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000413c3c3c3c"
    "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c4d4d4d4d4d4d4d4d4d4d4d4d"
    "4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d1c00000000000000000000000000000000000000"
    "000000000000000000000000";

struct sample {
    uint8_t data[2048];
    size_t size;
};

static struct sample decode(const char *hex) {
    struct sample sample;
    struct buffer out = buffer_over(sample.data, sizeof sample.data);
    CHECK(hex_decode(bytes_from_string(hex), true, &out) == ERR_OK);
    sample.size = out.size;
    return sample;
}

static struct bytes bytes_of(const struct sample *sample) {
    return (struct bytes){sample->data, sample->size};
}

static struct l1_view view;

static enum err read_set(struct bytes in) {
    return l1_abi_validator_set(in, &view);
}
static enum err read_pending(struct bytes in) {
    struct l1_pending rows[2];
    size_t count;
    return l1_abi_pending(in, rows, 2, &count);
}
static enum err read_forced(struct bytes in) {
    struct bytes raw;
    struct hash32 hash;
    return l1_abi_forced(in, &raw, &hash);
}

/* Every word more or less is noticed, and so is every bit of offsets, sizes and padding. */
static void expect_strict(const char *hex, enum err (*read)(struct bytes in), size_t free_bits) {
    struct sample sample = decode(hex);
    CHECK(read(bytes_of(&sample)) == ERR_OK);
    for (size_t size = 0; size < sample.size; size++) {
        CHECK(read((struct bytes){sample.data, size}) != ERR_OK);
    }
    memset(sample.data + sample.size, 0, 32);
    CHECK(read((struct bytes){sample.data, sample.size + 32}) != ERR_OK);
    size_t accepted = 0;
    for (size_t bit = 0; bit < 8 * sample.size; bit++) {
        sample.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        accepted += read(bytes_of(&sample)) == ERR_OK;
        sample.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK(accepted <= free_bits);
}

static void test_validator_set(void) {
    const struct sample sample = decode(VALIDATOR_SET);
    CHECK(l1_abi_validator_set(bytes_of(&sample), &view) == ERR_OK);
    CHECK(view.epoch == 7 && view.validators_count == 2);
    CHECK(view.validators[0].address.bytes[19] == 0x11 && view.validators[0].power == 1000);
    CHECK(view.validators[1].peer_id.bytes[31] == 0xbb && view.validators[1].power == 2000);
    CHECK(strcmp(view.validators[0].endpoint, "http://one:8545") == 0);
    CHECK(strcmp(view.validators[1].endpoint, "http://a-much-longer-endpoint.example:8545/") == 0);
    /* Free are: the epoch's 64 bits, addresses in their order, peer ids, the endpoints' texts. */
    expect_strict(VALIDATOR_SET, read_set, 64 + 2 * (160 + 256) + 8 * (15 + 43));

    struct sample hostile = sample; /* an endpoint of any bytes does not hide the others */
    for (size_t i = 0; i + 4 < hostile.size; i++) {
        if (memcmp(hostile.data + i, "http", 4) == 0) memcpy(hostile.data + i, "\0\n\x80\"", 4);
    }
    CHECK(l1_abi_validator_set(bytes_of(&hostile), &view) == ERR_OK);
    CHECK(strcmp(view.validators[0].endpoint, "???\"://one:8545") == 0);
}

static void test_others(void) {
    struct l1_pending rows[2];
    size_t count = 0;
    struct sample sample = decode(PENDING);
    CHECK(l1_abi_pending(bytes_of(&sample), rows, 2, &count) == ERR_OK && count == 2);
    CHECK(rows[1].id == 5 && rows[1].l1_block == 11 && rows[0].deadline_l1_block == 310);
    CHECK(l1_abi_pending(bytes_of(&sample), rows, 1, &count) == ERR_LIMIT);
    expect_strict(PENDING, read_pending, 2 * (64 + 160 + 256 + 64 + 64));

    struct bytes raw;
    struct hash32 hash;
    sample = decode(FORCED);
    CHECK(l1_abi_forced(bytes_of(&sample), &raw, &hash) == ERR_OK);
    CHECK(raw.size == 3 && memcmp(raw.data, "\xc0\xff\xee", 3) == 0);
    expect_strict(FORCED, read_forced, 64);

    uint8_t words[96] = {[31] = 9, [63] = 8, [95] = 7};
    CHECK(l1_abi_settled(BYTES_OF(words), &view) == ERR_OK);
    CHECK(view.settled_last_block == 9 && view.settled_hash.bytes[31] == 8);
    CHECK(view.settled_state_root.bytes[31] == 7);
    words[0] = 1;
    CHECK(l1_abi_settled(BYTES_OF(words), &view) == ERR_ENCODING);
}

static void test_calls(void) {
    uint8_t memory[L1_BATCH_CALL_BYTES_MAX];
    struct buffer out = buffer_over(memory, sizeof memory);
    struct settlement settlement = {.batch = {.first = 1, .last = 2, .da_height = 6},
                                    .signatures_count = 2};
    struct batch_statement *batch = &settlement.batch;
    batch->parent_hash.bytes[31] = 3;
    batch->last_hash.bytes[31] = 4;
    batch->state_root.bytes[31] = 5;
    batch->da_commitment.bytes[31] = 7;
    struct batch_signature *signatures = settlement.signatures;
    memset(signatures[0].signature.r, 0x1a, 32);
    memset(signatures[0].signature.s, 0x2b, 32);
    memset(signatures[1].signature.r, 0x3c, 32);
    memset(signatures[1].signature.s, 0x4d, 32);
    signatures[1].signature.y_parity = 1;
    l1_abi_submit_batch(&out, &settlement);
    const struct sample expected = decode(SUBMIT_BATCH);
    CHECK(bytes_equal(buffer_bytes(&out), bytes_of(&expected)));
    out.size = 0;
    settlement.signatures_count = SETTLEMENT_SIGNATURES_MAX;
    l1_abi_submit_batch(&out, &settlement);
    CHECK(!out.overflow && out.size == sizeof memory); /* the bound is exact */
    uint8_t selector[4];
    l1_abi_selector(L1_ABI_GET_VALIDATOR_SET, selector);
    CHECK(be_read(selector, 4) == 0xcf331250);
    l1_abi_selector(L1_ABI_LAST_SETTLED_BLOCK, selector);
    CHECK(be_read(selector, 4) == 0xdaabb548);
}

int main(void) {
    test_validator_set();
    test_others();
    test_calls();
    (void)puts("l1 abi: ok");
    return 0;
}
