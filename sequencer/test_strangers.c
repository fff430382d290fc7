/* What a stranger says, and what comes all at once, takes nothing from a node that it needs: no
 * slot, no question, no belief in a height, no room for effects. */
#include "sequencer/sequencer_internal.h"
#include "sequencer/test_cluster.h"

#define STRANGER 3 /* a node without a vote */

static const struct cluster_options options = {
    .nodes = 4, .validators = 3, .blocks_per_rotation = 1000, .block_time_ms = 100};

static uint32_t asked;

static struct bytes count_asked(struct cluster_node *from, struct bytes bytes) {
    asked += from->index == 0 && bytes.data[0] == MESSAGE_GET_PROPOSAL;
    return bytes;
}

/* show gives the first node a vote of `voter` that the second sends. */
static void show(struct cluster *cluster, enum message_kind kind, struct vote vote,
                 const struct cluster_node *voter) {
    static struct message message;
    const struct hash32 digest = vote_digest(&cluster->domain, &vote);
    secp_sign(&voter->key, &digest, &vote.signature);
    vote.voter = voter->address;
    memset(&message, 0, sizeof message);
    message.kind = kind;
    message.height = vote.height;
    message.vote = vote;
    struct input input = input_of(cluster, INPUT_MESSAGE);
    input.peer.peer = cluster->nodes[1].peer_id;
    input.peer.message = &message;
    step(&cluster->nodes[0], &input);
}

/* Of the height after the next one only who votes there is believed to propose. */
static void test_proposals_of_strangers(void) {
    struct cluster *cluster = cluster_create(&options);
    cluster->tamper = count_asked;
    cluster_run(cluster, 1000);
    const struct vote proposal = {.kind = VOTE_PROPOSAL,
                                  .height = cluster->nodes[0].view.head.number + 2,
                                  .valid_round = VALID_ROUND_NONE,
                                  .block = {{9}}};
    asked = 0;
    show(cluster, MESSAGE_PROPOSAL, proposal, &cluster->nodes[STRANGER]);
    CHECK(asked == 0);
    show(cluster, MESSAGE_PROPOSAL, proposal, &cluster->nodes[1]);
    CHECK(asked == 1);
    cluster_destroy(cluster);
}

/* A validator's vote says that its sender has the blocks before it; a stranger's says nothing. */
static void test_heights_of_strangers(void) {
    struct cluster *cluster = cluster_create(&options);
    struct cluster_node *node = &cluster->nodes[0];
    cluster_run(cluster, 1000);
    const struct peer *peer = sequencer_peer(node->sequencer, &cluster->nodes[1].peer_id);
    const uint64_t before = peer->height;
    const struct vote vote = {.kind = VOTE_PREVOTE,
                              .height = node->view.head.number + 50,
                              .valid_round = VALID_ROUND_NONE};
    show(cluster, MESSAGE_VOTE, vote, &cluster->nodes[STRANGER]);
    CHECK(peer->height == before);
    show(cluster, MESSAGE_VOTE, vote, &cluster->nodes[1]);
    CHECK(peer->height == vote.height - 1);
    cluster_destroy(cluster);
}

/* A chain without items stands still until a validator begins: no stranger wakes it. */
static void test_stranger_wakes_nobody(void) {
    struct cluster_options idle = options;
    idle.idle_ms = 60000;
    struct cluster *cluster = cluster_create(&idle);
    struct cluster_node *node = &cluster->nodes[0];
    cluster_run(cluster, 2000);
    CHECK(node->sequencer->height_state == HEIGHT_HELD);
    const struct vote vote = {.kind = VOTE_PREVOTE,
                              .height = node->view.head.number + 1,
                              .valid_round = VALID_ROUND_NONE};
    show(cluster, MESSAGE_VOTE, vote, &cluster->nodes[STRANGER]);
    CHECK(node->sequencer->height_state == HEIGHT_HELD);
    show(cluster, MESSAGE_VOTE, vote, &cluster->nodes[1]);
    CHECK(node->sequencer->height_state == HEIGHT_RUNNING);
    cluster_destroy(cluster);
}

/* Who says that it is ahead and answers with nothing is asked again, but not at once. */
static void test_empty_answers(void) {
    static struct message message = {.kind = MESSAGE_STATUS, .height = 1000};
    struct cluster *cluster = cluster_create(&options);
    cluster_run(cluster, 1000);
    struct input input = input_of(cluster, INPUT_MESSAGE);
    input.peer.peer = cluster->nodes[STRANGER].peer_id;
    input.peer.message = &message;
    cluster->nodes[STRANGER].is_cut = true; /* it says only what we make it say */
    step(&cluster->nodes[0], &input);
    message.kind = MESSAGE_BLOCKS;
    const struct hash32 *id = &cluster->nodes[STRANGER].peer_id;
    const struct peer *peer = sequencer_peer(cluster->nodes[0].sequencer, id);
    uint32_t answered = 0;
    for (const uint64_t end = cluster->now_ms + 3000; cluster->now_ms < end;) {
        cluster_run(cluster, 1);
        if (peer->request_count == 0) continue;
        answered += 1;
        input.now_ms = cluster->now_ms;
        input.unix_ms = input_of(cluster, INPUT_MESSAGE).unix_ms;
        step(&cluster->nodes[0], &input);
    }
    CHECK(answered >= 2);
    CHECK(answered <= 3000 / PEER_SILENT_MS + 1);
    cluster_destroy(cluster);
}

/* slots_fill fills every slot with a block of a round to come, the first for the next one. */
static struct candidate *slots_fill(struct sequencer *sequencer) {
    sequencer->has_record = false;
    for (uint32_t i = 0; i < EXECUTOR_SLOTS; i++) {
        struct candidate *candidate = &sequencer->candidates[i];
        candidate->state = CANDIDATE_HELD;
        candidate->height = sequencer->head_height + 1;
        candidate->hash = (struct hash32){{1, (uint8_t)i}};
        candidate->round = i + 1;
        candidate->was_asked = false;
        candidate->asked_round = 0;
    }
    return sequencer->candidates;
}

/* Blocks of rounds to come may be a liar's: they give way, but not what this round is about, what
 * we are locked on, and what runs. */
static void test_slots(void) {
    struct cluster *cluster = cluster_create(&options);
    struct sequencer *sequencer = cluster->nodes[0].sequencer;
    cluster_run(cluster, 1000);
    while (sequencer_round(sequencer) != 0)
        cluster_run(cluster, 1);
    struct candidate *slots = slots_fill(sequencer);
    CHECK(sequencer_candidate_take(sequencer) == &slots[0]);
    slots_fill(sequencer)->was_asked = true;
    CHECK(sequencer_candidate_take(sequencer) == &slots[1]);
    slots_fill(sequencer)->was_asked = true;
    slots[0].state = CANDIDATE_INVALID;
    CHECK(sequencer_candidate_take(sequencer) == &slots[0]);
    slots_fill(sequencer)->was_asked = true;
    slots[0].asked_round = 7; /* another one than this */
    CHECK(sequencer_candidate_take(sequencer) == &slots[0]);
    slots_fill(sequencer)->state = CANDIDATE_EXECUTING;
    slots[1].state = CANDIDATE_COMMITTING;
    slots[3].state = CANDIDATE_FREE;
    CHECK(sequencer_candidate_take(sequencer) == &slots[3]);
    for (int is_locked = 0; is_locked < 2; is_locked++) {
        slots_fill(sequencer);
        sequencer->has_record = true;
        sequencer->record = (struct consensus_record){.height = sequencer->head_height + 1,
                                                      .has_valid = is_locked == 0,
                                                      .has_locked = is_locked == 1,
                                                      .valid = slots[0].hash,
                                                      .locked = slots[0].hash};
        CHECK(sequencer_candidate_take(sequencer) == &slots[1]);
    }
    cluster_destroy(cluster);
}

/* More clients wait for a peer that hangs than one step has effects for: all are answered. */
static void test_many_wait(void) {
    struct cluster *cluster = cluster_create(&options);
    struct cluster_node *node = &cluster->nodes[0];
    const struct address to = {{0x77}};
    const uint32_t clients = 2 * SEQUENCER_EFFECTS_MAX;
    cluster_run(cluster, 1000);
    cluster->nodes[STRANGER].is_paused = true;
    for (uint32_t i = 0; i < clients; i++)
        transfer(node, i % ACCOUNTS, i / ACCOUNTS, &to, 1, i + 1);
    CHECK(node->accepted == 0);
    cluster_run(cluster, WAIT_MS_MAX + 100);
    CHECK(node->accepted == clients);
    cluster->nodes[STRANGER].is_paused = false;
    cluster_destroy(cluster);
}

/* Others tell of their height in place of their precommits. */
static struct bytes precommits_lose(struct cluster_node *from, struct bytes bytes) {
    static struct message message;
    if (from->index == 0 || bytes.data[0] != MESSAGE_VOTE) return bytes;
    const struct message_context context = {from->cluster->domain, from->cluster->batch_domain,
                                            secp_recoverer()};
    CHECK(message_decode(&context, bytes, &message) == VERDICT_ACCEPTED);
    if (message.vote.kind != VOTE_PRECOMMIT) return bytes;
    return status_message(from, from->view.head.number);
}

/* A validator that is killed when a quorum had voted for a block starts with the block and the
 * votes: it can propose it again, and prove that it may. */
static void test_polka_is_kept(void) {
    struct cluster *cluster = cluster_create(&options);
    struct cluster_node *node = &cluster->nodes[0];
    struct consensus_record record = {.has_valid = false};
    cluster->tamper = precommits_lose;
    while (!record.has_valid || record.height != node->view.head.number + 1) {
        CHECK(cluster->now_ms < 10000);
        cluster_run(cluster, 1);
        if (node->record.size == 0) continue;
        CHECK(consensus_record_decode(node->record, &record) == ERR_OK);
    }
    node_kill(node);
    node_start(node);
    const struct sequencer *sequencer = node->sequencer;
    CHECK(sequencer->has_record_polka);
    CHECK(hash_equal(&sequencer->record_polka.block, &record.valid));
    const struct candidate *candidate = sequencer_candidate(node->sequencer, &record.valid);
    CHECK(candidate != NULL);
    CHECK(candidate->is_backed);
    cluster_destroy(cluster);
}

/* leader runs until a proposal of its own is out, and returns who made it. */
static struct cluster_node *leader(struct cluster *cluster) {
    for (;;) {
        cluster_run(cluster, 1);
        for (uint32_t i = 0; i < 3; i++) {
            const struct sequencer *sequencer = cluster->nodes[i].sequencer;
            for (uint32_t k = 0; k < EXECUTOR_SLOTS; k++) {
                const struct candidate *candidate = &sequencer->candidates[k];
                if (candidate->state == CANDIDATE_VALID && candidate->is_sent &&
                    candidate->height == sequencer->head_height + 1) {
                    return &cluster->nodes[i];
                }
            }
        }
    }
}

/* A proposal that nobody answers holds up the stop of who made it, but not for ever. */
static void test_stop_in_the_end(void) {
    struct cluster *cluster = cluster_create(&options);
    cluster_run(cluster, 1000);
    struct cluster_node *node = leader(cluster);
    node->is_cut = true;
    for (size_t i = 0; i < cluster->packets_count; i++) { /* nor what is on its way */
        struct packet *packet = &cluster->packets[(cluster->packets_begin + i) % QUEUE_MAX];
        if (packet->kind == PACKET_MESSAGE) packet->at_ms = cluster->now_ms + 60000;
    }
    const struct input stop = input_of(cluster, INPUT_STOP);
    step(node, &stop);
    cluster_run(cluster, STOP_MS_MAX - 100);
    CHECK(!node->is_stopped);
    cluster_run(cluster, 200);
    CHECK(node->is_stopped);
    cluster_destroy(cluster);
}

int main(void) {
    test_stop_in_the_end();
    test_proposals_of_strangers();
    test_heights_of_strangers();
    test_stranger_wakes_nobody();
    test_empty_answers();
    test_slots();
    test_many_wait();
    test_polka_is_kept();
    printf("ok\n");
    return 0;
}
