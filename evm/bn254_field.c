#include "evm/bn254_field.h"

struct fp fp_invert(const struct fp *a) {
    static const uint64_t exponent[4] = {0x3c208c16d87cfd45, 0x97816a916871ca8d, 0xb85045b68181585d,
                                         0x30644e72e131a029}; /* p - 2 */
    struct fp out = FP_ONE;
    for (int i = 253; i >= 0; i--) {
        out = fp_square(&out);
        if (exponent[i / 64] >> (i % 64) & 1) out = fp_mul(&out, a);
    }
    return out;
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
