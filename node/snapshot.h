#pragma once
/* Snapshots (sequencer/snapshot.h) with this node's disk and peers: taking one before the sequencer
 * starts, and serving others.
 *
 * Serving has a thread of its own that yields to all others and keeps to a rate
 * (snapshot_bytes_per_second); a requester has at most SNAPSHOT_SERVE_PENDING requests waiting, and
 * what does not fit is dropped, as it asks again.  While somebody takes a pivot, a view of the
 * database at that block or a little later stays open, at most SNAPSHOT_PIN_MS: so its ranges cost
 * the same however far the chain goes on. */
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "sequencer/snapshot.h"

struct node;
struct snapshot_serving;

#define SNAPSHOT_SERVE_PENDING 16
#define SNAPSHOT_PIN_MS        600000
#define SNAPSHOT_PIN_IDLE_MS   30000

/* snapshot_serve_start starts the thread.  ERR_MEMORY, ERR_SYSTEM.  snapshot_serve_stop ends it,
 * while p2p, which it sends through, is still there; p2p may go on asking.  snapshot_serve_destroy
 * frees it after p2p is gone.  NULL is fine for both. */
MUST_USE enum err snapshot_serve_start(struct node *node, struct snapshot_serving **out);
void snapshot_serve_stop(struct snapshot_serving *serving);
void snapshot_serve_destroy(struct snapshot_serving *serving);
/* snapshot_serve_ask queues a peer's request (message_is_snapshot_request, or a guest's
 * GET_BLOCKS); snapshot_serve_guest that somebody came, who is told our height then and after each
 * block; snapshot_serve_gone drops what a guest that left has waiting.  Any thread. */
void snapshot_serve_ask(struct snapshot_serving *serving, const struct hash32 *peer,
                        struct bytes message);
void snapshot_serve_guest(struct snapshot_serving *serving, const struct hash32 *guest);
void snapshot_serve_gone(struct snapshot_serving *serving, const struct hash32 *guest);

struct snapshot_serve_counts {
    uint64_t requests, refused, dropped, bytes; /* since the start */
    uint32_t pins;                              /* views that are kept open */
};
struct snapshot_serve_counts snapshot_serve_counts(struct snapshot_serving *serving);

/* snapshot_take takes a snapshot when the settings and the peers say so, and returns when the state
 * is whole, or when none is needed.  Inputs that others queue meanwhile are answered or dropped;
 * peers that are connected are told to the sequencer's queue at the end.  ERR_STOPPED: SIGTERM or
 * SIGINT came; the next start goes on.  Other errors: `error` has the line for people. */
MUST_USE enum err snapshot_take(struct node *node, char error[512]);

/* snapshot_taking copies how far it is; false: none is being taken.  Any thread. */
bool snapshot_taking(struct node *node, struct snapshot_status *out);
