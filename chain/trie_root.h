#pragma once
/* The root of a Merkle Patricia trie that is built at once from sorted entries and thrown away:
 * what blocks need for transactions, receipts and withdrawals (Yellow Paper, appendix D).  The
 * persistent trie of accounts is state/trie.h. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

struct trie_entry {
    struct bytes key;   /* 1..64 bytes */
    struct bytes value; /* not empty */
};

/* trie_root_sorted computes the root of entries whose keys ascend strictly (CHECK).
 * ERR_LIMIT when scratch is too small.  Depth is bounded by the key length. */
MUST_USE enum err trie_root_sorted(const struct trie_entry *entries, size_t count,
                                   struct arena *scratch, struct hash32 *out);

/* trie_root_indexed computes the root of rlp(index) -> values[index]. */
MUST_USE enum err trie_root_indexed(const struct bytes *values, size_t count, struct arena *scratch,
                                    struct hash32 *out);
