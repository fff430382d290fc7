#pragma once
/* Keccak-256 with the original padding, as Ethereum uses it (not SHA3-256). */
#include "base/bytes.h"
#include "base/hash.h"

struct keccak {
    uint64_t state[25];
    size_t absorbed; /* bytes in the current block, 0..135 */
};

/* keccak256 hashes `in` in one call. */
struct hash32 keccak256(struct bytes in);

/* keccak256_many hashes `count` messages that do not depend on each other: out[i] is the hash of
 * in[i].  With AVX-512 eight go at once, at about the price of one; a trie's nodes of one level are
 * such messages.  `out` may not overlap what `in` views. */
void keccak256_many(const struct bytes *in, size_t count, struct hash32 *out);

/* keccak_init, keccak_update, keccak_final hash a message in pieces; keccak_final leaves the
 * context unusable until keccak_init. */
void keccak_init(struct keccak *context);
void keccak_update(struct keccak *context, struct bytes in);
struct hash32 keccak_final(struct keccak *context);

/* KECCAK_EMPTY is keccak256(""), the code hash of an account without code. */
extern const struct hash32 KECCAK_EMPTY;
/* KECCAK_EMPTY_LIST is keccak256(rlp([])), the ommers hash of every block since the Merge. */
extern const struct hash32 KECCAK_EMPTY_LIST;
/* KECCAK_EMPTY_TRIE is keccak256(rlp("")), the root of a trie without entries. */
extern const struct hash32 KECCAK_EMPTY_TRIE;
