/* Whole nodes with real sockets on the loopback: mesh, refusals, an attacker in between,
 * reconnects, lanes, and peers that are slow or silent. */
#include "p2p/p2p.h"
#include "threads/clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS      8000
#define RECORDED_MAX 4096

struct node {
    struct p2p *p2p;
    struct p2p_config config;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t received_count;
    struct {
        size_t size;
        uint32_t number;
        bool is_whole;
    } received[RECORDED_MAX];
    atomic_uint connects, disconnects, other_chains;
    bool is_blocked; /* the message callback waits: a reader that has stalled */
    bool is_waiting; /* it does so now */
};

/* A message is its number and a pattern that follows from it. */
static void make_message(uint8_t *message, size_t size, uint32_t number) {
    for (size_t i = 4; i < size; i++)
        message[i] = (uint8_t)(number + i * 7);
    be_write(message, 4, number);
}

static bool is_whole(struct bytes message, uint32_t number) {
    for (size_t i = 4; i < message.size; i++) {
        if (message.data[i] != (uint8_t)(number + i * 7)) return false;
    }
    return true;
}

static void on_message(void *context, const struct hash32 *peer, struct bytes message) {
    struct node *node = context;
    (void)peer;
    const uint32_t number = (uint32_t)be_read(message.data, 4);
    const bool whole = is_whole(message, number);
    CHECK(pthread_mutex_lock(&node->lock) == 0);
    node->is_waiting = node->is_blocked;
    while (node->is_blocked)
        CHECK(pthread_cond_wait(&node->changed, &node->lock) == 0);
    node->is_waiting = false;
    CHECK(node->received_count < RECORDED_MAX);
    node->received[node->received_count].size = message.size;
    node->received[node->received_count].number = number;
    node->received[node->received_count++].is_whole = whole;
    CHECK(pthread_cond_broadcast(&node->changed) == 0);
    CHECK(pthread_mutex_unlock(&node->lock) == 0);
}

static void on_connected(void *context, const struct hash32 *peer, bool is_connected) {
    struct node *node = context;
    (void)peer;
    atomic_fetch_add(is_connected ? &node->connects : &node->disconnects, 1);
}

static void on_other_chain(void *context, const struct hash32 *peer) {
    struct node *node = context;
    (void)peer;
    atomic_fetch_add(&node->other_chains, 1);
}

static struct node *node_new(uint8_t seed_byte, uint16_t port) {
    struct node *node = calloc(1, sizeof *node);
    CHECK(node != NULL);
    CHECK(pthread_mutex_init(&node->lock, NULL) == 0);
    CHECK(pthread_cond_init(&node->changed, NULL) == 0);
    uint8_t seed[32];
    memset(seed, seed_byte, sizeof seed);
    node->config = (struct p2p_config){
        .key = ed25519_key_from_seed(seed),
        .listen_host = "127.0.0.1",
        .listen_port = port,
        .chain_digest = {{7}},
        .events = {.context = node,
                   .message = on_message,
                   .connected = on_connected,
                   .other_chain = on_other_chain},
    };
    return node;
}

static void node_start(struct node *node) {
    CHECK(p2p_start(&node->config, &node->p2p) == ERR_OK);
}

static void node_free(struct node *node) {
    if (node->p2p != NULL) p2p_stop(node->p2p);
    CHECK(pthread_cond_destroy(&node->changed) == 0);
    CHECK(pthread_mutex_destroy(&node->lock) == 0);
    free(node);
}

static struct p2p_peer peer_of(const struct node *node, uint16_t port) {
    struct p2p_peer peer = {.id = node->config.key.public_key, .port = port};
    if (port != 0) (void)snprintf(peer.host, sizeof peer.host, "127.0.0.1");
    return peer;
}

static void set_peer(struct node *node, const struct node *other, uint16_t port) {
    const struct p2p_peer peer = peer_of(other, port);
    p2p_set_peers(node->p2p, &peer, 1);
}

/* WAIT_UNTIL polls a condition, at most WAIT_MS: a bound on the test, not a delay. */
#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        const uint64_t deadline_ = monotonic_ms() + WAIT_MS;                                       \
        while (!(condition)) {                                                                     \
            CHECK(monotonic_ms() < deadline_);                                                     \
            (void)poll(NULL, 0, 2);                                                                \
        }                                                                                          \
    } while (0)

static size_t received(struct node *node) {
    CHECK(pthread_mutex_lock(&node->lock) == 0);
    const size_t count = node->received_count;
    CHECK(pthread_mutex_unlock(&node->lock) == 0);
    return count;
}

static void set_blocked(struct node *node, bool is_blocked) {
    CHECK(pthread_mutex_lock(&node->lock) == 0);
    node->is_blocked = is_blocked;
    CHECK(pthread_cond_broadcast(&node->changed) == 0);
    CHECK(pthread_mutex_unlock(&node->lock) == 0);
}

static bool is_waiting(struct node *node) {
    CHECK(pthread_mutex_lock(&node->lock) == 0);
    const bool waiting = node->is_waiting;
    CHECK(pthread_mutex_unlock(&node->lock) == 0);
    return waiting;
}

static uint32_t peers_connected(const struct node *node) {
    return p2p_counters(node->p2p).peers_connected;
}

static void send_number(struct node *from, const struct node *to, enum p2p_lane lane,
                        uint32_t number, size_t size) {
    uint8_t *message = malloc(size);
    CHECK(message != NULL);
    make_message(message, size, number);
    p2p_send(from->p2p, &to->config.key.public_key, lane, (struct bytes){message, size});
    free(message);
}

static void test_mesh(void) {
    struct node *nodes[4];
    struct p2p_peer peers[4];
    for (uint8_t i = 0; i < 4; i++) {
        nodes[i] = node_new((uint8_t)(1 + i), (uint16_t)(21000 + i));
        peers[i] = peer_of(nodes[i], nodes[i]->config.listen_port);
        node_start(nodes[i]);
    }
    for (int i = 0; i < 4; i++)
        p2p_set_peers(nodes[i]->p2p, peers, 4); /* itself included */
    for (int i = 0; i < 4; i++)
        WAIT_UNTIL(peers_connected(nodes[i]) == 3);

    static uint8_t message[P2P_MESSAGE_BYTES_MAX];
    const size_t sizes[] = {4, 1000, 16384, 16385, 32768, 300000, P2P_MESSAGE_BYTES_MAX};
    const size_t sizes_count = sizeof sizes / sizeof *sizes;
    for (uint32_t i = 0; i < sizes_count; i++) {
        make_message(message, sizes[i], i);
        p2p_queue_all(nodes[0]->p2p, P2P_LANE_CONSENSUS, (struct bytes){message, sizes[i]},
                      &peers[3].id);
    }
    p2p_flush(nodes[0]->p2p);
    for (int i = 1; i < 3; i++) {
        WAIT_UNTIL(received(nodes[i]) == sizes_count);
        for (uint32_t k = 0; k < sizes_count; k++) {
            CHECK(nodes[i]->received[k].number == k && nodes[i]->received[k].size == sizes[k]);
            CHECK(nodes[i]->received[k].is_whole);
        }
    }
    CHECK(received(nodes[3]) == 0);
    struct hash32 ids[4];
    CHECK(p2p_connected(nodes[0]->p2p, ids, 4) == 3);
    for (int i = 0; i < 4; i++)
        CHECK(p2p_counters(nodes[i]->p2p).records_bad == 0);

    /* Stopping flushes what is queued. */
    send_number(nodes[0], nodes[3], P2P_LANE_SYNC, 99, 2u << 20);
    p2p_stop(nodes[0]->p2p);
    nodes[0]->p2p = NULL;
    WAIT_UNTIL(received(nodes[3]) == 1);
    CHECK(nodes[3]->received[0].number == 99 && nodes[3]->received[0].is_whole);
    WAIT_UNTIL(peers_connected(nodes[3]) == 2);
    for (int i = 0; i < 4; i++)
        node_free(nodes[i]);
}

static void test_refusals(void) {
    struct node *a = node_new(11, 21010);
    struct node *b = node_new(12, 21011);
    struct node *stranger = node_new(13, 21012);
    node_start(a);
    node_start(b);
    node_start(stranger);
    /* B knows A, A does not know B. */
    set_peer(b, a, 21010);
    WAIT_UNTIL(p2p_counters(a->p2p).handshakes_refused >= 2); /* it tries again */
    CHECK(a->connects == 0 && b->connects == 0);
    /* The stranger answers at A's address: wrong key. */
    set_peer(b, a, 21012);
    WAIT_UNTIL(p2p_counters(b->p2p).handshakes_refused >= 1);
    CHECK(b->connects == 0 && stranger->connects == 0);
    /* Once A names B they meet. */
    set_peer(a, b, 0);
    set_peer(b, a, 21010);
    WAIT_UNTIL(peers_connected(a) == 1 && peers_connected(b) == 1);
    /* And A can change its mind. */
    p2p_set_peers(a->p2p, NULL, 0);
    WAIT_UNTIL(peers_connected(a) == 0 && peers_connected(b) == 0);
    node_free(stranger);
    node_free(b);
    node_free(a);
}

static void test_other_chain(void) {
    struct node *a = node_new(21, 21013);
    struct node *b = node_new(22, 21014);
    b->config.chain_digest.bytes[0] ^= 1;
    node_start(a);
    node_start(b);
    set_peer(a, b, 0);
    set_peer(b, a, 21013);
    WAIT_UNTIL(p2p_counters(a->p2p).handshakes_refused >= 1);
    WAIT_UNTIL(p2p_counters(b->p2p).handshakes_refused >= 1);
    CHECK(a->connects == 0 && b->connects == 0);
    WAIT_UNTIL(a->other_chains >= 1 && b->other_chains >= 1);
    node_free(b);
    node_free(a);
}

static void test_port_in_use(void) {
    struct node *a = node_new(31, 21015);
    struct node *b = node_new(32, 21015);
    node_start(a);
    CHECK(p2p_start(&b->config, &b->p2p) == ERR_ADDRESS_IN_USE);
    b->p2p = NULL;
    node_free(b);
    node_free(a);
}

/* A proxy between two nodes, to do what an attacker can. */
struct proxy {
    int listen_fd;
    uint16_t target_port;
    pthread_t thread;
    atomic_int mode; /* what happens with the next bytes from the caller to the target */
    atomic_bool is_stopping;
};
enum { PROXY_PASS, PROXY_FLIP, PROXY_REPEAT, PROXY_SWALLOW };

static int tcp_socket(uint16_t port, bool listens) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    const int on = 1;
    CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (listens) {
        CHECK(bind(fd, (const struct sockaddr *)&address, sizeof address) == 0);
        CHECK(listen(fd, 8) == 0);
    } else {
        CHECK(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    }
    return fd;
}

static void write_all(int fd, const uint8_t *data, size_t size) {
    for (size_t at = 0; at < size;) {
        const ssize_t sent = send(fd, data + at, size - at, MSG_NOSIGNAL);
        if (sent <= 0) return;
        at += (size_t)sent;
    }
}

static void forward(struct proxy *proxy, int target, uint8_t *data, size_t size) {
    switch (atomic_exchange(&proxy->mode, PROXY_PASS)) {
    case PROXY_FLIP: data[size - 1] ^= 1; break;
    case PROXY_REPEAT: write_all(target, data, size); break;
    case PROXY_SWALLOW: return;
    default: break;
    }
    write_all(target, data, size);
}

static void proxy_one(struct proxy *proxy, int caller) {
    const int target = tcp_socket(proxy->target_port, false);
    struct pollfd fds[2] = {{.fd = caller, .events = POLLIN}, {.fd = target, .events = POLLIN}};
    uint8_t data[65536];
    while (!atomic_load(&proxy->is_stopping)) {
        if (poll(fds, 2, 20) <= 0) continue;
        if (fds[0].revents != 0) {
            const ssize_t got = recv(caller, data, sizeof data, 0);
            if (got <= 0) break;
            forward(proxy, target, data, (size_t)got);
        }
        if (fds[1].revents != 0) {
            const ssize_t got = recv(target, data, sizeof data, 0);
            if (got <= 0) break;
            write_all(caller, data, (size_t)got);
        }
    }
    (void)close(target);
    (void)close(caller);
}

static void *proxy_main(void *argument) {
    struct proxy *proxy = argument;
    while (!atomic_load(&proxy->is_stopping)) {
        struct pollfd fd = {.fd = proxy->listen_fd, .events = POLLIN};
        if (poll(&fd, 1, 20) <= 0) continue;
        const int caller = accept(proxy->listen_fd, NULL, NULL);
        if (caller >= 0) proxy_one(proxy, caller);
    }
    (void)close(proxy->listen_fd);
    return NULL;
}

static void test_attacker_in_between(void) {
    struct node *a = node_new(41, 21020);
    struct node *b = node_new(42, 0);
    node_start(a);
    node_start(b);
    struct proxy proxy = {.listen_fd = tcp_socket(21021, true), .target_port = 21020};
    CHECK(pthread_create(&proxy.thread, NULL, proxy_main, &proxy) == 0);
    set_peer(a, b, 0);
    set_peer(b, a, 21021);
    const int modes[] = {PROXY_FLIP, PROXY_REPEAT, PROXY_SWALLOW};
    uint32_t number = 1;
    size_t expected = 0;
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
        WAIT_UNTIL(peers_connected(a) == 1 && peers_connected(b) == 1);
        send_number(b, a, P2P_LANE_CONSENSUS, number++, 1000);
        expected += 1;
        WAIT_UNTIL(received(a) == expected);
        atomic_store(&proxy.mode, modes[i]);
        send_number(b, a, P2P_LANE_CONSENSUS, number++, 1000);
        if (modes[i] == PROXY_REPEAT) expected += 1; /* the first copy is good */
        if (modes[i] == PROXY_SWALLOW) {
            WAIT_UNTIL(atomic_load(&proxy.mode) == PROXY_PASS);
            send_number(b, a, P2P_LANE_CONSENSUS, number++, 1000); /* shows the gap */
        }
        WAIT_UNTIL(p2p_counters(a->p2p).records_bad == i + 1);
        WAIT_UNTIL(p2p_counters(b->p2p).peers_connected == 0 || b->connects > i + 1);
        CHECK(received(a) == expected);
    }
    WAIT_UNTIL(peers_connected(a) == 1 && peers_connected(b) == 1); /* and it is healed */
    for (size_t i = 0; i < expected; i++)
        CHECK(a->received[i].is_whole);
    atomic_store(&proxy.is_stopping, true);
    CHECK(pthread_join(proxy.thread, NULL) == 0);
    node_free(b);
    node_free(a);
}

static void test_reconnect(void) {
    struct node *a = node_new(51, 21022);
    struct node *b = node_new(52, 21023);
    node_start(a);
    node_start(b);
    set_peer(a, b, 21023);
    set_peer(b, a, 21022);
    for (unsigned i = 0; i < 5; i++) {
        WAIT_UNTIL(peers_connected(a) == 1 && peers_connected(b) == 1);
        send_number(a, b, P2P_LANE_ITEMS, i, 500);
        WAIT_UNTIL(received(b) == i + 1);
        p2p_stop(b->p2p);
        WAIT_UNTIL(peers_connected(a) == 0);
        node_start(b); /* the same port at once */
        set_peer(b, a, 21022);
    }
    WAIT_UNTIL(peers_connected(a) == 1 && peers_connected(b) == 1);
    node_free(b);
    node_free(a);
}

/* While B's reader has stalled A queues sync data far beyond what the sockets hold, then a vote:
 * the vote overtakes.  A full lane drops its oldest whole messages and nothing else. */
static void test_lanes(void) {
    struct node *a = node_new(61, 21024);
    struct node *b = node_new(62, 21025);
    a->config.lane_bytes_max[P2P_LANE_ITEMS] = 100 * 1004;
    node_start(a);
    node_start(b);
    set_peer(a, b, 21025);
    set_peer(b, a, 21024);
    WAIT_UNTIL(peers_connected(a) == 1 && peers_connected(b) == 1);
    set_blocked(b, true);
    send_number(a, b, P2P_LANE_SYNC, 100, 5u << 20);
    WAIT_UNTIL(is_waiting(b)); /* in its callback for that message: nothing more is read */
    for (uint32_t i = 1; i < 5; i++)
        send_number(a, b, P2P_LANE_SYNC, 100 + i, 5u << 20);
    send_number(a, b, P2P_LANE_CONSENSUS, 1, 200);
    const uint64_t ahead = p2p_counters(a->p2p).messages_sent; /* what the sockets hold */
    set_blocked(b, false);
    WAIT_UNTIL(received(b) == 6 - p2p_counters(a->p2p).messages_dropped);
    size_t vote_at = SIZE_MAX;
    for (size_t i = 0; i < received(b); i++) {
        if (b->received[i].number == 1) vote_at = i;
        CHECK(b->received[i].is_whole);
    }
    CHECK(vote_at <= ahead); /* after nothing but what was in the sockets before it */
    CHECK(vote_at + 1 < received(b));
    /* 16 MiB hold three waiting messages of 5 MiB; the fourth is on its way, or was dropped. */
    CHECK(p2p_counters(a->p2p).messages_dropped <= 1);

    const size_t before = received(b);
    const uint64_t dropped_before = p2p_counters(a->p2p).messages_dropped;
    set_blocked(b, true);
    send_number(a, b, P2P_LANE_SYNC, 200, 6u << 20); /* B's thread hangs in its callback... */
    send_number(a, b, P2P_LANE_SYNC, 201, 6u << 20); /* ...and this fills the sockets */
    for (uint32_t i = 0; i < 3000; i++)
        send_number(a, b, P2P_LANE_ITEMS, 1000 + i, 1000);
    const uint64_t dropped = p2p_counters(a->p2p).messages_dropped - dropped_before;
    set_blocked(b, false);
    WAIT_UNTIL(received(b) == before + 3002 - dropped);
    CHECK(dropped > 0);
    uint32_t last = 0;
    for (size_t i = before; i < received(b); i++) {
        CHECK(b->received[i].is_whole);
        if (b->received[i].number < 1000) continue;
        CHECK(b->received[i].number > last); /* in order, gaps only where they were dropped */
        last = b->received[i].number;
    }
    CHECK(last == 3999); /* the newest survive */
    node_free(b);
    node_free(a);
}

/* A peer that says nothing any more is closed; one that has never spoken is, too. */
static void test_silence(void) {
    struct node *a = node_new(71, 21026);
    struct node *b = node_new(72, 21027);
    a->config.silence_ms = 400;
    b->config.silence_ms = 400;
    node_start(a);
    node_start(b);
    set_peer(a, b, 21027);
    set_peer(b, a, 21026);
    WAIT_UNTIL(peers_connected(a) == 1 && peers_connected(b) == 1);
    const uint64_t start_ms = monotonic_ms();
    WAIT_UNTIL(monotonic_ms() > start_ms + 1200); /* three silences long pings keep it open */
    CHECK(a->disconnects == 0 && b->disconnects == 0);
    set_blocked(b, true);
    send_number(a, b, P2P_LANE_ITEMS, 1, 100);
    WAIT_UNTIL(a->disconnects == 1);
    set_blocked(b, false);
    WAIT_UNTIL(peers_connected(a) == 1 && peers_connected(b) == 1);
    node_free(b);

    const int mute = tcp_socket(21026, false);
    struct pollfd fd = {.fd = mute, .events = POLLIN};
    CHECK(poll(&fd, 1, WAIT_MS) == 1); /* closed by A after the handshake's time */
    uint8_t byte;
    CHECK(recv(mute, &byte, 1, 0) <= 0);
    (void)close(mute);
    node_free(a);
}

/* Many connections that never speak do not keep a peer out. */
static void test_crowd(void) {
    struct node *a = node_new(81, 21028);
    struct node *b = node_new(82, 21029);
    node_start(a);
    int crowd[200];
    for (size_t i = 0; i < 200; i++)
        crowd[i] = tcp_socket(21028, false);
    node_start(b);
    set_peer(a, b, 0);
    set_peer(b, a, 21028);
    WAIT_UNTIL(peers_connected(a) == 1 && peers_connected(b) == 1);
    for (size_t i = 0; i < 200; i++)
        (void)close(crowd[i]);
    node_free(b);
    node_free(a);
}

/* own_ports waits for another run of this test on this machine: its ports are fixed. */
static void own_ports(void) {
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/baton-test-p2p-%u.lock", getuid());
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0); /* until the process ends */
}

int main(void) {
    own_ports();
    CHECK(ed25519_init() == ERR_OK);
    test_mesh();
    test_refusals();
    test_other_chain();
    test_port_in_use();
    test_attacker_in_between();
    test_reconnect();
    test_lanes();
    test_silence();
    test_crowd();
    (void)puts("p2p: ok");
    return 0;
}
