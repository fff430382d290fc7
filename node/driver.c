/* The sequencer's thread: takes inputs in order, steps the machine, performs what it says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "node/log.h"
#include "node/node.h"
#include "pages/pages.h"
#include "threads/clock.h"

/* The status that other threads see is at most so old while the node is busy. */
#define STATUS_AGE_MAX_MS 20
/* What was signed is sent again so often.  Everybody sends to everybody: with many validators that
 * would be most of the traffic of a round that takes its time. */
#define RESEND_MS_MIN         1000
#define RESEND_MS_A_VALIDATOR 50

static struct input input_now(enum input_kind kind) {
    return (struct input){.kind = kind, .now_ms = monotonic_ms(), .unix_ms = unix_ms()};
}

static void share_status(struct node *node) {
    struct sequencer_status status;
    struct validator_set current, next;
    sequencer_status(node->sequencer, &status);
    sequencer_validators(node->sequencer, &current, &next);
    pthread_mutex_lock(&node->status_lock);
    node->status = status;
    node->validators = current;
    node->next_validators = next;
    pthread_mutex_unlock(&node->status_lock);
}

static void step(struct node *node, const struct input *input) {
    node->effects->count = 0;
    sequencer_step(node->sequencer, input, node->effects);
    effects_perform(node);
}

static void on_item(struct node *node, struct bytes header, struct bytes body) {
    struct driver_item carried;
    CHECK(header.size == sizeof carried);
    memcpy(&carried, header.data, sizeof carried);
    carried.item.encoded = body;
    struct input input = input_now(INPUT_ITEM);
    input.item.item = &carried.item;
    input.item.request = carried.request;
    input.item.peer = carried.peer;
    input.item.is_forced = carried.is_forced;
    input.item.has_more = queue_has_more(node->inputs, QUEUE_BULK);
    step(node, &input);
}

static void on_message(struct node *node, struct bytes header, struct bytes body) {
    const struct message_context context = {node->domain, node->batch_domain, node->recoverer};
    struct input input = input_now(INPUT_MESSAGE);
    CHECK(header.size == sizeof input.peer.peer);
    memcpy(&input.peer.peer, header.data, header.size);
    const enum verdict verdict = message_decode(&context, body, node->message);
    if (verdict != VERDICT_ACCEPTED) {
        atomic_fetch_add(&node->counters.bad_peers, 1);
        LOG(LOG_DEBUG, "p2p", "message refused: %s", verdict_text(verdict));
        return;
    }
    if (node->message->kind == MESSAGE_PROPOSAL) {
        decide_proposed(&node->counters.decide, node->message->height, monotonic_us());
    }
    input.peer.message = node->message;
    step(node, &input);
}

static void tell(struct node *node, const struct hash32 *peer, bool is_connected) {
    struct input input = input_now(INPUT_PEER);
    input.peer.peer = *peer;
    input.peer.is_connected = is_connected;
    node->peers_connected += is_connected ? 1 : 0;
    node->peers_connected -= !is_connected && node->peers_connected > 0 ? 1 : 0;
    step(node, &input);
}

static void on_peer(struct node *node, struct bytes header) {
    struct hash32 peer;
    CHECK(header.size == sizeof peer);
    memcpy(&peer, header.data, sizeof peer);
    const struct peer_change change = peer_events_take(&node->peer_events, &peer);
    if (change.has_left) tell(node, &peer, false);
    if (change.has_come) tell(node, &peer, true);
}

/* observe_commit measures the time since the block before. */
static void observe_commit(struct node *node, uint64_t height) {
    const uint64_t now = monotonic_us();
    const uint64_t per_rotation = node->config->rollup.blocks_per_rotation;
    const uint64_t gap = now - node->last_commit_us;
    const bool has_gap = node->last_commit_us != 0;
    node->last_commit_us = now;
    if (!has_gap) return;
    histogram_observe(&node->counters.block_time, gap);
    /* Blocks that are fetched come one right after the other: no handover is seen in them. */
    if (rotation_first(height, per_rotation) == height && !node->status.is_syncing) {
        histogram_observe(&node->counters.rotation_gap, gap);
    }
}

static void close_view(struct ledger_view *view) {
    if (view == NULL) return;
    ledger_view_close(view);
    free(view);
}

/* on_committed counts the block and swaps the view that the sequencer reads. */
static void on_committed(struct node *node, struct bytes header) {
    struct driver_committed carried;
    CHECK(header.size == sizeof carried);
    memcpy(&carried, header.data, sizeof carried);
    struct input input = input_now(INPUT_COMMITTED);
    input.committed.err = carried.err;
    input.committed.view = carried.view != NULL ? &carried.view->chain : &node->view->chain;
    if (carried.err != ERR_OK) {
        char what[256];
        snprintf(what, sizeof what, "data_dir: \"%.150s\": block %llu cannot be made durable",
                 node->options.data_dir, (unsigned long long)carried.outcome->height);
        node_fail(node, carried.err, what);
        return;
    }
    const uint64_t height = carried.outcome->height;
    observe_commit(node, height);
    decide_committed(&node->counters.decide, height, monotonic_us());
    atomic_fetch_add(&node->counters.transactions, carried.outcome->items_count);
    atomic_fetch_add(&node->counters.gas_used, carried.outcome->header.gas_used);
    step(node, &input);
    close_view(node->view);
    node->view = carried.view;
    share_status(node);
    if (node->rpc != NULL) rpc_block_committed(node->rpc, height);
}

static void on_executed(struct node *node, struct bytes header) {
    struct input input = input_now(INPUT_EXECUTED);
    CHECK(header.size == sizeof input.outcome);
    memcpy(&input.outcome, header.data, header.size);
    if (input.outcome->err != ERR_OK) {
        LOG(LOG_ERROR, "executor", "height %llu: %s", (unsigned long long)input.outcome->height,
            err_text(input.outcome->err));
    }
    step(node, &input);
}

/* on_l1 hands in a view; what it forces on us lies in the body, one after the other. */
static void on_l1(struct node *node, struct bytes header, struct bytes body) {
    static struct l1_facts facts; /* one driver */
    struct input input = input_now(INPUT_L1_VIEW);
    CHECK(header.size == sizeof facts);
    memcpy(&facts, header.data, sizeof facts);
    size_t at = 0;
    for (uint32_t i = 0; i < facts.forced_count; i++) {
        const size_t size = facts.forced[i].item.encoded.size;
        CHECK(size <= body.size - at);
        facts.forced[i].item.encoded = bytes_slice(body, at, at + size);
        at += size;
    }
    input.l1 = &facts;
    step(node, &input);
}

static void on_da(struct node *node, struct bytes header) {
    struct driver_da carried;
    CHECK(header.size == sizeof carried);
    memcpy(&carried, header.data, sizeof carried);
    struct input input = input_now(carried.first == 0 ? INPUT_DA_HEAD : INPUT_DA_RECEIPT);
    input.da.first = carried.first;
    input.da.last = carried.last;
    input.da.height = carried.height;
    input.da.commitment = carried.commitment;
    step(node, &input);
}

static void on_refused(struct node *node, struct bytes header) {
    struct rpc_submit_result result;
    CHECK(header.size == sizeof result);
    memcpy(&result, header.data, sizeof result);
    if (node->rpc != NULL) rpc_submitted(node->rpc, &result);
}

static void on_ask(struct node *node, struct bytes header) {
    struct driver_question *question;
    CHECK(header.size == sizeof question);
    memcpy(&question, header.data, sizeof question);
    question->answer(node->sequencer, question->context);
    pthread_mutex_lock(&node->status_lock);
    question->is_done = true;
    pthread_cond_broadcast(&node->answered);
    pthread_mutex_unlock(&node->status_lock);
}

void driver_refuse(struct node *node, struct bytes header) {
    struct driver_question *question;
    CHECK(header.size == sizeof question);
    memcpy(&question, header.data, sizeof question);
    pthread_mutex_lock(&node->status_lock);
    question->is_refused = question->is_done = true;
    pthread_cond_broadcast(&node->answered);
    pthread_mutex_unlock(&node->status_lock);
}

static void handle(struct node *node, uint32_t kind, struct bytes header, struct bytes body) {
    switch ((enum driver_kind)kind) {
    case DRIVER_ITEM: on_item(node, header, body); break;
    case DRIVER_MESSAGE: on_message(node, header, body); break;
    case DRIVER_PEER: on_peer(node, header); break;
    case DRIVER_L1: on_l1(node, header, body); break;
    case DRIVER_EXECUTED: on_executed(node, header); break;
    case DRIVER_COMMITTED: on_committed(node, header); break;
    case DRIVER_DA: on_da(node, header); break;
    case DRIVER_REFUSED: on_refused(node, header); break;
    case DRIVER_ASK: on_ask(node, header); break;
    case DRIVER_STOP: {
        const struct input input = input_now(INPUT_STOP);
        step(node, &input);
        break;
    }
    }
}

/* leave lets go of those who wait for answers. */
static void leave(struct node *node) {
    pthread_mutex_lock(&node->status_lock);
    node->is_driver_gone = true;
    pthread_cond_broadcast(&node->answered);
    pthread_mutex_unlock(&node->status_lock);
}

/* greet tells the sequencer who came while a snapshot was being taken. */
static void greet(struct node *node) {
    for (size_t i = 0; i < node->known_peers_count; i++) {
        const struct snapshot_known *known = &node->known_peers[i];
        tell(node, &known->id, true);
        if (!known->is_heard) continue;
        struct input input = input_now(INPUT_MESSAGE);
        node->message->kind = MESSAGE_STATUS;
        node->message->height = known->height;
        input.peer.peer = known->id;
        input.peer.message = node->message;
        step(node, &input);
    }
    free(node->known_peers);
    node->known_peers = NULL;
    node->known_peers_count = 0;
}

static void recall_item(struct node *node, const struct item *item) {
    struct input input = input_now(INPUT_ITEM);
    input.item.item = item;
    step(node, &input);
}

static void *driver_main(void *context) {
    struct node *node = context;
    uint64_t shared_ms = 0;
    greet(node);
    pool_keeper_recall(node, recall_item);
    while (!atomic_load(&node->is_stopped)) {
        uint32_t kind;
        struct bytes header, body;
        const uint64_t deadline = sequencer_deadline_ms(node->sequencer);
        if (queue_pop(node->inputs, deadline, &kind, &header, &body)) {
            handle(node, kind, header, body);
            queue_release(node->inputs);
        }
        const uint64_t now_ms = monotonic_ms();
        if (now_ms >= sequencer_deadline_ms(node->sequencer)) {
            const struct input tick = input_now(INPUT_TICK);
            step(node, &tick);
        }
        if (now_ms - shared_ms >= STATUS_AGE_MAX_MS) {
            share_status(node);
            shared_ms = now_ms;
        }
    }
    share_status(node);
    leave(node);
    return NULL;
}

enum err driver_push(struct node *node, enum queue_lane lane, enum driver_kind kind,
                     struct bytes header, struct bytes body) {
    if (!node->config->is_rollup) return ERR_UNSUPPORTED; /* an imported chain has no sequencer */
    const enum err err = queue_push(node->inputs, lane, kind, header, body);
    if (err == ERR_LIMIT) atomic_fetch_add(&node->counters.queue_full, 1);
    return err;
}

/* Behind the peer's messages, if there is room. */
void driver_push_peer(struct node *node, const struct hash32 *peer, bool is_connected) {
    if (!peer_events_note(&node->peer_events, peer, is_connected)) return;
    const struct bytes header = hash_bytes(peer);
    if (driver_push(node, QUEUE_URGENT, DRIVER_PEER, header, BYTES_EMPTY) != ERR_LIMIT) return;
    if (driver_push(node, QUEUE_INTERNAL, DRIVER_PEER, header, BYTES_EMPTY) == ERR_OK) return;
    peer_events_unannounce(&node->peer_events, peer);
}

void driver_push_message(struct node *node, const struct hash32 *peer, struct bytes message) {
    const enum err err = queue_push_from(node->inputs, QUEUE_URGENT, DRIVER_MESSAGE, peer,
                                         hash_bytes(peer), message);
    if (err == ERR_LIMIT) atomic_fetch_add(&node->counters.queue_full, 1);
}

enum err driver_ask(struct node *node, void (*answer)(struct sequencer *sequencer, void *context),
                    void *context) {
    struct driver_question question = {answer, context, false, false};
    const struct driver_question *pointer = &question;
    TRY(driver_push(node, QUEUE_URGENT, DRIVER_ASK, VALUE_BYTES(pointer), BYTES_EMPTY));
    pthread_mutex_lock(&node->status_lock);
    while (!question.is_done && !node->is_driver_gone) {
        pthread_cond_wait(&node->answered, &node->status_lock);
    }
    const bool is_done = question.is_done;
    pthread_mutex_unlock(&node->status_lock);
    if (!is_done) return ERR_STOPPED;
    return question.is_refused ? ERR_SYNCING : ERR_OK;
}

/* process_seed makes the order of hash tables something that no client can aim at. */
static uint64_t process_seed(void) {
    uint64_t seed;
    CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
    return seed;
}

static uint64_t resend_ms(const struct node *node) {
    const uint64_t all = (uint64_t)node->config->rollup.validators.count * RESEND_MS_A_VALIDATOR;
    return all > RESEND_MS_MIN ? all : RESEND_MS_MIN;
}

/* sequencer_settings maps the node's settings to the sequencer's. */
static struct sequencer_config sequencer_settings(struct node *node) {
    const struct settings *settings = node->options.settings;
    const struct consensus_timeouts timeouts = {
        .propose_ms = settings->timeout_propose_ms,
        .propose_delta_ms = settings->timeout_delta_ms,
        .prevote_ms = settings->timeout_vote_ms,
        .prevote_delta_ms = settings->timeout_delta_ms,
        .precommit_ms = settings->timeout_vote_ms,
        .precommit_delta_ms = settings->timeout_delta_ms,
        .resend_ms = resend_ms(node),
    };
    return (struct sequencer_config){
        .chain = node->config,
        .consensus = {.fault_model = node->config->rollup.fault_model,
                      .domain = node->domain,
                      .signer = node->signer,
                      .timeouts = timeouts},
        .batch_domain = node->batch_domain,
        .recoverer = node->recoverer,
        .limits = {.pool_items_max = (uint32_t)settings->pool_items_max,
                   .pool_bytes_max = settings->pool_bytes_max,
                   .pool_lane_items_max = (uint32_t)settings->pool_lane_items_max,
                   .sync_blocks_max = MESSAGE_BLOCKS_MAX},
        .idle_block_time_ms = settings->idle_block_time_ms,
        .is_interval_on_demand = node->options.is_on_demand,
        .fee_floor_wei = settings->pool_fee_min_wei,
        .batch_takeover_ms = settings->da_takeover_ms,
        .genesis_hash = node->ledger.genesis_hash,
        .archive = {&node->ledger, ledger_summary, ledger_rotation},
        .hash_seed = process_seed(),
    };
}

/* create_sequencer begins where the last run of this directory ended. */
static enum err create_sequencer(struct node *node, const struct sequencer_config *config,
                                 char error[512]) {
    const size_t bytes = 2 * (size_t)BLOCK_PACKAGE_BYTES_MAX;
    void *memory;
    struct sequencer_restore restore;
    TRY(memory_reserve(bytes, &memory));
    struct arena arena = arena_over(memory, bytes);
    enum err err = ledger_restore(&node->ledger, node->view, &arena, &restore, error);
    if (err == ERR_OK) {
        err = sequencer_create(node->sequencer_memory, node->sequencer_memory_bytes, config,
                               &restore, &node->sequencer);
    }
    pages_release(memory, bytes);
    return err;
}

enum err driver_start(struct node *node, char error[512]) {
    const struct sequencer_config config = sequencer_settings(node);
    const size_t bytes = sequencer_bytes(&config.limits);
    TRY(memory_reserve(bytes, &node->sequencer_memory));
    node->sequencer_memory_bytes = bytes;
    node->effects = calloc(1, sizeof *node->effects);
    node->message = calloc(1, sizeof *node->message);
    struct ledger_view *view = calloc(1, sizeof *view);
    if (view == NULL || node->effects == NULL || node->message == NULL) {
        free(view);
        return ERR_MEMORY;
    }
    const enum err err = ledger_view_open(&node->ledger, view);
    if (err != ERR_OK) {
        free(view);
        return err;
    }
    node->view = view;
    node->head_at_start = node->view->chain.head.number;
    TRY(create_sequencer(node, &config, error));
    TRY(pool_keeper_open(node, error));
    share_status(node);
    if (pthread_create(&node->driver, NULL, driver_main, node) != 0) return ERR_SYSTEM;
    node->has_driver = true;
    return ERR_OK;
}

/* drain gives back what committed blocks carried that nobody took. */
static void drain(struct queue *queue) {
    uint32_t kind;
    struct bytes header, body;
    while (queue_pop(queue, 0, &kind, &header, &body)) {
        struct driver_committed carried;
        if (kind == DRIVER_COMMITTED) {
            CHECK(header.size == sizeof carried);
            memcpy(&carried, header.data, sizeof carried);
            close_view(carried.view);
        }
        queue_release(queue);
    }
}

void driver_stop(struct node *node) {
    atomic_store(&node->is_stopped, true);
    if (node->inputs != NULL) queue_close(node->inputs); /* from here on pushes are refused */
    if (node->has_driver) pthread_join(node->driver, NULL);
    node->has_driver = false;
    leave(node); /* RPC may have asked before the thread was there */
    if (node->inputs != NULL) drain(node->inputs);
    pool_keeper_close(node);
    close_view(node->view);
    node->view = NULL;
    pages_release(node->sequencer_memory, node->sequencer_memory_bytes);
    node->sequencer_memory = NULL;
}
