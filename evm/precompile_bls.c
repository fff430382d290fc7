/* Operations on BLS12-381 (EIP-2537), by blst: add, multi-scalar multiplication, pairing check, and
 * maps from fields to curves. */
#include <blst.h>
#include <string.h>

#include "base/u256.h"
#include "evm/precompile.h"

#define FP_BYTES     64 /* of which 16 zeros */
#define G1_BYTES     128
#define G2_BYTES     256
#define SCALAR_BYTES 32
#define PAIRS_CHUNK  16 /* pairs of one shared Miller loop */

/* The price of k multiplications is k * discount / 1000 of one (EIP-2537's tables; k from 1). */
#define DISCOUNTS 128
static const uint16_t g1_discounts[DISCOUNTS] = {
    1000, 949, 848, 797, 764, 750, 738, 728, 719, 712, 705, 698, 692, 687, 682, 677, 673, 669, 665,
    661,  658, 654, 651, 648, 645, 642, 640, 637, 635, 632, 630, 627, 625, 623, 621, 619, 617, 615,
    613,  611, 609, 608, 606, 604, 603, 601, 599, 598, 596, 595, 593, 592, 591, 589, 588, 586, 585,
    584,  582, 581, 580, 579, 577, 576, 575, 574, 573, 572, 570, 569, 568, 567, 566, 565, 564, 563,
    562,  561, 560, 559, 558, 557, 556, 555, 554, 553, 552, 551, 550, 549, 548, 547, 547, 546, 545,
    544,  543, 542, 541, 540, 540, 539, 538, 537, 536, 536, 535, 534, 533, 532, 532, 531, 530, 529,
    528,  528, 527, 526, 525, 525, 524, 523, 522, 522, 521, 520, 520, 519};
static const uint16_t g2_discounts[DISCOUNTS] = {
    1000, 1000, 923, 884, 855, 832, 812, 796, 782, 770, 759, 749, 740, 732, 724, 717, 711, 704, 699,
    693,  688,  683, 679, 674, 670, 666, 663, 659, 655, 652, 649, 646, 643, 640, 637, 634, 632, 629,
    627,  624,  622, 620, 618, 615, 613, 611, 609, 607, 606, 604, 602, 600, 598, 597, 595, 593, 592,
    590,  589,  587, 586, 584, 583, 582, 580, 579, 578, 576, 575, 574, 573, 571, 570, 569, 568, 567,
    566,  565,  563, 562, 561, 560, 559, 558, 557, 556, 555, 554, 553, 552, 552, 551, 550, 549, 548,
    547,  546,  545, 545, 544, 543, 542, 541, 541, 540, 539, 538, 537, 537, 536, 535, 535, 534, 533,
    532,  532,  531, 530, 530, 529, 528, 528, 527, 526, 526, 525, 524, 524};

/* --- encodings */

static bool bls_fp_read(const uint8_t in[FP_BYTES], blst_fp *out) {
    static const uint8_t modulus[48] = {0x1a, 0x01, 0x11, 0xea, 0x39, 0x7f, 0xe6, 0x9a, 0x4b, 0x1b,
                                        0xa7, 0xb6, 0x43, 0x4b, 0xac, 0xd7, 0x64, 0x77, 0x4b, 0x84,
                                        0xf3, 0x85, 0x12, 0xbf, 0x67, 0x30, 0xd2, 0xa0, 0xf6, 0xb0,
                                        0xf6, 0x24, 0x1e, 0xab, 0xff, 0xfe, 0xb1, 0x53, 0xff, 0xff,
                                        0xb9, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xaa, 0xab};
    static const uint8_t zeros[16];
    if (memcmp(in, zeros, sizeof zeros) != 0) return false;
    if (memcmp(in + 16, modulus, sizeof modulus) >= 0) return false;
    blst_fp_from_bendian(out, in + 16);
    return true;
}

static void bls_fp_append(struct buffer *out, const blst_fp *a) {
    uint8_t bytes[FP_BYTES] = {0};
    blst_bendian_from_fp(bytes + 16, a);
    buffer_append(out, BYTES_OF(bytes));
}

static bool bls_fp2_read(const uint8_t in[2 * FP_BYTES], blst_fp2 *out) {
    return bls_fp_read(in, &out->fp[0]) && bls_fp_read(in + FP_BYTES, &out->fp[1]);
}

/* All zeros are the point at infinity, which blst's affine points also are as zeros. */
static bool bls_g1_read(const uint8_t *in, blst_p1_affine *out) {
    return bls_fp_read(in, &out->x) && bls_fp_read(in + FP_BYTES, &out->y) &&
           (blst_p1_affine_is_inf(out) || blst_p1_affine_on_curve(out));
}

static bool bls_g2_read(const uint8_t *in, blst_p2_affine *out) {
    return bls_fp2_read(in, &out->x) && bls_fp2_read(in + 2 * FP_BYTES, &out->y) &&
           (blst_p2_affine_is_inf(out) || blst_p2_affine_on_curve(out));
}

static void bls_g1_append(struct buffer *out, const blst_p1 *p) {
    blst_p1_affine affine;
    blst_p1_to_affine(&affine, p);
    bls_fp_append(out, &affine.x);
    bls_fp_append(out, &affine.y);
}

static void bls_g2_append(struct buffer *out, const blst_p2 *p) {
    blst_p2_affine affine;
    blst_p2_to_affine(&affine, p);
    bls_fp_append(out, &affine.x.fp[0]);
    bls_fp_append(out, &affine.x.fp[1]);
    bls_fp_append(out, &affine.y.fp[0]);
    bls_fp_append(out, &affine.y.fp[1]);
}

/* scalar_read reduces modulo the group's order, little-endian as blst wants it. */
static void scalar_read(const uint8_t in[SCALAR_BYTES], uint8_t out[SCALAR_BYTES]) {
    static const struct u256 order = {
        {0xffffffff00000001, 0x53bda402fffe5bfe, 0x3339d80809a1d805, 0x73eda753299d7d48}};
    struct u256 scalar = u256_from_be((struct bytes){in, SCALAR_BYTES});
    scalar = u256_mod(&scalar, &order);
    for (size_t i = 0; i < SCALAR_BYTES; i++)
        out[i] = (uint8_t)(scalar.limb[i / 8] >> (8 * (i % 8)));
}

/* --- addition */

uint64_t bls_g1_add_gas(struct bytes input) {
    (void)input;
    return 375;
}
bool bls_g1_add_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    blst_p1_affine a, b;
    blst_p1 lifted, sum;
    if (input.size != 2 * G1_BYTES) return false;
    if (!bls_g1_read(input.data, &a) || !bls_g1_read(input.data + G1_BYTES, &b)) return false;
    blst_p1_from_affine(&lifted, &a);
    blst_p1_add_or_double_affine(&sum, &lifted, &b);
    bls_g1_append(out, &sum);
    return true;
}

uint64_t bls_g2_add_gas(struct bytes input) {
    (void)input;
    return 600;
}
bool bls_g2_add_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    blst_p2_affine a, b;
    blst_p2 lifted, sum;
    if (input.size != 2 * G2_BYTES) return false;
    if (!bls_g2_read(input.data, &a) || !bls_g2_read(input.data + G2_BYTES, &b)) return false;
    blst_p2_from_affine(&lifted, &a);
    blst_p2_add_or_double_affine(&sum, &lifted, &b);
    bls_g2_append(out, &sum);
    return true;
}

/* --- multi-scalar multiplication (Pippenger's algorithm) */

static uint64_t msm_gas(size_t count, uint64_t one, const uint16_t *discounts) {
    if (count == 0) return 0;
    const size_t index = count < DISCOUNTS ? count - 1 : DISCOUNTS - 1;
    return count * one * discounts[index] / 1000;
}

uint64_t bls_g1_msm_gas(struct bytes input) {
    return msm_gas(input.size / (G1_BYTES + SCALAR_BYTES), 12000, g1_discounts);
}
uint64_t bls_g2_msm_gas(struct bytes input) {
    return msm_gas(input.size / (G2_BYTES + SCALAR_BYTES), 22500, g2_discounts);
}

/* One text for both groups.  Points at infinity add nothing and are left out. */
#define MSM_RUN(G, P)                                                                              \
    bool bls_##G##_msm_run(struct bytes input, struct arena *scratch, struct buffer *out) {        \
        const size_t point_bytes = sizeof(blst_##P##_affine) / sizeof(blst_fp) * FP_BYTES;         \
        const size_t pair_bytes = point_bytes + SCALAR_BYTES;                                      \
        if (input.size == 0 || input.size % pair_bytes != 0) return false;                         \
        const size_t count_max = input.size / pair_bytes;                                          \
        blst_##P##_affine *points = arena_array(scratch, count_max, sizeof *points);               \
        uint8_t *scalars = arena_array(scratch, count_max, SCALAR_BYTES);                          \
        limb_t *working =                                                                          \
            arena_alloc(scratch, blst_##P##s_mult_pippenger_scratch_sizeof(count_max));            \
        if (points == NULL || scalars == NULL || working == NULL) return precompile_no_room(out);  \
        size_t count = 0;                                                                          \
        for (size_t i = 0; i < count_max; i++) {                                                   \
            const uint8_t *in = input.data + pair_bytes * i;                                       \
            if (!bls_##G##_read(in, &points[count])) return false;                                 \
            if (blst_##P##_affine_is_inf(&points[count])) continue;                                \
            if (!blst_##P##_affine_in_##G(&points[count])) return false;                           \
            scalar_read(in + point_bytes, scalars + SCALAR_BYTES * count);                         \
            count++;                                                                               \
        }                                                                                          \
        blst_##P sum = {0};                                                                        \
        if (count == 1) {                                                                          \
            blst_##P lifted;                                                                       \
            blst_##P##_from_affine(&lifted, points);                                               \
            blst_##P##_mult(&sum, &lifted, scalars, 255);                                          \
        } else if (count > 1) {                                                                    \
            const blst_##P##_affine *const all_points[2] = {points, NULL};                         \
            const byte *const all_scalars[2] = {scalars, NULL};                                    \
            blst_##P##s_mult_pippenger(&sum, all_points, count, all_scalars, 255, working);        \
        }                                                                                          \
        bls_##G##_append(out, &sum);                                                               \
        return true;                                                                               \
    }
MSM_RUN(g1, p1)
MSM_RUN(g2, p2)

/* --- pairing check */

uint64_t bls_pairing_gas(struct bytes input) {
    return 37700 + 32600 * (uint64_t)(input.size / (G1_BYTES + G2_BYTES));
}

/* pairs_multiply multiplies *product by the Miller loops of `count` pairs. */
static void pairs_multiply(const blst_p1_affine *p, const blst_p2_affine *q, size_t count,
                           blst_fp12 *product) {
    if (count == 0) return;
    const blst_p1_affine *const all_p[2] = {p, NULL};
    const blst_p2_affine *const all_q[2] = {q, NULL};
    blst_fp12 loop;
    blst_miller_loop_n(&loop, all_q, all_p, count);
    blst_fp12_mul(product, product, &loop);
}

bool bls_pairing_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    const size_t pair_bytes = G1_BYTES + G2_BYTES;
    if (input.size == 0 || input.size % pair_bytes != 0) return false;
    blst_p1_affine p[PAIRS_CHUNK];
    blst_p2_affine q[PAIRS_CHUNK];
    blst_fp12 product = *blst_fp12_one();
    size_t count = 0;
    for (size_t at = 0; at < input.size; at += pair_bytes) {
        const uint8_t *in = input.data + at;
        if (!bls_g1_read(in, &p[count]) || !bls_g2_read(in + G1_BYTES, &q[count])) return false;
        if (!blst_p1_affine_in_g1(&p[count]) || !blst_p2_affine_in_g2(&q[count])) return false;
        if (blst_p1_affine_is_inf(&p[count]) || blst_p2_affine_is_inf(&q[count])) continue;
        if (++count < PAIRS_CHUNK) continue;
        pairs_multiply(p, q, count, &product);
        count = 0;
    }
    pairs_multiply(p, q, count, &product);
    blst_final_exp(&product, &product);
    uint8_t word[32] = {0};
    word[31] = blst_fp12_is_one(&product);
    buffer_append(out, BYTES_OF(word));
    return true;
}

/* --- maps */

uint64_t bls_map_g1_gas(struct bytes input) {
    (void)input;
    return 5500;
}
bool bls_map_g1_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    blst_fp element;
    blst_p1 point;
    if (input.size != FP_BYTES || !bls_fp_read(input.data, &element)) return false;
    blst_map_to_g1(&point, &element, NULL);
    bls_g1_append(out, &point);
    return true;
}

uint64_t bls_map_g2_gas(struct bytes input) {
    (void)input;
    return 23800;
}
bool bls_map_g2_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    blst_fp2 element;
    blst_p2 point;
    if (input.size != 2 * FP_BYTES || !bls_fp2_read(input.data, &element)) return false;
    blst_map_to_g2(&point, &element, NULL);
    bls_g2_append(out, &point);
    return true;
}
