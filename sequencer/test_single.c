/* One validator, on demand and by interval; what fails stops it; items and their answers. */
#include "sequencer/test_cluster.h"

static const struct cluster_options one = {
    .nodes = 1, .validators = 1, .blocks_per_rotation = 100, .block_time_ms = 1000};

/* `baton dev`: a block as soon as an item is there, and none without. */
static void test_on_demand(void) {
    struct cluster_options options = one;
    options.is_on_demand = true;
    struct cluster *cluster = cluster_create(&options);
    struct cluster_node *node = &cluster->nodes[0];
    const struct address to = {{0xcc}};
    cluster_run(cluster, 100);
    const uint64_t begin = node->view.head.number;
    cluster_run(cluster, 5000);
    CHECK(node->view.head.number == begin);
    for (uint64_t i = 0; i < 250; i++) {
        transfer(node, 1, i, &to, 1, i + 1);
        CHECK(node->last_request == i + 1); /* nobody to wait for */
        cluster_run(cluster, 10);
        CHECK(node->view.head.number == begin + i + 1);
        CHECK(balance_of(node, &to).limb[0] == i + 1);
    }
    transfer(node, 1, 5, &to, 1, 1000);
    CHECK(node->last_verdict == VERDICT_NONCE_TOO_LOW);
    cluster_destroy(cluster);
}

/* Blocks of one rotation after another, by interval, empty ones more rarely. */
static void test_interval_and_idleness(void) {
    struct cluster_options options = one;
    options.idle_ms = 4000;
    struct cluster *cluster = cluster_create(&options);
    struct cluster_node *node = &cluster->nodes[0];
    const struct address to = {{0xcd}};
    cluster_run(cluster, 20500);
    CHECK(node->view.head.number >= 5);
    CHECK(node->view.head.number <= 7);
    const uint64_t begin = node->view.head.number;
    for (uint64_t i = 0; i < 100; i++) {
        transfer(node, 1, i, &to, 1, i + 1);
        cluster_run(cluster, 100);
    }
    CHECK(node->view.head.number >= begin + 9);
    CHECK(node->view.head.number <= begin + 12);
    cluster_destroy(cluster);
}

/* A block that could not be made durable is the last: nothing is signed any more. */
static void test_storage_failure(void) {
    const struct cluster_options options = {
        .nodes = 3, .validators = 3, .blocks_per_rotation = 10, .block_time_ms = 100};
    struct cluster *cluster = cluster_create(&options);
    cluster_run(cluster, 500);
    struct cluster_node *node = &cluster->nodes[1];
    node->fail_commit = true;
    cluster_run(cluster, 3000);
    CHECK(node->halted == 1);
    struct sequencer_status before, after;
    sequencer_status(node->sequencer, &before);
    const uint64_t height = cluster->nodes[0].view.head.number;
    CHECK(before.head_height < height);
    cluster_run(cluster, 1000);
    sequencer_status(node->sequencer, &after);
    CHECK(after.votes_prevote_total == before.votes_prevote_total);
    CHECK(after.votes_precommit_total == before.votes_precommit_total);
    CHECK(cluster->nodes[0].view.head.number > height);
    CHECK(cluster->nodes[0].halted == 0);
    cluster_destroy(cluster);
}

/* An answer comes only when the others hold the item; a peer that hangs delays one answer. */
static void test_answers_wait_for_peers(void) {
    const struct cluster_options options = {
        .nodes = 3, .validators = 3, .blocks_per_rotation = 10, .block_time_ms = 1000};
    struct cluster *cluster = cluster_create(&options);
    struct cluster_node *node = &cluster->nodes[0];
    const struct address to = {{0xce}};
    cluster_run(cluster, 1100);
    transfer(node, 1, 0, &to, 1, 1);
    CHECK(node->last_request == 0);
    for (int ms = 0; node->last_request == 0 && ms < 20; ms++)
        cluster_run(cluster, 1);
    CHECK(node->last_request == 1);
    CHECK(node->last_verdict == VERDICT_ACCEPTED);
    for (uint32_t i = 0; i < 3; i++) {
        struct sequencer_status status;
        sequencer_status(cluster->nodes[i].sequencer, &status);
        CHECK(status.pool_pending == 1); /* all hold it when the client hears of it */
    }
    cluster->nodes[2].is_cut = true; /* hangs, and nobody has noticed */
    transfer(node, 1, 1, &to, 1, 2);
    cluster_run(cluster, 100);
    CHECK(node->last_request == 1);
    cluster_run(cluster, 200);
    CHECK(node->last_request == 2);
    transfer(node, 1, 2, &to, 1, 3);
    cluster_run(cluster, 20);
    CHECK(node->last_request == 3);
    cluster->nodes[2].is_cut = false;
    cluster_run(cluster, 5000);
    CHECK(balance_of(&cluster->nodes[2], &to).limb[0] == 3);
    agree(cluster);
    cluster_destroy(cluster);
}

static uint32_t gossip_count;

static struct bytes count_gossip(struct cluster_node *from, struct bytes bytes) {
    if (from->index == 0 && bytes.data[0] == MESSAGE_ITEMS) gossip_count += 1;
    return bytes;
}

/* The first item after a pause leaves at once; what follows soon, or is known to, shares a message.
 */
static void test_items_share_messages(void) {
    const struct cluster_options options = {
        .nodes = 3, .validators = 3, .blocks_per_rotation = 10, .block_time_ms = 1000};
    struct cluster *cluster = cluster_create(&options);
    struct cluster_node *node = &cluster->nodes[0];
    const struct address to = {{0xd0}};
    cluster_run(cluster, 1100);
    cluster->tamper = count_gossip;
    gossip_count = 0;
    transfer(node, 1, 0, &to, 1, 1);
    CHECK(gossip_count == 2); /* one to each peer */
    transfer(node, 1, 1, &to, 1, 2);
    transfer(node, 1, 2, &to, 1, 3);
    CHECK(gossip_count == 2);
    cluster_run(cluster, SEQUENCER_FLUSH_MS + 1);
    CHECK(gossip_count == 4);
    cluster_run(cluster, 20);
    cluster->has_more = true;
    transfer(node, 1, 3, &to, 1, 4);
    CHECK(gossip_count == 4);
    cluster->has_more = false;
    transfer(node, 1, 4, &to, 1, 5);
    CHECK(gossip_count == 6);
    cluster_run(cluster, 20);
    cluster->has_more = true; /* and then nothing comes */
    transfer(node, 1, 5, &to, 1, 6);
    cluster_run(cluster, SEQUENCER_FLUSH_MS + 1);
    CHECK(gossip_count == 8);
    cluster->has_more = false;
    cluster_run(cluster, 20);
    CHECK(node->accepted == 6);
    cluster_destroy(cluster);
}

/* A node that comes back gets the pool of its peers. */
static void test_pool_survives(void) {
    const struct cluster_options options = {
        .nodes = 3, .validators = 3, .blocks_per_rotation = 10, .block_time_ms = 60000};
    struct cluster *cluster = cluster_create(&options);
    struct cluster_node *node = &cluster->nodes[0];
    const struct address to = {{0xcf}};
    cluster_run(cluster, 200); /* the first block; the next is a minute away */
    for (uint32_t from = 0; from < 4; from++) {
        for (uint64_t i = 0; i < 200; i++)
            transfer(node, from, i, &to, 1, 1);
    }
    cluster_run(cluster, 50);
    CHECK(node->accepted == 800);
    for (uint32_t i = 0; i < 3; i++) {
        node_kill(&cluster->nodes[i]);
        node_restart(&cluster->nodes[i]);
        cluster_run(cluster, 300);
        struct sequencer_status status;
        sequencer_status(cluster->nodes[i].sequencer, &status);
        CHECK(status.pool_pending == 800);
        CHECK(status.pool_queued == 0);
    }
    cluster_destroy(cluster);
}

int main(void) {
    test_on_demand();
    test_interval_and_idleness();
    test_storage_failure();
    test_answers_wait_for_peers();
    test_items_share_messages();
    test_pool_survives();
    printf("ok\n");
    return 0;
}
