#include "consensus/tally.h"

#include "consensus/test_support.h"

static struct tally tally; /* large */

static enum tally_result add(const struct validator_set *set, uint32_t voter, uint8_t block) {
    struct vote vote = {.kind = VOTE_PREVOTE, .block = test_hash(block)};
    vote.signature.r[0] = (uint8_t)(voter + 1);
    vote.signature.r[1] = block;
    return tally_add(&tally, set, voter, &vote, 2);
}

static uint64_t power(uint8_t block) {
    const struct hash32 hash = test_hash(block);
    return tally_power(&tally, &hash);
}

static void test_counting(void) {
    const uint64_t powers[] = {1, 2, 4, 8};
    const struct validator_set set = test_set(4, powers);
    tally_clear(&tally);
    CHECK(add(&set, 0, 1) == TALLY_ADDED);
    CHECK(add(&set, 2, 1) == TALLY_ADDED);
    CHECK(add(&set, 2, 1) == TALLY_KNOWN);
    CHECK(add(&set, 3, 0) == TALLY_ADDED);
    CHECK(tally.power_seen == 13);
    CHECK(power(1) == 5);
    CHECK(power(0) == 8);
    CHECK(power(9) == 0);
    struct hash32 block;
    CHECK(!tally_quorum(&tally, 9, &block));
    CHECK(tally_quorum(&tally, 5, &block));
    tally_clear(&tally);
    CHECK(tally.power_seen == 0);
    CHECK(power(1) == 0);
    CHECK(tally_signature(&tally, 0, &block) == NULL); /* of another round: proves nothing here */
}

static void test_equivocation(void) {
    const struct validator_set set = test_set(4, NULL);
    tally_clear(&tally);
    CHECK(add(&set, 0, 1) == TALLY_ADDED);
    CHECK(add(&set, 0, 2) == TALLY_CONFLICT);
    CHECK(add(&set, 0, 2) == TALLY_KNOWN);
    CHECK(tally.power_seen == 1); /* once, however much it says */
    CHECK(power(1) == 1);
    CHECK(power(2) == 1);
    CHECK(add(&set, 0, 3) == TALLY_IGNORED);
    /* Once correct voters stand behind the third block, its vote for it takes the second's place.
     */
    CHECK(add(&set, 1, 3) == TALLY_ADDED);
    CHECK(add(&set, 2, 3) == TALLY_ADDED);
    CHECK(add(&set, 0, 3) == TALLY_CONFLICT);
    CHECK(power(3) == 3);
    CHECK(power(2) == 0);
    CHECK(tally.values_count == 2); /* what nobody stands behind takes no room */
    const struct hash32 third = test_hash(3), second = test_hash(2), first = test_hash(1);
    CHECK(tally_signature(&tally, 0, &third) != NULL);
    CHECK(tally_signature(&tally, 0, &first) != NULL);
    CHECK(tally_signature(&tally, 0, &second) == NULL);
    CHECK(tally_signature(&tally, 3, &third) == NULL);
    /* And that one is not given up again. */
    CHECK(add(&set, 3, 4) == TALLY_ADDED);
    CHECK(add(&set, 0, 4) == TALLY_IGNORED);
    tally_clear(&tally);
    CHECK(tally_signature(&tally, 0, &third) == NULL); /* nor its second votes */
}

/* Everybody votes for two different blocks each: the table of blocks is just large enough. */
static void test_full(void) {
    const struct validator_set set = test_set(VALIDATORS_MAX, NULL);
    tally_clear(&tally);
    for (uint32_t voter = 0; voter < VALIDATORS_MAX; voter++) {
        struct vote vote = {.kind = VOTE_PREVOTE};
        be_write(vote.block.bytes, 4, 2 * voter + 1);
        CHECK(tally_add(&tally, &set, voter, &vote, 43) == TALLY_ADDED);
        be_write(vote.block.bytes, 4, 2 * voter + 2);
        CHECK(tally_add(&tally, &set, voter, &vote, 43) == TALLY_CONFLICT);
        be_write(vote.block.bytes, 4, 1000 + voter);
        CHECK(tally_add(&tally, &set, voter, &vote, 43) == TALLY_IGNORED);
    }
    CHECK(tally.values_count == TALLY_VALUES_MAX);
    CHECK(tally.power_seen == VALIDATORS_MAX);
}

int main(void) {
    test_counting();
    test_equivocation();
    test_full();
    return 0;
}
