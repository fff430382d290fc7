#include "p2p/p2p.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "p2p/p2p_internal.h"
#include "pages/pages.h"

#define SILENCE_MS_DEFAULT   10000
#define RECEIVE_RATE_DEFAULT (64u << 20)
#define LISTEN_BACKLOG       64

static const uint32_t LANE_BYTES_DEFAULT[P2P_LANE_COUNT] = {
    [P2P_LANE_CONSENSUS] = 16u << 20,
    [P2P_LANE_ITEMS] = 8u << 20,
    [P2P_LANE_SYNC] = 16u << 20,
};

void p2p_lock(struct p2p *p2p) {
    CHECK(pthread_mutex_lock(&p2p->lock) == 0);
}

void p2p_unlock(struct p2p *p2p) {
    CHECK(pthread_mutex_unlock(&p2p->lock) == 0);
}

static void wake(struct p2p *p2p) {
    const uint64_t one = 1;
    const ssize_t written = write(p2p->wake_fd, &one, sizeof one);
    CHECK(written == (ssize_t)sizeof one || errno == EAGAIN); /* EAGAIN: it is awake */
}

static enum err listen_error(int failure) {
    switch (failure) {
    case EADDRINUSE: return ERR_ADDRESS_IN_USE;
    case EACCES: return ERR_PERMISSION;
    default: return ERR_SYSTEM;
    }
}

/* listen_on opens the listening socket.  ERR_SYSTEM also when the host is no address of ours. */
static enum err listen_on(const char *host, uint16_t port, int *out) {
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, service, &hints, &found) != 0) return ERR_SYSTEM;
    enum err err = ERR_SYSTEM;
    const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) goto done;
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        err = listen_error(errno);
        (void)close(fd);
        goto done;
    }
    *out = fd;
    err = ERR_OK;
done:
    freeaddrinfo(found);
    return err;
}

static void set_defaults(struct p2p_config *config) {
    for (size_t lane = 0; lane < P2P_LANE_COUNT; lane++) {
        if (config->lane_bytes_max[lane] == 0) {
            config->lane_bytes_max[lane] = LANE_BYTES_DEFAULT[lane];
        }
    }
    if (config->silence_ms == 0) config->silence_ms = SILENCE_MS_DEFAULT;
    if (config->receive_bytes_per_second_max == 0) {
        config->receive_bytes_per_second_max = RECEIVE_RATE_DEFAULT;
    }
}

static void destroy(struct p2p *p2p) {
    if (p2p->resolver != NULL) p2p_resolver_stop(p2p->resolver);
    if (p2p->listen_fd >= 0) (void)close(p2p->listen_fd);
    if (p2p->wake_fd >= 0) (void)close(p2p->wake_fd);
    pages_release(p2p->connections, P2P_CONNECTIONS_MAX * sizeof *p2p->connections);
    CHECK(pthread_mutex_destroy(&p2p->lock) == 0);
    free(p2p);
}

static enum err open_all(struct p2p *p2p) {
    const struct p2p_config *config = &p2p->config;
    TRY(ed25519_init());
    if (config->listen_port != 0) {
        TRY(listen_on(config->listen_host, config->listen_port, &p2p->listen_fd));
    }
    p2p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (p2p->wake_fd < 0) return ERR_SYSTEM;
    static_assert(_Alignof(struct p2p_connection) <= 4096, "pages are aligned enough");
    void *pages = pages_reserve(P2P_CONNECTIONS_MAX * sizeof *p2p->connections);
    if (pages == NULL) return ERR_MEMORY;
    p2p->connections = pages;
    return p2p_resolver_start(&p2p->resolver);
}

enum err p2p_start(const struct p2p_config *config, struct p2p **out) {
    CHECK(config->events.message != NULL);
    CHECK(config->events.connected != NULL);
    CHECK(config->guests_max <= P2P_GUESTS_MAX);
    CHECK(config->guests_max == 0 || config->events.guest_message != NULL);
    CHECK(config->guests_max == 0 || config->events.guest_connected != NULL);
    struct p2p *p2p = calloc(1, sizeof *p2p);
    if (p2p == NULL) return ERR_MEMORY;
    p2p->config = *config;
    p2p->listen_fd = -1;
    p2p->wake_fd = -1;
    set_defaults(&p2p->config);
    CHECK(pthread_mutex_init(&p2p->lock, NULL) == 0);
    const enum err err = open_all(p2p);
    if (err != ERR_OK) {
        destroy(p2p);
        return err;
    }
    if (pthread_create(&p2p->thread, NULL, p2p_loop, p2p) != 0) {
        destroy(p2p);
        return ERR_SYSTEM;
    }
    *out = p2p;
    return ERR_OK;
}

void p2p_stop(struct p2p *p2p) {
    p2p_lock(p2p);
    p2p->is_stopping = true;
    p2p_unlock(p2p);
    wake(p2p);
    CHECK(pthread_join(p2p->thread, NULL) == 0);
    destroy(p2p);
}

void p2p_set_peers(struct p2p *p2p, const struct p2p_peer *peers, size_t count) {
    CHECK(count <= P2P_PEERS_MAX);
    p2p_lock(p2p);
    if (count > 0) memcpy(p2p->wanted, peers, count * sizeof *peers);
    p2p->wanted_count = count;
    p2p->has_wanted = true;
    p2p_unlock(p2p);
    wake(p2p);
}

/* push queues for one link; the lock is held. */
static void push(struct p2p *p2p, struct p2p_link *link, enum p2p_lane lane, struct bytes message) {
    const uint32_t dropped = p2p_lane_push(&link->lanes[lane], message);
    if (dropped > 0) atomic_fetch_add(&p2p->tallies.messages_dropped, dropped);
}

void p2p_queue(struct p2p *p2p, const struct hash32 *peer, enum p2p_lane lane,
               struct bytes message) {
    CHECK(message.size > 0 && message.size <= P2P_MESSAGE_BYTES_MAX);
    p2p_lock(p2p);
    struct p2p_link *link = p2p_link_find(p2p, peer);
    if (link != NULL && link->is_connected) push(p2p, link, lane, message);
    p2p_unlock(p2p);
}

void p2p_queue_all(struct p2p *p2p, enum p2p_lane lane, struct bytes message,
                   const struct hash32 *except) {
    CHECK(message.size > 0 && message.size <= P2P_MESSAGE_BYTES_MAX);
    p2p_lock(p2p);
    for (size_t i = 0; i < P2P_PEERS_MAX; i++) { /* guests stand behind them */
        struct p2p_link *link = &p2p->links[i];
        if (!link->in_use || !link->is_connected) continue;
        if (except != NULL && hash_equal(&link->peer.id, except)) continue;
        push(p2p, link, lane, message);
    }
    p2p_unlock(p2p);
}

void p2p_flush(struct p2p *p2p) {
    wake(p2p);
}

void p2p_send(struct p2p *p2p, const struct hash32 *peer, enum p2p_lane lane,
              struct bytes message) {
    p2p_queue(p2p, peer, lane, message);
    wake(p2p);
}

void p2p_send_guests(struct p2p *p2p, enum p2p_lane lane, struct bytes message) {
    CHECK(message.size > 0 && message.size <= P2P_MESSAGE_BYTES_MAX);
    p2p_lock(p2p);
    bool is_any = false;
    for (size_t i = P2P_PEERS_MAX; i < P2P_LINKS_MAX; i++) {
        struct p2p_link *link = &p2p->links[i];
        if (!link->in_use || !link->is_connected) continue;
        push(p2p, link, lane, message);
        is_any = true;
    }
    p2p_unlock(p2p);
    if (is_any) wake(p2p);
}

struct p2p_counters p2p_counters(struct p2p *p2p) {
    const struct p2p_tallies *tallies = &p2p->tallies;
    return (struct p2p_counters){
        .peers_connected = (uint32_t)atomic_load(&tallies->peers_connected),
        .guests_connected = (uint32_t)atomic_load(&tallies->guests_connected),
        .messages_sent = atomic_load(&tallies->messages_sent),
        .messages_received = atomic_load(&tallies->messages_received),
        .bytes_sent = atomic_load(&tallies->bytes_sent),
        .bytes_received = atomic_load(&tallies->bytes_received),
        .messages_dropped = atomic_load(&tallies->messages_dropped),
        .handshakes_refused = atomic_load(&tallies->handshakes_refused),
        .records_bad = atomic_load(&tallies->records_bad),
    };
}

size_t p2p_connected(struct p2p *p2p, struct hash32 *out, size_t max) {
    size_t count = 0;
    p2p_lock(p2p);
    for (size_t i = 0; i < P2P_PEERS_MAX && count < max; i++) {
        const struct p2p_link *link = &p2p->links[i];
        if (link->in_use && link->is_connected) out[count++] = link->peer.id;
    }
    p2p_unlock(p2p);
    return count;
}
