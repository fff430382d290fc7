#include "base/bytes.h"

#include "base/check.h"
#include "base/hash.h"

static void test_views(void) {
    const struct bytes word = BYTES_STRING("baton");
    CHECK(word.size == 5);
    CHECK(bytes_equal(word, bytes_from_string("baton")));
    CHECK(!bytes_equal(word, BYTES_STRING("batom")));
    CHECK(!bytes_equal(word, BYTES_STRING("bato")));
    CHECK(bytes_equal(BYTES_EMPTY, BYTES_STRING("")));
    CHECK(bytes_compare(word, word) == 0);
    CHECK(bytes_compare(BYTES_STRING("bat"), word) < 0);
    CHECK(bytes_compare(word, BYTES_STRING("bat")) > 0);
    CHECK(bytes_compare(BYTES_STRING("c"), word) > 0);
    CHECK(bytes_compare(BYTES_EMPTY, BYTES_EMPTY) == 0);
    CHECK(bytes_compare(BYTES_STRING("\x80"), BYTES_STRING("\x7f")) > 0);
    CHECK(bytes_equal(bytes_slice(word, 2, 2), BYTES_STRING("to")));
    CHECK(bytes_equal(bytes_slice(word, 3, SIZE_MAX), BYTES_STRING("on")));
    CHECK(bytes_slice(word, 5, 1).size == 0);
    CHECK(bytes_slice(word, SIZE_MAX, SIZE_MAX).size == 0);
}

static void test_buffer_overflow_is_sticky(void) {
    uint8_t memory[8];
    struct buffer out = buffer_over(memory, sizeof memory);
    buffer_append_be(&out, 4, 0x01020304);
    buffer_append_byte(&out, 5);
    buffer_append(&out, BYTES_STRING("abcd"));
    CHECK(out.overflow);
    CHECK(out.size == 5);
    buffer_append_byte(&out, 6); /* would fit, but the encoding is broken already */
    CHECK(out.size == 5);
    const uint8_t expected[5] = {1, 2, 3, 4, 5};
    CHECK(bytes_equal(buffer_bytes(&out), BYTES_OF(expected)));

    struct buffer none = buffer_over(NULL, 0);
    buffer_append(&none, BYTES_EMPTY);
    CHECK(!none.overflow);
    CHECK(buffer_reserve(&none, SIZE_MAX) == NULL);
    CHECK(none.overflow);
}

static void test_big_endian(void) {
    uint8_t data[8];
    for (size_t size = 0; size <= 8; size++) {
        const uint64_t mask = size == 8 ? UINT64_MAX : ((uint64_t)1 << (8 * size)) - 1;
        be_write(data, size, 0xfedcba9876543210);
        CHECK(be_read(data, size) == (0xfedcba9876543210 & mask));
    }
    be_write(data, 8, 0x0102030405060708);
    CHECK(data[0] == 1 && data[7] == 8);
}

static void test_hashes(void) {
    struct hash32 a = {{0}};
    struct hash32 b = {{0}};
    CHECK(hash_is_zero(&a));
    b.bytes[31] = 1;
    CHECK(!hash_is_zero(&b));
    CHECK(!hash_equal(&a, &b));
    CHECK(hash_compare(&a, &b) < 0);
    CHECK(hash_bytes(&b).size == 32);
    struct address c = {{0}};
    CHECK(address_is_zero(&c));
    c.bytes[0] = 1;
    CHECK(!address_is_zero(&c));
    CHECK(address_bytes(&c).size == 20);
    a.bytes[0] = 1;
    CHECK(hash_map_seed(&a, 1) != hash_map_seed(&a, 2));
}

int main(void) {
    test_views();
    test_buffer_overflow_is_sticky();
    test_big_endian();
    test_hashes();
    return 0;
}
