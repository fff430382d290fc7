#include "rpc/logs.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/keccak.h"
#include "rpc/encode.h"
#include "rpc/methods.h"
#include "rpc/params.h"

static bool refuse(struct call *call, const char *what) {
    rpc_call_error(call, RPC_INVALID_PARAMS, "invalid argument 0: %s", what);
    return false;
}

static bool read_addresses(struct call *call, json_t *value, struct rpc_log_filter *out) {
    if (value == NULL || json_is_null(value)) return true;
    const size_t count = json_is_array(value) ? json_array_size(value) : 1;
    if (count > RPC_FILTER_ADDRESSES_MAX) return refuse(call, "exceed max addresses");
    struct address *list = arena_array(call->arena, count + 1, sizeof *list);
    if (list == NULL) return refuse(call, "filter is too large");
    for (size_t i = 0; i < count; i++) {
        json_t *entry = json_is_array(value) ? json_array_get(value, i) : value;
        if (hex_to_address(rpc_text(entry), &list[i]) != ERR_OK) {
            return refuse(call, "invalid address in filter");
        }
    }
    out->addresses = list;
    out->addresses_count = count;
    return true;
}

static bool read_topic(struct call *call, json_t *value, size_t place, struct rpc_log_filter *out) {
    if (json_is_null(value)) return true;
    const size_t count = json_is_array(value) ? json_array_size(value) : 1;
    if (count > RPC_FILTER_TOPICS_MAX) return refuse(call, "exceed max topics");
    struct hash32 *list = arena_array(call->arena, count + 1, sizeof *list);
    if (list == NULL) return refuse(call, "filter is too large");
    for (size_t i = 0; i < count; i++) {
        json_t *entry = json_is_array(value) ? json_array_get(value, i) : value;
        if (json_is_null(entry)) return true; /* an alternative that matches everything */
        if (hex_to_hash(rpc_text(entry), &list[i]) != ERR_OK) {
            return refuse(call, "invalid topic in filter");
        }
    }
    out->topics[place].alternatives = list;
    out->topics[place].count = count;
    return true;
}

bool rpc_logs_param_filter(struct call *call, json_t *object, struct rpc_log_filter *out) {
    *out = (struct rpc_log_filter){.addresses = NULL};
    if (!json_is_object(object)) return refuse(call, "a filter object is wanted");
    if (!read_addresses(call, json_object_get(object, "address"), out)) return false;
    json_t *topics = json_object_get(object, "topics");
    if (topics == NULL || json_is_null(topics)) return true;
    if (!json_is_array(topics)) return refuse(call, "\"topics\" is not a list");
    if (json_array_size(topics) > LOG_TOPICS_MAX) return refuse(call, "exceed max topics");
    for (size_t i = 0; i < json_array_size(topics); i++) {
        if (!read_topic(call, json_array_get(topics, i), i, out)) return false;
    }
    return true;
}

/* read_bound reads fromBlock or toBlock; `fallback` when it is missing. */
static bool read_bound(struct call *call, json_t *value, uint64_t fallback, uint64_t *out) {
    struct rpc_tags tags;
    const struct bytes text = rpc_text(value);
    call->backend->tags(call->view, &tags);
    *out = fallback;
    if (value == NULL || json_is_null(value)) return true;
    if (bytes_equal(text, BYTES_STRING("latest")) || bytes_equal(text, BYTES_STRING("pending"))) {
        *out = tags.latest;
    } else if (bytes_equal(text, BYTES_STRING("safe"))) {
        *out = tags.safe;
    } else if (bytes_equal(text, BYTES_STRING("finalized"))) {
        *out = tags.finalized;
    } else if (bytes_equal(text, BYTES_STRING("earliest"))) {
        *out = 0;
    } else if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *out = (uint64_t)json_integer_value(value);
    } else if (hex_to_u64(text, out) != ERR_OK) {
        return refuse(call, "fromBlock and toBlock are tags or numbers");
    }
    return true;
}

static bool read_range(struct call *call, json_t *object, struct log_query *out) {
    struct rpc_tags tags;
    json_t *from = json_object_get(object, "fromBlock"), *to = json_object_get(object, "toBlock");
    json_t *hash = json_object_get(object, "blockHash");
    if (rpc_call_view(call) == NULL) return false;
    call->backend->tags(call->view, &tags);
    out->is_empty = false;
    out->is_beyond_head = false;
    if (hash != NULL && !json_is_null(hash)) {
        struct hash32 block;
        if (from != NULL || to != NULL) {
            return refuse(call, "cannot specify both BlockHash and FromBlock/ToBlock, choose one "
                                "or the other");
        }
        if (hex_to_hash(rpc_text(hash), &block) != ERR_OK) {
            return refuse(call, "\"blockHash\" is not a hash");
        }
        const enum err err = call->backend->block_number(call->view, &block, &out->from);
        if (err == ERR_NOT_FOUND) {
            rpc_call_error(call, RPC_SERVER_ERROR, "unknown block");
            return false;
        }
        out->to = out->from;
        if (err != ERR_OK) rpc_call_failed(call, err);
        return err == ERR_OK;
    }
    if (!read_bound(call, from, tags.latest, &out->from)) return false;
    if (!read_bound(call, to, tags.latest, &out->to)) return false;
    if (from != NULL && to != NULL && out->from > out->to) {
        rpc_call_error(call, RPC_INVALID_PARAMS, "invalid block range params");
        return false;
    }
    out->is_empty = out->from > tags.latest || out->from > out->to;
    out->is_beyond_head = out->to > tags.latest;
    if (out->to > tags.latest) out->to = tags.latest;
    return true;
}

bool rpc_logs_param_query(struct call *call, size_t index, struct log_query *out) {
    json_t *object = json_array_get(call->params, index);
    if (!rpc_logs_param_filter(call, object, &out->filter)) return false;
    return read_range(call, object, out);
}

static bool topic_matches(const struct rpc_log_filter *filter, size_t place,
                          const struct hash32 *topic) {
    const size_t count = filter->topics[place].count;
    for (size_t i = 0; i < count; i++) {
        if (hash_equal(&filter->topics[place].alternatives[i], topic)) return true;
    }
    return count == 0;
}

bool rpc_logs_match(const struct rpc_log_filter *filter, const struct log *log) {
    bool found = filter->addresses_count == 0;
    for (size_t i = 0; i < filter->addresses_count && !found; i++) {
        found = address_equal(&filter->addresses[i], &log->address);
    }
    if (!found) return false;
    for (size_t i = 0; i < LOG_TOPICS_MAX; i++) {
        if (filter->topics[i].count == 0) continue;
        if (i >= log->topics_count || !topic_matches(filter, i, &log->topics[i])) return false;
    }
    return true;
}

/* write_block writes the matching logs of one block; *count grows by them. */
static enum err write_block(struct call *call, const struct rpc_log_filter *filter, uint64_t number,
                            size_t *count) {
    struct rpc_block block;
    const struct receipt *receipts;
    size_t receipts_count;
    uint64_t log_index = 0;
    TRY(call->backend->receipts(call->view, number, call->arena, &receipts, &receipts_count));
    TRY(call->backend->block(call->view, number, call->arena, &block));
    if (receipts_count != block.block.transactions_count) return ERR_CORRUPT;
    for (size_t i = 0; i < receipts_count; i++) {
        struct hash32 name = {{0}};
        bool is_named = false;
        for (size_t k = 0; k < receipts[i].logs_count; k++, log_index++) {
            if (!rpc_logs_match(filter, &receipts[i].logs[k])) continue;
            if (!is_named) name = keccak256(block.block.transactions[i]);
            is_named = true;
            rpc_encode_log(call->out, &receipts[i].logs[k], &block.block.header, &block.block.hash,
                           &name, i, log_index, false);
            *count += 1;
        }
    }
    return ERR_OK;
}

enum method_result rpc_logs_write(struct call *call, const struct rpc_log_filter *filter,
                                  uint64_t from, uint64_t to) {
    size_t count = 0;
    uint64_t at = from;
    while (at <= to) {
        uint64_t number;
        enum err err = call->backend->log_candidate(call->view, at, to, filter, &number);
        if (err == ERR_NOT_FOUND) return METHOD_DONE;
        const size_t mark = arena_mark(call->arena);
        if (err == ERR_OK) err = write_block(call, filter, number, &count);
        arena_release(call->arena, mark);
        if (err != ERR_OK) return rpc_call_failed(call, err);
        if (count > call->limits->logs_max) {
            return rpc_call_error(call, -32005,
                                  "query returned more than %u results: narrow the range",
                                  call->limits->logs_max);
        }
        at = number + 1;
    }
    return METHOD_DONE;
}

enum method_result rpc_eth_get_logs(struct call *call) {
    struct log_query query;
    if (!rpc_logs_param_query(call, 0, &query)) return METHOD_FAILED;
    if (query.is_beyond_head) {
        return rpc_call_error(call, RPC_INVALID_PARAMS,
                              "block range extends beyond current head block");
    }
    json_array_begin(call->out);
    if (!query.is_empty &&
        rpc_logs_write(call, &query.filter, query.from, query.to) == METHOD_FAILED) {
        return METHOD_FAILED;
    }
    json_array_end(call->out);
    return METHOD_DONE;
}

struct rpc_log_filter *rpc_logs_filter_copy(const struct rpc_log_filter *filter) {
    size_t bytes = sizeof *filter + filter->addresses_count * sizeof *filter->addresses;
    for (size_t i = 0; i < LOG_TOPICS_MAX; i++) {
        bytes += filter->topics[i].count * sizeof(struct hash32);
    }
    struct rpc_log_filter *copy = malloc(bytes);
    if (copy == NULL) return NULL;
    *copy = *filter;
    uint8_t *at = (uint8_t *)(copy + 1);
    for (size_t i = 0; i < LOG_TOPICS_MAX; i++) {
        const size_t size = filter->topics[i].count * sizeof(struct hash32);
        if (size > 0) memcpy(at, filter->topics[i].alternatives, size);
        copy->topics[i].alternatives = (const struct hash32 *)(const void *)at;
        at += size;
    }
    const size_t size = filter->addresses_count * sizeof *filter->addresses;
    if (size > 0) memcpy(at, filter->addresses, size);
    copy->addresses = (const struct address *)(const void *)at;
    return copy;
}
