#include <stdlib.h>

#include "rpc/server.h"
#include "threads/clock.h"

#define HEIGHT_HEADER      "baton-height:"
#define HEIGHT_DIGITS_MAX  20
#define HEIGHT_WAIT_MS_MAX 1000

uint64_t rpc_height(struct rpc *rpc) {
    const struct rpc_backend *backend = &rpc->config.backend;
    struct rpc_view *view;
    struct rpc_tags tags;
    if (backend->view_open(backend->context, &view) != ERR_OK) return 0;
    backend->tags(view, &tags);
    backend->view_close(view);
    uint64_t known = atomic_load(&rpc->height_known);
    while (known < tags.latest &&
           !atomic_compare_exchange_weak(&rpc->height_known, &known, tags.latest)) {
    }
    return tags.latest;
}

void rpc_height_read(struct session *session, struct lws *wsi) {
    char text[HEIGHT_DIGITS_MAX + 1];
    session->has_height = false;
    const int name_bytes = (int)sizeof HEIGHT_HEADER - 1;
    if (lws_hdr_custom_length(wsi, HEIGHT_HEADER, name_bytes) <= 0) return;
    if (lws_hdr_custom_copy(wsi, text, sizeof text, HEIGHT_HEADER, name_bytes) <= 0) return;
    char *end;
    session->height = strtoull(text, &end, 10);
    session->has_height = *end == '\0';
}

bool rpc_height_is_here(struct rpc *rpc, const struct session *session) {
    if (!session->has_height || session->height == 0) return true;
    /* blocks do not go away: what was seen once need not be looked up */
    return atomic_load(&rpc->height_known) >= session->height || rpc_height(rpc) >= session->height;
}

void rpc_height_wait(struct service *service, struct session *session) {
    session->is_behind = true;
    session->behind_until_ms = monotonic_ms() + HEIGHT_WAIT_MS_MAX;
    atomic_fetch_add(&service->behind_count, 1);
}

void rpc_height_forget(struct service *service, struct session *session) {
    if (!session->is_behind) return;
    session->is_behind = false;
    atomic_fetch_sub(&service->behind_count, 1);
}

void rpc_height_wake(struct rpc *rpc) {
    /* also while the threads are started: who does not run yet has no session that waits */
    for (unsigned i = 0; i < rpc->config.threads; i++) {
        struct service *service = &rpc->services[i];
        if (atomic_load(&service->behind_count) != 0) lws_cancel_service(service->context);
    }
}

void rpc_height_go_on(struct service *service) {
    if (atomic_load(&service->behind_count) == 0) return;
    const uint64_t height = rpc_height(service->rpc);
    const uint64_t now_ms = monotonic_ms();
    struct session *next;
    for (struct session *session = service->sessions; session != NULL; session = next) {
        next = session->next;
        if (!session->is_behind) continue;
        if (height < session->height && now_ms < session->behind_until_ms) continue;
        rpc_height_forget(service, session);
        rpc_http_go_on(service, session, height >= session->height);
    }
}
