#pragma once
/* Ethereum blocks on a state: the one place where headers, system contracts, transactions, rewards,
 * withdrawals, requests, receipts and roots come together.  The rollup's builder and checker, the
 * fixture runner, `baton import` and eth_call all go through it. */
#include "base/arena.h"
#include "base/err.h"
#include "base/verdict.h"
#include "chain/block.h"
#include "chain/fork.h"
#include "chain/genesis.h"
#include "chain/receipt.h"
#include "chain/transaction.h"
#include "evm/evm.h"
#include "state/state.h"

/* Gives the hashes of ancestors to BLOCKHASH: `number` is one of the 256 before the block. */
struct ethereum_ancestors {
    void *context;
    void (*hash)(void *context, uint64_t number, struct hash32 *out);
};

/* What an evm_host of ours works on; it must outlive the host. */
struct ethereum_world {
    struct state *state;
    struct ethereum_ancestors ancestors; /* hash may be NULL: BLOCKHASH gives zeros */
};

/* A block being executed; lives from ethereum_block_begin to ethereum_block_end and is not moved in
 * between, because its host points at its world. */
struct ethereum_block {
    struct evm *evm;
    struct state *state;
    struct arena *arena; /* block lifetime: receipts, logs, outputs */
    const struct chain_config *config;
    struct ethereum_world world;
    struct evm_block env;
    struct evm_host host;
    uint64_t gas_used;
    uint64_t blob_gas_used;
    struct receipt *receipts; /* receipts_count of them, room for receipts_max */
    size_t receipts_count;
    size_t receipts_max;
    struct bloom bloom;
    const struct evm_tracer *tracer; /* of the transactions; NULL after ethereum_block_begin */
    /* How the transactions differ from a block's own (simulations); NULL after the same. */
    const struct evm_options *options;
    /* For tools, NULL and false after the same.  `requests` gets each type's EIP-7685 requests
     * (length in 4 bytes, type, data), and a system contract that is not deployed has none. */
    struct buffer *requests;
    bool has_own_rewards; /* the caller pays what it wants instead of the fork's rewards */
    bool skips_roots;     /* receipts before Byzantium go without the state's root */
};

/* Why a block is invalid; static text, e.g. "state root differs". */
struct block_fault {
    enum verdict verdict; /* VERDICT_ACCEPTED: none */
    const char *reason;
    size_t transaction_index; /* where it was a transaction's */
    enum verdict transaction_verdict;
};

/* ethereum_block_begin prepares `out` for the block that `header` opens (number, timestamp, gas
 * limit, coinbase, randao, base fee, parent beacon root are read) and performs the system calls
 * that come first (EIP-4788, EIP-2935), and the DAO fork's irregular change. */
MUST_USE enum err ethereum_block_begin(struct ethereum_block *out, struct evm *evm,
                                       struct state *state, struct arena *arena,
                                       const struct chain_config *config,
                                       const struct ethereum_ancestors *ancestors,
                                       const struct header *header, size_t transactions_max);

/* ethereum_block_apply checks and runs one transaction (sender known) and appends its receipt.
 * *verdict other than ACCEPTED: the transaction cannot be in this block here; nothing changed. */
MUST_USE enum err ethereum_block_apply(struct ethereum_block *block,
                                       const struct transaction *transaction, enum verdict *verdict,
                                       struct evm_result *result);

/* ethereum_block_end pays rewards (before Paris) and withdrawals, collects requests (Prague), and
 * fills the header's outcome: state_root, receipts_root, bloom, gas_used, blob_gas_used,
 * requests_hash.  transactions_root, withdrawals_root and ommers_hash are the caller's. */
MUST_USE enum err ethereum_block_end(struct ethereum_block *block, const struct header *ommers,
                                     size_t ommers_count, const struct withdrawal *withdrawals,
                                     size_t withdrawals_count, struct header *header,
                                     struct block_fault *fault);

/* ethereum_header_check holds a header against its parent by the fork's rules: number, timestamp,
 * gas limit, base fee, tail fields, blob gas; difficulty before Paris, its absence after.  Seals of
 * proof of work are not checked. */
void ethereum_header_check(const struct chain_config *config, const struct header *parent,
                           const struct header *header, struct block_fault *fault);

/* ethereum_block_check executes a decoded block on `state` (its parent's) and holds every root of
 * the header against what came out.  A wrong block is a fault; err is for our machine.  Senders are
 * recovered here unless `senders` (one per transaction) is given. */
MUST_USE enum err ethereum_block_check(struct ethereum_block *scratch, struct evm *evm,
                                       struct state *state, struct arena *arena,
                                       const struct chain_config *config,
                                       const struct ethereum_ancestors *ancestors,
                                       const struct header *parent, const struct block *block,
                                       const struct address *senders, struct block_fault *fault);

/* ethereum_block_check_traced is ethereum_block_check with an observer of the transactions. */
MUST_USE enum err
ethereum_block_check_traced(struct ethereum_block *scratch, struct evm *evm, struct state *state,
                            struct arena *arena, const struct chain_config *config,
                            const struct ethereum_ancestors *ancestors, const struct header *parent,
                            const struct block *block, const struct address *senders,
                            const struct evm_tracer *tracer, struct block_fault *fault);

/* ethereum_ommers_add appends the hashes of a block's ommers to `hashes`; the new count. */
#define ETHEREUM_OMMER_GENERATIONS 7 /* so many ancestors' ommers matter */
#define ETHEREUM_OMMERS_MAX        (2 * ETHEREUM_OMMER_GENERATIONS)
size_t ethereum_ommers_add(const struct block *ancestor, struct hash32 *hashes, size_t count);
/* ethereum_ommers_are_new: none of the block's ommers is among those that its last
 * ETHEREUM_OMMER_GENERATIONS ancestors have been paid for (Yellow Paper, section 11.1).
 * ethereum_block_check cannot know: it sees no ancestor but the parent. */
bool ethereum_ommers_are_new(const struct block *block, const struct hash32 *earlier, size_t count);

/* ethereum_genesis writes the accounts into `state` (an empty one); *header is the genesis's with
 * the root that this gives. */
MUST_USE enum err ethereum_genesis(const struct genesis *genesis, struct state *state,
                                   struct header *header);

/* ethereum_difficulty is the difficulty that a block before Paris must have (Yellow Paper, section
 * 4.3.4, with EIP-2, EIP-100 and the bomb's delays). */
struct u256 ethereum_difficulty(const struct chain_config *config, enum fork fork,
                                const struct header *parent, const struct header *header);

/* ethereum_host binds an evm_host to a world. */
struct evm_host ethereum_host(struct ethereum_world *world);

/* ethereum_fork is fork_at for this header, and Paris where the difficulty shows that the chain's
 * terminal difficulty is reached. */
enum fork ethereum_fork(const struct chain_config *config, const struct header *header);
/* ethereum_env is what the EVM sees of the block that `header` opens: for blocks, and for calls. */
void ethereum_env(const struct chain_config *config, const struct header *header,
                  struct evm_block *out);
