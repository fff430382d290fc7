#include "base/hex.h"

#include "base/check.h"

static void test_decode(void) {
    static const struct {
        const char *text;
        bool prefix_optional;
        enum err err;
        struct bytes expected;
    } cases[] = {
        {"0x", false, ERR_OK, BYTES_STRING("")},
        {"", true, ERR_OK, BYTES_STRING("")},
        {"", false, ERR_ENCODING, BYTES_STRING("")},
        {"0x00fFa9", false, ERR_OK, BYTES_STRING("\x00\xff\xa9")},
        {"0X01", false, ERR_OK, BYTES_STRING("\x01")},
        {"00ff", true, ERR_OK, BYTES_STRING("\x00\xff")},
        {"00ff", false, ERR_ENCODING, BYTES_STRING("")},
        {"0x0", false, ERR_ENCODING, BYTES_STRING("")},
        {"0x0g", false, ERR_ENCODING, BYTES_STRING("")},
        {"0x0`", false, ERR_ENCODING, BYTES_STRING("")},
        {"0x/0", false, ERR_ENCODING, BYTES_STRING("")},
        {"0x:0", false, ERR_ENCODING, BYTES_STRING("")},
        {"0x@0", false, ERR_ENCODING, BYTES_STRING("")},
        {"0x\x10\x11", false, ERR_ENCODING, BYTES_STRING("")},
        {"0x0102030405", false, ERR_LIMIT, BYTES_STRING("")},
        {"0x01020304zz", false, ERR_ENCODING, BYTES_STRING("")},
        {"0x01020304", false, ERR_OK, BYTES_STRING("\x01\x02\x03\x04")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t memory[4];
        struct buffer out = buffer_over(memory, sizeof memory);
        const struct bytes text = bytes_from_string(cases[i].text);
        CHECK(hex_decode(text, cases[i].prefix_optional, &out) == cases[i].err);
        CHECK(bytes_equal(buffer_bytes(&out), cases[i].expected));
        CHECK(!out.overflow);
    }
}

static void test_every_byte_as_digit(void) {
    for (unsigned character = 0; character < 256; character++) {
        const uint8_t text[4] = {'0', 'x', '0', (uint8_t)character};
        const bool is_digit = (character >= '0' && character <= '9') ||
                              (character >= 'a' && character <= 'f') ||
                              (character >= 'A' && character <= 'F');
        uint8_t out[1];
        CHECK((hex_decode_fixed(BYTES_OF(text), out, 1) == ERR_OK) == is_digit);
    }
}

static void test_fixed(void) {
    struct address address;
    struct hash32 hash;
    CHECK(hex_to_address(BYTES_STRING("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"), &address) ==
          ERR_OK);
    CHECK(address.bytes[0] == 0xf3 && address.bytes[19] == 0x66);
    const struct address before = address;
    CHECK(hex_to_address(BYTES_STRING("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb922"), &address) ==
          ERR_ENCODING);
    CHECK(hex_to_address(BYTES_STRING("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"), &address) ==
          ERR_ENCODING);
    CHECK(hex_to_address(BYTES_STRING("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb9226x"), &address) ==
          ERR_ENCODING);
    CHECK(address_equal(&address, &before));
    CHECK(hex_to_hash(BYTES_STRING("0x01"), &hash) == ERR_ENCODING);
}

static void test_quantities(void) {
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } cases[] = {
        {"0x0", true, 0},    {"0x1", true, 1},
        {"0xFf", true, 255}, {"0xffffffffffffffff", true, UINT64_MAX},
        {"0x", false, 0},    {"", false, 0},
        {"0", false, 0},     {"0x00", false, 0},
        {"0x01", false, 0},  {"0x10000000000000000", false, 0},
        {"0xg", false, 0},   {"-0x1", false, 0},
        {"0x 1", false, 0},  {"12", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 77;
        const enum err err = hex_to_u64(bytes_from_string(cases[i].text), &value);
        CHECK(err == (cases[i].ok ? ERR_OK : ERR_ENCODING));
        CHECK(value == (cases[i].ok ? cases[i].value : 77));
    }
    struct u256 wide;
    const struct u256 max = U256_MAX;
    CHECK(hex_to_u256(
              BYTES_STRING("0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
              &wide) == ERR_OK);
    CHECK(u256_equal(&wide, &max));
    CHECK(hex_to_u256(
              BYTES_STRING("0x1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
              &wide) == ERR_ENCODING);
    CHECK(hex_to_u256(BYTES_STRING("0x123456789abcdef0123456789abcdef01"), &wide) == ERR_OK);
    CHECK(wide.limb[0] == 0x23456789abcdef01 && wide.limb[1] == 0x23456789abcdef01 &&
          wide.limb[2] == 1);
}

static void test_writers(void) {
    uint8_t memory[128];
    struct buffer out = buffer_over(memory, sizeof memory);
    hex_write_data(&out, BYTES_STRING("\x00\xab"));
    const struct u256 zero = U256_ZERO, small = {{0x1f00}}, wide = {{0, 0, 0, 0x0a}};
    hex_write_u256(&out, &zero);
    hex_write_u256(&out, &small);
    hex_write_u256(&out, &wide);
    CHECK(bytes_equal(buffer_bytes(&out),
                      BYTES_STRING("0x00ab0x00x1f00"
                                   "0xa000000000000000000000000000000000000000000000000")));
    struct buffer narrow = buffer_over(memory, 5);
    hex_write_data(&narrow, BYTES_STRING("ab"));
    CHECK(narrow.overflow && narrow.size == 0);
    char text[7];
    CHECK(strcmp(hex_string(BYTES_STRING("\x01\x02"), text), "0x0102") == 0);
}

/* EIP-55's own examples. */
static void test_checksum_addresses(void) {
    static const char *const examples[] = {
        "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    };
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct address address;
        char text[43];
        CHECK(hex_to_address(bytes_from_string(examples[i]), &address) == ERR_OK);
        CHECK(strcmp(hex_checksum_address(&address, text), examples[i]) == 0);
    }
}

int main(void) {
    test_decode();
    test_every_byte_as_digit();
    test_fixed();
    test_quantities();
    test_writers();
    test_checksum_addresses();
    return 0;
}
