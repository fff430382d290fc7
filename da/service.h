#pragma once
/* The DA server without its sockets: Celestia's methods over the log, one thread.
 *
 * Requests come as parsed JSON and are answered at once or later (blob.Submit at the next block,
 * header.WaitForHeight when it is there) through `reply`.  A slot names the place that waits for
 * the answer; slots whose client has gone are answered, too, and the transport drops it. */
#include "da/log.h"
#include "da/square.h"

struct json_t;

enum da_permission {
    DA_PERMISSION_PUBLIC,
    DA_PERMISSION_READ,
    DA_PERMISSION_WRITE,
    DA_PERMISSION_ADMIN
};

struct da_slot {
    uint32_t job;
    uint32_t serial;
    uint32_t index; /* in the batch */
};

struct da_service_config {
    const char *dir;
    const char *chain_id;
    uint64_t block_time_ms;
    uint64_t keep_heights; /* older ones are below the tail; 0: all are kept */
    bool has_faults;       /* baton.SetFault is allowed */
    void *context;
    /* Takes over the reference to `answer`, a whole JSON-RPC response. */
    void (*reply)(void *context, struct da_slot slot, struct json_t *answer);
};

enum da_fault {
    DA_FAULT_NONE,
    DA_FAULT_HANG,              /* no answer to anything */
    DA_FAULT_HTTP_500,          /* every answer is status 500 with an empty body */
    DA_FAULT_ACCEPT_THEN_ERROR, /* Submit lands and reports a failure */
    DA_FAULT_SEQUENCE_MISMATCH, /* Submit does not land and says so */
    DA_FAULT_DUPLICATE,         /* Submit lands twice */
    DA_FAULT_LATE,              /* Submit reports a failure and lands some blocks later */
    DA_FAULT_WITHHELD,          /* blobs are in blocks but not handed out */
    DA_FAULT_COUNT
};

enum da_outcome {
    DA_OUTCOME_ANSWERED,    /* *answer is the response */
    DA_OUTCOME_DEFERRED,    /* `reply` will have it */
    DA_OUTCOME_NOTIFICATION /* there is none */
};

/* Codes of errors: JSON-RPC's, and what celestia-node says of everything else. */
enum da_code {
    DA_CODE_APPLICATION = 1,
    DA_CODE_INVALID = -32600, /* no request */
    DA_CODE_METHOD = -32601,
    DA_CODE_PARAMS = -32602,
    DA_CODE_PARSE = -32700,
};

struct da_service;

/* da_service_create opens the log in config->dir.  ERR_MEMORY, and what da_log_open gives.
 * da_service_destroy closes it. */
MUST_USE enum err da_service_create(const struct da_service_config *config, uint64_t now_ms,
                                    struct da_service **out);
void da_service_destroy(struct da_service *service);

/* da_service_call performs one request object.  `status` gets the HTTP status that the answer has
 * when it is not part of a batch. */
enum da_outcome da_service_call(struct da_service *service, const struct json_t *request,
                                enum da_permission permission, struct da_slot slot,
                                struct json_t **answer, unsigned *status);

/* da_service_fault takes one use of the fault that concerns every request (hang, 500), if one is
 * set and the request is not baton.SetFault itself. */
enum da_fault da_service_fault(struct da_service *service, const struct json_t *request);

/* da_service_tick makes the next block of what was submitted and answers who waits for it. */
void da_service_tick(struct da_service *service, uint64_t now_ms);

/* da_service_head is the last height there is. */
uint64_t da_service_head(const struct da_service *service);
/* da_service_blobs_event is what blob.Subscribe tells of a height: Blobs, Height, Header. */
struct json_t *da_service_blobs_event(struct da_service *service, uint64_t height,
                                      const struct da_namespace *ns);

/* da_service_error makes an error response to the request `id` (NULL: null). */
struct json_t *da_service_error(const struct json_t *id, int code, const char *message);
/* da_service_result makes a response that holds `result`, whose reference it takes. */
struct json_t *da_service_result(const struct json_t *id, struct json_t *result);
