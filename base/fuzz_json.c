/* Foreign bytes as JSON strings: whatever comes in, what goes out is one well-formed JSON string in
 * valid UTF-8, and text that needed no change is unchanged. */
#include "base/check.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* decode_one reads one UTF-8 character by its value, not by the writer's table of byte ranges;
 * UINT32_MAX when it is not well-formed. */
static uint32_t decode_one(struct bytes *in) {
    const uint8_t lead = in->data[0];
    const size_t size = lead < 0x80             ? 1
                        : (lead & 0xe0) == 0xc0 ? 2
                        : (lead & 0xf0) == 0xe0 ? 3
                        : (lead & 0xf8) == 0xf0 ? 4
                                                : 0;
    if (size == 0 || in->size < size) return UINT32_MAX;
    static const uint32_t value_min[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t value = size == 1 ? lead : lead & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((in->data[i] & 0xc0) != 0x80) return UINT32_MAX;
        value = value << 6 | (in->data[i] & 0x3f);
    }
    if (value < value_min[size] || value > 0x10ffff) return UINT32_MAX;
    if (value >= 0xd800 && value <= 0xdfff) return UINT32_MAX;
    *in = bytes_slice(*in, size, in->size);
    return value;
}

static bool is_valid_utf8(struct bytes in) {
    while (in.size != 0) {
        if (decode_one(&in) == UINT32_MAX) return false;
    }
    return true;
}

/* unescape reads a JSON string back; the writer's escapes are \" \\ \n \r \t and \u00XX. */
static void unescape(struct bytes in, struct buffer *out) {
    CHECK(in.size >= 2 && in.data[0] == '"' && in.data[in.size - 1] == '"');
    in = bytes_slice(in, 1, in.size - 2);
    for (size_t i = 0; i < in.size; i++) {
        CHECK(in.data[i] >= 0x20 && in.data[i] != '"');
        if (in.data[i] != '\\') {
            buffer_append_byte(out, in.data[i]);
            continue;
        }
        CHECK(++i < in.size);
        switch (in.data[i]) {
        case 'n': buffer_append_byte(out, '\n'); break;
        case 'r': buffer_append_byte(out, '\r'); break;
        case 't': buffer_append_byte(out, '\t'); break;
        case '"':
        case '\\': buffer_append_byte(out, in.data[i]); break;
        default: {
            CHECK(in.data[i] == 'u' && in.size - i > 4);
            unsigned value = 0;
            for (int k = 1; k <= 4; k++) {
                const uint8_t digit = in.data[i + (size_t)k];
                CHECK((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f'));
                value = value << 4 | (digit <= '9' ? digit - '0' : digit - 'a' + 10u);
            }
            CHECK(value < 0x20);
            buffer_append_byte(out, (uint8_t)value);
            i += 4;
        }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t memory[1 << 16];
    static uint8_t back_memory[1 << 16];
    const struct bytes in = {data, size};
    struct buffer out = buffer_over(memory, sizeof memory);
    struct json_writer json = json_over(&out);
    json_text(&json, in);
    if (out.overflow) return 0;
    CHECK(is_valid_utf8(buffer_bytes(&out)));

    struct buffer back = buffer_over(back_memory, sizeof back_memory);
    unescape(buffer_bytes(&out), &back);
    CHECK(is_valid_utf8(buffer_bytes(&back)));
    if (is_valid_utf8(in)) CHECK(bytes_equal(buffer_bytes(&back), in));
    return 0;
}
