/* Peers that come and leave while the sequencer's queue is full: nothing is lost, nothing is told
 * in another order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/node.h"
#include "node/queue.h"

#define PEERS       P2P_PEERS_MAX
#define STEPS       20000
#define LANE_BYTES  4096
#define FILL_BYTES  512
#define READ_ONE_OF 3

static struct node node;
static struct chain_config config;

static struct hash32 peer_id(uint32_t number) {
    return (struct hash32){{[0] = (uint8_t)(number >> 8), [1] = (uint8_t)number, [31] = 1}};
}

static void test_changes(void) {
    const struct hash32 peer = peer_id(7);
    struct peer_events *events = &node.peer_events;
    struct peer_change change;
    CHECK(peer_events_note(events, &peer, true));
    change = peer_events_take(events, &peer);
    CHECK(change.has_come && !change.has_left);
    CHECK(peer_events_note(events, &peer, false));
    CHECK(!peer_events_note(events, &peer, true)); /* the reader is called already */
    change = peer_events_take(events, &peer);
    CHECK(change.has_come && change.has_left); /* a new connection is no old one */
    change = peer_events_take(events, &peer);
    CHECK(!change.has_come && !change.has_left);
    CHECK(peer_events_note(events, &peer, false));
    peer_events_unannounce(events, &peer);
    CHECK(peer_events_note(events, &peer, true));
    CHECK(!peer_events_note(events, &peer, false));
    change = peer_events_take(events, &peer);
    CHECK(!change.has_come && change.has_left);
    CHECK(!peer_events_note(events, &peer, false)); /* who is not there cannot leave */
}

/* What was never told need not be: as many as come and go, there is room. */
static void test_strangers(void) {
    for (uint32_t i = 0; i < 2 * PEER_EVENTS_MAX; i++) {
        const struct hash32 peer = peer_id(1000 + i);
        CHECK(peer_events_note(&node.peer_events, &peer, true));
        CHECK(!peer_events_note(&node.peer_events, &peer, false));
    }
}

struct model {
    bool is_connected, is_told;
    uint32_t connections, told_connections; /* how many there were; of which one the reader knows */
};
static struct model models[PEERS];

/* read_one is the sequencer's thread; false when nothing waits. */
static bool read_one(void) {
    uint32_t kind;
    struct bytes header, body;
    if (!queue_pop(node.inputs, 0, &kind, &header, &body)) return false;
    if (kind == DRIVER_PEER) {
        struct hash32 peer;
        CHECK(header.size == sizeof peer);
        memcpy(&peer, header.data, sizeof peer);
        struct model *model = &models[(uint32_t)peer.bytes[0] << 8 | peer.bytes[1]];
        const struct peer_change change = peer_events_take(&node.peer_events, &peer);
        if (change.has_left) {
            CHECK(model->is_told);
            model->is_told = false;
        }
        if (change.has_come) {
            CHECK(!model->is_told && model->is_connected);
            model->is_told = true;
            model->told_connections = model->connections;
        }
        CHECK(model->is_told == model->is_connected);
        CHECK(!model->is_told || model->told_connections == model->connections);
    }
    queue_release(node.inputs);
    return true;
}

/* The urgent lane is full most of the time, and is read now and then. */
static void test_full_queue(void) {
    static const uint8_t fill[FILL_BYTES];
    uint64_t random = 88172645463325252u;
    unsigned refused = 0;
    for (int i = 0; i < STEPS; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        const uint32_t number = (uint32_t)(random >> 20) % PEERS;
        const struct hash32 peer = peer_id(number);
        struct model *model = &models[number];
        model->is_connected = !model->is_connected;
        model->connections += model->is_connected;
        refused +=
            driver_push(&node, QUEUE_URGENT, DRIVER_DA, BYTES_OF(fill), BYTES_EMPTY) == ERR_LIMIT;
        driver_push_peer(&node, &peer, model->is_connected);
        if (random >> 40 & 1) continue;
        for (int reads = (int)(random >> 50) % READ_ONE_OF; reads > 0; reads--)
            (void)read_one();
    }
    CHECK(refused > STEPS / 4);
    while (read_one()) {
    }
    for (int i = 0; i < PEERS; i++) {
        CHECK(models[i].is_told == models[i].is_connected);
        CHECK(!models[i].is_told || models[i].told_connections == models[i].connections);
    }
}

int main(void) {
    config.is_rollup = true;
    node.config = &config;
    peer_events_create(&node.peer_events);
    CHECK(queue_create(LANE_BYTES, LANE_BYTES, &node.inputs) == ERR_OK);
    test_changes();
    test_strangers();
    test_full_queue();
    queue_destroy(node.inputs);
    peer_events_destroy(&node.peer_events);
    puts("peer events: ok");
    return 0;
}
