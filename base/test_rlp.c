#include "base/rlp.h"

#include "base/check.h"
#include "base/hex.h"

#define MEMORY_BYTES 70000

/* load decodes a hex literal into memory. */
static struct bytes load(const char *text, uint8_t *memory, size_t capacity) {
    struct buffer out = buffer_over(memory, capacity);
    CHECK(hex_decode(bytes_from_string(text), true, &out) == ERR_OK);
    return buffer_bytes(&out);
}

static void test_read_errors(void) {
    static const struct {
        const char *encoded;
        enum err string, list, item;
    } cases[] = {
        {"", ERR_TRUNCATED, ERR_TRUNCATED, ERR_TRUNCATED},
        {"00", ERR_OK, ERR_ENCODING, ERR_OK},
        {"7f", ERR_OK, ERR_ENCODING, ERR_OK},
        {"80", ERR_OK, ERR_ENCODING, ERR_OK},
        {"81", ERR_TRUNCATED, ERR_TRUNCATED, ERR_TRUNCATED},
        {"817f", ERR_ENCODING, ERR_ENCODING, ERR_ENCODING},
        {"8180", ERR_OK, ERR_ENCODING, ERR_OK},
        {"820102", ERR_OK, ERR_ENCODING, ERR_OK},
        {"8201", ERR_TRUNCATED, ERR_TRUNCATED, ERR_TRUNCATED},
        {"b8", ERR_TRUNCATED, ERR_TRUNCATED, ERR_TRUNCATED},
        {"b800", ERR_ENCODING, ERR_ENCODING, ERR_ENCODING},
        {"b837", ERR_ENCODING, ERR_ENCODING, ERR_ENCODING},
        {"b838", ERR_TRUNCATED, ERR_TRUNCATED, ERR_TRUNCATED},
        {"b90038", ERR_ENCODING, ERR_ENCODING, ERR_ENCODING},
        {"bfffffffffffffffff", ERR_TRUNCATED, ERR_TRUNCATED, ERR_TRUNCATED},
        {"bf00ffffffffffffff", ERR_ENCODING, ERR_ENCODING, ERR_ENCODING},
        {"bfffffff", ERR_TRUNCATED, ERR_TRUNCATED, ERR_TRUNCATED},
        {"c0", ERR_ENCODING, ERR_OK, ERR_OK},
        {"c1", ERR_TRUNCATED, ERR_TRUNCATED, ERR_TRUNCATED},
        {"c180", ERR_ENCODING, ERR_OK, ERR_OK},
        {"f800", ERR_ENCODING, ERR_ENCODING, ERR_ENCODING},
        {"f838", ERR_TRUNCATED, ERR_TRUNCATED, ERR_TRUNCATED},
        {"ffffffffffffffffff", ERR_TRUNCATED, ERR_TRUNCATED, ERR_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t memory[16];
        const struct bytes whole = load(cases[i].encoded, memory, sizeof memory);
        const enum err expected[3] = {cases[i].string, cases[i].list, cases[i].item};
        enum err (*const readers[3])(struct bytes *, struct bytes *) = {
            rlp_read_string, rlp_read_list, rlp_read_item};
        for (int k = 0; k < 3; k++) {
            struct bytes in = whole;
            struct bytes out = {memory, 99};
            CHECK(readers[k](&in, &out) == expected[k]);
            if (expected[k] == ERR_OK) {
                CHECK(in.size == 0);
                CHECK(out.size <= whole.size);
            } else {
                CHECK(in.data == whole.data && in.size == whole.size);
                CHECK(out.data == memory && out.size == 99);
            }
        }
    }
}

static void test_read_scalars(void) {
    uint8_t memory[64];
    uint64_t value = 5;
    struct u256 wide;
    struct bytes in = load("88ffffffffffffffff", memory, sizeof memory);
    CHECK(rlp_read_u64(&in, &value) == ERR_OK && value == UINT64_MAX && in.size == 0);
    in = load("80", memory, sizeof memory);
    CHECK(rlp_read_u64(&in, &value) == ERR_OK && value == 0);
    static const char *const refused[] = {"00", "820001", "89010000000000000000", "c0"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        value = 5;
        in = load(refused[i], memory, sizeof memory);
        const size_t size = in.size;
        CHECK(rlp_read_u64(&in, &value) == ERR_ENCODING);
        CHECK(value == 5 && in.size == size);
    }
    in = load("89010000000000000000", memory, sizeof memory);
    CHECK(rlp_read_u256(&in, &wide) == ERR_OK && wide.limb[1] == 1 && wide.limb[0] == 0);
    in = load("a1010000000000000000000000000000000000000000000000000000000000000000", memory,
              sizeof memory);
    CHECK(rlp_read_u256(&in, &wide) == ERR_ENCODING);

    struct hash32 hash = {{1}};
    struct address address = {{1}};
    in = load("940000000000000000000000000000000000000002", memory, sizeof memory);
    CHECK(rlp_read_hash(&in, &hash) == ERR_ENCODING && hash.bytes[0] == 1 && in.size == 21);
    CHECK(rlp_read_address(&in, &address) == ERR_OK && address.bytes[19] == 2 && in.size == 0);
    CHECK(rlp_read_address(&in, &address) == ERR_TRUNCATED);
}

static void test_write_known(void) {
    static uint8_t memory[MEMORY_BYTES];
    static uint8_t expected[MEMORY_BYTES];
    struct buffer out = buffer_over(memory, sizeof memory);
    rlp_write_string(&out, BYTES_STRING("dog"));
    rlp_write_string(&out, BYTES_EMPTY);
    rlp_write_string(&out, BYTES_STRING("\x0f"));
    rlp_write_string(&out, BYTES_STRING("\x80"));
    rlp_write_u64(&out, 0);
    rlp_write_u64(&out, 1024);
    rlp_write_u64(&out, UINT64_MAX);
    const struct u256 wide = {{0, 0, 0, 1}};
    rlp_write_u256(&out, &wide);
    rlp_write_raw(&out, BYTES_STRING("\xc0"));
    CHECK(bytes_equal(buffer_bytes(&out), load("83646f67800f818080820400"
                                               "88ffffffffffffffff"
                                               "99010000000000000000000000000000000000000000000000"
                                               "00c0",
                                               expected, sizeof expected)));

    /* The set of three, [[], [[]], [[], [[]]]]. */
    out = buffer_over(memory, sizeof memory);
    const size_t outer = rlp_list_begin(&out);
    rlp_list_end(&out, rlp_list_begin(&out));
    const size_t second = rlp_list_begin(&out);
    rlp_list_end(&out, rlp_list_begin(&out));
    rlp_list_end(&out, second);
    const size_t third = rlp_list_begin(&out);
    rlp_list_end(&out, rlp_list_begin(&out));
    const size_t inner = rlp_list_begin(&out);
    rlp_list_end(&out, rlp_list_begin(&out));
    rlp_list_end(&out, inner);
    rlp_list_end(&out, third);
    rlp_list_end(&out, outer);
    CHECK(bytes_equal(buffer_bytes(&out), load("c7c0c1c0c3c0c1c0", expected, sizeof expected)));
}

/* Sizes on both sides of every change of header form survive a round trip. */
static void test_round_trip_sizes(void) {
    static const size_t sizes[] = {0, 1, 2, 54, 55, 56, 57, 255, 256, 257, 65535, 65536};
    static uint8_t payload[MEMORY_BYTES];
    static uint8_t memory[MEMORY_BYTES];
    memset(payload, 0xa5, sizeof payload);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct bytes in = {payload, sizes[i]};
        struct bytes out;
        struct buffer encoded = buffer_over(memory, sizeof memory);
        rlp_write_string(&encoded, in);
        CHECK(!encoded.overflow && encoded.size == rlp_string_size(in));
        struct bytes rest = buffer_bytes(&encoded);
        CHECK(rlp_check(rest) == ERR_OK);
        CHECK(!rlp_is_list(rest));
        CHECK(rlp_read_string(&rest, &out) == ERR_OK && rest.size == 0 && bytes_equal(in, out));

        encoded = buffer_over(memory, sizeof memory);
        const size_t mark = rlp_list_begin(&encoded);
        for (size_t k = 0; k < sizes[i]; k++)
            buffer_append_byte(&encoded, 0x01);
        rlp_list_end(&encoded, mark);
        CHECK(encoded.size == rlp_list_size(sizes[i]));
        rest = buffer_bytes(&encoded);
        CHECK(rlp_is_list(rest));
        CHECK(rlp_check(rest) == ERR_OK);
        CHECK(rlp_read_list(&rest, &out) == ERR_OK && rest.size == 0 && out.size == sizes[i]);
        size_t count;
        CHECK(rlp_list_count(out, sizes[i], &count) == ERR_OK && count == sizes[i]);
        if (sizes[i] > 0) CHECK(rlp_list_count(out, sizes[i] - 1, &count) == ERR_LIMIT);

        struct buffer small = buffer_over(memory, encoded.size - 1);
        small.size = sizes[i]; /* the payload fits, the header does not */
        rlp_list_end(&small, 0);
        CHECK(small.overflow);
    }
    CHECK(rlp_string_size(BYTES_STRING("\x7f")) == 1);
    CHECK(rlp_string_size(BYTES_STRING("\x80")) == 2);
}

static void test_check(void) {
    uint8_t memory[16];
    CHECK(rlp_check(load("c7c0c1c0c3c0c1c0", memory, sizeof memory)) == ERR_OK);
    CHECK(rlp_check(load("c7c0c1c0c3c0c1c000", memory, sizeof memory)) == ERR_ENCODING);
    CHECK(rlp_check(load("c2c181", memory, sizeof memory)) == ERR_TRUNCATED);
    CHECK(rlp_check(load("c28100", memory, sizeof memory)) == ERR_ENCODING);
    CHECK(rlp_check(load("c2c280", memory, sizeof memory)) == ERR_TRUNCATED);
    CHECK(rlp_check(BYTES_EMPTY) == ERR_TRUNCATED);

    /* Lists nested `depth` deep, as a hostile peer would send them. */
    static uint8_t deep[8 * (RLP_DEPTH_MAX + 2)];
    for (size_t depth = RLP_DEPTH_MAX - 1; depth <= RLP_DEPTH_MAX + 1; depth++) {
        struct buffer out = buffer_over(deep, sizeof deep);
        for (size_t i = 0; i < depth; i++)
            rlp_list_end(&out, 0);
        CHECK(!out.overflow);
        CHECK(rlp_check(buffer_bytes(&out)) == (depth <= RLP_DEPTH_MAX ? ERR_OK : ERR_LIMIT));
    }
}

int main(void) {
    test_read_errors();
    test_read_scalars();
    test_write_known();
    test_round_trip_sizes();
    test_check();
    return 0;
}
