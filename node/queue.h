#pragma once
/* A bounded queue of whole messages from many threads to one.
 *
 * Rings of bytes, one for each lane, the lower lane first (but items have a turn among many votes);
 * a message that does not fit is refused at once (ERR_LIMIT), so that growth is never the answer to
 * load.  What came from one peer has a share of its lane: whoever sends more than we can read finds
 * its own messages refused, and others wait for its share at most.  The reader sleeps on a
 * condition with a deadline. */
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

enum queue_lane {
    QUEUE_INTERNAL, /* outcomes and commits of our own threads: few, and never refused */
    QUEUE_URGENT,   /* votes, blocks, questions */
    QUEUE_BULK,     /* items */
    QUEUE_LANES
};

struct queue;

/* queue_create allocates the rings at boot; the internal lane has QUEUE_INTERNAL_BYTES. ERR_MEMORY.
 */
#define QUEUE_INTERNAL_BYTES ((size_t)1 << 20)
MUST_USE enum err queue_create(size_t urgent_bytes, size_t bulk_bytes, struct queue **out);
void queue_destroy(struct queue *queue);

/* queue_set_patience: a reader that is about to wake by its deadline anyway, within `patience_ms`,
 * is not woken for bulk messages.  Before the first push; 0 at first. */
void queue_set_patience(struct queue *queue, uint64_t patience_ms);

/* queue_set_share says how much of one source may wait.  Before the first queue_push_from. */
struct queue_share {
    size_t messages_max, bytes_max;
};
void queue_set_share(struct queue *queue, struct queue_share share);

/* queue_push copies header and body as one message of `kind`.  Any thread.  ERR_LIMIT: full;
 * ERR_STOPPED after queue_close. */
MUST_USE enum err queue_push(struct queue *queue, enum queue_lane lane, uint32_t kind,
                             struct bytes header, struct bytes body);

/* queue_push_from does the same for a message of a peer; ERR_LIMIT also when its share is full. */
MUST_USE enum err queue_push_from(struct queue *queue, enum queue_lane lane, uint32_t kind,
                                  const struct hash32 *source, struct bytes header,
                                  struct bytes body);

/* queue_pop waits until there is a message or `deadline_ms` passes (by monotonic_ms; UINT64_MAX:
 * never), and views it in the ring: header (aligned to 16) and body stay valid until
 * queue_release.  Returns false on the deadline or when closed and empty.  One reader. */
bool queue_pop(struct queue *queue, uint64_t deadline_ms, uint32_t *kind, struct bytes *header,
               struct bytes *body);
void queue_release(struct queue *queue);

/* queue_has_more says whether more waits in `lane` than the message that the reader holds. */
bool queue_has_more(struct queue *queue, enum queue_lane lane);

/* queue_close wakes the reader; later pushes are refused. */
void queue_close(struct queue *queue);
