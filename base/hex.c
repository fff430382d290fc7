#include "base/hex.h"

#include "base/keccak.h"

static const char digits[16] = {'0', '1', '2', '3', '4', '5', '6', '7',
                                '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};

/* digit_value returns 0 to 15, or a value with the bit 0x10 set for what is no digit. */
static inline unsigned digit_value(uint8_t character) {
    const unsigned decimal = (unsigned)character - '0';
    if (decimal <= 9) return decimal;
    const unsigned letter = ((unsigned)character | 0x20) - 'a';
    return letter <= 5 ? letter + 10 : 0x10;
}

/* skip_prefix takes "0x" (or "0X") off *text, and says whether it was there. */
static inline bool skip_prefix(struct bytes *text) {
    if (text->size < 2 || text->data[0] != '0' || (text->data[1] | 0x20) != 'x') return false;
    *text = bytes_slice(*text, 2, text->size);
    return true;
}

/* decode_digits writes text.size / 2 bytes; false when there is anything but digits. */
static bool decode_digits(struct bytes text, uint8_t *out) {
    unsigned bad = 0;
    for (size_t i = 0; i < text.size / 2; i++) {
        const unsigned high = digit_value(text.data[2 * i]);
        const unsigned low = digit_value(text.data[2 * i + 1]);
        bad |= high | low;
        out[i] = (uint8_t)(high << 4 | (low & 15));
    }
    return (bad & 0x10) == 0;
}

static bool is_all_digits(struct bytes text) {
    unsigned bad = 0;
    for (size_t i = 0; i < text.size; i++)
        bad |= digit_value(text.data[i]);
    return (bad & 0x10) == 0;
}

enum err hex_decode(struct bytes text, bool prefix_optional, struct buffer *out) {
    if (!skip_prefix(&text) && !prefix_optional) return ERR_ENCODING;
    if (text.size % 2 != 0) return ERR_ENCODING;
    if (out->overflow || out->capacity - out->size < text.size / 2) {
        return is_all_digits(text) ? ERR_LIMIT : ERR_ENCODING;
    }
    /* Bytes beyond out->size are nobody's until it moves, so a failure leaves *out as it was. */
    if (!decode_digits(text, out->data + out->size)) return ERR_ENCODING;
    out->size += text.size / 2;
    return ERR_OK;
}

enum err hex_decode_fixed(struct bytes text, uint8_t *out, size_t size) {
    if (!skip_prefix(&text)) return ERR_ENCODING;
    if (text.size % 2 != 0 || text.size / 2 != size || !is_all_digits(text)) return ERR_ENCODING;
    (void)decode_digits(text, out);
    return ERR_OK;
}

enum err hex_to_hash(struct bytes text, struct hash32 *out) {
    return hex_decode_fixed(text, out->bytes, sizeof out->bytes);
}

enum err hex_to_address(struct bytes text, struct address *out) {
    return hex_decode_fixed(text, out->bytes, sizeof out->bytes);
}

/* quantity_digits checks a QUANTITY's form and views its 1 to `digits_max` digits. */
static enum err quantity_digits(struct bytes text, size_t digits_max, struct bytes *out) {
    if (!skip_prefix(&text)) return ERR_ENCODING;
    if (text.size == 0 || text.size > digits_max) return ERR_ENCODING;
    if (text.data[0] == '0' && text.size > 1) return ERR_ENCODING;
    if (!is_all_digits(text)) return ERR_ENCODING;
    *out = text;
    return ERR_OK;
}

enum err hex_to_u64(struct bytes text, uint64_t *out) {
    struct bytes number;
    TRY(quantity_digits(text, 16, &number));
    uint64_t value = 0;
    for (size_t i = 0; i < number.size; i++)
        value = value << 4 | digit_value(number.data[i]);
    *out = value;
    return ERR_OK;
}

enum err hex_to_u256(struct bytes text, struct u256 *out) {
    struct bytes number;
    TRY(quantity_digits(text, 64, &number));
    struct u256 value = U256_ZERO;
    for (size_t i = 0; i < number.size; i++) {
        const size_t place = number.size - 1 - i;
        value.limb[place / 16] |= (uint64_t)digit_value(number.data[i]) << (place % 16 * 4);
    }
    *out = value;
    return ERR_OK;
}

static inline void encode_bytes(struct bytes in, uint8_t *out) {
    for (size_t i = 0; i < in.size; i++) {
        out[2 * i] = (uint8_t)digits[in.data[i] >> 4];
        out[2 * i + 1] = (uint8_t)digits[in.data[i] & 15];
    }
}

void hex_write_data(struct buffer *out, struct bytes in) {
    uint8_t *at = buffer_reserve(out, 2 + 2 * in.size);
    if (at == NULL) return;
    at[0] = '0';
    at[1] = 'x';
    encode_bytes(in, at + 2);
}

void hex_write_u256(struct buffer *out, const struct u256 *value) {
    const unsigned bits = u256_bits(value);
    const size_t count = bits == 0 ? 1 : (bits + 3) / 4;
    uint8_t *at = buffer_reserve(out, 2 + count);
    if (at == NULL) return;
    at[0] = '0';
    at[1] = 'x';
    for (size_t i = 0; i < count; i++) {
        const size_t place = count - 1 - i;
        at[2 + i] = (uint8_t)digits[value->limb[place / 16] >> (place % 16 * 4) & 15];
    }
}

char *hex_string(struct bytes in, char *text) {
    text[0] = '0';
    text[1] = 'x';
    encode_bytes(in, (uint8_t *)text + 2);
    text[2 + 2 * in.size] = '\0';
    return text;
}

char *hex_checksum_address(const struct address *address, char text[43]) {
    hex_string(address_bytes(address), text);
    const struct hash32 hash = keccak256((struct bytes){(const uint8_t *)text + 2, 40});
    for (size_t i = 0; i < 40; i++) {
        const unsigned nibble = hash.bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
        if (text[2 + i] >= 'a' && nibble >= 8) text[2 + i] = (char)(text[2 + i] - 'a' + 'A');
    }
    return text;
}
