/* Algorithm 1 of arXiv:1807.04938: one function for each rule, named with the line that it begins
 * at. A rule looks at the machine and returns whether it fired; consensus_run_rules tries them
 * until none does.  Where a rule differs from the paper, docs/consensus.md says why that is safe.
 */
#include "base/check.h"
#include "consensus/consensus_internal.h"

/* No input makes more rules fire: each either moves the step on, of which a round has three and an
 * input passes at most two rounds, or sets a timer or the valid value, once per round. */
#define RULES_FIRED_MAX 32

/* Timeouts grow no more from this round on: whatever brought a height there, it shall get on. */
#define GROWTH_ROUNDS_MAX 1024
/* Nobody follows others into a round beyond this one, but step by step: rounds end at INT32_MAX,
 * and in the crash model one voter who lies would lead everybody there for good. */
#define SKIP_ROUND_MAX (1u << 30)
#define SKIP_STEP_MAX  1024

static const struct hash32 nil = {{0}};

static struct round_votes *current(struct consensus *core) {
    struct round_votes *votes = consensus_round_votes(core, core->round);
    CHECK(votes != NULL);
    return votes;
}

static uint64_t grown(uint64_t base_ms, uint64_t delta_ms, uint32_t round) {
    return base_ms + delta_ms * (round < GROWTH_ROUNDS_MAX ? round : GROWTH_ROUNDS_MAX);
}

/* Line 11, StartRound.  Nobody leaves a round without having precommitted in the one before the
 * next: a precommit for nil is always safe, and with it the own newest votes of the correct
 * validators, which survive restarts, always suffice to bring all of them into one round
 * (docs/consensus.md). */
void consensus_start_round(struct consensus *core, uint32_t round, bool is_timeout,
                           struct consensus_effects *effects) {
    if (round > core->round) {
        consensus_vote(core, VOTE_PRECOMMIT, round - 1, &nil, effects);
    }
    const struct consensus_timeouts *timeouts = &core->config.timeouts;
    const bool waits = round == 0 && core->propose_at_ms > core->now_ms;
    const uint64_t begin_ms = waits ? core->propose_at_ms : core->now_ms;
    core->round = round;
    core->step = STEP_PROPOSE;
    core->is_build_asked = core->is_need_asked = core->is_skip_due = false;
    consensus_blocks_recheck(core);
    core->propose_deadline_ms =
        begin_ms + grown(timeouts->propose_ms, timeouts->propose_delta_ms, round);
    core->prevote_deadline_ms = core->precommit_deadline_ms = NO_DEADLINE;
    consensus_push(core, effects, CONSENSUS_EFFECT_ROUND)->is_timeout = is_timeout;
}

static void prevote(struct consensus *core, const struct hash32 *block,
                    struct consensus_effects *effects) {
    core->step = STEP_PREVOTE;
    consensus_vote(core, VOTE_PREVOTE, core->round, block, effects);
}

static void precommit(struct consensus *core, const struct hash32 *block,
                      struct consensus_effects *effects) {
    core->step = STEP_PRECOMMIT;
    consensus_vote(core, VOTE_PRECOMMIT, core->round, block, effects);
}

/* Lines 14 to 19: the proposer proposes its valid value, or a new block. */
static bool rule_14_propose(struct consensus *core, struct consensus_effects *effects) {
    if (core->step != STEP_PROPOSE || !consensus_is_proposer(core)) return false;
    if (!consensus_may_sign(core, core->round, VOTE_PROPOSAL)) return false;
    if (core->round == 0 && core->now_ms < core->propose_at_ms) return false;
    if (core->has_valid) {
        if (consensus_block_want(core, &core->valid, effects) != BLOCK_VALID) return false;
        /* Without the polka, lost in a crash, others could not check a valid round. */
        const bool is_proven = consensus_has_own_polka(core);
        const int32_t valid_round = is_proven ? (int32_t)core->valid_round : VALID_ROUND_NONE;
        const struct hash32 block = core->valid;
        consensus_propose(core, &block, valid_round, effects);
        return true;
    }
    if (core->is_build_asked) return false;
    core->is_build_asked = true;
    consensus_push(core, effects, CONSENSUS_EFFECT_BUILD);
    return true;
}

/* prevote_checked votes for a block that the lock allows, once it was executed. */
static bool prevote_checked(struct consensus *core, const struct hash32 *block,
                            struct consensus_effects *effects) {
    const enum block_state state = consensus_block_want(core, block, effects);
    if (state != BLOCK_VALID && state != BLOCK_INVALID) return false;
    prevote(core, state == BLOCK_VALID ? block : &nil, effects);
    return true;
}

/* Line 22: a new proposal. */
static bool rule_22_prevote(struct consensus *core, struct consensus_effects *effects) {
    const struct round_votes *votes = current(core);
    if (core->step != STEP_PROPOSE || !votes->has_proposal) return false;
    if (votes->proposal.valid_round != VALID_ROUND_NONE) return false;
    if (core->has_locked && !hash_equal(&core->locked, &votes->proposal.block)) {
        prevote(core, &nil, effects);
        return true;
    }
    return prevote_checked(core, &votes->proposal.block, effects);
}

static bool has_polka(struct consensus *core, uint32_t round, const struct hash32 *block) {
    if (consensus_has_own_polka(core) && core->valid_round == round &&
        hash_equal(&core->valid, block)) {
        return true;
    }
    const struct tally *prevotes = consensus_prevotes_of(core, round);
    return prevotes != NULL && tally_power(prevotes, block) >= core->quorum;
}

/* Line 28: a block proposed again, with a polka of an earlier round. */
static bool rule_28_prevote_again(struct consensus *core, struct consensus_effects *effects) {
    const struct round_votes *votes = current(core);
    if (core->step != STEP_PROPOSE || !votes->has_proposal) return false;
    const struct vote *proposal = &votes->proposal;
    if (proposal->valid_round == VALID_ROUND_NONE) return false;
    const uint32_t valid_round = (uint32_t)proposal->valid_round;
    if (valid_round >= core->round) return false;
    if (!has_polka(core, valid_round, &proposal->block)) return false;
    if (core->has_locked && core->locked_round > valid_round &&
        !hash_equal(&core->locked, &proposal->block)) {
        prevote(core, &nil, effects);
        return true;
    }
    return prevote_checked(core, &proposal->block, effects);
}

/* Line 34: enough prevotes, but for different things.  A precommit stands for the prevote that came
 * before it, so that a restarted validator, which sends only its newest votes, is not waited for.
 */
static bool rule_34_prevote_timer(struct consensus *core, struct consensus_effects *effects) {
    (void)effects;
    if (core->step != STEP_PREVOTE || core->prevote_deadline_ms != NO_DEADLINE) return false;
    if (current(core)->voters_power < core->quorum) return false;
    const struct consensus_timeouts *timeouts = &core->config.timeouts;
    core->prevote_deadline_ms =
        core->now_ms + grown(timeouts->prevote_ms, timeouts->prevote_delta_ms, core->round);
    return true;
}

/* Line 36: a polka for a valid block, once per round: lock it and precommit. */
static bool rule_36_lock(struct consensus *core, struct consensus_effects *effects) {
    struct hash32 block;
    const struct round_votes *votes = current(core);
    if (!tally_quorum(&votes->prevotes, core->quorum, &block) || hash_is_zero(&block)) return false;
    if (core->has_valid && core->valid_round == core->round) return false;
    if (consensus_block_need(core, &block, core->round, effects) != BLOCK_VALID) return false;
    if (core->step < STEP_PREVOTE) return false;
    core->has_valid = true;
    core->valid = block;
    core->valid_round = core->round;
    consensus_capture_polka(core, votes);
    if (core->step != STEP_PREVOTE) {
        consensus_persist(core, effects);
        return true;
    }
    core->has_locked = true;
    core->locked = block;
    core->locked_round = core->round;
    precommit(core, &block, effects);
    return true;
}

/* Line 44: a polka for nil. */
static bool rule_44_precommit_nil(struct consensus *core, struct consensus_effects *effects) {
    if (core->step != STEP_PREVOTE) return false;
    if (tally_power(&current(core)->prevotes, &nil) < core->quorum) return false;
    precommit(core, &nil, effects);
    return true;
}

/* Line 47: enough precommits, but for different things.  All of them for nil: the round is over. */
static bool rule_47_precommit_timer(struct consensus *core, struct consensus_effects *effects) {
    const struct tally *precommits = &current(core)->precommits;
    if (tally_power(precommits, &nil) >= core->quorum) {
        consensus_start_round(core, core->round + 1, true, effects);
        return true;
    }
    if (core->precommit_deadline_ms != NO_DEADLINE) return false;
    if (precommits->power_seen < core->quorum) return false;
    const struct consensus_timeouts *timeouts = &core->config.timeouts;
    core->precommit_deadline_ms =
        core->now_ms + grown(timeouts->precommit_ms, timeouts->precommit_delta_ms, core->round);
    return true;
}

static void decide(struct consensus *core, const struct round_votes *votes,
                   const struct hash32 *block, struct consensus_effects *effects) {
    struct commit *commit = &core->commit;
    commit->height = core->height;
    commit->round = votes->round;
    commit->block = *block;
    commit->signatures_count = 0;
    for (uint32_t voter = 0; voter < core->set.count; voter++) {
        const struct secp_signature *signature = tally_signature(&votes->precommits, voter, block);
        if (signature == NULL) continue;
        commit->signatures[commit->signatures_count++] =
            (struct commit_signature){voter, *signature};
    }
    core->step = STEP_DECIDED;
    struct consensus_effect *effect = consensus_push(core, effects, CONSENSUS_EFFECT_COMMIT);
    effect->round = votes->round;
    effect->block = *block;
    effect->commit = commit;
}

/* Line 49: a quorum of precommits of any round decides, once the block was executed here too. */
static bool rule_49_decide(struct consensus *core, struct consensus_effects *effects) {
    for (size_t i = 0; i < ROUNDS_KEPT; i++) {
        const struct round_votes *votes = &core->rounds[i];
        struct hash32 block;
        if (!votes->is_used || votes->precommits.power_seen < core->quorum) continue;
        if (!tally_quorum(&votes->precommits, core->quorum, &block)) continue;
        if (hash_is_zero(&block)) continue;
        if (consensus_block_need(core, &block, votes->round, effects) != BLOCK_VALID) continue;
        decide(core, votes, &block, effects);
        return true;
    }
    return false;
}

/* Line 55: somebody correct is in a later round, so that staying here helps nobody.  Votes of
 * rounds from there on count together: whoever sent them has left this one. */
static bool rule_55_skip(struct consensus *core, struct consensus_effects *effects) {
    if (!core->is_skip_due) return false;
    core->is_skip_due = false;
    uint32_t target = core->round;
    for (uint32_t i = 0; i < core->set.count; i++) {
        if (core->highest_round[i] <= target + 1) continue;
        const uint32_t round = core->highest_round[i] - 1;
        if (round > SKIP_ROUND_MAX && round - core->round > SKIP_STEP_MAX) continue;
        uint64_t power = 0;
        for (uint32_t j = 0; j < core->set.count; j++) {
            if (core->highest_round[j] > round) power += core->set.validators[j].power;
        }
        if (power >= core->correct_power) target = round;
    }
    if (target == core->round) return false;
    consensus_start_round(core, target, false, effects);
    return true;
}

/* Lines 57, 61, 65: the timeouts. */
static bool rule_57_propose_timeout(struct consensus *core, struct consensus_effects *effects) {
    if (core->step != STEP_PROPOSE || core->now_ms < core->propose_deadline_ms) return false;
    prevote(core, &nil, effects);
    return true;
}

static bool rule_61_prevote_timeout(struct consensus *core, struct consensus_effects *effects) {
    if (core->step != STEP_PREVOTE || core->now_ms < core->prevote_deadline_ms) return false;
    precommit(core, &nil, effects);
    return true;
}

static bool rule_65_precommit_timeout(struct consensus *core, struct consensus_effects *effects) {
    if (core->now_ms < core->precommit_deadline_ms) return false;
    consensus_start_round(core, core->round + 1, true, effects);
    return true;
}

void consensus_run_rules(struct consensus *core, struct consensus_effects *effects) {
    static bool (*const rules[])(struct consensus *, struct consensus_effects *) = {
        rule_49_decide,          rule_55_skip,
        rule_14_propose,         rule_22_prevote,
        rule_28_prevote_again,   rule_36_lock,
        rule_44_precommit_nil,   rule_34_prevote_timer,
        rule_47_precommit_timer, rule_57_propose_timeout,
        rule_61_prevote_timeout, rule_65_precommit_timeout,
    };
    const size_t rules_count = sizeof rules / sizeof rules[0];
    size_t fired = 0;
    for (size_t i = 0; i < rules_count && core->step != STEP_DECIDED; i++) {
        if (!rules[i](core, effects)) continue;
        CHECK(++fired < RULES_FIRED_MAX);
        i = (size_t)-1; /* from the first again */
    }
}
