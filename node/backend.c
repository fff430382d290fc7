/* The RPC backend: views, the pool, and what the node says of itself. */
#include "node/backend.h"

#include <stdlib.h>
#include <string.h>

#include "base/keccak.h"
#include "node/version.h"
#include "threads/clock.h"

static enum err view_open(void *context, struct rpc_view **out) {
    struct node *node = context;
    struct rpc_view *view = malloc(sizeof *view);
    if (view == NULL) return ERR_MEMORY;
    view->node = node;
    const enum err err = store_view_open(node->ledger.store, &view->view);
    if (err != ERR_OK) {
        free(view);
        return err;
    }
    const uint64_t latest = store_view_head(view->view).number;
    view->tags = (struct rpc_tags){latest, latest, latest, 0};
    if (node->config->is_rollup && node->config->rollup.l1_chain_id != 0) {
        pthread_mutex_lock(&node->status_lock);
        const uint64_t safe = node->status.published_block;
        const uint64_t finalized = node->status.settled_block;
        pthread_mutex_unlock(&node->status_lock);
        view->tags.safe = safe < latest ? safe : latest;
        view->tags.finalized = finalized < latest ? finalized : latest;
    }
    *out = view;
    return ERR_OK;
}

static void view_close(struct rpc_view *view) {
    store_view_close(view->view);
    free(view);
}

static void tags(struct rpc_view *view, struct rpc_tags *out) {
    *out = view->tags;
    out->earliest = store_history_first(view->view);
}

/* Arguments and result of one question to the sequencer. */
struct question {
    const struct address *lane;
    const struct hash32 *hash;
    struct arena *arena;
    uint64_t committed, next;
    struct bytes encoded;
    enum err err;
    struct bytes *pending, *queued;
    size_t pending_count, queued_count, max;
};

static void answer_nonce(struct sequencer *sequencer, void *context) {
    struct question *question = context;
    question->next = sequencer_pool_next_sequence(sequencer, question->lane, question->committed);
}

/* committed_nonce reads an account's nonce at the newest head. */
static enum err committed_nonce(struct node *node, const struct address *address, uint64_t *out) {
    struct store_view *view;
    struct store_state state;
    struct account account = {.nonce = 0};
    TRY(store_view_open(node->ledger.store, &view));
    store_state_latest(view, &state);
    const struct hash32 key = keccak256(address_bytes(address));
    struct bytes value;
    const bool is_loading = store_is_loading(view);
    enum err err =
        is_loading ? ERR_SYNCING
                   : state.reader.get(state.reader.context, KV_ACCOUNTS, hash_bytes(&key), &value);
    if (err == ERR_OK) err = account_decode(value, &account);
    store_view_close(view);
    if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
    *out = account.nonce;
    return ERR_OK;
}

/* A block that commits between the two questions takes its items out of the pool: the account is
 * read again, so that what the pool has given up is then in the account. */
static enum err pending_nonce(void *context, const struct address *address, uint64_t *out) {
    struct node *node = context;
    uint64_t before, after;
    TRY(committed_nonce(node, address, &before));
    if (!node->config->is_rollup) {
        *out = before;
        return ERR_OK;
    }
    struct question question = {.lane = address, .committed = before};
    TRY(driver_ask(node, answer_nonce, &question));
    TRY(committed_nonce(node, address, &after));
    *out = question.next > after ? question.next : after;
    return ERR_OK;
}

static void answer_find(struct sequencer *sequencer, void *context) {
    struct question *question = context;
    const struct item *item = sequencer_pool_find(sequencer, question->hash);
    question->err = item == NULL ? ERR_NOT_FOUND : ERR_OK;
    if (item != NULL && !arena_copy(question->arena, item->encoded, &question->encoded)) {
        question->err = ERR_LIMIT;
    }
}

static enum err pool_find(void *context, const struct hash32 *hash, struct arena *arena,
                          struct bytes *encoded) {
    const struct node *node = context;
    struct question question = {.hash = hash, .arena = arena};
    if (!node->config->is_rollup) return ERR_NOT_FOUND;
    TRY(driver_ask(context, answer_find, &question));
    if (question.err == ERR_OK) *encoded = question.encoded;
    return question.err;
}

static void pool_status(void *context, uint32_t *pending, uint32_t *queued) {
    struct node *node = context;
    pthread_mutex_lock(&node->status_lock);
    *pending = node->status.pool_pending;
    *queued = node->status.pool_queued;
    pthread_mutex_unlock(&node->status_lock);
}

static bool collect(void *context, const struct item *item, bool is_pending) {
    struct question *question = context;
    if (question->lane != NULL && !address_equal(question->lane, &item->lane)) return true;
    struct bytes copy;
    if (question->pending_count + question->queued_count == question->max ||
        !arena_copy(question->arena, item->encoded, &copy)) {
        question->err = ERR_LIMIT;
        return false;
    }
    if (is_pending) {
        question->pending[question->pending_count++] = copy;
    } else {
        question->queued[question->queued_count++] = copy;
    }
    return true;
}

static void answer_content(struct sequencer *sequencer, void *context) {
    sequencer_pool_visit(sequencer, context, collect);
}

static enum err pool_content(void *context, const struct address *lane, struct arena *arena,
                             const struct bytes **pending, size_t *pending_count,
                             const struct bytes **queued, size_t *queued_count) {
    struct node *node = context;
    struct question question = {.lane = lane, .arena = arena};
    question.max = node->options.settings->pool_items_max;
    question.pending = arena_array(arena, question.max, sizeof *question.pending);
    question.queued = arena_array(arena, question.max, sizeof *question.queued);
    if (question.pending == NULL || question.queued == NULL) return ERR_LIMIT;
    if (node->config->is_rollup) TRY(driver_ask(node, answer_content, &question));
    if (question.err != ERR_OK) return question.err;
    *pending = question.pending;
    *pending_count = question.pending_count;
    *queued = question.queued;
    *queued_count = question.queued_count;
    return ERR_OK;
}

/* submit recovers the sender here, on the RPC's thread, and lets the sequencer decide. */
static enum err submit(void *context, uint64_t token, struct bytes raw) {
    struct node *node = context;
    uint8_t memory[8192 + 2 * ITEM_BYTES_MAX];
    struct arena arena = arena_over(memory, sizeof memory);
    struct driver_item carried = {.request = token + 1}; /* 0 stands for a peer */
    const struct workload *evm = workload_by_kind(WORKLOAD_KIND_EVM);
    const enum fork fork = fork_at(node->config, UINT64_MAX - 1, unix_ms() / 1000);
    const enum verdict verdict = atomic_load(&node->is_stopping)
                                     ? VERDICT_BUSY
                                     : evm->inspect(node->config, fork, raw, &arena, &carried.item);
    if (verdict == VERDICT_ACCEPTED) {
        return driver_push(node, QUEUE_BULK, DRIVER_ITEM, VALUE_BYTES(carried),
                           carried.item.encoded);
    }
    const struct rpc_submit_result result = {token, verdict, keccak256(raw)};
    return driver_push(node, QUEUE_BULK, DRIVER_REFUSED, VALUE_BYTES(result), BYTES_EMPTY);
}

static void health(void *context, struct rpc_health *out) {
    health_read(context, out);
}
static void status_json(void *context, struct json_writer *json) {
    status_write(context, json);
}
static void metrics(void *context, struct buffer *out) {
    metrics_write(context, out);
}

static void write_set(struct json_writer *json, const struct validator_set *set) {
    json_array_begin(json);
    for (uint32_t i = 0; i < set->count; i++) {
        json_object_begin(json);
        json_key(json, "address");
        json_address(json, &set->validators[i].address);
        json_key(json, "peerId");
        json_hash(json, &set->validators[i].peer_id);
        json_key(json, "power");
        json_quantity(json, set->validators[i].power);
        json_key(json, "priority");
        json_number(json, set->validators[i].priority);
        json_object_end(json);
    }
    json_array_end(json);
}

static void validators_json(void *context, struct json_writer *json) {
    struct node *node = context;
    pthread_mutex_lock(&node->status_lock);
    const struct validator_set current = node->validators, next = node->next_validators;
    const struct sequencer_status status = node->status;
    pthread_mutex_unlock(&node->status_lock);
    json_object_begin(json);
    json_key(json, "rotation");
    json_quantity(json, status.rotation);
    json_key(json, "totalPower");
    json_quantity(json, status.power_total);
    json_key(json, "quorumPower");
    json_quantity(json, quorum_power(node->config->rollup.fault_model, status.power_total));
    json_key(json, "validators");
    write_set(json, &current);
    json_key(json, "next");
    write_set(json, &next);
    json_object_end(json);
}

/* What evidence_visit carries. */
struct evidence_list {
    struct json_writer *json;
    struct evidence_domain domain;
};

static bool write_evidence(void *context, const struct evidence *evidence) {
    struct evidence_list *list = context;
    evidence_write(evidence, &list->domain, list->json);
    return true;
}

static enum err evidence_json(void *context, struct json_writer *json) {
    const struct node *node = context;
    const struct rollup_config *rollup = &node->config->rollup;
    const uint64_t chain_id =
        rollup->l1_chain_id != 0 ? rollup->l1_chain_id : node->config->chain_id;
    struct evidence_list list = {json, {chain_id, rollup->consensus_contract}};
    struct store_view *view;
    TRY(store_view_open(node->ledger.store, &view));
    json_array_begin(json);
    const enum err err = evidence_visit(view, &list, write_evidence);
    json_array_end(json);
    store_view_close(view);
    return err;
}

static void proposer_json(void *context, struct json_writer *json) {
    struct node *node = context;
    pthread_mutex_lock(&node->status_lock);
    const struct sequencer_status status = node->status;
    pthread_mutex_unlock(&node->status_lock);
    json_object_begin(json);
    json_key(json, "address");
    json_address(json, &status.proposer);
    json_key(json, "height");
    json_quantity(json, status.head_height + 1);
    json_key(json, "round");
    json_quantity(json, status.round);
    json_key(json, "rotation");
    json_quantity(json, status.rotation);
    json_key(json, "isSelf");
    json_bool(json, status.is_proposer);
    json_object_end(json);
}

enum err backend_create(struct node *node, struct rpc_backend *out) {
    const struct settings *settings = node->options.settings;
    TRY(callers_create((unsigned)settings->rpc_workers, &node->callers));
    *out = (struct rpc_backend){
        .context = node,
        .chain = node->config,
        .client_version = BATON_CLIENT_VERSION,
        .view_open = view_open,
        .view_close = view_close,
        .tags = tags,
        .call = backend_call,
        .trace = backend_trace,
        .simulate = backend_simulate,
        .submit = submit,
        .pending_nonce = pending_nonce,
        .pool_find = pool_find,
        .pool_status = pool_status,
        .pool_content = pool_content,
        .health = health,
        .status_json = status_json,
        .validators_json = validators_json,
        .proposer_json = proposer_json,
        .evidence_json = evidence_json,
        .metrics = metrics,
    };
    backend_chain_functions(out);
    return ERR_OK;
}
