#pragma once
/* Hexadecimal text, as Ethereum's JSON writes it: QUANTITY (no leading zeros, "0x0" for zero) and
 * DATA (two digits a byte).  Readers take text without a terminator and never read past it. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/u256.h"

/* hex_decode reads "0x" and an even number of digits (the prefix may be missing when
 * `prefix_optional`) into out; ERR_ENCODING on anything else, ERR_LIMIT when it does not fit. */
MUST_USE enum err hex_decode(struct bytes text, bool prefix_optional, struct buffer *out);
/* hex_decode_fixed reads "0x" and exactly `size` bytes; ERR_ENCODING otherwise, out untouched. */
MUST_USE enum err hex_decode_fixed(struct bytes text, uint8_t *out, size_t size);
MUST_USE enum err hex_to_hash(struct bytes text, struct hash32 *out);
MUST_USE enum err hex_to_address(struct bytes text, struct address *out);
/* QUANTITY readers are strict as geth's: "0x" prefix, no leading zeros, at least one digit. */
MUST_USE enum err hex_to_u64(struct bytes text, uint64_t *out);
MUST_USE enum err hex_to_u256(struct bytes text, struct u256 *out);

/* Writers append without a terminator; `buffer` overflow as usual. */
void hex_write_data(struct buffer *out, struct bytes in);     /* "0x" + two digits a byte */
void hex_write_u256(struct buffer *out, const struct u256 *); /* QUANTITY */

/* hex_string writes "0x..." and a terminator into text, which has room for 2 * in.size + 3 bytes;
 * returns text. */
char *hex_string(struct bytes in, char *text);
/* hex_checksum_address writes EIP-55 mixed case, 42 characters and a terminator; returns text. */
char *hex_checksum_address(const struct address *address, char text[43]);
