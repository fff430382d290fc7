#include "base/merkle.h"
#include "base/sha256_internal.h"

const uint32_t sha256_round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t rotate(uint32_t word, unsigned bits) {
    return word >> bits | word << (32 - bits);
}

static void compress_block(uint32_t state[8], const uint8_t *block) {
    uint32_t schedule[64];
    for (int i = 0; i < 16; i++)
        schedule[i] = (uint32_t)be_read(block + 4 * i, 4);
    for (int i = 16; i < 64; i++) {
        const uint32_t w15 = schedule[i - 15];
        const uint32_t w2 = schedule[i - 2];
        const uint32_t s0 = rotate(w15, 7) ^ rotate(w15, 18) ^ w15 >> 3;
        const uint32_t s1 = rotate(w2, 17) ^ rotate(w2, 19) ^ w2 >> 10;
        schedule[i] = schedule[i - 16] + s0 + schedule[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        const uint32_t sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
        const uint32_t choice = (e & f) ^ (~e & g);
        const uint32_t t1 = h + sum1 + choice + sha256_round_constants[i] + schedule[i];
        const uint32_t sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
        const uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + sum0 + majority;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void sha256_compress_general(uint32_t state[8], const uint8_t *blocks, size_t count) {
    for (; count > 0; count--, blocks += SHA256_BLOCK_BYTES)
        compress_block(state, blocks);
}

/* compress folds `count` blocks into the state the fastest way there is. */
static inline void compress(uint32_t state[8], const uint8_t *blocks, size_t count) {
    if (sha256_has_ni()) {
        sha256_compress_ni(state, blocks, count);
    } else {
        sha256_compress_general(state, blocks, count);
    }
}

void sha256_init(struct sha256 *context) {
    *context = (struct sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                         0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_update(struct sha256 *context, struct bytes in) {
    if (in.size == 0) return;
    const size_t filled = (size_t)(context->size % 64);
    context->size += in.size;
    if (filled != 0) {
        const size_t room = 64 - filled;
        const size_t take = in.size < room ? in.size : room;
        memcpy(context->block + filled, in.data, take);
        if (take < room) return;
        compress(context->state, context->block, 1);
        in = bytes_slice(in, take, in.size);
    }
    const size_t whole = in.size / 64;
    if (whole != 0) compress(context->state, in.data, whole);
    in = bytes_slice(in, whole * 64, in.size);
    if (in.size != 0) memcpy(context->block, in.data, in.size);
}

struct hash32 sha256_final(struct sha256 *context) {
    const uint64_t size_bits = context->size * 8;
    size_t filled = (size_t)(context->size % 64);
    context->block[filled++] = 0x80;
    if (filled > 56) {
        memset(context->block + filled, 0, 64 - filled);
        compress(context->state, context->block, 1);
        filled = 0;
    }
    memset(context->block + filled, 0, 56 - filled);
    be_write(context->block + 56, 8, size_bits);
    compress(context->state, context->block, 1);
    struct hash32 out;
    for (int i = 0; i < 8; i++)
        be_write(out.bytes + 4 * i, 4, context->state[i]);
    return out;
}

struct hash32 sha256(struct bytes in) {
    struct sha256 context;
    sha256_init(&context);
    sha256_update(&context, in);
    return sha256_final(&context);
}
