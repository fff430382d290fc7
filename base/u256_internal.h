#pragma once
/* What u256.c and u256_divide.c share. */
#include "base/u256.h"

typedef unsigned __int128 u128;

/* u256_mul_wide writes all eight limbs of a product, the least significant first. */
static inline void u256_mul_wide(const struct u256 *a, const struct u256 *b, uint64_t wide[8]) {
    memset(wide, 0, 8 * sizeof *wide);
    for (int i = 0; i < 4; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < 4; j++) {
            const u128 sum = (u128)a->limb[i] * b->limb[j] + wide[i + j] + carry;
            wide[i + j] = (uint64_t)sum;
            carry = (uint64_t)(sum >> 64);
        }
        wide[i + 4] = carry;
    }
}
