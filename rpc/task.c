#include "rpc/task.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rpc/rpc_internal.h"

#define ID_TEXT_BYTES_MAX 1024

void rpc_task_write_head(struct buffer *out, json_t *id) {
    char text[ID_TEXT_BYTES_MAX];
    buffer_append(out, BYTES_STRING("{\"jsonrpc\":\"2.0\",\"id\":"));
    const size_t size =
        id == NULL ? 0 : json_dumpb(id, text, sizeof text, JSON_ENCODE_ANY | JSON_COMPACT);
    if (size == 0 || size > sizeof text) {
        buffer_append(out, BYTES_STRING("null"));
    } else {
        buffer_append(out, (struct bytes){(const uint8_t *)text, size});
    }
}

void rpc_task_write_error(struct buffer *out, json_t *id, int code, const char *message,
                          struct bytes data, bool has_data) {
    rpc_task_write_head(out, id);
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

/* keep copies a response object into the answer. */
static void keep(struct answer *answer, struct bytes text) {
    answer->text = malloc(text.size > 0 ? text.size : 1);
    CHECK(answer->text != NULL);
    memcpy(answer->text, text.data, text.size);
    answer->text_bytes = text.size;
}

/* What a well-formed call must have: "method" a string, "params" an array or nothing. */
static const char *call_fault(json_t *request) {
    if (!json_is_object(request)) return "invalid request: not an object";
    if (!json_is_string(json_object_get(request, "method"))) {
        return "invalid request: method is missing";
    }
    json_t *params = json_object_get(request, "params");
    if (params != NULL && !json_is_array(params) && !json_is_null(params)) {
        return "invalid request: params must be an array";
    }
    json_t *id = json_object_get(request, "id");
    if (id != NULL && !json_is_string(id) && !json_is_number(id) && !json_is_null(id)) {
        return "invalid request: id must be a string, a number or null";
    }
    return NULL;
}

static json_t *request_at(const struct task *task, size_t index) {
    return task->is_batch ? json_array_get(task->request, index) : task->request;
}

/* check_params counts parameters before the method reads them. */
static enum method_result run_method(struct call *call, const struct method *method) {
    const size_t count = json_array_size(call->params);
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

/* finish writes the outcome of one call as its answer. */
static void finish(struct task *task, size_t index, struct call *call, enum method_result result,
                   size_t mark, struct buffer *scratch) {
    struct answer *answer = &task->answers[index];
    const bool too_large = result == METHOD_DONE && scratch->overflow;
    if (result == METHOD_FAILED || too_large) {
        scratch->size = mark;
        scratch->overflow = false;
        rpc_task_write_error(scratch, answer->id,
                             too_large ? RPC_RESPONSE_TOO_LARGE : call->error_code,
                             too_large ? "response is too large" : call->error_message,
                             call->error_data, call->has_error_data);
    } else {
        buffer_append_byte(scratch, '}');
    }
    keep(answer, (struct bytes){scratch->data + mark, scratch->size - mark});
}

/* run_call runs one call; true when its answer is there (or none is wanted). */
static bool run_call(struct task *task, size_t index, struct arena *arena, struct buffer *scratch) {
    struct rpc *rpc = task->rpc;
    json_t *request = request_at(task, index);
    const uint64_t begin = rpc_now_us();
    const size_t mark = scratch->size, arena_at = arena_mark(arena);
    const char *fault = call_fault(request);
    if (fault != NULL) {
        rpc_task_write_error(scratch, NULL, RPC_INVALID_REQUEST, fault, BYTES_EMPTY, false);
        keep(&task->answers[index], (struct bytes){scratch->data + mark, scratch->size - mark});
        scratch->size = mark;
        rpc_metrics_observe(rpc, NULL, rpc_now_us() - begin, true);
        return true;
    }
    json_t *name = json_object_get(request, "method");
    json_t *params = json_object_get(request, "params");
    json_t *none = json_is_array(params) ? NULL : json_array();
    struct json_writer json = json_over(scratch);
    struct call call = {.rpc = rpc,
                        .backend = &rpc->config.backend,
                        .limits = &rpc->config.limits,
                        .task = task,
                        .index = index,
                        .params = none != NULL ? none : params,
                        .arena = arena,
                        .out = &json,
                        .is_websocket = task->is_websocket,
                        .session_id = task->session_id};
    const struct method *method =
        rpc_method_find(json_string_value(name), json_string_length(name));
    enum method_result result;
    rpc_task_write_head(scratch, task->answers[index].id);
    buffer_append(scratch, BYTES_STRING(",\"result\":"));
    if (method == NULL) {
        result = rpc_call_error(&call, RPC_METHOD_NOT_FOUND,
                                "the method %.100s does not exist/is not available",
                                json_string_value(name));
    } else {
        result = run_method(&call, method);
    }
    if (call.view != NULL) call.backend->view_close(call.view);
    if (result != METHOD_LATER) finish(task, index, &call, result, mark, scratch);
    scratch->size = mark;
    scratch->overflow = false;
    arena_release(arena, arena_at);
    json_decref(none);
    rpc_metrics_observe(rpc, method, rpc_now_us() - begin, result == METHOD_FAILED);
    return result != METHOD_LATER;
}

/* assemble joins the answers into the response; frees them. */
static void assemble(struct task *task) {
    size_t total = 2, sent = 0;
    for (size_t i = 0; i < task->answers_count; i++)
        total += task->answers[i].text_bytes + 1;
    uint8_t *memory = malloc(TASK_HEADROOM + total + 1);
    CHECK(memory != NULL);
    struct buffer out = buffer_over(memory + TASK_HEADROOM, total + 1);
    if (task->is_batch) buffer_append_byte(&out, '[');
    for (size_t i = 0; i < task->answers_count; i++) {
        struct answer *answer = &task->answers[i];
        if (!answer->is_notification) {
            if (sent > 0) buffer_append_byte(&out, ',');
            buffer_append(&out, (struct bytes){answer->text, answer->text_bytes});
            sent += 1;
        }
        free(answer->text);
        answer->text = NULL;
    }
    if (task->is_batch) buffer_append_byte(&out, ']');
    CHECK(!out.overflow);
    if (sent == 0) { /* notifications only */
        free(memory);
        return;
    }
    task->response = memory + TASK_HEADROOM;
    task->response_bytes = out.size;
}

/* release_pending takes one from the count; true for whoever took the last. */
static bool release_pending(struct task *task) {
    if (atomic_fetch_sub(&task->pending, 1) != 1) return false;
    assemble(task);
    return true;
}

bool rpc_task_run(struct task *task, struct arena *arena, struct buffer *scratch) {
    size_t total = 0;
    for (size_t i = 0; i < task->answers_count; i++) {
        if (total > task->rpc->config.limits.response_bytes_max) {
            const size_t mark = scratch->size;
            rpc_task_write_error(scratch, task->answers[i].id, RPC_RESPONSE_TOO_LARGE,
                                 "response of the batch is too large", BYTES_EMPTY, false);
            keep(&task->answers[i], (struct bytes){scratch->data + mark, scratch->size - mark});
            scratch->size = mark;
            atomic_fetch_sub(&task->pending, 1);
        } else if (run_call(task, i, arena, scratch)) {
            total += task->answers[i].text_bytes;
            atomic_fetch_sub(&task->pending, 1);
        }
    }
    return release_pending(task); /* the one that the run itself held */
}

void rpc_task_finish_call(struct task *task, size_t index, struct bytes response_object) {
    CHECK(index < task->answers_count);
    keep(&task->answers[index], response_object);
    if (release_pending(task)) rpc_service_complete(task->service, task);
}

void rpc_task_free(struct task *task) {
    for (size_t i = 0; i < task->answers_count; i++)
        free(task->answers[i].text);
    if (task->response != NULL) free(task->response - TASK_HEADROOM);
    free(task->answers);
    json_decref(task->request);
    free(task);
}

/* single_error makes a finished task whose response is one error without id. */
static struct task *single_error(struct task *task, int code, const char *message) {
    uint8_t *memory = malloc(TASK_HEADROOM + 512);
    CHECK(memory != NULL);
    struct buffer out = buffer_over(memory + TASK_HEADROOM, 512);
    rpc_task_write_error(&out, NULL, code, message, BYTES_EMPTY, false);
    task->response = out.data;
    task->response_bytes = out.size;
    task->answers_count = 0;
    rpc_metrics_observe(task->rpc, NULL, 0, true);
    return task;
}

/* depth_of is how deep brackets nest in a text, strings left out: jansson recurses. */
static unsigned depth_of(struct bytes text) {
    unsigned depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t byte = text.data[i];
        if (in_string) {
            if (byte == '\\') {
                i += 1;
            } else if (byte == '"') {
                in_string = false;
            }
        } else if (byte == '"') {
            in_string = true;
        } else if (byte == '{' || byte == '[') {
            depth += 1;
            if (depth > deepest) deepest = depth;
        } else if ((byte == '}' || byte == ']') && depth > 0) {
            depth -= 1;
        }
    }
    return deepest;
}

/* is_heavy: does any call of the task need a worker? */
static bool is_heavy(const struct task *task) {
    for (size_t i = 0; i < task->answers_count; i++) {
        json_t *name = json_object_get(request_at(task, i), "method");
        if (!json_is_string(name)) continue;
        const struct method *method =
            rpc_method_find(json_string_value(name), json_string_length(name));
        if (method != NULL && method->is_heavy) return true;
    }
    return false;
}

struct task *rpc_task_begin(struct rpc *rpc, struct service *service, uint64_t session_id,
                            bool is_websocket, struct bytes body) {
    struct task *task = calloc(1, sizeof *task);
    CHECK(task != NULL);
    task->rpc = rpc;
    task->service = service;
    task->session_id = session_id;
    task->is_websocket = is_websocket;
    if (depth_of(body) > rpc->config.limits.json_depth_max) {
        return single_error(task, RPC_PARSE_ERROR, "parse error: nested too deeply");
    }
    json_error_t at;
    task->request = json_loadb((const char *)body.data, body.size,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
    if (task->request == NULL) return single_error(task, RPC_PARSE_ERROR, "parse error");
    task->is_batch = json_is_array(task->request);
    task->answers_count = task->is_batch ? json_array_size(task->request) : 1;
    if (task->answers_count == 0) {
        return single_error(task, RPC_INVALID_REQUEST, "invalid request: empty batch");
    }
    if (task->answers_count > rpc->config.limits.batch_calls_max) {
        return single_error(task, RPC_INVALID_REQUEST, "batch too large");
    }
    task->answers = calloc(task->answers_count, sizeof *task->answers);
    CHECK(task->answers != NULL);
    for (size_t i = 0; i < task->answers_count; i++) {
        json_t *request = request_at(task, i);
        task->answers[i].id = json_object_get(request, "id");
        task->answers[i].is_notification =
            json_is_object(request) && task->answers[i].id == NULL && call_fault(request) == NULL;
    }
    atomic_init(&task->pending, task->answers_count + 1);
    if (is_heavy(task) && !rpc->is_inline) {
        if (rpc_workers_push(rpc, task)) return NULL;
        return single_error(task, RPC_SERVER_ERROR, "server is busy, try again");
    }
    struct buffer scratch =
        buffer_over(service->scratch, rpc->config.limits.response_bytes_max + 4096u);
    arena_reset(&service->arena);
    return rpc_task_run(task, &service->arena, &scratch) ? task : NULL;
}
