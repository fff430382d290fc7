#pragma once
/* Inside the trie: nodes in memory and their encodings.  Only trie*.c and range.c include this. */
#include "state/trie.h"

#define TRIE_DEPTH_NONE 0xff

struct trie_leaf {
    struct hash32 key;
    struct bytes value;
    struct trie_ref ref; /* as seen from ref_depth */
    uint8_t ref_depth;   /* TRIE_DEPTH_NONE: not computed */
};

struct trie_branch {
    struct hash32 path; /* the first `depth` nibbles count */
    uint8_t depth;
    bool is_stale;            /* a child changed since `own` was computed */
    bool is_changed;          /* differs from what the reader has */
    bool is_stored;           /* the reader has a record at this path */
    bool has_own;             /* `own` is valid (unless is_stale) */
    uint8_t ref_depth;        /* as for leaves */
    struct trie_ref ref;      /* of the extension above it, if its slot is shallower */
    struct trie_ref own;      /* of the branch node itself */
    struct trie_branch *next; /* of the same depth, while trie_root works */
    struct trie_slot children[TRIE_CHILDREN];
};

/* Names of nodes are 32 bytes of a hash or a shorter encoding; empty: there is no child.
 * The RLP of one node, in room that the caller gives; `out` has TRIE_ENCODED_BYTES_MAX bytes, or
 * for a leaf 64 more than its value.  Each returns the encoding, a view of `out`. */
struct bytes trie_encode_leaf(const struct trie_leaf *leaf, unsigned depth, struct buffer *out);
struct bytes trie_encode_extension(const struct trie_branch *branch, unsigned depth,
                                   struct buffer *out);
struct bytes trie_encode_branch(const struct bytes refs[TRIE_CHILDREN], struct buffer *out);
/* trie_ref_of names an encoded node. */
struct trie_ref trie_ref_of(struct bytes encoded);
/* trie_record_encode writes the KV_TRIE record of a branch whose children's names are `refs`. */
struct bytes trie_record_encode(const struct trie_branch *branch,
                                const struct bytes refs[TRIE_CHILDREN], struct buffer *out);

struct trie_deleted {
    struct hash32 path;
    uint8_t depth;
    struct trie_deleted *next;
};

/* trie_branch_at reads a slot whose kind says TRIE_BRANCH. */
/* trie_branch_at is the branch in a TRIE_BRANCH slot. */
static inline struct trie_branch *trie_branch_at(const struct trie_slot *slot) {
    return (struct trie_branch *)(uintptr_t)slot->at;
}

/* trie_leaf_at reads a slot whose kind says TRIE_LEAF. */
/* trie_leaf_at is the leaf in a TRIE_LEAF slot. */
static inline struct trie_leaf *trie_leaf_at(const struct trie_slot *slot) {
    return (struct trie_leaf *)(uintptr_t)slot->at;
}

/* trie_set_nibble changes nibble `index` of a path. */
static inline void trie_set_nibble(struct hash32 *path, unsigned index, unsigned nibble) {
    uint8_t *byte = &path->bytes[index / 2];
    *byte = (uint8_t)(index % 2 == 0 ? (*byte & 0x0fu) | nibble << 4 : (*byte & 0xf0u) | nibble);
}

/* --- shared by trie.c (loading, changing) and trie_hash.c (hashing, writing, proving) */

/* trie_owner is NULL for the account trie. */
const struct hash32 *trie_owner(const struct trie *trie);
/* trie_common_nibbles is the first index in [from, to) where a and b differ, or `to`. */
unsigned trie_common_nibbles(const struct hash32 *a, const struct hash32 *b, unsigned from,
                             unsigned to);
/* trie_open_root finds what hangs at the root: a branch if any is stored, else the only leaf. */
MUST_USE enum err trie_open_root(struct trie *trie);
/* trie_resolve loads a stored child; `depth` is its slot's, `path` leads to it. */
MUST_USE enum err trie_resolve(struct trie *trie, struct trie_slot *slot, const struct hash32 *path,
                               unsigned depth);
