#include "base/merkle.h"

struct hash32 merkle_leaf(struct bytes data) {
    static const uint8_t domain[1] = {0x00};
    struct sha256 context;
    sha256_init(&context);
    sha256_update(&context, BYTES_OF(domain));
    sha256_update(&context, data);
    return sha256_final(&context);
}

struct hash32 merkle_inner(const struct hash32 *left, const struct hash32 *right) {
    uint8_t preimage[65];
    preimage[0] = 0x01;
    memcpy(preimage + 1, left->bytes, 32);
    memcpy(preimage + 33, right->bytes, 32);
    return sha256(BYTES_OF(preimage));
}

void merkle_fold_leaf(struct merkle_fold *fold, const struct hash32 *leaf) {
    /* The complete subtrees are those of the set bits of the number of leaves seen. */
    struct hash32 *stack = fold->stack;
    stack[fold->depth++] = *leaf;
    fold->count += 1;
    for (size_t seen = fold->count; seen % 2 == 0; seen /= 2, fold->depth--) {
        stack[fold->depth - 2] = merkle_inner(&stack[fold->depth - 2], &stack[fold->depth - 1]);
    }
}

struct hash32 merkle_fold_root(const struct merkle_fold *fold) {
    if (fold->count == 0) return sha256(BYTES_EMPTY);
    /* RFC 6962 splits at the largest power of two, so folding the stack from the right gives its
     * tree. */
    size_t depth = fold->depth;
    struct hash32 root = fold->stack[--depth];
    while (depth > 0)
        root = merkle_inner(&fold->stack[--depth], &root);
    return root;
}

struct hash32 merkle_root(const struct hash32 *leaves, size_t count) {
    struct merkle_fold fold = {.count = 0};
    for (size_t i = 0; i < count; i++)
        merkle_fold_leaf(&fold, &leaves[i]);
    return merkle_fold_root(&fold);
}
