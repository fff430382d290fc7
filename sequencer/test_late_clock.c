/* A node whose wall clock is behind is paused, goes on, and decides a block that is old by then: it
 * does not take the block for a fresh one, whose batch cannot lie low on the DA layer. */
#include "sequencer/test_cluster.h"

#define BATCH     5u
#define BEHIND_MS 10000u
#define PAUSE_MS  2500u

static struct bytes without_receipts(struct cluster_node *from, struct bytes bytes) {
    if (bytes.data[0] != MESSAGE_BATCH_RECEIPT) return bytes;
    return status_message(from, from->view.head.number);
}

static void each_batch_once(const struct cluster *cluster) {
    for (size_t i = 0; i < cluster->blobs_count; i++) {
        for (size_t j = 0; j < i; j++)
            CHECK(!bytes_equal(cluster->blobs[i], cluster->blobs[j]));
    }
}

/* restart: it has heard the others, and its first block since is still to come. */
static void restart(struct cluster_node *node) {
    struct sequencer_status status = {.is_wary = true};
    node_kill(node);
    node_restart(node);
    while (status.is_wary) {
        cluster_run(node->cluster, 1);
        sequencer_status(node->sequencer, &status);
    }
}

static void test_paused(bool is_restarted) {
    const struct cluster_options options = {.nodes = 3,
                                            .validators = 3,
                                            .blocks_per_rotation = 6,
                                            .block_time_ms = 100,
                                            .batch_blocks = BATCH};
    struct cluster *cluster = cluster_create(&options);
    struct cluster_node *late = &cluster->nodes[2];
    cluster->tamper = without_receipts;
    late->wall_ahead_ms = -(uint64_t)BEHIND_MS;
    cluster_run(cluster, 3000);
    for (int round = 0; round < 6; round++) {
        while (late->view.head.number % BATCH != BATCH - 1)
            cluster_run(cluster, 1);
        const uint64_t last = late->view.head.number + 1;
        if (is_restarted) restart(late);
        late->is_paused = true;
        cluster_run(cluster, PAUSE_MS);
        CHECK(late->view.head.number == last - 1);
        late->is_paused = false;
        da_tick(late); /* it learns how high the DA layer is before the votes are read */
        cluster_run(cluster, 2 * PAUSE_MS);
        CHECK(late->view.head.number > last + BATCH);
        each_batch_once(cluster);
    }
    CHECK(cluster->blobs_count > 20);
    agree(cluster);
    cluster_destroy(cluster);
}

int main(void) {
    test_paused(false);
    test_paused(true);
    printf("ok\n");
    return 0;
}
