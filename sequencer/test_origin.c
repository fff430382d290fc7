/* The L1 origin of a block: who may move it on, when, and to what; everything else is refused. */
#include "sequencer/sequencer_internal.h"
#include "sequencer/test_cluster.h"

static struct cluster *cluster;
static struct sequencer *sequencer;

/* run_before runs the chain until its next height is a rotation's first, or is not. */
static void run_before(bool is_first) {
    sequencer = cluster->nodes[0].sequencer;
    while (sequencer_is_rotation_first(sequencer, sequencer->head_height + 1) != is_first)
        cluster_run(cluster, 1);
}

static struct frame chosen(uint32_t round) {
    static struct validator_set next;
    bool carries_next;
    cluster->effects->count = 0;
    sequencer->effects = cluster->effects; /* as within a step: an old origin is told */
    struct frame frame = {.height = sequencer->head_height + 1, .round = round};
    sequencer_origin_choose(sequencer, round, &frame, &next, &carries_next);
    CHECK(sequencer_origin_check(sequencer, &frame) == ORIGIN_RIGHT);
    return frame;
}

static enum origin_answer changed(struct frame frame, int what) {
    if (what == 0) frame.l1_number += 1;
    if (what == 1) frame.l1_number -= 1;
    if (what == 2) frame.l1_hash.bytes[0] ^= 1;
    if (what == 3) frame.next_validators_hash.bytes[0] ^= 1;
    return sequencer_origin_check(sequencer, &frame);
}

static void begin(bool has_l1) {
    const struct cluster_options options = {.nodes = 3,
                                            .validators = 3,
                                            .blocks_per_rotation = 10,
                                            .block_time_ms = 100,
                                            .has_l1 = has_l1};
    cluster = cluster_create(&options);
    cluster_run(cluster, 1500);
}

/* Within a rotation nothing of it changes. */
static void test_within_a_rotation(void) {
    begin(false);
    run_before(false);
    const struct frame frame = chosen(0);
    for (int what = 0; what < 3; what++)
        CHECK(changed(frame, what) == ORIGIN_WRONG);
    cluster_destroy(cluster);
}

/* At a rotation's first block it stays, with the set that follows from the chain alone, or moves on
 * to a block that our own L1 node knows, in round 0. */
static void test_at_a_rotation(void) {
    begin(true);
    run_before(true);
    struct frame frame = chosen(0);
    CHECK(changed(frame, 0) == ORIGIN_UNKNOWN); /* our L1 node may be behind */
    CHECK(changed(frame, 1) == ORIGIN_WRONG);
    CHECK(changed(frame, 2) == ORIGIN_WRONG);
    CHECK(changed(frame, 3) == ORIGIN_WRONG);
    const uint64_t before = frame.l1_number;
    struct l1_facts *facts = l1_facts_at(before + 50);
    for (uint32_t i = 0; i < 3; i++)
        list_validator(&cluster->nodes[i], facts->validators, &facts->validators_count);
    l1_tell(&cluster->nodes[0], facts);
    CHECK(chosen(0).l1_number == before); /* the others need not know it yet */
    cluster->nodes[0].is_cut = true;
    cluster->now_ms += 2000;
    step(&cluster->nodes[0], &(struct input){.kind = INPUT_TICK,
                                             .now_ms = cluster->now_ms,
                                             .unix_ms = 1700000001000 + cluster->now_ms});
    frame = chosen(0);
    CHECK(frame.l1_number == before + 50);
    CHECK(chosen(1).l1_number == before);
    CHECK(changed(frame, 0) == ORIGIN_UNKNOWN);
    CHECK(changed(frame, 2) == ORIGIN_DOUBTED);
    CHECK(changed(frame, 3) == ORIGIN_DOUBTED);
    frame.round = 1;
    CHECK(sequencer_origin_check(sequencer, &frame) == ORIGIN_WRONG);
    cluster_destroy(cluster);
}

int main(void) {
    test_within_a_rotation();
    test_at_a_rotation();
    printf("ok\n");
    return 0;
}
