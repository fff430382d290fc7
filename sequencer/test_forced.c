/* What L1 forces on the rollup, and what is asked of L1 by number. */
#include "sequencer/test_cluster.h"

#define FORCED_LATEST 8 /* blocks that may leave an item out, in these tests */

/* What the contract holds at the newest L1 block. */
static struct {
    struct forced_item list[FORCED_ITEMS_MAX];
    uint32_t count;
} contract;

/* request hands a transfer to the contract at L1 block `l1_number`. */
static const struct item *request(struct cluster *cluster, const struct secp_key *from,
                                  uint64_t nonce, uint64_t wei, uint64_t l1_number) {
    static uint8_t memory[1u << 20];
    static struct arena arena;
    if (arena.data == NULL) arena = arena_over(memory, sizeof memory);
    struct transaction transaction = {.type = TRANSACTION_DYNAMIC_FEE,
                                      .is_protected = true,
                                      .chain_id = cluster->config.chain_id,
                                      .nonce = nonce,
                                      .max_priority_fee = u256_from_u64(1),
                                      .max_fee = u256_from_u64(2000000000),
                                      .gas_limit = 21000,
                                      .to = {{0xf0}},
                                      .value = u256_from_u64(wei)};
    CHECK(transaction_sign(&transaction, from, &arena) == ERR_OK);
    struct arena scratch = arena_over(memory_new(1u << 16), 1u << 16);
    struct forced_item *listed = &contract.list[contract.count];
    CHECK(workload_by_kind(WORKLOAD_KIND_EVM)
              ->inspect(&cluster->config, FORK_PRAGUE, transaction.encoded, &scratch,
                        &listed->item) == VERDICT_ACCEPTED);
    listed->id = ++contract.count;
    listed->l1_number = l1_number;
    return &listed->item;
}

static void tell(struct cluster_node *node, uint64_t number, bool with_forced) {
    struct l1_facts *facts = l1_facts_at(number);
    facts->forced_id_max = UINT64_MAX;
    const struct validator_set *set = &node->cluster->config.rollup.validators;
    facts->validators_count = set->count;
    memcpy(facts->validators, set->validators, set->count * sizeof set->validators[0]);
    for (uint32_t i = 0; with_forced && i < contract.count; i++) {
        if (contract.list[i].l1_number > number) continue;
        facts->forced[facts->forced_count++] = contract.list[i];
    }
    l1_tell(node, facts);
}

static void tell_all(struct cluster *cluster, uint64_t number) {
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (cluster->nodes[i].is_up) tell(&cluster->nodes[i], number, true);
    }
}

static struct cluster *begin(void) {
    const struct cluster_options options = {.nodes = 3,
                                            .validators = 3,
                                            .blocks_per_rotation = 30,
                                            .block_time_ms = 100,
                                            .has_l1 = true};
    contract.count = 0;
    struct cluster *cluster = cluster_create(&options);
    for (uint32_t i = 0; i < cluster->count; i++) { /* before anything happened */
        struct cluster_node *node = &cluster->nodes[i];
        cluster->forced_blocks = FORCED_LATEST;
        munmap(node->memory, node->memory_bytes);
        node_start(node);
    }
    return cluster;
}

/* height_of finds the block of node 0's chain that holds the item; 0: none. */
static uint64_t height_of(const struct cluster *cluster, const struct item *item) {
    static uint8_t memory[1u << 20];
    const struct cluster_node *node = &cluster->nodes[0];
    for (uint64_t h = 1; h <= node->view.head.number; h++) {
        struct arena arena = arena_over(memory, sizeof memory);
        struct block_package package;
        struct block block;
        CHECK(block_package_decode(node->blocks[h].package, &package) == ERR_OK);
        CHECK(block_decode(package.ethereum_block, &arena, &block) == ERR_OK);
        for (size_t i = 0; i < block.transactions_count; i++) {
            const struct hash32 hash = keccak256(block.transactions[i]);
            if (hash_equal(&hash, &item->hash)) return h;
        }
    }
    return 0;
}

/* due_at is the first block that may not leave it out any more. */
static uint64_t due_at(const struct cluster *cluster, uint64_t l1_number) {
    const struct cluster_node *node = &cluster->nodes[0];
    for (uint64_t h = 1; h <= node->view.head.number; h++) {
        if (node->blocks[h].l1_number >= l1_number) return h + FORCED_LATEST;
    }
    return UINT64_MAX;
}

/* Nobody sent it but L1: it is in the next block, though its tip is the least. */
static void test_included_at_once(void) {
    struct cluster *cluster = begin();
    cluster_run(cluster, 500);
    const struct item *item = request(cluster, &cluster->accounts[5], 0, 7, 150);
    const uint64_t head = cluster->nodes[0].view.head.number;
    tell_all(cluster, 150);
    cluster_run(cluster, 400);
    const uint64_t height = height_of(cluster, item);
    CHECK(height != 0 && height <= head + 3);
    cluster_run(cluster, 9000); /* the contract has not heard of it: it is not asked for again */
    for (uint32_t i = 0; i < 3; i++)
        CHECK(cluster->nodes[i].invalid == 0);
    agree(cluster);
    cluster_destroy(cluster);
}

/* A proposer that leaves it out is heard for so many blocks, and not one more. */
static void test_censor_is_refused(void) {
    struct cluster *cluster = begin();
    cluster_run(cluster, 300);
    const struct item *item = request(cluster, &cluster->accounts[5], 0, 7, 150);
    uint64_t told = 0;
    bool was_refused = false;
    /* Whoever leads has never heard of the request: a censor, or one without L1. */
    for (int ms = 0; ms < 20000 && !was_refused; ms += 10) {
        cluster_run(cluster, 10);
        const uint64_t origin = cluster->nodes[0].view.head_frame.l1_number;
        for (uint32_t i = 0; i < 3; i++) {
            struct sequencer_status status;
            sequencer_status(cluster->nodes[i].sequencer, &status);
            const bool is_next = status.head_height % 30 == 0;
            if (told == 0) tell(&cluster->nodes[i], 150, false);
            /* The voters learn it when the leader of the rotation has named the origin. */
            if (origin >= 150 && !is_next && !status.is_proposer) {
                tell(&cluster->nodes[i], 151, true);
            }
            was_refused |= cluster->nodes[i].invalid != 0;
        }
        told = 150;
    }
    CHECK(was_refused);
    const uint64_t due = due_at(cluster, 150);
    CHECK(cluster->nodes[0].view.head.number + 1 == due);
    CHECK(height_of(cluster, item) == 0);
    cluster_run(cluster, 3000);
    CHECK(height_of(cluster, item) == due);
    CHECK(cluster->nodes[0].blocks[due].round != 0); /* by the next validator */
    agree(cluster);
    cluster_destroy(cluster);
}

/* What cannot run is no reason to refuse; once it can, it gets in by itself. */
static void test_comes_back(void) {
    struct cluster *cluster = begin();
    const struct secp_key poor = test_key(9, 1);
    const struct address address = secp_key_address(&poor);
    cluster_run(cluster, 300);
    const struct item *item = request(cluster, &poor, 0, 1000, 150);
    tell_all(cluster, 150);
    cluster_run(cluster, 8000);
    CHECK(due_at(cluster, 150) < cluster->nodes[0].view.head.number); /* due, and not there */
    CHECK(height_of(cluster, item) == 0);
    for (uint32_t i = 0; i < 3; i++)
        CHECK(cluster->nodes[i].invalid == 0);
    transfer(&cluster->nodes[0], 1, 0, &address, 1000000000000000000u, 1);
    cluster_run(cluster, 1500);
    CHECK(height_of(cluster, item) != 0);
    agree(cluster);
    cluster_destroy(cluster);
}

/* What L1 has ended is not asked for any more. */
static void test_ended_by_l1(void) {
    struct cluster *cluster = begin();
    const struct secp_key poor = test_key(9, 2);
    const struct address address = secp_key_address(&poor);
    cluster_run(cluster, 300);
    const struct item *item = request(cluster, &poor, 0, 1000, 150);
    tell_all(cluster, 150);
    cluster_run(cluster, 7000);
    contract.count = 0;
    tell_all(cluster, 160);
    cluster_run(cluster, 7000);
    transfer(&cluster->nodes[0], 1, 0, &address, 1000000000000000000u, 1);
    cluster_run(cluster, 3000);
    CHECK(height_of(cluster, item) == 0);
    for (uint32_t i = 0; i < 3; i++)
        CHECK(cluster->nodes[i].invalid == 0);
    agree(cluster);
    cluster_destroy(cluster);
}

/* A reader that tells of the newest block only: what a proposal names is asked for by number. */
static void test_asked_by_number(void) {
    struct cluster *cluster = begin();
    cluster_run(cluster, 100);
    struct cluster_node *late = &cluster->nodes[2];
    tell(&cluster->nodes[0], 150, true);
    tell(&cluster->nodes[1], 150, true);
    tell(late, 170, true);
    while (late->l1_asked == 0 && cluster->now_ms < 30000)
        cluster_run(cluster, 1);
    CHECK(late->l1_asked == 150);
    struct sequencer_status before, after;
    sequencer_status(late->sequencer, &before);
    tell(late, 150, true);
    cluster_run(cluster, 20);
    sequencer_status(late->sequencer, &after);
    CHECK(after.head_height > before.head_height); /* at once: sync would take its time */
    cluster_run(cluster, 1000);
    for (uint32_t i = 0; i < 3; i++) {
        sequencer_status(cluster->nodes[i].sequencer, &after);
        CHECK(after.l1_number == 150);
        CHECK(after.timeouts_total == 0);
    }
    agree(cluster);
    cluster_destroy(cluster);
}

int main(void) {
    test_included_at_once();
    test_censor_is_refused();
    test_comes_back();
    test_ended_by_l1();
    test_asked_by_number();
    printf("ok\n");
    return 0;
}
