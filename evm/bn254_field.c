#include "evm/bn254_field.h"

#include <gmp.h>
#include <string.h>

#include "base/check.h"

#define LIMBS 4

struct fp fp_invert(const struct fp *a) {
    /* Twice 2^256, to come from 1 / (a 2^256) to 2^256 / a: this is 2^768 mod p. */
    static const struct fp to_montgomery = {
        {0xb1cd6dafda1530df, 0x62f210e6a7283db6, 0xef7f0b0c0ada0afb, 0x20fd6e902d592544}};
    if (fp_is_zero(a)) return FP_ZERO;
    const struct fp modulus = FP_MODULUS;
    mp_limb_t number[LIMBS + 1];
    mp_limb_t divisor[LIMBS + 1];
    mp_limb_t gcd[LIMBS + 1];
    mp_limb_t factor[LIMBS + 1] = {0};
    mp_size_t factor_count;
    memcpy(number, a->limb, sizeof a->limb);
    memcpy(divisor, modulus.limb, sizeof modulus.limb);
    /* 1 = factor * a + ... * p, with |factor| below p. */
    (void)mpn_gcdext(gcd, factor, &factor_count, number, LIMBS, divisor, LIMBS);
    const size_t count = (size_t)(factor_count < 0 ? -factor_count : factor_count);
    CHECK(count <= LIMBS);
    struct fp inverse = FP_ZERO;
    memcpy(inverse.limb, factor, count * sizeof factor[0]);
    if (factor_count < 0) inverse = fp_neg(&inverse);
    return fp_mul(&inverse, &to_montgomery);
}

bool fp_read(const uint8_t in[32], struct fp *out) {
    static const struct fp to_montgomery = {
        {0xf32cfc5b538afa89, 0xb5e71911d44501fb, 0x47ab1eff0a417ff6, 0x06d89f71cab8351f}};
    const struct fp modulus = FP_MODULUS;
    const struct u256 number = u256_from_be((struct bytes){in, 32});
    const struct u256 bound = {
        {modulus.limb[0], modulus.limb[1], modulus.limb[2], modulus.limb[3]}};
    if (!u256_less(&number, &bound)) return false;
    const struct fp plain = {{number.limb[0], number.limb[1], number.limb[2], number.limb[3]}};
    *out = fp_mul(&plain, &to_montgomery);
    return true;
}

void fp_write(const struct fp *a, uint8_t out[32]) {
    const struct fp one = {{1, 0, 0, 0}};
    const struct fp plain = fp_mul(a, &one);
    const struct u256 number = {{plain.limb[0], plain.limb[1], plain.limb[2], plain.limb[3]}};
    u256_to_be(&number, out);
}

struct fp2 fp2_mul(const struct fp2 *x, const struct fp2 *y) {
    /* Karatsuba: three products. */
    const struct fp low = fp_mul(&x->a, &y->a);
    const struct fp high = fp_mul(&x->b, &y->b);
    const struct fp x_sum = fp_add(&x->a, &x->b);
    const struct fp y_sum = fp_add(&y->a, &y->b);
    const struct fp cross = fp_mul(&x_sum, &y_sum);
    const struct fp both = fp_add(&low, &high);
    return (struct fp2){fp_sub(&low, &high), fp_sub(&cross, &both)};
}

struct fp2 fp2_square(const struct fp2 *x) {
    const struct fp sum = fp_add(&x->a, &x->b);
    const struct fp difference = fp_sub(&x->a, &x->b);
    const struct fp cross = fp_mul(&x->a, &x->b);
    return (struct fp2){fp_mul(&sum, &difference), fp_double(&cross)};
}

struct fp2 fp2_invert(const struct fp2 *x) {
    const struct fp a_square = fp_square(&x->a);
    const struct fp b_square = fp_square(&x->b);
    const struct fp norm = fp_add(&a_square, &b_square);
    const struct fp inverse = fp_invert(&norm);
    const struct fp2 conjugate = fp2_conjugate(x);
    return fp2_scale(&conjugate, &inverse);
}

struct fp2 fp2_mul_xi(const struct fp2 *x) {
    /* (a + b i)(9 + i) = (9a - b) + (a + 9b) i */
    const struct fp2 two = fp2_double(x);
    const struct fp2 four = fp2_double(&two);
    const struct fp2 eight = fp2_double(&four);
    const struct fp2 nine = fp2_add(&eight, x);
    return (struct fp2){fp_sub(&nine.a, &x->b), fp_add(&nine.b, &x->a)};
}
