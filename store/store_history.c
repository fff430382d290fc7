#include "base/check.h"
#include "store/store_internal.h"

/* Blocks whose history one commit prunes at most, when the setting was lowered. */
#define PRUNE_BLOCKS_MAX 8

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
    uint64_t block;
    bool has_history;
};

/* stamp_of finds the stamp of what the cursor is at or, when nothing is there, in the graves. */
static enum err stamp_of(struct state_writer *writer, const struct kv_write *write, bool is_there,
                         struct bytes stored, struct history_stamp *stamp, bool *has_grave) {
    *has_grave = false;
    if (is_there) {
        TRY(history_stamp_decode(&stored, stamp));
        return bytes_equal(stored, write->previous) ? ERR_OK : ERR_MISMATCH;
    }
    if (write->previous.size != 0) return ERR_MISMATCH;
    stamp->levels = 0;
    stamp->count = 0;
    uint8_t room[65];
    struct bytes grave;
    const enum err err = table_get(writer->store, writer->txn, TABLE_GRAVES,
                                   grave_key(write->table, write->key, room), &grave);
    if (err == ERR_NOT_FOUND) return ERR_OK;
    if (err != ERR_OK) return err;
    *has_grave = true;
    return history_stamp_decode(&grave, stamp);
}

/* remember appends the value before to the history and moves the stamp into or out of the graves.
 */
static enum err remember(struct state_writer *writer, const struct kv_write *write,
                         struct history_stamp *stamp, bool has_grave) {
    struct history_entry entry = {.value = write->previous};
    history_change(stamp, writer->block, &entry);
    uint8_t key[HISTORY_KEY_BYTES_MAX];
    uint8_t room[HISTORY_ENTRY_BYTES_MAX + STATE_VALUE_BYTES_MAX];
    struct buffer encoded = buffer_over(room, sizeof room);
    history_entry_encode(&entry, &encoded);
    CHECK(!encoded.overflow);
    TRY(table_put(writer->store, writer->txn, TABLE_HISTORY,
                  history_key(writer->block, write->table, write->key, key), buffer_bytes(&encoded),
                  MDB_APPEND));
    uint8_t grave_room[65];
    const struct bytes grave = grave_key(write->table, write->key, grave_room);
    if (write->value.size == 0) {
        encoded = buffer_over(room, sizeof room);
        history_stamp_encode(stamp, &encoded);
        return table_put(writer->store, writer->txn, TABLE_GRAVES, grave, buffer_bytes(&encoded),
                         0);
    }
    if (!has_grave) return ERR_OK;
    return table_delete(writer->store, writer->txn, TABLE_GRAVES, grave);
}

/* write_flat changes one account or slot. */
static enum err write_flat(struct state_writer *writer, const struct kv_write *write) {
    CHECK(write->value.size <= STATE_VALUE_BYTES_MAX);
    MDB_cursor *cursor = writer->cursors[write->table];
    MDB_val key = lmdb_value(write->key);
    MDB_val data = {0};
    const enum err err = err_of_lmdb(mdb_cursor_get(cursor, &key, &data, MDB_SET));
    if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
    const bool is_there = err == ERR_OK;
    struct history_stamp stamp = {.levels = 0};
    if (writer->has_history) {
        bool has_grave;
        TRY(stamp_of(writer, write, is_there, lmdb_bytes(data), &stamp, &has_grave));
        TRY(remember(writer, write, &stamp, has_grave));
    }
    if (write->value.size == 0) {
        return is_there ? err_of_lmdb(mdb_cursor_del(cursor, 0)) : ERR_OK;
    }
    uint8_t room[HISTORY_STAMP_BYTES_MAX + STATE_VALUE_BYTES_MAX];
    struct buffer value = buffer_over(room, sizeof room);
    history_stamp_encode(&stamp, &value);
    buffer_append(&value, write->value);
    CHECK(!value.overflow);
    key = lmdb_value(write->key);
    data = lmdb_value(buffer_bytes(&value));
    return err_of_lmdb(mdb_cursor_put(cursor, &key, &data, is_there ? MDB_CURRENT : 0));
}

static enum err write_plain(struct state_writer *writer, const struct kv_write *write) {
    MDB_cursor *cursor = writer->cursors[write->table];
    MDB_val key = lmdb_value(write->key);
    MDB_val data = lmdb_value(write->value);
    if (write->value.size == 0) {
        const enum err err = err_of_lmdb(mdb_cursor_get(cursor, &key, &data, MDB_SET));
        if (err == ERR_NOT_FOUND) return ERR_OK;
        return err == ERR_OK ? err_of_lmdb(mdb_cursor_del(cursor, 0)) : err;
    }
    const unsigned flags = write->table == KV_CODE ? MDB_NOOVERWRITE : 0; /* named by its hash */
    const enum err err = err_of_lmdb(mdb_cursor_put(cursor, &key, &data, flags));
    return err == ERR_EXISTS ? ERR_OK : err;
}

enum err state_write_list(struct store *store, MDB_txn *txn, uint64_t block, bool has_history,
                          const struct kv_write *writes, size_t count) {
    struct state_writer writer = {
        .store = store, .txn = txn, .block = block, .has_history = has_history};
    enum err err = ERR_OK;
    for (unsigned i = 0; i < KV_TABLE_COUNT && err == ERR_OK; i++) {
        err = err_of_lmdb(mdb_cursor_open(txn, store->tables[i], &writer.cursors[i]));
    }
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        const bool is_flat = writes[i].table == KV_ACCOUNTS || writes[i].table == KV_STORAGE;
        err = is_flat ? write_flat(&writer, &writes[i]) : write_plain(&writer, &writes[i]);
    }
    for (unsigned i = 0; i < KV_TABLE_COUNT; i++) {
        if (writer.cursors[i] != NULL) mdb_cursor_close(writer.cursors[i]);
    }
    return err;
}

/* prune_grave drops the stamp of a key that has been absent since `block`: no reader asks for it.
 */
static enum err prune_grave(struct store *store, MDB_txn *txn, uint64_t block, struct bytes rest) {
    struct bytes value;
    const enum err err = table_get(store, txn, TABLE_GRAVES, rest, &value);
    if (err == ERR_NOT_FOUND) return ERR_OK;
    if (err != ERR_OK) return err;
    struct history_stamp stamp;
    TRY(history_stamp_decode(&value, &stamp));
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
