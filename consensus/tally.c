#include "consensus/tally.h"

#include "base/check.h"

void tally_clear(struct tally *tally) {
    tally->power_seen = 0;
    tally->values_count = 0;
    tally->voted = (struct voter_bits){{0}};
    tally->doubled = (struct voter_bits){{0}};
}

static struct tally_value *find_value(struct tally *tally, const struct hash32 *block) {
    for (uint32_t i = 0; i < tally->values_count; i++) {
        if (hash_equal(&tally->values[i].block, block)) return &tally->values[i];
    }
    return NULL;
}

/* count_for adds the voter's power to a block, which gets an entry when it is new. */
static void count_for(struct tally *tally, const struct validator_set *set, uint32_t voter,
                      const struct hash32 *block) {
    struct tally_value *value = find_value(tally, block);
    if (value == NULL) {
        CHECK(tally->values_count < TALLY_VALUES_MAX);
        value = &tally->values[tally->values_count++];
        *value = (struct tally_value){.block = *block};
    }
    CHECK(!voter_bits_has(&value->voters, voter));
    voter_bits_set(&value->voters, voter);
    value->power += set->validators[voter].power;
}

/* uncount takes the voter's second vote back; an entry without voters goes. */
static void uncount(struct tally *tally, const struct validator_set *set, uint32_t voter) {
    struct tally_value *value = find_value(tally, &tally->second[voter].block);
    CHECK(value != NULL);
    value->voters.words[voter / 64] &= ~((uint64_t)1 << (voter % 64));
    value->power -= set->validators[voter].power;
    if (value->power == 0) *value = tally->values[--tally->values_count];
}

enum tally_result tally_add(struct tally *tally, const struct validator_set *set, uint32_t voter,
                            const struct vote *vote, uint64_t correct_power) {
    CHECK(voter < set->count);
    const struct tally_vote entry = {vote->block, vote->signature};
    if (!voter_bits_has(&tally->voted, voter)) {
        voter_bits_set(&tally->voted, voter);
        tally->first[voter] = entry;
        tally->power_seen += set->validators[voter].power;
        count_for(tally, set, voter, &vote->block);
        return TALLY_ADDED;
    }
    if (hash_equal(&tally->first[voter].block, &vote->block)) return TALLY_KNOWN;
    if (!voter_bits_has(&tally->doubled, voter)) {
        voter_bits_set(&tally->doubled, voter);
        tally->second[voter] = entry;
        count_for(tally, set, voter, &vote->block);
        return TALLY_CONFLICT;
    }
    if (hash_equal(&tally->second[voter].block, &vote->block)) return TALLY_KNOWN;
    if (tally_power(tally, &vote->block) < correct_power) return TALLY_IGNORED;
    if (tally_power(tally, &tally->second[voter].block) >=
        correct_power + set->validators[voter].power) {
        return TALLY_IGNORED;
    }
    uncount(tally, set, voter);
    tally->second[voter] = entry;
    count_for(tally, set, voter, &vote->block);
    return TALLY_CONFLICT;
}

uint64_t tally_power(const struct tally *tally, const struct hash32 *block) {
    for (uint32_t i = 0; i < tally->values_count; i++) {
        if (hash_equal(&tally->values[i].block, block)) return tally->values[i].power;
    }
    return 0;
}

bool tally_quorum(const struct tally *tally, uint64_t quorum, struct hash32 *block) {
    for (uint32_t i = 0; i < tally->values_count; i++) {
        if (tally->values[i].power < quorum) continue;
        *block = tally->values[i].block;
        return true;
    }
    return false;
}

const struct secp_signature *tally_signature(const struct tally *tally, uint32_t voter,
                                             const struct hash32 *block) {
    if (voter_bits_has(&tally->voted, voter) && hash_equal(&tally->first[voter].block, block)) {
        return &tally->first[voter].signature;
    }
    if (voter_bits_has(&tally->doubled, voter) && hash_equal(&tally->second[voter].block, block)) {
        return &tally->second[voter].signature;
    }
    return NULL;
}
