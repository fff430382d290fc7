/* A validator that is locked on a block comes back without the block's bytes: it asks the others.
 */
#include "sequencer/test_cluster.h"

static const struct cluster_options three = {
    .nodes = 3, .validators = 3, .blocks_per_rotation = 10, .block_time_ms = 100};

static uint64_t stuck_height;
static uint32_t locker_index, gone_index;

/* Of the one who locks, the others never hear the prevote that made the polka. */
static struct bytes lose_prevote(struct cluster_node *from, struct bytes bytes) {
    static struct message message;
    const struct message_context context = {from->cluster->domain, from->cluster->batch_domain,
                                            secp_recoverer()};
    if (from->index != locker_index || bytes.data[0] != MESSAGE_VOTE) return bytes;
    CHECK(message_decode(&context, bytes, &message) == VERDICT_ACCEPTED);
    const struct vote *vote = &message.vote;
    if (vote->height != stuck_height || vote->round != 0 || vote->kind != VOTE_PREVOTE) {
        return bytes;
    }
    return status_message(from, from->view.head.number);
}

static struct consensus_record record_of(const struct cluster_node *node) {
    struct consensus_record record;
    CHECK(consensus_record_decode(node->record, &record) == ERR_OK);
    return record;
}

/* choose lets two validators of three go on, of whom the one that does not lead is to lock. */
static void choose(struct cluster *cluster) {
    struct sequencer_status status;
    struct validator_set set, next;
    cluster_run(cluster, 1000);
    sequencer_status(cluster->nodes[0].sequencer, &status);
    sequencer_validators(cluster->nodes[0].sequencer, &set, &next);
    uint32_t leader = 0;
    for (uint32_t i = 0; i < 3; i++) {
        const struct address *proposer = &cluster->nodes[0].view.head_frame.proposer;
        if (address_equal(&cluster->nodes[i].address, proposer)) leader = i;
    }
    locker_index = (leader + 1) % 3;
    gone_index = (leader + 2) % 3;
    node_kill(&cluster->nodes[gone_index]);
    cluster_run(cluster, 1000);
}

/* What is on disk is then the package of another block: a crash came between the two writes. */
static void test_lost_package(void) {
    struct cluster *cluster = cluster_create(&three);
    choose(cluster);
    struct cluster_node *locker = &cluster->nodes[locker_index];
    stuck_height = locker->view.head.number + 2;
    cluster->tamper = lose_prevote;
    const struct bytes former = bytes_keep(locker->record_package);
    struct consensus_record record = record_of(locker);
    while (record.height != stuck_height || record.round == 0) {
        CHECK(cluster->now_ms < 10000);
        cluster_run(cluster, 1);
        record = record_of(locker);
    }
    CHECK(record.has_locked);
    CHECK(record.locked_round == 0);
    node_kill(locker);
    locker->record_package = former;
    node_restart(locker);
    cluster_run(cluster, 30000);
    CHECK(locker->view.head.number > stuck_height + 20);
    for (uint32_t i = 0; i < 3; i++)
        CHECK(cluster->nodes[i].evidence == 0);
    agree(cluster);
    cluster_destroy(cluster);
}

int main(void) {
    test_lost_package();
    printf("ok\n");
    return 0;
}
