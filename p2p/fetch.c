#include "p2p/fetch.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "p2p/p2p_internal.h"
#include "threads/clock.h"

struct p2p_fetch {
    int fd;
    uint64_t timeout_ms;
    struct ed25519_key key;
    struct p2p_session session;
    size_t in_size;
    size_t message_size;
    bool is_message_done;
    uint8_t in[P2P_IN_BYTES];
    uint8_t message[P2P_MESSAGE_BYTES_MAX];
};

/* wait_for waits for the socket; ERR_TIMEOUT. */
static enum err wait_for(const struct p2p_fetch *fetch, short events, uint64_t until_ms) {
    for (;;) {
        const uint64_t now_ms = monotonic_ms();
        if (now_ms >= until_ms) return ERR_TIMEOUT;
        struct pollfd fd = {.fd = fetch->fd, .events = events};
        const int ready = poll(&fd, 1, (int)(until_ms - now_ms));
        if (ready > 0) return ERR_OK;
        if (ready < 0 && errno != EINTR) return ERR_SYSTEM;
    }
}

static enum err send_all(const struct p2p_fetch *fetch, struct bytes bytes) {
    const uint64_t until_ms = monotonic_ms() + fetch->timeout_ms;
    while (bytes.size > 0) {
        TRY(wait_for(fetch, POLLOUT, until_ms));
        const ssize_t sent = send(fetch->fd, bytes.data, bytes.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (sent <= 0) return ERR_NETWORK;
        bytes = bytes_slice(bytes, (size_t)sent, bytes.size);
    }
    return ERR_OK;
}

static enum err connect_one(struct p2p_fetch *fetch, const struct addrinfo *to) {
    fetch->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fetch->fd < 0) return ERR_SYSTEM;
    int failure = 0;
    socklen_t size = sizeof failure;
    enum err err = ERR_OK;
    if (connect(fetch->fd, to->ai_addr, to->ai_addrlen) != 0) {
        err = errno == EINPROGRESS ? wait_for(fetch, POLLOUT, monotonic_ms() + fetch->timeout_ms)
                                   : ERR_NETWORK;
    }
    if (err == ERR_OK &&
        (getsockopt(fetch->fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0)) {
        err = ERR_NETWORK;
    }
    if (err == ERR_OK) return ERR_OK;
    (void)close(fetch->fd);
    fetch->fd = -1;
    return err;
}

static enum err connect_any(struct p2p_fetch *fetch, const char *host, uint16_t port) {
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port);
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, service, &hints, &found) != 0) return ERR_NOT_FOUND;
    enum err err = ERR_NETWORK;
    for (const struct addrinfo *to = found; to != NULL && err != ERR_OK; to = to->ai_next)
        err = connect_one(fetch, to);
    freeaddrinfo(found);
    return err;
}

/* take_record adds a part to the message at hand.  ERR_ENCODING: it is not as it must be. */
static enum err take_record(struct p2p_fetch *fetch, const struct p2p_record *record) {
    if (record->kind == P2P_RECORD_PING) return ERR_OK;
    const uint8_t part = record->kind & 0xf0;
    if (part != P2P_RECORD_MORE && part != P2P_RECORD_LAST) return ERR_ENCODING;
    if (record->payload.size > sizeof fetch->message - fetch->message_size) return ERR_LIMIT;
    memcpy(fetch->message + fetch->message_size, record->payload.data, record->payload.size);
    fetch->message_size += record->payload.size;
    fetch->is_message_done = part == P2P_RECORD_LAST;
    return ERR_OK;
}

static enum err result_error(enum p2p_session_result result) {
    switch (result) {
    case P2P_SESSION_BAD_AUTH: return ERR_SIGNATURE;
    case P2P_SESSION_OTHER_CHAIN: return ERR_MISMATCH;
    case P2P_SESSION_NOT_HELLO:
    case P2P_SESSION_BAD_RECORD: return ERR_ENCODING;
    default: return ERR_OK;
    }
}

/* consume takes what is whole off the input, until a message is complete. */
static enum err consume(struct p2p_fetch *fetch) {
    size_t at = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK && !fetch->is_message_done) {
        uint8_t room[P2P_HANDSHAKE_BYTES_MAX];
        struct buffer out = buffer_over(room, sizeof room);
        struct p2p_record record;
        size_t consumed = 0;
        const enum p2p_session_result result = p2p_session_receive(
            &fetch->session, fetch->in + at, fetch->in_size - at, &consumed, &record, &out);
        at += consumed;
        if (result == P2P_SESSION_WAIT) break;
        err = result_error(result);
        if (err == ERR_OK && out.size > 0) err = send_all(fetch, buffer_bytes(&out));
        if (err == ERR_OK && result == P2P_SESSION_RECORD) err = take_record(fetch, &record);
        if (result == P2P_SESSION_ESTABLISHED) break;
    }
    fetch->in_size -= at;
    memmove(fetch->in, fetch->in + at, fetch->in_size);
    return err;
}

static enum err receive_some(struct p2p_fetch *fetch, uint64_t until_ms) {
    TRY(wait_for(fetch, POLLIN, until_ms));
    const ssize_t got = recv(fetch->fd, fetch->in + fetch->in_size,
                             sizeof fetch->in - fetch->in_size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return ERR_OK;
    if (got <= 0) return ERR_REFUSED; /* it closed the connection */
    fetch->in_size += (size_t)got;
    return ERR_OK;
}

static enum err shake_hands(struct p2p_fetch *fetch, const struct hash32 *expected) {
    uint8_t room[P2P_HELLO_BYTES];
    uint8_t seed[32];
    struct buffer out = buffer_over(room, sizeof room);
    randombytes_buf(seed, sizeof seed);
    fetch->key = ed25519_key_from_seed(seed);
    p2p_session_call(&fetch->session, &fetch->key, expected, &out);
    TRY(send_all(fetch, buffer_bytes(&out)));
    const uint64_t until_ms = monotonic_ms() + fetch->timeout_ms;
    while (fetch->session.state != P2P_SESSION_OPEN) {
        TRY(receive_some(fetch, until_ms));
        TRY(consume(fetch));
    }
    return ERR_OK;
}

enum err p2p_fetch_open(const char *host, uint16_t port, const struct hash32 *expected,
                        uint64_t timeout_ms, struct p2p_fetch **out, char error[256]) {
    struct p2p_fetch *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL) return ERR_MEMORY;
    fetch->fd = -1;
    fetch->timeout_ms = timeout_ms;
    enum err err = connect_any(fetch, host, port);
    if (err != ERR_OK) {
        (void)snprintf(error, 256, "cannot connect to %.150s port %u: %s", host, port,
                       err_text(err));
    } else {
        err = shake_hands(fetch, expected);
        const char *what = err == ERR_SIGNATURE  ? "another peer answers there"
                           : err == ERR_ENCODING ? "what answers there is no Baton p2p port"
                           : err == ERR_REFUSED  ? "it closed the connection"
                                                 : err_text(err);
        if (err != ERR_OK) (void)snprintf(error, 256, "%.150s port %u: %s", host, port, what);
    }
    if (err == ERR_OK) {
        *out = fetch;
    } else {
        p2p_fetch_close(fetch);
    }
    return err;
}

void p2p_fetch_close(struct p2p_fetch *fetch) {
    if (fetch == NULL) return;
    if (fetch->fd >= 0) (void)close(fetch->fd);
    p2p_session_end(&fetch->session);
    sodium_memzero(&fetch->key, sizeof fetch->key);
    free(fetch);
}

const struct hash32 *p2p_fetch_peer(const struct p2p_fetch *fetch) {
    return &fetch->session.peer;
}

enum err p2p_fetch_send(struct p2p_fetch *fetch, struct bytes message) {
    static const uint8_t kind = (uint8_t)(P2P_RECORD_LAST + (int)P2P_LANE_SYNC);
    uint8_t room[P2P_RECORD_BYTES_MAX];
    struct buffer out = buffer_over(room, sizeof room);
    if (message.size > P2P_RECORD_PAYLOAD_MAX) return ERR_LIMIT;
    p2p_session_seal(&fetch->session, kind, message, &out);
    return send_all(fetch, buffer_bytes(&out));
}

enum err p2p_fetch_receive(struct p2p_fetch *fetch, struct bytes *message) {
    const uint64_t until_ms = monotonic_ms() + fetch->timeout_ms;
    fetch->message_size = 0;
    fetch->is_message_done = false;
    for (;;) {
        TRY(consume(fetch)); /* what is here already */
        if (fetch->is_message_done) break;
        TRY(receive_some(fetch, until_ms));
    }
    *message = (struct bytes){fetch->message, fetch->message_size};
    return ERR_OK;
}
