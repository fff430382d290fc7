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
    cluster_destroy(cluster);
}

/* The first block of each rotation is proposed by whom the rule names, the others by the same. */
static void test_rotation_follows_the_rule(void) {
    struct cluster *cluster = cluster_create(&three);
    cluster_run(cluster, 4500);
    const struct cluster_node *node = &cluster->nodes[0];
    CHECK(node->view.head.number >= 40);
    uint32_t turns[3] = {0};
    for (uint64_t h = 1; h <= 39; h++) {
        struct validator_set set = node->sets[rotation_of(h, 10)];
        const uint32_t index = rotation_advance(&set);
        CHECK(address_equal(&node->blocks[h].proposer, &set.validators[index].address));
        CHECK(node->blocks[h].round == 0);
        if (rotation_first(h, 10) == h) turns[index] += 1;
    }
    for (int i = 0; i < 3; i++)
        CHECK(turns[i] >= 1); /* equal stake: each leads in its turn */
    agree(cluster);
    cluster_destroy(cluster);
}

static struct cluster_node *leader(struct cluster *cluster) {
    struct sequencer_status status;
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (!cluster->nodes[i].is_up) continue;
        sequencer_status(cluster->nodes[i].sequencer, &status);
        if (status.is_proposer && status.round == 0) return &cluster->nodes[i];
    }
    return &cluster->nodes[0];
}

/* A killed proposer costs one timeout, loses nothing that was acknowledged, and comes back. */
static void test_proposer_is_killed(void) {
    struct cluster *cluster = cluster_create(&three);
    const struct address to = {{0xab}};
    cluster_run(cluster, 500);
    for (int kill = 0; kill < 4; kill++) {
        struct cluster_node *victim = leader(cluster);
        struct cluster_node *other = &cluster->nodes[(victim->index + 1) % 3];
        const uint32_t accepted = victim->accepted;
        transfer(victim, (uint32_t)kill, 0, &to, 1, 1);
        cluster_run(cluster, 5);
        CHECK(victim->accepted == accepted + 1);
        const uint64_t height = other->view.head.number;
        node_kill(victim);
        cluster_run(cluster, 150); /* less than the timeout: its connection broke */
        CHECK(other->view.head.number > height);
        cluster_run(cluster, 850);
        CHECK(other->view.head.number >= height + 6);
        CHECK(balance_of(other, &to).limb[0] == (uint64_t)kill + 1);
        const uint64_t behind = victim->view.head.number;
        node_restart(victim);
        cluster_run(cluster, 1500);
        CHECK(victim->view.head.number > behind + 10);
        CHECK(victim->view.head.number + 1 >= other->view.head.number);
        CHECK(balance_of(victim, &to).limb[0] == (uint64_t)kill + 1);
    }
    agree(cluster);
    cluster_destroy(cluster);
}

/* All at once: the same head, and on it goes. */
static void test_all_are_killed(void) {
    struct cluster *cluster = cluster_create(&three);
    for (int kill = 0; kill < 5; kill++) {
        cluster_run(cluster, 731);
        uint64_t heads[3];
        for (uint32_t i = 0; i < 3; i++) {
            heads[i] = cluster->nodes[i].view.head.number;
            node_kill(&cluster->nodes[i]);
        }
        for (uint32_t i = 0; i < 3; i++) {
            CHECK(cluster->nodes[i].view.head.number == heads[i]);
            node_start(&cluster->nodes[i]);
        }
        for (uint32_t i = 0; i < 3; i++) {
            for (uint32_t j = 0; j < 3; j++) {
                if (i != j) packet_push(cluster, PACKET_PEER, j, i, 0)->is_connected = true;
            }
        }
        cluster_run(cluster, 1500);
        for (uint32_t i = 0; i < 3; i++)
            CHECK(cluster->nodes[i].view.head.number > heads[i] + 5);
        agree(cluster);
    }
    cluster_destroy(cluster);
}

/* A follower without a vote, and a node far behind, fetch blocks from several peers. */
static void test_sync(void) {
    struct cluster_options options = three;
    options.nodes = 4;
    struct cluster *cluster = cluster_create(&options);
    struct cluster_node *follower = &cluster->nodes[3];
    node_kill(follower);
    cluster_run(cluster, 9000);
    CHECK(cluster->nodes[0].view.head.number > 80);
    CHECK(follower->view.head.number == 0);
    node_restart(follower);
    cluster_run(cluster, 1500);
    CHECK(follower->view.head.number + 1 >= cluster->nodes[0].view.head.number);
    CHECK(follower->syncs == 1); /* it begins once, however long it takes */
    agree(cluster);
    struct sequencer_status status;
    sequencer_status(follower->sequencer, &status);
    CHECK(status.messages_bad_total == 0); /* nobody lied */
    CHECK(!status.is_validator);
    CHECK(status.votes_prevote_total == 0);
    cluster_destroy(cluster);
}

/* A stopping proposer hands over: nobody sees a timeout. */
static void test_handover(void) {
    struct cluster *cluster = cluster_create(&three);
    for (int i = 0; i < 2; i++) {
        cluster_run(cluster, 777);
        struct cluster_node *node = leader(cluster);
        const struct input stop = input_of(cluster, INPUT_STOP);
        step(node, &stop);
        for (int ms = 0; !node->is_stopped && ms < 3000; ms++)
            cluster_run(cluster, 1);
        CHECK(node->is_stopped);
        const uint64_t height = node->view.head.number;
        cluster_run(cluster, 3); /* what it said last arrives */
        node_kill(node);
        cluster_run(cluster, 400);
        const struct cluster_node *other = &cluster->nodes[(node->index + 1) % 3];
        CHECK(other->view.head.number >= height + 2);
        CHECK(!address_equal(&other->blocks[height + 1].proposer, &node->address));
        struct sequencer_status status;
        sequencer_status(other->sequencer, &status);
        CHECK(status.timeouts_total == 0);
        node_restart(node);
        cluster_run(cluster, 1000);
        CHECK(node->view.head.number + 1 >= other->view.head.number);
    }
    agree(cluster);
    cluster_destroy(cluster);
}

/* A leader that is stopped and goes on: the others do not wait for it, and what it says late does
 * no harm. */
static void test_proposer_is_paused(void) {
    struct cluster *cluster = cluster_create(&three);
    cluster_run(cluster, 1000);
    for (int i = 0; i < 6; i++) {
        cluster_run(cluster, 137 + 31 * (uint64_t)i); /* at any moment of a height */
        struct cluster_node *node = leader(cluster);
        const struct cluster_node *other = &cluster->nodes[(node->index + 1) % 3];
        const uint64_t height = other->view.head.number;
        node->is_paused = true;
        cluster_run(cluster, 3000);
        CHECK(other->view.head.number >= height + 10);
        node->is_paused = false;
        cluster_run(cluster, 1500);
        CHECK(node->view.head.number + 1 >= other->view.head.number);
        CHECK(node->stale_records == 0);
        for (uint32_t j = 0; j < 3; j++)
            CHECK(cluster->nodes[j].evidence == 0);
    }
    agree(cluster);
    cluster_destroy(cluster);
}

/* Building costs no time: the block is ready when its time has come, also a rotation's first one,
 * and then it only has to be checked by the others. */
static void test_blocks_are_ready(void) {
    struct cluster *cluster = cluster_create(&three);
    const struct cluster_node *node = &cluster->nodes[0];
    const uint64_t per = three.blocks_per_rotation;
    cluster->execute_ms = 20;
    cluster_run(cluster, 1500); /* it is known by now how long jobs take */
    uint64_t height = node->view.head.number, at_ms = 0, gap_ms_max = 0, first_gap_ms_max = 0;
    const uint64_t begin = height;
    while (height < begin + 3 * per) {
        cluster_run(cluster, 1);
        if (node->view.head.number == height) continue;
        height = node->view.head.number;
        const uint64_t gap_ms = at_ms == 0 ? 0 : cluster->now_ms - at_ms;
        at_ms = cluster->now_ms;
        const bool is_first = rotation_first(height, per) == height;
        if (is_first && gap_ms > first_gap_ms_max) first_gap_ms_max = gap_ms;
        if (!is_first && gap_ms > gap_ms_max) gap_ms_max = gap_ms;
        /* One check and the messages since its time; a build would be 20 ms more. */
        CHECK(1700000001000 + at_ms - node->view.head_frame.time_ms < 20 + 12);
    }
    CHECK(gap_ms_max <= three.block_time_ms + 6);
    CHECK(first_gap_ms_max <= gap_ms_max + 3); /* who leads next is as fast as who leads on */
    agree(cluster);
    cluster_destroy(cluster);
}

/* Every block up to `last_least` is on the DA layer exactly once, in batches that end everywhere at
 * the same blocks (publishers work side by side, so batches need not lie there in order). */
static void batches_check(struct cluster *cluster, uint64_t last_least) {
    static uint8_t memory[32u << 20];
    uint32_t seen[BLOCKS_MAX] = {0};
    for (size_t i = 0; i < cluster->blobs_count; i++) {
        struct arena arena = arena_over(memory, sizeof memory);
        struct batch batch;
        struct commit commit;
        CHECK(batch_decode(cluster->blobs[i], &arena, &batch) == ERR_OK);
        CHECK(batch.count == 7);
        CHECK(batch.first % 7 == 1);
        for (size_t j = 0; j < batch.count; j++) {
            seen[batch.first + j] += 1;
            CHECK(
                bytes_equal(batch.packages[j], cluster->nodes[0].blocks[batch.first + j].package));
        }
        CHECK(commit_decode(batch.commit, &commit) == ERR_OK);
        CHECK(commit.height == batch.first + batch.count - 1);
    }
    for (uint64_t h = 1; h <= last_least; h++)
        CHECK(seen[h] == 1);
    for (uint64_t h = 1; h < BLOCKS_MAX; h++)
        CHECK(seen[h] <= 1);
}

static void test_batches(void) {
    struct cluster_options options = three;
    options.batch_blocks = 7;
    options.blocks_per_rotation = 5;
    struct cluster *cluster = cluster_create(&options);
    cluster_run(cluster, 3000);
    batches_check(cluster, 20);
    for (uint32_t i = 0; i < 3; i++) {
        struct sequencer_status status;
        sequencer_status(cluster->nodes[i].sequencer, &status);
        CHECK(status.published_block >= 20);
    }
    /* An outage: batches wait, and each is there once afterwards, whoever was killed meanwhile. */
    cluster->is_da_down = true;
    cluster_run(cluster, 4000);
    const size_t blobs = cluster->blobs_count;
    node_kill(&cluster->nodes[1]);
    cluster_run(cluster, 2000);
    CHECK(cluster->blobs_count == blobs);
    cluster->is_da_down = false;
    cluster_run(cluster, 8000);
    batches_check(cluster, cluster->nodes[0].view.head.number - 16);
    node_restart(&cluster->nodes[1]);
    cluster_run(cluster, 12000);
    batches_check(cluster, cluster->nodes[0].view.head.number - 16);
    for (uint32_t i = 0; i < 3; i++) {
        struct sequencer_status status;
        sequencer_status(cluster->nodes[i].sequencer, &status);
        CHECK(status.published_block + 16 >= status.head_height);
        CHECK(cluster->nodes[i].publishes >= 1);
    }
    agree(cluster);
    cluster_destroy(cluster);
}

int main(void) {
    test_three_commit_transfers();
    test_rotation_follows_the_rule();
    test_proposer_is_killed();
    test_all_are_killed();
    test_sync();
    test_handover();
    test_proposer_is_paused();
    test_blocks_are_ready();
    test_batches();
    printf("ok\n");
    return 0;
}
