/* Whom a node asks for a block that a quorum voted for and that has not come: few voters first,
 * more whenever that was in vain. */
#include "sequencer/test_cluster.h"

#define WAITING 6 /* index of the node to which proposals come late */

static const struct cluster_options seven = {.nodes = 7,
                                             .validators = 7,
                                             .blocks_per_rotation = 50,
                                             .block_time_ms = 100,
                                             .model = FAULT_MODEL_BYZANTINE};

static uint32_t asked;

static struct bytes count_asked(struct cluster_node *from, struct bytes bytes) {
    asked += from->index == WAITING && bytes.data[0] == MESSAGE_GET_PROPOSAL;
    return bytes;
}

/* proposals_hold leaves what is on its way to the waiting node on its way for another minute. */
static void proposals_hold(struct cluster *cluster) {
    for (size_t i = 0; i < cluster->packets_count; i++) {
        struct packet *packet = &cluster->packets[(cluster->packets_begin + i) % QUEUE_MAX];
        const bool is_proposal = packet->kind == PACKET_MESSAGE && packet->to == WAITING &&
                                 packet->bytes.data[0] == MESSAGE_PROPOSAL;
        if (is_proposal) packet->at_ms = cluster->now_ms + 60000;
    }
}

/* run_until_asked returns how many are asked at once, at most `ms` from now. */
static uint32_t run_until_asked(struct cluster *cluster, uint64_t ms) {
    const uint64_t end = cluster->now_ms + ms;
    asked = 0;
    while (asked == 0 && cluster->now_ms < end) {
        proposals_hold(cluster);
        cluster_run(cluster, 1);
    }
    return asked;
}

static void others_pause(struct cluster *cluster, bool is_paused) {
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (i != WAITING) cluster->nodes[i].is_paused = is_paused;
    }
}

static void test_asks_few_first(void) {
    struct cluster *cluster = cluster_create(&seven);
    cluster->tamper = count_asked;
    cluster_run(cluster, 1000);
    CHECK(asked == 0);
    CHECK(run_until_asked(cluster, 2000) == 3);
    others_pause(cluster, true); /* nobody answers, nobody goes on */
    CHECK(run_until_asked(cluster, 2000) > 3);
    const uint32_t all = cluster->count - 1;
    CHECK(run_until_asked(cluster, 2000) == all);
    CHECK(run_until_asked(cluster, 2000) == all);
    others_pause(cluster, false);
    cluster_run(cluster, 3000);
    const uint64_t height = cluster->nodes[WAITING].view.head.number;
    CHECK(height > 20);
    CHECK(height + 1 >= cluster->nodes[0].view.head.number);
    agree(cluster);
    cluster_destroy(cluster);
}

int main(void) {
    test_asks_few_first();
    printf("ok\n");
    return 0;
}
