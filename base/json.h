#pragma once
/* A writer of JSON text into a bounded buffer.  (Reading JSON is jansson's work, at the edges.)
 *
 * It puts commas where they belong, escapes strings (control characters, quotes, backslash; invalid
 * UTF-8 becomes U+FFFD) and keeps no tree.  Nesting is bounded by JSON_DEPTH_MAX (CHECK: depth is
 * ours, not a client's).  json_write_null and json_write_string are not json_null and json_string
 * because jansson exports those names, and a program may link both. */
#include "base/bytes.h"
#include "base/hash.h"
#include "base/u256.h"

/* A tree of 1,025 nested calls is an object and an array for each. */
#define JSON_DEPTH_MAX 2112

struct json_writer {
    struct buffer *out;
    unsigned depth;
    uint64_t has_item[JSON_DEPTH_MAX / 64]; /* a bit for each level */
    bool after_key;
};

/* json_over starts a text at the end of `out`.  Whoever opens an object or an array closes it; a
 * key (a terminated string) is followed by exactly one value.  What does not fit shows as
 * out->overflow. */
struct json_writer json_over(struct buffer *out);
void json_object_begin(struct json_writer *json);
void json_object_end(struct json_writer *json);
void json_array_begin(struct json_writer *json);
void json_array_end(struct json_writer *json);
void json_key(struct json_writer *json, const char *key);
/* Values.  json_text and json_write_string escape as the essay says; numbers are written in full,
 * whether or not a reader with doubles can hold them. */
void json_write_null(struct json_writer *json);
void json_bool(struct json_writer *json, bool value);
void json_number(struct json_writer *json, int64_t value);
void json_number_u64(struct json_writer *json, uint64_t value);
void json_text(struct json_writer *json, struct bytes text);
void json_write_string(struct json_writer *json, const char *text);
/* Ethereum's forms, written as JSON strings. */
void json_quantity(struct json_writer *json, uint64_t value);
void json_quantity_u256(struct json_writer *json, const struct u256 *value);
void json_data(struct json_writer *json, struct bytes data);
void json_hash(struct json_writer *json, const struct hash32 *hash);
void json_address(struct json_writer *json, const struct address *address);
/* json_raw writes text that is JSON already. */
void json_raw(struct json_writer *json, struct bytes text);
