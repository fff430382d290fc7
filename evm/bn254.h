#pragma once
/* The groups of alt_bn128 (EIP-196, EIP-197): y^2 = x^3 + 3 over Fp, its sextic twist over Fp2, and
 * the optimal Ate pairing between them.  Internal to evm/. */
#include <stddef.h>

#include "base/arena.h"
#include "evm/bn254_tower.h"

/* Points on the curve; (0, 0) stands for the point at infinity, as in the contracts' encoding. */
struct bn254_g1 {
    struct fp x, y;
};
struct bn254_g2 {
    struct fp2 x, y;
};
struct bn254_pair {
    struct bn254_g1 p;
    struct bn254_g2 q;
};

/* The group of the curve over Fp; all of its points have the right order. */
/* Infinity is (0, 0), as in EIP-196; bn254_g1_add takes any two points of the curve, equal or
 * opposite ones included. */
bool bn254_g1_is_infinity(const struct bn254_g1 *p);
bool bn254_g1_is_on_curve(const struct bn254_g1 *p); /* or infinity */
struct bn254_g1 bn254_g1_add(const struct bn254_g1 *p, const struct bn254_g1 *q);
/* bn254_g1_mul multiplies by any 256-bit number. */
struct bn254_g1 bn254_g1_mul(const struct bn254_g1 *p, const struct u256 *k);

/* The twist; its points may have another order. */
/* Points of the twist over Fp2; infinity is (0, 0), as in EIP-197. */
bool bn254_g2_is_infinity(const struct bn254_g2 *q);
bool bn254_g2_is_on_curve(const struct bn254_g2 *q); /* or infinity */
/* bn254_g2_is_in_group: a point on the twist is of the right order. */
bool bn254_g2_is_in_group(const struct bn254_g2 *q);

/* bn254_pairing_check: the product of all pairings is one.  Points are valid; pairs with infinity
 * count as one.  *error when scratch is too small (about 300 bytes a pair). */
bool bn254_pairing_check(const struct bn254_pair *pairs, size_t count, struct arena *scratch,
                         bool *error);
