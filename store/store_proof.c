#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "store/store_internal.h"

/* Undoing blocks: the history's entries from the newest back, so that the oldest one of a key,
 * which holds its value at the wanted block, is set last. */
struct undo {
    struct store_view *view;
    uint64_t number; /* the block to go back to */
    struct arena *arena;
    struct trie *accounts; /* NULL: not wanted */
    struct trie *storage;  /* NULL: not wanted */
    struct hash32 owner;   /* of `storage` */
    size_t changes;
};

static enum err undo_slot(struct undo *undo, struct bytes key, struct bytes value) {
    if (key.size != 64 || value.size > 32) return ERR_CORRUPT;
    if (undo->storage == NULL) return ERR_OK;
    if (memcmp(key.data, undo->owner.bytes, 32) != 0) return ERR_OK;
    struct hash32 hash;
    memcpy(hash.bytes, key.data + 32, 32);
    if (value.size == 0) return trie_set(undo->storage, &hash, BYTES_EMPTY);
    uint8_t *room = arena_alloc(undo->arena, 33);
    if (room == NULL) return ERR_LIMIT;
    struct buffer payload = buffer_over(room, 33);
    rlp_write_string(&payload, value);
    return trie_set(undo->storage, &hash, buffer_bytes(&payload));
}

static enum err undo_entry(struct undo *undo, struct bytes key, struct bytes encoded) {
    struct history_entry entry;
    TRY(history_entry_decode(encoded, &entry));
    const uint8_t table = key.data[NUMBER_BYTES];
    const struct bytes name = bytes_slice(key, NUMBER_BYTES + 1, key.size);
    if (table == KV_STORAGE) return undo_slot(undo, name, entry.value);
    if (table != KV_ACCOUNTS || name.size != 32) return ERR_CORRUPT;
    if (undo->accounts == NULL) return ERR_OK;
    struct hash32 hash;
    memcpy(hash.bytes, name.data, 32);
    return trie_set(undo->accounts, &hash, entry.value);
}

static enum err undo_blocks(struct undo *undo) {
    MDB_cursor *cursor;
    TRY(view_cursor(undo->view, TABLE_HISTORY, &cursor));
    MDB_val key, data;
    enum err err = err_of_lmdb(mdb_cursor_get(cursor, &key, &data, MDB_LAST));
    while (err == ERR_OK) {
        const struct bytes name = lmdb_bytes(key);
        if (name.size <= NUMBER_BYTES) return ERR_CORRUPT;
        if (be_read(name.data, NUMBER_BYTES) <= undo->number) return ERR_OK;
        if (++undo->changes > STORE_PROOF_CHANGES_MAX) return ERR_LIMIT;
        TRY(undo_entry(undo, name, lmdb_bytes(data)));
        err = err_of_lmdb(mdb_cursor_get(cursor, &key, &data, MDB_PREV));
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* begin_storage views the storage trie of `owner` at the head. */
static enum err begin_storage(const struct kv_reader *reader, struct arena *arena,
                              const struct hash32 *owner, struct trie *storage) {
    struct account account = {.storage_root = KECCAK_EMPTY_TRIE};
    struct bytes value;
    const enum err err = reader->get(reader->context, KV_ACCOUNTS, hash_bytes(owner), &value);
    if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
    if (err == ERR_OK && account_decode(value, &account) != ERR_OK) return ERR_CORRUPT;
    trie_begin(storage, arena, reader, owner,
               hash_equal(&account.storage_root, &KECCAK_EMPTY_TRIE));
    return ERR_OK;
}

static enum err begin_accounts(const struct kv_reader *reader, struct arena *arena,
                               struct trie *accounts) {
    struct bytes key, value;
    const enum err err = reader->seek(reader->context, KV_ACCOUNTS, BYTES_EMPTY, &key, &value);
    if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
    trie_begin(accounts, arena, reader, NULL, err == ERR_NOT_FOUND);
    return ERR_OK;
}

enum err store_proof_account(struct store_view *view, uint64_t number,
                             const struct address *address, struct arena *arena,
                             struct store_prover *prover, struct account *account,
                             struct proof *out) {
    struct store_state wanted;
    struct header header;
    struct trie accounts;
    const struct hash32 hash = keccak256(address_bytes(address));
    TRY(store_state_at(view, number, &wanted));
    TRY(store_header(view, number, &header, NULL));
    store_state_latest(view, &prover->latest);
    prover->arena = arena;
    TRY(begin_accounts(&prover->latest.reader, arena, &accounts));
    TRY(begin_storage(&prover->latest.reader, arena, &hash, &prover->storage));
    if (number != view->standing.head.number) {
        struct undo undo = {view, number, arena, &accounts, &prover->storage, hash, 0};
        TRY(undo_blocks(&undo));
    }
    struct hash32 root;
    TRY(trie_root(&accounts, &root));
    if (!hash_equal(&root, &header.state_root)) return ERR_CORRUPT;
    TRY(proof_of_account(&accounts, &hash, arena, account, out));
    TRY(trie_root(&prover->storage, &prover->storage_root));
    return hash_equal(&prover->storage_root, &account->storage_root) ? ERR_OK : ERR_CORRUPT;
}

enum err store_proof_storage(struct store_prover *prover, const struct hash32 *key,
                             struct u256 *value, struct proof *out) {
    const struct hash32 hash = keccak256(hash_bytes(key));
    return proof_of_slot(&prover->storage, &hash, prover->arena, value, out);
}

enum err store_range(struct store_view *view, uint64_t number, const struct hash32 *owner,
                     const struct hash32 *from, size_t bytes_max, struct arena *arena,
                     struct range *out) {
    struct store_state wanted, latest;
    struct trie accounts, storage;
    struct range range;
    TRY(store_state_at(view, number, &wanted));
    TRY(range_read(&wanted.reader, owner, from, bytes_max, arena, &range));
    store_state_latest(view, &latest);
    TRY(begin_accounts(&latest.reader, arena, &accounts));
    if (owner != NULL) TRY(begin_storage(&latest.reader, arena, owner, &storage));
    if (number != view->standing.head.number) {
        struct undo undo = {.view = view,
                            .number = number,
                            .arena = arena,
                            .accounts = owner == NULL ? &accounts : NULL,
                            .storage = owner == NULL ? NULL : &storage};
        if (owner != NULL) undo.owner = *owner;
        TRY(undo_blocks(&undo));
    }
    TRY(range_prove(owner == NULL ? &accounts : &storage, arena, &range));
    *out = range;
    return ERR_OK;
}
