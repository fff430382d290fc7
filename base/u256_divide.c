/* Division for u256.h.  One-limb divisors use the machine's own 128-by-64-bit division.  Longer
 * ones use Knuth's algorithm D (TAOCP volume 2, 4.3.1) on 64-bit limbs, where each quotient digit
 * comes from a multiplication by the reciprocal of the divisor's two top limbs (Moeller and
 * Granlund, "Improved division by invariant integers", 2011, algorithms 5 and 6), so that a whole
 * division costs one machine division. */
#include "base/u256_internal.h"

/* A quotient of at most 8 limbs and a remainder of at most 4: enough for the 512-bit products of
 * u256_mulmod. */
#define DIVIDEND_LIMBS_MAX 8

struct quotient {
    uint64_t limb[DIVIDEND_LIMBS_MAX];
};

/* divide_128 divides *high:low by divisor, where *high < divisor so that the quotient fits a limb;
 * *high becomes the remainder. */
static inline uint64_t divide_128(uint64_t *high, uint64_t low, uint64_t divisor) {
    uint64_t quotient;
    __asm__("divq %3" : "=a"(quotient), "+d"(*high) : "a"(low), "r"(divisor) : "cc");
    return quotient;
}

/* reciprocal_1 returns floor((2^128 - 1) / d) - 2^64 for a d with its top bit set. */
static inline uint64_t reciprocal_1(uint64_t d) {
    uint64_t high = ~d;
    return divide_128(&high, UINT64_MAX, d);
}

/* reciprocal_2 returns floor((2^192 - 1) / d1:d0) - 2^64 for a d1 with its top bit set. */
static inline uint64_t reciprocal_2(uint64_t d1, uint64_t d0) {
    uint64_t v = reciprocal_1(d1);
    uint64_t p = d1 * v + d0;
    if (p < d0) {
        v--;
        if (p >= d1) {
            v--;
            p -= d1;
        }
        p -= d1;
    }
    const u128 t = (u128)v * d0;
    const uint64_t t1 = (uint64_t)(t >> 64);
    p += t1;
    if (p < t1) {
        v--;
        if (p > d1 || (p == d1 && (uint64_t)t >= d0)) v--;
    }
    return v;
}

/* digit_2 divides *remainder:low by the two-limb d (top bit set, *remainder < d). */
static inline uint64_t digit_2(u128 *remainder, uint64_t low, u128 d, uint64_t v) {
    const uint64_t u2 = (uint64_t)(*remainder >> 64);
    const uint64_t u1 = (uint64_t)*remainder;
    const u128 estimate = (u128)v * u2 + *remainder;
    uint64_t q = (uint64_t)(estimate >> 64);
    const uint64_t r1 = u1 - q * (uint64_t)(d >> 64);
    u128 r = ((u128)r1 << 64 | low) - (u128)(uint64_t)d * q - d;
    q++;
    const uint64_t too_large = (uint64_t)0 - (uint64_t)((uint64_t)(r >> 64) >= (uint64_t)estimate);
    q += too_large;
    r += d & ((u128)too_large << 64 | too_large);
    if (__builtin_expect(r >= d, 0)) {
        q++;
        r -= d;
    }
    *remainder = r;
    return q;
}

/* subtract_product takes q * d off the limbs at u; it returns what was borrowed from beyond them.
 */
static inline uint64_t subtract_product(uint64_t *u, const uint64_t *d, int count, uint64_t q) {
    uint64_t borrow = 0;
    for (int i = 0; i < count; i++) {
        const u128 product = (u128)q * d[i] + borrow;
        borrow = (uint64_t)(product >> 64) + (u[i] < (uint64_t)product);
        u[i] -= (uint64_t)product;
    }
    return borrow;
}

static inline void add_back(uint64_t *u, const uint64_t *d, int count) {
    u128 carry = 0;
    for (int i = 0; i < count; i++) {
        carry += (u128)u[i] + d[i];
        u[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

/* divide_long is Knuth's step D3 to D7 for a divisor of 3 or 4 limbs.  u holds `u_count` limbs and
 * one more on top; the remainder is left in its lowest d_count limbs. */
static void divide_long(uint64_t *u, int u_count, const uint64_t *d, int d_count,
                        struct quotient *out) {
    const u128 d_top = (u128)d[d_count - 1] << 64 | d[d_count - 2];
    const uint64_t v = reciprocal_2(d[d_count - 1], d[d_count - 2]);
    for (int j = u_count - d_count; j >= 0; j--) {
        uint64_t *window = u + j; /* d_count + 1 limbs */
        u128 top = (u128)window[d_count] << 64 | window[d_count - 1];
        uint64_t q = UINT64_MAX;
        if (__builtin_expect(top >= d_top, 0)) {
            /* The digit cannot be larger than the largest limb, and is that or one less. */
            const uint64_t borrow = subtract_product(window, d, d_count, q);
            const bool negative = window[d_count] < borrow;
            window[d_count] -= borrow;
            if (negative) {
                q--;
                add_back(window, d, d_count);
            }
        } else {
            q = digit_2(&top, window[d_count - 2], d_top, v);
            const uint64_t borrow = subtract_product(window, d, d_count - 2, q);
            const bool negative = top < borrow;
            top -= borrow;
            window[d_count - 2] = (uint64_t)top;
            window[d_count - 1] = (uint64_t)(top >> 64);
            if (__builtin_expect(negative, 0)) {
                q--;
                add_back(window, d, d_count);
            }
        }
        out->limb[j] = q;
    }
}

static inline int limbs_used(const uint64_t *limbs, int count) {
    while (count > 0 && limbs[count - 1] == 0)
        count--;
    return count;
}

/* divide_short divides by one limb, a machine division for each limb of the quotient; it returns
 * the remainder. */
static inline uint64_t divide_short(const uint64_t *u, int count, uint64_t d,
                                    struct quotient *quotient) {
    uint64_t remainder = 0;
    for (int j = count - 1; j >= 0; j--)
        quotient->limb[j] = divide_128(&remainder, u[j], d);
    return remainder;
}

/* divide divides `count` limbs by a divisor that is not zero; *quotient must be cleared before. */
static struct u256 divide(const uint64_t *dividend, int count, const struct u256 *divisor,
                          struct quotient *quotient) {
    const int d_count = limbs_used(divisor->limb, 4);
    const int u_count = limbs_used(dividend, count);
    struct u256 remainder = U256_ZERO;
    if (u_count < d_count) {
        for (int i = 0; i < u_count; i++)
            remainder.limb[i] = dividend[i];
        return remainder;
    }

    if (d_count == 1) {
        remainder.limb[0] = divide_short(dividend, u_count, divisor->limb[0], quotient);
        return remainder;
    }

    /* Normalise: the divisor's top bit is set, the dividend grows by at most one limb. */
    const unsigned shift = (unsigned)__builtin_clzll(divisor->limb[d_count - 1]);
    uint64_t d[4];
    uint64_t u[DIVIDEND_LIMBS_MAX + 1];
    d[0] = divisor->limb[0] << shift;
    for (int i = 1; i < d_count; i++) {
        d[i] = divisor->limb[i] << shift | divisor->limb[i - 1] >> 1 >> (63 - shift);
    }
    u[0] = dividend[0] << shift;
    for (int i = 1; i < u_count; i++) {
        u[i] = dividend[i] << shift | dividend[i - 1] >> 1 >> (63 - shift);
    }
    u[u_count] = dividend[u_count - 1] >> 1 >> (63 - shift);

    if (d_count == 2) {
        const u128 d_top = (u128)d[1] << 64 | d[0];
        const uint64_t v = reciprocal_2(d[1], d[0]);
        u128 r = (u128)u[u_count] << 64 | u[u_count - 1];
        for (int j = u_count - 2; j >= 0; j--)
            quotient->limb[j] = digit_2(&r, u[j], d_top, v);
        r >>= shift;
        remainder.limb[0] = (uint64_t)r;
        remainder.limb[1] = (uint64_t)(r >> 64);
        return remainder;
    }
    divide_long(u, u_count, d, d_count, quotient);
    for (int i = 0; i < d_count; i++) {
        const uint64_t above = i + 1 < d_count ? u[i + 1] : 0;
        remainder.limb[i] = u[i] >> shift | above << 1 << (63 - shift);
    }
    return remainder;
}

struct u256 u256_div(const struct u256 *a, const struct u256 *b) {
    if (u256_fits_u64(b)) {
        if (b->limb[0] == 0) return U256_ZERO;
        if (u256_fits_u64(a)) return u256_from_u64(a->limb[0] / b->limb[0]);
    }
    struct quotient quotient = {0};
    (void)divide(a->limb, 4, b, &quotient);
    return (struct u256){{quotient.limb[0], quotient.limb[1], quotient.limb[2], quotient.limb[3]}};
}

struct u256 u256_mod(const struct u256 *a, const struct u256 *b) {
    if (u256_fits_u64(b)) {
        if (b->limb[0] == 0) return U256_ZERO;
        if (u256_fits_u64(a)) return u256_from_u64(a->limb[0] % b->limb[0]);
    }
    struct quotient ignored;
    return divide(a->limb, 4, b, &ignored);
}

static inline bool is_negative(const struct u256 *a) {
    return a->limb[3] >> 63 != 0;
}

static inline struct u256 negate(const struct u256 *a) {
    const struct u256 zero = U256_ZERO;
    return u256_sub(&zero, a);
}

static inline struct u256 magnitude(const struct u256 *a) {
    return is_negative(a) ? negate(a) : *a;
}

struct u256 u256_sdiv(const struct u256 *a, const struct u256 *b) {
    const struct u256 size_a = magnitude(a);
    const struct u256 size_b = magnitude(b);
    const struct u256 quotient = u256_div(&size_a, &size_b);
    return is_negative(a) != is_negative(b) ? negate(&quotient) : quotient;
}

struct u256 u256_smod(const struct u256 *a, const struct u256 *b) {
    const struct u256 size_a = magnitude(a);
    const struct u256 size_b = magnitude(b);
    const struct u256 remainder = u256_mod(&size_a, &size_b);
    return is_negative(a) ? negate(&remainder) : remainder;
}

struct u256 u256_addmod(const struct u256 *a, const struct u256 *b, const struct u256 *m) {
    if (u256_is_zero(m)) return U256_ZERO;
    bool overflow;
    const struct u256 sum = u256_add_overflow(a, b, &overflow);
    if (u256_less(a, m) && u256_less(b, m)) {
        /* The usual case of field arithmetic: a + b < 2m, so one subtraction reduces. */
        bool borrowed;
        const struct u256 reduced = u256_sub_overflow(&sum, m, &borrowed);
        return overflow || !borrowed ? reduced : sum;
    }
    const uint64_t wide[5] = {sum.limb[0], sum.limb[1], sum.limb[2], sum.limb[3], overflow};
    struct quotient ignored;
    return divide(wide, 5, m, &ignored);
}

struct u256 u256_mulmod(const struct u256 *a, const struct u256 *b, const struct u256 *m) {
    if (u256_is_zero(m)) return U256_ZERO;
    uint64_t wide[DIVIDEND_LIMBS_MAX];
    u256_mul_wide(a, b, wide);
    struct quotient ignored;
    return divide(wide, DIVIDEND_LIMBS_MAX, m, &ignored);
}
