#pragma once
/* Inside the store: tables, the environment, views.  Only store*.c include this; it shows LMDB.
 *
 *   accounts      hash                    -> stamp || account      (history.h)
 *   storage       hash || hash            -> stamp || number
 *   code          hash                    -> code
 *   trie          trie.h                  -> record
 *   graves        table u8 || key         -> stamp of a deleted account or slot
 *   history       block u64 || table u8 || key -> entry
 *   headers       number u64              -> hash || rlp(header)
 *   numbers       block hash              -> number u64
 *   packages, receipts, commits: number u64 -> bytes
 *   hashes        number u64              -> hashes of the block's transactions
 *   runs          sorted runs: transactions by hash, blocks by what their logs hold (store_runs.c)
 *   records       name                    -> value
 *   identity      "format", "genesis", "head", "history" -> see store.c */
#include <assert.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/history.h"
#include "store/store.h"

/* The first four are enum kv_table's. */
enum store_table {
    TABLE_ACCOUNTS = KV_ACCOUNTS,
    TABLE_STORAGE = KV_STORAGE,
    TABLE_CODE = KV_CODE,
    TABLE_TRIE = KV_TRIE,
    TABLE_GRAVES,
    TABLE_HISTORY,
    TABLE_HEADERS,
    TABLE_NUMBERS,
    TABLE_PACKAGES,
    TABLE_RECEIPTS,
    TABLE_COMMITS,
    TABLE_HASHES,
    TABLE_RUNS,
    TABLE_RECORDS,
    TABLE_IDENTITY,
    TABLE_COUNT
};

#define STATE_VALUE_BYTES_MAX 160 /* an encoded account at most, without its stamp */
#define NUMBER_BYTES          8
#define HISTORY_NONE          UINT64_MAX /* instead of the first block: the state is being loaded */
#define HISTORY_KEY_BYTES_MAX (NUMBER_BYTES + 1 + 64)

struct store_view {
    struct store *store;
    MDB_txn *txn; /* made at first use, then reset and renewed */
    MDB_cursor *cursors[TABLE_COUNT];
    bool is_renewed[TABLE_COUNT]; /* the cursor belongs to the current transaction */
    struct store_head head;
    uint64_t history_first;
    struct store_view *next_free;
};

struct store {
    MDB_env *env;
    int lock_file;
    struct store_config config;
    MDB_dbi tables[TABLE_COUNT];
    pthread_mutex_t mutex; /* guards what follows, shared by the writer and all readers */
    struct store_head head;
    struct store_view *views; /* views_max of them */
    struct store_view *free;
    uint32_t views_open;
    struct store_stats stats;
};

/* err_of_lmdb maps a result of LMDB or an errno. */
enum err err_of_lmdb(int code);
static inline MDB_val lmdb_value(struct bytes bytes) {
    return (MDB_val){bytes.size, (void *)(uintptr_t)bytes.data};
}
static inline struct bytes lmdb_bytes(MDB_val value) {
    return (struct bytes){value.mv_data, value.mv_size};
}
static inline struct bytes number_key(uint64_t number, uint8_t room[NUMBER_BYTES]) {
    be_write(room, NUMBER_BYTES, number);
    return (struct bytes){room, NUMBER_BYTES};
}
/* table_get reads in any transaction; the view lives as long as the transaction's next write. */
MUST_USE enum err table_get(const struct store *store, MDB_txn *txn, enum store_table table,
                            struct bytes key, struct bytes *out);
MUST_USE enum err table_put(const struct store *store, MDB_txn *txn, enum store_table table,
                            struct bytes key, struct bytes value, unsigned flags);
/* table_delete deletes; an absent key is fine. */
MUST_USE enum err table_delete(const struct store *store, MDB_txn *txn, enum store_table table,
                               struct bytes key);
/* view_seek finds the first entry at or after `key`. */
MUST_USE enum err view_seek(struct store_view *view, enum store_table table, struct bytes key,
                            struct bytes *key_found, struct bytes *value);
/* view_cursor gives the view's cursor of a table. */
MUST_USE enum err view_cursor(struct store_view *view, enum store_table table, MDB_cursor **out);

/* identity records */
MUST_USE enum err identity_head(const struct store *store, MDB_txn *txn, struct store_head *head,
                                uint64_t *history_first);
MUST_USE enum err identity_set_head(const struct store *store, MDB_txn *txn,
                                    const struct store_head *head, uint64_t history_first);
MUST_USE enum err identity_set_genesis(const struct store *store, MDB_txn *txn,
                                       const struct hash32 *hash);

/* history_key writes block || table || key. */
struct bytes history_key(uint64_t block, enum kv_table table, struct bytes key,
                         uint8_t room[HISTORY_KEY_BYTES_MAX]);
/* grave_key writes table || key. */
struct bytes grave_key(enum kv_table table, struct bytes key, uint8_t room[65]);

/* state_write_list does the state's part of a block: see store_history.c. */
MUST_USE enum err state_write_list(struct store *store, MDB_txn *txn, uint64_t block,
                                   bool has_history, const struct kv_write *writes, size_t count);
MUST_USE enum err history_prune(struct store *store, MDB_txn *txn, uint64_t head,
                                uint64_t *history_first);
/* --- runs: an index of 8-byte keys to 8-byte payloads that only appends (store_runs.c) */
enum run_kind {
    RUN_TRANSACTIONS = 1, /* start of the hash -> number << 24 | index */
    RUN_LOGS = 2,         /* hash of an address or topic -> number */
};
struct run_entry {
    uint64_t key;
    uint64_t payload;
};
/* runs_sort sorts by key, stably; `spare` is as long. */
void runs_sort(struct run_entry *entries, struct run_entry *spare, size_t count);
/* runs_append adds a block's entries, sorted by (key, payload), blocks ascending. */
MUST_USE enum err runs_append(struct store *store, MDB_txn *txn, enum run_kind kind, uint64_t block,
                              const struct run_entry *entries, size_t count);
/* runs_first finds the first entry with from->key and a payload of at least from->payload, in the
 * order of runs, among runs that have blocks of [first_block, last_block]. */
MUST_USE enum err runs_first(struct store_view *view, enum run_kind kind,
                             const struct run_entry *from, uint64_t first_block,
                             uint64_t last_block, uint64_t *payload);
/* runs_each visits all payloads of a key, newest runs first, until `visit` returns something other
 * than ERR_NOT_FOUND; ERR_NOT_FOUND when it never does. */
MUST_USE enum err runs_each(struct store_view *view, enum run_kind kind, uint64_t wanted,
                            void *context, enum err (*visit)(void *context, uint64_t payload));

/* transactions_write indexes a block's transactions by hash. */
MUST_USE enum err transactions_write(struct store *store, MDB_txn *txn, uint64_t number,
                                     const struct hash32 *hashes, size_t count,
                                     struct arena *scratch);
/* logs_write indexes a block's logs: see store_logs.c. */
MUST_USE enum err logs_write(struct store *store, MDB_txn *txn, uint64_t number,
                             const struct receipt *receipts, size_t count, struct arena *scratch);
