#pragma once
/* The contracts' ABI: calls out, results and events in.
 *
 * Readers are strict: words whose unused bytes are not zero, offsets and sizes that a Solidity
 * encoder does not write, and bytes that are left over are ERR_ENCODING; more than fits is
 * ERR_LIMIT. What a validator chose freely (its endpoint's text) cannot make a result unreadable.
 * Pure. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "l1/l1.h"

#define L1_RAW_BYTES_MAX        (128u << 10) /* MAX_RAW_TX_BYTES of the contract */
#define L1_PENDING_MAX          1024         /* MAX_PENDING_REQUESTS of the contract */
#define L1_BATCH_CALL_BYTES_MAX (4 + 32 * (9 + SETTLEMENT_SIGNATURES_MAX * 5))

/* A row of getPendingForceInclusions. */
struct l1_pending {
    uint64_t id;
    struct address sender;
    struct hash32 tx_hash;
    uint64_t l1_block;
    uint64_t deadline_l1_block;
};

/* l1_abi_selector writes the first 4 bytes of keccak(signature). */
void l1_abi_selector(const char *signature, uint8_t out[4]);
struct hash32 l1_abi_topic(const char *signature);
extern const char L1_ABI_GET_VALIDATOR_SET[];
extern const char L1_ABI_LAST_SETTLED_BLOCK[];
extern const char L1_ABI_GENESIS_HASH[];
extern const char L1_ABI_FORCE_REQUESTED[];

/* l1_abi_validator_set reads getValidatorSet() into epoch and validators: ascending addresses,
 * powers of at least 1 whose sum is the total. */
MUST_USE enum err l1_abi_validator_set(struct bytes in, struct l1_view *view);
/* l1_abi_genesis reads genesisHash(): zero before the first batch. */
MUST_USE enum err l1_abi_genesis(struct bytes in, struct hash32 *out);
/* l1_abi_settled reads lastSettledBlock(). */
MUST_USE enum err l1_abi_settled(struct bytes in, struct l1_view *view);
/* l1_abi_settled_block reads its block number alone. */
MUST_USE enum err l1_abi_settled_block(struct bytes in, uint64_t *number);
/* l1_abi_pending reads a page of at most `count_max` rows. */
MUST_USE enum err l1_abi_pending(struct bytes in, struct l1_pending *out, size_t count_max,
                                 size_t *count);
/* l1_abi_forced reads the data of ForceInclusionRequested; *raw views `in`, and hashes to *tx_hash.
 */
MUST_USE enum err l1_abi_forced(struct bytes in, struct bytes *raw, struct hash32 *tx_hash);

/* Call data of the two calls, selector included. */
void l1_abi_get_pending(struct buffer *out, uint64_t offset, uint64_t limit);
void l1_abi_submit_batch(struct buffer *out, const struct settlement *settlement);
