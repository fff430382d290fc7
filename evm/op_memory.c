#include "base/keccak.h"
#include "evm/op_frame.h"

bool memory_grow(struct frame *f, uint64_t end) {
    const uint64_t bytes = (end + 31) / 32 * 32;
    const uint64_t cost = memory_cost(bytes) - memory_cost(f->memory_bytes);
    if (!gas_use(f, (int64_t)cost)) return false;
    struct evm *evm = f->evm;
    if ((uint64_t)(f->memory - evm->memory) + bytes > evm->memory_capacity) {
        evm->error = ERR_LIMIT;
        return false;
    }
    memset(f->memory + f->memory_bytes, 0, bytes - f->memory_bytes);
    f->memory_bytes = bytes;
    const uint64_t in_use = (uint64_t)(f->memory - evm->memory) + bytes;
    if (in_use > evm->memory_peak) evm->memory_peak = in_use;
    return true;
}

enum evm_status op_keccak256(struct frame *f, struct u256 *top) {
    struct bytes range;
    if (!memory_need_range(f, &top[0], &top[-1], &range)) return EVM_OUT_OF_GAS;
    if (!gas_use(f, words_gas(range.size, 6))) return EVM_OUT_OF_GAS;
    const struct hash32 hash = keccak256(range);
    top[-1] = u256_from_hash(&hash);
    return EVM_SUCCESS;
}

enum evm_status copy_padded(struct frame *f, const struct u256 *to, const struct u256 *from,
                            const struct u256 *size, struct bytes source) {
    struct bytes range;
    if (!memory_need_range(f, to, size, &range)) return EVM_OUT_OF_GAS;
    if (!gas_use(f, words_gas(range.size, 3))) return EVM_OUT_OF_GAS;
    if (range.size == 0) return EVM_SUCCESS;
    uint8_t *at = f->memory + to->limb[0];
    const struct bytes there = bytes_slice(source, u256_to_u64_saturated(from), range.size);
    if (there.size != 0) memmove(at, there.data, there.size);
    memset(at + there.size, 0, range.size - there.size);
    return EVM_SUCCESS;
}

enum evm_status op_calldatacopy(struct frame *f, struct u256 *top) {
    return copy_padded(f, &top[0], &top[-1], &top[-2], f->input);
}

enum evm_status op_codecopy(struct frame *f, struct u256 *top) {
    return copy_padded(f, &top[0], &top[-1], &top[-2], f->code_bytes);
}

/* EIP-211: unlike other copies, reading past the end fails. */
enum evm_status op_returndatacopy(struct frame *f, struct u256 *top) {
    const uint64_t from = u256_to_u64_saturated(&top[-1]);
    const uint64_t size = u256_to_u64_saturated(&top[-2]);
    const size_t available = f->evm->return_data.size;
    if (from > available || size > available - from) return EVM_INVALID_MEMORY_ACCESS;
    return copy_padded(f, &top[0], &top[-1], &top[-2], f->evm->return_data);
}

enum evm_status op_mcopy(struct frame *f, struct u256 *top) {
    const uint64_t size = u256_to_u64_saturated(&top[-2]);
    /* Both ranges count for memory's growth (EIP-5656). */
    if (!memory_need(f, &top[0], size)) return EVM_OUT_OF_GAS;
    if (!memory_need(f, &top[-1], size)) return EVM_OUT_OF_GAS;
    if (!gas_use(f, words_gas(size, 3))) return EVM_OUT_OF_GAS;
    if (size != 0) memmove(f->memory + top[0].limb[0], f->memory + top[-1].limb[0], size);
    return EVM_SUCCESS;
}

enum evm_status op_exp(struct frame *f, struct u256 *top) {
    const int64_t exponent_bytes = (u256_bits(&top[-1]) + 7) / 8;
    if (!gas_use(f, exponent_bytes * rule(f->evm, RULE_EXP_BYTE_GAS))) return EVM_OUT_OF_GAS;
    top[-1] = u256_exp(&top[0], &top[-1]);
    return EVM_SUCCESS;
}
