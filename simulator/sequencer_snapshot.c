/* A node that was away for long takes the state of a recent block from the others (snapshot.h), in
 * some of the runs: ranges, codes and headers travel as all messages do, Byzantine nodes change
 * what they send, the others crash as they serve, and the node crashes midway and goes on.
 *
 * What it holds in the end is compared, table by table, with the state of that block; nobody
 * correct may be called a liar.  Then the node starts anew, as the sequencer on its new disk.  The
 * tables of the trie's branches follow from the others (store/test_store_range.c): they are copied.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/keccak.h"
#include "consensus/rotation.h"
#include "simulator/owned.h"
#include "simulator/sequencer_node.h"
#include "state/range.h"

#define PURPOSE_SNAPSHOT 7
#define RUNS_PER_MILLE   500
#define ANSWER_BYTES     300u /* small, so that there are many */
#define TAKE_ARENA       SNAPSHOT_ARENA_BYTES_MIN
#define SERVE_ARENA      ((size_t)16 << 20)

struct taking {
    struct snapshot *snapshot;
    struct arena arena;
    uint32_t loads;
};

static _Thread_local struct snapshot_effects effects;
static _Thread_local struct message answer;

static void *thread_memory(uint32_t use, size_t bytes) {
    static _Thread_local uint8_t *memory[4 + SNAPSHOT_STATES];
    return thread_buffer(&memory[use], bytes);
}

/* --- the states of the last heights, the same for all */

void sequencer_snapshot_open(struct world *world, struct snapshot_runs *runs) {
    runs->random = random_make(world->config.seed, PURPOSE_SNAPSHOT);
    const struct sequencer_shared *shared = world->shared;
    runs->is_on = random_chance(&runs->random, RUNS_PER_MILLE) && shared->old.phase == OLD_OVER;
    runs->at_ms = world->now_ms + 500 + random_below(&runs->random, 4000);
}

void sequencer_snapshot_keep(struct world *world, const struct sequencer_node *node) {
    struct sequencer_shared *shared = world->shared;
    struct snapshot_runs *runs = &shared->snapshots;
    const uint64_t height = node->view.head.number;
    if (!runs->is_on || height <= runs->kept_height) return;
    void *memory = thread_memory(4 + (uint32_t)(height % SNAPSHOT_STATES), SEQUENCER_KV_BYTES);
    runs->states[height % SNAPSHOT_STATES] = kv_memory_clone(node->kv, memory, SEQUENCER_KV_BYTES);
    CHECK(runs->states[height % SNAPSHOT_STATES] != NULL);
    runs->kept_height = height;
}

/* state_at finds the state after a block; NULL: it is too old. */
static struct kv_memory *state_at(const struct snapshot_runs *runs, uint64_t height) {
    if (height == 0 || height > runs->kept_height) return NULL;
    if (height + SNAPSHOT_STATES <= runs->kept_height) return NULL;
    return runs->states[height % SNAPSHOT_STATES];
}

/* --- serving */

static bool add_piece(struct buffer *out, size_t from) {
    if (out->overflow || answer.count == MESSAGE_PIECES_MAX) return false;
    answer.pieces[answer.count++] = bytes_slice(buffer_bytes(out), from, out->size - from);
    return true;
}

static void serve_light(const struct sequencer_node *node, const struct message *request,
                        struct buffer *out) {
    for (uint32_t i = 0; i < request->count; i++) {
        const uint64_t height = request->heights[i];
        if (height == 0 || height > node->view.head.number) return;
        const struct sequencer_block *block = &node->chain[height];
        const size_t from = out->size;
        if (block->package.size == 0) return;
        CHECK(snapshot_light_encode(block->package, block->commit, out) == ERR_OK);
        if (!add_piece(out, from)) return;
    }
}

static void serve_ranges(const struct snapshot_runs *runs, const struct message *request,
                         struct arena *arena, struct buffer *out) {
    struct kv_memory *kv = state_at(runs, request->height);
    if (kv == NULL) return;
    const struct kv_reader reader = kv_memory_reader(kv);
    size_t left = ANSWER_BYTES;
    for (uint32_t i = 0; i < request->count && left > 0; i++) {
        const struct bytes name = request->pieces[i];
        const bool is_storage = name.size == 64;
        struct hash32 owner, first;
        struct range range;
        struct trie trie;
        if (is_storage) memcpy(owner.bytes, name.data, 32);
        memcpy(first.bytes, name.data + (is_storage ? 32 : 0), 32);
        const struct hash32 *of = is_storage ? &owner : NULL;
        CHECK(range_read(&reader, of, &first, left, arena, &range) == ERR_OK);
        trie_begin(&trie, arena, &reader, of, false);
        CHECK(range_prove(&trie, arena, &range) == ERR_OK);
        size_t used = 0;
        for (size_t k = 0; k < range.entries_count; k++)
            used += 32 + range.entries[k].value.size;
        left -= used < left ? used : left;
        const size_t from = out->size;
        snapshot_range_encode(of, &range, out);
        if (!add_piece(out, from)) return;
        if (range.to.bytes[31] != 0xff) return; /* it is not whole: nothing may follow */
    }
}

static void serve_codes(const struct sequencer_node *node, const struct message *request) {
    const struct kv_reader reader = kv_memory_reader(node->kv);
    for (uint32_t i = 0; i < request->count; i++) {
        struct bytes code;
        if (reader.get(reader.context, KV_CODE, request->pieces[i], &code) != ERR_OK) return;
        answer.pieces[answer.count++] = code;
    }
}

static void serve_headers(const struct sequencer_node *node, const struct message *request) {
    for (uint32_t i = 0; i < request->count; i++) {
        const uint64_t height = request->height + i;
        struct block_package package;
        if (height == 0 || height > node->view.head.number) return;
        if (node->chain[height].package.size == 0) return;
        CHECK(block_package_decode(node->chain[height].package, &package) == ERR_OK);
        CHECK(snapshot_header_of(package.ethereum_block, &answer.pieces[answer.count]) == ERR_OK);
        answer.count++;
    }
}

/* lie changes one bit of one piece. */
static void lie(struct world *world, struct arena *arena) {
    struct random *random = &((struct sequencer_shared *)world->shared)->snapshots.random;
    if (answer.count == 0 || !random_chance(random, 300)) return;
    struct bytes *piece = &answer.pieces[random_below(random, answer.count)];
    if (piece->size == 0) return;
    CHECK(arena_copy(arena, *piece, piece));
    uint8_t *data = (uint8_t *)(uintptr_t)piece->data;
    data[random_below(random, piece->size)] ^= (uint8_t)(1 << random_below(random, 8));
    world_count(world, COUNT_BYZANTINE_SNAPSHOT);
}

void sequencer_snapshot_serve(struct world *world, struct sequencer_node *node, uint32_t to,
                              const struct message *request) {
    struct sequencer_shared *shared = world->shared;
    struct snapshot_runs *runs = &shared->snapshots;
    struct arena arena = arena_over(thread_memory(0, SERVE_ARENA), SERVE_ARENA);
    struct buffer pieces = buffer_over(thread_memory(1, MESSAGE_BYTES_MAX), MESSAGE_BYTES_MAX);
    const struct node *at = &world->nodes[node->index];
    if (!runs->is_on) return;
    if (world->is_chaos && !at->is_byzantine && random_chance(&runs->random, 20)) {
        world_count(world, COUNT_SNAPSHOT_SERVERS_LEFT);
        world_crash(world, node->index, random_below(&runs->random, 1500));
        return;
    }
    memset(&answer, 0, sizeof answer);
    answer.kind = request->kind + 1;
    answer.request = request->request;
    answer.height = request->height;
    switch (request->kind) {
    case MESSAGE_GET_LIGHT: serve_light(node, request, &pieces); break;
    case MESSAGE_GET_RANGES:
        if (request->height <= node->view.head.number) {
            serve_ranges(runs, request, &arena, &pieces);
        }
        break;
    case MESSAGE_GET_CODES: serve_codes(node, request); break;
    case MESSAGE_GET_HEADERS: serve_headers(node, request); break;
    default: return;
    }
    if (at->is_byzantine) lie(world, &arena);
    struct buffer out = buffer_over(thread_memory(2, MESSAGE_BYTES_MAX), MESSAGE_BYTES_MAX);
    message_encode(&answer, &out);
    CHECK(!out.overflow);
    if (world_effect(world, node->index)) world_send(world, node->index, to, buffer_bytes(&out));
}

/* --- taking: effects */

/* is_same: a table has the same entries in both. */
static bool is_same(struct kv_memory *ours, struct kv_memory *true_state, enum kv_table table) {
    const struct kv_reader taken = kv_memory_reader(ours), reader = kv_memory_reader(true_state);
    uint8_t cursor[KV_KEY_BYTES_MAX + 1];
    struct bytes from = {cursor, 0}, key, value, other;
    if (kv_memory_count(ours, table) != kv_memory_count(true_state, table)) return false;
    while (reader.seek(reader.context, table, from, &key, &value) == ERR_OK) {
        if (taken.get(taken.context, table, key, &other) != ERR_OK) return false;
        if (!bytes_equal(value, other)) return false;
        memcpy(cursor, key.data, key.size);
        cursor[key.size] = 0;
        from.size = key.size + 1;
    }
    return true;
}

static void put_chain(struct sequencer_node *node, const struct snapshot_head *head) {
    const uint64_t height = head->header.number;
    struct block_package package;
    sequencer_node_reserve(node, height + 1, head->rotation + 2);
    for (uint64_t h = node->view.head.number + 1; h <= height; h++)
        node->chain[h] = (struct sequencer_block){0};
    for (size_t i = 0; i < head->headers_count; i++) {
        const uint64_t h = height - head->headers_count + i;
        if (h > node->view.head.number) node->chain[h].hash = keccak256(head->headers[i]);
    }
    CHECK(block_package_decode(head->package, &package) == ERR_OK);
    node->chain[height] = (struct sequencer_block){.package = owned_copy(head->package),
                                                   .commit = owned_copy(head->commit),
                                                   .hash = head->hash,
                                                   .state_root = head->header.state_root,
                                                   .proposer = package.frame.proposer,
                                                   .l1_number = package.frame.l1_number};
    node->sets[head->rotation] = *head->validators;
    node->sets[head->rotation + 1] = *head->next_validators;
    node->view.head = head->header;
    node->view.head_hash = head->hash;
    node->view.head_frame = package.frame;
}

static void set_head(struct world *world, struct sequencer_node *node,
                     const struct snapshot_head *head) {
    const struct sequencer_shared *shared = world->shared;
    const uint64_t height = head->header.number;
    struct kv_memory *state = state_at(&shared->snapshots, height);
    if (!checker_jumped(world, node->index, height, &head->hash)) return;
    if (state == NULL) { /* it took so long that nobody has it any more: begin anew */
        owned_free(&node->taken.record);
        return;
    }
    for (enum kv_table table = KV_ACCOUNTS; table <= KV_CODE; table++) {
        if (is_same(node->taken.kv, state, table)) continue;
        world_fail(world, "snapshot", "node %u has another state at block %llu: table %d",
                   node->index, (unsigned long long)height, (int)table);
        return;
    }
    const enum write_fate fate = world_write(world, node->index);
    if (fate != WRITE_DONE && fate != WRITE_DONE_CRASHED) return;
    put_chain(node, head);
    CHECK(kv_memory_clone(state, node->kv, SEQUENCER_KV_BYTES) == node->kv);
    checker_restored(world, node->index, height);
    owned_free(&node->taken.record);
    node->taken = (struct taken){0};
    world_count(world, COUNT_SNAPSHOTS);
}

static void persist(struct world *world, struct sequencer_node *node, struct bytes bytes) {
    const enum write_fate fate = world_write(world, node->index);
    if (fate != WRITE_DONE && fate != WRITE_DONE_CRASHED) return;
    owned_free(&node->taken.record);
    node->taken.record = owned_copy(bytes);
}

static void perform(struct world *world, struct sequencer_node *node,
                    const struct snapshot_effect *effect) {
    struct sequencer_shared *shared = world->shared;
    const int peer = sequencer_node_of(node, &effect->peer);
    switch (effect->kind) {
    case SNAPSHOT_EFFECT_SEND:
        if (peer >= 0) world_send(world, node->index, (uint32_t)peer, effect->bytes);
        break;
    case SNAPSHOT_EFFECT_DROP:
        world_trace(world, effect->text, node->index, (uint64_t)peer, 0);
        if (peer >= 0 && world->nodes[peer].is_byzantine) break;
        world_fail(world, "snapshot", "node %u calls the correct node %d a liar: %s", node->index,
                   peer, effect->text);
        break;
    case SNAPSHOT_EFFECT_CLEAR:
        node->taken.has_begun = true;
        node->taken.kv = kv_memory_create(
            sequencer_node_memory(node->index, SEQUENCER_MEMORY_BACKUP, SEQUENCER_KV_BYTES),
            SEQUENCER_KV_BYTES);
        break;
    case SNAPSHOT_EFFECT_KEEP_LIGHT: break; /* who has not the blocks gives no proofs here */
    case SNAPSHOT_EFFECT_LOAD_RANGE:
        CHECK(kv_memory_put_range(node->taken.kv, effect->owner, effect->range) == ERR_OK);
        if (++node->taking->loads != node->taken.loads_to_crash || !world->is_chaos) break;
        node->taken.loads_to_crash = 0;
        world_count(world, COUNT_SNAPSHOTS_BROKEN_OFF);
        world_crash(world, node->index, random_below(&shared->snapshots.random, 1500));
        break;
    case SNAPSHOT_EFFECT_LOAD_CODE:
        CHECK(kv_memory_put(node->taken.kv, KV_CODE, hash_bytes(&effect->hash), effect->bytes) ==
              ERR_OK);
        break;
    case SNAPSHOT_EFFECT_PERSIST: persist(world, node, effect->bytes); break;
    case SNAPSHOT_EFFECT_SET_HEAD: set_head(world, node, effect->head); break;
    case SNAPSHOT_EFFECT_NOT_NEEDED: node->taken.is_wanted = false; /* fall through */
    case SNAPSHOT_EFFECT_DONE: world_crash(world, node->index, 20); break;
    }
}

static void step(struct world *world, struct sequencer_node *node, struct snapshot_input *input) {
    input->now_ms = world_clock(world, node->index);
    effects.count = 0;
    snapshot_step(node->taking->snapshot, input, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        if (!world->nodes[node->index].is_up || world->has_failed) return;
        if (!world_effect(world, node->index)) return;
        perform(world, node, &effects.list[i]);
    }
}

/* --- taking: its life */

void sequencer_snapshot_run(struct world *world) {
    struct sequencer_shared *shared = world->shared;
    struct snapshot_runs *runs = &shared->snapshots;
    if (!runs->is_on || world->now_ms < runs->at_ms || !world->is_chaos) return;
    const uint32_t index = (uint32_t)random_below(&runs->random, world->nodes_count);
    struct sequencer_node *node = world->nodes[index].state;
    runs->at_ms = world->now_ms + random_below(&runs->random, 2000);
    if (world->nodes[index].is_byzantine || !world->nodes[index].is_up) return;
    /* In a set of one or two nobody else may have turns at the next 768 heights of DA. */
    const bool is_spared = registry_spares(checker_registry(world), index);
    if (!is_spared && world->config.fault_model == FAULT_MODEL_CRASH) return;
    runs->at_ms = UINT64_MAX; /* once in a run */
    world->fault_counts[FAULT_FAR_BEHIND]++;
    world_trace(world, fault_name(FAULT_FAR_BEHIND), index, node->view.head.number, 0);
    node->taken.is_wanted = true;
    /* It cannot sign for batches of blocks that it will not have. */
    if (!is_spared) shared->awaits_settlement = false;
    if (random_chance(&runs->random, 500)) {
        node->taken.loads_to_crash = 1 + (uint32_t)random_below(&runs->random, 30);
    }
    world_crash(world, index, random_between(&runs->random, 1000, 5000));
}

void sequencer_snapshot_begin(struct world *world, struct sequencer_node *node) {
    const uint64_t head = node->view.head.number;
    const uint64_t rotation = rotation_of(head + 1, node->registry->blocks_per_rotation);
    struct taking *taking = calloc(1, sizeof *taking);
    CHECK(taking != NULL);
    const struct snapshot_config config = {
        .blocks_per_rotation = node->registry->blocks_per_rotation,
        .fault_model = node->registry->fault_model,
        .domain = node->registry->domain,
        .recoverer = registry_recoverer_of(node->registry),
        .head_height = head,
        .head_hash = node->view.head_hash,
        .validators = node->sets[rotation],
        .behind_min = node->taken.has_begun ? 1 : 3,
        .peers_expected = world->nodes_count - 1,
        .has_begun = node->taken.has_begun,
        .find_ms = node->taken.has_begun ? 0 : 3000,
        .record = node->taken.record,
    };
    taking->arena = arena_over(thread_memory(3, TAKE_ARENA), TAKE_ARENA);
    void *memory = sequencer_node_memory(node->index, SEQUENCER_MEMORY_SNAPSHOT, snapshot_bytes());
    taking->snapshot =
        snapshot_create(memory, &config, &taking->arena, world_clock(world, node->index));
    node->taking = taking;
}

void sequencer_snapshot_forget(struct sequencer_node *node) {
    if (node->taking == NULL) return;
    struct snapshot_status status;
    snapshot_status(node->taking->snapshot, &status);
    if (status.is_resumed && status.stage >= SNAPSHOT_STATE) {
        world_count(node->world, COUNT_SNAPSHOTS_RESUMED);
    }
    free(node->taking);
    node->taking = NULL;
}

void sequencer_snapshot_deliver(struct world *world, struct sequencer_node *node, uint32_t from,
                                const struct message *message) {
    const enum message_kind kind = message->kind;
    if (kind != MESSAGE_STATUS && kind != MESSAGE_BLOCKS && !message_is_snapshot_answer(kind)) {
        return;
    }
    struct snapshot_input input = {
        .kind = SNAPSHOT_INPUT_MESSAGE, .peer = node->registry->peer_ids[from], .message = message};
    step(world, node, &input);
}

void sequencer_snapshot_peer(struct world *world, struct sequencer_node *node, uint32_t peer,
                             bool is_connected) {
    struct snapshot_input input = {.kind = SNAPSHOT_INPUT_PEER,
                                   .peer = node->registry->peer_ids[peer],
                                   .is_connected = is_connected};
    step(world, node, &input);
}

void sequencer_snapshot_tick(struct world *world, struct sequencer_node *node) {
    struct snapshot_input input = {.kind = SNAPSHOT_INPUT_TICK};
    step(world, node, &input);
}

uint64_t sequencer_snapshot_deadline_ms(const struct sequencer_node *node) {
    return snapshot_deadline_ms(node->taking->snapshot);
}
