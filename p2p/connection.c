#include <errno.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include "p2p/p2p_internal.h"
#include "pages/pages.h"
#include "threads/clock.h"

#define READS_MAX  8 /* per wake-up, so that one loud peer does not silence the others */
#define WRITES_MAX 8

static void count(atomic_uint_fast64_t *tally, uint64_t amount) {
    atomic_fetch_add_explicit(tally, amount, memory_order_relaxed);
}

static bool is_pending(const struct p2p_connection *connection) {
    return connection->state != P2P_CONNECTION_FREE && connection->link == NULL;
}

static size_t pending_of(const struct p2p *p2p, uint64_t origin) {
    size_t count = 0;
    for (size_t i = 0; i < p2p->connections_used; i++) {
        const struct p2p_connection *connection = &p2p->connections[i];
        count += is_pending(connection) && connection->origin == origin;
    }
    return count;
}

/* make_room frees, when there are too many, the inbound connection that has been unproved for the
 * longest of the origin that has most of them: who opens hundreds pushes out its own. */
static void make_room(struct p2p *p2p) {
    struct p2p_connection *oldest = NULL;
    size_t pending_count = 0, crowd = 0;
    for (size_t i = 0; i < p2p->connections_used; i++)
        pending_count += is_pending(&p2p->connections[i]);
    if (pending_count < P2P_PENDING_MAX) return;
    for (size_t i = 0; i < p2p->connections_used; i++) {
        struct p2p_connection *connection = &p2p->connections[i];
        if (!is_pending(connection)) continue;
        const size_t alike = pending_of(p2p, connection->origin);
        const bool is_older = oldest != NULL && connection->deadline_ms < oldest->deadline_ms;
        if (alike < crowd || (alike == crowd && !is_older)) continue;
        crowd = alike;
        oldest = connection;
    }
    count(&p2p->tallies.handshakes_refused, 1);
    p2p_connection_close(p2p, oldest);
}

struct p2p_connection *p2p_connection_new(struct p2p *p2p, int fd, bool is_initiator,
                                          uint64_t origin) {
    if (!is_initiator) make_room(p2p);
    struct p2p_connection *connection = NULL;
    for (size_t i = 0; i < P2P_CONNECTIONS_MAX && connection == NULL; i++) {
        if (p2p->connections[i].state == P2P_CONNECTION_FREE) connection = &p2p->connections[i];
    }
    CHECK(connection != NULL); /* a link has at most two, and pending ones are limited */
    const size_t used = (size_t)(connection - p2p->connections) + 1;
    if (used > p2p->connections_used) p2p->connections_used = used;
    const uint64_t now_ms = monotonic_ms();
    connection->state = is_initiator ? P2P_CONNECTION_DIALING : P2P_CONNECTION_HANDSHAKE;
    connection->fd = fd;
    connection->is_initiator = is_initiator;
    connection->origin = origin;
    connection->link = NULL;
    connection->deadline_ms = now_ms + P2P_HANDSHAKE_MS;
    connection->received_ms = connection->sent_ms = connection->opened_ms = now_ms;
    connection->budget_bytes = p2p->config.receive_bytes_per_second_max;
    connection->budget_ms = now_ms;
    connection->in_size = connection->out_size = connection->out_sent = 0;
    if (!is_initiator) {
        struct buffer none = buffer_over(connection->out, 0);
        p2p_session_begin(&connection->session, &p2p->config.key, &p2p->config.chain_digest, NULL,
                          &none);
    }
    return connection;
}

/* back_off says when the link is dialed again. */
static void back_off(struct p2p_link *link, uint64_t lasted_ms) {
    if (lasted_ms >= P2P_STABLE_MS) link->backoff_ms = P2P_BACKOFF_MS_MIN;
    const uint64_t jitter = randombytes_uniform((uint32_t)(link->backoff_ms / 2 + 1));
    link->dial_at_ms = monotonic_ms() + link->backoff_ms * 3 / 4 + jitter;
    link->backoff_ms *= 2;
    if (link->backoff_ms > P2P_BACKOFF_MS_MAX) link->backoff_ms = P2P_BACKOFF_MS_MAX;
}

void p2p_connection_close(struct p2p *p2p, struct p2p_connection *connection) {
    CHECK(connection->state != P2P_CONNECTION_FREE);
    struct p2p_link *link = connection->link;
    const bool was_open = link != NULL && link->open == connection;
    CHECK(close(connection->fd) == 0 || errno != EBADF);
    p2p_session_end(&connection->session);
    connection->state = P2P_CONNECTION_FREE;
    connection->link = NULL;
    if (link == NULL) return;
    if (link->dialing == connection) link->dialing = NULL;
    back_off(link, was_open ? monotonic_ms() - connection->opened_ms : 0);
    if (!was_open) return;

    link->open = NULL;
    for (size_t lane = 0; lane < P2P_LANE_COUNT; lane++) {
        pages_forget(link->sending[lane].data, 0, P2P_MESSAGE_BYTES_MAX);
        pages_forget(link->receiving[lane].data, 0, P2P_MESSAGE_BYTES_MAX);
    }
    p2p_lock(p2p);
    link->is_connected = false;
    for (size_t lane = 0; lane < P2P_LANE_COUNT; lane++)
        p2p_lane_clear(&link->lanes[lane]);
    p2p_unlock(p2p);
    p2p_link_tell(p2p, link, false);
}

bool p2p_connection_dialed(struct p2p *p2p, struct p2p_connection *connection) {
    int failure = 0;
    socklen_t size = sizeof failure;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0) {
        p2p_connection_close(p2p, connection);
        return false;
    }
    struct buffer out = buffer_over(connection->out, sizeof connection->out);
    p2p_session_begin(&connection->session, &p2p->config.key, &p2p->config.chain_digest,
                      &connection->link->peer.id, &out);
    connection->out_size = out.size;
    connection->state = P2P_CONNECTION_HANDSHAKE;
    return p2p_connection_write(p2p, connection);
}

static void seal(struct p2p_connection *connection, uint8_t kind, struct bytes payload) {
    struct buffer out = buffer_over(connection->out, sizeof connection->out);
    out.size = connection->out_size;
    p2p_session_seal(&connection->session, kind, payload, &out);
    CHECK(!out.overflow);
    connection->out_size = out.size;
}

static bool refuse(struct p2p *p2p, struct p2p_connection *connection) {
    count(&p2p->tallies.handshakes_refused, 1);
    p2p_connection_close(p2p, connection);
    return false;
}

/* on_established: the session is open; whether the peer is one of ours is decided here. */
static bool on_established(struct p2p *p2p, struct p2p_connection *connection) {
    if (connection->is_initiator) {
        connection->state = P2P_CONNECTION_UNPROVED; /* until its first record says we are let in */
        return true;
    }
    struct p2p_link *link = p2p_link_find(p2p, &connection->session.peer);
    /* Who knows no chain yet is a guest, whoever it is. */
    if (link != NULL && !link->is_guest && connection->session.is_newcomer) {
        return refuse(p2p, connection);
    }
    if (link == NULL) link = p2p_guest_admit(p2p, &connection->session.peer, connection->origin);
    if (link == NULL) return refuse(p2p, connection);
    if (!p2p_link_offer(p2p, link, connection)) {
        p2p_connection_close(p2p, connection);
        return false;
    }
    p2p_link_attach(p2p, link, connection);
    seal(connection, P2P_RECORD_PING, BYTES_EMPTY);
    return true;
}

static bool on_other_chain(struct p2p *p2p, struct p2p_connection *connection) {
    count(&p2p->tallies.handshakes_refused, 1);
    const struct p2p_link *link = p2p_link_find(p2p, &connection->session.peer);
    if (link != NULL && p2p->config.events.other_chain != NULL) {
        p2p->config.events.other_chain(p2p->config.events.context, &connection->session.peer);
    }
    connection->state = P2P_CONNECTION_LAST_WORDS;
    return p2p_connection_write(p2p, connection);
}

/* deliver adds a part to its message; the last part hands it up.  False: it is not as it must be.
 */
static bool deliver(struct p2p *p2p, struct p2p_link *link, const struct p2p_record *record) {
    const bool is_last = (record->kind & 0xf0) == P2P_RECORD_LAST;
    const size_t lane = record->kind & 0x0f;
    if (!is_last && (record->kind & 0xf0) != P2P_RECORD_MORE) return false;
    if (lane >= P2P_LANE_COUNT || record->payload.size == 0) return false;
    struct p2p_transfer *transfer = &link->receiving[lane];
    if (record->payload.size > P2P_MESSAGE_BYTES_MAX - transfer->size) return false;

    struct bytes message = record->payload;
    if (transfer->size > 0 || !is_last) {
        memcpy(transfer->data + transfer->size, message.data, message.size);
        transfer->size += message.size;
        message = (struct bytes){transfer->data, transfer->size};
    }
    if (!is_last) return true;
    count(&p2p->tallies.messages_received, 1);
    const struct p2p_events *events = &p2p->config.events;
    (link->is_guest ? events->guest_message : events->message)(events->context, &link->peer.id,
                                                               message);
    if (transfer->size > P2P_ASSEMBLY_KEEP) {
        pages_forget(transfer->data, P2P_ASSEMBLY_KEEP, transfer->size);
    }
    transfer->size = 0;
    return true;
}

static bool on_record(struct p2p *p2p, struct p2p_connection *connection,
                      const struct p2p_record *record) {
    if (connection->state == P2P_CONNECTION_UNPROVED) {
        struct p2p_link *link = connection->link;
        if (link->open != NULL) p2p_connection_close(p2p, link->open);
        p2p_link_attach(p2p, link, connection);
    }
    CHECK(connection->state == P2P_CONNECTION_OPEN);
    if (record->kind == P2P_RECORD_PING && record->payload.size == 0) return true;
    if (deliver(p2p, connection->link, record)) return true;
    count(&p2p->tallies.records_bad, 1);
    p2p_connection_close(p2p, connection);
    return false;
}

static bool on_failed(struct p2p *p2p, struct p2p_connection *connection) {
    const bool is_authenticated =
        connection->state == P2P_CONNECTION_OPEN || connection->state == P2P_CONNECTION_UNPROVED;
    if (!is_authenticated) return refuse(p2p, connection);
    count(&p2p->tallies.records_bad, 1);
    p2p_connection_close(p2p, connection);
    return false;
}

/* consume takes everything that is whole off the front of `in`. */
static bool consume(struct p2p *p2p, struct p2p_connection *connection) {
    size_t at = 0;
    for (;;) {
        struct buffer out = buffer_over(connection->out, sizeof connection->out);
        out.size = connection->out_size;
        struct p2p_record record;
        size_t consumed = 0;
        const enum p2p_session_result result =
            p2p_session_receive(&connection->session, connection->in + at, connection->in_size - at,
                                &consumed, &record, &out);
        CHECK(!out.overflow);
        connection->out_size = out.size;
        at += consumed;
        bool goes_on = true;
        switch (result) {
        case P2P_SESSION_WAIT:
            connection->in_size -= at;
            memmove(connection->in, connection->in + at, connection->in_size);
            return true;
        case P2P_SESSION_PROGRESS: break;
        case P2P_SESSION_ESTABLISHED: goes_on = on_established(p2p, connection); break;
        case P2P_SESSION_RECORD: goes_on = on_record(p2p, connection, &record); break;
        case P2P_SESSION_OTHER_CHAIN: return on_other_chain(p2p, connection);
        case P2P_SESSION_NOT_HELLO:
        case P2P_SESSION_BAD_AUTH:
        case P2P_SESSION_BAD_RECORD: return on_failed(p2p, connection);
        }
        if (!goes_on) return false;
    }
}

bool p2p_connection_read(struct p2p *p2p, struct p2p_connection *connection) {
    for (int i = 0; i < READS_MAX; i++) {
        if (connection->state == P2P_CONNECTION_LAST_WORDS) return true;
        if (!p2p_connection_may_read(p2p, connection, monotonic_ms())) return true;
        const size_t room = sizeof connection->in - connection->in_size;
        CHECK(room > 0); /* a record fits twice, so whole ones were taken out before */
        const ssize_t got =
            recv(connection->fd, connection->in + connection->in_size, room, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            p2p_connection_close(p2p, connection);
            return false;
        }
        const uint64_t size = (uint64_t)got;
        connection->in_size += size;
        connection->budget_bytes -=
            size < connection->budget_bytes ? size : connection->budget_bytes;
        connection->received_ms = monotonic_ms();
        count(&p2p->tallies.bytes_received, size);
        if (!consume(p2p, connection)) return false;
        if (size < room) return true;
    }
    return true;
}

bool p2p_connection_may_read(struct p2p *p2p, struct p2p_connection *connection, uint64_t now_ms) {
    const bool is_guest = connection->link != NULL && connection->link->is_guest;
    const uint64_t rate = is_guest ? P2P_GUEST_RATE : p2p->config.receive_bytes_per_second_max;
    const uint64_t passed_ms = now_ms - connection->budget_ms;
    if (passed_ms > 0) {
        const uint64_t earned = passed_ms > 1000 ? rate : rate * passed_ms / 1000;
        connection->budget_bytes += earned;
        if (connection->budget_bytes > rate) connection->budget_bytes = rate;
        connection->budget_ms = now_ms;
    }
    return connection->budget_bytes > 0;
}

/* take_messages moves the oldest waiting message of every idle lane out of its ring. */
static void take_messages(struct p2p *p2p, struct p2p_link *link) {
    p2p_lock(p2p);
    for (size_t lane = 0; lane < P2P_LANE_COUNT; lane++) {
        struct p2p_transfer *transfer = &link->sending[lane];
        if (transfer->size > 0) continue;
        transfer->size = p2p_lane_pop(&link->lanes[lane], transfer->data, P2P_MESSAGE_BYTES_MAX);
        transfer->done = 0;
    }
    p2p_unlock(p2p);
}

/* choose_lane: consensus before all; items and sync in turn.  P2P_LANE_COUNT: nothing to send. */
static enum p2p_lane choose_lane(struct p2p_link *link) {
    if (link->sending[P2P_LANE_CONSENSUS].size > 0) return P2P_LANE_CONSENSUS;
    const enum p2p_lane turn = link->low_turn;
    const enum p2p_lane other = turn == P2P_LANE_ITEMS ? P2P_LANE_SYNC : P2P_LANE_ITEMS;
    const enum p2p_lane chosen = link->sending[turn].size > 0    ? turn
                                 : link->sending[other].size > 0 ? other
                                                                 : P2P_LANE_COUNT;
    if (chosen != P2P_LANE_COUNT) {
        link->low_turn = chosen == P2P_LANE_ITEMS ? P2P_LANE_SYNC : P2P_LANE_ITEMS;
    }
    return chosen;
}

static void send_part(struct p2p *p2p, struct p2p_connection *connection, enum p2p_lane lane) {
    struct p2p_transfer *transfer = &connection->link->sending[lane];
    const struct bytes part = bytes_slice((struct bytes){transfer->data, transfer->size},
                                          transfer->done, P2P_RECORD_PAYLOAD_MAX);
    const bool is_last = transfer->done + part.size == transfer->size;
    seal(connection, (uint8_t)((is_last ? P2P_RECORD_LAST : P2P_RECORD_MORE) + (int)lane), part);
    transfer->done += part.size;
    if (!is_last) return;
    count(&p2p->tallies.messages_sent, 1);
    if (transfer->size > P2P_ASSEMBLY_KEEP) {
        pages_forget(transfer->data, P2P_ASSEMBLY_KEEP, transfer->size);
    }
    transfer->size = 0;
}

static void fill(struct p2p *p2p, struct p2p_connection *connection) {
    if (connection->state != P2P_CONNECTION_OPEN) return;
    while (sizeof connection->out - connection->out_size >= P2P_RECORD_BYTES_MAX) {
        take_messages(p2p, connection->link);
        const enum p2p_lane lane = choose_lane(connection->link);
        if (lane == P2P_LANE_COUNT) return;
        send_part(p2p, connection, lane);
    }
}

bool p2p_connection_has_output(const struct p2p_connection *connection) {
    return connection->out_sent < connection->out_size;
}

bool p2p_connection_write(struct p2p *p2p, struct p2p_connection *connection) {
    for (int writes = 0;; writes++) {
        if (!p2p_connection_has_output(connection)) {
            connection->out_size = connection->out_sent = 0;
            fill(p2p, connection);
        }
        if (writes == WRITES_MAX) return true; /* what was filled in asks for the next turn */
        if (!p2p_connection_has_output(connection)) break;
        const ssize_t sent =
            send(connection->fd, connection->out + connection->out_sent,
                 connection->out_size - connection->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) {
            p2p_connection_close(p2p, connection);
            return false;
        }
        connection->out_sent += (size_t)sent;
        connection->sent_ms = monotonic_ms();
        count(&p2p->tallies.bytes_sent, (uint64_t)sent);
    }
    if (connection->state == P2P_CONNECTION_LAST_WORDS && !p2p_connection_has_output(connection)) {
        p2p_connection_close(p2p, connection);
        return false;
    }
    return true;
}

bool p2p_connection_timers(struct p2p *p2p, struct p2p_connection *connection, uint64_t now_ms) {
    const bool is_open = connection->state == P2P_CONNECTION_OPEN;
    const bool is_late = !is_open && now_ms >= connection->deadline_ms;
    const bool is_silent = is_open && now_ms >= connection->received_ms + p2p->config.silence_ms;
    if (is_late || is_silent) {
        p2p_connection_close(p2p, connection);
        return false;
    }
    if (is_open && now_ms >= connection->sent_ms + p2p->config.silence_ms / 4 &&
        !p2p_connection_has_output(connection)) {
        connection->out_size = connection->out_sent = 0;
        seal(connection, P2P_RECORD_PING, BYTES_EMPTY);
    }
    return true;
}
