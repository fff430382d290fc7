/* Signing: the record first, then the signature, and every signature once. */
#include "base/check.h"
#include "consensus/consensus_internal.h"

/* The order of what one validator signs in a round. */
static uint8_t step_of(enum vote_kind kind) {
    return kind == VOTE_PROPOSAL ? 1 : kind == VOTE_PREVOTE ? 2 : 3;
}

/* is_after: (height, round, step) comes after everything that the record says was signed. */
static bool is_after(const struct consensus_record *record, uint64_t height, uint32_t round,
                     uint8_t step) {
    if (height != record->height) return height > record->height;
    if (round != record->round) return round > record->round;
    return step > record->step;
}

bool consensus_may_sign(const struct consensus *core, uint32_t round, enum vote_kind kind) {
    return core->own_index >= 0 && is_after(&core->record, core->height, round, step_of(kind));
}

/* remember makes the record say that `vote` is signed, and what is locked. */
static void remember(struct consensus *core, const struct vote *vote) {
    struct consensus_record *record = &core->record;
    if (record->height != vote->height) *record = (struct consensus_record){0};
    record->height = vote->height;
    record->round = vote->round;
    record->step = step_of(vote->kind);
    record->last = *vote;
    if (vote->kind == VOTE_PREVOTE) record->prevote = *vote;
    if (vote->kind == VOTE_PRECOMMIT) record->precommit = *vote;
    if (vote->height != core->height) return; /* a later vote of ours: nothing is locked there */
    record->has_locked = core->has_locked;
    record->locked_round = core->locked_round;
    record->locked = core->locked;
    record->has_valid = core->has_valid;
    record->valid_round = core->valid_round;
    record->valid = core->valid;
}

static void push_persist(struct consensus *core, struct consensus_effects *effects) {
    struct consensus_effect *effect = consensus_push(core, effects, CONSENSUS_EFFECT_PERSIST);
    effect->record = core->record;
    if (consensus_has_own_polka(core)) effect->commit = &core->polka;
}

void consensus_persist(struct consensus *core, struct consensus_effects *effects) {
    if (core->own_index < 0) return;
    if (core->record.height != core->height) return; /* nothing signed: nothing to keep */
    core->record.has_valid = core->has_valid;
    core->record.valid_round = core->valid_round;
    core->record.valid = core->valid;
    push_persist(core, effects);
}

static void broadcast(const struct consensus *core, const struct vote *vote,
                      struct consensus_effects *effects) {
    struct consensus_effect *effect = consensus_push(core, effects, CONSENSUS_EFFECT_BROADCAST);
    effect->round = vote->round;
    effect->block = vote->block;
    effect->vote = *vote;
}

/* sign_and_send is the only place that signs.  The order of its effects is the promise: the record
 * is durable before the signature leaves. */
static void sign_and_send(struct consensus *core, struct vote *vote,
                          struct consensus_effects *effects) {
    CHECK(consensus_may_sign(core, vote->round, vote->kind));
    const struct hash32 digest = vote_digest(&core->config.domain, vote);
    core->config.signer.sign(core->config.signer.context, &digest, &vote->signature);
    vote->voter = core->config.signer.address;
    remember(core, vote);
    push_persist(core, effects);
    broadcast(core, vote, effects);
}

/* send_polka sends some of the prevotes for our valid value, others at each call. */
static void send_polka(struct consensus *core, struct consensus_effects *effects) {
    const struct commit *polka = &core->polka;
    if (!consensus_has_own_polka(core)) return;
    for (size_t sent = 0; sent < POLKA_VOTES_PER_STEP && sent < polka->signatures_count; sent++) {
        core->polka_cursor = (core->polka_cursor + 1) % polka->signatures_count;
        const struct commit_signature *signature = &polka->signatures[core->polka_cursor];
        const struct vote vote = {.kind = VOTE_PREVOTE,
                                  .height = polka->height,
                                  .round = polka->round,
                                  .valid_round = VALID_ROUND_NONE,
                                  .block = polka->block,
                                  .voter = core->set.validators[signature->voter_index].address,
                                  .signature = signature->signature};
        broadcast(core, &vote, effects);
    }
}

void consensus_propose(struct consensus *core, const struct hash32 *block, int32_t valid_round,
                       struct consensus_effects *effects) {
    struct vote proposal = {.kind = VOTE_PROPOSAL,
                            .height = core->height,
                            .round = core->round,
                            .valid_round = valid_round,
                            .block = *block};
    sign_and_send(core, &proposal, effects);
    consensus_accept_proposal(core, &proposal, effects);
    if (valid_round != VALID_ROUND_NONE) send_polka(core, effects);
}

void consensus_vote(struct consensus *core, enum vote_kind kind, uint32_t round,
                    const struct hash32 *block, struct consensus_effects *effects) {
    if (!consensus_may_sign(core, round, kind)) return;
    struct vote vote = {.kind = kind,
                        .height = core->height,
                        .round = round,
                        .valid_round = VALID_ROUND_NONE,
                        .block = *block};
    sign_and_send(core, &vote, effects);
    consensus_count(core, &vote, effects);
}

bool consensus_has_own_polka(const struct consensus *core) {
    const struct commit *polka = &core->polka;
    return core->has_valid && polka->height == core->height && polka->round == core->valid_round &&
           hash_equal(&polka->block, &core->valid);
}

void consensus_capture_polka(struct consensus *core, const struct round_votes *votes) {
    struct commit *polka = &core->polka;
    polka->height = core->height;
    polka->round = core->valid_round;
    polka->block = core->valid;
    polka->signatures_count = 0;
    core->polka_cursor = 0;
    for (uint32_t voter = 0; voter < core->set.count; voter++) {
        const struct secp_signature *signature =
            tally_signature(&votes->prevotes, voter, &core->valid);
        if (signature == NULL) continue;
        polka->signatures[polka->signatures_count++] = (struct commit_signature){voter, *signature};
    }
}

void consensus_resend(struct consensus *core, struct consensus_effects *effects) {
    if (core->own_index < 0) return;
    const struct round_votes *votes = consensus_round_votes(core, core->round);
    if (votes->has_proposal && consensus_is_proposer(core)) {
        broadcast(core, &votes->proposal, effects);
        if (votes->proposal.valid_round != VALID_ROUND_NONE) send_polka(core, effects);
    }
    if (core->record.height != core->height) return;
    if (core->record.prevote.kind != 0) broadcast(core, &core->record.prevote, effects);
    if (core->record.precommit.kind != 0) broadcast(core, &core->record.precommit, effects);
}

/* lock_adopted: whoever precommitted a block had locked it. */
static void lock_adopted(struct consensus *core, const struct vote *vote) {
    if (vote->kind != VOTE_PRECOMMIT || hash_is_zero(&vote->block)) return;
    if (core->has_locked && core->locked_round >= vote->round) return;
    core->has_locked = true;
    core->locked_round = vote->round;
    core->locked = vote->block;
    if (core->has_valid && core->valid_round >= vote->round) return;
    core->has_valid = true;
    core->valid_round = vote->round;
    core->valid = vote->block;
}

void consensus_adopt_own(struct consensus *core, const struct vote *vote,
                         struct consensus_effects *effects) {
    /* Only an old copy of the record, or a second process with our key, makes this happen: whatever
     * that signature promised is kept from here on. */
    if (!is_after(&core->record, vote->height, vote->round, step_of(vote->kind))) return;
    if (vote->round > INT32_MAX) return;
    const bool is_under_way = vote->height == core->height && core->step != STEP_DECIDED;
    if (is_under_way) lock_adopted(core, vote);
    remember(core, vote); /* before the round starts: that signs nothing at or before `vote` then */
    push_persist(core, effects);
    if (!is_under_way) return;
    if (vote->round > core->round) consensus_start_round(core, vote->round, false, effects);
    if (vote->round < core->round) return;
    const enum step step = vote->kind == VOTE_PROPOSAL  ? STEP_PROPOSE
                           : vote->kind == VOTE_PREVOTE ? STEP_PREVOTE
                                                        : STEP_PRECOMMIT;
    if (core->step < step) core->step = step;
}
