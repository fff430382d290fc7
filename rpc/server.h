#pragma once
/* The sockets: HTTP/1.1 and WebSocket sessions on libwebsockets, one context per service thread.
 *
 * server.c owns threads, listening and completions; session_http.c and session_websocket.c own the
 * two kinds of sessions. */
#include <libwebsockets.h>

#include "rpc/rpc_internal.h"

#define SESSION_ORIGIN_BYTES 256
/* Bytes waiting for a slow WebSocket client before it is cut off: by an answer, by a notification.
 * Beyond the second nothing more is read from it, either. */
#define SESSION_OUT_BYTES_MAX  (64u << 20)
#define SESSION_PUSH_BYTES_MAX (4u << 20)
/* After so many offers of bytes beyond a body the connection is closed. */
#define SESSION_BEYOND_MAX 100
/* How long a client may take for the next chunk of an answer. */
#define SESSION_WRITE_SECONDS 30
/* What the library reads at once. */
#define SESSION_READ_BYTES 65536
/* What is written at once. */
#define SESSION_CHUNK_BYTES (256u << 10)

struct outgoing {
    struct outgoing *next;
    uint8_t *memory; /* malloc'd; the text begins TASK_HEADROOM in */
    size_t bytes, sent;
};

/* One connection; libwebsockets allocates it with the socket. */
struct session {
    struct session *next; /* in the service's list */
    struct lws *wsi;
    uint64_t id;
    bool is_open, is_websocket;
    /* the request being received */
    uint8_t *body;
    size_t body_bytes, body_capacity;
    bool is_body_expected, is_waiting; /* for a task */
    char origin[SESSION_ORIGIN_BYTES];
    /* what is to be sent */
    struct outgoing *out, **out_end;
    size_t out_bytes;
    unsigned beyond_count; /* how often bytes beyond a request's body were offered */
    bool close_after;
    bool is_cut_off; /* too slow: being closed */
    bool is_held;    /* not read from until it has read */
    /* reads that never go back, see below */
    bool has_height, is_behind; /* the request names a height; it waits for that */
    uint64_t height, behind_until_ms;
};

/* Reads never go back: a request may carry the header Baton-Height, the newest block that its
 * sender has been told of (0: none).  It is answered when that block is here, and the answer has
 * the header again, with the block that it is at least as new as.  When the block does not come in
 * a second the answer is status 503.  A balancer keeps the number for each connection and asks
 * another node after a 503, so that its clients need not know. */

/* rpc_height is the newest committed block that reads see. */
uint64_t rpc_height(struct rpc *rpc);
/* rpc_height_read takes the header of a request, if it has one. */
void rpc_height_read(struct session *session, struct lws *wsi);
/* rpc_height_is_here: the request need not wait. */
bool rpc_height_is_here(struct rpc *rpc, const struct session *session);
/* rpc_height_wait makes the session wait for its block; rpc_height_forget ends that. */
void rpc_height_wait(struct service *service, struct session *session);
void rpc_height_forget(struct service *service, struct session *session);

/* rpc_session_open enters a connection into the service's list; nothing when it is there already.
 * Service thread, like all below. */
void rpc_session_open(struct service *service, struct session *session, struct lws *wsi,
                      bool is_websocket);
/* rpc_session_close frees what the session holds and forgets its subscriptions. */
void rpc_session_close(struct service *service, struct session *session);
/* rpc_session_append grows the body up to `max`; false beyond. */
bool rpc_session_append(struct session *session, const void *data, size_t size, size_t max);
/* rpc_session_queue takes over `memory` (text at TASK_HEADROOM) and asks to be writable. */
void rpc_session_queue(struct session *session, uint8_t *memory, size_t bytes);
/* rpc_session_push does the same for a WebSocket session, which is cut off when more than
 * `waiting_max` bytes would wait. */
void rpc_session_push(struct session *session, uint8_t *memory, size_t bytes, size_t waiting_max);
/* rpc_session_pop frees the first outgoing message. */
void rpc_session_pop(struct session *session);

/* rpc_http_callback and rpc_websocket_callback take what libwebsockets says of a session; the
 * result is libwebsockets': not 0 closes the connection. */
int rpc_http_callback(struct service *service, struct session *session, struct lws *wsi,
                      enum lws_callback_reasons reason, void *in, size_t size);
/* See rpc_http_callback. */
int rpc_websocket_callback(struct service *service, struct session *session, struct lws *wsi,
                           enum lws_callback_reasons reason, void *in, size_t size);
/* rpc_http_answer queues a task's response, for HTTP with its header as one message; without a
 * response (notifications only) HTTP gets an empty body and a WebSocket nothing.  The task stays
 * the caller's. */
void rpc_http_answer(struct service *service, struct session *session, struct task *task);
/* rpc_http_answer_late is rpc_http_answer for a task whose answer comes after the request's
 * callback: it is written at once where that can be, without a turn of the loop to learn that the
 * socket takes it. */
void rpc_http_answer_late(struct service *service, struct session *session, struct task *task);
/* rpc_http_go_on runs the request of a session that waited for a block, or refuses it. */
void rpc_http_go_on(struct service *service, struct session *session, bool is_here);
