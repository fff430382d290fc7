#pragma once
/* The sequencer: pool, consensus, block sync, batches and settlement as one pure state machine.
 *
 * sequencer_step takes one input and appends effects, which the caller performs in order; a PERSIST
 * is durable before any later SEND or BROADCAST leaves.  There is no clock, socket, disk or log
 * inside, so the simulator runs the same code from one seed, and a recorded input file replays a
 * production bug.  One thread owns it. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/verdict.h"
#include "chain/fork.h"
#include "consensus/consensus.h"
#include "sequencer/executor.h"
#include "sequencer/message.h"
#include "workloads/workload.h"

/* --- configuration: sizes are fixed at boot */
struct sequencer_limits {
    uint32_t pool_items_max;      /* 32,768 */
    uint64_t pool_bytes_max;      /* 64 MiB: encodings of all pooled items */
    uint32_t pool_lane_items_max; /* items of one lane: 1,024 (pending and queued) */
    uint32_t sync_blocks_max;     /* blocks asked for in one request: 32 */
};

/* What a batch needs to know of a committed block. */
struct block_summary {
    struct hash32 hash;
    struct hash32 state_root;
    struct address proposer;
    uint64_t package_bytes;
    uint64_t l1_number; /* its L1 origin */
};

struct sequencer_config {
    const struct chain_config *chain;
    struct consensus_config consensus;
    struct signing_domain batch_domain; /* coordinator's EIP-712 domain */
    struct recoverer recoverer;
    struct sequencer_limits limits;
    uint64_t idle_block_time_ms; /* an idle chain may slow down to this; 0: block_time_ms */
    bool is_interval_on_demand;  /* baton dev: a block as soon as an item is there */
    uint64_t fee_floor_wei;      /* least effective tip the pool takes */
    uint64_t
        batch_takeover_ms; /* somebody else settles a batch that is unsettled so long: 30,000 */
    /* A start signs nothing before others have spoken, or so long (0: 10,000); nor for 10,000
     * without a new block while they have blocks that are lacking here. */
    uint64_t wary_ms;
    uint64_t forced_blocks; /* FORCE_INCLUSION_TIMEOUT of the contract, 50; 0: that */
    struct hash32 genesis_hash;
    uint64_t hash_seed; /* random per process: order in hash tables that clients cannot aim at */
    struct { /* committed blocks, for batches after a restart; on the sequencer's thread */
        void *context;
        /* ERR_NOT_FOUND for blocks that are not here.  Height 0 is the genesis block. */
        enum err (*summary)(void *context, uint64_t height, struct block_summary *out);
        /* The set that votes in a rotation.  ERR_NOT_FOUND: not known here (yet). */
        enum err (*validators)(void *context, uint64_t rotation, struct validator_set *out);
    } archive;
};

/* --- what is restored at start */
struct sequencer_restore {
    const struct chain_view *view;        /* committed head */
    struct validator_set validators;      /* N(rotation_of(head + 1)), consensus/rotation.h */
    struct validator_set next_validators; /* N(rotation_of(head + 1) + 1); count 0: head + 1 is a
                                             rotation's first block and will name it */
    struct validator_set head_validators; /* who voted on the head: N(rotation_of(head)) */
    struct bytes head_commit;             /* encoded; empty at genesis */
    bool has_record;
    struct consensus_record record; /* from the last PERSIST of kind RECORD */
    struct bytes record_package; /* what followed the record there, last time that something did */
    struct bytes journal;        /* the last PERSIST of kind JOURNAL; empty: none */
};

/* --- inputs */
enum input_kind {
    INPUT_TICK,
    INPUT_ITEM,      /* inspected by workload->inspect; from RPC or a peer */
    INPUT_MESSAGE,   /* decoded and authenticated (message.h); MESSAGE_ITEMS do not come here but,
                        inspected, as one INPUT_ITEM each */
    INPUT_PEER,      /* a peer came or went */
    INPUT_L1_VIEW,   /* of a finalized block: the newest, or one that was asked for */
    INPUT_EXECUTED,  /* a job is done */
    INPUT_COMMITTED, /* EFFECT_COMMIT is durable; carries the new view */
    INPUT_DA_RECEIPT,
    INPUT_DA_HEAD, /* how high the DA layer is, by our own DA node */
    INPUT_STOP,    /* going down: pass the baton; EFFECT_STOPPED follows */
};

/* A pending request of forced inclusion; `item.encoded` views the caller's memory. */
struct forced_item {
    uint64_t id;
    uint64_t l1_number; /* the L1 block of the request */
    struct item item;
};
#define FORCED_ITEMS_MAX 64

/* An L1 block as far as ordering cares: who validates, what was forced, what is settled. */
struct l1_facts {
    uint64_t number;
    struct hash32 hash;
    uint64_t timestamp;
    uint32_t validators_count;
    struct validator validators[VALIDATORS_MAX]; /* priorities are zero */
    uint64_t settled_last_block;
    struct hash32 settled_hash;
    uint32_t forced_count;  /* pending and known to be transactions; the oldest, ascending by id */
    uint64_t forced_id_max; /* none up to this id is left out; UINT64_MAX: none at all */
    struct forced_item forced[FORCED_ITEMS_MAX];
};

/* Items that come within so long leave in one message to each peer, and so do acknowledgements; the
 * first after a pause leaves at once. */
#define SEQUENCER_FLUSH_MS 2

struct input {
    enum input_kind kind;
    uint64_t now_ms;  /* monotonic */
    uint64_t unix_ms; /* wall clock, for block times */
    struct {          /* ITEM: the bytes are copied when accepted */
        const struct item *item;
        uint64_t request; /* 0: from a peer; else echoed in EFFECT_REPLY */
        struct hash32 peer;
        bool is_forced; /* from L1 */
        bool has_more;  /* the next input is an item, too, at once: what is sent may wait for it */
    } item;
    struct { /* MESSAGE, PEER */
        struct hash32 peer;
        const struct message *message;
        bool is_connected;
    } peer;
    const struct l1_facts *l1;
    const struct block_outcome *outcome; /* EXECUTED */
    struct {                             /* COMMITTED */
        const struct chain_view *view;
        enum err err; /* storage failed: the sequencer stops proposing and voting */
    } committed;
    struct { /* DA_RECEIPT, DA_HEAD (height only) */
        uint64_t first, last;
        uint64_t height; /* DA height */
        struct hash32 commitment;
    } da;
};

/* --- effects */
enum effect_kind {
    EFFECT_PERSIST,   /* bytes under `persist`, durable before what follows */
    EFFECT_SEND,      /* bytes to one peer */
    EFFECT_BROADCAST, /* bytes to all peers but `peer` (zero: none) */
    EFFECT_EXECUTE,   /* run `job`, answer with EXECUTED */
    EFFECT_COMMIT,    /* make the outcome in `slot` durable with `commit`, answer with COMMITTED */
    EFFECT_SERVE,     /* read blocks [first, last] with commits and send BLOCKS to `peer` */
    EFFECT_PUBLISH, /* make batch [first, last] from the store and publish it; answer DA_RECEIPT */
    EFFECT_PUBLISH_CANCEL, /* the batch that begins at `first` is on DA already */
    EFFECT_VERIFY_DA,      /* look for batch [first, last] as `commitment` at `da_height`; answer
                              DA_RECEIPT      when it is there; asked again when no answer comes */
    EFFECT_ASK_L1,         /* answer L1_VIEW of L1 block `value`, once it is finalized; no answer
                              otherwise, and asked again */
    EFFECT_SETTLE,         /* submitBatch with signatures */
    EFFECT_EVIDENCE,       /* a double signature: keep it, put it on L1 */
    EFFECT_REPLY,          /* verdict on an item that came with a request */
    EFFECT_ADMITTED,       /* an item is in the pool (subscriptions) */
    EFFECT_EVENT,          /* something for metrics and logs: `event` */
    EFFECT_STOPPED,        /* the baton is passed: the process may end */
};

enum persist_kind {
    PERSIST_RECORD,  /* consensus_record_encode; when there is a valid block, after it
                        rlp([commit_encode of its polka or "", package]) */
    PERSIST_JOURNAL, /* batches and settlements under way */
};

enum sequencer_event {
    EVENT_ROUND_TIMEOUT, /* a round failed; `value`: round */
    EVENT_ROTATION,      /* `value`: rotation */
    EVENT_SYNC_BEGIN,
    EVENT_SYNC_END,
    EVENT_BAD_PEER,      /* `peer` sent what no correct node sends */
    EVENT_BLOCK_INVALID, /* a proposed block was refused; `text` says why */
    EVENT_RECORD_STALE,  /* others have signatures of ours that we know nothing of; nothing is
                            signed up to height `value`; `text` says why */
    EVENT_ORIGIN_STALE,  /* the rotation kept its L1 origin */
    EVENT_HALTED,        /* storage or execution failed: no votes from here on; `text` says why */
};

struct effect {
    enum effect_kind kind;
    enum persist_kind persist;
    struct hash32 peer;
    enum message_class class; /* SEND, BROADCAST: votes before blocks before items */
    struct bytes bytes;       /* PERSIST, SEND, BROADCAST; lives until the next step */
    const struct block_job *job;
    uint32_t slot;
    const struct commit *commit;
    uint64_t first, last; /* SERVE, PUBLISH, PUBLISH_CANCEL, VERIFY_DA */
    uint64_t da_height;
    struct hash32 commitment;
    uint64_t scan_from; /* PUBLISH: look at DA from this height, at least 1, for an earlier
                           publication before the first try and before every other */
    uint64_t turn_from, turn_until; /* PUBLISH: post only while the DA head is at [from, until) */
    bool is_unclear; /* PUBLISH: an earlier try of ours may still be on its way to the DA layer */
    const struct settlement *settlement;
    const struct vote *evidence[2];
    uint64_t request;
    enum verdict verdict;
    const struct item *item; /* ADMITTED */
    enum sequencer_event event;
    uint64_t value;
    const char *text;
};

#define SEQUENCER_EFFECTS_MAX 256
struct effects {
    size_t count;
    struct effect list[SEQUENCER_EFFECTS_MAX];
};

struct sequencer;

/* sequencer_bytes says how much memory sequencer_create needs under `limits`. */
size_t sequencer_bytes(const struct sequencer_limits *limits);
/* sequencer_create puts a sequencer that goes on from `restore` into `memory` and copies the
 * configuration; the chain's outlives it.  ERR_LIMIT: memory_bytes is too small.  ERR_CONFIG: no
 * rollup, or a set that consensus_set_check refuses.  ERR_CORRUPT: no set, or a commit too long. */
MUST_USE enum err sequencer_create(void *memory, size_t memory_bytes,
                                   const struct sequencer_config *config,
                                   const struct sequencer_restore *restore, struct sequencer **out);

/* sequencer_step handles one input.  Never blocks; work is bounded by the limits. */
void sequencer_step(struct sequencer *sequencer, const struct input *input,
                    struct effects *effects);

/* sequencer_deadline_ms is when the next TICK is needed (monotonic; UINT64_MAX: none). */
uint64_t sequencer_deadline_ms(const struct sequencer *sequencer);

/* What metrics, /ready and RPC show.  A copy; taken by the owning thread. */
struct sequencer_status {
    uint64_t head_height;
    uint64_t highest_seen; /* the highest height that any peer showed to be committed */
    uint64_t peers_height; /* the highest that more peers than may lie say they have; 0: none */
    bool is_syncing;       /* behind and catching up */
    bool is_validator;     /* in the active set */
    bool is_proposer;      /* leads the current height and round */
    bool is_wary;          /* just started, and signs nothing before others have spoken */
    uint64_t silent_until; /* beyond the head: nothing is signed up to this height, because the
                              record of what was signed is old */
    struct address proposer;
    uint64_t rotation;
    uint32_t round;
    uint32_t validators_count;
    uint64_t power_total;
    uint64_t quorum_seen_ms; /* monotonic time of the last commit */
    uint64_t timeouts_total, blocks_produced_total, votes_prevote_total, votes_precommit_total;
    uint64_t evidence_total, messages_bad_total;
    uint32_t pool_pending, pool_queued;
    uint64_t pool_bytes;
    uint64_t l1_number, l1_timestamp; /* the chain's L1 origin */
    uint64_t published_block;         /* last block known to be on DA: `safe` */
    uint64_t settled_block; /* last block settled in a finalized L1 block: `finalized`; who is
                               behind knows of both before it has the blocks */
    uint32_t batches_pending;
    uint64_t verdicts_total[VERDICT_COUNT]; /* of items */
};
void sequencer_status(const struct sequencer *sequencer, struct sequencer_status *out);

/* sequencer_validators copies the sets: that of the head's next height, and the one of the rotation
 * after (count 0: unknown). */
void sequencer_validators(const struct sequencer *sequencer, struct validator_set *current,
                          struct validator_set *next);

/* The pool, for RPC (`pending` nonce, txpool_*); owning thread, views die with the next step.
 * sequencer_pool_next_sequence is the first sequence from committed_next on that the lane has no
 * item for; sequencer_pool_find is the item of a hash, NULL: it is not in the pool. */
uint64_t sequencer_pool_next_sequence(const struct sequencer *sequencer, const struct address *lane,
                                      uint64_t committed_next);
const struct item *sequencer_pool_find(const struct sequencer *sequencer,
                                       const struct hash32 *hash);
/* sequencer_pool_visit visits items lane by lane in sequence order until `visit` returns false;
 * `is_pending`: executable without a gap. */
void sequencer_pool_visit(const struct sequencer *sequencer, void *context,
                          bool (*visit)(void *context, const struct item *item, bool is_pending));

/* sequencer_check_invariants CHECKs what must hold between steps; slow, for tests and the
 * simulator. */
void sequencer_check_invariants(const struct sequencer *sequencer);
