#pragma once
/* A task: one request body (a call or a batch) on its way to one response body.
 *
 * Light tasks run on the service thread that received them.  A task with a heavy call goes to a
 * worker as a whole.  Calls that finish later (submit) leave the task waiting; whoever finishes the
 * last call hands the response to the task's service thread.  A task belongs to one thread at a
 * time, but for its pending count. */
#include <pthread.h>
#include <stdatomic.h>

#include "rpc/method.h"

struct service; /* a service thread: server.h */

struct answer {
    json_t *id;           /* borrowed from the task's request; NULL: none */
    bool is_notification; /* gets no answer */
    uint8_t *text;        /* malloc'd JSON text of the whole response object; NULL: still to come */
    size_t text_bytes;
};

struct task {
    struct task *next; /* in a queue */
    struct rpc *rpc;
    struct service *service;
    uint64_t session_id;
    bool is_websocket;
    bool is_batch;
    json_t *request;
    uint64_t begin_us;
    size_t answers_count;
    struct answer *answers;
    atomic_size_t pending; /* answers to come, plus one while the task runs */
    uint8_t *response;     /* malloc'd, LWS_PRE bytes of room before it; NULL: nothing to send */
    size_t response_bytes;
};

/* Room before a response for the server's framing and HTTP header. */
#define TASK_HEADROOM 512

/* rpc_task_begin parses a body and runs what can run here; returns the task when its response is
 * ready, NULL when it will come to the service's completions.  `body` is not kept. */
struct task *rpc_task_begin(struct rpc *rpc, struct service *service, uint64_t session_id,
                            bool is_websocket, struct bytes body);
/* rpc_task_run performs all calls with a thread's arena and scratch; true when the response is
 * ready.
 */
bool rpc_task_run(struct task *task, struct arena *arena, struct buffer *scratch);
/* rpc_task_finish_call gives the answer of one METHOD_LATER call; any thread.  When it was the
 * last, the task goes to its service's completions. */
void rpc_task_finish_call(struct task *task, size_t index, struct bytes response_object);
void rpc_task_free(struct task *task);

/* Writes a response object with an error. */
void rpc_task_write_error(struct buffer *out, json_t *id, int code, const char *message,
                          struct bytes data, bool has_data);
/* Writes `{"jsonrpc":"2.0","id":ID,"result":` ; the caller appends the value and '}'. */
void rpc_task_write_head(struct buffer *out, json_t *id);
