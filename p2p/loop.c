#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "p2p/p2p_internal.h"
#include "threads/clock.h"

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44 /* newer than the C library's header */
#endif

#define SOCKET_SEND_BYTES (256 << 10) /* what waits in the kernel cannot be overtaken by a vote */
#define ACCEPTS_MAX       16

struct poll_set {
    struct pollfd fds[P2P_CONNECTIONS_MAX + 2];
    struct p2p_connection *connections[P2P_CONNECTIONS_MAX + 2];
    nfds_t count;
};

static void set_options(int fd) {
    const int on = 1;
    const int retry_ms = P2P_RETRY_MS_MAX, silent_ms = P2P_SILENT_MS_MAX;
    const int send_bytes = SOCKET_SEND_BYTES;
    /* Without these it is slower, not wrong. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* After an outage the kernel tries again ever more seldom, up to every two minutes.  Linux 6.15
     * lets us bound that; where it cannot, a connection that is silent for so long is made anew. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, &retry_ms, sizeof retry_ms);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent_ms, sizeof silent_ms);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
}

/* origin_of tells callers apart by their IPv4 address, or by the network of their IPv6 address, of
 * which one machine has as many as it likes. */
static uint64_t origin_of(const struct sockaddr_storage *from) {
    if (from->ss_family == AF_INET) {
        return ntohl(((const struct sockaddr_in *)from)->sin_addr.s_addr);
    }
    if (from->ss_family != AF_INET6) return 0;
    const uint8_t *bytes = ((const struct sockaddr_in6 *)from)->sin6_addr.s6_addr;
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (memcmp(bytes, mapped, sizeof mapped) == 0) return be_read(bytes + 12, 4);
    return be_read(bytes, 8);
}

static void accept_all(struct p2p *p2p) {
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
        socklen_t size = sizeof from;
        const int fd =
            accept4(p2p->listen_fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            const bool is_short =
                errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
            if (is_short) p2p->accept_at_ms = monotonic_ms() + P2P_SHORT_MS;
            return;
        }
        set_options(fd);
        (void)p2p_connection_new(p2p, fd, false, origin_of(&from));
    }
}

static void dial_failed(struct p2p_link *link, uint64_t now_ms) {
    link->dial_at_ms = now_ms + link->backoff_ms;
    link->backoff_ms *= 2;
    if (link->backoff_ms > P2P_BACKOFF_MS_MAX) link->backoff_ms = P2P_BACKOFF_MS_MAX;
}

static void dial(struct p2p *p2p, size_t index, uint64_t now_ms) {
    struct p2p_link *link = &p2p->links[index];
    struct p2p_endpoint endpoint = {0};
    switch (p2p_resolver_ask(p2p->resolver, index, link->peer.host, link->peer.port, &endpoint)) {
    case P2P_RESOLVER_PENDING: return;
    case P2P_RESOLVER_FAILED: dial_failed(link, now_ms); return;
    case P2P_RESOLVER_FOUND: break;
    }
    const int fd =
        socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        dial_failed(link, now_ms);
        return;
    }
    set_options(fd);
    if (connect(fd, (const struct sockaddr *)&endpoint.address, endpoint.address_bytes) != 0 &&
        errno != EINPROGRESS) {
        (void)close(fd);
        dial_failed(link, now_ms);
        return;
    }
    struct p2p_connection *connection = p2p_connection_new(p2p, fd, true, 0);
    connection->link = link;
    link->dialing = connection;
}

static void dial_due(struct p2p *p2p, uint64_t now_ms) {
    for (size_t i = 0; i < P2P_PEERS_MAX; i++) {
        const struct p2p_link *link = &p2p->links[i];
        if (!link->in_use || link->peer.host[0] == 0) continue;
        if (link->open != NULL || link->dialing != NULL) continue;
        if (now_ms >= link->dial_at_ms) dial(p2p, i, now_ms);
    }
}

static void poll_add(struct poll_set *set, int fd, short events,
                     struct p2p_connection *connection) {
    CHECK(set->count < sizeof set->fds / sizeof *set->fds);
    set->fds[set->count] = (struct pollfd){.fd = fd, .events = events};
    set->connections[set->count] = connection;
    set->count += 1;
}

/* prepare sends what can be sent and collects what to wait for. */
static void prepare(struct p2p *p2p, struct poll_set *set, bool is_stopping) {
    set->count = 0;
    poll_add(set, p2p->wake_fd, POLLIN, NULL);
    const uint64_t now_ms = monotonic_ms();
    const bool accepts = !is_stopping && now_ms >= p2p->accept_at_ms;
    poll_add(set, accepts ? p2p->listen_fd : -1, POLLIN, NULL);
    for (size_t i = 0; i < p2p->connections_used; i++) {
        struct p2p_connection *connection = &p2p->connections[i];
        if (connection->state == P2P_CONNECTION_FREE) continue;
        if (!p2p_connection_timers(p2p, connection, now_ms)) continue;
        short events = POLLOUT;
        if (connection->state != P2P_CONNECTION_DIALING) {
            if (!p2p_connection_write(p2p, connection)) continue;
            events = p2p_connection_has_output(connection) ? POLLOUT : 0;
            const bool listens = connection->state != P2P_CONNECTION_LAST_WORDS;
            if (listens && p2p_connection_may_read(p2p, connection, now_ms)) events |= POLLIN;
        }
        poll_add(set, connection->fd, events, connection);
    }
}

static void serve(struct p2p *p2p, const struct poll_set *set, bool is_stopping) {
    if (set->fds[0].revents != 0) {
        uint64_t wakes;
        const ssize_t got = read(p2p->wake_fd, &wakes, sizeof wakes);
        CHECK(got == (ssize_t)sizeof wakes || errno == EAGAIN);
    }
    for (nfds_t i = 2; i < set->count; i++) {
        struct p2p_connection *connection = set->connections[i];
        const short revents = set->fds[i].revents;
        /* An earlier one's message may have closed this one, and its place may be taken anew. */
        if (revents == 0 || connection->state == P2P_CONNECTION_FREE) continue;
        if (connection->fd != set->fds[i].fd) continue;
        if (connection->state == P2P_CONNECTION_DIALING) {
            (void)p2p_connection_dialed(p2p, connection);
        } else if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            (void)p2p_connection_read(p2p, connection);
        }
    }
    if (set->fds[1].revents != 0 && !is_stopping) accept_all(p2p);
}

static bool has_unsent(struct p2p *p2p) {
    bool unsent = false;
    p2p_lock(p2p);
    for (size_t i = 0; i < P2P_LINKS_MAX; i++) {
        const struct p2p_link *link = &p2p->links[i];
        if (!link->in_use || link->open == NULL) continue;
        unsent |= p2p_connection_has_output(link->open);
        for (size_t lane = 0; lane < P2P_LANE_COUNT; lane++) {
            unsent |= link->lanes[lane].count > 0 || link->sending[lane].size > 0;
        }
    }
    p2p_unlock(p2p);
    return unsent;
}

/* drain waits until the others have closed, too: closing with unread input would take back what was
 * sent last. */
static void drain(struct p2p *p2p, uint64_t deadline_ms) {
    for (size_t i = 0; i < P2P_LINKS_MAX; i++) {
        const struct p2p_link *link = &p2p->links[i];
        if (link->in_use && link->open != NULL) (void)shutdown(link->open->fd, SHUT_WR);
    }
    for (size_t i = 0; i < P2P_LINKS_MAX; i++) {
        const struct p2p_link *link = &p2p->links[i];
        if (!link->in_use || link->open == NULL) continue;
        for (uint64_t now_ms = monotonic_ms(); now_ms < deadline_ms; now_ms = monotonic_ms()) {
            struct pollfd fd = {.fd = link->open->fd, .events = POLLIN};
            if (poll(&fd, 1, (int)(deadline_ms - now_ms)) <= 0) break;
            if (recv(fd.fd, link->open->in, sizeof link->open->in, MSG_DONTWAIT) <= 0) break;
        }
    }
}

void *p2p_loop(void *argument) {
    struct p2p *p2p = argument;
    struct poll_set set;
    uint64_t stop_ms = UINT64_MAX;
    for (;;) {
        p2p_lock(p2p);
        const bool is_stopping = p2p->is_stopping;
        p2p_unlock(p2p);
        if (is_stopping && stop_ms == UINT64_MAX) stop_ms = monotonic_ms() + P2P_STOP_MS;
        if (is_stopping && (monotonic_ms() >= stop_ms || !has_unsent(p2p))) break;
        if (!is_stopping) {
            p2p_links_apply(p2p);
            p2p_guests_reap(p2p);
            dial_due(p2p, monotonic_ms());
        }
        prepare(p2p, &set, is_stopping);
        const int ready = poll(set.fds, set.count, P2P_TICK_MS);
        CHECK(ready >= 0 || errno == EINTR);
        if (ready > 0) serve(p2p, &set, is_stopping);
    }
    drain(p2p, stop_ms);
    for (size_t i = 0; i < P2P_LINKS_MAX; i++) {
        if (p2p->links[i].in_use) p2p_link_release(p2p, &p2p->links[i]);
    }
    for (size_t i = 0; i < p2p->connections_used; i++) {
        struct p2p_connection *connection = &p2p->connections[i];
        if (connection->state != P2P_CONNECTION_FREE) p2p_connection_close(p2p, connection);
    }
    return NULL;
}
