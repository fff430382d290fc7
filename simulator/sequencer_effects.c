/* A step of a node's sequencer, and what it asks for: written, sent, executed, told to the
 * checkers.
 */
#include "base/check.h"
#include "base/rlp.h"
#include "chain/block.h"
#include "consensus/rotation.h"
#include "simulator/owned.h"
#include "simulator/sequencer_node.h"

static _Thread_local struct effects effects;
static _Thread_local struct message message;
static _Thread_local uint8_t *encode_memory;

/* --- what goes to the disk */

static void perform_persist(struct world *world, struct sequencer_node *node,
                            const struct effect *effect) {
    const uint64_t cut = random_next(&world->node_random);
    if (effect->persist == PERSIST_JOURNAL) {
        disk_record_write(&node->journal, effect->bytes, world_write(world, node->index), cut);
        return;
    }
    static _Thread_local struct consensus_record record;
    struct bytes rest = effect->bytes, item;
    CHECK(rlp_read_item(&rest, &item) == ERR_OK);
    CHECK(consensus_record_decode(item, &record) == ERR_OK);
    record.prevote.voter = node->own;
    checker_prevoted(world, node->index, &record.prevote);
    /* What follows the record stays until something else follows one. */
    uint8_t *data = thread_buffer(&encode_memory, MESSAGE_BYTES_MAX);
    struct buffer out = buffer_over(data, MESSAGE_BYTES_MAX);
    buffer_append(&out, item);
    buffer_append(&out, rest.size != 0 ? rest : node->record_package);
    const enum write_fate fate = world_write(world, node->index);
    disk_record_write(&node->record, buffer_bytes(&out), fate, cut);
    if (fate != WRITE_DONE) return;
    node->durable = record;
    if (rest.size != 0) {
        owned_free(&node->record_package);
        node->record_package = owned_copy(rest);
    }
}

static void perform_commit(struct world *world, struct sequencer_node *node,
                           const struct effect *effect) {
    const struct block_outcome *outcome = &node->outcomes[effect->slot];
    const uint64_t height = outcome->height;
    const uint64_t per = node->registry->blocks_per_rotation;
    CHECK(height == node->view.head.number + 1);
    const struct sim_block block = {.height = height,
                                    .round = outcome->frame.round,
                                    .proposer = outcome->frame.proposer,
                                    .parent = outcome->header.parent_hash,
                                    .is_valid = true,
                                    .origin = outcome->frame.l1_number};
    const uint64_t blocks_before = world->counts[COUNT_BLOCKS];
    if (!world->nodes[node->index].is_byzantine) {
        checker_commit(world, node->index, &outcome->hash, &block, effect->commit);
    }
    if (world->counts[COUNT_BLOCKS] != blocks_before) {
        sequencer_judge(world, node->index, outcome->package);
        sequencer_included(world, outcome);
        sequencer_forced_committed(world, node, outcome);
    }
    const enum write_fate fate = world_write(world, node->index);
    if (fate != WRITE_DONE && fate != WRITE_DONE_CRASHED) return;
    sequencer_node_reserve(node, height, rotation_of(height, per) + 2);
    CHECK(kv_memory_apply(node->kv, outcome->writes, outcome->writes_count) == ERR_OK);
    uint8_t memory[COMMIT_BYTES_MAX];
    struct buffer out = buffer_over(memory, sizeof memory);
    commit_encode(effect->commit, &out);
    node->chain[height] = (struct sequencer_block){.package = owned_copy(outcome->package),
                                                   .commit = owned_copy(buffer_bytes(&out)),
                                                   .hash = outcome->hash,
                                                   .state_root = outcome->header.state_root,
                                                   .proposer = outcome->frame.proposer,
                                                   .l1_number = outcome->frame.l1_number};
    node->view.head = outcome->header;
    node->view.head_hash = outcome->hash;
    node->view.head_frame = outcome->frame;
    if (outcome->next_validators.count != 0) {
        node->sets[rotation_of(height, per) + 1] = outcome->next_validators;
    }
    sequencer_snapshot_keep(world, node);
    const uint8_t data[1] = {LOCAL_COMMITTED};
    if (fate == WRITE_DONE) world_local(world, node->index, 1, BYTES_OF(data));
}

/* --- what goes to others */

/* check_sent looks into a message that leaves for a signature of ours. */
static void check_sent(struct world *world, struct sequencer_node *node, struct bytes bytes) {
    if (bytes.data[0] != MESSAGE_VOTE && bytes.data[0] != MESSAGE_PROPOSAL) return;
    const struct sequencer_shared *shared = world->shared;
    const struct message_context context = {node->registry->domain, shared->batch_domain,
                                            registry_recoverer_of(node->registry)};
    CHECK(message_decode(&context, bytes, &message) == VERDICT_ACCEPTED);
    const struct vote *vote = &message.vote;
    world_trace_hash(world, vote_kind_name(vote->kind), node->index,
                     vote->height << 16 | vote->round, &vote->block);
    if (!address_equal(&vote->voter, &node->own)) return;
    checker_signed(world, node->index, vote, node->durable.height, node->durable.round,
                   node->durable.step);
}

static void transmit(struct world *world, struct sequencer_node *node, uint32_t to,
                     struct bytes bytes) {
    if (to == node->index || !world_effect(world, node->index)) return;
    if (world->nodes[node->index].is_byzantine) {
        sequencer_byzantine_send(world, node, to, bytes);
    } else {
        world_send(world, node->index, to, bytes);
    }
}

int sequencer_node_of(const struct sequencer_node *node, const struct hash32 *peer) {
    for (uint32_t i = 0; i < node->registry->nodes_count; i++) {
        if (hash_equal(&node->registry->peer_ids[i], peer)) return (int)i;
    }
    return -1;
}

static void perform_send(struct world *world, struct sequencer_node *node,
                         const struct effect *effect) {
    const int peer = sequencer_node_of(node, &effect->peer);
    if (!world->nodes[node->index].is_byzantine) check_sent(world, node, effect->bytes);
    if (effect->kind == EFFECT_SEND) {
        if (peer >= 0) transmit(world, node, (uint32_t)peer, effect->bytes);
        return;
    }
    for (uint32_t to = 0; to < world->nodes_count; to++) {
        if ((int)to != peer) transmit(world, node, to, effect->bytes);
    }
}

static void perform_serve(struct world *world, struct sequencer_node *node,
                          const struct effect *effect) {
    const int peer = sequencer_node_of(node, &effect->peer);
    if (peer < 0) return;
    memset(&message, 0, sizeof message);
    message.kind = MESSAGE_BLOCKS;
    for (uint64_t height = effect->first;
         height <= effect->last && message.count < MESSAGE_BLOCKS_MAX; height++) {
        CHECK(height <= node->view.head.number);
        if (node->chain[height].package.size == 0) break; /* before a snapshot */
        message.blocks[message.count].package = node->chain[height].package;
        message.blocks[message.count].commit = node->chain[height].commit;
        message.count++;
    }
    struct buffer out =
        buffer_over(thread_buffer(&encode_memory, MESSAGE_BYTES_MAX), MESSAGE_BYTES_MAX);
    message_encode(&message, &out);
    CHECK(!out.overflow);
    transmit(world, node, (uint32_t)peer, buffer_bytes(&out));
}

/* --- execution, and what the checkers hear of */

static void perform_execute(struct world *world, struct sequencer_node *node,
                            const struct effect *effect) {
    const struct block_job *job = effect->job;
    struct block_outcome *outcome = &node->outcomes[job->slot];
    executor_run(node->executor, job, outcome);
    if (outcome->err != ERR_OK) {
        world_fail(world, "execution", "node %u, height %llu: %s", node->index,
                   (unsigned long long)job->height, err_text(outcome->err));
        return;
    }
    const bool is_valid = job->kind == JOB_BUILD || outcome->verdict == VERDICT_ACCEPTED;
    if (is_valid && !world->nodes[node->index].is_byzantine) checker_made(world, &outcome->hash);
    world_trace_hash(world, is_valid ? "executed" : "refused", node->index, job->height,
                     &outcome->hash);
    const uint8_t data[2] = {LOCAL_EXECUTED, (uint8_t)job->slot};
    const struct node *at = &world->nodes[node->index];
    const bool is_late = job->kind == JOB_BUILD && at->is_build_late;
    world_local(world, node->index, at->execution_ms + (is_late ? 3000 : 0), BYTES_OF(data));
}

static void perform_evidence(struct world *world, struct sequencer_node *node,
                             const struct effect *effect) {
    world_count(world, COUNT_RULE_EVIDENCE);
    if (world->nodes[node->index].is_byzantine) return;
    checker_evidence(world, node->index, effect->evidence[0], effect->evidence[1]);
}

static void perform_event(struct world *world, struct sequencer_node *node,
                          const struct effect *effect) {
    world_trace(world, "event", node->index, (uint64_t)effect->event, effect->value);
    if (effect->text != NULL) world_trace(world, effect->text, node->index, 0, 0);
    if (effect->event == EVENT_ROUND_TIMEOUT) world_count(world, COUNT_RULE_ROUND_TIMEOUT);
    if (effect->event == EVENT_SYNC_END) world_count(world, COUNT_BLOCKS_SYNCED);
    if (effect->event == EVENT_BLOCK_INVALID && effect->text != NULL &&
        strstr(effect->text, "what L1 forces") != NULL) {
        world_count(world, COUNT_FORCED_REFUSED);
    }
    if (effect->event == EVENT_RECORD_STALE && node->durable.height <= node->signed_before) {
        if (!node->is_found_out) world_count(world, COUNT_OLD_RECORDS);
        node->is_found_out = true;
    } else if (effect->event == EVENT_RECORD_STALE && !world->nodes[node->index].is_byzantine) {
        world_fail(world, "progress", "node %u takes its own record for an old one", node->index);
    }
    if (effect->event == EVENT_HALTED && !world->nodes[node->index].is_byzantine) {
        world_fail(world, "progress", "node %u halts: %s", node->index, effect->text);
    }
}

static void perform_one(struct world *world, struct sequencer_node *node,
                        const struct effect *effect) {
    switch (effect->kind) {
    case EFFECT_PERSIST: perform_persist(world, node, effect); break;
    case EFFECT_SEND:
    case EFFECT_BROADCAST: perform_send(world, node, effect); break;
    case EFFECT_EXECUTE: perform_execute(world, node, effect); break;
    case EFFECT_COMMIT: perform_commit(world, node, effect); break;
    case EFFECT_SERVE: perform_serve(world, node, effect); break;
    case EFFECT_PUBLISH: sequencer_da_perform(world, node, effect); break;
    case EFFECT_PUBLISH_CANCEL: node->publisher.effect.first = 0; break;
    case EFFECT_VERIFY_DA: sequencer_da_verify(world, node, effect); break;
    case EFFECT_EVIDENCE: perform_evidence(world, node, effect); break;
    case EFFECT_REPLY:
        sequencer_acknowledged(world, node->index, effect->request, effect->verdict);
        break;
    case EFFECT_EVENT: perform_event(world, node, effect); break;
    case EFFECT_STOPPED: world_stopped(world, node->index); break;
    case EFFECT_ASK_L1: node->l1_asked = effect->value; break;
    case EFFECT_SETTLE: sequencer_l1_settle(world, node, effect->settlement); break;
    case EFFECT_ADMITTED: break;
    }
}

void sequencer_node_input(struct world *world, struct sequencer_node *node, struct input *input) {
    if (node->sequencer == NULL) return; /* it takes a snapshot */
    input->now_ms = world_clock(world, node->index);
    input->unix_ms = (uint64_t)((int64_t)(node->wall_offset_ms + world->now_ms) +
                                world_wall_error_ms(world, node->index));
    effects.count = 0;
    sequencer_step(node->sequencer, input, &effects);
    sequencer_check_invariants(node->sequencer);
    for (size_t i = 0; i < effects.count; i++) {
        const struct effect *effect = &effects.list[i];
        const bool is_write = effect->kind == EFFECT_PERSIST || effect->kind == EFFECT_COMMIT;
        if (!world->nodes[node->index].is_up) return;
        if (!is_write && !world_effect(world, node->index)) return;
        perform_one(world, node, effect);
    }
}
