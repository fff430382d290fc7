/* rpc_eth_subscribe: newHeads, logs, newPendingTransactions, pushed to WebSocket sessions.
 *
 * One table under one lock, the room's only shared mutable state beside the queues: service threads
 * add and remove, the notifier thread walks it.  Notifications are made on a thread of their own,
 * so that a slow store or many subscribers delay neither the sequencer nor the service threads.
 * Blocks are announced one by one, in order, none left out. */
#include <stdlib.h>
#include <string.h>

#include "base/keccak.h"
#include "pages/pages.h"
#include "rpc/encode.h"
#include "rpc/logs.h"
#include "rpc/methods.h"
#include "rpc/rpc_internal.h"
#include "threads/clock.h"
#include "threads/gate.h"

#define SUBSCRIPTIONS_MAX 16384
#define ITEMS_QUEUED_MAX  4096
#define NOTICE_BYTES_MAX  ((size_t)8 << 20)
#define NOTIFIER_ARENA    ((size_t)128 << 20)
#define TICK_MS           50

enum subscription_kind { SUBSCRIPTION_HEADS, SUBSCRIPTION_LOGS, SUBSCRIPTION_ITEMS };

struct subscription {
    bool is_used, is_full; /* is_full: whole transactions */
    enum subscription_kind kind;
    uint64_t id;
    uint64_t session_id;
    uint64_t next_block; /* the first block it has not been told of */
    struct rpc_log_filter *filter;
};

struct queued_item {
    struct hash32 hash;
    struct bytes encoded; /* malloc'd */
};

struct subscriptions {
    struct rpc *rpc;
    struct gate gate; /* guards all below; wakes the notifier */
    struct subscription list[SUBSCRIPTIONS_MAX];
    size_t used_max; /* entries beyond were never used */
    uint64_t id_next;
    uint64_t announced, head; /* blocks */
    bool has_head;
    struct queued_item items[ITEMS_QUEUED_MAX];
    size_t items_first, items_count;
    size_t item_subscribers;
    bool is_stopping;
    pthread_t thread;
    /* the notifier's */
    struct arena arena;
    uint8_t *text;
};

static void write_notice_head(struct json_writer *json, uint64_t id) {
    json_object_begin(json);
    json_key(json, "jsonrpc");
    json_write_string(json, "2.0");
    json_key(json, "method");
    json_write_string(json, "eth_subscription");
    json_key(json, "params");
    json_object_begin(json);
    json_key(json, "subscription");
    json_quantity(json, id);
    json_key(json, "result");
}

static void send_notice(struct subscriptions *table, const struct subscription *to,
                        struct json_writer *json) {
    json_object_end(json);
    json_object_end(json);
    if (!json->out->overflow) rpc_service_push(table->rpc, to->session_id, buffer_bytes(json->out));
}

static void notify_head(struct subscriptions *table, const struct subscription *to,
                        const struct rpc_block *block) {
    struct buffer out = buffer_over(table->text, NOTICE_BYTES_MAX);
    struct json_writer json = json_over(&out);
    write_notice_head(&json, to->id);
    json_object_begin(&json);
    rpc_encode_header_fields(&json, &block->block.header, &block->block.hash);
    json_object_end(&json);
    send_notice(table, to, &json);
}

static void notify_logs(struct subscriptions *table, const struct subscription *to,
                        const struct rpc_block *block, const struct receipt *receipts,
                        size_t count) {
    uint64_t log_index = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < receipts[i].logs_count; k++, log_index++) {
            if (!rpc_logs_match(to->filter, &receipts[i].logs[k])) continue;
            const struct hash32 name = keccak256(block->block.transactions[i]);
            struct buffer out = buffer_over(table->text, NOTICE_BYTES_MAX);
            struct json_writer json = json_over(&out);
            write_notice_head(&json, to->id);
            rpc_encode_log(&json, &receipts[i].logs[k], &block->block.header, &block->block.hash,
                           &name, i, log_index, false);
            send_notice(table, to, &json);
        }
    }
}

/* announce tells every subscriber of one block.  The lock is held only while the table is walked.
 */
static void announce(struct subscriptions *table, uint64_t number) {
    const struct rpc_backend *backend = &table->rpc->config.backend;
    struct rpc_view *view;
    struct rpc_block block;
    const struct receipt *receipts = NULL;
    size_t count = 0;
    arena_reset(&table->arena);
    if (backend->view_open(backend->context, &view) != ERR_OK) return;
    rpc_submit_block(table->rpc, view, &table->arena);
    enum err err = backend->block(view, number, &table->arena, &block);
    if (err == ERR_OK) err = backend->receipts(view, number, &table->arena, &receipts, &count);
    backend->view_close(view);
    if (err != ERR_OK || count != block.block.transactions_count) return;
    gate_lock(&table->gate);
    for (size_t i = 0; i < table->used_max; i++) {
        struct subscription *to = &table->list[i];
        if (!to->is_used || number < to->next_block) continue;
        to->next_block = number + 1;
        if (to->kind == SUBSCRIPTION_HEADS) notify_head(table, to, &block);
        if (to->kind == SUBSCRIPTION_LOGS) notify_logs(table, to, &block, receipts, count);
    }
    gate_unlock(&table->gate);
}

static void announce_item(struct subscriptions *table, const struct queued_item *item) {
    gate_lock(&table->gate);
    for (size_t i = 0; i < table->used_max; i++) {
        const struct subscription *to = &table->list[i];
        if (!to->is_used || to->kind != SUBSCRIPTION_ITEMS) continue;
        struct buffer out = buffer_over(table->text, NOTICE_BYTES_MAX);
        struct json_writer json = json_over(&out);
        write_notice_head(&json, to->id);
        arena_reset(&table->arena);
        if (!to->is_full) {
            json_hash(&json, &item->hash);
        } else if (rpc_encode_transaction(&json, item->encoded, NULL, &table->arena) != ERR_OK) {
            continue;
        }
        send_notice(table, to, &json);
    }
    gate_unlock(&table->gate);
}

enum work { WORK_END, WORK_TICK, WORK_BLOCK, WORK_ITEM };

/* next_work waits for a block, an item or the next tick. */
static enum work next_work(struct subscriptions *table, uint64_t tick_ms, uint64_t *block,
                           struct queued_item *item) {
    enum work work = WORK_TICK;
    bool is_tick = monotonic_ms() >= tick_ms;
    gate_lock(&table->gate);
    while (!table->is_stopping && table->announced >= table->head && table->items_count == 0 &&
           !is_tick) {
        is_tick = !gate_wait(&table->gate, tick_ms);
    }
    if (table->is_stopping) {
        work = WORK_END;
    } else if (is_tick) {
        work = WORK_TICK; /* also when there is work: it comes next */
    } else if (table->announced < table->head) {
        work = WORK_BLOCK;
        *block = ++table->announced;
    } else {
        work = WORK_ITEM;
        *item = table->items[table->items_first];
        table->items_first = (table->items_first + 1) % ITEMS_QUEUED_MAX;
        table->items_count -= 1;
    }
    gate_unlock(&table->gate);
    return work;
}

static void *notifier_main(void *context) {
    struct subscriptions *table = context;
    uint64_t block = 0, tick_ms = monotonic_ms();
    struct queued_item item;
    for (;;) {
        switch (next_work(table, tick_ms, &block, &item)) {
        case WORK_END: return NULL;
        case WORK_TICK:
            rpc_submit_expire(table->rpc);
            rpc_height_wake(table->rpc);
            tick_ms = monotonic_ms() + TICK_MS;
            break;
        case WORK_BLOCK: announce(table, block); break;
        case WORK_ITEM:
            announce_item(table, &item);
            free((void *)(uintptr_t)item.encoded.data);
            break;
        }
    }
}

enum err rpc_subscriptions_create(struct rpc *rpc) {
    struct subscriptions *table = calloc(1, sizeof *table);
    if (table == NULL) return ERR_MEMORY;
    void *memory = pages_reserve(NOTIFIER_ARENA + NOTICE_BYTES_MAX);
    if (memory == NULL) {
        free(table);
        return ERR_MEMORY;
    }
    table->rpc = rpc;
    table->id_next = 1;
    table->arena = arena_over(memory, NOTIFIER_ARENA);
    table->text = (uint8_t *)memory + NOTIFIER_ARENA;
    gate_create(&table->gate);
    if (pthread_create(&table->thread, NULL, notifier_main, table) != 0) {
        gate_destroy(&table->gate);
        pages_release(memory, NOTIFIER_ARENA + NOTICE_BYTES_MAX);
        free(table);
        return ERR_SYSTEM;
    }
    rpc->subscriptions = table;
    return ERR_OK;
}

void rpc_subscriptions_destroy(struct rpc *rpc) {
    struct subscriptions *table = rpc->subscriptions;
    gate_lock(&table->gate);
    table->is_stopping = true;
    gate_wake(&table->gate);
    gate_unlock(&table->gate);
    pthread_join(table->thread, NULL);
    for (size_t i = 0; i < table->items_count; i++) {
        const size_t at = (table->items_first + i) % ITEMS_QUEUED_MAX;
        free((void *)(uintptr_t)table->items[at].encoded.data);
    }
    for (size_t i = 0; i < table->used_max; i++)
        free(table->list[i].filter);
    gate_destroy(&table->gate);
    pages_release(table->arena.data, NOTIFIER_ARENA + NOTICE_BYTES_MAX);
    free(table);
    rpc->subscriptions = NULL;
}

static void release(struct subscriptions *table, struct subscription *subscription) {
    if (subscription->kind == SUBSCRIPTION_ITEMS) table->item_subscribers -= 1;
    free(subscription->filter);
    *subscription = (struct subscription){.is_used = false};
}

void rpc_subscriptions_session_closed(struct rpc *rpc, uint64_t session_id) {
    struct subscriptions *table = rpc->subscriptions;
    gate_lock(&table->gate);
    for (size_t i = 0; i < table->used_max; i++) {
        struct subscription *subscription = &table->list[i];
        if (subscription->is_used && subscription->session_id == session_id) {
            release(table, subscription);
        }
    }
    gate_unlock(&table->gate);
}

void rpc_subscriptions_block(struct rpc *rpc, uint64_t number) {
    struct subscriptions *table = rpc->subscriptions;
    gate_lock(&table->gate);
    if (!table->has_head) table->announced = number - 1;
    table->has_head = true;
    if (number > table->head) table->head = number;
    gate_wake(&table->gate);
    gate_unlock(&table->gate);
}

void rpc_subscriptions_item(struct rpc *rpc, const struct hash32 *hash, struct bytes encoded) {
    struct subscriptions *table = rpc->subscriptions;
    gate_lock(&table->gate);
    if (table->item_subscribers > 0 && table->items_count < ITEMS_QUEUED_MAX) {
        uint8_t *copy = malloc(encoded.size + 1);
        if (copy != NULL) {
            const size_t at = (table->items_first + table->items_count) % ITEMS_QUEUED_MAX;
            memcpy(copy, encoded.data, encoded.size);
            table->items[at] = (struct queued_item){*hash, {copy, encoded.size}};
            table->items_count += 1;
            gate_wake(&table->gate);
        }
    }
    gate_unlock(&table->gate);
}

/* insert finds a place; 0 when the table or the session's share is full. */
static uint64_t insert(struct subscriptions *table, const struct subscription *wanted,
                       size_t per_session_max) {
    size_t place = SUBSCRIPTIONS_MAX, of_session = 0;
    for (size_t i = 0; i < table->used_max; i++) {
        if (!table->list[i].is_used) {
            if (place == SUBSCRIPTIONS_MAX) place = i;
        } else if (table->list[i].session_id == wanted->session_id) {
            of_session += 1;
        }
    }
    if (place == SUBSCRIPTIONS_MAX && table->used_max < SUBSCRIPTIONS_MAX) {
        place = table->used_max++;
    }
    if (place == SUBSCRIPTIONS_MAX || of_session >= per_session_max) return 0;
    table->list[place] = *wanted;
    table->list[place].is_used = true;
    table->list[place].next_block = table->head + 1;
    table->list[place].id = table->id_next++ << 20 | place;
    if (wanted->kind == SUBSCRIPTION_ITEMS) table->item_subscribers += 1;
    return table->list[place].id;
}

static bool read_kind(struct call *call, struct subscription *out) {
    const char *name = json_string_value(json_array_get(call->params, 0));
    json_t *option = json_array_get(call->params, 1);
    struct rpc_log_filter filter = {.addresses = NULL};
    if (name == NULL) name = "";
    if (strcmp(name, "newHeads") == 0) {
        out->kind = SUBSCRIPTION_HEADS;
    } else if (strcmp(name, "newPendingTransactions") == 0) {
        out->kind = SUBSCRIPTION_ITEMS;
        out->is_full = json_is_true(option);
    } else if (strcmp(name, "logs") == 0) {
        out->kind = SUBSCRIPTION_LOGS;
        if (option != NULL && !rpc_logs_param_filter(call, option, &filter)) return false;
        out->filter = rpc_logs_filter_copy(&filter);
    } else {
        rpc_call_error(call, RPC_METHOD_NOT_FOUND, "no \"%.64s\" subscription in eth namespace",
                       name);
        return false;
    }
    return true;
}

enum method_result rpc_eth_subscribe(struct call *call) {
    struct subscription wanted = {.session_id = call->session_id};
    struct subscriptions *table = call->rpc->subscriptions;
    if (!call->is_websocket) {
        return rpc_call_error(call, RPC_METHOD_NOT_FOUND,
                              "notifications not supported: use WebSocket");
    }
    if (!read_kind(call, &wanted)) return METHOD_FAILED;
    gate_lock(&table->gate);
    const uint64_t id = insert(table, &wanted, call->limits->subscriptions_max);
    gate_unlock(&table->gate);
    if (id == 0) {
        free(wanted.filter);
        return rpc_call_error(call, RPC_SERVER_ERROR, "too many subscriptions: %u per connection",
                              call->limits->subscriptions_max);
    }
    json_quantity(call->out, id);
    return METHOD_DONE;
}

enum method_result rpc_eth_unsubscribe(struct call *call) {
    struct subscriptions *table = call->rpc->subscriptions;
    uint64_t id;
    bool found = false;
    if (!rpc_param_quantity(call, 0, &id)) return METHOD_FAILED;
    gate_lock(&table->gate);
    struct subscription *subscription = &table->list[id % (1u << 20) % SUBSCRIPTIONS_MAX];
    if (subscription->is_used && subscription->id == id &&
        subscription->session_id == call->session_id) {
        release(table, subscription);
        found = true;
    }
    gate_unlock(&table->gate);
    if (!found) return rpc_call_error(call, RPC_SERVER_ERROR, "subscription not found");
    json_bool(call->out, true);
    return METHOD_DONE;
}
