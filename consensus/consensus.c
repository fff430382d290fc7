/* The machine's front: inputs come in, timers are asked for, what others may know goes out. */
#include "consensus/consensus.h"

#include "base/check.h"
#include "consensus/consensus_internal.h"

enum next_slot { NEXT_PROPOSAL, NEXT_PREVOTE, NEXT_PRECOMMIT };

size_t consensus_bytes(void) {
    return sizeof(struct consensus);
}

struct consensus *consensus_create(void *memory, const struct consensus_config *config) {
    CHECK((uintptr_t)memory % 16 == 0);
    struct consensus *core = memory;
    memset(core, 0, offsetof(struct consensus, justification));
    for (size_t i = 0; i < ROUNDS_KEPT; i++)
        memset(&core->rounds[i], 0, offsetof(struct round_votes, prevotes));
    core->config = *config;
    core->own_index = -1;
    core->propose_deadline_ms = core->resend_deadline_ms = NO_DEADLINE;
    core->prevote_deadline_ms = core->precommit_deadline_ms = NO_DEADLINE;
    return core;
}

struct consensus_effect *consensus_push(const struct consensus *core,
                                        struct consensus_effects *effects,
                                        enum consensus_effect_kind kind) {
    CHECK(effects->count < CONSENSUS_EFFECTS_MAX);
    struct consensus_effect *effect = &effects->list[effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    effect->height = core->height;
    effect->round = core->round;
    return effect;
}

/* proposer_of is an index in the set. */
static uint32_t proposer_of(const struct consensus *core, uint32_t round) {
    return rotation_proposer_index(&core->set, core->scheduled_index, &core->previous_proposer,
                                   core->is_rotation_first, round);
}

bool consensus_is_proposer(const struct consensus *core) {
    return core->own_index == (int)proposer_of(core, core->round);
}

struct round_votes *consensus_round_votes(struct consensus *core, uint32_t round) {
    if (round > core->round + CONSENSUS_ROUNDS_AHEAD_MAX) return NULL;
    if (core->round > round + ROUNDS_BEHIND_MAX) return NULL;
    struct round_votes *votes = &core->rounds[round % ROUNDS_KEPT];
    if (!votes->is_used || votes->round != round) {
        votes->is_used = true;
        votes->round = round;
        votes->has_proposal = votes->has_proposal_evidence = false;
        votes->voters_power = 0;
        tally_clear(&votes->prevotes);
        tally_clear(&votes->precommits);
    }
    return votes;
}

/* justifying_round is the valid round that the current proposal names, when it is out of the
 * window. */
static bool justifying_round(struct consensus *core, uint32_t *round) {
    const struct round_votes *votes = consensus_round_votes(core, core->round);
    if (!votes->has_proposal || votes->proposal.valid_round == VALID_ROUND_NONE) return false;
    *round = (uint32_t)votes->proposal.valid_round;
    return *round + ROUNDS_BEHIND_MAX < core->round;
}

struct tally *consensus_prevotes_of(struct consensus *core, uint32_t round) {
    struct round_votes *votes = consensus_round_votes(core, round);
    if (votes != NULL) return &votes->prevotes;
    uint32_t justifying;
    if (!justifying_round(core, &justifying) || justifying != round) return NULL;
    if (!core->has_justification || core->justification_round != round) {
        core->has_justification = true;
        core->justification_round = round;
        tally_clear(&core->justification);
    }
    return &core->justification;
}

static void push_evidence(const struct consensus *core, const struct vote *vote,
                          const struct vote *conflicting, struct consensus_effects *effects) {
    struct consensus_effect *effect = consensus_push(core, effects, CONSENSUS_EFFECT_EVIDENCE);
    effect->round = vote->round;
    effect->vote = *vote;
    effect->conflicting = *conflicting;
}

/* note_round remembers how far a voter is, for rule 55. */
static void note_round(struct consensus *core, uint32_t voter, uint32_t round) {
    if (core->highest_round[voter] > round) return;
    core->highest_round[voter] = round + 1;
    if (round > core->round) core->is_skip_due = true;
}

void consensus_count(struct consensus *core, const struct vote *vote,
                     struct consensus_effects *effects) {
    const int index = validator_set_find(&core->set, &vote->voter);
    if (index < 0 || vote->round > INT32_MAX) return;
    const uint32_t voter = (uint32_t)index;
    note_round(core, voter, vote->round);
    struct round_votes *votes = consensus_round_votes(core, vote->round);
    struct tally *tally = votes == NULL                ? NULL
                          : vote->kind == VOTE_PREVOTE ? &votes->prevotes
                                                       : &votes->precommits;
    if (votes == NULL && vote->kind == VOTE_PREVOTE) {
        tally = consensus_prevotes_of(core, vote->round);
    }
    if (tally == NULL) return;
    const bool is_first = votes != NULL && !voter_bits_has(&votes->prevotes.voted, voter) &&
                          !voter_bits_has(&votes->precommits.voted, voter);
    const struct tally_vote before = tally->first[voter];
    const enum tally_result result = tally_add(tally, &core->set, voter, vote, core->correct_power);
    if (is_first && result == TALLY_ADDED) {
        votes->voters_power += core->set.validators[voter].power;
    }
    if (result == TALLY_CONFLICT) {
        struct vote first = *vote;
        first.block = before.block;
        first.signature = before.signature;
        push_evidence(core, &first, vote, effects);
    }
}

void consensus_accept_proposal(struct consensus *core, const struct vote *proposal,
                               struct consensus_effects *effects) {
    if (proposal->round > INT32_MAX || hash_is_zero(&proposal->block)) return;
    const uint32_t proposer = proposer_of(core, proposal->round);
    if (!address_equal(&core->set.validators[proposer].address, &proposal->voter)) return;
    note_round(core, proposer, proposal->round);
    struct round_votes *votes = consensus_round_votes(core, proposal->round);
    if (votes == NULL) return;
    const bool is_first = !votes->has_proposal;
    if (is_first) {
        votes->has_proposal = true;
        votes->proposal = *proposal;
    } else if (!hash_equal(&votes->proposal.block, &proposal->block)) {
        if (!votes->has_proposal_evidence) {
            votes->has_proposal_evidence = true;
            push_evidence(core, &votes->proposal, proposal, effects);
        }
    }
    /* A proposer's further blocks are remembered only once somebody correct voted for them. */
    if (consensus_block_state(core, &proposal->block) != BLOCK_UNKNOWN) return;
    const bool is_ours = core->has_valid && hash_equal(&core->valid, &proposal->block);
    if (is_first || is_ours || consensus_block_is_wanted(core, &proposal->block)) {
        consensus_block_set(core, &proposal->block, BLOCK_PRESENT);
    }
}

static void hand_over(struct consensus *core, const struct address *voter) {
    const uint32_t proposer = proposer_of(core, 0);
    if (core->round != 0 || core->step != STEP_PROPOSE) return;
    if (!address_equal(&core->set.validators[proposer].address, voter)) return;
    if (consensus_round_votes(core, 0)->has_proposal) return;
    core->propose_deadline_ms = core->now_ms;
    core->is_build_asked = true; /* in case it is us who leave */
}

/* keep_for_next holds what a validator of this set says about the next height: its newest proposal,
 * prevote and precommit. */
static void keep_for_next(struct consensus *core, const struct vote *vote) {
    const int index = validator_set_find(&core->set, &vote->voter);
    if (index < 0 || vote->round > INT32_MAX) return;
    const uint32_t voter = (uint32_t)index;
    const enum next_slot slot = vote->kind == VOTE_PROPOSAL  ? NEXT_PROPOSAL
                                : vote->kind == VOTE_PREVOTE ? NEXT_PREVOTE
                                                             : NEXT_PRECOMMIT;
    struct vote *kept = &core->next_votes[slot][voter];
    if (voter_bits_has(&core->next_present[slot], voter) && kept->round >= vote->round) return;
    voter_bits_set(&core->next_present[slot], voter);
    *kept = *vote;
}

static void on_vote(struct consensus *core, const struct vote *vote,
                    struct consensus_effects *effects) {
    if (!core->is_begun) return;
    /* Whoever signs nothing here keeps the record as it is: it shows again, after a restart, that
     * it is old (found by the simulator, seed 577). */
    if (core->own_index >= 0 && address_equal(&vote->voter, &core->config.signer.address)) {
        consensus_adopt_own(core, vote, effects);
    }
    if (vote->height == core->height + 1) keep_for_next(core, vote);
    if (vote->height != core->height) return;
    if (vote->kind == VOTE_PROPOSAL) {
        consensus_accept_proposal(core, vote, effects);
    } else {
        consensus_count(core, vote, effects);
    }
}

static void on_handover(struct consensus *core, const struct vote *vote) {
    const uint64_t height = vote->height == 0 ? core->height : vote->height;
    if (height == core->height) hand_over(core, &vote->voter);
    if (height == core->height + 1) {
        core->has_next_handover = true;
        core->next_handover = vote->voter;
    }
}

static void on_built(struct consensus *core, const struct consensus_input *input,
                     struct consensus_effects *effects) {
    if (input->round != core->round || core->step != STEP_PROPOSE) return;
    if (!core->is_build_asked || core->has_valid || !consensus_is_proposer(core)) return;
    if (!consensus_may_sign(core, core->round, VOTE_PROPOSAL)) return;
    consensus_block_set(core, &input->block, BLOCK_VALID); /* built is executed */
    consensus_propose(core, &input->block, VALID_ROUND_NONE, effects);
}

/* replay_next counts what came early for this height.  The lists are taken out first: counting may
 * not see them change. */
static void replay_next(struct consensus *core, const struct validator_set *last_set,
                        struct consensus_effects *effects) {
    for (int slot = NEXT_PROPOSAL; slot <= NEXT_PRECOMMIT; slot++) {
        const struct voter_bits present = core->next_present[slot];
        core->next_present[slot] = (struct voter_bits){{0}};
        for (uint32_t voter = 0; voter < last_set->count; voter++) {
            if (!voter_bits_has(&present, voter)) continue;
            on_vote(core, &core->next_votes[slot][voter], effects);
        }
    }
    if (core->has_next_handover) hand_over(core, &core->next_handover);
    core->has_next_handover = false;
}

static void take_set(struct consensus *core, const struct validator_set *set) {
    CHECK(set->count >= 1);
    CHECK(set->count <= VALIDATORS_MAX);
    core->set = *set;
    core->total_power = validator_set_power(set);
    core->quorum = quorum_power(core->config.fault_model, core->total_power);
    core->correct_power = skip_power(core->config.fault_model, core->total_power);
    const struct address *own = &core->config.signer.address;
    core->own_index = address_is_zero(own) ? -1 : validator_set_find(set, own);
}

static void clear_height(struct consensus *core) {
    for (size_t i = 0; i < ROUNDS_KEPT; i++)
        core->rounds[i].is_used = false;
    memset(core->highest_round, 0, sizeof core->highest_round);
    memset(core->blocks, 0, sizeof core->blocks);
    core->has_justification = core->has_locked = core->has_valid = false;
    core->locked_round = core->valid_round = 0;
    core->polka.signatures_count = 0;
    core->polka.height = 0;
    core->round = 0;
    core->step = STEP_PROPOSE;
}

/* restore goes on where the record of this height ends: same round, same step, same locks, so that
 * nothing is signed that contradicts it. */
static void restore(struct consensus *core, const struct commit *polka,
                    struct consensus_effects *effects) {
    const struct consensus_record *record = &core->record;
    core->has_locked = record->has_locked;
    core->locked_round = record->locked_round;
    core->locked = record->locked;
    core->has_valid = record->has_valid;
    core->valid_round = record->valid_round;
    core->valid = record->valid;
    if (polka != NULL) core->polka = *polka;
    core->round = record->round;
    consensus_start_round(core, record->round, false, effects);
    if (record->step == 2) core->step = STEP_PREVOTE;
    if (record->step == 3) core->step = STEP_PRECOMMIT;
    if (record->prevote.kind != 0) consensus_count(core, &record->prevote, effects);
    if (record->precommit.kind != 0) consensus_count(core, &record->precommit, effects);
    if (core->has_valid) {
        consensus_block_set(core, &core->valid, BLOCK_PRESENT);
        consensus_block_want(core, &core->valid, effects);
    }
    consensus_resend(core, effects);
}

static void on_height(struct consensus *core, const struct consensus_input *input,
                      struct consensus_effects *effects) {
    const uint64_t height = input->begin.height;
    CHECK(!core->is_begun || height > core->height);
    CHECK(input->begin.scheduled_index < input->begin.set->count);
    const bool is_next = core->is_begun && height == core->height + 1;
    const struct validator_set last_set = core->set;
    take_set(core, input->begin.set);
    clear_height(core);
    if (input->begin.is_silent) core->own_index = -1;
    core->is_begun = true;
    core->height = height;
    core->scheduled_index = input->begin.scheduled_index;
    core->is_rotation_first = input->begin.is_rotation_first;
    core->previous_proposer = input->begin.previous_proposer;
    core->propose_at_ms = input->begin.propose_at_ms;
    core->resend_deadline_ms = core->now_ms + core->config.timeouts.resend_ms;
    if (input->begin.record != NULL) {
        core->record = *input->begin.record;
        const struct address own = core->config.signer.address;
        core->record.last.voter = core->record.prevote.voter = own;
        core->record.precommit.voter = own;
    }
    if (core->record.height == height) {
        restore(core, input->begin.polka, effects);
    } else {
        consensus_start_round(core, 0, false, effects);
    }
    if (is_next) {
        replay_next(core, &last_set, effects);
    } else {
        memset(core->next_present, 0, sizeof core->next_present);
        core->has_next_handover = false;
    }
}

bool consensus_has_voted(const struct consensus *core, uint32_t voter, const struct hash32 *block) {
    CHECK(voter < core->set.count);
    for (size_t i = 0; i < ROUNDS_KEPT; i++) {
        const struct round_votes *votes = &core->rounds[i];
        if (!votes->is_used) continue;
        if (tally_signature(&votes->prevotes, voter, block) != NULL) return true;
        if (tally_signature(&votes->precommits, voter, block) != NULL) return true;
    }
    return false;
}

size_t consensus_votes_of(const struct consensus *core, const struct address *address,
                          struct vote out[CONSENSUS_VOTES_OF_MAX]) {
    const int index = core->is_begun ? validator_set_find(&core->set, address) : -1;
    const struct round_votes *newest = NULL;
    if (index < 0) return 0;
    const uint32_t voter = (uint32_t)index;
    for (size_t i = 0; i < ROUNDS_KEPT; i++) {
        const struct round_votes *votes = &core->rounds[i];
        if (!votes->is_used || (newest != NULL && votes->round < newest->round)) continue;
        if (voter_bits_has(&votes->prevotes.voted, voter) ||
            voter_bits_has(&votes->precommits.voted, voter)) {
            newest = votes;
        }
    }
    size_t count = 0;
    for (int kind = 0; newest != NULL && kind < 2; kind++) {
        const struct tally *tally = kind == 0 ? &newest->prevotes : &newest->precommits;
        if (!voter_bits_has(&tally->voted, voter)) continue;
        out[count++] = (struct vote){.kind = kind == 0 ? VOTE_PREVOTE : VOTE_PRECOMMIT,
                                     .height = core->height,
                                     .round = newest->round,
                                     .valid_round = VALID_ROUND_NONE,
                                     .block = tally->first[voter].block,
                                     .voter = *address,
                                     .signature = tally->first[voter].signature};
    }
    for (int slot = NEXT_PREVOTE; slot <= NEXT_PRECOMMIT; slot++) {
        if (!voter_bits_has(&core->next_present[slot], voter)) continue;
        out[count++] = core->next_votes[slot][voter];
    }
    return count;
}

static void on_checked(struct consensus *core, const struct consensus_input *input) {
    if (consensus_block_state(core, &input->block) == BLOCK_UNKNOWN) return;
    consensus_block_set(core, &input->block, input->is_valid ? BLOCK_VALID : BLOCK_INVALID);
}

/* need_valid asks for our valid block where its bytes are gone: a crash between what is kept of it,
 * or later candidates in its place.  While it is locked we could vote for nothing else. */
static void need_valid(struct consensus *core, struct consensus_effects *effects) {
    if (!core->has_valid || consensus_block_state(core, &core->valid) != BLOCK_UNKNOWN) return;
    (void)consensus_block_need(core, &core->valid, core->valid_round, effects);
}

static void on_missing(struct consensus *core, const struct hash32 *block,
                       struct consensus_effects *effects) {
    if (consensus_block_state(core, block) != BLOCK_CHECKING) return;
    consensus_block_set(core, block, BLOCK_UNKNOWN); /* until a proposal brings it again */
    need_valid(core, effects);
}

/* resend_due sends again, and asks again for what is missing.  A block that a quorum decided
 * although it was invalid here is executed again: our view of L1 may have been behind. */
static void resend_due(struct consensus *core, struct consensus_effects *effects) {
    if (core->now_ms < core->resend_deadline_ms) return;
    core->resend_deadline_ms = core->now_ms + core->config.timeouts.resend_ms;
    core->is_need_asked = false;
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        struct known_block *known = &core->blocks[i];
        if (known->state != BLOCK_INVALID) continue;
        for (size_t j = 0; j < ROUNDS_KEPT; j++) {
            const struct round_votes *votes = &core->rounds[j];
            if (votes->is_used && tally_power(&votes->precommits, &known->hash) >= core->quorum) {
                known->state = BLOCK_PRESENT;
            }
        }
    }
    need_valid(core, effects);
    consensus_resend(core, effects);
}

void consensus_step(struct consensus *core, const struct consensus_input *input,
                    struct consensus_effects *effects) {
    if (input->now_ms > core->now_ms) core->now_ms = input->now_ms;
    if (!core->is_begun && input->kind != CONSENSUS_INPUT_HEIGHT) return;
    switch (input->kind) {
    case CONSENSUS_INPUT_HEIGHT: on_height(core, input, effects); break;
    case CONSENSUS_INPUT_TICK: break;
    case CONSENSUS_INPUT_PROPOSAL:
    case CONSENSUS_INPUT_VOTE: on_vote(core, &input->vote, effects); break;
    case CONSENSUS_INPUT_BUILT: on_built(core, input, effects); break;
    case CONSENSUS_INPUT_CHECKED: on_checked(core, input); break;
    case CONSENSUS_INPUT_MISSING: on_missing(core, &input->block, effects); break;
    case CONSENSUS_INPUT_SILENCE: core->own_index = -1; break;
    case CONSENSUS_INPUT_HANDOVER: on_handover(core, &input->vote); break;
    }
    if (core->step == STEP_DECIDED) return;
    consensus_run_rules(core, effects);
    if (core->step != STEP_DECIDED) resend_due(core, effects);
}

enum err consensus_set_check(enum fault_model model, const struct validator_set *set) {
    return model == FAULT_MODEL_BYZANTINE && set->count < 4 ? ERR_CONFIG : ERR_OK;
}

uint64_t consensus_deadline_ms(const struct consensus *core) {
    if (!core->is_begun || core->step == STEP_DECIDED) return NO_DEADLINE;
    uint64_t deadline_ms = core->resend_deadline_ms;
    if (core->precommit_deadline_ms < deadline_ms) deadline_ms = core->precommit_deadline_ms;
    if (core->step == STEP_PREVOTE && core->prevote_deadline_ms < deadline_ms) {
        deadline_ms = core->prevote_deadline_ms;
    }
    if (core->step != STEP_PROPOSE) return deadline_ms;
    if (core->propose_deadline_ms < deadline_ms) deadline_ms = core->propose_deadline_ms;
    const bool waits_to_propose = core->round == 0 && core->now_ms < core->propose_at_ms;
    if (waits_to_propose && consensus_is_proposer(core) && core->propose_at_ms < deadline_ms) {
        deadline_ms = core->propose_at_ms;
    }
    return deadline_ms;
}

struct consensus_status consensus_status(const struct consensus *core) {
    struct consensus_status status = {.height = core->height, .round = core->round};
    if (!core->is_begun) return status;
    status.step = (uint8_t)core->step;
    status.proposer_index = proposer_of(core, core->round);
    const struct round_votes *votes = &core->rounds[core->round % ROUNDS_KEPT];
    if (votes->is_used && votes->round == core->round) {
        status.prevote_power = votes->prevotes.power_seen;
        status.precommit_power = votes->precommits.power_seen;
    }
    return status;
}

bool consensus_is_later(const struct consensus *core, const struct vote *vote) {
    return vote->height > core->height + (core->step == STEP_DECIDED ? 1 : 0);
}

void consensus_check_invariants(const struct consensus *core) {
    if (!core->is_begun) return;
    CHECK(core->step >= STEP_PROPOSE);
    CHECK(core->step <= STEP_DECIDED);
    CHECK(!core->has_locked || core->has_valid);
    CHECK(!core->has_locked || core->locked_round <= core->valid_round);
    CHECK(!core->has_valid || core->valid_round <= core->round);
    CHECK(core->own_index < (int)core->set.count);
    CHECK(core->record.step <= 3);
    for (size_t i = 0; i < ROUNDS_KEPT; i++) {
        const struct round_votes *votes = &core->rounds[i];
        if (!votes->is_used) continue;
        CHECK(votes->prevotes.power_seen <= core->total_power);
        CHECK(votes->precommits.power_seen <= core->total_power);
        CHECK(votes->voters_power <= core->total_power);
        CHECK(votes->voters_power >= votes->prevotes.power_seen);
        CHECK(votes->voters_power >= votes->precommits.power_seen);
    }
    /* Whoever locked in this round has precommitted in it. */
    if (core->has_locked && core->locked_round == core->round && core->own_index >= 0) {
        CHECK(core->step >= STEP_PRECOMMIT);
    }
}
