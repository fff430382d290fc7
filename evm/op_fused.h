#pragma once
/* Handlers of two instructions in one (FUSED_PAIRS in code.h).  `value` is the constant of a PUSH
 * that was the first.  Internal to evm/. */
#include "evm/op_stack.h"

/* The constant is the first operand, the word on top the second. */
static inline void op_push_add(struct u256 *top, uint64_t value) {
    const struct u256 word = u256_from_u64(value);
    *top = u256_add(&word, top);
}
static inline void op_push_sub(struct u256 *top, uint64_t value) {
    const struct u256 word = u256_from_u64(value);
    *top = u256_sub(&word, top);
}
static inline void op_push_and(struct u256 *top, uint64_t value) {
    *top = u256_from_u64(top->limb[0] & value);
}
static inline void op_push_eq(struct u256 *top, uint64_t value) {
    *top = u256_from_u64(u256_fits_u64(top) && top->limb[0] == value);
}
static inline void op_push_lt(struct u256 *top, uint64_t value) {
    *top = u256_from_u64(!u256_fits_u64(top) || value < top->limb[0]);
}
static inline void op_push_gt(struct u256 *top, uint64_t value) {
    *top = u256_from_u64(u256_fits_u64(top) && value > top->limb[0]);
}
static inline void op_push_shl(struct u256 *top, uint64_t value) {
    word_shl(top, value);
}
static inline void op_push_shr(struct u256 *top, uint64_t value) {
    word_shr(top, value);
}

/* Without a constant. */
static inline void op_swap1_pop(struct u256 *top, uint64_t value) {
    (void)value;
    top[-1] = top[0];
}
static inline void op_swap2_pop(struct u256 *top, uint64_t value) {
    (void)value;
    top[-2] = top[0];
}
static inline void op_swap1_sub(struct u256 *top, uint64_t value) {
    (void)value;
    top[-1] = u256_sub(&top[-1], &top[0]);
}
static inline void op_pop_pop(struct u256 *top, uint64_t value) {
    (void)value;
    (void)top;
}
static inline void op_dup1_add(struct u256 *top, uint64_t value) {
    (void)value;
    top[0] = u256_add(&top[0], &top[0]);
}
static inline void op_dup2_add(struct u256 *top, uint64_t value) {
    (void)value;
    top[0] = u256_add(&top[-1], &top[0]);
}
static inline void op_dup3_add(struct u256 *top, uint64_t value) {
    (void)value;
    top[0] = u256_add(&top[-2], &top[0]);
}
static inline void op_dup2_xor(struct u256 *top, uint64_t value) {
    (void)value;
    for (int i = 0; i < 4; i++)
        top[0].limb[i] ^= top[-1].limb[i];
}
static inline void op_iszero_iszero(struct u256 *top, uint64_t value) {
    (void)value;
    top[0] = u256_from_u64(!u256_is_zero(&top[0]));
}
