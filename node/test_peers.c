/* Peers: what the setting p2p_peers takes and what it refuses. */
#include <stdio.h>
#include <string.h>

#include "node/node.h"

#define ID "0x1111111111111111111111111111111111111111111111111111111111111111"

static enum err parse(const char *text, struct p2p_peer *out) {
    return peer_parse(bytes_from_string(text), out);
}

static void test_good(void) {
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {ID "@127.0.0.1:30303", "127.0.0.1", 30303},
        {ID "@sequencer-2.example:1", "sequencer-2.example", 1},
        {ID "@a:65535", "a", 65535},
        {ID "@::1:9", "::1", 9},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct p2p_peer peer;
        CHECK(parse(good[i].text, &peer) == ERR_OK);
        CHECK(peer.id.bytes[0] == 0x11 && peer.id.bytes[31] == 0x11);
        CHECK(strcmp(peer.host, good[i].host) == 0);
        CHECK(peer.port == good[i].port);
    }
}

static void test_bad(void) {
    static const char *const bad[] = {
        "",
        "@",
        ID,
        ID "@",
        ID "@:",
        ID "@:1",
        ID "@host",
        ID "@host:",
        ID "@host:0",
        ID "@host:65536",
        ID "@host:100000",
        ID "@host:1x",
        ID "@host:-1",
        ID "@host: 1",
        "0x11@host:1",
        ID "22@host:1",
        "host:1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct p2p_peer peer = {.port = 7};
        CHECK(parse(bad[i], &peer) == ERR_CONFIG);
        CHECK(peer.port == 7 && peer.host[0] == '\0');
    }
    char text[512], host[P2P_HOST_BYTES + 1]; /* a host that does not fit, and one that just does */
    struct p2p_peer peer;
    memset(host, 'h', sizeof host);
    host[P2P_HOST_BYTES] = '\0';
    snprintf(text, sizeof text, ID "@%s:1", host);
    CHECK(parse(text, &peer) == ERR_CONFIG);
    snprintf(text, sizeof text, ID "@%s:1", host + 1);
    CHECK(parse(text, &peer) == ERR_OK && strlen(peer.host) == P2P_HOST_BYTES - 1);
}

static void test_list(void) {
    char error[512] = "";
    CHECK(peers_check("", error) == ERR_OK);
    CHECK(peers_check(ID "@a:1", error) == ERR_OK);
    CHECK(peers_check(ID "@a:1," ID "@b:2,", error) == ERR_OK);
    CHECK(error[0] == '\0');
    CHECK(peers_check(ID "@a:1,nobody," ID "@b:2", error) == ERR_CONFIG);
    CHECK(strcmp(error, "p2p_peers: \"nobody\" is not PEERID@HOST:PORT") == 0);
    CHECK(peers_check(",", error) == ERR_CONFIG);
}

int main(void) {
    test_good();
    test_bad();
    test_list();
    puts("node peers: ok");
    return 0;
}
