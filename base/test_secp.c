#include "base/secp.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"

/* The order of secp256k1's group. */
static const char order_text[] =
    "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

/* The first development accounts of the mnemonic "test test ... junk": known to everybody. */
static const struct {
    const char *secret, *address;
} accounts[] = {
    {"0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
     "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"},
    {"0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
     "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"},
    {"0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
     "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"},
};

static void load(const char *text, uint8_t out[32]) {
    CHECK(hex_decode_fixed(bytes_from_string(text), out, 32) == ERR_OK);
}

static void test_accounts(void) {
    for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
        struct secp_key key;
        char text[43];
        load(accounts[i].secret, key.secret);
        CHECK(secp_key_is_valid(&key));
        const struct address address = secp_key_address(&key);
        CHECK(strcmp(hex_checksum_address(&address, text), accounts[i].address) == 0);
    }
    struct secp_key zero = {{0}};
    CHECK(!secp_key_is_valid(&zero));
    struct secp_key order;
    load(order_text, order.secret);
    CHECK(!secp_key_is_valid(&order));
    order.secret[31] -= 1;
    CHECK(secp_key_is_valid(&order));
}

/* EIP-155's example: the signature of the transaction that the EIP writes out in full. */
static void test_eip155_vector(void) {
    struct secp_key key;
    struct hash32 digest;
    struct secp_signature signature;
    uint8_t r[32];
    uint8_t s[32];
    memset(key.secret, 0x46, sizeof key.secret);
    load("0xdaf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53", digest.bytes);
    load("0x28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276", r);
    load("0x67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83", s);
    secp_sign(&key, &digest, &signature);
    CHECK(memcmp(signature.r, r, 32) == 0);
    CHECK(memcmp(signature.s, s, 32) == 0);
    CHECK(signature.y_parity == 0);
}

/* high_twin turns a signature into its twin with n - s and the other parity, which recovers alike.
 */
static struct secp_signature high_twin(struct secp_signature signature) {
    struct hash32 order_hash;
    load(order_text, order_hash.bytes);
    const struct u256 order = u256_from_hash(&order_hash);
    const struct u256 s = u256_from_be((struct bytes){signature.s, 32});
    const struct u256 high = u256_sub(&order, &s);
    u256_to_be(&high, signature.s);
    signature.y_parity ^= 1;
    return signature;
}

static void test_sign_and_recover(void) {
    struct hash32 digest = keccak256(BYTES_STRING("baton"));
    for (int i = 0; i < 64; i++) {
        struct secp_key key;
        struct secp_signature signature;
        struct address address;
        digest = keccak256(hash_bytes(&digest));
        memcpy(key.secret, digest.bytes, 32);
        digest = keccak256(hash_bytes(&digest));
        secp_sign(&key, &digest, &signature);
        CHECK(secp_is_low_s(&signature));
        CHECK(secp_recover(&digest, &signature, &address) == ERR_OK);
        const struct address expected = secp_key_address(&key);
        CHECK(address_equal(&address, &expected));

        const struct secp_signature twin = high_twin(signature);
        CHECK(!secp_is_low_s(&twin));
        CHECK(secp_recover(&digest, &twin, &address) == ERR_OK);
        CHECK(address_equal(&address, &expected));

        signature.y_parity ^= 1;
        if (secp_recover(&digest, &signature, &address) == ERR_OK) {
            CHECK(!address_equal(&address, &expected));
        }
    }
}

static void test_recover_refuses(void) {
    const struct hash32 digest = keccak256(BYTES_STRING("x"));
    struct secp_key key = {{1}};
    struct secp_signature good;
    struct address address;
    memset(&address, 0xaa, sizeof address);
    const struct address before = address;
    secp_sign(&key, &digest, &good);

    struct secp_signature bad = good;
    bad.y_parity = 2;
    CHECK(secp_recover(&digest, &bad, &address) == ERR_SIGNATURE);
    bad = good;
    memset(bad.r, 0, 32);
    CHECK(secp_recover(&digest, &bad, &address) == ERR_SIGNATURE);
    bad = good;
    memset(bad.s, 0, 32);
    CHECK(secp_recover(&digest, &bad, &address) == ERR_SIGNATURE);
    bad = good;
    load(order_text, bad.r);
    CHECK(secp_recover(&digest, &bad, &address) == ERR_SIGNATURE);
    bad = good;
    memset(bad.s, 0xff, 32);
    CHECK(secp_recover(&digest, &bad, &address) == ERR_SIGNATURE);
    bad = good;
    memset(bad.r, 0, 32);
    bad.r[31] = 5; /* x = 5 is not on the curve */
    CHECK(secp_recover(&digest, &bad, &address) == ERR_SIGNATURE);
    CHECK(address_equal(&address, &before));
}

static void test_wire_form(void) {
    const struct hash32 digest = keccak256(BYTES_STRING("wire"));
    struct secp_key key = {{7}};
    struct secp_signature signature;
    struct secp_signature read;
    uint8_t wire[SECP_SIGNATURE_BYTES];
    secp_sign(&key, &digest, &signature);
    secp_signature_write(&signature, wire);
    CHECK(wire[64] == 27 + signature.y_parity);
    CHECK(secp_signature_read(BYTES_OF(wire), &read) == ERR_OK);
    CHECK(memcmp(&read, &signature, sizeof read) == 0);
    wire[64] -= 27;
    CHECK(secp_signature_read(BYTES_OF(wire), &read) == ERR_OK);
    CHECK(memcmp(&read, &signature, sizeof read) == 0);
    wire[64] = 29;
    CHECK(secp_signature_read(BYTES_OF(wire), &read) == ERR_ENCODING);
    CHECK(secp_signature_read((struct bytes){wire, 64}, &read) == ERR_ENCODING);
    const struct secp_signature twin = high_twin(signature);
    secp_signature_write(&twin, wire);
    CHECK(secp_signature_read(BYTES_OF(wire), &read) == ERR_ENCODING);
    CHECK(memcmp(&read, &signature, sizeof read) == 0);
}

int main(void) {
    test_accounts();
    test_eip155_vector();
    test_sign_and_recover();
    test_recover_refuses();
    test_wire_form();
    return 0;
}
