#pragma once
/* SHA-256, and the binary Merkle tree of RFC 6962 (Certificate Transparency, section 2.1): leaf
 * SHA256(0x00 || data), inner SHA256(0x01 || left || right), empty SHA256(""). */
#include "base/bytes.h"
#include "base/hash.h"

struct sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes absorbed */
    uint8_t block[64];
};

/* sha256 hashes in one call; sha256_init, _update and _final hash a message in pieces, and the
 * context is of no use after sha256_final. */
struct hash32 sha256(struct bytes in);
void sha256_init(struct sha256 *context);
void sha256_update(struct sha256 *context, struct bytes in);
struct hash32 sha256_final(struct sha256 *context);

/* merkle_leaf and merkle_inner hash one node, with the domain byte that keeps the two apart. */
struct hash32 merkle_leaf(struct bytes data);
struct hash32 merkle_inner(const struct hash32 *left, const struct hash32 *right);
/* merkle_root folds `count` leaf hashes (made by merkle_leaf) into the root; no recursion deeper
 * than the 64 levels that a size_t count can have. */
struct hash32 merkle_root(const struct hash32 *leaves, size_t count);

/* merkle_fold takes the same leaf hashes one after another, without a place for all of them: begin
 * with a fold of zeros, and ask for the root as often as is wanted. */
#define MERKLE_LEVELS_MAX 64
struct merkle_fold {
    struct hash32 stack[MERKLE_LEVELS_MAX + 1]; /* roots of complete subtrees of falling sizes */
    size_t depth, count;
};
void merkle_fold_leaf(struct merkle_fold *fold, const struct hash32 *leaf);
struct hash32 merkle_fold_root(const struct merkle_fold *fold);
