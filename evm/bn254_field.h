#pragma once
/* The prime field of the curve alt_bn128 (EIP-196) and its quadratic extension.
 *
 * Elements are in Montgomery form: a is kept as a * 2^256 mod p, always reduced, so that equal
 * numbers have equal limbs (P. L. Montgomery, "Modular multiplication without trial division",
 * 1985; the interleaved form is CIOS of Koc, Acar and Kaliski, 1996).  p is below 2^254, so that no
 * intermediate sum overflows four limbs.  The extension is Fp[i] / (i^2 + 1).  Internal to evm/. */
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/u256.h"

struct fp {
    uint64_t limb[4]; /* least significant first */
};
struct fp2 {
    struct fp a, b; /* a + b i */
};

#define FP_MODULUS                                                                                 \
    ((struct fp){{0x3c208c16d87cfd47, 0x97816a916871ca8d, 0xb85045b68181585d, 0x30644e72e131a029}})
#define FP_ONE                                                                                     \
    ((struct fp){{0xd35d438dc58f0d9d, 0x0a78eb28f5c70b3d, 0x666ea36f7879462c, 0x0e0a77c19a07df2f}})
#define FP_ZERO ((struct fp){{0, 0, 0, 0}})

/* fp_reduce subtracts p once when a is not below it; a is below 2p. */
static inline struct fp fp_reduce(const struct fp *a) {
    const struct fp modulus = FP_MODULUS;
    unsigned long long r0, r1, r2, r3;
    unsigned char borrow = _subborrow_u64(0, a->limb[0], modulus.limb[0], &r0);
    borrow = _subborrow_u64(borrow, a->limb[1], modulus.limb[1], &r1);
    borrow = _subborrow_u64(borrow, a->limb[2], modulus.limb[2], &r2);
    borrow = _subborrow_u64(borrow, a->limb[3], modulus.limb[3], &r3);
    return (struct fp){{borrow ? a->limb[0] : r0, borrow ? a->limb[1] : r1,
                        borrow ? a->limb[2] : r2, borrow ? a->limb[3] : r3}};
}

/* Sum, difference, negative: reduced when the operands are. */
static inline struct fp fp_add(const struct fp *a, const struct fp *b) {
    unsigned long long r0, r1, r2, r3;
    unsigned char carry = _addcarry_u64(0, a->limb[0], b->limb[0], &r0);
    carry = _addcarry_u64(carry, a->limb[1], b->limb[1], &r1);
    carry = _addcarry_u64(carry, a->limb[2], b->limb[2], &r2);
    (void)_addcarry_u64(carry, a->limb[3], b->limb[3], &r3);
    const struct fp sum = {{r0, r1, r2, r3}};
    return fp_reduce(&sum);
}

/* fp_sub adds p back when it borrowed. */
static inline struct fp fp_sub(const struct fp *a, const struct fp *b) {
    const struct fp modulus = FP_MODULUS;
    unsigned long long r0, r1, r2, r3;
    unsigned char borrow = _subborrow_u64(0, a->limb[0], b->limb[0], &r0);
    borrow = _subborrow_u64(borrow, a->limb[1], b->limb[1], &r1);
    borrow = _subborrow_u64(borrow, a->limb[2], b->limb[2], &r2);
    borrow = _subborrow_u64(borrow, a->limb[3], b->limb[3], &r3);
    const uint64_t add = (uint64_t)0 - borrow;
    unsigned char carry = _addcarry_u64(0, r0, modulus.limb[0] & add, &r0);
    carry = _addcarry_u64(carry, r1, modulus.limb[1] & add, &r1);
    carry = _addcarry_u64(carry, r2, modulus.limb[2] & add, &r2);
    (void)_addcarry_u64(carry, r3, modulus.limb[3] & add, &r3);
    return (struct fp){{r0, r1, r2, r3}};
}

/* fp_neg is 0 - a. */
static inline struct fp fp_neg(const struct fp *a) {
    return fp_sub(&FP_ZERO, a);
}

/* One limb of the product: *t + a * b + *carry, the high half left in *carry. */
static inline void fp_step(uint64_t *t, uint64_t a, uint64_t b, uint64_t *carry) {
    const unsigned __int128 wide = (unsigned __int128)a * b + *t + *carry;
    *t = (uint64_t)wide;
    *carry = (uint64_t)(wide >> 64);
}

/* One limb of b into the product, and one reduction step. */
static inline void fp_row(uint64_t t[4], const struct fp *a, uint64_t b) {
    const struct fp modulus = FP_MODULUS;
    uint64_t carry = 0;
    fp_step(&t[0], a->limb[0], b, &carry);
    fp_step(&t[1], a->limb[1], b, &carry);
    fp_step(&t[2], a->limb[2], b, &carry);
    fp_step(&t[3], a->limb[3], b, &carry);
    const uint64_t top = carry;
    const uint64_t q = t[0] * 0x87d20782e4866389u; /* -1/p mod 2^64 */
    carry = 0;
    fp_step(&t[0], q, modulus.limb[0], &carry); /* gives zero */
    fp_step(&t[1], q, modulus.limb[1], &carry);
    fp_step(&t[2], q, modulus.limb[2], &carry);
    fp_step(&t[3], q, modulus.limb[3], &carry);
    t[0] = t[1];
    t[1] = t[2];
    t[2] = t[3];
    t[3] = top + carry;
}

/* fp_mul is the Montgomery product a * b / 2^256 mod p. */
static inline struct fp fp_mul(const struct fp *a, const struct fp *b) {
    uint64_t t[4] = {0};
    fp_row(t, a, b->limb[0]);
    fp_row(t, a, b->limb[1]);
    fp_row(t, a, b->limb[2]);
    fp_row(t, a, b->limb[3]);
    const struct fp out = {{t[0], t[1], t[2], t[3]}};
    return fp_reduce(&out);
}

/* Squares, doubles, tests. */
/* What follows from the above by one call; equality needs no reduction, elements are reduced. */
static inline struct fp fp_square(const struct fp *a) {
    return fp_mul(a, a);
}
static inline struct fp fp_double(const struct fp *a) {
    return fp_add(a, a);
}
static inline bool fp_is_zero(const struct fp *a) {
    return (a->limb[0] | a->limb[1] | a->limb[2] | a->limb[3]) == 0;
}
static inline bool fp_equal(const struct fp *a, const struct fp *b) {
    return ((a->limb[0] ^ b->limb[0]) | (a->limb[1] ^ b->limb[1]) | (a->limb[2] ^ b->limb[2]) |
            (a->limb[3] ^ b->limb[3])) == 0;
}

/* fp_invert is 1 / a, by the extended Euclidean algorithm (GMP); zero for zero. */
struct fp fp_invert(const struct fp *a);
/* fp_read takes 32 big-endian bytes; false when the number is not below p. */
bool fp_read(const uint8_t in[32], struct fp *out);
void fp_write(const struct fp *a, uint8_t out[32]);

/* --- Fp2: a + b i with i^2 = -1 */
/* Arithmetic in Fp2 = Fp[i] / (i^2 + 1), component by component where it can be; fp2_conjugate
 * negates i, fp2_scale multiplies by an element of Fp, fp2_invert gives zero for zero. */
static inline struct fp2 fp2_add(const struct fp2 *x, const struct fp2 *y) {
    return (struct fp2){fp_add(&x->a, &y->a), fp_add(&x->b, &y->b)};
}
static inline struct fp2 fp2_sub(const struct fp2 *x, const struct fp2 *y) {
    return (struct fp2){fp_sub(&x->a, &y->a), fp_sub(&x->b, &y->b)};
}
static inline struct fp2 fp2_double(const struct fp2 *x) {
    return fp2_add(x, x);
}
static inline struct fp2 fp2_neg(const struct fp2 *x) {
    return (struct fp2){fp_neg(&x->a), fp_neg(&x->b)};
}
static inline struct fp2 fp2_conjugate(const struct fp2 *x) {
    return (struct fp2){x->a, fp_neg(&x->b)};
}
static inline struct fp2 fp2_scale(const struct fp2 *x, const struct fp *k) {
    return (struct fp2){fp_mul(&x->a, k), fp_mul(&x->b, k)};
}
static inline bool fp2_is_zero(const struct fp2 *x) {
    return fp_is_zero(&x->a) && fp_is_zero(&x->b);
}
static inline bool fp2_equal(const struct fp2 *x, const struct fp2 *y) {
    return fp_equal(&x->a, &y->a) && fp_equal(&x->b, &y->b);
}
struct fp2 fp2_mul(const struct fp2 *x, const struct fp2 *y);
struct fp2 fp2_square(const struct fp2 *x);
struct fp2 fp2_invert(const struct fp2 *x);
/* fp2_mul_xi multiplies by 9 + i, the element that the twist and the tower are built on. */
struct fp2 fp2_mul_xi(const struct fp2 *x);
