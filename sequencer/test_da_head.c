/* A DA endpoint that once says a head far too high and is right afterwards stops nobody: batches go
 * on to be published, once each. */
#include "sequencer/test_cluster.h"

#define BATCH_BLOCKS 5u

/* published says up to which block batches are on the DA layer, each of them once. */
static uint64_t published(const struct cluster *cluster) {
    uint64_t last = 0;
    for (size_t i = 0; i < cluster->blobs_count; i++) {
        for (size_t j = 0; j < i; j++)
            CHECK(!bytes_equal(cluster->blobs[i], cluster->blobs[j]));
        last += BATCH_BLOCKS;
    }
    return last;
}

static uint64_t head(const struct cluster *cluster) {
    struct sequencer_status status;
    sequencer_status(cluster->nodes[0].sequencer, &status);
    return status.head_height;
}

/* The lie is there for `lie_ms`, in which batches are closed; with others nobody waits for it. */
static void test_lie(uint32_t nodes, uint64_t lie, uint64_t lie_ms) {
    const struct cluster_options options = {.nodes = nodes,
                                            .validators = nodes,
                                            .blocks_per_rotation = 50,
                                            .block_time_ms = 50,
                                            .batch_blocks = BATCH_BLOCKS,
                                            .has_l1 = false};
    struct cluster *cluster = cluster_create(&options);
    cluster_run(cluster, 3000);
    CHECK(published(cluster) >= 4 * BATCH_BLOCKS);
    cluster->da_lie = lie;
    cluster_run(cluster, lie_ms);
    cluster->da_lie = 0;
    const uint64_t begun = head(cluster);
    cluster_run(cluster, 12000);
    CHECK(head(cluster) > begun + 10 * BATCH_BLOCKS);
    CHECK(published(cluster) > begun + 5 * BATCH_BLOCKS);
    /* Nor is the lie in what outlives the process. */
    node_kill(&cluster->nodes[0]);
    node_start(&cluster->nodes[0]);
    const uint64_t before = published(cluster);
    cluster_run(cluster, 6000);
    CHECK(published(cluster) > before + 5 * BATCH_BLOCKS);
    cluster_destroy(cluster);
}

int main(void) {
    test_lie(1, 1000000000000u, DA_BLOCK_MS);
    test_lie(1, 1000000000000u, 3000);
    test_lie(1, 100, 3000);
    test_lie(3, 1000000000000u, DA_BLOCK_MS);
    test_lie(3, UINT64_MAX / 2, 3000);
    printf("ok\n");
    return 0;
}
