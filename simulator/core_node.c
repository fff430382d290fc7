#include "simulator/core_node.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/keccak.h"
#include "consensus/rotation.h"

#define MESSAGE_BYTES_MAX (SIM_BLOCK_BYTES + VOTE_BYTES_MAX + COMMIT_BYTES_MAX + 64)
#define STATUS_EVERY_MS   400
#define SYNC_EVERY_MS     60
#define SYNC_PATIENCE_MS  500

/* One thread runs one world at a time; effects are too large for its stack. */
static _Thread_local struct consensus_effects effects;

static const struct consensus_timeouts timeouts = {
    .propose_ms = 300,
    .propose_delta_ms = 150,
    .prevote_ms = 120,
    .prevote_delta_ms = 80,
    .precommit_ms = 120,
    .precommit_delta_ms = 80,
    .resend_ms = 250,
};

/* --- its life */

static void *create(struct world *world, uint32_t index) {
    struct core_node *node = calloc(1, sizeof *node);
    CHECK(node != NULL);
    node->index = index;
    node->registry = checker_registry(world);
    node->own = node->registry->addresses[index];
    node->memory = aligned_alloc(64, (consensus_bytes() + 63) / 64 * 64);
    CHECK(node->memory != NULL);
    node->chain_capacity = 64;
    node->chain = calloc(node->chain_capacity, sizeof *node->chain);
    CHECK(node->chain != NULL);
    registry_genesis(node->registry, &node->set);
    struct validator_set advanced = node->set;
    node->scheduled = rotation_advance(&advanced);
    if (node->registry->is_byzantine[index]) byzantine_init(world, node);
    return node;
}

static void destroy(void *state) {
    struct core_node *node = state;
    for (uint64_t i = 1; i <= node->height; i++)
        free(node->chain[i].commit);
    free(node->chain);
    disk_record_free(&node->record);
    free(node->memory);
    free(node);
}

static uint64_t height_of(const void *state) {
    return ((const struct core_node *)state)->height;
}

static uint64_t deadline_ms(const void *state) {
    const struct core_node *node = state;
    const uint64_t core_ms = consensus_deadline_ms(node->core);
    return core_ms < node->status_at_ms ? core_ms : node->status_at_ms;
}

static void crash(struct world *world, uint32_t index, void *state) {
    (void)world;
    (void)index;
    struct core_node *node = state;
    memset(node->candidates, 0, sizeof node->candidates);
    node->durable = (struct consensus_record){0};
    node->has_advanced = false;
}

/* --- effects */

void core_encode_vote(const struct vote *vote, const struct sim_block *block, struct buffer *out) {
    buffer_append_byte(out, vote->kind == VOTE_PROPOSAL ? CORE_PROPOSAL : CORE_VOTE);
    const size_t size_at = out->size;
    buffer_append_be(out, 2, 0);
    vote_encode(vote, out);
    be_write(out->data + size_at, 2, out->size - size_at - 2);
    if (block != NULL) {
        uint8_t *at = buffer_reserve(out, SIM_BLOCK_BYTES);
        CHECK(at != NULL);
        sim_block_encode(block, at);
    }
}

/* send_all sends a message to everybody; a crash may come in between. */
static void send_all(struct world *world, struct core_node *node, struct bytes message) {
    for (uint32_t to = 0; to < world->nodes_count; to++) {
        if (to == node->index) continue;
        if (!world_effect(world, node->index)) return;
        world_send(world, node->index, to, message);
    }
}

static void send_number(struct world *world, struct core_node *node, int to, enum core_message kind,
                        uint64_t number) {
    uint8_t data[9] = {(uint8_t)kind};
    be_write(data + 1, 8, number);
    if (to < 0) {
        send_all(world, node, BYTES_OF(data));
    } else {
        world_send(world, node->index, (uint32_t)to, BYTES_OF(data));
    }
}

static void perform_persist(struct world *world, struct core_node *node,
                            const struct consensus_effect *effect) {
    static _Thread_local uint8_t data[16 * 1024];
    struct buffer out = buffer_over(data, sizeof data);
    buffer_append_be(&out, 2, 0);
    consensus_record_encode(&effect->record, &out);
    be_write(data, 2, out.size - 2);
    const struct candidate *valid =
        effect->record.has_valid ? core_candidate_find(node, &effect->record.valid) : NULL;
    buffer_append_byte(&out, valid != NULL);
    if (valid != NULL) sim_block_encode(&valid->block, buffer_reserve(&out, SIM_BLOCK_BYTES));
    if (effect->commit != NULL) commit_encode(effect->commit, &out);
    CHECK(!out.overflow);
    checker_prevoted(world, node->index, &effect->record.prevote);
    const enum write_fate fate = world_write(world, node->index);
    disk_record_write(&node->record, buffer_bytes(&out), fate, random_next(&world->node_random));
    if (fate == WRITE_DONE) node->durable = effect->record;
}

static void perform_broadcast(struct world *world, struct core_node *node,
                              const struct consensus_effect *effect) {
    const struct vote *vote = &effect->vote;
    const bool is_byzantine = world->nodes[node->index].is_byzantine;
    const struct candidate *candidate =
        vote->kind == VOTE_PROPOSAL ? core_candidate_find(node, &vote->block) : NULL;
    const struct sim_block *block = candidate == NULL ? NULL : &candidate->block;
    const bool is_own = address_equal(&vote->voter, &node->own);
    if (is_own && !is_byzantine) {
        checker_signed(world, node->index, vote, node->durable.height, node->durable.round,
                       node->durable.step);
    }
    if (is_own && candidate != NULL) core_candidate_add(node, block, vote);
    world_trace_hash(world, vote_kind_name(vote->kind), node->index,
                     vote->height << 16 | vote->round, &vote->block);
    uint8_t data[VOTE_BYTES_MAX + SIM_BLOCK_BYTES + 8];
    struct buffer out = buffer_over(data, sizeof data);
    core_encode_vote(vote, block, &out);
    if (!is_byzantine || !is_own) {
        send_all(world, node, buffer_bytes(&out));
        return;
    }
    for (uint32_t to = 0; to < world->nodes_count; to++) {
        if (to != node->index) byzantine_send(world, node, to, vote, block);
    }
}

static void perform_build(struct world *world, struct core_node *node,
                          const struct consensus_effect *effect) {
    const bool is_valid = (node->habits & BYZANTINE_INVALID_BLOCKS) == 0;
    if (!is_valid) world_count(world, COUNT_BYZANTINE_INVALID);
    const struct sim_block block = {.height = effect->height,
                                    .round = effect->round,
                                    .proposer = node->own,
                                    .parent = core_head_hash(node),
                                    .salt = random_next(&world->node_random),
                                    .is_valid = is_valid};
    checker_block(world, &block);
    const struct candidate *candidate = core_candidate_add(node, &block, NULL);
    uint8_t data[1 + 8 + 4 + 32] = {CORE_BUILT};
    be_write(data + 1, 8, effect->height);
    be_write(data + 9, 4, effect->round);
    memcpy(data + 13, candidate->hash.bytes, 32);
    const struct node *at = &world->nodes[node->index];
    world_local(world, node->index, at->execution_ms + (at->is_build_late ? 3000 : 0),
                BYTES_OF(data));
}

static void perform_check(struct world *world, struct core_node *node,
                          const struct consensus_effect *effect) {
    const struct candidate *candidate = core_candidate_find(node, &effect->block);
    if (candidate == NULL) return;
    const bool is_valid =
        core_execute(node, &candidate->block) && !world->nodes[node->index].is_view_behind;
    uint8_t data[1 + 8 + 32 + 1] = {CORE_CHECKED};
    be_write(data + 1, 8, effect->height);
    memcpy(data + 9, effect->block.bytes, 32);
    data[41] = is_valid;
    world_local(world, node->index, world->nodes[node->index].execution_ms, BYTES_OF(data));
}

static void perform_need(struct world *world, struct core_node *node,
                         const struct consensus_effect *effect) {
    world_count(world, COUNT_RULE_NEED);
    uint8_t data[1 + 8 + 32] = {CORE_GET_PROPOSAL};
    be_write(data + 1, 8, effect->height);
    memcpy(data + 9, effect->block.bytes, 32);
    send_all(world, node, BYTES_OF(data));
}

static void perform_commit(struct world *world, struct core_node *node,
                           const struct consensus_effect *effect) {
    const struct candidate *candidate = core_candidate_find(node, &effect->block);
    if (candidate == NULL) {
        world_fail(world, "executed first", "node %u commits a block that it does not have",
                   node->index);
        return;
    }
    const struct sim_block block = candidate->block;
    node->has_advanced = core_append(world, node, &block, &effect->block, effect->commit);
    if (node->has_advanced) send_number(world, node, -1, CORE_STATUS, node->height);
}

static void perform(struct world *world, struct core_node *node) {
    for (size_t i = 0; i < effects.count && world->nodes[node->index].is_up; i++) {
        const struct consensus_effect *effect = &effects.list[i];
        if (effect->kind != CONSENSUS_EFFECT_PERSIST && effect->kind != CONSENSUS_EFFECT_COMMIT &&
            !world_effect(world, node->index)) {
            return;
        }
        switch (effect->kind) {
        case CONSENSUS_EFFECT_PERSIST: perform_persist(world, node, effect); break;
        case CONSENSUS_EFFECT_BUILD: perform_build(world, node, effect); break;
        case CONSENSUS_EFFECT_CHECK: perform_check(world, node, effect); break;
        case CONSENSUS_EFFECT_BROADCAST: perform_broadcast(world, node, effect); break;
        case CONSENSUS_EFFECT_COMMIT: perform_commit(world, node, effect); break;
        case CONSENSUS_EFFECT_NEED: perform_need(world, node, effect); break;
        case CONSENSUS_EFFECT_EVIDENCE:
            world_count(world, COUNT_RULE_EVIDENCE);
            if (world->nodes[node->index].is_byzantine) break;
            checker_evidence(world, node->index, &effect->vote, &effect->conflicting);
            break;
        case CONSENSUS_EFFECT_ROUND:
            world_trace(world, "round", node->index, effect->height, effect->round);
            if (effect->round == 0) break;
            world_count(world, effect->is_timeout ? COUNT_RULE_ROUND_TIMEOUT : COUNT_RULE_SKIP);
            break;
        }
    }
}

static void begin_height(struct world *world, struct core_node *node,
                         const struct consensus_record *record, const struct commit *polka) {
    struct consensus_input input = {.kind = CONSENSUS_INPUT_HEIGHT};
    input.now_ms = world_clock(world, node->index);
    node->began_ms = input.now_ms;
    input.begin.height = node->height + 1;
    input.begin.set = &node->set;
    input.begin.scheduled_index = node->scheduled;
    input.begin.is_rotation_first = core_is_rotation_first(node, node->height + 1);
    input.begin.previous_proposer = core_head_proposer(node);
    input.begin.propose_at_ms = input.now_ms + node->registry->block_time_ms;
    input.begin.record = record;
    input.begin.polka = polka;
    effects.count = 0;
    consensus_step(node->core, &input, &effects);
    consensus_check_invariants(node->core);
    perform(world, node);
}

/* step gives the core one input, and begins the heights that follow. */
static void step(struct world *world, struct core_node *node, struct consensus_input *input) {
    input->now_ms = world_clock(world, node->index);
    effects.count = 0;
    consensus_step(node->core, input, &effects);
    consensus_check_invariants(node->core);
    perform(world, node);
    while (node->has_advanced && world->nodes[node->index].is_up) {
        node->has_advanced = false;
        begin_height(world, node, NULL, NULL);
    }
}

/* --- starting */

static void start(struct world *world, uint32_t index, void *state) {
    struct core_node *node = state;
    const struct consensus_config config = {
        .fault_model = node->registry->fault_model,
        .domain = node->registry->domain,
        .signer = registry_signer(&node->own),
        .timeouts = timeouts,
    };
    node->core = consensus_create(node->memory, &config);
    node->status_at_ms = world_clock(world, index) + random_below(&world->node_random, 200);
    node->sync_asked_ms = 0;
    const bool is_correct = !world->nodes[index].is_byzantine;
    if (is_correct) checker_restarted(world, index, node->height);
    const struct bytes stored = disk_record_read(&node->record);
    if (stored.size == 0) {
        begin_height(world, node, NULL, NULL);
        return;
    }
    static _Thread_local struct consensus_record record;
    static _Thread_local struct commit polka;
    const size_t record_bytes = be_read(stored.data, 2);
    CHECK(consensus_record_decode(bytes_slice(stored, 2, record_bytes), &record) == ERR_OK);
    struct bytes rest = bytes_slice(stored, 2 + record_bytes, stored.size);
    if (rest.data[0] == 1) {
        struct sim_block block;
        CHECK(sim_block_decode(bytes_slice(rest, 1, SIM_BLOCK_BYTES), &block));
        if (block.height == node->height + 1) core_candidate_add(node, &block, NULL);
        rest = bytes_slice(rest, SIM_BLOCK_BYTES, rest.size);
    }
    rest = bytes_slice(rest, 1, rest.size);
    const bool has_polka = rest.size != 0;
    if (has_polka) CHECK(commit_decode(rest, &polka) == ERR_OK);
    node->durable = record;
    if (record.height == node->height + 1) world_count(world, COUNT_RULE_RESTORED);
    begin_height(world, node, &record, has_polka ? &polka : NULL);
}

static void stop(struct world *world, uint32_t index, void *state) {
    struct core_node *node = state;
    world_count(world, COUNT_RULE_HANDOVER);
    send_number(world, node, -1, CORE_HANDOVER, node->height + 1);
    send_number(world, node, -1, CORE_HANDOVER, node->height + 2);
    world_stopped(world, index);
}

/* --- what comes in */

/* ask_sync asks a peer that showed `shown` to be committed for the next block.  One height behind
 * is normal for a moment: consensus gets there by itself. */
static void ask_sync(struct world *world, struct core_node *node, uint32_t from, uint64_t shown) {
    const uint64_t now_ms = world_clock(world, node->index);
    if (shown <= node->height || node->sync_asked_ms + SYNC_EVERY_MS > now_ms) return;
    if (shown == node->height + 1 && now_ms < node->began_ms + SYNC_PATIENCE_MS) return;
    node->sync_asked_ms = now_ms;
    send_number(world, node, (int)from, CORE_GET, node->height + 1);
}

static bool has_evidence(const struct vote *vote) {
    for (size_t i = 0; i < effects.count; i++) {
        const struct consensus_effect *effect = &effects.list[i];
        if (effect->kind == CONSENSUS_EFFECT_EVIDENCE &&
            address_equal(&effect->vote.voter, &vote->voter)) {
            return true;
        }
    }
    return false;
}

static void on_vote(struct world *world, struct core_node *node, uint32_t from,
                    struct bytes message) {
    struct consensus_input input = {.kind = CONSENSUS_INPUT_VOTE};
    const struct recoverer recoverer = registry_recoverer_of(node->registry);
    const size_t vote_bytes = message.size < 3 ? 0 : be_read(message.data + 1, 2);
    struct vote *vote = &input.vote;
    if (vote_decode(bytes_slice(message, 3, vote_bytes), vote) != ERR_OK ||
        vote_recover(&recoverer, &node->registry->domain, vote) != ERR_OK ||
        (vote->kind == VOTE_PROPOSAL) != (message.data[0] == CORE_PROPOSAL)) {
        world_count(world, COUNT_MESSAGES_REFUSED);
        return;
    }
    if (consensus_is_later(node->core, vote)) ask_sync(world, node, from, vote->height - 1);
    if (vote->kind == VOTE_PROPOSAL) {
        struct sim_block block;
        if (sim_block_decode(bytes_slice(message, 3 + vote_bytes, message.size), &block)) {
            const struct hash32 hash = sim_block_hash(&block);
            const bool is_near = block.height > node->height && block.height < node->height + 3;
            if (hash_equal(&hash, &vote->block) && is_near) {
                core_candidate_add(node, &block, vote);
            }
        }
        if (core_candidate_find(node, &vote->block) == NULL) return;
        input.kind = CONSENSUS_INPUT_PROPOSAL;
    }
    if (world->nodes[node->index].is_byzantine) byzantine_seen(world, node, message, vote);
    const struct consensus_status status = consensus_status(node->core);
    const bool must_be_evidence =
        status.step != 4 && !world->nodes[node->index].is_byzantine &&
        checker_delivered(world, node->index, vote, status.height, status.round);
    step(world, node, &input);
    if (must_be_evidence && !has_evidence(vote) && node->height < vote->height &&
        world->nodes[node->index].is_up) {
        world_fail(world, "evidence", "node %u saw two votes of one signer and says nothing",
                   node->index);
    }
}

static void serve(struct world *world, struct core_node *node, uint32_t from, uint64_t height) {
    if (height == 0 || height > node->height) return;
    const struct stored_block *stored = &node->chain[height];
    uint8_t data[MESSAGE_BYTES_MAX] = {CORE_BLOCK};
    sim_block_encode(&stored->block, data + 1);
    memcpy(data + 1 + SIM_BLOCK_BYTES, stored->commit, stored->commit_bytes);
    world_send(world, node->index, from,
               (struct bytes){data, 1 + SIM_BLOCK_BYTES + stored->commit_bytes});
}

static void on_block(struct world *world, struct core_node *node, uint32_t from,
                     struct bytes message) {
    struct sim_block block;
    static _Thread_local struct commit commit;
    if (!sim_block_decode(bytes_slice(message, 1, SIM_BLOCK_BYTES), &block) ||
        commit_decode(bytes_slice(message, 1 + SIM_BLOCK_BYTES, message.size), &commit) != ERR_OK) {
        world_count(world, COUNT_MESSAGES_REFUSED);
        return;
    }
    if (block.height != node->height + 1) return;
    if (consensus_status(node->core).step == 4) return; /* it is being made durable */
    const struct hash32 hash = sim_block_hash(&block);
    const struct recoverer recoverer = registry_recoverer_of(node->registry);
    if (commit_verify(&commit, block.height, &hash, &node->set, node->registry->fault_model,
                      &node->registry->domain, &recoverer) != ERR_OK ||
        !core_execute(node, &block)) {
        world_count(world, COUNT_MESSAGES_REFUSED);
        return;
    }
    world_count(world, COUNT_BLOCKS_SYNCED);
    if (!core_append(world, node, &block, &hash, &commit)) return;
    begin_height(world, node, NULL, NULL);
    if (world->nodes[node->index].is_up) {
        send_number(world, node, (int)from, CORE_GET, node->height + 1);
    }
}

static void on_get_proposal(struct world *world, struct core_node *node, uint32_t from,
                            struct bytes message) {
    struct hash32 hash;
    memcpy(hash.bytes, message.data + 9, sizeof hash.bytes);
    const struct candidate *candidate = core_candidate_find(node, &hash);
    if (candidate == NULL || !candidate->has_vote) return;
    uint8_t data[VOTE_BYTES_MAX + SIM_BLOCK_BYTES + 8];
    struct buffer out = buffer_over(data, sizeof data);
    core_encode_vote(&candidate->vote, &candidate->block, &out);
    world_send(world, node->index, from, buffer_bytes(&out));
}

static void deliver(struct world *world, uint32_t index, void *state, uint32_t from,
                    struct bytes message) {
    struct core_node *node = state;
    if (message.size == 0) return;
    const enum core_message kind = (enum core_message)message.data[0];
    if (kind == CORE_PROPOSAL || kind == CORE_VOTE) {
        on_vote(world, node, from, message);
        return;
    }
    if (kind == CORE_BLOCK) {
        on_block(world, node, from, message);
        return;
    }
    if (kind == CORE_GET_PROPOSAL && message.size == 41) {
        on_get_proposal(world, node, from, message);
        return;
    }
    if (message.size != 9) {
        world_count(world, COUNT_MESSAGES_REFUSED);
        return;
    }
    const uint64_t number = be_read(message.data + 1, 8);
    if (kind == CORE_STATUS) ask_sync(world, node, from, number);
    if (kind == CORE_GET &&
        !(world->nodes[index].is_byzantine && byzantine_serve(world, node, from, number))) {
        serve(world, node, from, number);
    }
    if (kind == CORE_HANDOVER) {
        struct consensus_input input = {.kind = CONSENSUS_INPUT_HANDOVER};
        input.vote.height = number;
        input.vote.voter = node->registry->addresses[from];
        step(world, node, &input);
    }
}

static void local(struct world *world, uint32_t index, void *state, struct bytes message) {
    (void)index;
    struct core_node *node = state;
    if (be_read(message.data + 1, 8) != node->height + 1) return;
    struct consensus_input input = {.kind = CONSENSUS_INPUT_BUILT};
    const bool is_built = message.data[0] == CORE_BUILT;
    if (is_built) input.round = (uint32_t)be_read(message.data + 9, 4);
    memcpy(input.block.bytes, message.data + (is_built ? 13 : 9), 32);
    if (!is_built) {
        input.kind = CONSENSUS_INPUT_CHECKED;
        input.is_valid = message.data[41] == 1;
    }
    step(world, node, &input);
}

static void tick(struct world *world, uint32_t index, void *state) {
    struct core_node *node = state;
    const uint64_t now_ms = world_clock(world, index);
    if (now_ms >= node->status_at_ms) {
        node->status_at_ms = now_ms + STATUS_EVERY_MS;
        send_number(world, node, -1, CORE_STATUS, node->height);
        if (!world->nodes[index].is_up) return;
    }
    struct consensus_input input = {.kind = CONSENSUS_INPUT_TICK};
    step(world, node, &input);
}

const struct node_kind core_node_kind = {
    .name = "consensus",
    .faults = ((uint64_t)1 << FAULT_L1_OUTAGE) - 1,
    .faults_count = FAULT_DA_LATE,
    .counts_missing = {[COUNT_ITEMS_ACKNOWLEDGED] = true,
                       [COUNT_ITEMS_INCLUDED] = true,
                       [COUNT_BATCHES] = true,
                       [COUNT_BATCHES_SCANNED] = true,
                       [COUNT_DA_REFUSED] = true,
                       [COUNT_BLOBS_LATE] = true,
                       [COUNT_RECEIPTS_REPEATED] = true,
                       [COUNT_BLOCKS_JUDGED] = true,
                       [COUNT_L1_ASKED] = true,
                       [COUNT_L1_SENT] = true,
                       [COUNT_L1_REFUSED] = true,
                       [COUNT_L1_SETTLED] = true,
                       [COUNT_L1_REVERTED] = true,
                       [COUNT_L1_REORGED] = true,
                       [COUNT_L1_FINALIZED] = true,
                       [COUNT_OLD_RECORDS] = true,
                       [COUNT_SNAPSHOTS] = true,
                       [COUNT_SNAPSHOTS_BROKEN_OFF] = true,
                       [COUNT_SNAPSHOTS_RESUMED] = true,
                       [COUNT_SNAPSHOT_SERVERS_LEFT] = true,
                       [COUNT_BYZANTINE_SNAPSHOT] = true,
                       [COUNT_FORCED_REQUESTS] = true,
                       [COUNT_FORCED_INCLUDED] = true,
                       [COUNT_FORCED_REFUSED] = true,
                       [COUNT_BYZANTINE_CLAIMS] = true,
                       [COUNT_BYZANTINE_SPOILT] = true,
                       [COUNT_BYZANTINE_UNPROVEN] = true,
                       [COUNT_BYZANTINE_FORGED] = true,
                       [COUNT_INVALID_ROOT] = true,
                       [COUNT_INVALID_TRANSACTION] = true,
                       [COUNT_INVALID_GAS] = true,
                       [COUNT_INVALID_FRAME] = true,
                       [COUNT_INVALID_BEACON_ROOT] = true,
                       [COUNT_INVALID_TIME] = true,
                       [COUNT_INVALID_COMMIT] = true,
                       [COUNT_INVALID_SIZE] = true},
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
