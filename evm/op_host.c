/* Instructions that ask the host: accounts, code, block hashes, storage, logs, selfdestruct. */
#include "evm/op_frame.h"
#include "evm/opcodes.h"
#include "evm/precompile.h"

/* --- accounts */

bool account_warm(struct evm *evm, const struct address *address) {
    /* Precompiles are warm from the start (EIP-2929); asking the table is cheaper than listing them
     * in every transaction's access list. */
    return precompile_find(evm->rules.fork, address) != NULL ||
           evm->host->warm_address(evm->host->context, address);
}

void account_add_balance(struct evm *evm, const struct address *address, const struct u256 *value) {
    const struct evm_host *host = evm->host;
    if (u256_is_zero(value) && rule(evm, RULE_STATE_CLEARING)) {
        host->touch(host->context, address);
        return;
    }
    struct u256 balance;
    host->balance(host->context, address, &balance);
    balance = u256_add(&balance, value);
    host->set_balance(host->context, address, &balance);
}

bool delegation_target(const struct evm *evm, struct bytes code, struct address *target) {
    static const uint8_t prefix[3] = {0xef, 0x01, 0x00};
    if (code.size != 23 || !rule(evm, RULE_DELEGATION)) return false;
    if (memcmp(code.data, prefix, sizeof prefix) != 0) return false;
    memcpy(target->bytes, code.data + 3, sizeof target->bytes);
    return true;
}

/* account_access reads an address from the stack and pays the cold surcharge. */
static bool account_access(struct frame *f, const struct u256 *word, struct address *address) {
    struct evm *evm = f->evm;
    *address = word_to_address(word);
    if (!rule(evm, RULE_ACCESS_LISTS) || account_warm(evm, address)) return true;
    return gas_use(f, rule(evm, RULE_ACCOUNT_COLD_GAS));
}

enum evm_status op_balance(struct frame *f, struct u256 *top) {
    const struct evm_host *host = f->evm->host;
    struct address address;
    if (!account_access(f, top, &address)) return EVM_OUT_OF_GAS;
    host->balance(host->context, &address, top);
    return EVM_SUCCESS;
}

enum evm_status op_selfbalance(struct frame *f, struct u256 *top) {
    const struct evm_host *host = f->evm->host;
    host->balance(host->context, &f->address, &top[1]);
    return EVM_SUCCESS;
}

enum evm_status op_extcodesize(struct frame *f, struct u256 *top) {
    const struct evm_host *host = f->evm->host;
    struct address address;
    if (!account_access(f, top, &address)) return EVM_OUT_OF_GAS;
    *top = u256_from_u64(host->code(host->context, &address).size);
    return EVM_SUCCESS;
}

enum evm_status op_extcodecopy(struct frame *f, struct u256 *top) {
    const struct evm_host *host = f->evm->host;
    struct address address;
    if (!account_access(f, top, &address)) return EVM_OUT_OF_GAS;
    const struct bytes code = host->code(host->context, &address);
    return copy_padded(f, &top[-1], &top[-2], &top[-3], code);
}

/* EIP-1052: zero for an account that is not there or empty. */
enum evm_status op_extcodehash(struct frame *f, struct u256 *top) {
    const struct evm_host *host = f->evm->host;
    struct address address;
    if (!account_access(f, top, &address)) return EVM_OUT_OF_GAS;
    if (host->is_empty(host->context, &address)) {
        *top = U256_ZERO;
        return EVM_SUCCESS;
    }
    struct hash32 hash;
    host->code_hash(host->context, &address, &hash);
    *top = u256_from_hash(&hash);
    return EVM_SUCCESS;
}

enum evm_status op_blockhash(struct frame *f, struct u256 *top) {
    const struct evm_host *host = f->evm->host;
    const uint64_t current = f->evm->block->number;
    const uint64_t number = u256_to_u64_saturated(top);
    if (number >= current || current - number > 256) {
        *top = U256_ZERO;
        return EVM_SUCCESS;
    }
    struct hash32 hash;
    host->block_hash(host->context, number, &hash);
    *top = u256_from_hash(&hash);
    return EVM_SUCCESS;
}

/* --- storage */

enum evm_status op_sload(struct frame *f, struct u256 *top) {
    struct evm *evm = f->evm;
    const struct evm_host *host = evm->host;
    const struct hash32 key = u256_to_hash(top);
    if (rule(evm, RULE_ACCESS_LISTS) && !host->warm_slot(host->context, &f->address, &key) &&
        !gas_use(f, rule(evm, RULE_SLOT_COLD_GAS))) {
        return EVM_OUT_OF_GAS;
    }
    host->storage(host->context, &f->address, &key, top);
    return EVM_SUCCESS;
}

/* The three values that a store's price depends on. */
struct slot_values {
    struct u256 original, current, next;
};

/* sstore_net prices by what the store changes against the transaction's start (EIP-2200, table). */
static int64_t sstore_net(struct evm *evm, const struct slot_values *slot) {
    const int64_t noop = rule(evm, RULE_SSTORE_NOOP_GAS);
    const int64_t set = rule(evm, RULE_SSTORE_SET_GAS);
    const int64_t reset = rule(evm, RULE_SSTORE_RESET_GAS);
    const int64_t clear_refund = rule(evm, RULE_SSTORE_CLEAR_REFUND);
    if (u256_equal(&slot->current, &slot->next)) return noop;
    if (u256_equal(&slot->original, &slot->current)) {
        if (u256_is_zero(&slot->original)) return set;
        if (u256_is_zero(&slot->next)) evm->refund += clear_refund;
        return reset;
    }
    if (!u256_is_zero(&slot->original)) {
        if (u256_is_zero(&slot->current)) evm->refund -= clear_refund;
        if (u256_is_zero(&slot->next)) evm->refund += clear_refund;
    }
    if (u256_equal(&slot->original, &slot->next)) {
        /* EIP-2929 took the cold price out of `reset`, so warm forks give back without it. */
        evm->refund += (u256_is_zero(&slot->original) ? set : reset) - noop;
    }
    return noop;
}

static int64_t sstore_simple(struct evm *evm, const struct slot_values *slot) {
    const bool is_set = u256_is_zero(&slot->current) && !u256_is_zero(&slot->next);
    if (!u256_is_zero(&slot->current) && u256_is_zero(&slot->next)) {
        evm->refund += rule(evm, RULE_SSTORE_CLEAR_REFUND);
    }
    return rule(evm, is_set ? RULE_SSTORE_SET_GAS : RULE_SSTORE_RESET_GAS);
}

/* slot_read reads what a store's price depends on. */
static void slot_read(struct frame *f, const struct u256 *top, const struct hash32 *key,
                      struct slot_values *slot) {
    const struct evm_host *host = f->evm->host;
    slot->next = top[-1];
    slot->original = U256_ZERO;
    host->storage(host->context, &f->address, key, &slot->current);
    if (rule(f->evm, RULE_SSTORE_NET)) {
        host->storage_original(host->context, &f->address, key, &slot->original);
    }
}

static int64_t slot_gas(struct evm *evm, const struct slot_values *slot) {
    return rule(evm, RULE_SSTORE_NET) ? sstore_net(evm, slot) : sstore_simple(evm, slot);
}

static int64_t slot_cold_gas(struct frame *f, const struct hash32 *key) {
    struct evm *evm = f->evm;
    const struct evm_host *host = evm->host;
    const bool is_cold =
        rule(evm, RULE_ACCESS_LISTS) && !host->warm_slot(host->context, &f->address, key);
    return is_cold ? rule(evm, RULE_SSTORE_COLD_GAS) : 0;
}

int64_t sstore_gas(struct frame *f, const struct u256 *top) {
    const struct hash32 key = u256_to_hash(&top[0]);
    const int64_t cold = slot_cold_gas(f, &key);
    struct slot_values slot;
    slot_read(f, top, &key, &slot);
    return cold + slot_gas(f->evm, &slot);
}

enum evm_status op_sstore(struct frame *f, struct u256 *top) {
    struct evm *evm = f->evm;
    const struct evm_host *host = evm->host;
    if (f->is_static) return EVM_STATIC_MODE_VIOLATION;
    const int64_t sentry = rule(evm, RULE_SSTORE_SENTRY_GAS);
    if (sentry != 0 && f->gas <= sentry) return EVM_OUT_OF_GAS;

    const struct hash32 key = u256_to_hash(&top[0]);
    if (!gas_use(f, slot_cold_gas(f, &key))) return EVM_OUT_OF_GAS;
    struct slot_values slot;
    slot_read(f, top, &key, &slot);
    if (!gas_use(f, slot_gas(evm, &slot))) return EVM_OUT_OF_GAS;
    if (!u256_equal(&slot.current, &slot.next)) {
        host->set_storage(host->context, &f->address, &key, &slot.next);
    }
    return EVM_SUCCESS;
}

enum evm_status op_tload(struct frame *f, struct u256 *top) {
    const struct evm_host *host = f->evm->host;
    const struct hash32 key = u256_to_hash(top);
    host->transient(host->context, &f->address, &key, top);
    return EVM_SUCCESS;
}

enum evm_status op_tstore(struct frame *f, struct u256 *top) {
    const struct evm_host *host = f->evm->host;
    if (f->is_static) return EVM_STATIC_MODE_VIOLATION;
    const struct hash32 key = u256_to_hash(&top[0]);
    host->set_transient(host->context, &f->address, &key, &top[-1]);
    return EVM_SUCCESS;
}

/* --- logs */

enum evm_status op_log(struct frame *f, struct u256 *top, uint32_t topics_count) {
    struct evm *evm = f->evm;
    if (f->is_static) return EVM_STATIC_MODE_VIOLATION;
    struct bytes data;
    if (!memory_need_range(f, &top[0], &top[-1], &data)) return EVM_OUT_OF_GAS;
    if (!gas_use(f, 8 * (int64_t)data.size)) return EVM_OUT_OF_GAS;

    struct log_record *record = arena_alloc(&evm->logs, sizeof *record);
    struct bytes kept;
    if (record == NULL || !arena_copy(&evm->logs, data, &kept)) {
        evm->error = ERR_LIMIT;
        return EVM_OUT_OF_GAS;
    }
    *record = (struct log_record){
        .previous = evm->logs_last,
        .log = {.address = f->address, .topics_count = topics_count, .data = kept}};
    for (uint32_t i = 0; i < topics_count; i++)
        record->log.topics[i] = u256_to_hash(&top[-2 - (int)i]);
    evm->logs_last = record;
    return EVM_SUCCESS;
}

/* --- SELFDESTRUCT */

int64_t selfdestruct_gas(struct evm *evm, const struct address *beneficiary,
                         const struct u256 *balance) {
    const struct evm_host *host = evm->host;
    int64_t gas = 0;
    if (rule(evm, RULE_ACCESS_LISTS) && !account_warm(evm, beneficiary)) {
        gas += rule(evm, RULE_ACCESS_COLD_GAS);
    }
    const bool is_new = rule(evm, RULE_CALL_NEW_IF_EMPTY)
                            ? !u256_is_zero(balance) && host->is_empty(host->context, beneficiary)
                            : !host->exists(host->context, beneficiary);
    return gas + (is_new ? rule(evm, RULE_SELFDESTRUCT_NEW_GAS) : 0);
}

enum evm_status op_selfdestruct(struct frame *f, struct u256 *top) {
    struct evm *evm = f->evm;
    const struct evm_host *host = evm->host;
    if (f->is_static) return EVM_STATIC_MODE_VIOLATION;
    const struct address beneficiary = word_to_address(top);
    struct u256 balance;
    host->balance(host->context, &f->address, &balance);
    if (!gas_use(f, selfdestruct_gas(evm, &beneficiary, &balance))) return EVM_OUT_OF_GAS;

    const struct message message = {.kind = FRAME_CALL,
                                    .opcode = OP_SELFDESTRUCT,
                                    .caller = f->address,
                                    .code_address = beneficiary,
                                    .value = balance};
    trace_enter(evm, evm->depth + 1, &message);
    trace_leave(evm, evm->depth + 1, EVM_SUCCESS, BYTES_EMPTY, 0);
    const bool is_destroyed = host->is_destroyed(host->context, &f->address);
    const bool dies = !rule(evm, RULE_SELFDESTRUCT_SAME_TRANSACTION) ||
                      host->created_in_transaction(host->context, &f->address);
    /* Without destruction, sending to oneself changes nothing; with it, the balance is burnt. */
    host->set_balance(host->context, &f->address, &U256_ZERO);
    account_add_balance(evm, &beneficiary, &balance);
    if (dies) {
        if (!is_destroyed) evm->refund += rule(evm, RULE_SELFDESTRUCT_REFUND);
        host->set_balance(host->context, &f->address, &U256_ZERO);
        host->destroy(host->context, &f->address);
    }
    return EVM_SUCCESS;
}
