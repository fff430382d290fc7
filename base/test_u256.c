/* Every operation is held against a slow twin that works bit by bit on arrays of bits, over words
 * that are chosen to hit the corners: zero limbs, full limbs, single bits, near-equal operands. */
#include "base/u256.h"

#include "base/check.h"

#define WIDE_BITS 512
#define ROUNDS    2500

struct wide {
    uint8_t bit[WIDE_BITS]; /* least significant first, each 0 or 1 */
};

static struct wide widen(const struct u256 *a) {
    struct wide out = {{0}};
    for (int i = 0; i < 256; i++)
        out.bit[i] = a->limb[i / 64] >> (i % 64) & 1;
    return out;
}

static struct u256 narrow(const struct wide *a) {
    struct u256 out = U256_ZERO;
    for (int i = 0; i < 256; i++)
        out.limb[i / 64] |= (uint64_t)a->bit[i] << (i % 64);
    return out;
}

static void add_shifted(struct wide *sum, const struct wide *a, int shift) {
    unsigned carry = 0;
    for (int i = 0; i < WIDE_BITS; i++) {
        const unsigned bit = i >= shift ? a->bit[i - shift] : 0;
        const unsigned total = sum->bit[i] + bit + carry;
        sum->bit[i] = total & 1;
        carry = total >> 1;
    }
}

static bool wide_less(const struct wide *a, const struct wide *b) {
    for (int i = WIDE_BITS - 1; i >= 0; i--) {
        if (a->bit[i] != b->bit[i]) return a->bit[i] < b->bit[i];
    }
    return false;
}

static void wide_subtract(struct wide *a, const struct wide *b) {
    int borrow = 0;
    for (int i = 0; i < WIDE_BITS; i++) {
        const int difference = a->bit[i] - b->bit[i] - borrow;
        a->bit[i] = difference & 1;
        borrow = difference < 0;
    }
}

static struct wide wide_multiply(const struct u256 *a, const struct u256 *b) {
    const struct wide x = widen(a);
    const struct wide y = widen(b);
    struct wide product = {{0}};
    for (int i = 0; i < 256; i++) {
        if (y.bit[i]) add_shifted(&product, &x, i);
    }
    return product;
}

/* wide_divide is long division by hand: shift a bit in, subtract when it fits. */
static void wide_divide(const struct wide *a, const struct u256 *b, struct wide *quotient,
                        struct wide *remainder) {
    const struct wide divisor = widen(b);
    memset(quotient, 0, sizeof *quotient);
    memset(remainder, 0, sizeof *remainder);
    for (int i = WIDE_BITS - 1; i >= 0; i--) {
        memmove(remainder->bit + 1, remainder->bit, WIDE_BITS - 1);
        remainder->bit[0] = a->bit[i];
        if (!wide_less(remainder, &divisor)) {
            wide_subtract(remainder, &divisor);
            quotient->bit[i] = 1;
        }
    }
}

static uint64_t next_random(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15u;
    uint64_t word = *state;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
    word = (word ^ word >> 27) * 0x94d049bb133111ebu;
    return word ^ word >> 31;
}

static struct u256 random_word(uint64_t *state) {
    struct u256 out;
    for (int i = 0; i < 4; i++) {
        const uint64_t word = next_random(state);
        switch (next_random(state) % 8) {
        case 0: out.limb[i] = 0; break;
        case 1: out.limb[i] = UINT64_MAX; break;
        case 2: out.limb[i] = (uint64_t)1 << (word % 64); break;
        case 3: out.limb[i] = UINT64_MAX << (word % 64); break;
        case 4: out.limb[i] = word % 4; break;
        default: out.limb[i] = word; break;
        }
    }
    /* Words of one, two and three limbs are as frequent as those of four. */
    for (uint64_t i = 3; i > next_random(state) % 4; i--)
        out.limb[i] = 0;
    return out;
}

static void expect_equal(struct u256 actual, struct u256 expected) {
    CHECK(u256_equal(&actual, &expected));
}

static void compare_with_twin(const struct u256 *a, const struct u256 *b, const struct u256 *m) {
    struct wide sum = widen(a);
    const struct wide wide_b = widen(b);
    add_shifted(&sum, &wide_b, 0);
    bool overflow;
    expect_equal(u256_add(a, b), narrow(&sum));
    (void)u256_add_overflow(a, b, &overflow);
    CHECK(overflow == (sum.bit[256] != 0));
    const struct u256 difference = u256_sub(a, b);
    expect_equal(u256_add(&difference, b), *a);
    const struct wide wide_a = widen(a);
    CHECK(u256_less(a, b) == wide_less(&wide_a, &wide_b));
    CHECK((u256_compare(a, b) < 0) == wide_less(&wide_a, &wide_b));
    CHECK((u256_compare(a, b) == 0) == u256_equal(a, b));

    const struct wide product = wide_multiply(a, b);
    expect_equal(u256_mul(a, b), narrow(&product));
    expect_equal(u256_mul_overflow(a, b, &overflow), narrow(&product));
    bool expected_overflow = false;
    for (int i = 256; i < WIDE_BITS; i++)
        expected_overflow |= product.bit[i] != 0;
    CHECK(overflow == expected_overflow);

    struct wide quotient;
    struct wide remainder;
    if (u256_is_zero(m)) {
        expect_equal(u256_div(a, m), U256_ZERO);
        expect_equal(u256_mod(a, m), U256_ZERO);
        expect_equal(u256_addmod(a, b, m), U256_ZERO);
        expect_equal(u256_mulmod(a, b, m), U256_ZERO);
        return;
    }
    wide_divide(&wide_a, m, &quotient, &remainder);
    expect_equal(u256_div(a, m), narrow(&quotient));
    expect_equal(u256_mod(a, m), narrow(&remainder));
    wide_divide(&sum, m, &quotient, &remainder);
    expect_equal(u256_addmod(a, b, m), narrow(&remainder));
    wide_divide(&product, m, &quotient, &remainder);
    expect_equal(u256_mulmod(a, b, m), narrow(&remainder));
}

static void test_arithmetic(void) {
    uint64_t state = 1;
    for (int i = 0; i < ROUNDS; i++) {
        const struct u256 a = random_word(&state);
        struct u256 b = random_word(&state);
        struct u256 m = random_word(&state);
        const struct u256 one = U256_ONE;
        if (i % 16 == 0) b = a;
        if (i % 16 == 1) m = u256_sub(&a, &one);
        if (i % 16 == 2) m = u256_add(&a, &one);
        if (i % 16 == 3) m.limb[3] = a.limb[3];
        compare_with_twin(&a, &b, &m);
    }
}

/* Dividends whose top limbs equal the divisor's make Knuth's digit estimate run into its limit and
 * the add-back step happen. */
static void test_division_corners(void) {
    uint64_t state = 2;
    for (int i = 0; i < ROUNDS; i++) {
        const struct u256 m = random_word(&state);
        struct u256 quotient = random_word(&state);
        if (u256_is_zero(&m)) continue;
        if (i % 2 == 0) quotient.limb[next_random(&state) % 4] = UINT64_MAX;
        bool overflow;
        struct u256 a = u256_mul_overflow(&m, &quotient, &overflow);
        if (overflow) continue;
        expect_equal(u256_div(&a, &m), quotient);
        expect_equal(u256_mod(&a, &m), U256_ZERO);
        if (u256_is_zero(&quotient)) continue;
        const struct u256 one = U256_ONE;
        const struct u256 less = u256_sub(&a, &one);
        expect_equal(u256_div(&less, &m), u256_sub(&quotient, &one));
        expect_equal(u256_mod(&less, &m), u256_sub(&m, &one));
    }
}

static void test_shifts(void) {
    uint64_t state = 3;
    for (int i = 0; i < 150; i++) {
        const struct u256 a = random_word(&state);
        const struct wide wide_a = widen(&a);
        for (uint64_t bits = 0; bits < 260; bits += 1 + next_random(&state) % 3) {
            struct wide left = {{0}};
            struct wide right = {{0}};
            struct wide arithmetic = {{0}};
            for (uint64_t k = 0; k < 256; k++) {
                if (k >= bits) left.bit[k] = wide_a.bit[k - bits];
                if (k + bits < 256) right.bit[k] = wide_a.bit[k + bits];
                arithmetic.bit[k] = k + bits < 256 ? wide_a.bit[k + bits] : wide_a.bit[255];
            }
            expect_equal(u256_shl(&a, bits), narrow(&left));
            expect_equal(u256_shr(&a, bits), narrow(&right));
            expect_equal(u256_sar(&a, bits), narrow(&arithmetic));
        }
        expect_equal(u256_shl(&a, UINT64_MAX), U256_ZERO);
        expect_equal(u256_shr(&a, UINT64_MAX), U256_ZERO);
        expect_equal(u256_sar(&a, UINT64_MAX), wide_a.bit[255] ? U256_MAX : U256_ZERO);

        unsigned bits = 0;
        for (unsigned k = 0; k < 256; k++)
            bits = wide_a.bit[k] ? k + 1 : bits;
        CHECK(u256_bits(&a) == bits);
    }
}

static struct u256 negative(uint64_t value) {
    const struct u256 zero = U256_ZERO;
    const struct u256 positive = u256_from_u64(value);
    return u256_sub(&zero, &positive);
}

static void test_signed(void) {
    for (int64_t a = -9; a <= 9; a++) {
        for (int64_t b = -9; b <= 9; b++) {
            const struct u256 x = a < 0 ? negative((uint64_t)-a) : u256_from_u64((uint64_t)a);
            const struct u256 y = b < 0 ? negative((uint64_t)-b) : u256_from_u64((uint64_t)b);
            const int64_t quotient = b == 0 ? 0 : a / b;
            const int64_t remainder = b == 0 ? 0 : a % b;
            expect_equal(u256_sdiv(&x, &y), quotient < 0 ? negative((uint64_t)-quotient)
                                                         : u256_from_u64((uint64_t)quotient));
            expect_equal(u256_smod(&x, &y), remainder < 0 ? negative((uint64_t)-remainder)
                                                          : u256_from_u64((uint64_t)remainder));
            CHECK(u256_slt(&x, &y) == (a < b));
        }
    }
    const struct u256 min = {{0, 0, 0, (uint64_t)1 << 63}};
    const struct u256 minus_one = U256_MAX;
    expect_equal(u256_sdiv(&min, &minus_one), min);
    expect_equal(u256_smod(&min, &minus_one), U256_ZERO);
    CHECK(u256_slt(&min, &minus_one));
}

static void test_sign_extend(void) {
    uint64_t state = 4;
    for (int i = 0; i < 2000; i++) {
        const struct u256 a = random_word(&state);
        const uint64_t byte = next_random(&state) % 40;
        const struct u256 index = u256_from_u64(byte);
        struct wide expected = widen(&a);
        if (byte < 31) {
            for (uint64_t k = 8 * byte + 8; k < 256; k++)
                expected.bit[k] = expected.bit[8 * byte + 7];
        }
        expect_equal(u256_sign_extend(&index, &a), narrow(&expected));
    }
    const struct u256 huge = {{0, 1, 0, 0}};
    const struct u256 a = u256_from_u64(0xff);
    expect_equal(u256_sign_extend(&huge, &a), a);
}

static void test_exp(void) {
    uint64_t state = 5;
    for (int i = 0; i < 300; i++) {
        const struct u256 base = random_word(&state);
        const uint64_t count = next_random(&state) % 70;
        struct u256 expected = U256_ONE;
        for (uint64_t k = 0; k < count; k++)
            expected = u256_mul(&expected, &base);
        const struct u256 exponent = u256_from_u64(count);
        expect_equal(u256_exp(&base, &exponent), expected);

        /* a^(x+y) = a^x * a^y holds modulo 2^256 too, as long as x + y does not wrap. */
        struct u256 x = random_word(&state);
        struct u256 y = random_word(&state);
        x.limb[3] >>= 1;
        y.limb[3] >>= 1;
        const struct u256 sum = u256_add(&x, &y);
        const struct u256 power_x = u256_exp(&base, &x);
        const struct u256 power_y = u256_exp(&base, &y);
        expect_equal(u256_exp(&base, &sum), u256_mul(&power_x, &power_y));
    }
    for (unsigned k = 0; k < 256; k++) {
        const struct u256 one = U256_ONE;
        const struct u256 base = u256_shl(&one, k);
        for (uint64_t e = 0; e < 300; e += 7) {
            const struct u256 exponent = u256_from_u64(e);
            expect_equal(u256_exp(&base, &exponent), u256_shl(&one, k * e));
        }
    }
}

static void test_conversions(void) {
    uint64_t state = 6;
    for (int i = 0; i < 2000; i++) {
        const struct u256 a = random_word(&state);
        const struct hash32 hash = u256_to_hash(&a);
        expect_equal(u256_from_hash(&hash), a);
        expect_equal(u256_from_be(hash_bytes(&hash)), a);
        for (unsigned k = 0; k < 32; k++) {
            CHECK(hash.bytes[31 - k] == (uint8_t)(a.limb[k / 8] >> (k % 8 * 8)));
        }
        const size_t size = (u256_bits(&a) + 7) / 8;
        expect_equal(u256_from_be((struct bytes){hash.bytes + 32 - size, size}), a);

        char text[79];
        struct u256 read;
        const unsigned digits = u256_to_decimal(&a, text);
        CHECK(strlen(text) == digits);
        CHECK(text[0] != '0' || digits == 1);
        CHECK(u256_from_decimal(bytes_from_string(text), &read));
        expect_equal(read, a);
    }
    char text[79];
    const struct u256 max = U256_MAX;
    CHECK(u256_to_decimal(&max, text) == 78);
    CHECK(strcmp(text, "115792089237316195423570985008687907853269984665640564039457584007913129639"
                       "935") == 0);
    struct u256 out = U256_ONE;
    static const char *const refused[] = {
        "",
        "-1",
        "1a",
        " 1",
        ("115792089237316195423570985008687907853269984665640564039457584007"
         "913129639936"),
        "0000000000000000000000000000000000000000000000000000000000000000000000000000001"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        CHECK(!u256_from_decimal(bytes_from_string(refused[i]), &out));
    }
    expect_equal(out, U256_ONE);
    CHECK(u256_to_u64_saturated(&max) == UINT64_MAX);
}

int main(void) {
    test_arithmetic();
    test_division_corners();
    test_shifts();
    test_signed();
    test_sign_extend();
    test_exp();
    test_conversions();
    return 0;
}
