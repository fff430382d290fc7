/* Points of alt_bn128 in Jacobian coordinates: (X, Y, Z) is (X / Z^2, Y / Z^3), Z = 0 is infinity.
 * Formulas: "dbl-2009-l", "add-2007-bl" and "madd-2007-bl" of the Explicit-Formulas Database. */
#include "evm/bn254.h"

struct jacobian {
    struct fp x, y, z;
};
struct jacobian2 {
    struct fp2 x, y, z;
};

/* One set of formulas for both fields: F is fp or fp2. */
#define JACOBIAN_FORMULAS(F, POINT, NAME)                                                          \
    static struct POINT NAME##_double(const struct POINT *p) {                                     \
        const struct F a = F##_square(&p->x);                                                      \
        const struct F b = F##_square(&p->y);                                                      \
        const struct F c = F##_square(&b);                                                         \
        const struct F x_b = F##_add(&p->x, &b);                                                   \
        struct F d = F##_square(&x_b);                                                             \
        d = F##_sub(&d, &a);                                                                       \
        d = F##_sub(&d, &c);                                                                       \
        d = F##_double(&d);                                                                        \
        const struct F a_2 = F##_double(&a);                                                       \
        const struct F e = F##_add(&a_2, &a);                                                      \
        const struct F f = F##_square(&e);                                                         \
        const struct F d_2 = F##_double(&d);                                                       \
        struct POINT out;                                                                          \
        out.x = F##_sub(&f, &d_2);                                                                 \
        const struct F d_x = F##_sub(&d, &out.x);                                                  \
        const struct F e_dx = F##_mul(&e, &d_x);                                                   \
        const struct F c_2 = F##_double(&c);                                                       \
        const struct F c_4 = F##_double(&c_2);                                                     \
        const struct F c_8 = F##_double(&c_4);                                                     \
        out.y = F##_sub(&e_dx, &c_8);                                                              \
        const struct F y_z = F##_mul(&p->y, &p->z);                                                \
        out.z = F##_double(&y_z);                                                                  \
        return out;                                                                                \
    }                                                                                              \
    static struct POINT NAME##_add(const struct POINT *p, const struct POINT *q) {                 \
        if (F##_is_zero(&p->z)) return *q;                                                         \
        if (F##_is_zero(&q->z)) return *p;                                                         \
        const struct F z1_2 = F##_square(&p->z);                                                   \
        const struct F z2_2 = F##_square(&q->z);                                                   \
        const struct F u1 = F##_mul(&p->x, &z2_2);                                                 \
        const struct F u2 = F##_mul(&q->x, &z1_2);                                                 \
        const struct F z2_3 = F##_mul(&z2_2, &q->z);                                               \
        const struct F z1_3 = F##_mul(&z1_2, &p->z);                                               \
        const struct F s1 = F##_mul(&p->y, &z2_3);                                                 \
        const struct F s2 = F##_mul(&q->y, &z1_3);                                                 \
        const struct F h = F##_sub(&u2, &u1);                                                      \
        const struct F s = F##_sub(&s2, &s1);                                                      \
        if (F##_is_zero(&h)) {                                                                     \
            if (F##_is_zero(&s)) return NAME##_double(p);                                          \
            return (struct POINT){0};                                                              \
        }                                                                                          \
        const struct F h_2 = F##_double(&h);                                                       \
        const struct F i = F##_square(&h_2);                                                       \
        const struct F j = F##_mul(&h, &i);                                                        \
        const struct F r = F##_double(&s);                                                         \
        const struct F v = F##_mul(&u1, &i);                                                       \
        const struct F r_2 = F##_square(&r);                                                       \
        const struct F v_2 = F##_double(&v);                                                       \
        const struct F j_v2 = F##_add(&j, &v_2);                                                   \
        struct POINT out;                                                                          \
        out.x = F##_sub(&r_2, &j_v2);                                                              \
        const struct F v_x = F##_sub(&v, &out.x);                                                  \
        const struct F r_vx = F##_mul(&r, &v_x);                                                   \
        const struct F s1_j = F##_mul(&s1, &j);                                                    \
        const struct F s1_j2 = F##_double(&s1_j);                                                  \
        out.y = F##_sub(&r_vx, &s1_j2);                                                            \
        const struct F z1_z2 = F##_mul(&p->z, &q->z);                                              \
        const struct F z1_z2_h = F##_mul(&z1_z2, &h);                                              \
        out.z = F##_double(&z1_z2_h);                                                              \
        return out;                                                                                \
    }

JACOBIAN_FORMULAS(fp, jacobian, g1)
JACOBIAN_FORMULAS(fp2, jacobian2, g2)

/* --- G1 */

bool bn254_g1_is_infinity(const struct bn254_g1 *p) {
    return fp_is_zero(&p->x) && fp_is_zero(&p->y);
}

bool bn254_g1_is_on_curve(const struct bn254_g1 *p) {
    static const struct fp three = {
        {0x7a17caa950ad28d7, 0x1f6ac17ae15521b9, 0x334bea4e696bd284, 0x2a1f6744ce179d8e}};
    if (bn254_g1_is_infinity(p)) return true;
    const struct fp y_2 = fp_square(&p->y);
    const struct fp x_2 = fp_square(&p->x);
    const struct fp x_3 = fp_mul(&x_2, &p->x);
    const struct fp right = fp_add(&x_3, &three);
    return fp_equal(&y_2, &right);
}

static struct jacobian g1_lift(const struct bn254_g1 *p) {
    if (bn254_g1_is_infinity(p)) return (struct jacobian){0};
    return (struct jacobian){p->x, p->y, FP_ONE};
}

static struct bn254_g1 g1_flatten(const struct jacobian *p) {
    if (fp_is_zero(&p->z)) return (struct bn254_g1){0};
    const struct fp z = fp_invert(&p->z);
    const struct fp z_2 = fp_square(&z);
    const struct fp z_3 = fp_mul(&z_2, &z);
    return (struct bn254_g1){fp_mul(&p->x, &z_2), fp_mul(&p->y, &z_3)};
}

struct bn254_g1 bn254_g1_add(const struct bn254_g1 *p, const struct bn254_g1 *q) {
    const struct jacobian a = g1_lift(p);
    const struct jacobian b = g1_lift(q);
    const struct jacobian sum = g1_add(&a, &b);
    return g1_flatten(&sum);
}

struct bn254_g1 bn254_g1_mul(const struct bn254_g1 *p, const struct u256 *k) {
    /* Four bits of the scalar at a time, from the top. */
    struct jacobian multiples[16] = {0};
    multiples[1] = g1_lift(p);
    for (int i = 2; i < 16; i++)
        multiples[i] = g1_add(&multiples[i - 1], &multiples[1]);
    struct jacobian sum = {0};
    for (int i = 63; i >= 0; i--) {
        if (!fp_is_zero(&sum.z)) {
            for (int j = 0; j < 4; j++)
                sum = g1_double(&sum);
        }
        const uint64_t digit = k->limb[i / 16] >> (4 * (i % 16)) & 15;
        if (digit != 0) sum = g1_add(&sum, &multiples[digit]);
    }
    return g1_flatten(&sum);
}

/* --- G2 */

bool bn254_g2_is_infinity(const struct bn254_g2 *q) {
    return fp2_is_zero(&q->x) && fp2_is_zero(&q->y);
}

bool bn254_g2_is_on_curve(const struct bn254_g2 *q) {
    static const struct fp2 b = {
        {{0x3bf938e377b802a8, 0x020b1b273633535d, 0x26b7edf049755260, 0x2514c6324384a86d}},
        {{0x38e7ecccd1dcff67, 0x65f0b37d93ce0d3e, 0xd749d0dd22ac00aa, 0x0141b9ce4a688d4d}}};
    if (bn254_g2_is_infinity(q)) return true;
    const struct fp2 y_2 = fp2_square(&q->y);
    const struct fp2 x_2 = fp2_square(&q->x);
    const struct fp2 x_3 = fp2_mul(&x_2, &q->x);
    const struct fp2 right = fp2_add(&x_3, &b);
    return fp2_equal(&y_2, &right);
}

/* psi is the Frobenius map, carried to the twist and back. */
static struct jacobian2 psi(const struct jacobian2 *q) {
    const struct fp2 x = fp2_conjugate(&q->x);
    const struct fp2 y = fp2_conjugate(&q->y);
    return (struct jacobian2){fp2_mul(&x, &BN254_FROBENIUS_X), fp2_mul(&y, &BN254_FROBENIUS_Y),
                              fp2_conjugate(&q->z)};
}

static bool g2_equal(const struct jacobian2 *p, const struct jacobian2 *q) {
    if (fp2_is_zero(&p->z) || fp2_is_zero(&q->z)) {
        return fp2_is_zero(&p->z) && fp2_is_zero(&q->z);
    }
    const struct fp2 p_2 = fp2_square(&p->z);
    const struct fp2 q_2 = fp2_square(&q->z);
    const struct fp2 p_3 = fp2_mul(&p_2, &p->z);
    const struct fp2 q_3 = fp2_mul(&q_2, &q->z);
    const struct fp2 x_left = fp2_mul(&p->x, &q_2);
    const struct fp2 x_right = fp2_mul(&q->x, &p_2);
    const struct fp2 y_left = fp2_mul(&p->y, &q_3);
    const struct fp2 y_right = fp2_mul(&q->y, &p_3);
    return fp2_equal(&x_left, &x_right) && fp2_equal(&y_left, &y_right);
}

bool bn254_g2_is_in_group(const struct bn254_g2 *q) {
    /* With the curve's parameter u: [u+1]Q + psi([u]Q) + psi^2([u]Q) = psi^3([2u]Q) holds for the
     * points of order r only (Y. El Housni, A. Guillevic, T. Piellard, "Co-factor clearing and
     * subgroup membership testing on pairing-friendly curves", eprint 2022/352, section on BN). */
    const uint64_t u = 4965661367192848881u;
    if (bn254_g2_is_infinity(q)) return true;
    const struct jacobian2 point = {q->x, q->y, {FP_ONE, FP_ZERO}};
    struct jacobian2 u_q = point;
    for (int i = 61; i >= 0; i--) { /* u has 63 bits */
        u_q = g2_double(&u_q);
        if (u >> i & 1) u_q = g2_add(&u_q, &point);
    }
    const struct jacobian2 psi_1 = psi(&u_q);
    const struct jacobian2 psi_2 = psi(&psi_1);
    const struct jacobian2 psi_3 = psi(&psi_2);
    struct jacobian2 left = g2_add(&u_q, &point);
    left = g2_add(&left, &psi_1);
    left = g2_add(&left, &psi_2);
    const struct jacobian2 right = g2_double(&psi_3);
    return g2_equal(&left, &right);
}
