#include "evm/bn254_tower.h"

/* xi^(i (p-1) / 6) for i = 0..5: x^p of the coefficient of w^i. */
static const struct fp2 frobenius_1[6] = {
    {{{0xd35d438dc58f0d9d, 0x0a78eb28f5c70b3d, 0x666ea36f7879462c, 0x0e0a77c19a07df2f}},
     {{0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}}},
    {{{0xaf9ba69633144907, 0xca6b1d7387afb78a, 0x11bded5ef08a2087, 0x02f34d751a1f3a7c}},
     {{0xa222ae234c492d72, 0xd00f02a4565de15b, 0xdc2ff3a253dfc926, 0x10a75716b3899551}}},
    {{{0xb5773b104563ab30, 0x347f91c8a9aa6454, 0x7a007127242e0991, 0x1956bcd8118214ec}},
     {{0x6e849f1ea0aa4757, 0xaa1c7b6d89f89141, 0xb6e713cdfae0ca3a, 0x26694fbb4e82ebc3}}},
    {{{0xe4bbdd0c2936b629, 0xbb30f162e133bacb, 0x31a9d1b6f9645366, 0x253570bea500f8dd}},
     {{0xa1d77ce45ffe77c7, 0x07affd117826d1db, 0x6d16bd27bb7edc6b, 0x2c87200285defecc}}},
    {{{0x7361d77f843abe92, 0xa5bb2bd3273411fb, 0x9c941f314b3e2399, 0x15df9cddbb9fd3ec}},
     {{0x5dddfd154bd8c949, 0x62cb29a5a4445b60, 0x37bc870a0c7dd2b9, 0x24830a9d3171f0fd}}},
    {{{0xc970692f41690fe7, 0xe240342127694b0b, 0x32bee66b83c459e8, 0x12aabced0ab08841}},
     {{0x0d485d2340aebfa9, 0x05193418ab2fcc57, 0xd3b0a40b8a4910f5, 0x2f21ebb535d2925a}}}};
/* xi^(i (p^2-1) / 6), which are in Fp. */
static const struct fp frobenius_2[6] = {
    {{0xd35d438dc58f0d9d, 0x0a78eb28f5c70b3d, 0x666ea36f7879462c, 0x0e0a77c19a07df2f}},
    {{0xca8d800500fa1bf2, 0xf0c5d61468b39769, 0x0e201271ad0d4418, 0x04290f65bad856e6}},
    {{0x3350c88e13e80b9c, 0x7dce557cdb5e56b9, 0x6001b4b8b615564a, 0x2682e617020217e0}},
    {{0x68c3488912edefaa, 0x8d087f6872aabf4f, 0x51e1a24709081231, 0x2259d6b14729c0fa}},
    {{0x71930c11d782e155, 0xa6bb947cffbe3323, 0xaa303344d4741444, 0x2c3b3f0d26594943}},
    {{0x08cfc388c494f1ab, 0x19b315148d1373d4, 0x584e90fdcb6c0213, 0x09e1685bdf2f8849}}};

const struct fp2 BN254_FROBENIUS_X = {
    {{0xb5773b104563ab30, 0x347f91c8a9aa6454, 0x7a007127242e0991, 0x1956bcd8118214ec}},
    {{0x6e849f1ea0aa4757, 0xaa1c7b6d89f89141, 0xb6e713cdfae0ca3a, 0x26694fbb4e82ebc3}}};
const struct fp2 BN254_FROBENIUS_Y = {
    {{0xe4bbdd0c2936b629, 0xbb30f162e133bacb, 0x31a9d1b6f9645366, 0x253570bea500f8dd}},
    {{0xa1d77ce45ffe77c7, 0x07affd117826d1db, 0x6d16bd27bb7edc6b, 0x2c87200285defecc}}};

/* --- Fp6 */

static struct fp6 fp6_add(const struct fp6 *x, const struct fp6 *y) {
    struct fp6 out;
    for (int i = 0; i < 3; i++)
        out.c[i] = fp2_add(&x->c[i], &y->c[i]);
    return out;
}

static struct fp6 fp6_sub(const struct fp6 *x, const struct fp6 *y) {
    struct fp6 out;
    for (int i = 0; i < 3; i++)
        out.c[i] = fp2_sub(&x->c[i], &y->c[i]);
    return out;
}

static struct fp6 fp6_neg(const struct fp6 *x) {
    return (struct fp6){{fp2_neg(&x->c[0]), fp2_neg(&x->c[1]), fp2_neg(&x->c[2])}};
}

static struct fp6 fp6_mul_v(const struct fp6 *x) {
    return (struct fp6){{fp2_mul_xi(&x->c[2]), x->c[0], x->c[1]}};
}

/* cross gives x_i y_j + x_j y_i out of one product and the two that are known. */
static struct fp2 cross(const struct fp6 *x, const struct fp6 *y, int i, int j,
                        const struct fp2 *known_i, const struct fp2 *known_j) {
    const struct fp2 x_sum = fp2_add(&x->c[i], &x->c[j]);
    const struct fp2 y_sum = fp2_add(&y->c[i], &y->c[j]);
    const struct fp2 product = fp2_mul(&x_sum, &y_sum);
    const struct fp2 rest = fp2_sub(&product, known_i);
    return fp2_sub(&rest, known_j);
}

static struct fp6 fp6_mul(const struct fp6 *x, const struct fp6 *y) {
    const struct fp2 v0 = fp2_mul(&x->c[0], &y->c[0]);
    const struct fp2 v1 = fp2_mul(&x->c[1], &y->c[1]);
    const struct fp2 v2 = fp2_mul(&x->c[2], &y->c[2]);
    const struct fp2 c12 = cross(x, y, 1, 2, &v1, &v2);
    const struct fp2 c01 = cross(x, y, 0, 1, &v0, &v1);
    const struct fp2 c02 = cross(x, y, 0, 2, &v0, &v2);
    const struct fp2 c12_xi = fp2_mul_xi(&c12);
    const struct fp2 v2_xi = fp2_mul_xi(&v2);
    return (struct fp6){{fp2_add(&v0, &c12_xi), fp2_add(&c01, &v2_xi), fp2_add(&c02, &v1)}};
}

/* fp6_mul_01 multiplies by b0 + b1 v. */
static struct fp6 fp6_mul_01(const struct fp6 *x, const struct fp2 *b0, const struct fp2 *b1) {
    const struct fp2 v0 = fp2_mul(&x->c[0], b0);
    const struct fp2 v1 = fp2_mul(&x->c[1], b1);
    const struct fp2 x2_b1 = fp2_mul(&x->c[2], b1);
    const struct fp2 x2_b0 = fp2_mul(&x->c[2], b0);
    const struct fp2 x_sum = fp2_add(&x->c[0], &x->c[1]);
    const struct fp2 b_sum = fp2_add(b0, b1);
    struct fp2 middle = fp2_mul(&x_sum, &b_sum);
    middle = fp2_sub(&middle, &v0);
    middle = fp2_sub(&middle, &v1);
    const struct fp2 wrapped = fp2_mul_xi(&x2_b1);
    return (struct fp6){{fp2_add(&v0, &wrapped), middle, fp2_add(&v1, &x2_b0)}};
}

static struct fp6 fp6_invert(const struct fp6 *x) {
    /* 1/x = (A + B v + C v^2) / F with the cofactors below (eprint 2010/354, algorithm 17). */
    const struct fp2 s0 = fp2_square(&x->c[0]);
    const struct fp2 s1 = fp2_square(&x->c[1]);
    const struct fp2 s2 = fp2_square(&x->c[2]);
    const struct fp2 p01 = fp2_mul(&x->c[0], &x->c[1]);
    const struct fp2 p02 = fp2_mul(&x->c[0], &x->c[2]);
    const struct fp2 p12 = fp2_mul(&x->c[1], &x->c[2]);
    const struct fp2 p12_xi = fp2_mul_xi(&p12);
    const struct fp2 s2_xi = fp2_mul_xi(&s2);
    const struct fp2 a = fp2_sub(&s0, &p12_xi);
    const struct fp2 b = fp2_sub(&s2_xi, &p01);
    const struct fp2 c = fp2_sub(&s1, &p02);
    const struct fp2 x2_b = fp2_mul(&x->c[2], &b);
    const struct fp2 x1_c = fp2_mul(&x->c[1], &c);
    const struct fp2 wrapped = fp2_add(&x2_b, &x1_c);
    const struct fp2 wrapped_xi = fp2_mul_xi(&wrapped);
    const struct fp2 x0_a = fp2_mul(&x->c[0], &a);
    const struct fp2 norm = fp2_add(&x0_a, &wrapped_xi);
    const struct fp2 inverse = fp2_invert(&norm);
    return (struct fp6){{fp2_mul(&a, &inverse), fp2_mul(&b, &inverse), fp2_mul(&c, &inverse)}};
}

/* --- Fp12 */

struct fp12 fp12_one(void) {
    struct fp12 one = {0};
    one.a.c[0].a = FP_ONE;
    return one;
}

bool fp12_is_one(const struct fp12 *x) {
    const struct fp one = FP_ONE;
    bool is_one = fp_equal(&x->a.c[0].a, &one) && fp_is_zero(&x->a.c[0].b);
    for (int i = 0; i < 3; i++) {
        is_one = is_one && fp2_is_zero(&x->b.c[i]);
        if (i != 0) is_one = is_one && fp2_is_zero(&x->a.c[i]);
    }
    return is_one;
}

struct fp12 fp12_mul(const struct fp12 *x, const struct fp12 *y) {
    const struct fp6 low = fp6_mul(&x->a, &y->a);
    const struct fp6 high = fp6_mul(&x->b, &y->b);
    const struct fp6 x_sum = fp6_add(&x->a, &x->b);
    const struct fp6 y_sum = fp6_add(&y->a, &y->b);
    struct fp6 middle = fp6_mul(&x_sum, &y_sum);
    middle = fp6_sub(&middle, &low);
    middle = fp6_sub(&middle, &high);
    const struct fp6 wrapped = fp6_mul_v(&high);
    return (struct fp12){fp6_add(&low, &wrapped), middle};
}

struct fp12 fp12_square(const struct fp12 *x) {
    /* (a + b w)^2 = (a + b)(a + v b) - ab - v ab + 2ab w */
    const struct fp6 product = fp6_mul(&x->a, &x->b);
    const struct fp6 b_v = fp6_mul_v(&x->b);
    const struct fp6 left = fp6_add(&x->a, &x->b);
    const struct fp6 right = fp6_add(&x->a, &b_v);
    struct fp6 a = fp6_mul(&left, &right);
    const struct fp6 product_v = fp6_mul_v(&product);
    a = fp6_sub(&a, &product);
    a = fp6_sub(&a, &product_v);
    return (struct fp12){a, fp6_add(&product, &product)};
}

struct fp12 fp12_invert(const struct fp12 *x) {
    const struct fp6 a_square = fp6_mul(&x->a, &x->a);
    const struct fp6 b_square = fp6_mul(&x->b, &x->b);
    const struct fp6 b_square_v = fp6_mul_v(&b_square);
    const struct fp6 norm = fp6_sub(&a_square, &b_square_v);
    const struct fp6 inverse = fp6_invert(&norm);
    const struct fp6 b = fp6_mul(&x->b, &inverse);
    return (struct fp12){fp6_mul(&x->a, &inverse), fp6_neg(&b)};
}

struct fp12 fp12_conjugate(const struct fp12 *x) {
    return (struct fp12){x->a, fp6_neg(&x->b)};
}

struct fp12 fp12_mul_line(const struct fp12 *x, const struct fp2 *a0, const struct fp2 *b0,
                          const struct fp2 *b1) {
    struct fp6 low;
    for (int i = 0; i < 3; i++)
        low.c[i] = fp2_mul(&x->a.c[i], a0);
    const struct fp6 high = fp6_mul_01(&x->b, b0, b1);
    const struct fp6 x_sum = fp6_add(&x->a, &x->b);
    const struct fp2 line_sum = fp2_add(a0, b0);
    struct fp6 middle = fp6_mul_01(&x_sum, &line_sum, b1);
    middle = fp6_sub(&middle, &low);
    middle = fp6_sub(&middle, &high);
    const struct fp6 wrapped = fp6_mul_v(&high);
    return (struct fp12){fp6_add(&low, &wrapped), middle};
}

struct fp12 fp12_frobenius(const struct fp12 *x) {
    struct fp12 out;
    for (int i = 0; i < 3; i++) {
        const struct fp2 a = fp2_conjugate(&x->a.c[i]);
        const struct fp2 b = fp2_conjugate(&x->b.c[i]);
        out.a.c[i] = fp2_mul(&a, &frobenius_1[2 * i]);
        out.b.c[i] = fp2_mul(&b, &frobenius_1[2 * i + 1]);
    }
    return out;
}

struct fp12 fp12_frobenius_2(const struct fp12 *x) {
    struct fp12 out;
    for (int i = 0; i < 3; i++) {
        out.a.c[i] = fp2_scale(&x->a.c[i], &frobenius_2[2 * i]);
        out.b.c[i] = fp2_scale(&x->b.c[i], &frobenius_2[2 * i + 1]);
    }
    return out;
}

/* fp4_square squares x + y s in Fp2[s] / (s^2 - xi). */
static void fp4_square(const struct fp2 *x, const struct fp2 *y, struct fp2 *out_x,
                       struct fp2 *out_y) {
    const struct fp2 x_square = fp2_square(x);
    const struct fp2 y_square = fp2_square(y);
    const struct fp2 sum = fp2_add(x, y);
    const struct fp2 sum_square = fp2_square(&sum);
    const struct fp2 wrapped = fp2_mul_xi(&y_square);
    const struct fp2 both = fp2_add(&x_square, &y_square);
    *out_x = fp2_add(&x_square, &wrapped);
    *out_y = fp2_sub(&sum_square, &both);
}

/* three_minus_two is 3t - 2z, three_plus_two 3t + 2z. */
static struct fp2 three_minus_two(const struct fp2 *t, const struct fp2 *z) {
    const struct fp2 difference = fp2_sub(t, z);
    const struct fp2 two = fp2_double(&difference);
    return fp2_add(&two, t);
}
static struct fp2 three_plus_two(const struct fp2 *t, const struct fp2 *z) {
    const struct fp2 sum = fp2_add(t, z);
    const struct fp2 two = fp2_double(&sum);
    return fp2_add(&two, t);
}

struct fp12 fp12_cyclotomic_square(const struct fp12 *x) {
    struct fp2 t0, t1, t2, t3, t4, t5;
    fp4_square(&x->a.c[0], &x->b.c[1], &t0, &t1);
    fp4_square(&x->b.c[0], &x->a.c[2], &t2, &t3);
    fp4_square(&x->a.c[1], &x->b.c[2], &t4, &t5);
    const struct fp2 t5_xi = fp2_mul_xi(&t5);
    struct fp12 out;
    out.a.c[0] = three_minus_two(&t0, &x->a.c[0]);
    out.a.c[1] = three_minus_two(&t2, &x->a.c[1]);
    out.a.c[2] = three_minus_two(&t4, &x->a.c[2]);
    out.b.c[0] = three_plus_two(&t5_xi, &x->b.c[0]);
    out.b.c[1] = three_plus_two(&t1, &x->b.c[1]);
    out.b.c[2] = three_plus_two(&t3, &x->b.c[2]);
    return out;
}
