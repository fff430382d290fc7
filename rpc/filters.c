/* eth_newFilter and its like: polled filters, a bounded table, forgotten when nobody asks. */
#include <stdlib.h>
#include <string.h>

#include "base/keccak.h"
#include "rpc/logs.h"
#include "rpc/methods.h"
#include "rpc/rpc_internal.h"
#include "threads/clock.h"

#define FILTERS_MAX       4096
#define FILTER_EXPIRY_MS  (5 * 60 * 1000)
#define FILTER_BLOCKS_MAX 1024 /* block hashes in one answer */

enum filter_kind { FILTER_LOGS, FILTER_BLOCKS, FILTER_ITEMS };

struct filter {
    bool is_used;
    enum filter_kind kind;
    uint64_t id;
    uint64_t used_ms;
    uint64_t next_block;
    uint64_t from, to;
    struct rpc_log_filter *logs;
};

/* The table; shared by all service and worker threads, guarded by its lock. */
struct filters {
    pthread_mutex_t lock;
    uint64_t id_next;
    struct filter list[FILTERS_MAX];
};

enum err rpc_filters_create(struct rpc *rpc) {
    rpc->filters = calloc(1, sizeof *rpc->filters);
    if (rpc->filters == NULL) return ERR_MEMORY;
    pthread_mutex_init(&rpc->filters->lock, NULL);
    rpc->filters->id_next = 1;
    return ERR_OK;
}

void rpc_filters_destroy(struct rpc *rpc) {
    for (size_t i = 0; i < FILTERS_MAX; i++)
        free(rpc->filters->list[i].logs);
    free(rpc->filters);
    rpc->filters = NULL;
}

/* insert takes a free or expired place; 0 when all are in use. */
static uint64_t insert(struct filters *table, const struct filter *wanted) {
    const uint64_t now_ms = monotonic_ms();
    uint64_t id = 0;
    pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < FILTERS_MAX && id == 0; i++) {
        struct filter *place = &table->list[i];
        if (place->is_used && now_ms - place->used_ms < FILTER_EXPIRY_MS) continue;
        free(place->logs);
        *place = *wanted;
        place->is_used = true;
        place->used_ms = now_ms;
        place->id = id = table->id_next++ << 16 | i;
    }
    pthread_mutex_unlock(&table->lock);
    return id;
}

static struct filter *find(struct filters *table, uint64_t id) {
    struct filter *filter = &table->list[id % 65536 % FILTERS_MAX];
    if (!filter->is_used || filter->id != id) return NULL;
    return monotonic_ms() - filter->used_ms < FILTER_EXPIRY_MS ? filter : NULL;
}

static enum method_result create(struct call *call, struct filter *wanted) {
    struct rpc_tags tags;
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    call->backend->tags(call->view, &tags);
    wanted->next_block = tags.latest + 1;
    const uint64_t id = insert(call->rpc->filters, wanted);
    if (id == 0) {
        free(wanted->logs);
        return rpc_call_error(call, RPC_SERVER_ERROR, "too many filters");
    }
    json_quantity(call->out, id);
    return METHOD_DONE;
}

enum method_result rpc_eth_new_filter(struct call *call) {
    struct log_query query;
    struct filter wanted = {.kind = FILTER_LOGS};
    if (!rpc_logs_param_query(call, 0, &query)) return METHOD_FAILED;
    wanted.logs = rpc_logs_filter_copy(&query.filter);
    if (wanted.logs == NULL) return rpc_call_failed(call, ERR_MEMORY);
    json_t *object = json_array_get(call->params, 0);
    wanted.from = query.from;
    wanted.to = json_object_get(object, "toBlock") != NULL ? query.to : UINT64_MAX;
    return create(call, &wanted);
}

enum method_result rpc_eth_new_block_filter(struct call *call) {
    struct filter wanted = {.kind = FILTER_BLOCKS};
    return create(call, &wanted);
}

enum method_result rpc_eth_new_pending_filter(struct call *call) {
    struct filter wanted = {.kind = FILTER_ITEMS};
    return create(call, &wanted);
}

enum method_result rpc_eth_uninstall_filter(struct call *call) {
    struct filters *table = call->rpc->filters;
    uint64_t id;
    if (!rpc_param_quantity(call, 0, &id)) return METHOD_FAILED;
    pthread_mutex_lock(&table->lock);
    struct filter *filter = find(table, id);
    if (filter != NULL) {
        free(filter->logs);
        *filter = (struct filter){.is_used = false};
    }
    pthread_mutex_unlock(&table->lock);
    json_bool(call->out, filter != NULL);
    return METHOD_DONE;
}

/* advance copies the filter of parameter 0 and moves it past `latest`; the copy's logs belong to
 * the request's arena.  False after an answer. */
static bool advance(struct call *call, uint64_t latest, bool move, struct filter *out) {
    struct filters *table = call->rpc->filters;
    uint64_t id;
    if (!rpc_param_quantity(call, 0, &id)) return false;
    struct rpc_log_filter *copy = NULL;
    pthread_mutex_lock(&table->lock);
    struct filter *filter = find(table, id);
    if (filter != NULL) {
        *out = *filter;
        if (filter->logs != NULL) copy = rpc_logs_filter_copy(filter->logs);
        filter->used_ms = monotonic_ms();
        if (move && latest >= filter->next_block) filter->next_block = latest + 1;
    }
    pthread_mutex_unlock(&table->lock);
    if (filter == NULL) {
        rpc_call_error(call, RPC_SERVER_ERROR, "filter not found");
        return false;
    }
    out->logs = copy;
    return true;
}

static enum method_result write_hashes(struct call *call, uint64_t from, uint64_t to) {
    struct header header;
    struct hash32 hash;
    if (to >= from && to - from >= FILTER_BLOCKS_MAX) from = to - FILTER_BLOCKS_MAX + 1;
    for (uint64_t number = from; number <= to; number++) {
        const enum err err = call->backend->header(call->view, number, &header, &hash);
        if (err != ERR_OK) return rpc_call_failed(call, err);
        json_hash(call->out, &hash);
    }
    return METHOD_DONE;
}

/* write_items lists the transactions of new blocks: they were all pending once. */
static enum method_result write_items(struct call *call, uint64_t from, uint64_t to) {
    if (to >= from && to - from >= FILTER_BLOCKS_MAX) from = to - FILTER_BLOCKS_MAX + 1;
    for (uint64_t number = from; number <= to; number++) {
        struct rpc_block block;
        const size_t mark = arena_mark(call->arena);
        const enum err err = call->backend->block(call->view, number, call->arena, &block);
        if (err != ERR_OK) return rpc_call_failed(call, err);
        for (size_t i = 0; i < block.block.transactions_count; i++) {
            const struct hash32 name = keccak256(block.block.transactions[i]);
            json_hash(call->out, &name);
        }
        arena_release(call->arena, mark);
    }
    return METHOD_DONE;
}

enum method_result rpc_eth_get_filter_changes(struct call *call) {
    struct rpc_tags tags;
    struct filter filter;
    enum method_result result = METHOD_DONE;
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    call->backend->tags(call->view, &tags);
    if (!advance(call, tags.latest, true, &filter)) return METHOD_FAILED;
    json_array_begin(call->out);
    if (filter.kind == FILTER_BLOCKS) {
        result = write_hashes(call, filter.next_block, tags.latest);
    } else if (filter.kind == FILTER_ITEMS) {
        result = write_items(call, filter.next_block, tags.latest);
    } else {
        const uint64_t to = filter.to < tags.latest ? filter.to : tags.latest;
        const uint64_t from = filter.from > filter.next_block ? filter.from : filter.next_block;
        if (from <= to) result = rpc_logs_write(call, filter.logs, from, to);
    }
    free(filter.logs);
    if (result == METHOD_FAILED) return METHOD_FAILED;
    json_array_end(call->out);
    return METHOD_DONE;
}

enum method_result rpc_eth_get_filter_logs(struct call *call) {
    struct rpc_tags tags;
    struct filter filter;
    enum method_result result = METHOD_DONE;
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    call->backend->tags(call->view, &tags);
    if (!advance(call, tags.latest, false, &filter)) return METHOD_FAILED;
    if (filter.kind != FILTER_LOGS)
        return rpc_call_error(call, RPC_SERVER_ERROR, "filter not found");
    json_array_begin(call->out);
    const uint64_t to = filter.to < tags.latest ? filter.to : tags.latest;
    if (filter.from <= to) result = rpc_logs_write(call, filter.logs, filter.from, to);
    free(filter.logs);
    if (result == METHOD_FAILED) return METHOD_FAILED;
    json_array_end(call->out);
    return METHOD_DONE;
}
