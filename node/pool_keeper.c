#include "node/pool_keeper.h"

#include <stdlib.h>

#include "base/keccak.h"
#include "node/log.h"
#include "node/node.h"
#include "store/store.h"
#include "threads/clock.h"

#define WARN_MS     60000
#define ARENA_BYTES (8192 + 2 * ITEM_BYTES_MAX)

enum err pool_keeper_open(struct node *node, char error[512]) {
    if (node->options.forgets_pool) return ERR_OK;
    return pool_log_open(node->options.data_dir, &node->pool_keeper.log, error);
}

void pool_keeper_close(struct node *node) {
    pool_log_close(node->pool_keeper.log);
    node->pool_keeper.log = NULL;
}

/* note counts a failure of the log and tells of it now and then. */
static void note(struct node *node, enum err err) {
    struct pool_keeper *keeper = &node->pool_keeper;
    const uint64_t now_ms = monotonic_ms();
    if (err == ERR_OK) return;
    atomic_fetch_add(&node->counters.pool_log_failures, 1);
    if (keeper->warned_ms != 0 && now_ms - keeper->warned_ms < WARN_MS) return;
    keeper->warned_ms = now_ms;
    LOG(LOG_WARN, "pool",
        "data_dir: \"%.150s\": waiting transactions are not kept on disk: %s; the other nodes hold "
        "them",
        node->options.data_dir, err_text(err));
}

/* --- what the log is begun anew with */

static bool keep(void *context, const struct item *item, bool is_pending) {
    (void)is_pending;
    pool_log_append(context, item->kind, item->encoded);
    return true;
}

static enum err begin_anew(struct node *node) {
    struct pool_log *log = node->pool_keeper.log;
    TRY(pool_log_begin(log));
    sequencer_pool_visit(node->sequencer, log, keep);
    return pool_log_settle(log);
}

/* --- at the start */

struct recall {
    struct node *node;
    struct store_view *view;
    struct arena arena;
    void (*admit)(struct node *node, const struct item *item);
    uint64_t count;
};

/* recall admits one item.  (A transaction's hash is that of its encoding.) */
static void recall(void *context, uint8_t kind, struct bytes encoded) {
    struct recall *recall = context;
    struct node *node = recall->node;
    const struct workload *workload = workload_by_kind(kind);
    const struct hash32 hash = keccak256(encoded);
    struct store_location place;
    struct item item;
    if (workload == NULL) return;
    if (store_transaction(recall->view, &hash, &place) == ERR_OK) return;
    const enum fork fork = fork_at(node->config, UINT64_MAX - 1, unix_ms() / 1000);
    const size_t mark = arena_mark(&recall->arena);
    if (workload->inspect(node->config, fork, encoded, &recall->arena, &item) == VERDICT_ACCEPTED) {
        recall->admit(node, &item);
        recall->count += 1;
    }
    arena_release(&recall->arena, mark);
}

void pool_keeper_recall(struct node *node,
                        void (*admit)(struct node *node, const struct item *item)) {
    struct pool_log *log = node->pool_keeper.log;
    if (log == NULL) return;
    void *memory = malloc(ARENA_BYTES);
    struct recall state = {.node = node, .admit = admit};
    node->pool_keeper.log = NULL; /* what comes back is in the log */
    enum err err = memory == NULL ? ERR_MEMORY : store_view_open(node->ledger.store, &state.view);
    if (err == ERR_OK) {
        state.arena = arena_over(memory, ARENA_BYTES);
        err = pool_log_read(log, &state, recall);
        store_view_close(state.view);
    }
    node->pool_keeper.log = log;
    if (err == ERR_OK) err = begin_anew(node);
    note(node, err);
    free(memory);
    if (state.count == 0) return;
    LOG(LOG_INFO, "pool", "%llu transactions that waited at the last end are back",
        (unsigned long long)state.count);
}

/* --- from then on */

void pool_keeper_take(struct node *node, const struct item *item) {
    struct pool_keeper *keeper = &node->pool_keeper;
    if (keeper->log == NULL) return;
    pool_log_append(keeper->log, item->kind, item->encoded);
}

void pool_keeper_flush(struct node *node) {
    struct pool_keeper *keeper = &node->pool_keeper;
    if (keeper->log == NULL) return;
    note(node, pool_log_flush(keeper->log));
    if (pool_log_is_grown(keeper->log)) note(node, begin_anew(node));
}
