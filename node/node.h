#pragma once
/* A running node: everything wired together (docs/ARCHITECTURE.md, Threads).
 *
 *   rpc threads --ITEM--> inputs --> [sequencer thread] --effects--> p2p, executor thread, workers
 *   p2p thread  --MESSAGE-->  ^                             |
 *   l1, da, executor threads -+----------------------------+
 *
 * node.c puts it together and takes it apart; driver.c is the sequencer's thread; backend_*.c
 * answer RPC; workers.c serve blocks to peers and talk to the DA layer; metrics.c writes the
 * metrics page. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/ed25519.h"
#include "da/da.h"
#include "l1/l1.h"
#include "node/behind.h"
#include "node/decide.h"
#include "node/evidence_keeper.h"
#include "node/executing.h"
#include "node/histogram.h"
#include "node/ledger.h"
#include "node/peer_events.h"
#include "node/pool_keeper.h"
#include "node/queue.h"
#include "node/recover_cache.h"
#include "node/settings.h"
#include "node/snapshot.h"
#include "node/traffic.h"
#include "p2p/p2p.h"
#include "rpc/rpc.h"

/* What differs between `baton node` and `baton dev`. */
struct node_options {
    const struct settings *settings;
    const struct genesis *genesis;
    const char *data_dir;
    bool has_validator_key;
    struct secp_key validator_key;
    struct ed25519_key peer_key;
    bool has_p2p;       /* dev has none */
    bool is_state_only; /* baton join: take a snapshot, and no more */
    bool is_behind;     /* node_wait said so: a snapshot is wanted whatever the clock says */
    bool is_on_demand;
    bool forgets_pool;    /* the data directory goes with the process */
    uint64_t l1_chain_id; /* 0: no L1 */
};

/* VALUE_BYTES views an object as a queue's header, which is memory of this process only. */
#define VALUE_BYTES(value) ((struct bytes){(const uint8_t *)&(value), sizeof(value)})

/* Kinds of messages in the inputs queue. */
enum driver_kind {
    DRIVER_ITEM,      /* header: struct driver_item; body: the encoding */
    DRIVER_MESSAGE,   /* header: peer id; body: the message */
    DRIVER_PEER,      /* header: peer id; what became of it is in peer_events */
    DRIVER_L1,        /* header: struct l1_facts */
    DRIVER_EXECUTED,  /* header: pointer to the outcome */
    DRIVER_COMMITTED, /* header: struct driver_committed */
    DRIVER_DA,        /* header: struct driver_da */
    DRIVER_REFUSED,   /* header: struct rpc_submit_result: inspection said no */
    DRIVER_ASK,       /* header: pointer to struct driver_question */
    DRIVER_STOP,
};

struct driver_item {
    struct item item; /* `encoded` is set again from the body */
    uint64_t request;
    struct hash32 peer;
    bool is_forced;
};
struct driver_committed {
    enum err err;
    struct ledger_view *view;
    const struct block_outcome *outcome;
};
struct driver_da { /* first 0: the DA layer's head, else a receipt */
    uint64_t first, last, height;
    struct hash32 commitment;
    uint64_t latency_ms;
};
/* A question that another thread asks the sequencer and waits for. */
struct driver_question {
    void (*answer)(struct sequencer *sequencer, void *context);
    void *context;
    bool is_done;
    bool is_refused; /* the sequencer does not run yet */
};
/* A peer that came while a snapshot was being taken. */
struct snapshot_known {
    struct hash32 id;
    bool is_heard;
    uint64_t height;
};

struct workers;
struct callers;

/* Counted by the threads that see it happen; shown by metrics.c. */
struct node_counters {
    atomic_uint_fast64_t transactions, gas_used, evidence, origin_stale, bad_peers;
    atomic_uint_fast64_t blocks_invalid, queue_full, items_bad, rotations, syncs;
    atomic_uint_fast64_t pool_log_failures;
    atomic_uint_fast64_t da_submissions, da_bytes, settlements;
    struct decide decide; /* durations noted by the sequencer's thread */
    struct histogram block_time, execute_time, commit_time, da_latency, rotation_gap;
    struct traffic traffic;
};

struct node {
    struct node_options options;
    const struct chain_config *config;
    struct ledger ledger;
    struct queue *inputs;
    struct executing *executing;
    struct workers *workers;
    struct callers *callers; /* of eth_call */
    struct evidence_keeper *keeper;
    struct snapshot_serving *serving; /* NULL in dev */
    struct rpc *rpc;
    /* RPC answers before these are there, so its threads may look while they appear. */
    struct p2p *_Atomic p2p;         /* NULL in dev */
    struct l1 *_Atomic l1;           /* NULL without L1 */
    struct da_publisher *_Atomic da; /* NULL without DA */
    struct signer signer;
    struct recover_cache *recovered;
    struct recoverer recoverer;
    struct signing_domain domain, batch_domain;
    struct hash32 chain_digest;

    /* the sequencer's thread */
    pthread_t driver;
    bool has_driver;
    struct sequencer *sequencer;
    struct ledger_view *view;
    struct effects *effects;
    struct message *message; /* decoded here */
    void *sequencer_memory;
    size_t sequencer_memory_bytes;
    uint64_t last_commit_us;
    uint32_t peers_connected; /* as the sequencer was told; its thread's */
    struct peer_events peer_events;
    struct pool_keeper pool_keeper;

    void *forced_bytes; /* what a view of L1 forces on us, on its way; the L1 thread's */
    size_t forced_size;

    struct p2p_peer peers[P2P_PEERS_MAX]; /* configured first, then the contract's; peers_lock */
    size_t peers_count, peers_configured;
    pthread_mutex_t peers_lock;

    /* who was connected when the sequencer's thread began: its own, until it has told it */
    struct snapshot_known *known_peers;
    size_t known_peers_count;

    /* what other threads may know of the sequencer: copied after each step */
    pthread_mutex_t status_lock;
    pthread_cond_t answered;
    struct sequencer_status status;
    struct validator_set validators, next_validators;
    bool is_snapshot_taking; /* under status_lock, as what follows */
    struct snapshot_status snapshot_status;
    bool is_driver_gone; /* no question will be answered any more */

    uint64_t sync_from; /* head when the sync under way began */

    struct node_counters counters;
    atomic_bool is_started;  /* node_start is through */
    atomic_bool is_stopping; /* INPUT_STOP was given */
    atomic_bool is_stopped;  /* the sequencer let go */
    atomic_int failure;      /* enum err that ends the process */
    /* when a validator with another genesis or protocol was last seen (monotonic); 0: never */
    atomic_uint_fast64_t other_chain_ms;
    uint64_t started_ms;
    uint64_t head_at_start;
};

/* --- node.c */
/* node_start opens everything; on failure `error` has the one line for people and all is closed. */
MUST_USE enum err node_start(const struct node_options *options, struct node *node,
                             char error[512]);
/* node_wait returns when a signal or a failure ends the node; the result is the exit code.  With
 * `behind` (NULL: never) it also ends a node that should take a snapshot: NODE_AGAIN asks for
 * another node_start with options.is_behind. */
#define NODE_AGAIN (-1)
int node_wait(struct node *node, struct behind *behind);
/* node_stop takes the node apart: whoever brings work ends before who does it. */
void node_stop(struct node *node);
/* node_fail ends the process soon: our machine failed. Any thread; the first one counts. */
void node_fail(struct node *node, enum err err, const char *what);

/* --- driver.c: the sequencer's thread */
/* driver_start restores the sequencer and starts its thread.  `error` says what stands in the way;
 * ERR_MEMORY, ERR_SYSTEM, or what sequencer_create says. */
MUST_USE enum err driver_start(struct node *node, char error[512]);
/* driver_stop ends the thread; questions that wait are answered with ERR_STOPPED, and nothing calls
 * into rpc, p2p and executing from there any more. */
void driver_stop(struct node *node);
/* driver_push queues an input; a full queue is counted.  Any thread. */
enum err driver_push(struct node *node, enum queue_lane lane, enum driver_kind kind,
                     struct bytes header, struct bytes body);
/* driver_push_peer has the sequencer's thread told that a peer came or left.  None is lost, and
 * those of one peer keep their order, however full the queue is. */
void driver_push_peer(struct node *node, const struct hash32 *peer, bool is_connected);
/* driver_push_message queues a peer's message; beyond the peer's share it is dropped and counted.
 */
void driver_push_message(struct node *node, const struct hash32 *peer, struct bytes message);
/* driver_refuse answers a question (the header of a DRIVER_ASK) without a sequencer. */
void driver_refuse(struct node *node, struct bytes header);
/* driver_ask runs `answer` on the sequencer's thread and waits for it (ERR_STOPPED, ERR_LIMIT;
 * ERR_SYNCING: a snapshot is being taken, and the sequencer does not run yet). */
MUST_USE enum err driver_ask(struct node *node,
                             void (*answer)(struct sequencer *sequencer, void *context),
                             void *context);

/* --- peers.c: who may connect, and where they are */
/* peer_parse reads PEERID@HOST:PORT.  ERR_CONFIG. */
MUST_USE enum err peer_parse(struct bytes text, struct p2p_peer *out);
/* peers_check reads a comma-separated list of them, as the setting p2p_peers has it.  ERR_CONFIG:
 * `error` quotes the entry. */
MUST_USE enum err peers_check(const char *list, char error[512]);
/* peers_configure reads p2p_peers and names all known peers to p2p.  ERR_CONFIG: `error` quotes the
 * entry. */
MUST_USE enum err peers_configure(struct node *node, char error[512]);
/* peers_registered replaces the peers that the L1 contract lists.  Any thread. */
void peers_registered(struct node *node, const struct l1_view *view);

/* --- outside.c: L1 and DA */
/* outside_start starts the publisher and the L1 thread, where the chain has a DA layer and an L1;
 * outside_stop ends both. */
MUST_USE enum err outside_start(struct node *node, char error[512]);
/* outside_check looks at L1 before a new chain's first vote is signed: contracts that have settled
 * another chain would punish it.  ERR_MISMATCH. */
MUST_USE enum err outside_check(struct node *node, char error[512]);
void outside_stop(struct node *node);
/* outside_is_signalled: SIGINT or SIGTERM waits to be taken; they are blocked until the node runs.
 * (An l1_config.is_interrupted.) */
bool outside_is_signalled(const void *unused);
/* outside_l1_config maps settings and chain to an l1_config without key and events.  ERR_CONFIG. */
MUST_USE enum err outside_l1_config(const struct settings *settings,
                                    const struct rollup_config *rollup, struct l1_config *out,
                                    char error[512]);

/* --- effects.c */
/* effects_perform does what the sequencer said, in order. */
void effects_perform(struct node *node);

/* --- workers.c: blocks for peers, batches for DA, gossip's costly checks */
/* workers_start starts the threads.  ERR_MEMORY, ERR_SYSTEM; workers_destroy also after these. */
MUST_USE enum err workers_start(struct node *node);
/* workers_stop ends the threads, which may send to peers and hand batches to the publisher: before
 * these end.  What waits, and what comes in afterwards, is dropped.  workers_destroy frees the
 * rest, once no other thread brings work. */
void workers_stop(struct node *node);
void workers_destroy(struct node *node);
/* workers_serve sends blocks to a peer, workers_publish hands a batch to the publisher,
 * workers_verify_da looks for one, workers_inspect recovers the senders of gossiped items.  Any
 * thread; a full queue drops the work and counts it (the asker asks again). */
void workers_serve(struct node *node, const struct hash32 *peer, uint64_t first, uint64_t last);
void workers_publish(struct node *node, const struct effect *effect);
void workers_verify_da(struct node *node, uint64_t first, uint64_t last, uint64_t height,
                       const struct hash32 *commitment);
void workers_inspect(struct node *node, const struct hash32 *sender, bool is_guest,
                     struct bytes message);
/* The publisher's thread reports here what it found or posted, and how high the DA layer is. */
void workers_da_receipt(void *context, const struct da_receipt *receipt);
void workers_da_head(void *context, uint64_t head);

/* --- backend.c, backend_chain.c, backend_call.c; node->callers is destroyed by node_stop */
/* backend_create fills the table by which rpc asks the node.  ERR_MEMORY. */
MUST_USE enum err backend_create(struct node *node, struct rpc_backend *out);

/* --- metrics.c */
/* metrics_write writes the node's part of the metrics page.  Any thread. */
void metrics_write(struct node *node, struct buffer *out);

/* --- health.c */
/* health_read is what /health and /ready say; status_write writes the object that baton_status and
 * `baton monitor` show.  Any thread. */
void health_read(struct node *node, struct rpc_health *out);
void status_write(struct node *node, struct json_writer *json);
