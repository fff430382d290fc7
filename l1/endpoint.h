#pragma once
/* The L1 endpoints: batches of JSON-RPC calls over HTTP, with failover.
 *
 * The order of the settings is the order of preference.  An endpoint that fails is left alone for a
 * while (1 s, doubling to 10 s), then tried again.  Requests and answers live in memory that was
 * reserved at start; an answer that is longer than L1_ANSWER_BYTES_MAX is an error.  One thread,
 * but for l1_endpoints_abort. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/json.h"
#include "l1/answer.h"
#include "l1/l1.h"

#define L1_REQUEST_BYTES_MAX (256u << 10)
#define L1_ANSWER_BYTES_MAX  (4u << 20)
#define L1_URL_BYTES         512

struct l1_endpoints;

/* l1_endpoints_create prepares one curl handle for the URLs of `config`.  ERR_CONFIG: no URL, or
 * one that is too long; ERR_MEMORY. */
MUST_USE enum err l1_endpoints_create(const struct l1_config *config, struct l1_endpoints **out);
void l1_endpoints_destroy(struct l1_endpoints *endpoints);
/* l1_endpoints_abort ends the request under way, and all later ones.  Any thread. */
void l1_endpoints_abort(struct l1_endpoints *endpoints);

/* l1_endpoints_choose returns the preferred endpoint that is not being left alone, or -1. */
int l1_endpoints_choose(const struct l1_endpoints *endpoints, uint64_t now_ms);
void l1_endpoints_failed(struct l1_endpoints *endpoints, int endpoint, uint64_t now_ms);
void l1_endpoints_succeeded(struct l1_endpoints *endpoints, int endpoint);
/* l1_endpoints_name is the URL without what may be secret in it: user, path and query. */
const char *l1_endpoints_name(const struct l1_endpoints *endpoints, int endpoint);

/* A batch: begin, then for each call l1_call_begin, the parameters into its writer, l1_call_end,
 * which returns the call's index; then l1_batch_send, and l1_batch_result for each.  Results live
 * until the next l1_batch_begin. */
void l1_batch_begin(struct l1_endpoints *endpoints);
struct json_writer *l1_call_begin(struct l1_endpoints *endpoints, const char *method);
size_t l1_call_end(struct l1_endpoints *endpoints);
/* l1_call_contract adds an eth_call at a block's hash (EIP-1898). */
size_t l1_call_contract(struct l1_endpoints *endpoints, const struct address *to, struct bytes data,
                        const struct hash32 *block);
/* l1_batch_send: ERR_NETWORK, ERR_TIMEOUT, ERR_REFUSED (HTTP status), ERR_LIMIT, ERR_ENCODING. */
MUST_USE enum err l1_batch_send(struct l1_endpoints *endpoints, int endpoint,
                                char error[L1_ERROR_BYTES]);
MUST_USE enum err l1_batch_result(struct l1_endpoints *endpoints, size_t index,
                                  const struct json_t **result, char error[L1_ERROR_BYTES]);

/* l1_requests_count is the number of HTTP requests so far. */
uint64_t l1_requests_count(const struct l1_endpoints *endpoints);
