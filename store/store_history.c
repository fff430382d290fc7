/* Values that a block replaced: kept so that older states can be read, pruned when they are too
 * old. */
#include "base/check.h"
#include "store/store_internal.h"

/* Blocks whose history one commit prunes at most, when the setting was lowered. */
#define PRUNE_BLOCKS_MAX 8
#define AHEAD            8 /* writes */

struct bytes history_key(uint64_t block, enum kv_table table, struct bytes key,
                         uint8_t room[HISTORY_KEY_BYTES_MAX]) {
    CHECK(key.size <= 64);
    be_write(room, NUMBER_BYTES, block);
    room[NUMBER_BYTES] = (uint8_t)table;
    if (key.size != 0) memcpy(room + NUMBER_BYTES + 1, key.data, key.size);
    return (struct bytes){room, NUMBER_BYTES + 1 + key.size};
}

struct bytes grave_key(enum kv_table table, struct bytes key, uint8_t room[65]) {
    CHECK(key.size <= 64);
    room[0] = (uint8_t)table;
    if (key.size != 0) memcpy(room + 1, key.data, key.size);
    return (struct bytes){room, 1 + key.size};
}

/* A transaction's cursors over the state, so that sorted writes walk instead of searching anew. */
struct state_writer {
    struct store *store;
    MDB_txn *txn;
    MDB_cursor *cursors[KV_TABLE_COUNT];
    MDB_cursor *recent; /* of the block that is written */
    const struct standing *standing;
    uint64_t block;
    bool has_views; /* `previous` views what is stored now */
};

/* --- loading: into the tables, without history */

static enum err load_one(struct state_writer *writer, const struct kv_write *write) {
    MDB_cursor *cursor = writer->cursors[write->table];
    MDB_val key = lmdb_value(write->key);
    MDB_val data = lmdb_value(write->value);
    if (write->value.size == 0) {
        const enum err err = err_of_lmdb(mdb_cursor_get(cursor, &key, &data, MDB_SET));
        if (err == ERR_NOT_FOUND) return ERR_OK;
        return err == ERR_OK ? err_of_lmdb(mdb_cursor_del(cursor, 0)) : err;
    }
    uint8_t room[HISTORY_STAMP_BYTES_MAX + STATE_VALUE_BYTES_MAX];
    struct buffer value = buffer_over(room, sizeof room);
    if (write->table == KV_ACCOUNTS || write->table == KV_STORAGE) {
        const struct history_stamp stamp = {.levels = 0};
        history_record_encode(&stamp, write->value, &value);
        CHECK(!value.overflow);
        data = lmdb_value(buffer_bytes(&value));
    }
    const unsigned flags = write->table == KV_CODE ? MDB_NOOVERWRITE : 0; /* named by its hash */
    const enum err err = err_of_lmdb(mdb_cursor_put(cursor, &key, &data, flags));
    return err == ERR_EXISTS ? ERR_OK : err;
}

/* --- a block's writes: into the history and the block's recent table */

/* find_stored finds what is there now: as a recent block left it, or in the tables. */
static enum err find_stored(struct state_writer *writer, const struct kv_write *write,
                            struct recent_entry *out) {
    enum err err =
        recent_find(writer->store, writer->txn, writer->standing, write->table, write->key, out);
    if (err == ERR_OK && !out->is_present) out->has_grave = true; /* once it is folded */
    if (err != ERR_NOT_FOUND) return err;
    MDB_val key = lmdb_value(write->key);
    MDB_val data;
    *out = (struct recent_entry){.is_present = true};
    err = err_of_lmdb(mdb_cursor_get(writer->cursors[write->table], &key, &data, MDB_SET));
    if (err == ERR_OK) out->stored = lmdb_bytes(data);
    if (err != ERR_NOT_FOUND) return err;
    uint8_t room[65];
    *out = (struct recent_entry){.has_grave = true};
    err = table_get(writer->store, writer->txn, TABLE_GRAVES,
                    grave_key(write->table, write->key, room), &out->stored);
    if (err == ERR_NOT_FOUND) *out = (struct recent_entry){.is_present = false};
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* stored_before is find_stored without a search where the writes view what is stored. */
static enum err stored_before(struct state_writer *writer, const struct kv_write *write,
                              struct recent_entry *out) {
    if (!writer->has_views || write->previous.size == 0) return find_stored(writer, write, out);
    const struct bytes record = history_record_around(write->previous);
    *out = (struct recent_entry){
        .is_present = true, .has_grave = (record.data[0] & HISTORY_MARK) != 0, .stored = record};
    return ERR_OK;
}

/* append_history appends the value before under a stamp that it advances. */
static enum err append_history(struct state_writer *writer, const struct kv_write *write,
                               struct history_stamp *stamp) {
    struct history_entry entry = {.value = write->previous};
    history_change(stamp, writer->block, &entry);
    uint8_t key[HISTORY_KEY_BYTES_MAX];
    uint8_t room[HISTORY_ENTRY_BYTES_MAX + STATE_VALUE_BYTES_MAX];
    struct buffer encoded = buffer_over(room, sizeof room);
    history_entry_encode(&entry, &encoded);
    CHECK(!encoded.overflow);
    return table_put(writer->store, writer->txn, TABLE_HISTORY,
                     history_key(writer->block, write->table, write->key, key),
                     buffer_bytes(&encoded), MDB_APPEND);
}

/* write_flat changes one account or slot. */
static enum err write_flat(struct state_writer *writer, const struct kv_write *write) {
    CHECK(write->value.size <= STATE_VALUE_BYTES_MAX);
    CHECK(write->previous.size <= STATE_VALUE_BYTES_MAX);
    struct recent_entry before;
    struct history_stamp stamp = {.levels = 0};
    struct bytes value = BYTES_EMPTY;
    TRY(stored_before(writer, write, &before));
    if (before.stored.size != 0) TRY(history_record_decode(before.stored, &stamp, &value));
    if (!before.is_present) value = BYTES_EMPTY;
    if (!bytes_equal(value, write->previous)) return ERR_MISMATCH;
    TRY(append_history(writer, write, &stamp));
    uint8_t room[HISTORY_STAMP_BYTES_MAX + STATE_VALUE_BYTES_MAX];
    struct buffer stored = buffer_over(room, sizeof room);
    history_record_encode(&stamp, write->value, &stored);
    CHECK(!stored.overflow);
    const struct recent_entry after = {.is_present = write->value.size != 0,
                                       .has_grave = before.has_grave,
                                       .stored = buffer_bytes(&stored)};
    return recent_put(writer->store, writer->recent, writer->block, write->table, write->key,
                      &after);
}

static enum err write_one(struct state_writer *writer, const struct kv_write *write) {
    if (write->table == KV_CODE) return load_one(writer, write);
    if (write->table != KV_TRIE) return write_flat(writer, write);
    const struct recent_entry after = {.is_present = write->value.size != 0,
                                       .stored = write->value};
    return recent_put(writer->store, writer->recent, writer->block, KV_TRIE, write->key, &after);
}

/* expect fetches what a later write needs: both lie where nothing was lately. */
static void expect(const struct state_writer *writer, const struct kv_write *write) {
    if (write->previous.size != 0) __builtin_prefetch(write->previous.data - 1);
    if (write->table != KV_CODE) recent_expect(writer->store, write->table, write->key);
}

static enum err write_all(struct state_writer *writer, const struct kv_write *writes,
                          size_t count) {
    enum err err = ERR_OK;
    for (unsigned i = 0; i < KV_TABLE_COUNT && err == ERR_OK; i++) {
        err = err_of_lmdb(
            mdb_cursor_open(writer->txn, writer->store->tables[i], &writer->cursors[i]));
    }
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        if (writer->recent != NULL && i + AHEAD < count) expect(writer, &writes[i + AHEAD]);
        err = writer->recent == NULL ? load_one(writer, &writes[i]) : write_one(writer, &writes[i]);
    }
    for (unsigned i = 0; i < KV_TABLE_COUNT; i++) {
        if (writer->cursors[i] != NULL) mdb_cursor_close(writer->cursors[i]);
    }
    return err;
}

enum err state_load_list(struct store *store, MDB_txn *txn, const struct kv_write *writes,
                         size_t count) {
    struct state_writer writer = {.store = store, .txn = txn};
    return write_all(&writer, writes, count);
}

enum err state_write_list(struct store *store, MDB_txn *txn, const struct standing *standing,
                          const struct store_block *block) {
    const uint64_t number = block->header->number;
    struct state_writer writer = {.store = store,
                                  .txn = txn,
                                  .standing = standing,
                                  .block = number,
                                  .has_views = block->view != NULL};
    TRY(recent_begin(store, txn, number, &writer.recent));
    const enum err err = write_all(&writer, block->writes, block->writes_count);
    mdb_cursor_close(writer.recent);
    return err;
}

/* --- pruning */

/* prune_grave drops the stamp of a key that has been absent since `block`: no reader asks for it.
 */
static enum err prune_grave(struct store *store, MDB_txn *txn, uint64_t block, struct bytes rest) {
    struct bytes value;
    const enum err err = table_get(store, txn, TABLE_GRAVES, rest, &value);
    if (err == ERR_NOT_FOUND) return ERR_OK;
    if (err != ERR_OK) return err;
    struct history_stamp stamp;
    struct bytes nothing;
    TRY(history_record_decode(value, &stamp, &nothing));
    if (stamp.levels == 0 || stamp.last[0] > block) return ERR_OK;
    return table_delete(store, txn, TABLE_GRAVES, rest);
}

static enum err prune_block(struct store *store, MDB_txn *txn, uint64_t block) {
    MDB_cursor *cursor;
    TRY(err_of_lmdb(mdb_cursor_open(txn, store->tables[TABLE_HISTORY], &cursor)));
    uint8_t room[NUMBER_BYTES];
    enum err err;
    for (;;) {
        MDB_val key = lmdb_value(number_key(block, room));
        MDB_val data;
        err = err_of_lmdb(mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE));
        if (err != ERR_OK) break;
        const struct bytes found = lmdb_bytes(key);
        if (found.size <= NUMBER_BYTES || memcmp(found.data, room, NUMBER_BYTES) != 0) break;
        const struct bytes rest = bytes_slice(found, NUMBER_BYTES, found.size);
        uint8_t copy[65];
        if (rest.size > sizeof copy) {
            err = ERR_CORRUPT;
            break;
        }
        memcpy(copy, rest.data, rest.size);
        err = err_of_lmdb(mdb_cursor_del(cursor, 0));
        if (err == ERR_OK) err = prune_grave(store, txn, block, (struct bytes){copy, rest.size});
        if (err != ERR_OK) break;
    }
    mdb_cursor_close(cursor);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err history_prune(struct store *store, MDB_txn *txn, uint64_t head, uint64_t *history_first) {
    const uint64_t kept = store->config.history_blocks;
    if (kept == STORE_HISTORY_ALL) return ERR_OK;
    for (unsigned i = 0; i < PRUNE_BLOCKS_MAX && head - *history_first > kept; i++) {
        TRY(prune_block(store, txn, *history_first + 1));
        *history_first += 1;
    }
    return ERR_OK;
}
