#pragma once
/* Merkle proofs (EIP-1186) out of a trie, and their check. */
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "state/state.h"

struct trie;

struct proof {
    const struct bytes *nodes; /* RLP of each node from the root down, in the arena */
    size_t nodes_count;
};

/* proof_of_account and proof_of_slot prove in a trie that somebody holds (trie.h), changed or not;
 * they compute its root first.  `hash` is the hashed address or slot; *account is all empty
 * (EIP-161) and *value zero when the proof shows absence. */
MUST_USE enum err proof_of_account(struct trie *trie, const struct hash32 *hash,
                                   struct arena *arena, struct account *account, struct proof *out);
MUST_USE enum err proof_of_slot(struct trie *trie, const struct hash32 *hash, struct arena *arena,
                                struct u256 *value, struct proof *out);
/* proof_verify walks `proof` from `root` for the hashed key; *value is empty when the proof shows
 * absence.  ERR_MISMATCH: the proof does not fit root and key.  Bytes may be hostile. */
MUST_USE enum err proof_verify(const struct hash32 *root, const struct hash32 *key_hash,
                               const struct proof *proof, struct bytes *value);
