/* Foreign text through every hex reader: what is accepted comes out again from the writers, in
 * lower case; what is refused changes nothing. */
#include "base/check.h"
#include "base/hex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool equal_but_for_case(struct bytes a, struct bytes b) {
    if (a.size != b.size) return false;
    for (size_t i = 0; i < a.size; i++) {
        const uint8_t lower = a.data[i] >= 'A' && a.data[i] <= 'Z' ? a.data[i] | 0x20 : a.data[i];
        if (lower != b.data[i]) return false;
    }
    return true;
}

static void check_data(struct bytes text) {
    uint8_t memory[64];
    uint8_t again_memory[2 + 2 * sizeof memory];
    struct buffer out = buffer_over(memory, sizeof memory);
    struct buffer again = buffer_over(again_memory, sizeof again_memory);
    const enum err err = hex_decode(text, false, &out);
    CHECK(!out.overflow);
    CHECK(err == ERR_OK || out.size == 0);
    if (err == ERR_LIMIT) CHECK(text.size > 2 + 2 * sizeof memory);
    if (err != ERR_OK) return;
    hex_write_data(&again, buffer_bytes(&out));
    CHECK(equal_but_for_case(text, buffer_bytes(&again)));

    struct buffer bare = buffer_over(again_memory, sizeof again_memory);
    CHECK(hex_decode(bytes_slice(text, 2, text.size), true, &bare) == ERR_OK);
    CHECK(bytes_equal(buffer_bytes(&bare), buffer_bytes(&out)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct bytes text = {data, size};
    uint8_t memory[80];
    struct buffer out = buffer_over(memory, sizeof memory);
    check_data(text);

    struct u256 wide;
    uint64_t value = 0;
    const enum err narrow_err = hex_to_u64(text, &value);
    if (hex_to_u256(text, &wide) == ERR_OK) {
        hex_write_u256(&out, &wide);
        CHECK(equal_but_for_case(text, buffer_bytes(&out)));
        CHECK((narrow_err == ERR_OK) == u256_fits_u64(&wide));
        if (narrow_err == ERR_OK) CHECK(value == wide.limb[0]);
    } else {
        CHECK(narrow_err == ERR_ENCODING);
    }

    struct hash32 hash = {{0}};
    if (hex_to_hash(text, &hash) == ERR_OK) {
        char again[67];
        CHECK(equal_but_for_case(text, bytes_from_string(hex_string(hash_bytes(&hash), again))));
    } else {
        CHECK(hash_is_zero(&hash));
    }
    struct address address;
    if (hex_to_address(text, &address) == ERR_OK) {
        char checksum[43];
        struct address back;
        hex_checksum_address(&address, checksum);
        CHECK(hex_to_address(bytes_from_string(checksum), &back) == ERR_OK);
        CHECK(address_equal(&address, &back));
    }
    return 0;
}
