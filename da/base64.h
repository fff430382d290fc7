#pragma once
/* Base64 with padding (RFC 4648, section 4), as Go's encoding/json writes bytes. */
#include "base/bytes.h"
#include "base/err.h"

/* da_base64_write appends the text of `in` without a terminator. */
void da_base64_write(struct buffer *out, struct bytes in);
/* da_base64_size is the number of characters that `size` bytes become. */
static inline size_t da_base64_size(size_t size) {
    return (size + 2) / 3 * 4;
}
/* da_base64_read decodes strictly: whole groups, padding only at the end, unused bits zero.
 * ERR_ENCODING; ERR_LIMIT when it does not fit. */
MUST_USE enum err da_base64_read(struct bytes text, struct buffer *out);
/* da_base64_read_fixed reads exactly `size` bytes; ERR_ENCODING otherwise. */
MUST_USE enum err da_base64_read_fixed(struct bytes text, uint8_t *out, size_t size);
