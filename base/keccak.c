#include "base/keccak.h"

#include "base/check.h"
#include "base/keccak_internal.h"

#define RATE_BYTES KECCAK_RATE_BYTES
#define RATE_LANES KECCAK_RATE_LANES

const struct hash32 KECCAK_EMPTY = {{0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c,
                                     0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0,
                                     0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82, 0x27, 0x3b,
                                     0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70}};
const struct hash32 KECCAK_EMPTY_LIST = {{0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a,
                                          0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a,
                                          0xd3, 0x12, 0x45, 0x1b, 0x94, 0x8a, 0x74, 0x13,
                                          0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47}};
const struct hash32 KECCAK_EMPTY_TRIE = {{0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6,
                                          0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e,
                                          0x5b, 0x48, 0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0,
                                          0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21}};

const uint64_t keccak_round_constants[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

static inline uint64_t rotate(uint64_t lane, unsigned bits) {
    return lane << bits | lane >> (64 - bits);
}

/* One row of chi from five lanes that theta, rho and pi have moved into place. */
#define CHI_ROW(to, row, b0, b1, b2, b3, b4)                                                       \
    do {                                                                                           \
        to[row + 0] = b0 ^ (~b1 & b2);                                                             \
        to[row + 1] = b1 ^ (~b2 & b3);                                                             \
        to[row + 2] = b2 ^ (~b3 & b4);                                                             \
        to[row + 3] = b3 ^ (~b4 & b0);                                                             \
        to[row + 4] = b4 ^ (~b0 & b1);                                                             \
    } while (0)

/* One round from one set of lanes into another: two sets, so that no lane is copied.  Constant
 * indices let the compiler keep the lanes in registers as far as they reach. */
static inline __attribute__((always_inline)) void keccak_round(const uint64_t *a, uint64_t *e,
                                                               uint64_t constant) {
    const uint64_t c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20];
    const uint64_t c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21];
    const uint64_t c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22];
    const uint64_t c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23];
    const uint64_t c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24];
    const uint64_t d0 = c4 ^ rotate(c1, 1);
    const uint64_t d1 = c0 ^ rotate(c2, 1);
    const uint64_t d2 = c1 ^ rotate(c3, 1);
    const uint64_t d3 = c2 ^ rotate(c4, 1);
    const uint64_t d4 = c3 ^ rotate(c0, 1);
    uint64_t b0, b1, b2, b3, b4;

    b0 = a[0] ^ d0;
    b1 = rotate(a[6] ^ d1, 44);
    b2 = rotate(a[12] ^ d2, 43);
    b3 = rotate(a[18] ^ d3, 21);
    b4 = rotate(a[24] ^ d4, 14);
    CHI_ROW(e, 0, b0, b1, b2, b3, b4);
    e[0] ^= constant;
    b0 = rotate(a[3] ^ d3, 28);
    b1 = rotate(a[9] ^ d4, 20);
    b2 = rotate(a[10] ^ d0, 3);
    b3 = rotate(a[16] ^ d1, 45);
    b4 = rotate(a[22] ^ d2, 61);
    CHI_ROW(e, 5, b0, b1, b2, b3, b4);
    b0 = rotate(a[1] ^ d1, 1);
    b1 = rotate(a[7] ^ d2, 6);
    b2 = rotate(a[13] ^ d3, 25);
    b3 = rotate(a[19] ^ d4, 8);
    b4 = rotate(a[20] ^ d0, 18);
    CHI_ROW(e, 10, b0, b1, b2, b3, b4);
    b0 = rotate(a[4] ^ d4, 27);
    b1 = rotate(a[5] ^ d0, 36);
    b2 = rotate(a[11] ^ d1, 10);
    b3 = rotate(a[17] ^ d2, 15);
    b4 = rotate(a[23] ^ d3, 56);
    CHI_ROW(e, 15, b0, b1, b2, b3, b4);
    b0 = rotate(a[2] ^ d2, 62);
    b1 = rotate(a[8] ^ d3, 55);
    b2 = rotate(a[14] ^ d4, 39);
    b3 = rotate(a[15] ^ d0, 41);
    b4 = rotate(a[21] ^ d1, 2);
    CHI_ROW(e, 20, b0, b1, b2, b3, b4);
}

void keccak_permute_general(uint64_t state[25]) {
    uint64_t a[25];
    uint64_t e[25];
    memcpy(a, state, sizeof a);
    for (int i = 0; i < 24; i += 2) {
        keccak_round(a, e, keccak_round_constants[i]);
        keccak_round(e, a, keccak_round_constants[i + 1]);
    }
    memcpy(state, a, sizeof a);
}

static inline void permute(uint64_t state[25]) {
    if (keccak_has_avx512()) {
        keccak_permute_avx512(state);
    } else {
        keccak_permute_general(state);
    }
}

/* absorb mixes one whole block in.  (Lanes are little-endian, as this machine is.) */
static inline void absorb(uint64_t state[25], const uint8_t *block) {
    for (int i = 0; i < RATE_LANES; i++) {
        uint64_t lane;
        memcpy(&lane, block + 8 * i, sizeof lane);
        state[i] ^= lane;
    }
    permute(state);
}

/* pad makes the last block of a message whose last `rest` is shorter than a block: 0x01 ... 0x80,
 * Keccak's own padding. */
static inline void pad(uint8_t block[RATE_BYTES], struct bytes rest) {
    memset(block, 0, RATE_BYTES);
    if (rest.size != 0) memcpy(block, rest.data, rest.size);
    block[rest.size] = 0x01;
    block[RATE_BYTES - 1] |= 0x80;
}

struct hash32 keccak256(struct bytes in) {
    uint64_t state[25] = {0};
    while (in.size >= RATE_BYTES) {
        absorb(state, in.data);
        in.data += RATE_BYTES;
        in.size -= RATE_BYTES;
    }
    uint8_t block[RATE_BYTES];
    pad(block, in);
    absorb(state, block);
    struct hash32 out;
    memcpy(out.bytes, state, sizeof out.bytes);
    return out;
}

/* One of the states that keccak256_many works on at once. */
struct way {
    struct bytes rest; /* not absorbed yet */
    size_t index;      /* of the message */
    bool is_busy;
    bool is_last; /* the padded block is in */
    uint8_t padded[RATE_BYTES];
};

/* way_next_block views the next block of the way's message; an idle way absorbs whatever there is.
 */
static const uint8_t *way_next_block(struct way *way) {
    if (!way->is_busy) return way->padded;
    const uint8_t *block = way->rest.data;
    if (way->rest.size < RATE_BYTES) {
        pad(way->padded, way->rest);
        way->is_last = true;
        return way->padded;
    }
    way->rest = bytes_slice(way->rest, RATE_BYTES, way->rest.size);
    return block;
}

/* hash_eight keeps eight ways busy: whichever finishes takes up the next message. */
static void hash_eight(const struct bytes *in, size_t count, struct hash32 *out) {
    uint64_t states[KECCAK_LANES][KECCAK_WAYS] = {{0}};
    struct way ways[KECCAK_WAYS] = {{.is_busy = false}};
    size_t next = 0;
    size_t done = 0;
    while (done < count) {
        const uint8_t *blocks[KECCAK_WAYS];
        uint8_t fresh = 0;
        for (size_t k = 0; k < KECCAK_WAYS; k++) {
            if (!ways[k].is_busy && next < count) {
                ways[k].rest = in[next];
                ways[k].index = next++;
                ways[k].is_busy = true;
                ways[k].is_last = false;
                fresh = (uint8_t)(fresh | 1u << k);
            }
            blocks[k] = way_next_block(&ways[k]);
        }
        keccak_absorb_eight(states, blocks, fresh);
        for (size_t k = 0; k < KECCAK_WAYS; k++) {
            if (!ways[k].is_busy || !ways[k].is_last) continue;
            for (size_t i = 0; i < 4; i++) {
                memcpy(out[ways[k].index].bytes + 8 * i, &states[i][k], 8);
            }
            ways[k].is_busy = false;
            done++;
        }
    }
}

void keccak256_many(const struct bytes *in, size_t count, struct hash32 *out) {
    if (count > 1 && keccak_has_avx512()) {
        hash_eight(in, count, out);
        return;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = keccak256(in[i]);
}

void keccak_init(struct keccak *context) {
    memset(context, 0, sizeof *context);
}

void keccak_update(struct keccak *context, struct bytes in) {
    CHECK(context->absorbed < RATE_BYTES);
    if (in.size == 0) return;
    uint8_t *state = (uint8_t *)context->state;
    while (context->absorbed != 0 && in.size != 0) {
        state[context->absorbed++] ^= *in.data++;
        in.size--;
        if (context->absorbed == RATE_BYTES) {
            permute(context->state);
            context->absorbed = 0;
        }
    }
    while (in.size >= RATE_BYTES) {
        absorb(context->state, in.data);
        in.data += RATE_BYTES;
        in.size -= RATE_BYTES;
    }
    for (; in.size != 0; in.size--)
        state[context->absorbed++] ^= *in.data++;
}

struct hash32 keccak_final(struct keccak *context) {
    CHECK(context->absorbed < RATE_BYTES);
    uint8_t *state = (uint8_t *)context->state;
    state[context->absorbed] ^= 0x01;
    state[RATE_BYTES - 1] ^= 0x80;
    permute(context->state);
    context->absorbed = SIZE_MAX; /* unusable until keccak_init: keccak_update CHECKs it */
    struct hash32 out;
    memcpy(out.bytes, context->state, sizeof out.bytes);
    return out;
}
