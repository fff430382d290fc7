#pragma once
/* A task: one request body (a call or a batch) on its way to one response body.
 *
 * Light tasks run on the service thread that received them.  A task with a heavy call goes to a
 * worker as a whole.  Calls that finish later (submit) leave the task waiting; whoever finishes the
 * last call hands the response to the task's service thread.  A task belongs to one thread at a
 * time, but for its pending count.
 *
 * Calls write their answers one after the other into the memory of the thread that runs them; when
 * none finishes later, that is the response, brackets and commas included, and it is sent from
 * there. */
#include <stdatomic.h>

#include "rpc/method.h"
#include "rpc/request.h"

struct service; /* a service thread: server.h */
struct method_counters;

/* What a thread runs calls with. */
struct runner {
    struct arena arena;    /* request lifetime */
    struct buffer scratch; /* the response; TASK_HEADROOM bytes are before it */
    struct method_counters *counters;
};

struct task {
    struct task *next; /* in a queue */
    struct rpc *rpc;
    struct service *service;
    uint64_t session_id;
    bool is_websocket;
    struct requests requests; /* their texts are in `body` */
    uint8_t *kept;            /* answers that were there when others were still to come */
    atomic_size_t pending;    /* answers to come, plus one while the task runs */
    uint8_t *response;        /* TASK_HEADROOM bytes of room before it; NULL: nothing to send */
    size_t response_bytes;
    bool is_response_owned; /* malloc'd; else in the runner, until its next task */
    uint8_t body[];
};

/* Room before a response for the server's framing and HTTP header. */
#define TASK_HEADROOM 512

/* rpc_runner_bytes is what a runner needs: address space, pages cost when touched. */
size_t rpc_runner_bytes(const struct rpc_limits *limits);
/* rpc_runner_over makes a runner in that much memory, mapped and page-aligned. */
struct runner rpc_runner_over(void *memory, const struct rpc_limits *limits,
                              struct method_counters *counters);

/* rpc_task_begin parses a body and runs what can run here; returns the task when its response is
 * ready, NULL when it will come to the service's completions.  `body` is not kept. */
struct task *rpc_task_begin(struct rpc *rpc, struct service *service, uint64_t session_id,
                            bool is_websocket, struct bytes body);
/* rpc_task_run performs all calls; true when the response is ready. */
bool rpc_task_run(struct task *task, struct runner *runner);
/* rpc_task_own_response moves a response out of the runner's memory. */
void rpc_task_own_response(struct task *task);
/* rpc_task_finish_call gives the answer of one METHOD_LATER call; any thread.  When it was the
 * last, the task goes to its service's completions. */
void rpc_task_finish_call(struct task *task, size_t index, struct bytes response_object);
void rpc_task_free(struct task *task);

/* Writes a response object with an error; `id` is JSON text, empty: null. */
void rpc_task_write_error(struct buffer *out, struct bytes id, int code, const char *message,
                          struct bytes data, bool has_data);
/* Writes `{"jsonrpc":"2.0","id":ID,"result":` ; the caller appends the value and '}'. */
void rpc_task_write_result_head(struct buffer *out, struct bytes id);
