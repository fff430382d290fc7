/* Performing what the sequencer said, in order: a PERSIST is durable before anything after it. */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "node/log.h"
#include "node/node.h"
#include "threads/clock.h"

/* A follower is told of blocks and fetches every other one: that is not worth a line each. */
#define FAR_BLOCKS 5

static enum p2p_lane lane_of(enum message_class class) {
    switch (class) {
    case MESSAGE_CLASS_CONSENSUS: return P2P_LANE_CONSENSUS;
    case MESSAGE_CLASS_ITEMS: return P2P_LANE_ITEMS;
    case MESSAGE_CLASS_SYNC: break;
    }
    return P2P_LANE_SYNC;
}

static void persist(struct node *node, const struct effect *effect) {
    const enum err err = effect->persist == PERSIST_RECORD
                             ? ledger_persist_record(&node->ledger, effect->bytes)
                             : ledger_persist_journal(&node->ledger, effect->bytes);
    if (err == ERR_OK) return;
    char what[256];
    snprintf(what, sizeof what, "data_dir: \"%.150s\": what was signed cannot be made durable",
             node->options.data_dir);
    node_fail(node, err, what);
}

static void settle(struct node *node, const struct settlement *settlement) {
    if (node->l1 == NULL) return;
    const enum err err = l1_submit_batch(node->l1, settlement);
    if (err == ERR_OK) atomic_fetch_add(&node->counters.settlements, 1);
    LOG(LOG_DEBUG, "l1", "settlement of blocks %llu to %llu: %s",
        (unsigned long long)settlement->batch.first, (unsigned long long)settlement->batch.last,
        err_text(err));
}

/* accuse has a double signature kept and punished. */
static void accuse(struct node *node, const struct effect *effect) {
    const struct vote *vote = effect->evidence[0];
    char address[43];
    atomic_fetch_add(&node->counters.evidence, 1);
    LOG(LOG_ERROR, "consensus", "validator %s signed twice at height %llu, round %u",
        hex_checksum_address(&vote->voter, address), (unsigned long long)vote->height, vote->round);
    evidence_keeper_add(node->keeper, vote, effect->evidence[1]);
}

static void reply(struct node *node, const struct effect *effect) {
    struct rpc_submit_result result = {.token = effect->request - 1, .verdict = effect->verdict};
    if (effect->item != NULL) result.hash = effect->item->hash;
    if (node->rpc != NULL) rpc_submitted(node->rpc, &result);
}

static enum log_level sync_level(const struct node *node, uint64_t block) {
    return block > node->sync_from + FAR_BLOCKS ? LOG_INFO : LOG_DEBUG;
}

static void event(struct node *node, const struct effect *effect) {
    const unsigned long long value = effect->value;
    switch (effect->event) {
    case EVENT_ROUND_TIMEOUT:
        LOG(LOG_WARN, "consensus", "round %llu failed: the next validator takes over", value);
        break;
    case EVENT_ROTATION:
        atomic_fetch_add(&node->counters.rotations, 1);
        LOG(LOG_INFO, "consensus", "rotation %llu begins", value);
        break;
    case EVENT_SYNC_BEGIN:
        atomic_fetch_add(&node->counters.syncs, 1);
        node->sync_from = node->status.head_height;
        LOG(sync_level(node, value), "sync", "behind: fetching blocks up to %llu", value);
        break;
    case EVENT_SYNC_END:
        LOG(sync_level(node, value), "sync", "caught up at block %llu", value);
        break;
    case EVENT_BAD_PEER:
        atomic_fetch_add(&node->counters.bad_peers, 1);
        LOG(LOG_DEBUG, "p2p", "peer sent what no correct node sends: %s",
            effect->text != NULL ? effect->text : "");
        break;
    case EVENT_BLOCK_INVALID:
        atomic_fetch_add(&node->counters.blocks_invalid, 1);
        LOG(LOG_WARN, "consensus", "refused a proposed block: %s",
            effect->text != NULL ? effect->text : "invalid");
        break;
    case EVENT_HALTED:
        LOG(LOG_ERROR, "consensus", "halted: %s", effect->text != NULL ? effect->text : "");
        node_fail(node, ERR_STORAGE, "the sequencer halted");
        break;
    case EVENT_RECORD_STALE:
        LOG(LOG_ERROR, "consensus", "nothing is signed up to block %llu: %s", value,
            effect->text != NULL ? effect->text : "");
        break;
    case EVENT_ORIGIN_STALE:
        atomic_fetch_add(&node->counters.origin_stale, 1);
        LOG(LOG_WARN, "l1", "the rotation keeps its L1 origin %llu: L1 gives no newer one", value);
        break;
    }
}

static void broadcast(struct node *node, const struct effect *effect) {
    const struct hash32 *except = hash_is_zero(&effect->peer) ? NULL : &effect->peer;
    uint64_t peers_count = node->peers_connected;
    if (node->p2p == NULL) return;
    if (except != NULL && peers_count > 0) peers_count -= 1;
    decide_proposal_seen(&node->counters.decide, effect->bytes, monotonic_us());
    traffic_sent(&node->counters.traffic, effect->bytes, peers_count);
    p2p_queue_all(node->p2p, lane_of(effect->class), effect->bytes, except);
}

/* What is sent in a row leaves together. */
static bool is_sending(const struct effect *effect) {
    return effect->kind == EFFECT_SEND || effect->kind == EFFECT_BROADCAST;
}

/* is_telling: others may learn from it that an item is held here. */
static bool is_telling(const struct effect *effect) {
    return is_sending(effect) || effect->kind == EFFECT_REPLY;
}

/* is_quick: messages may wait for it. */
static bool is_quick(const struct effect *effect) {
    return is_sending(effect) || effect->kind == EFFECT_REPLY || effect->kind == EFFECT_ADMITTED;
}

static void perform(struct node *node, const struct effect *effect) {
    enum err err = ERR_OK;
    switch (effect->kind) {
    case EFFECT_PERSIST: persist(node, effect); break;
    case EFFECT_SEND:
        if (node->p2p == NULL) break;
        traffic_sent(&node->counters.traffic, effect->bytes, 1);
        p2p_queue(node->p2p, &effect->peer, lane_of(effect->class), effect->bytes);
        break;
    case EFFECT_BROADCAST: broadcast(node, effect); break;
    case EFFECT_EXECUTE: err = executing_run(node->executing, effect->job); break;
    case EFFECT_COMMIT:
        err = executing_commit(node->executing, effect->slot, effect->commit);
        break;
    case EFFECT_SERVE: workers_serve(node, &effect->peer, effect->first, effect->last); break;
    case EFFECT_PUBLISH: workers_publish(node, effect); break;
    case EFFECT_PUBLISH_CANCEL:
        if (node->da != NULL) da_publish_cancel(node->da, effect->first);
        break;
    case EFFECT_VERIFY_DA:
        workers_verify_da(node, effect->first, effect->last, effect->da_height,
                          &effect->commitment);
        break;
    case EFFECT_ASK_L1:
        if (node->l1 != NULL) l1_ask(node->l1, effect->value);
        break;
    case EFFECT_SETTLE: settle(node, effect->settlement); break;
    case EFFECT_EVIDENCE: accuse(node, effect); break;
    case EFFECT_REPLY: reply(node, effect); break;
    case EFFECT_ADMITTED:
        pool_keeper_take(node, effect->item);
        if (node->rpc == NULL) break;
        rpc_item_admitted(node->rpc, &effect->item->hash, effect->item->encoded);
        break;
    case EFFECT_EVENT: event(node, effect); break;
    case EFFECT_STOPPED: atomic_store(&node->is_stopped, true); break;
    }
    if (err != ERR_OK) node_fail(node, err, "the executor cannot take a job");
}

void effects_perform(struct node *node) {
    bool is_queued = false;
    for (size_t i = 0; i < node->effects->count; i++) {
        const struct effect *effect = &node->effects->list[i];
        if (atomic_load(&node->failure) != ERR_OK) return; /* nothing leaves after a failure */
        if (is_queued && !is_quick(effect)) {
            p2p_flush(node->p2p);
            is_queued = false;
        }
        if (is_telling(effect)) pool_keeper_flush(node);
        perform(node, effect);
        is_queued |= node->p2p != NULL && is_sending(effect);
    }
    if (is_queued) p2p_flush(node->p2p);
}
