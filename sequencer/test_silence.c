/* How long a validator that finds its record to be old stays silent: to the height that its own
 * signatures and believable heights of others lead to, and no further than that. */
#include "sequencer/test_cluster.h"

#define CLAIM 1000000u

static const struct cluster_options options = {
    .nodes = 4, .validators = 3, .blocks_per_rotation = 10, .block_time_ms = 100};

/* The last node has no vote, and says that it is far ahead. */
static struct bytes boast(struct cluster_node *from, struct bytes bytes) {
    if (from->index != 3 || bytes.data[0] != MESSAGE_STATUS) return bytes;
    return status_message(from, CLAIM);
}

/* own_vote_shown shows a node a prevote of its own that its record does not know. */
static void own_vote_shown(struct cluster_node *node, uint64_t height, uint32_t round) {
    static struct message message;
    memset(&message, 0, sizeof message);
    message.kind = MESSAGE_VOTE;
    message.vote = (struct vote){.kind = VOTE_PREVOTE,
                                 .height = height,
                                 .round = round,
                                 .valid_round = VALID_ROUND_NONE,
                                 .voter = node->address};
    const struct hash32 digest = vote_digest(&node->cluster->domain, &message.vote);
    secp_sign(&node->key, &digest, &message.vote.signature);
    struct input input = input_of(node->cluster, INPUT_MESSAGE);
    input.peer.peer = node->cluster->nodes[1].peer_id;
    input.peer.message = &message;
    step(node, &input);
}

static uint64_t silent_until(const struct cluster_node *node) {
    struct sequencer_status status;
    sequencer_status(node->sequencer, &status);
    return status.silent_until;
}

static void test_silence(void) {
    struct cluster *cluster = cluster_create(&options);
    struct cluster_node *node = &cluster->nodes[0];
    cluster->tamper = boast;
    cluster_run(cluster, 1000);
    const uint64_t height = node->view.head.number + 1;
    const struct bytes record = node->record;
    own_vote_shown(node, height + 1, 0);
    CHECK(silent_until(node) == height + 3); /* a stranger's claim does not silence it for ever */
    own_vote_shown(node, height, 3);
    CHECK(silent_until(node) == height + 3);  /* what shows less takes nothing back */
    CHECK(bytes_equal(node->record, record)); /* as old as it is: a restart shall find out, too */
    cluster_run(cluster, 3000);
    CHECK(node->view.head.number > height + 10);
    CHECK(silent_until(node) == 0); /* and it takes part again */
    agree(cluster);
    cluster_destroy(cluster);
}

/* A record is as new as its round: what it knows of the height says nothing of later rounds. */
static void test_later_round(void) {
    struct cluster *cluster = cluster_create(&options);
    struct cluster_node *node = &cluster->nodes[0];
    struct consensus_record record = {.height = 0};
    cluster_run(cluster, 1000);
    while (record.height != node->view.head.number + 1 || record.step < 2) {
        CHECK(cluster->now_ms < 10000);
        cluster_run(cluster, 1);
        CHECK(consensus_record_decode(node->record, &record) == ERR_OK);
    }
    own_vote_shown(node, record.height, record.round);
    CHECK(silent_until(node) == 0); /* its own, and known */
    own_vote_shown(node, record.height, record.round + 1);
    CHECK(silent_until(node) == record.height + 2);
    cluster_destroy(cluster);
}

int main(void) {
    test_later_round();
    test_silence();
    printf("ok\n");
    return 0;
}
