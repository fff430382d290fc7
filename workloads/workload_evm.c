#include "base/check.h"
#include "base/keccak.h"
#include "chain/transaction.h"
#include "evm/evm.h"
#include "workloads/ethereum.h"
#include "workloads/workload.h"

#define DELEGATION_BYTES 23 /* EIP-7702: 0xef0100 and an address */

/* cost is gas limit * max fee + value; false when it does not fit a word: nobody owns as much. */
static bool cost_of(const struct transaction *transaction, struct u256 *out) {
    bool overflow;
    const struct u256 gas = u256_from_u64(transaction->gas_limit);
    const struct u256 fee = u256_mul_overflow(&gas, &transaction->max_fee, &overflow);
    if (overflow) return false;
    *out = u256_add_overflow(&fee, &transaction->value, &overflow);
    return !overflow;
}

static enum verdict check_static(const struct chain_config *config, enum fork fork,
                                 const struct transaction *transaction, struct u256 *cost) {
    if (!transaction->is_protected) return VERDICT_UNPROTECTED;
    if (transaction->chain_id != config->chain_id) return VERDICT_CHAIN_ID;
    const enum verdict verdict = evm_transaction_check_static(config, fork, transaction);
    if (verdict != VERDICT_ACCEPTED) return verdict;
    return cost_of(transaction, cost) ? VERDICT_ACCEPTED : VERDICT_FUNDS;
}

static enum verdict inspect(const struct chain_config *config, enum fork fork, struct bytes encoded,
                            struct arena *arena, struct item *out) {
    struct transaction transaction;
    struct u256 cost;
    if (encoded.size > ITEM_BYTES_MAX) return VERDICT_OVERSIZED;
    if (encoded.size != 0 && encoded.data[0] == TRANSACTION_BLOB) return VERDICT_BLOB_UNSUPPORTED;
    enum verdict verdict = transaction_decode(encoded, arena, &transaction);
    if (verdict == VERDICT_ACCEPTED) verdict = check_static(config, fork, &transaction, &cost);
    if (verdict == VERDICT_ACCEPTED) verdict = transaction_recover(&transaction);
    if (verdict != VERDICT_ACCEPTED) return verdict;
    *out = (struct item){
        .kind = WORKLOAD_KIND_EVM,
        .encoded = encoded,
        .hash = transaction.hash,
        .lane = transaction.sender,
        .sequence = transaction.nonce,
        .weight = transaction.gas_limit,
        .fee_max = transaction.max_fee,
        .tip_max = transaction.max_priority_fee,
        .cost_max = cost,
    };
    return VERDICT_ACCEPTED;
}

/* lane_account reads the sender's account; all zeros when there is none. */
static enum err lane_account(const struct kv_reader *reader, const struct address *lane,
                             struct account *out) {
    struct bytes value;
    const struct hash32 key = keccak256(address_bytes(lane));
    const enum err err = reader->get(reader->context, KV_ACCOUNTS, hash_bytes(&key), &value);
    if (err == ERR_NOT_FOUND) {
        *out = (struct account){.code_hash = KECCAK_EMPTY, .storage_root = KECCAK_EMPTY_TRIE};
        return ERR_OK;
    }
    TRY(err);
    return account_decode(value, out) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

/* lane_code tells a delegated account (EIP-7702) from a contract, which cannot send (EIP-3607). */
static enum err lane_code(const struct kv_reader *reader, const struct account *account,
                          bool *is_delegated, bool *is_contract) {
    *is_delegated = *is_contract = false;
    if (hash_equal(&account->code_hash, &KECCAK_EMPTY)) return ERR_OK;
    struct bytes code;
    const enum err err =
        reader->get(reader->context, KV_CODE, hash_bytes(&account->code_hash), &code);
    if (err == ERR_NOT_FOUND) return ERR_CORRUPT;
    TRY(err);
    const struct bytes prefix = BYTES_STRING("\xef\x01\x00");
    *is_delegated =
        code.size == DELEGATION_BYTES && bytes_equal(bytes_slice(code, 0, prefix.size), prefix);
    *is_contract = !*is_delegated;
    return ERR_OK;
}

/* A fee below the base fee is no reason to refuse: the base fee may sink again, and nodes whose
 * heads are a block apart must judge a gossiped item alike, or one that was acknowledged could be
 * lost. */
static enum err admit(const struct admit_context *context, const struct item *item,
                      struct arena *scratch, struct lane_view *lane, enum verdict *verdict) {
    (void)scratch;
    struct account account;
    bool is_contract;
    TRY(lane_account(context->reader, &item->lane, &account));
    TRY(lane_code(context->reader, &account, &lane->is_limited, &is_contract));
    lane->sequence_next = account.nonce;
    lane->balance = account.balance;
    *verdict = VERDICT_ACCEPTED;
    if (item->weight > context->block_weight_max) {
        *verdict = VERDICT_BLOCK_GAS;
    } else if (is_contract) {
        *verdict = VERDICT_SENDER_NOT_EOA;
    } else if (item->sequence < account.nonce) {
        *verdict = VERDICT_NONCE_TOO_LOW;
    } else if (u256_less(&account.balance, &item->cost_max)) {
        *verdict = VERDICT_FUNDS;
    }
    return ERR_OK;
}

static enum err apply(struct ethereum_block *block, const struct item *item,
                      enum verdict *verdict) {
    struct transaction transaction;
    struct evm_result result;
    *verdict = transaction_decode(item->encoded, block->arena, &transaction);
    if (*verdict == VERDICT_OVERSIZED) return ERR_LIMIT; /* the arena is ours */
    if (*verdict != VERDICT_ACCEPTED) return ERR_OK;
    if (transaction.type == TRANSACTION_BLOB) {
        *verdict = VERDICT_BLOB_UNSUPPORTED;
        return ERR_OK;
    }
    transaction.sender = item->lane; /* inspect recovered it */
    transaction.has_sender = true;
    return ethereum_block_apply(block, &transaction, verdict, &result);
}

const struct workload workload_evm = {
    .name = "evm",
    .kind = WORKLOAD_KIND_EVM,
    .item_bytes_max = ITEM_BYTES_MAX,
    .inspect = inspect,
    .admit = admit,
    .apply = apply,
};
