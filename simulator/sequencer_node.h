#pragma once
/* A node that is the real sequencer: pool, blocks that the EVM executes, consensus, sync, batches.
 * The edge around it is simulated: its disk is memory, its L1 a function of time, the DA layer an
 * array, and its clients send signed transfers whose acknowledgements are held against it. */

#include "base/check.h"
#include "pages/pages.h"
#include "sequencer/sequencer.h"
#include "sequencer/snapshot.h"
#include "simulator/checker.h"
#include "simulator/disk.h"
#include "simulator/world.h"
#include "state/kv_memory.h"

#define CLIENT_ACCOUNTS      6
#define CLIENT_ITEMS         64 /* of each account, in a run */
#define SEQUENCER_KV_BYTES   ((size_t)4 << 20)
#define SEQUENCER_SLOT_BYTES ((size_t)8 << 20)
#define BLOBS_MAX            1024
#define DA_BLOCK_MS          60
#define BLOBS_LATE_MAX       32
#define L1_TRANSACTIONS_MAX  1024
#define L1_UNFINALIZED       4 /* blocks that may still be replaced */
#define L1_CALLS_MAX         8
#define JUDGE_HEIGHTS_MAX    4096
#define L1_GENESIS           100
#define L1_BLOCK_MS          700
#define L1_HISTORY           48 /* below L1_RING */

/* thread_buffer returns a thread's large buffer, made at its first use: as a thread-local array it
 * would cost every thread of the whole program its memory. */
static inline uint8_t *thread_buffer(uint8_t **buffer, size_t bytes) {
    if (*buffer != NULL) return *buffer;
    *buffer = pages_reserve(bytes);
    CHECK(*buffer != NULL);
    return *buffer;
}

enum local_message {
    LOCAL_EXECUTED = 1,
    LOCAL_COMMITTED,
    LOCAL_PUBLISH,
    LOCAL_L1,
    LOCAL_DA,
    LOCAL_PEER,
    LOCAL_RECONNECT,
};

struct da_blob {
    struct bytes bytes; /* owned */
    uint64_t first, last;
    uint64_t height; /* where it landed, or will */
};

/* A transaction to the coordinator's contract, in the pool of L1 or mined. */
enum l1_fate { L1_POOLED, L1_SUCCEEDED, L1_REVERTED, L1_DROPPED };
struct l1_transaction {
    struct settlement *settlement; /* owned */
    enum l1_fate fate;
    uint64_t ready_number; /* not mined before */
};

struct l1_settled {
    uint64_t number; /* L1 block */
    uint32_t transaction;
    uint64_t last;
    struct hash32 last_hash, state_root;
};

/* What a run's nodes share. */
struct client_item {
    uint64_t acknowledged_crashes; /* the cluster's count of crashes then */
    uint64_t sent_ms;
    bool is_sent, is_acknowledged, is_included;
    bool is_held; /* by another correct node when it was acknowledged */
};

/* A backup of a node's disk, and what becomes of it. */
struct old_disk {
    struct kv_memory *kv;
    struct chain_view view;
    struct bytes record, journal; /* owned */
};
enum old_phase { OLD_NONE, OLD_TAKEN, OLD_CALM, OLD_AWAY, OLD_OVER };
struct old_directory {
    enum old_phase phase;
    struct random random;
    uint64_t at_ms, until_ms; /* when its next phase may begin; must be over */
    uint32_t node;
    struct old_disk disk;
};

/* Requests of forced inclusion, the n-th with the account's n-th nonce. */
#define FORCED_REQUESTS_MAX 8
#define FORCED_KNOWN        8
struct forced_request {
    uint64_t l1_number;
    uint64_t ended_number; /* pending before that L1 block; 0: no end yet */
};
struct forced_requests {
    struct random random;
    uint64_t blocks; /* that may leave one out; 0: there are none in this run */
    uint64_t blind;  /* bits by node: it learns of none of them, until the faults stop */
    uint64_t at_ms;
    uint32_t target, count, included;
    struct forced_request requests[FORCED_REQUESTS_MAX];
};

/* Snapshots in a run, and the states that can be served: of the last heights. */
#define SNAPSHOT_STATES 64
struct snapshot_runs {
    struct random random;
    bool is_on;
    uint64_t at_ms, kept_height;
    struct kv_memory *states[SNAPSHOT_STATES];
};
/* What a node's disk has of a snapshot that is being taken. */
struct taken {
    bool is_wanted, has_begun;
    uint32_t loads_to_crash;
    struct bytes record; /* owned */
    struct kv_memory *kv;
};
struct taking; /* sequencer_snapshot.c */

struct judge; /* sequencer_judge.c */

struct sequencer_shared {
    struct chain_config config;
    struct signing_domain batch_domain;
    struct da_blob blobs[BLOBS_MAX]; /* by height */
    size_t blobs_count;
    struct da_blob late[BLOBS_LATE_MAX]; /* taken, not landed */
    size_t late_count;
    struct l1_transaction transactions[L1_TRANSACTIONS_MAX];
    uint32_t transactions_count;
    struct l1_settled settled[L1_TRANSACTIONS_MAX]; /* on the chain, in order */
    uint32_t settled_count, finalized_count;
    uint64_t l1_head;
    struct judge *judge;
    struct old_directory old;
    struct forced_requests forced;
    struct snapshot_runs snapshots;
    bool awaits_settlement; /* recovery: until what was there when the faults stopped is final */
    struct client_item items[CLIENT_ACCOUNTS][CLIENT_ITEMS];
    uint64_t items_target;                            /* of each account */
    bool is_broken[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* connections, until they are made again */
};

struct sequencer_block {
    struct bytes package, commit; /* owned */
    struct hash32 hash, state_root;
    struct address proposer;
    uint64_t l1_number;
};

/* The publisher's thread: one batch at a time. */
struct publisher {
    struct effect effect;    /* first 0: nothing */
    uint64_t certain_height; /* from there on no earlier try can land any more */
};

/* The thread that sends transactions to L1: the oldest call first. */
struct sender {
    struct settlement *calls[L1_CALLS_MAX]; /* owned */
    uint32_t count;
    bool is_awake, is_posted;
    uint32_t transaction;
    uint64_t posted_number;
};

struct byzantine; /* sequencer_byzantine.c */

struct sequencer_node {
    struct world *world;
    uint32_t index;
    struct registry *registry;
    struct address own;
    struct sequencer *sequencer;
    struct executor *executor;

    /* on its disk */
    struct kv_memory *kv;
    struct chain_view view;
    struct sequencer_block *chain; /* [0..height], 0: genesis */
    uint64_t chain_capacity;
    struct validator_set *sets; /* by rotation */
    uint64_t sets_capacity;
    struct disk_record record, journal;
    struct bytes record_package; /* owned: what followed the last record that had a valid block */
    uint64_t signed_before;      /* up to this height signatures may exist that it does not know */
    bool is_found_out;           /* it said that its record is old */
    struct taken taken;

    /* gone in a crash */
    struct chain_view given[2];
    uint32_t given_next;
    struct block_outcome outcomes[EXECUTOR_SLOTS];
    struct consensus_record durable;
    struct publisher publisher;
    struct sender sender;
    uint64_t poll_at_ms, l1_number, l1_asked;
    uint64_t known_head, known_numbers[FORCED_KNOWN]; /* what L1 told at known_head, and before */
    uint64_t wall_offset_ms;
    struct taking *taking; /* owned; in place of the sequencer */

    /* Byzantine only */
    uint32_t habits;
    struct byzantine *byzantine; /* owned */
};

extern const struct node_kind sequencer_node_kind;

/* What all nodes of a run share is opened and closed with it; each part says whether what it began
 * is brought to its end (_is_done; if not, world->undone says what is missing), and draws what
 * happens in it from a source of its own.
 *
 * --- sequencer_world.c: genesis, clients, L1, DA */
void sequencer_world_open(struct world *world);
void sequencer_world_close(struct world *world);
/* sequencer_world_outside lets happen what is outside of the nodes - clients, L1, DA - and returns
 * after how many milliseconds to do so again. */
uint64_t sequencer_world_outside(struct world *world);
bool sequencer_world_is_done(struct world *world);
/* sequencer_genesis is made once for all runs. */
const struct kv_memory *sequencer_genesis(struct header *header, struct hash32 *hash);
/* sequencer_item finds a client's item by its encoding; NULL: garbage. */
const struct item *sequencer_item(struct bytes encoded);
/* sequencer_client_item is the nonce-th item of an account. */
const struct item *sequencer_client_item(uint32_t account, uint64_t nonce);
/* sequencer_acknowledged notes the answer to request (account * CLIENT_ITEMS + nonce + 1). */
void sequencer_acknowledged(struct world *world, uint32_t node, uint64_t request,
                            enum verdict verdict);
/* sequencer_included notes the items of a committed block. */
void sequencer_included(struct world *world, const struct block_outcome *outcome);

/* --- sequencer_da.c: the DA layer, and a node's publisher */
void sequencer_da_close(struct sequencer_shared *shared);
/* sequencer_da_head is the newest DA height; what was to land up to there has. */
uint64_t sequencer_da_head(struct world *world);
/* sequencer_da_find finds what lies at a height for blocks [first, last]; NULL: nothing. */
const struct da_blob *sequencer_da_find(const struct sequencer_shared *shared, uint64_t height,
                                        uint64_t first, uint64_t last);
bool sequencer_da_is_done(struct world *world);
/* sequencer_da_perform takes a PUBLISH effect; sequencer_da_publish is the publisher's next try;
 * sequencer_da_verify answers a VERIFY_DA effect. */
void sequencer_da_perform(struct world *world, struct sequencer_node *node,
                          const struct effect *effect);
void sequencer_da_publish(struct world *world, struct sequencer_node *node);
void sequencer_da_verify(struct world *world, struct sequencer_node *node,
                         const struct effect *effect);
/* sequencer_da_covered is the last block of the prefix that is on the DA layer. */
uint64_t sequencer_da_covered(const struct sequencer_shared *shared);

/* --- sequencer_l1.c: the L1 chain with the coordinator's contract, and a node's sender */
void sequencer_l1_close(struct sequencer_shared *shared);
/* sequencer_l1_advance mines the blocks that are due; sequencer_l1_fault replaces some. */
void sequencer_l1_advance(struct world *world);
void sequencer_l1_fault(struct world *world, const struct fault *fault);
bool sequencer_l1_is_done(struct world *world);
/* sequencer_l1_finalized is the newest finalized block `ago_ms` before now. */
uint64_t sequencer_l1_finalized(const struct world *world, uint64_t ago_ms);
/* sequencer_l1_facts is what a node reads of the contracts at an L1 block. */
void sequencer_l1_facts(struct world *world, uint64_t number, struct l1_facts *out);
/* sequencer_l1_settle takes a SETTLE effect; sequencer_l1_send is the sender's next try;
 * sequencer_l1_forget is what a crash does to it. */
void sequencer_l1_settle(struct world *world, struct sequencer_node *node,
                         const struct settlement *settlement);
void sequencer_l1_send(struct world *world, struct sequencer_node *node);
void sequencer_l1_forget(struct sender *sender);
/* sequencer_l1_check holds what a correct node calls safe and finalized against DA and L1. */
void sequencer_l1_check(struct world *world, const struct sequencer_node *node);

/* --- sequencer_judge.c: each committed block once more, on a state of its own */
void sequencer_judge_open(struct sequencer_shared *shared);
void sequencer_judge_close(struct sequencer_shared *shared);
/* sequencer_judge takes the package of a block that `node` is the first to commit. */
void sequencer_judge(struct world *world, uint32_t node, struct bytes encoded);
/* sequencer_judge_hash is the judged block at a height, sequencer_judge_root the state after it;
 * NULL: there is none yet. */
const struct hash32 *sequencer_judge_hash(const struct sequencer_shared *shared, uint64_t height);
const struct hash32 *sequencer_judge_root(const struct sequencer_shared *shared, uint64_t height);

/* --- sequencer_effects.c */
/* sequencer_node_input gives the sequencer one input, with its clocks, and performs what comes out;
 * nothing while the node takes a snapshot. */
void sequencer_node_input(struct world *world, struct sequencer_node *node, struct input *input);
/* sequencer_node_of finds a peer's node, -1: nobody. */
int sequencer_node_of(const struct sequencer_node *node, const struct hash32 *peer);

/* --- sequencer_node.c: its life, its chain, and what comes in */
/* sequencer_node_reserve makes room for a height's block and a rotation's set. */
void sequencer_node_reserve(struct sequencer_node *node, uint64_t height, uint64_t rotation);

/* sequencer_node_memory is memory of the thread, for one use by one node after the other. */
enum sequencer_memory {
    SEQUENCER_MEMORY_KV,
    SEQUENCER_MEMORY_SEQUENCER,
    SEQUENCER_MEMORY_EXECUTOR,
    SEQUENCER_MEMORY_BACKUP, /* and of a snapshot's state: no run has both */
    SEQUENCER_MEMORY_SNAPSHOT,
    SEQUENCER_MEMORY_USES,
};
void *sequencer_node_memory(uint32_t node, enum sequencer_memory use, size_t bytes);

/* --- sequencer_forced.c: what the contract forces on the rollup */
void sequencer_forced_open(struct world *world, struct forced_requests *forced);
/* sequencer_forced_owns: clients send nothing of this account. */
bool sequencer_forced_owns(const struct sequencer_shared *shared, uint32_t account);
/* sequencer_forced_run puts the next request on L1 when it is due. */
void sequencer_forced_run(struct world *world);
/* sequencer_forced_hides: the node does as if it did not know of this item. */
bool sequencer_forced_hides(const struct world *world, const struct sequencer_node *node,
                            const struct item *item);
/* sequencer_forced_list adds to an L1 block what is pending there, as far as the node sees it;
 * sequencer_forced_told notes that a node heard of a block, sequencer_forced_forget its crash. */
void sequencer_forced_list(const struct world *world, const struct sequencer_node *node,
                           struct l1_facts *facts);
void sequencer_forced_told(const struct world *world, struct sequencer_node *node, uint64_t number);
void sequencer_forced_forget(struct sequencer_node *node);
/* sequencer_forced_committed sees each block that `node` is the first to commit. */
void sequencer_forced_committed(struct world *world, const struct sequencer_node *node,
                                const struct block_outcome *outcome);
bool sequencer_forced_is_done(struct world *world);

/* --- sequencer_snapshot.c: serving and taking the state of a block */
void sequencer_snapshot_open(struct world *world, struct snapshot_runs *runs);
/* sequencer_snapshot_run leaves a node so far behind, now and then, that it takes a snapshot. */
void sequencer_snapshot_run(struct world *world);
/* sequencer_snapshot_keep notes the state of a node that has just committed. */
void sequencer_snapshot_keep(struct world *world, const struct sequencer_node *node);
/* sequencer_snapshot_serve answers what a node that takes one asks. */
void sequencer_snapshot_serve(struct world *world, struct sequencer_node *node, uint32_t to,
                              const struct message *request);
/* sequencer_snapshot_begin starts a node whose disk wants one; forget is its crash; the others are
 * what comes in meanwhile. */
void sequencer_snapshot_begin(struct world *world, struct sequencer_node *node);
void sequencer_snapshot_forget(struct sequencer_node *node);
void sequencer_snapshot_deliver(struct world *world, struct sequencer_node *node, uint32_t from,
                                const struct message *message);
void sequencer_snapshot_peer(struct world *world, struct sequencer_node *node, uint32_t peer,
                             bool is_connected);
void sequencer_snapshot_tick(struct world *world, struct sequencer_node *node);
uint64_t sequencer_snapshot_deadline_ms(const struct sequencer_node *node);

/* --- sequencer_old.c: a disk from a backup */
void sequencer_old_open(struct world *world, struct old_directory *old);
void sequencer_old_close(struct old_directory *old);
/* sequencer_old_run copies a node's disk at some moment, and puts it back at a later one. */
void sequencer_old_run(struct world *world, struct old_directory *old);

/* --- sequencer_byzantine.c */
/* sequencer_byzantine_init draws how the node will misbehave. */
void sequencer_byzantine_init(struct world *world, struct sequencer_node *node);
/* sequencer_byzantine_send sends a message, or something else in its place. */
void sequencer_byzantine_send(struct world *world, struct sequencer_node *node, uint32_t to,
                              struct bytes message);
/* sequencer_byzantine_seen reacts to a message that came in. */
void sequencer_byzantine_seen(struct world *world, struct sequencer_node *node, struct bytes bytes,
                              const struct message *message);

/* --- sequencer_invalid.c */
/* sequencer_invalid_block makes a block that breaks one rule out of one that breaks none; `draw`
 * says which.  Empty: it cannot.  What it returns lives until the next call. */
struct bytes sequencer_invalid_block(struct world *world, const struct sequencer_node *node,
                                     struct bytes package, uint64_t draw, struct hash32 *hash);
/* sequencer_spoilt_package puts something else behind a block's header, which stays as it is.
 * Empty, and how long it lives: as above. */
struct bytes sequencer_spoilt_package(struct world *world, const struct sequencer_node *node,
                                      struct bytes package);
