/* blob.Submit: what is checked at once, what waits for the block, and the block. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "da/base64.h"
#include "da/service_internal.h"

static const char TIMED_OUT[] = "timed out waiting for tx to be included in a block";

static void submit_free(struct da_service *service, struct da_submit *submit) {
    for (size_t i = 0; i < submit->blobs_count; i++) {
        service->submit_bytes -= submit->blobs[i].size;
        free(submit->blobs[i].data);
    }
    free(submit->blobs);
    json_decref(submit->id);
    *submit = (struct da_submit){0};
}

/* read_blob copies one blob of the request; NULL or why it is refused. */
static const char *read_blob(struct da_service *service, const json_t *json,
                             struct da_pending_blob *out) {
    const json_t *ns = json_object_get(json, "namespace");
    const json_t *data = json_object_get(json, "data");
    const json_t *version = json_object_get(json, "share_version");
    const struct bytes ns_text = {(const uint8_t *)json_string_value(ns), json_string_length(ns)};
    const struct bytes text = {(const uint8_t *)json_string_value(data), json_string_length(data)};
    if (!json_is_string(ns) ||
        da_base64_read_fixed(ns_text, out->ns.bytes, sizeof out->ns.bytes) != ERR_OK ||
        !da_namespace_is_for_blobs(&out->ns)) {
        return "not allowed namespace were used to build the blob";
    }
    if (version != NULL && json_integer_value(version) != 0) return "unsupported share version";
    if (!json_is_string(data) || text.size == 0) return "cannot use zero blob size";
    const size_t size_max = text.size / 4 * 3;
    if (size_max > DA_BLOB_BYTES_MAX + 2) return "blob(s) too large";
    if (service->submit_bytes + size_max > DA_SUBMIT_BYTES_MAX) return "mempool is full";
    uint8_t *copy = malloc(size_max + 1);
    if (copy == NULL) return "mempool is full";
    struct buffer buffer = buffer_over(copy, size_max);
    if (da_base64_read(text, &buffer) != ERR_OK || buffer.size == 0 ||
        buffer.size > DA_BLOB_BYTES_MAX) {
        free(copy);
        return "data is not base64, empty or too large";
    }
    out->data = copy;
    out->size = buffer.size;
    out->commitment = da_commitment(&out->ns, buffer_bytes(&buffer));
    return NULL;
}

static const char *read_blobs(struct da_service *service, const json_t *json,
                              struct da_submit *submit) {
    const size_t count = json_array_size(json);
    if (count == 0) return "state: no blobs provided";
    if (count > DA_BLOBS_PER_BLOCK / 2) return "too many blobs";
    submit->blobs = calloc(count, sizeof *submit->blobs);
    if (submit->blobs == NULL) return "mempool is full";
    for (size_t i = 0; i < count; i++) {
        const char *refusal = read_blob(service, json_array_get(json, i), &submit->blobs[i]);
        if (refusal != NULL) return refusal;
        submit->blobs_count = i + 1;
        service->submit_bytes += submit->blobs[i].size;
    }
    return NULL;
}

/* take_fault uses up one of the faults that concern Submit. */
static enum da_fault take_fault(struct da_service *service) {
    const enum da_fault fault = service->fault;
    const bool is_ours = fault == DA_FAULT_ACCEPT_THEN_ERROR ||
                         fault == DA_FAULT_SEQUENCE_MISMATCH || fault == DA_FAULT_DUPLICATE ||
                         fault == DA_FAULT_LATE;
    if (!is_ours || service->fault_uses == 0) return DA_FAULT_NONE;
    if (service->fault_uses != UINT64_MAX) service->fault_uses -= 1;
    return fault;
}

/* A block in the making: blobs in the square's order, and whose they are. */
struct proposal {
    struct da_square_blob blobs[DA_BLOBS_PER_BLOCK];
    struct hash32 commitments[DA_BLOBS_PER_BLOCK];
    size_t count;
    struct da_submit *included[DA_SUBMITS_MAX];
    size_t included_count;
};

static void insert_blob(struct proposal *proposal, const struct da_pending_blob *blob) {
    size_t at = proposal->count++;
    for (; at > 0 && da_namespace_compare(&proposal->blobs[at - 1].ns, &blob->ns) > 0; at--) {
        proposal->blobs[at] = proposal->blobs[at - 1];
        proposal->commitments[at] = proposal->commitments[at - 1];
    }
    proposal->blobs[at] = (struct da_square_blob){.ns = blob->ns, .data = {blob->data, blob->size}};
    proposal->commitments[at] = blob->commitment;
}

/* include adds a submit whole or not at all. */
static bool include(struct proposal *proposal, struct da_submit *submit) {
    static struct proposal before; /* 50 KiB; the service has one thread */
    const size_t copies = submit->fault == DA_FAULT_DUPLICATE ? 2 : 1;
    if (submit->blobs_count * copies > DA_BLOBS_PER_BLOCK - proposal->count) return false;
    before = *proposal;
    for (size_t copy = 0; copy < copies; copy++) {
        for (size_t i = 0; i < submit->blobs_count; i++)
            insert_blob(proposal, &submit->blobs[i]);
    }
    size_t width;
    if (da_square_layout(proposal->blobs, proposal->count, &width) != ERR_OK) {
        *proposal = before;
        return false;
    }
    proposal->included[proposal->included_count++] = submit;
    return true;
}

static bool fits_a_block(struct da_submit *submit) {
    static struct proposal alone;
    alone.count = alone.included_count = 0;
    return include(&alone, submit);
}

json_t *da_method_submit(struct da_call *call) {
    struct da_service *service = call->service;
    const json_t *options = json_array_get(call->params, 1);
    if (!json_is_object(options)) {
        return da_call_fail(call, DA_CODE_PARAMS, "TxConfig must be an object");
    }
    struct da_submit *submit = NULL;
    for (size_t i = 0; i < DA_SUBMITS_MAX && submit == NULL; i++) {
        if (!service->submits[i].is_used) submit = &service->submits[i];
    }
    if (submit == NULL) return da_call_fail(call, DA_CODE_APPLICATION, "mempool is full");
    submit->id = json_deep_copy(call->id);
    const char *refusal = read_blobs(service, json_array_get(call->params, 0), submit);
    if (refusal == NULL && !fits_a_block(submit)) refusal = "blob(s) too large";
    const enum da_fault fault = refusal == NULL ? take_fault(service) : DA_FAULT_NONE;
    if (fault == DA_FAULT_SEQUENCE_MISMATCH) {
        refusal = "account sequence mismatch, expected 42, got 41: incorrect account sequence";
    }
    if (refusal != NULL) {
        submit_free(service, submit);
        return da_call_fail(call, DA_CODE_APPLICATION, refusal);
    }
    submit->is_used = true;
    submit->slot = call->slot;
    submit->fault = fault;
    submit->order = service->submits_count++;
    submit->due_height =
        da_service_head(service) + 1 + (fault == DA_FAULT_LATE ? DA_LATE_BLOCKS : 0);
    call->is_deferred = true;
    return NULL;
}

static struct da_submit *next_submit(struct da_service *service, uint64_t height, uint64_t from) {
    struct da_submit *next = NULL;
    for (size_t i = 0; i < DA_SUBMITS_MAX; i++) {
        struct da_submit *submit = &service->submits[i];
        if (!submit->is_used || submit->due_height > height || submit->order < from) continue;
        if (next == NULL || submit->order < next->order) next = submit;
    }
    return next;
}

static void answer(struct da_service *service, struct da_submit *submit, json_t *response) {
    submit->is_answered = true;
    service->config.reply(service->config.context, submit->slot, response);
}

/* report_late tells the callers of late blobs that it failed, long before their blobs land. */
static void report_late(struct da_service *service) {
    for (size_t i = 0; i < DA_SUBMITS_MAX; i++) {
        struct da_submit *submit = &service->submits[i];
        if (!submit->is_used || submit->is_answered || submit->fault != DA_FAULT_LATE) continue;
        answer(service, submit, da_service_error(submit->id, DA_CODE_APPLICATION, TIMED_OUT));
    }
}

static void finish(struct da_service *service, struct da_submit *submit, enum err err) {
    if (!submit->is_answered) {
        json_t *response;
        if (err != ERR_OK) {
            response = da_service_error(submit->id, DA_CODE_APPLICATION, err_text(err));
        } else if (submit->fault == DA_FAULT_ACCEPT_THEN_ERROR) {
            response = da_service_error(submit->id, DA_CODE_APPLICATION, TIMED_OUT);
        } else {
            response =
                da_service_result(submit->id, json_integer((json_int_t)da_service_head(service)));
        }
        answer(service, submit, response);
    }
    submit_free(service, submit);
}

void da_submits_include(struct da_service *service, uint64_t now_ms) {
    static struct proposal proposal;
    static struct da_log_new_blob blobs[DA_BLOBS_PER_BLOCK];
    const uint64_t height = da_service_head(service) + 1;
    proposal.count = proposal.included_count = 0;
    uint64_t from = 0;
    for (struct da_submit *submit; (submit = next_submit(service, height, from)) != NULL;) {
        if (!include(&proposal, submit)) {
            if (proposal.count > 0 || submit->fault != DA_FAULT_DUPLICATE) break; /* next block's */
            submit->fault = DA_FAULT_NONE; /* twice is more than a whole block */
            continue;
        }
        from = submit->order + 1;
    }
    for (size_t i = 0; i < proposal.count; i++) {
        blobs[i] = (struct da_log_new_blob){
            .ns = proposal.blobs[i].ns,
            .commitment = proposal.commitments[i],
            .data = proposal.blobs[i].data,
            .share_index = (uint32_t)proposal.blobs[i].share_index,
        };
    }
    const enum err err = da_log_append(service->log, now_ms, blobs, proposal.count);
    for (size_t i = 0; i < proposal.included_count; i++)
        finish(service, proposal.included[i], err);
    report_late(service);
}
