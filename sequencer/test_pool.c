/* The pool against its rules, one by one, and against a slow model under random load. */
#include "sequencer/pool.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/keccak.h"
#include "state/kv_memory.h"

#define LANES 40

struct world {
    struct pool *pool;
    struct kv_memory *kv;
    struct kv_reader reader;
    struct chain_config config;
    struct admit_context admit;
    struct arena scratch;
    void *pool_memory, *kv_memory, *scratch_memory;
    uint64_t now_ms;
};

static struct address lane_of(uint32_t index) {
    struct address lane = {{0x10}};
    be_write(lane.bytes + 16, 4, index);
    return lane;
}

static void account_put(struct world *world, uint32_t lane, uint64_t nonce, uint64_t balance) {
    const struct address address = lane_of(lane);
    const struct hash32 key = keccak256(address_bytes(&address));
    const struct account account = {.nonce = nonce,
                                    .balance = u256_from_u64(balance),
                                    .storage_root = KECCAK_EMPTY_TRIE,
                                    .code_hash = KECCAK_EMPTY};
    uint8_t memory[256];
    struct buffer out = buffer_over(memory, sizeof memory);
    account_encode(&account, &out);
    CHECK(kv_memory_put(world->kv, KV_ACCOUNTS, hash_bytes(&key), buffer_bytes(&out)) == ERR_OK);
}

static void delegate(struct world *world, uint32_t lane, uint64_t balance) {
    uint8_t code[23] = {0xef, 0x01, 0x00, 1};
    const struct hash32 code_hash = keccak256(BYTES_OF(code));
    const struct address address = lane_of(lane);
    const struct hash32 key = keccak256(address_bytes(&address));
    const struct account account = {.balance = u256_from_u64(balance),
                                    .storage_root = KECCAK_EMPTY_TRIE,
                                    .code_hash = code_hash};
    uint8_t memory[256];
    struct buffer out = buffer_over(memory, sizeof memory);
    account_encode(&account, &out);
    CHECK(kv_memory_put(world->kv, KV_ACCOUNTS, hash_bytes(&key), buffer_bytes(&out)) == ERR_OK);
    CHECK(kv_memory_put(world->kv, KV_CODE, hash_bytes(&code_hash), BYTES_OF(code)) == ERR_OK);
}

static struct world *world_create(uint32_t items_max, uint64_t bytes_max, uint32_t lane_items_max) {
    struct world *world = calloc(1, sizeof *world);
    CHECK(world != NULL);
    const struct pool_limits limits = {.items_max = items_max,
                                       .bytes_max = bytes_max,
                                       .lane_items_max = lane_items_max,
                                       .tip_floor = u256_from_u64(1),
                                       .hash_seed = 12345};
    const size_t bytes = pool_bytes(&limits);
    world->pool_memory = malloc(bytes);
    world->kv_memory = malloc(1u << 20);
    world->scratch_memory = malloc(1u << 20);
    CHECK(world->pool_memory != NULL && world->kv_memory != NULL && world->scratch_memory != NULL);
    struct arena arena = arena_over(world->pool_memory, bytes);
    world->pool = pool_create(&arena, &limits);
    world->kv = kv_memory_create(world->kv_memory, 1u << 20);
    world->reader = kv_memory_reader(world->kv);
    world->config = chain_config_for_fork(FORK_PRAGUE);
    world->admit = (struct admit_context){.config = &world->config,
                                          .reader = &world->reader,
                                          .fork = FORK_PRAGUE,
                                          .base_fee = u256_from_u64(10),
                                          .block_weight_max = 30000000};
    world->scratch = arena_over(world->scratch_memory, 1u << 20);
    for (uint32_t i = 0; i < LANES; i++)
        account_put(world, i, 0, 1000000);
    return world;
}

static void world_destroy(struct world *world) {
    free(world->pool_memory);
    free(world->kv_memory);
    free(world->scratch_memory);
    free(world);
}

/* item_of makes an item as inspect would; the pool never looks into the bytes. */
static struct item item_of(uint32_t lane, uint64_t sequence, uint64_t fee, uint64_t tip,
                           uint64_t cost, size_t size) {
    static uint8_t bytes[ITEM_BYTES_MAX];
    be_write(bytes, 8, lane);
    be_write(bytes + 8, 8, sequence);
    be_write(bytes + 16, 8, fee);
    be_write(bytes + 24, 8, tip);
    be_write(bytes + 32, 8, cost);
    return (struct item){.kind = WORKLOAD_KIND_EVM,
                         .encoded = {bytes, size},
                         .hash = keccak256((struct bytes){bytes, 40}),
                         .lane = lane_of(lane),
                         .sequence = sequence,
                         .weight = 21000,
                         .fee_max = u256_from_u64(fee),
                         .tip_max = u256_from_u64(tip),
                         .cost_max = u256_from_u64(cost)};
}

static enum verdict add_item(struct world *world, const struct item *item, bool is_forced) {
    const struct pool_add add = {.admit = &world->admit,
                                 .item = item,
                                 .is_local = true,
                                 .is_forced = is_forced,
                                 .now_ms = world->now_ms,
                                 .scratch = &world->scratch};
    enum verdict verdict;
    CHECK(pool_add(world->pool, &add, &verdict, NULL) == ERR_OK);
    pool_check_invariants(world->pool);
    return verdict;
}

static enum verdict add(struct world *world, uint32_t lane, uint64_t sequence, uint64_t fee,
                        uint64_t tip, uint64_t cost) {
    const struct item item = item_of(lane, sequence, fee, tip, cost, 100);
    return add_item(world, &item, false);
}

static void counts_are(const struct world *world, uint32_t pending, uint32_t queued) {
    const struct pool_counts counts = pool_counts(world->pool);
    CHECK(counts.pending == pending);
    CHECK(counts.queued == queued);
}

static void test_gaps_are_held(void) {
    struct world *world = world_create(64, 1u << 20, 16);
    CHECK(add(world, 1, 2, 20, 2, 5) == VERDICT_ACCEPTED);
    CHECK(add(world, 1, 1, 20, 2, 5) == VERDICT_ACCEPTED);
    counts_are(world, 0, 2);
    const struct address lane = lane_of(1);
    CHECK(pool_next_sequence(world->pool, &lane, 0) == 0);
    CHECK(add(world, 1, 0, 20, 2, 5) == VERDICT_ACCEPTED);
    counts_are(world, 3, 0);
    CHECK(pool_next_sequence(world->pool, &lane, 0) == 3);
    CHECK(add(world, 1, 0, 20, 2, 5) == VERDICT_ALREADY_KNOWN);
    const struct item middle = item_of(1, 1, 20, 2, 5, 100);
    pool_remove(world->pool, &middle.hash);
    counts_are(world, 1, 1);
    CHECK(pool_find(world->pool, &middle.hash) == NULL);
    world_destroy(world);
}

static void test_replacement(void) {
    struct world *world = world_create(64, 1u << 20, 16);
    CHECK(add(world, 1, 0, 100, 10, 5) == VERDICT_ACCEPTED);
    CHECK(add(world, 1, 0, 109, 11, 5) == VERDICT_REPLACEMENT_UNDERPRICED);
    CHECK(add(world, 1, 0, 110, 10, 5) == VERDICT_REPLACEMENT_UNDERPRICED);
    CHECK(add(world, 1, 0, 200, 10, 5) == VERDICT_REPLACEMENT_UNDERPRICED);
    CHECK(add(world, 1, 0, 110, 11, 5) == VERDICT_ACCEPTED);
    counts_are(world, 1, 0);
    world_destroy(world);
}

static void test_verdicts(void) {
    struct world *world = world_create(64, 1u << 20, 4);
    account_put(world, 2, 7, 100);
    CHECK(add(world, 2, 6, 20, 2, 1) == VERDICT_NONCE_TOO_LOW);
    CHECK(add(world, 2, 7, 20, 0, 1) == VERDICT_UNDERPRICED);
    CHECK(add(world, 2, 7, 20, 2, 101) == VERDICT_FUNDS);
    CHECK(add(world, 2, 7, 20, 2, 60) == VERDICT_ACCEPTED);
    CHECK(add(world, 2, 8, 20, 2, 60) == VERDICT_FUNDS); /* together more than it has */
    CHECK(add(world, 2, 8, 20, 2, 40) == VERDICT_ACCEPTED);
    CHECK(add(world, 2, 7, 22, 3, 61) == VERDICT_FUNDS); /* replacing counts the difference */
    CHECK(add(world, 2, 7, 22, 3, 60) == VERDICT_ACCEPTED);
    for (uint64_t i = 0; i < 4; i++)
        CHECK(add(world, 3, i, 20, 2, 1) == VERDICT_ACCEPTED);
    CHECK(add(world, 3, 4, 20, 2, 1) == VERDICT_SENDER_LIMIT);
    CHECK(add(world, 3, 2, 30, 3, 1) == VERDICT_ACCEPTED);
    delegate(world, 5, 1000);
    CHECK(add(world, 5, 1, 20, 2, 1) == VERDICT_DELEGATED_LIMIT);
    CHECK(add(world, 5, 0, 20, 2, 1) == VERDICT_ACCEPTED);
    CHECK(add(world, 5, 1, 20, 2, 1) == VERDICT_DELEGATED_LIMIT);
    CHECK(add(world, 5, 0, 40, 4, 1) == VERDICT_ACCEPTED);
    world_destroy(world);
}

static void test_eviction_by_fee(void) {
    struct world *world = world_create(8, 1u << 20, 8);
    for (uint32_t i = 0; i < 8; i++)
        CHECK(add(world, i, 0, 50, 10 + i, 1) == VERDICT_ACCEPTED);
    CHECK(add(world, 20, 0, 50, 10, 1) == VERDICT_UNDERPRICED);
    CHECK(add(world, 20, 1, 90, 30, 1) == VERDICT_POOL_FULL); /* a gap crowds nobody out */
    CHECK(add(world, 20, 0, 50, 11, 1) == VERDICT_ACCEPTED);
    const struct item cheapest = item_of(0, 0, 50, 10, 1, 100);
    CHECK(pool_find(world->pool, &cheapest.hash) == NULL);
    counts_are(world, 8, 0);
    const struct item forced = item_of(30, 0, 20, 0, 1, 100);
    CHECK(add_item(world, &forced, true) == VERDICT_ACCEPTED); /* from L1: always */
    for (uint32_t i = 21; i < 28; i++)
        CHECK(add(world, i, 0, 90, 40, 1) == VERDICT_ACCEPTED);
    CHECK(pool_find(world->pool, &forced.hash) != NULL);
    world_destroy(world);
}

static void test_bytes_are_bounded(void) {
    struct world *world = world_create(1024, 1u << 20, 64);
    struct item large = item_of(0, 0, 50, 10, 1, ITEM_BYTES_MAX);
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < LANES; i++) {
        large = item_of(i, 0, 50, 10, 1, ITEM_BYTES_MAX);
        accepted += add_item(world, &large, false) == VERDICT_ACCEPTED ? 1 : 0;
    }
    /* 1 MiB with blocks of 256 KiB for items that are a byte longer than half of one. */
    CHECK(accepted == 4);
    CHECK(pool_counts(world->pool).bytes == 4ull * ITEM_BYTES_MAX);
    large = item_of(39, 1, 50, 10, 1, 64);
    CHECK(add(world, 39, 0, 60, 20, 1) == VERDICT_ACCEPTED); /* evicts a large one */
    CHECK(pool_counts(world->pool).bytes == 3ull * ITEM_BYTES_MAX + 100);
    world_destroy(world);
}

static size_t select_all(struct world *world, struct item *items, size_t max) {
    static uint8_t bytes[1u << 20];
    struct pool_selection selection = {.base_fee = u256_from_u64(10),
                                       .weight_max = UINT64_MAX,
                                       .items_max = max,
                                       .items = items,
                                       .bytes = buffer_over(bytes, sizeof bytes)};
    return pool_select(world->pool, &selection);
}

static void test_selection_order(void) {
    static struct item items[64];
    struct world *world = world_create(64, 1u << 20, 16);
    CHECK(add(world, 1, 0, 100, 5, 1) == VERDICT_ACCEPTED);
    CHECK(add(world, 1, 1, 100, 50, 1) == VERDICT_ACCEPTED);
    CHECK(add(world, 2, 0, 12, 9, 1) == VERDICT_ACCEPTED); /* effective tip 2 */
    CHECK(add(world, 3, 0, 100, 20, 1) == VERDICT_ACCEPTED);
    CHECK(add(world, 4, 1, 100, 90, 1) == VERDICT_ACCEPTED); /* behind a gap */
    CHECK(add(world, 5, 0, 100, 5, 1) == VERDICT_ACCEPTED);  /* as lane 1, but later */
    const struct item forced = item_of(6, 0, 100, 1, 1, 100);
    CHECK(add_item(world, &forced, true) == VERDICT_ACCEPTED);
    static const struct {
        uint32_t lane;
        uint64_t sequence;
    } expected[] = {{6, 0}, {3, 0}, {1, 0}, {1, 1}, {5, 0}, {2, 0}};
    CHECK(select_all(world, items, 64) == 6);
    for (size_t i = 0; i < 6; i++) {
        const struct address lane = lane_of(expected[i].lane);
        CHECK(address_equal(&items[i].lane, &lane));
        CHECK(items[i].sequence == expected[i].sequence);
        CHECK(items[i].encoded.size == 100);
        CHECK(be_read(items[i].encoded.data, 8) == expected[i].lane);
    }
    CHECK(select_all(world, items, 2) == 2);
    /* A base fee that some cannot pay leaves them, and what follows them, out. */
    static uint8_t bytes[1u << 16];
    struct pool_selection dear = {.base_fee = u256_from_u64(13),
                                  .weight_max = 3 * 21000,
                                  .items_max = 64,
                                  .items = items,
                                  .bytes = buffer_over(bytes, sizeof bytes)};
    CHECK(pool_select(world->pool, &dear) == 3);
    world_destroy(world);
}

static void test_commit_promotes_and_drops(void) {
    struct world *world = world_create(64, 1u << 20, 16);
    for (uint64_t i = 0; i < 6; i++)
        CHECK(add(world, 1, i, 20, 2, 1) == VERDICT_ACCEPTED);
    CHECK(add(world, 2, 0, 20, 2, 1) == VERDICT_ACCEPTED);
    CHECK(add(world, 2, 2, 20, 2, 1) == VERDICT_ACCEPTED);
    counts_are(world, 7, 1);
    /* A block has lane 1's item 3 (so 0 to 2 too, perhaps others than ours) and, of lane 2, items 0
     * and 1 that we never saw. */
    const struct item third = item_of(1, 3, 20, 2, 1, 100);
    const struct hash32 hashes[] = {third.hash, {{1}}, {{2}}};
    const struct address lanes[] = {lane_of(1), lane_of(2), lane_of(2)};
    account_put(world, 1, 4, 1000000);
    account_put(world, 2, 2, 1000000);
    const struct pool_block block = {hashes, lanes, 3, &world->admit, &world->scratch};
    CHECK(pool_committed(world->pool, &block) == ERR_OK);
    pool_check_invariants(world->pool);
    counts_are(world, 3, 0);
    const struct address lane = lane_of(2);
    CHECK(pool_next_sequence(world->pool, &lane, 2) == 3);
    world_destroy(world);
}

static void test_gossip_walks_everything(void) {
    struct world *world = world_create(512, 1u << 20, 64);
    for (uint32_t lane = 0; lane < 10; lane++) {
        for (uint64_t i = 0; i < 20; i++)
            CHECK(add(world, lane, i, 20, 2, 1) == VERDICT_ACCEPTED);
    }
    struct bytes items[16];
    uint64_t cursor = 0;
    size_t total = 0, rounds = 0;
    const struct pool_gossip all = {0, UINT64_MAX, items, 16, 1u << 20};
    do {
        total += pool_gossip(world->pool, &all, &cursor);
        rounds += 1;
    } while (cursor != 0 && rounds < 100);
    CHECK(total == 200);
    /* Local items that were sent long ago go out once, and then not before their time again. */
    struct bytes many[512];
    const struct pool_gossip local = {5000, 3000, many, 512, 1u << 20};
    cursor = 0;
    CHECK(pool_gossip(world->pool, &local, &cursor) == 200);
    CHECK(pool_gossip(world->pool, &local, &cursor) == 0);
    CHECK(many[0].size == 101);
    world_destroy(world);
}

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Random adds, removals and commits: invariants hold after each, and what is pending is exactly
 * each lane's run from the committed sequence on. */
static void test_random_load(void) {
    static struct item items[256];
    struct world *world = world_create(200, 256u << 10, 16);
    uint64_t random = 7, nonces[LANES] = {0};
    for (int round = 0; round < 30000; round++) {
        const uint32_t lane = (uint32_t)(next_random(&random) % LANES);
        const uint64_t dice = next_random(&random) % 100;
        if (dice < 90) {
            const uint64_t sequence = nonces[lane] + next_random(&random) % 6;
            const uint64_t fee = 12 + next_random(&random) % 50;
            const struct item item = item_of(lane, sequence, fee, 1 + next_random(&random) % 12, 1,
                                             60 + next_random(&random) % 1900);
            (void)add_item(world, &item, false);
        } else if (dice < 95) {
            const size_t count = select_all(world, items, 256);
            if (count != 0) {
                pool_remove(world->pool, &items[next_random(&random) % count].hash);
            }
        } else {
            const size_t count = select_all(world, items, 8);
            struct hash32 hashes[8];
            struct address lanes[8];
            for (size_t i = 0; i < count; i++) {
                const uint32_t owner = (uint32_t)be_read(items[i].lane.bytes + 16, 4);
                hashes[i] = items[i].hash;
                lanes[i] = items[i].lane;
                nonces[owner] = items[i].sequence + 1;
                account_put(world, owner, nonces[owner], 1000000);
            }
            const struct pool_block block = {hashes, lanes, count, &world->admit, &world->scratch};
            CHECK(pool_committed(world->pool, &block) == ERR_OK);
        }
        pool_check_invariants(world->pool);
        if (round % 100 != 0) continue;
        uint32_t pending = 0;
        for (uint32_t i = 0; i < LANES; i++) {
            const struct address address = lane_of(i);
            pending += (uint32_t)(pool_next_sequence(world->pool, &address, nonces[i]) - nonces[i]);
        }
        CHECK(pending == pool_counts(world->pool).pending);
    }
    world_destroy(world);
}

int main(void) {
    test_gaps_are_held();
    test_replacement();
    test_verdicts();
    test_eviction_by_fee();
    test_bytes_are_bounded();
    test_selection_order();
    test_commit_promotes_and_drops();
    test_gossip_walks_everything();
    test_random_load();
    printf("ok\n");
    return 0;
}
