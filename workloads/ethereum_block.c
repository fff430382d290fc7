/* A block from its beginning to its end: system calls, transactions, rewards, roots. */
#include <string.h>

#include "base/check.h"
#include "workloads/ethereum.h"
#include "workloads/ethereum_internal.h"
#include "workloads/system_contracts.h"

#define GAS_PER_BLOB 131072u

enum fork ethereum_fork(const struct chain_config *config, const struct header *header) {
    const enum fork fork = fork_at(config, header->number, header->timestamp);
    const bool is_merged =
        config->has_terminal_difficulty && header->number != 0 && u256_is_zero(&header->difficulty);
    return fork < FORK_PARIS && is_merged ? FORK_PARIS : fork;
}

void ethereum_env(const struct chain_config *config, const struct header *header,
                  struct evm_block *out) {
    const enum fork fork = ethereum_fork(config, header);
    *out = (struct evm_block){
        .config = config,
        .fork = fork,
        .number = header->number,
        .timestamp = header->timestamp,
        .gas_limit = header->gas_limit,
        .coinbase = header->coinbase,
        .difficulty = header->difficulty,
        .randao = header->mix_hash,
        .base_fee = header->base_fee,
        .excess_blob_gas = header->excess_blob_gas,
        .blob_base_fee = blob_base_fee(config, fork, header->excess_blob_gas),
    };
}

enum err ethereum_system_call(struct ethereum_block *block, const struct address *to,
                              struct bytes input, bool *has_code, struct evm_result *result) {
    memset(result, 0, sizeof *result);
    *has_code = state_code(block->world.state, to).size != 0;
    if (!*has_code) return state_error(block->world.state);
    TRY(evm_system_call(block->evm, &block->host, &block->env, to, input, block->arena, result));
    state_end_transaction(block->world.state, true);
    return state_error(block->world.state);
}

enum err ethereum_block_begin(struct ethereum_block *out, struct evm *evm, struct state *state,
                              struct arena *arena, const struct chain_config *config,
                              const struct ethereum_ancestors *ancestors,
                              const struct header *header, size_t transactions_max) {
    memset(out, 0, sizeof *out);
    out->evm = evm;
    out->arena = arena;
    out->config = config;
    out->world = (struct ethereum_world){state, *ancestors};
    out->host = ethereum_host(&out->world);
    out->receipts_max = transactions_max;
    out->receipts = arena_array(arena, transactions_max, sizeof *out->receipts);
    if (out->receipts == NULL && transactions_max != 0) return ERR_LIMIT;
    ethereum_env(config, header, &out->env);
    ethereum_dao_fork(out);

    /* What the two contracts answer is ignored, as is their absence (EIP-4788, EIP-2935). */
    bool has_code;
    struct evm_result result;
    if (out->env.fork >= FORK_CANCUN) {
        TRY(ethereum_system_call(out, &system_beacon_roots.address,
                                 hash_bytes(&header->parent_beacon_root), &has_code, &result));
    }
    if (out->env.fork >= FORK_PRAGUE) {
        TRY(ethereum_system_call(out, &system_history.address, hash_bytes(&header->parent_hash),
                                 &has_code, &result));
    }
    return state_error(state);
}

static enum err logs_copy(struct arena *arena, const struct evm_result *result,
                          struct receipt *receipt) {
    struct log *logs = arena_array(arena, result->logs_count, sizeof *logs);
    if (logs == NULL && result->logs_count != 0) return ERR_LIMIT;
    for (size_t i = 0; i < result->logs_count; i++) {
        const struct evm_log *from = &result->logs[i];
        logs[i].address = from->address;
        logs[i].topics_count = from->topics_count;
        memcpy(logs[i].topics, from->topics, sizeof logs[i].topics);
        logs[i].data = from->data;
    }
    receipt->logs = logs;
    receipt->logs_count = result->logs_count;
    receipt_bloom(logs, result->logs_count, &receipt->bloom);
    return ERR_OK;
}

static enum err receipt_add(struct ethereum_block *block, const struct transaction *transaction,
                            const struct evm_result *result) {
    struct receipt *receipt = &block->receipts[block->receipts_count];
    memset(receipt, 0, sizeof *receipt);
    receipt->type = (uint8_t)transaction->type;
    receipt->succeeded = result->status == EVM_SUCCESS;
    receipt->cumulative_gas_used = block->gas_used;
    receipt->gas_used = result->gas_used;
    receipt->has_contract_address = result->has_contract_address;
    receipt->contract_address = result->contract_address;
    receipt->effective_gas_price = result->effective_gas_price;
    if (block->env.fork < FORK_BYZANTIUM &&
        !block->skips_roots) { /* EIP-658 replaced roots by a status */
        receipt->has_state_root = true;
        TRY(state_root(block->world.state, &receipt->state_root));
    }
    TRY(logs_copy(block->arena, result, receipt));
    bloom_merge(&block->bloom, &receipt->bloom);
    block->receipts_count++;
    return ERR_OK;
}

enum err ethereum_block_apply(struct ethereum_block *block, const struct transaction *transaction,
                              enum verdict *verdict, struct evm_result *result) {
    struct evm_options options = {.tracer = NULL};
    if (block->options != NULL) options = *block->options;
    options.tracer = block->tracer;
    struct state *state = block->world.state;
    CHECK(transaction->has_sender);
    if (block->receipts_count == block->receipts_max) return ERR_LIMIT;
    const uint64_t gas_left = block->env.gas_limit - block->gas_used;
    *verdict = evm_transaction_check(block->evm, &block->host, &block->env, transaction, &options,
                                     gas_left);
    TRY(state_error(state));
    if (*verdict != VERDICT_ACCEPTED) return ERR_OK;
    const struct blob_schedule schedule = fork_blob_schedule(block->config, block->env.fork);
    const uint64_t blob_gas = GAS_PER_BLOB * (uint64_t)transaction->blob_hashes_count;
    if (block->blob_gas_used + blob_gas > GAS_PER_BLOB * schedule.max_blobs) {
        *verdict = VERDICT_BLOB_LIMIT;
        return ERR_OK;
    }
    TRY(evm_transaction_run(block->evm, &block->host, &block->env, transaction, &options,
                            block->arena, result));
    state_end_transaction(state, block->env.fork >= FORK_SPURIOUS);
    TRY(state_error(state));
    block->gas_used += result->gas_used;
    block->blob_gas_used += blob_gas;
    return receipt_add(block, transaction, result);
}

enum err ethereum_block_end(struct ethereum_block *block, const struct header *ommers,
                            size_t ommers_count, const struct withdrawal *withdrawals,
                            size_t withdrawals_count, struct header *header,
                            struct block_fault *fault) {
    struct state *state = block->world.state;
    memset(fault, 0, sizeof *fault);
    if (!block->has_own_rewards) ethereum_rewards(block, ommers, ommers_count);
    ethereum_withdrawals(block, withdrawals, withdrawals_count);
    state_end_transaction(state, block->env.fork >= FORK_SPURIOUS);
    if (block->env.fork >= FORK_PRAGUE) {
        TRY(ethereum_requests(block, &header->requests_hash, fault));
        if (fault->verdict != VERDICT_ACCEPTED) return ERR_OK;
    }
    TRY(state_error(state));
    TRY(state_root(state, &header->state_root));
    TRY(receipts_root(block->receipts, block->receipts_count, block->arena,
                      &header->receipts_root));
    header->bloom = block->bloom;
    header->gas_used = block->gas_used;
    header->blob_gas_used = block->blob_gas_used;
    return ERR_OK;
}

enum err ethereum_genesis(const struct genesis *genesis, struct state *state,
                          struct header *header) {
    for (size_t i = 0; i < genesis->accounts_count; i++) {
        const struct genesis_account *account = &genesis->accounts[i];
        /* An account that is listed exists, even with nothing in it. */
        state_create_account(state, &account->address);
        state_set_balance(state, &account->address, &account->balance);
        state_set_nonce(state, &account->address, account->nonce);
        if (account->code.size != 0) state_set_code(state, &account->address, account->code);
        for (size_t slot = 0; slot < account->storage_count; slot++) {
            state_set_storage(state, &account->address, &account->storage[slot].key,
                              &account->storage[slot].value);
        }
    }
    state_end_transaction(state, false);
    TRY(state_error(state));
    *header = genesis->header;
    return state_root(state, &header->state_root);
}
