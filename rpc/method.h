#pragma once
/* Methods: one line each in methods.h, a function that reads its parameters and writes its result.
 *
 * A method gets a `struct call`: parsed parameters, the request's arena, a writer that stands where
 * the result goes, and the backend.  It returns METHOD_DONE after writing exactly one JSON value,
 * METHOD_FAILED after rpc_call_error, or METHOD_LATER when somebody else will finish the call
 * (submit). Heavy methods run on worker threads. */
#include <jansson.h>

#include "base/json.h"
#include "rpc/rpc.h"

enum method_result { METHOD_DONE, METHOD_FAILED, METHOD_LATER };

/* JSON-RPC and Ethereum error codes. */
enum rpc_error_code {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_METHOD_NOT_FOUND = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL = -32603,
    RPC_SERVER_ERROR = -32000,
    RPC_TIMEOUT = -32002,
    RPC_RESPONSE_TOO_LARGE = -32003,
    RPC_REVERTED = 3,
    RPC_SYNC_TIMEOUT = 4,
};

struct task;

/* One call of a request. */
struct call {
    struct rpc *rpc;
    const struct rpc_backend *backend;
    const struct rpc_limits *limits;
    struct task *task;   /* for METHOD_LATER */
    size_t index;        /* of the call in its task */
    json_t *params;      /* array; never NULL */
    struct arena *arena; /* request lifetime */
    struct json_writer *out;
    struct rpc_view *view; /* opened by rpc_call_view on first use */
    bool is_websocket;
    uint64_t session_id; /* WebSocket session, for subscriptions */
    /* what rpc_call_error said */
    int error_code;
    const char *error_message; /* in the arena or static */
    struct bytes error_data;   /* hex-encoded as `data`; empty: none */
    bool has_error_data;
};

struct method {
    const char *name;
    enum method_result (*run)(struct call *call);
    unsigned params_min, params_max;
    bool is_heavy;
};

/* rpc_method_find returns NULL for an unknown name; rpc_method_index is its place in the table
 * (metrics).
 */
const struct method *rpc_method_find(const char *name, size_t name_bytes);
size_t rpc_methods_count(void);
const struct method *rpc_method_at(size_t index);
size_t rpc_method_index(const struct method *method);

/* rpc_call_error records a failure and returns METHOD_FAILED; the message is formatted into the
 * arena.
 */
enum method_result rpc_call_error(struct call *call, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* rpc_call_failed turns an err of the backend into an answer. */
enum method_result rpc_call_failed(struct call *call, enum err err);

/* rpc_call_view opens the call's read view once; NULL after rpc_call_error. */
struct rpc_view *rpc_call_view(struct call *call);
