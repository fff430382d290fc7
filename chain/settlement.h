#pragma once
/* A settlement: what L1 is told of a batch that lies on the DA layer, signed by a quorum.
 *
 * The statement is the contract's struct Batch (contracts/src/consensus/Settlement.sol); validators
 * sign it as typed data in the domain "AndeSequencerCoordinator". */
#include "base/bytes.h"
#include "base/hash.h"
#include "base/secp.h"
#include "chain/validators.h"

struct batch_statement {
    uint64_t first, last;                /* heights of the batch's blocks */
    struct hash32 parent_hash;           /* of block first - 1 */
    struct hash32 last_hash, state_root; /* of block `last` */
    uint64_t da_height;
    struct hash32 da_commitment;
};

struct batch_signature {
    struct address signer;
    struct secp_signature signature;
};

#define SETTLEMENT_SIGNATURES_MAX VALIDATORS_MAX

struct settlement {
    struct batch_statement batch;
    uint32_t signatures_count;
    struct batch_signature signatures[SETTLEMENT_SIGNATURES_MAX]; /* ascending by signer */
};

/* batch_statement_equal compares every field. */
bool batch_statement_equal(const struct batch_statement *a, const struct batch_statement *b);

/* batch_statement_words appends the statement as ABI words: members of the digest, and call data.
 */
#define BATCH_STATEMENT_WORDS 7
void batch_statement_words(const struct batch_statement *statement, struct buffer *out);

/* batch_digest is what a validator signs, in the domain with this separator (typed_domain). */
struct hash32 batch_digest(const struct hash32 *separator, const struct batch_statement *statement);
