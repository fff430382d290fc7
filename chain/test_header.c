/* Headers: mainnet's first one, round trips of every tail, fee rules against worked examples. */
#include "chain/header.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"

static struct hash32 hash_of(const char *text) {
    struct hash32 out;
    CHECK(hex_to_hash(bytes_from_string(text), &out) == ERR_OK);
    return out;
}

static struct header mainnet_genesis(void) {
    struct header header = header_empty(FORK_FRONTIER);
    header.state_root =
        hash_of("0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544");
    header.difficulty = u256_from_u64(0x400000000);
    header.gas_limit = 5000;
    header.extra_bytes = 32;
    CHECK(hex_decode_fixed(
              BYTES_STRING("0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa"),
              header.extra, 32) == ERR_OK);
    header.nonce[7] = 0x42;
    return header;
}

static void test_genesis_hash(void) {
    const struct header header = mainnet_genesis();
    const struct hash32 expected =
        hash_of("0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3");
    const struct hash32 got = header_hash(&header);
    CHECK(hash_equal(&got, &expected));
}

static void test_round_trip(void) {
    for (unsigned tail = 0; tail <= HEADER_TAIL_PRAGUE; tail++) {
        struct header header = mainnet_genesis();
        header.tail_fields = tail;
        if (tail > 0) header.base_fee = u256_from_u64(7);
        if (tail > 1) header.withdrawals_root = KECCAK_EMPTY_TRIE;
        if (tail > 2) header.blob_gas_used = 131072;
        if (tail > 3) header.excess_blob_gas = 262144;
        if (tail > 4) header.parent_beacon_root = KECCAK_EMPTY;
        if (tail > 5) header.requests_hash = KECCAK_EMPTY_LIST;
        uint8_t memory[HEADER_BYTES_MAX];
        struct buffer out = buffer_over(memory, sizeof memory);
        header_encode(&header, &out);
        CHECK(!out.overflow);
        struct header read;
        CHECK(header_decode(buffer_bytes(&out), &read) == ERR_OK);
        CHECK(read.tail_fields == tail);
        const struct hash32 first = header_hash(&header), second = header_hash(&read);
        CHECK(hash_equal(&first, &second));
        for (size_t size = 0; size < out.size; size++) {
            CHECK(header_decode((struct bytes){memory, size}, &read) != ERR_OK);
        }
    }
    struct header header = mainnet_genesis();
    uint8_t memory[HEADER_BYTES_MAX];
    struct buffer out = buffer_over(memory, sizeof memory);
    header_encode(&header, &out);
    CHECK(header_decode((struct bytes){memory, out.size + 1}, &header) == ERR_ENCODING);
}

static void test_next_base_fee(void) {
    /* parent fee 1,000,000,000, limit 20,000,000: from EIP-1559's own test cases. */
    static const struct {
        uint64_t gas_used, next;
    } cases[] = {
        {10000000, 1000000000}, {9000000, 987500000}, {11000000, 1012500000},
        {20000000, 1125000000}, {0, 875000000},
    };
    struct header parent = mainnet_genesis();
    parent.gas_limit = 20000000;
    struct u256 next = header_next_base_fee(&parent);
    CHECK(next.limb[0] == 1000000000);
    parent.tail_fields = HEADER_TAIL_LONDON;
    parent.base_fee = u256_from_u64(1000000000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parent.gas_used = cases[i].gas_used;
        next = header_next_base_fee(&parent);
        CHECK(next.limb[0] == cases[i].next && u256_fits_u64(&next));
    }
    parent.base_fee = U256_ONE; /* rises by at least one, sinks by none */
    parent.gas_used = 20000000;
    next = header_next_base_fee(&parent);
    CHECK(next.limb[0] == 2);
    parent.gas_used = 0;
    next = header_next_base_fee(&parent);
    CHECK(next.limb[0] == 1);
}

static void test_blob_fee(void) {
    const struct chain_config config = chain_config_for_fork(FORK_OSAKA);
    /* EIP-4844: the price doubles with fraction * ln 2 = 2,314,057 units of excess. */
    struct u256 fee = blob_base_fee(&config, FORK_CANCUN, 0);
    CHECK(fee.limb[0] == 1);
    fee = blob_base_fee(&config, FORK_CANCUN, 2314057);
    CHECK(fee.limb[0] == 1);
    fee = blob_base_fee(&config, FORK_CANCUN, 2314058);
    CHECK(fee.limb[0] == 2);
    fee = blob_base_fee(&config, FORK_CANCUN, 10 * 1024 * 1024);
    CHECK(fee.limb[0] == 23);
    fee = blob_base_fee(&config, FORK_CANCUN, UINT64_MAX);
    CHECK(u256_equal(&fee, &U256_MAX));

    struct header parent = mainnet_genesis();
    CHECK(header_next_excess_blob_gas(&config, FORK_CANCUN, &parent) == 0);
    parent.tail_fields = HEADER_TAIL_CANCUN;
    parent.base_fee = U256_ONE;
    parent.blob_gas_used = 6 * 131072;
    CHECK(header_next_excess_blob_gas(&config, FORK_CANCUN, &parent) == 3 * 131072);
    CHECK(header_next_excess_blob_gas(&config, FORK_PRAGUE, &parent) == 0);
    /* EIP-7918: execution is dear, so 9 used blobs of 9 add (9 - 6) / 9 of their gas. */
    parent.base_fee = u256_from_u64(1000000000);
    parent.blob_gas_used = 9 * 131072;
    parent.excess_blob_gas = 131072;
    CHECK(header_next_excess_blob_gas(&config, FORK_OSAKA, &parent) == 4 * 131072);
    parent.blob_gas_used = 3 * 131072;
    CHECK(header_next_excess_blob_gas(&config, FORK_OSAKA, &parent) == 0);
    parent.excess_blob_gas = 6 * 131072;
    CHECK(header_next_excess_blob_gas(&config, FORK_OSAKA, &parent) == 7 * 131072);
}

/* has: adding the entry would change nothing. */
static bool has(const struct bloom *bloom, struct bytes entry) {
    struct bloom more = *bloom;
    bloom_add(&more, entry);
    return memcmp(&more, bloom, sizeof more) == 0;
}

static void test_bloom(void) {
    struct bloom bloom, other;
    memset(&bloom, 0, sizeof bloom);
    memset(&other, 0, sizeof other);
    const struct bytes entry = BYTES_STRING("entry");
    CHECK(!has(&bloom, entry));
    bloom_add(&bloom, entry);
    CHECK(has(&bloom, entry));
    CHECK(!has(&bloom, BYTES_STRING("another")));
    unsigned bits = 0;
    for (size_t i = 0; i < BLOOM_BYTES; i++) {
        bits += (unsigned)__builtin_popcount(bloom.bytes[i]);
    }
    CHECK(bits <= 3 && bits > 0);
    bloom_merge(&other, &bloom);
    CHECK(has(&other, entry));
}

int main(void) {
    test_genesis_hash();
    test_round_trip();
    test_next_base_fee();
    test_blob_fee();
    test_bloom();
    return 0;
}
