#pragma once
/* A consensus machine under test: validator 1 of four with one vote each.  Block 10 was led by
 * validator 0, so that round r of height 11 belongs to validator r mod 4.  `fx` holds the effects
 * of the last input. */
#include "consensus/test_support.h"

static _Alignas(16) uint8_t memory[4 << 20];
static struct consensus *core;
static struct consensus_effects fx;
static struct address own;
static struct validator_set set;
static uint64_t now_ms;
static const struct hash32 nil = {{0}}, A = {{0xa}}, B = {{0xb}};

#define OWN 1u

static inline void step(struct consensus_input input) {
    input.now_ms = now_ms;
    fx.count = 0;
    consensus_step(core, &input, &fx);
    consensus_check_invariants(core);
}

static inline void create(enum fault_model model, uint32_t own_index) {
    CHECK(consensus_bytes() <= sizeof memory);
    memset(memory, 0xee, sizeof memory);
    own = test_address(own_index);
    const struct consensus_config config = {
        .fault_model = model,
        .signer = {&own, own, test_sign},
        .timeouts = {1000, 500, 400, 200, 300, 100, 700},
    };
    core = consensus_create(memory, &config);
    set = test_set(model == FAULT_MODEL_CRASH ? 3 : 4, NULL);
    now_ms = 1000000;
}

static inline void begin(uint64_t height, const struct consensus_record *record,
                         const struct commit *polka) {
    struct consensus_input input = {.kind = CONSENSUS_INPUT_HEIGHT};
    input.begin.height = height;
    input.begin.set = &set;
    input.begin.previous_proposer = test_address(0);
    input.begin.propose_at_ms = now_ms + 50;
    input.begin.record = record;
    input.begin.polka = polka;
    step(input);
}

static inline void start(void) {
    create(FAULT_MODEL_BYZANTINE, OWN);
    begin(11, NULL, NULL);
}

static inline struct vote vote_of(uint32_t voter, enum vote_kind kind, uint32_t round,
                                  struct hash32 block) {
    return (struct vote){.kind = kind,
                         .height = 11,
                         .round = round,
                         .valid_round = VALID_ROUND_NONE,
                         .block = block,
                         .voter = test_address(voter)};
}

static inline void vote(uint32_t voter, enum vote_kind kind, uint32_t round, struct hash32 block) {
    step((struct consensus_input){.kind = CONSENSUS_INPUT_VOTE,
                                  .vote = vote_of(voter, kind, round, block)});
}

static inline void propose(uint32_t voter, uint32_t round, struct hash32 block,
                           int32_t valid_round) {
    struct consensus_input input = {.kind = CONSENSUS_INPUT_PROPOSAL,
                                    .vote = vote_of(voter, VOTE_PROPOSAL, round, block)};
    input.vote.valid_round = valid_round;
    step(input);
}

static inline void checked(struct hash32 block, bool is_valid) {
    step((struct consensus_input){
        .kind = CONSENSUS_INPUT_CHECKED, .block = block, .is_valid = is_valid});
}

static inline void tick(uint64_t ms) {
    now_ms += ms;
    step((struct consensus_input){.kind = CONSENSUS_INPUT_TICK});
}

static inline const struct consensus_effect *find(enum consensus_effect_kind kind) {
    for (size_t i = 0; i < fx.count; i++) {
        if (fx.list[i].kind == kind) return &fx.list[i];
    }
    return NULL;
}

/* found is an effect that must be there. */
static inline const struct consensus_effect *found(enum consensus_effect_kind kind) {
    const struct consensus_effect *effect = find(kind);
    CHECK(effect != NULL);
    return effect;
}

/* sent finds a new own vote among the effects, and checks that its record came before it. */
static inline bool sent(enum vote_kind kind, uint32_t round, struct hash32 block) {
    bool is_persisted = false;
    for (size_t i = 0; i < fx.count; i++) {
        const struct consensus_effect *effect = &fx.list[i];
        if (effect->kind == CONSENSUS_EFFECT_PERSIST && effect->record.last.kind == kind &&
            effect->record.round == round && hash_equal(&effect->record.last.block, &block)) {
            is_persisted = true;
        }
        if (effect->kind != CONSENSUS_EFFECT_BROADCAST || effect->vote.kind != kind) continue;
        if (effect->vote.round != round || !hash_equal(&effect->vote.block, &block)) continue;
        if (address_equal(&effect->vote.voter, &own) && is_persisted) return true;
    }
    return false;
}

static inline bool sent_any(void) {
    return find(CONSENSUS_EFFECT_BROADCAST) != NULL;
}

/* to_round_1 makes round 0 fail: everybody prevotes and precommits nil. */
static inline void to_round_1(void) {
    tick(1050);
    CHECK(sent(VOTE_PREVOTE, 0, nil));
    vote(0, VOTE_PREVOTE, 0, nil);
    vote(2, VOTE_PREVOTE, 0, nil);
    CHECK(sent(VOTE_PRECOMMIT, 0, nil));
    vote(0, VOTE_PRECOMMIT, 0, nil);
    vote(2, VOTE_PRECOMMIT, 0, nil);
    CHECK(consensus_status(core).round == 1);
}

/* skip_to follows two of the others into a later round. */
static inline void skip_to(uint32_t round) {
    vote(0, VOTE_PREVOTE, round, nil);
    vote(2, VOTE_PREVOTE, round, nil);
    CHECK(consensus_status(core).round == round);
}

/* start_locked_on_a begins with a polka for A in round 0, which the machine precommits. */
static inline void start_locked_on_a(void) {
    start();
    propose(0, 0, A, -1);
    checked(A, true);
    vote(0, VOTE_PREVOTE, 0, A);
    vote(3, VOTE_PREVOTE, 0, A);
    CHECK(sent(VOTE_PRECOMMIT, 0, A));
}
