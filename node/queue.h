#pragma once
/* A bounded queue of whole messages from many threads to one.
 *
 * Two rings of bytes, urgent before bulk; a message that does not fit is refused at once
 * (ERR_LIMIT), so that growth is never the answer to load.  The reader sleeps on a condition with a
 * deadline. */
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum queue_lane {
    QUEUE_URGENT, /* votes, blocks, outcomes: always taken first */
    QUEUE_BULK,   /* items */
    QUEUE_LANES
};

struct queue;

/* queue_create allocates both rings at boot; capacities in bytes.  ERR_MEMORY. */
MUST_USE enum err queue_create(size_t urgent_bytes, size_t bulk_bytes, struct queue **out);
void queue_destroy(struct queue *queue);

/* queue_push copies header and body as one message of `kind`.  Any thread.  ERR_LIMIT: full;
 * ERR_STOPPED after queue_close. */
MUST_USE enum err queue_push(struct queue *queue, enum queue_lane lane, uint32_t kind,
                             struct bytes header, struct bytes body);

/* queue_pop waits until there is a message or `deadline_ms` (CLOCK_MONOTONIC) passes, and views it
 * in the ring: header (aligned to 16) and body stay valid until queue_release.  Returns false on
 * the deadline or when closed and empty.  One reader. */
bool queue_pop(struct queue *queue, uint64_t deadline_ms, uint32_t *kind, struct bytes *header,
               struct bytes *body);
void queue_release(struct queue *queue);

/* queue_close wakes the reader; later pushes are refused. */
void queue_close(struct queue *queue);
/* queue_used is the number of bytes waiting in a lane: for metrics. */
size_t queue_used(struct queue *queue, enum queue_lane lane);
