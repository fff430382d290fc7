#pragma once
/* What `baton monitor` shows: the nodes' status, as they gave it, and the screen made of it.
 *
 * Reading and writing only: asking, waiting and the terminal's state are the command's.  A node may
 * be anybody's: texts that it sends are shown without control characters. */
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "tools/http.h"

#define MONITOR_NODES_MAX  128
#define MONITOR_REASON     96
#define MONITOR_LOOKS_KEPT 16 /* rates are over so many looks */

struct monitor_node {
    char url[HTTP_URL_BYTES];
    bool is_answering, is_ready, is_syncing, is_validator, is_proposer;
    char reason[MONITOR_REASON], proposer[48], version[48];
    uint64_t height, rotation, round, peers, pool_pending, pool_queued;
    uint64_t safe, finalized, transactions; /* transactions: in blocks since it started */
    bool has_l1, has_da, is_l1_reachable, is_da_reachable;
    uint64_t l1_head, l1_origin, da_pending;
    /* the last looks, oldest first */
    size_t looks_count;
    struct {
        uint64_t at_ms, height, transactions;
    } looks[MONITOR_LOOKS_KEPT];
};

struct monitor_view {
    size_t count;
    struct monitor_node nodes[MONITOR_NODES_MAX];
};

struct monitor_size {
    unsigned columns, rows; /* 0: no limit */
};

/* monitor_add_urls adds a comma-separated list; false: one is empty or too long, or there are too
 * many. */
bool monitor_add_urls(struct monitor_view *view, const char *urls);

/* monitor_take_status reads the JSON-RPC answer to baton_status; anything else means that the node
 * does not answer. */
void monitor_take_status(struct monitor_node *node, const char *answer, uint64_t now_ms);

/* monitor_all_ready: every node answers and is ready. */
bool monitor_all_ready(const struct monitor_view *view);
/* Rates over the looks that are kept; 0 with fewer than two. */
double monitor_blocks_per_minute(const struct monitor_node *node);
double monitor_transactions_per_second(const struct monitor_node *node);

/* monitor_terminal_size asks the terminal; 80 by 24 when it does not say. */
struct monitor_size monitor_terminal_size(int fd);

/* monitor_write_text writes a table; with `is_screen` from the screen's upper left corner, with
 * colours, and no more than fits. */
void monitor_write_text(const struct monitor_view *view, bool is_screen, struct monitor_size size,
                        struct buffer *out);
/* monitor_write_json writes {"nodes": [...]} and a newline. */
void monitor_write_json(const struct monitor_view *view, struct buffer *out);
