#pragma once
/* Recursive Length Prefix, Ethereum's serialisation (Yellow Paper, appendix B).
 *
 * Readers take one item off the front of a view and advance it; they accept canonical encodings
 * only and copy nothing.  They do not recurse: a nested list is another view that the caller reads.
 * On any error inputs and outputs are unchanged.  Writers append to a bounded buffer; lists are
 * written between rlp_list_begin and rlp_list_end, which inserts the header once the size is known.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/u256.h"

/* rlp_read_string takes one byte string off *in; *out views its payload in the same memory.
 * ERR_TRUNCATED: more is announced than there is.  ERR_ENCODING: a list, or not canonical. */
MUST_USE enum err rlp_read_string(struct bytes *in, struct bytes *out);

/* rlp_read_list takes one list off *in; *out views its payload.  Errors as above, with ERR_ENCODING
 * for a string. */
MUST_USE enum err rlp_read_list(struct bytes *in, struct bytes *out);

/* rlp_read_item takes one item of either kind off *in; *out views it whole, header included.
 * The payload's inner structure is not checked. */
MUST_USE enum err rlp_read_item(struct bytes *in, struct bytes *out);

/* rlp_is_list says whether the next item is a list; false at the end of input. */
bool rlp_is_list(struct bytes in);

/* rlp_list_count counts the items of a list's payload, at most `count_max` (then ERR_LIMIT). */
MUST_USE enum err rlp_list_count(struct bytes payload, size_t count_max, size_t *out);

/* Scalars have no leading zeros; ERR_ENCODING where they have or are too wide. */
MUST_USE enum err rlp_read_u64(struct bytes *in, uint64_t *out);
MUST_USE enum err rlp_read_u256(struct bytes *in, struct u256 *out);
/* Exactly 32 or 20 bytes; ERR_ENCODING otherwise. */
MUST_USE enum err rlp_read_hash(struct bytes *in, struct hash32 *out);
MUST_USE enum err rlp_read_address(struct bytes *in, struct address *out);
/* rlp_read_fixed reads a string of exactly `size` bytes into `out`. */
MUST_USE enum err rlp_read_fixed(struct bytes *in, uint8_t *out, size_t size);

/* rlp_check walks a whole item, all lists inside included, without recursion (an explicit stack of
 * RLP_DEPTH_MAX).  ERR_LIMIT when deeper; ERR_ENCODING when bytes are left over. */
#define RLP_DEPTH_MAX 1024
MUST_USE enum err rlp_check(struct bytes item);

/* Writers append one item; what does not fit shows as out->overflow.  Numbers are written without
 * leading zeros. */
void rlp_write_string(struct buffer *out, struct bytes in);
void rlp_write_u64(struct buffer *out, uint64_t value);
void rlp_write_u256(struct buffer *out, const struct u256 *value);
void rlp_write_hash(struct buffer *out, const struct hash32 *hash);
void rlp_write_address(struct buffer *out, const struct address *address);
/* rlp_write_raw appends an item that is encoded already. */
void rlp_write_raw(struct buffer *out, struct bytes encoded);

/* rlp_list_begin returns a mark for rlp_list_end, which moves the payload up to make room for the
 * header: 1 to 9 bytes.  Marks nest. */
size_t rlp_list_begin(struct buffer *out);
void rlp_list_end(struct buffer *out, size_t mark);

/* rlp_string_size and rlp_list_size give encoded sizes in bytes, header included. */
size_t rlp_string_size(struct bytes in);
size_t rlp_list_size(size_t payload_bytes);
