#pragma once
/* How many messages of each kind came from peers and went to them: for the metrics page.
 *
 * Counted where whole messages pass, by any thread and without locks.  Kinds are the ones of
 * sequencer/message.h; whatever else a peer sends counts as "unknown", so that the set of labels is
 * bounded. */
#include <stdatomic.h>

#include "base/bytes.h"
#include "sequencer/message.h"

#define TRAFFIC_KINDS (MESSAGE_CHAIN + 1) /* 0: unknown */

struct traffic {
    atomic_uint_fast64_t received[TRAFFIC_KINDS], sent[TRAFFIC_KINDS];
};

/* traffic_received counts one message from a peer. */
void traffic_received(struct traffic *traffic, struct bytes message);
/* traffic_sent counts one message that goes to `peers_count` peers. */
void traffic_sent(struct traffic *traffic, struct bytes message, uint64_t peers_count);

/* traffic_name is the label of a kind below TRAFFIC_KINDS; static storage. */
const char *traffic_name(unsigned kind);
