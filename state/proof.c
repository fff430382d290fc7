#include "state/proof.h"

#include "base/keccak.h"
#include "base/rlp.h"
#include "state/trie.h"

/* prove runs trie_prove and copies the list of nodes, which are in the arena already. */
static enum err prove(struct trie *trie, const struct hash32 *key, struct arena *arena,
                      struct bytes *value, struct proof *out) {
    struct bytes *nodes = arena_array(arena, TRIE_PROOF_NODES_MAX, sizeof *nodes);
    if (nodes == NULL) return ERR_LIMIT;
    struct proof proof = {nodes, 0};
    struct hash32 root;
    TRY(trie_root(trie, &root));
    TRY(trie_prove(trie, key, nodes, &proof.nodes_count, value));
    *out = proof;
    return ERR_OK;
}

enum err proof_of_account(struct trie *trie, const struct hash32 *hash, struct arena *arena,
                          struct account *account, struct proof *out) {
    struct bytes value;
    struct proof proof;
    struct account found = {.storage_root = KECCAK_EMPTY_TRIE, .code_hash = KECCAK_EMPTY};
    TRY(prove(trie, hash, arena, &value, &proof));
    if (value.size != 0 && account_decode(value, &found) != ERR_OK) return ERR_CORRUPT;
    *account = found;
    *out = proof;
    return ERR_OK;
}

enum err proof_of_slot(struct trie *trie, const struct hash32 *hash, struct arena *arena,
                       struct u256 *value, struct proof *out) {
    struct bytes payload;
    struct proof proof;
    struct u256 number = U256_ZERO;
    TRY(prove(trie, hash, arena, &payload, &proof));
    if (payload.size != 0 && rlp_read_u256(&payload, &number) != ERR_OK) return ERR_CORRUPT;
    *value = number;
    *out = proof;
    return ERR_OK;
}
