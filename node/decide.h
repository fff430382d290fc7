#pragma once
/* How long decisions take: from the moment when this node sends or first receives a proposal for a
 * height to the moment when that height's block is durable.
 *
 * The sequencer's thread notes both; the histogram may be read by any thread, the newest durations
 * once that thread has ended (benchmarks do). */
#include "node/histogram.h"

#define DECIDE_NEWEST_MAX 4096
#define DECIDE_HEIGHTS    4 /* whose proposals may be under way at once: this one and the next */

struct decide {
    uint64_t heights[DECIDE_HEIGHTS], began_us[DECIDE_HEIGHTS];
    atomic_uint_fast64_t count; /* durations ever noted; duration i is at i % DECIDE_NEWEST_MAX */
    uint64_t newest_us[DECIDE_NEWEST_MAX], newest_heights[DECIDE_NEWEST_MAX];
    struct histogram seconds;
};

/* decide_proposed notes a proposal for `height`; only a height's first one counts. */
void decide_proposed(struct decide *decide, uint64_t height, uint64_t now_us);
/* decide_proposal_seen does so for a message between nodes, if it is a proposal. */
void decide_proposal_seen(struct decide *decide, struct bytes message, uint64_t now_us);
/* decide_committed notes that the block of `height` is durable; without a proposal (sync) nothing
 * is counted. */
void decide_committed(struct decide *decide, uint64_t height, uint64_t now_us);
