#pragma once
/* A tally: the votes of one (height, round, kind), and how much power stands behind each block.
 *
 * A voter's first vote counts for `power_seen`, once.  One who votes for two blocks is faulty, and
 * its power counts for both: who proves it is the evidence, and what keeps liveness is that a
 * quorum which others saw can be seen here too, whichever of its votes came first (the quorum
 * arguments of docs/consensus.md let a faulty voter vote for everything anyway).  At most two votes
 * of a voter are kept; the second makes room only for a block that a correct voter is known to vote
 * for. */
#include "chain/validators.h"
#include "consensus/signing.h"

/* Distinct blocks in one tally: two votes for each voter. */
#define TALLY_VALUES_MAX (2 * VALIDATORS_MAX)

struct voter_bits {
    uint64_t words[VALIDATORS_MAX / 64];
};

/* The set of voters, by index below VALIDATORS_MAX. */
static inline bool voter_bits_has(const struct voter_bits *bits, uint32_t voter) {
    return (bits->words[voter / 64] >> (voter % 64) & 1) != 0;
}
static inline void voter_bits_set(struct voter_bits *bits, uint32_t voter) {
    bits->words[voter / 64] |= (uint64_t)1 << (voter % 64);
}

struct tally_vote {
    struct hash32 block;
    struct secp_signature signature;
};

struct tally_value {
    struct hash32 block; /* zero: nil */
    uint64_t power;
    struct voter_bits voters;
};

struct tally {
    uint64_t power_seen; /* of voters with any vote here */
    uint32_t values_count;
    struct voter_bits voted;   /* has a first vote */
    struct voter_bits doubled; /* has a second vote as well */
    struct tally_vote first[VALIDATORS_MAX], second[VALIDATORS_MAX];
    struct tally_value values[TALLY_VALUES_MAX];
};

enum tally_result {
    TALLY_ADDED,
    TALLY_KNOWN,    /* this vote was counted before */
    TALLY_CONFLICT, /* the voter's second block, counted too: evidence */
    TALLY_IGNORED,  /* one block too many */
};

/* tally_clear forgets all votes; cheap. */
void tally_clear(struct tally *tally);

/* tally_add counts `vote` of the voter at index `voter` of `set`.  `correct_power` is skip_power:
 * what proves that a correct voter stands behind a block. */
enum tally_result tally_add(struct tally *tally, const struct validator_set *set, uint32_t voter,
                            const struct vote *vote, uint64_t correct_power);

/* tally_power is the power behind `block`; tally_quorum finds the block with at least `quorum`
 * behind it: false when there is none. */
uint64_t tally_power(const struct tally *tally, const struct hash32 *block);
bool tally_quorum(const struct tally *tally, uint64_t quorum, struct hash32 *block);

/* tally_signature finds the signature of `voter` for `block`; NULL: none. */
const struct secp_signature *tally_signature(const struct tally *tally, uint32_t voter,
                                             const struct hash32 *block);
