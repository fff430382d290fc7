/* Keccak-f[1600] with AVX-512: all 25 lanes stay in registers, chi and theta's parities are one
 * three-operand instruction each, and rotation is an instruction.  The same round serves one state
 * (in 128-bit registers, half unused: faster than general registers, of which there are too few)
 * and eight states at once (in 512-bit registers, for the many small nodes of a trie). */
#include <immintrin.h>
#include <string.h>

#include "base/keccak_internal.h"

#define AVX512 __attribute__((target("avx512f,avx512vl")))

/* Truth tables of vpternlogq: a ^ b ^ c, and a ^ (~b & c). */
#define TABLE_XOR 0x96
#define TABLE_CHI 0xd2

/* The macros below need VECTOR, ROTATE, TERNARY and XOR of one register width. */
#define PARITY(a, x)                                                                               \
    TERNARY(TERNARY(a[x], a[x + 5], a[x + 10], TABLE_XOR), a[x + 15], a[x + 20], TABLE_XOR)

#define CHI_ROW(e, row, b0, b1, b2, b3, b4)                                                        \
    do {                                                                                           \
        e[row + 0] = TERNARY(b0, b1, b2, TABLE_CHI);                                               \
        e[row + 1] = TERNARY(b1, b2, b3, TABLE_CHI);                                               \
        e[row + 2] = TERNARY(b2, b3, b4, TABLE_CHI);                                               \
        e[row + 3] = TERNARY(b3, b4, b0, TABLE_CHI);                                               \
        e[row + 4] = TERNARY(b4, b0, b1, TABLE_CHI);                                               \
    } while (0)

#define ROUND(a, e, constant)                                                                      \
    do {                                                                                           \
        const VECTOR c0 = PARITY(a, 0), c1 = PARITY(a, 1), c2 = PARITY(a, 2);                      \
        const VECTOR c3 = PARITY(a, 3), c4 = PARITY(a, 4);                                         \
        const VECTOR d0 = XOR(c4, ROTATE(c1, 1)), d1 = XOR(c0, ROTATE(c2, 1));                     \
        const VECTOR d2 = XOR(c1, ROTATE(c3, 1)), d3 = XOR(c2, ROTATE(c4, 1));                     \
        const VECTOR d4 = XOR(c3, ROTATE(c0, 1));                                                  \
        VECTOR b0, b1, b2, b3, b4;                                                                 \
        b0 = XOR(a[0], d0);                                                                        \
        b1 = ROTATE(XOR(a[6], d1), 44);                                                            \
        b2 = ROTATE(XOR(a[12], d2), 43);                                                           \
        b3 = ROTATE(XOR(a[18], d3), 21);                                                           \
        b4 = ROTATE(XOR(a[24], d4), 14);                                                           \
        CHI_ROW(e, 0, b0, b1, b2, b3, b4);                                                         \
        e[0] = XOR(e[0], constant);                                                                \
        b0 = ROTATE(XOR(a[3], d3), 28);                                                            \
        b1 = ROTATE(XOR(a[9], d4), 20);                                                            \
        b2 = ROTATE(XOR(a[10], d0), 3);                                                            \
        b3 = ROTATE(XOR(a[16], d1), 45);                                                           \
        b4 = ROTATE(XOR(a[22], d2), 61);                                                           \
        CHI_ROW(e, 5, b0, b1, b2, b3, b4);                                                         \
        b0 = ROTATE(XOR(a[1], d1), 1);                                                             \
        b1 = ROTATE(XOR(a[7], d2), 6);                                                             \
        b2 = ROTATE(XOR(a[13], d3), 25);                                                           \
        b3 = ROTATE(XOR(a[19], d4), 8);                                                            \
        b4 = ROTATE(XOR(a[20], d0), 18);                                                           \
        CHI_ROW(e, 10, b0, b1, b2, b3, b4);                                                        \
        b0 = ROTATE(XOR(a[4], d4), 27);                                                            \
        b1 = ROTATE(XOR(a[5], d0), 36);                                                            \
        b2 = ROTATE(XOR(a[11], d1), 10);                                                           \
        b3 = ROTATE(XOR(a[17], d2), 15);                                                           \
        b4 = ROTATE(XOR(a[23], d3), 56);                                                           \
        CHI_ROW(e, 15, b0, b1, b2, b3, b4);                                                        \
        b0 = ROTATE(XOR(a[2], d2), 62);                                                            \
        b1 = ROTATE(XOR(a[8], d3), 55);                                                            \
        b2 = ROTATE(XOR(a[14], d4), 39);                                                           \
        b3 = ROTATE(XOR(a[15], d0), 41);                                                           \
        b4 = ROTATE(XOR(a[21], d1), 2);                                                            \
        CHI_ROW(e, 20, b0, b1, b2, b3, b4);                                                        \
    } while (0)

#define VECTOR                  __m128i
#define XOR(x, y)               _mm_xor_si128(x, y)
#define ROTATE(x, bits)         _mm_rol_epi64(x, bits)
#define TERNARY(x, y, z, table) _mm_ternarylogic_epi64(x, y, z, table)

AVX512 void keccak_permute_avx512(uint64_t state[KECCAK_LANES]) {
    __m128i a[KECCAK_LANES];
    __m128i e[KECCAK_LANES];
    for (int i = 0; i < KECCAK_LANES; i++)
        a[i] = _mm_loadl_epi64((const __m128i *)(state + i));
    for (int i = 0; i < 24; i += 2) {
        const __m128i *constants = (const __m128i *)(keccak_round_constants + i);
        ROUND(a, e, _mm_loadl_epi64(constants));
        ROUND(e, a, _mm_loadl_epi64((const __m128i *)((const uint64_t *)constants + 1)));
    }
    for (int i = 0; i < KECCAK_LANES; i++)
        _mm_storel_epi64((__m128i *)(state + i), a[i]);
}

#undef VECTOR
#undef XOR
#undef ROTATE
#undef TERNARY
#define VECTOR                  __m512i
#define XOR(x, y)               _mm512_xor_si512(x, y)
#define ROTATE(x, bits)         _mm512_rol_epi64(x, bits)
#define TERNARY(x, y, z, table) _mm512_ternarylogic_epi64(x, y, z, table)

/* transpose turns eight rows of eight lanes into columns, in place. */
AVX512 static inline void transpose(__m512i row[8]) {
    __m512i pair[8];
    __m512i quad[8];
    for (int i = 0; i < 8; i += 2) {
        pair[i] = _mm512_unpacklo_epi64(row[i], row[i + 1]);
        pair[i + 1] = _mm512_unpackhi_epi64(row[i], row[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        for (int k = 0; k < 2; k++) {
            quad[i + k] = _mm512_shuffle_i64x2(pair[i + k], pair[i + k + 2], 0x88);
            quad[i + k + 2] = _mm512_shuffle_i64x2(pair[i + k], pair[i + k + 2], 0xdd);
        }
    }
    for (int i = 0; i < 4; i++) {
        row[i] = _mm512_shuffle_i64x2(quad[i], quad[i + 4], 0x88);
        row[i + 4] = _mm512_shuffle_i64x2(quad[i], quad[i + 4], 0xdd);
    }
}

AVX512 void keccak_absorb_eight(uint64_t states[KECCAK_LANES][KECCAK_WAYS],
                                const uint8_t *const blocks[KECCAK_WAYS], uint8_t fresh) {
    __m512i a[KECCAK_LANES];
    __m512i e[KECCAK_LANES];
    const __mmask8 kept = (__mmask8)~fresh;
    for (int i = 0; i < KECCAK_LANES; i++)
        a[i] = _mm512_maskz_loadu_epi64(kept, states[i]);
    for (int i = 0; i < 16; i += 8) {
        __m512i row[8];
        for (int k = 0; k < 8; k++)
            row[k] = _mm512_loadu_si512(blocks[k] + 8 * i);
        transpose(row);
        for (int k = 0; k < 8; k++)
            a[i + k] = XOR(a[i + k], row[k]);
    }
    uint64_t last[KECCAK_WAYS];
    for (int k = 0; k < KECCAK_WAYS; k++)
        memcpy(&last[k], blocks[k] + 128, 8);
    a[16] = XOR(a[16], _mm512_loadu_si512(last));
    for (int i = 0; i < 24; i += 2) {
        ROUND(a, e, _mm512_set1_epi64((long long)keccak_round_constants[i]));
        ROUND(e, a, _mm512_set1_epi64((long long)keccak_round_constants[i + 1]));
    }
    for (int i = 0; i < KECCAK_LANES; i++)
        _mm512_storeu_si512(states[i], a[i]);
}
