/* The optimal Ate pairing of alt_bn128 (eprint 2010/354, algorithms 1, 26, 27; the final
 * exponentiation after M. Scott et al., "On the final exponentiation for calculating pairings on
 * ordinary elliptic curves", eprint 2008/490).  All pairs share one Miller loop and one final
 * exponentiation. */
#include "base/check.h"
#include "evm/bn254.h"

#define CURVE_U 4965661367192848881u

/* A pair in the Miller loop: q runs as t in Jacobian coordinates. */
struct miller {
    struct fp px, py;
    struct fp2 qx, qy;
    struct fp2 tx, ty, tz;
};

/* line_double multiplies f by the tangent at t, taken at P, and doubles t (algorithm 26). */
static void line_double(struct miller *m, struct fp12 *f) {
    const struct fp2 x_2 = fp2_square(&m->tx);
    const struct fp2 y_2 = fp2_square(&m->ty);
    const struct fp2 y_4 = fp2_square(&y_2);
    const struct fp2 z_2 = fp2_square(&m->tz);
    struct fp2 s = fp2_add(&y_2, &m->tx);
    s = fp2_square(&s);
    s = fp2_sub(&s, &x_2);
    s = fp2_sub(&s, &y_4);
    s = fp2_double(&s);
    const struct fp2 x_2_double = fp2_double(&x_2);
    const struct fp2 slope = fp2_add(&x_2_double, &x_2);
    const struct fp2 slope_2 = fp2_square(&slope);
    const struct fp2 x_slope = fp2_add(&m->tx, &slope);

    const struct fp2 s_2 = fp2_double(&s);
    m->tx = fp2_sub(&slope_2, &s_2);
    const struct fp2 y_z = fp2_add(&m->ty, &m->tz);
    struct fp2 z = fp2_square(&y_z);
    z = fp2_sub(&z, &y_2);
    m->tz = fp2_sub(&z, &z_2);
    const struct fp2 s_x = fp2_sub(&s, &m->tx);
    const struct fp2 moved = fp2_mul(&s_x, &slope);
    const struct fp2 y_4_2 = fp2_double(&y_4);
    const struct fp2 y_4_4 = fp2_double(&y_4_2);
    const struct fp2 y_4_8 = fp2_double(&y_4_4);
    m->ty = fp2_sub(&moved, &y_4_8);

    struct fp2 b0 = fp2_mul(&slope, &z_2);
    b0 = fp2_double(&b0);
    b0 = fp2_neg(&b0);
    b0 = fp2_scale(&b0, &m->px);
    struct fp2 b1 = fp2_square(&x_slope);
    const struct fp2 y_2_2 = fp2_double(&y_2);
    const struct fp2 y_2_4 = fp2_double(&y_2_2);
    b1 = fp2_sub(&b1, &x_2);
    b1 = fp2_sub(&b1, &slope_2);
    b1 = fp2_sub(&b1, &y_2_4);
    struct fp2 a0 = fp2_mul(&m->tz, &z_2);
    a0 = fp2_double(&a0);
    a0 = fp2_scale(&a0, &m->py);
    *f = fp12_mul_line(f, &a0, &b0, &b1);
}

/* line_add multiplies f by the line through t and (qx, qy), taken at P, and adds (qx, qy) to t
 * (algorithm 27). */
static void line_add(struct miller *m, const struct fp2 *qx, const struct fp2 *qy, struct fp12 *f) {
    const struct fp2 z_2 = fp2_square(&m->tz);
    const struct fp2 q_y_2 = fp2_square(qy);
    const struct fp2 u = fp2_mul(qx, &z_2);
    struct fp2 t1 = fp2_add(qy, &m->tz);
    t1 = fp2_square(&t1);
    t1 = fp2_sub(&t1, &q_y_2);
    t1 = fp2_sub(&t1, &z_2);
    t1 = fp2_mul(&t1, &z_2);
    const struct fp2 h = fp2_sub(&u, &m->tx);
    const struct fp2 h_2 = fp2_square(&h);
    const struct fp2 h_2_2 = fp2_double(&h_2);
    const struct fp2 h_2_4 = fp2_double(&h_2_2);
    const struct fp2 t5 = fp2_mul(&h_2_4, &h);
    const struct fp2 y_2 = fp2_double(&m->ty);
    const struct fp2 t6 = fp2_sub(&t1, &y_2);
    const struct fp2 t9 = fp2_mul(&t6, qx);
    const struct fp2 t7 = fp2_mul(&m->tx, &h_2_4);

    const struct fp2 t6_2 = fp2_square(&t6);
    const struct fp2 t7_2 = fp2_double(&t7);
    struct fp2 x = fp2_sub(&t6_2, &t5);
    x = fp2_sub(&x, &t7_2);
    struct fp2 z = fp2_add(&m->tz, &h);
    z = fp2_square(&z);
    z = fp2_sub(&z, &z_2);
    z = fp2_sub(&z, &h_2);
    struct fp2 y = fp2_sub(&t7, &x);
    y = fp2_mul(&y, &t6);
    struct fp2 t0 = fp2_mul(&m->ty, &t5);
    t0 = fp2_double(&t0);
    m->tx = x;
    m->ty = fp2_sub(&y, &t0);
    m->tz = z;

    const struct fp2 z_new_2 = fp2_square(&z);
    struct fp2 t10 = fp2_add(qy, &z);
    t10 = fp2_square(&t10);
    t10 = fp2_sub(&t10, &q_y_2);
    t10 = fp2_sub(&t10, &z_new_2);
    const struct fp2 t9_2 = fp2_double(&t9);
    const struct fp2 b1 = fp2_sub(&t9_2, &t10);
    struct fp2 a0 = fp2_scale(&z, &m->py);
    a0 = fp2_double(&a0);
    struct fp2 b0 = fp2_neg(&t6);
    b0 = fp2_scale(&b0, &m->px);
    b0 = fp2_double(&b0);
    *f = fp12_mul_line(f, &a0, &b0, &b1);
}

/* line_frobenius adds the last two lines: through pi(Q) and -pi^2(Q). */
static void line_frobenius(struct miller *m, struct fp12 *f) {
    const struct fp2 x_bar = fp2_conjugate(&m->qx);
    const struct fp2 y_bar = fp2_conjugate(&m->qy);
    const struct fp2 x_1 = fp2_mul(&x_bar, &BN254_FROBENIUS_X);
    const struct fp2 y_1 = fp2_mul(&y_bar, &BN254_FROBENIUS_Y);
    const struct fp2 x_1_bar = fp2_conjugate(&x_1);
    const struct fp2 y_1_bar = fp2_conjugate(&y_1);
    const struct fp2 x_2 = fp2_mul(&x_1_bar, &BN254_FROBENIUS_X);
    const struct fp2 y_2 = fp2_mul(&y_1_bar, &BN254_FROBENIUS_Y);
    const struct fp2 y_2_minus = fp2_neg(&y_2);
    line_add(m, &x_1, &y_1, f);
    line_add(m, &x_2, &y_2_minus, f);
}

static struct fp12 miller_loop(struct miller *pairs, size_t count) {
    /* 6u + 2 in binary, below its top bit (2^64). */
    const uint64_t bits = 6 * CURVE_U + 2; /* modulo 2^64 */
    struct fp12 f = fp12_one();
    for (int i = 63; i >= 0; i--) {
        f = fp12_square(&f);
        for (size_t j = 0; j < count; j++) {
            line_double(&pairs[j], &f);
            if (bits >> i & 1) line_add(&pairs[j], &pairs[j].qx, &pairs[j].qy, &f);
        }
    }
    for (size_t j = 0; j < count; j++)
        line_frobenius(&pairs[j], &f);
    return f;
}

static struct fp12 power_u(const struct fp12 *x) {
    struct fp12 out = *x;
    for (int i = 61; i >= 0; i--) {
        out = fp12_cyclotomic_square(&out);
        if (CURVE_U >> i & 1) out = fp12_mul(&out, x);
    }
    return out;
}

static struct fp12 final_exponentiation(const struct fp12 *in) {
    /* The easy part: in^((p^6 - 1)(p^2 + 1)). */
    const struct fp12 inverse = fp12_invert(in);
    struct fp12 f = fp12_conjugate(in);
    f = fp12_mul(&f, &inverse);
    const struct fp12 raised = fp12_frobenius_2(&f);
    f = fp12_mul(&f, &raised);

    /* The hard part; inverses are conjugates from here on. */
    const struct fp12 f_u = power_u(&f);
    const struct fp12 f_u2 = power_u(&f_u);
    const struct fp12 f_u3 = power_u(&f_u2);
    const struct fp12 f_p = fp12_frobenius(&f);
    const struct fp12 f_p2 = fp12_frobenius_2(&f);
    const struct fp12 f_p3 = fp12_frobenius(&f_p2);
    const struct fp12 f_u_p = fp12_frobenius(&f_u);
    const struct fp12 f_u2_p = fp12_frobenius(&f_u2);
    const struct fp12 f_u3_p = fp12_frobenius(&f_u3);
    const struct fp12 y2 = fp12_frobenius_2(&f_u2);
    const struct fp12 p12 = fp12_mul(&f_p, &f_p2);
    const struct fp12 y0 = fp12_mul(&p12, &f_p3);
    const struct fp12 y1 = fp12_conjugate(&f);
    const struct fp12 y3 = fp12_conjugate(&f_u_p);
    const struct fp12 y4_minus = fp12_mul(&f_u, &f_u2_p);
    const struct fp12 y4 = fp12_conjugate(&y4_minus);
    const struct fp12 y5 = fp12_conjugate(&f_u2);
    const struct fp12 y6_minus = fp12_mul(&f_u3, &f_u3_p);
    const struct fp12 y6 = fp12_conjugate(&y6_minus);

    struct fp12 t0 = fp12_cyclotomic_square(&y6);
    t0 = fp12_mul(&t0, &y4);
    t0 = fp12_mul(&t0, &y5);
    struct fp12 t1 = fp12_mul(&y3, &y5);
    t1 = fp12_mul(&t1, &t0);
    t0 = fp12_mul(&t0, &y2);
    t1 = fp12_cyclotomic_square(&t1);
    t1 = fp12_mul(&t1, &t0);
    t1 = fp12_cyclotomic_square(&t1);
    t0 = fp12_mul(&t1, &y1);
    t1 = fp12_mul(&t1, &y0);
    t0 = fp12_cyclotomic_square(&t0);
    return fp12_mul(&t0, &t1);
}

bool bn254_pairing_check(const struct bn254_pair *pairs, size_t count, struct arena *scratch,
                         bool *error) {
    *error = false;
    struct miller *loop = arena_alloc(scratch, count * sizeof *loop);
    if (loop == NULL) {
        *error = true;
        return false;
    }
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (bn254_g1_is_infinity(&pairs[i].p) || bn254_g2_is_infinity(&pairs[i].q)) continue;
        loop[used++] = (struct miller){.px = pairs[i].p.x,
                                       .py = pairs[i].p.y,
                                       .qx = pairs[i].q.x,
                                       .qy = pairs[i].q.y,
                                       .tx = pairs[i].q.x,
                                       .ty = pairs[i].q.y,
                                       .tz = {FP_ONE, FP_ZERO}};
    }
    if (used == 0) return true;
    const struct fp12 product = miller_loop(loop, used);
    const struct fp12 result = final_exponentiation(&product);
    return fp12_is_one(&result);
}
