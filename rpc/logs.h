#pragma once
/* Log filters: reading them from JSON, matching, and writing the logs of a range of blocks. */
#include "rpc/params.h"

struct log_query {
    struct rpc_log_filter filter;
    uint64_t from, to;
    bool is_empty;       /* the range has no block, or a block hash is not here */
    bool is_beyond_head; /* toBlock is a block to come */
};

/* rpc_logs_param_filter reads address and topics of the object at `index`; arrays go to `arena`. */
bool rpc_logs_param_filter(struct call *call, json_t *object, struct rpc_log_filter *out);
/* rpc_logs_param_query reads the whole query: filter, and fromBlock/toBlock or blockHash. */
bool rpc_logs_param_query(struct call *call, size_t index, struct log_query *out);
bool rpc_logs_match(const struct rpc_log_filter *filter, const struct log *log);

/* rpc_logs_write appends the matching logs of [from, to] to an open JSON array.  METHOD_FAILED
 * after an answer (too many logs, storage). */
enum method_result rpc_logs_write(struct call *call, const struct rpc_log_filter *filter,
                                  uint64_t from, uint64_t to);

/* rpc_logs_filter_copy copies a filter with its lists into one malloc'd block, NULL when out of
 * memory; free() releases it. */
struct rpc_log_filter *rpc_logs_filter_copy(const struct rpc_log_filter *filter);
