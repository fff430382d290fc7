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

/* accounts_are_empty tells an empty state from one whose trie has no branch. */
static enum err accounts_are_empty(const struct kv_reader *reader, bool *out) {
    struct bytes key;
    struct bytes value;
    const enum err err = reader->seek(reader->context, KV_ACCOUNTS, BYTES_EMPTY, &key, &value);
    if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
    *out = err == ERR_NOT_FOUND;
    return ERR_OK;
}

enum err proof_account(const struct kv_reader *reader, const struct address *address,
                       struct arena *arena, struct account *account, struct proof *out) {
    const struct hash32 hash = keccak256(address_bytes(address));
    bool is_empty;
    TRY(accounts_are_empty(reader, &is_empty));
    struct trie trie;
    trie_begin(&trie, arena, reader, NULL, is_empty);
    return proof_of_account(&trie, &hash, arena, account, out);
}

enum err proof_storage(const struct kv_reader *reader, const struct address *address,
                       const struct hash32 *key, struct arena *arena, struct u256 *value,
                       struct proof *out) {
    const struct hash32 owner = keccak256(address_bytes(address));
    const struct hash32 hash = keccak256(hash_bytes(key));
    struct account account = {.storage_root = KECCAK_EMPTY_TRIE};
    struct bytes encoded;
    const enum err err = reader->get(reader->context, KV_ACCOUNTS, hash_bytes(&owner), &encoded);
    if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
    if (err == ERR_OK && account_decode(encoded, &account) != ERR_OK) return ERR_CORRUPT;
    struct trie trie;
    trie_begin(&trie, arena, reader, &owner, hash_equal(&account.storage_root, &KECCAK_EMPTY_TRIE));
    return proof_of_slot(&trie, &hash, arena, value, out);
}
