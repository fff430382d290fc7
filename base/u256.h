#pragma once
/* 256-bit unsigned integers, the EVM's word: four 64-bit limbs, the least significant first.
 *
 * Arithmetic wraps modulo 2^256 as the EVM's does (Yellow Paper, appendix H); functions whose name
 * ends in _overflow also say whether it did.  Signed operations read the word as two's complement.
 * All functions are pure; small ones are inline here, long ones in u256.c, division and modular
 * reduction in u256_divide.c. */
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"

struct u256 {
    uint64_t limb[4]; /* limb[0] is the least significant */
};

#define U256_ZERO ((struct u256){{0, 0, 0, 0}})
#define U256_ONE  ((struct u256){{1, 0, 0, 0}})
#define U256_MAX  ((struct u256){{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}})

/* Conversions, comparisons and the short operations.  A *_overflow function gives the wrapped
 * result and says in its last argument whether it wrapped. */
static inline struct u256 u256_from_u64(uint64_t value) {
    return (struct u256){{value, 0, 0, 0}};
}
/* u256_load_be and u256_store_be read and write the 32 big-endian bytes at `data`, which need no
 * alignment. */
static inline struct u256 u256_load_be(const uint8_t *data) {
    uint64_t words[4];
    memcpy(words, data, sizeof words);
    return (struct u256){{__builtin_bswap64(words[3]), __builtin_bswap64(words[2]),
                          __builtin_bswap64(words[1]), __builtin_bswap64(words[0])}};
}
static inline void u256_store_be(uint8_t *data, const struct u256 *a) {
    const uint64_t words[4] = {__builtin_bswap64(a->limb[3]), __builtin_bswap64(a->limb[2]),
                               __builtin_bswap64(a->limb[1]), __builtin_bswap64(a->limb[0])};
    memcpy(data, words, sizeof words);
}
static inline bool u256_is_zero(const struct u256 *a) {
    return (a->limb[0] | a->limb[1] | a->limb[2] | a->limb[3]) == 0;
}
static inline bool u256_fits_u64(const struct u256 *a) {
    return (a->limb[1] | a->limb[2] | a->limb[3]) == 0;
}
/* u256_to_u64_saturated returns the value, or UINT64_MAX when it is larger. */
static inline uint64_t u256_to_u64_saturated(const struct u256 *a) {
    return u256_fits_u64(a) ? a->limb[0] : UINT64_MAX;
}
static inline bool u256_equal(const struct u256 *a, const struct u256 *b) {
    return ((a->limb[0] ^ b->limb[0]) | (a->limb[1] ^ b->limb[1]) | (a->limb[2] ^ b->limb[2]) |
            (a->limb[3] ^ b->limb[3])) == 0;
}
static inline struct u256 u256_add_overflow(const struct u256 *a, const struct u256 *b,
                                            bool *overflow) {
    struct u256 sum;
    unsigned long long carry = 0;
    for (int i = 0; i < 4; i++) {
        const unsigned __int128 wide = (unsigned __int128)a->limb[i] + b->limb[i] + carry;
        sum.limb[i] = (uint64_t)wide;
        carry = (unsigned long long)(wide >> 64);
    }
    *overflow = carry != 0;
    return sum;
}
static inline struct u256 u256_sub_overflow(const struct u256 *a, const struct u256 *b,
                                            bool *borrowed) {
    struct u256 difference;
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        const unsigned __int128 wide = (unsigned __int128)a->limb[i] - b->limb[i] - borrow;
        difference.limb[i] = (uint64_t)wide;
        borrow = (uint64_t)(wide >> 64) & 1;
    }
    *borrowed = borrow != 0;
    return difference;
}
static inline struct u256 u256_add(const struct u256 *a, const struct u256 *b) {
    bool ignored;
    return u256_add_overflow(a, b, &ignored);
}
static inline struct u256 u256_sub(const struct u256 *a, const struct u256 *b) {
    bool ignored;
    return u256_sub_overflow(a, b, &ignored);
}
/* u256_compare orders as unsigned numbers: -1, 0, 1. */
static inline int u256_compare(const struct u256 *a, const struct u256 *b) {
    for (int i = 3; i >= 0; i--) {
        if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i] ? -1 : 1;
    }
    return 0;
}
static inline bool u256_less(const struct u256 *a, const struct u256 *b) {
    bool borrowed;
    (void)u256_sub_overflow(a, b, &borrowed);
    return borrowed;
}
/* u256_bits returns the number of significant bits, 0 for zero. */
static inline unsigned u256_bits(const struct u256 *a) {
    for (int i = 3; i >= 0; i--) {
        if (a->limb[i] != 0) return (unsigned)(64 * i + 64 - __builtin_clzll(a->limb[i]));
    }
    return 0;
}

/* u256_mul is the product modulo 2^256: schoolbook, without the columns that wrap away. */
static inline struct u256 u256_mul(const struct u256 *a, const struct u256 *b) {
    const uint64_t *x = a->limb;
    const uint64_t *y = b->limb;
    const unsigned __int128 p00 = (unsigned __int128)x[0] * y[0];
    const unsigned __int128 p01 = (unsigned __int128)x[0] * y[1];
    const unsigned __int128 p02 = (unsigned __int128)x[0] * y[2];
    const unsigned __int128 p10 = (unsigned __int128)x[1] * y[0];
    const unsigned __int128 p11 = (unsigned __int128)x[1] * y[1];
    const unsigned __int128 p20 = (unsigned __int128)x[2] * y[0];
    struct u256 out;
    out.limb[0] = (uint64_t)p00;
    /* Column 1 sums three 64-bit words, so a 128-bit sum cannot overflow; columns 2 and 3 wrap. */
    const unsigned __int128 column1 = (p00 >> 64) + (uint64_t)p01 + (uint64_t)p10;
    out.limb[1] = (uint64_t)column1;
    const unsigned __int128 column2 = (column1 >> 64) + (p01 >> 64) + (p10 >> 64) + p02 + p11 + p20;
    out.limb[2] = (uint64_t)column2;
    out.limb[3] = (uint64_t)(column2 >> 64) + x[0] * y[3] + x[1] * y[2] + x[2] * y[1] + x[3] * y[0];
    return out;
}

/* u256_mul_overflow also says whether the product wrapped. */
struct u256 u256_mul_overflow(const struct u256 *a, const struct u256 *b, bool *overflow);
/* Division by zero gives zero, as in the EVM. */
struct u256 u256_div(const struct u256 *a, const struct u256 *b);
struct u256 u256_mod(const struct u256 *a, const struct u256 *b);
struct u256 u256_sdiv(const struct u256 *a, const struct u256 *b);
struct u256 u256_smod(const struct u256 *a, const struct u256 *b);
struct u256 u256_addmod(const struct u256 *a, const struct u256 *b, const struct u256 *m);
struct u256 u256_mulmod(const struct u256 *a, const struct u256 *b, const struct u256 *m);
struct u256 u256_exp(const struct u256 *base, const struct u256 *exponent);
/* u256_sign_extend extends the sign of the number's byte `index` (0 = least significant). */
struct u256 u256_sign_extend(const struct u256 *index, const struct u256 *a);
/* Shifts by 256 or more give 0 (or, for an arithmetic shift of a negative word, all ones). */
struct u256 u256_shl(const struct u256 *a, uint64_t bits);
struct u256 u256_shr(const struct u256 *a, uint64_t bits);
struct u256 u256_sar(const struct u256 *a, uint64_t bits);
/* u256_slt compares as two's complement numbers. */
bool u256_slt(const struct u256 *a, const struct u256 *b);

/* u256_from_be reads 0 to 32 big-endian bytes; longer input is our bug (CHECK). */
struct u256 u256_from_be(struct bytes in);
/* u256_to_be writes 32 big-endian bytes. */
void u256_to_be(const struct u256 *a, uint8_t out[32]);
/* u256_from_hash and u256_to_hash reinterpret 32 big-endian bytes. */
struct u256 u256_from_hash(const struct hash32 *hash);
struct hash32 u256_to_hash(const struct u256 *a);
/* u256_to_decimal writes up to 78 digits and a terminator; returns the number of digits. */
unsigned u256_to_decimal(const struct u256 *a, char out[79]);
/* u256_from_decimal reads 1 to 78 digits; false on anything else or on overflow, *out untouched. */
bool u256_from_decimal(struct bytes text, struct u256 *out);
