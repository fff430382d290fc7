#include "base/check.h"
#include "store/store_internal.h"

/* Bringing recent blocks into the tables: the blocks of a round are merged by key, and of a key
 * that several changed only the newest value is put. */

#define FOLD_TABLES KV_TABLE_COUNT

/* One recent block of the round. */
struct source {
    MDB_cursor *cursor;
    uint64_t block;
    struct bytes key, value; /* views of pages that nothing in this transaction changes */
    uint64_t prefix;         /* how the key begins: orders like it where two differ */
};

struct folding {
    const struct store *store;
    MDB_txn *txn;
    uint64_t history_first;
    struct source sources[RECENT_FOLD_BLOCKS];
    struct source *heap[RECENT_FOLD_BLOCKS]; /* least key first, of equal ones the newest block */
    size_t count;                            /* in the heap */
    MDB_cursor *tables[FOLD_TABLES];
};

/* --- where the round stands */

static enum err fold_read(const struct store *store, MDB_txn *txn, struct fold *out) {
    struct bytes value;
    *out = (struct fold){.end = 0};
    const enum err err = table_get(store, txn, TABLE_IDENTITY, BYTES_STRING("fold"), &value);
    if (err == ERR_NOT_FOUND) return ERR_OK;
    if (err != ERR_OK) return err;
    if (value.size < NUMBER_BYTES || value.size - NUMBER_BYTES > sizeof out->position) {
        return ERR_CORRUPT;
    }
    out->end = be_read(value.data, NUMBER_BYTES);
    out->position_bytes = value.size - NUMBER_BYTES;
    memcpy(out->position, value.data + NUMBER_BYTES, out->position_bytes);
    return ERR_OK;
}

static enum err fold_write(const struct store *store, MDB_txn *txn, const struct fold *fold) {
    uint8_t value[NUMBER_BYTES + RECENT_KEY_BYTES_MAX];
    be_write(value, NUMBER_BYTES, fold->end);
    memcpy(value + NUMBER_BYTES, fold->position, fold->position_bytes);
    return table_put(store, txn, TABLE_IDENTITY, BYTES_STRING("fold"),
                     (struct bytes){value, NUMBER_BYTES + fold->position_bytes}, 0);
}

/* --- the heap */

static bool is_before(const struct source *a, const struct source *b) {
    if (a->prefix != b->prefix) return a->prefix < b->prefix;
    const int order = bytes_compare(a->key, b->key);
    return order != 0 ? order < 0 : a->block > b->block;
}

static void sift_down(struct folding *folding, size_t at) {
    struct source *moved = folding->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= folding->count) break;
        const bool has_right = child + 1 < folding->count;
        if (has_right && is_before(folding->heap[child + 1], folding->heap[child])) child++;
        if (!is_before(folding->heap[child], moved)) break;
        folding->heap[at] = folding->heap[child];
        at = child;
    }
    folding->heap[at] = moved;
}

static enum err source_move(struct source *source, MDB_cursor_op operation, struct bytes from) {
    MDB_val key = lmdb_value(from), data;
    TRY(err_of_lmdb(mdb_cursor_get(source->cursor, &key, &data, operation)));
    source->key = lmdb_bytes(key);
    source->value = lmdb_bytes(data);
    const size_t size = source->key.size < 8 ? source->key.size : 8;
    source->prefix = be_read(source->key.data, size) << 8 * (8 - size);
    return source->key.size > 1 && source->value.size >= 1 ? ERR_OK : ERR_CORRUPT;
}

/* pop_first moves the first source on. */
static enum err pop_first(struct folding *folding) {
    const enum err err = source_move(folding->heap[0], MDB_NEXT, BYTES_EMPTY);
    if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
    if (err == ERR_NOT_FOUND) folding->heap[0] = folding->heap[--folding->count];
    if (folding->count != 0) sift_down(folding, 0);
    return ERR_OK;
}

/* --- one key */

static enum err put_current(struct folding *folding, enum kv_table table, struct bytes key,
                            struct bytes value) {
    MDB_val name = lmdb_value(key);
    MDB_val data = {.mv_size = value.size};
    if (value.size == 0) return ERR_CORRUPT;
    TRY(err_of_lmdb(mdb_cursor_put(folding->tables[table], &name, &data, MDB_RESERVE)));
    uint8_t *out = data.mv_data;
    memcpy(out, value.data, value.size);
    if (table != KV_TRIE) out[0] &= (uint8_t)~HISTORY_MARK; /* the grave goes */
    return ERR_OK;
}

static enum err delete_current(struct folding *folding, enum kv_table table, struct bytes key) {
    MDB_val name = lmdb_value(key), data;
    const enum err err = err_of_lmdb(mdb_cursor_get(folding->tables[table], &name, &data, MDB_SET));
    if (err == ERR_NOT_FOUND) return ERR_OK;
    if (err != ERR_OK) return err;
    return err_of_lmdb(mdb_cursor_del(folding->tables[table], 0));
}

/* bury keeps the stamp of a deleted account or slot for as long as a reader may ask for it. */
static enum err bury(struct folding *folding, enum kv_table table, struct bytes key,
                     struct bytes stamp_bytes) {
    struct history_stamp stamp;
    struct bytes nothing;
    uint8_t room[65];
    const struct bytes grave = grave_key(table, key, room);
    TRY(history_record_decode(stamp_bytes, &stamp, &nothing));
    if (stamp.levels == 0 || stamp.last[0] <= folding->history_first) {
        return table_delete(folding->store, folding->txn, TABLE_GRAVES, grave);
    }
    return table_put(folding->store, folding->txn, TABLE_GRAVES, grave, stamp_bytes, 0);
}

static enum err fold_key(struct folding *folding, const struct source *source) {
    const enum kv_table table = source->key.data[0];
    const struct bytes key = bytes_slice(source->key, 1, source->key.size);
    struct recent_entry entry;
    if (table >= KV_TABLE_COUNT || table == KV_CODE) return ERR_CORRUPT;
    TRY(recent_entry_decode(source->value, &entry));
    if (entry.is_present) {
        TRY(put_current(folding, table, key, entry.stored));
        if (!entry.has_grave) return ERR_OK;
        uint8_t room[65];
        return table_delete(folding->store, folding->txn, TABLE_GRAVES,
                            grave_key(table, key, room));
    }
    TRY(delete_current(folding, table, key));
    return table == KV_TRIE ? ERR_OK : bury(folding, table, key, entry.stored);
}

/* --- a part of a round */

/* fold_keys does at least `budget` entries if there are as many. */
static enum err fold_keys(struct folding *folding, uint64_t budget) {
    uint64_t done = 0;
    while (folding->count != 0 && done < budget) {
        const struct bytes key = folding->heap[0]->key;
        TRY(fold_key(folding, folding->heap[0]));
        do {
            TRY(pop_first(folding));
            done++;
        } while (folding->count != 0 && bytes_equal(folding->heap[0]->key, key));
    }
    return ERR_OK;
}

/* open_sources puts a cursor of each of the round's blocks where the round stands. */
static enum err open_sources(struct folding *folding, uint64_t first, const struct fold *fold) {
    const struct bytes from = {fold->position, fold->position_bytes};
    for (uint64_t block = first; block < fold->end; block++) {
        struct source *source = &folding->sources[block - first];
        source->block = block;
        TRY(recent_cursor(folding->store, folding->txn, block, &source->cursor));
        const enum err err = source_move(source, from.size == 0 ? MDB_FIRST : MDB_SET_RANGE, from);
        if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
        if (err == ERR_OK) folding->heap[folding->count++] = source;
    }
    for (size_t at = folding->count / 2; at-- > 0;)
        sift_down(folding, at);
    return ERR_OK;
}

static enum err open_tables(struct folding *folding) {
    for (unsigned i = 0; i < FOLD_TABLES; i++) {
        TRY(err_of_lmdb(
            mdb_cursor_open(folding->txn, folding->store->tables[i], &folding->tables[i])));
    }
    return ERR_OK;
}

static void close_all(struct folding *folding) {
    for (unsigned i = 0; i < RECENT_FOLD_BLOCKS; i++) {
        if (folding->sources[i].cursor != NULL) mdb_cursor_close(folding->sources[i].cursor);
    }
    for (unsigned i = 0; i < FOLD_TABLES; i++) {
        if (folding->tables[i] != NULL) mdb_cursor_close(folding->tables[i]);
    }
}

/* fold_part goes on with the round and says in *fold where it stands then. */
static enum err fold_part(struct folding *folding, uint64_t first, uint64_t budget,
                          struct fold *fold) {
    TRY(open_sources(folding, first, fold));
    TRY(open_tables(folding));
    TRY(fold_keys(folding, budget));
    fold->position_bytes = 0;
    if (folding->count == 0) return ERR_OK;
    const struct bytes next = folding->heap[0]->key;
    if (next.size > sizeof fold->position) return ERR_CORRUPT;
    memcpy(fold->position, next.data, next.size);
    fold->position_bytes = next.size;
    return ERR_OK;
}

/* round_entries counts what the round's blocks changed. */
static enum err round_entries(const struct store *store, MDB_txn *txn, uint64_t first, uint64_t end,
                              uint64_t *out) {
    *out = 0;
    for (uint64_t block = first; block < end; block++) {
        uint64_t count;
        TRY(recent_count(store, txn, block, &count));
        *out += count;
    }
    return ERR_OK;
}

enum err recent_fold(const struct store *store, MDB_txn *txn, struct standing *standing) {
    struct fold fold;
    const uint64_t first = standing->recent_first;
    const uint64_t live = standing->head.number + 1 - first;
    TRY(fold_read(store, txn, &fold));
    if (fold.end <= first) {
        if (live < RECENT_FOLD_BLOCKS) return ERR_OK;
        fold = (struct fold){.end = first + RECENT_FOLD_BLOCKS};
    }
    if (fold.end - first > RECENT_FOLD_BLOCKS) return ERR_CORRUPT;
    uint64_t entries;
    TRY(round_entries(store, txn, first, fold.end, &entries));
    const bool is_last = live + 1 >= RECENT_TABLES; /* the next block needs the oldest's table */
    struct folding folding = {.store = store, .txn = txn, .history_first = standing->history_first};
    const uint64_t budget = is_last ? UINT64_MAX : entries / RECENT_FOLD_BLOCKS + 1;
    const enum err err = fold_part(&folding, first, budget, &fold);
    close_all(&folding);
    TRY(err);
    if (fold.position_bytes == 0) standing->recent_first = fold.end;
    return fold_write(store, txn, &fold);
}
