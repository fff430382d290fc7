#include "tests/differential/contract_inputs.h"

#include <blst.h>

#include "base/check.h"
#include "evm/bn254.h"

static uint64_t next(uint64_t *random) {
    *random += 0x9e3779b97f4a7c15u;
    uint64_t z = *random;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void append_random(struct buffer *out, size_t size, uint64_t *random) {
    for (size_t i = 0; i < size; i++)
        buffer_append_byte(out, (uint8_t)next(random));
}

static void append_number(struct buffer *out, uint64_t number) {
    for (int i = 0; i < 24; i++)
        buffer_append_byte(out, 0);
    buffer_append_be(out, 8, number);
}

/* --- alt_bn128 */

static struct fp fp_small(uint64_t number) {
    uint8_t bytes[32] = {0};
    be_write(bytes + 24, 8, number);
    struct fp out;
    CHECK(fp_read(bytes, &out));
    return out;
}

static void append_fp(struct buffer *out, const struct fp *a) {
    uint8_t bytes[32];
    fp_write(a, bytes);
    buffer_append(out, BYTES_OF(bytes));
}

static void append_g1(struct buffer *out, uint64_t *random) {
    struct bn254_g1 p = {fp_small(1), fp_small(2)};
    const struct u256 k = {{next(random) % 5 == 0 ? next(random) % 3 : next(random), next(random),
                            next(random), next(random)}};
    const struct u256 small = u256_from_u64(next(random) % 4);
    p = bn254_g1_mul(&p, next(random) % 3 == 0 ? &small : &k);
    append_fp(out, &p.x);
    append_fp(out, &p.y);
}

/* fp_root is a^((p + 1) / 4): a root of a, if a is a square. */
static struct fp fp_root(const struct fp *a) {
    static const uint64_t exponent[4] = {0x4f082305b61f3f52, 0x65e05aa45a1c72a3, 0x6e14116da0605617,
                                         0x0c19139cb84c680a};
    struct fp out = FP_ONE;
    for (int i = 255; i >= 0; i--) {
        out = fp_square(&out);
        if (exponent[i / 64] >> (i % 64) & 1) out = fp_mul(&out, a);
    }
    return out;
}

static bool fp_root_of(const struct fp *a, struct fp *out) {
    *out = fp_root(a);
    const struct fp square = fp_square(out);
    return fp_equal(&square, a);
}

/* fp2_root_of: the complex method, for p = 3 mod 4. */
static bool fp2_root_of(const struct fp2 *a, struct fp2 *out) {
    const struct fp a_2 = fp_square(&a->a);
    const struct fp b_2 = fp_square(&a->b);
    const struct fp norm = fp_add(&a_2, &b_2);
    struct fp root;
    if (!fp_root_of(&norm, &root)) return false;
    const struct fp two = fp_small(2);
    const struct fp half = fp_invert(&two);
    struct fp sum = fp_add(&a->a, &root);
    sum = fp_mul(&sum, &half);
    struct fp real;
    if (!fp_root_of(&sum, &real)) {
        sum = fp_sub(&a->a, &root);
        sum = fp_mul(&sum, &half);
        if (!fp_root_of(&sum, &real)) return false;
    }
    const struct fp twice = fp_double(&real);
    const struct fp inverse = fp_invert(&twice);
    *out = (struct fp2){real, fp_mul(&a->b, &inverse)};
    const struct fp2 square = fp2_square(out);
    return fp2_equal(&square, a);
}

static struct bn254_g2 g2_generator(void) {
    static const uint8_t bytes[128] = {
        0x19, 0x8e, 0x93, 0x93, 0x92, 0x0d, 0x48, 0x3a, 0x72, 0x60, 0xbf, 0xb7, 0x31, 0xfb, 0x5d,
        0x25, 0xf1, 0xaa, 0x49, 0x33, 0x35, 0xa9, 0xe7, 0x12, 0x97, 0xe4, 0x85, 0xb7, 0xae, 0xf3,
        0x12, 0xc2, 0x18, 0x00, 0xde, 0xef, 0x12, 0x1f, 0x1e, 0x76, 0x42, 0x6a, 0x00, 0x66, 0x5e,
        0x5c, 0x44, 0x79, 0x67, 0x43, 0x22, 0xd4, 0xf7, 0x5e, 0xda, 0xdd, 0x46, 0xde, 0xbd, 0x5c,
        0xd9, 0x92, 0xf6, 0xed, 0x09, 0x06, 0x89, 0xd0, 0x58, 0x5f, 0xf0, 0x75, 0xec, 0x9e, 0x99,
        0xad, 0x69, 0x0c, 0x33, 0x95, 0xbc, 0x4b, 0x31, 0x33, 0x70, 0xb3, 0x8e, 0xf3, 0x55, 0xac,
        0xda, 0xdc, 0xd1, 0x22, 0x97, 0x5b, 0x12, 0xc8, 0x5e, 0xa5, 0xdb, 0x8c, 0x6d, 0xeb, 0x4a,
        0xab, 0x71, 0x80, 0x8d, 0xcb, 0x40, 0x8f, 0xe3, 0xd1, 0xe7, 0x69, 0x0c, 0x43, 0xd3, 0x7b,
        0x4c, 0xe6, 0xcc, 0x01, 0x66, 0xfa, 0x7d, 0xaa};
    struct bn254_g2 g;
    CHECK(fp_read(bytes, &g.x.b) && fp_read(bytes + 32, &g.x.a));
    CHECK(fp_read(bytes + 64, &g.y.b) && fp_read(bytes + 96, &g.y.a));
    return g;
}

/* g2_add adds points that are no opposites, by the chord or the tangent. */
static struct bn254_g2 g2_add(const struct bn254_g2 *p, const struct bn254_g2 *q) {
    struct fp2 dy = fp2_sub(&q->y, &p->y);
    struct fp2 dx = fp2_sub(&q->x, &p->x);
    if (fp2_is_zero(&dx)) {
        const struct fp2 x_2 = fp2_square(&p->x);
        const struct fp2 x_2_double = fp2_double(&x_2);
        dy = fp2_add(&x_2_double, &x_2);
        dx = fp2_double(&p->y);
    }
    const struct fp2 inverse = fp2_invert(&dx);
    const struct fp2 slope = fp2_mul(&dy, &inverse);
    struct fp2 x = fp2_square(&slope);
    x = fp2_sub(&x, &p->x);
    x = fp2_sub(&x, &q->x);
    const struct fp2 run = fp2_sub(&p->x, &x);
    const struct fp2 rise = fp2_mul(&slope, &run);
    return (struct bn254_g2){x, fp2_sub(&rise, &p->y)};
}

/* g2_anywhere is a point on the twist, of the right order hardly ever. */
static struct bn254_g2 g2_anywhere(uint64_t *random) {
    const struct bn254_g2 g = g2_generator();
    const struct fp2 g_y_2 = fp2_square(&g.y);
    const struct fp2 g_x_2 = fp2_square(&g.x);
    const struct fp2 g_x_3 = fp2_mul(&g_x_2, &g.x);
    const struct fp2 b = fp2_sub(&g_y_2, &g_x_3);
    for (;;) {
        struct bn254_g2 q = {{fp_small(next(random)), fp_small(next(random))}, {{{0}}, {{0}}}};
        const struct fp2 x_2 = fp2_square(&q.x);
        const struct fp2 x_3 = fp2_mul(&x_2, &q.x);
        const struct fp2 right = fp2_add(&x_3, &b);
        if (fp2_root_of(&right, &q.y)) return q;
    }
}

static struct bn254_g2 g2_random(uint64_t *random) {
    const struct bn254_g2 g = g2_generator();
    if (next(random) % 12 == 0) return (struct bn254_g2){0};
    if (next(random) % 12 == 0) return g2_anywhere(random);
    struct bn254_g2 q = g;
    for (uint64_t left = next(random) % 6; left > 0; left--)
        q = g2_add(&q, next(random) % 2 == 0 ? &q : &g);
    if (next(random) % 2 == 0) q.y = fp2_neg(&q.y);
    return q;
}

static void append_g2(struct buffer *out, const struct bn254_g2 *q) {
    append_fp(out, &q->x.b);
    append_fp(out, &q->x.a);
    append_fp(out, &q->y.b);
    append_fp(out, &q->y.a);
}

/* pairing_input: sums that are one (a pair and its opposite) as often as not. */
static void pairing_input(struct buffer *out, uint64_t *random) {
    const uint64_t pairs = next(random) % 3;
    for (uint64_t i = 0; i < pairs; i++) {
        const size_t start = out->size;
        append_g1(out, random);
        struct bn254_g2 q = g2_random(random);
        append_g2(out, &q);
        if (next(random) % 2 != 0 || bn254_g2_is_infinity(&q)) continue;
        buffer_append(out, (struct bytes){out->data + start, 64});
        q.y = fp2_neg(&q.y);
        append_g2(out, &q);
    }
}

/* --- BLS12-381: points made by its maps from fields */

static void append_bls_fp(struct buffer *out, const blst_fp *a) {
    uint8_t bytes[64] = {0};
    blst_bendian_from_fp(bytes + 16, a);
    buffer_append(out, BYTES_OF(bytes));
}

static blst_fp bls_fp(uint64_t *random) {
    uint64_t limbs[6] = {next(random), next(random), next(random), 0, 0, 0};
    blst_fp out;
    blst_fp_from_uint64(&out, limbs);
    return out;
}

static void append_bls_g1(struct buffer *out, uint64_t *random) {
    const blst_fp u = bls_fp(random);
    blst_p1 p;
    blst_p1_affine affine = {0};
    blst_map_to_g1(&p, &u, NULL);
    if (next(random) % 10 != 0) blst_p1_to_affine(&affine, &p);
    append_bls_fp(out, &affine.x);
    append_bls_fp(out, &affine.y);
}

static void append_bls_g2(struct buffer *out, uint64_t *random) {
    const blst_fp2 u = {{bls_fp(random), bls_fp(random)}};
    blst_p2 p;
    blst_p2_affine affine = {0};
    blst_map_to_g2(&p, &u, NULL);
    if (next(random) % 10 != 0) blst_p2_to_affine(&affine, &p);
    append_bls_fp(out, &affine.x.fp[0]);
    append_bls_fp(out, &affine.x.fp[1]);
    append_bls_fp(out, &affine.y.fp[0]);
    append_bls_fp(out, &affine.y.fp[1]);
}

static void bls_input(uint16_t address, struct buffer *out, uint64_t *random) {
    const uint64_t count = 1 + next(random) % 3;
    for (uint64_t i = 0; i < (address == 0x0b || address == 0x0d ? 2 : count); i++) {
        if (address == 0x0b || address == 0x0c || address == 0x0f) append_bls_g1(out, random);
        if (address == 0x0d || address == 0x0e || address == 0x0f) append_bls_g2(out, random);
        if (address == 0x0c || address == 0x0e) append_random(out, 32, random);
        if (address < 0x10) continue;
        const blst_fp u = bls_fp(random);
        if (i <= (address == 0x11)) append_bls_fp(out, &u);
    }
}

/* --- the others */

static void modexp_input(struct buffer *out, uint64_t *random) {
    const uint64_t sizes[3] = {next(random) % 70, next(random) % 36, next(random) % 70};
    for (int i = 0; i < 3; i++)
        append_number(out, sizes[i]);
    for (int i = 0; i < 3; i++)
        append_random(out, sizes[i], random);
    const uint64_t zeros = next(random) % (sizes[2] + 1);
    if (next(random) % 2 == 0) memset(out->data + out->size - zeros, 0, zeros);
}

static void ecrecover_input(struct buffer *out, uint64_t *random) {
    append_random(out, 32, random);
    append_number(out, 27 + next(random) % 2);
    append_random(out, 64, random);
}

static void blake2f_input(struct buffer *out, uint64_t *random) {
    buffer_append_be(out, 4, next(random) % 40);
    append_random(out, 208, random);
    buffer_append_byte(out, next(random) % 2);
}

uint16_t contract_input(uint64_t *random, struct buffer *out) {
    const uint16_t address = (uint16_t)(1 + next(random) % 0x11);
    switch (address) {
    case 1: ecrecover_input(out, random); break;
    case 5: modexp_input(out, random); break;
    case 6:
        append_g1(out, random);
        append_g1(out, random);
        break;
    case 7:
        append_g1(out, random);
        append_random(out, 32, random);
        break;
    case 8: pairing_input(out, random); break;
    case 9: blake2f_input(out, random); break;
    case 0x0a: append_random(out, 192, random); break;
    default:
        if (address < 0x0a) {
            append_random(out, next(random) % 200, random);
        } else {
            bls_input(address, out, random);
        }
    }
    CHECK(!out->overflow);
    if (next(random) % 8 == 0 && out->size > 0) {
        out->data[next(random) % out->size] ^= (uint8_t)(1 << next(random) % 8);
    }
    if (next(random) % 16 == 0) out->size -= next(random) % (out->size + 1);
    return address;
}
