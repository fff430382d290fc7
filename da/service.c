/* Dispatch, heights and faults of the DA server. */
#include "da/service.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "da/base64.h"
#include "da/service_internal.h"
#include "pages/pages.h"

#define TEXT_BYTES_MAX  ((DA_BLOB_BYTES_MAX + 2) / 3 * 4 + 4u)
#define BLOCK_BYTES_MAX (9u << 20)

#define KEEP_BYTES   (1u << 20) /* of buffers, between blocks */
#define KEEP_WIDTH   16         /* of the last square */
#define KEEP_HEIGHTS 16         /* a larger one is kept so long after its last use */

static const char *const FAULT_NAMES[DA_FAULT_COUNT] = {
    "none",      "hang", "http500", "accept_then_error", "sequence_mismatch",
    "duplicate", "late", "withheld"};

json_t *da_call_fail(struct da_call *call, int code, const char *message) {
    call->code = code;
    (void)snprintf(call->error, sizeof call->error, "%s", message);
    return NULL;
}

json_t *da_service_error(const json_t *id, int code, const char *message) {
    json_t *shown_id = id == NULL ? json_null() : json_deep_copy(id);
    return json_pack("{s:s, s:o, s:{s:i, s:s}}", "jsonrpc", "2.0", "id", shown_id, "error", "code",
                     code, "message", message);
}

json_t *da_service_result(const json_t *id, json_t *result) {
    return json_pack("{s:s, s:o, s:o}", "jsonrpc", "2.0", "id", json_deep_copy(id), "result",
                     result);
}

uint64_t da_service_head(const struct da_service *service) {
    return da_log_head(service->log);
}

static uint64_t tail_of(const struct da_service *service) {
    const uint64_t head = da_log_head(service->log);
    const uint64_t keep = service->config.keep_heights;
    return keep == 0 || head <= keep ? 1 : head - keep + 1;
}

bool da_call_height(struct da_call *call, size_t index, uint64_t *height) {
    const json_t *value = json_array_get(call->params, index);
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        (void)da_call_fail(call, DA_CODE_PARAMS, "height must be a number");
        return false;
    }
    const uint64_t asked = (uint64_t)json_integer_value(value);
    const uint64_t head = da_service_head(call->service);
    const uint64_t tail = tail_of(call->service);
    char text[DA_ERROR_TEXT_MAX] = "";
    if (asked == 0) {
        (void)snprintf(text, sizeof text, "height is equal to 0");
    } else if (asked > head) {
        (void)snprintf(text, sizeof text,
                       "header: given height is from the future: networkHeight: %llu, "
                       "requestedHeight: %llu",
                       (unsigned long long)head, (unsigned long long)asked);
    } else if (asked < tail) {
        (void)snprintf(text, sizeof text, "requested header (%llu) is below Tail (%llu)",
                       (unsigned long long)asked, (unsigned long long)tail);
    }
    *height = asked;
    if (text[0] == 0) return true;
    (void)da_call_fail(call, DA_CODE_APPLICATION, text);
    return false;
}

bool da_call_bytes(struct da_call *call, size_t index, uint8_t *out, size_t size) {
    const json_t *value = json_array_get(call->params, index);
    const struct bytes text = {(const uint8_t *)json_string_value(value),
                               json_string_length(value)};
    if (json_is_string(value) && da_base64_read_fixed(text, out, size) == ERR_OK) return true;
    (void)da_call_fail(call, DA_CODE_PARAMS, "parameter is not base64 of the right size");
    return false;
}

json_t *da_base64_json(struct da_service *service, struct bytes in) {
    service->text.size = 0;
    service->text.overflow = false;
    da_base64_write(&service->text, in);
    CHECK(!service->text.overflow);
    return json_stringn((const char *)service->text.data, service->text.size);
}

/* --- methods that are small enough to stand here --- */

static json_t *method_head(struct da_call *call) {
    return da_header_json(call->service, da_service_head(call->service));
}

static json_t *method_tail(struct da_call *call) {
    return da_header_json(call->service, tail_of(call->service));
}

static json_t *wait_for(struct da_call *call, uint64_t height) {
    for (size_t i = 0; i < DA_WAITERS_MAX; i++) {
        struct da_waiter *waiter = &call->service->waiters[i];
        if (waiter->is_used) continue;
        *waiter = (struct da_waiter){true, call->slot, json_deep_copy(call->id), height};
        call->is_deferred = true;
        return NULL;
    }
    return da_call_fail(call, DA_CODE_APPLICATION, "server busy, try again later");
}

static json_t *method_by_height(struct da_call *call) {
    const json_t *value = json_array_get(call->params, 0);
    const uint64_t next = da_service_head(call->service) + 1;
    if (json_is_integer(value) && (uint64_t)json_integer_value(value) == next) {
        return wait_for(call, next);
    }
    uint64_t height;
    if (!da_call_height(call, 0, &height)) return NULL;
    return da_header_json(call->service, height);
}

static json_t *method_wait_for_height(struct da_call *call) {
    const json_t *value = json_array_get(call->params, 0);
    const uint64_t head = da_service_head(call->service);
    if (json_is_integer(value) && json_integer_value(value) > (json_int_t)head) {
        return wait_for(call, (uint64_t)json_integer_value(value));
    }
    return method_by_height(call);
}

static json_t *method_ready(struct da_call *call) {
    (void)call;
    return json_true();
}

static json_t *method_info(struct da_call *call) {
    (void)call;
    return json_pack("{s:i, s:s}", "type", 1, "api_version", "v0.31.4");
}

static json_t *method_subscribe(struct da_call *call) {
    return da_call_fail(call, DA_CODE_METHOD,
                        "method 'blob.Subscribe' not supported in this mode (no out channel "
                        "support)");
}

static json_t *method_set_fault(struct da_call *call) {
    const json_t *options = json_array_get(call->params, 0);
    const char *mode = json_string_value(json_object_get(options, "mode"));
    if (!call->service->config.has_faults) {
        return da_call_fail(call, DA_CODE_METHOD, "method 'baton.SetFault' needs --faults");
    }
    for (int i = 0; mode != NULL && i < DA_FAULT_COUNT; i++) {
        if (strcmp(mode, FAULT_NAMES[i]) != 0) continue;
        const json_t *uses = json_object_get(options, "count");
        call->service->fault = (enum da_fault)i;
        call->service->fault_uses =
            json_is_integer(uses) ? (uint64_t)json_integer_value(uses) : UINT64_MAX;
        return json_string(FAULT_NAMES[i]);
    }
    return da_call_fail(call, DA_CODE_PARAMS, "unknown fault mode");
}

struct method {
    const char *name;
    enum da_permission permission;
    size_t params_count;
    json_t *(*run)(struct da_call *call);
};

static const struct method METHODS[] = {
    {"blob.Submit", DA_PERMISSION_WRITE, 2, da_method_submit},
    {"blob.Get", DA_PERMISSION_READ, 3, da_method_get},
    {"blob.GetAll", DA_PERMISSION_READ, 2, da_method_get_all},
    {"blob.GetProof", DA_PERMISSION_READ, 3, da_method_get_proof},
    {"blob.Included", DA_PERMISSION_READ, 4, da_method_included},
    {"blob.Subscribe", DA_PERMISSION_READ, 1, method_subscribe},
    {"header.LocalHead", DA_PERMISSION_READ, 0, method_head},
    {"header.NetworkHead", DA_PERMISSION_READ, 0, method_head},
    {"header.Tail", DA_PERMISSION_READ, 0, method_tail},
    {"header.GetByHeight", DA_PERMISSION_READ, 1, method_by_height},
    {"header.WaitForHeight", DA_PERMISSION_READ, 1, method_wait_for_height},
    {"node.Ready", DA_PERMISSION_READ, 0, method_ready},
    {"node.Info", DA_PERMISSION_ADMIN, 0, method_info},
    {"baton.SetFault", DA_PERMISSION_ADMIN, 1, method_set_fault},
};

static const char *permission_name(enum da_permission permission) {
    static const char *const names[] = {"public", "read", "write", "admin"};
    return names[permission];
}

static const struct method *method_find(const char *name) {
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++) {
        if (strcmp(METHODS[i].name, name) == 0) return &METHODS[i];
    }
    return NULL;
}

/* run finds the method, checks who calls it and with how many parameters, and runs it. */
static json_t *run(struct da_call *call, const char *name, enum da_permission permission) {
    char text[DA_ERROR_TEXT_MAX];
    const struct method *method = method_find(name);
    if (method == NULL) {
        (void)snprintf(text, sizeof text, "method '%.100s' not found", name);
        return da_call_fail(call, DA_CODE_METHOD, text);
    }
    if (permission < method->permission) {
        (void)snprintf(text, sizeof text, "missing permission to invoke '%s' (need '%s')",
                       strchr(name, '.') + 1, permission_name(method->permission));
        return da_call_fail(call, DA_CODE_APPLICATION, text);
    }
    const size_t count = json_array_size(call->params); /* 0 when it is no array */
    if (call->params != NULL && !json_is_null(call->params) && !json_is_array(call->params)) {
        return da_call_fail(call, DA_CODE_PARAMS, "params must be an array");
    }
    if (count != method->params_count) {
        (void)snprintf(text, sizeof text, "wrong param count (method '%s'): %zu != %zu", name,
                       count, method->params_count);
        return da_call_fail(call, DA_CODE_PARAMS, text);
    }
    return method->run(call);
}

static unsigned http_status(int code) {
    if (code == DA_CODE_INVALID) return 400;
    return code <= -32000 ? 500 : 200;
}

enum da_outcome da_service_call(struct da_service *service, const json_t *request,
                                enum da_permission permission, struct da_slot slot, json_t **answer,
                                unsigned *status) {
    const json_t *id = json_object_get(request, "id");
    const char *name = json_string_value(json_object_get(request, "method"));
    *status = 200;
    if (name == NULL) {
        *status = 400;
        *answer = da_service_error(id, DA_CODE_INVALID, "Invalid request");
        return DA_OUTCOME_ANSWERED;
    }
    const bool is_notification = id == NULL;
    json_t *null_id = json_null();
    /* No job has serial 0: what a notification's Submit answers is dropped. */
    const struct da_slot nobody = {0};
    struct da_call call = {.service = service,
                           .id = is_notification ? null_id : id,
                           .params = json_object_get(request, "params"),
                           .slot = is_notification ? nobody : slot};
    json_t *result = run(&call, name, permission);
    if (call.is_deferred) return is_notification ? DA_OUTCOME_NOTIFICATION : DA_OUTCOME_DEFERRED;
    if (is_notification) {
        json_decref(result);
        return DA_OUTCOME_NOTIFICATION;
    }
    if (result != NULL) {
        *answer = da_service_result(id, result);
    } else {
        *status = http_status(call.code);
        *answer = da_service_error(id, call.code, call.error);
    }
    return DA_OUTCOME_ANSWERED;
}

enum da_fault da_service_fault(struct da_service *service, const json_t *request) {
    const enum da_fault fault = service->fault;
    if (fault != DA_FAULT_HANG && fault != DA_FAULT_HTTP_500) return DA_FAULT_NONE;
    const char *name = json_string_value(json_object_get(request, "method"));
    if (name != NULL && strcmp(name, "baton.SetFault") == 0) return DA_FAULT_NONE;
    if (service->fault_uses == 0) return DA_FAULT_NONE;
    if (service->fault_uses != UINT64_MAX) service->fault_uses -= 1;
    return fault;
}

json_t *da_service_blobs_event(struct da_service *service, uint64_t height,
                               const struct da_namespace *ns) {
    json_t *namespaces = json_array();
    (void)json_array_append_new(namespaces, da_base64_json(service, BYTES_OF(ns->bytes)));
    json_t *blobs = da_blobs_json(service, height, namespaces);
    json_decref(namespaces);
    json_t *header = da_header_json(service, height);
    json_t *inner = json_object_get(header, "header");
    json_t *event =
        json_pack("{s:o, s:I, s:O}", "Blobs", blobs, "Height", (json_int_t)height, "Header", inner);
    json_decref(header);
    return event;
}

/* give_back lets go of the memory that a long blob took. */
static void give_back(struct da_service *service) {
    struct buffer *buffers[2] = {&service->text, &service->blobs};
    for (size_t i = 0; i < 2; i++) {
        if (buffers[i]->size <= KEEP_BYTES) continue;
        pages_rewind(buffers[i], 0);
    }
    const bool is_large = service->square_height != 0 && service->square.width > KEEP_WIDTH;
    if (!is_large || da_service_head(service) < service->square_used_at + KEEP_HEIGHTS) return;
    pages_forget(service->square_memory, 0, da_square_bytes(DA_SQUARE_WIDTH_MAX));
    service->square_height = 0;
}

void da_service_tick(struct da_service *service, uint64_t now_ms) {
    da_submits_include(service, now_ms);
    give_back(service);
    const uint64_t head = da_service_head(service);
    for (size_t i = 0; i < DA_WAITERS_MAX; i++) {
        struct da_waiter *waiter = &service->waiters[i];
        if (!waiter->is_used || waiter->height > head) continue;
        waiter->is_used = false;
        json_t *answer = da_service_result(waiter->id, da_header_json(service, waiter->height));
        json_decref(waiter->id);
        service->config.reply(service->config.context, waiter->slot, answer);
    }
}

enum err da_service_create(const struct da_service_config *config, uint64_t now_ms,
                           struct da_service **out) {
    CHECK(config->reply != NULL);
    struct da_service *service = calloc(1, sizeof *service);
    if (service == NULL) return ERR_MEMORY;
    service->config = *config;
    service->text = pages_buffer(TEXT_BYTES_MAX);
    service->blobs = pages_buffer(BLOCK_BYTES_MAX);
    service->square_memory = pages_reserve(da_square_bytes(DA_SQUARE_WIDTH_MAX));
    service->empty_memory = pages_reserve(da_square_bytes(1));
    enum err err = service->text.data != NULL && service->blobs.data != NULL &&
                           service->square_memory != NULL && service->empty_memory != NULL
                       ? ERR_OK
                       : ERR_MEMORY;
    if (err == ERR_OK) err = da_log_open(config->dir, config->block_time_ms, now_ms, &service->log);
    if (err != ERR_OK) {
        da_service_destroy(service);
        return err;
    }
    da_erasure_init(&service->erasure);
    da_square_build(&service->erasure, NULL, 0, 1, service->empty_memory, &service->empty_square);
    *out = service;
    return ERR_OK;
}

void da_service_destroy(struct da_service *service) {
    for (size_t i = 0; i < DA_SUBMITS_MAX; i++) {
        struct da_submit *submit = &service->submits[i];
        if (!submit->is_used) continue;
        for (size_t k = 0; k < submit->blobs_count; k++)
            free(submit->blobs[k].data);
        free(submit->blobs);
        json_decref(submit->id);
    }
    for (size_t i = 0; i < DA_WAITERS_MAX; i++) {
        if (service->waiters[i].is_used) json_decref(service->waiters[i].id);
    }
    if (service->log != NULL) da_log_close(service->log);
    pages_release(service->text.data, TEXT_BYTES_MAX);
    pages_release(service->blobs.data, BLOCK_BYTES_MAX);
    pages_release(service->square_memory, da_square_bytes(DA_SQUARE_WIDTH_MAX));
    pages_release(service->empty_memory, da_square_bytes(1));
    free(service);
}
