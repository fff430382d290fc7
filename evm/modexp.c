#include "evm/modexp.h"

#include <assert.h>
#include <gmp.h>
#include <string.h>

#include "base/check.h"

static_assert(sizeof(mp_limb_t) == sizeof(uint64_t), "GMP's limbs are ours");

/* How products are brought back below the modulus. */
enum reduction { REDUCE_MONTGOMERY, REDUCE_POWER_OF_TWO };

struct modulus {
    enum reduction reduction;
    const mp_limb_t *limbs;
    size_t count;
    mp_limb_t inverse;  /* Montgomery: -1/m mod 2^64 */
    mp_limb_t top_mask; /* power of two: of the top limb */
    mp_limb_t *product; /* 2 * count + 1 limbs of working memory */
};

static mp_limb_t *take(struct arena *scratch, size_t count) {
    return arena_array(scratch, count, sizeof(mp_limb_t));
}

/* negative_inverse is -1/m mod 2^64 for odd m: each step doubles the number of right bits. */
static mp_limb_t negative_inverse(mp_limb_t m) {
    mp_limb_t x = m; /* right in 3 bits */
    for (int i = 0; i < 5; i++)
        x *= 2 - m * x;
    return (mp_limb_t)0 - x;
}

/* reduce brings m->product below 2^(64 count), congruent to it (times 2^-(64 count), Montgomery).
 */
static void reduce(const struct modulus *m, mp_limb_t *out) {
    const mp_size_t n = (mp_size_t)m->count;
    mp_limb_t *t = m->product;
    if (m->reduction == REDUCE_POWER_OF_TWO) {
        memcpy(out, t, m->count * sizeof *out);
        out[n - 1] &= m->top_mask;
        return;
    }
    /* Each step clears the lowest limb and leaves its carry in its place. */
    for (mp_size_t i = 0; i < n; i++)
        t[i] = mpn_addmul_1(t + i, m->limbs, n, t[i] * m->inverse);
    const mp_limb_t carry = mpn_add_n(out, t + n, t, n);
    if (carry != 0) mpn_sub_n(out, out, m->limbs, n);
}

static void multiply(const struct modulus *m, const mp_limb_t *a, const mp_limb_t *b,
                     mp_limb_t *out) {
    if (a == b) {
        mpn_sqr(m->product, a, (mp_size_t)m->count);
    } else {
        mpn_mul_n(m->product, a, b, (mp_size_t)m->count);
    }
    reduce(m, out);
}

#define WINDOW_BITS  4
#define WINDOW       (1 << WINDOW_BITS)
#define SHORT_DIGITS 12

static unsigned digit_of(const struct modexp_exponent *exponent, uint64_t index) {
    const uint64_t byte = index / 2;
    if (byte >= exponent->there.size) return 0;
    const unsigned bits = exponent->there.data[byte];
    return index % 2 == 0 ? bits >> 4 : bits & 15;
}

/* raise computes base^exponent for a base in the modulus' own form; `one` is 1 in that form. */
static bool raise(const struct modulus *m, const mp_limb_t *base, const mp_limb_t *one,
                  const struct modexp_exponent *exponent, struct arena *scratch, mp_limb_t *out) {
    const size_t n = m->count;
    const size_t bytes = n * sizeof *out;
    memcpy(out, one, bytes);
    uint64_t first = 0; /* the first digit that is not zero */
    const uint64_t digits_there = 2 * (uint64_t)exponent->there.size;
    while (first < digits_there && digit_of(exponent, first) == 0)
        first++;
    if (first == digits_there) return true; /* exponent zero */

    mp_limb_t *powers = take(scratch, WINDOW * n);
    if (powers == NULL) return false;
    memcpy(powers, one, bytes);
    memcpy(powers + n, base, bytes);
    const bool is_short = 2 * exponent->size - first <= SHORT_DIGITS; /* no table pays */
    const unsigned powers_needed = is_short ? 2 : WINDOW;
    for (unsigned i = 2; i < powers_needed; i++)
        multiply(m, powers + (i - 1) * n, base, powers + i * n);

    for (uint64_t i = first; i < 2 * exponent->size; i++) {
        const unsigned digit = digit_of(exponent, i);
        for (int bit = WINDOW_BITS - 1; bit >= 0; bit--) {
            if (i != first || bit != WINDOW_BITS - 1) multiply(m, out, out, out);
            if (is_short && (digit >> bit & 1)) multiply(m, out, base, out);
        }
        if (!is_short && digit != 0) multiply(m, out, powers + digit * n, out);
    }
    return true;
}

/* remainder_of divides any number, giving exactly `count` limbs. */
static bool remainder_of(const mp_limb_t *number, size_t number_count, const mp_limb_t *divisor,
                         size_t count, struct arena *scratch, mp_limb_t *out) {
    if (number_count < count) {
        memset(out, 0, count * sizeof *out);
        if (number_count != 0) memcpy(out, number, number_count * sizeof *out);
        return true;
    }
    mp_limb_t *quotient = take(scratch, number_count - count + 1);
    if (quotient == NULL) return false;
    mpn_tdiv_qr(quotient, out, 0, number, (mp_size_t)number_count, divisor, (mp_size_t)count);
    return true;
}

/* power_odd: the modulus is odd.  out has `count` limbs. */
static bool power_odd(const struct modexp_number *base, const struct modexp_exponent *exponent,
                      const mp_limb_t *limbs, size_t count, struct arena *scratch, mp_limb_t *out) {
    mp_limb_t *shifted = take(scratch, base->count + count + 1);
    mp_limb_t *form = take(scratch, count);
    mp_limb_t *one = take(scratch, count);
    struct modulus m = {.reduction = REDUCE_MONTGOMERY,
                        .limbs = limbs,
                        .count = count,
                        .inverse = negative_inverse(limbs[0]),
                        .product = take(scratch, 2 * count + 1)};
    if (shifted == NULL || form == NULL || one == NULL || m.product == NULL) return false;
    shifted[count] = 1;
    if (!remainder_of(shifted, count + 1, limbs, count, scratch, one)) return false;
    shifted[count] = 0;
    if (base->count != 0) memcpy(shifted + count, base->limbs, base->count * sizeof *shifted);
    if (!remainder_of(shifted, count + base->count, limbs, count, scratch, form)) return false;
    if (!raise(&m, form, one, exponent, scratch, out)) return false;
    /* Back from Montgomery form, then below the modulus. */
    memset(m.product, 0, (2 * count + 1) * sizeof *m.product);
    memcpy(m.product, out, count * sizeof *out);
    reduce(&m, out);
    if (mpn_cmp(out, limbs, (mp_size_t)count) >= 0) mpn_sub_n(out, out, limbs, (mp_size_t)count);
    return true;
}

/* low_limbs copies a number modulo 2^bits into `count` limbs. */
static void low_limbs(const struct modexp_number *in, size_t count, mp_limb_t top_mask,
                      mp_limb_t *out) {
    const size_t there = in->count < count ? in->count : count;
    memset(out, 0, count * sizeof *out);
    if (there != 0) memcpy(out, in->limbs, there * sizeof *out);
    out[count - 1] &= top_mask;
}

/* invert_low computes 1/q modulo 2^(64 count) for odd q of `count` limbs: Newton's iteration. */
static bool invert_low(const mp_limb_t *q, size_t count, struct arena *scratch, mp_limb_t *out) {
    mp_limb_t *product = take(scratch, 2 * count);
    mp_limb_t *factor = take(scratch, count);
    if (product == NULL || factor == NULL) return false;
    memset(out, 0, count * sizeof *out);
    out[0] = (mp_limb_t)0 - negative_inverse(q[0]);
    for (size_t right = 1; right < count;) { /* limbs that are right */
        const size_t next = 2 * right < count ? 2 * right : count;
        const mp_size_t n = (mp_size_t)next;
        mpn_mul_n(product, q, out, n); /* 1 + error */
        mpn_neg(factor, product, n);
        mpn_add_1(factor, factor, n, 2); /* 1 - error */
        mpn_mul_n(product, out, factor, n);
        memcpy(out, product, next * sizeof *out);
        right = next;
    }
    return true;
}

/* An even modulus: 2^bits times an odd part. */
struct split {
    size_t bits;
    size_t low_count; /* limbs of 2^bits */
    mp_limb_t top_mask;
    mp_limb_t *odd; /* as many limbs as the modulus has, or low_count if that is more */
    size_t odd_count;
};

static bool split_modulus(const struct modexp_number *modulus, struct arena *scratch,
                          struct split *out) {
    out->bits = mpn_scan1(modulus->limbs, 0);
    out->low_count = (out->bits + 63) / 64;
    out->top_mask = out->bits % 64 == 0 ? UINT64_MAX : ((mp_limb_t)1 << (out->bits % 64)) - 1;
    const size_t whole = out->bits / 64;
    const size_t count = modulus->count - whole;
    out->odd = take(scratch, modulus->count + out->low_count);
    if (out->odd == NULL) return false;
    if (out->bits % 64 != 0) {
        mpn_rshift(out->odd, modulus->limbs + whole, (mp_size_t)count, out->bits % 64);
    } else {
        memcpy(out->odd, modulus->limbs + whole, count * sizeof *out->odd);
    }
    out->odd_count = count;
    while (out->odd_count > 1 && out->odd[out->odd_count - 1] == 0)
        out->odd_count--;
    return true;
}

/* power_low: base^exponent modulo 2^bits, into low_count limbs. */
static bool power_low(const struct modexp_number *base, const struct modexp_exponent *exponent,
                      const struct split *split, struct arena *scratch, mp_limb_t *out) {
    const size_t n = split->low_count;
    mp_limb_t *form = take(scratch, n);
    mp_limb_t *one = take(scratch, n);
    const struct modulus m = {.reduction = REDUCE_POWER_OF_TWO,
                              .count = n,
                              .top_mask = split->top_mask,
                              .product = take(scratch, 2 * n + 1)};
    if (form == NULL || one == NULL || m.product == NULL) return false;
    low_limbs(base, n, split->top_mask, form);
    one[0] = 1;
    one[n - 1] &= split->top_mask;
    return raise(&m, form, one, exponent, scratch, out);
}

/* join finds x with x = low modulo 2^bits and x = odd modulo q: odd + q * ((low - odd) / q). */
static bool join(const struct split *split, const mp_limb_t *low, const mp_limb_t *odd_power,
                 struct arena *scratch, mp_limb_t *out, size_t out_count) {
    const size_t n = split->low_count;
    mp_limb_t *inverse = take(scratch, n);
    mp_limb_t *difference = take(scratch, n);
    mp_limb_t *factor = take(scratch, 2 * n);
    mp_limb_t *product = take(scratch, n + split->odd_count + 1);
    if (inverse == NULL || difference == NULL || factor == NULL || product == NULL) return false;
    const struct modexp_number odd_number = {(uint64_t *)odd_power, split->odd_count};
    low_limbs(&odd_number, n, UINT64_MAX, difference);
    mpn_sub_n(difference, low, difference, (mp_size_t)n);
    if (!invert_low(split->odd, n, scratch, inverse)) return false;
    mpn_mul_n(factor, difference, inverse, (mp_size_t)n);
    factor[n - 1] &= split->top_mask;
    if (n >= split->odd_count) {
        mpn_mul(product, factor, (mp_size_t)n, split->odd, (mp_size_t)split->odd_count);
    } else {
        mpn_mul(product, split->odd, (mp_size_t)split->odd_count, factor, (mp_size_t)n);
    }
    const size_t total = n + split->odd_count;
    mpn_add(product, product, (mp_size_t)total, odd_power, (mp_size_t)split->odd_count);
    memset(out, 0, out_count * sizeof *out);
    memcpy(out, product, (total < out_count ? total : out_count) * sizeof *out);
    return true;
}

bool modexp_power(const struct modexp_number *base, const struct modexp_exponent *exponent,
                  const struct modexp_number *modulus, struct arena *scratch, uint64_t *out) {
    CHECK(modulus->count > 0);
    mp_limb_t *result = take(scratch, modulus->count);
    if (result == NULL) return false;
    if (modulus->limbs[0] & 1) {
        if (!power_odd(base, exponent, modulus->limbs, modulus->count, scratch, result)) {
            return false;
        }
        memcpy(out, result, modulus->count * sizeof *out);
        return true;
    }
    struct split split;
    if (!split_modulus(modulus, scratch, &split)) return false;
    mp_limb_t *odd_power = take(scratch, split.odd_count);
    mp_limb_t *low = take(scratch, split.low_count);
    if (odd_power == NULL || low == NULL) return false;
    if (!power_odd(base, exponent, split.odd, split.odd_count, scratch, odd_power) ||
        !power_low(base, exponent, &split, scratch, low) ||
        !join(&split, low, odd_power, scratch, result, modulus->count)) {
        return false;
    }
    memcpy(out, result, modulus->count * sizeof *out);
    return true;
}
