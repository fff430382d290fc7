/* The compression function runs two lines of 80 dependent steps each over the same words.  Written
 * one after the other, as OpenSSL has them, a processor sees one chain at a time and waits for it;
 * here a step of the left line stands beside one of the right, and both chains move. */
#include "evm/ripemd160.h"

#include <string.h>

#define BLOCK_BYTES 64
#define STEPS       80
#define LINE_WORDS  5

/* Which word of the block a step reads, and how far it turns its sum: the paper's appendix A. */
static const uint8_t left_word[STEPS] = {
    0,  1, 2,  3, 4,  5,  6, 7,  8, 9,  10, 11, 12, 13, 14, 15, 7,  4,  13, 1,
    10, 6, 15, 3, 12, 0,  9, 5,  2, 14, 11, 8,  3,  10, 14, 4,  9,  15, 8,  1,
    2,  7, 0,  6, 13, 11, 5, 12, 1, 9,  11, 10, 0,  8,  12, 4,  13, 3,  7,  15,
    14, 5, 6,  2, 4,  0,  5, 9,  7, 12, 2,  10, 14, 1,  3,  8,  11, 6,  15, 13};
static const uint8_t right_word[STEPS] = {
    5,  14, 7,  0,  9,  2,  11, 4,  13, 6, 15, 8, 1,  10, 3,  12, 6, 11, 3, 7,
    0,  13, 5,  10, 14, 15, 8,  12, 4,  9, 1,  2, 15, 5,  1,  3,  7, 14, 6, 9,
    11, 8,  12, 2,  10, 0,  4,  13, 8,  6, 4,  1, 3,  11, 15, 0,  5, 12, 2, 13,
    9,  7,  10, 14, 12, 15, 10, 4,  1,  5, 8,  7, 6,  2,  13, 14, 0, 3,  9, 11};
static const uint8_t left_turn[STEPS] = {
    11, 14, 15, 12, 5, 8,  7,  9,  11, 13, 14, 15, 6,  7,  9,  8,  7,  6,  8,  13,
    11, 9,  7,  15, 7, 12, 15, 9,  11, 7,  13, 12, 11, 13, 6,  7,  14, 9,  13, 15,
    14, 8,  13, 6,  5, 12, 7,  5,  11, 12, 14, 15, 14, 15, 9,  8,  9,  14, 5,  6,
    8,  6,  5,  12, 9, 15, 5,  11, 6,  8,  13, 12, 5,  12, 13, 14, 11, 8,  5,  6};
static const uint8_t right_turn[STEPS] = {
    8,  9,  9,  11, 13, 15, 15, 5, 7,  7,  8,  11, 14, 14, 12, 6,  9,  13, 15, 7,
    12, 8,  9,  11, 7,  7,  12, 7, 6,  15, 13, 11, 9,  7,  15, 11, 8,  6,  6,  14,
    12, 13, 5,  14, 13, 13, 7,  5, 15, 5,  8,  11, 14, 14, 6,  14, 6,  9,  12, 9,
    12, 5,  15, 8,  8,  5,  12, 9, 12, 5,  14, 6,  8,  13, 6,  5,  15, 13, 11, 11};
static const uint32_t left_constant[5] = {0, 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xa953fd4e};
static const uint32_t right_constant[5] = {0x50a28be6, 0x5c4dd124, 0x6d703ef3, 0x7a6d76e9, 0};

static inline uint32_t turn(uint32_t word, unsigned bits) {
    return word << bits | word >> (32 - bits);
}

/* choose is the paper's f of the given round. */
static inline uint32_t choose(int round, uint32_t x, uint32_t y, uint32_t z) {
    switch (round) {
    case 0: return x ^ y ^ z;
    case 1: return (x & y) | (~x & z);
    case 2: return (x | ~y) ^ z;
    case 3: return (x & z) | (y & ~z);
    default: return x ^ (y | ~z);
    }
}

/* step moves one line on; instead of its words, the names of their places turn. */
static inline __attribute__((always_inline)) void step(uint32_t line[LINE_WORDS], int i, int round,
                                                       uint32_t addend, unsigned bits) {
    const int first = (STEPS - i) % LINE_WORDS;
    uint32_t *a = &line[first], *c = &line[(first + 2) % LINE_WORDS];
    const uint32_t b = line[(first + 1) % LINE_WORDS], d = line[(first + 3) % LINE_WORDS];
    *a = turn(*a + addend + choose(round, b, *c, d), bits) + line[(first + 4) % LINE_WORDS];
    *c = turn(*c, 10);
}

static void compress(uint32_t state[LINE_WORDS], const uint8_t *block) {
    uint32_t words[16];
    memcpy(words, block, sizeof words); /* little-endian, as this machine is */
    uint32_t left[LINE_WORDS];
    uint32_t right[LINE_WORDS];
    memcpy(left, state, sizeof left);
    memcpy(right, state, sizeof right);
#pragma GCC unroll 80
    for (int i = 0; i < STEPS; i++) {
        const int round = i / 16;
        step(left, i, round, words[left_word[i]] + left_constant[round], left_turn[i]);
        step(right, i, 4 - round, words[right_word[i]] + right_constant[round], right_turn[i]);
    }
    const uint32_t first = state[1] + left[2] + right[3];
    state[1] = state[2] + left[3] + right[4];
    state[2] = state[3] + left[4] + right[0];
    state[3] = state[4] + left[0] + right[1];
    state[4] = state[0] + left[1] + right[2];
    state[0] = first;
}

void ripemd160(struct bytes in, uint8_t out[RIPEMD160_BYTES]) {
    uint32_t state[LINE_WORDS] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    const uint64_t size_bits = (uint64_t)in.size * 8;
    for (; in.size >= BLOCK_BYTES; in = bytes_slice(in, BLOCK_BYTES, in.size))
        compress(state, in.data);
    uint8_t last[2 * BLOCK_BYTES] = {0};
    if (in.size != 0) memcpy(last, in.data, in.size);
    last[in.size] = 0x80;
    const size_t last_bytes = in.size + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    memcpy(last + last_bytes - 8, &size_bits, sizeof size_bits);
    for (size_t i = 0; i < last_bytes; i += BLOCK_BYTES)
        compress(state, last + i);
    memcpy(out, state, sizeof state);
}
