#include "base/u256.h"

#include <string.h>

#include "base/check.h"
#include "base/u256_internal.h"

/* Division is in u256_divide.c. */

struct u256 u256_mul_overflow(const struct u256 *a, const struct u256 *b, bool *overflow) {
    uint64_t wide[8];
    u256_mul_wide(a, b, wide);
    *overflow = (wide[4] | wide[5] | wide[6] | wide[7]) != 0;
    return (struct u256){{wide[0], wide[1], wide[2], wide[3]}};
}

struct u256 u256_exp(const struct u256 *base, const struct u256 *exponent) {
    if (u256_is_zero(exponent)) return U256_ONE;
    if (u256_is_zero(base)) return U256_ZERO;
    const unsigned base_bits = u256_bits(base);
    const int set_bits = __builtin_popcountll(base->limb[0]) + __builtin_popcountll(base->limb[1]) +
                         __builtin_popcountll(base->limb[2]) + __builtin_popcountll(base->limb[3]);
    if (set_bits == 1) { /* (2^k)^e = 2^(k*e), which contracts use for masks and shifts */
        if (base_bits == 1) return U256_ONE;
        const struct u256 one = U256_ONE;
        if (!u256_fits_u64(exponent) || exponent->limb[0] >= 256) return U256_ZERO;
        return u256_shl(&one, (base_bits - 1) * exponent->limb[0]);
    }

    struct u256 result = *base;
    for (unsigned i = u256_bits(exponent) - 1; i-- > 0;) {
        result = u256_mul(&result, &result);
        if (exponent->limb[i / 64] >> (i % 64) & 1) result = u256_mul(&result, base);
    }
    return result;
}

struct u256 u256_sign_extend(const struct u256 *index, const struct u256 *a) {
    if (!u256_fits_u64(index) || index->limb[0] >= 31) return *a;
    const uint64_t unused_bits = 8 * (31 - index->limb[0]);
    const struct u256 top = u256_shl(a, unused_bits);
    return u256_sar(&top, unused_bits);
}

/* shift_right moves eight limbs (the word below, what comes in above) down by 0 to 255 bits. */
static inline struct u256 shift_right(const uint64_t wide[9], uint64_t bits) {
    const uint64_t *from = wide + bits / 64;
    const unsigned rest = (unsigned)(bits % 64);
    struct u256 out;
    for (int i = 0; i < 4; i++) {
        /* Two steps, because a shift by 64 is undefined. */
        out.limb[i] = from[i] >> rest | from[i + 1] << 1 << (63 - rest);
    }
    return out;
}

struct u256 u256_shl(const struct u256 *a, uint64_t bits) {
    if (bits >= 256) return U256_ZERO;
    uint64_t wide[8] = {0, 0, 0, 0, a->limb[0], a->limb[1], a->limb[2], a->limb[3]};
    const uint64_t *from = wide + 4 - bits / 64;
    const unsigned rest = (unsigned)(bits % 64);
    struct u256 out;
    for (int i = 0; i < 4; i++)
        out.limb[i] = from[i] << rest | from[i - 1] >> 1 >> (63 - rest);
    return out;
}

struct u256 u256_shr(const struct u256 *a, uint64_t bits) {
    if (bits >= 256) return U256_ZERO;
    const uint64_t wide[9] = {a->limb[0], a->limb[1], a->limb[2], a->limb[3], 0, 0, 0, 0, 0};
    return shift_right(wide, bits);
}

struct u256 u256_sar(const struct u256 *a, uint64_t bits) {
    const uint64_t fill = (uint64_t)0 - (a->limb[3] >> 63);
    if (bits >= 256) return (struct u256){{fill, fill, fill, fill}};
    const uint64_t wide[9] = {a->limb[0], a->limb[1], a->limb[2], a->limb[3], fill,
                              fill,       fill,       fill,       fill};
    return shift_right(wide, bits);
}

bool u256_slt(const struct u256 *a, const struct u256 *b) {
    const uint64_t sign_a = a->limb[3] >> 63;
    const uint64_t sign_b = b->limb[3] >> 63;
    return sign_a != sign_b ? sign_a > sign_b : u256_less(a, b);
}

struct u256 u256_from_be(struct bytes in) {
    CHECK(in.size <= 32);
    if (in.size == 32) return u256_load_be(in.data);
    if (in.size == 0) return U256_ZERO;
    uint8_t padded[32] = {0};
    memcpy(padded + 32 - in.size, in.data, in.size);
    return u256_load_be(padded);
}

void u256_to_be(const struct u256 *a, uint8_t out[32]) {
    u256_store_be(out, a);
}

struct u256 u256_from_hash(const struct hash32 *hash) {
    return u256_load_be(hash->bytes);
}

struct hash32 u256_to_hash(const struct u256 *a) {
    struct hash32 out;
    u256_to_be(a, out.bytes);
    return out;
}

/* A limb holds 19 whole decimal digits, and 78 digits hold 2^256 - 1. */
#define DIGITS_PER_LIMB 19
#define TEN_TO_19       10000000000000000000u
#define DIGITS_MAX      78

unsigned u256_to_decimal(const struct u256 *a, char out[79]) {
    char reversed[DIGITS_PER_LIMB * 5];
    unsigned count = 0;
    struct u256 rest = *a;
    const struct u256 group = u256_from_u64(TEN_TO_19);
    do {
        const struct u256 low = u256_mod(&rest, &group);
        rest = u256_div(&rest, &group);
        uint64_t value = low.limb[0];
        for (int i = 0; i < DIGITS_PER_LIMB; i++, value /= 10) {
            reversed[count++] = (char)('0' + value % 10);
        }
    } while (!u256_is_zero(&rest));
    while (count > 1 && reversed[count - 1] == '0')
        count--;
    for (unsigned i = 0; i < count; i++)
        out[i] = reversed[count - 1 - i];
    out[count] = '\0';
    return count;
}

bool u256_from_decimal(struct bytes text, struct u256 *out) {
    if (text.size == 0 || text.size > DIGITS_MAX) return false;
    const struct u256 ten = u256_from_u64(10);
    struct u256 value = U256_ZERO;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        const struct u256 digit = u256_from_u64((uint64_t)(text.data[i] - '0'));
        bool overflow_mul;
        bool overflow_add;
        value = u256_mul_overflow(&value, &ten, &overflow_mul);
        value = u256_add_overflow(&value, &digit, &overflow_add);
        if (overflow_mul || overflow_add) return false;
    }
    *out = value;
    return true;
}
