#pragma once
/* A small cluster for tests: sequencers with executors and tables in memory, on one thread, with a
 * clock of their own, messages that arrive in order a moment later, and a DA layer that is an
 * array. */
#include "sequencer/test_node.h"

/* --- items */

static inline void submit(struct cluster_node *node, struct bytes encoded, uint64_t request,
                          const struct hash32 *peer) {
    static uint8_t memory[1u << 20];
    struct arena arena = arena_over(memory, sizeof memory);
    struct item item;
    const enum verdict verdict =
        workload_by_kind(WORKLOAD_KIND_EVM)
            ->inspect(&node->cluster->config, FORK_PRAGUE, encoded, &arena, &item);
    CHECK(verdict == VERDICT_ACCEPTED);
    struct input input = input_of(node->cluster, INPUT_ITEM);
    input.item.item = &item;
    input.item.request = request;
    input.item.has_more = node->cluster->has_more;
    if (peer != NULL) input.item.peer = *peer;
    step(node, &input);
}

/* transfer sends `wei` from account `from` to `to` through `node`. */
static inline void transfer(struct cluster_node *node, uint32_t from, uint64_t nonce,
                            const struct address *to, uint64_t wei, uint64_t request) {
    static uint8_t memory[1u << 16];
    struct arena arena = arena_over(memory, sizeof memory);
    struct transaction transaction = {.type = TRANSACTION_DYNAMIC_FEE,
                                      .is_protected = true,
                                      .chain_id = node->cluster->config.chain_id,
                                      .nonce = nonce,
                                      .max_priority_fee = u256_from_u64(1000000000),
                                      .max_fee = u256_from_u64(10000000000),
                                      .gas_limit = 21000,
                                      .to = *to,
                                      .value = u256_from_u64(wei)};
    CHECK(transaction_sign(&transaction, &node->cluster->accounts[from], &arena) == ERR_OK);
    submit(node, transaction.encoded, request, NULL);
}

/* status_message is what `from` says of itself, with `height` for its own: tests send it in place
 * of a message that is lost.  Valid until the next call. */
static inline struct bytes status_message(const struct cluster_node *from, uint64_t height) {
    static struct message message;
    static uint8_t memory[128];
    message.kind = MESSAGE_STATUS;
    message.height = height;
    message.hash = from->view.head_hash;
    struct buffer out = buffer_over(memory, sizeof memory);
    message_encode(&message, &out);
    CHECK(!out.overflow);
    return buffer_bytes(&out);
}

/* --- running */

static inline void deliver_message(struct cluster_node *node, const struct packet *packet) {
    static struct message message;
    const struct cluster *cluster = node->cluster;
    const struct message_context context = {cluster->domain, cluster->batch_domain,
                                            secp_recoverer()};
    const struct hash32 *peer = &cluster->nodes[packet->from].peer_id;
    CHECK(message_decode(&context, packet->bytes, &message) == VERDICT_ACCEPTED);
    if (message.kind == MESSAGE_ITEMS) {
        for (uint32_t i = 0; i < message.count; i++) {
            submit(node, bytes_slice(message.items[i], 1, message.items[i].size), 0, peer);
        }
        return;
    }
    struct input input = input_of(cluster, INPUT_MESSAGE);
    input.peer.peer = *peer;
    input.peer.message = &message;
    step(node, &input);
}

static inline void deliver(struct cluster *cluster, const struct packet *packet) {
    struct cluster_node *node = &cluster->nodes[packet->to];
    if (!node->is_up) return;
    struct input input;
    switch (packet->kind) {
    case PACKET_MESSAGE: deliver_message(node, packet); break;
    case PACKET_PEER:
        input = input_of(cluster, INPUT_PEER);
        input.peer.peer = cluster->nodes[packet->from].peer_id;
        input.peer.is_connected = packet->is_connected;
        step(node, &input);
        break;
    case PACKET_EXECUTED:
        input = input_of(cluster, INPUT_EXECUTED);
        input.outcome = &node->outcomes[packet->slot];
        step(node, &input);
        break;
    case PACKET_COMMITTED:
        input = input_of(cluster, INPUT_COMMITTED);
        input.committed.view = view_give(node);
        input.committed.err = packet->err;
        step(node, &input);
        break;
    case PACKET_DA:
        input = input_of(cluster, INPUT_DA_RECEIPT);
        input.da.first = packet->first;
        input.da.last = packet->last;
        input.da.height = packet->height;
        input.da.commitment = packet->commitment;
        step(node, &input);
        break;
    }
    bytes_drop(packet->bytes);
}

/* packets_deliver hands out what is due; effects may push more. */
static inline void packets_deliver(struct cluster *cluster) {
    size_t look = cluster->packets_count;
    while (look-- > 0) {
        const struct packet packet = cluster->packets[cluster->packets_begin % QUEUE_MAX];
        cluster->packets_begin = (cluster->packets_begin + 1) % QUEUE_MAX;
        cluster->packets_count -= 1;
        if (packet.at_ms <= cluster->now_ms && !cluster->nodes[packet.to].is_paused) {
            deliver(cluster, &packet);
            continue;
        }
        const size_t at = (cluster->packets_begin + cluster->packets_count++) % QUEUE_MAX;
        cluster->packets[at] = packet;
    }
}

/* da_tick tells a node how high the DA layer is. */
static inline void da_tick(struct cluster_node *node) {
    if (node->cluster->is_da_down) return;
    publish_try(node);
    struct input input = input_of(node->cluster, INPUT_DA_HEAD);
    input.da.height = da_head(node->cluster) + (node->index == 0 ? node->cluster->da_lie : 0);
    step(node, &input);
}

static inline void cluster_run(struct cluster *cluster, uint64_t ms) {
    const uint64_t end = cluster->now_ms + ms;
    while (cluster->now_ms < end) {
        cluster->now_ms += 1;
        packets_deliver(cluster);
        for (uint32_t i = 0; i < cluster->count; i++) {
            struct cluster_node *node = &cluster->nodes[i];
            if (node->is_paused) continue;
            if (node->is_up && cluster->now_ms % DA_BLOCK_MS == 0) da_tick(node);
            if (!node->is_up || sequencer_deadline_ms(node->sequencer) > cluster->now_ms) continue;
            const struct input tick = input_of(cluster, INPUT_TICK);
            step(node, &tick);
        }
    }
}

static inline void connect_all(struct cluster *cluster, uint32_t index, bool is_connected) {
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (i == index || !cluster->nodes[i].is_up) continue;
        packet_push(cluster, PACKET_PEER, index, i, 0)->is_connected = is_connected;
        packet_push(cluster, PACKET_PEER, i, index, 0)->is_connected = is_connected;
    }
}

static inline void node_kill(struct cluster_node *node) {
    node->is_up = false;
    node->publishing.first = 0;
    /* What the process had in memory goes, what was on its way out arrives. */
    for (size_t i = 0; i < node->cluster->packets_count; i++) {
        struct packet *packet =
            &node->cluster->packets[(node->cluster->packets_begin + i) % QUEUE_MAX];
        if (packet->to == node->index) packet->at_ms = node->cluster->now_ms;
    }
    packets_deliver(node->cluster);
    connect_all(node->cluster, node->index, false);
    munmap(node->memory, node->memory_bytes);
}

static inline void node_restart(struct cluster_node *node) {
    node_start(node);
    connect_all(node->cluster, node->index, true);
}

/* list_validator puts a node where validators stand in a list: ascending by address. */
static inline void list_validator(const struct cluster_node *node, struct validator *list,
                                  uint32_t *count) {
    uint32_t at = (*count)++;
    while (at > 0 && address_compare(&list[at - 1].address, &node->address) > 0) {
        list[at] = list[at - 1];
        at--;
    }
    list[at] = (struct validator){node->address, node->peer_id, 10, 0};
}

struct cluster_options {
    uint32_t nodes;
    uint32_t validators; /* the first so many nodes */
    uint64_t blocks_per_rotation, block_time_ms, idle_ms;
    uint64_t batch_blocks; /* 0: no batches */
    bool has_l1, is_on_demand;
    enum fault_model model;
};

static inline struct cluster *cluster_create(const struct cluster_options *options) {
    struct cluster *cluster = calloc(1, sizeof *cluster);
    CHECK(cluster != NULL);
    cluster->packets = calloc(QUEUE_MAX, sizeof *cluster->packets);
    cluster->effects = calloc(1, sizeof *cluster->effects);
    CHECK(cluster->packets != NULL);
    CHECK(cluster->effects != NULL);
    cluster->count = options->nodes;
    cluster->now_ms = 1;
    cluster->takeover_ms = 2000;
    cluster->execute_ms = 2;
    cluster->idle_ms = options->idle_ms;
    cluster->is_on_demand = options->is_on_demand;
    cluster->config = chain_config_for_fork(FORK_PRAGUE);
    cluster->config.is_rollup = true;
    cluster->config.chain_id = 31337;
    struct rollup_config *rollup = &cluster->config.rollup;
    rollup->fault_model = options->model;
    rollup->blocks_per_rotation = options->blocks_per_rotation;
    rollup->block_time_ms = options->block_time_ms;
    rollup->batch_blocks = options->batch_blocks;
    rollup->batch_bytes_max = 1u << 20;
    rollup->da_namespace[28] = options->batch_blocks == 0 ? 0 : 1;
    rollup->l1_chain_id = options->has_l1 ? 1 : 0;
    rollup->l1_number = 100;
    struct address contract = {{1}};
    cluster->domain = signing_domain_make("AndeConsensus", 1, &contract);
    cluster->batch_domain = signing_domain_make("AndeSequencerCoordinator", 1, &contract);
    struct validator_set *set = &rollup->validators;
    for (uint32_t i = 0; i < options->nodes; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        node->key = test_key(1, i);
        node->address = secp_key_address(&node->key);
        node->peer_id = keccak256(address_bytes(&node->address));
        if (i < options->validators) list_validator(node, set->validators, &set->count);
    }
    genesis_make(cluster);
    for (uint32_t i = 0; i < options->nodes; i++)
        node_create(cluster, i);
    for (uint32_t i = 0; i < options->nodes; i++) {
        for (uint32_t j = 0; j < options->nodes; j++) {
            if (i == j) continue;
            packet_push(cluster, PACKET_PEER, j, i, 0)->is_connected = true;
        }
    }
    return cluster;
}

/* cluster_destroy gives back all memory, that of bytes_keep too: one cluster lives at a time. */
static inline void cluster_destroy(struct cluster *cluster) {
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        if (node->is_up) munmap(node->memory, node->memory_bytes);
        munmap(node->executor_memory, executor_bytes(SLOT_BYTES));
        munmap(node->kv, KV_BYTES);
    }
    munmap(cluster->genesis_kv, KV_BYTES);
    kept_drop_all();
    free(cluster->packets);
    free(cluster->effects);
    free(cluster);
}

/* l1_facts_at is an empty L1 block, one for each number; valid until the next call. */
static inline struct l1_facts *l1_facts_at(uint64_t number) {
    static struct l1_facts facts;
    uint8_t seed[8];
    be_write(seed, 8, number);
    facts = (struct l1_facts){
        .number = number, .hash = keccak256(BYTES_OF(seed)), .timestamp = 1700000000 + number};
    return &facts;
}

static inline void l1_tell(struct cluster_node *node, const struct l1_facts *facts) {
    struct input input = input_of(node->cluster, INPUT_L1_VIEW);
    input.l1 = facts;
    step(node, &input);
}

static inline struct u256 balance_of(struct cluster_node *node, const struct address *address) {
    const struct kv_reader reader = node->view.state;
    const struct hash32 key = keccak256(address_bytes(address));
    struct bytes value;
    struct account account;
    if (reader.get(reader.context, KV_ACCOUNTS, hash_bytes(&key), &value) != ERR_OK) {
        return U256_ZERO;
    }
    CHECK(account_decode(value, &account) == ERR_OK);
    return account.balance;
}

/* agree CHECKs that all nodes that are up have the same blocks as far as they have them. */
static inline void agree(struct cluster *cluster) {
    for (uint32_t i = 1; i < cluster->count; i++) {
        const struct cluster_node *a = &cluster->nodes[0], *b = &cluster->nodes[i];
        for (uint64_t h = 1; h <= a->view.head.number && h <= b->view.head.number; h++) {
            CHECK(hash_equal(&a->blocks[h].hash, &b->blocks[h].hash));
        }
    }
}
