#pragma once
/* Commits: a quorum of precommit signatures for one block, which makes it final on the rollup. */
#include "chain/fork.h"
#include "consensus/signing.h"

struct commit_signature {
    uint32_t voter_index; /* in the set that voted */
    struct secp_signature signature;
};

struct commit {
    uint64_t height;
    uint32_t round;
    struct hash32 block;
    uint32_t signatures_count;
    struct commit_signature signatures[VALIDATORS_MAX]; /* ascending voter_index */
};

#define COMMIT_BYTES_MAX (128 + VALIDATORS_MAX * 80)

/* commit_encode writes rlp([height, round, block, [[voter_index, signature65], ...]]), whose keccak
 * is the frame's last_commit_hash. */
void commit_encode(const struct commit *commit, struct buffer *out);
/* commit_decode: ERR_ENCODING for indices out of order or beyond VALIDATORS_MAX. */
MUST_USE enum err commit_decode(struct bytes in, struct commit *out);

/* commit_verify checks every signature and that their power is a quorum of `set` under `model`.
 * ERR_SIGNATURE: a signature is not of the validator it claims.  ERR_MISMATCH: no quorum, or
 * another height or block than expected. */
MUST_USE enum err commit_verify(const struct commit *commit, uint64_t height,
                                const struct hash32 *block, const struct validator_set *set,
                                enum fault_model model, const struct signing_domain *domain,
                                const struct recoverer *recoverer);

/* quorum_power is the least power that is a quorum: total / 2 + 1 (crash), total * 2 / 3 + 1
 * (byzantine).  skip_power is the least power that proves one correct validator to be among its
 * owners: 1 (crash: nobody lies), total / 3 + 1 (byzantine). */
uint64_t quorum_power(enum fault_model model, uint64_t total_power);
uint64_t skip_power(enum fault_model model, uint64_t total_power);
