/* WebSocket sessions: every message is a request; answers and notifications go out in order. */
#include <stdlib.h>

#include "rpc/server.h"

static int on_receive(struct service *service, struct session *session, struct lws *wsi,
                      const void *in, size_t size) {
    const size_t max = service->rpc->config.limits.websocket_bytes_max;
    if (!rpc_session_append(session, in, size, max)) {
        lws_close_reason(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
        return -1;
    }
    if (lws_remaining_packet_payload(wsi) > 0 || !lws_is_final_fragment(wsi)) return 0;
    const struct bytes body = {session->body, session->body_bytes};
    struct task *task = rpc_task_begin(service->rpc, service, session->id, true, body);
    session->body_bytes = 0;
    if (task == NULL) return 0;
    rpc_http_answer(service, session, task);
    rpc_task_free(task);
    return 0;
}

static int on_writable(struct session *session, struct lws *wsi) {
    struct outgoing *first = session->out;
    if (session->is_cut_off) return -1;
    if (first == NULL) return 0;
    size_t size = first->bytes - first->sent;
    if (size > SESSION_CHUNK_BYTES) size = SESSION_CHUNK_BYTES;
    const int flags =
        lws_write_ws_flags(LWS_WRITE_TEXT, first->sent == 0, first->sent + size == first->bytes);
    /* libwebsockets writes its frame header into the LWS_PRE bytes before the text: they are either
     * the headroom or what was sent already */
    uint8_t *at = first->memory + TASK_HEADROOM + first->sent;
    if (lws_write(wsi, at, size, (enum lws_write_protocol)flags) < (int)size) return -1;
    first->sent += size;
    if (first->sent == first->bytes) rpc_session_pop(session);
    if (session->is_held && session->out_bytes <= SESSION_PUSH_BYTES_MAX) {
        session->is_held = false;
        lws_rx_flow_control(wsi, 1);
    }
    if (session->out != NULL) lws_callback_on_writable(wsi);
    return 0;
}

int rpc_websocket_callback(struct service *service, struct session *session, struct lws *wsi,
                           enum lws_callback_reasons reason, void *in, size_t size) {
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        session->is_open = false; /* the memory is new */
        rpc_session_open(service, session, wsi, true);
        return 0;
    case LWS_CALLBACK_RECEIVE: return on_receive(service, session, wsi, in, size);
    case LWS_CALLBACK_SERVER_WRITEABLE: return on_writable(session, wsi);
    case LWS_CALLBACK_CLOSED:
        if (session != NULL) rpc_session_close(service, session);
        return 0;
    default: return 0;
    }
}
