/* What L1 says: validators that join and leave, an origin that not everyone knows, settlements. */
#include "sequencer/test_cluster.h"

static void tell(struct cluster_node *node, uint64_t number, uint32_t validators,
                 uint64_t settled) {
    const struct cluster *cluster = node->cluster;
    struct l1_facts *facts = l1_facts_at(number);
    facts->settled_last_block = settled;
    for (uint32_t i = 0; i < cluster->count; i++) {
        if ((validators >> i & 1) == 0) continue;
        list_validator(&cluster->nodes[i], facts->validators, &facts->validators_count);
    }
    l1_tell(node, facts);
}

static void tell_all(struct cluster *cluster, uint64_t number, uint32_t validators,
                     uint64_t settled) {
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (cluster->nodes[i].is_up) tell(&cluster->nodes[i], number, validators, settled);
    }
}

static uint32_t blocks_of(const struct cluster *cluster, uint32_t node, uint64_t from,
                          uint64_t to) {
    uint32_t count = 0;
    for (uint64_t h = from; h <= to; h++) {
        count += address_equal(&cluster->nodes[0].blocks[h].proposer, &cluster->nodes[node].address)
                     ? 1
                     : 0;
    }
    return count;
}

/* A fourth validator votes one rotation after a rotation's first block read it; one that left
 * stops. */
static void test_validators_change(void) {
    const struct cluster_options options = {.nodes = 4,
                                            .validators = 3,
                                            .blocks_per_rotation = 10,
                                            .block_time_ms = 100,
                                            .has_l1 = true};
    struct cluster *cluster = cluster_create(&options);
    const struct cluster_node *first = &cluster->nodes[0];
    tell_all(cluster, 101, 7, 0);
    cluster_run(cluster, 1500);
    tell_all(cluster, 102, 15, 0);
    const uint64_t told = first->view.head.number;
    cluster_run(cluster, 12000);
    const uint64_t head = first->view.head.number;
    CHECK(head > 110);
    /* It is read 2 s later at the earliest, in a rotation's first block; active in the next one. */
    const uint64_t read = rotation_first(told + 20 + 10, 10);
    CHECK(first->sets[read / 10].count == 3);
    CHECK(first->sets[read / 10 + 1].count == 4);
    CHECK(blocks_of(cluster, 3, 1, read + 9) == 0);
    CHECK(blocks_of(cluster, 3, read + 10, head) >= 10);
    struct sequencer_status status;
    sequencer_status(cluster->nodes[3].sequencer, &status);
    CHECK(status.is_validator);
    CHECK(status.l1_number == 102);
    CHECK(status.timeouts_total == 0);
    tell_all(cluster, 103, 14, 0); /* the first node leaves */
    cluster_run(cluster, 6000);
    const uint64_t gone = first->view.head.number;
    sequencer_status(first->sequencer, &status);
    CHECK(!status.is_validator);
    cluster_run(cluster, 6000);
    CHECK(first->view.head.number > gone + 50);
    CHECK(blocks_of(cluster, 0, gone, first->view.head.number) == 0);
    agree(cluster);
    cluster_destroy(cluster);
}

/* One node's L1 lags: it cannot vouch for the origin, waits for its L1, and the chain goes on. */
static void test_origin_that_one_does_not_know(void) {
    const struct cluster_options options = {.nodes = 3,
                                            .validators = 3,
                                            .blocks_per_rotation = 10,
                                            .block_time_ms = 100,
                                            .has_l1 = true};
    struct cluster *cluster = cluster_create(&options);
    cluster_run(cluster, 100);
    tell(&cluster->nodes[0], 150, 7, 0);
    tell(&cluster->nodes[1], 150, 7, 0);
    cluster_run(cluster, 8000);
    struct sequencer_status status;
    for (uint32_t i = 0; i < 3; i++) {
        sequencer_status(cluster->nodes[i].sequencer, &status);
        CHECK(status.head_height > 60);
        CHECK(status.l1_number == 150);
    }
    agree(cluster);
    cluster_destroy(cluster);
}

/* see_signature CHECKs that what is signed has its place on the DA layer. */
static uint32_t signatures_seen;
static const struct cluster_node *liar; /* signs another state root */
static struct bytes see_signature(struct cluster_node *from, struct bytes bytes) {
    static struct message message;
    const struct message_context context = {from->cluster->domain, from->cluster->batch_domain,
                                            secp_recoverer()};
    if (bytes.data[0] != MESSAGE_BATCH_SIGN) return bytes;
    CHECK(message_decode(&context, bytes, &message) == VERDICT_ACCEPTED);
    CHECK(message.batch.da_height != 0);
    signatures_seen += 1;
    if (from != liar) return bytes;
    static uint8_t memory[1024];
    struct buffer out = buffer_over(memory, sizeof memory);
    message.batch.state_root.bytes[0] ^= 1;
    const struct hash32 digest =
        batch_digest(&from->cluster->batch_domain.separator, &message.batch);
    secp_sign(&from->key, &digest, &message.batch_signature.signature);
    message_encode(&message, &out);
    CHECK(!out.overflow);
    return buffer_bytes(&out);
}

/* Every validator signs what is on the DA layer; settlements go out in order with a quorum. */
static void test_settlement(bool has_liar) {
    const struct cluster_options options = {.nodes = 3,
                                            .validators = 3,
                                            .blocks_per_rotation = 6,
                                            .block_time_ms = 100,
                                            .batch_blocks = 5,
                                            .has_l1 = true};
    struct cluster *cluster = cluster_create(&options);
    uint64_t settled = 0;
    cluster->tamper = see_signature;
    signatures_seen = 0;
    liar = has_liar ? &cluster->nodes[2] : NULL;
    for (int i = 0; i < 60; i++) {
        cluster_run(cluster, 200);
        for (uint32_t j = 0; j < 3; j++) {
            const struct settlement *settlement = &cluster->nodes[j].last_settlement;
            if (settlement->batch.last <= settled) continue;
            const struct cluster_node *node = &cluster->nodes[j];
            CHECK(settlement->signatures_count >= 2);
            CHECK((settlement->batch.first - 1) % 5 == 0);
            CHECK(settlement->batch.last == settlement->batch.first + 4);
            CHECK(hash_equal(&settlement->batch.last_hash,
                             &node->blocks[settlement->batch.last].hash));
            CHECK(hash_equal(&settlement->batch.parent_hash,
                             &node->blocks[settlement->batch.first - 1].hash));
            CHECK(hash_equal(&settlement->batch.state_root,
                             &node->blocks[settlement->batch.last].state_root));
            CHECK(settlement->batch.da_height != 0);
            for (uint32_t k = 0; k < settlement->signatures_count; k++) {
                const struct hash32 digest =
                    batch_digest(&cluster->batch_domain.separator, &settlement->batch);
                struct address signer;
                CHECK(secp_recover(&digest, &settlement->signatures[k].signature, &signer) ==
                      ERR_OK);
                CHECK(address_equal(&signer, &settlement->signatures[k].signer));
                CHECK(k == 0 ||
                      address_compare(&settlement->signatures[k - 1].signer, &signer) < 0);
            }
            settled = settlement->batch.last;
        }
        tell_all(cluster, 200 + (uint64_t)i, 7, settled);
    }
    CHECK(settled >= 90);
    CHECK(signatures_seen > 2 * settled / 5);
    uint32_t settlements = 0;
    for (uint32_t i = 0; i < 3; i++) {
        struct sequencer_status status;
        sequencer_status(cluster->nodes[i].sequencer, &status);
        CHECK(status.settled_block == settled);
        CHECK(status.batches_pending <= 4);
        settlements += cluster->nodes[i].settlements;
    }
    CHECK(settlements <= settled / 5 + 3); /* hardly anything twice */
    struct sequencer_status status;
    node_kill(&cluster->nodes[0]);
    node_start(&cluster->nodes[0]); /* knows from its journal what is settled */
    sequencer_status(cluster->nodes[0].sequencer, &status);
    CHECK(status.settled_block == settled);
    agree(cluster);
    cluster_destroy(cluster);
}

int main(void) {
    test_validators_change();
    test_origin_that_one_does_not_know();
    test_settlement(false);
    test_settlement(true); /* its signatures count for nobody but itself */
    printf("ok\n");
    return 0;
}
