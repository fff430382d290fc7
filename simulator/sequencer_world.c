/* What all nodes of a run share: genesis, and clients that send signed transfers and remember what
 * they were told. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/keccak.h"
#include "chain/genesis.h"
#include "chain/transaction.h"
#include "pages/pages.h"
#include "simulator/sequencer_node.h"
#include "state/state.h"
#include "workloads/system_contracts.h"

/* --- made once, read by all runs */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct chain_config base_config;
static struct header genesis_header;
static struct hash32 genesis_hash;
static struct kv_memory *genesis_kv;
static struct item items[CLIENT_ACCOUNTS][CLIENT_ITEMS];
static struct secp_key accounts[CLIENT_ACCOUNTS];

static void *reserve(size_t bytes) {
    void *memory = pages_reserve(bytes);
    CHECK(memory != NULL);
    return memory;
}

static struct u256 wei(uint64_t ether) {
    const struct u256 unit = u256_from_u64(1000000000000000000u), factor = u256_from_u64(ether);
    return u256_mul(&unit, &factor);
}

static void make_accounts(struct genesis_account *list) {
    system_contracts_list(list);
    for (uint32_t i = 0; i < CLIENT_ACCOUNTS; i++) {
        const uint8_t name[8] = {'c', 'l', 'i', 'e', 'n', 't', 0, (uint8_t)i};
        const struct hash32 hash = keccak256(BYTES_OF(name));
        memcpy(accounts[i].secret, hash.bytes, sizeof accounts[i].secret);
        list[SYSTEM_CONTRACTS_COUNT + i].address = secp_key_address(&accounts[i]);
        list[SYSTEM_CONTRACTS_COUNT + i].balance = wei(1000);
    }
}

static void make_genesis(void) {
    static struct genesis_account list[SYSTEM_CONTRACTS_COUNT + CLIENT_ACCOUNTS];
    make_accounts(list);
    struct genesis genesis = {.config = base_config,
                              .header = header_empty(FORK_PRAGUE),
                              .accounts = list,
                              .accounts_count = SYSTEM_CONTRACTS_COUNT + CLIENT_ACCOUNTS};
    genesis.header.gas_limit = 30000000;
    genesis.header.timestamp = 1700000000;
    genesis.header.base_fee = u256_from_u64(1000000000);
    genesis_kv = kv_memory_create(reserve(SEQUENCER_KV_BYTES), SEQUENCER_KV_BYTES);
    const struct kv_reader reader = kv_memory_reader(genesis_kv);
    const size_t bytes = (size_t)64 << 20;
    struct arena arena = arena_over(reserve(bytes), bytes);
    struct state *state;
    const struct kv_write *writes;
    size_t count;
    CHECK(state_begin(&arena, &reader, &state) == ERR_OK);
    CHECK(ethereum_genesis(&genesis, state, &genesis_header) == ERR_OK);
    CHECK(state_writes(state, &writes, &count) == ERR_OK);
    CHECK(kv_memory_apply(genesis_kv, writes, count) == ERR_OK);
    genesis_hash = header_hash(&genesis_header);
    pages_release(arena.data, bytes);
}

/* make_items signs what the clients will send: real signatures, made once. */
static void make_items(void) {
    static uint8_t memory[1u << 20];
    struct arena arena = arena_over(memory, sizeof memory);
    static uint8_t scratch_memory[1u << 16];
    const struct address to = {{0xaa}};
    for (uint32_t i = 0; i < CLIENT_ACCOUNTS; i++) {
        for (uint64_t nonce = 0; nonce < CLIENT_ITEMS; nonce++) {
            struct transaction transaction = {.type = TRANSACTION_DYNAMIC_FEE,
                                              .is_protected = true,
                                              .chain_id = base_config.chain_id,
                                              .nonce = nonce,
                                              .max_priority_fee = u256_from_u64(1000000000),
                                              .max_fee = u256_from_u64(100000000000),
                                              .gas_limit = 21000,
                                              .to = to,
                                              .value = u256_from_u64(1)};
            CHECK(transaction_sign(&transaction, &accounts[i], &arena) == ERR_OK);
            struct arena scratch = arena_over(scratch_memory, sizeof scratch_memory);
            const struct workload *workload = workload_by_kind(WORKLOAD_KIND_EVM);
            CHECK(workload->inspect(&base_config, FORK_PRAGUE, transaction.encoded, &scratch,
                                    &items[i][nonce]) == VERDICT_ACCEPTED);
        }
    }
}

static void make_all(void) {
    base_config = chain_config_for_fork(FORK_PRAGUE);
    base_config.is_rollup = true;
    base_config.chain_id = 31337;
    make_genesis();
    make_items();
}

const struct kv_memory *sequencer_genesis(struct header *header, struct hash32 *hash) {
    CHECK(pthread_once(&once, make_all) == 0);
    *header = genesis_header;
    *hash = genesis_hash;
    return genesis_kv;
}

const struct item *sequencer_item(struct bytes encoded) {
    for (uint32_t i = 0; i < CLIENT_ACCOUNTS; i++) {
        for (uint64_t nonce = 0; nonce < CLIENT_ITEMS; nonce++) {
            if (bytes_equal(items[i][nonce].encoded, encoded)) return &items[i][nonce];
        }
    }
    return NULL;
}

const struct item *sequencer_client_item(uint32_t account, uint64_t nonce) {
    return &items[account][nonce];
}

/* --- the run's */

void sequencer_world_open(struct world *world) {
    struct header header;
    struct hash32 hash;
    (void)sequencer_genesis(&header, &hash);
    struct sequencer_shared *shared = calloc(1, sizeof *shared);
    CHECK(shared != NULL);
    struct registry *registry = checker_registry(world);
    shared->config = base_config;
    struct rollup_config *rollup = &shared->config.rollup;
    rollup->fault_model = registry->fault_model;
    rollup->blocks_per_rotation = registry->blocks_per_rotation;
    rollup->block_time_ms = 50 + registry->block_time_ms;
    rollup->batch_blocks = random_between(&world->node_random, 2, 6);
    rollup->batch_bytes_max = 1u << 20;
    rollup->da_namespace[28] = 1;
    const bool has_l1 = registry->has_changes || random_chance(&world->node_random, 700);
    rollup->l1_chain_id = has_l1 ? 1 : 0;
    /* Where the listing changes with every block, settlements come too late for it. */
    const bool is_restless = random_chance(&world->node_random, 250);
    registry->era_blocks = is_restless ? 1 : 16;
    shared->awaits_settlement = random_chance(&world->node_random, 400) && has_l1 &&
                                !(is_restless && registry->has_changes);
    /* Liars hold a batch up for a while (verify_run), in which a fast chain takes all the steps. */
    if (registry->fault_model == FAULT_MODEL_BYZANTINE && registry->block_time_ms < 100) {
        shared->awaits_settlement = false;
    }
    rollup->l1_number = L1_GENESIS;
    registry_genesis(registry, &rollup->validators);
    const struct address contract = {{0xc1}};
    shared->batch_domain = signing_domain_make("AndeSequencerCoordinator", 31337, &contract);
    shared->items_target = random_between(&world->node_random, 0, 10);
    sequencer_judge_open(shared);
    world->shared = shared;
}

void sequencer_world_close(struct world *world) {
    struct sequencer_shared *shared = world->shared;
    sequencer_da_close(shared);
    sequencer_l1_close(shared);
    sequencer_judge_close(shared);
    free(shared);
}

/* --- clients */

/* may_be_gone: an acknowledged item that another correct node held survives one crash.  (A node
 * waits for its peers to hold an item, but not for ever: alone, or beside peers that hang, it
 * answers.) */
static bool may_be_gone(struct world *world, const struct client_item *item) {
    const uint64_t crashes = world->counts[COUNT_CRASHES] - item->acknowledged_crashes;
    return crashes >= (item->is_held ? 2 : 1);
}

static bool is_held_elsewhere(struct world *world, uint32_t node, const struct hash32 *hash) {
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        const struct node *at = &world->nodes[i];
        if (i == node || !at->is_up || at->is_byzantine) continue;
        const struct sequencer_node *other = at->state;
        if (other->sequencer == NULL) continue;
        if (sequencer_pool_find(other->sequencer, hash) != NULL) return true;
    }
    return false;
}

static void send_item(struct world *world, uint32_t account, uint64_t nonce) {
    const uint32_t to = (uint32_t)random_below(&world->node_random, world->nodes_count);
    const struct node *at = &world->nodes[to];
    if (!at->is_up || at->is_byzantine || at->busy_until_ms > world->now_ms) return;
    struct sequencer_shared *shared = world->shared;
    struct client_item *item = &shared->items[account][nonce];
    world_trace(world, "send", to, account, nonce);
    item->is_sent = true;
    item->sent_ms = world->now_ms;
    struct input input = {.kind = INPUT_ITEM};
    input.item.item = &items[account][nonce];
    input.item.request = (uint64_t)account * CLIENT_ITEMS + nonce + 1;
    sequencer_node_input(world, at->state, &input);
}

uint64_t sequencer_world_outside(struct world *world) {
    struct sequencer_shared *shared = world->shared;
    (void)sequencer_da_head(world);
    sequencer_l1_advance(world);
    const uint32_t account = (uint32_t)random_below(&world->node_random, CLIENT_ACCOUNTS);
    for (uint64_t nonce = 0; nonce < shared->items_target; nonce++) {
        const struct client_item *item = &shared->items[account][nonce];
        if (item->is_included || sequencer_forced_owns(shared, account)) continue;
        if (!item->is_sent && !world->is_chaos) break; /* what is sent already must get in */
        const bool is_due = !item->is_sent || world->now_ms > item->sent_ms + 3000;
        if (is_due && (!item->is_acknowledged || may_be_gone(world, item))) {
            send_item(world, account, nonce);
        }
        if (!item->is_acknowledged) break;
    }
    return random_between(&world->node_random, 10, 300);
}

void sequencer_acknowledged(struct world *world, uint32_t node, uint64_t request,
                            enum verdict verdict) {
    struct sequencer_shared *shared = world->shared;
    world_trace(world, verdict_name(verdict), node, request, 0);
    if (verdict != VERDICT_ACCEPTED || request == 0) return;
    const uint64_t number = request - 1;
    struct client_item *item = &shared->items[number / CLIENT_ITEMS][number % CLIENT_ITEMS];
    world_count(world, COUNT_ITEMS_ACKNOWLEDGED);
    world_trace(world, "acknowledged", node, number / CLIENT_ITEMS, number % CLIENT_ITEMS);
    /* The first answer counts: a node that knows an item says so again without asking who else has
     * survived. */
    if (item->is_acknowledged) return;
    item->is_acknowledged = true;
    item->is_held =
        is_held_elsewhere(world, node, &items[number / CLIENT_ITEMS][number % CLIENT_ITEMS].hash);
    item->acknowledged_crashes = world->counts[COUNT_CRASHES];
}

void sequencer_included(struct world *world, const struct block_outcome *outcome) {
    struct sequencer_shared *shared = world->shared;
    for (size_t at = 0; at < outcome->items_count; at++) {
        for (uint32_t i = 0; i < CLIENT_ACCOUNTS; i++) {
            for (uint64_t nonce = 0; nonce < shared->items_target; nonce++) {
                if (!hash_equal(&items[i][nonce].hash, &outcome->item_hashes[at])) continue;
                world_count(world, COUNT_ITEMS_INCLUDED);
                world_trace(world, "included", 0, i, nonce);
                if (shared->items[i][nonce].is_included) {
                    world_fail(world, "nothing lost", "a transaction is in two blocks");
                }
                shared->items[i][nonce].is_included = true;
            }
        }
    }
}

bool sequencer_world_is_done(struct world *world) {
    const struct sequencer_shared *shared = world->shared;
    for (uint32_t i = 0; i < CLIENT_ACCOUNTS; i++) {
        for (uint64_t nonce = 0; nonce < shared->items_target; nonce++) {
            const struct client_item *item = &shared->items[i][nonce];
            if (item->is_included || !item->is_sent) continue;
            snprintf(world->undone, sizeof world->undone,
                     "; account %u nonce %llu is not included, sent %d acknowledged %d", i,
                     (unsigned long long)nonce, item->is_sent, item->is_acknowledged);
            return false;
        }
    }
    return sequencer_da_is_done(world) && sequencer_l1_is_done(world);
}
