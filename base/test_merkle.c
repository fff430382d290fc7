#include "base/merkle.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/sha256_internal.h"

static void expect_hash(struct hash32 hash, const char *digits) {
    char text[67];
    CHECK(strcmp(hex_string(hash_bytes(&hash), text) + 2, digits) == 0);
}

static void test_sha256(void) {
    expect_hash(sha256(BYTES_EMPTY),
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_hash(sha256(BYTES_STRING("abc")),
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect_hash(sha256(BYTES_STRING("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    struct sha256 context;
    sha256_init(&context);
    uint8_t block[1000];
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 1000; i++)
        sha256_update(&context, BYTES_OF(block));
    expect_hash(sha256_final(&context),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");

    for (size_t size = 0; size <= 200; size++) {
        const struct bytes in = {block, size};
        const struct hash32 expected = sha256(in);
        for (size_t split = 0; split <= size; split++) {
            sha256_init(&context);
            sha256_update(&context, bytes_slice(in, 0, split));
            sha256_update(&context, bytes_slice(in, split, size));
            const struct hash32 pieces = sha256_final(&context);
            CHECK(hash_equal(&pieces, &expected));
        }
    }
}

/* FIPS 180-4's one-block example, folded without the processor's help: the path that this machine
 * may never take. */
static void test_sha256_general(void) {
    struct sha256 context;
    uint8_t block[2 * SHA256_BLOCK_BYTES] = "abc\x80";
    block[SHA256_BLOCK_BYTES - 1] = 24;
    sha256_init(&context);
    sha256_compress_general(context.state, block, 1);
    CHECK(context.state[0] == 0xba7816bf);
    CHECK(context.state[7] == 0xf20015ad);

    /* Both paths agree on any block: sha256_update takes the machine's own. */
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (uint8_t)(i * i + 3);
    struct sha256 picked;
    sha256_init(&context);
    sha256_init(&picked);
    sha256_update(&picked, BYTES_OF(block));
    sha256_compress_general(context.state, block, 2);
    CHECK(memcmp(picked.state, context.state, sizeof picked.state) == 0);
}

/* rfc_root is RFC 6962's definition word for word: split at the largest power of two below n. */
static struct hash32 rfc_root(const struct hash32 *leaves, size_t count) {
    if (count == 1) return leaves[0];
    size_t split = 1;
    while (split * 2 < count)
        split *= 2;
    const struct hash32 left = rfc_root(leaves, split);
    const struct hash32 right = rfc_root(leaves + split, count - split);
    return merkle_inner(&left, &right);
}

static void test_roots(void) {
    /* The test tree of Certificate Transparency implementations: eight leaves of hex strings. */
    static const struct bytes data[8] = {BYTES_STRING(""),
                                         BYTES_STRING("\x00"),
                                         BYTES_STRING("\x10"),
                                         BYTES_STRING("\x20\x21"),
                                         BYTES_STRING("\x30\x31"),
                                         BYTES_STRING("\x40\x41\x42\x43"),
                                         BYTES_STRING("\x50\x51\x52\x53\x54\x55\x56\x57"),
                                         BYTES_STRING("\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a"
                                                      "\x6b\x6c\x6d\x6e\x6f")};
    struct hash32 leaves[100];
    for (size_t i = 0; i < 8; i++)
        leaves[i] = merkle_leaf(data[i]);
    expect_hash(merkle_root(leaves, 0),
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_hash(merkle_root(leaves, 1),
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    expect_hash(merkle_root(leaves, 2),
                "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    expect_hash(merkle_root(leaves, 3),
                "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
    expect_hash(merkle_root(leaves, 8),
                "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");

    for (size_t i = 0; i < 100; i++) {
        const uint8_t number[1] = {(uint8_t)i};
        leaves[i] = merkle_leaf(BYTES_OF(number));
    }
    for (size_t count = 1; count <= 100; count++) {
        const struct hash32 root = merkle_root(leaves, count);
        const struct hash32 expected = rfc_root(leaves, count);
        CHECK(hash_equal(&root, &expected));
    }
}

int main(void) {
    test_sha256();
    test_sha256_general();
    test_roots();
    return 0;
}
