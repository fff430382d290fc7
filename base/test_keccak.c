#include "base/keccak.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak_internal.h"

static void expect(struct bytes in, const char *digits) {
    char text[67];
    const struct hash32 hash = keccak256(in);
    CHECK(strcmp(hex_string(hash_bytes(&hash), text) + 2, digits) == 0);
}

/* naive_permute is Keccak-f[1600] as FIPS 202 defines it, with computed rotations and constants. */
static void naive_permute(uint64_t a[5][5]) {
    uint8_t shift_register = 1;
    for (int round = 0; round < 24; round++) {
        uint64_t c[5];
        for (int x = 0; x < 5; x++)
            c[x] = a[0][x] ^ a[1][x] ^ a[2][x] ^ a[3][x] ^ a[4][x];
        for (int x = 0; x < 5; x++) {
            const uint64_t right = c[(x + 1) % 5];
            for (int y = 0; y < 5; y++)
                a[y][x] ^= c[(x + 4) % 5] ^ (right << 1 | right >> 63);
        }
        uint64_t b[5][5];
        b[0][0] = a[0][0];
        for (int t = 0, x = 1, y = 0; t < 24; t++) {
            const unsigned bits = (unsigned)((t + 1) * (t + 2) / 2 % 64);
            const uint64_t lane = a[y][x];
            const int next_y = (2 * x + 3 * y) % 5;
            b[next_y][y] = bits == 0 ? lane : lane << bits | lane >> (64 - bits);
            x = y;
            y = next_y;
        }
        for (int y = 0; y < 5; y++) {
            for (int x = 0; x < 5; x++)
                a[y][x] = b[y][x] ^ (~b[y][(x + 1) % 5] & b[y][(x + 2) % 5]);
        }
        for (int j = 0; j < 7; j++) {
            if (shift_register & 1) a[0][0] ^= (uint64_t)1 << ((1 << j) - 1);
            shift_register = (uint8_t)(shift_register << 1 ^ (shift_register >> 7 != 0 ? 0x71 : 0));
        }
    }
}

static struct hash32 naive_keccak256(struct bytes in) {
    uint64_t state[5][5] = {{0}};
    uint8_t *at = (uint8_t *)state;
    size_t filled = 0;
    for (size_t i = 0; i < in.size; i++) {
        at[filled++] ^= in.data[i];
        if (filled == 136) {
            naive_permute(state);
            filled = 0;
        }
    }
    at[filled] ^= 0x01;
    at[135] ^= 0x80;
    naive_permute(state);
    struct hash32 out;
    memcpy(out.bytes, state, 32);
    return out;
}

static void test_every_size_and_split(void) {
    uint8_t message[600];
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 7 + i / 251);
    for (size_t size = 0; size <= sizeof message; size++) {
        const struct bytes in = {message, size};
        const struct hash32 expected = naive_keccak256(in);
        const struct hash32 whole = keccak256(in);
        CHECK(hash_equal(&whole, &expected));
        for (size_t split = 0; split <= size; split += 1 + size / 9) {
            struct keccak context;
            keccak_init(&context);
            keccak_update(&context, bytes_slice(in, 0, split));
            keccak_update(&context, bytes_slice(in, split, 1));
            keccak_update(&context, bytes_slice(in, split + 1, size));
            const struct hash32 pieces = keccak_final(&context);
            CHECK(hash_equal(&pieces, &expected));
        }
    }
}

/* Messages of all sizes in one call, in orders that make the ways finish at different times. */
static void test_many(void) {
    static uint8_t message[2000];
    struct bytes in[300] = {{0}};
    struct hash32 out[301];
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 13 + i / 255);
    for (size_t count = 0; count <= 300; count += count < 20 ? 1 : 35) {
        for (size_t i = 0; i < count; i++) {
            in[i] = (struct bytes){message + i % 7, (i * 97 + count) % 700};
        }
        memset(out, 0xee, sizeof out);
        keccak256_many(in, count, out);
        for (size_t i = 0; i < count; i++) {
            const struct hash32 expected = naive_keccak256(in[i]);
            CHECK(hash_equal(&out[i], &expected));
        }
        CHECK(out[count].bytes[0] == 0xee);
    }
}

/* Whichever permutation this machine picks, the other one is right as well. */
static void test_permutations(void) {
    uint64_t naive[5][5];
    uint64_t general[KECCAK_LANES];
    uint64_t vector[KECCAK_LANES];
    for (uint64_t seed = 0; seed < 200; seed++) {
        for (size_t i = 0; i < KECCAK_LANES; i++) {
            general[i] = (seed + 1) * 0x9e3779b97f4a7c15u ^ (i << 56) * seed;
        }
        memcpy(naive, general, sizeof naive);
        memcpy(vector, general, sizeof vector);
        naive_permute(naive);
        keccak_permute_general(general);
        CHECK(memcmp(general, naive, sizeof general) == 0);
        if (!keccak_has_avx512()) continue;
        keccak_permute_avx512(vector);
        CHECK(memcmp(vector, naive, sizeof vector) == 0);
    }
}

int main(void) {
    expect(BYTES_EMPTY, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    expect(BYTES_STRING("abc"), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    expect(BYTES_STRING("The quick brown fox jumps over the lazy dog"),
           "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15");
    expect(BYTES_STRING("transfer(address,uint256)"),
           "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b");

    const struct hash32 empty = keccak256(BYTES_EMPTY);
    const struct hash32 empty_list = keccak256(BYTES_STRING("\xc0"));
    const struct hash32 empty_trie = keccak256(BYTES_STRING("\x80"));
    CHECK(hash_equal(&empty, &KECCAK_EMPTY));
    CHECK(hash_equal(&empty_list, &KECCAK_EMPTY_LIST));
    CHECK(hash_equal(&empty_trie, &KECCAK_EMPTY_TRIE));
    test_every_size_and_split();
    test_many();
    test_permutations();
    return 0;
}
