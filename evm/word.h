#pragma once
/* Words in the interpreter's own handlers: multiplication inline, shifts without branches.
 *
 * A shift moves whole limbs by one lane permutation and bits by two vector shifts (counts of 64 and
 * more give zero there, so that no case is special); base/u256.h has the same functions for
 * everyone and is what these are tested against.  AVX2 is part of the architecture level that Baton
 * is built for.  Internal to evm/. */
#include <immintrin.h>

#include "base/u256.h"

/* Lane indices and masks for moving four limbs by 0 to 4 places, read at an offset. */
extern const int32_t WORD_LANES_UP[24];
extern const int32_t WORD_LANES_DOWN[24];
extern const int32_t WORD_MASK_UP[24];
extern const int32_t WORD_MASK_DOWN[24];

/* word_lanes moves the limbs of `a` by the places that the tables' offset means. */
static inline __m256i word_lanes(__m256i a, const int32_t *lanes, const int32_t *mask) {
    const __m256i index = _mm256_loadu_si256((const __m256i *)(const void *)lanes);
    const __m256i keep = _mm256_loadu_si256((const __m256i *)(const void *)mask);
    return _mm256_and_si256(_mm256_permutevar8x32_epi32(a, index), keep);
}

/* word_shl and word_shr shift by any number of bits. */
static inline void word_shl(struct u256 *a, uint64_t bits) {
    if (bits >= 256) {
        *a = U256_ZERO;
        return;
    }
    const uint64_t places = bits / 64;
    const __m256i in = _mm256_loadu_si256((const __m256i *)(const void *)a);
    const __m128i up = _mm_cvtsi64_si128((long long)(bits % 64));
    const __m128i down = _mm_cvtsi64_si128((long long)(64 - bits % 64));
    const __m256i high =
        word_lanes(in, WORD_LANES_UP + 8 - 2 * places, WORD_MASK_UP + 8 - 2 * places);
    const __m256i low =
        word_lanes(in, WORD_LANES_UP + 6 - 2 * places, WORD_MASK_UP + 6 - 2 * places);
    const __m256i out = _mm256_or_si256(_mm256_sll_epi64(high, up), _mm256_srl_epi64(low, down));
    _mm256_storeu_si256((__m256i *)(void *)a, out);
}
static inline void word_shr(struct u256 *a, uint64_t bits) {
    if (bits >= 256) {
        *a = U256_ZERO;
        return;
    }
    const uint64_t places = bits / 64;
    const __m256i in = _mm256_loadu_si256((const __m256i *)(const void *)a);
    const __m128i down = _mm_cvtsi64_si128((long long)(bits % 64));
    const __m128i up = _mm_cvtsi64_si128((long long)(64 - bits % 64));
    const __m256i low = word_lanes(in, WORD_LANES_DOWN + 2 * places, WORD_MASK_DOWN + 2 * places);
    const __m256i high =
        word_lanes(in, WORD_LANES_DOWN + 2 + 2 * places, WORD_MASK_DOWN + 2 + 2 * places);
    const __m256i out = _mm256_or_si256(_mm256_srl_epi64(low, down), _mm256_sll_epi64(high, up));
    _mm256_storeu_si256((__m256i *)(void *)a, out);
}

/* word_sar fills with the sign: what a logical shift of all ones leaves open. */
static inline void word_sar(struct u256 *a, uint64_t bits) {
    const uint64_t fill = (uint64_t)0 - (a->limb[3] >> 63);
    struct u256 shifted_ones = U256_MAX;
    word_shr(a, bits);
    if (fill == 0) return;
    word_shr(&shifted_ones, bits);
    for (int i = 0; i < 4; i++)
        a->limb[i] |= ~shifted_ones.limb[i];
}

/* word_sign_extend: the sign of byte `index` (0 = least significant) fills all above it. */
static inline void word_sign_extend(struct u256 *a, const struct u256 *index) {
    if (!u256_fits_u64(index) || index->limb[0] >= 31) return;
    const uint64_t byte = index->limb[0];
    const bool is_negative = a->limb[byte / 8] >> (8 * (byte % 8) + 7) & 1;
    for (uint64_t i = 0; i < 4; i++) {
        const uint64_t low = i == byte / 8 ? ~(uint64_t)0 >> (56 - 8 * (byte % 8)) : 0;
        const uint64_t keep = i < byte / 8 ? ~(uint64_t)0 : low;
        a->limb[i] = is_negative ? a->limb[i] | ~keep : a->limb[i] & keep;
    }
}

/* word_mul is a * b modulo 2^256, in *b. */
static inline void word_mul(const struct u256 *a, struct u256 *b) {
    typedef unsigned __int128 wide;
    const uint64_t *x = a->limb;
    const uint64_t *y = b->limb;
    const wide p00 = (wide)x[0] * y[0];
    const wide p01 = (wide)x[0] * y[1];
    const wide p10 = (wide)x[1] * y[0];
    const wide column = (p00 >> 64) + (uint64_t)p01 + (uint64_t)p10;
    const wide high = (column >> 64) + (p01 >> 64) + (p10 >> 64) + (wide)x[0] * y[2] +
                      (wide)x[1] * y[1] + (wide)x[2] * y[0];
    const uint64_t top = x[0] * y[3] + x[1] * y[2] + x[2] * y[1] + x[3] * y[0];
    *b = (struct u256){
        {(uint64_t)p00, (uint64_t)column, (uint64_t)high, (uint64_t)(high >> 64) + top}};
}
