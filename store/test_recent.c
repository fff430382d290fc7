/* Recent blocks: the index never leaves a block out, whatever collides and however old the reader;
 * a view that was opened before rounds of blocks were brought into the tables still reads its own
 * block; a store killed or reopened in the middle of a round goes on. */
#include "store/recent_index.h"
#include "store/store_internal.h"
#include "store/test_chain.h"

#define KEYS       300000
#define BLOCKS_ALL 100
#define PER_BLOCK  40000

static uint32_t changed_at[KEYS]; /* the newest block that changed a key; 0: none */

static uint64_t hash_at(const struct recent_index *index, uint64_t key) {
    uint8_t room[16] = {0};
    be_write(room, 8, key);
    return recent_index_hash(index, (struct bytes){room, 9 + key % 8});
}

/* More keys than the index has room for: it may name too many blocks, never too few. */
static void test_index(void) {
    static struct recent_index index;
    CHECK(recent_index_open(&index) == ERR_OK);
    uint64_t random = 1, named = 0, first = 1;
    for (uint64_t block = 1; block <= BLOCKS_ALL; block++) {
        if (block > 32) recent_index_advance(&index, first = block - 32);
        for (int i = 0; i < PER_BLOCK; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            const uint64_t key = (random >> 33) % KEYS;
            recent_index_add(&index, hash_at(&index, key), block);
            changed_at[key] = (uint32_t)block;
        }
        for (uint64_t key = 0; key < KEYS; key += 7) {
            uint64_t newest;
            const bool is_named =
                recent_index_newest(&index, hash_at(&index, key), first, block, &newest);
            CHECK(changed_at[key] < first || (is_named && newest >= changed_at[key]));
            CHECK(!is_named || (newest >= first && newest <= block));
            named += is_named && newest != changed_at[key];
        }
    }
    CHECK(named < BLOCKS_ALL * (KEYS / 7) / 1000); /* and seldom in vain */
    /* A reader of older blocks than the index remembers has to look everywhere. */
    uint64_t newest;
    CHECK(recent_index_newest(&index, hash_at(&index, KEYS + 1), first - 1, 90, &newest));
    CHECK(newest == 90);
    CHECK(!recent_index_newest(&index, hash_at(&index, KEYS + 1), first, 90, &newest));
    recent_index_close(&index);
}

/* Sixteen slots and more keys that share them. */
static void test_full_bucket(void) {
    static struct recent_index index;
    CHECK(recent_index_open(&index) == ERR_OK);
    recent_index_advance(&index, 1);
    for (uint64_t i = 0; i < 40; i++)
        recent_index_add(&index, i << 12 | 0x500000, 1 + i);
    for (uint64_t i = 0; i < 40; i++) {
        uint64_t newest = 0;
        CHECK(recent_index_newest(&index, i << 12 | 0x500000, 1, 40, &newest));
        CHECK(newest >= 1 + i);
    }
    recent_index_close(&index);
}

/* compare_view reads the whole state of the view's own head. */
static void compare_view(const struct chain *chain, struct store_view *view) {
    struct store_state latest;
    store_state_latest(view, &latest);
    const struct kv_reader copy = kv_memory_reader(chain->copies[store_view_head(view).number]);
    compare_table(&latest.reader, &copy, KV_ACCOUNTS);
    compare_table(&latest.reader, &copy, KV_STORAGE);
    compare_table(&latest.reader, &copy, KV_TRIE);
}

/* Views of several ages stay open while rounds go by; the store is closed and opened in each
 * possible place of a round. */
static void test_views(void) {
    static struct chain chain;
    chain.random = 31;
    chain.store = open_store(0);
    struct store_view *views[6];
    for (int age = 0; age < 6; age++) {
        for (int i = 0; i < 7; i++)
            append_block(&chain);
        CHECK(store_view_open(chain.store, &views[age]) == ERR_OK);
    }
    while (chain.blocks < BLOCKS)
        append_block(&chain);
    for (int age = 0; age < 6; age++) {
        compare_view(&chain, views[age]);
        store_view_close(views[age]);
    }
    compare_states(&chain, 0);
    store_close(chain.store);
    test_files_remove(directory);
    chain.store = open_store(0);
    chain.blocks = 0;
    chain.random = 32;
    while (chain.blocks < BLOCKS) {
        append_block(&chain);
        store_close(chain.store);
        chain.store = open_store(0);
        if (chain.blocks % 8 == 0) compare_states(&chain, 0);
    }
    compare_states(&chain, 0);
    struct store_view *view;
    CHECK(store_view_open(chain.store, &view) == ERR_OK);
    const uint64_t live = BLOCKS - view->standing.recent_first;
    CHECK(live >= 1 && live < RECENT_TABLES); /* some blocks are recent, and not all */
    CHECK(view->standing.recent_first > RECENT_FOLD_BLOCKS);
    store_view_close(view);
    store_close(chain.store);
}

int main(void) {
    CHECK(mkdtemp(directory) != NULL);
    test_index();
    test_full_bucket();
    test_views();
    test_files_remove(directory);
    CHECK(rmdir(directory) == 0);
    return 0;
}
