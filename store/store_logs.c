#include "base/check.h"
#include "store/store_internal.h"

/* The index of logs: for each address and each topic at its position, the blocks that have it.  A
 * value is named by 8 bytes of a hash, so a block may be named in error, never missed. */

#define KIND_ADDRESS   0
#define KIND_TOPIC     1 /* + position */
#define KIND_ANY       8
#define LOG_KEY_BYTES  13
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

/* sort sorts by eight passes over one byte each; `spare` has room for `count` more. */
static void sort(uint64_t *values, uint64_t *spare, size_t count) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t starts[256] = {0};
        for (size_t i = 0; i < count; i++)
            starts[values[i] >> shift & 255]++;
        size_t total = 0;
        for (size_t i = 0; i < 256; i++) {
            const size_t here = starts[i];
            starts[i] = total;
            total += here;
        }
        for (size_t i = 0; i < count; i++)
            spare[starts[values[i] >> shift & 255]++] = values[i];
        uint64_t *swap = values;
        values = spare;
        spare = swap;
    }
}

static size_t collect(const struct receipt *receipts, size_t count, uint64_t *values) {
    size_t total = 0;
    uint64_t last_address = 0; /* logs of one contract often follow each other */
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < receipts[i].logs_count; at++) {
            const struct log *log = &receipts[i].logs[at];
            const uint64_t address = value_hash(KIND_ADDRESS, address_bytes(&log->address));
            if (total == 0 || address != last_address) values[total++] = address;
            last_address = address;
            for (uint32_t topic = 0; topic < log->topics_count; topic++) {
                values[total++] = value_hash(KIND_TOPIC + topic, hash_bytes(&log->topics[topic]));
            }
        }
    }
    if (total != 0) values[total++] = value_hash(KIND_ANY, BYTES_EMPTY);
    return total;
}

static struct bytes log_key(uint64_t value, uint64_t number, uint8_t room[LOG_KEY_BYTES]) {
    be_write(room, 8, value);
    be_write(room + 8, 5, number);
    return (struct bytes){room, LOG_KEY_BYTES};
}

enum err logs_write(struct store *store, MDB_txn *txn, uint64_t number,
                    const struct receipt *receipts, size_t count, struct arena *scratch) {
    size_t logs_count = 0;
    for (size_t i = 0; i < count; i++)
        logs_count += receipts[i].logs_count;
    if (logs_count == 0) return ERR_OK;
    const size_t mark = arena_mark(scratch);
    const size_t values_max = logs_count * VALUES_PER_LOG + 1;
    uint64_t *values = arena_array(scratch, values_max, sizeof *values);
    uint64_t *spare = arena_array(scratch, values_max, sizeof *spare);
    enum err err = values == NULL || spare == NULL ? ERR_LIMIT : ERR_OK;
    if (err == ERR_OK) {
        const size_t total = collect(receipts, count, values);
        CHECK(total <= values_max);
        sort(values, spare, total);
        const uint8_t mark_byte = 1;
        for (size_t i = 0; i < total && err == ERR_OK; i++) {
            if (i > 0 && values[i] == values[i - 1]) continue;
            uint8_t room[LOG_KEY_BYTES];
            err = table_put(store, txn, TABLE_LOGS, log_key(values[i], number, room),
                            (struct bytes){&mark_byte, 1}, 0);
        }
    }
    arena_release(scratch, mark);
    return err;
}

/* --- queries */

/* value_next finds the first block at or after `from` that has the value. */
static enum err value_next(struct store_view *view, uint64_t value, uint64_t from, uint64_t *out) {
    uint8_t room[LOG_KEY_BYTES];
    struct bytes key, ignored;
    TRY(view_seek(view, TABLE_LOGS, log_key(value, from, room), &key, &ignored));
    if (key.size != LOG_KEY_BYTES) return ERR_CORRUPT;
    if (memcmp(key.data, room, 8) != 0) return ERR_NOT_FOUND;
    *out = be_read(key.data + 8, 5);
    return ERR_OK;
}

/* criterion_next: the first block that has any of the criterion's values; index 0 is the addresses,
 * 1 + n topic n. */
static enum err criterion_next(struct store_view *view, const struct store_log_filter *filter,
                               unsigned index, uint64_t from, uint64_t *out) {
    const size_t count = index == 0 ? filter->addresses_count : filter->topics[index - 1].count;
    uint64_t nearest = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        const uint64_t value = index == 0
                                   ? value_hash(KIND_ADDRESS, address_bytes(&filter->addresses[i]))
                                   : value_hash(KIND_TOPIC + index - 1,
                                                hash_bytes(&filter->topics[index - 1].values[i]));
        uint64_t block;
        const enum err err = value_next(view, value, from, &block);
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
        TRY(criterion_next(view, filter, index, block, &next));
        if (next > to) return ERR_NOT_FOUND;
        if (next != block) agreed = 1;
        block = next;
    }
    if (!has_criterion) {
        TRY(value_next(view, value_hash(KIND_ANY, BYTES_EMPTY), from, &block));
        if (block > to) return ERR_NOT_FOUND;
    }
    *out = block;
    return ERR_OK;
}
