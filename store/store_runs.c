#include "base/check.h"
#include "store/store_internal.h"

/* An index that only appends: sorted runs of (key, payload), one written by each block that has
 * entries.  When RUNS_MERGE or more of the newest runs are small, they become one, so that an entry
 * is rewritten a few times in its life and the number of runs stays small; runs beyond the last
 * tier are left alone.  Nothing is inserted in the middle of a table that grows with the chain.
 *
 *   key: kind u8 || first block u64 || tier u8
 *   value: tier, count u32; first, last block u64; then count entries by (key, payload),
 * little-endian */

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "entries are stored as they are in memory");

#define RUN_KEY_BYTES   (1 + NUMBER_BYTES + 1)
#define RUN_HEAD_BYTES  24
#define RUN_FIRST_TIER  64 /* entries at most; each tier has eight times more */
#define RUN_TIERS       5  /* 0..4; 5 is never merged again */
#define RUNS_MERGE      8
#define RUN_SOURCES_MAX (RUNS_MERGE * (RUN_TIERS + 1))

struct run {
    uint8_t key[RUN_KEY_BYTES];
    uint32_t tier, count;
    uint64_t first, last; /* blocks */
    const uint8_t *entries;
};

/* runs_sort sorts by key, stably, one byte a pass; `spare` has room for as many. */
void runs_sort(struct run_entry *entries, struct run_entry *spare, size_t count) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t starts[256] = {0};
        for (size_t i = 0; i < count; i++)
            starts[entries[i].key >> shift & 255]++;
        size_t total = 0;
        for (size_t i = 0; i < 256; i++) {
            const size_t here = starts[i];
            starts[i] = total;
            total += here;
        }
        for (size_t i = 0; i < count; i++) {
            spare[starts[entries[i].key >> shift & 255]++] = entries[i];
        }
        struct run_entry *swap = entries;
        entries = spare;
        spare = swap;
    }
}

static struct run_entry entry_at(const struct run *run, size_t index) {
    struct run_entry entry;
    memcpy(&entry, run->entries + index * sizeof entry, sizeof entry);
    return entry;
}

static bool is_before(const struct run_entry *a, const struct run_entry *b) {
    return a->key != b->key ? a->key < b->key : a->payload < b->payload;
}

static uint32_t tier_of(size_t count) {
    uint32_t tier = 0;
    for (size_t most = RUN_FIRST_TIER; tier < RUN_TIERS && count > most; most *= 8)
        tier++;
    return tier;
}

static struct bytes run_key(enum run_kind kind, uint64_t first, uint32_t tier,
                            uint8_t room[RUN_KEY_BYTES]) {
    room[0] = (uint8_t)kind;
    be_write(room + 1, NUMBER_BYTES, first);
    room[1 + NUMBER_BYTES] = (uint8_t)tier;
    return (struct bytes){room, RUN_KEY_BYTES};
}

static enum err run_read(struct bytes key, struct bytes value, struct run *out) {
    if (key.size != RUN_KEY_BYTES || value.size < RUN_HEAD_BYTES) return ERR_CORRUPT;
    memcpy(out->key, key.data, RUN_KEY_BYTES);
    out->tier = (uint32_t)be_read(value.data, 4);
    out->count = (uint32_t)be_read(value.data + 4, 4);
    out->first = be_read(value.data + 8, 8);
    out->last = be_read(value.data + 16, 8);
    out->entries = value.data + RUN_HEAD_BYTES;
    const size_t entries_bytes = value.size - RUN_HEAD_BYTES;
    return entries_bytes == out->count * sizeof(struct run_entry) ? ERR_OK : ERR_CORRUPT;
}

/* run_create reserves a run's value in the table; *entries is where they go, before any other
 * write. */
static enum err run_create(struct store *store, MDB_txn *txn, const struct run *run,
                           uint8_t **entries) {
    MDB_val key = {RUN_KEY_BYTES, (void *)(uintptr_t)run->key};
    MDB_val value = {RUN_HEAD_BYTES + run->count * sizeof(struct run_entry), NULL};
    TRY(err_of_lmdb(
        mdb_put(txn, store->tables[TABLE_RUNS], &key, &value, MDB_RESERVE | MDB_NOOVERWRITE)));
    uint8_t *head = value.mv_data;
    be_write(head, 4, run->tier);
    be_write(head + 4, 4, run->count);
    be_write(head + 8, 8, run->first);
    be_write(head + 16, 8, run->last);
    *entries = head + RUN_HEAD_BYTES;
    return ERR_OK;
}

/* --- merging */

/* newest_runs lists the newest runs of a kind, newest first, while they may be merged. */
static enum err newest_runs(struct store *store, MDB_txn *txn, enum run_kind kind,
                            struct run runs[RUN_SOURCES_MAX], size_t *count) {
    MDB_cursor *cursor;
    TRY(err_of_lmdb(mdb_cursor_open(txn, store->tables[TABLE_RUNS], &cursor)));
    const uint8_t after = (uint8_t)(kind + 1);
    MDB_val key = {1, (void *)(uintptr_t)&after};
    MDB_val value;
    enum err err = err_of_lmdb(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
    const MDB_cursor_op back = err == ERR_OK ? MDB_PREV : MDB_LAST;
    if (err == ERR_OK || err == ERR_NOT_FOUND) {
        err = err_of_lmdb(mdb_cursor_get(cursor, &key, &value, back));
    }
    *count = 0;
    while (err == ERR_OK && *count < RUN_SOURCES_MAX) {
        err = run_read(lmdb_bytes(key), lmdb_bytes(value), &runs[*count]);
        if (err != ERR_OK) break;
        if (runs[*count].key[0] != kind || runs[*count].tier >= RUN_TIERS) break;
        *count += 1;
        err = err_of_lmdb(mdb_cursor_get(cursor, &key, &value, MDB_PREV));
    }
    mdb_cursor_close(cursor);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* choose says how many of the newest runs to merge, 0: none; *tier is that of the merged run. */
static size_t choose(const struct run *runs, size_t count, uint32_t *tier) {
    for (uint32_t most = 0; most < RUN_TIERS; most++) {
        size_t suffix = 0;
        size_t total = 0;
        while (suffix < count && runs[suffix].tier <= most)
            total += runs[suffix++].count;
        if (suffix < RUNS_MERGE) continue;
        *tier = tier_of(total) > most ? tier_of(total) : most + 1;
        return suffix;
    }
    return 0;
}

/* merge_into writes the entries of all sources in order. */
static void merge_into(const struct run *sources, size_t count, uint8_t *out) {
    size_t at[RUN_SOURCES_MAX] = {0};
    struct run_entry heads[RUN_SOURCES_MAX];
    for (size_t i = 0; i < count; i++)
        heads[i] = entry_at(&sources[i], 0);
    for (;;) {
        size_t least = count;
        for (size_t i = 0; i < count; i++) {
            if (at[i] == sources[i].count) continue;
            if (least == count || is_before(&heads[i], &heads[least])) least = i;
        }
        if (least == count) return;
        memcpy(out, &heads[least], sizeof heads[least]);
        out += sizeof heads[least];
        at[least]++;
        if (at[least] < sources[least].count) heads[least] = entry_at(&sources[least], at[least]);
    }
}

static enum err merge(struct store *store, MDB_txn *txn, enum run_kind kind, struct run *sources,
                      size_t count, uint32_t tier) {
    struct run merged = {.tier = tier, .first = sources[count - 1].first, .last = sources[0].last};
    for (size_t i = 0; i < count; i++) {
        CHECK(sources[i].count != 0);
        merged.count += sources[i].count;
    }
    (void)run_key(kind, merged.first, tier, merged.key);
    uint8_t *entries;
    TRY(run_create(store, txn, &merged, &entries));
    for (size_t i = 0; i < count; i++) { /* the put may have moved them */
        struct bytes value;
        const struct bytes key = BYTES_OF(sources[i].key);
        TRY(table_get(store, txn, TABLE_RUNS, key, &value));
        TRY(run_read(key, value, &sources[i]));
    }
    merge_into(sources, count, entries);
    for (size_t i = 0; i < count; i++) {
        TRY(table_delete(store, txn, TABLE_RUNS, BYTES_OF(sources[i].key)));
    }
    return ERR_OK;
}

enum err runs_append(struct store *store, MDB_txn *txn, enum run_kind kind, uint64_t block,
                     const struct run_entry *entries, size_t count) {
    if (count == 0) return ERR_OK;
    struct run run = {
        .tier = tier_of(count), .count = (uint32_t)count, .first = block, .last = block};
    (void)run_key(kind, block, run.tier, run.key);
    uint8_t *out;
    TRY(run_create(store, txn, &run, &out));
    memcpy(out, entries, count * sizeof *entries);
    struct run newest[RUN_SOURCES_MAX];
    size_t newest_count;
    uint32_t tier = 0;
    TRY(newest_runs(store, txn, kind, newest, &newest_count));
    const size_t chosen = choose(newest, newest_count, &tier);
    return chosen == 0 ? ERR_OK : merge(store, txn, kind, newest, chosen, tier);
}

/* --- reading */

/* lower_bound finds the first entry that is not before `wanted`. */
static size_t lower_bound(const struct run *run, const struct run_entry *wanted) {
    size_t low = 0;
    size_t high = run->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct run_entry entry = entry_at(run, middle);
        if (is_before(&entry, wanted)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

enum err runs_first(struct store_view *view, enum run_kind kind, const struct run_entry *from,
                    uint64_t first_block, uint64_t last_block, uint64_t *payload) {
    MDB_cursor *cursor;
    uint8_t room[RUN_KEY_BYTES];
    TRY(view_cursor(view, TABLE_RUNS, &cursor));
    /* Begin at the run before the one that would begin with first_block: it may reach into it. */
    MDB_val key = lmdb_value(run_key(kind, first_block, 0, room));
    MDB_val value;
    enum err err = err_of_lmdb(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
    const MDB_cursor_op back = err == ERR_OK ? MDB_PREV : MDB_LAST;
    if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
    err = err_of_lmdb(mdb_cursor_get(cursor, &key, &value, back));
    if (err == ERR_NOT_FOUND) err = err_of_lmdb(mdb_cursor_get(cursor, &key, &value, MDB_FIRST));
    for (; err == ERR_OK; err = err_of_lmdb(mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        struct run run;
        TRY(run_read(lmdb_bytes(key), lmdb_bytes(value), &run));
        if (run.key[0] > kind || (run.key[0] == kind && run.first > last_block)) break;
        if (run.key[0] < kind || run.last < first_block) continue;
        const size_t at = lower_bound(&run, from);
        if (at == run.count) continue;
        const struct run_entry entry = entry_at(&run, at);
        if (entry.key != from->key) continue;
        *payload = entry.payload;
        return ERR_OK;
    }
    return err == ERR_OK ? ERR_NOT_FOUND : err;
}

enum err runs_each(struct store_view *view, enum run_kind kind, uint64_t wanted, void *context,
                   enum err (*visit)(void *context, uint64_t payload)) {
    MDB_cursor *cursor;
    TRY(view_cursor(view, TABLE_RUNS, &cursor));
    const uint8_t after = (uint8_t)(kind + 1);
    MDB_val key = {1, (void *)(uintptr_t)&after};
    MDB_val value;
    enum err err = err_of_lmdb(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
    if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
    const MDB_cursor_op back = err == ERR_OK ? MDB_PREV : MDB_LAST;
    err = err_of_lmdb(mdb_cursor_get(cursor, &key, &value, back));
    for (; err == ERR_OK; err = err_of_lmdb(mdb_cursor_get(cursor, &key, &value, MDB_PREV))) {
        struct run run;
        TRY(run_read(lmdb_bytes(key), lmdb_bytes(value), &run));
        if (run.key[0] != kind) return ERR_NOT_FOUND;
        const struct run_entry from = {wanted, 0};
        for (size_t at = lower_bound(&run, &from); at < run.count; at++) {
            const struct run_entry entry = entry_at(&run, at);
            if (entry.key != wanted) break;
            const enum err visited = visit(context, entry.payload);
            if (visited != ERR_NOT_FOUND) return visited;
        }
    }
    return err;
}
