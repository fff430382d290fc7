#pragma once
/* The inside of the consensus machine, shared by its four files and by nobody else:
 *   consensus.c  inputs come in, timers, what others may ask
 *   rules.c      Algorithm 1, one function for each of its rules
 *   voting.c     signing, persisting and sending, each vote once
 *   blocks.c     which blocks the caller has, and what executing them said */
#include "consensus/consensus.h"
#include "consensus/tally.h"

/* Votes of so many earlier rounds are kept, for late decisions and for the polkas that proposals
 * with a valid round name; a proposal of an even earlier valid round has the tally `justification`.
 */
#define ROUNDS_BEHIND_MAX 8
#define ROUNDS_KEPT       (ROUNDS_BEHIND_MAX + 1 + CONSENSUS_ROUNDS_AHEAD_MAX)
/* Blocks of one height that are remembered at once. */
#define BLOCKS_MAX 16
/* Votes of a polka that one step forwards. */
#define POLKA_VOTES_PER_STEP 16

#define NO_DEADLINE UINT64_MAX

enum step { STEP_PROPOSE = 1, STEP_PREVOTE, STEP_PRECOMMIT, STEP_DECIDED };

enum block_state {
    BLOCK_UNKNOWN,  /* the caller does not have it, as far as this machine was told */
    BLOCK_PRESENT,  /* the caller has its bytes */
    BLOCK_CHECKING, /* EFFECT_CHECK is out */
    BLOCK_VALID,
    BLOCK_INVALID,
};

struct known_block {
    struct hash32 hash;
    enum block_state state;
    uint64_t used; /* a count of uses, to forget the one unused for longest */
};

struct round_votes {
    bool is_used;
    uint32_t round;
    bool has_proposal, has_proposal_evidence;
    struct vote proposal;              /* the first one of the round's proposer */
    uint64_t voters_power;             /* of voters with a prevote or a precommit, each once */
    struct tally prevotes, precommits; /* last: see the end of struct consensus */
};

struct consensus {
    struct consensus_config config;
    uint64_t now_ms;

    /* the height */
    bool is_begun;
    uint64_t height;
    struct validator_set set;
    uint64_t total_power, quorum, correct_power;
    int own_index; /* -1: not in the set, follows without signing */
    uint32_t scheduled_index;
    bool is_rotation_first;
    struct address previous_proposer;
    uint64_t propose_at_ms;

    /* the round */
    uint32_t round;
    enum step step;
    bool is_build_asked, is_need_asked;
    uint64_t propose_deadline_ms, prevote_deadline_ms, precommit_deadline_ms, resend_deadline_ms;

    /* Algorithm 1's variables */
    bool has_locked, has_valid;
    uint32_t locked_round, valid_round;
    struct hash32 locked, valid;

    struct consensus_record record; /* the newest that a PERSIST named */

    bool has_justification;
    uint32_t justification_round;
    struct commit polka; /* the prevotes for `valid` in `valid_round` */
    uint32_t polka_cursor;
    bool is_skip_due;                       /* a vote of a later round came in */
    uint32_t highest_round[VALIDATORS_MAX]; /* + 1; of each voter's votes; 0: none */
    struct known_block blocks[BLOCKS_MAX];
    uint64_t block_uses;

    /* the next height */
    struct voter_bits next_present[3];
    bool has_next_handover;
    struct address next_handover;

    struct commit commit; /* what EFFECT_COMMIT points at */

    /* From here on megabytes, of which create clears only what is ever read before it is written:
     * the heads of the rounds. */
    struct tally justification;                /* prevotes of a valid round older than `rounds` */
    struct round_votes rounds[ROUNDS_KEPT];    /* round r at r % ROUNDS_KEPT */
    struct vote next_votes[3][VALIDATORS_MAX]; /* proposal, prevote, precommit; by index in `set` */
};

/* consensus_push returns the next effect, zero but for kind, height and round. */
struct consensus_effect *consensus_push(const struct consensus *core,
                                        struct consensus_effects *effects,
                                        enum consensus_effect_kind kind);

/* consensus.c */
/* consensus_is_proposer: the current round is ours. */
bool consensus_is_proposer(const struct consensus *core);
/* consensus_round_votes returns the votes of a round in the window; NULL: too far off. */
struct round_votes *consensus_round_votes(struct consensus *core, uint32_t round);
/* consensus_prevotes_of also finds the justification's tally. */
struct tally *consensus_prevotes_of(struct consensus *core, uint32_t round);
/* consensus_count counts a vote of this height, own or not. */
void consensus_count(struct consensus *core, const struct vote *vote,
                     struct consensus_effects *effects);
/* consensus_accept_proposal takes a proposal of this height, own or not. */
void consensus_accept_proposal(struct consensus *core, const struct vote *proposal,
                               struct consensus_effects *effects);

/* rules.c */
/* consensus_start_round goes to a round (line 11), leaving none without a precommit behind;
 * `is_timeout`: because the last one failed. */
void consensus_start_round(struct consensus *core, uint32_t round, bool is_timeout,
                           struct consensus_effects *effects);
/* consensus_run_rules tries all rules until none fires. */
void consensus_run_rules(struct consensus *core, struct consensus_effects *effects);

/* voting.c */
/* consensus_may_sign: we are a voter, not silent, and this comes after all that the record holds.
 */
bool consensus_may_sign(const struct consensus *core, uint32_t round, enum vote_kind kind);
/* consensus_propose signs, persists, sends and accepts a proposal, and sends the polka of a valid
 * round; consensus_may_sign has been asked. */
void consensus_propose(struct consensus *core, const struct hash32 *block, int32_t valid_round,
                       struct consensus_effects *effects);
/* consensus_vote signs, persists, sends and counts a vote, unless it must not sign. */
void consensus_vote(struct consensus *core, enum vote_kind kind, uint32_t round,
                    const struct hash32 *block, struct consensus_effects *effects);
/* consensus_persist pushes PERSIST with the valid value, where something is signed at this height.
 */
void consensus_persist(struct consensus *core, struct consensus_effects *effects);
/* consensus_resend sends our newest votes once more, and what they rest on. */
void consensus_resend(struct consensus *core, struct consensus_effects *effects);
/* consensus_capture_polka keeps the prevotes for `valid` out of its round's votes. */
void consensus_capture_polka(struct consensus *core, const struct round_votes *votes);
/* consensus_has_own_polka: the polka that is kept is that of the valid value. */
bool consensus_has_own_polka(const struct consensus *core);
/* consensus_adopt_own handles a vote of ours that came from outside: it may be newer than the
 * record. */
void consensus_adopt_own(struct consensus *core, const struct vote *vote,
                         struct consensus_effects *effects);

/* blocks.c */
/* consensus_block_state is what is known of a block; consensus_block_set notes it. */
enum block_state consensus_block_state(const struct consensus *core, const struct hash32 *block);
void consensus_block_set(struct consensus *core, const struct hash32 *block,
                         enum block_state state);
/* consensus_block_want asks for a check of a block that is present, and returns its state. */
enum block_state consensus_block_want(struct consensus *core, const struct hash32 *block,
                                      struct consensus_effects *effects);
/* consensus_block_need is the same for a block that a quorum voted for: asks for an unknown one. */
enum block_state consensus_block_need(struct consensus *core, const struct hash32 *block,
                                      uint32_t round, struct consensus_effects *effects);
/* consensus_block_is_wanted: somebody correct voted for it. */
bool consensus_block_is_wanted(struct consensus *core, const struct hash32 *block);
/* consensus_blocks_recheck ends the refusals of the last round: a block that was invalid when our
 * view of L1 was behind may be locked by others, and must not be refused for ever (found by seed
 * 1418). */
void consensus_blocks_recheck(struct consensus *core);
