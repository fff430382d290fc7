#include "rpc/task.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "rpc/rpc_internal.h"
#include "threads/clock.h"

/* An answer that is only an error without data: its texts are short. */
#define ERROR_ANSWER_BYTES_MAX (REQUEST_ID_BYTES_MAX + 256)
/* What the last answer may go beyond the limit of a response. */
#define RESPONSE_SLACK_BYTES 4096
/* A runner whose task touched more gives its pages back. */
#define RUNNER_KEEP_BYTES ((size_t)2 << 20)

/* --- runners */

/* Every call of a batch that is too large is still answered, with an error. */
static size_t scratch_bytes(const struct rpc_limits *limits) {
    return (size_t)limits->response_bytes_max + RESPONSE_SLACK_BYTES +
           ((size_t)limits->batch_calls_max + 1) * ERROR_ANSWER_BYTES_MAX;
}

size_t rpc_runner_bytes(const struct rpc_limits *limits) {
    return RPC_ARENA_BYTES + TASK_HEADROOM + scratch_bytes(limits);
}

struct runner rpc_runner_over(void *memory, const struct rpc_limits *limits,
                              struct method_counters *counters) {
    uint8_t *scratch = (uint8_t *)memory + RPC_ARENA_BYTES + TASK_HEADROOM;
    return (struct runner){.arena = arena_over(memory, RPC_ARENA_BYTES),
                           .scratch = buffer_over(scratch, scratch_bytes(limits)),
                           .counters = counters};
}

/* runner_reset readies a runner for the next task. */
static void runner_reset(struct runner *runner) {
    if (runner->arena.peak > RUNNER_KEEP_BYTES || runner->scratch.size > RUNNER_KEEP_BYTES) {
        madvise(runner->arena.data, RPC_ARENA_BYTES + TASK_HEADROOM + runner->scratch.capacity,
                MADV_DONTNEED);
        runner->arena.peak = 0;
    }
    arena_reset(&runner->arena);
    runner->scratch.size = 0;
    runner->scratch.overflow = false;
}

/* --- answers */

static void write_head(struct buffer *out, struct bytes id) {
    buffer_append(out, BYTES_STRING("{\"jsonrpc\":\"2.0\",\"id\":"));
    buffer_append(out, id.size == 0 ? BYTES_STRING("null") : id);
}

void rpc_task_write_result_head(struct buffer *out, struct bytes id) {
    write_head(out, id);
    buffer_append(out, BYTES_STRING(",\"result\":"));
}

void rpc_task_write_error(struct buffer *out, struct bytes id, int code, const char *message,
                          struct bytes data, bool has_data) {
    write_head(out, id);
    buffer_append(out, BYTES_STRING(",\"error\":"));
    struct json_writer json = json_over(out);
    json_object_begin(&json);
    json_key(&json, "code");
    json_number(&json, code);
    json_key(&json, "message");
    json_write_string(&json, message);
    if (has_data) {
        json_key(&json, "data");
        json_data(&json, data);
    }
    json_object_end(&json);
    buffer_append_byte(out, '}');
}

enum method_result rpc_call_error(struct call *call, int code, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct bytes copy;
    call->error_code = code;
    call->error_message = "out of memory";
    if (size < 0) return METHOD_FAILED;
    if (arena_copy(call->arena, (struct bytes){(const uint8_t *)text, strlen(text) + 1}, &copy)) {
        call->error_message = (const char *)copy.data;
    }
    return METHOD_FAILED;
}

enum method_result rpc_call_failed(struct call *call, enum err err) {
    switch (err) {
    case ERR_LIMIT: return rpc_call_error(call, RPC_SERVER_ERROR, "server is busy, try again");
    case ERR_STOPPED: return rpc_call_error(call, RPC_SERVER_ERROR, "server is shutting down");
    case ERR_SYNCING:
        return rpc_call_error(call, RPC_SERVER_ERROR, "syncing: the state is being downloaded");
    case ERR_UNSUPPORTED:
        return rpc_call_error(call, RPC_SERVER_ERROR, "not supported by this node");
    case ERR_NOT_FOUND: return rpc_call_error(call, RPC_SERVER_ERROR, "not found");
    default: return rpc_call_error(call, RPC_INTERNAL, "internal error: %s", err_text(err));
    }
}

struct rpc_view *rpc_call_view(struct call *call) {
    if (call->view != NULL) return call->view;
    const enum err err = call->backend->view_open(call->backend->context, &call->view);
    if (err == ERR_OK) return call->view;
    call->view = NULL;
    rpc_call_failed(call, err);
    return NULL;
}

/* --- calls */

/* What methods get that were sent none. */
static json_t *no_params;

__attribute__((constructor)) static void make_no_params(void) {
    no_params = json_array();
    CHECK(no_params != NULL);
}

/* run_method counts parameters before the method reads them. */
static enum method_result run_method(struct call *call, const struct request *request) {
    const struct method *method = request->method;
    const size_t count = json_array_size(call->params);
    if (method == NULL) {
        return rpc_call_error(call, RPC_METHOD_NOT_FOUND,
                              "the method %.*s does not exist/is not available",
                              (int)(request->name.size < 100 ? request->name.size : 100),
                              (const char *)request->name.data);
    }
    if (count < method->params_min) {
        return rpc_call_error(call, RPC_INVALID_PARAMS, "missing value for required argument %zu",
                              count);
    }
    if (count > method->params_max) {
        return rpc_call_error(call, RPC_INVALID_PARAMS, "too many arguments, want at most %u",
                              method->params_max);
    }
    return method->run(call);
}

/* write_short writes an error that always fits. */
static void write_short(struct buffer *out, struct bytes id, int code, const char *message) {
    rpc_task_write_error(out, id, code, message, BYTES_EMPTY, false);
    CHECK(!out->overflow);
}

/* perform writes the answer of a well-formed call to the end of the runner's buffer; false: it
 * comes later. */
static bool perform(struct task *task, size_t index, struct runner *runner, bool *is_error) {
    struct rpc *rpc = task->rpc;
    const struct request *request = &task->requests.list[index];
    struct buffer *out = &runner->scratch;
    const size_t mark = out->size, capacity = out->capacity;
    struct json_writer json = json_over(out);
    struct call call = {.rpc = rpc,
                        .backend = &rpc->config.backend,
                        .limits = &rpc->config.limits,
                        .task = task,
                        .index = index,
                        .params = request->params != NULL ? request->params : no_params,
                        .arena = &runner->arena,
                        .out = &json,
                        .is_websocket = task->is_websocket,
                        .session_id = task->session_id};
    out->capacity = rpc->config.limits.response_bytes_max + RESPONSE_SLACK_BYTES;
    rpc_task_write_result_head(out, request->id);
    const enum method_result result = run_method(&call, request);
    if (call.view != NULL) call.backend->view_close(call.view);
    if (result == METHOD_DONE) {
        buffer_append_byte(out, '}');
    } else {
        out->size = mark;
        out->overflow = false;
    }
    if (result == METHOD_FAILED) {
        rpc_task_write_error(out, request->id, call.error_code, call.error_message, call.error_data,
                             call.has_error_data);
    }
    out->capacity = capacity;
    if (out->overflow) {
        out->size = mark;
        out->overflow = false;
        write_short(out, request->id, RPC_RESPONSE_TOO_LARGE, "response is too large");
    }
    *is_error = result == METHOD_FAILED;
    return result != METHOD_LATER;
}

/* run_call answers one call, whatever it is; false: the answer comes later.  *now_us is when it
 * begins, and then when it has ended. */
static bool run_call(struct task *task, size_t index, struct runner *runner, uint64_t *now_us) {
    const struct request *request = &task->requests.list[index];
    struct buffer *out = &runner->scratch;
    const uint64_t begin_us = *now_us;
    const size_t arena_at = arena_mark(&runner->arena);
    bool is_there = true, is_error = true;
    if (request->fault != NULL) {
        write_short(out, BYTES_EMPTY, RPC_INVALID_REQUEST, request->fault);
    } else if (out->size > task->rpc->config.limits.response_bytes_max) {
        write_short(out, request->id, RPC_RESPONSE_TOO_LARGE, "response of the batch is too large");
        return true;
    } else {
        is_there = perform(task, index, runner, &is_error);
    }
    arena_release(&runner->arena, arena_at);
    *now_us = monotonic_us();
    rpc_metrics_observe(runner->counters, request->method, *now_us - begin_us, is_error);
    return is_there;
}

/* --- responses */

/* keep_answers moves the answers that are there to memory that outlives the runner's. */
static void keep_answers(struct task *task, struct bytes answers) {
    task->kept = malloc(answers.size + 1);
    CHECK(task->kept != NULL);
    if (answers.size > 0) memcpy(task->kept, answers.data, answers.size);
    for (size_t i = 0; i < task->requests.count; i++) {
        struct request *request = &task->requests.list[i];
        if (!request->is_in_runner) continue;
        request->text = task->kept + (request->text - answers.data);
    }
}

/* assemble joins the answers into the response. */
static void assemble(struct task *task) {
    const struct requests *requests = &task->requests;
    size_t total = 2, sent = 0;
    for (size_t i = 0; i < requests->count; i++)
        total += requests->list[i].text_bytes + 1;
    uint8_t *memory = malloc(TASK_HEADROOM + total);
    CHECK(memory != NULL);
    struct buffer out = buffer_over(memory + TASK_HEADROOM, total);
    if (requests->is_batch) buffer_append_byte(&out, '[');
    for (size_t i = 0; i < requests->count; i++) {
        const struct request *request = &requests->list[i];
        if (request->is_notification) continue;
        if (sent++ > 0) buffer_append_byte(&out, ',');
        buffer_append(&out, (struct bytes){request->text, request->text_bytes});
    }
    if (requests->is_batch) buffer_append_byte(&out, ']');
    CHECK(!out.overflow);
    if (sent == 0) { /* notifications only */
        free(memory);
        return;
    }
    task->response = out.data;
    task->response_bytes = out.size;
    task->is_response_owned = true;
}

/* release_pending takes `count` from the answers to come; true for whoever took the last. */
static bool release_pending(struct task *task, size_t count) {
    return atomic_fetch_sub(&task->pending, count) == count;
}

/* run_all answers all calls into the runner's buffer; the result is how many come later. */
static size_t run_all(struct task *task, struct runner *runner, size_t *sent) {
    struct buffer *out = &runner->scratch;
    struct requests *requests = &task->requests;
    size_t later = 0;
    uint64_t now_us = monotonic_us();
    *sent = 0;
    for (size_t i = 0; i < requests->count; i++) {
        struct request *request = &requests->list[i];
        const size_t before = out->size;
        if (requests->is_batch) buffer_append_byte(out, *sent == 0 ? '[' : ',');
        const size_t mark = out->size;
        const bool is_there = run_call(task, i, runner, &now_us);
        if (!is_there) later += 1;
        if (!is_there || request->is_notification) {
            out->size = before;
            continue;
        }
        request->text = out->data + mark;
        request->text_bytes = out->size - mark;
        request->is_in_runner = true;
        *sent += 1;
    }
    return later;
}

bool rpc_task_run(struct task *task, struct runner *runner) {
    size_t sent;
    runner_reset(runner);
    const size_t later = run_all(task, runner, &sent);
    if (later > 0) {
        keep_answers(task, buffer_bytes(&runner->scratch));
        if (!release_pending(task, task->requests.count - later + 1)) return false;
        assemble(task);
        return true;
    }
    if (sent == 0) return true;
    if (task->requests.is_batch) buffer_append_byte(&runner->scratch, ']');
    CHECK(!runner->scratch.overflow);
    task->response = runner->scratch.data;
    task->response_bytes = runner->scratch.size;
    return true;
}

void rpc_task_own_response(struct task *task) {
    if (task->response == NULL || task->is_response_owned) return;
    uint8_t *memory = malloc(TASK_HEADROOM + task->response_bytes);
    CHECK(memory != NULL);
    memcpy(memory + TASK_HEADROOM, task->response, task->response_bytes);
    task->response = memory + TASK_HEADROOM;
    task->is_response_owned = true;
}

void rpc_task_finish_call(struct task *task, size_t index, struct bytes response_object) {
    CHECK(index < task->requests.count);
    struct request *request = &task->requests.list[index];
    request->text = malloc(response_object.size + 1);
    CHECK(request->text != NULL);
    memcpy(request->text, response_object.data, response_object.size);
    request->text_bytes = response_object.size;
    request->is_text_owned = true;
    if (!release_pending(task, 1)) return;
    assemble(task);
    rpc_service_complete(task->service, task);
}

void rpc_task_free(struct task *task) {
    if (task->is_response_owned) free(task->response - TASK_HEADROOM);
    free(task->kept);
    requests_free(&task->requests);
    free(task);
}

/* --- beginning */

/* single_error makes a finished task whose response is one error without id. */
static struct task *single_error(struct task *task, int code, const char *message) {
    uint8_t *memory = malloc(TASK_HEADROOM + ERROR_ANSWER_BYTES_MAX);
    CHECK(memory != NULL);
    struct buffer out = buffer_over(memory + TASK_HEADROOM, ERROR_ANSWER_BYTES_MAX);
    write_short(&out, BYTES_EMPTY, code, message);
    task->response = out.data;
    task->response_bytes = out.size;
    task->is_response_owned = true;
    rpc_metrics_observe(task->service->runner.counters, NULL, 0, true);
    return task;
}

/* is_heavy: does any call of the task need a worker? */
static bool is_heavy(const struct task *task) {
    for (size_t i = 0; i < task->requests.count; i++) {
        const struct method *method = task->requests.list[i].method;
        if (method != NULL && method->is_heavy) return true;
    }
    return false;
}

struct task *rpc_task_begin(struct rpc *rpc, struct service *service, uint64_t session_id,
                            bool is_websocket, struct bytes body) {
    struct task *task = malloc(sizeof *task + body.size);
    CHECK(task != NULL);
    *task = (struct task){
        .rpc = rpc, .service = service, .session_id = session_id, .is_websocket = is_websocket};
    if (body.size > 0) memcpy(task->body, body.data, body.size);
    const struct requests_limits limits = {rpc->config.limits.json_depth_max,
                                           rpc->config.limits.batch_calls_max};
    switch (requests_read((struct bytes){task->body, body.size}, &limits, &task->requests)) {
    case REQUESTS_READ: break;
    case REQUESTS_TOO_DEEP:
        return single_error(task, RPC_PARSE_ERROR, "parse error: nested too deeply");
    case REQUESTS_MALFORMED: return single_error(task, RPC_PARSE_ERROR, "parse error");
    case REQUESTS_EMPTY_BATCH:
        return single_error(task, RPC_INVALID_REQUEST, "invalid request: empty batch");
    case REQUESTS_TOO_MANY: return single_error(task, RPC_INVALID_REQUEST, "batch too large");
    }
    atomic_init(&task->pending, task->requests.count + 1);
    if (is_heavy(task) && !rpc->is_inline) {
        if (rpc_workers_push(rpc, task)) return NULL;
        return single_error(task, RPC_SERVER_ERROR, "server is busy, try again");
    }
    return rpc_task_run(task, &service->runner) ? task : NULL;
}
