#pragma once
/* Handlers that use the frame: memory, call data, the block, the host.  Short ones are inline here,
 * the rest is in op_memory.c and op_host.c.  Each returns EVM_SUCCESS or why the frame ends.
 * Internal to evm/; prices and depths are in opcodes.h, prices beyond the constant part are charged
 * here. */
#include "evm/machine.h"

/* --- op_memory.c */
enum evm_status op_keccak256(struct frame *f, struct u256 *top);
enum evm_status op_calldatacopy(struct frame *f, struct u256 *top);
enum evm_status op_codecopy(struct frame *f, struct u256 *top);
enum evm_status op_returndatacopy(struct frame *f, struct u256 *top);
enum evm_status op_mcopy(struct frame *f, struct u256 *top);
enum evm_status op_exp(struct frame *f, struct u256 *top);
/* copy_padded charges words, and copies `from` of `size` bytes to memory, zeros where there is
 * nothing: what every ...COPY does. */
enum evm_status copy_padded(struct frame *f, const struct u256 *to, const struct u256 *from,
                            const struct u256 *size, struct bytes source);

/* --- op_host.c */
enum evm_status op_balance(struct frame *f, struct u256 *top);
enum evm_status op_extcodesize(struct frame *f, struct u256 *top);
enum evm_status op_extcodecopy(struct frame *f, struct u256 *top);
enum evm_status op_extcodehash(struct frame *f, struct u256 *top);
enum evm_status op_blockhash(struct frame *f, struct u256 *top);
enum evm_status op_selfbalance(struct frame *f, struct u256 *top);
enum evm_status op_sload(struct frame *f, struct u256 *top);
enum evm_status op_sstore(struct frame *f, struct u256 *top);
enum evm_status op_tload(struct frame *f, struct u256 *top);
enum evm_status op_tstore(struct frame *f, struct u256 *top);
enum evm_status op_log(struct frame *f, struct u256 *top, uint32_t topics_count);
enum evm_status op_selfdestruct(struct frame *f, struct u256 *top);

/* op_logN: op_log with N topics. */
static inline enum evm_status op_log0(struct frame *f, struct u256 *top) {
    return op_log(f, top, 0);
}
static inline enum evm_status op_log1(struct frame *f, struct u256 *top) {
    return op_log(f, top, 1);
}
static inline enum evm_status op_log2(struct frame *f, struct u256 *top) {
    return op_log(f, top, 2);
}
static inline enum evm_status op_log3(struct frame *f, struct u256 *top) {
    return op_log(f, top, 3);
}
static inline enum evm_status op_log4(struct frame *f, struct u256 *top) {
    return op_log(f, top, 4);
}

/* --- memory: words are big-endian there */

/* Loads, stores and the two counters; growth is paid in memory_need. */
static inline enum evm_status op_mload(struct frame *f, struct u256 *top) {
    if (!memory_need(f, top, 32)) return EVM_OUT_OF_GAS;
    *top = u256_load_be(f->memory + top->limb[0]);
    return EVM_SUCCESS;
}
static inline enum evm_status op_mstore(struct frame *f, struct u256 *top) {
    if (!memory_need(f, top, 32)) return EVM_OUT_OF_GAS;
    u256_store_be(f->memory + top->limb[0], &top[-1]);
    return EVM_SUCCESS;
}
static inline enum evm_status op_mstore8(struct frame *f, struct u256 *top) {
    if (!memory_need(f, top, 1)) return EVM_OUT_OF_GAS;
    f->memory[top->limb[0]] = (uint8_t)top[-1].limb[0];
    return EVM_SUCCESS;
}
static inline enum evm_status op_msize(struct frame *f, struct u256 *top) {
    top[1] = u256_from_u64(f->memory_bytes);
    return EVM_SUCCESS;
}
static inline enum evm_status op_gas(struct frame *f, struct u256 *top) {
    top[1] = u256_from_u64((uint64_t)f->gas);
    return EVM_SUCCESS;
}

/* --- what the call brought along */
static inline enum evm_status op_address(struct frame *f, struct u256 *top) {
    top[1] = address_to_word(&f->address);
    return EVM_SUCCESS;
}
static inline enum evm_status op_caller(struct frame *f, struct u256 *top) {
    top[1] = address_to_word(&f->caller);
    return EVM_SUCCESS;
}
static inline enum evm_status op_callvalue(struct frame *f, struct u256 *top) {
    top[1] = f->value;
    return EVM_SUCCESS;
}
static inline enum evm_status op_calldataload(struct frame *f, struct u256 *top) {
    const uint64_t offset = u256_to_u64_saturated(top);
    if (offset < f->input.size && f->input.size - offset >= 32) {
        *top = u256_load_be(f->input.data + offset);
        return EVM_SUCCESS;
    }
    uint8_t word[32] = {0};
    const struct bytes there = bytes_slice(f->input, offset, 32);
    if (there.size != 0) memcpy(word, there.data, there.size);
    *top = u256_load_be(word);
    return EVM_SUCCESS;
}
static inline enum evm_status op_calldatasize(struct frame *f, struct u256 *top) {
    top[1] = u256_from_u64(f->input.size);
    return EVM_SUCCESS;
}
static inline enum evm_status op_codesize(struct frame *f, struct u256 *top) {
    top[1] = u256_from_u64(f->code_bytes.size);
    return EVM_SUCCESS;
}
static inline enum evm_status op_returndatasize(struct frame *f, struct u256 *top) {
    top[1] = u256_from_u64(f->evm->return_data.size);
    return EVM_SUCCESS;
}

/* --- what the transaction and the block say */
static inline enum evm_status op_origin(struct frame *f, struct u256 *top) {
    top[1] = address_to_word(&f->evm->origin);
    return EVM_SUCCESS;
}
static inline enum evm_status op_gasprice(struct frame *f, struct u256 *top) {
    top[1] = f->evm->gas_price;
    return EVM_SUCCESS;
}
static inline enum evm_status op_coinbase(struct frame *f, struct u256 *top) {
    top[1] = address_to_word(&f->evm->block->coinbase);
    return EVM_SUCCESS;
}
static inline enum evm_status op_timestamp(struct frame *f, struct u256 *top) {
    top[1] = u256_from_u64(f->evm->block->timestamp);
    return EVM_SUCCESS;
}
static inline enum evm_status op_number(struct frame *f, struct u256 *top) {
    top[1] = u256_from_u64(f->evm->block->number);
    return EVM_SUCCESS;
}
static inline enum evm_status op_prevrandao(struct frame *f, struct u256 *top) {
    const struct evm_block *block = f->evm->block;
    top[1] = rule(f->evm, RULE_PREVRANDAO) ? u256_from_hash(&block->randao) : block->difficulty;
    return EVM_SUCCESS;
}
static inline enum evm_status op_gaslimit(struct frame *f, struct u256 *top) {
    top[1] = u256_from_u64(f->evm->block->gas_limit);
    return EVM_SUCCESS;
}
static inline enum evm_status op_chainid(struct frame *f, struct u256 *top) {
    top[1] = u256_from_u64(f->evm->block->config->chain_id);
    return EVM_SUCCESS;
}
static inline enum evm_status op_basefee(struct frame *f, struct u256 *top) {
    top[1] = f->evm->block->base_fee;
    return EVM_SUCCESS;
}
static inline enum evm_status op_blobhash(struct frame *f, struct u256 *top) {
    const struct evm *evm = f->evm;
    const uint64_t index = u256_to_u64_saturated(top);
    *top = index < evm->blob_hashes_count ? u256_from_hash(&evm->blob_hashes[index]) : U256_ZERO;
    return EVM_SUCCESS;
}
static inline enum evm_status op_blobbasefee(struct frame *f, struct u256 *top) {
    top[1] = f->evm->block->blob_base_fee;
    return EVM_SUCCESS;
}
