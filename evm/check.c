/* Whether a transaction may run: everything that is known before it does. */
#include <string.h>

#include "base/keccak.h"
#include "evm/machine.h"
#include "evm/rules.h"

#define BLOB_GAS ((uint64_t)131072)

static size_t zero_bytes_count(struct bytes data) {
    size_t count = 0;
    for (size_t i = 0; i < data.size; i++)
        count += data.data[i] == 0;
    return count;
}

static uint64_t access_list_gas(const struct transaction *transaction) {
    uint64_t gas = 0;
    for (size_t i = 0; i < transaction->access_list_count; i++)
        gas += 2400 + 1900 * (uint64_t)transaction->access_list[i].keys_count;
    return gas;
}

uint64_t evm_intrinsic_gas(enum fork fork, const struct transaction *transaction) {
    const uint64_t zeros = zero_bytes_count(transaction->data);
    const uint64_t nonzeros = transaction->data.size - zeros;
    uint64_t gas = 21000 + 4 * zeros;
    gas += nonzeros * (uint64_t)rule_of(fork, RULE_TX_DATA_NONZERO_GAS);
    if (transaction->is_create) {
        gas += (uint64_t)rule_of(fork, RULE_TX_CREATE_GAS);
        gas += (transaction->data.size + 31) / 32 * (uint64_t)rule_of(fork, RULE_INITCODE_WORD_GAS);
    }
    gas += access_list_gas(transaction);
    gas += 25000 * (uint64_t)transaction->authorizations_count; /* EIP-7702 */
    return gas;
}

uint64_t evm_floor_gas(enum fork fork, const struct transaction *transaction) {
    const uint64_t per_token = (uint64_t)rule_of(fork, RULE_TX_FLOOR_TOKEN_GAS);
    if (per_token == 0) return 0;
    const uint64_t zeros = zero_bytes_count(transaction->data);
    const uint64_t tokens = zeros + 4 * (transaction->data.size - zeros);
    return 21000 + per_token * tokens;
}

static enum verdict check_blobs(const struct chain_config *config, enum fork fork,
                                const struct transaction *transaction) {
    if (transaction->type != TRANSACTION_BLOB) return VERDICT_ACCEPTED;
    if (transaction->is_create) return VERDICT_BLOB_CREATE;
    if (transaction->blob_hashes_count == 0) return VERDICT_BLOB_HASHES;
    for (size_t i = 0; i < transaction->blob_hashes_count; i++) {
        if (transaction->blob_hashes[i].bytes[0] != 0x01) return VERDICT_BLOB_HASHES;
    }
    const uint64_t most = (uint64_t)rule_of(fork, RULE_TX_BLOBS_MAX);
    if (most != 0 && transaction->blob_hashes_count > most) return VERDICT_BLOB_LIMIT;
    if (transaction->blob_hashes_count > fork_blob_schedule(config, fork).max_blobs) {
        return VERDICT_BLOB_LIMIT;
    }
    return VERDICT_ACCEPTED;
}

static enum verdict check_set_code(const struct transaction *transaction) {
    if (transaction->type != TRANSACTION_SET_CODE) return VERDICT_ACCEPTED;
    if (transaction->is_create) return VERDICT_SET_CODE_CREATE;
    if (transaction->authorizations_count == 0) return VERDICT_AUTHORIZATION_EMPTY;
    return VERDICT_ACCEPTED;
}

static enum verdict check_gas_amounts(enum fork fork, const struct transaction *transaction) {
    if (transaction->gas_limit < evm_intrinsic_gas(fork, transaction)) {
        return VERDICT_INTRINSIC_GAS;
    }
    if (transaction->gas_limit < evm_floor_gas(fork, transaction)) return VERDICT_FLOOR_DATA_GAS;
    if (transaction->is_create &&
        transaction->data.size > (uint64_t)rule_of(fork, RULE_INITCODE_BYTES_MAX)) {
        return VERDICT_INITCODE_SIZE;
    }
    return VERDICT_ACCEPTED;
}

#define TRY_VERDICT(call)                                                                          \
    do {                                                                                           \
        const enum verdict verdict_ = (call);                                                      \
        if (verdict_ != VERDICT_ACCEPTED) return verdict_;                                         \
    } while (0)

/* check_form is what holds for a transaction in any state; `skip_gas_cap` for calls. */
static enum verdict check_form(const struct chain_config *config, enum fork fork,
                               const struct transaction *transaction, bool skip_gas_cap) {
    if ((int64_t)transaction->type > rule_of(fork, RULE_TX_TYPE_MAX)) {
        return VERDICT_TYPE_UNSUPPORTED;
    }
    if (transaction->is_protected &&
        (transaction->chain_id != config->chain_id || rule_of(fork, RULE_TX_PROTECTED) == 0)) {
        return VERDICT_CHAIN_ID;
    }
    const uint64_t cap = (uint64_t)rule_of(fork, RULE_TX_GAS_MAX);
    if (cap != 0 && !skip_gas_cap && transaction->gas_limit > cap) return VERDICT_TX_GAS_LIMIT;
    if (u256_less(&transaction->max_fee, &transaction->max_priority_fee)) {
        return VERDICT_TIP_ABOVE_FEE;
    }
    TRY_VERDICT(check_blobs(config, fork, transaction));
    TRY_VERDICT(check_set_code(transaction));
    return VERDICT_ACCEPTED;
}

enum verdict evm_transaction_check_static(const struct chain_config *config, enum fork fork,
                                          const struct transaction *transaction) {
    if (transaction->nonce == UINT64_MAX) return VERDICT_NONCE_MAX;
    TRY_VERDICT(check_form(config, fork, transaction, false));
    return check_gas_amounts(fork, transaction);
}

static enum verdict check_nonce(const struct evm_host *host,
                                const struct transaction *transaction) {
    const uint64_t nonce = host->nonce(host->context, &transaction->sender);
    if (transaction->nonce < nonce) return VERDICT_NONCE_TOO_LOW;
    if (transaction->nonce > nonce) return VERDICT_NONCE_TOO_HIGH;
    return VERDICT_ACCEPTED;
}

/* EIP-3607, with EIP-7702's exception for delegations. */
static enum verdict check_sender_code(const struct evm *evm, const struct evm_host *host,
                                      const struct transaction *transaction) {
    struct hash32 hash;
    host->code_hash(host->context, &transaction->sender, &hash);
    if (hash_is_zero(&hash) || hash_equal(&hash, &KECCAK_EMPTY)) return VERDICT_ACCEPTED;
    struct address ignored;
    const struct bytes code = host->code(host->context, &transaction->sender);
    if (code.size == 0 || delegation_target(evm, code, &ignored)) return VERDICT_ACCEPTED;
    return VERDICT_SENDER_NOT_EOA;
}

static enum verdict check_fees(const struct evm *evm, const struct evm_block *block,
                               const struct transaction *transaction,
                               const struct evm_options *options) {
    const bool is_free = options->skip_base_fee && u256_is_zero(&transaction->max_fee);
    if (rule(evm, RULE_TX_BASE_FEE) && !is_free &&
        u256_less(&transaction->max_fee, &block->base_fee)) {
        return VERDICT_FEE_BELOW_BASE;
    }
    if (transaction->type == TRANSACTION_BLOB &&
        u256_less(&transaction->max_fee_per_blob_gas, &block->blob_base_fee)) {
        return VERDICT_BLOB_FEE;
    }
    return VERDICT_ACCEPTED;
}

/* add_product adds a * b; true when the sum no longer fits. */
static bool add_product(struct u256 *sum, const struct u256 *a, uint64_t b) {
    bool is_large;
    bool carried;
    const struct u256 factor = u256_from_u64(b);
    const struct u256 product = u256_mul_overflow(a, &factor, &is_large);
    *sum = u256_add_overflow(sum, &product, &carried);
    return is_large || carried;
}

static enum verdict check_funds(const struct evm_host *host, const struct transaction *transaction,
                                const struct evm_options *options) {
    struct u256 needed = transaction->value;
    bool overflow = false;
    if (!options->skip_balance) {
        overflow = add_product(&needed, &transaction->max_fee, transaction->gas_limit);
        if (transaction->type == TRANSACTION_BLOB) {
            overflow |= add_product(&needed, &transaction->max_fee_per_blob_gas,
                                    BLOB_GAS * transaction->blob_hashes_count);
        }
    }
    struct u256 balance;
    host->balance(host->context, &transaction->sender, &balance);
    return overflow || u256_less(&balance, &needed) ? VERDICT_FUNDS : VERDICT_ACCEPTED;
}

enum verdict evm_transaction_check(struct evm *evm, const struct evm_host *host,
                                   const struct evm_block *block,
                                   const struct transaction *transaction,
                                   const struct evm_options *options, uint64_t block_gas_left) {
    CHECK(transaction->has_sender);
    evm_use_fork(evm, block->fork);
    TRY_VERDICT(check_form(block->config, block->fork, transaction, options->skip_gas_cap));
    if (!options->skip_nonce && transaction->nonce == UINT64_MAX) return VERDICT_NONCE_MAX;
    if (!options->skip_nonce) TRY_VERDICT(check_nonce(host, transaction));
    if (!options->skip_code_check && rule(evm, RULE_TX_SENDER_EOA)) {
        TRY_VERDICT(check_sender_code(evm, host, transaction));
    }
    TRY_VERDICT(check_fees(evm, block, transaction, options));
    TRY_VERDICT(check_funds(host, transaction, options));
    if (!options->skip_gas_cap && transaction->gas_limit > block_gas_left) {
        return VERDICT_BLOCK_GAS;
    }
    return check_gas_amounts(block->fork, transaction);
}
