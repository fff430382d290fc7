#include "simulator/sequencer_node.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/block.h"
#include "consensus/rotation.h"
#include "pages/pages.h"
#include "simulator/owned.h"

#define POLL_MS 200 /* L1 and the DA layer */

static const struct sequencer_limits limits = {.pool_items_max = 512,
                                               .pool_bytes_max = 256u << 10,
                                               .pool_lane_items_max = CLIENT_ITEMS,
                                               .sync_blocks_max = 8};

/* --- memory: the thread's, one stretch for each node, used by one run after the other */

void *sequencer_node_memory(uint32_t node, enum sequencer_memory use, size_t bytes) {
    static _Thread_local void *memory[WORLD_NODES_MAX][SEQUENCER_MEMORY_USES];
    if (memory[node][use] == NULL) {
        memory[node][use] = pages_reserve(bytes);
        CHECK(memory[node][use] != NULL);
    }
    return memory[node][use];
}

/* --- the chain on its disk */

static void ancestor_hash(void *context, uint64_t number, struct hash32 *out) {
    const struct sequencer_node *node = context;
    *out = number <= node->view.head.number ? node->chain[number].hash : (struct hash32){{0}};
}

static enum err summary(void *context, uint64_t height, struct block_summary *out) {
    const struct sequencer_node *node = context;
    if (height > node->view.head.number) return ERR_NOT_FOUND;
    const struct sequencer_block *block = &node->chain[height];
    if (height != 0 && block->package.size == 0) return ERR_NOT_FOUND; /* before a snapshot */
    *out = (struct block_summary){block->hash, block->state_root, block->proposer,
                                  block->package.size, block->l1_number};
    return ERR_OK;
}

static enum err validators_of(void *context, uint64_t rotation, struct validator_set *out) {
    const struct sequencer_node *node = context;
    const uint64_t head = rotation_of(node->view.head.number, node->registry->blocks_per_rotation);
    if (rotation > head + 1 || rotation >= node->sets_capacity) return ERR_NOT_FOUND;
    if (node->sets[rotation].count == 0) return ERR_NOT_FOUND;
    *out = node->sets[rotation];
    return ERR_OK;
}

static const struct chain_view *view_give(struct sequencer_node *node) {
    struct chain_view *view = &node->given[node->given_next++ % 2];
    *view = node->view;
    return view;
}

void sequencer_node_reserve(struct sequencer_node *node, uint64_t height, uint64_t rotation) {
    while (height >= node->chain_capacity) {
        node->chain_capacity *= 2;
        node->chain = realloc(node->chain, node->chain_capacity * sizeof *node->chain);
        CHECK(node->chain != NULL);
    }
    while (rotation >= node->sets_capacity) {
        node->sets = realloc(node->sets, 2 * node->sets_capacity * sizeof *node->sets);
        CHECK(node->sets != NULL);
        memset(node->sets + node->sets_capacity, 0, node->sets_capacity * sizeof *node->sets);
        node->sets_capacity *= 2;
    }
}

/* --- its life */

static void *create(struct world *world, uint32_t index) {
    const struct sequencer_shared *shared = world->shared;
    struct sequencer_node *node = calloc(1, sizeof *node);
    CHECK(node != NULL);
    node->world = world;
    node->index = index;
    node->registry = checker_registry(world);
    node->own = node->registry->addresses[index];
    node->chain_capacity = 64;
    node->sets_capacity = 16;
    node->chain = calloc(node->chain_capacity, sizeof *node->chain);
    node->sets = calloc(node->sets_capacity, sizeof *node->sets);
    CHECK(node->chain != NULL);
    CHECK(node->sets != NULL);
    node->sets[0] = shared->config.rollup.validators;
    struct header header;
    struct hash32 hash;
    const struct kv_memory *genesis = sequencer_genesis(&header, &hash);
    node->kv = kv_memory_clone(
        genesis, sequencer_node_memory(index, SEQUENCER_MEMORY_KV, SEQUENCER_KV_BYTES),
        SEQUENCER_KV_BYTES);
    CHECK(node->kv != NULL);
    node->view = (struct chain_view){.state = kv_memory_reader(node->kv),
                                     .admission = kv_memory_reader(node->kv),
                                     .head = header,
                                     .head_hash = hash,
                                     .ancestors = {node, ancestor_hash}};
    node->chain[0].hash = hash;
    node->chain[0].state_root = header.state_root;
    /* It keeps nothing over a crash that matters: blocks in its slots are forgotten. */
    const struct executor_config executor = {.chain = &shared->config,
                                             .domain = node->registry->domain,
                                             .recoverer = registry_recoverer_of(node->registry)};
    const size_t executor_size = executor_bytes(SEQUENCER_SLOT_BYTES);
    CHECK(executor_create(sequencer_node_memory(index, SEQUENCER_MEMORY_EXECUTOR, executor_size),
                          executor_size, SEQUENCER_SLOT_BYTES, &executor,
                          &node->executor) == ERR_OK);
    node->wall_offset_ms = 1700000001000 + random_below(&world->node_random, 500);
    if (node->registry->is_byzantine[index]) sequencer_byzantine_init(world, node);
    return node;
}

static void destroy(void *state) {
    struct sequencer_node *node = state;
    for (uint64_t i = 1; i <= node->view.head.number; i++) {
        owned_free(&node->chain[i].package);
        owned_free(&node->chain[i].commit);
    }
    owned_free(&node->record_package);
    disk_record_free(&node->record);
    disk_record_free(&node->journal);
    sequencer_l1_forget(&node->sender);
    free(node->taking);
    owned_free(&node->taken.record);
    free(node->chain);
    free(node->sets);
    free(node->byzantine);
    free(node);
}

static uint64_t height_of(const void *state) {
    return ((const struct sequencer_node *)state)->view.head.number;
}

static uint64_t deadline_ms(const void *state) {
    const struct sequencer_node *node = state;
    if (node->taking != NULL) return sequencer_snapshot_deadline_ms(node);
    const uint64_t own_ms = sequencer_deadline_ms(node->sequencer);
    return own_ms < node->poll_at_ms ? own_ms : node->poll_at_ms;
}

/* tell_peers tells the others that a connection came or went. */
static void tell_peers(struct world *world, uint32_t index, bool is_connected) {
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        if (i == index || !world->nodes[i].is_up) continue;
        const uint8_t to_other[3] = {LOCAL_PEER, (uint8_t)index, is_connected};
        const uint8_t to_us[3] = {LOCAL_PEER, (uint8_t)i, is_connected};
        world_local(world, i, 1, BYTES_OF(to_other));
        if (is_connected) world_local(world, index, 1, BYTES_OF(to_us));
    }
}

/* A connection that lost a message breaks, and is made again once the network lets it. */
static void lost(struct world *world, uint32_t from, uint32_t to) {
    struct sequencer_shared *shared = world->shared;
    const uint32_t low = from < to ? from : to, high = from < to ? to : from;
    if (shared->is_broken[low][high]) return;
    shared->is_broken[low][high] = true;
    const uint8_t data[2] = {LOCAL_RECONNECT, (uint8_t)(low == from ? to : low)};
    world_local(world, from, random_between(&world->node_random, 300, 1500), BYTES_OF(data));
}

static void reconnect(struct world *world, uint32_t index, uint32_t other) {
    struct sequencer_shared *shared = world->shared;
    const uint32_t low = index < other ? index : other, high = index < other ? other : index;
    shared->is_broken[low][high] = false;
    if (!world->nodes[other].is_up) return; /* it will tell when it is back */
    if ((world->cuts[index] >> other & 1) != 0 || (world->cuts[other] >> index & 1) != 0) {
        lost(world, index, other);
        return;
    }
    for (uint8_t is_connected = 0; is_connected <= 1; is_connected++) {
        const uint8_t to_other[3] = {LOCAL_PEER, (uint8_t)index, is_connected};
        const uint8_t to_us[3] = {LOCAL_PEER, (uint8_t)other, is_connected};
        world_local(world, other, 1, BYTES_OF(to_other));
        world_local(world, index, 1, BYTES_OF(to_us));
    }
}

static void crash(struct world *world, uint32_t index, void *state) {
    struct sequencer_node *node = state;
    struct sequencer_shared *shared = world->shared;
    for (uint32_t i = 0; i < world->nodes_count; i++)
        shared->is_broken[i][index] = shared->is_broken[index][i] = false;
    node->publisher = (struct publisher){0};
    sequencer_l1_forget(&node->sender);
    sequencer_forced_forget(node);
    sequencer_snapshot_forget(node);
    node->sequencer = NULL;
    node->durable = (struct consensus_record){0};
    tell_peers(world, index, false);
}

static struct sequencer_config config_of(struct sequencer_node *node) {
    const struct sequencer_shared *shared = node->world->shared;
    return (struct sequencer_config){
        .chain = &shared->config,
        .consensus = {.fault_model = node->registry->fault_model,
                      .domain = node->registry->domain,
                      .signer = registry_signer(&node->own),
                      .timeouts = {.propose_ms = 300,
                                   .propose_delta_ms = 150,
                                   .prevote_ms = 120,
                                   .prevote_delta_ms = 80,
                                   .precommit_ms = 120,
                                   .precommit_delta_ms = 80,
                                   .resend_ms = 250}},
        .batch_domain = shared->batch_domain,
        .recoverer = registry_recoverer_of(node->registry),
        .limits = limits,
        .batch_takeover_ms = 2000,
        .wary_ms = 1500,
        .forced_blocks = shared->forced.blocks,
        .genesis_hash = node->chain[0].hash,
        .archive = {node, summary, validators_of},
    };
}

/* read_record splits what the disk holds: the record, and what followed it. */
static bool read_record(struct sequencer_node *node, struct consensus_record *record) {
    struct bytes stored = disk_record_read(&node->record), item;
    if (stored.size == 0) return false;
    CHECK(rlp_read_item(&stored, &item) == ERR_OK);
    CHECK(consensus_record_decode(item, record) == ERR_OK);
    owned_free(&node->record_package);
    node->record_package = owned_copy(stored);
    return true;
}

static void start(struct world *world, uint32_t index, void *state) {
    struct sequencer_node *node = state;
    const uint64_t head = node->view.head.number;
    const uint64_t per = node->registry->blocks_per_rotation;
    const struct sequencer_config config = config_of(node);
    if (!world->nodes[index].is_byzantine) checker_restarted(world, index, head);
    if (node->taken.is_wanted) {
        sequencer_snapshot_begin(world, node);
        tell_peers(world, index, true);
        return;
    }
    static _Thread_local struct sequencer_restore restore;
    sequencer_node_reserve(node, head + 1, rotation_of(head + 1, per) + 1);
    restore = (struct sequencer_restore){
        .view = view_give(node),
        .validators = node->sets[rotation_of(head + 1, per)],
        .next_validators = node->sets[rotation_of(head + 1, per) + 1],
        .head_validators = node->sets[rotation_of(head, per)],
        .head_commit = head == 0 ? BYTES_EMPTY : node->chain[head].commit,
        .journal = disk_record_read(&node->journal),
    };
    restore.has_record = read_record(node, &restore.record);
    restore.record_package = node->record_package;
    if (restore.has_record) {
        node->durable = restore.record;
        if (restore.record.height == head + 1) world_count(world, COUNT_RULE_RESTORED);
    }
    const size_t bytes = sequencer_bytes(&config.limits);
    CHECK(sequencer_create(sequencer_node_memory(index, SEQUENCER_MEMORY_SEQUENCER, bytes), bytes,
                           &config, &restore, &node->sequencer) == ERR_OK);
    node->l1_number = node->l1_asked = 0;
    node->poll_at_ms = world_clock(world, index);
    tell_peers(world, index, true);
    struct input input = {.kind = INPUT_TICK};
    sequencer_node_input(world, node, &input);
}

/* --- what comes in */

static void stop(struct world *world, uint32_t index, void *state) {
    if (((const struct sequencer_node *)state)->taking != NULL) {
        world_stopped(world, index);
        return;
    }
    struct input input = {.kind = INPUT_STOP};
    world_count(world, COUNT_RULE_HANDOVER);
    sequencer_node_input(world, state, &input);
}

static void deliver(struct world *world, uint32_t index, void *state, uint32_t from,
                    struct bytes bytes) {
    struct sequencer_node *node = state;
    const struct sequencer_shared *shared = world->shared;
    const struct message_context context = {node->registry->domain, shared->batch_domain,
                                            registry_recoverer_of(node->registry)};
    (void)index;
    static _Thread_local struct message in;
    if (message_decode(&context, bytes, &in) != VERDICT_ACCEPTED) {
        world_count(world, COUNT_MESSAGES_REFUSED);
        return;
    }
    /* Requests are counted from one again after a start: none outlives its connection. */
    const bool is_snapshot =
        message_is_snapshot_request(in.kind) || message_is_snapshot_answer(in.kind);
    if (world->is_stale && (is_snapshot || node->taking != NULL)) return;
    if (node->taking != NULL) {
        sequencer_snapshot_deliver(world, node, from, &in);
        return;
    }
    if (message_is_snapshot_request(in.kind)) {
        sequencer_snapshot_serve(world, node, from, &in);
        return;
    }
    struct input input = {.kind = INPUT_MESSAGE};
    if (node->byzantine != NULL) sequencer_byzantine_seen(world, node, bytes, &in);
    if (in.kind == MESSAGE_ITEMS) {
        for (uint32_t i = 0; i < in.count && world->nodes[node->index].is_up; i++) {
            const struct item *item = sequencer_item(bytes_slice(in.items[i], 1, in.items[i].size));
            if (item == NULL || sequencer_forced_hides(world, node, item)) continue;
            input.kind = INPUT_ITEM;
            input.item.item = item;
            input.item.peer = node->registry->peer_ids[from];
            sequencer_node_input(world, node, &input);
        }
        return;
    }
    input.peer.peer = node->registry->peer_ids[from];
    input.peer.message = &in;
    sequencer_node_input(world, node, &input);
}

static void local(struct world *world, uint32_t index, void *state, struct bytes bytes) {
    struct sequencer_node *node = state;
    struct sequencer_shared *shared = world->shared;
    struct input input = {.kind = INPUT_TICK};
    if (node->taking != NULL) {
        if (bytes.data[0] == LOCAL_RECONNECT) reconnect(world, index, bytes.data[1]);
        if (bytes.data[0] == LOCAL_PEER) {
            sequencer_snapshot_peer(world, node, bytes.data[1], bytes.data[2] == 1);
        }
        return;
    }
    switch ((enum local_message)bytes.data[0]) {
    case LOCAL_EXECUTED:
        input.kind = INPUT_EXECUTED;
        input.outcome = &node->outcomes[bytes.data[1]];
        break;
    case LOCAL_COMMITTED:
        input.kind = INPUT_COMMITTED;
        input.committed.view = view_give(node);
        break;
    case LOCAL_PUBLISH: sequencer_da_publish(world, node); return;
    case LOCAL_L1: sequencer_l1_send(world, node); return;
    case LOCAL_DA:
        input.kind = INPUT_DA_RECEIPT;
        input.da.first = be_read(bytes.data + 1, 8);
        input.da.last = be_read(bytes.data + 9, 8);
        input.da.height = be_read(bytes.data + 17, 8);
        input.da.commitment = keccak256(
            sequencer_da_find(shared, input.da.height, input.da.first, input.da.last)->bytes);
        break;
    case LOCAL_RECONNECT: reconnect(world, index, bytes.data[1]); return;
    case LOCAL_PEER:
        input.kind = INPUT_PEER;
        input.peer.peer = node->registry->peer_ids[bytes.data[1]];
        input.peer.is_connected = bytes.data[2] == 1;
        break;
    }
    sequencer_node_input(world, node, &input);
}

static void tell_l1(struct world *world, struct sequencer_node *node, uint64_t number) {
    static _Thread_local struct l1_facts facts;
    sequencer_l1_facts(world, number, &facts);
    sequencer_forced_list(world, node, &facts);
    sequencer_forced_told(world, node, number);
    struct input input = {.kind = INPUT_L1_VIEW, .l1 = &facts};
    sequencer_node_input(world, node, &input);
}

static void poll_l1(struct world *world, struct sequencer_node *node) {
    const struct sequencer_shared *shared = world->shared;
    const struct node *at = &world->nodes[node->index];
    if (shared->config.rollup.l1_chain_id == 0 || at->is_l1_out || world->is_l1_out) return;
    const uint64_t number = sequencer_l1_finalized(world, at->l1_slow_ms);
    /* What a proposal names is read by its number, whatever else was read before. */
    if (node->l1_asked != 0 && node->l1_asked <= number) {
        const uint64_t asked = node->l1_asked;
        node->l1_asked = 0;
        world_count(world, COUNT_L1_ASKED);
        tell_l1(world, node, asked);
    }
    if (number <= node->l1_number || !at->is_up) return;
    /* The reader tells of each finalized block in turn; after a start of the newest only, or, in
     * some runs, of some before it. */
    const uint64_t history = node->registry->seed % 4 == 0 ? L1_HISTORY : 1;
    if (node->l1_number == 0 && number > history) node->l1_number = number - history;
    if (node->l1_number + L1_HISTORY < number) node->l1_number = number - L1_HISTORY;
    if (node->l1_number < L1_GENESIS) node->l1_number = L1_GENESIS;
    while (node->l1_number < number && at->is_up) {
        tell_l1(world, node, ++node->l1_number);
    }
    if (at->is_up && !at->is_byzantine) sequencer_l1_check(world, node);
}

static void poll_da(struct world *world, struct sequencer_node *node) {
    if (world->is_da_out) return;
    struct input input = {.kind = INPUT_DA_HEAD, .da.height = sequencer_da_head(world)};
    sequencer_node_input(world, node, &input);
}

static void open_all(struct world *world) {
    sequencer_world_open(world);
    struct sequencer_shared *shared = world->shared;
    sequencer_old_open(world, &shared->old);
    sequencer_forced_open(world, &shared->forced);
    sequencer_snapshot_open(world, &shared->snapshots);
}

static void close_all(struct world *world) {
    struct sequencer_shared *shared = world->shared;
    sequencer_old_close(&shared->old);
    sequencer_world_close(world);
}

static bool is_done(struct world *world) {
    return sequencer_forced_is_done(world) && sequencer_world_is_done(world);
}

static uint64_t outside(struct world *world) {
    struct sequencer_shared *shared = world->shared;
    sequencer_old_run(world, &shared->old);
    sequencer_forced_run(world);
    sequencer_snapshot_run(world);
    return sequencer_world_outside(world);
}

static void tick(struct world *world, uint32_t index, void *state) {
    struct sequencer_node *node = state;
    if (node->taking != NULL) {
        sequencer_snapshot_tick(world, node);
        return;
    }
    const uint64_t now_ms = world_clock(world, index);
    if (now_ms >= node->poll_at_ms) {
        node->poll_at_ms = now_ms + POLL_MS;
        poll_l1(world, node);
        if (world->nodes[index].is_up) poll_da(world, node);
        if (!world->nodes[index].is_up) return;
    }
    struct input input = {.kind = INPUT_TICK};
    sequencer_node_input(world, node, &input);
}

const struct node_kind sequencer_node_kind = {
    .name = "sequencer",
    .faults = (((uint64_t)1 << FAULT_KINDS) - 1) & ~((uint64_t)1 << FAULT_VIEW_BEHIND),
    .faults_count = FAULT_OLD_DIRECTORY,
    .counts_missing = {[COUNT_RULE_NEED] = true, [COUNT_RULE_SKIP] = true},
    .genesis_origin = L1_GENESIS,
    .open = open_all,
    .close = close_all,
    .outside = outside,
    .is_done = is_done,
    .outside_fault = sequencer_l1_fault,
    .lost = lost,
    .create = create,
    .destroy = destroy,
    .start = start,
    .crash = crash,
    .stop = stop,
    .deliver = deliver,
    .local = local,
    .tick = tick,
    .deadline_ms = deadline_ms,
    .height = height_of,
};
