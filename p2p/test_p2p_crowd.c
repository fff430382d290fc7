/* One address that takes all places: others are let in all the same. */
#include "p2p/p2p.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "p2p/fetch.h"

#define CROWD    64 /* as many as may be unproved at once */
#define CROWDS   4
#define GUESTS   3
#define PATIENCE 20 /* tries */

static uint16_t port;

static void on_message(void *context, const struct hash32 *peer, struct bytes message) {
    (void)context, (void)peer, (void)message;
}

static void on_connected(void *context, const struct hash32 *peer, bool is_connected) {
    (void)context, (void)peer, (void)is_connected;
}

static struct p2p *host_start(void) {
    static const uint8_t seed[32] = {3, 1, 4};
    struct p2p *host = NULL;
    for (port = 26320; port < 26400; port++) {
        const struct p2p_config config = {
            .key = ed25519_key_from_seed(seed),
            .listen_host = "::", /* IPv4, too */
            .listen_port = port,
            .chain_digest = {{7}},
            .guests_max = GUESTS,
            .events = {NULL, on_message, on_connected, NULL, on_message, on_connected},
        };
        if (p2p_start(&config, &host) == ERR_OK) return host;
    }
    CHECK(false);
    return NULL;
}

static int connect_v4(void) {
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* connect_v6 returns -1 where there is no IPv6. */
static int connect_v6(void) {
    const struct sockaddr_in6 to = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) == 0) return fd;
    (void)close(fd);
    return -1;
}

static bool is_open(int fd) {
    uint8_t byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Who takes its time for the handshake is not pushed out by hundreds that another address makes. */
static void test_unproved(void) {
    static int crowd[CROWDS * CROWD];
    struct p2p *host = host_start();
    const int slow = connect_v6();
    CHECK(slow >= 0);
    for (int i = 0; i < CROWDS * CROWD; i++)
        crowd[i] = connect_v4();
    struct pollfd first = {.fd = crowd[0], .events = POLLIN}; /* the oldest of its own made room */
    CHECK(poll(&first, 1, 3000) == 1);
    CHECK(p2p_counters(host).handshakes_refused > 0);
    CHECK(is_open(slow));
    for (int i = 0; i < CROWDS * CROWD; i++)
        CHECK(close(crowd[i]) == 0);
    CHECK(close(slow) == 0);
    p2p_stop(host);
}

/* One address has all places for guests: a newcomer from another one gets one of them, and one of
 * the same address does not. */
static void test_guests(void) {
    struct p2p_fetch *crowd[GUESTS], *more = NULL, *other = NULL;
    struct bytes answer;
    char error[256];
    struct p2p *host = host_start();
    for (int i = 0; i < GUESTS; i++)
        CHECK(p2p_fetch_open("127.0.0.1", port, NULL, 3000, &crowd[i], error) == ERR_OK);
    for (int i = 0; i < PATIENCE && p2p_counters(host).guests_connected < GUESTS; i++)
        usleep(100000);
    CHECK(p2p_counters(host).guests_connected == GUESTS);
    const uint64_t refused = p2p_counters(host).handshakes_refused;
    if (p2p_fetch_open("127.0.0.1", port, NULL, 3000, &more, error) == ERR_OK) {
        CHECK(p2p_fetch_receive(more, &answer) == ERR_REFUSED);
        p2p_fetch_close(more);
    }
    CHECK(p2p_counters(host).handshakes_refused == refused + 1);
    CHECK(p2p_fetch_open("::1", port, NULL, 3000, &other, error) == ERR_OK);
    for (int i = 0; i < 3; i++) /* it stays, whoever comes back */
        usleep(100000);
    CHECK(p2p_counters(host).handshakes_refused == refused + 1);
    CHECK(p2p_counters(host).guests_connected == GUESTS);
    CHECK(p2p_fetch_send(other, BYTES_STRING("hello")) == ERR_OK);
    p2p_fetch_close(other);
    for (int i = 0; i < GUESTS; i++)
        p2p_fetch_close(crowd[i]);
    p2p_stop(host);
}

int main(void) {
    CHECK(ed25519_init() == ERR_OK);
    struct p2p *host = host_start();
    const int fd = connect_v6();
    p2p_stop(host);
    if (fd < 0) return 77; /* two addresses are needed */
    CHECK(close(fd) == 0);
    test_unproved();
    test_guests();
    puts("p2p crowd: ok");
    return 0;
}
