#pragma once
/* The steps of a block that ethereum_block.c calls, each with the rule of one era. */
#include "workloads/ethereum.h"

/* ethereum_dao_fork moves the balances that EIP-779 names, when this block is the fork's. */
void ethereum_dao_fork(struct ethereum_block *block);

/* ethereum_rewards pays the block's and its ommers' miners (Yellow Paper, section 11.3); nothing
 * since Paris. */
void ethereum_rewards(struct ethereum_block *block, const struct header *ommers,
                      size_t ommers_count);

/* ethereum_withdrawals credits EIP-4895's withdrawals. */
void ethereum_withdrawals(struct ethereum_block *block, const struct withdrawal *withdrawals,
                          size_t count);

/* ethereum_requests collects EIP-7685's requests: deposits out of the receipts' logs (EIP-6110),
 * and what the system contracts of EIP-7002 and EIP-7251 answer; *out is the header's
 * requests_hash. */
MUST_USE enum err ethereum_requests(struct ethereum_block *block, struct hash32 *out,
                                    struct block_fault *fault);

/* ethereum_system_call calls a system contract and ends the system transaction.  *has_code: there
 * was anything to call. */
MUST_USE enum err ethereum_system_call(struct ethereum_block *block, const struct address *to,
                                       struct bytes input, bool *has_code,
                                       struct evm_result *result);

/* ethereum_fault makes a fault of the block as a whole. */
static inline struct block_fault ethereum_fault(const char *reason) {
    return (struct block_fault){.verdict = VERDICT_BLOCK_INVALID, .reason = reason};
}
