#include "base/check.h"
#include "store/store_internal.h"

/* Recent blocks: what a block changes is appended to a table of its own, in one stretch, instead of
 * to pages all over the accounts and the trie.  Rounds of RECENT_FOLD_BLOCKS blocks are brought
 * into the tables together ("folded"), in the order of keys and a part with each block, so that a
 * page that several blocks changed is written once.  All of it is in LMDB and in the block's own
 * transaction: there is no other log, and nothing to repair after a crash.
 *
 * A reader looks into the recent blocks from the newest back, then into the tables.  While a round
 * is under way the tables hold newer values of some keys; the same keys are still in the round's
 * recent tables, where they are found first.  The index says which of them to look into.
 *
 * An entry is flags u8 || what the table would hold, or the stamp of what is deleted.  That a grave
 * must go is said twice: by a flag, and by the mark of the record, which whoever has a view of the
 * value finds beside it. */

#define FLAG_PRESENT 1u
#define FLAG_GRAVE   2u

static unsigned recent_table(uint64_t block) {
    return TABLE_RECENT + (unsigned)(block % RECENT_TABLES);
}

/* recent_key writes table || key. */
static struct bytes recent_key(enum kv_table table, struct bytes key,
                               uint8_t room[RECENT_KEY_BYTES_MAX]) {
    CHECK(key.size < RECENT_KEY_BYTES_MAX);
    room[0] = (uint8_t)table;
    if (key.size != 0) memcpy(room + 1, key.data, key.size);
    return (struct bytes){room, 1 + key.size};
}

enum err recent_entry_decode(struct bytes in, struct recent_entry *out) {
    if (in.size < 1) return ERR_CORRUPT;
    *out = (struct recent_entry){.is_present = (in.data[0] & FLAG_PRESENT) != 0,
                                 .has_grave = (in.data[0] & FLAG_GRAVE) != 0,
                                 .stored = bytes_slice(in, 1, in.size)};
    return ERR_OK;
}

/* --- reading */

enum err recent_find(const struct store *store, MDB_txn *txn, const struct standing *standing,
                     enum kv_table table, struct bytes key, struct recent_entry *out) {
    const uint64_t first = standing->recent_first;
    if (!standing->head.has_block || first > standing->head.number) return ERR_NOT_FOUND;
    if (key.size >= RECENT_KEY_BYTES_MAX) return ERR_NOT_FOUND;
    uint8_t room[RECENT_KEY_BYTES_MAX];
    const struct bytes name = recent_key(table, key, room);
    const uint64_t hash = recent_index_hash(&store->index, name);
    uint64_t block;
    if (!recent_index_newest(&store->index, hash, first, standing->head.number, &block)) {
        return ERR_NOT_FOUND;
    }
    for (uint64_t at = block + 1; at-- > first;) {
        struct bytes value;
        const enum err err = table_get(store, txn, recent_table(at), name, &value);
        if (err == ERR_OK) return recent_entry_decode(value, out);
        if (err != ERR_NOT_FOUND) return err;
    }
    return ERR_NOT_FOUND;
}

enum err recent_seek(struct store_view *view, enum kv_table table, struct bytes key,
                     struct bytes *found, struct recent_entry *out) {
    const struct standing *standing = &view->standing;
    if (!standing->head.has_block) return ERR_NOT_FOUND;
    if (key.size >= RECENT_KEY_BYTES_MAX) return ERR_LIMIT;
    uint8_t room[RECENT_KEY_BYTES_MAX];
    const struct bytes from = recent_key(table, key, room);
    struct bytes best = BYTES_EMPTY, best_value = BYTES_EMPTY;
    for (uint64_t at = standing->head.number + 1; at-- > standing->recent_first;) {
        struct bytes name, value;
        const enum err err = view_seek(view, recent_table(at), from, &name, &value);
        if (err == ERR_NOT_FOUND) continue;
        if (err != ERR_OK) return err;
        if (name.size < 1 || name.data[0] != table) continue;
        if (best.size != 0 && bytes_compare(name, best) >= 0) continue; /* the newest stays */
        best = name;
        best_value = value;
    }
    if (best.size == 0) return ERR_NOT_FOUND;
    *found = bytes_slice(best, 1, best.size);
    return recent_entry_decode(best_value, out);
}

/* --- writing */

enum err recent_cursor(const struct store *store, MDB_txn *txn, uint64_t block, MDB_cursor **out) {
    return err_of_lmdb(mdb_cursor_open(txn, store->tables[recent_table(block)], out));
}

enum err recent_count(const struct store *store, MDB_txn *txn, uint64_t block, uint64_t *out) {
    MDB_stat stat;
    TRY(err_of_lmdb(mdb_stat(txn, store->tables[recent_table(block)], &stat)));
    *out = stat.ms_entries;
    return ERR_OK;
}

enum err recent_begin(const struct store *store, MDB_txn *txn, uint64_t block, MDB_cursor **out) {
    TRY(err_of_lmdb(mdb_drop(txn, store->tables[recent_table(block)], 0)));
    return recent_cursor(store, txn, block, out);
}

void recent_expect(const struct store *store, enum kv_table table, struct bytes key) {
    uint8_t room[RECENT_KEY_BYTES_MAX];
    const struct bytes name = recent_key(table, key, room);
    recent_index_expect(&store->index, recent_index_hash(&store->index, name));
}

enum err recent_put(struct store *store, MDB_cursor *cursor, uint64_t block, enum kv_table table,
                    struct bytes key, const struct recent_entry *entry) {
    uint8_t room[RECENT_KEY_BYTES_MAX];
    const struct bytes name = recent_key(table, key, room);
    MDB_val place = lmdb_value(name);
    MDB_val data = {.mv_size = 1 + entry->stored.size};
    TRY(err_of_lmdb(mdb_cursor_put(cursor, &place, &data, MDB_APPEND | MDB_RESERVE)));
    uint8_t *out = data.mv_data;
    out[0] =
        (uint8_t)((entry->is_present ? FLAG_PRESENT : 0) | (entry->has_grave ? FLAG_GRAVE : 0));
    if (entry->stored.size != 0) memcpy(out + 1, entry->stored.data, entry->stored.size);
    if (entry->has_grave) out[1] |= HISTORY_MARK;
    recent_index_add(&store->index, recent_index_hash(&store->index, name), block);
    return ERR_OK;
}

enum err recent_forget(const struct store *store, MDB_txn *txn) {
    for (unsigned i = TABLE_RECENT; i < TABLE_COUNT; i++)
        TRY(err_of_lmdb(mdb_drop(txn, store->tables[i], 0)));
    return table_delete(store, txn, TABLE_IDENTITY, BYTES_STRING("fold"));
}

enum err recent_load(struct store *store, MDB_txn *txn, const struct standing *standing) {
    if (!standing->head.has_block) return ERR_OK;
    for (uint64_t block = standing->recent_first; block <= standing->head.number; block++) {
        MDB_cursor *cursor;
        MDB_val key, data;
        const MDB_dbi table = store->tables[recent_table(block)];
        TRY(err_of_lmdb(mdb_cursor_open(txn, table, &cursor)));
        enum err err = err_of_lmdb(mdb_cursor_get(cursor, &key, &data, MDB_FIRST));
        while (err == ERR_OK) {
            recent_index_add(&store->index, recent_index_hash(&store->index, lmdb_bytes(key)),
                             block);
            err = err_of_lmdb(mdb_cursor_get(cursor, &key, &data, MDB_NEXT));
        }
        mdb_cursor_close(cursor);
        if (err != ERR_NOT_FOUND) return err;
    }
    recent_index_advance(&store->index, standing->recent_first);
    return ERR_OK;
}
