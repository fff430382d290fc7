#include "rpc/server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>

#include <stdio.h>
#include <stdlib.h>

#include "pages/pages.h"

#define SERVICE_SHIFT   56
#define LISTEN_BACKLOG  4096
#define ACCEPTS_AT_ONCE 32

/* find_session returns NULL for one that is closed. */
static struct session *find_session(struct service *service, uint64_t id) {
    struct session *session = service->sessions;
    while (session != NULL && session->id != id)
        session = session->next;
    return session;
}

void rpc_session_open(struct service *service, struct session *session, struct lws *wsi,
                      bool is_websocket) {
    if (session->is_open) return;
    *session = (struct session){.wsi = wsi, .is_open = true, .is_websocket = is_websocket};
    session->id = (uint64_t)service->index << SERVICE_SHIFT | ++service->session_next;
    session->out_end = &session->out;
    session->next = service->sessions;
    service->sessions = session;
}

void rpc_session_close(struct service *service, struct session *session) {
    if (!session->is_open) return;
    struct session **at = &service->sessions;
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    rpc_height_forget(service, session);
    while (session->out != NULL)
        rpc_session_pop(session);
    free(session->body);
    if (session->is_websocket && service->rpc->subscriptions != NULL)
        rpc_subscriptions_session_closed(service->rpc, session->id);
    *session = (struct session){.is_open = false};
}

bool rpc_session_append(struct session *session, const void *data, size_t size, size_t max) {
    if (size > max || session->body_bytes > max - size) return false;
    if (session->body_bytes + size > session->body_capacity) {
        size_t capacity = session->body_capacity == 0 ? 1024 : session->body_capacity;
        while (capacity < session->body_bytes + size)
            capacity *= 2;
        uint8_t *grown = realloc(session->body, capacity);
        if (grown == NULL) return false;
        session->body = grown;
        session->body_capacity = capacity;
    }
    if (size != 0) memcpy(session->body + session->body_bytes, data, size);
    session->body_bytes += size;
    return true;
}

void rpc_session_queue(struct session *session, uint8_t *memory, size_t bytes) {
    struct outgoing *outgoing = malloc(sizeof *outgoing);
    CHECK(outgoing != NULL);
    *outgoing = (struct outgoing){.memory = memory, .bytes = bytes};
    *session->out_end = outgoing;
    session->out_end = &outgoing->next;
    session->out_bytes += bytes;
    lws_callback_on_writable(session->wsi);
}

void rpc_session_push(struct session *session, uint8_t *memory, size_t bytes, size_t waiting_max) {
    if (session->is_cut_off || session->out_bytes + bytes > waiting_max) {
        session->is_cut_off = true;
        free(memory);
        /* not by the writable callback: the socket of a client that does not read is never that */
        lws_set_timeout(session->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
        return;
    }
    rpc_session_queue(session, memory, bytes);
    if (session->out_bytes > SESSION_PUSH_BYTES_MAX && !session->is_held) {
        session->is_held = true; /* no more requests until some answers are gone */
        lws_rx_flow_control(session->wsi, 0);
    }
}

void rpc_session_pop(struct session *session) {
    struct outgoing *first = session->out;
    session->out = first->next;
    if (session->out == NULL) session->out_end = &session->out;
    session->out_bytes -= first->bytes;
    free(first->memory);
    free(first);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t size) {
    struct session *session = user;
    struct service *service = lws_context_user(lws_get_context(wsi));
    struct rpc *rpc = service->rpc;
    switch (reason) {
    case LWS_CALLBACK_WSI_DESTROY: /* told of a vhost's first protocol for all of its sockets */
        if (lws_get_opaque_user_data(wsi) != NULL) atomic_fetch_sub(&rpc->connections, 1);
        return 0;
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
    case LWS_CALLBACK_HTTP_WRITEABLE:
    case LWS_CALLBACK_CLOSED_HTTP:
        return rpc_http_callback(service, session, wsi, reason, in, size);
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_CLOSED:
        return rpc_websocket_callback(service, session, wsi, reason, in, size);
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
    case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
        if (session != NULL) rpc_session_close(service, session);
        return 0;
    default: return 0;
    }
}

/* refuse_client answers a connection beyond the limit, as far as its empty socket takes it, and
 * closes it. */
static void refuse_client(int fd) {
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                                 "Connection: close\r\n\r\n";
    (void)!send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    close(fd);
}

/* on_listener accepts what waits on a listening socket.  The sockets are ours and not the
 * library's, because it shares a port (SO_REUSEPORT) only between threads of one context. */
static int on_listener(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                       size_t size) {
    (void)user, (void)in, (void)size;
    if (reason != LWS_CALLBACK_RAW_RX_FILE) return 0;
    const struct service *service = lws_context_user(lws_get_context(wsi));
    struct rpc *rpc = service->rpc;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        const int fd = accept4(lws_get_socket_fd(wsi), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) return 0;
        const int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (atomic_fetch_add(&rpc->connections, 1) >= rpc->config.limits.connections_max) {
            refuse_client(fd);
            atomic_fetch_sub(&rpc->connections, 1);
            continue;
        }
        /* closes the socket itself when it fails */
        struct lws *client = lws_adopt_socket_vhost(lws_get_vhost(wsi), fd);
        if (client == NULL) {
            atomic_fetch_sub(&rpc->connections, 1);
        } else {
            lws_set_opaque_user_data(client,
                                     rpc); /* marks what was counted, and asked nothing yet */
        }
    }
    return 0;
}

static const struct lws_protocols PROTOCOLS[] = {
    {"baton", callback, sizeof(struct session), SESSION_READ_BYTES, 0, NULL, 0},
    {"listener", on_listener, 0, 0, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

/* Pings after 30 s of silence, hangs up after 60 s. */
static const lws_retry_bo_t IDLE_POLICY = {.secs_since_valid_ping = 30,
                                           .secs_since_valid_hangup = 60};

/* hand_over gives a completion to the service's thread, and wakes it unless somebody has and it did
 * not look yet. */
static void hand_over(struct service *service, struct completion *completion) {
    pthread_mutex_lock(&service->lock);
    const bool was_empty = service->completions == NULL;
    *service->completions_end = completion;
    service->completions_end = &completion->next;
    pthread_mutex_unlock(&service->lock);
    if (was_empty) lws_cancel_service(service->context);
}

void rpc_service_complete(struct service *service, struct task *task) {
    struct completion *completion = calloc(1, sizeof *completion);
    CHECK(completion != NULL);
    completion->task = task;
    hand_over(service, completion);
}

void rpc_service_push(struct rpc *rpc, uint64_t session_id, struct bytes text) {
    struct service *service = &rpc->services[session_id >> SERVICE_SHIFT];
    struct completion *completion = calloc(1, sizeof *completion);
    CHECK(completion != NULL);
    completion->session_id = session_id;
    completion->text = malloc(TASK_HEADROOM + text.size);
    CHECK(completion->text != NULL);
    memcpy(completion->text + TASK_HEADROOM, text.data, text.size);
    completion->text_bytes = text.size;
    hand_over(service, completion);
}

/* deliver hands one completion to its session, if that is still there. */
static void deliver(struct service *service, struct completion *completion) {
    struct task *task = completion->task;
    struct session *session =
        find_session(service, task != NULL ? task->session_id : completion->session_id);
    if (task != NULL) {
        if (session != NULL) rpc_http_answer_late(service, session, task);
        rpc_task_free(task);
    } else if (session != NULL && session->is_websocket) {
        rpc_session_push(session, completion->text, completion->text_bytes, SESSION_PUSH_BYTES_MAX);
    } else {
        free(completion->text);
    }
    free(completion);
}

static void drain(struct service *service) {
    pthread_mutex_lock(&service->lock);
    struct completion *list = service->completions;
    service->completions = NULL;
    service->completions_end = &service->completions;
    pthread_mutex_unlock(&service->lock);
    while (list != NULL) {
        struct completion *next = list->next;
        deliver(service, list);
        list = next;
    }
}

static void *service_main(void *context) {
    struct service *service = context;
    while (!atomic_load(&service->rpc->stopping)) {
        if (lws_service(service->context, 0) < 0) break;
        drain(service);
        rpc_height_go_on(service);
    }
    drain(service);
    return NULL;
}

/* open_listener makes a listening socket that shares its port with our other threads. */
static int open_listener(const char *host, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (host == NULL || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        address.sin_addr.s_addr = htonl(INADDR_ANY);
    }
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int one = 1;
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0 &&
        bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, LISTEN_BACKLOG) == 0) {
        return fd;
    }
    close(fd);
    return -1;
}

static enum err listen_on(struct service *service, const char *name, const char *host,
                          uint16_t port, char error[256]) {
    struct lws_context_creation_info info = {0};
    if (port == 0) return ERR_OK;
    info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info.protocols = PROTOCOLS;
    info.vhost_name = name;
    info.options = LWS_SERVER_OPTION_DISABLE_IPV6;
    info.keepalive_timeout = 75;
    info.timeout_secs = 30;
    info.retry_and_idle_policy = &IDLE_POLICY;
    struct lws_vhost *vhost = lws_create_vhost(service->context, &info);
    if (vhost == NULL) return ERR_SYSTEM;
    const int fd = open_listener(host, port);
    lws_sock_file_fd_type descriptor = {.filefd = fd};
    if (fd >= 0 && lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_RAW_FILE_DESC, descriptor,
                                              "listener", NULL) != NULL) {
        return ERR_OK;
    }
    snprintf(error, 256, "%s_port: cannot listen on %s:%u: %s", name,
             host != NULL && host[0] != '\0' ? host : "0.0.0.0", port,
             err_text(ERR_ADDRESS_IN_USE));
    return ERR_ADDRESS_IN_USE;
}

/* port_is_free finds another process on the port, which SO_REUSEPORT alone would not. */
static bool port_is_free(const char *host, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (port == 0) return true;
    if (host == NULL || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        address.sin_addr.s_addr = htonl(INADDR_ANY);
    }
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return true;
    const int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    const bool is_free = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return is_free;
}

static enum err service_start(struct rpc *rpc, unsigned index, char error[256]) {
    struct service *service = &rpc->services[index];
    const struct rpc_config *config = &rpc->config;
    struct lws_context_creation_info info = {0};
    service->rpc = rpc;
    service->index = index;
    service->completions_end = &service->completions;
    pthread_mutex_init(&service->lock, NULL);
    void *memory = pages_reserve(rpc_runner_bytes(&config->limits));
    if (memory == NULL) return ERR_MEMORY;
    service->runner = rpc_runner_over(memory, &config->limits, rpc_metrics_counters(rpc, index));
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_IPV6;
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.user = service;
    info.pt_serv_buf_size = SESSION_READ_BYTES;
    info.max_http_header_data = 8192;
    info.fd_limit_per_thread = config->limits.connections_max + 64;
    service->context = lws_create_context(&info);
    if (service->context == NULL) return ERR_SYSTEM;
    TRY(listen_on(service, "rpc", config->http_host, config->http_port, error));
    TRY(listen_on(service, "ws", config->websocket_host, config->websocket_port, error));
    TRY(listen_on(service, "metrics", config->metrics_host, config->metrics_port, error));
    if (pthread_create(&service->thread, NULL, service_main, service) != 0) return ERR_SYSTEM;
    service->has_thread = true;
    return ERR_OK;
}

static void set_defaults(struct rpc_config *config) {
    struct rpc_limits *limits = &config->limits;
    if (limits->body_bytes_max == 0) limits->body_bytes_max = 5u << 20;
    if (limits->websocket_bytes_max == 0) limits->websocket_bytes_max = 32u << 20;
    if (limits->batch_calls_max == 0) limits->batch_calls_max = 1000;
    if (limits->response_bytes_max == 0) limits->response_bytes_max = 25000000;
    if (limits->connections_max == 0) limits->connections_max = 1024;
    if (limits->subscriptions_max == 0) limits->subscriptions_max = 128;
    if (limits->logs_blocks_max == 0) limits->logs_blocks_max = 10000;
    if (limits->logs_max == 0) limits->logs_max = 10000;
    if (limits->call_gas_max == 0) limits->call_gas_max = 50000000;
    if (limits->json_depth_max == 0) limits->json_depth_max = 32;
    if (limits->workers_queue_max == 0) limits->workers_queue_max = 1024;
    if (config->threads == 0) config->threads = 2;
    if (config->threads > RPC_SERVICES_MAX) config->threads = RPC_SERVICES_MAX;
    if (config->workers == 0) config->workers = 2;
    if (config->workers > RPC_WORKERS_MAX) config->workers = RPC_WORKERS_MAX;
}

static enum err start_all(struct rpc *rpc, char error[256]) {
    const struct rpc_config *config = &rpc->config;
    const struct {
        const char *name, *host;
        uint16_t port;
    } ports[] = {{"rpc_port", config->http_host, config->http_port},
                 {"ws_port", config->websocket_host, config->websocket_port},
                 {"metrics_port", config->metrics_host, config->metrics_port}};
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        if (port_is_free(ports[i].host, ports[i].port)) continue;
        snprintf(error, 256, "%s: port %u is in use", ports[i].name, ports[i].port);
        return ERR_ADDRESS_IN_USE;
    }
    rpc->counters = calloc((size_t)(config->threads + config->workers) * (rpc_methods_count() + 1),
                           sizeof *rpc->counters);
    if (rpc->counters == NULL) return ERR_MEMORY;
    TRY(rpc_submit_create(rpc));
    TRY(rpc_filters_create(rpc));
    TRY(rpc_subscriptions_create(rpc));
    rpc_workers_create(rpc);
    for (unsigned i = 0; i < config->threads; i++) {
        rpc->services_count += 1;
        TRY(service_start(rpc, i, error));
    }
    return ERR_OK;
}

static void quiet(int level, const char *line) {
    (void)level, (void)line;
}

enum err rpc_start(const struct rpc_config *config, struct rpc **out, char error[256]) {
    struct rpc *rpc = calloc(1, sizeof *rpc);
    if (rpc == NULL) return ERR_MEMORY;
    lws_set_log_level(0, quiet);
    rpc->config = *config;
    set_defaults(&rpc->config);
    error[0] = '\0';
    const enum err err = start_all(rpc, error);
    if (err == ERR_OK) {
        *out = rpc;
        return ERR_OK;
    }
    if (error[0] == '\0') snprintf(error, 256, "%s", err_text(err));
    rpc_stop(rpc);
    return err;
}

void rpc_stop(struct rpc *rpc) {
    atomic_store(&rpc->stopping, true);
    for (unsigned i = 0; i < rpc->services_count; i++) {
        struct service *service = &rpc->services[i];
        if (!service->has_thread) continue;
        lws_cancel_service(service->context);
        pthread_join(service->thread, NULL);
    }
    if (rpc->workers_count > 0) rpc_workers_stop(rpc);
    if (rpc->subscriptions != NULL) rpc_subscriptions_destroy(rpc); /* while sessions are there */
    for (unsigned i = 0; i < rpc->services_count; i++) {
        struct service *service = &rpc->services[i];
        drain(service);
        if (service->context != NULL) lws_context_destroy(service->context);
        pages_release(service->runner.arena.data, rpc_runner_bytes(&rpc->config.limits));
    }
    if (rpc->waiting != NULL) rpc_submit_destroy(rpc);
    if (rpc->filters != NULL) rpc_filters_destroy(rpc);
    free(rpc->counters);
    free(rpc);
}

void rpc_block_committed(struct rpc *rpc, uint64_t number) {
    rpc_subscriptions_block(rpc, number);
    rpc_height_wake(rpc);
}

void rpc_item_admitted(struct rpc *rpc, const struct hash32 *hash, struct bytes encoded) {
    rpc_subscriptions_item(rpc, hash, encoded);
}
