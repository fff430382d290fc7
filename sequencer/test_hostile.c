/* Validators and peers that lie: invalid blocks, two votes, blocks that were never committed. */
#include "sequencer/test_cluster.h"

static const struct cluster_options three = {
    .nodes = 3, .validators = 3, .blocks_per_rotation = 10, .block_time_ms = 100};

static uint8_t tampered_memory[MESSAGE_BYTES_MAX];
static struct message tampered;

static struct bytes encode(const struct message *message) {
    struct buffer out = buffer_over(tampered_memory, sizeof tampered_memory);
    message_encode(message, &out);
    CHECK(!out.overflow);
    return buffer_bytes(&out);
}

static struct message *decode(const struct cluster *cluster, struct bytes bytes) {
    const struct message_context context = {cluster->domain, cluster->batch_domain,
                                            secp_recoverer()};
    CHECK(message_decode(&context, bytes, &tampered) == VERDICT_ACCEPTED);
    return &tampered;
}

/* package_spoil changes the block's state root and returns the hash that it has then. */
static struct hash32 package_spoil(struct bytes package, struct bytes *out) {
    static uint8_t block_memory[1u << 20], package_memory[1u << 20], arena_memory[1u << 20];
    struct arena arena = arena_over(arena_memory, sizeof arena_memory);
    struct block_package parts;
    struct block block;
    CHECK(block_package_decode(package, &parts) == ERR_OK);
    CHECK(block_decode(parts.ethereum_block, &arena, &block) == ERR_OK);
    block.header.state_root.bytes[5] ^= 1;
    struct buffer buffer = buffer_over(block_memory, sizeof block_memory);
    block_encode(&block, &buffer);
    parts.ethereum_block = buffer_bytes(&buffer);
    buffer = buffer_over(package_memory, sizeof package_memory);
    block_package_encode(&parts, &buffer);
    CHECK(!buffer.overflow);
    *out = buffer_bytes(&buffer);
    return header_hash(&block.header);
}

/* The first node proposes blocks with a wrong state root. */
static struct bytes tamper_proposals(struct cluster_node *from, struct bytes bytes) {
    if (from->index != 0 || bytes.data[0] != MESSAGE_PROPOSAL) return bytes;
    struct message *message = decode(from->cluster, bytes);
    if (message->package.size == 0 || !address_equal(&message->vote.voter, &from->address)) {
        return bytes;
    }
    message->vote.block = package_spoil(message->package, &message->package);
    const struct hash32 digest = vote_digest(&from->cluster->domain, &message->vote);
    secp_sign(&from->key, &digest, &message->vote.signature);
    return encode(message);
}

static void test_invalid_proposals(void) {
    struct cluster *cluster = cluster_create(&three);
    cluster->tamper = tamper_proposals;
    cluster_run(cluster, 12000);
    for (uint32_t i = 1; i < 3; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        CHECK(node->view.head.number > 60);
        CHECK(node->invalid >= 1);
        for (uint64_t h = 1; h <= node->view.head.number; h++) {
            CHECK(!address_equal(&node->blocks[h].proposer, &cluster->nodes[0].address));
        }
    }
    agree(cluster);
    cluster_destroy(cluster);
}

/* Whoever votes twice is told on by everyone, once. */
static void test_double_votes(void) {
    struct cluster *cluster = cluster_create(&three);
    cluster_run(cluster, 1030);
    struct cluster_node *liar = &cluster->nodes[2];
    liar->is_cut = true; /* it says only what we make it say */
    static struct message message;
    for (uint8_t block = 1; block <= 4; block++) {
        struct vote vote = {.kind = VOTE_PREVOTE,
                            .height = cluster->nodes[0].view.head.number + 1,
                            .round = 0,
                            .valid_round = VALID_ROUND_NONE,
                            .block = {{block}},
                            .voter = liar->address};
        const struct hash32 digest = vote_digest(&cluster->domain, &vote);
        secp_sign(&liar->key, &digest, &vote.signature);
        memset(&message, 0, sizeof message);
        message.kind = MESSAGE_VOTE;
        message.vote = vote;
        struct input input = input_of(cluster, INPUT_MESSAGE);
        input.peer.peer = liar->peer_id;
        input.peer.message = &message;
        step(&cluster->nodes[0], &input);
    }
    cluster_run(cluster, 500);
    CHECK(cluster->nodes[0].evidence == 1);
    CHECK(cluster->nodes[1].evidence == 1); /* heard of it */
    struct sequencer_status status;
    sequencer_status(cluster->nodes[1].sequencer, &status);
    CHECK(status.evidence_total == 1);
    cluster_destroy(cluster);
}

/* The first node serves blocks that nobody committed, and claims to be far ahead. */
static struct bytes tamper_blocks(struct cluster_node *from, struct bytes bytes) {
    if (from->index != 0) return bytes;
    if (bytes.data[0] != MESSAGE_BLOCKS && bytes.data[0] != MESSAGE_STATUS) return bytes;
    struct message *message = decode(from->cluster, bytes);
    if (message->kind == MESSAGE_STATUS) {
        message->height += 100000;
        return encode(message);
    }
    static uint8_t memory[1u << 20];
    struct bytes spoilt;
    const uint32_t last = message->count - 1;
    (void)package_spoil(message->blocks[last].package, &spoilt);
    CHECK(spoilt.size <= sizeof memory);
    memcpy(memory, spoilt.data, spoilt.size);
    message->blocks[last].package = (struct bytes){memory, spoilt.size};
    return encode(message);
}

static void test_lying_in_sync(void) {
    struct cluster_options options = three;
    options.nodes = 4;
    options.validators = 4;
    options.model = FAULT_MODEL_BYZANTINE;
    struct cluster *cluster = cluster_create(&options);
    cluster->tamper = tamper_blocks;
    struct cluster_node *late = &cluster->nodes[3];
    node_kill(late);
    cluster_run(cluster, 8000);
    CHECK(cluster->nodes[1].view.head.number > 30);
    node_restart(late);
    cluster_run(cluster, 12000);
    struct sequencer_status status;
    sequencer_status(late->sequencer, &status);
    CHECK(status.messages_bad_total >= 1);
    CHECK(late->view.head.number + 2 >= cluster->nodes[1].view.head.number);
    CHECK(late->halted == 0);
    agree(cluster);
    cluster_destroy(cluster);
}

/* A proposal that names another block than the one it brings, or brings nonsense, is dropped. */
static struct bytes tamper_packages(struct cluster_node *from, struct bytes bytes) {
    if (from->index != 0 || bytes.data[0] != MESSAGE_PROPOSAL) return bytes;
    struct message *message = decode(from->cluster, bytes);
    if (message->package.size == 0) return bytes;
    static const uint8_t nonsense[100] = {0xf8, 98, 1, 2, 3};
    if (message->vote.height % 2 == 0) {
        message->package = BYTES_OF(nonsense);
    } else {
        (void)package_spoil(message->package, &message->package);
    }
    return encode(message);
}

static void test_wrong_packages(void) {
    struct cluster *cluster = cluster_create(&three);
    cluster->tamper = tamper_packages;
    cluster_run(cluster, 12000);
    for (uint32_t i = 1; i < 3; i++) {
        struct sequencer_status status;
        sequencer_status(cluster->nodes[i].sequencer, &status);
        CHECK(status.head_height > 60);
        CHECK(status.messages_bad_total >= 1);
    }
    agree(cluster);
    cluster_destroy(cluster);
}

/* Two liars: what one proposes in round 0 is against the others' clocks or their views of L1, and
 * the proposer of round 1 proposes it again (as the first one could, in a later turn). */
static const struct cluster_node *first_liar;
static uint64_t lie_every; /* at heights that it divides */
static struct vote doubted;
static struct bytes doubted_package;

static struct bytes tamper_again(struct cluster_node *from, struct bytes bytes) {
    if (bytes.data[0] != MESSAGE_PROPOSAL) return bytes;
    struct message *message = decode(from->cluster, bytes);
    if (message->package.size == 0) return bytes;
    struct vote *vote = &message->vote;
    if (from == first_liar && vote->round == 0 && vote->height % lie_every == 0) {
        if (doubted.height != vote->height) doubted_package = bytes_keep(message->package);
        doubted = *vote;
        return bytes;
    }
    if (vote->height != doubted.height || vote->round != 1) return bytes;
    vote->block = doubted.block;
    message->package = doubted_package;
    const struct hash32 digest = vote_digest(&from->cluster->domain, vote);
    secp_sign(&from->key, &digest, &vote->signature);
    return encode(message);
}

static void test_doubted_time(void) {
    struct cluster_options options = three;
    options.nodes = options.validators = 4;
    options.model = FAULT_MODEL_BYZANTINE;
    struct cluster *cluster = cluster_create(&options);
    cluster_run(cluster, 530);
    doubted = (struct vote){.height = 0};
    cluster->tamper = tamper_again;
    struct cluster_node *liar = NULL;
    for (uint32_t i = 0; i < 4; i++) { /* the sticky proposer */
        struct cluster_node *node = &cluster->nodes[i];
        if (address_equal(&node->view.head_frame.proposer, &node->address)) liar = node;
    }
    CHECK(liar != NULL);
    first_liar = liar;
    lie_every = 1;
    liar->wall_ahead_ms = 3600 * 1000;
    cluster_run(cluster, 3000);
    CHECK(doubted.height != 0);
    liar->wall_ahead_ms = 0;
    cluster->tamper = NULL;
    cluster_run(cluster, 3000);
    for (uint32_t i = 0; i < 4; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        const struct frame *frame = &node->view.head_frame;
        CHECK(node->view.head.number > doubted.height);
        CHECK(!hash_equal(&node->blocks[doubted.height].hash, &doubted.block));
        CHECK(frame->time_ms <= 1700000001000 + cluster->now_ms);
    }
    agree(cluster);
    cluster_destroy(cluster);
}

/* l1_tell_all tells everybody an L1 block; by the liar's the contract gives the liar more power. */
static void l1_tell_all(struct cluster *cluster, uint64_t number) {
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        const struct validator_set *set = &cluster->config.rollup.validators;
        struct l1_facts *facts = l1_facts_at(number);
        facts->validators_count = set->count;
        memcpy(facts->validators, set->validators, set->count * sizeof set->validators[0]);
        const int own = validator_set_find(set, &node->address);
        if (node == first_liar) facts->validators[own].power *= 100;
        l1_tell(node, facts);
    }
}

static void test_doubted_set(void) {
    struct cluster_options options = three;
    options.nodes = options.validators = 4;
    options.model = FAULT_MODEL_BYZANTINE;
    options.has_l1 = true;
    struct cluster *cluster = cluster_create(&options);
    first_liar = &cluster->nodes[0];
    lie_every = options.blocks_per_rotation;
    doubted = (struct vote){.height = 0};
    cluster->tamper = tamper_again;
    for (uint64_t number = 101; number < 130; number++) {
        l1_tell_all(cluster, number);
        cluster_run(cluster, 500);
    }
    CHECK(doubted.height != 0);
    for (uint32_t i = 0; i < 4; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        CHECK(node->view.head.number > 80);
        CHECK(node->view.head_frame.l1_number > 110);
        for (uint64_t r = 0; r <= node->view.head.number / 10; r++)
            CHECK(validator_set_power(&node->sets[r]) == 40);
    }
    agree(cluster);
    cluster_destroy(cluster);
}

int main(void) {
    test_invalid_proposals();
    test_double_votes();
    test_lying_in_sync();
    test_wrong_packages();
    test_doubted_time();
    test_doubted_set();
    printf("ok\n");
    return 0;
}
