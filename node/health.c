/* Whether this node should get traffic, and what it says of itself. */
#include <stdio.h>

#include "node/node.h"
#include "node/version.h"
#include "threads/clock.h"

/* A node further behind than this is not ready. */
#define READY_LAG_BLOCKS 5
/* Without a commit for so many block times (and READY_SILENCE_MS) the quorum is not seen. */
#define READY_SILENCE_BLOCKS 10
#define READY_SILENCE_MS     5000
/* A peer of another chain is spoken of for so long: peers connect again within this time. */
#define OTHER_CHAIN_MS 60000

static struct sequencer_status status_of(struct node *node) {
    pthread_mutex_lock(&node->status_lock);
    const struct sequencer_status status = node->status;
    pthread_mutex_unlock(&node->status_lock);
    return status;
}

static uint64_t silence_max_ms(const struct node *node) {
    const uint64_t idle = node->options.settings->idle_block_time_ms;
    const uint64_t block = node->config->rollup.block_time_ms;
    return READY_SILENCE_MS + READY_SILENCE_BLOCKS * (idle > block ? idle : block);
}

/* sees_other_chain: a validator with another genesis or protocol knocked lately. */
static bool sees_other_chain(struct node *node, uint64_t now_ms) {
    const uint64_t seen_ms = atomic_load(&node->other_chain_ms);
    return seen_ms != 0 && now_ms - seen_ms < OTHER_CHAIN_MS;
}

/* read_start says how far a node is that does not run yet. */
static void read_start(struct node *node, struct rpc_health *out) {
    struct snapshot_status snapshot;
    *out = (struct rpc_health){.reason = "starting"};
    if (!snapshot_taking(node, &snapshot)) return;
    const uint64_t head = node->ledger.store != NULL ? store_head(node->ledger.store).number : 0;
    out->is_syncing = true;
    out->starting_block = out->current_block = head;
    out->highest_block = head;
    if (snapshot.pivot_height > out->highest_block) out->highest_block = snapshot.pivot_height;
    if (snapshot.highest_seen > out->highest_block) out->highest_block = snapshot.highest_seen;
    if (snapshot.stage == SNAPSHOT_FIND) {
        snprintf(out->reason, sizeof out->reason, "asking peers how far they are");
    } else {
        snprintf(out->reason, sizeof out->reason, "taking a snapshot: %u %%", snapshot.percent);
    }
}

void health_read(struct node *node, struct rpc_health *out) {
    const struct sequencer_status status = status_of(node);
    const uint64_t now_ms = monotonic_ms();
    const uint64_t lag =
        status.highest_seen > status.head_height ? status.highest_seen - status.head_height : 0;
    const uint64_t last_ms =
        status.quorum_seen_ms > node->started_ms ? status.quorum_seen_ms : node->started_ms;
    if (!atomic_load(&node->is_started)) { /* what follows is not there yet */
        read_start(node, out);
        return;
    }
    *out = (struct rpc_health){
        .is_ready = true,
        .is_syncing = status.is_syncing,
        .starting_block = node->head_at_start,
        .current_block = status.head_height,
        .highest_block = lag > 0 ? status.highest_seen : status.head_height,
        .peers_count = node->p2p != NULL ? p2p_counters(node->p2p).peers_connected : 0,
    };
    if (atomic_load(&node->failure) != ERR_OK) {
        snprintf(out->reason, sizeof out->reason, "failed: %s",
                 err_text((enum err)atomic_load(&node->failure)));
    } else if (atomic_load(&node->is_stopping)) {
        snprintf(out->reason, sizeof out->reason, "stopping");
    } else if (lag > READY_LAG_BLOCKS) {
        snprintf(out->reason, sizeof out->reason, "%s: %llu blocks behind",
                 status.is_syncing ? "syncing" : "behind", (unsigned long long)lag);
    } else if (node->config->is_rollup && !node->options.is_on_demand &&
               now_ms - last_ms > silence_max_ms(node)) {
        snprintf(out->reason, sizeof out->reason, "no quorum seen for %llu s%s",
                 (unsigned long long)((now_ms - last_ms) / 1000),
                 sees_other_chain(node, now_ms) ? "; a peer runs another genesis or protocol" : "");
    } else if (status.quorum_seen_ms == 0 && sees_other_chain(node, now_ms)) {
        snprintf(out->reason, sizeof out->reason,
                 "no quorum seen: a peer runs another genesis or protocol");
    }
    if (out->reason[0] == '\0' && status.silent_until != 0) {
        snprintf(out->reason, sizeof out->reason,
                 "the record of what was signed is old (an old data directory, or a second process "
                 "with this key): nothing is signed up to block %llu",
                 (unsigned long long)status.silent_until);
    }
    out->is_ready = out->reason[0] == '\0';
}

static void quantity(struct json_writer *json, const char *key, uint64_t value) {
    json_key(json, key);
    json_quantity(json, value);
}

static void write_outside(struct node *node, const struct sequencer_status *status,
                          struct json_writer *json) {
    json_key(json, "l1");
    if (node->l1 != NULL) {
        const struct l1_status l1 = l1_status(node->l1);
        json_object_begin(json);
        json_key(json, "reachable");
        json_bool(json, l1.is_reachable);
        quantity(json, "finalizedBlock", l1.finalized_number);
        quantity(json, "headBlock", l1.head_number);
        quantity(json, "originBlock", status->l1_number);
        json_object_end(json);
    } else {
        json_write_null(json);
    }
    json_key(json, "da");
    if (node->da != NULL) {
        const struct da_publisher_status da = da_publisher_status(node->da);
        json_object_begin(json);
        json_key(json, "reachable");
        json_bool(json, da.is_reachable);
        quantity(json, "head", da.head);
        quantity(json, "publishedBlock", status->published_block);
        quantity(json, "pendingBatches", status->batches_pending);
        json_object_end(json);
    } else {
        json_write_null(json);
    }
}

void status_write(struct node *node, struct json_writer *json) {
    const struct sequencer_status status = status_of(node);
    struct rpc_health health;
    health_read(node, &health);
    json_object_begin(json);
    json_key(json, "version");
    json_write_string(json, BATON_CLIENT_VERSION);
    json_key(json, "ready");
    json_bool(json, health.is_ready);
    json_key(json, "reason");
    json_write_string(json, health.reason);
    quantity(json, "chainId", node->config->chain_id);
    json_key(json, "genesisHash");
    json_hash(json, &node->ledger.genesis_hash);
    quantity(json, "height", status.head_height);
    quantity(json, "highestSeen", health.highest_block);
    json_key(json, "syncing");
    json_bool(json, status.is_syncing);
    json_key(json, "validator");
    json_bool(json, status.is_validator);
    json_key(json, "address");
    json_address(json, &node->signer.address);
    json_key(json, "peerId");
    json_hash(json, &node->options.peer_key.public_key);
    json_key(json, "proposer");
    json_address(json, &status.proposer);
    json_key(json, "isProposer");
    json_bool(json, status.is_proposer);
    quantity(json, "rotation", status.rotation);
    quantity(json, "round", status.round);
    quantity(json, "peers", health.peers_count);
    json_key(json, "sawOtherChain");
    json_bool(json, sees_other_chain(node, monotonic_ms()));
    quantity(json, "transactions", atomic_load(&node->counters.transactions));
    quantity(json, "poolPending", status.pool_pending);
    quantity(json, "poolQueued", status.pool_queued);
    quantity(json, "safeBlock", status.published_block);
    quantity(json, "finalizedBlock", status.settled_block);
    write_outside(node, &status, json);
    json_object_end(json);
}
