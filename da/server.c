/* The sockets of the DA server: who may ask, jobs under way, subscriptions, answers in pieces. */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "da/base64.h"
#include "da/server_internal.h"
#include "threads/clock.h"

#define BODY_BYTES_MAX      (16u << 20)
#define BODIES_BYTES_MAX    (128u << 20) /* of all requests that are being received */
#define JOBS_MAX            500
#define BATCH_MAX           1000
#define CONNECTIONS_MAX     1024
#define MESSAGES_MAX        64 /* that wait for a slow WebSocket reader */
#define MESSAGES_UNREAD_MAX 16 /* of a subscription, then it is closed */
#define SUBSCRIPTIONS_MAX   4
#define CHUNK_BYTES         (64u << 10)
#define BUSY_TEXT           "server busy, try again later"

struct message {
    uint8_t *data; /* LWS_PRE bytes, then the text */
    size_t size;
};

struct subscription {
    bool is_used;
    json_t *id;
    struct da_namespace ns;
    uint64_t channel;
};

/* One connection; libwebsockets allocates and clears it. */
struct session {
    struct lws *wsi;
    bool is_websocket;
    enum da_permission permission;
    unsigned refusal; /* an HTTP status that is answered once the body is read; 0: none */
    uint8_t *body;
    size_t body_size, body_capacity;
    unsigned status;
    bool has_reply, has_sent_head;
    char *reply;
    size_t reply_size, reply_sent;
    struct message messages[MESSAGES_MAX];
    size_t messages_first, messages_count;
    struct subscription subscriptions[SUBSCRIPTIONS_MAX];
    struct session *next; /* of all WebSocket sessions */
};

/* One request or batch under way. */
struct job {
    bool is_used;
    bool is_batch;
    uint32_t serial;
    struct session *session;
    json_t *answers; /* an array; null where there is none */
    size_t remaining;
    unsigned status;
};

struct da_server {
    struct da_server_config config;
    struct lws_context *context;
    struct da_service *service;
    lws_sorted_usec_list_t timer;
    volatile sig_atomic_t is_interrupted;
    uint32_t serial;
    uint64_t channels_count;
    size_t bodies_bytes;
    struct session *websockets;
    struct job jobs[JOBS_MAX];
};

static struct da_server *server_of(struct lws *wsi) {
    return lws_context_user(lws_get_context(wsi));
}

/* --- sending --- */

static void push_message(struct session *session, const char *text, size_t size) {
    uint8_t *data = session->messages_count < MESSAGES_MAX ? malloc(LWS_PRE + size) : NULL;
    if (data == NULL) { /* a reader that is so slow gets nothing more */
        lws_set_timeout(session->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
        return;
    }
    memcpy(data + LWS_PRE, text, size);
    const size_t at = (session->messages_first + session->messages_count) % MESSAGES_MAX;
    session->messages[at] = (struct message){data, size};
    session->messages_count += 1;
    (void)lws_callback_on_writable(session->wsi);
}

/* send_text answers with a text that is freed here or later; NULL: an empty body. */
static void send_text(struct session *session, char *text, unsigned status) {
    const size_t size = text == NULL ? 0 : strlen(text);
    if (session->is_websocket) {
        if (text != NULL) push_message(session, text, size);
        free(text);
        return;
    }
    session->reply = text;
    session->reply_size = size;
    session->reply_sent = 0;
    session->status = status;
    session->has_reply = true;
    session->has_sent_head = false;
    (void)lws_callback_on_writable(session->wsi);
}

static void send_json(struct session *session, json_t *json, unsigned status) {
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    send_text(session, text, status);
}

/* --- jobs --- */

static void finish_job(struct job *job) {
    struct session *session = job->session;
    json_t *answers = job->answers;
    const bool is_batch = job->is_batch;
    const unsigned status = job->status;
    job->is_used = false;
    for (size_t i = json_array_size(answers); i > 0; i--) {
        if (json_is_null(json_array_get(answers, i - 1))) (void)json_array_remove(answers, i - 1);
    }
    if (json_array_size(answers) == 0) {
        send_text(session, NULL, 200); /* notifications only */
    } else if (is_batch) {
        send_json(session, json_incref(answers), 200);
    } else {
        send_json(session, json_incref(json_array_get(answers, 0)), status);
    }
    json_decref(answers);
}

void da_server_reply(void *context, struct da_slot slot, json_t *answer) {
    struct da_server *server = context;
    struct job *job = slot.job < JOBS_MAX ? &server->jobs[slot.job] : NULL;
    if (job == NULL || !job->is_used || slot.serial == 0 || job->serial != slot.serial) {
        json_decref(answer); /* the client has gone, or did not want to know */
        return;
    }
    (void)json_array_set_new(job->answers, slot.index, answer);
    job->remaining -= 1;
    if (job->remaining == 0) finish_job(job);
}

static struct job *new_job(struct da_server *server, struct session *session, bool is_batch) {
    for (size_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &server->jobs[i];
        if (job->is_used) continue;
        if (++server->serial == 0) server->serial = 1;
        *job = (struct job){.is_used = true,
                            .is_batch = is_batch,
                            .serial = server->serial,
                            .session = session,
                            .answers = json_array(),
                            .status = 200};
        return job;
    }
    return NULL;
}

static void add_call(struct da_server *server, struct job *job, const json_t *request,
                     uint32_t index) {
    const struct da_slot slot = {(uint32_t)(job - server->jobs), job->serial, index};
    json_t *answer = NULL;
    unsigned status = 200;
    (void)json_array_append_new(job->answers, json_null());
    switch (da_service_call(server->service, request, job->session->permission, slot, &answer,
                            &status)) {
    case DA_OUTCOME_ANSWERED:
        (void)json_array_set_new(job->answers, index, answer);
        if (!job->is_batch) job->status = status;
        break;
    case DA_OUTCOME_DEFERRED: job->remaining += 1; break;
    case DA_OUTCOME_NOTIFICATION: break;
    }
}

/* --- subscriptions --- */

static bool call_is(const json_t *request, const char *method) {
    const char *name = json_string_value(json_object_get(request, "method"));
    return name != NULL && strcmp(name, method) == 0;
}

static void subscription_end(struct subscription *subscription) {
    json_decref(subscription->id);
    *subscription = (struct subscription){0};
}

static void subscribe(struct da_server *server, struct session *session, const json_t *request) {
    const json_t *id = json_object_get(request, "id");
    const json_t *params = json_object_get(request, "params");
    const json_t *text = json_array_get(params, 0);
    struct subscription *free_one = NULL;
    for (size_t i = 0; i < SUBSCRIPTIONS_MAX; i++) {
        if (!session->subscriptions[i].is_used) free_one = &session->subscriptions[i];
    }
    const struct bytes base64 = {(const uint8_t *)json_string_value(text),
                                 json_string_length(text)};
    struct da_namespace ns;
    if (id == NULL || free_one == NULL || json_array_size(params) != 1 || !json_is_string(text) ||
        da_base64_read_fixed(base64, ns.bytes, sizeof ns.bytes) != ERR_OK) {
        send_json(session, da_service_error(id, DA_CODE_PARAMS, "cannot subscribe to that"), 200);
        return;
    }
    *free_one = (struct subscription){true, json_deep_copy(id), ns, ++server->channels_count};
    send_json(session, da_service_result(id, json_integer((json_int_t)free_one->channel)), 200);
}

static void unsubscribe(struct session *session, const json_t *request) {
    const json_t *id = json_array_get(json_object_get(request, "params"), 0);
    for (size_t i = 0; i < SUBSCRIPTIONS_MAX; i++) {
        struct subscription *subscription = &session->subscriptions[i];
        if (subscription->is_used && json_equal(subscription->id, id)) {
            subscription_end(subscription);
        }
    }
}

static void notify_one(struct da_server *server, struct session *session,
                       struct subscription *subscription, uint64_t height) {
    const json_int_t channel = (json_int_t)subscription->channel;
    if (session->messages_count >= MESSAGES_UNREAD_MAX) {
        send_json(session,
                  json_pack("{s:s, s:s, s:[I]}", "jsonrpc", "2.0", "method", "xrpc.ch.close",
                            "params", channel),
                  200);
        subscription_end(subscription);
        return;
    }
    json_t *event = da_service_blobs_event(server->service, height, &subscription->ns);
    send_json(session,
              json_pack("{s:s, s:s, s:[I, o]}", "jsonrpc", "2.0", "method", "xrpc.ch.val", "params",
                        channel, event),
              200);
}

static void notify_all(struct da_server *server, uint64_t height) {
    for (struct session *session = server->websockets; session != NULL; session = session->next) {
        for (size_t i = 0; i < SUBSCRIPTIONS_MAX; i++) {
            struct subscription *subscription = &session->subscriptions[i];
            if (subscription->is_used) notify_one(server, session, subscription, height);
        }
    }
}

/* --- requests --- */

static void run_request(struct da_server *server, struct session *session, const json_t *root) {
    const bool is_batch = json_is_array(root);
    const size_t count = is_batch ? json_array_size(root) : 1;
    if (count == 0 || count > BATCH_MAX) {
        send_json(session, da_service_error(NULL, DA_CODE_INVALID, "Invalid request"), 400);
        return;
    }
    struct job *job = new_job(server, session, is_batch);
    if (job == NULL && session->is_websocket) {
        send_json(session, da_service_error(json_object_get(root, "id"), 1, BUSY_TEXT), 503);
        return;
    }
    if (job == NULL) {
        send_text(session, strdup(BUSY_TEXT), 503);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        add_call(server, job, is_batch ? json_array_get(root, i) : root, i);
    }
    if (job->remaining == 0) finish_job(job);
}

static void on_request(struct da_server *server, struct session *session) {
    json_t *root = json_loadb((const char *)session->body, session->body_size, 0, NULL);
    server->bodies_bytes -= session->body_capacity;
    free(session->body);
    session->body = NULL;
    session->body_size = session->body_capacity = 0;
    const enum da_fault fault = da_service_fault(server->service, root);
    if (fault == DA_FAULT_HANG) {
        /* The connection stays open and silent. */
    } else if (fault == DA_FAULT_HTTP_500) {
        send_text(session, NULL, 500);
    } else if (root == NULL) {
        send_json(session, da_service_error(NULL, DA_CODE_PARSE, "Parse error"), 500);
    } else if (session->is_websocket && call_is(root, "xrpc.cancel")) {
        unsubscribe(session, root);
    } else if (session->is_websocket && call_is(root, "blob.Subscribe") &&
               session->permission >= DA_PERMISSION_READ) {
        subscribe(server, session, root);
    } else {
        run_request(server, session, root);
    }
    json_decref(root);
}

/* take_body keeps a part of the body.  False: there is no room for it. */
static bool take_body(struct da_server *server, struct session *session, const void *in,
                      size_t size) {
    if (size > BODY_BYTES_MAX - session->body_size) return false;
    const size_t needed = session->body_size + size;
    if (needed > session->body_capacity) {
        size_t capacity = session->body_capacity == 0 ? 4096 : session->body_capacity;
        while (capacity < needed)
            capacity *= 2;
        const size_t more = capacity - session->body_capacity;
        if (more > BODIES_BYTES_MAX - server->bodies_bytes) return false;
        uint8_t *body = realloc(session->body, capacity);
        if (body == NULL) return false;
        server->bodies_bytes += more;
        session->body = body;
        session->body_capacity = capacity;
    }
    memcpy(session->body + session->body_size, in, size);
    session->body_size = needed;
    return true;
}

/* --- libwebsockets --- */

/* authorise reads the bearer token; 0 or the HTTP status of the refusal. */
static unsigned authorise(struct da_server *server, struct lws *wsi, struct session *session) {
    char header[DA_TOKEN_BYTES_MAX + 16];
    char argument[DA_TOKEN_BYTES_MAX + 8];
    if (!server->config.has_token) {
        session->permission = DA_PERMISSION_ADMIN;
        return 0;
    }
    const char *token = NULL;
    const int size = lws_hdr_copy(wsi, header, sizeof header, WSI_TOKEN_HTTP_AUTHORIZATION);
    if (size > 0) {
        if (strncmp(header, "Bearer ", 7) != 0) return 401;
        token = header + 7;
    } else if (size < 0) {
        return 401;
    } else {
        token = lws_get_urlarg_by_name(wsi, "token=", argument, sizeof argument);
    }
    if (token == NULL) {
        session->permission = DA_PERMISSION_PUBLIC;
        return 0;
    }
    const size_t token_bytes = strlen(server->config.token);
    if (strlen(token) != token_bytes ||
        lws_timingsafe_bcmp(token, server->config.token, (uint32_t)token_bytes) != 0) {
        return 401;
    }
    session->permission = DA_PERMISSION_ADMIN;
    return 0;
}

static int send_head(struct lws *wsi, struct session *session) {
    uint8_t memory[LWS_PRE + 1024];
    uint8_t *start = memory + LWS_PRE;
    uint8_t *at = start;
    uint8_t *end = memory + sizeof memory;
    const char *type = session->status == 503 ? "text/plain" : "application/json";
    static const char any[] = "*";
    if (lws_add_http_common_headers(wsi, session->status, type, session->reply_size, &at, end) ||
        lws_add_http_header_by_name(wsi, (const uint8_t *)"access-control-allow-origin:",
                                    (const uint8_t *)any, 1, &at, end) ||
        lws_finalize_write_http_header(wsi, start, &at, end)) {
        return -1;
    }
    session->has_sent_head = true;
    return 0;
}

/* write_http sends the head, then the body in chunks, one per call. */
static int write_http(struct lws *wsi, struct session *session) {
    static uint8_t chunk[LWS_PRE + CHUNK_BYTES];
    if (!session->has_reply) return 0;
    if (!session->has_sent_head) {
        if (send_head(wsi, session) != 0) return -1;
        if (session->reply_size > 0) {
            (void)lws_callback_on_writable(wsi);
            return 0;
        }
    }
    const size_t rest = session->reply_size - session->reply_sent;
    const size_t size = rest < CHUNK_BYTES ? rest : CHUNK_BYTES;
    const bool is_last = size == rest;
    if (size > 0) {
        memcpy(chunk + LWS_PRE, session->reply + session->reply_sent, size);
        const enum lws_write_protocol kind = is_last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP;
        if (lws_write(wsi, chunk + LWS_PRE, size, kind) != (int)size) return -1;
        session->reply_sent += size;
    }
    if (!is_last) {
        (void)lws_callback_on_writable(wsi);
        return 0;
    }
    free(session->reply);
    session->reply = NULL;
    session->has_reply = false;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int write_websocket(struct lws *wsi, struct session *session) {
    if (session->messages_count == 0) return 0;
    const struct message message = session->messages[session->messages_first];
    session->messages_first = (session->messages_first + 1) % MESSAGES_MAX;
    session->messages_count -= 1;
    const int wrote = lws_write(wsi, message.data + LWS_PRE, message.size, LWS_WRITE_TEXT);
    free(message.data);
    if (wrote < 0) return -1;
    if (session->messages_count > 0) (void)lws_callback_on_writable(wsi);
    return 0;
}

static void forget(struct da_server *server, struct session *session) {
    for (size_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &server->jobs[i];
        if (!job->is_used || job->session != session) continue;
        json_decref(job->answers);
        job->is_used = false;
    }
    for (size_t i = 0; i < SUBSCRIPTIONS_MAX; i++) {
        if (session->subscriptions[i].is_used) subscription_end(&session->subscriptions[i]);
    }
    for (; session->messages_count > 0; session->messages_count--) {
        free(session->messages[session->messages_first].data);
        session->messages_first = (session->messages_first + 1) % MESSAGES_MAX;
    }
    for (struct session **at = &server->websockets; *at != NULL; at = &(*at)->next) {
        if (*at != session) continue;
        *at = session->next;
        break;
    }
    server->bodies_bytes -= session->body_capacity;
    free(session->body);
    free(session->reply);
    *session = (struct session){0};
}

static int on_http(struct da_server *server, struct lws *wsi, struct session *session) {
    session->wsi = wsi;
    session->is_websocket = false;
    session->refusal = authorise(server, wsi, session);
    if (lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI) > 0) {
        char length[24];
        const int size = lws_hdr_copy(wsi, length, sizeof length, WSI_TOKEN_HTTP_CONTENT_LENGTH);
        if (size > 0 && strtoull(length, NULL, 10) > BODY_BYTES_MAX) session->refusal = 413;
        if (size > 0 && strtoull(length, NULL, 10) > 0) return 0; /* the body follows */
        if (size <= 0 && lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) return 0;
        send_text(session, NULL, session->refusal != 0 ? session->refusal : 400);
        return 0;
    }
    send_text(session, NULL, session->refusal != 0 ? session->refusal : 405);
    return 0;
}

static int on_websocket_part(struct da_server *server, struct lws *wsi, struct session *session,
                             const void *in, size_t size) {
    if (!take_body(server, session, in, size)) return -1;
    const bool is_whole = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
    if (is_whole) on_request(server, session);
    return 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t size) {
    struct session *session = user;
    switch (reason) {
    case LWS_CALLBACK_HTTP: return on_http(server_of(wsi), wsi, session);
    case LWS_CALLBACK_HTTP_BODY:
        if (session->refusal == 0 && !take_body(server_of(wsi), session, in, size)) {
            session->refusal = 413;
        }
        return 0;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0); /* a Submit waits for its block */
        if (session->refusal != 0) {
            send_text(session, NULL, session->refusal);
        } else {
            on_request(server_of(wsi), session);
        }
        return 0;
    case LWS_CALLBACK_HTTP_WRITEABLE: return write_http(wsi, session);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: {
        const unsigned refusal = authorise(server_of(wsi), wsi, session);
        if (refusal == 0) return 0;
        (void)lws_return_http_status(wsi, refusal, NULL);
        return 1;
    }
    case LWS_CALLBACK_ESTABLISHED:
        session->wsi = wsi;
        session->is_websocket = true;
        session->next = server_of(wsi)->websockets;
        server_of(wsi)->websockets = session;
        return 0;
    case LWS_CALLBACK_RECEIVE: return on_websocket_part(server_of(wsi), wsi, session, in, size);
    case LWS_CALLBACK_SERVER_WRITEABLE: return write_websocket(wsi, session);
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLOSED_HTTP:
        if (session != NULL) forget(server_of(wsi), session);
        return 0;
    default: return 0; /* others do not concern us; lws' default would serve files */
    }
}

static const struct lws_protocols PROTOCOLS[] = {
    {"baton-da", on_event, sizeof(struct session), 64 << 10, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

static void on_timer(lws_sorted_usec_list_t *timer) {
    struct da_server *server = lws_container_of(timer, struct da_server, timer);
    const uint64_t before = da_service_head(server->service);
    da_service_tick(server->service, unix_ms());
    const uint64_t head = da_service_head(server->service);
    if (head > before) notify_all(server, head);
    lws_sul_schedule(server->context, 0, timer, on_timer,
                     (lws_usec_t)server->config.block_time_ms * 1000);
}

/* check_port binds the address for a moment, to name what is wrong with it. */
static enum err check_port(const struct da_server_config *config) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)config->port)};
    if (inet_pton(AF_INET, config->host, &address.sin_addr) != 1) return ERR_CONFIG;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return ERR_SYSTEM;
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const int failed = bind(fd, (const struct sockaddr *)&address, sizeof address);
    const int failure = errno;
    (void)close(fd);
    if (failed == 0) return ERR_OK;
    if (failure == EADDRINUSE) return ERR_ADDRESS_IN_USE;
    return failure == EACCES ? ERR_PERMISSION : ERR_SYSTEM;
}

enum err da_server_create(const struct da_server_config *config, struct da_server **out) {
    TRY(check_port(config));
    struct da_server *server = calloc(1, sizeof *server);
    if (server == NULL) return ERR_MEMORY;
    server->config = *config;
    lws_set_log_level(LLL_ERR, NULL);
    const bool is_any = strcmp(config->host, "0.0.0.0") == 0;
    const struct lws_context_creation_info info = {
        .port = config->port,
        .iface = is_any ? NULL : config->host,
        .protocols = PROTOCOLS,
        .gid = -1,
        .uid = -1,
        .user = server,
        .keepalive_timeout = 120,
        .timeout_secs = 30,
        .fd_limit_per_thread = CONNECTIONS_MAX,
        .pt_serv_buf_size = 64 << 10,
        .options = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND | LWS_SERVER_OPTION_DISABLE_IPV6,
    };
    server->context = lws_create_context(&info);
    if (server->context == NULL) {
        free(server);
        return ERR_SYSTEM;
    }
    *out = server;
    return ERR_OK;
}

void da_server_run(struct da_server *server, struct da_service *service) {
    server->service = service;
    lws_sul_schedule(server->context, 0, &server->timer, on_timer,
                     (lws_usec_t)server->config.block_time_ms * 1000);
    while (server->is_interrupted == 0 && lws_service(server->context, 0) >= 0) {
    }
}

void da_server_interrupt(struct da_server *server) {
    server->is_interrupted = 1;
    lws_cancel_service(server->context);
}

void da_server_destroy(struct da_server *server) {
    lws_sul_cancel(&server->timer);
    lws_context_destroy(server->context);
    free(server);
}
