/* The indexes that only append: many blocks of very different sizes, so that runs of all tiers are
 * made and merged; every transaction and a sample of log queries against plain arrays. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/keccak.h"
#include "store/store.h"
#include "store/test_directory.h"

#define BLOCKS           1500
#define TRANSACTIONS_MAX 60000
#define VALUES           200

static char directory[] = "/tmp/test_runs.XXXXXX";
static uint64_t random_state = 0x1234567;
static uint8_t scratch_room[32 << 20] __attribute__((aligned(16)));
static struct hash32 hashes[TRANSACTIONS_MAX];
static struct receipt receipts[TRANSACTIONS_MAX];
static struct log logs[TRANSACTIONS_MAX];
static uint32_t counts[BLOCKS];
static bool has_value[BLOCKS][VALUES]; /* the block has a log with topic `value` */

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545f4914f6cdd1du >> 16;
}

/* hash_at: the first eight bytes of many hashes are the same. */
static struct hash32 hash_at(uint64_t number, uint64_t index) {
    struct hash32 hash = {{0}};
    be_write(hash.bytes + 16, 8, number);
    be_write(hash.bytes + 24, 8, index);
    hash = keccak256(hash_bytes(&hash));
    if ((number + index) % 7 == 0) memset(hash.bytes, 0x77, 8);
    return hash;
}

static struct hash32 topic_at(uint64_t value) {
    return (struct hash32){{[31] = (uint8_t)value}};
}

static uint32_t random_count(void) {
    switch (next_random() % 40) {
    case 0: return (uint32_t)(next_random() % 3000);
    case 1: return 0;
    default: return (uint32_t)(next_random() % 20);
    }
}

static struct hash32 append(struct store *store, uint64_t number, const struct hash32 *parent) {
    struct arena scratch = arena_over(scratch_room, sizeof scratch_room);
    const struct header header = {.number = number, .parent_hash = *parent};
    counts[number] = number == 700 ? TRANSACTIONS_MAX : random_count();
    for (uint32_t i = 0; i < counts[number]; i++) {
        const uint64_t value = next_random() % (next_random() % VALUES + 1);
        hashes[i] = hash_at(number, i);
        logs[i] = (struct log){.topics_count = 1, .topics = {topic_at(value)}};
        receipts[i] = (struct receipt){.logs = &logs[i], .logs_count = i % 2};
        if (i % 2 == 1) has_value[number][value] = true;
    }
    const struct store_block block = {.header = &header,
                                      .hash = header_hash(&header),
                                      .package = BYTES_STRING("package"),
                                      .transaction_hashes = hashes,
                                      .transactions_count = counts[number],
                                      .receipts = receipts,
                                      .receipts_count = counts[number]};
    CHECK(store_commit_block(store, &block, &scratch) == ERR_OK);
    return block.hash;
}

static void check_transactions(struct store_view *view) {
    struct store_location location;
    for (uint64_t number = 0; number < BLOCKS; number++) {
        const uint32_t step = counts[number] > 5000 ? 997 : 1;
        for (uint32_t i = 0; i < counts[number]; i += step) {
            if (i % 7 != 0 && (number + i) % 7 == 0) continue; /* one in seven of the slow ones */
            const struct hash32 hash = hash_at(number, i);
            CHECK(store_transaction(view, &hash, &location) == ERR_OK);
            CHECK(location.number == number && location.index == i);
        }
        const struct hash32 absent = hash_at(number, TRANSACTIONS_MAX);
        CHECK(store_transaction(view, &absent, &location) == ERR_NOT_FOUND);
    }
}

static void check_logs(struct store_view *view) {
    for (unsigned query = 0; query < 2000; query++) {
        const uint64_t value = next_random() % VALUES;
        const struct hash32 topic = topic_at(value);
        struct store_log_filter filter = {.topics = {{&topic, 1}}};
        const uint64_t from = next_random() % BLOCKS;
        const uint64_t to = from + next_random() % (BLOCKS - from);
        uint64_t expected = from;
        while (expected <= to && !has_value[expected][value])
            expected++;
        uint64_t found = 0;
        const enum err err = store_logs_next(view, &filter, from, to, &found);
        CHECK(err == (expected <= to ? ERR_OK : ERR_NOT_FOUND));
        if (err == ERR_OK) CHECK(found == expected);
    }
}

int main(void) {
    CHECK(mkdtemp(directory) != NULL);
    const struct store_config config = {directory, 1ull << 32, 4, 0};
    struct store *store = NULL;
    char error[STORE_ERROR_BYTES];
    CHECK(store_open(&config, &store, error) == ERR_OK);
    CHECK(store_set_durable(store, false) == ERR_OK);
    struct hash32 parent = {{0}};
    for (uint64_t number = 0; number < BLOCKS; number++)
        parent = append(store, number, &parent);
    CHECK(store_set_durable(store, true) == ERR_OK);
    struct store_view *view;
    CHECK(store_view_open(store, &view) == ERR_OK);
    check_transactions(view);
    check_logs(view);
    store_view_close(view);
    store_close(store);
    test_directory_remove(directory);
    return 0;
}
