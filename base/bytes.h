#pragma once
/* Views of bytes, and a bounded buffer to write into.
 *
 * A `struct bytes` is a view: it owns nothing, and whoever keeps one beyond the call copies what it
 * points at.  A `struct buffer` is a writer over memory that somebody handed in; it never grows.
 * Writing past its end sets `overflow` and writes nothing, so that a long encoding is checked once,
 * at its end, and not at every byte.  Everything here is pure and thread-safe by having no state.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;         /* bytes */
};

struct buffer {
    uint8_t *data;
    size_t size;     /* bytes written so far */
    size_t capacity; /* bytes available at data */
    bool overflow;   /* a write did not fit; data[0..size) is what fitted before it */
};

#define BYTES_EMPTY ((struct bytes){NULL, 0})
/* BYTES_OF views a fixed array or a struct that is nothing but one array of bytes. */
#define BYTES_OF(array) ((struct bytes){(const uint8_t *)(array), sizeof(array)})
/* BYTES_STRING views a string literal without its terminator. */
#define BYTES_STRING(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

/* bytes_from_string views a C string without its terminator; the view lives as long as `text`. */
static inline struct bytes bytes_from_string(const char *text) {
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* bytes_equal is true when both views have the same size and content. */
static inline bool bytes_equal(struct bytes a, struct bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* bytes_compare orders lexicographically, a prefix before what it is a prefix of: <0, 0, >0. */
static inline int bytes_compare(struct bytes a, struct bytes b) {
    const size_t common = a.size < b.size ? a.size : b.size;
    const int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0) return order;
    return a.size < b.size ? -1 : a.size > b.size ? 1 : 0;
}

/* bytes_slice views [offset, offset + size) of `in`, cut to what is there; never out of bounds. */
static inline struct bytes bytes_slice(struct bytes in, size_t offset, size_t size) {
    if (offset >= in.size) return BYTES_EMPTY;
    const size_t rest = in.size - offset;
    return (struct bytes){in.data + offset, size < rest ? size : rest};
}

/* buffer_over makes a writer over `capacity` bytes at `data`, which the caller keeps owning. */
static inline struct buffer buffer_over(uint8_t *data, size_t capacity) {
    return (struct buffer){.data = data, .size = 0, .capacity = capacity, .overflow = false};
}

/* buffer_bytes views what was written; valid until the next write. */
static inline struct bytes buffer_bytes(const struct buffer *buffer) {
    return (struct bytes){buffer->data, buffer->size};
}

/* buffer_reserve returns room for `size` bytes and counts them as written; NULL on overflow. */
static inline uint8_t *buffer_reserve(struct buffer *buffer, size_t size) {
    if (buffer->overflow || buffer->capacity - buffer->size < size) {
        buffer->overflow = true;
        return NULL;
    }
    uint8_t *at = buffer->data + buffer->size;
    buffer->size += size;
    return at;
}

/* buffer_append copies `in` to the end; sets overflow when it does not fit. */
static inline void buffer_append(struct buffer *buffer, struct bytes in) {
    uint8_t *at = buffer_reserve(buffer, in.size);
    if (at != NULL && in.size != 0) memcpy(at, in.data, in.size);
}

/* buffer_append_byte writes one byte. */
static inline void buffer_append_byte(struct buffer *buffer, uint8_t byte) {
    uint8_t *at = buffer_reserve(buffer, 1);
    if (at != NULL) *at = byte;
}

/* be_read reads a big-endian number of `size` bytes, 0 <= size <= 8. */
static inline uint64_t be_read(const uint8_t *data, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | data[i];
    return value;
}

/* be_write writes the low `size` bytes of `value`, big-endian, 0 <= size <= 8. */
static inline void be_write(uint8_t *data, size_t size, uint64_t value) {
    for (size_t i = 0; i < size; i++)
        data[size - 1 - i] = (uint8_t)(value >> (8 * i));
}

/* buffer_append_be appends the low `size` bytes of `value`, big-endian, 0 <= size <= 8. */
static inline void buffer_append_be(struct buffer *buffer, size_t size, uint64_t value) {
    uint8_t *at = buffer_reserve(buffer, size);
    if (at != NULL) be_write(at, size, value);
}
