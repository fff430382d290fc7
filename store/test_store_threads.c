/* Readers in threads while a writer commits: every view is one block's state, whole, at its head
 * and at older blocks.  Built with ThreadSanitizer too. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/keccak.h"
#include "store/store.h"
#include "store/test_directory.h"

#define READERS  4
#define ACCOUNTS 16
#define BLOCKS   150

static char directory[] = "/tmp/test_store_threads.XXXXXX";
static atomic_bool is_done;
static atomic_uint views_read;

static struct address address_at(uint64_t index) {
    return (struct address){{[19] = (uint8_t)index}};
}

/* After block n, account i has the nonce n + i. */
static struct hash32 append(struct store *store, uint64_t number, const struct hash32 *parent) {
    static uint8_t arena_room[4 << 20] __attribute__((aligned(16)));
    static uint8_t scratch_room[1 << 20] __attribute__((aligned(16)));
    struct arena arena = arena_over(arena_room, sizeof arena_room);
    struct arena scratch = arena_over(scratch_room, sizeof scratch_room);
    struct header header = {.number = number, .parent_hash = *parent};
    struct store_view *view;
    struct store_state latest;
    struct state *state;
    struct store_block block = {.header = &header, .package = BYTES_STRING("package")};
    CHECK(store_view_open(store, &view) == ERR_OK);
    store_state_latest(view, &latest);
    CHECK(state_begin(&arena, &latest.reader, &state) == ERR_OK);
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        const struct address address = address_at(i);
        state_set_nonce(state, &address, number + i + 1);
    }
    state_end_transaction(state, true);
    CHECK(state_root(state, &header.state_root) == ERR_OK);
    CHECK(state_writes(state, &block.writes, &block.writes_count) == ERR_OK);
    block.hash = header_hash(&header);
    store_view_close(view);
    CHECK(store_commit_block(store, &block, &scratch) == ERR_OK);
    return block.hash;
}

static void read_block(struct store_view *view, uint64_t number) {
    struct store_state state;
    struct header header;
    CHECK(store_state_at(view, number, &state) == ERR_OK);
    CHECK(store_header(view, number, &header, NULL) == ERR_OK);
    CHECK(header.number == number);
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        const struct address address = address_at(i);
        const struct hash32 hash = keccak256(address_bytes(&address));
        struct bytes value;
        struct account account;
        CHECK(state.reader.get(&state, KV_ACCOUNTS, hash_bytes(&hash), &value) == ERR_OK);
        CHECK(account_decode(value, &account) == ERR_OK);
        CHECK(account.nonce == number + i + 1);
    }
}

static void *read_blocks(void *context) {
    struct store *store = context;
    uint64_t last = 0;
    while (!atomic_load(&is_done)) {
        struct store_view *view;
        CHECK(store_view_open(store, &view) == ERR_OK);
        const uint64_t head = store_view_head(view).number;
        CHECK(head >= last); /* never back */
        last = head;
        read_block(view, head);
        read_block(view, head / 2);
        read_block(view, head - head / 7);
        CHECK(store_view_head(view).number == head);
        store_view_close(view);
        atomic_fetch_add(&views_read, 1);
    }
    return NULL;
}

int main(void) {
    CHECK(mkdtemp(directory) != NULL);
    const struct store_config config = {directory, 1ull << 30, READERS + 1, 0};
    struct store *store = NULL;
    char error[STORE_ERROR_BYTES];
    CHECK(store_open(&config, &store, error) == ERR_OK);
    struct hash32 parent = {{0}};
    parent = append(store, 0, &parent);
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, read_blocks, store) == 0);
    }
    for (uint64_t number = 1; number < BLOCKS; number++)
        parent = append(store, number, &parent);
    while (atomic_load(&views_read) < 100)
        continue;
    atomic_store(&is_done, true);
    for (int i = 0; i < READERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(store_head(store).number == BLOCKS - 1);
    store_close(store);
    test_directory_remove(directory);
    return 0;
}
