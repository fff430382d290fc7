/* Validator sets, scheduled proposers, and the L1 origin they come from (consensus/rotation.h). */
#include "sequencer/sequencer_internal.h"

bool sequencer_is_rotation_first(const struct sequencer *sequencer, uint64_t height) {
    return rotation_first(height, sequencer->blocks_per_rotation) == height;
}

static struct hash32 set_hash(const struct validator_set *set) {
    return set->count == 0 ? (struct hash32){{0}} : validator_set_hash(set);
}

void sequencer_sets_begin(struct sequencer *sequencer) {
    sequencer->advanced = sequencer->current;
    sequencer->scheduled_index = rotation_advance(&sequencer->advanced);
    sequencer->current_hash = set_hash(&sequencer->current);
    sequencer->next_hash = set_hash(&sequencer->next);
}

void sequencer_sets_follow(struct sequencer *sequencer, const struct block_outcome *outcome) {
    const uint64_t next_height = outcome->height + 1;
    sequencer->head_validators = sequencer->current;
    if (outcome->next_validators.count != 0) sequencer->next = outcome->next_validators;
    if (sequencer_is_rotation_first(sequencer, next_height)) {
        CHECK(sequencer->next.count != 0); /* every rotation's first block names the next set */
        sequencer->current = sequencer->next;
        sequencer->next.count = 0;
        sequencer_event(sequencer, EVENT_ROTATION,
                        rotation_of(next_height, sequencer->blocks_per_rotation), NULL);
    }
    sequencer_sets_begin(sequencer);
}

uint32_t sequencer_proposer_index(const struct sequencer *sequencer, uint32_t round) {
    return rotation_proposer_index(
        &sequencer->current, sequencer->scheduled_index, &sequencer->view->head_frame.proposer,
        sequencer_is_rotation_first(sequencer, sequencer->head_height + 1), round);
}

/* --- L1 */

const struct l1_facts *sequencer_l1_newest(const struct sequencer *sequencer) {
    const struct l1_facts *newest = NULL;
    for (uint32_t i = 0; i < L1_RING && i < sequencer->l1_count; i++) {
        const struct l1_facts *facts = &sequencer->l1[i].facts;
        if (newest == NULL || facts->number > newest->number) newest = facts;
    }
    return newest;
}

static const struct l1_known *l1_find(const struct sequencer *sequencer, uint64_t number) {
    const uint32_t kept = sequencer->l1_count < L1_RING ? sequencer->l1_count : L1_RING;
    for (uint32_t i = 0; i < kept; i++) {
        if (sequencer->l1[i].facts.number == number) return &sequencer->l1[i];
    }
    return NULL;
}

void sequencer_on_l1(struct sequencer *sequencer, const struct l1_facts *facts) {
    CHECK(facts->validators_count <= VALIDATORS_MAX);
    if (l1_find(sequencer, facts->number) == NULL) {
        struct l1_known *known = &sequencer->l1[sequencer->l1_count++ % L1_RING];
        known->facts = *facts;
        known->facts.forced_count = 0; /* they are kept elsewhere: what they view goes now */
        known->received_ms = sequencer->now_ms;
    }
    batches_on_settled(sequencer, facts);
    forced_on_l1(sequencer, facts);
    forced_run(sequencer);
    for (size_t i = 0; i < EXECUTOR_SLOTS; i++) {
        struct candidate *candidate = &sequencer->candidates[i];
        if (candidate->state != CANDIDATE_HELD || !candidate->waits_for_l1) continue;
        candidate->waits_for_l1 = false;
        if (candidate->is_wanted) sequencer_block_check(sequencer, &candidate->hash, false);
    }
}

/* the_origin is what the chain's newest block (or the genesis) reads L1 at. */
static void the_origin(const struct sequencer *sequencer, uint64_t *number, struct hash32 *hash) {
    if (sequencer->head_height == 0) {
        *number = sequencer->config.chain->rollup.l1_number;
        *hash = sequencer->config.chain->rollup.l1_hash;
    } else {
        *number = sequencer->view->head_frame.l1_number;
        *hash = sequencer->view->head_frame.l1_hash;
    }
}

/* is_usable: a listing that cannot be a validator set leaves the members as they are. */
static bool is_usable(const struct l1_facts *facts) {
    if (facts->validators_count == 0) return false;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < facts->validators_count; i++) {
        const struct validator *validator = &facts->validators[i];
        if (validator->power == 0 || validator->power > VALIDATOR_POWER_SUM_MAX) return false;
        sum += validator->power; /* at most 128 * 2^60 < 2^67: checked as it grows */
        if (sum > VALIDATOR_POWER_SUM_MAX) return false;
        if (i == 0) continue;
        if (address_compare(&facts->validators[i - 1].address, &validator->address) >= 0) {
            return false;
        }
    }
    return true;
}

/* next_set makes N(r + 1) out of what the contract lists (NULL: the members stay). */
static void next_set(const struct sequencer *sequencer, const struct l1_facts *facts,
                     struct validator_set *out) {
    struct validator_set listed = sequencer->current;
    if (facts != NULL && is_usable(facts)) {
        listed.count = facts->validators_count;
        memcpy(listed.validators, facts->validators,
               facts->validators_count * sizeof listed.validators[0]);
    }
    rotation_merge(&sequencer->advanced, &listed, out);
}

/* origin_newest is the newest L1 block beyond `number` that others should know by now, too. */
static const struct l1_facts *origin_newest(const struct sequencer *sequencer, uint64_t number) {
    const struct l1_facts *newest = NULL;
    const uint32_t kept = sequencer->l1_count < L1_RING ? sequencer->l1_count : L1_RING;
    for (uint32_t i = 0; i < kept; i++) {
        const struct l1_known *known = &sequencer->l1[i];
        if (sequencer->now_ms - known->received_ms < ORIGIN_AGE_MS) continue;
        if (known->facts.number <= number) continue;
        if (newest == NULL || known->facts.number > newest->number) newest = &known->facts;
    }
    return newest;
}

void sequencer_origin_choose(struct sequencer *sequencer, uint32_t round, struct frame *frame,
                             struct validator_set *next, bool *carries_next) {
    the_origin(sequencer, &frame->l1_number, &frame->l1_hash);
    *carries_next = sequencer_is_rotation_first(sequencer, sequencer->head_height + 1);
    if (!*carries_next) {
        frame->next_validators_hash = sequencer->next_hash;
        return;
    }
    const struct l1_facts *facts = NULL;
    if (round == 0) facts = origin_newest(sequencer, frame->l1_number);
    if (facts != NULL) {
        frame->l1_number = facts->number;
        frame->l1_hash = facts->hash;
    } else if (sequencer->config.chain->rollup.l1_chain_id != 0) {
        sequencer_event(sequencer, EVENT_ORIGIN_STALE, frame->l1_number, NULL);
    }
    next_set(sequencer, facts, next);
    frame->next_validators_hash = validator_set_hash(next);
}

enum origin_answer sequencer_origin_check(struct sequencer *sequencer, const struct frame *frame) {
    uint64_t number;
    struct hash32 hash;
    the_origin(sequencer, &number, &hash);
    const bool is_same = frame->l1_number == number && hash_equal(&frame->l1_hash, &hash);
    if (!sequencer_is_rotation_first(sequencer, frame->height)) {
        return is_same ? ORIGIN_RIGHT : ORIGIN_WRONG;
    }
    const struct l1_facts *facts = NULL;
    if (!is_same) {
        if (frame->round != 0 || frame->l1_number <= number) return ORIGIN_WRONG;
        if (sequencer->config.chain->rollup.l1_chain_id == 0) return ORIGIN_WRONG;
        const struct l1_known *known = l1_find(sequencer, frame->l1_number);
        if (known == NULL) return ORIGIN_UNKNOWN;
        facts = &known->facts;
        if (!hash_equal(&facts->hash, &frame->l1_hash)) return ORIGIN_DOUBTED;
    }
    struct validator_set next;
    next_set(sequencer, facts, &next);
    const struct hash32 expected = validator_set_hash(&next);
    if (hash_equal(&expected, &frame->next_validators_hash)) return ORIGIN_RIGHT;
    return is_same ? ORIGIN_WRONG : ORIGIN_DOUBTED;
}
