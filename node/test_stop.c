/* A whole node, started and taken apart while its threads are at work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/keys.h"
#include "node/node.h"
#include "node/snapshot.h"
#include "node/test_single.h"
#include "p2p/fetch.h"
#include "threads/clock.h"

#define WAIT_MS     60000
#define STOP_MS_MAX 9500
#define BLOCK_MS    10
#define ROUNDS      5
#define TASKS       2000 /* more than a worker does while the node is taken apart */

static char directory[] = "/tmp/baton-stop-XXXXXX";
static struct settings settings;

static void wait_height(struct node *node, uint64_t height) {
    const uint64_t until_ms = monotonic_ms() + WAIT_MS;
    while (store_head(node->ledger.store).number < height) {
        CHECK(monotonic_ms() < until_ms);
        usleep(2000);
    }
}

/* A node that stops while batches are on their way to the publisher: they are dropped, and nobody
 * gives them to a publisher that has ended. */
static void test_batches(const struct node_options *options) {
    static struct node node;
    char error[512] = "";
    const struct effect effect = {.kind = EFFECT_PUBLISH, .first = 1, .last = 3};
    for (int round = 0; round < ROUNDS; round++) {
        CHECK(node_start(options, &node, error) == ERR_OK);
        wait_height(&node, node.head_at_start + 5);
        for (int i = 0; i < TASKS; i++)
            workers_publish(&node, &effect);
        node_stop(&node);
    }
}

static uint64_t answered_or_dropped(struct node *node) {
    const struct snapshot_serve_counts counts = snapshot_serve_counts(node->serving);
    return counts.requests + counts.dropped;
}

static uint64_t received(struct node *node) {
    return p2p_counters(node->p2p).messages_received;
}

static void wait_count(struct node *node, uint64_t (*count)(struct node *node), uint64_t wanted) {
    const uint64_t until_ms = monotonic_ms() + WAIT_MS;
    while (count(node) < wanted) {
        CHECK(monotonic_ms() < until_ms);
        usleep(1000);
    }
}

/* ask_all has a guest ask for as many blocks as it may. */
static struct p2p_fetch *ask_all(struct node *node) {
    static struct message message;
    uint8_t memory[256];
    struct buffer request = buffer_over(memory, sizeof memory);
    struct p2p_fetch *fetch = NULL;
    char error[256];
    message.kind = MESSAGE_GET_BLOCKS;
    message.height = 1;
    message.count = MESSAGE_BLOCKS_MAX;
    message_encode(&message, &request);
    const uint64_t before = received(node);
    CHECK(p2p_fetch_open("127.0.0.1", (uint16_t)settings.p2p_port, NULL, WAIT_MS, &fetch, error) ==
          ERR_OK);
    for (int i = 0; i < SNAPSHOT_SERVE_PENDING; i++)
        CHECK(p2p_fetch_send(fetch, buffer_bytes(&request)) == ERR_OK);
    wait_count(node, received, before + SNAPSHOT_SERVE_PENDING);
    return fetch;
}

/* A guest that asks for all it may and leaves: nobody works for it any longer.  And the node stops
 * in time while another one waits for answers that the rate holds back. */
static void test_guests(struct node_options options) {
    static struct node node;
    char error[512] = "";
    const uint8_t seed[32] = {1};
    enum err err = ERR_ADDRESS_IN_USE;
    options.has_p2p = true;
    options.peer_key = ed25519_key_from_seed(seed);
    while (err == ERR_ADDRESS_IN_USE) { /* somebody was faster */
        settings.p2p_port = single_port();
        err = node_start(&options, &node, error);
    }
    CHECK(err == ERR_OK);
    wait_height(&node, node.head_at_start + MESSAGE_BLOCKS_MAX);
    p2p_fetch_close(ask_all(&node));
    wait_count(&node, answered_or_dropped, SNAPSHOT_SERVE_PENDING);
    CHECK(snapshot_serve_counts(node.serving).dropped > 0);
    struct p2p_fetch *fetch = ask_all(&node);
    const uint64_t begun_ms = monotonic_ms();
    node_stop(&node);
    CHECK(monotonic_ms() - begun_ms < STOP_MS_MAX);
    p2p_fetch_close(fetch);
}

int main(void) {
    char *arguments[] = {"node",
                         "--rpc-port",
                         "0",
                         "--ws-port",
                         "0",
                         "--metrics-port",
                         "0",
                         "--snapshot-bytes-per-second",
                         "65536",
                         "--idle-block-time-ms",
                         "10",
                         "--da-url",
                         "http://127.0.0.1:1"};
    char error[512] = "";
    CHECK(ed25519_init() == ERR_OK);
    CHECK(mkdtemp(directory) != NULL);
    CHECK(settings_read(COMMAND_NODE, sizeof arguments / sizeof *arguments, arguments, &settings,
                        error) == ERR_OK);
    struct node_options options = {
        .settings = &settings, .data_dir = directory, .has_validator_key = true};
    keys_development(&options.validator_key, 1);
    const struct genesis genesis = single_genesis(&options.validator_key, BLOCK_MS);
    options.genesis = &genesis;
    test_batches(&options);
    test_guests(options);
    single_remove(directory);
    puts("node stop: ok");
    return 0;
}
