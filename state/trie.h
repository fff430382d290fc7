#pragma once
/* The persistent Merkle Patricia trie (Yellow Paper, appendix D) over keys of 32 bytes, for the
 * accounts and for each account's storage.
 *
 * Leaves are not stored: the flat tables KV_ACCOUNTS and KV_STORAGE hold them under their hashed
 * keys. KV_TRIE holds the branch nodes alone, under owner and path; extensions follow from the
 * distance between a branch's path and its parent's.  A record keeps, for each child, how the
 * parent's encoding names it and whether it leads to a leaf or to a branch.  So an update of k keys
 * reads and writes only the branches on their paths, and whatever lies beside them is one name of
 * at most 32 bytes.
 *
 * A struct trie is the part of one trie that a block has looked at: nodes are loaded when a path
 * first needs them, changed in memory, hashed by trie_root and listed by trie_writes.  An untouched
 * child is as it was in the reader, hence a leaf that must move (its sibling went, or a neighbour
 * came) is found by seeking its path in the flat table, a branch by seeking its path in KV_TRIE.
 *
 * Depth is bounded by the 64 nibbles of a key; so is the recursion in trie_root and trie_writes. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "state/kv.h"

#define TRIE_DEPTH_MAX         64 /* nibbles of a key */
#define TRIE_CHILDREN          16
#define TRIE_KEY_BYTES_MAX     (1 + 32 + TRIE_DEPTH_MAX)
#define TRIE_RECORD_BYTES_MAX  (6 + TRIE_CHILDREN * 32)
#define TRIE_ENCODED_BYTES_MAX 544 /* RLP of a branch: 3 + 16 * 33 + 1 */
#define TRIE_PROOF_NODES_MAX   (2 * TRIE_DEPTH_MAX + 1)

/* How a parent names a node: its hash, or its whole encoding when that is shorter than 32 bytes. */
struct trie_ref {
    uint8_t data[32];
    uint8_t size; /* 32: a hash; 1..31: an encoding */
};

enum trie_slot_kind {
    TRIE_EMPTY,
    TRIE_STORED_LEAF,   /* as in the reader, not loaded: `at` is the name's bytes */
    TRIE_STORED_BRANCH, /* likewise */
    TRIE_LEAF,          /* `at` is a struct trie_leaf */
    TRIE_BRANCH,        /* `at` is a struct trie_branch, under an extension if it lies deeper */
};

struct trie_slot {
    const void *at;
    uint8_t kind;
    uint8_t ref_size; /* TRIE_STORED_*: bytes at `at` */
};

/* What a KV_TRIE record says; views it. */
struct trie_record {
    uint16_t present;  /* bit n: there is a child at nibble n */
    uint16_t branches; /* bit n: it leads to a branch, directly or by an extension */
    struct bytes refs[TRIE_CHILDREN];
};

/* trie_record_decode reads a record.  ERR_CORRUPT: fewer than two children, contradictory masks,
 * names of a wrong size, bytes missing or left over. */
MUST_USE enum err trie_record_decode(struct bytes in, struct trie_record *out);

struct trie_deleted; /* a stored branch that is gone */

struct trie {
    struct arena *arena;
    const struct kv_reader *reader;
    bool has_owner;      /* false: the account trie */
    struct hash32 owner; /* hashed address */
    bool is_opened;      /* root slot is known */
    bool is_wiped;       /* everything that the reader has of this owner is gone */
    bool is_stored_empty;
    struct trie_slot root;
    struct trie_deleted *deleted;
};

/* trie_begin views the trie of `owner` (NULL: the accounts) in `reader`; `is_empty` says that its
 * root is KECCAK_EMPTY_TRIE.  Reads nothing yet.  Arena and reader outlive the trie. */
void trie_begin(struct trie *trie, struct arena *arena, const struct kv_reader *reader,
                const struct hash32 *owner, bool is_empty);
/* trie_wipe empties the trie whatever it held. */
void trie_wipe(struct trie *trie);
/* trie_set puts `value` (the leaf's whole RLP payload; kept, not copied) under `key`; an empty
 * value deletes.  Errors: the reader's, ERR_LIMIT of the arena, ERR_CORRUPT when tables disagree;
 * the trie is then unusable. */
MUST_USE enum err trie_set(struct trie *trie, const struct hash32 *key, struct bytes value);
/* trie_replace is trie_set for a key that the reader has: what hangs on its path is then known
 * without reading it. */
MUST_USE enum err trie_replace(struct trie *trie, const struct hash32 *key, struct bytes value);
/* trie_root hashes what changed since the last call. */
MUST_USE enum err trie_root(struct trie *trie, struct hash32 *out);

/* trie_writes visits every KV_TRIE write that turns the reader's trie into this one, in no
 * particular order; a key may come twice, then the write with a value stands.  Keys and values live
 * in the arena.  Call after trie_root. */
MUST_USE enum err trie_writes(struct trie *trie, void *context,
                              enum err (*visit)(void *context, const struct kv_write *write));

/* trie_prove lists the encodings of the nodes from the root towards `key` in the arena (nodes has
 * room for TRIE_PROOF_NODES_MAX); those shorter than 32 bytes are inside their parents.  *value
 * views the leaf's payload, empty when absent.  Call after trie_root. */
MUST_USE enum err trie_prove(struct trie *trie, const struct hash32 *key, struct bytes *nodes,
                             size_t *nodes_count, struct bytes *value);

/* trie_key writes the KV_TRIE key of the branch at the first `depth` nibbles of `path`: 0x00 path,
 * or 0x01 owner path, a byte per nibble.  Returns its size. */
size_t trie_key(const struct hash32 *owner, const struct hash32 *path, unsigned depth,
                uint8_t out[TRIE_KEY_BYTES_MAX]);

/* trie_nibble is nibble `index` of a key, 0..63. */
static inline unsigned trie_nibble(const struct hash32 *key, unsigned index) {
    return index % 2 == 0 ? key->bytes[index / 2] >> 4 : key->bytes[index / 2] & 15u;
}
