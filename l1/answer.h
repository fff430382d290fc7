#pragma once
/* Answers of an L1 endpoint: JSON that somebody else chose, read strictly.
 *
 * A body is one JSON-RPC response or an array of them, in any order; each is found by its id.  Pure
 * but for malloc. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/u256.h"

struct json_t;

#define L1_ERROR_BYTES 256

struct l1_block {
    uint64_t number;
    struct hash32 hash;
    uint64_t timestamp;   /* seconds */
    struct u256 base_fee; /* zero when there is none */
};

struct l1_receipt {
    bool is_mined;
    bool has_succeeded;
    uint64_t number;
};

/* l1_answers_open parses a body; the caller ends it with l1_answers_close.  ERR_ENCODING. */
MUST_USE enum err l1_answers_open(struct bytes body, struct json_t **root);
void l1_answers_close(struct json_t *root);

/* l1_answer_find finds the result of request `id`; it belongs to root.  ERR_REFUSED: it is an
 * error, whose message goes to `error` (L1_ERROR_BYTES).  ERR_ENCODING: there is no such answer. */
MUST_USE enum err l1_answer_find(const struct json_t *root, uint64_t id,
                                 const struct json_t **result, char *error);

/* Readers of results: ERR_ENCODING for anything else than what they are for. */
MUST_USE enum err l1_answer_u64(const struct json_t *result, uint64_t *out);
MUST_USE enum err l1_answer_u256(const struct json_t *result, struct u256 *out);
/* l1_answer_data reads hex data.  ERR_LIMIT: more than fits. */
MUST_USE enum err l1_answer_data(const struct json_t *result, struct buffer *out);
/* l1_answer_block reads a block of eth_getBlockByNumber.  ERR_NOT_FOUND: null. */
MUST_USE enum err l1_answer_block(const struct json_t *result, struct l1_block *out);
/* l1_answer_receipt reads eth_getTransactionReceipt; null is a transaction that is not mined. */
MUST_USE enum err l1_answer_receipt(const struct json_t *result, struct l1_receipt *out);
/* l1_answer_log reads the data of the only log of eth_getLogs, which must have `address` and begin
 * with the `topics`.  ERR_NOT_FOUND: no log. */
MUST_USE enum err l1_answer_log(const struct json_t *result, const struct address *address,
                                const struct hash32 *topics, size_t topics_count,
                                struct buffer *out);
