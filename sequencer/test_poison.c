/* A liar who sends the headers of true blocks with other things behind them, before and after the
 * true packages, and commits that prove nothing: the true blocks are voted for all the same, in
 * the round in which they are proposed. */
#include "sequencer/test_cluster.h"

static const struct cluster_options four = {.nodes = 4,
                                            .validators = 4,
                                            .blocks_per_rotation = 10,
                                            .block_time_ms = 100,
                                            .model = FAULT_MODEL_BYZANTINE};

static uint8_t encoded_memory[MESSAGE_BYTES_MAX], package_memory[1u << 20];
static struct message spoilt; /* what the liar sends */
static uint32_t spoilt_total;
static uint64_t spoilt_height;

static void packet_spoilt(const struct cluster_node *from, uint64_t delay_ms) {
    struct cluster *cluster = from->cluster;
    struct buffer out = buffer_over(encoded_memory, sizeof encoded_memory);
    message_encode(&spoilt, &out);
    CHECK(!out.overflow);
    for (uint32_t to = 0; to < cluster->count; to++) {
        const struct cluster_node *node = &cluster->nodes[to];
        const bool is_liar = address_equal(&spoilt.vote.voter, &node->address);
        if (to == from->index || is_liar) continue; /* a liar knows what it signs */
        packet_push(cluster, PACKET_MESSAGE, from->index, to, delay_ms)->bytes =
            bytes_keep(buffer_bytes(&out));
        spoilt_total += 1;
    }
}

/* is_new: the first proposal of a height that somebody sends with its package; it is then in
 * `spoilt`. */
static bool is_new(const struct cluster_node *from, struct bytes bytes) {
    const struct message_context context = {from->cluster->domain, from->cluster->batch_domain,
                                            secp_recoverer()};
    if (bytes.data[0] != MESSAGE_PROPOSAL) return false;
    CHECK(message_decode(&context, bytes, &spoilt) == VERDICT_ACCEPTED);
    if (spoilt.package.size == 0 || spoilt.vote.height <= spoilt_height) return false;
    spoilt_height = spoilt.vote.height;
    return true;
}

struct opened {
    struct block_package package;
    struct block block;
    struct bytes transactions[64];
};

static struct opened *package_open(void) {
    static uint8_t memory[1u << 20], copy[1u << 20];
    static struct opened opened;
    struct arena arena = arena_over(memory, sizeof memory);
    CHECK(spoilt.package.size <= sizeof copy);
    memmove(copy, spoilt.package.data, spoilt.package.size);
    spoilt.package.data = copy;
    CHECK(block_package_decode(spoilt.package, &opened.package) == ERR_OK);
    CHECK(block_decode(opened.package.ethereum_block, &arena, &opened.block) == ERR_OK);
    CHECK(opened.block.transactions_count < 63);
    for (size_t i = 0; i < opened.block.transactions_count; i++)
        opened.transactions[i] = opened.block.transactions[i];
    opened.block.transactions = opened.transactions;
    return &opened;
}

static void package_close(struct opened *opened) {
    static uint8_t block_memory[1u << 20], frame_memory[FRAME_BYTES_MAX];
    struct buffer out = buffer_over(frame_memory, sizeof frame_memory);
    frame_encode(&opened->package.frame, &out);
    opened->package.frame_encoded = buffer_bytes(&out);
    out = buffer_over(block_memory, sizeof block_memory);
    block_encode(&opened->block, &out);
    CHECK(!out.overflow);
    opened->package.ethereum_block = buffer_bytes(&out);
    out = buffer_over(package_memory, sizeof package_memory);
    block_package_encode(&opened->package, &out);
    CHECK(!out.overflow);
    spoilt.package = buffer_bytes(&out);
}

/* package_spoil keeps the header and changes one other part. */
static void package_spoil(uint64_t part) {
    static uint8_t set_memory[VALIDATOR_SET_BYTES_MAX];
    struct opened *opened = package_open();
    struct block_package *package = &opened->package;
    switch (part % 5) {
    case 0: package->frame.time_ms += 1; break;
    case 1:
        opened->transactions[opened->block.transactions_count++] = BYTES_STRING("\x02\xc0");
        break;
    case 2: package->last_commit.size /= 2; break;
    case 3: /* carried where it is not, changed where it is */
        memcpy(set_memory, package->next_validators.data, package->next_validators.size);
        set_memory[package->next_validators.size / 2] ^= 1;
        if (package->next_validators.size == 0) package->next_validators.size = 40;
        package->next_validators.data = set_memory;
        break;
    default: opened->block.has_withdrawals = false; break;
    }
    package_close(opened);
}

static struct bytes send_spoilt_packages(struct cluster_node *from, struct bytes bytes) {
    if (!is_new(from, bytes) || spoilt.vote.height == 1) return bytes;
    package_spoil(spoilt.vote.height);
    /* Before the true one, before it is executed, and when it is committed or about to be. */
    packet_spoilt(from, 1);
    packet_spoilt(from, 2);
    packet_spoilt(from, 5);
    return bytes;
}

/* send_unproven sends the block as a committed one, with a commit of one signature. */
static struct bytes send_unproven(struct cluster_node *from, struct bytes bytes) {
    static uint8_t commit_memory[COMMIT_BYTES_MAX];
    static struct commit commit;
    if (!is_new(from, bytes)) return bytes;
    commit = (struct commit){.height = spoilt.vote.height,
                             .block = spoilt.vote.block,
                             .signatures_count = 1,
                             .signatures = {{0, spoilt.vote.signature}}};
    struct buffer out = buffer_over(commit_memory, sizeof commit_memory);
    commit_encode(&commit, &out);
    const struct bytes package = spoilt.package;
    spoilt = (struct message){.kind = MESSAGE_BLOCKS, .count = 1};
    spoilt.blocks[0].package = package;
    spoilt.blocks[0].commit = buffer_bytes(&out);
    packet_spoilt(from, spoilt_height % 2 == 0 ? 1 : 2);
    return bytes;
}

/* rounds_all_first CHECKs that every block was committed as soon as it was proposed. */
static void rounds_all_first(const struct cluster *cluster) {
    for (uint32_t i = 0; i < cluster->count; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        CHECK(node->view.head.number > 60);
        CHECK(node->invalid == 0);
        CHECK(node->halted == 0);
        for (uint64_t h = 1; h <= node->view.head.number; h++)
            CHECK(node->blocks[h].round == 0);
    }
}

/* Who was struck is not listened to for a while when it sends committed blocks: `bad_min`. */
static void test_nothing_sticks(struct bytes (*tamper)(struct cluster_node *, struct bytes),
                                uint64_t bad_min) {
    struct cluster *cluster = cluster_create(&four);
    cluster->tamper = tamper;
    spoilt_total = 0;
    spoilt_height = 0;
    cluster_run(cluster, 8000);
    cluster->tamper = NULL;
    cluster_run(cluster, 20);
    uint64_t bad_total = 0;
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct sequencer_status status;
        sequencer_status(cluster->nodes[i].sequencer, &status);
        bad_total += status.messages_bad_total;
    }
    rounds_all_first(cluster);
    CHECK(spoilt_total > 180);
    CHECK(bad_total >= bad_min);
    agree(cluster);
    cluster_destroy(cluster);
}

/* proposal_sign makes `spoilt` a proposal by `voter` of the block in its package. */
static void proposal_sign(const struct cluster_node *voter, uint64_t height, uint32_t round) {
    const struct opened *opened = package_open();
    spoilt.vote = (struct vote){.kind = VOTE_PROPOSAL,
                                .height = height,
                                .round = round,
                                .valid_round = VALID_ROUND_NONE,
                                .block = header_hash(&opened->block.header),
                                .voter = voter->address};
    const struct hash32 digest = vote_digest(&voter->cluster->domain, &spoilt.vote);
    secp_sign(&voter->key, &digest, &spoilt.vote.signature);
}

/* send_other_height proposes a block of the height after the next, and says that it is the next. */
static struct bytes send_other_height(struct cluster_node *from, struct bytes bytes) {
    static uint8_t commit_memory[COMMIT_BYTES_MAX], later_memory[1u << 20];
    static struct commit commit;
    if (!is_new(from, bytes)) return bytes;
    const uint64_t height = spoilt.vote.height;
    struct opened *opened = package_open();
    if (height % 10 == 0 || opened->package.next_validators.size != 0) return bytes;
    CHECK(spoilt.package.size <= sizeof later_memory);
    memcpy(later_memory, spoilt.package.data, spoilt.package.size);
    const struct bytes now = {later_memory, spoilt.package.size};
    opened->package.frame.height += 1;
    opened->block.header.parent_beacon_root = frame_hash(&opened->package.frame);
    package_close(opened);
    proposal_sign(&from->cluster->nodes[(from->index + 1) % 4], height + 1, 0);
    packet_spoilt(from, 1);
    commit = (struct commit){.height = height,
                             .block = spoilt.vote.block,
                             .signatures_count = 1,
                             .signatures = {{0, spoilt.vote.signature}}};
    struct buffer out = buffer_over(commit_memory, sizeof commit_memory);
    commit_encode(&commit, &out);
    spoilt = (struct message){.kind = MESSAGE_BLOCKS, .count = 1};
    spoilt.blocks[0].package = now;
    spoilt.blocks[0].commit = buffer_bytes(&out);
    packet_spoilt(from, 1);
    return bytes;
}

/* send_flood fills slots with blocks of rounds to come, again and again: a liar's when their turns
 * are its own. */
static struct bytes send_flood(struct cluster_node *from, struct bytes bytes) {
    if (!is_new(from, bytes)) return bytes;
    const uint64_t height = spoilt.vote.height;
    const struct cluster_node *liar = &from->cluster->nodes[(from->index + 1) % 4];
    for (uint8_t i = 0; i < 24; i++) {
        struct opened *opened = package_open();
        opened->block.header.state_root.bytes[0] = i; /* another block each time */
        package_close(opened);
        spoilt.kind = MESSAGE_PROPOSAL;
        proposal_sign(liar, height, i % 8 + 1);
        packet_spoilt(from, 3);
        packet_spoilt(from, 22);
        packet_spoilt(from, 23);
    }
    return bytes;
}

static void test_slots_are_not_taken(void) {
    struct cluster *cluster = cluster_create(&four);
    cluster->tamper = send_flood;
    cluster->execute_ms = 20;
    spoilt_height = 0;
    cluster_run(cluster, 1500);
    for (uint32_t i = 0; i < cluster->count; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        CHECK(node->view.head.number >= 10);
        CHECK(node->syncs == 0);
        for (uint64_t h = 1; h <= node->view.head.number; h++)
            CHECK(node->blocks[h].round == 0);
    }
    agree(cluster);
    cluster_destroy(cluster);
}

/* junk_send sends a large block that nobody made, without being asked. */
static void junk_send(struct cluster *cluster, uint32_t from, uint32_t to, uint64_t height) {
    static uint8_t junk[(4u << 20) - 4096], frame_memory[FRAME_BYTES_MAX];
    static uint8_t large_memory[MESSAGE_BYTES_MAX], message_memory[MESSAGE_BYTES_MAX];
    struct block_package package = {.frame = {.version = FRAME_VERSION, .height = height}};
    struct buffer out = buffer_over(frame_memory, sizeof frame_memory);
    frame_encode(&package.frame, &out);
    package.frame_encoded = buffer_bytes(&out);
    struct buffer block = buffer_over(junk, sizeof junk);
    const size_t list = rlp_list_begin(&block);
    memset(junk + list, 0, sizeof junk - 16);
    block.size = sizeof junk - 16;
    rlp_list_end(&block, list);
    package.ethereum_block = buffer_bytes(&block);
    out = buffer_over(large_memory, sizeof large_memory);
    block_package_encode(&package, &out);
    spoilt = (struct message){.kind = MESSAGE_BLOCKS, .count = 1};
    spoilt.blocks[0].package = buffer_bytes(&out);
    spoilt.blocks[0].commit = BYTES_STRING("\xc0");
    out = buffer_over(message_memory, sizeof message_memory);
    message_encode(&spoilt, &out);
    CHECK(!out.overflow);
    packet_push(cluster, PACKET_MESSAGE, from, to, 2)->bytes = bytes_keep(buffer_bytes(&out));
}

/* Who is behind gets blocks of later heights, as much as it keeps, before those it needs first. */
static void test_room_for_the_next(void) {
    struct cluster *cluster = cluster_create(&four);
    struct cluster_node *late = &cluster->nodes[3];
    node_kill(late);
    cluster_run(cluster, 4000);
    node_restart(late);
    const uint64_t head = late->view.head.number;
    CHECK(cluster->nodes[0].view.head.number > head + 25);
    for (uint64_t height = head + 2; height < head + 18; height++)
        junk_send(cluster, 0, 3, height);
    cluster_run(cluster, 8000);
    CHECK(late->view.head.number + 2 >= cluster->nodes[0].view.head.number);
    struct sequencer_status status;
    sequencer_status(late->sequencer, &status);
    CHECK(status.messages_bad_total >= 1);
    agree(cluster);
    cluster_destroy(cluster);
}

int main(void) {
    test_nothing_sticks(send_spoilt_packages, 300); /* what comes late is not looked at */
    test_nothing_sticks(send_unproven, 3);
    test_nothing_sticks(send_other_height, 3);
    test_slots_are_not_taken();
    test_room_for_the_next();
    printf("ok\n");
    return 0;
}
