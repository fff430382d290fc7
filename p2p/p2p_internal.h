#pragma once
/* What the files of p2p/ share: links (one per named peer) and connections (one per socket).
 *
 * The loop's thread owns everything here but what stands under `lock`: the lanes, who is connected,
 * the list of peers that was asked for, and the wish to stop. */
#include <pthread.h>
#include <stdatomic.h>

#include "p2p/lane.h"
#include "p2p/p2p.h"
#include "p2p/resolver.h"
#include "p2p/session.h"

#define P2P_PENDING_MAX      64 /* connections that came in and have not proved who they are */
#define P2P_LINKS_MAX        (P2P_PEERS_MAX + P2P_GUESTS_MAX) /* named peers first, then guests */
#define P2P_CONNECTIONS_MAX  (2 * P2P_LINKS_MAX + P2P_PENDING_MAX)
#define P2P_GUEST_RATE       (256u << 10)                         /* bytes a second from a guest */
#define P2P_GUEST_LANE_BYTES (P2P_MESSAGE_BYTES_MAX + (1u << 20)) /* the longest message fits */
#define P2P_IN_BYTES         (64u << 10)
#define P2P_OUT_BYTES        (64u << 10)
#define P2P_HANDSHAKE_MS     5000 /* from connect or accept to the first record */
#define P2P_BACKOFF_MS_MIN   100
#define P2P_BACKOFF_MS_MAX   5000
#define P2P_STABLE_MS        2000  /* a connection that lasted so long resets the backoff */
#define P2P_TIE_MS           5000  /* both sides connected at once: only so long after */
#define P2P_RETRY_MS_MAX     1000  /* between two tries of the kernel to send a thing again */
#define P2P_SILENT_MS_MAX    10000 /* unconfirmed for so long: the connection is lost */
#define P2P_STOP_MS          500
#define P2P_TICK_MS          50
#define P2P_SHORT_MS         200 /* who waits to be let in waits so long while descriptors lack */
#define P2P_ASSEMBLY_KEEP    (64u << 10) /* pages that are kept between long messages */

struct p2p_link;

enum p2p_connection_state {
    P2P_CONNECTION_FREE,
    P2P_CONNECTION_DIALING,   /* TCP is connecting */
    P2P_CONNECTION_HANDSHAKE, /* the session is not open */
    P2P_CONNECTION_UNPROVED,  /* we called; the session is open, but the other has not let us in yet
                               */
    P2P_CONNECTION_OPEN,
    P2P_CONNECTION_LAST_WORDS /* what is in `out` goes out, then it closes */
};

struct p2p_connection {
    enum p2p_connection_state state;
    int fd;
    bool is_initiator;
    uint64_t origin;       /* of an inbound one: where it comes from (origin_of) */
    struct p2p_link *link; /* NULL: an inbound one that has not proved who it is */
    struct p2p_session session;
    uint64_t deadline_ms; /* until it is open */
    uint64_t opened_ms, received_ms, sent_ms;
    uint64_t budget_bytes, budget_ms; /* what may be received, and when that was worked out */
    size_t in_size;
    size_t out_size, out_sent;
    uint8_t in[P2P_IN_BYTES];
    uint8_t out[P2P_OUT_BYTES];
};

/* A message on its way out or in, in parts. */
struct p2p_transfer {
    uint8_t *data; /* P2P_MESSAGE_BYTES_MAX reserved */
    size_t size;
    size_t done;
};

struct p2p_link {
    bool in_use;
    bool is_guest; /* goes with its connection */
    struct p2p_peer peer;
    struct p2p_connection *open;
    struct p2p_connection *dialing; /* up to and including UNPROVED */
    uint64_t dial_at_ms;
    uint64_t backoff_ms;
    struct p2p_transfer sending[P2P_LANE_COUNT];
    struct p2p_transfer receiving[P2P_LANE_COUNT];
    enum p2p_lane low_turn; /* items and sync take turns */
    /* under lock */
    bool is_connected;
    struct p2p_lane_ring lanes[P2P_LANE_COUNT];
};

struct p2p_tallies {
    atomic_uint_fast64_t messages_sent, messages_received, bytes_sent, bytes_received,
        messages_dropped, handshakes_refused, records_bad;
    atomic_uint_fast32_t peers_connected, guests_connected;
};

struct p2p {
    struct p2p_config config; /* defaults filled in */
    int listen_fd;            /* -1: does not listen */
    uint64_t accept_at_ms;    /* not before: the process had no descriptor left */
    int wake_fd;
    pthread_t thread;
    struct p2p_resolver *resolver;
    struct p2p_connection *connections; /* P2P_CONNECTIONS_MAX, reserved */
    size_t connections_used;            /* those after so many were never used */
    struct p2p_link links[P2P_LINKS_MAX];
    struct p2p_tallies tallies;

    pthread_mutex_t lock;
    bool has_wanted;
    size_t wanted_count;
    struct p2p_peer wanted[P2P_PEERS_MAX];
    bool is_stopping;
};

/* The lock of what other threads see (lanes, tallies, wanted peers). */
void p2p_lock(struct p2p *p2p);
void p2p_unlock(struct p2p *p2p);

/* link.c: the list of peers, and which connection serves one. */
struct p2p_link *p2p_link_find(struct p2p *p2p, const struct hash32 *id);
/* p2p_links_apply takes over the list that p2p_set_peers left. */
void p2p_links_apply(struct p2p *p2p);
/* p2p_link_offer decides about an inbound connection whose peer has just proved its key: true when
 * it may serve the link; the one that it replaces is closed. */
bool p2p_link_offer(struct p2p *p2p, struct p2p_link *link, struct p2p_connection *connection);
/* p2p_link_attach makes the connection the link's and tells the layers above. */
void p2p_link_attach(struct p2p *p2p, struct p2p_link *link, struct p2p_connection *connection);
void p2p_link_release(struct p2p *p2p, struct p2p_link *link);
/* p2p_guest_admit makes a link for somebody that nobody named and that comes from `origin`.  When
 * all places are taken, an origin that has two more of them than the newcomer's gives one up.
 * NULL: there is no room. */
struct p2p_link *p2p_guest_admit(struct p2p *p2p, const struct hash32 *id, uint64_t origin);
/* p2p_guests_reap releases the links of guests that left. */
void p2p_guests_reap(struct p2p *p2p);
/* p2p_link_tell tells the layers above that the link's peer came or went. */
void p2p_link_tell(struct p2p *p2p, const struct p2p_link *link, bool is_connected);

/* connection.c: one socket.  Functions that return bool: false means that it is closed now. */
struct p2p_connection *p2p_connection_new(struct p2p *p2p, int fd, bool is_initiator,
                                          uint64_t origin);
void p2p_connection_close(struct p2p *p2p, struct p2p_connection *connection);
bool p2p_connection_dialed(struct p2p *p2p, struct p2p_connection *connection);
bool p2p_connection_read(struct p2p *p2p, struct p2p_connection *connection);
/* p2p_connection_write fills `out` from the lanes and writes until the socket takes no more. */
bool p2p_connection_write(struct p2p *p2p, struct p2p_connection *connection);
bool p2p_connection_timers(struct p2p *p2p, struct p2p_connection *connection, uint64_t now_ms);
/* p2p_connection_may_read says whether its receiving rate leaves room. */
bool p2p_connection_may_read(struct p2p *p2p, struct p2p_connection *connection, uint64_t now_ms);
bool p2p_connection_has_output(const struct p2p_connection *connection);

/* loop.c */
void *p2p_loop(void *p2p);
