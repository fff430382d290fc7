#pragma once
/* The world of one run: simulated time, a network, disks, clocks, and what goes wrong with them.
 *
 * A world knows nodes only through struct node_kind: it starts and stops them, gives them messages
 * and the time, and decides what happens to each message and each write.  Everything follows from
 * the seed: one thread, one queue of events ordered by (time, sequence).  A run has two parts.
 * While `is_chaos` faults begin and end (faults.c); after the given number of steps they all end at
 * once, and the cluster must make progress within RECOVERY_STEPS_MAX steps.  The checker looks at
 * every step. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "chain/fork.h"
#include "chain/validators.h"
#include "consensus/commit.h"
#include "consensus/signing.h"
#include "simulator/random.h"

#define WORLD_NODES_MAX    16
#define WORLD_EVENTS_MAX   (1u << 16)
#define WORLD_FAULTS_MAX   256 /* that can be left out by number (--without) */
#define RECOVERY_STEPS_MAX 100000
#define RECOVERY_HEIGHTS   4 /* that every correct node must commit once the faults stopped */

/*       name              what happens */
#define FAULT_LIST(X)                                                                              \
    X(CRASH, "crash")               /* one node, at some effect of its next steps */               \
    X(CRASH_ALL, "crash_all")       /* the whole cluster at once */                                \
    X(PAUSE, "pause")               /* SIGSTOP, SIGCONT */                                         \
    X(HANDOVER, "graceful_stop")    /* SIGTERM: passes the baton, stops */                         \
    X(PARTITION, "partition")       /* two halves */                                               \
    X(ISOLATE, "isolate")           /* one node from all */                                        \
    X(ONE_WAY, "one_way_partition") /* messages pass in one direction only */                      \
    X(LOSS, "loss")                 /* on all links */                                             \
    X(DUPLICATION, "duplication")                                                                  \
    X(REORDERING, "reordering")                                                                    \
    X(DELAY, "delay")                                                                              \
    X(SLOW_LINK, "slow_link") /* one node's links */                                               \
    X(CLOCK_DRIFT, "clock_drift")                                                                  \
    X(CLOCK_JUMP, "clock_jump")                                                                    \
    X(DISK_SLOW, "disk_slow")                                                                      \
    X(DISK_FULL, "disk_full")                                                                      \
    X(EXECUTION_SLOW, "execution_slow")                                                            \
    X(BUILD_LATE, "build_late")      /* the proposer's executor takes three seconds */             \
    X(VIEW_BEHIND, "l1_view_behind") /* valid blocks look invalid to one node */                   \
    X(L1_OUTAGE, "l1_outage")        /* one node cannot read L1 */                                 \
    X(DA_OUTAGE, "da_outage")                                                                      \
    X(DA_AMBIGUOUS, "da_ambiguous") /* published, but the answer says that it failed */            \
    /* From here on: what the consensus machine alone knows nothing of. */                         \
    X(DA_LATE, "da_late")             /* an error, and the blob lands some blocks later */         \
    X(DA_REPEATED, "da_repeated")     /* answers come late, and twice */                           \
    X(L1_OUTAGE_ALL, "l1_outage_all") /* nobody can read or send */                                \
    X(L1_SLOW, "l1_slow")             /* one node's answers are seconds old */                     \
    X(L1_REORG, "l1_reorg")           /* blocks that are not finalized are replaced */             \
    X(L1_AMBIGUOUS, "l1_ambiguous")   /* a transaction is taken, but the answer is an error */     \
    X(L1_CONGESTED, "l1_congested")   /* transactions wait many blocks to be mined */              \
    X(WALL_JUMP, "wall_clock_jump")   /* one node's, to and fro */                                 \
    X(WALL_DRIFT, "wall_clock_drift")                                                              \
    /* From here on: what the node's kind begins by itself, in some of the runs. */                \
    X(OLD_DIRECTORY, "old_directory") /* one node's disk, from a backup */                         \
    X(FAR_BEHIND, "far_behind")       /* one node was away, and takes a snapshot */

enum fault_kind {
#define X(name, text) FAULT_##name,
    FAULT_LIST(X)
#undef X
        FAULT_KINDS
};

/* What is counted: faults that happened one by one, rules that fired, attacks that were made. */
#define COUNT_LIST(X)                                                                              \
    X(MESSAGES_SENT, "messages_sent")                                                              \
    X(MESSAGES_DELIVERED, "messages_delivered")                                                    \
    X(MESSAGES_LOST, "messages_lost")                                                              \
    X(MESSAGES_CUT, "messages_cut_by_partition")                                                   \
    X(MESSAGES_DUPLICATED, "messages_duplicated")                                                  \
    X(MESSAGES_REFUSED, "messages_refused")                                                        \
    X(CRASHES, "crashes")                                                                          \
    X(CRASHES_IN_STEP, "crashes_between_effects")                                                  \
    X(RESTARTS, "restarts")                                                                        \
    X(WRITES, "writes")                                                                            \
    X(WRITES_LOST, "writes_lost")                                                                  \
    X(WRITES_TORN, "writes_torn")                                                                  \
    X(WRITES_FULL, "writes_refused_disk_full")                                                     \
    X(BLOCKS, "blocks_committed")                                                                  \
    X(BLOCKS_LATER_ROUND, "blocks_committed_after_round_0")                                        \
    X(BLOCKS_SYNCED, "blocks_synced")                                                              \
    X(SET_CHANGES, "validator_set_changes")                                                        \
    X(RULE_PROPOSE_NEW, "rule_14_new_block")                                                       \
    X(RULE_PROPOSE_VALID, "rule_14_valid_value")                                                   \
    X(RULE_PREVOTE_BLOCK, "rule_22_28_prevote_block")                                              \
    X(RULE_PREVOTE_NIL, "rule_22_28_57_prevote_nil")                                               \
    X(RULE_LOCK, "rule_36_precommit_block")                                                        \
    X(RULE_RELOCK, "rule_36_lock_moved")                                                           \
    X(RULE_PRECOMMIT_NIL, "rule_44_61_precommit_nil")                                              \
    X(RULE_SKIP, "rule_55_skip_round")                                                             \
    X(RULE_ROUND_TIMEOUT, "rule_47_65_round_failed")                                               \
    X(RULE_NEED, "block_fetched_after_quorum")                                                     \
    X(RULE_EVIDENCE, "evidence_found")                                                             \
    X(RULE_HANDOVER, "handover")                                                                   \
    X(RULE_STICKY, "sticky_proposer_kept")                                                         \
    X(RULE_RESTORED, "restarted_in_mid_height")                                                    \
    X(ITEMS_ACKNOWLEDGED, "transactions_acknowledged")                                             \
    X(ITEMS_INCLUDED, "transactions_included")                                                     \
    X(BATCHES, "batches_on_da")                                                                    \
    X(BATCHES_SCANNED, "batches_found_by_looking_first")                                           \
    X(DA_REFUSED, "da_errors")                                                                     \
    X(BLOBS_LATE, "blobs_landed_late")                                                             \
    X(RECEIPTS_REPEATED, "da_receipts_repeated")                                                   \
    X(BLOCKS_JUDGED, "blocks_executed_again")                                                      \
    X(L1_ASKED, "l1_blocks_read_by_number")                                                        \
    X(L1_SENT, "l1_transactions_sent")                                                             \
    X(L1_REFUSED, "l1_errors")                                                                     \
    X(L1_SETTLED, "l1_batches_settled")                                                            \
    X(L1_REVERTED, "l1_transactions_reverted")                                                     \
    X(L1_REORGED, "l1_settlements_reorged_away")                                                   \
    X(L1_FINALIZED, "l1_batches_finalized")                                                        \
    X(OLD_RECORDS, "old_records_found_out")                                                        \
    X(SNAPSHOTS, "snapshots_taken")                                                                \
    X(SNAPSHOTS_BROKEN_OFF, "snapshots_broken_off")                                                \
    X(SNAPSHOTS_RESUMED, "snapshots_resumed")                                                      \
    X(SNAPSHOT_SERVERS_LEFT, "snapshot_servers_left")                                              \
    X(FORCED_REQUESTS, "forced_requests")                                                          \
    X(FORCED_INCLUDED, "forced_requests_included")                                                 \
    X(BYZANTINE_EQUIVOCATIONS, "byzantine_equivocations")                                          \
    X(BYZANTINE_WITHHELD, "byzantine_withheld")                                                    \
    X(BYZANTINE_REPLAYS, "byzantine_replays")                                                      \
    X(BYZANTINE_VOTES, "byzantine_votes_out_of_turn")                                              \
    X(BYZANTINE_INVALID, "byzantine_invalid_blocks")                                               \
    X(BYZANTINE_SPOILT, "byzantine_packages_spoilt")                                               \
    X(BYZANTINE_UNPROVEN, "byzantine_blocks_called_committed")                                     \
    X(BYZANTINE_LIES, "byzantine_lies_in_sync")                                                    \
    X(BYZANTINE_GARBAGE, "byzantine_garbage")                                                      \
    X(BYZANTINE_CLAIMS, "byzantine_claims_of_height")                                              \
    X(BYZANTINE_FORGED, "byzantine_forged_batch_messages")                                         \
    X(BYZANTINE_SNAPSHOT, "byzantine_lies_in_snapshots")                                           \
    X(INVALID_ROOT, "invalid_block_state_root")                                                    \
    X(INVALID_TRANSACTION, "invalid_block_transaction")                                            \
    X(INVALID_GAS, "invalid_block_gas")                                                            \
    X(INVALID_FRAME, "invalid_block_frame")                                                        \
    X(INVALID_BEACON_ROOT, "invalid_block_beacon_root")                                            \
    X(INVALID_TIME, "invalid_block_time")                                                          \
    X(INVALID_COMMIT, "invalid_block_last_commit")                                                 \
    X(INVALID_SIZE, "invalid_block_oversized")                                                     \
    X(FORCED_REFUSED, "blocks_refused_for_forced")

enum count_kind {
#define X(name, text) COUNT_##name,
    COUNT_LIST(X)
#undef X
        COUNT_KINDS
};

struct fault;
struct world;

/* How the world sees one kind of node.  `state` is the node's, made by create and kept over
 * crashes; start forgets whatever was not written. */
struct node_kind {
    const char *name;
    uint64_t faults;                  /* bits of enum fault_kind that mean something to it */
    uint32_t faults_count;            /* kinds of FAULT_LIST, from the first, to draw from */
    bool counts_missing[COUNT_KINDS]; /* what cannot happen with it */
    uint64_t genesis_origin;          /* the L1 block at which N(0) was read */
    /* What the nodes share besides the network: clients, L1, the DA layer.  NULL: nothing. */
    void (*open)(struct world *world);
    void (*close)(struct world *world);
    uint64_t (*outside)(struct world *world); /* a client's turn; returns the wait in ms */
    bool (*is_done)(struct world *world);     /* recovery: nothing is left to be done */
    /* A fault of what is outside begins.  NULL: nothing is. */
    void (*outside_fault)(struct world *world, const struct fault *fault);
    /* A message was lost on its way: over TCP its connection breaks.  NULL: datagrams. */
    void (*lost)(struct world *world, uint32_t from, uint32_t to);
    void *(*create)(struct world *world, uint32_t node);
    void (*destroy)(void *state);
    void (*start)(struct world *world, uint32_t node, void *state);
    void (*crash)(struct world *world, uint32_t node, void *state);
    void (*stop)(struct world *world, uint32_t node,
                 void *state); /* graceful; world_stopped ends it */
    void (*deliver)(struct world *world, uint32_t node, void *state, uint32_t from,
                    struct bytes message);
    void (*local)(struct world *world, uint32_t node, void *state, struct bytes message);
    void (*tick)(struct world *world, uint32_t node, void *state);
    uint64_t (*deadline_ms)(const void *state); /* by the node's clock; UINT64_MAX: none */
    uint64_t (*height)(const void *state);      /* committed */
};

struct payload {
    uint32_t references;
    uint32_t size;
    uint8_t data[];
};

enum event_kind {
    EVENT_DELIVER,
    EVENT_LOCAL,
    EVENT_TIMER,
    EVENT_RESTART,
    EVENT_FAULT_END,
    EVENT_OUTSIDE,
};

struct event {
    uint64_t at_ms, sequence;
    enum event_kind kind;
    uint32_t node, from;
    uint32_t incarnation;      /* LOCAL, TIMER: dropped when the node was restarted meanwhile */
    uint32_t from_incarnation; /* DELIVER: the sender's then; `incarnation` is the receiver's */
    uint32_t fault;            /* FAULT_END */
    struct payload *payload;
};

struct node {
    void *state;
    bool is_up, is_stopping, is_byzantine;
    uint32_t incarnation;
    uint64_t timer_at_ms;   /* the earliest timer event in the queue; UINT64_MAX: none */
    uint64_t busy_until_ms; /* paused, or waiting for its disk */
    uint64_t clock_us;      /* its monotonic clock at clock_world_ms */
    uint64_t clock_world_ms;
    int64_t clock_drift;       /* per mille of the world's time, above -1000 */
    uint32_t effects_to_crash; /* crashes after so many effects; 0: does not */
    uint32_t crash_down_ms;
    uint64_t wall_world_ms;            /* its wall clock is off by wall_error_us at wall_world_ms */
    int64_t wall_error_us, wall_drift; /* per mille */
    bool is_disk_full, is_build_late, is_view_behind, is_l1_out;
    uint32_t l1_slow_ms;            /* its view of L1 is so old */
    uint32_t disk_ms, execution_ms; /* one write, one block */
    uint32_t slow_ms;               /* added to each message from and to it */
};

struct fault {
    enum fault_kind kind;
    bool is_active;
    uint32_t node;
    uint64_t value;
    uint64_t cuts[WORLD_NODES_MAX]; /* links cut by it: from -> set of receivers */
};

struct world_config {
    uint64_t seed;
    uint32_t nodes_count;
    enum fault_model fault_model;
    uint64_t steps; /* of chaos */
    bool is_traced;
    const struct node_kind *kind;
    uint64_t without[WORLD_FAULTS_MAX / 64]; /* faults left out, by number */
};

struct checker; /* checker.h */

/* A handful of random streams and one queue: see world.c for what a step is. */
struct world {
    struct world_config config;
    struct random network_random, faults_random, node_random, byzantine_random;
    uint64_t now_ms, sequence, steps;
    bool is_chaos, is_paused, has_failed; /* is_paused: no faults for a while */
    char failure[512];
    const char *failed_rule;
    uint64_t trace; /* hash of everything that happened */

    uint32_t nodes_count;
    struct node nodes[WORLD_NODES_MAX];
    struct event *queue; /* a heap */
    uint32_t queue_count;

    /* the network; faults change it */
    uint64_t cuts[WORLD_NODES_MAX];                /* from -> receivers that are cut off */
    uint64_t loss, duplication;                    /* per mille */
    uint64_t delay_min_ms, delay_max_ms;           /* each message's */
    uint64_t base_delay_min_ms, base_delay_max_ms; /* without faults */
    uint64_t base_loss, paused_loss;
    bool is_reordering;
    uint64_t link_ms[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* when the last message on it arrives */
    bool kinds_enabled[FAULT_KINDS];                    /* each seed tries some kinds only */
    uint64_t fault_gap_ms;                              /* between faults, at most */
    uint64_t healed_at_steps, recovery_height;
    char undone[96]; /* what is_done waits for */
    bool is_stale;   /* the message that is delivered was sent before one of both restarted */
    struct fault faults[WORLD_FAULTS_MAX];
    uint32_t faults_count;
    uint64_t next_fault_ms;

    struct checker *checker;
    void *shared; /* the kind's */
    bool is_da_out, is_da_ambiguous, is_da_late, is_da_repeating;
    bool is_l1_out, is_l1_ambiguous, is_l1_congested;
    uint64_t counts[COUNT_KINDS], fault_counts[FAULT_KINDS];
};

/* world_create draws a world from its seed; world_destroy frees it. */
struct world *world_create(const struct world_config *config);
void world_destroy(struct world *world);
/* world_run runs it to its end, or to the first broken rule (has_failed, failure). */
void world_run(struct world *world);

/* --- for nodes */
/* world_clock is the node's monotonic clock, which drifts and jumps forward. */
uint64_t world_clock(struct world *world, uint32_t node);
/* world_wall_error_ms is how far its wall clock is off. */
int64_t world_wall_error_ms(struct world *world, uint32_t node);
/* world_send gives a message to the network; world_local gives one to the node itself, later. */
void world_send(struct world *world, uint32_t from, uint32_t to, struct bytes message);
void world_local(struct world *world, uint32_t node, uint64_t delay_ms, struct bytes message);
/* world_effect counts one effect that a node is about to perform.  False: it crashed just before.
 */
bool world_effect(struct world *world, uint32_t node);
/* world_stopped ends a graceful stop. */
void world_stopped(struct world *world, uint32_t node);

enum write_fate {
    WRITE_DONE,
    WRITE_DONE_CRASHED, /* durable, and then the node crashed */
    WRITE_LOST_CRASHED, /* crashed before anything was durable */
    WRITE_TORN_CRASHED, /* crashed with a part of it on the disk */
    WRITE_REFUSED,      /* disk full: the node must stop; it does so by world_crash */
};
/* world_write decides what becomes of one synced write.  The node stops unless it is WRITE_DONE. */
enum write_fate world_write(struct world *world, uint32_t node);
/* world_crash takes a node down for `down_ms`. */
void world_crash(struct world *world, uint32_t node, uint64_t down_ms);

/* world_count counts; world_trace mixes into the trace hash and, with --trace, prints. */
static inline void world_count(struct world *world, enum count_kind kind) {
    world->counts[kind]++;
}
void world_trace(struct world *world, const char *what, uint64_t node, uint64_t a, uint64_t b);
void world_trace_hash(struct world *world, const char *what, uint64_t node, uint64_t a,
                      const struct hash32 *hash);
/* world_fail records the first broken rule and ends the run. */
void world_fail(struct world *world, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- for the parts of the simulator */
/* world_push queues an event for event.at_ms, behind those of the same time. */
void world_push(struct world *world, struct event event);
/* faults.c */
/* faults_init draws the run's base of delays and losses; faults_begin_due begins the faults that
 * are due; faults_end ends one, faults_heal all, for good. */
void faults_init(struct world *world);
void faults_begin_due(struct world *world);
void faults_end(struct world *world, uint32_t fault);
void faults_heal(struct world *world);
/* faults_pause ends all faults until faults_resume, or for good when it was healed meanwhile. */
void faults_pause(struct world *world);
void faults_resume(struct world *world);
const char *fault_name(enum fault_kind kind);
const char *count_name(enum count_kind kind);
