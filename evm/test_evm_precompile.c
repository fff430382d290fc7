/* Precompiled contracts: known answers, and what must hold for any input: bilinear pairings, group
 * orders, modular powers against GMP's own, hashes against OpenSSL's. */
/* OpenSSL's one-shot call of RIPEMD-160 is deprecated there, and needs no provider. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <gmp.h>
#include <openssl/evp.h>
#include <openssl/ripemd.h>
#include <openssl/sha.h>

#include "evm/bn254.h"
#include "evm/modexp.h"
#include "evm/precompile.h"
#include "evm/test_run.h"

static struct arena scratch;
static uint8_t output[4096];

static uint64_t next_random(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* call runs the contract at `address` in Osaka; false: it refused. */
static bool call(uint16_t address, struct bytes input, struct bytes *out) {
    struct address full = {{0}};
    be_write(full.bytes + 18, 2, address);
    const struct precompile *precompile = precompile_find(FORK_OSAKA, &full);
    CHECK(precompile != NULL);
    (void)precompile->gas(input);
    struct buffer buffer = buffer_over(output, sizeof output);
    arena_reset(&scratch);
    const bool ok = precompile->run(input, &scratch, &buffer);
    CHECK(!buffer.overflow);
    *out = buffer_bytes(&buffer);
    return ok;
}

/* --- which contract is where, since when */

static void check_table(void) {
    static const struct {
        uint16_t address;
        enum fork first;
    } table[] = {{1, FORK_FRONTIER},  {4, FORK_FRONTIER},  {5, FORK_BYZANTIUM},
                 {8, FORK_BYZANTIUM}, {9, FORK_ISTANBUL},  {0x0a, FORK_CANCUN},
                 {0x0b, FORK_PRAGUE}, {0x11, FORK_PRAGUE}, {0x100, FORK_OSAKA},
                 {0x12, FORK_COUNT},  {0, FORK_COUNT},     {0x101, FORK_COUNT}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct address address = {{0}};
        be_write(address.bytes + 18, 2, table[i].address);
        for (int fork = 0; fork < FORK_COUNT; fork++) {
            const bool is_there = precompile_find((enum fork)fork, &address) != NULL;
            CHECK(is_there == ((enum fork)fork >= table[i].first));
        }
        address.bytes[3] = 1;
        CHECK(precompile_find(FORK_OSAKA, &address) == NULL);
    }
}

/* --- alt_bn128 */

static const struct bn254_g1 infinity;

static struct bn254_g1 g1_generator(void) {
    uint8_t one[32] = {[31] = 1};
    uint8_t two[32] = {[31] = 2};
    struct bn254_g1 g;
    CHECK(fp_read(one, &g.x) && fp_read(two, &g.y));
    CHECK(bn254_g1_is_on_curve(&g));
    return g;
}

static struct bn254_g2 g2_generator(struct run *run) {
    const struct bytes in =
        run_hex(run, "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
                     "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
                     "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
                     "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa");
    struct bn254_g2 g;
    CHECK(fp_read(in.data, &g.x.b) && fp_read(in.data + 32, &g.x.a));
    CHECK(fp_read(in.data + 64, &g.y.b) && fp_read(in.data + 96, &g.y.a));
    CHECK(bn254_g2_is_on_curve(&g) && bn254_g2_is_in_group(&g));
    return g;
}

static void check_bn254_group(uint64_t *random) {
    const struct bn254_g1 g = g1_generator();
    const struct u256 order = {
        {0x43e1f593f0000001, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029}};
    const struct bn254_g1 nothing = bn254_g1_mul(&g, &order);
    CHECK(bn254_g1_is_infinity(&nothing));
    for (int i = 0; i < 50; i++) {
        const struct u256 a = {
            {next_random(random), next_random(random), next_random(random), next_random(random)}};
        const struct u256 b = u256_from_u64(next_random(random));
        const struct u256 a_mod = u256_mod(&a, &order);
        const struct u256 sum = u256_addmod(&a, &b, &order);
        const struct bn254_g1 a_g = bn254_g1_mul(&g, &a);
        const struct bn254_g1 a_mod_g = bn254_g1_mul(&g, &a_mod);
        const struct bn254_g1 b_g = bn254_g1_mul(&g, &b);
        const struct bn254_g1 both = bn254_g1_add(&a_g, &b_g);
        const struct bn254_g1 sum_g = bn254_g1_mul(&g, &sum);
        CHECK(bn254_g1_is_on_curve(&a_g));
        CHECK(fp_equal(&a_g.x, &a_mod_g.x) && fp_equal(&a_g.y, &a_mod_g.y));
        CHECK(fp_equal(&both.x, &sum_g.x) && fp_equal(&both.y, &sum_g.y));
        const struct bn254_g1 minus = {a_g.x, fp_neg(&a_g.y)};
        const struct bn254_g1 zero = bn254_g1_add(&a_g, &minus);
        const struct bn254_g1 same = bn254_g1_add(&a_g, &infinity);
        CHECK(bn254_g1_is_infinity(&zero) && fp_equal(&same.x, &a_g.x));
    }
}

/* e(aP, Q) e(-P, Q)^a = 1: the check is true for it, and false when one scalar is off by one. */
static void check_bn254_pairing(struct run *run, uint64_t *random) {
    const struct bn254_g1 p = g1_generator();
    const struct bn254_g2 q = g2_generator(run);
    for (int i = 0; i < 5; i++) {
        const struct u256 a = u256_from_u64(next_random(random) % 40 + 2);
        struct bn254_pair pairs[48];
        pairs[0] = (struct bn254_pair){bn254_g1_mul(&p, &a), q};
        size_t count = 1;
        for (uint64_t j = 0; j < a.limb[0]; j++)
            pairs[count++] = (struct bn254_pair){{p.x, fp_neg(&p.y)}, q};
        bool error;
        arena_reset(&scratch);
        CHECK(bn254_pairing_check(pairs, count, &scratch, &error) && !error);
        CHECK(!bn254_pairing_check(pairs, count - 1, &scratch, &error) && !error);
        pairs[1].p = infinity;
        CHECK(!bn254_pairing_check(pairs, count, &scratch, &error) && !error);
    }
    struct arena tiny = arena_over(output, 16);
    bool error;
    const struct bn254_pair pair = {p, q};
    CHECK(!bn254_pairing_check(&pair, 1, &tiny, &error) && error);
}

/* The cyclotomic square and the Frobenius maps agree with plain multiplication. */
static void check_bn254_tower(uint64_t *random) {
    struct fp12 x;
    uint64_t *limbs = (uint64_t *)&x;
    for (size_t i = 0; i < sizeof x / 8; i++)
        limbs[i] = i % 4 == 3 ? next_random(random) >> 3 : next_random(random);
    const struct fp12 inverse = fp12_invert(&x);
    const struct fp12 product = fp12_mul(&x, &inverse);
    CHECK(fp12_is_one(&product));
    const struct fp12 square = fp12_square(&x);
    const struct fp12 plain = fp12_mul(&x, &x);
    CHECK(memcmp(&square, &plain, sizeof plain) == 0);
    const struct fp12 once = fp12_frobenius(&x);
    const struct fp12 twice = fp12_frobenius(&once);
    const struct fp12 both = fp12_frobenius_2(&x);
    CHECK(memcmp(&twice, &both, sizeof both) == 0);
    /* x^((p^6 - 1)(p^2 + 1)) is cyclotomic. */
    struct fp12 c = fp12_conjugate(&x);
    c = fp12_mul(&c, &inverse);
    const struct fp12 raised = fp12_frobenius_2(&c);
    c = fp12_mul(&c, &raised);
    const struct fp12 fast = fp12_cyclotomic_square(&c);
    const struct fp12 slow = fp12_square(&c);
    CHECK(memcmp(&fast, &slow, sizeof slow) == 0);
}

/* --- modular powers against GMP's own */

static void check_modexp(uint64_t *random) {
    mpz_t base, exponent, modulus, expected;
    mpz_inits(base, exponent, modulus, expected, NULL);
    for (int i = 0; i < 3000; i++) {
        uint8_t in[96 + 3 * 160] = {0};
        const size_t sizes[3] = {next_random(random) % 160, next_random(random) % 40,
                                 next_random(random) % 160 + 1};
        size_t at = 96;
        for (size_t j = 0; j < 3; j++) {
            be_write(in + 32 * j + 24, 8, sizes[j]);
            for (size_t k = 0; k < sizes[j]; k++)
                in[at + k] = (uint8_t)next_random(random);
            at += sizes[j];
        }
        /* Often even, often with many low zeros, sometimes a power of two or zero. */
        const size_t zeros = next_random(random) % (sizes[2] + 1);
        if (i % 2 == 0) memset(in + at - zeros, 0, zeros);
        if (i % 7 == 0) in[at - 1] &= 0xf0;
        const uint8_t *parts = in + 96;
        mpz_import(base, sizes[0], 1, 1, 1, 0, parts);
        mpz_import(exponent, sizes[1], 1, 1, 1, 0, parts + sizes[0]);
        mpz_import(modulus, sizes[2], 1, 1, 1, 0, parts + sizes[0] + sizes[1]);
        if (mpz_sgn(modulus) == 0) {
            mpz_set_ui(expected, 0);
        } else {
            mpz_powm(expected, base, exponent, modulus);
        }
        uint8_t wanted[160] = {0};
        size_t count = 0;
        uint8_t digits[160];
        mpz_export(digits, &count, 1, 1, 1, 0, expected);
        memcpy(wanted + sizes[2] - count, digits, count);
        struct bytes out;
        CHECK(call(5, (struct bytes){in, at}, &out));
        CHECK(bytes_equal(out, (struct bytes){wanted, sizes[2]}));
    }
    mpz_clears(base, exponent, modulus, expected, NULL);
}

static void check_modexp_bounds(void) {
    uint8_t in[96] = {0};
    struct bytes out;
    be_write(in + 24, 8, 1025); /* EIP-7823 */
    CHECK(!call(5, BYTES_OF(in), &out));
    memset(in, 0, sizeof in);
    CHECK(call(5, BYTES_OF(in), &out) && out.size == 0);
    CHECK(call(5, BYTES_EMPTY, &out) && out.size == 0);
    memset(in, 0xff, sizeof in);
    CHECK(modexp_osaka_gas(BYTES_OF(in)) == UINT64_MAX);
    CHECK(modexp_berlin_gas(BYTES_OF(in)) == UINT64_MAX);
    CHECK(modexp_byzantium_gas(BYTES_OF(in)) == UINT64_MAX);
}

/* --- BLAKE2b of one block, against OpenSSL */

static void check_blake2(uint64_t *random) {
    for (int i = 0; i < 200; i++) {
        uint8_t in[213] = {[3] = 12};
        const size_t size = next_random(random) % 129;
        for (size_t j = 0; j < size; j++)
            in[68 + j] = (uint8_t)next_random(random);
        static const uint64_t start[8] = {0x6a09e667f3bcc908 ^ 0x01010040,
                                          0xbb67ae8584caa73b,
                                          0x3c6ef372fe94f82b,
                                          0xa54ff53a5f1d36f1,
                                          0x510e527fade682d1,
                                          0x9b05688c2b3e6c1f,
                                          0x1f83d9abfb41bd6b,
                                          0x5be0cd19137e2179};
        memcpy(in + 4, start, sizeof start);
        in[196] = (uint8_t)size;
        in[212] = 1;
        uint8_t wanted[64];
        unsigned wanted_size = 0;
        CHECK(EVP_Digest(in + 68, size, wanted, &wanted_size, EVP_blake2b512(), NULL) == 1);
        struct bytes out;
        CHECK(call(9, BYTES_OF(in), &out));
        CHECK(bytes_equal(out, BYTES_OF(wanted)));
        in[212] = 2;
        CHECK(!call(9, BYTES_OF(in), &out));
    }
}

/* blake2_defined is the compression function as RFC 7693 writes it, a round as good as another. */
static void blake2_defined(uint64_t h[8], const uint64_t m[16], const uint64_t offset[2],
                           bool is_final, uint32_t rounds) {
    static const char order[10][17] = {"0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194",
                                       "7931dcbe265a40f8", "905724afe1bc683d", "2c6a0b834d75fe19",
                                       "c51fed4a0763928b", "db7ec13950f4862a", "6fe9b308c2d714a5",
                                       "a2847615fb9e3cd0"};
    static const uint8_t columns[8][4] = {{0, 4, 8, 12},  {1, 5, 9, 13},  {2, 6, 10, 14},
                                          {3, 7, 11, 15}, {0, 5, 10, 15}, {1, 6, 11, 12},
                                          {2, 7, 8, 13},  {3, 4, 9, 14}};
    static const unsigned turns[2][2] = {{32, 24}, {16, 63}};
    static const uint64_t start[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                      0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                      0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
    uint64_t v[16];
    memcpy(v, h, 64);
    memcpy(v + 8, start, 64);
    v[12] ^= offset[0];
    v[13] ^= offset[1];
    if (is_final) v[14] = ~v[14];
    for (uint32_t step = 0; step < 16 * rounds; step++) {
        const char digit = order[step / 16 % 10][step % 16];
        const uint8_t *at = columns[step % 16 / 2];
        const unsigned *turn = turns[step % 2];
        v[at[0]] += v[at[1]] + m[digit <= '9' ? digit - '0' : digit - 'a' + 10];
        v[at[3]] ^= v[at[0]];
        v[at[3]] = v[at[3]] >> turn[0] | v[at[3]] << (64 - turn[0]);
        v[at[2]] += v[at[3]];
        v[at[1]] ^= v[at[2]];
        v[at[1]] = v[at[1]] >> turn[1] | v[at[1]] << (64 - turn[1]);
    }
    for (int i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}

static void check_blake2_rounds(uint64_t *random) {
    for (uint32_t rounds = 0; rounds <= 64; rounds++) {
        uint8_t in[213];
        for (size_t i = 0; i < sizeof in; i++)
            in[i] = (uint8_t)next_random(random);
        be_write(in, 4, rounds);
        in[212] &= 1;
        uint64_t h[8], m[16], offset[2];
        memcpy(h, in + 4, sizeof h);
        memcpy(m, in + 68, sizeof m);
        memcpy(offset, in + 196, sizeof offset);
        blake2_defined(h, m, offset, in[212] == 1, rounds);
        struct bytes out;
        CHECK(call(9, BYTES_OF(in), &out));
        CHECK(bytes_equal(out, (struct bytes){(const uint8_t *)h, sizeof h}));
    }
}

/* --- RIPEMD-160 and SHA-256, against OpenSSL */

static void check_hashes(uint64_t *random) {
    static uint8_t in[600];
    for (size_t size = 0; size <= sizeof in; size++) {
        if (size != 0) in[size - 1] = (uint8_t)next_random(random);
        const struct bytes input = {in, size};
        uint8_t wanted[32] = {0};
        struct bytes out;
        CHECK(RIPEMD160(in, size, wanted + 12) != NULL);
        CHECK(call(3, input, &out) && bytes_equal(out, BYTES_OF(wanted)));
        CHECK(SHA256(in, size, wanted) != NULL);
        CHECK(call(2, input, &out) && bytes_equal(out, BYTES_OF(wanted)));
    }
}

/* --- refusals: a wrong size, a number that is not below its modulus, a point off its curve */

static void check_refusals(void) {
    uint8_t in[1024];
    struct bytes out;
    memset(in, 0xff, sizeof in);
    CHECK(!call(6, (struct bytes){in, 128}, &out));
    CHECK(!call(7, (struct bytes){in, 96}, &out));
    CHECK(!call(8, (struct bytes){in, 192}, &out));
    CHECK(!call(8, (struct bytes){in, 191}, &out));
    CHECK(call(8, BYTES_EMPTY, &out) && out.size == 32 && out.data[31] == 1);
    CHECK(!call(0x0a, (struct bytes){in, 192}, &out));
    CHECK(!call(0x0a, (struct bytes){in, 191}, &out));
    for (uint16_t address = 0x0b; address <= 0x11; address++) {
        static const size_t sizes[] = {256, 160, 512, 288, 384, 64, 128};
        const size_t size = sizes[address - 0x0b];
        memset(in, 0xff, sizeof in);
        CHECK(!call(address, (struct bytes){in, size}, &out));
        memset(in, 0, sizeof in);
        CHECK(call(address, (struct bytes){in, size}, &out));
        CHECK(!call(address, (struct bytes){in, size - 1}, &out));
        in[size > 160 ? 127 : 63] = 1;
        const bool is_map = address >= 0x10;
        CHECK(call(address, (struct bytes){in, size}, &out) == is_map);
    }
    CHECK(call(0x100, (struct bytes){in, 160}, &out) && out.size == 0);
    CHECK(call(1, (struct bytes){in, 128}, &out) && out.size == 0);
}

static void check_answers(struct run *run) {
    static const struct {
        uint16_t address;
        const char *input, *output;
    } answers[] = {
        {1,
         "18c547e4f7b0f325ad1e56f57e26c745b09a3e503d86e00e5255ff7f715d3d1c"
         "000000000000000000000000000000000000000000000000000000000000001c"
         "73b1693892219d736caba55bdb67216e485557ea6b6af75f37096c9aa6a5a75f"
         "eeb940b1d03b21e36b0e47e79769f095fe2ab855bd91e3a38756b7d75a9c4549",
         "000000000000000000000000a94f5374fce5edbc8e2a8697c15331677e6ebf0b"},
        {2, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {3, "", "0000000000000000000000009c1185a5c5e9fc54612808977ee8f548b2258d31"},
        {4, "010203", "010203"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct bytes out;
        CHECK(call(answers[i].address, run_hex(run, answers[i].input), &out));
        CHECK(bytes_equal(out, run_hex(run, answers[i].output)));
    }
}

int main(void) {
    static struct run run;
    run_begin(&run, FORK_OSAKA);
    scratch = arena_over(world_map((size_t)32 << 20), (size_t)32 << 20);
    uint64_t random = 1;
    check_table();
    check_bn254_tower(&random);
    check_bn254_group(&random);
    check_bn254_pairing(&run, &random);
    check_modexp(&random);
    check_modexp_bounds();
    check_blake2(&random);
    check_blake2_rounds(&random);
    check_hashes(&random);
    check_refusals();
    check_answers(&run);
    return 0;
}
