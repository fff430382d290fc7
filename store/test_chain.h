#pragma once
/* A chain of random blocks for the store's tests, with a copy of the state after each of them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/keccak.h"
#include "state/kv_memory.h"
#include "store/store.h"
#include "store/test_directory.h"

#define BLOCKS      60
#define ACCOUNTS    24
#define SLOTS       8
#define COPY_BYTES  (1u << 20)
#define ARENA_BYTES (32u << 20)

struct chain {
    struct store *store;
    uint64_t random;
    struct kv_memory *copies[BLOCKS]; /* the state after each block */
    struct header headers[BLOCKS];
    struct hash32 hashes[BLOCKS];
    uint64_t blocks;
};

static uint8_t arena_room[ARENA_BYTES] __attribute__((aligned(16)));
static uint8_t scratch_room[4 << 20] __attribute__((aligned(16)));
static uint8_t copies_room[BLOCKS][COPY_BYTES] __attribute__((aligned(16)));
static char directory[] = "/tmp/test_store.XXXXXX";

static inline uint64_t next_random(struct chain *chain) {
    chain->random ^= chain->random << 13;
    chain->random ^= chain->random >> 7;
    chain->random ^= chain->random << 17;
    return chain->random * 0x2545f4914f6cdd1du >> 16;
}

static inline struct store *open_store(uint64_t history_blocks) {
    const struct store_config config = {directory, 1ull << 30, 8, history_blocks};
    struct store *store = NULL;
    char error[STORE_ERROR_BYTES];
    CHECK(store_open(&config, &store, error) == ERR_OK);
    return store;
}

static inline struct address address_at(uint64_t index) {
    return (struct address){{[3] = 0x77, [19] = (uint8_t)index}};
}

static inline struct hash32 slot_at(uint64_t index) {
    return (struct hash32){{[31] = (uint8_t)index}};
}

/* --- making blocks */

static inline void change_state(struct chain *chain, struct state *state, uint64_t changes) {
    for (uint64_t i = 0; i < changes; i++) {
        const struct address address = address_at(next_random(chain) % ACCOUNTS);
        const struct hash32 key = slot_at(next_random(chain) % SLOTS);
        const struct u256 value = u256_from_u64(next_random(chain) % 5);
        const uint64_t kind = next_random(chain) % 16;
        if (kind < 6) state_set_balance(state, &address, &value);
        if (kind >= 6 && kind < 14) {
            state_touch(state, &address);
            state_set_nonce(state, &address, 1);
            state_set_storage(state, &address, &key, &value);
        }
        if (kind == 14) state_destroy(state, &address);
        if (kind == 15) state_set_code(state, &address, hash_bytes(&key));
        if (next_random(chain) % 4 == 0) state_end_transaction(state, true);
    }
    state_end_transaction(state, true);
}

/* log_of: block n has logs of address n % 5 with topics n % 3 and n % 7. */
static inline struct log log_of(uint64_t number) {
    return (struct log){.address = address_at(number % 5),
                        .topics_count = 2,
                        .topics = {slot_at(number % 3), slot_at(number % 7)}};
}

static inline void append_block(struct chain *chain) {
    const uint64_t number = chain->blocks;
    struct arena arena = arena_over(arena_room, sizeof arena_room);
    struct arena scratch = arena_over(scratch_room, sizeof scratch_room);
    struct store_view *view;
    struct store_state latest;
    struct state *state;
    CHECK(store_view_open(chain->store, &view) == ERR_OK);
    store_state_latest(view, &latest);
    CHECK(state_begin(&arena, &latest.reader, &state) == ERR_OK);
    change_state(chain, state, 1 + next_random(chain) % 20);
    struct header *header = &chain->headers[number];
    *header = (struct header){.number = number, .timestamp = 1000 + number};
    if (number > 0) header->parent_hash = chain->hashes[number - 1];
    const struct kv_write *writes;
    size_t writes_count;
    CHECK(state_root(state, &header->state_root) == ERR_OK);
    CHECK(state_writes(state, &writes, &writes_count) == ERR_OK);
    chain->hashes[number] = header_hash(header);

    const struct log log = log_of(number);
    const struct receipt receipt = {
        .succeeded = true, .logs = &log, .logs_count = number % 4 == 3 ? 0 : 1, .gas_used = number};
    const struct hash32 transaction = keccak256(hash_bytes(&chain->hashes[number]));
    const struct store_record record = {BYTES_STRING("latest"), hash_bytes(&chain->hashes[number])};
    const struct store_block block = {.header = header,
                                      .hash = chain->hashes[number],
                                      .package = hash_bytes(&transaction),
                                      .commit = BYTES_STRING("commit"),
                                      .transaction_hashes = &transaction,
                                      .transactions_count = 1,
                                      .receipts = &receipt,
                                      .receipts_count = 1,
                                      .writes = writes,
                                      .writes_count = writes_count,
                                      .view = number % 3 == 0 ? NULL : view, /* both ways */
                                      .records = &record,
                                      .records_count = 1};
    CHECK(store_commit_block(chain->store, &block, &scratch) == ERR_OK);
    store_view_close(view);
    CHECK(scratch.used == 0);
    chain->copies[number] =
        number == 0 ? kv_memory_create(copies_room[0], COPY_BYTES)
                    : kv_memory_clone(chain->copies[number - 1], copies_room[number], COPY_BYTES);
    CHECK(chain->copies[number] != NULL);
    CHECK(kv_memory_apply(chain->copies[number], writes, writes_count) == ERR_OK);
    chain->blocks++;
}

/* --- reading back */

/* compare_table walks both readers in step, and gets what it sees. */
static inline void compare_table(const struct kv_reader *a, const struct kv_reader *b,
                                 enum kv_table table) {
    uint8_t cursor[KV_KEY_BYTES_MAX + 1];
    size_t cursor_bytes = 0;
    for (;;) {
        const struct bytes from = {cursor, cursor_bytes};
        struct bytes key_a, key_b, value_a, value_b, value;
        const enum err err = a->seek(a->context, table, from, &key_a, &value_a);
        CHECK(b->seek(b->context, table, from, &key_b, &value_b) == err);
        if (err == ERR_NOT_FOUND) return;
        CHECK(err == ERR_OK);
        CHECK(bytes_equal(key_a, key_b));
        CHECK(bytes_equal(value_a, value_b));
        CHECK(a->get(a->context, table, key_a, &value) == ERR_OK);
        CHECK(bytes_equal(value, value_b));
        memcpy(cursor, key_a.data, key_a.size);
        cursor_bytes = key_a.size;
        size_t at = cursor_bytes;
        while (at > 0 && ++cursor[at - 1] == 0)
            at--;
        if (at == 0) return;
    }
}

static inline void compare_states(struct chain *chain, uint64_t first) {
    struct store_view *view;
    CHECK(store_view_open(chain->store, &view) == ERR_OK);
    CHECK(store_history_first(view) == first);
    for (uint64_t number = 0; number < chain->blocks; number++) {
        struct store_state state;
        const enum err err = store_state_at(view, number, &state);
        CHECK(err == (number < first ? ERR_LIMIT : ERR_OK));
        if (err != ERR_OK) continue;
        const struct kv_reader copy = kv_memory_reader(chain->copies[number]);
        compare_table(&state.reader, &copy, KV_ACCOUNTS);
        compare_table(&state.reader, &copy, KV_STORAGE);
        const bool is_head = number + 1 == chain->blocks;
        struct bytes value;
        if (is_head) compare_table(&state.reader, &copy, KV_TRIE);
        if (!is_head) {
            CHECK(state.reader.get(&state, KV_TRIE, BYTES_STRING("x"), &value) == ERR_UNSUPPORTED);
        }
        for (uint64_t i = 0; i < ACCOUNTS; i++) { /* absent ones too */
            const struct address address = address_at(i);
            const struct hash32 hash = keccak256(address_bytes(&address));
            struct bytes expected;
            const enum err wanted =
                copy.get(copy.context, KV_ACCOUNTS, hash_bytes(&hash), &expected);
            CHECK(state.reader.get(&state, KV_ACCOUNTS, hash_bytes(&hash), &value) == wanted);
        }
    }
    struct store_state state;
    CHECK(store_state_at(view, chain->blocks, &state) == ERR_NOT_FOUND);
    store_view_close(view);
}
