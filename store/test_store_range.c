/* State sync: what one store holds is loaded into another, entry by entry and by proven ranges. */
#include "store/test_chain.h"

/* State sync: what one store holds is loaded into another. */
static void test_load(void) {
    static struct chain chain;
    memset(&chain, 0, sizeof chain);
    test_files_remove(directory);
    chain.random = 8;
    chain.store = open_store(0);
    for (int i = 0; i < 10; i++)
        append_block(&chain);
    struct store_view *view;
    struct store_state state;
    CHECK(store_clear_state(chain.store) == ERR_OK);
    store_close(chain.store);
    chain.store = open_store(0);
    CHECK(store_view_open(chain.store, &view) == ERR_OK);
    CHECK(store_is_loading(view));
    CHECK(store_state_at(view, 9, &state) == ERR_LIMIT);
    store_view_close(view);
    const struct kv_reader copy = kv_memory_reader(chain.copies[9]);
    for (enum kv_table table = 0; table < KV_TABLE_COUNT; table++) {
        uint8_t cursor[KV_KEY_BYTES_MAX + 1];
        struct bytes from = {cursor, 0};
        struct kv_write write = {.table = table};
        while (copy.seek(copy.context, table, from, &write.key, &write.value) == ERR_OK) {
            CHECK(store_load_state(chain.store, &write, 1) == ERR_OK);
            memcpy(cursor, write.key.data, write.key.size);
            cursor[write.key.size] = 0;
            from.size = write.key.size + 1;
        }
    }
    struct arena scratch = arena_over(scratch_room, sizeof scratch_room);
    struct header header = {.number = 30, .state_root = chain.headers[9].state_root};
    static uint8_t rooms[5][HEADER_BYTES_MAX];
    struct bytes ancestors[5]; /* 25 to 29 */
    for (uint64_t i = 0; i < 5; i++) {
        const struct header ancestor = {.number = 25 + i};
        struct buffer encoded = buffer_over(rooms[i], sizeof rooms[i]);
        header_encode(&ancestor, &encoded);
        ancestors[i] = buffer_bytes(&encoded);
    }
    const struct store_block block = {.header = &header,
                                      .hash = header_hash(&header),
                                      .package = BYTES_STRING("far ahead"),
                                      .ancestors = ancestors,
                                      .ancestors_count = 5};
    CHECK(store_set_head(chain.store, &block, &scratch) == ERR_OK);
    chain.blocks = 31;
    chain.headers[30] = header;
    chain.hashes[30] = block.hash;
    chain.copies[30] = chain.copies[9];
    for (int i = 0; i < 10; i++)
        append_block(&chain);
    CHECK(store_view_open(chain.store, &view) == ERR_OK);
    CHECK(!store_is_loading(view));
    CHECK(store_history_first(view) == 30);
    CHECK(store_state_at(view, 29, &state) == ERR_LIMIT);
    struct hash32 hash;
    const struct hash32 expected = keccak256(ancestors[2]);
    CHECK(store_header(view, 27, &header, &hash) == ERR_OK && header.number == 27);
    CHECK(hash_equal(&hash, &expected));
    CHECK(store_block_hash(view, 24, &hash) == ERR_NOT_FOUND);
    store_view_close(view);
    compare_states(&chain, 30);
    store_close(chain.store);
}

/* take_table takes the accounts, or one account's storage, from one store into another. */
static void take_table(struct store_view *view, uint64_t number, const struct hash32 *root,
                       struct store *to, const struct hash32 *owner) {
    struct hash32 from = {{0}}, taken = {{0}};
    for (;;) {
        struct arena arena = arena_over(arena_room + sizeof arena_room / 2, sizeof arena_room / 2);
        struct range range;
        CHECK(store_range(view, number, owner, &from, 200, &arena, &range) == ERR_OK);
        CHECK(range_verify(root, owner != NULL, &range, &arena) == ERR_OK);
        CHECK(store_load_range(to, owner, &range, &arena, &taken) == ERR_OK);
        CHECK(store_load_range(to, owner, &range, &arena, &taken) == ERR_OK); /* twice is fine */
        from = range.to;
        size_t at = sizeof from.bytes;
        while (at > 0 && ++from.bytes[at - 1] == 0)
            at--;
        if (at == 0) break;
    }
    CHECK(hash_equal(&taken, root));
}

static void take_state(struct chain *chain, struct store_view *view, uint64_t number,
                       struct store *to) {
    struct arena arena = arena_over(arena_room, sizeof arena_room / 2);
    struct hash32 from = {{0}};
    struct range accounts;
    take_table(view, number, &chain->headers[number].state_root, to, NULL);
    CHECK(store_range(view, number, NULL, &from, 1 << 20, &arena, &accounts) == ERR_OK);
    for (size_t i = 0; i < accounts.entries_count; i++) {
        struct account account;
        CHECK(account_decode(accounts.entries[i].value, &account) == ERR_OK);
        if (hash_equal(&account.storage_root, &KECCAK_EMPTY_TRIE)) continue;
        take_table(view, number, &account.storage_root, to, &accounts.entries[i].key);
    }
}

/* Ranges of old and new blocks, taken into an empty store, give the tables that the block had. */
static void test_ranges(void) {
    static struct chain chain;
    char other[] = "/tmp/test_store_other.XXXXXX";
    memset(&chain, 0, sizeof chain);
    test_files_remove(directory);
    chain.random = 10;
    chain.store = open_store(0);
    while (chain.blocks < 30)
        append_block(&chain);
    CHECK(mkdtemp(other) != NULL);
    struct store *to = NULL;
    const struct store_config config = {other, 1ull << 30, 2, 0};
    CHECK(store_open(&config, &to, NULL) == ERR_OK);
    struct store_view *view;
    CHECK(store_view_open(chain.store, &view) == ERR_OK);
    for (uint64_t number = 3; number < 30; number += 13) {
        CHECK(store_clear_state(to) == ERR_OK);
        take_state(&chain, view, number, to);
        struct store_view *taken;
        struct store_state state;
        CHECK(store_view_open(to, &taken) == ERR_OK);
        store_state_latest(taken, &state);
        const struct kv_reader copy = kv_memory_reader(chain.copies[number]);
        compare_table(&state.reader, &copy, KV_ACCOUNTS);
        compare_table(&state.reader, &copy, KV_STORAGE);
        compare_table(&state.reader, &copy, KV_TRIE);
        store_view_close(taken);
    }
    store_view_close(view);
    store_close(chain.store);
    store_close(to);
    test_directory_remove(other);
}

int main(void) {
    CHECK(mkdtemp(directory) != NULL);
    test_load();
    test_ranges();
    test_directory_remove(directory);
    return 0;
}
