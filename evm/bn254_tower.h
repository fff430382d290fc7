#pragma once
/* The field that pairings of alt_bn128 live in: Fp6 = Fp2[v] / (v^3 - xi), Fp12 = Fp6[w] / (w^2 -
 * v) with xi = 9 + i (J.-L. Beuchat et al., "High-Speed Software Implementation of the Optimal Ate
 * Pairing over Barreto-Naehrig Curves", eprint 2010/354).  Internal to evm/. */
#include "evm/bn254_field.h"

struct fp6 {
    struct fp2 c[3]; /* of 1, v, v^2 */
};
struct fp12 {
    struct fp6 a, b; /* a + b w */
};

/* The field's operations; fp12_invert gives zero for zero. */
/* Arithmetic in Fp12; fp12_conjugate negates w (the inverse, for what the easy part of the final
 * exponentiation left), fp12_invert gives zero for zero. */
struct fp12 fp12_one(void);
bool fp12_is_one(const struct fp12 *x);
struct fp12 fp12_mul(const struct fp12 *x, const struct fp12 *y);
struct fp12 fp12_square(const struct fp12 *x);
struct fp12 fp12_invert(const struct fp12 *x);
struct fp12 fp12_conjugate(const struct fp12 *x);
/* fp12_mul_line multiplies by a0 + (b0 + b1 v) w, the form of a line function. */
struct fp12 fp12_mul_line(const struct fp12 *x, const struct fp2 *a0, const struct fp2 *b0,
                          const struct fp2 *b1);
/* fp12_frobenius is x^p, fp12_frobenius_2 is x^(p^2). */
struct fp12 fp12_frobenius(const struct fp12 *x);
struct fp12 fp12_frobenius_2(const struct fp12 *x);
/* fp12_cyclotomic_square squares an element of the cyclotomic subgroup (R. Granger and M. Scott,
 * "Faster Squaring in the Cyclotomic Subgroup of Sixth Degree Extensions", eprint 2009/565). */
struct fp12 fp12_cyclotomic_square(const struct fp12 *x);

/* xi^((p-1)/3) and xi^((p-1)/2): what the Frobenius map does on the twist. */
extern const struct fp2 BN254_FROBENIUS_X;
extern const struct fp2 BN254_FROBENIUS_Y;
