/* What is read from: views of one moment out of a pool, and the state at a block. */
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
        err = identity_standing(store, view->txn, &view->standing);
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
    return view->standing.head;
}

uint64_t store_history_first(struct store_view *view) {
    return view->standing.history_first;
}

bool store_is_loading(const struct store_view *view) {
    return view->standing.history_first == HISTORY_NONE;
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

/* get_near is table_get for keys that often lie beside the one before, as a trie's nodes do. */
static enum err get_near(struct store_view *view, enum store_table table, struct bytes key,
                         struct bytes *out) {
    if (table != TABLE_TRIE) return table_get(view->store, view->txn, table, key, out);
    MDB_cursor *cursor;
    TRY(view_cursor(view, table, &cursor));
    MDB_val name = lmdb_value(key);
    MDB_val data;
    TRY(err_of_lmdb(mdb_cursor_get(cursor, &name, &data, MDB_SET)));
    *out = lmdb_bytes(data);
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

/* What is stored of a key: by a recent block, in the tables, or among the graves. */
struct found {
    bool is_present; /* false: it is deleted now */
    struct bytes key;
    struct bytes stored; /* of what is deleted the stamp */
};

static bool is_flat(enum kv_table table) {
    return table == KV_ACCOUNTS || table == KV_STORAGE;
}

/* read_found takes the stamp off and goes back to the reader's block.  ERR_NOT_FOUND: absent then.
 */
static enum err read_found(struct store_state *state, enum kv_table table,
                           const struct found *found, struct bytes *value) {
    struct bytes now = found->stored;
    struct history_stamp stamp = {.levels = 0};
    if (state->is_latest && !found->is_present) return ERR_NOT_FOUND;
    if (is_flat(table)) TRY(history_record_decode(found->stored, &stamp, &now));
    if (state->is_latest) {
        *value = now;
        return ERR_OK;
    }
    if (!found->is_present) now = BYTES_EMPTY;
    return value_at(state->view, state->number, table, found->key, &stamp, now, value);
}

/* find looks a key up; ERR_NOT_FOUND: nothing is known of it, so it was never there. */
static enum err find(struct store_state *state, enum kv_table table, struct bytes key,
                     struct found *out) {
    struct store_view *view = state->view;
    struct recent_entry entry;
    enum err err = recent_find(view->store, view->txn, &view->standing, table, key, &entry);
    if (err == ERR_OK) *out = (struct found){entry.is_present, key, entry.stored};
    if (err != ERR_NOT_FOUND) return err;
    *out = (struct found){.is_present = true, .key = key};
    err = get_near(view, (enum store_table)table, key, &out->stored);
    if (err != ERR_NOT_FOUND || !is_flat(table) || state->is_latest) return err;
    uint8_t room[65];
    out->is_present = false;
    return table_get(view->store, view->txn, TABLE_GRAVES, grave_key(table, key, room),
                     &out->stored);
}

static enum err state_get(void *context, enum kv_table table, struct bytes key,
                          struct bytes *value) {
    struct store_state *state = context;
    struct store_view *view = state->view;
    if (table == KV_CODE) return table_get(view->store, view->txn, TABLE_CODE, key, value);
    if (table == KV_TRIE && !state->is_latest) return ERR_UNSUPPORTED;
    if (key.size > (is_flat(table) ? 64u : KV_KEY_BYTES_MAX)) return ERR_NOT_FOUND;
    struct found found;
    TRY(find(state, table, key, &found));
    return read_found(state, table, &found, value);
}

/* --- walking: three sorted sources, of which the first to have a key tells what it is now */

static enum err seek_recent(struct store_state *state, enum kv_table table, struct bytes from,
                            struct found *out) {
    struct recent_entry entry;
    TRY(recent_seek(state->view, table, from, &out->key, &entry));
    out->is_present = entry.is_present;
    out->stored = entry.stored;
    return ERR_OK;
}

static enum err seek_table(struct store_state *state, enum kv_table table, struct bytes from,
                           struct found *out) {
    out->is_present = true;
    return view_seek(state->view, (enum store_table)table, from, &out->key, &out->stored);
}

static enum err seek_grave(struct store_state *state, enum kv_table table, struct bytes from,
                           struct found *out) {
    uint8_t room[65];
    struct bytes grave;
    if (from.size > 64) return ERR_NOT_FOUND; /* the caller steps past keys of full length */
    TRY(view_seek(state->view, TABLE_GRAVES, grave_key(table, from, room), &grave, &out->stored));
    if (grave.size < 1 || grave.data[0] != table) return ERR_NOT_FOUND;
    out->is_present = false;
    out->key = bytes_slice(grave, 1, grave.size);
    return ERR_OK;
}

/* seek_any finds the first key at or after `from` in any source that the reader needs. */
static enum err seek_any(struct store_state *state, enum kv_table table, struct bytes from,
                         struct found *out) {
    static enum err (*const sources[])(struct store_state *, enum kv_table, struct bytes,
                                       struct found *) = {seek_recent, seek_table, seek_grave};
    const size_t count = is_flat(table) && !state->is_latest ? 3 : 2;
    bool is_found = false;
    for (size_t i = 0; i < count; i++) {
        struct found next;
        const enum err err = sources[i](state, table, from, &next);
        if (err == ERR_NOT_FOUND) continue;
        if (err != ERR_OK) return err;
        if (is_found && bytes_compare(next.key, out->key) >= 0) continue;
        *out = next;
        is_found = true;
    }
    return is_found ? ERR_OK : ERR_NOT_FOUND;
}

/* key_after writes the least key after `key` that the table can hold; false: there is none. */
static bool key_after(enum kv_table table, struct bytes key, uint8_t room[KV_KEY_BYTES_MAX + 1],
                      struct bytes *out) {
    memmove(room, key.data, key.size);
    *out = (struct bytes){room, key.size + 1};
    room[key.size] = 0;
    if (table != KV_STORAGE || key.size != 64) return true;
    out->size = key.size; /* all are of this length */
    size_t at = key.size;
    while (at > 0 && ++room[at - 1] == 0)
        at--;
    return at > 0;
}

static enum err state_seek(void *context, enum kv_table table, struct bytes key,
                           struct bytes *key_found, struct bytes *value) {
    struct store_state *state = context;
    if (table == KV_TRIE && !state->is_latest) return ERR_UNSUPPORTED;
    if (table == KV_CODE) return view_seek(state->view, TABLE_CODE, key, key_found, value);
    if (key.size > KV_KEY_BYTES_MAX) return ERR_LIMIT;
    uint8_t room[KV_KEY_BYTES_MAX + 1];
    struct bytes from = key;
    for (;;) {
        struct found found;
        TRY(seek_any(state, table, from, &found));
        const enum err err = read_found(state, table, &found, value);
        if (err == ERR_OK) *key_found = found.key;
        if (err != ERR_NOT_FOUND) return err;
        if (found.key.size > KV_KEY_BYTES_MAX) return ERR_CORRUPT;
        if (!key_after(table, found.key, room, &from)) return ERR_NOT_FOUND;
    }
}

void store_state_latest(struct store_view *view, struct store_state *out) {
    *out = (struct store_state){.reader = {out, state_get, state_seek},
                                .view = view,
                                .number = view->standing.head.number,
                                .is_latest = true};
}

enum err store_state_at(struct store_view *view, uint64_t number, struct store_state *out) {
    if (!view->standing.head.has_block || number > view->standing.head.number) return ERR_NOT_FOUND;
    if (number < view->standing.history_first) return ERR_LIMIT;
    store_state_latest(view, out);
    out->number = number;
    out->is_latest = number == view->standing.head.number;
    return ERR_OK;
}
