#pragma once
/* Receipts and logs: consensus encoding, and the stored form that keeps what RPC derives. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "chain/header.h"

#define LOG_TOPICS_MAX 4

struct log {
    struct address address;
    uint32_t topics_count;
    struct hash32 topics[LOG_TOPICS_MAX];
    struct bytes data;
};

struct receipt {
    uint8_t type;        /* transaction type */
    bool has_state_root; /* before Byzantium: `state_root` stands for `succeeded` */
    struct hash32 state_root;
    bool succeeded;
    uint64_t cumulative_gas_used;
    struct bloom bloom;
    const struct log *logs;
    size_t logs_count;
    /* derived, stored beside the consensus fields */
    uint64_t gas_used;
    bool has_contract_address;
    struct address contract_address;
    struct u256 effective_gas_price;
};

/* receipt_encode writes the consensus form (EIP-2718: type || rlp, or rlp for legacy). */
void receipt_encode(const struct receipt *receipt, struct buffer *out);
/* receipts_root is the root of the trie index -> receipt; `scratch` is used and released.
 * ERR_LIMIT when scratch is too small. */
MUST_USE enum err receipts_root(const struct receipt *receipts, size_t count, struct arena *scratch,
                                struct hash32 *out);
/* receipts_store_encode writes all receipts of a block in one RLP list, derived fields included,
 * blooms left out; receipts_store_decode reads it back into `arena` (views `in`). */
void receipts_store_encode(const struct receipt *receipts, size_t count, struct buffer *out);
MUST_USE enum err receipts_store_decode(struct bytes in, struct arena *arena,
                                        const struct receipt **out, size_t *count_out);
void receipt_bloom(const struct log *logs, size_t count, struct bloom *out);
