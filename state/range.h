#pragma once
/* Ranges of the state with Merkle proofs: how a node that has nothing takes the state from others.
 *
 * A range is all entries of the account trie, or of one account's storage, whose hashed keys lie in
 * [from, to].  It is proven by the nodes on the paths of `from` and `to`: with them in place of
 * what lies outside, and the entries as what lies inside, the root must come out; so nothing inside
 * can be missing, added or changed.  Whoever takes ranges one after the other, each beginning after
 * the last one's `to`, has the whole trie when `to` is all ones. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "state/kv.h"
#include "state/proof.h"
#include "state/trie.h"

#define RANGE_PROOF_NODES_MAX (2 * TRIE_PROOF_NODES_MAX)

struct range_entry {
    struct hash32 key;
    struct bytes value; /* as in KV_ACCOUNTS or KV_STORAGE */
};

struct range {
    struct hash32 from;
    struct hash32 to; /* all ones: nothing follows */
    const struct range_entry *entries;
    size_t entries_count;
    struct proof proof; /* at most RANGE_PROOF_NODES_MAX nodes, in any order */
};

/* range_key_after writes the key after `key`; false: there is none. */
bool range_key_after(const struct hash32 *key, struct hash32 *out);

/* Where an entry of `owner`'s storage (NULL: accounts) lies among the tables. */
struct range_row {
    enum kv_table table;
    size_t key_bytes;
    uint8_t key[64];
};
struct range_row range_row(const struct hash32 *owner, const struct hash32 *key);

/* range_next finds the first entry of `owner`'s storage (NULL: accounts) at or after `from`; its
 * value lives as long as the reader's.  ERR_NOT_FOUND: there is none; ERR_CORRUPT. */
MUST_USE enum err range_next(const struct kv_reader *reader, const struct hash32 *owner,
                             const struct hash32 *from, struct range_entry *out);
/* range_read lists entries of `owner`'s storage (NULL: accounts) from `from` on, copied into the
 * arena, until their keys and values exceed `bytes_max`; at least one if there is any.  The proof
 * is left empty. */
MUST_USE enum err range_read(const struct kv_reader *reader, const struct hash32 *owner,
                             const struct hash32 *from, size_t bytes_max, struct arena *arena,
                             struct range *out);
/* range_prove adds the proof out of a trie that has the same entries; computes its root. */
MUST_USE enum err range_prove(struct trie *trie, struct arena *arena, struct range *range);
/* range_verify checks a range, which may be hostile, against the root.  ERR_MISMATCH: something is
 * wrong with it.  ERR_LIMIT: the arena is too small (about 1 KiB an entry); it is not released. */
MUST_USE enum err range_verify(const struct hash32 *root, bool is_storage,
                               const struct range *range, struct arena *arena);
