#include "base/rlp.h"

/* Prefix bytes (Yellow Paper, appendix B). */
#define STRING_SHORT 0x80u /* + size, 0..55 */
#define LIST_SHORT   0xc0u
#define SHORT_MAX    55u

struct header {
    size_t head_bytes; /* prefix and length bytes; 0 for a byte that is its own encoding */
    size_t size_bytes; /* payload */
    bool is_list;
};

/* read_header reads and checks the header of the first item: canonical, and wholly inside `in`. */
static inline enum err read_header(struct bytes in, struct header *out) {
    if (in.size == 0) return ERR_TRUNCATED;
    const uint8_t tag = in.data[0];
    if (tag < STRING_SHORT) {
        *out = (struct header){0, 1, false};
        return ERR_OK;
    }
    const bool is_list = tag >= LIST_SHORT;
    const unsigned announced = tag - (is_list ? LIST_SHORT : STRING_SHORT);
    if (announced <= SHORT_MAX) {
        if (in.size - 1 < announced) return ERR_TRUNCATED;
        if (tag == STRING_SHORT + 1 && in.data[1] < STRING_SHORT) return ERR_ENCODING;
        *out = (struct header){1, announced, is_list};
        return ERR_OK;
    }
    const size_t length_bytes = announced - SHORT_MAX;
    if (in.size - 1 < length_bytes) return ERR_TRUNCATED;
    const uint64_t size = be_read(in.data + 1, length_bytes);
    if (in.data[1] == 0 || size <= SHORT_MAX) return ERR_ENCODING;
    if (in.size - 1 - length_bytes < size) return ERR_TRUNCATED;
    *out = (struct header){1 + length_bytes, size, is_list};
    return ERR_OK;
}

/* read_payload takes one item of the wanted kind off *in. */
static inline enum err read_payload(struct bytes *in, bool is_list, struct bytes *out) {
    struct header header;
    TRY(read_header(*in, &header));
    if (header.is_list != is_list) return ERR_ENCODING;
    *out = (struct bytes){in->data + header.head_bytes, header.size_bytes};
    *in = (struct bytes){out->data + out->size, in->size - header.head_bytes - header.size_bytes};
    return ERR_OK;
}

enum err rlp_read_string(struct bytes *in, struct bytes *out) {
    return read_payload(in, false, out);
}

enum err rlp_read_list(struct bytes *in, struct bytes *out) {
    return read_payload(in, true, out);
}

enum err rlp_read_item(struct bytes *in, struct bytes *out) {
    struct header header;
    TRY(read_header(*in, &header));
    *out = (struct bytes){in->data, header.head_bytes + header.size_bytes};
    *in = (struct bytes){in->data + out->size, in->size - out->size};
    return ERR_OK;
}

bool rlp_is_list(struct bytes in) {
    return in.size != 0 && in.data[0] >= LIST_SHORT;
}

enum err rlp_list_count(struct bytes payload, size_t count_max, size_t *out) {
    size_t count = 0;
    while (payload.size != 0) {
        struct bytes item;
        TRY(rlp_read_item(&payload, &item));
        if (count == count_max) return ERR_LIMIT;
        count++;
    }
    *out = count;
    return ERR_OK;
}

/* read_scalar takes a number of at most `bytes_max` bytes off *in, without leading zeros. */
static inline enum err read_scalar(struct bytes *in, size_t bytes_max, struct bytes *out) {
    struct bytes rest = *in;
    struct bytes digits;
    TRY(rlp_read_string(&rest, &digits));
    if (digits.size > bytes_max) return ERR_ENCODING;
    if (digits.size != 0 && digits.data[0] == 0) return ERR_ENCODING;
    *in = rest;
    *out = digits;
    return ERR_OK;
}

enum err rlp_read_u64(struct bytes *in, uint64_t *out) {
    struct bytes digits;
    TRY(read_scalar(in, 8, &digits));
    *out = be_read(digits.data, digits.size);
    return ERR_OK;
}

enum err rlp_read_u256(struct bytes *in, struct u256 *out) {
    struct bytes digits;
    TRY(read_scalar(in, 32, &digits));
    *out = u256_from_be(digits);
    return ERR_OK;
}

enum err rlp_read_fixed(struct bytes *in, uint8_t *out, size_t size) {
    struct bytes rest = *in;
    struct bytes payload;
    TRY(rlp_read_string(&rest, &payload));
    if (payload.size != size) return ERR_ENCODING;
    if (size != 0) memcpy(out, payload.data, size);
    *in = rest;
    return ERR_OK;
}

enum err rlp_read_hash(struct bytes *in, struct hash32 *out) {
    return rlp_read_fixed(in, out->bytes, sizeof out->bytes);
}

enum err rlp_read_address(struct bytes *in, struct address *out) {
    return rlp_read_fixed(in, out->bytes, sizeof out->bytes);
}

enum err rlp_check(struct bytes item) {
    /* ends[i] is where the i-th open list ends; the item itself is the lowest. */
    const uint8_t *ends[RLP_DEPTH_MAX + 1];
    size_t depth = 0;
    struct header header;
    TRY(read_header(item, &header));
    if (header.head_bytes + header.size_bytes != item.size) return ERR_ENCODING;
    ends[0] = item.data + item.size;
    const uint8_t *at = item.data;
    for (;;) {
        while (at == ends[depth]) {
            if (depth == 0) return ERR_OK;
            depth--;
        }
        const struct bytes rest = {at, (size_t)(ends[depth] - at)};
        TRY(read_header(rest, &header));
        at += header.head_bytes;
        if (!header.is_list) {
            at += header.size_bytes;
            continue;
        }
        if (depth == RLP_DEPTH_MAX) return ERR_LIMIT;
        depth++;
        ends[depth] = at + header.size_bytes;
    }
}

/* significant_bytes counts the bytes of a number without leading zeros: 0 for 0, at most 8. */
static inline size_t significant_bytes(uint64_t value) {
    return value == 0 ? 0 : (size_t)(71 - __builtin_clzll(value)) / 8;
}

static inline size_t head_size(size_t payload_bytes) {
    return payload_bytes <= SHORT_MAX ? 1 : 1 + significant_bytes(payload_bytes);
}

/* write_head writes the header for a payload; `base` is STRING_SHORT or LIST_SHORT. */
static inline void write_head(uint8_t *at, unsigned base, size_t payload_bytes) {
    if (payload_bytes <= SHORT_MAX) {
        at[0] = (uint8_t)(base + payload_bytes);
        return;
    }
    const size_t length_bytes = significant_bytes(payload_bytes);
    at[0] = (uint8_t)(base + SHORT_MAX + length_bytes);
    be_write(at + 1, length_bytes, payload_bytes);
}

static inline bool is_own_encoding(struct bytes in) {
    return in.size == 1 && in.data[0] < STRING_SHORT;
}

void rlp_write_string(struct buffer *out, struct bytes in) {
    if (is_own_encoding(in)) {
        buffer_append_byte(out, in.data[0]);
        return;
    }
    const size_t head_bytes = head_size(in.size);
    uint8_t *at = buffer_reserve(out, head_bytes + in.size);
    if (at == NULL) return;
    write_head(at, STRING_SHORT, in.size);
    if (in.size != 0) memcpy(at + head_bytes, in.data, in.size);
}

void rlp_write_u64(struct buffer *out, uint64_t value) {
    uint8_t digits[8];
    const size_t size = significant_bytes(value);
    be_write(digits, size, value);
    rlp_write_string(out, (struct bytes){digits, size});
}

void rlp_write_u256(struct buffer *out, const struct u256 *value) {
    uint8_t digits[32];
    const size_t size = (u256_bits(value) + 7) / 8;
    u256_to_be(value, digits);
    rlp_write_string(out, (struct bytes){digits + 32 - size, size});
}

void rlp_write_hash(struct buffer *out, const struct hash32 *hash) {
    rlp_write_string(out, hash_bytes(hash));
}

void rlp_write_address(struct buffer *out, const struct address *address) {
    rlp_write_string(out, address_bytes(address));
}

void rlp_write_raw(struct buffer *out, struct bytes encoded) {
    buffer_append(out, encoded);
}

size_t rlp_list_begin(struct buffer *out) {
    return out->size;
}

void rlp_list_end(struct buffer *out, size_t mark) {
    const size_t payload_bytes = out->size - mark;
    const size_t head_bytes = head_size(payload_bytes);
    if (buffer_reserve(out, head_bytes) == NULL) return;
    uint8_t *at = out->data + mark;
    memmove(at + head_bytes, at, payload_bytes);
    write_head(at, LIST_SHORT, payload_bytes);
}

size_t rlp_string_size(struct bytes in) {
    return is_own_encoding(in) ? 1 : head_size(in.size) + in.size;
}

size_t rlp_list_size(size_t payload_bytes) {
    return head_size(payload_bytes) + payload_bytes;
}
