/* Commitments, squares and proofs against published vectors and against each other. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hex.h"
#include "base/merkle.h"
#include "da/square.h"

static struct da_erasure erasure;

static struct da_namespace namespace_of(const char *ten) {
    struct da_namespace ns = {{0}};
    memcpy(ns.bytes + 19, ten, 10);
    return ns;
}

static void expect_hash(const struct hash32 *hash, const char *hex) {
    struct hash32 expected;
    struct buffer out = buffer_over(expected.bytes, 32);
    CHECK(hex_decode(bytes_from_string(hex), true, &out) == ERR_OK && out.size == 32);
    CHECK(hash_equal(hash, &expected));
}

static void test_commitments(void) {
    static const struct {
        size_t size;
        const char *hash;
    } vectors[] = {
        {1, "bc0b80dc119152dc3100daa78304d927020781ac015930b604ba603f00d63833"},
        {478, "0c02f585dbabe057dfe5c92dff2fa2d510b52ee92454610a02aaf13de444fdea"},
        {479, "d00e51025af9ea4f0be96875a00388522eca9197c45151213571f7e672133f18"},
        {1000, "f2d7d5e156fe9ffa8669e54e00f4baa6de87339f2969d1258525f98ac67fb52f"},
        {100000, "b44f747659cfb9032c7801dcf9a3962f8ff9748ad13bb91353df3e71dad00a1c"},
    };
    static uint8_t data[100000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i % 251);
    const struct da_namespace ns = namespace_of("rollup0001");
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct hash32 hash = da_commitment(&ns, (struct bytes){data, vectors[i].size});
        expect_hash(&hash, vectors[i].hash);
    }
    static uint8_t largest[DA_BLOB_BYTES_MAX];
    (void)da_commitment(&ns, BYTES_OF(largest)); /* its subtrees fit the table */
}

/* celestia-app's own test values: an empty block, and 2 x 2 equal shares. */
static void test_data_hashes(void) {
    struct da_square square;
    void *memory = malloc(da_square_bytes(2));
    CHECK(memory != NULL);
    da_square_build(&erasure, NULL, 0, 1, memory, &square);
    expect_hash(&square.data_hash,
                "3d96b7d238e7e0456f6af8e7cdf0a67bd6cf9c2089ecb559c659dcaa1f880353");

    const struct da_namespace ns = namespace_of("\1\1\1\1\1\1\1\1\1\1");
    struct da_node leaf_data, leaf_parity;
    uint8_t share[DA_SHARE_BYTES];
    memset(share, 0xff, sizeof share);
    memcpy(share, ns.bytes, sizeof ns.bytes);
    memset(memory, 0, da_square_bytes(2));
    for (size_t i = 0; i < 4; i++) {
        memcpy((uint8_t *)memory + (i / 2 * 4 + i % 2) * DA_SHARE_BYTES, share, sizeof share);
    }
    da_erasure_extend(&erasure, memory, 2);
    leaf_data = da_node_leaf(&ns, share);
    struct hash32 leaves[8];
    for (size_t line = 0; line < 4; line++) {
        struct da_tree tree = {.depth = 0};
        for (size_t i = 0; i < 4; i++) {
            const uint8_t *cell = (uint8_t *)memory + (line * 4 + i) * DA_SHARE_BYTES;
            CHECK(memcmp(cell, share, sizeof share) == 0); /* a constant extends to itself */
            leaf_parity = da_node_leaf(&DA_NAMESPACE_PARITY, cell);
            da_tree_add(&tree, line < 2 && i < 2 ? &leaf_data : &leaf_parity);
        }
        const struct da_node root = da_tree_root(&tree);
        leaves[line] = leaves[4 + line] = merkle_leaf(BYTES_OF(root.bytes));
    }
    const struct hash32 hash = merkle_root(leaves, 8);
    expect_hash(&hash, "b56e4d251ac266f4b91cc5464b3fc7efcbdc888064647496d13133f0dc65ac25");
    free(memory);
}

/* A code with distance k + 1: two different data rows agree in fewer than k of their 2k shares. And
 * it is linear, and extending rows of parity equals extending columns of parity. */
static void test_erasure_properties(void) {
    for (size_t width = 1; width <= 16; width *= 2) {
        const size_t side = 2 * width;
        uint8_t *square = calloc(side * side, DA_SHARE_BYTES);
        uint8_t *flipped = calloc(side * side, DA_SHARE_BYTES);
        CHECK(square != NULL && flipped != NULL);
        for (size_t i = 0; i < width * width; i++) {
            uint8_t *share = square + (i / width * side + i % width) * DA_SHARE_BYTES;
            for (size_t k = 0; k < DA_SHARE_BYTES; k++)
                share[k] = (uint8_t)(i * 7 + k * 13 + 1);
        }
        for (size_t row = 0; row < side; row++) {
            for (size_t column = 0; column < side; column++) {
                memcpy(flipped + (column * side + row) * DA_SHARE_BYTES,
                       square + (row * side + column) * DA_SHARE_BYTES, DA_SHARE_BYTES);
            }
        }
        da_erasure_extend(&erasure, square, width);
        da_erasure_extend(&erasure, flipped, width);
        for (size_t row = 0; row < side; row++) {
            for (size_t column = 0; column < side; column++) {
                CHECK(memcmp(flipped + (column * side + row) * DA_SHARE_BYTES,
                             square + (row * side + column) * DA_SHARE_BYTES, DA_SHARE_BYTES) == 0);
            }
        }
        memset(square, 0, side * side * DA_SHARE_BYTES);
        square[0] = 1; /* one byte of data: no parity share of its row may be zero there */
        da_erasure_extend(&erasure, square, width);
        for (size_t column = width; column < side; column++) {
            CHECK(square[column * DA_SHARE_BYTES] != 0);
        }
        free(flipped);
        free(square);
    }
}

static void test_layout_and_proofs(void) {
    static uint8_t data[300000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i >> 3);
    struct da_square_blob blobs[] = {
        {.ns = namespace_of("aaaaaaaaaa"), .data = {data, 100}},
        {.ns = namespace_of("bbbbbbbbbb"), .data = {data, 200000}},
        {.ns = namespace_of("bbbbbbbbbb"), .data = {data + 1, 3000}},
        {.ns = namespace_of("cccccccccc"), .data = {data + 2, 478}},
    };
    size_t width;
    CHECK(da_square_layout(blobs, 4, &width) == ERR_OK);
    CHECK(width == 32);
    CHECK(blobs[0].share_index == 0 && blobs[1].share_index == 8);
    void *memory = malloc(da_square_bytes(width));
    CHECK(memory != NULL);
    static struct da_square square;
    da_square_build(&erasure, blobs, 4, width, memory, &square);
    /* Every range of a row is proved, and no other leaf fits. */
    for (size_t row = 0; row < 2 * width; row += 9) {
        for (size_t start = 0; start < 2 * width; start += 5) {
            for (size_t end = start + 1; end <= 2 * width; end += 7) {
                struct da_proof proof;
                struct da_node root;
                da_square_prove(&square, row, start, end, &proof);
                struct da_node *leaves = square.nodes + row * 2 * width + start;
                CHECK(da_proof_root(&proof, leaves, 2 * width, &root) == ERR_OK);
                CHECK(memcmp(&root, &square.row_roots[row], sizeof root) == 0);
                leaves[0].bytes[80] ^= 1;
                CHECK(da_proof_root(&proof, leaves, 2 * width, &root) == ERR_OK);
                CHECK(memcmp(&root, &square.row_roots[row], sizeof root) != 0);
                leaves[0].bytes[80] ^= 1;
            }
        }
    }
    static uint8_t largest[DA_BLOB_BYTES_MAX];
    struct da_square_blob two[] = {{.ns = blobs[0].ns, .data = BYTES_OF(largest)},
                                   {.ns = blobs[0].ns, .data = BYTES_OF(largest)}};
    CHECK(da_square_layout(two, 1, &width) == ERR_OK && width == 128);
    CHECK(da_square_layout(two, 2, &width) == ERR_LIMIT);
    free(memory);
}

static void test_namespaces(void) {
    CHECK(!da_namespace_is_for_blobs(&DA_NAMESPACE_PRIMARY_PADDING));
    CHECK(!da_namespace_is_for_blobs(&DA_NAMESPACE_TAIL_PADDING));
    CHECK(!da_namespace_is_for_blobs(&DA_NAMESPACE_PARITY));
    struct da_namespace ns = {{0}};
    CHECK(!da_namespace_is_for_blobs(&ns));
    ns.bytes[27] = 1;
    CHECK(da_namespace_is_for_blobs(&ns));
    ns.bytes[18] = 1;
    CHECK(!da_namespace_is_for_blobs(&ns));
}

int main(void) {
    da_erasure_init(&erasure);
    test_commitments();
    test_data_hashes();
    test_erasure_properties();
    test_layout_and_proofs();
    test_namespaces();
    (void)puts("da commitment: ok");
    return 0;
}
