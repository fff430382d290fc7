#include "base/check.h"
#include "store/store_internal.h"

/* --- the pool */

static struct store_view *take_view(struct store *store) {
    CHECK(pthread_mutex_lock(&store->mutex) == 0);
    struct store_view *view = store->free;
    if (view != NULL) {
        store->free = view->next_free;
        store->views_open++;
    }
    CHECK(pthread_mutex_unlock(&store->mutex) == 0);
    return view;
}

static void give_view(struct store_view *view) {
    struct store *store = view->store;
    CHECK(pthread_mutex_lock(&store->mutex) == 0);
    view->next_free = store->free;
    store->free = view;
    store->views_open--;
    CHECK(pthread_mutex_unlock(&store->mutex) == 0);
}

enum err store_view_open(struct store *store, struct store_view **out) {
    struct store_view *view = take_view(store);
    if (view == NULL) return ERR_LIMIT;
    enum err err = view->txn == NULL
                       ? err_of_lmdb(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &view->txn))
                       : err_of_lmdb(mdb_txn_renew(view->txn));
    if (err == ERR_OK) {
        err = identity_head(store, view->txn, &view->head, &view->history_first);
        if (err != ERR_OK) mdb_txn_reset(view->txn);
    }
    if (err != ERR_OK) {
        give_view(view);
        return err;
    }
    memset(view->is_renewed, 0, sizeof view->is_renewed);
    *out = view;
    return ERR_OK;
}

void store_view_close(struct store_view *view) {
    if (view == NULL) return;
    mdb_txn_reset(view->txn);
    give_view(view);
}

struct store_head store_view_head(const struct store_view *view) {
    return view->head;
}

uint64_t store_history_first(struct store_view *view) {
    return view->history_first;
}

bool store_is_loading(const struct store_view *view) {
    return view->history_first == HISTORY_NONE;
}

/* --- cursors */

enum err view_cursor(struct store_view *view, enum store_table table, MDB_cursor **out) {
    MDB_cursor **cursor = &view->cursors[table];
    if (*cursor == NULL) {
        TRY(err_of_lmdb(mdb_cursor_open(view->txn, view->store->tables[table], cursor)));
    } else if (!view->is_renewed[table]) {
        TRY(err_of_lmdb(mdb_cursor_renew(view->txn, *cursor)));
    }
    view->is_renewed[table] = true;
    *out = *cursor;
    return ERR_OK;
}

enum err view_seek(struct store_view *view, enum store_table table, struct bytes key,
                   struct bytes *key_found, struct bytes *value) {
    MDB_cursor *cursor;
    TRY(view_cursor(view, table, &cursor));
    MDB_val name = lmdb_value(key);
    MDB_val data;
    const MDB_cursor_op operation = key.size == 0 ? MDB_FIRST : MDB_SET_RANGE;
    TRY(err_of_lmdb(mdb_cursor_get(cursor, &name, &data, operation)));
    *key_found = lmdb_bytes(name);
    *value = lmdb_bytes(data);
    return ERR_OK;
}

/* --- the state at a block */

/* value_at finds the value of a key after block `number`, given its stamp and its value now. */
static enum err value_at(struct store_view *view, uint64_t number, enum kv_table table,
                         struct bytes key, const struct history_stamp *stamp, struct bytes now,
                         struct bytes *out) {
    struct history_entry entry = {.levels = stamp->levels, .value = now};
    memcpy(entry.before, stamp->last, sizeof entry.before);
    for (unsigned level = stamp->levels; level-- > 0;) {
        while (entry.before[level] > number) { /* 0, none, never is */
            uint8_t room[HISTORY_KEY_BYTES_MAX];
            const uint64_t block = entry.before[level];
            struct bytes encoded;
            const enum err err = table_get(view->store, view->txn, TABLE_HISTORY,
                                           history_key(block, table, key, room), &encoded);
            if (err != ERR_OK) return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
            TRY(history_entry_decode(encoded, &entry));
            if (entry.levels <= level) return ERR_CORRUPT;
            if (entry.before[level] >= block) return ERR_CORRUPT; /* the walk ends */
        }
    }
    *out = entry.value;
    return entry.value.size == 0 ? ERR_NOT_FOUND : ERR_OK;
}

/* read_flat takes the stamp off a stored account or slot and goes back to the reader's block. */
static enum err read_flat(struct store_state *state, enum kv_table table, struct bytes key,
                          struct bytes stored, struct bytes *value) {
    struct history_stamp stamp;
    TRY(history_stamp_decode(&stored, &stamp));
    if (state->is_latest) {
        *value = stored;
        return ERR_OK;
    }
    return value_at(state->view, state->number, table, key, &stamp, stored, value);
}

static enum err read_grave(struct store_state *state, enum kv_table table, struct bytes key,
                           struct bytes stamp_bytes, struct bytes *value) {
    struct history_stamp stamp;
    TRY(history_stamp_decode(&stamp_bytes, &stamp));
    return value_at(state->view, state->number, table, key, &stamp, BYTES_EMPTY, value);
}

static bool is_flat(enum kv_table table) {
    return table == KV_ACCOUNTS || table == KV_STORAGE;
}

static enum err state_get(void *context, enum kv_table table, struct bytes key,
                          struct bytes *value) {
    struct store_state *state = context;
    struct store_view *view = state->view;
    if (table == KV_TRIE && !state->is_latest) return ERR_UNSUPPORTED;
    struct bytes stored;
    const enum err err = table_get(view->store, view->txn, (enum store_table)table, key, &stored);
    if (err == ERR_OK && is_flat(table)) return read_flat(state, table, key, stored, value);
    if (err == ERR_OK) *value = stored;
    if (err != ERR_NOT_FOUND || !is_flat(table) || state->is_latest) return err;
    uint8_t room[65];
    struct bytes grave;
    TRY(table_get(view->store, view->txn, TABLE_GRAVES, grave_key(table, key, room), &grave));
    return read_grave(state, table, key, grave, value);
}

/* seek_grave finds the first key of the table at or after `key` that is deleted now. */
static enum err seek_grave(struct store_state *state, enum kv_table table, struct bytes key,
                           struct bytes *found, struct bytes *stamp) {
    uint8_t room[65];
    struct bytes grave;
    TRY(view_seek(state->view, TABLE_GRAVES, grave_key(table, key, room), &grave, stamp));
    if (grave.size < 1 || grave.data[0] != table) return ERR_NOT_FOUND;
    *found = bytes_slice(grave, 1, grave.size);
    return ERR_OK;
}

/* seek_old merges what is there now with what is deleted now, and skips what was absent then. */
static enum err seek_old(struct store_state *state, enum kv_table table, struct bytes from,
                         struct bytes *key_found, struct bytes *value) {
    uint8_t cursor[KV_KEY_BYTES_MAX + 1];
    if (from.size > KV_KEY_BYTES_MAX) return ERR_LIMIT;
    if (from.size != 0) memcpy(cursor, from.data, from.size);
    struct bytes key = {cursor, from.size};
    for (;;) {
        struct bytes present = BYTES_EMPTY, stored = BYTES_EMPTY;
        struct bytes deleted = BYTES_EMPTY, stamp = BYTES_EMPTY;
        const enum err flat =
            view_seek(state->view, (enum store_table)table, key, &present, &stored);
        const enum err grave = seek_grave(state, table, key, &deleted, &stamp);
        if (flat != ERR_OK && flat != ERR_NOT_FOUND) return flat;
        if (grave != ERR_OK && grave != ERR_NOT_FOUND) return grave;
        if (flat == ERR_NOT_FOUND && grave == ERR_NOT_FOUND) return ERR_NOT_FOUND;
        const bool is_present =
            flat == ERR_OK && (grave != ERR_OK || bytes_compare(present, deleted) < 0);
        const struct bytes found = is_present ? present : deleted;
        const enum err err = is_present ? read_flat(state, table, found, stored, value)
                                        : read_grave(state, table, found, stamp, value);
        if (err == ERR_OK) *key_found = found;
        if (err != ERR_NOT_FOUND) return err;
        if (found.size > KV_KEY_BYTES_MAX) return ERR_CORRUPT;
        memcpy(cursor, found.data, found.size);
        cursor[found.size] = 0; /* the least key after it */
        key = (struct bytes){cursor, found.size + 1};
        if (key.size > 64) { /* graves' keys are shorter: step to the next of this length */
            size_t at = found.size;
            while (at > 0 && ++cursor[at - 1] == 0)
                at--;
            if (at == 0) return ERR_NOT_FOUND;
            key.size = found.size;
        }
    }
}

static enum err state_seek(void *context, enum kv_table table, struct bytes key,
                           struct bytes *key_found, struct bytes *value) {
    struct store_state *state = context;
    if (table == KV_TRIE && !state->is_latest) return ERR_UNSUPPORTED;
    if (is_flat(table) && !state->is_latest) return seek_old(state, table, key, key_found, value);
    struct bytes stored;
    TRY(view_seek(state->view, (enum store_table)table, key, key_found, &stored));
    if (is_flat(table)) return read_flat(state, table, *key_found, stored, value);
    *value = stored;
    return ERR_OK;
}

void store_state_latest(struct store_view *view, struct store_state *out) {
    *out = (struct store_state){.reader = {out, state_get, state_seek},
                                .view = view,
                                .number = view->head.number,
                                .is_latest = true};
}

enum err store_state_at(struct store_view *view, uint64_t number, struct store_state *out) {
    if (!view->head.has_block || number > view->head.number) return ERR_NOT_FOUND;
    if (number < view->history_first) return ERR_LIMIT;
    store_state_latest(view, out);
    out->number = number;
    out->is_latest = number == view->head.number;
    return ERR_OK;
}
