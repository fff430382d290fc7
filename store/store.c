#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hex.h"
#include "store/store_internal.h"

#define FORMAT          "baton store 3"
#define PATH_BYTES_MAX  4096
#define TAIL_PAGES_MAX  4096 /* pages at the end that LMDB may have allocated and never written */
#define READERS_RESERVE 8
#define HEAD_BYTES      (3 * NUMBER_BYTES + 32)

static const char *const table_names[TABLE_RECENT] = {
    [TABLE_ACCOUNTS] = "accounts", [TABLE_STORAGE] = "storage", [TABLE_CODE] = "code",
    [TABLE_TRIE] = "trie",         [TABLE_GRAVES] = "graves",   [TABLE_HISTORY] = "history",
    [TABLE_HEADERS] = "headers",   [TABLE_NUMBERS] = "numbers", [TABLE_PACKAGES] = "packages",
    [TABLE_RECEIPTS] = "receipts", [TABLE_COMMITS] = "commits", [TABLE_HASHES] = "hashes",
    [TABLE_RUNS] = "runs",         [TABLE_RECORDS] = "records", [TABLE_IDENTITY] = "identity",
};

enum err err_of_lmdb(int code) {
    switch (code) {
    case MDB_SUCCESS: return ERR_OK;
    case MDB_NOTFOUND: return ERR_NOT_FOUND;
    case MDB_KEYEXIST: return ERR_EXISTS;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EFBIG:
    case EDQUOT: return ERR_DISK_FULL;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH: return ERR_CORRUPT;
    case MDB_TXN_FULL:
    case MDB_READERS_FULL: return ERR_LIMIT;
    case ENOMEM: return ERR_MEMORY;
    case EACCES:
    case EPERM:
    case EROFS: return ERR_PERMISSION;
    default: return ERR_STORAGE;
    }
}

/* --- tables */

/* table_name names a table; `room` is for those that are numbered. */
static const char *table_name(unsigned table, char room[16]) {
    if (table < TABLE_RECENT) return table_names[table];
    (void)snprintf(room, 16, "recent%02u", (table - TABLE_RECENT) % 100);
    return room;
}

enum err table_get(const struct store *store, MDB_txn *txn, enum store_table table,
                   struct bytes key, struct bytes *out) {
    MDB_val name = lmdb_value(key);
    MDB_val value;
    TRY(err_of_lmdb(mdb_get(txn, store->tables[table], &name, &value)));
    *out = lmdb_bytes(value);
    return ERR_OK;
}

enum err table_put(const struct store *store, MDB_txn *txn, enum store_table table,
                   struct bytes key, struct bytes value, unsigned flags) {
    MDB_val name = lmdb_value(key);
    MDB_val data = lmdb_value(value);
    return err_of_lmdb(mdb_put(txn, store->tables[table], &name, &data, flags));
}

enum err table_delete(const struct store *store, MDB_txn *txn, enum store_table table,
                      struct bytes key) {
    MDB_val name = lmdb_value(key);
    const enum err err = err_of_lmdb(mdb_del(txn, store->tables[table], &name, NULL));
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* --- identity: who this store is and where it stands */

enum err identity_standing(const struct store *store, MDB_txn *txn, struct standing *out) {
    struct bytes value;
    *out = (struct standing){0};
    const enum err err = table_get(store, txn, TABLE_IDENTITY, BYTES_STRING("head"), &value);
    if (err == ERR_NOT_FOUND) return ERR_OK;
    if (err != ERR_OK) return err;
    if (value.size != HEAD_BYTES) return ERR_CORRUPT;
    out->head.has_block = true;
    out->head.number = be_read(value.data, NUMBER_BYTES);
    out->history_first = be_read(value.data + NUMBER_BYTES, NUMBER_BYTES);
    out->recent_first = be_read(value.data + 2 * NUMBER_BYTES, NUMBER_BYTES);
    memcpy(out->head.hash.bytes, value.data + 3 * NUMBER_BYTES, 32);
    const uint64_t next = out->head.number + 1;
    const bool is_good = out->recent_first <= next && next - out->recent_first < RECENT_TABLES;
    return is_good ? ERR_OK : ERR_CORRUPT;
}

enum err identity_set_standing(const struct store *store, MDB_txn *txn,
                               const struct standing *standing) {
    uint8_t value[HEAD_BYTES];
    be_write(value, NUMBER_BYTES, standing->head.number);
    be_write(value + NUMBER_BYTES, NUMBER_BYTES, standing->history_first);
    be_write(value + 2 * NUMBER_BYTES, NUMBER_BYTES, standing->recent_first);
    memcpy(value + 3 * NUMBER_BYTES, standing->head.hash.bytes, 32);
    return table_put(store, txn, TABLE_IDENTITY, BYTES_STRING("head"), BYTES_OF(value), 0);
}

enum err identity_set_genesis(const struct store *store, MDB_txn *txn, const struct hash32 *hash) {
    return table_put(store, txn, TABLE_IDENTITY, BYTES_STRING("genesis"), hash_bytes(hash), 0);
}

/* identity_check writes the format into a new store and refuses another format. */
static enum err identity_check(const struct store *store, MDB_txn *txn) {
    struct bytes value;
    const enum err err = table_get(store, txn, TABLE_IDENTITY, BYTES_STRING("format"), &value);
    if (err == ERR_NOT_FOUND) {
        return table_put(store, txn, TABLE_IDENTITY, BYTES_STRING("format"), BYTES_STRING(FORMAT),
                         0);
    }
    if (err != ERR_OK) return err;
    return bytes_equal(value, BYTES_STRING(FORMAT)) ? ERR_OK : ERR_CORRUPT;
}

/* --- open */

/* open_tables opens (or makes) all tables, checks the identity and reads the head. */
static enum err open_tables(struct store *store) {
    MDB_txn *txn;
    TRY(err_of_lmdb(mdb_txn_begin(store->env, NULL, 0, &txn)));
    enum err err = ERR_OK;
    for (unsigned i = 0; i < TABLE_COUNT && err == ERR_OK; i++) {
        char room[16];
        const char *name = table_name(i, room);
        err = err_of_lmdb(mdb_dbi_open(txn, name, MDB_CREATE, &store->tables[i]));
    }
    struct standing standing = {.head = {.has_block = false}};
    if (err == ERR_OK) err = identity_check(store, txn);
    if (err == ERR_OK) err = identity_standing(store, txn, &standing);
    if (err == ERR_OK) err = recent_load(store, txn, &standing);
    store->head = standing.head;
    if (err == ERR_OK && store->head.has_block) { /* the head's header must be there and fit */
        uint8_t key[NUMBER_BYTES];
        struct bytes value;
        err = table_get(store, txn, TABLE_HEADERS, number_key(store->head.number, key), &value);
        if (err == ERR_NOT_FOUND || (err == ERR_OK && value.size <= 32)) err = ERR_CORRUPT;
        if (err == ERR_OK && memcmp(value.data, store->head.hash.bytes, 32) != 0) {
            err = ERR_CORRUPT;
        }
    }
    if (err != ERR_OK) {
        mdb_txn_abort(txn);
        return err;
    }
    return err_of_lmdb(mdb_txn_commit(txn));
}

/* check_length makes sure that no page lies beyond the file's end: reading it through the map would
 * end the process.  A few pages may be missing rightly (allocated and given back unwritten). */
static enum err check_length(MDB_env *env) {
    MDB_envinfo info;
    MDB_stat stat_;
    int file;
    struct stat status;
    TRY(err_of_lmdb(mdb_env_info(env, &info)));
    TRY(err_of_lmdb(mdb_env_stat(env, &stat_)));
    TRY(err_of_lmdb(mdb_env_get_fd(env, &file)));
    if (fstat(file, &status) != 0) return err_of_lmdb(errno);
    const uint64_t wanted = ((uint64_t)info.me_last_pgno + 1) * stat_.ms_psize;
    const uint64_t length = (uint64_t)status.st_size;
    if (length >= wanted) return ERR_OK;
    if (wanted - length > (uint64_t)TAIL_PAGES_MAX * stat_.ms_psize) return ERR_CORRUPT;
    return ftruncate(file, (off_t)wanted) == 0 ? ERR_OK : err_of_lmdb(errno);
}

static enum err open_environment(struct store *store) {
    const struct store_config *config = &store->config;
    TRY(err_of_lmdb(mdb_env_create(&store->env)));
    TRY(err_of_lmdb(mdb_env_set_maxdbs(store->env, TABLE_COUNT)));
    TRY(err_of_lmdb(mdb_env_set_maxreaders(store->env, config->views_max + READERS_RESERVE)));
    TRY(err_of_lmdb(mdb_env_set_mapsize(store->env, config->map_bytes_max)));
    TRY(err_of_lmdb(mdb_env_open(store->env, config->directory, MDB_NOTLS | MDB_NORDAHEAD, 0600)));
    int dead_readers;
    TRY(err_of_lmdb(mdb_reader_check(store->env, &dead_readers)));
    TRY(check_length(store->env));
    /* The last block may be there and not on the disk: its process ended as it wrote it. */
    TRY(err_of_lmdb(mdb_env_sync(store->env, 1)));
    return open_tables(store);
}

/* lock_directory makes the directory and takes it for this process: LMDB itself would share it. */
static enum err lock_directory(const char *directory, int *out) {
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        return errno == ENOENT ? ERR_NOT_FOUND : err_of_lmdb(errno);
    }
    char path[PATH_BYTES_MAX];
    const int length = snprintf(path, sizeof path, "%s/LOCK", directory);
    if (length < 0 || (size_t)length >= sizeof path) return ERR_LIMIT;
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return errno == ENOTDIR ? ERR_CONFIG : err_of_lmdb(errno);
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        const enum err err = errno == EWOULDBLOCK ? ERR_EXISTS : err_of_lmdb(errno);
        (void)close(file);
        return err;
    }
    *out = file;
    return ERR_OK;
}

static void describe(char *error, const char *directory, enum err err) {
    if (error == NULL) return;
    const char *text = err_text(err);
    if (err == ERR_EXISTS) text = "another process has it open";
    if (err == ERR_NOT_FOUND) text = "its parent directory does not exist";
    if (err == ERR_CORRUPT) {
        text =
            "its database is corrupt or of another format; restore it, or remove it and sync again";
    }
    if (err == ERR_MEMORY) text = "its map does not fit in the address space";
    (void)snprintf(error, STORE_ERROR_BYTES, "data directory %s: %s", directory, text);
}

enum err store_open(const struct store_config *config, struct store **out, char *error) {
    CHECK(config->views_max >= 1);
    CHECK(config->views_max <= STORE_VIEWS_MAX);
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) return ERR_MEMORY;
    store->config = *config;
    if (config->map_bytes_max == 0) store->config.map_bytes_max = STORE_MAP_BYTES_DEFAULT;
    store->lock_file = -1;
    CHECK(pthread_mutex_init(&store->mutex, NULL) == 0);
    store->views = calloc(config->views_max, sizeof *store->views);
    enum err err = store->views == NULL ? ERR_MEMORY : ERR_OK;
    if (err == ERR_OK) err = lock_directory(config->directory, &store->lock_file);
    if (err == ERR_OK) err = recent_index_open(&store->index);
    if (err == ERR_OK) err = open_environment(store);
    if (err != ERR_OK) {
        describe(error, config->directory, err);
        store_close(store);
        return err;
    }
    for (uint32_t i = 0; i < config->views_max; i++) {
        store->views[i].store = store;
        store->views[i].next_free = store->free;
        store->free = &store->views[i];
    }
    store->stats.views_max = config->views_max;
    store->stats.map_bytes_max = store->config.map_bytes_max;
    *out = store;
    return ERR_OK;
}

void store_close(struct store *store) {
    if (store == NULL) return;
    CHECK(store->views_open == 0);
    for (uint32_t i = 0; store->views != NULL && i < store->config.views_max; i++) {
        struct store_view *view = &store->views[i];
        for (unsigned table = 0; table < TABLE_COUNT; table++) {
            if (view->cursors[table] != NULL) mdb_cursor_close(view->cursors[table]);
        }
        if (view->txn != NULL) mdb_txn_abort(view->txn);
    }
    if (store->env != NULL) mdb_env_close(store->env);
    recent_index_close(&store->index);
    if (store->lock_file >= 0) (void)close(store->lock_file);
    (void)pthread_mutex_destroy(&store->mutex);
    free(store->views);
    free(store);
}

/* --- head and genesis */

struct store_head store_head(struct store *store) {
    CHECK(pthread_mutex_lock(&store->mutex) == 0);
    const struct store_head head = store->head;
    CHECK(pthread_mutex_unlock(&store->mutex) == 0);
    return head;
}

enum err store_genesis_check(struct store *store, const struct hash32 *expected,
                             struct hash32 *found, char *error) {
    struct store_view *view;
    struct bytes value;
    TRY(store_view_open(store, &view));
    enum err err = table_get(store, view->txn, TABLE_IDENTITY, BYTES_STRING("genesis"), &value);
    if (err == ERR_OK && value.size != 32) err = ERR_CORRUPT;
    if (err == ERR_OK && memcmp(value.data, expected->bytes, 32) != 0) {
        memcpy(found->bytes, value.data, 32);
        err = ERR_MISMATCH;
    }
    store_view_close(view);
    if (err == ERR_MISMATCH && error != NULL) {
        char here[67], wanted[67];
        (void)snprintf(error, STORE_ERROR_BYTES,
                       "data directory %s holds the chain of genesis %s, not of %s",
                       store->config.directory, hex_string(hash_bytes(found), here),
                       hex_string(hash_bytes(expected), wanted));
    }
    return err;
}

struct store_stats store_stats(struct store *store) {
    MDB_envinfo info = {0};
    MDB_stat stat_ = {0};
    const bool is_known = mdb_env_info(store->env, &info) == MDB_SUCCESS &&
                          mdb_env_stat(store->env, &stat_) == MDB_SUCCESS;
    CHECK(pthread_mutex_lock(&store->mutex) == 0);
    struct store_stats stats = store->stats;
    stats.views_open = store->views_open;
    CHECK(pthread_mutex_unlock(&store->mutex) == 0);
    if (is_known) stats.file_bytes = ((uint64_t)info.me_last_pgno + 1) * stat_.ms_psize;
    return stats;
}
