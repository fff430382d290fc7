#pragma once
/* Handlers that read and write the stack only.  `top` is the uppermost word; the result replaces
 * the deepest operand, and dispatch moves the top.  Internal to evm/; prices and depths are in
 * opcodes.h. */
#include "evm/word.h"

/* Arithmetic, comparison and bits as the Yellow Paper's appendix H has them: the first operand is
 * on top. */
static inline void op_add(struct u256 *top) {
    top[-1] = u256_add(&top[0], &top[-1]);
}
static inline void op_mul(struct u256 *top) {
    word_mul(&top[0], &top[-1]);
}
static inline void op_sub(struct u256 *top) {
    top[-1] = u256_sub(&top[0], &top[-1]);
}
static inline void op_div(struct u256 *top) {
    top[-1] = u256_div(&top[0], &top[-1]);
}
static inline void op_sdiv(struct u256 *top) {
    top[-1] = u256_sdiv(&top[0], &top[-1]);
}
static inline void op_mod(struct u256 *top) {
    top[-1] = u256_mod(&top[0], &top[-1]);
}
static inline void op_smod(struct u256 *top) {
    top[-1] = u256_smod(&top[0], &top[-1]);
}
static inline void op_addmod(struct u256 *top) {
    top[-2] = u256_addmod(&top[0], &top[-1], &top[-2]);
}
static inline void op_mulmod(struct u256 *top) {
    top[-2] = u256_mulmod(&top[0], &top[-1], &top[-2]);
}
static inline void op_signextend(struct u256 *top) {
    word_sign_extend(&top[-1], &top[0]);
}
static inline void op_lt(struct u256 *top) {
    top[-1] = u256_from_u64(u256_less(&top[0], &top[-1]));
}
static inline void op_gt(struct u256 *top) {
    top[-1] = u256_from_u64(u256_less(&top[-1], &top[0]));
}
static inline void op_slt(struct u256 *top) {
    top[-1] = u256_from_u64(u256_slt(&top[0], &top[-1]));
}
static inline void op_sgt(struct u256 *top) {
    top[-1] = u256_from_u64(u256_slt(&top[-1], &top[0]));
}
static inline void op_eq(struct u256 *top) {
    top[-1] = u256_from_u64(u256_equal(&top[0], &top[-1]));
}
static inline void op_iszero(struct u256 *top) {
    top[0] = u256_from_u64(u256_is_zero(&top[0]));
}
static inline void op_and(struct u256 *top) {
    for (int i = 0; i < 4; i++)
        top[-1].limb[i] &= top[0].limb[i];
}
static inline void op_or(struct u256 *top) {
    for (int i = 0; i < 4; i++)
        top[-1].limb[i] |= top[0].limb[i];
}
static inline void op_xor(struct u256 *top) {
    for (int i = 0; i < 4; i++)
        top[-1].limb[i] ^= top[0].limb[i];
}
static inline void op_not(struct u256 *top) {
    for (int i = 0; i < 4; i++)
        top[0].limb[i] = ~top[0].limb[i];
}
static inline void op_byte(struct u256 *top) {
    uint64_t byte = 0;
    if (u256_fits_u64(&top[0]) && top[0].limb[0] < 32) {
        const uint64_t from_low = 31 - top[0].limb[0];
        byte = top[-1].limb[from_low / 8] >> (8 * (from_low % 8)) & 0xff;
    }
    top[-1] = u256_from_u64(byte);
}
static inline void op_shl(struct u256 *top) {
    word_shl(&top[-1], u256_to_u64_saturated(&top[0]));
}
static inline void op_shr(struct u256 *top) {
    word_shr(&top[-1], u256_to_u64_saturated(&top[0]));
}
static inline void op_sar(struct u256 *top) {
    word_sar(&top[-1], u256_to_u64_saturated(&top[0]));
}
static inline void op_clz(struct u256 *top) { /* EIP-7939 */
    top[0] = u256_from_u64(256 - u256_bits(&top[0]));
}
static inline void op_pop(struct u256 *top) {
    (void)top;
}

#define OP_DUP_N(n)                                                                                \
    static inline void op_dup##n(struct u256 *top) {                                               \
        top[1] = top[1 - n];                                                                       \
    }
#define OP_SWAP_N(n)                                                                               \
    static inline void op_swap##n(struct u256 *top) {                                              \
        const struct u256 word = top[0];                                                           \
        top[0] = top[-n];                                                                          \
        top[-n] = word;                                                                            \
    }
#define FOR_1_TO_16(X)                                                                             \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)
FOR_1_TO_16(OP_DUP_N)
FOR_1_TO_16(OP_SWAP_N)
