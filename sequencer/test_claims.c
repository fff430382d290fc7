/* How far others are: what somebody without a vote claims does not make a running node believe that
 * it is far behind, which would start it anew for a snapshot. */
#include "sequencer/test_cluster.h"

#define CLAIM 1000000u

/* The last node has no vote, and says that it is far ahead. */
static struct bytes boast(struct cluster_node *from, struct bytes bytes) {
    if (from->index != 3 || bytes.data[0] != MESSAGE_STATUS) return bytes;
    return status_message(from, CLAIM);
}

static uint64_t peers_height(const struct cluster_node *node) {
    struct sequencer_status status;
    sequencer_status(node->sequencer, &status);
    return status.peers_height;
}

static void test_boast(void) {
    const struct cluster_options options = {
        .nodes = 4, .validators = 3, .blocks_per_rotation = 10, .block_time_ms = 100};
    struct cluster *cluster = cluster_create(&options);
    cluster->tamper = boast;
    uint64_t highest = 0;
    for (int i = 0; i < 300; i++) {
        cluster_run(cluster, 10);
        for (uint32_t node = 0; node < 3; node++) {
            const uint64_t height = peers_height(&cluster->nodes[node]);
            if (height > highest) highest = height;
        }
    }
    CHECK(highest > 10); /* what the validators say counts */
    CHECK(highest < CLAIM);
    /* Who hears no validator believes whom it hears. */
    for (uint32_t i = 1; i < 3; i++)
        node_kill(&cluster->nodes[i]);
    cluster_run(cluster, 100);
    CHECK(peers_height(&cluster->nodes[0]) == CLAIM);
    cluster_destroy(cluster);
}

int main(void) {
    test_boast();
    printf("ok\n");
    return 0;
}
