/* What an instruction will cost beyond its constant part, told to observers before it runs. */
#include "evm/machine.h"
#include "evm/opcodes.h"

/* What memory up to offset + size costs more than what there is; 0 where no gas could pay for it.
 */
static int64_t growth(const struct frame *f, const struct u256 *offset, const struct u256 *size) {
    const uint64_t from = u256_to_u64_saturated(offset);
    const uint64_t bytes = u256_to_u64_saturated(size);
    if (bytes == 0 || from > MEMORY_OFFSET_MAX || bytes > MEMORY_OFFSET_MAX) return 0;
    const uint64_t end = (from + bytes + 31) / 32 * 32;
    if (end <= f->memory_bytes) return 0;
    return (int64_t)(memory_cost(end) - memory_cost(f->memory_bytes));
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t per_word(const struct u256 *size, int64_t gas) {
    const uint64_t bytes = u256_to_u64_saturated(size);
    return bytes > MEMORY_OFFSET_MAX ? 0 : words_gas(bytes, gas);
}

static int64_t cold_account(struct frame *f, const struct u256 *word) {
    struct evm *evm = f->evm;
    const struct address address = word_to_address(word);
    if (!rule(evm, RULE_ACCESS_LISTS) || account_warm(evm, &address)) return 0;
    return rule(evm, RULE_ACCOUNT_COLD_GAS);
}

static int64_t cold_slot(struct frame *f, const struct u256 *word) {
    struct evm *evm = f->evm;
    const struct hash32 key = u256_to_hash(word);
    if (!rule(evm, RULE_ACCESS_LISTS)) return 0;
    const bool is_warm = evm->host->warm_slot(evm->host->context, &f->address, &key);
    return is_warm ? 0 : rule(evm, RULE_SLOT_COLD_GAS);
}

/* A call, with the gas that the callee gets. */
static int64_t call_cost(struct frame *f, const struct u256 *top, uint8_t opcode) {
    const struct u256 *ranges = opcode == OP_CALL || opcode == OP_CALLCODE ? top - 3 : top - 2;
    int64_t cost = larger(growth(f, ranges, ranges - 1), growth(f, ranges - 2, ranges - 3));
    cost += call_gas_ahead(f, top, opcode);
    const int64_t left = f->gas - cost;
    if (left < 0) return cost;
    const uint64_t asked = u256_to_u64_saturated(top);
    const int64_t most = rule(f->evm, RULE_CALL_KEEPS_64TH) ? left - left / 64 : left;
    return cost + (asked < (uint64_t)most ? (int64_t)asked : most);
}

static int64_t copy_cost(struct frame *f, const struct u256 *to, const struct u256 *size) {
    return growth(f, to, size) + per_word(size, 3);
}

static int64_t create_cost(struct frame *f, const struct u256 *top, uint8_t opcode) {
    const int64_t words = rule(f->evm, RULE_INITCODE_WORD_GAS) + (opcode == OP_CREATE2 ? 6 : 0);
    return growth(f, &top[-1], &top[-2]) + per_word(&top[-2], words);
}

static int64_t selfdestruct_cost(struct frame *f, const struct u256 *top) {
    const struct evm_host *host = f->evm->host;
    const struct address beneficiary = word_to_address(top);
    struct u256 balance;
    host->balance(host->context, &f->address, &balance);
    return selfdestruct_gas(f->evm, &beneficiary, &balance);
}

static int64_t memory_instruction_cost(struct frame *f, const struct u256 *top, uint8_t opcode) {
    const struct u256 word = u256_from_u64(32);
    const struct u256 byte = U256_ONE;
    switch (opcode) {
    case OP_MLOAD:
    case OP_MSTORE: return growth(f, top, &word);
    case OP_MSTORE8: return growth(f, top, &byte);
    case OP_KECCAK256: return growth(f, &top[0], &top[-1]) + per_word(&top[-1], 6);
    case OP_CALLDATACOPY:
    case OP_CODECOPY:
    case OP_RETURNDATACOPY: return copy_cost(f, &top[0], &top[-2]);
    case OP_EXTCODECOPY: return cold_account(f, top) + copy_cost(f, &top[-1], &top[-3]);
    case OP_MCOPY:
        return larger(growth(f, &top[0], &top[-2]), growth(f, &top[-1], &top[-2])) +
               per_word(&top[-2], 3);
    case OP_RETURN:
    case OP_REVERT: return growth(f, &top[0], &top[-1]);
    default: return 0;
    }
}

static int64_t instruction_cost(struct frame *f, const struct u256 *top, uint8_t opcode) {
    switch (opcode) {
    case OP_EXP: return (u256_bits(&top[-1]) + 7) / 8 * rule(f->evm, RULE_EXP_BYTE_GAS);
    case OP_LOG0:
    case OP_LOG1:
    case OP_LOG2:
    case OP_LOG3:
    case OP_LOG4: {
        const uint64_t bytes = u256_to_u64_saturated(&top[-1]);
        const int64_t data_gas = bytes > MEMORY_OFFSET_MAX ? 0 : 8 * (int64_t)bytes;
        return growth(f, &top[0], &top[-1]) + data_gas;
    }
    case OP_BALANCE:
    case OP_EXTCODESIZE:
    case OP_EXTCODEHASH: return cold_account(f, top);
    case OP_SLOAD: return cold_slot(f, top);
    case OP_SSTORE: return sstore_gas(f, top);
    case OP_CALL:
    case OP_CALLCODE:
    case OP_DELEGATECALL:
    case OP_STATICCALL: return call_cost(f, top, opcode);
    case OP_CREATE:
    case OP_CREATE2: return create_cost(f, top, opcode);
    case OP_SELFDESTRUCT: return selfdestruct_cost(f, top);
    default: return memory_instruction_cost(f, top, opcode);
    }
}

int64_t trace_cost(struct frame *f, const struct u256 *top, uint8_t opcode) {
    struct evm *evm = f->evm;
    /* Asking what is warm makes it warm, and a store books refunds: take both back. */
    const int64_t refund = evm->refund;
    const size_t checkpoint = evm->host->checkpoint(evm->host->context);
    const int64_t cost = instruction_cost(f, top, opcode);
    evm->host->rollback(evm->host->context, checkpoint);
    evm->refund = refund;
    return cost;
}
