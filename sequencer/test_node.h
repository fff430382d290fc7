#pragma once
/* A node of a test's cluster: a sequencer with its executor and its tables in memory, what it
 * performs, and the packets through which it hears. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/keccak.h"
#include "base/rlp.h"
#include "sequencer/batch.h"
#include "sequencer/sequencer.h"
#include "sequencer/test_kept.h"
#include "state/kv_memory.h"
#include "workloads/ethereum.h"
#include "workloads/system_contracts.h"

#define NODES_MAX   7
#define ACCOUNTS    8
#define BLOCKS_MAX  600
#define KV_BYTES    ((size_t)16 << 20)
#define SLOT_BYTES  ((size_t)32 << 20)
#define QUEUE_MAX   65536
#define BLOBS_MAX   256
#define FUNDS_ETHER 1000u
#define DA_BLOCK_MS 25u /* a turn to publish is 16 of them */

struct stored_block {
    struct bytes package, commit;
    struct hash32 hash, state_root;
    struct address proposer;
    uint32_t round;
    uint64_t l1_number;
};

struct cluster;

struct cluster_node {
    struct cluster *cluster;
    uint32_t index;
    struct secp_key key;
    struct address address;
    struct hash32 peer_id;
    bool is_up;
    bool is_stopped;
    bool is_cut;    /* its messages are lost both ways */
    bool is_paused; /* SIGSTOP: what comes in waits */
    uint64_t wall_ahead_ms;
    void *memory;
    size_t memory_bytes;
    struct sequencer *sequencer;
    void *executor_memory;
    struct executor *executor;
    struct kv_memory *kv;
    struct chain_view view;     /* of what is durable */
    struct chain_view given[2]; /* what the sequencer was told last, and before */
    uint32_t given_next;
    struct stored_block blocks[BLOCKS_MAX]; /* by height; 0: genesis */
    struct block_outcome outcomes[EXECUTOR_SLOTS];
    /* disk */
    struct validator_set sets[BLOCKS_MAX]; /* by rotation */
    struct bytes record, record_package, journal;
    /* counts */
    uint32_t accepted, refused, halted, evidence, publishes, settlements, invalid, syncs,
        stale_records;
    enum verdict last_verdict;
    uint64_t last_request;
    struct settlement last_settlement;
    bool fail_commit;
    struct effect publishing; /* first 0: nothing */
    uint64_t l1_asked;        /* the L1 block that it wanted to know about last */
};

enum packet_kind { PACKET_MESSAGE, PACKET_PEER, PACKET_EXECUTED, PACKET_COMMITTED, PACKET_DA };

struct packet {
    enum packet_kind kind;
    uint32_t from, to;
    uint64_t at_ms;
    struct bytes bytes;
    bool is_connected;
    uint32_t slot;
    enum err err;
    uint64_t first, last, height;
    struct hash32 commitment;
};

struct cluster {
    struct chain_config config;
    struct header genesis_header;
    struct hash32 genesis_hash;
    struct kv_memory *genesis_kv;
    struct signing_domain domain, batch_domain;
    uint32_t count;
    uint64_t now_ms;
    uint64_t takeover_ms, idle_ms, forced_blocks, execute_ms;
    bool is_on_demand;
    struct cluster_node nodes[NODES_MAX];
    struct packet *packets; /* ring, in the order of arrival */
    size_t packets_begin, packets_count;
    struct bytes blobs[BLOBS_MAX];
    uint64_t blob_heights[BLOBS_MAX]; /* of the DA layer */
    size_t blobs_count;
    bool is_da_down;
    uint64_t da_lie; /* the first node's DA endpoint says so many heights too many */
    bool has_more;   /* what is submitted now is followed by another item at once */
    struct secp_key accounts[ACCOUNTS];
    struct address account_addresses[ACCOUNTS];
    struct effects *effects;
    /* Changes what `from` sends, when there are liars among the nodes; NULL: all are honest. */
    struct bytes (*tamper)(struct cluster_node *from, struct bytes bytes);
};

static inline void *memory_new(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

static inline struct secp_key test_key(uint8_t kind, uint32_t index) {
    uint8_t seed[8] = {'t', 'e', 's', 't', kind, 0, 0, (uint8_t)index};
    struct secp_key key;
    const struct hash32 hash = keccak256(BYTES_OF(seed));
    memcpy(key.secret, hash.bytes, sizeof key.secret);
    CHECK(secp_key_is_valid(&key));
    return key;
}

/* --- genesis */

static inline struct u256 ether(uint64_t count) {
    const struct u256 wei = u256_from_u64(1000000000000000000u), factor = u256_from_u64(count);
    return u256_mul(&wei, &factor);
}

static inline void genesis_make(struct cluster *cluster) {
    static struct genesis_account accounts[SYSTEM_CONTRACTS_COUNT + ACCOUNTS];
    memset(accounts, 0, sizeof accounts);
    system_contracts_list(accounts);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        cluster->accounts[i] = test_key(2, i);
        cluster->account_addresses[i] = secp_key_address(&cluster->accounts[i]);
        accounts[SYSTEM_CONTRACTS_COUNT + i].address = cluster->account_addresses[i];
        accounts[SYSTEM_CONTRACTS_COUNT + i].balance = ether(FUNDS_ETHER);
    }
    struct genesis genesis = {.config = cluster->config,
                              .header = header_empty(FORK_PRAGUE),
                              .accounts = accounts,
                              .accounts_count = SYSTEM_CONTRACTS_COUNT + ACCOUNTS};
    genesis.header.gas_limit = 30000000;
    genesis.header.timestamp = 1700000000;
    genesis.header.base_fee = u256_from_u64(1000000000);
    cluster->genesis_kv = kv_memory_create(memory_new(KV_BYTES), KV_BYTES);
    const struct kv_reader reader = kv_memory_reader(cluster->genesis_kv);
    struct arena arena = arena_over(memory_new(SLOT_BYTES), SLOT_BYTES);
    struct state *state;
    const struct kv_write *writes;
    size_t count;
    CHECK(state_begin(&arena, &reader, &state) == ERR_OK);
    CHECK(ethereum_genesis(&genesis, state, &cluster->genesis_header) == ERR_OK);
    CHECK(state_writes(state, &writes, &count) == ERR_OK);
    CHECK(kv_memory_apply(cluster->genesis_kv, writes, count) == ERR_OK);
    cluster->genesis_hash = header_hash(&cluster->genesis_header);
    munmap(arena.data, SLOT_BYTES);
}

/* --- a node */

static inline void sign_with(void *context, const struct hash32 *digest,
                             struct secp_signature *out) {
    secp_sign(context, digest, out);
}

static inline void ancestor_hash(void *context, uint64_t number, struct hash32 *out) {
    const struct cluster_node *node = context;
    *out = number < BLOCKS_MAX ? node->blocks[number].hash : (struct hash32){{0}};
}

static inline enum err node_summary(void *context, uint64_t height, struct block_summary *out) {
    const struct cluster_node *node = context;
    if (height > node->view.head.number) return ERR_NOT_FOUND;
    const struct stored_block *block = &node->blocks[height];
    *out = (struct block_summary){block->hash, block->state_root, block->proposer,
                                  block->package.size, block->l1_number};
    return ERR_OK;
}

static inline enum err node_validators(void *context, uint64_t rotation,
                                       struct validator_set *out) {
    const struct cluster_node *node = context;
    if (rotation >= BLOCKS_MAX || node->sets[rotation].count == 0) return ERR_NOT_FOUND;
    *out = node->sets[rotation];
    return ERR_OK;
}

static inline struct sequencer_config node_config(struct cluster_node *node) {
    struct cluster *cluster = node->cluster;
    return (struct sequencer_config){
        .chain = &cluster->config,
        .consensus = {.fault_model = cluster->config.rollup.fault_model,
                      .domain = cluster->domain,
                      .signer = {&node->key, node->address, sign_with},
                      .timeouts = {.propose_ms = 300,
                                   .propose_delta_ms = 100,
                                   .prevote_ms = 100,
                                   .prevote_delta_ms = 50,
                                   .precommit_ms = 100,
                                   .precommit_delta_ms = 50,
                                   .resend_ms = 500}},
        .batch_domain = cluster->batch_domain,
        .recoverer = secp_recoverer(),
        .limits = {.pool_items_max = 4096,
                   .pool_bytes_max = 8u << 20,
                   .pool_lane_items_max = 1024,
                   .sync_blocks_max = 8},
        .idle_block_time_ms = cluster->idle_ms,
        .is_interval_on_demand = cluster->is_on_demand,
        .batch_takeover_ms = cluster->takeover_ms,
        .forced_blocks = cluster->forced_blocks,
        .wary_ms = 1500,
        .genesis_hash = cluster->genesis_hash,
        .archive = {node, node_summary, node_validators},
    };
}

static inline const struct chain_view *view_give(struct cluster_node *node) {
    struct chain_view *view = &node->given[node->given_next++ % 2];
    *view = node->view;
    return view;
}

static inline void node_start(struct cluster_node *node) {
    struct cluster *cluster = node->cluster;
    const uint64_t head = node->view.head.number;
    const uint64_t per = cluster->config.rollup.blocks_per_rotation;
    const struct sequencer_config config = node_config(node);
    node->memory_bytes = sequencer_bytes(&config.limits);
    node->memory = memory_new(node->memory_bytes);
    struct sequencer_restore restore = {
        .view = view_give(node),
        .validators = node->sets[rotation_of(head + 1, per)],
        .next_validators = node->sets[rotation_of(head + 1, per) + 1],
        .head_validators = node->sets[rotation_of(head, per)],
        .head_commit = head == 0 ? BYTES_EMPTY : node->blocks[head].commit,
        .has_record = node->record.size != 0,
        .record_package = node->record_package,
        .journal = node->journal,
    };
    if (restore.has_record) {
        CHECK(consensus_record_decode(node->record, &restore.record) == ERR_OK);
    }
    CHECK(sequencer_create(node->memory, node->memory_bytes, &config, &restore, &node->sequencer) ==
          ERR_OK);
    if (node->executor == NULL) {
        const struct executor_config executor = {
            .chain = &cluster->config, .domain = cluster->domain, .recoverer = secp_recoverer()};
        const size_t bytes = executor_bytes(SLOT_BYTES);
        node->executor_memory = memory_new(bytes);
        CHECK(executor_create(node->executor_memory, bytes, SLOT_BYTES, &executor,
                              &node->executor) == ERR_OK);
    }
    node->is_up = true;
    node->is_stopped = false;
}

static inline void node_create(struct cluster *cluster, uint32_t index) {
    struct cluster_node *node = &cluster->nodes[index];
    node->cluster = cluster;
    node->index = index;
    node->kv = kv_memory_clone(cluster->genesis_kv, memory_new(KV_BYTES), KV_BYTES);
    CHECK(node->kv != NULL);
    node->view = (struct chain_view){.state = kv_memory_reader(node->kv),
                                     .admission = kv_memory_reader(node->kv),
                                     .head = cluster->genesis_header,
                                     .head_hash = cluster->genesis_hash,
                                     .ancestors = {node, ancestor_hash}};
    node->blocks[0].hash = cluster->genesis_hash;
    node->blocks[0].state_root = cluster->genesis_header.state_root;
    node->sets[0] = cluster->config.rollup.validators;
    node_start(node);
}

/* --- packets */

static inline struct packet *packet_push(struct cluster *cluster, enum packet_kind kind,
                                         uint32_t from, uint32_t to, uint64_t delay_ms) {
    CHECK(cluster->packets_count < QUEUE_MAX);
    struct packet *packet =
        &cluster->packets[(cluster->packets_begin + cluster->packets_count++) % QUEUE_MAX];
    memset(packet, 0, sizeof *packet);
    packet->kind = kind;
    packet->from = from;
    packet->to = to;
    packet->at_ms = cluster->now_ms + delay_ms;
    return packet;
}

static inline struct cluster_node *node_of(struct cluster *cluster, const struct hash32 *peer) {
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (hash_equal(&cluster->nodes[i].peer_id, peer)) return &cluster->nodes[i];
    }
    return NULL;
}

static inline void transmit(struct cluster_node *from, struct cluster_node *to,
                            struct bytes bytes) {
    if (!to->is_up || from->is_cut || to->is_cut) return;
    if (from->cluster->tamper != NULL) bytes = from->cluster->tamper(from, bytes);
    packet_push(from->cluster, PACKET_MESSAGE, from->index, to->index, 1)->bytes =
        bytes_keep(bytes);
}

/* --- effects */

static inline void commit_keep(struct cluster_node *node, const struct effect *effect) {
    const struct block_outcome *outcome = &node->outcomes[effect->slot];
    struct packet *packet =
        packet_push(node->cluster, PACKET_COMMITTED, node->index, node->index, 0);
    if (node->fail_commit) {
        packet->err = ERR_STORAGE;
        return;
    }
    CHECK(outcome->height == node->view.head.number + 1);
    CHECK(outcome->height < BLOCKS_MAX);
    CHECK(kv_memory_apply(node->kv, outcome->writes, outcome->writes_count) == ERR_OK);
    uint8_t memory[COMMIT_BYTES_MAX];
    struct buffer out = buffer_over(memory, sizeof memory);
    commit_encode(effect->commit, &out);
    struct stored_block *block = &node->blocks[outcome->height];
    block->package = bytes_keep(outcome->package);
    block->commit = bytes_keep(buffer_bytes(&out));
    block->hash = outcome->hash;
    block->state_root = outcome->header.state_root;
    block->proposer = outcome->frame.proposer;
    block->round = outcome->frame.round;
    block->l1_number = outcome->frame.l1_number;
    node->view.head = outcome->header;
    node->view.head_hash = outcome->hash;
    node->view.head_frame = outcome->frame;
    if (outcome->next_validators.count != 0) {
        const uint64_t per = node->cluster->config.rollup.blocks_per_rotation;
        node->sets[rotation_of(outcome->height, per) + 1] = outcome->next_validators;
    }
}

static inline void serve(struct cluster_node *node, const struct effect *effect) {
    static struct message message;
    static uint8_t memory[MESSAGE_BYTES_MAX];
    struct cluster_node *to = node_of(node->cluster, &effect->peer);
    memset(&message, 0, sizeof message);
    message.kind = MESSAGE_BLOCKS;
    for (uint64_t h = effect->first; h <= effect->last && message.count < MESSAGE_BLOCKS_MAX; h++) {
        message.blocks[message.count].package = node->blocks[h].package;
        message.blocks[message.count].commit = node->blocks[h].commit;
        message.count += 1;
    }
    struct buffer out = buffer_over(memory, sizeof memory);
    message_encode(&message, &out);
    CHECK(!out.overflow);
    transmit(node, to, buffer_bytes(&out));
}

static inline struct bytes blob_make(struct cluster_node *node, uint64_t first, uint64_t last) {
    static struct bytes packages[BATCH_BLOCKS_MAX];
    static uint8_t scratch_memory[32u << 20], blob[BATCH_BLOB_BYTES_MAX];
    struct arena scratch = arena_over(scratch_memory, sizeof scratch_memory);
    struct block_package next;
    struct batch batch = {.first = first, .count = last - first + 1, .packages = packages};
    for (uint64_t h = first; h <= last; h++)
        packages[h - first] = node->blocks[h].package;
    CHECK(last < node->view.head.number);
    CHECK(block_package_decode(node->blocks[last + 1].package, &next) == ERR_OK);
    batch.commit = next.last_commit;
    struct buffer out = buffer_over(blob, sizeof blob);
    CHECK(batch_encode(&batch, &scratch, &out) == ERR_OK);
    return bytes_keep(buffer_bytes(&out));
}

static inline uint64_t da_head(const struct cluster *cluster) {
    return cluster->now_ms / DA_BLOCK_MS;
}

static inline void da_answer(struct cluster_node *node, const struct effect *effect, size_t index) {
    struct packet *packet = packet_push(node->cluster, PACKET_DA, node->index, node->index, 5);
    packet->first = effect->first;
    packet->last = effect->last;
    packet->height = node->cluster->blob_heights[index];
    packet->commitment = keccak256(node->cluster->blobs[index]);
}

/* publish_try is the publisher's thread: it looks before it posts, tries until it works, and gives
 * up when its turn is over. */
static inline void publish_try(struct cluster_node *node) {
    struct cluster *cluster = node->cluster;
    const struct effect *effect = &node->publishing;
    if (effect->first == 0 || cluster->is_da_down) return;
    if (da_head(cluster) >= effect->turn_until) {
        node->publishing.first = 0;
        return;
    }
    if (da_head(cluster) < effect->turn_from) return; /* only a lie about the head begins early */
    const struct bytes blob = blob_make(node, effect->first, effect->last);
    CHECK(effect->scan_from != 0 && effect->scan_from <= da_head(cluster));
    size_t at = 0;
    while (at < cluster->blobs_count && (cluster->blob_heights[at] < effect->scan_from ||
                                         !bytes_equal(cluster->blobs[at], blob))) {
        at++;
    }
    if (at == cluster->blobs_count) {
        CHECK(cluster->blobs_count < BLOBS_MAX);
        cluster->blob_heights[cluster->blobs_count] = da_head(cluster) + 1;
        cluster->blobs[cluster->blobs_count++] = blob;
        node->publishes += 1;
    }
    da_answer(node, effect, at);
    node->publishing.first = 0;
}

static inline void publish(struct cluster_node *node, const struct effect *effect) {
    for (uint32_t i = 0; i < node->cluster->count; i++) { /* nobody else may have the same turn */
        const struct effect *other = &node->cluster->nodes[i].publishing;
        CHECK(i == node->index || other->first != effect->first ||
              other->turn_from != effect->turn_from);
    }
    if (node->publishing.first != 0) return; /* it is busy, and will be asked again */
    node->publishing = *effect;
    publish_try(node);
}

static inline void verify_da(struct cluster_node *node, const struct effect *effect) {
    const struct cluster *cluster = node->cluster;
    if (cluster->is_da_down || effect->last >= node->view.head.number) return;
    const struct bytes blob = blob_make(node, effect->first, effect->last);
    for (size_t i = 0; i < cluster->blobs_count; i++) {
        if (cluster->blob_heights[i] != effect->da_height) continue;
        if (bytes_equal(cluster->blobs[i], blob)) da_answer(node, effect, i);
    }
}

static inline void persist(struct cluster_node *node, const struct effect *effect) {
    if (effect->persist == PERSIST_JOURNAL) {
        node->journal = bytes_keep(effect->bytes);
        return;
    }
    struct bytes rest = effect->bytes, item;
    CHECK(rlp_read_item(&rest, &item) == ERR_OK);
    node->record = bytes_keep(item);
    if (rest.size != 0) node->record_package = bytes_keep(rest);
}

static inline void on_event(struct cluster_node *node, const struct effect *effect) {
    if (effect->event == EVENT_HALTED) node->halted += 1;
    if (effect->event == EVENT_BLOCK_INVALID) node->invalid += 1;
    if (effect->event == EVENT_RECORD_STALE) node->stale_records += 1;
    if (effect->event == EVENT_SYNC_BEGIN) node->syncs += 1;
    if (getenv("TEST_TRACE") != NULL) {
        printf("%llu node %u event %d value %llu %s\n", (unsigned long long)node->cluster->now_ms,
               node->index, (int)effect->event, (unsigned long long)effect->value,
               effect->text == NULL ? "" : effect->text);
    }
}

static inline void perform(struct cluster_node *node, const struct effect *effect) {
    struct cluster *cluster = node->cluster;
    switch (effect->kind) {
    case EFFECT_PERSIST: persist(node, effect); break;
    case EFFECT_SEND: {
        struct cluster_node *to = node_of(cluster, &effect->peer);
        if (to != NULL) transmit(node, to, effect->bytes);
        break;
    }
    case EFFECT_BROADCAST:
        for (uint32_t i = 0; i < cluster->count; i++) {
            if (i != node->index) transmit(node, &cluster->nodes[i], effect->bytes);
        }
        break;
    case EFFECT_EXECUTE:
        executor_run(node->executor, effect->job, &node->outcomes[effect->job->slot]);
        packet_push(cluster, PACKET_EXECUTED, node->index, node->index, cluster->execute_ms)->slot =
            effect->job->slot;
        break;
    case EFFECT_COMMIT: commit_keep(node, effect); break;
    case EFFECT_SERVE: serve(node, effect); break;
    case EFFECT_PUBLISH: publish(node, effect); break;
    case EFFECT_VERIFY_DA: verify_da(node, effect); break;
    case EFFECT_SETTLE:
        node->settlements += 1;
        node->last_settlement = *effect->settlement;
        break;
    case EFFECT_EVIDENCE: node->evidence += 1; break;
    case EFFECT_REPLY:
        node->last_verdict = effect->verdict;
        node->last_request = effect->request;
        if (effect->verdict == VERDICT_ACCEPTED) node->accepted += 1;
        if (effect->verdict != VERDICT_ACCEPTED) node->refused += 1;
        break;
    case EFFECT_EVENT: on_event(node, effect); break;
    case EFFECT_STOPPED: node->is_stopped = true; break;
    case EFFECT_PUBLISH_CANCEL: node->publishing.first = 0; break;
    case EFFECT_ASK_L1: node->l1_asked = effect->value; break;
    case EFFECT_ADMITTED: break;
    }
}

static inline struct input input_of(const struct cluster *cluster, enum input_kind kind) {
    return (struct input){
        .kind = kind, .now_ms = cluster->now_ms, .unix_ms = 1700000001000 + cluster->now_ms};
}

static inline void step(struct cluster_node *node, const struct input *input) {
    struct input own = *input;
    own.unix_ms += node->wall_ahead_ms;
    node->cluster->effects->count = 0;
    sequencer_step(node->sequencer, &own, node->cluster->effects);
    sequencer_check_invariants(node->sequencer);
    for (size_t i = 0; i < node->cluster->effects->count; i++) {
        perform(node, &node->cluster->effects->list[i]);
    }
}
