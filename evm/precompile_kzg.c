/* KZG point evaluation (EIP-4844): the proof that a committed polynomial has value y at z, checked
 * by e(C - [y]G1, G2) = e(proof, [tau - z]G2) with blst. */
#include <blst.h>
#include <string.h>

#include "base/check.h"
#include "base/merkle.h"
#include "evm/precompile.h"

#define INPUT_BYTES 192

/* [tau]G2, compressed: the one value of the public KZG ceremony's result that the check needs
 * (trusted_setup.txt of c-kzg, the second of the G2 powers). */
static const uint8_t tau_g2[96] = {
    0xb5, 0xbf, 0xd7, 0xdd, 0x8c, 0xde, 0xb1, 0x28, 0x84, 0x3b, 0xc2, 0x87, 0x23, 0x0a, 0xf3, 0x89,
    0x26, 0x18, 0x70, 0x75, 0xcb, 0xfb, 0xef, 0xa8, 0x10, 0x09, 0xa2, 0xce, 0x61, 0x5a, 0xc5, 0x3d,
    0x29, 0x14, 0xe5, 0x87, 0x0c, 0xb4, 0x52, 0xd2, 0xaf, 0xaa, 0xab, 0x24, 0xf3, 0x49, 0x9f, 0x72,
    0x18, 0x5c, 0xbf, 0xee, 0x53, 0x49, 0x27, 0x14, 0x73, 0x44, 0x29, 0xb7, 0xb3, 0x86, 0x08, 0xe2,
    0x39, 0x26, 0xc9, 0x11, 0xcc, 0xec, 0xea, 0xc9, 0xa3, 0x68, 0x51, 0x47, 0x7b, 0xa4, 0xc6, 0x0b,
    0x08, 0x70, 0x41, 0xde, 0x62, 0x10, 0x00, 0xed, 0xc9, 0x8e, 0xda, 0xda, 0x20, 0xc1, 0xde, 0xf2};

/* What a valid proof returns: 4096 field elements in a blob, and the scalar field's modulus. */
static const uint8_t answer[64] = {
    [30] = 0x10, [32] = 0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39,
    0xd8,        0x08,        0x09, 0xa1, 0xd8, 0x05, 0x53, 0xbd, 0xa4, 0x02, 0xff,
    0xfe,        0x5b,        0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01};

uint64_t kzg_point_gas(struct bytes input) {
    (void)input;
    return 50000;
}

static bool g1_read(const uint8_t *in, blst_p1_affine *out) {
    return blst_p1_uncompress(out, in) == BLST_SUCCESS && blst_p1_affine_in_g1(out);
}

static bool scalar_read(const uint8_t *in, blst_scalar *out) {
    blst_scalar_from_bendian(out, in);
    return blst_scalar_fr_check(out);
}

/* difference_g1 is C - [y]G1. */
static blst_p1_affine difference_g1(const blst_p1_affine *commitment, const blst_scalar *y) {
    blst_p1 y_g1, difference;
    blst_p1_affine out;
    blst_p1_mult(&y_g1, blst_p1_generator(), y->b, 255);
    blst_p1_cneg(&y_g1, true);
    blst_p1_add_or_double_affine(&difference, &y_g1, commitment);
    blst_p1_to_affine(&out, &difference);
    return out;
}

/* difference_g2 is [tau - z]G2. */
static blst_p2_affine difference_g2(const blst_scalar *z) {
    blst_p2_affine tau, out;
    CHECK(blst_p2_uncompress(&tau, tau_g2) == BLST_SUCCESS);
    blst_p2 z_g2, difference;
    blst_p2_mult(&z_g2, blst_p2_generator(), z->b, 255);
    blst_p2_cneg(&z_g2, true);
    blst_p2_add_or_double_affine(&difference, &z_g2, &tau);
    blst_p2_to_affine(&out, &difference);
    return out;
}

static bool verify(const blst_p1_affine *commitment, const blst_scalar *z, const blst_scalar *y,
                   const blst_p1_affine *proof) {
    const blst_p1_affine left_g1 = difference_g1(commitment, y);
    const blst_p2_affine right_g2 = difference_g2(z);
    blst_fp12 left, right;
    blst_miller_loop(&left, blst_p2_affine_generator(), &left_g1);
    blst_miller_loop(&right, &right_g2, proof);
    return blst_fp12_finalverify(&left, &right);
}

bool kzg_point_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    if (input.size != INPUT_BYTES) return false;
    const uint8_t *in = input.data;
    struct hash32 versioned = sha256((struct bytes){in + 96, 48});
    versioned.bytes[0] = 0x01;
    if (memcmp(versioned.bytes, in, sizeof versioned.bytes) != 0) return false;
    blst_scalar z, y;
    blst_p1_affine commitment, proof;
    if (!scalar_read(in + 32, &z) || !scalar_read(in + 64, &y)) return false;
    if (!g1_read(in + 96, &commitment) || !g1_read(in + 144, &proof)) return false;
    if (!verify(&commitment, &z, &y, &proof)) return false;
    buffer_append(out, BYTES_OF(answer));
    return true;
}
