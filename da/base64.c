#include "da/base64.h"

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void da_base64_write(struct buffer *out, struct bytes in) {
    uint8_t *at = buffer_reserve(out, da_base64_size(in.size));
    if (at == NULL) return;
    for (size_t i = 0; i < in.size; i += 3) {
        const size_t rest = in.size - i;
        uint32_t group = (uint32_t)in.data[i] << 16;
        if (rest > 1) group |= (uint32_t)in.data[i + 1] << 8;
        if (rest > 2) group |= in.data[i + 2];
        *at++ = (uint8_t)DIGITS[group >> 18];
        *at++ = (uint8_t)DIGITS[group >> 12 & 63];
        *at++ = rest > 1 ? (uint8_t)DIGITS[group >> 6 & 63] : '=';
        *at++ = rest > 2 ? (uint8_t)DIGITS[group & 63] : '=';
    }
}

static int digit_value(uint8_t digit) {
    if (digit >= 'A' && digit <= 'Z') return digit - 'A';
    if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9') return digit - '0' + 52;
    if (digit == '+') return 62;
    return digit == '/' ? 63 : -1;
}

enum err da_base64_read(struct bytes text, struct buffer *out) {
    if (text.size % 4 != 0) return ERR_ENCODING;
    size_t padding = 0;
    while (padding < 2 && padding < text.size && text.data[text.size - 1 - padding] == '=')
        padding += 1;
    const size_t size = text.size / 4 * 3 - padding;
    if (out->overflow || out->capacity - out->size < size) return ERR_LIMIT;
    uint8_t *at = out->data + out->size;
    size_t written = 0;
    for (size_t i = 0; i < text.size; i += 4) {
        uint32_t group = 0;
        const size_t digits = i + 4 == text.size ? 4 - padding : 4;
        for (size_t k = 0; k < 4; k++) {
            const int value = k < digits ? digit_value(text.data[i + k]) : 0;
            if (value < 0) return ERR_ENCODING;
            group = group << 6 | (uint32_t)value;
        }
        if (digits == 2 && (group & 0xffff) != 0) return ERR_ENCODING;
        if (digits == 3 && (group & 0xff) != 0) return ERR_ENCODING;
        for (size_t k = 0; k + 1 < digits; k++)
            at[written++] = (uint8_t)(group >> (16 - 8 * k));
    }
    out->size += written;
    return ERR_OK;
}

enum err da_base64_read_fixed(struct bytes text, uint8_t *out, size_t size) {
    uint8_t copy[128];
    CHECK(size <= sizeof copy);
    if (text.size != da_base64_size(size)) return ERR_ENCODING;
    struct buffer buffer = buffer_over(copy, sizeof copy);
    TRY(da_base64_read(text, &buffer));
    if (buffer.size != size) return ERR_ENCODING;
    memcpy(out, copy, size);
    return ERR_OK;
}
