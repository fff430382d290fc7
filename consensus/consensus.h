#pragma once
/* Consensus on one height after another: the Tendermint algorithm (Buchman, Kwon, Milosevic,
 * arXiv:1807.04938, Algorithm 1) as a pure state machine over opaque block hashes.
 *
 * consensus_step takes one input and appends effects.  It knows no clock (time is a count of
 * milliseconds handed in with each input), no socket, no disk, no block contents.  The caller
 * performs effects in order, and whatever PERSIST names is durable before any later vote leaves.
 * Votes come in already recovered (voter is who really signed).  Own votes are signed inside, by
 * the signer given at creation, right after the PERSIST that records them; they count at once.
 *
 * Heights are driven from outside: after EFFECT_COMMIT the machine waits for INPUT_HEIGHT, which
 * comes once the block is executed and durable.  See docs/consensus.md. */
#include "base/arena.h"
#include "consensus/commit.h"
#include "consensus/rotation.h"
#include "consensus/signing.h"

/* Votes of rounds further ahead than this are dropped. */
#define CONSENSUS_ROUNDS_AHEAD_MAX 8
/* Votes and proposals of the next height are kept, so that a node a moment late needs no resend. */
#define CONSENSUS_EFFECTS_MAX 64

struct consensus_timeouts {
    uint64_t propose_ms; /* beyond the block time; + delta per round */
    uint64_t propose_delta_ms;
    uint64_t prevote_ms;
    uint64_t prevote_delta_ms;
    uint64_t precommit_ms;
    uint64_t precommit_delta_ms;
    uint64_t resend_ms; /* own votes and proposal of the current round are sent again so often */
};

struct consensus_config {
    enum fault_model fault_model;
    struct signing_domain domain;
    struct signer signer;
    struct consensus_timeouts timeouts;
};

/* What is durable about signing: the newest thing signed, and Tendermint's locked and valid values.
 * Encoded by consensus_record_encode; the caller stores it under one name, together with the bytes
 * of the valid block (it knows them by hash). */
struct consensus_record {
    uint64_t height;
    uint32_t round;
    uint8_t step;     /* of the newest signature: 0 none, 1 proposal, 2 prevote, 3 precommit */
    struct vote last; /* the newest signature itself: sent again after a restart, not remade */
    bool has_locked, has_valid;
    uint32_t locked_round, valid_round;
    struct hash32 locked, valid;
    struct vote prevote,
        precommit; /* newest of each at this height, sent again too; kind 0: none */
};
/* consensus_record_decode reads what consensus_record_encode wrote: ERR_ENCODING, ERR_TRUNCATED. */
#define CONSENSUS_RECORD_BYTES_MAX 512
void consensus_record_encode(const struct consensus_record *record, struct buffer *out);
MUST_USE enum err consensus_record_decode(struct bytes in, struct consensus_record *out);

enum consensus_input_kind {
    CONSENSUS_INPUT_HEIGHT,   /* begin a height */
    CONSENSUS_INPUT_TICK,     /* time passed */
    CONSENSUS_INPUT_PROPOSAL, /* a proposal whose block's bytes the caller has */
    CONSENSUS_INPUT_VOTE,     /* prevote or precommit */
    CONSENSUS_INPUT_BUILT,    /* the block asked for by EFFECT_BUILD is ready and executed */
    CONSENSUS_INPUT_CHECKED,  /* a proposed block was executed: valid or not */
    CONSENSUS_INPUT_MISSING,  /* the block that CHECK named is not here (any more) */
    CONSENSUS_INPUT_SILENCE,  /* sign nothing more at this height: begin.is_silent, too late */
    CONSENSUS_INPUT_HANDOVER, /* the round-0 proposer of this height says that it will not propose
                               */
};

struct consensus_input {
    enum consensus_input_kind kind;
    uint64_t now_ms; /* monotonic; every input carries it */
    struct {         /* HEIGHT */
        uint64_t height;
        const struct validator_set *set; /* copied */
        uint32_t scheduled_index;        /* from rotation_advance */
        bool is_rotation_first;
        struct address previous_proposer; /* the frame's proposer of height - 1 */
        uint64_t propose_at_ms;           /* not before: block time after the last block */
        /* After a restart what is stored, else NULL.  A record of a later height (an older chain
         * was restored) keeps the machine from signing until it gets there. */
        const struct consensus_record *record;
        const struct commit *polka; /* stored with the record; NULL: none */
        bool is_silent;             /* follow, and sign nothing */
    } begin;
    struct vote vote;    /* PROPOSAL, VOTE, HANDOVER (voter only) */
    struct hash32 block; /* BUILT, CHECKED, MISSING */
    uint32_t round;      /* BUILT: the round it was built for */
    bool is_valid;       /* CHECKED */
};

enum consensus_effect_kind {
    CONSENSUS_EFFECT_PERSIST,   /* make `record` durable before anything after it */
    CONSENSUS_EFFECT_BUILD,     /* build a block for (height, round); answer with BUILT */
    CONSENSUS_EFFECT_CHECK,     /* execute `block`; answer with CHECKED, or MISSING */
    CONSENSUS_EFFECT_BROADCAST, /* send `vote` (a proposal goes with its block's bytes) to all */
    CONSENSUS_EFFECT_COMMIT,    /* `block` is decided; `commit` proves it */
    CONSENSUS_EFFECT_EVIDENCE,  /* `vote` and `conflicting` are signed by one voter */
    CONSENSUS_EFFECT_ROUND, /* a new round began (metrics); is_timeout: because the last one failed
                             */
    CONSENSUS_EFFECT_NEED, /* a quorum voted in `round` for `block`, which no PROPOSAL input showed:
                            * fetch its proposal from the others; repeated every resend_ms */
};

struct consensus_effect {
    enum consensus_effect_kind kind;
    uint64_t height;
    uint32_t round;
    struct consensus_record record;
    struct hash32 block;
    struct vote vote;
    struct vote conflicting;
    /* COMMIT: the proof.  PERSIST: the prevotes for the valid block (its polka) or NULL, stored
     * with the record and handed back after a restart, when nobody may have them any more.  Valid
     * until the next step. */
    const struct commit *commit;
    bool is_timeout;
    bool is_backed; /* CHECK: a quorum voted for the block: only its validity is in question */
};

struct consensus_effects {
    size_t count;
    struct consensus_effect list[CONSENSUS_EFFECTS_MAX];
};

struct consensus; /* in boot memory, CONSENSUS_BYTES of it */

/* consensus_bytes says how much memory consensus_create needs. */
size_t consensus_bytes(void);
/* consensus_create puts a machine that waits for INPUT_HEIGHT into `memory` (aligned to 16). */
struct consensus *consensus_create(void *memory, const struct consensus_config *config);

/* consensus_step handles one input.  Inputs of other heights and rounds too far off are dropped. */
void consensus_step(struct consensus *core, const struct consensus_input *input,
                    struct consensus_effects *effects);

/* consensus_set_check refuses what cannot survive one fault: ERR_CONFIG for a byzantine set of
 * fewer than four validators.  Asked when a chain starts, not at every height: exits may shrink a
 * set. */
MUST_USE enum err consensus_set_check(enum fault_model model, const struct validator_set *set);

/* consensus_deadline_ms is when the next TICK is needed; UINT64_MAX: no timer runs. */
uint64_t consensus_deadline_ms(const struct consensus *core);

/* consensus_votes_of finds what is known here of `voter`: its newest prevote and precommit of the
 * current height, in one round, and of the next.  Returns how many. */
#define CONSENSUS_VOTES_OF_MAX 4
size_t consensus_votes_of(const struct consensus *core, const struct address *voter,
                          struct vote out[CONSENSUS_VOTES_OF_MAX]);

/* consensus_has_voted says whether `voter`, by index of the height's set, has voted for `block` in
 * a round that is remembered here: if it is correct it has executed it, and can give it. */
bool consensus_has_voted(const struct consensus *core, uint32_t voter, const struct hash32 *block);

/* What people and metrics may know. */
struct consensus_status {
    uint64_t height;
    uint32_t round;
    uint8_t step; /* 1 propose, 2 prevote, 3 precommit, 4 decided: waits for INPUT_HEIGHT */
    uint32_t proposer_index;
    uint64_t prevote_power, precommit_power; /* seen in this round */
};
struct consensus_status consensus_status(const struct consensus *core);

/* consensus_is_later says whether `vote` shows that its height is decided or under way beyond ours,
 * so that the caller should sync. */
bool consensus_is_later(const struct consensus *core, const struct vote *vote);

/* consensus_check_invariants CHECKs what must hold between steps; tests and the simulator call it.
 */
void consensus_check_invariants(const struct consensus *core);
