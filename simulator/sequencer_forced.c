/* Requests of forced inclusion at the coordinator's contract, in some of the runs.
 *
 * One account sends its transactions to nobody but the contract: at L1 blocks drawn from the seed,
 * in order.  Some nodes never learn of them, neither from L1 nor from others (Byzantine ones as
 * if), and leave them out of their blocks.  The rule is the one of sequencer/sequencer_forced.c,
 * seen from outside: no block is committed that leaves out a request which is due, when so much of
 * the correct power knew of it that no quorum is without.  A node knows what L1 told it since its
 * last start, well before the block was built. */
#include <stdio.h>

#include "base/check.h"
#include "simulator/sequencer_node.h"

#define PURPOSE_FORCED 6
#define RUNS_PER_MILLE 500
#define FORCED_ACCOUNT (CLIENT_ACCOUNTS - 1)
/* Blocks are built while their parent is under way: what a node knew before that. */
#define KNOWN_BEFORE 3u

void sequencer_forced_open(struct world *world, struct forced_requests *forced) {
    const struct sequencer_shared *shared = world->shared;
    forced->random = random_make(world->config.seed, PURPOSE_FORCED);
    const bool is_on = random_chance(&forced->random, RUNS_PER_MILLE);
    if (!is_on || shared->config.rollup.l1_chain_id == 0) return;
    forced->blocks = random_between(&forced->random, 1, 4);
    forced->target = (uint32_t)random_between(&forced->random, 1, FORCED_REQUESTS_MAX);
    const bool is_censored = random_chance(&forced->random, 700);
    const struct registry *registry = checker_registry(world);
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        const bool is_blind = random_chance(&forced->random, 300);
        if (registry->is_byzantine[i] ? is_censored : is_blind) forced->blind |= (uint64_t)1 << i;
    }
    forced->at_ms = world->now_ms + random_below(&forced->random, 2000);
}

bool sequencer_forced_owns(const struct sequencer_shared *shared, uint32_t account) {
    return shared->forced.blocks != 0 && account == FORCED_ACCOUNT;
}

void sequencer_forced_run(struct world *world) {
    struct sequencer_shared *shared = world->shared;
    struct forced_requests *forced = &shared->forced;
    const bool is_due = world->now_ms >= forced->at_ms && forced->count < forced->target;
    if (forced->blocks == 0 || !is_due || !world->is_chaos) return;
    forced->at_ms = world->now_ms + random_below(&forced->random, 3000);
    forced->requests[forced->count++] = (struct forced_request){.l1_number = shared->l1_head + 1};
    world_count(world, COUNT_FORCED_REQUESTS);
    world_trace(world, "forced", 0, forced->count, shared->l1_head + 1);
}

static bool is_blind(const struct world *world, const struct sequencer_node *node) {
    const struct sequencer_shared *shared = world->shared;
    if ((shared->forced.blind >> node->index & 1) == 0) return false;
    return world->is_chaos || world->nodes[node->index].is_byzantine;
}

bool sequencer_forced_hides(const struct world *world, const struct sequencer_node *node,
                            const struct item *item) {
    if (!is_blind(world, node)) return false;
    for (uint32_t i = 0; i < FORCED_REQUESTS_MAX; i++) {
        if (item == sequencer_client_item(FORCED_ACCOUNT, i)) return true;
    }
    return false;
}

void sequencer_forced_list(const struct world *world, const struct sequencer_node *node,
                           struct l1_facts *facts) {
    const struct sequencer_shared *shared = world->shared;
    const struct forced_requests *forced = &shared->forced;
    facts->forced_id_max = UINT64_MAX;
    if (is_blind(world, node)) return;
    for (uint32_t i = 0; i < forced->count; i++) {
        const struct forced_request *request = &forced->requests[i];
        if (request->l1_number > facts->number) continue;
        if (request->ended_number != 0 && request->ended_number <= facts->number) continue;
        facts->forced[facts->forced_count++] =
            (struct forced_item){.id = i + 1,
                                 .l1_number = request->l1_number,
                                 .item = *sequencer_client_item(FORCED_ACCOUNT, i)};
    }
}

void sequencer_forced_told(const struct world *world, struct sequencer_node *node,
                           uint64_t number) {
    if (is_blind(world, node)) return;
    const uint64_t head = node->view.head.number;
    while (node->known_head < head) {
        for (size_t i = FORCED_KNOWN - 1; i != 0; i--)
            node->known_numbers[i] = node->known_numbers[i - 1];
        if (++node->known_head + FORCED_KNOWN < head) node->known_head = head - FORCED_KNOWN;
    }
    if (number > node->known_numbers[0]) node->known_numbers[0] = number;
}

void sequencer_forced_forget(struct sequencer_node *node) {
    memset(node->known_numbers, 0, sizeof node->known_numbers);
    node->known_head = node->view.head.number;
}

/* knew: L1 had told the node of a block from `number` on while it was well before `height`. */
static bool knew(const struct sequencer_node *node, uint64_t number, uint64_t height) {
    const uint64_t before = node->known_head + KNOWN_BEFORE;
    const uint64_t at = before <= height ? 0 : before - height;
    return at < FORCED_KNOWN && node->known_numbers[at] >= number;
}

/* is_known: whoever knew can keep every quorum from deciding a block at `height`. */
static bool is_known(struct world *world, uint64_t number, uint64_t height) {
    const struct registry *registry = checker_registry(world);
    const struct validator_set *set = checker_set(world, height);
    uint64_t total = 0, rest = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const uint64_t power = set->validators[i].power;
        const int node = registry_node(registry, &set->validators[i].address);
        total += power;
        if (node < 0 || world->nodes[node].is_byzantine || !world->nodes[node].is_up ||
            !knew(world->nodes[node].state, number, height)) {
            rest += power;
        }
    }
    return registry->fault_model == FAULT_MODEL_CRASH ? 2 * rest <= total : 3 * rest <= 2 * total;
}

void sequencer_forced_committed(struct world *world, const struct sequencer_node *node,
                                const struct block_outcome *outcome) {
    struct sequencer_shared *shared = world->shared;
    struct forced_requests *forced = &shared->forced;
    const uint64_t height = outcome->height;
    if (forced->blocks == 0) return;
    for (size_t at = 0; at < outcome->items_count; at++) {
        const struct item *item = sequencer_client_item(FORCED_ACCOUNT, forced->included);
        if (!hash_equal(&item->hash, &outcome->item_hashes[at])) continue;
        CHECK(forced->included < forced->count);
        forced->requests[forced->included++].ended_number = shared->l1_head + 1;
        world_count(world, COUNT_FORCED_INCLUDED);
        world_trace(world, "forced in", 0, forced->included, height);
    }
    /* The others wait for the first that is left: their nonces are later. */
    if (height <= forced->blocks || forced->included == forced->count) return;
    const uint64_t origin = node->chain[height - forced->blocks].l1_number;
    const uint64_t asked = forced->requests[forced->included].l1_number;
    if (asked > origin || !is_known(world, origin, height)) return;
    world_fail(world, "forced inclusion",
               "block %llu leaves out request %u of L1 block %llu, %llu blocks after %llu",
               (unsigned long long)height, forced->included + 1, (unsigned long long)asked,
               (unsigned long long)forced->blocks, (unsigned long long)origin);
}

bool sequencer_forced_is_done(struct world *world) {
    const struct sequencer_shared *shared = world->shared;
    const struct forced_requests *forced = &shared->forced;
    if (forced->included == forced->count) return true;
    snprintf(world->undone, sizeof world->undone, "; forced request %u is not included",
             forced->included + 1);
    return false;
}
