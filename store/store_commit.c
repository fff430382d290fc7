/* What is written: blocks, loaded states, records. */
#include <time.h>

#include "base/check.h"
#include "base/keccak.h"
#include "store/store_internal.h"

static uint64_t now_ns(void) {
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* finish commits or, when something failed, aborts. */
static enum err finish(MDB_txn *txn, enum err err) {
    if (err == ERR_OK) return err_of_lmdb(mdb_txn_commit(txn));
    mdb_txn_abort(txn);
    return err;
}

static enum err put_records(struct store *store, MDB_txn *txn, const struct store_record *records,
                            size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct store_record *record = &records[i];
        CHECK(record->name.size >= 1);
        CHECK(record->name.size <= STORE_NAME_BYTES_MAX);
        if (record->value.size == 0) {
            TRY(table_delete(store, txn, TABLE_RECORDS, record->name));
        } else {
            TRY(table_put(store, txn, TABLE_RECORDS, record->name, record->value, 0));
        }
    }
    return ERR_OK;
}

static enum err put_header(struct store *store, MDB_txn *txn, struct bytes header,
                           const struct hash32 *hash, struct bytes key) {
    uint8_t room[32 + HEADER_BYTES_MAX];
    struct buffer value = buffer_over(room, sizeof room);
    buffer_append(&value, hash_bytes(hash));
    buffer_append(&value, header);
    CHECK(!value.overflow);
    TRY(table_put(store, txn, TABLE_HEADERS, key, buffer_bytes(&value), MDB_APPEND));
    return table_put(store, txn, TABLE_NUMBERS, hash_bytes(hash), key, 0);
}

/* put_ancestors writes the headers before a loaded head. */
static enum err put_ancestors(struct store *store, MDB_txn *txn, const struct store_block *block) {
    for (size_t i = 0; i < block->ancestors_count; i++) {
        uint8_t room[NUMBER_BYTES];
        const uint64_t number = block->header->number - block->ancestors_count + i;
        const struct hash32 hash = keccak256(block->ancestors[i]);
        TRY(put_header(store, txn, block->ancestors[i], &hash, number_key(number, room)));
    }
    return ERR_OK;
}

static enum err put_receipts(struct store *store, MDB_txn *txn, const struct store_block *block,
                             struct bytes key, struct arena *scratch) {
    if (block->receipts_count == 0) return ERR_OK;
    const size_t mark = arena_mark(scratch);
    const size_t room_bytes = scratch->capacity - mark;
    if (room_bytes < 64) return ERR_LIMIT;
    const size_t usable = room_bytes - 32;
    uint8_t *room = arena_alloc(scratch, usable);
    if (room == NULL) return ERR_LIMIT;
    struct buffer encoded = buffer_over(room, usable);
    receipts_store_encode(block->receipts, block->receipts_count, &encoded);
    enum err err = encoded.overflow ? ERR_LIMIT : ERR_OK;
    if (err == ERR_OK) {
        err = table_put(store, txn, TABLE_RECEIPTS, key, buffer_bytes(&encoded), MDB_APPEND);
    }
    arena_release(scratch, mark);
    if (err != ERR_OK) return err;
    return logs_write(store, txn, block->header->number, block->receipts, block->receipts_count,
                      scratch);
}

/* put_block writes all of a block but its state. */
static enum err put_block(struct store *store, MDB_txn *txn, const struct store_block *block,
                          struct arena *scratch) {
    uint8_t room[NUMBER_BYTES];
    const struct bytes key = number_key(block->header->number, room);
    if (block->header->number == 0) TRY(identity_set_genesis(store, txn, &block->hash));
    uint8_t header_room[HEADER_BYTES_MAX];
    struct buffer header = buffer_over(header_room, sizeof header_room);
    header_encode(block->header, &header);
    CHECK(!header.overflow);
    TRY(put_header(store, txn, buffer_bytes(&header), &block->hash, key));
    TRY(table_put(store, txn, TABLE_PACKAGES, key, block->package, MDB_APPEND));
    if (block->commit.size != 0) {
        TRY(table_put(store, txn, TABLE_COMMITS, key, block->commit, MDB_APPEND));
    }
    TRY(put_receipts(store, txn, block, key, scratch));
    TRY(transactions_write(store, txn, block->header->number, block->transaction_hashes,
                           block->transactions_count, scratch));
    return put_records(store, txn, block->records, block->records_count);
}

static void check_follows(const struct store_head *head, const struct store_block *block) {
    if (!head->has_block) {
        CHECK(block->header->number == 0);
        return;
    }
    CHECK(block->header->number == head->number + 1);
    CHECK(hash_equal(&block->header->parent_hash, &head->hash));
}

static bool is_same_head(const struct store_head *a, const struct store_head *b) {
    return a->has_block == b->has_block && a->number == b->number && hash_equal(&a->hash, &b->hash);
}

static void check_block(const struct store_block *block) {
    CHECK(block->package.size != 0);
    CHECK(block->header->number < 1ull << 40);
    CHECK(block->receipts_count == 0 || block->receipts_count == block->transactions_count);
}

static enum err write_block(struct store *store, MDB_txn *txn, const struct store_block *block,
                            struct arena *scratch, struct standing *standing) {
    const uint64_t number = block->header->number;
    TRY(identity_standing(store, txn, standing));
    check_follows(&standing->head, block);
    if (block->view != NULL && !is_same_head(&block->view->standing.head, &standing->head)) {
        return ERR_MISMATCH;
    }
    CHECK(standing->history_first != HISTORY_NONE);
    if (standing->head.has_block) {
        TRY(recent_fold(store, txn, standing));
        TRY(state_write_list(store, txn, standing, block));
    } else { /* the first block's state has no history, and is often large */
        TRY(state_load_list(store, txn, block->writes, block->writes_count));
        standing->recent_first = number + 1;
    }
    TRY(put_block(store, txn, block, scratch));
    TRY(history_prune(store, txn, number, &standing->history_first));
    standing->head = (struct store_head){true, number, block->hash};
    return identity_set_standing(store, txn, standing);
}

/* set_head shows the new head to readers, once it is durable. */
static void set_head(struct store *store, const struct store_block *block, uint64_t begun_ns,
                     uint64_t written_ns) {
    CHECK(pthread_mutex_lock(&store->mutex) == 0);
    store->head = (struct store_head){true, block->header->number, block->hash};
    store->stats.commits++;
    store->stats.commit_last_ns = now_ns() - begun_ns;
    store->stats.sync_last_ns = now_ns() - written_ns;
    CHECK(pthread_mutex_unlock(&store->mutex) == 0);
}

enum err store_commit_block(struct store *store, const struct store_block *block,
                            struct arena *scratch) {
    check_block(block);
    const uint64_t begun_ns = now_ns();
    MDB_txn *txn;
    struct standing standing;
    TRY(err_of_lmdb(mdb_txn_begin(store->env, NULL, 0, &txn)));
    const enum err err = write_block(store, txn, block, scratch, &standing);
    const uint64_t written_ns = now_ns();
    TRY(finish(txn, err));
    recent_index_advance(&store->index, standing.recent_first);
    set_head(store, block, begun_ns, written_ns);
    return ERR_OK;
}

enum err store_load_state(struct store *store, const struct kv_write *writes, size_t count) {
    MDB_txn *txn;
    TRY(err_of_lmdb(mdb_txn_begin(store->env, NULL, 0, &txn)));
    return finish(txn, state_load_list(store, txn, writes, count));
}

enum err store_clear_state(struct store *store) {
    MDB_txn *txn;
    struct standing standing;
    TRY(err_of_lmdb(mdb_txn_begin(store->env, NULL, 0, &txn)));
    enum err err = identity_standing(store, txn, &standing);
    if (err == ERR_OK) err = recent_forget(store, txn);
    for (unsigned i = TABLE_ACCOUNTS; i <= TABLE_HISTORY && err == ERR_OK; i++) {
        err = err_of_lmdb(mdb_drop(txn, store->tables[i], 0));
    }
    if (err == ERR_OK && standing.head.has_block) {
        standing.history_first = HISTORY_NONE;
        standing.recent_first = standing.head.number + 1;
        err = identity_set_standing(store, txn, &standing);
    }
    return finish(txn, err);
}

enum err store_set_head(struct store *store, const struct store_block *block,
                        struct arena *scratch) {
    check_block(block);
    CHECK(block->writes_count == 0);
    const struct store_head before = store_head(store);
    CHECK(!before.has_block || block->header->number > before.number + block->ancestors_count);
    const uint64_t begun_ns = now_ns();
    const uint64_t number = block->header->number;
    const struct standing standing = {{true, number, block->hash}, number, number + 1};
    MDB_txn *txn;
    TRY(err_of_lmdb(mdb_txn_begin(store->env, NULL, 0, &txn)));
    enum err err = put_ancestors(store, txn, block);
    if (err == ERR_OK) err = put_block(store, txn, block, scratch);
    if (err == ERR_OK) err = recent_forget(store, txn);
    if (err == ERR_OK) err = identity_set_standing(store, txn, &standing);
    const uint64_t written_ns = now_ns();
    TRY(finish(txn, err));
    set_head(store, block, begun_ns, written_ns);
    return ERR_OK;
}

enum err store_put_records(struct store *store, const struct store_record *records, size_t count) {
    MDB_txn *txn;
    TRY(err_of_lmdb(mdb_txn_begin(store->env, NULL, 0, &txn)));
    return finish(txn, put_records(store, txn, records, count));
}

enum err store_set_durable(struct store *store, bool is_durable) {
    TRY(err_of_lmdb(mdb_env_set_flags(store->env, MDB_NOSYNC, is_durable ? 0 : 1)));
    return is_durable ? err_of_lmdb(mdb_env_sync(store->env, 1)) : ERR_OK;
}
