#include "tools/monitor_view.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/json.h"

#define LINE_BYTES 512

bool monitor_add_urls(struct monitor_view *view, const char *urls) {
    for (;;) {
        const size_t size = strcspn(urls, ",");
        if (size == 0 || size >= HTTP_URL_BYTES || view->count == MONITOR_NODES_MAX) return false;
        struct monitor_node *node = &view->nodes[view->count++];
        memcpy(node->url, urls, size);
        node->url[size] = '\0';
        if (urls[size] == '\0') return true;
        urls += size + 1;
    }
}

static uint64_t quantity(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? 0 : strtoull(text, NULL, 16);
}

/* copy_text copies what a terminal cannot mistake for a command. */
static void copy_text(const json_t *object, const char *key, char *out, size_t out_bytes) {
    const char *text = json_string_value(json_object_get(object, key));
    size_t size = 0;
    for (; text != NULL && text[size] != '\0' && size + 1 < out_bytes; size++)
        out[size] = text[size] >= ' ' && text[size] <= '~' ? text[size] : '?';
    out[size] = '\0';
}

static bool truth(const json_t *object, const char *key) {
    return json_is_true(json_object_get(object, key));
}

static void take_outside(struct monitor_node *node, const json_t *status) {
    const json_t *l1 = json_object_get(status, "l1"), *da = json_object_get(status, "da");
    node->has_l1 = json_is_object(l1);
    node->has_da = json_is_object(da);
    node->is_l1_reachable = truth(l1, "reachable");
    node->is_da_reachable = truth(da, "reachable");
    node->l1_head = quantity(l1, "headBlock");
    node->l1_origin = quantity(l1, "originBlock");
    node->da_pending = quantity(da, "pendingBatches");
}

static void remember(struct monitor_node *node, uint64_t now_ms) {
    if (node->looks_count == MONITOR_LOOKS_KEPT) {
        memmove(node->looks, node->looks + 1, sizeof node->looks - sizeof node->looks[0]);
        node->looks_count -= 1;
    }
    node->looks[node->looks_count].at_ms = now_ms;
    node->looks[node->looks_count].height = node->height;
    node->looks[node->looks_count].transactions = node->transactions;
    node->looks_count += 1;
}

void monitor_take_status(struct monitor_node *node, const char *answer, uint64_t now_ms) {
    json_t *root = json_loads(answer, 0, NULL);
    const json_t *status = json_object_get(root, "result");
    node->is_answering = json_is_string(json_object_get(status, "height"));
    if (!node->is_answering) {
        node->is_ready = node->is_syncing = node->is_proposer = false;
        node->looks_count = 0;
        snprintf(node->reason, sizeof node->reason, "no answer");
        json_decref(root);
        return;
    }
    node->is_ready = truth(status, "ready");
    node->is_syncing = truth(status, "syncing");
    node->is_validator = truth(status, "validator");
    node->is_proposer = truth(status, "isProposer");
    copy_text(status, "reason", node->reason, sizeof node->reason);
    copy_text(status, "proposer", node->proposer, sizeof node->proposer);
    copy_text(status, "version", node->version, sizeof node->version);
    node->height = quantity(status, "height");
    node->rotation = quantity(status, "rotation");
    node->round = quantity(status, "round");
    node->peers = quantity(status, "peers");
    node->pool_pending = quantity(status, "poolPending");
    node->pool_queued = quantity(status, "poolQueued");
    node->safe = quantity(status, "safeBlock");
    node->finalized = quantity(status, "finalizedBlock");
    node->transactions = quantity(status, "transactions");
    take_outside(node, status);
    remember(node, now_ms);
    json_decref(root);
}

bool monitor_all_ready(const struct monitor_view *view) {
    for (size_t i = 0; i < view->count; i++) {
        if (!view->nodes[i].is_answering || !view->nodes[i].is_ready) return false;
    }
    return true;
}

/* rate is the growth from `from` to `to` over the looks that are kept, per `per_ms`. */
static double rate(const struct monitor_node *node, uint64_t from, uint64_t to, double per_ms) {
    if (node->looks_count < 2) return 0;
    const uint64_t ms = node->looks[node->looks_count - 1].at_ms - node->looks[0].at_ms;
    return ms == 0 || to < from ? 0 : (double)(to - from) * per_ms / (double)ms;
}

double monitor_blocks_per_minute(const struct monitor_node *node) {
    return rate(node, node->looks[0].height, node->height, 60000);
}

double monitor_transactions_per_second(const struct monitor_node *node) {
    return rate(node, node->looks[0].transactions, node->transactions, 1000);
}

struct monitor_size monitor_terminal_size(int fd) {
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
        return (struct monitor_size){80, 24};
    }
    return (struct monitor_size){size.ws_col, size.ws_row};
}

/* --- writing */

/* The table being written. */
struct table {
    struct buffer *out;
    bool is_screen;
    struct monitor_size size;
    unsigned lines;
};

static uint64_t highest(const struct monitor_view *view) {
    uint64_t height = 0;
    for (size_t i = 0; i < view->count; i++) {
        if (view->nodes[i].is_answering && view->nodes[i].height > height) {
            height = view->nodes[i].height;
        }
    }
    return height;
}

/* line writes one line in a colour (an SGR number; 0: none), cut to the screen. */
static void line(struct table *table, int colour, const char *text) {
    size_t size = strlen(text);
    char code[16];
    if (table->is_screen && table->lines + 1 >= table->size.rows) return;
    if (table->is_screen && size > table->size.columns) size = table->size.columns;
    snprintf(code, sizeof code, "\x1b[%dm", colour);
    if (table->is_screen && colour != 0) buffer_append(table->out, bytes_from_string(code));
    buffer_append(table->out, (struct bytes){(const uint8_t *)text, size});
    if (table->is_screen) {
        buffer_append(table->out, BYTES_STRING("\x1b[0m\x1b[K\r\n"));
    } else {
        buffer_append_byte(table->out, '\n');
    }
    table->lines += 1;
}

static void head(struct table *table, const struct monitor_view *view) {
    char text[LINE_BYTES];
    const struct monitor_node *best = NULL;
    unsigned ready = 0;
    for (size_t i = 0; i < view->count; i++) {
        const struct monitor_node *node = &view->nodes[i];
        ready += node->is_answering && node->is_ready;
        if (node->is_answering && (best == NULL || node->height > best->height)) best = node;
    }
    const int used = snprintf(
        text, sizeof text, "%u of %zu nodes ready   block %llu   rotation %llu", ready, view->count,
        (unsigned long long)highest(view), best != NULL ? (unsigned long long)best->rotation : 0);
    if (best != NULL && best->looks_count > 1) { /* one look shows no rate */
        snprintf(text + used, sizeof text - (size_t)used,
                 "   %.1f blocks a minute   %.1f transactions a second",
                 monitor_blocks_per_minute(best), monitor_transactions_per_second(best));
    }
    line(table, 1, text);
    snprintf(text, sizeof text, "proposer %s", best != NULL ? best->proposer : "not known");
    line(table, 0, text);
    line(table, 0, "");
    snprintf(text, sizeof text, "%-28s %-8s %9s %6s %5s %5s %7s %7s %7s %7s  %s", "node", "state",
             "block", "behind", "round", "peers", "pool", "queued", "DA lag", "L1 lag", "");
    line(table, 1, text);
}

/* lag writes how far `at` is behind `of`, or "-" where there is nothing to be behind. */
static const char *lag(bool has, bool is_reachable, uint64_t of, uint64_t at, char out[24]) {
    if (!has) return "-";
    snprintf(out, 24, "%llu%s", (unsigned long long)(of > at ? of - at : 0),
             is_reachable ? "" : "!");
    return out;
}

static void row(struct table *table, const struct monitor_node *node, uint64_t top) {
    char text[LINE_BYTES], da[24], l1[24], url[32];
    const char *name = strstr(node->url, "://");
    snprintf(url, sizeof url, "%.28s", name != NULL ? name + 3 : node->url);
    if (!node->is_answering) {
        snprintf(text, sizeof text, "%-28s %-8s", url, "DOWN");
        line(table, 31, text);
        return;
    }
    const char *state = node->is_proposer  ? "leads"
                        : node->is_ready   ? "ready"
                        : node->is_syncing ? "syncing"
                                           : "NOT READY";
    snprintf(text, sizeof text, "%-28s %-8s %9llu %6llu %5llu %5llu %7llu %7llu %7s %7s  %s", url,
             state, (unsigned long long)node->height, (unsigned long long)(top - node->height),
             (unsigned long long)node->round, (unsigned long long)node->peers,
             (unsigned long long)node->pool_pending, (unsigned long long)node->pool_queued,
             lag(node->has_da, node->is_da_reachable, node->height, node->safe, da),
             lag(node->has_l1, node->is_l1_reachable, node->l1_head, node->l1_origin, l1),
             node->reason);
    line(table, !node->is_ready ? 33 : node->is_proposer ? 32 : 0, text);
}

void monitor_write_text(const struct monitor_view *view, bool is_screen, struct monitor_size size,
                        struct buffer *out) {
    struct table table = {.out = out, .is_screen = is_screen, .size = size};
    const uint64_t top = highest(view);
    if (is_screen) buffer_append(out, BYTES_STRING("\x1b[H"));
    head(&table, view);
    for (size_t i = 0; i < view->count; i++)
        row(&table, &view->nodes[i], top);
    if (!is_screen) return;
    if (table.lines + 2 < size.rows) line(&table, 0, "");
    line(&table, 2, "lags in blocks, \"!\": not reachable   q: quit");
    buffer_append(out, BYTES_STRING("\x1b[J"));
}

static void number(struct json_writer *json, const char *key, uint64_t value) {
    json_key(json, key);
    json_number_u64(json, value);
}
static void flag(struct json_writer *json, const char *key, bool value) {
    json_key(json, key);
    json_bool(json, value);
}

void monitor_write_json(const struct monitor_view *view, struct buffer *out) {
    struct json_writer json = json_over(out);
    const uint64_t top = highest(view);
    json_object_begin(&json);
    number(&json, "height", top);
    json_key(&json, "nodes");
    json_array_begin(&json);
    for (size_t i = 0; i < view->count; i++) {
        const struct monitor_node *node = &view->nodes[i];
        json_object_begin(&json);
        json_key(&json, "url");
        json_write_string(&json, node->url);
        flag(&json, "answers", node->is_answering);
        flag(&json, "ready", node->is_ready);
        json_key(&json, "reason");
        json_write_string(&json, node->reason);
        if (node->is_answering) {
            number(&json, "height", node->height);
            number(&json, "behind", top - node->height);
            number(&json, "rotation", node->rotation);
            number(&json, "round", node->round);
            flag(&json, "leads", node->is_proposer);
            json_key(&json, "proposer");
            json_write_string(&json, node->proposer);
            number(&json, "peers", node->peers);
            number(&json, "transactions", node->transactions);
            number(&json, "pool_pending", node->pool_pending);
            number(&json, "pool_queued", node->pool_queued);
            number(&json, "safe", node->safe);
            number(&json, "finalized", node->finalized);
            number(&json, "da_pending_batches", node->da_pending);
            number(&json, "l1_head", node->l1_head);
            number(&json, "l1_origin", node->l1_origin);
        }
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    buffer_append_byte(out, '\n');
}
