#pragma once
/* A lane: the outgoing messages of one kind for one peer, whole, in order, bounded in bytes.
 *
 * Messages wait in a ring of bytes, each behind its size.  The one that is being sent is taken out
 * of the ring first, so that everything in the ring is whole and can be dropped: a push that does
 * not fit drops the oldest waiting messages until it does.  Memory is reserved once and touched
 * only as far as it is needed; a lane that has become empty gives pages back.  The caller holds the
 * lock. */
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct p2p_lane_ring {
    uint8_t *data;
    size_t capacity;
    size_t head;    /* offset of the oldest message's size */
    size_t used;    /* bytes, sizes included */
    size_t peak;    /* the furthest byte touched since pages were given back */
    uint32_t count; /* messages */
};

/* p2p_lane_create reserves `capacity` bytes.  ERR_MEMORY. */
MUST_USE enum err p2p_lane_create(struct p2p_lane_ring *lane, size_t capacity);
void p2p_lane_destroy(struct p2p_lane_ring *lane);

/* p2p_lane_push copies `message` to the end and returns how many messages were dropped for it; when
 * it can never fit, that is itself: 1, and nothing else changes. */
uint32_t p2p_lane_push(struct p2p_lane_ring *lane, struct bytes message);

/* p2p_lane_pop copies the oldest message to `out`, which has room for `out_bytes_max`, and removes
 * it. Returns its size; 0 when the lane is empty (empty messages are never pushed). */
size_t p2p_lane_pop(struct p2p_lane_ring *lane, uint8_t *out, size_t out_bytes_max);

/* p2p_lane_clear forgets all messages. */
void p2p_lane_clear(struct p2p_lane_ring *lane);
