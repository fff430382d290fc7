#pragma once
/* Inside the store: tables, the environment, views.  Only store*.c include this; it shows LMDB.
 *
 *   accounts      hash                    -> record of an account  (history.h)
 *   storage       hash || hash            -> record of a number
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
 *   identity      "format", "genesis", "head", "fold" -> see store.c
 *   recent00...   table u8 || key         -> what a recent block made of it (store_recent.c) */
#include <assert.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/history.h"
#include "store/recent_index.h"
#include "store/store.h"

/* Blocks whose changes are brought into the tables together.  More blocks share more pages, and
 * keep more on disk twice. */
#define RECENT_FOLD_BLOCKS 16
#define RECENT_TABLES      (2 * RECENT_FOLD_BLOCKS + 2)

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
    TABLE_RECENT, /* the first of RECENT_TABLES: block n has table n % RECENT_TABLES */
    TABLE_COUNT = TABLE_RECENT + RECENT_TABLES
};

#define STATE_VALUE_BYTES_MAX 160 /* an encoded account at most, without its stamp */
#define NUMBER_BYTES          8
#define HISTORY_NONE          UINT64_MAX /* instead of the first block: the state is being loaded */
#define HISTORY_KEY_BYTES_MAX (NUMBER_BYTES + 1 + 64)
#define RECENT_KEY_BYTES_MAX  (1 + KV_KEY_BYTES_MAX)

/* Where a store stands, in one snapshot. */
struct standing {
    struct store_head head;
    uint64_t history_first; /* or HISTORY_NONE */
    uint64_t recent_first;  /* the changes of blocks from here to the head are in recent tables */
};

/* Where bringing recent blocks into the tables stands; known to the writer alone. */
struct fold {
    uint64_t end; /* one above the last block of the round; at most recent_first: no round */
    uint8_t position[RECENT_KEY_BYTES_MAX]; /* goes on at this key of the recent tables */
    size_t position_bytes;
};

struct store_view {
    struct store *store;
    MDB_txn *txn; /* made at first use, then reset and renewed */
    MDB_cursor *cursors[TABLE_COUNT];
    bool is_renewed[TABLE_COUNT]; /* the cursor belongs to the current transaction */
    struct standing standing;
    struct store_view *next_free;
};

struct store {
    MDB_env *env;
    int lock_file;
    struct store_config config;
    MDB_dbi tables[TABLE_COUNT];
    struct recent_index index;
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
MUST_USE enum err identity_standing(const struct store *store, MDB_txn *txn, struct standing *out);
MUST_USE enum err identity_set_standing(const struct store *store, MDB_txn *txn,
                                        const struct standing *standing);
MUST_USE enum err identity_set_genesis(const struct store *store, MDB_txn *txn,
                                       const struct hash32 *hash);

/* history_key writes block || table || key. */
struct bytes history_key(uint64_t block, enum kv_table table, struct bytes key,
                         uint8_t room[HISTORY_KEY_BYTES_MAX]);
/* grave_key writes table || key. */
struct bytes grave_key(enum kv_table table, struct bytes key, uint8_t room[65]);

/* --- recent blocks (store_recent.c) */

/* What the newest recent block that changed a key made of it. */
struct recent_entry {
    bool is_present;
    bool has_grave;      /* a stamp of the key may lie among the graves */
    struct bytes stored; /* as the table would have it; of a deleted account or slot its stamp */
};
MUST_USE enum err recent_entry_decode(struct bytes in, struct recent_entry *out);
/* recent_find finds a key of the tables accounts, storage or trie among the blocks from
 * recent_first to the head.  ERR_NOT_FOUND: none of them changed it. */
MUST_USE enum err recent_find(const struct store *store, MDB_txn *txn,
                              const struct standing *standing, enum kv_table table,
                              struct bytes key, struct recent_entry *out);
/* recent_seek finds the first key at or after `key` that any of them changed. */
MUST_USE enum err recent_seek(struct store_view *view, enum kv_table table, struct bytes key,
                              struct bytes *found, struct recent_entry *out);
/* recent_begin empties the table of `block` and opens a cursor on it. */
MUST_USE enum err recent_begin(const struct store *store, MDB_txn *txn, uint64_t block,
                               MDB_cursor **out);
/* recent_expect fetches what recent_put of the key will need. */
void recent_expect(const struct store *store, enum kv_table table, struct bytes key);
/* recent_put appends what the block made of a key; keys ascend. */
MUST_USE enum err recent_put(struct store *store, MDB_cursor *cursor, uint64_t block,
                             enum kv_table table, struct bytes key,
                             const struct recent_entry *entry);
/* recent_cursor opens a cursor on what a block changed, recent_count counts it. */
MUST_USE enum err recent_cursor(const struct store *store, MDB_txn *txn, uint64_t block,
                                MDB_cursor **out);
MUST_USE enum err recent_count(const struct store *store, MDB_txn *txn, uint64_t block,
                               uint64_t *out);
/* recent_fold brings a part of the oldest recent blocks' changes into the tables: as much as keeps
 * their number below RECENT_TABLES when every block does it.  Moves standing->recent_first
 * (store_fold.c). */
MUST_USE enum err recent_fold(const struct store *store, MDB_txn *txn, struct standing *standing);
/* recent_forget empties all recent tables. */
MUST_USE enum err recent_forget(const struct store *store, MDB_txn *txn);
/* recent_load fills the index from the tables. */
MUST_USE enum err recent_load(struct store *store, MDB_txn *txn, const struct standing *standing);

/* state_load_list puts entries without history into the tables, state_write_list the state's part
 * of a block into the history and a recent table: see store_history.c. */
MUST_USE enum err state_load_list(struct store *store, MDB_txn *txn, const struct kv_write *writes,
                                  size_t count);
MUST_USE enum err state_write_list(struct store *store, MDB_txn *txn,
                                   const struct standing *standing,
                                   const struct store_block *block);
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
