#include "base/merkle.h"

#define LEVELS_MAX 64

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

struct hash32 merkle_root(const struct hash32 *leaves, size_t count) {
    if (count == 0) return sha256(BYTES_EMPTY);
    /* The stack holds the roots of complete subtrees of falling sizes: those of the set bits of the
     * number of leaves seen.  RFC 6962 splits at the largest power of two, so folding the stack
     * from the right gives its tree. */
    struct hash32 stack[LEVELS_MAX + 1];
    size_t depth = 0;
    for (size_t i = 0; i < count; i++) {
        stack[depth++] = leaves[i];
        for (size_t seen = i + 1; seen % 2 == 0; seen /= 2, depth--) {
            stack[depth - 2] = merkle_inner(&stack[depth - 2], &stack[depth - 1]);
        }
    }
    for (; depth > 1; depth--) {
        stack[depth - 2] = merkle_inner(&stack[depth - 2], &stack[depth - 1]);
    }
    return stack[0];
}
