#pragma once
/* The keeper of the pool: what was admitted survives the end of all processes at once.
 *
 * Every item that the pool takes goes into a log (store/pool_log.h), which the operating system has
 * before any message or answer leaves that others could take for an acknowledgement.  At a start
 * what no block holds yet goes into the pool again, as if a client had just sent it.  A log that
 * cannot be written is told of, and ends nothing: the other nodes hold the items, too.
 *
 * All but the counter belong to the sequencer's thread. */
#include "base/err.h"
#include "store/pool_log.h"
#include "workloads/workload.h"

struct node;

struct pool_keeper {
    struct pool_log *log; /* NULL: nothing is kept */
    uint64_t warned_ms;   /* when a failure was told of last */
};

/* pool_keeper_open opens the log in the data directory; `error` (512 bytes) gets a line. */
MUST_USE enum err pool_keeper_open(struct node *node, char error[512]);
void pool_keeper_close(struct node *node);

/* pool_keeper_recall hands `admit` each item of the log that no block holds, decoded, its signer
 * recovered; then it begins the log anew with what the pool holds. */
void pool_keeper_recall(struct node *node,
                        void (*admit)(struct node *node, const struct item *item));

/* pool_keeper_take notes an admitted item; pool_keeper_flush hands what was noted to the operating
 * system, before anything leaves that tells of it. */
void pool_keeper_take(struct node *node, const struct item *item);
void pool_keeper_flush(struct node *node);
