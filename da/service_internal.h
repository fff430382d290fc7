#pragma once
/* What the files of the service share. */
#include "da/service.h"

#define DA_ERROR_TEXT_MAX   256
#define DA_BLOBS_PER_BLOCK  512
#define DA_SUBMITS_MAX      256
#define DA_SUBMIT_BYTES_MAX (64u << 20) /* of all that wait */
#define DA_WAITERS_MAX      256
#define DA_LATE_BLOCKS      5

struct da_pending_blob {
    struct da_namespace ns;
    struct hash32 commitment;
    uint8_t *data;
    size_t size;
};

struct da_submit {
    bool is_used, is_answered;
    struct da_slot slot;
    struct json_t *id;
    uint64_t due_height; /* the first block that may have it */
    uint64_t order;
    enum da_fault fault;
    size_t blobs_count;
    struct da_pending_blob *blobs;
};

struct da_waiter {
    bool is_used;
    struct da_slot slot;
    struct json_t *id;
    uint64_t height;
};

struct da_service {
    struct da_service_config config;
    struct da_log *log;
    struct da_erasure erasure;
    enum da_fault fault;
    uint64_t fault_uses; /* how often it still happens; UINT64_MAX: until it is changed */
    uint64_t submits_count;
    size_t submit_bytes;
    struct da_submit submits[DA_SUBMITS_MAX];
    struct da_waiter waiters[DA_WAITERS_MAX];
    struct buffer text;  /* base64 under way; reserved pages */
    struct buffer blobs; /* a block's data; reserved pages */
    struct da_square empty_square;
    struct da_square square; /* of square_height */
    uint64_t square_height;
    uint64_t square_used_at; /* the head when it was last asked for */
    uint8_t *empty_memory, *square_memory;
};

/* One request under way. */
struct da_call {
    struct da_service *service;
    const struct json_t *id;
    const struct json_t *params;
    struct da_slot slot;
    bool is_deferred;
    int code; /* of the error; 0: none */
    char error[DA_ERROR_TEXT_MAX];
};

/* Methods return a new reference to their result; NULL with code set or deferred. */
struct json_t *da_method_submit(struct da_call *call);
struct json_t *da_method_get(struct da_call *call);
struct json_t *da_method_get_all(struct da_call *call);
struct json_t *da_method_get_proof(struct da_call *call);
struct json_t *da_method_included(struct da_call *call);

/* da_call_fail notes code and message of a call that failed; returns NULL, as its method does. */
struct json_t *da_call_fail(struct da_call *call, int code, const char *message);
/* da_call_height reads parameter `index` as a height that exists.  False: the call has failed. */
bool da_call_height(struct da_call *call, size_t index, uint64_t *height);
bool da_call_bytes(struct da_call *call, size_t index, uint8_t *out, size_t size);

/* New JSON values: bytes as base64 text, and the header of a height as the API shows it. */
struct json_t *da_base64_json(struct da_service *service, struct bytes in);
struct json_t *da_header_json(struct da_service *service, uint64_t height);
/* da_blobs_json lists the blobs of a namespace at a height; JSON null when there are none. */
struct json_t *da_blobs_json(struct da_service *service, uint64_t height,
                             const struct json_t *namespaces);
/* da_submits_include makes the next block. */
void da_submits_include(struct da_service *service, uint64_t now_ms);
