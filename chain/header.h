#pragma once
/* Block headers, every field up to Prague, with the optional tail that each fork added. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/u256.h"
#include "chain/fork.h"

#define BLOOM_BYTES            256
#define HEADER_EXTRA_BYTES_MAX 32
#define HEADER_BYTES_MAX       1024

struct bloom {
    uint8_t bytes[BLOOM_BYTES];
};

struct header {
    struct hash32 parent_hash;
    struct hash32 ommers_hash;
    struct address coinbase;
    struct hash32 state_root;
    struct hash32 transactions_root;
    struct hash32 receipts_root;
    struct bloom bloom;
    struct u256 difficulty;
    uint64_t number;
    uint64_t gas_limit;
    uint64_t gas_used;
    uint64_t timestamp; /* seconds */
    uint8_t extra[HEADER_EXTRA_BYTES_MAX];
    size_t extra_bytes;
    struct hash32 mix_hash; /* prevRandao since Paris */
    uint8_t nonce[8];
    unsigned tail_fields;           /* 0, or how many of the six below are present, in this order */
    struct u256 base_fee;           /* London */
    struct hash32 withdrawals_root; /* Shanghai */
    uint64_t blob_gas_used;         /* Cancun */
    uint64_t excess_blob_gas;       /* Cancun */
    struct hash32 parent_beacon_root; /* Cancun: keccak(rlp(frame)) on the rollup */
    struct hash32 requests_hash;      /* Prague */
};

#define HEADER_TAIL_LONDON   1
#define HEADER_TAIL_SHANGHAI 2
#define HEADER_TAIL_CANCUN   5
#define HEADER_TAIL_PRAGUE   6

/* header_tail_fields says how many tail fields a header must have at `fork`. */
unsigned header_tail_fields(enum fork fork);
/* header_empty is the header of a block at `fork` in which nothing is: the roots of no
 * transactions, receipts, ommers, withdrawals and requests.  All else is zero, for the caller to
 * say. */
struct header header_empty(enum fork fork);

/* header_encode writes rlp(header) with the tail fields that it says it has; header_hash is its
 * keccak256, the block's hash. */
void header_encode(const struct header *header, struct buffer *out);
/* header_decode reads rlp(header).  ERR_ENCODING, ERR_TRUNCATED as rlp; ERR_LIMIT: extra too long.
 */
MUST_USE enum err header_decode(struct bytes in, struct header *out);
struct hash32 header_hash(const struct header *header);

/* header_next_base_fee: EIP-1559, the base fee of the child of `parent`; the initial 1 gwei when
 * the parent is before London. */
struct u256 header_next_base_fee(const struct header *parent);
/* header_next_excess_blob_gas: EIP-4844 as changed by EIP-7691 and EIP-7918 at `fork`, the fork of
 * the child. */
uint64_t header_next_excess_blob_gas(const struct chain_config *config, enum fork fork,
                                     const struct header *parent);
/* blob_base_fee: EIP-4844's fake exponential with the schedule in force at `fork`. */
struct u256 blob_base_fee(const struct chain_config *config, enum fork fork,
                          uint64_t excess_blob_gas);

/* bloom_add sets the three bits of an address or topic (Yellow Paper, 4.3.1); bloom_merge joins
 * two. */
void bloom_add(struct bloom *bloom, struct bytes entry);
void bloom_merge(struct bloom *into, const struct bloom *from);
