#include "base/check.h"
#include "store/store_internal.h"

/* Transactions by hash: the runs lead from the first eight bytes to places, and the place's block
 * has the whole hash, so that equal beginnings, which somebody may have searched for, do no harm.
 */

#define INDEX_BITS 24

static uint64_t start_of(const struct hash32 *hash) {
    return be_read(hash->bytes, 8);
}

enum err transactions_write(struct store *store, MDB_txn *txn, uint64_t number,
                            const struct hash32 *hashes, size_t count, struct arena *scratch) {
    if (count == 0) return ERR_OK;
    CHECK(count < 1u << INDEX_BITS);
    CHECK(number < 1ull << (64 - INDEX_BITS));
    uint8_t room[NUMBER_BYTES];
    TRY(table_put(store, txn, TABLE_HASHES, number_key(number, room),
                  (struct bytes){hashes[0].bytes, count * sizeof *hashes}, MDB_APPEND));
    const size_t mark = arena_mark(scratch);
    struct run_entry *entries = arena_array(scratch, count, sizeof *entries);
    struct run_entry *spare = arena_array(scratch, count, sizeof *spare);
    enum err err = entries == NULL || spare == NULL ? ERR_LIMIT : ERR_OK;
    if (err == ERR_OK) {
        for (size_t i = 0; i < count; i++) {
            entries[i] = (struct run_entry){start_of(&hashes[i]), number << INDEX_BITS | i};
        }
        runs_sort(entries, spare, count);
        err = runs_append(store, txn, RUN_TRANSACTIONS, number, entries, count);
    }
    arena_release(scratch, mark);
    return err;
}

struct lookup {
    struct store_view *view;
    const struct hash32 *hash;
    struct store_location found;
};

/* check_place compares the whole hash at a place. */
static enum err check_place(void *context, uint64_t payload) {
    struct lookup *lookup = context;
    const uint64_t number = payload >> INDEX_BITS;
    const size_t index = (size_t)(payload & ((1u << INDEX_BITS) - 1));
    uint8_t room[NUMBER_BYTES];
    struct bytes hashes;
    const enum err err = table_get(lookup->view->store, lookup->view->txn, TABLE_HASHES,
                                   number_key(number, room), &hashes);
    if (err != ERR_OK) return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    const struct bytes here = bytes_slice(hashes, index * 32, 32);
    if (here.size != 32) return ERR_CORRUPT;
    if (!bytes_equal(here, hash_bytes(lookup->hash))) return ERR_NOT_FOUND;
    lookup->found = (struct store_location){number, (uint32_t)index};
    return ERR_OK;
}

enum err store_transaction(struct store_view *view, const struct hash32 *hash,
                           struct store_location *out) {
    struct lookup lookup = {.view = view, .hash = hash};
    TRY(runs_each(view, RUN_TRANSACTIONS, start_of(hash), &lookup, check_place));
    *out = lookup.found;
    return ERR_OK;
}
