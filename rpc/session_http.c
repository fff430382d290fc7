/* HTTP sessions: JSON-RPC by POST, health checks and the metrics page by GET, CORS. */
#include <stdio.h>
#include <stdlib.h>

#include "rpc/server.h"

#define PAGE_BYTES_MAX ((size_t)1 << 20)
#define BODY_TOO_LARGE                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"                                 \
    "\"message\":\"request body is too large\"}}"

/* cors_allows says whether a browser's origin may call. */
static bool cors_allows(const char *allowed, const char *origin) {
    const size_t size = strlen(origin);
    if (origin[0] == '\0') return false;
    for (const char *at = allowed; *at != '\0';) {
        const size_t part = strcspn(at, ",");
        if (part == 1 && at[0] == '*') return true;
        if (part == size && strncmp(at, origin, size) == 0) return true;
        at += part;
        if (*at == ',') at += 1;
    }
    return false;
}

/* put_number writes a text and a decimal number behind it; returns the end. */
static char *put_number(char *out, struct bytes text, uint64_t number) {
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(out, text.data, text.size);
    out += text.size;
    while (count > 0)
        *out++ = digits[--count];
    return out;
}

/* put_header_ok is write_header for nearly every answer: 200, JSON, no browser's origin. */
static size_t put_header_ok(const struct service *service, const struct session *session,
                            size_t body_bytes, char *out) {
    char *at = put_number(out,
                          BYTES_STRING("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                       "Content-Length: "),
                          body_bytes);
    if (session->has_height) {
        at = put_number(at, BYTES_STRING("\r\nBaton-Height: "), rpc_height(service->rpc));
    }
    memcpy(at, "\r\n\r\n", 4);
    return (size_t)(at + 4 - out);
}

/* write_header writes status line and headers in front of a body. */
static int write_header(const struct service *service, const struct session *session, int status,
                        const char *type, size_t body_bytes, char *out, size_t out_bytes) {
    const char *reason = status == 200   ? "OK"
                         : status == 204 ? "No Content"
                         : status == 404 ? "Not Found"
                         : status == 405 ? "Method Not Allowed"
                         : status == 411 ? "Length Required"
                         : status == 413 ? "Payload Too Large"
                         : status == 415 ? "Unsupported Media Type"
                                         : "Service Unavailable";
    const char *allowed = service->rpc->config.cors_origins;
    char cors[SESSION_ORIGIN_BYTES + 256] = "";
    if (allowed != NULL && cors_allows(allowed, session->origin)) {
        snprintf(cors, sizeof cors,
                 "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n"
                 "Access-Control-Allow-Methods: POST, GET, OPTIONS\r\n"
                 "Access-Control-Allow-Headers: Content-Type\r\nAccess-Control-Max-Age: 600\r\n",
                 session->origin);
    }
    char height[48] = "";
    if (session->has_height && status == 200) {
        snprintf(height, sizeof height, "Baton-Height: %llu\r\n",
                 (unsigned long long)rpc_height(service->rpc));
    }
    return snprintf(out, out_bytes,
                    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s%s\r\n",
                    status, reason, type, body_bytes, cors, height,
                    session->close_after ? "Connection: close\r\n" : "");
}

/* send_body queues header and body as one message; `memory` holds the body at TASK_HEADROOM. */
static void send_body(struct service *service, struct session *session, int status,
                      const char *type, uint8_t *memory, size_t body_bytes) {
    char header[TASK_HEADROOM + SESSION_ORIGIN_BYTES + 512];
    const int size =
        write_header(service, session, status, type, body_bytes, header, sizeof header);
    uint8_t *whole = memory;
    size_t begin = TASK_HEADROOM - (size_t)size;
    if ((size_t)size > TASK_HEADROOM - LWS_PRE) { /* a long origin: make more room */
        whole = malloc(LWS_PRE + (size_t)size + body_bytes);
        CHECK(whole != NULL);
        begin = LWS_PRE;
        memcpy(whole + begin + size, memory + TASK_HEADROOM, body_bytes);
        free(memory);
    }
    memcpy(whole + begin, header, (size_t)size);
    session->is_waiting = false;
    lws_set_timeout(session->wsi, PENDING_TIMEOUT_HTTP_CONTENT, SESSION_WRITE_SECONDS);
    rpc_session_queue(session, whole, (size_t)size + body_bytes);
    /* sent from `begin` on: remembered through `sent`, which counts from the memory's start */
    struct outgoing *last = session->out;
    while (last->next != NULL)
        last = last->next;
    last->sent = begin;
    last->bytes = begin + (size_t)size + body_bytes;
    session->out_bytes += begin;
}

static void send_text(struct service *service, struct session *session, int status,
                      const char *type, const char *text) {
    const size_t size = strlen(text);
    uint8_t *memory = malloc(TASK_HEADROOM + size + 1);
    CHECK(memory != NULL);
    memcpy(memory + TASK_HEADROOM, text, size);
    send_body(service, session, status, type, memory, size);
}

void rpc_http_answer(struct service *service, struct session *session, struct task *task) {
    rpc_task_own_response(task);
    uint8_t *memory =
        task->response != NULL ? task->response - TASK_HEADROOM : malloc(TASK_HEADROOM);
    const size_t bytes = task->response_bytes;
    CHECK(memory != NULL);
    task->response = NULL;
    task->is_response_owned = false;
    if (!session->is_websocket) {
        send_body(service, session, 200, "application/json", memory, bytes);
    } else if (bytes > 0) {
        rpc_session_push(session, memory, bytes, SESSION_OUT_BYTES_MAX);
    } else {
        free(memory);
    }
}

/* answer_at_once writes a plain answer from where it is: one system call for header and body, and
 * none to learn that the socket takes it.  What the socket does not take the library keeps, and
 * goes on with the connection when that is gone.  The result is the callback's. */
static int answer_at_once(struct service *service, struct session *session, struct task *task) {
    char header[TASK_HEADROOM - LWS_PRE];
    const size_t size = put_header_ok(service, session, task->response_bytes, header);
    CHECK(size < sizeof header);
    uint8_t *begin = task->response - size;
    const size_t bytes = size + task->response_bytes;
    memcpy(begin, header, size);
    session->is_waiting = false;
    if (lws_write(session->wsi, begin, bytes, LWS_WRITE_HTTP_FINAL) < (int)bytes) return -1;
    if (lws_partial_buffered(session->wsi)) {
        lws_set_timeout(session->wsi, PENDING_TIMEOUT_HTTP_CONTENT, SESSION_WRITE_SECONDS);
    }
    return lws_http_transaction_completed(session->wsi) ? -1 : 0;
}

/* may_answer_at_once: nothing waits before the answer, and it is plain. */
static bool may_answer_at_once(const struct session *session, const struct task *task) {
    return task->response != NULL && session->out == NULL && !session->close_after &&
           session->origin[0] == '\0' && task->response_bytes <= SESSION_CHUNK_BYTES;
}

void rpc_http_answer_late(struct service *service, struct session *session, struct task *task) {
    if (session->is_websocket || !may_answer_at_once(session, task)) {
        rpc_http_answer(service, session, task);
        return;
    }
    struct lws *wsi = session->wsi; /* the session ends with its request */
    if (answer_at_once(service, session, task) == 0) return;
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}

static void send_ready(struct service *service, struct session *session) {
    const struct rpc_backend *backend = &service->rpc->config.backend;
    struct rpc_health health;
    uint8_t memory[1024];
    struct buffer out = buffer_over(memory, sizeof memory - 1);
    struct json_writer json = json_over(&out);
    backend->health(backend->context, &health);
    json_object_begin(&json);
    json_key(&json, "ready");
    json_bool(&json, health.is_ready);
    json_key(&json, "reason");
    json_write_string(&json, health.reason);
    json_key(&json, "height");
    json_number_u64(&json, health.current_block);
    json_key(&json, "highest");
    json_number_u64(&json, health.highest_block);
    json_key(&json, "peers");
    json_number(&json, health.peers_count);
    json_object_end(&json);
    memory[out.size] = '\0';
    send_text(service, session, health.is_ready ? 200 : 503, "application/json",
              (const char *)memory);
}

static void send_metrics(struct service *service, struct session *session) {
    const struct rpc_backend *backend = &service->rpc->config.backend;
    uint8_t *memory = malloc(TASK_HEADROOM + PAGE_BYTES_MAX);
    CHECK(memory != NULL);
    struct buffer out = buffer_over(memory + TASK_HEADROOM, PAGE_BYTES_MAX);
    backend->metrics(backend->context, &out);
    rpc_metrics_write(service->rpc, &out);
    send_body(service, session, 200, "text/plain; version=0.0.4", memory, out.size);
}

static void answer_get(struct service *service, struct session *session, const char *path) {
    if (strcmp(path, "/health") == 0 || strcmp(path, "/health/live") == 0) {
        send_text(service, session, 200, "application/json", "{\"alive\":true}");
    } else if (strcmp(path, "/ready") == 0 || strcmp(path, "/health/ready") == 0) {
        send_ready(service, session);
    } else if (strcmp(path, "/metrics") == 0) {
        send_metrics(service, session);
    } else {
        send_text(service, session, 404, "application/json",
                  "{\"error\":\"not found: POST / for JSON-RPC; GET /health, /ready, /metrics\"}");
    }
}

static void refuse_body(struct service *service, struct session *session, int status,
                        const char *text) {
    session->close_after = true;
    send_text(service, session, status, "application/json", text);
}

/* on_post looks at the announced length before any of the body comes; bodies in chunks, which name
 * none, are not taken. */
static void on_post(struct service *service, struct session *session, struct lws *wsi) {
    char length[24] = "";
    if (lws_hdr_copy(wsi, length, sizeof length, WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0) {
        refuse_body(service, session, 411, "{\"error\":\"Content-Length is missing\"}");
    } else if (strtoull(length, NULL, 10) > service->rpc->config.limits.body_bytes_max) {
        refuse_body(service, session, 413, BODY_TOO_LARGE);
    } else {
        session->is_body_expected = true;
        rpc_height_read(session, wsi);
    }
}

static int on_request(struct service *service, struct session *session, struct lws *wsi,
                      const char *path) {
    rpc_session_open(service, session, wsi, false);
    session->body_bytes = 0;
    session->is_body_expected = false;
    session->origin[0] = '\0';
    session->has_height = false;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) > 0) {
        if (lws_hdr_copy(wsi, session->origin, sizeof session->origin, WSI_TOKEN_ORIGIN) < 0) {
            session->origin[0] = '\0';
        }
    }
    if (lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI) > 0) {
        on_post(service, session, wsi);
        return 0;
    }
    if (lws_hdr_total_length(wsi, WSI_TOKEN_OPTIONS_URI) > 0) {
        send_text(service, session, 204, "text/plain", "");
    } else if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0) {
        answer_get(service, session, path);
    } else if (lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0) {
        send_text(service, session, 405, "application/json", "");
    } else {
        send_text(service, session, 405, "application/json", "{\"error\":\"use POST\"}");
    }
    return 0;
}

/* was_pipelined: was this body read before the answer to the request before it was written?  The
 * library then kept it aside, and (4.1.6) offers the wrong bytes of it.  What it has just read is
 * in one buffer, the same for all connections of a thread; a connection's first request is. */
static bool was_pipelined(struct service *service, struct session *session, const void *in) {
    const uintptr_t at = (uintptr_t)in;
    if (lws_get_opaque_user_data(session->wsi) != service) {
        service->read_at = at;
        return false;
    }
    return at + SESSION_READ_BYTES <= service->read_at ||
           service->read_at + SESSION_READ_BYTES <= at;
}

static int on_body(struct service *service, struct session *session, const void *in, size_t size) {
    if (!session->is_body_expected) return 0;
    if (was_pipelined(service, session, in)) return -1;
    if (rpc_session_append(session, in, size, service->rpc->config.limits.body_bytes_max)) return 0;
    session->is_body_expected = false;
    refuse_body(service, session, 413, BODY_TOO_LARGE);
    return 0;
}

/* run_body runs the request that was received.  With `is_callback` the answer is written at once
 * where that can be; the result is then the callback's. */
static int run_body(struct service *service, struct session *session, bool is_callback) {
    const struct bytes body = {session->body, session->body_bytes};
    struct task *task = rpc_task_begin(service->rpc, service, session->id, false, body);
    int result = 0;
    if (session->body_capacity > 65536) {
        free(session->body);
        session->body = NULL;
        session->body_capacity = 0;
    }
    session->body_bytes = 0;
    if (task == NULL) { /* the answer comes later: no time-out may cut it off */
        lws_set_timeout(session->wsi, NO_PENDING_TIMEOUT, 0);
        return 0;
    }
    if (is_callback && may_answer_at_once(session, task)) {
        result = answer_at_once(service, session, task);
    } else {
        rpc_http_answer(service, session, task);
    }
    rpc_task_free(task);
    return result;
}

void rpc_http_go_on(struct service *service, struct session *session, bool is_here) {
    if (is_here) {
        run_body(service, session, false);
        return;
    }
    session->body_bytes = 0;
    send_text(service, session, 503, "application/json",
              "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,"
              "\"message\":\"this node is behind what the client has seen\"}}");
}

static int on_body_complete(struct service *service, struct session *session) {
    if (!session->is_body_expected) {
        /* the library offers bytes beyond the body, a pipelined request, again and again: who
         * sends one gets the answers that are ready, then has to connect anew */
        session->beyond_count += 1;
        return session->beyond_count > SESSION_BEYOND_MAX ? -1 : 0;
    }
    session->is_body_expected = false;
    lws_set_opaque_user_data(session->wsi, service); /* the session itself lasts one request */
    session->beyond_count = 0;
    session->is_waiting = true;
    if (rpc_height_is_here(service->rpc, session)) return run_body(service, session, true);
    rpc_height_wait(service, session);
    lws_set_timeout(session->wsi, NO_PENDING_TIMEOUT, 0);
    /* committed between the two looks: whoever did it may not have seen us wait */
    if (!rpc_height_is_here(service->rpc, session)) return 0;
    rpc_height_forget(service, session);
    return run_body(service, session, true);
}

static int on_writable(struct session *session, struct lws *wsi) {
    struct outgoing *first = session->out;
    if (first == NULL) return 0;
    size_t size = first->bytes - first->sent;
    if (size > SESSION_CHUNK_BYTES) size = SESSION_CHUNK_BYTES;
    const bool is_last = first->sent + size == first->bytes;
    if (lws_write(wsi, first->memory + first->sent, size,
                  is_last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < (int)size) {
        return -1;
    }
    first->sent += size;
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, SESSION_WRITE_SECONDS);
    if (!is_last) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    rpc_session_pop(session);
    if (session->close_after) return -1;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

int rpc_http_callback(struct service *service, struct session *session, struct lws *wsi,
                      enum lws_callback_reasons reason, void *in, size_t size) {
    switch (reason) {
    case LWS_CALLBACK_HTTP: return on_request(service, session, wsi, in);
    case LWS_CALLBACK_HTTP_BODY: return on_body(service, session, in, size);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION: return on_body_complete(service, session);
    case LWS_CALLBACK_HTTP_WRITEABLE: return on_writable(session, wsi);
    case LWS_CALLBACK_CLOSED_HTTP:
        if (session != NULL) rpc_session_close(service, session);
        return 0;
    default: return 0;
    }
}
