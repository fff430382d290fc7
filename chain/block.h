#pragma once
/* Blocks: the Ethereum block, and the package in which it travels between nodes and onto DA.
 *
 * package = rlp([ethereum_block, frame, last_commit, next_validators]): `last_commit` is the
 * encoded commit of the parent that the frame names by hash (empty in block 1), `next_validators`
 * the encoded validator set that the frame names by next_validators_hash, carried by a rotation's
 * first block and empty elsewhere.  An encoded package is all that a stranger needs to check and
 * execute the block. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "chain/frame.h"
#include "chain/header.h"

#define BLOCK_TRANSACTIONS_MAX  65536
#define BLOCK_PACKAGE_BYTES_MAX (4u << 20)

struct withdrawal {
    uint64_t index;
    uint64_t validator_index;
    struct address address;
    uint64_t amount_gwei;
};

struct block {
    struct header header;
    struct hash32 hash;
    const struct bytes *transactions; /* each an EIP-2718 envelope */
    size_t transactions_count;
    const struct header *ommers;
    size_t ommers_count;
    bool has_withdrawals;
    const struct withdrawal *withdrawals;
    size_t withdrawals_count;
};

struct block_package {
    struct bytes ethereum_block; /* rlp([header, transactions, ommers, withdrawals?]) */
    struct bytes frame_encoded;
    struct frame frame;
    struct bytes last_commit;     /* encoded commit; empty in block 1 */
    struct bytes next_validators; /* encoded set; empty but in a rotation's first block */
};

/* block_decode reads an Ethereum block; arrays go to `arena`, byte strings view `in`.
 * ERR_ENCODING, ERR_TRUNCATED; ERR_LIMIT: too many transactions or the arena is exhausted. */
MUST_USE enum err block_decode(struct bytes in, struct arena *arena, struct block *out);
void block_encode(const struct block *block, struct buffer *out);
/* block_encoded_bytes is the size of what block_encode writes. */
size_t block_encoded_bytes(const struct block *block);

/* block_package_decode views `in`, decodes the frame and checks nothing against anything else. */
MUST_USE enum err block_package_decode(struct bytes in, struct block_package *out);
void block_package_encode(const struct block_package *package, struct buffer *out);

/* Roots of index -> item tries; `scratch` is used and released.  ERR_LIMIT: scratch is too small.
 */
MUST_USE enum err transactions_root(const struct bytes *transactions, size_t count,
                                    struct arena *scratch, struct hash32 *out);
MUST_USE enum err withdrawals_root(const struct withdrawal *withdrawals, size_t count,
                                   struct arena *scratch, struct hash32 *out);
