#pragma once
/* Authenticated, encrypted TCP between nodes: whole messages over a full mesh.
 *
 * Peers are Ed25519 keys.  A handshake proves both keys (signed ephemeral X25519, forward secret)
 * and that both sides run the same chain (chain_digest); then every message travels in
 * ChaCha20-Poly1305 sealed records of at most 16 KiB (session.h), so that bytes that were changed,
 * replayed or reordered end the connection.  Only peers that p2p_set_peers named are let in, and up
 * to guests_max others as guests: they may ask for what everybody may know, their messages come
 * apart from those of peers and more slowly, and no broadcast goes to them.  One thread owns all
 * sockets (poll loop); it connects to every named peer that has an address, with backoff, keeps one
 * connection per peer (the one whose initiator has the lower key when both connect), pings, and
 * closes what is silent.
 *
 * Outgoing messages queue per peer in three lanes; a vote never waits behind a block that is being
 * sent to sync somebody.  Queues are bounded in bytes: a lane that is full drops its oldest whole
 * message and counts it (the layers above send again). */
#include "base/bytes.h"
#include "base/ed25519.h"
#include "base/err.h"
#include "base/hash.h"

#define P2P_MESSAGE_BYTES_MAX (6u << 20)
#define P2P_PEERS_MAX         160
#define P2P_GUESTS_MAX        32
#define P2P_HOST_BYTES        256

enum p2p_lane {
    P2P_LANE_CONSENSUS, /* votes, proposals, commits */
    P2P_LANE_ITEMS,     /* gossip of items */
    P2P_LANE_SYNC,      /* blocks and state for those behind */
    P2P_LANE_COUNT
};

struct p2p_peer {
    struct hash32 id;          /* Ed25519 public key */
    char host[P2P_HOST_BYTES]; /* empty: wait for it to connect */
    uint16_t port;
};

/* Called on the p2p thread; they must not block.  `message` dies when the call returns. */
struct p2p_events {
    void *context;
    void (*message)(void *context, const struct hash32 *peer, struct bytes message);
    void (*connected)(void *context, const struct hash32 *peer, bool is_connected);
    /* A named peer proved its key but runs another chain (chain_digest); may be NULL. */
    void (*other_chain)(void *context, const struct hash32 *peer);
    /* The same for guests; not NULL when guests_max is not 0. */
    void (*guest_message)(void *context, const struct hash32 *guest, struct bytes message);
    void (*guest_connected)(void *context, const struct hash32 *guest, bool is_connected);
};

struct p2p_config {
    struct ed25519_key key;
    const char *listen_host; /* "0.0.0.0", "127.0.0.1", ... */
    uint16_t listen_port;    /* 0: do not listen */
    struct hash32
        chain_digest; /* keccak over genesis hash, protocol version and consensus settings */
    uint32_t lane_bytes_max[P2P_LANE_COUNT]; /* per peer; 0: the default */
    uint32_t receive_bytes_per_second_max;   /* per peer; 0: the default */
    uint32_t guests_max;                     /* at most P2P_GUESTS_MAX */
    uint64_t silence_ms; /* close a connection that is silent so long; 0: 10,000 */
    struct p2p_events events;
};

struct p2p_counters {
    uint32_t peers_connected, guests_connected;
    uint64_t messages_sent, messages_received;
    uint64_t bytes_sent, bytes_received;
    uint64_t messages_dropped;   /* a full lane */
    uint64_t handshakes_refused; /* unknown key, wrong signature, other chain */
    uint64_t records_bad;        /* did not authenticate or too long */
};

struct p2p;

/* p2p_start listens and starts the thread.  ERR_ADDRESS_IN_USE, ERR_PERMISSION, ERR_SYSTEM. */
MUST_USE enum err p2p_start(const struct p2p_config *config, struct p2p **out);
/* p2p_stop closes all connections after flushing what is queued (at most 500 ms) and joins. */
void p2p_stop(struct p2p *p2p);

/* p2p_set_peers replaces the list of peers; connections to others are closed.  Any thread. */
void p2p_set_peers(struct p2p *p2p, const struct p2p_peer *peers, size_t count);

/* p2p_send copies the message into the peer's queue.  Any thread.  A message for a peer that is not
 * connected is dropped. */
void p2p_send(struct p2p *p2p, const struct hash32 *peer, enum p2p_lane lane, struct bytes message);
/* p2p_queue and p2p_queue_all (to all connected peers but `except`; NULL: none) do so for several
 * messages that belong together: they leave at the latest after p2p_flush, which wakes the thread
 * once for all, and share packets. */
void p2p_queue(struct p2p *p2p, const struct hash32 *peer, enum p2p_lane lane,
               struct bytes message);
void p2p_queue_all(struct p2p *p2p, enum p2p_lane lane, struct bytes message,
                   const struct hash32 *except);
void p2p_flush(struct p2p *p2p);
/* p2p_send_guests sends to all guests.  Any thread. */
void p2p_send_guests(struct p2p *p2p, enum p2p_lane lane, struct bytes message);

/* p2p_counters copies the counters, all of one moment.  Any thread. */
struct p2p_counters p2p_counters(struct p2p *p2p);
/* p2p_connected lists up to `max` connected peers, no guests; returns how many.  Any thread. */
size_t p2p_connected(struct p2p *p2p, struct hash32 *out, size_t max);
