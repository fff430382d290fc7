#pragma once
/* The inside of the sequencer, shared by its files and by nobody else:
 *   sequencer.c            creation, inputs, the clock, what others may ask
 *   sequencer_consensus.c  consensus inputs and effects, messages about votes, handover
 *   sequencer_candidates.c candidate blocks: their slots and packages
 *   sequencer_blocks.c     what happens to them: proposals, jobs, commits
 *   sequencer_rotation.c   validator sets, scheduled proposers, L1 origin
 *   sequencer_forced.c     what L1 forces on us
 *   sequencer_sync.c       peers, and blocks that others have committed
 *   sequencer_guard.c      signing after a start
 *   sequencer_items.c      the pool's door: admission, gossip, acknowledgement
 *   sequencer_batch.c      batches, receipts
 *   sequencer_settle.c     their signatures and settlements
 *   sequencer_turns.c      who publishes a batch, and when */
#include "base/check.h"
#include "sequencer/batch.h"
#include "sequencer/byte_heap.h"
#include "sequencer/message.h"
#include "sequencer/pool.h"
#include "sequencer/sequencer.h"

#define PEERS_MAX          160
#define L1_RING            64
#define CORE_INPUTS_MAX    64
#define SYNC_WINDOW        64
#define SYNC_BYTES         (48u << 20)
#define SYNC_UNIT_BYTES    4096u
#define SYNC_TIMEOUT_MS    5000u
#define SYNC_PATIENCE_MS   600u  /* behind by one block for so long: ask for it */
#define SYNC_HOLD_MS       1500u /* without progress for so long, who is behind votes */
#define PEER_SILENT_MS     500u  /* a peer that did not answer is not asked for so long */
#define PEER_STRIKE_MS     5000u /* a peer that lied is not asked for so long, */
#define PEER_STRIKES_MAX   7u    /* doubled each time at most so often */
#define STATUS_PAUSE_MS    200u
#define STATUS_IDLE_MS     2000u  /* a chain that stands still tells its height so often */
#define ORIGIN_AGE_MS      2000u  /* a proposer has known an L1 origin for at least so long */
#define TIME_AHEAD_MS_MAX  10000u /* blocks from further in the future are not voted for */
#define STEP_ARENA_BYTES   (28u << 20)
#define BUILD_ITEMS_MAX    32768u
#define BUILD_BYTES_MAX    (BLOCK_PACKAGE_BYTES_MAX - (512u << 10))
#define BUILD_WEIGHT_TIMES 8u /* weights are upper bounds: this often a block's worth is tried */
#define EVIDENCE_KNOWN     64u
#define PREBUILD_MARGIN_MS 2u /* a block is ready so long before it is proposed */
#define STOP_MS_MAX        5000u

/* --- candidate blocks: a candidate's index is the executor's slot */

enum candidate_state {
    CANDIDATE_FREE,
    CANDIDATE_HELD,      /* bytes are here, not executed */
    CANDIDATE_EXECUTING, /* a job is out */
    CANDIDATE_VALID,
    CANDIDATE_INVALID,
    CANDIDATE_COMMITTING,
};

struct candidate {
    enum candidate_state state;
    uint64_t height;
    uint32_t round;     /* the newest in which it was proposed; BUILD: for which */
    struct hash32 hash; /* zero while it is being built */
    bool is_wanted;     /* consensus waits for CHECKED */
    bool was_asked;     /* it asked in `asked_round` */
    uint32_t asked_round;
    bool is_doubted;   /* only our own view of L1 or time refused it */
    bool waits_for_l1; /* checked once an L1 view brings its origin */
    bool is_prebuilt;  /* built for round 0 before consensus asked */
    bool is_awaited;   /* and it has asked since */
    uint64_t job_ms;   /* when the job went out */
    bool is_unforced;  /* valid, but it leaves out what L1 forces: not voted for */
    bool is_backed;    /* by a quorum's votes: only validity counts */
    bool is_synced;    /* from block sync: committed with `commit` once executed */
    bool was_refused;  /* is_synced: it was INVALID before its commit came */
    bool has_proposal;
    struct vote proposal; /* the newest signed proposal of it */
    bool is_sent;         /* our own proposal left with its bytes in `sent_round` */
    uint32_t sent_round;
    struct bytes package;
    struct frame frame;
    struct hash32 sync_peer;
    struct commit commit; /* is_synced, COMMITTING */
    struct block_job job;
    struct block_outcome outcome;
    uint8_t *memory;            /* BLOCK_PACKAGE_BYTES_MAX: the package */
    uint8_t *commit_memory;     /* COMMIT_BYTES_MAX: job.commit */
    struct address *senders;    /* BLOCK_TRANSACTIONS_MAX: of the items, zero: not known */
    struct hash32 *item_hashes; /* BLOCK_TRANSACTIONS_MAX: of the package's items */
    size_t items_count;
};

/* --- peers and sync */

struct peer {
    struct hash32 id;
    bool is_connected;
    bool is_slow;     /* did not acknowledge in time: not waited for */
    bool is_dumping;  /* gets the whole pool, in chunks */
    uint64_t height;  /* committed, as it says */
    bool has_told;    /* its height, on this connection */
    uint64_t told_ms; /* when it was sent our height because it seemed behind */
    uint64_t request_first, request_deadline_ms;
    uint32_t request_count; /* 0: nothing is asked of it */
    uint64_t struck_until_ms;
    uint32_t strikes;
    uint32_t doubts; /* requests without a useful answer since the last one with */
    uint64_t dump_cursor;
};

struct sync_block {
    uint64_t height; /* 0: empty */
    struct hash32 peer;
    uint8_t *memory; /* package, then commit */
    size_t package_bytes, commit_bytes;
};

struct l1_known {
    struct l1_facts facts;
    uint64_t received_ms;
};

/* --- batches */

#define BATCHES_MAX          128u
#define BATCH_RECEIPTS_KEPT  32u
#define BATCH_CLAIMS_KEPT    64u
#define BATCH_CHECK_MS       500u   /* what waits for time is looked at so often */
#define BATCH_SCAN_MAX       256u   /* blocks read again in one step, after a restart */
#define BATCH_ASK_MS         10000u /* VERIFY_DA and signatures are repeated after so long */
#define BATCH_PUBLISH_MS     10000u /* PUBLISH is repeated after so long, while the turn lasts */
#define BATCH_SETTLE_PARTS   3u     /* SETTLE is repeated after batch_takeover_ms by this */
#define BATCH_DA_MARGIN      32u    /* DA blocks that receipts may run ahead of our own blocks */
#define BATCH_LIVE_PARTS     3u     /* younger than batch_takeover_ms by this: not fetched late */
#define BATCH_DRIFT_PARTS    1000u  /* clocks differ in pace by one part in so many at most */
#define BATCH_UNCLEAR_MS     60000u /* after a start: an earlier process may have published */
#define BATCH_MESSAGES_MAX   16u    /* of one kind in one step */
#define BATCH_SETTLE_AHEAD   8u     /* settlements under way at once */
#define BATCH_PATIENCE_TIMES 4u     /* whoever is connected gets this often batch_takeover_ms */
#define BATCH_YOUNG_TIMES    8u     /* batch_takeover_ms: claims hold a batch back for so long */

/* A turn is so many heights of the DA layer; nobody posts at the last of them, which are enough for
 * what was posted before to land (3: da/attempt.h), and for a head read before that to be old (3).
 */
#define BATCH_TURN_HEIGHTS 16u
#define BATCH_TURN_QUIET   6u
/* Of so many turns in a row some belong to a later set, in case nobody is left of the batch's own.
 */
#define BATCH_TURNS_ROUND 64u
#define BATCH_TURNS_OWN   48u

enum batch_state { BATCH_CLOSED, BATCH_PUBLISHING, BATCH_PUBLISHED };

struct batch_entry {
    struct batch_statement statement; /* DA fields once it is published */
    struct address publisher;         /* who is to publish it first */
    enum batch_state state;
    uint64_t closed_ms;
    uint64_t scan_from; /* the DA height known when it was closed: it cannot lie lower */
    bool is_verifying;  /* a peer's receipt is being looked at */
    uint64_t claim_height;
    struct hash32 claim_commitment;
    bool is_unclear;      /* an earlier process, or an earlier turn of ours, may have posted it */
    uint64_t turn_until;  /* PUBLISHING: the end of our turn, a DA height */
    uint32_t turns_count; /* validators that take turns; 0: not known yet */
    int turn_own;         /* which of them we are; -1: none */
    uint64_t asked_ms;    /* VERIFY_DA or PUBLISH was asked for */
    uint64_t signed_ms;   /* we signed and said so; 0: not yet */
    uint64_t quorum_ms;   /* enough have signed since; 0: not yet */
    uint64_t settle_ms;   /* EFFECT_SETTLE went out; 0: not yet */
    uint32_t signatures_count;
    struct batch_signature signatures[VALIDATORS_MAX]; /* ascending by signer */
};

struct batch_receipt {
    uint64_t first, last, da_height;
    struct hash32 da_commitment;
};

/* How late blocks come, by our clock and the chain's time: the least of it is what is normal; and
 * which blocks others had a while ago. */
struct batch_pace {
    bool is_known;
    int64_t least_ms;           /* grows with time by what clocks may differ in pace */
    uint64_t since_ms;          /* that is done up to then */
    uint64_t told, told_before; /* sequencer_peers_height at told_ms, and the time before */
    uint64_t told_ms;
};

struct batches {
    bool is_enabled;
    struct batch_pace pace;
    bool has_settlement;       /* the chain has an L1 */
    bool is_dirty;             /* the journal is behind */
    uint64_t first;            /* of the open batch */
    uint64_t scanned;          /* last block that is counted into it */
    uint64_t bytes;            /* of blocks [first, scanned] */
    struct hash32 parent_hash; /* of block first - 1 */
    uint64_t published;        /* last block of the published prefix */
    uint64_t settled;          /* last block settled, by the newest L1 view */
    uint64_t da_height;        /* the highest seen that was not far too high */
    uint64_t scan_floor;       /* a batch that is closed now cannot lie lower on the DA layer */
    uint64_t scan_sure;        /* a floor that a batch was found above */
    uint64_t check_at_ms;      /* UINT64_MAX: nothing waits */
    uint32_t begin, count;     /* ring of entries, in order of blocks */
    struct batch_entry *entries;
    struct batch_receipt receipts[BATCH_RECEIPTS_KEPT];
    uint32_t receipts_next;
    struct batch_receipt claims[BATCH_CLAIMS_KEPT]; /* of batches that we have not closed yet */
    uint32_t claims_next;
};

/* --- forced inclusion */

#define FORCED_BLOCKS     50u  /* FORCE_INCLUSION_TIMEOUT of the contract */
#define FORCED_MAX        128u /* requests kept */
#define FORCED_BYTES      (16u << 20)
#define FORCED_UNIT_BYTES 128u

struct forced_entry {
    uint64_t id; /* 0: free */
    uint64_t l1_number;
    uint64_t pending_until; /* the newest L1 block that lists it */
    uint64_t gone_from;     /* the oldest one after the request that does not; 0: none */
    bool is_spent;          /* its sequence is used: it can never run any more */
    struct item item;
    uint8_t *memory; /* its bytes, in `heap` */
};

struct forced {
    struct forced_entry entries[FORCED_MAX];
    struct byte_heap heap;
    struct item *due; /* FORCED_ITEMS_MAX */
    uint64_t blocks;  /* that may leave an item out */
    uint64_t origin_height, origin;
    bool is_empty;
};

/* --- acknowledgement of items */

#define WAITS_MAX   4096u
#define WAIT_MS_MAX 250u
#define RESEND_MS   2000u
#define REPLIES_MAX 128u /* in one step */
#define PEER_WORDS  ((PEERS_MAX + 63) / 64)

struct wait {
    bool is_used;
    uint64_t request;
    struct item item; /* only the hash means something */
    uint64_t deadline_ms;
    uint64_t peers[PEER_WORDS]; /* who has not said yet that it holds the item */
};

struct held_list {
    uint32_t count;
    struct hash32 hashes[MESSAGE_HELD_MAX];
};

struct items {
    struct wait *waits; /* ring, in the order of deadlines */
    uint32_t waits_begin, waits_count;
    uint32_t flush_count; /* items accepted and not yet sent */
    struct hash32 flush[MESSAGE_HELD_MAX];
    uint64_t flush_at_ms;   /* UINT64_MAX: nothing to send */
    uint64_t flushed_ms;    /* when something was sent last */
    bool has_more;          /* another item comes at once */
    struct held_list *held; /* per peer */
    uint64_t resend_cursor, resend_at_ms;
};

/* --- what was signed by whoever had our key before */

#define WARY_MS     10000u /* a start waits at most so long to hear from others */
#define WARY_NEW_MS 1000u  /* on a new chain, where nobody can have signed anything */

struct guard {
    bool is_wary;            /* nothing is signed before others have spoken */
    uint64_t until_ms;       /* or it is so late, */
    uint64_t alone_until_ms; /* or so late and nobody says that there are blocks which we lack */
    uint64_t silent_until;   /* the last height at which nothing is signed; 0: none */
};

/* --- the whole */

enum height_state {
    HEIGHT_HELD,       /* not begun: idle, or behind */
    HEIGHT_RUNNING,    /* consensus works on it */
    HEIGHT_COMMITTING, /* EFFECT_COMMIT is out */
};

/* A block that consensus needs and we lack: whom we ask for it. */
struct needed {
    struct hash32 block;
    uint32_t voters; /* how many are asked at a time */
    uint32_t next;   /* index of the set's validator that is asked first */
};

struct sequencer {
    struct sequencer_config config;
    uint64_t blocks_per_rotation, block_time_ms;
    uint64_t now_ms, unix_ms;
    struct effects *effects; /* of this step */
    struct arena step;       /* what effects point at */
    struct arena scratch;    /* for one call */
    bool is_begun;           /* the first step told us the time */
    uint64_t begun_ms;
    bool is_halted;

    /* the head */
    const struct chain_view *view;
    uint64_t head_height;
    struct validator_set head_validators;
    uint8_t *head_commit; /* COMMIT_BYTES_MAX */
    size_t head_commit_bytes;
    uint64_t committed_ms; /* 0: none since the start */

    /* the next height */
    enum height_state height_state;
    uint64_t propose_at_ms, idle_until_ms;
    uint64_t status_at_ms;       /* when to look whether the chain stands still */
    uint64_t leader_check_at_ms; /* UINT64_MAX: round 0's proposer was there when last looked at */
    bool is_woken;
    struct validator_set current, advanced, next; /* next.count 0: not named yet */
    struct hash32 current_hash, next_hash;
    uint32_t scheduled_index;
    uint32_t build_items_max;
    uint64_t job_ms; /* how long jobs take lately: the longest, slowly forgotten */
    bool is_prebuilding;
    uint64_t prebuild_at_ms; /* when to build our block of round 0; UINT64_MAX: not, or done */

    /* consensus */
    struct consensus *core;
    struct consensus_effects *core_effects;
    struct consensus_input *core_inputs; /* ring */
    uint32_t core_begin, core_count;
    struct needed needed;
    bool has_record;
    struct consensus_record record; /* the newest persisted */
    struct commit record_polka;
    bool has_record_polka;
    bool is_record_given;
    struct vote evidence_known[EVIDENCE_KNOWN];
    uint32_t evidence_next;
    bool has_handover;
    struct vote handover;
    bool is_stopping, is_stopped;
    uint64_t stop_deadline_ms;

    struct candidate candidates[EXECUTOR_SLOTS];
    struct item *build_items;
    uint8_t *build_bytes;
    uint8_t *set_bytes;         /* next_validators of the block being built */
    struct hash32 *bind_hashes; /* BLOCK_TRANSACTIONS_MAX: of the package being held */

    /* L1 */
    struct l1_known *l1; /* ring of L1_RING */
    uint32_t l1_count;   /* ever */

    /* peers */
    struct peer peers[PEERS_MAX];
    uint32_t peers_used; /* indices below were in use once */
    uint64_t highest_seen;
    bool is_syncing;
    uint64_t behind_since_ms;  /* 0: not behind */
    uint64_t sync_progress_ms; /* when sync began, or committed a block since */
    struct byte_heap sync_heap;
    struct sync_block sync[SYNC_WINDOW];

    struct pool *pool;
    struct items items;
    struct forced forced;
    struct guard guard;
    struct batches batches;
    struct message *message; /* being written */
    struct sequencer_status counts;
};

/* --- sequencer.c */
/* sequencer_push adds an effect of this step, zero but for its kind; sequencer_event an EVENT. */
struct effect *sequencer_push(struct sequencer *sequencer, enum effect_kind kind);
struct effect *sequencer_event(struct sequencer *sequencer, enum sequencer_event event,
                               uint64_t value, const char *text);
/* sequencer_message clears and returns the message to fill; sequencer_send and _broadcast encode
 * it. */
struct message *sequencer_message(struct sequencer *sequencer, enum message_kind kind);
void sequencer_send(struct sequencer *sequencer, const struct hash32 *peer,
                    enum message_class class);
void sequencer_broadcast(struct sequencer *sequencer, enum message_class class);
/* sequencer_halt stops voting and proposing for good. */
void sequencer_halt(struct sequencer *sequencer, const char *text);
static inline bool sequencer_is_validator(const struct sequencer *sequencer) {
    const struct address *own = &sequencer->config.consensus.signer.address;
    return !address_is_zero(own) && validator_set_find(&sequencer->current, own) >= 0;
}

/* --- sequencer_consensus.c */
/* sequencer_core_push lets an input wait for consensus; in vain when too many wait (votes and
 * proposals are sent again). */
void sequencer_core_push(struct sequencer *sequencer, const struct consensus_input *input);
/* sequencer_core_run lets consensus work on all inputs that wait. */
void sequencer_core_run(struct sequencer *sequencer);
/* sequencer_height_wait decides when the height after the head begins; _try begins it if it is
 * time. */
void sequencer_height_wait(struct sequencer *sequencer);
void sequencer_height_try(struct sequencer *sequencer);
/* What peers send, or our own machine finds: a vote, whose sender is asked for blocks if it shows
 * that we are behind; the word of round 0's proposer that it will not propose; two votes of one
 * validator for different blocks (is_ours: found here, so that the others are told). */
void sequencer_on_vote(struct sequencer *sequencer, const struct hash32 *peer,
                       const struct vote *vote);
void sequencer_on_handover(struct sequencer *sequencer, const struct vote *vote);
void sequencer_on_evidence(struct sequencer *sequencer, const struct vote *vote,
                           const struct vote *conflicting, bool is_ours);
/* sequencer_on_stop: the process is to end, once sequencer_stop_try has passed the baton. */
void sequencer_on_stop(struct sequencer *sequencer);
/* sequencer_leader_check gives up waiting for round 0's proposer when its connection broke. */
void sequencer_leader_check(struct sequencer *sequencer);
/* sequencer_leads: round 0 of the height after the head is ours. */
bool sequencer_leads(const struct sequencer *sequencer);
/* sequencer_stop_try passes the baton when nothing of ours is under way. */
void sequencer_stop_try(struct sequencer *sequencer);
/* sequencer_restore_record takes over what was signed before the start, and holds the valid block
 * that was stored with it. */
void sequencer_restore_record(struct sequencer *sequencer, const struct sequencer_restore *restore);

/* --- sequencer_candidates.c */
/* sequencer_round is the round of the height after the head, UINT32_MAX before it begins. */
uint32_t sequencer_round(const struct sequencer *sequencer);
/* sequencer_candidate is the candidate of a block's hash; NULL: it is not held. */
struct candidate *sequencer_candidate(struct sequencer *sequencer, const struct hash32 *hash);
/* sequencer_candidate_hold copies the package of the block that hashes to `hash`: the only one that
 * there is (package.h).  NULL: no slot is free, or it is another one (then *fault says why). */
struct candidate *sequencer_candidate_hold(struct sequencer *sequencer, uint64_t height,
                                           const struct hash32 *hash, struct bytes package,
                                           const char **fault);
/* sequencer_candidate_take returns a cleared slot: a free one, else the one of the lowest round
 * that nothing depends on; NULL when there is none. */
struct candidate *sequencer_candidate_take(struct sequencer *sequencer);

/* --- sequencer_blocks.c */
/* sequencer_on_proposal holds a proposed block, if it may, and tells consensus;
 * sequencer_on_get_proposal sends one that is held, or committed, to who asks. */
void sequencer_on_proposal(struct sequencer *sequencer, const struct hash32 *peer,
                           const struct message *message);
void sequencer_on_get_proposal(struct sequencer *sequencer, const struct hash32 *peer,
                               const struct message *message);
/* sequencer_block_build asks the executor for our block of a round, or takes the one that is built.
 */
void sequencer_block_build(struct sequencer *sequencer, uint32_t round);
/* sequencer_prebuild builds the block of round 0 ahead of its time, once that has come. */
void sequencer_prebuild(struct sequencer *sequencer);
/* sequencer_prebuild_plan decides when, as the height begins. */
void sequencer_prebuild_plan(struct sequencer *sequencer);
/* sequencer_block_check answers consensus whether a block is valid, once it is executed;
 * `is_backed`: a quorum voted for it, so that nothing but its validity is in question. */
void sequencer_block_check(struct sequencer *sequencer, const struct hash32 *hash, bool is_backed);
/* sequencer_block_execute asks for the job of a held candidate. */
void sequencer_block_execute(struct sequencer *sequencer, struct candidate *candidate);
/* sequencer_block_commit makes a valid block at head + 1 durable: EFFECT_COMMIT. */
void sequencer_block_commit(struct sequencer *sequencer, struct candidate *candidate,
                            const struct commit *commit);
/* A job has ended; the block under EFFECT_COMMIT is durable, or could not be made so (halted). */
void sequencer_on_executed(struct sequencer *sequencer, const struct block_outcome *outcome);
void sequencer_on_committed(struct sequencer *sequencer, const struct input *input);

/* --- sequencer_rotation.c */
/* sequencer_is_rotation_first: a rotation begins at this height. */
bool sequencer_is_rotation_first(const struct sequencer *sequencer, uint64_t height);
/* sequencer_sets_begin prepares `advanced`, scheduled index and hashes of the head's next height.
 */
void sequencer_sets_begin(struct sequencer *sequencer);
/* sequencer_sets_follow moves the sets on after `outcome` was committed. */
void sequencer_sets_follow(struct sequencer *sequencer, const struct block_outcome *outcome);
/* sequencer_on_l1 keeps what L1 says at a block; sequencer_l1_newest is what it says at the highest
 * that is kept, NULL: nothing is known. */
void sequencer_on_l1(struct sequencer *sequencer, const struct l1_facts *facts);
const struct l1_facts *sequencer_l1_newest(const struct sequencer *sequencer);
/* sequencer_origin_choose fills the frame's origin and next set, as the proposer of `round`. */
void sequencer_origin_choose(struct sequencer *sequencer, uint32_t round, struct frame *frame,
                             struct validator_set *next, bool *carries_next);
enum origin_answer { ORIGIN_RIGHT, ORIGIN_WRONG, ORIGIN_DOUBTED, ORIGIN_UNKNOWN };
/* sequencer_origin_check holds a proposed frame's origin and next set against what we know. */
enum origin_answer sequencer_origin_check(struct sequencer *sequencer, const struct frame *frame);
/* sequencer_proposer_index is who proposes in a round of the height after the head. */
uint32_t sequencer_proposer_index(const struct sequencer *sequencer, uint32_t round);

/* --- sequencer_sync.c */
/* sequencer_peer is a peer that is connected, NULL: it is not. */
struct peer *sequencer_peer(const struct sequencer *sequencer, const struct hash32 *id);
/* A peer comes (and is told what we have of its own, then our height) or goes; says how high it is;
 * sends blocks, whose commits are verified when their turn comes. */
void sequencer_on_peer(struct sequencer *sequencer, const struct hash32 *id, bool is_connected);
void sequencer_on_status(struct sequencer *sequencer, const struct hash32 *id, uint64_t height);
void sequencer_on_blocks(struct sequencer *sequencer, const struct hash32 *id,
                         const struct message *message);
/* sequencer_status_idle tells all peers our height when the chain stands still: whoever missed the
 * last block and has no vote now would otherwise never hear of it (found by the simulator, seed
 * 6882). */
void sequencer_status_idle(struct sequencer *sequencer);
/* sequencer_status_tell does so for a peer that still votes on what is decided, now and then: on an
 * idle chain no next block would tell it. */
void sequencer_status_tell(struct sequencer *sequencer, const struct hash32 *peer);
/* sequencer_sync_run asks for missing blocks and executes the next one that is here. */
void sequencer_sync_run(struct sequencer *sequencer);
/* sequencer_sync_refused: the block from sync at head + 1 was no good; its sender is not asked
 * again soon. */
void sequencer_sync_refused(struct sequencer *sequencer, const struct hash32 *peer,
                            const char *text);
/* sequencer_strike: the peer sent what no correct node sends; it is not believed for a while. */
void sequencer_strike(struct sequencer *sequencer, const struct hash32 *peer, const char *text);
/* sequencer_sync_holds: a peer that has not disappointed us has blocks that we lack, and they are
 * coming in; no height is begun before they are here. */
bool sequencer_sync_holds(const struct sequencer *sequencer);
/* sequencer_peers_height is the highest block that more connected validators than may lie (or,
 * where none is connected, peers) say they have, whether or not they gave us what we asked for; 0:
 * nobody says anything. */
uint64_t sequencer_peers_height(const struct sequencer *sequencer);
/* The _deadline functions say when their part is to be run next; UINT64_MAX: not by the clock. */
uint64_t sequencer_sync_deadline(const struct sequencer *sequencer);

/* --- sequencer_items.c */
/* The _bytes functions say what the _create of their part takes out of boot memory. */
size_t items_bytes(const struct sequencer_limits *limits);
void items_create(struct sequencer *sequencer, struct arena *arena);
/* sequencer_admit_context is what an item must be able to run on: the head, and the wall clock. */
struct admit_context sequencer_admit_context(const struct sequencer *sequencer);
/* sequencer_on_item admits an item or says what is wrong with it; sequencer_on_held: a peer has the
 * items that it names. */
void sequencer_on_item(struct sequencer *sequencer, const struct input *input);
void sequencer_on_held(struct sequencer *sequencer, const struct hash32 *peer,
                       const struct message *message);
/* sequencer_items_run sends what is due, answers what is acknowledged, and feeds new peers. */
void sequencer_items_run(struct sequencer *sequencer);
/* sequencer_items_peer_gone: nobody waits for this peer any more. */
void sequencer_items_peer_gone(struct sequencer *sequencer, uint32_t peer_index);
uint64_t sequencer_items_deadline(const struct sequencer *sequencer);

/* --- sequencer_batch.c */
size_t batches_bytes(void);
void batches_create(struct sequencer *sequencer, struct arena *arena,
                    const struct sequencer_restore *restore);
/* batches_on_committed counts a block into the open batch, and closes it when it is full. */
void batches_on_committed(struct sequencer *sequencer, const struct block_outcome *outcome);
/* batches_on_receipt: our DA layer has the batch, as we posted it or as a peer claimed. */
void batches_on_receipt(struct sequencer *sequencer, const struct input *input);
/* batches_on_head notes how high the DA layer is. */
void batches_on_head(struct sequencer *sequencer, uint64_t height);
/* batches_on_receipt_message takes a peer's claim, which our own DA layer is asked about;
 * batches_on_signature counts a validator's signature; batches_on_settled: what L1 has settled. */
void batches_on_receipt_message(struct sequencer *sequencer, const struct message *message);
void batches_on_signature(struct sequencer *sequencer, const struct message *message);
void batches_on_settled(struct sequencer *sequencer, const struct l1_facts *facts);
/* batches_on_peer tells a peer that connects where the newest batches lie. */
void batches_on_peer(struct sequencer *sequencer, const struct hash32 *peer);
/* batches_run closes, verifies, publishes, signs and settles what is due, and writes the journal.
 */
void batches_run(struct sequencer *sequencer);
uint64_t batches_deadline(const struct sequencer *sequencer);
/* batch_at is the entry at `offset` from the oldest; batch_find that of [first, last] or NULL. */
struct batch_entry *batch_at(const struct batches *batches, uint32_t offset);
struct batch_entry *batch_find(const struct batches *batches, uint64_t first, uint64_t last);

/* --- sequencer_settle.c: what batches_run does about published batches */
/* batches_sign_run signs them, and again until they are settled; batches_settle_run settles, in
 * order, those of which a quorum has signed and whose turn is ours. */
void batches_sign_run(struct sequencer *sequencer);
void batches_settle_run(struct sequencer *sequencer);

/* --- sequencer_guard.c */
/* guard_begin: a validator with others beside it is wary from the start on. */
void guard_begin(struct sequencer *sequencer);
/* guard_is_wary: no height begins yet. */
bool guard_is_wary(struct sequencer *sequencer);
uint64_t guard_deadline(const struct sequencer *sequencer);
/* guard_is_silent: nothing is signed at the height after the head. */
bool guard_is_silent(const struct sequencer *sequencer);
/* guard_on_vote and guard_on_commit look for signatures of ours that the record does not know.
 * A block that is committed while we are wary gives others more time. */
void guard_on_vote(struct sequencer *sequencer, const struct vote *vote);
void guard_on_commit(struct sequencer *sequencer, const struct commit *commit);
/* guard_on_status: a peer has told its height, and what it has of ours before. */
void guard_on_status(struct sequencer *sequencer, const struct hash32 *peer_id);
/* guard_greet tells a validator that connects what we have of its own. */
void guard_greet(struct sequencer *sequencer, const struct hash32 *peer_id);

/* --- sequencer_forced.c */
size_t forced_bytes(void);
void forced_create(struct sequencer *sequencer, struct arena *arena);
/* forced_on_l1 notes which requests are pending at an L1 block. */
void forced_on_l1(struct sequencer *sequencer, const struct l1_facts *facts);
/* forced_due lists what the block after the head must not leave out; valid for this step. */
size_t forced_due(struct sequencer *sequencer, const struct item **out);
/* forced_run offers what is pending to the pool, and forgets what L1 has ended. */
void forced_run(struct sequencer *sequencer);

/* --- sequencer_turns.c */
/* A turn of ours: DA heights [from, until) at which we may publish. */
struct batch_turn {
    uint64_t from, until;
};
/* turn_is_ours says whether the DA layer, as high as we know it to be, is in a turn of ours to
 * publish the batch. */
bool turn_is_ours(struct sequencer *sequencer, struct batch_entry *entry, struct batch_turn *out);
