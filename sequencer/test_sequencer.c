/* Clusters on one thread: blocks, rotation, restarts, sync, batches. */
#include "sequencer/test_cluster.h"

static const struct cluster_options three = {
    .nodes = 3, .validators = 3, .blocks_per_rotation = 10, .block_time_ms = 100};

static void test_three_commit_transfers(void) {
    struct cluster *cluster = cluster_create(&three);
    const struct address to = {{0xaa}};
    cluster_run(cluster, 50);
    for (uint64_t i = 0; i < 30; i++) {
        transfer(&cluster->nodes[i % 3], 0, i, &to, 7, 1 + i);
        cluster_run(cluster, 20);
    }
    cluster_run(cluster, 1000);
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < 3; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        struct sequencer_status status;
        sequencer_status(node->sequencer, &status);
        accepted += node->accepted;
        CHECK(node->refused == 0);
        CHECK(node->view.head.number >= 12);
        CHECK(status.pool_pending == 0);
        CHECK(status.timeouts_total == 0);
        const struct u256 balance = balance_of(node, &to);
        CHECK(balance.limb[0] == 210);
    }
    CHECK(accepted == 30);
    agree(cluster);
    printf("three: %llu blocks\n", (unsigned long long)cluster->nodes[0].view.head.number);
}

int main(void) {
    test_three_commit_transfers();
    printf("ok\n");
    return 0;
}
