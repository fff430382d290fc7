#include "base/check.h"
#include "store/store_internal.h"

/* The index of logs: for each address and each topic at its position, the blocks that have it.  A
 * value is named by 8 bytes of a hash, so a block may be named in error, never missed. */

#define KIND_ADDRESS   0
#define KIND_TOPIC     1 /* + position */
#define KIND_ANY       8
#define VALUES_PER_LOG (1 + LOG_TOPICS_MAX)

static uint64_t mix(uint64_t a, uint64_t b) {
    const unsigned __int128 product =
        (unsigned __int128)(a ^ 0xa0761d6478bd642fu) * (b ^ 0xe7037ed1a0b428dbu);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* value_hash is part of the stored format. */
static uint64_t value_hash(uint64_t kind, struct bytes value) {
    uint64_t hash = mix(kind, value.size);
    for (size_t at = 0; at < value.size; at += 8) {
        const size_t size = value.size - at < 8 ? value.size - at : 8;
        hash = mix(hash, be_read(value.data + at, size));
    }
    return hash;
}

static size_t collect(const struct receipt *receipts, size_t count, struct run_entry *entries) {
    size_t total = 0;
    uint64_t last_address = 0; /* logs of one contract often follow each other */
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < receipts[i].logs_count; at++) {
            const struct log *log = &receipts[i].logs[at];
            const uint64_t address = value_hash(KIND_ADDRESS, address_bytes(&log->address));
            if (total == 0 || address != last_address) entries[total++].key = address;
            last_address = address;
            for (uint32_t topic = 0; topic < log->topics_count; topic++) {
                entries[total++].key =
                    value_hash(KIND_TOPIC + topic, hash_bytes(&log->topics[topic]));
            }
        }
    }
    if (total != 0) entries[total++].key = value_hash(KIND_ANY, BYTES_EMPTY);
    return total;
}

enum err logs_write(struct store *store, MDB_txn *txn, uint64_t number,
                    const struct receipt *receipts, size_t count, struct arena *scratch) {
    size_t logs_count = 0;
    for (size_t i = 0; i < count; i++)
        logs_count += receipts[i].logs_count;
    if (logs_count == 0) return ERR_OK;
    const size_t mark = arena_mark(scratch);
    const size_t values_max = logs_count * VALUES_PER_LOG + 1;
    struct run_entry *entries = arena_array(scratch, values_max, sizeof *entries);
    struct run_entry *spare = arena_array(scratch, values_max, sizeof *spare);
    enum err err = entries == NULL || spare == NULL ? ERR_LIMIT : ERR_OK;
    if (err == ERR_OK) {
        const size_t total = collect(receipts, count, entries);
        CHECK(total <= values_max);
        runs_sort(entries, spare, total);
        size_t kept = 0;
        for (size_t i = 0; i < total; i++) {
            if (kept > 0 && entries[i].key == entries[kept - 1].key) continue;
            entries[kept++] = (struct run_entry){entries[i].key, number};
        }
        err = runs_append(store, txn, RUN_LOGS, number, entries, kept);
    }
    arena_release(scratch, mark);
    return err;
}

/* --- queries */

/* value_next finds the first block in [from, to] that has the value. */
static enum err value_next(struct store_view *view, uint64_t value, uint64_t from, uint64_t to,
                           uint64_t *out) {
    const struct run_entry wanted = {value, from};
    uint64_t block;
    TRY(runs_first(view, RUN_LOGS, &wanted, from, to, &block));
    if (block > to) return ERR_NOT_FOUND;
    *out = block;
    return ERR_OK;
}

/* criterion_next: the first block that has any of the criterion's values; index 0 is the addresses,
 * 1 + n topic n. */
static enum err criterion_next(struct store_view *view, const struct store_log_filter *filter,
                               unsigned index, uint64_t from, uint64_t to, uint64_t *out) {
    const size_t count = index == 0 ? filter->addresses_count : filter->topics[index - 1].count;
    uint64_t nearest = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        const uint64_t value = index == 0
                                   ? value_hash(KIND_ADDRESS, address_bytes(&filter->addresses[i]))
                                   : value_hash(KIND_TOPIC + index - 1,
                                                hash_bytes(&filter->topics[index - 1].values[i]));
        uint64_t block;
        const enum err err = value_next(view, value, from, to, &block);
        if (err == ERR_NOT_FOUND) continue;
        if (err != ERR_OK) return err;
        if (block < nearest) nearest = block;
        if (nearest == from) break;
    }
    if (nearest == UINT64_MAX) return ERR_NOT_FOUND;
    *out = nearest;
    return ERR_OK;
}

enum err store_logs_next(struct store_view *view, const struct store_log_filter *filter,
                         uint64_t from, uint64_t to, uint64_t *out) {
    if (from > to || from >= 1ull << 40) return ERR_NOT_FOUND;
    uint64_t block = from;
    bool has_criterion = false;
    /* Leapfrog: each criterion moves the block on until all agree. */
    unsigned agreed = 0;
    for (unsigned index = 0; agreed < VALUES_PER_LOG; index = (index + 1) % VALUES_PER_LOG) {
        const size_t count = index == 0 ? filter->addresses_count : filter->topics[index - 1].count;
        agreed++;
        if (count == 0) continue;
        has_criterion = true;
        uint64_t next;
        TRY(criterion_next(view, filter, index, block, to, &next));
        if (next != block) agreed = 1;
        block = next;
    }
    if (!has_criterion) {
        TRY(value_next(view, value_hash(KIND_ANY, BYTES_EMPTY), from, to, &block));
    }
    *out = block;
    return ERR_OK;
}
