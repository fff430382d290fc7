/* Guests: who is in nobody's list is let in when there is room, apart from the peers; and a fetch
 * gets an answer before it knows a chain. */
#include "p2p/p2p.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "p2p/fetch.h"

#define WAIT_MS_MAX 60000 /* a machine may be busy; what is waited for comes within a second */

struct host {
    struct p2p *p2p;
    struct p2p_config config;
    atomic_uint connects, messages, guests, guests_left, guest_messages;
    atomic_size_t last_bytes;
    struct hash32 guest;
};

static struct ed25519_key key_of(uint8_t index) {
    const uint8_t seed[32] = {9, 8, 7, index};
    return ed25519_key_from_seed(seed);
}

static void on_message(void *context, const struct hash32 *peer, struct bytes message) {
    struct host *host = context;
    (void)peer;
    atomic_store(&host->last_bytes, message.size);
    atomic_fetch_add(&host->messages, 1);
}

static void on_connected(void *context, const struct hash32 *peer, bool is_connected) {
    struct host *host = context;
    (void)peer;
    if (is_connected) atomic_fetch_add(&host->connects, 1);
}

/* A guest's message is answered with the same bytes, twice as many. */
static void on_guest_message(void *context, const struct hash32 *guest, struct bytes message) {
    static uint8_t twice[200000];
    struct host *host = context;
    CHECK(2 * message.size <= sizeof twice);
    memcpy(twice, message.data, message.size);
    memcpy(twice + message.size, message.data, message.size);
    atomic_fetch_add(&host->guest_messages, 1);
    p2p_send(host->p2p, guest, P2P_LANE_SYNC, (struct bytes){twice, 2 * message.size});
}

static void on_guest(void *context, const struct hash32 *guest, bool is_connected) {
    struct host *host = context;
    if (is_connected) host->guest = *guest;
    atomic_fetch_add(is_connected ? &host->guests : &host->guests_left, 1);
}

/* free_port asks the kernel for a port that nobody uses. */
static uint16_t free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(bind(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    CHECK(close(fd) == 0);
    return ntohs(address.sin_port);
}

static void start(struct host *host, uint8_t index, bool listens, uint32_t guests_max) {
    enum err err = ERR_ADDRESS_IN_USE;
    memset(host, 0, sizeof *host);
    while (err == ERR_ADDRESS_IN_USE) { /* somebody was faster */
        host->config = (struct p2p_config){
            .key = key_of(index),
            .listen_host = "127.0.0.1",
            .listen_port = listens ? free_port() : 0,
            .chain_digest = {{7}},
            .guests_max = guests_max,
            .events = {host, on_message, on_connected, NULL, on_guest_message, on_guest},
        };
        err = p2p_start(&host->config, &host->p2p);
    }
    CHECK(err == ERR_OK);
}

static void wait_count(const atomic_uint *count, unsigned wanted) {
    for (int i = 0; i < WAIT_MS_MAX / 10 && atomic_load(count) < wanted; i++)
        usleep(10000);
    CHECK(atomic_load(count) >= wanted);
}

static struct p2p_peer peer_at(const struct host *host) {
    struct p2p_peer peer = {.id = host->config.key.public_key, .port = host->config.listen_port};
    (void)snprintf(peer.host, sizeof peer.host, "127.0.0.1");
    return peer;
}

/* A node that the host does not name is its guest; named, it becomes a peer. */
static void test_guest(void) {
    static struct host host, guest;
    static const uint8_t words[50000] = {1, 2, 3};
    start(&host, 1, true, 2);
    start(&guest, 2, false, 0);
    const struct p2p_peer at = peer_at(&host);
    p2p_set_peers(guest.p2p, &at, 1);
    wait_count(&host.guests, 1);
    wait_count(&guest.connects, 1);
    CHECK(hash_equal(&host.guest, &guest.config.key.public_key));
    CHECK(atomic_load(&host.connects) == 0);
    CHECK(p2p_counters(host.p2p).peers_connected == 0);
    CHECK(p2p_counters(host.p2p).guests_connected == 1);
    struct hash32 ids[4];
    CHECK(p2p_connected(host.p2p, ids, 4) == 0);
    p2p_send(guest.p2p, &at.id, P2P_LANE_SYNC, BYTES_OF(words));
    wait_count(&guest.messages, 1);
    CHECK(atomic_load(&guest.last_bytes) == 2 * sizeof words);
    CHECK(atomic_load(&host.messages) == 0);
    p2p_queue_all(host.p2p, P2P_LANE_ITEMS, BYTES_STRING("for peers"), NULL);
    p2p_send_guests(host.p2p, P2P_LANE_CONSENSUS, BYTES_STRING("guests"));
    wait_count(&guest.messages, 2);
    CHECK(atomic_load(&guest.last_bytes) == 6);
    const struct p2p_peer named = {.id = guest.config.key.public_key};
    p2p_set_peers(host.p2p, &named, 1);
    wait_count(&host.guests_left, 1);
    wait_count(&host.connects, 1);
    wait_count(&guest.connects, 2); /* who calls is connected once the other side has let it in */
    p2p_send(guest.p2p, &at.id, P2P_LANE_SYNC, BYTES_STRING("as a peer"));
    wait_count(&host.messages, 1);
    p2p_stop(guest.p2p);
    p2p_stop(host.p2p);
}

/* Room for guests is limited, and a place is free again when one leaves. */
static void test_room(void) {
    static struct host host, first, second;
    start(&host, 1, true, 1);
    start(&first, 2, false, 0);
    start(&second, 3, false, 0);
    const struct p2p_peer at = peer_at(&host);
    p2p_set_peers(first.p2p, &at, 1);
    wait_count(&host.guests, 1);
    p2p_set_peers(second.p2p, &at, 1);
    for (int i = 0; i < WAIT_MS_MAX / 10 && p2p_counters(host.p2p).handshakes_refused == 0; i++)
        usleep(10000);
    CHECK(p2p_counters(host.p2p).handshakes_refused > 0);
    CHECK(atomic_load(&host.guests) == 1);
    p2p_stop(first.p2p);
    wait_count(&host.guests_left, 1);
    wait_count(&host.guests, 2);
    p2p_stop(second.p2p);
    p2p_stop(host.p2p);
}

/* A guest that does not read gets little of our memory. */
static void test_silent_reader(void) {
    enum { MESSAGES = 16, LONG_BYTES = 1 << 20 };
    static struct host host;
    static const uint8_t words[LONG_BYTES];
    struct p2p_fetch *fetch = NULL;
    char error[256] = "";
    start(&host, 1, true, 1);
    CHECK(p2p_fetch_open("127.0.0.1", host.config.listen_port, NULL, 5000, &fetch, error) ==
          ERR_OK);
    wait_count(&host.guests, 1);
    for (int i = 0; i < MESSAGES; i++)
        p2p_send(host.p2p, &host.guest, P2P_LANE_SYNC, BYTES_OF(words));
    CHECK(p2p_counters(host.p2p).messages_dropped > 0);
    p2p_fetch_close(fetch);
    p2p_stop(host.p2p);
}

static void test_fetch(void) {
    static struct host host, closed;
    struct p2p_fetch *fetch = NULL;
    struct bytes answer;
    char error[256] = "";
    static const uint8_t words[9000] = {4, 5, 6};
    const struct hash32 other = {{1}};
    start(&host, 1, true, 1);
    CHECK(p2p_fetch_open("127.0.0.1", host.config.listen_port, NULL, 5000, &fetch, error) ==
          ERR_OK);
    CHECK(hash_equal(p2p_fetch_peer(fetch), &host.config.key.public_key));
    for (int i = 0; i < 3; i++) {
        CHECK(p2p_fetch_send(fetch, BYTES_OF(words)) == ERR_OK);
        CHECK(p2p_fetch_receive(fetch, &answer) == ERR_OK);
        CHECK(answer.size == 2 * sizeof words && answer.data[1] == 5);
    }
    p2p_fetch_close(fetch);
    wait_count(&host.guests_left, 1);
    const struct hash32 *expected = &host.config.key.public_key;
    CHECK(p2p_fetch_open("127.0.0.1", host.config.listen_port, expected, 5000, &fetch, error) ==
          ERR_OK);
    p2p_fetch_close(fetch);
    CHECK(p2p_fetch_open("127.0.0.1", host.config.listen_port, &other, 5000, &fetch, error) ==
          ERR_SIGNATURE);
    CHECK(strstr(error, "another peer") != NULL);
    CHECK(p2p_fetch_open("127.0.0.1", 1, NULL, 2000, &fetch, error) == ERR_NETWORK);
    /* a node that lets no guests in says nothing to one */
    start(&closed, 4, true, 0);
    if (p2p_fetch_open("127.0.0.1", closed.config.listen_port, NULL, 3000, &fetch, error) ==
        ERR_OK) {
        (void)!p2p_fetch_send(fetch, BYTES_OF(words));
        CHECK(p2p_fetch_receive(fetch, &answer) == ERR_REFUSED);
        p2p_fetch_close(fetch);
    }
    CHECK(atomic_load(&closed.guests) == 0);
    p2p_stop(closed.p2p);
    p2p_stop(host.p2p);
}

int main(void) {
    CHECK(ed25519_init() == ERR_OK);
    test_guest();
    test_room();
    test_silent_reader();
    test_fetch();
    puts("ok");
    return 0;
}
