#pragma once
/* Which peers came and left since the sequencer's thread was told last.
 *
 * The events themselves do not travel in the queue, where a full lane would refuse one or send it
 * by another lane, past an earlier one.  Here stands what is true of each peer, and the queue only
 * carries that there is something to see, at most once for each peer.  So none is lost, and none
 * comes before one that was earlier: who left and came back has left, and is there. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "p2p/p2p.h"

/* Those who are there, as many whom the reader still thinks there, and room. */
#define PEER_EVENTS_MAX (4 * P2P_PEERS_MAX)

struct peer_events {
    pthread_mutex_t lock; /* guards all below */
    struct peer_event {
        struct hash32 peer;
        bool is_used, is_announced; /* announced: the reader will take it */
        bool is_connected, has_left /* since it was taken */, was_connected /* when it was taken */;
    } list[PEER_EVENTS_MAX];
};

/* What the reader has to be told of one peer: first that it has left, then that it has come. */
struct peer_change {
    bool has_left, has_come;
};

/* peer_events_create begins with nobody there; peer_events_destroy ends it when nobody else uses it
 * any longer. */
void peer_events_create(struct peer_events *events);
void peer_events_destroy(struct peer_events *events);

/* peer_events_note writes down that `peer` came or left.  Returns whether the reader has to be
 * called: it has not been called for this peer since it took it last.  Any thread, but the events
 * of one peer one after the other. */
bool peer_events_note(struct peer_events *events, const struct hash32 *peer, bool is_connected);

/* peer_events_unannounce: the reader could not be called; the next event calls it again. */
void peer_events_unannounce(struct peer_events *events, const struct hash32 *peer);

/* peer_events_take says what became of `peer` since it was taken last.  The reader's thread. */
struct peer_change peer_events_take(struct peer_events *events, const struct hash32 *peer);
