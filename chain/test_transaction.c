/* Transactions: known encodings, the round trip of every type, and each way to be refused. */
#include "chain/transaction.h"

#include <stdio.h>

#include "base/check.h"
#include "base/hex.h"

static uint8_t memory[1 << 20];

static struct bytes from_hex(const char *text, uint8_t *out, size_t capacity) {
    struct buffer buffer = buffer_over(out, capacity);
    CHECK(hex_decode(bytes_from_string(text), true, &buffer) == ERR_OK);
    return buffer_bytes(&buffer);
}

static struct secp_key example_key(void) {
    struct secp_key key;
    memset(key.secret, 0x46, sizeof key.secret); /* the key of EIP-155's example */
    return key;
}

/* The example of EIP-155: nonce 9, 20 gwei, 21000 gas, 1 ether, chain id 1. */
static void test_eip155_example(void) {
    static const char *const encoded =
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0"
        "b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9"
        "d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";
    uint8_t raw[256];
    struct arena arena = arena_over(memory, sizeof memory);
    struct transaction transaction;
    const struct bytes in = from_hex(encoded, raw, sizeof raw);
    CHECK(transaction_decode(in, &arena, &transaction) == VERDICT_ACCEPTED);
    CHECK(transaction.type == TRANSACTION_LEGACY);
    CHECK(transaction.is_protected && transaction.chain_id == 1);
    CHECK(transaction.nonce == 9 && transaction.gas_limit == 21000);

    struct hash32 expected;
    CHECK(hex_to_hash(
              BYTES_STRING("0xdaf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"),
              &expected) == ERR_OK);
    const struct hash32 digest = transaction_signing_hash(&transaction);
    CHECK(hash_equal(&digest, &expected));

    struct address sender;
    CHECK(hex_to_address(BYTES_STRING("0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"), &sender) ==
          ERR_OK);
    CHECK(transaction_recover(&transaction) == VERDICT_ACCEPTED);
    CHECK(address_equal(&transaction.sender, &sender));

    struct transaction again = transaction;
    const struct secp_key key = example_key();
    CHECK(transaction_sign(&again, &key, &arena) == ERR_OK);
    CHECK(bytes_equal(again.encoded, in));
    CHECK(hash_equal(&again.hash, &transaction.hash));
}

static struct transaction example(enum transaction_type type) {
    static const struct hash32 keys[2] = {{{1}}, {{2}}};
    static const struct access_tuple tuples[2] = {{{{0xaa}}, keys, 2}, {{{0xbb}}, NULL, 0}};
    static const struct hash32 blobs[1] = {{{1, 2, 3}}};
    static const struct authorization authorizations[1] = {
        {{{7, 0, 0, 0}}, {{0xcc}}, 3, {{1, 0, 0, 0}}, {{5, 0, 0, 0}}, {{6, 0, 0, 0}}}};
    static uint8_t data[300] = {1, 2, 3};
    struct transaction out = {.type = type,
                              .is_protected = true,
                              .chain_id = 1337,
                              .nonce = 5,
                              .max_priority_fee = u256_from_u64(2),
                              .max_fee = u256_from_u64(1000000000),
                              .gas_limit = 100000,
                              .to = {{0x11}},
                              .value = u256_from_u64(12345),
                              .data = BYTES_OF(data)};
    if (type != TRANSACTION_LEGACY) {
        out.access_list = tuples;
        out.access_list_count = 2;
    }
    if (type < TRANSACTION_DYNAMIC_FEE) out.max_priority_fee = out.max_fee;
    if (type == TRANSACTION_BLOB) {
        out.blob_hashes = blobs;
        out.blob_hashes_count = 1;
        out.max_fee_per_blob_gas = u256_from_u64(9);
    }
    if (type == TRANSACTION_SET_CODE) {
        out.authorizations = authorizations;
        out.authorizations_count = 1;
    }
    return out;
}

static void test_round_trip(enum transaction_type type) {
    struct arena arena = arena_over(memory, sizeof memory);
    const struct secp_key key = example_key();
    const struct address expected = secp_key_address(&key);
    struct transaction signed_one = example(type);
    CHECK(transaction_sign(&signed_one, &key, &arena) == ERR_OK);
    struct transaction read;
    CHECK(transaction_decode(signed_one.encoded, &arena, &read) == VERDICT_ACCEPTED);
    CHECK(read.type == type && read.chain_id == 1337 && read.nonce == 5);
    CHECK(read.access_list_count == signed_one.access_list_count);
    CHECK(read.authorizations_count == signed_one.authorizations_count);
    CHECK(read.blob_hashes_count == signed_one.blob_hashes_count);
    CHECK(bytes_equal(read.data, signed_one.data));
    CHECK(hash_equal(&read.hash, &signed_one.hash));
    CHECK(transaction_recover(&read) == VERDICT_ACCEPTED);
    CHECK(address_equal(&read.sender, &expected));

    uint8_t again[1024];
    struct buffer out = buffer_over(again, sizeof again);
    transaction_encode(&read, &out);
    CHECK(bytes_equal(buffer_bytes(&out), signed_one.encoded));

    /* No prefix of a transaction is one, nor a transaction with a byte too many. */
    uint8_t copy[1024];
    memcpy(copy, again, out.size);
    copy[out.size] = 0x80;
    for (size_t size = 0; size < out.size; size++) {
        CHECK(transaction_decode((struct bytes){copy, size}, &arena, &read) != VERDICT_ACCEPTED);
    }
    CHECK(transaction_decode((struct bytes){copy, out.size + 1}, &arena, &read) ==
          VERDICT_MALFORMED);
}

static void test_refusals(void) {
    struct arena arena = arena_over(memory, sizeof memory);
    const struct secp_key key = example_key();
    struct transaction out;
    CHECK(transaction_decode(BYTES_EMPTY, &arena, &out) == VERDICT_MALFORMED);
    CHECK(transaction_decode(BYTES_STRING("\x05\xc0"), &arena, &out) == VERDICT_TYPE_UNSUPPORTED);
    CHECK(transaction_decode(BYTES_STRING("\x80"), &arena, &out) == VERDICT_MALFORMED);

    struct transaction big = example(TRANSACTION_ACCESS_LIST);
    CHECK(transaction_sign(&big, &key, &arena) == ERR_OK);
    struct arena small = arena_over(memory + sizeof memory / 2, 16);
    CHECK(transaction_decode(big.encoded, &small, &out) == VERDICT_OVERSIZED);
    CHECK(small.used == 0);
    struct transaction unsigned_one = example(TRANSACTION_DYNAMIC_FEE);
    CHECK(transaction_sign(&unsigned_one, &key, &small) == ERR_LIMIT);

    /* n - s with the other parity signs the same, and is refused since Homestead (EIP-2). */
    static const char *const order =
        "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    uint8_t order_bytes[32];
    CHECK(hex_decode_fixed(bytes_from_string(order), order_bytes, 32) == ERR_OK);
    const struct u256 n = u256_from_be(BYTES_OF(order_bytes));
    struct transaction high = example(TRANSACTION_LEGACY);
    high.is_protected = false;
    high.chain_id = 0;
    CHECK(transaction_sign(&high, &key, &arena) == ERR_OK);
    CHECK(transaction_recover(&high) == VERDICT_ACCEPTED);
    const struct address sender = high.sender;
    high.s = u256_sub(&n, &high.s);
    high.v.limb[0] = 27 + 28 - high.v.limb[0];
    CHECK(transaction_recover(&high) == VERDICT_SIGNATURE);
    CHECK(transaction_recover_at(&high, FORK_FRONTIER) == VERDICT_ACCEPTED);
    CHECK(address_equal(&high.sender, &sender));
    high.v.limb[0] = 26;
    CHECK(transaction_recover(&high) == VERDICT_SIGNATURE);
    high.v.limb[0] = 29;
    CHECK(transaction_recover(&high) == VERDICT_SIGNATURE);
}

static void test_authorization(void) {
    struct authorization authorization = example(TRANSACTION_SET_CODE).authorizations[0];
    struct address signer;
    authorization.y_parity = u256_from_u64(2);
    CHECK(authorization_recover(&authorization, &signer) == ERR_SIGNATURE);
    authorization.y_parity = U256_ONE;
    authorization.s = U256_MAX;
    CHECK(authorization_recover(&authorization, &signer) == ERR_SIGNATURE);
}

static void test_effective_tip(void) {
    struct transaction transaction = {.max_fee = u256_from_u64(100),
                                      .max_priority_fee = u256_from_u64(10)};
    static const struct {
        uint64_t base_fee, tip;
    } cases[] = {{0, 10}, {50, 10}, {90, 10}, {95, 5}, {100, 0}, {101, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct u256 base_fee = u256_from_u64(cases[i].base_fee);
        const struct u256 tip = transaction_effective_tip(&transaction, &base_fee);
        CHECK(tip.limb[0] == cases[i].tip && u256_fits_u64(&tip));
    }
}

/* The examples of EIP-1014, and the first contract of a well-known account. */
static void test_contract_addresses(void) {
    struct address sender = {{0}}, expected;
    struct hash32 salt = {{0}}, hash;
    CHECK(hex_to_hash(
              BYTES_STRING("0xbc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a"),
              &hash) == ERR_OK); /* keccak of 0x00 */
    CHECK(hex_to_address(BYTES_STRING("0x4d1a2e2bb4f88f0250f26ffff098b0b30b26bf38"), &expected) ==
          ERR_OK);
    struct address got = contract_address_create2(&sender, &salt, &hash);
    CHECK(address_equal(&got, &expected));
    CHECK(hex_to_address(BYTES_STRING("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"), &sender) ==
          ERR_OK);
    CHECK(hex_to_address(BYTES_STRING("0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"), &expected) ==
          ERR_OK);
    got = contract_address_create(&sender, 0);
    CHECK(address_equal(&got, &expected));
}

int main(void) {
    test_eip155_example();
    for (int type = TRANSACTION_LEGACY; type <= TRANSACTION_SET_CODE; type++) {
        test_round_trip((enum transaction_type)type);
    }
    test_refusals();
    test_authorization();
    test_effective_tip();
    test_contract_addresses();
    return 0;
}
