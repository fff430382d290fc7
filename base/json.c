#include "base/json.h"

#include "base/check.h"
#include "base/hex.h"

#define REPLACEMENT_CHARACTER "\xef\xbf\xbd" /* U+FFFD in UTF-8 */

static void put(struct json_writer *json, const char *text, size_t size) {
    buffer_append(json->out, (struct bytes){(const uint8_t *)text, size});
}

static void put_byte(struct json_writer *json, char character) {
    buffer_append_byte(json->out, (uint8_t)character);
}

/* before_value puts the comma that separates this value from the one before it. */
static void before_value(struct json_writer *json) {
    if (json->after_key) {
        json->after_key = false;
        return;
    }
    if (json->depth == 0) return;
    uint64_t *const word = &json->has_item[(json->depth - 1) / 64];
    const uint64_t bit = (uint64_t)1 << (json->depth - 1) % 64;
    if (*word & bit) put_byte(json, ',');
    *word |= bit;
}

static void begin(struct json_writer *json, char bracket) {
    before_value(json);
    CHECK(json->depth < JSON_DEPTH_MAX);
    json->has_item[json->depth / 64] &= ~((uint64_t)1 << json->depth % 64);
    json->depth++;
    put_byte(json, bracket);
}

static void end(struct json_writer *json, char bracket) {
    CHECK(json->depth > 0);
    CHECK(!json->after_key);
    json->depth--;
    put_byte(json, bracket);
}

/* sequence_size returns the size of the well-formed UTF-8 sequence that `in` starts with, or 0
 * (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing beyond U+10FFFF). */
static size_t sequence_size(struct bytes in) {
    const uint8_t lead = in.data[0];
    if (lead < 0x80) return 1;
    const size_t size = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (size == 0 || in.size < size) return 0;
    const uint8_t second_min = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t second_max = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (in.data[1] < second_min || in.data[1] > second_max) return 0;
    for (size_t i = 2; i < size; i++) {
        if ((in.data[i] & 0xc0) != 0x80) return 0;
    }
    return size;
}

/* put_escape writes the character that may not stand for itself in a JSON string. */
static void put_escape(struct json_writer *json, uint8_t character) {
    static const char digits[] = "0123456789abcdef";
    switch (character) {
    case '"': put(json, "\\\"", 2); return;
    case '\\': put(json, "\\\\", 2); return;
    case '\n': put(json, "\\n", 2); return;
    case '\r': put(json, "\\r", 2); return;
    case '\t': put(json, "\\t", 2); return;
    default: break;
    }
    const char escape[6] = {'\\', 'u', '0', '0', digits[character >> 4], digits[character & 15]};
    put(json, escape, sizeof escape);
}

static void put_quoted(struct json_writer *json, struct bytes text) {
    put_byte(json, '"');
    size_t plain = 0; /* bytes at the front that need no change */
    while (plain < text.size) {
        const uint8_t character = text.data[plain];
        if (character >= 0x20 && character < 0x80 && character != '"' && character != '\\') {
            plain++;
            continue;
        }
        const size_t size = sequence_size(bytes_slice(text, plain, text.size));
        if (size > 1) {
            plain += size;
            continue;
        }
        buffer_append(json->out, bytes_slice(text, 0, plain));
        if (size == 0) {
            put(json, REPLACEMENT_CHARACTER, 3);
        } else {
            put_escape(json, character);
        }
        text = bytes_slice(text, plain + 1, text.size);
        plain = 0;
    }
    buffer_append(json->out, text);
    put_byte(json, '"');
}

struct json_writer json_over(struct buffer *out) {
    return (struct json_writer){.out = out};
}

void json_object_begin(struct json_writer *json) {
    begin(json, '{');
}

void json_object_end(struct json_writer *json) {
    end(json, '}');
}

void json_array_begin(struct json_writer *json) {
    begin(json, '[');
}

void json_array_end(struct json_writer *json) {
    end(json, ']');
}

void json_key(struct json_writer *json, const char *key) {
    CHECK(!json->after_key);
    before_value(json);
    put_quoted(json, bytes_from_string(key));
    put_byte(json, ':');
    json->after_key = true;
}

void json_write_null(struct json_writer *json) {
    before_value(json);
    put(json, "null", 4);
}

void json_bool(struct json_writer *json, bool value) {
    before_value(json);
    put(json, value ? "true" : "false", value ? 4 : 5);
}

void json_number(struct json_writer *json, int64_t value) {
    if (value >= 0) {
        json_number_u64(json, (uint64_t)value);
        return;
    }
    before_value(json);
    put_byte(json, '-');
    json->after_key = true; /* the sign and its digits are one value: no comma between them */
    json_number_u64(json, (uint64_t)0 - (uint64_t)value);
}

void json_number_u64(struct json_writer *json, uint64_t value) {
    before_value(json);
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    put(json, digits + first, sizeof digits - first);
}

void json_text(struct json_writer *json, struct bytes text) {
    before_value(json);
    put_quoted(json, text);
}

void json_write_string(struct json_writer *json, const char *text) {
    json_text(json, bytes_from_string(text));
}

void json_quantity(struct json_writer *json, uint64_t value) {
    const struct u256 wide = u256_from_u64(value);
    json_quantity_u256(json, &wide);
}

void json_quantity_u256(struct json_writer *json, const struct u256 *value) {
    before_value(json);
    put_byte(json, '"');
    hex_write_u256(json->out, value);
    put_byte(json, '"');
}

void json_data(struct json_writer *json, struct bytes data) {
    before_value(json);
    put_byte(json, '"');
    hex_write_data(json->out, data);
    put_byte(json, '"');
}

void json_hash(struct json_writer *json, const struct hash32 *hash) {
    json_data(json, hash_bytes(hash));
}

void json_address(struct json_writer *json, const struct address *address) {
    json_data(json, address_bytes(address));
}

void json_raw(struct json_writer *json, struct bytes text) {
    before_value(json);
    buffer_append(json->out, text);
}
