/* Taking a snapshot before the sequencer starts: the machine of sequencer/snapshot.h with this
 * node's peers and disk. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "node/log.h"
#include "node/node.h"
#include "node/snapshot.h"
#include "pages/pages.h"
#include "threads/clock.h"

#define ARENA_BYTES   ((size_t)256 << 20) /* address space */
#define RECORD        BYTES_STRING("snapshot")
#define FIND_MS       5000  /* sync = auto: for somebody to be far ahead */
#define REQUIRED_MS   60000 /* sync = snapshot: for somebody to be there at all */
#define AGAIN_MS      20000 /* a node that fell behind while it ran */
#define TICK_MS       100
#define PROGRESS_MS   5000
#define ARENA_RECORDS (SNAPSHOT_RECORD_BYTES + 4096)

struct taking {
    struct node *node;
    struct snapshot *snapshot;
    struct snapshot_effects effects;
    struct message message;
    struct arena arena;
    uint64_t progress_ms, shared_ms;
    bool is_over, is_done;
    enum err err;
    size_t peers_count;
    struct snapshot_known peers[P2P_PEERS_MAX];
};

bool snapshot_taking(struct node *node, struct snapshot_status *out) {
    pthread_mutex_lock(&node->status_lock);
    const bool is_taking = node->is_snapshot_taking;
    *out = node->snapshot_status;
    pthread_mutex_unlock(&node->status_lock);
    return is_taking;
}

static void share(struct taking *taking, bool is_taking) {
    struct node *node = taking->node;
    pthread_mutex_lock(&node->status_lock);
    snapshot_status(taking->snapshot, &node->snapshot_status);
    node->is_snapshot_taking = is_taking;
    pthread_mutex_unlock(&node->status_lock);
}

/* --- whether */

static bool is_store_loading(struct node *node) {
    struct store_view *view;
    if (store_view_open(node->ledger.store, &view) != ERR_OK) return false;
    const bool is_loading = store_is_loading(view);
    store_view_close(view);
    return is_loading;
}

/* is_wanted: peers are asked when the settings want it, when a snapshot was begun, or when the
 * clock says that we may be far behind. */
static bool is_wanted(struct node *node, const struct header *head) {
    const struct settings *settings = node->options.settings;
    if (is_store_loading(node) || node->options.is_behind) return true;
    if (strcmp(settings->sync, "snapshot") == 0) return true;
    if (strcmp(settings->sync, "blocks") == 0) return false;
    const uint64_t far_ms = settings->sync_behind_blocks * node->config->rollup.block_time_ms;
    return head->timestamp * 1000 + far_ms < unix_ms();
}

/* anchor_read asks L1 which block is settled.  Without an answer the snapshot is taken all the
 * same: commits prove it. */
static void anchor_read(struct node *node, struct snapshot_config *config) {
    static struct l1_view view;
    struct l1_config l1;
    char error[512] = "", line[256] = "";
    if (node->config->rollup.l1_chain_id == 0) return;
    enum err err = outside_l1_config(node->options.settings, &node->config->rollup, &l1, error);
    if (err == ERR_OK) {
        l1.is_interrupted = outside_is_signalled;
        err = l1_read(&l1, &view, line);
    }
    if (err != ERR_OK) {
        LOG(LOG_WARN, "snapshot", "L1 does not say which block is settled: %s",
            line[0] != '\0' ? line : err_text(err));
        return;
    }
    if (view.settled_last_block == 0) return;
    config->has_anchor = true;
    config->anchor_height = view.settled_last_block;
    config->anchor_hash = view.settled_hash;
}

static enum err configure(struct node *node, const struct header *head, const struct hash32 *hash,
                          struct snapshot_config *out) {
    const struct rollup_config *rollup = &node->config->rollup;
    const struct settings *settings = node->options.settings;
    struct store_view *view;
    *out = (struct snapshot_config){
        .blocks_per_rotation = rollup->blocks_per_rotation,
        .fault_model = rollup->fault_model,
        .domain = node->domain,
        .recoverer = node->recoverer,
        .head_height = head->number,
        .head_hash = *hash,
        .behind_min = settings->sync_behind_blocks,
        .find_ms = FIND_MS,
        .peers_expected = (uint32_t)node->peers_count,
    };
    if (strcmp(settings->sync, "snapshot") == 0) {
        out->behind_min = 1;
        out->find_ms = REQUIRED_MS;
    }
    if (node->options.is_behind) { /* blocks alone led nowhere */
        out->behind_min = 1;
        out->find_ms = AGAIN_MS;
    }
    TRY(store_view_open(node->ledger.store, &view));
    const enum err err = ledger_validators(
        &node->ledger, view, rotation_of(head->number + 1, rollup->blocks_per_rotation),
        &out->validators);
    store_view_close(view);
    return err;
}

/* record_read reads how far an earlier run came; a state that is loading without one begins anew.
 */
static enum err record_read(struct node *node, struct arena *arena,
                            struct snapshot_config *config) {
    struct store_view *view;
    TRY(store_view_open(node->ledger.store, &view));
    const bool is_loading = store_is_loading(view);
    enum err err = store_record(view, RECORD, arena, &config->record);
    store_view_close(view);
    if (err == ERR_NOT_FOUND || !is_loading) config->record = BYTES_EMPTY;
    if (err == ERR_NOT_FOUND) err = ERR_OK;
    if (is_loading) { /* the old state is gone: there is no way back to blocks alone */
        config->behind_min = 1;
        config->find_ms = 0;
        config->has_begun = true;
    }
    return err;
}

/* --- effects */

static enum err load_range(struct node *node, const struct snapshot_effect *effect) {
    struct hash32 root;
    struct arena *arena = &node->ledger.scratch;
    const size_t mark = arena_mark(arena);
    const enum err err =
        store_load_range(node->ledger.store, effect->owner, effect->range, arena, &root);
    arena_release(arena, mark);
    return err;
}

static enum err keep_lights(struct node *node, const struct snapshot_lights *lights) {
    struct store_record records[SNAPSHOT_LIGHT_PER_ASK];
    uint8_t names[SNAPSHOT_LIGHT_PER_ASK][32];
    CHECK(lights->count <= SNAPSHOT_LIGHT_PER_ASK);
    for (size_t i = 0; i < lights->count; i++) {
        records[i] = (struct store_record){ledger_light_name(lights->heights[i], names[i]),
                                           lights->pieces[i]};
    }
    return store_put_records(node->ledger.store, records, lights->count);
}

/* check_root holds the loaded accounts against the pivot: our own mistakes would show here. */
static enum err check_root(struct node *node, const struct hash32 *expected) {
    struct store_view *view;
    struct store_state state;
    struct hash32 root = {{0}};
    struct bytes key, value;
    struct trie trie;
    struct arena *arena = &node->ledger.scratch;
    const size_t mark = arena_mark(arena);
    TRY(store_view_open(node->ledger.store, &view));
    store_state_latest(view, &state);
    enum err err = state.reader.seek(state.reader.context, KV_ACCOUNTS, BYTES_EMPTY, &key, &value);
    const bool is_empty = err == ERR_NOT_FOUND;
    if (err == ERR_OK || is_empty) {
        trie_begin(&trie, arena, &state.reader, NULL, is_empty);
        err = trie_root(&trie, &root);
    }
    store_view_close(view);
    arena_release(arena, mark);
    if (err == ERR_OK && !hash_equal(&root, expected)) err = ERR_CORRUPT;
    return err;
}

static struct bytes set_bytes(struct arena *arena, const struct validator_set *set) {
    uint8_t *room = arena_alloc(arena, VALIDATOR_SET_BYTES_MAX);
    CHECK(room != NULL); /* 1 GiB of scratch, and nothing else is in it */
    struct buffer out = buffer_over(room, VALIDATOR_SET_BYTES_MAX);
    validator_set_encode(set, &out);
    return buffer_bytes(&out);
}

static enum err set_head(struct node *node, const struct snapshot_head *head) {
    struct arena *arena = &node->ledger.scratch;
    uint8_t names[2][32];
    enum err err = check_root(node, &head->header.state_root);
    if (err != ERR_OK) { /* the next start begins anew */
        const struct store_record none = {RECORD, BYTES_EMPTY};
        (void)!store_put_records(node->ledger.store, &none, 1);
        return err;
    }
    const size_t mark = arena_mark(arena);
    const struct store_record records[] = {
        {ledger_set_name(head->rotation, names[0]), set_bytes(arena, head->validators)},
        {ledger_set_name(head->rotation + 1, names[1]), set_bytes(arena, head->next_validators)},
        {RECORD, BYTES_EMPTY},
    };
    const struct store_block block = {.header = &head->header,
                                      .hash = head->hash,
                                      .package = head->package,
                                      .commit = head->commit,
                                      .records = records,
                                      .records_count = 3,
                                      .ancestors = head->headers,
                                      .ancestors_count = head->headers_count};
    err = store_set_head(node->ledger.store, &block, arena);
    arena_release(arena, mark);
    return err;
}

static enum err clear(struct taking *taking) {
    struct snapshot_status status;
    snapshot_status(taking->snapshot, &status);
    LOG(LOG_INFO, "snapshot", "taking the state of block %llu; what is here of an older one goes",
        (unsigned long long)status.pivot_height);
    return store_clear_state(taking->node->ledger.store);
}

static enum err perform(struct taking *taking, const struct snapshot_effect *effect) {
    struct node *node = taking->node;
    char peer[67];
    switch (effect->kind) {
    case SNAPSHOT_EFFECT_SEND:
        traffic_sent(&node->counters.traffic, effect->bytes, 1);
        p2p_send(node->p2p, &effect->peer, P2P_LANE_SYNC, effect->bytes);
        return ERR_OK;
    case SNAPSHOT_EFFECT_DROP:
        atomic_fetch_add(&node->counters.bad_peers, 1);
        LOG(LOG_WARN, "snapshot", "peer %s is not asked any more: %s",
            hex_string(hash_bytes(&effect->peer), peer), effect->text);
        return ERR_OK;
    case SNAPSHOT_EFFECT_CLEAR: return clear(taking);
    case SNAPSHOT_EFFECT_KEEP_LIGHT: return keep_lights(node, &effect->lights);
    case SNAPSHOT_EFFECT_LOAD_RANGE: return load_range(node, effect);
    case SNAPSHOT_EFFECT_LOAD_CODE: {
        const struct kv_write write = {
            .table = KV_CODE, .key = hash_bytes(&effect->hash), .value = effect->bytes};
        return store_load_state(node->ledger.store, &write, 1);
    }
    case SNAPSHOT_EFFECT_PERSIST: {
        const struct store_record record = {RECORD, effect->bytes};
        return store_put_records(node->ledger.store, &record, 1);
    }
    case SNAPSHOT_EFFECT_SET_HEAD: return set_head(node, effect->head);
    case SNAPSHOT_EFFECT_DONE: taking->is_over = taking->is_done = true; return ERR_OK;
    case SNAPSHOT_EFFECT_NOT_NEEDED: taking->is_over = true; return ERR_OK;
    }
    return ERR_OK;
}

static void step(struct taking *taking, const struct snapshot_input *input) {
    taking->effects.count = 0;
    snapshot_step(taking->snapshot, input, &taking->effects);
    for (size_t i = 0; i < taking->effects.count && taking->err == ERR_OK; i++)
        taking->err = perform(taking, &taking->effects.list[i]);
}

/* --- inputs */

static struct snapshot_known *known_find(struct taking *taking, const struct hash32 *id) {
    for (size_t i = 0; i < taking->peers_count; i++) {
        if (hash_equal(&taking->peers[i].id, id)) return &taking->peers[i];
    }
    return NULL;
}

/* status_send tells a peer our height: it may be waiting for that as we are. */
static void status_send(struct taking *taking, const struct hash32 *peer) {
    const struct store_head head = store_head(taking->node->ledger.store);
    uint8_t memory[64];
    struct buffer out = buffer_over(memory, sizeof memory);
    taking->message.kind = MESSAGE_STATUS;
    taking->message.height = head.number;
    taking->message.hash = head.hash;
    message_encode(&taking->message, &out);
    CHECK(!out.overflow);
    p2p_send(taking->node->p2p, peer, P2P_LANE_CONSENSUS, buffer_bytes(&out));
}

static void on_connected(struct taking *taking, const struct hash32 *peer, bool is_connected) {
    struct snapshot_known *known = known_find(taking, peer);
    if (is_connected && known == NULL && taking->peers_count < P2P_PEERS_MAX) {
        taking->peers[taking->peers_count++] = (struct snapshot_known){.id = *peer};
        status_send(taking, peer);
    }
    if (!is_connected && known != NULL) *known = taking->peers[--taking->peers_count];
    step(taking, &(struct snapshot_input){.kind = SNAPSHOT_INPUT_PEER,
                                          .now_ms = monotonic_ms(),
                                          .peer = *peer,
                                          .is_connected = is_connected});
}

static void on_peer(struct taking *taking, struct bytes header) {
    struct hash32 peer;
    CHECK(header.size == sizeof peer);
    memcpy(&peer, header.data, sizeof peer);
    const struct peer_change change = peer_events_take(&taking->node->peer_events, &peer);
    if (change.has_left) on_connected(taking, &peer, false);
    if (change.has_come && taking->err == ERR_OK) on_connected(taking, &peer, true);
}

static void on_message(struct taking *taking, struct bytes header, struct bytes body) {
    struct node *node = taking->node;
    const struct message_context context = {node->domain, node->batch_domain, node->recoverer};
    struct hash32 peer;
    CHECK(header.size == sizeof peer);
    memcpy(&peer, header.data, sizeof peer);
    const enum message_kind kind = body.size > 0 ? body.data[0] : MESSAGE_ITEMS;
    const bool is_ours =
        kind == MESSAGE_STATUS || kind == MESSAGE_BLOCKS || message_is_snapshot_answer(kind);
    if (!is_ours) return; /* votes and proposals of blocks that we do not have */
    if (message_decode(&context, body, &taking->message) != VERDICT_ACCEPTED) {
        atomic_fetch_add(&node->counters.bad_peers, 1);
        return;
    }
    struct snapshot_known *known = known_find(taking, &peer);
    if (known != NULL && kind == MESSAGE_STATUS) {
        known->is_heard = true;
        known->height = taking->message.height;
    }
    step(taking, &(struct snapshot_input){.kind = SNAPSHOT_INPUT_MESSAGE,
                                          .now_ms = monotonic_ms(),
                                          .peer = peer,
                                          .message = &taking->message});
}

/* on_item answers a client: without a state nothing can be judged. */
static void on_item(struct node *node, struct bytes header) {
    struct driver_item carried;
    CHECK(header.size == sizeof carried);
    memcpy(&carried, header.data, sizeof carried);
    if (carried.request == 0 || node->rpc == NULL) return;
    const struct rpc_submit_result result = {
        .token = carried.request - 1, .verdict = VERDICT_BUSY, .hash = carried.item.hash};
    rpc_submitted(node->rpc, &result);
}

static void handle(struct taking *taking, uint32_t kind, struct bytes header, struct bytes body) {
    struct node *node = taking->node;
    switch ((enum driver_kind)kind) {
    case DRIVER_PEER: on_peer(taking, header); break;
    case DRIVER_MESSAGE: on_message(taking, header, body); break;
    case DRIVER_ITEM: on_item(node, header); break;
    case DRIVER_ASK: driver_refuse(node, header); break;
    case DRIVER_REFUSED: {
        struct rpc_submit_result result;
        CHECK(header.size == sizeof result);
        memcpy(&result, header.data, sizeof result);
        if (node->rpc != NULL) rpc_submitted(node->rpc, &result);
        break;
    }
    default: break; /* of the sequencer, L1 and DA, which do not run yet */
    }
}

static void progress(struct taking *taking) {
    struct snapshot_status status;
    const uint64_t now_ms = monotonic_ms();
    if (now_ms - taking->shared_ms < TICK_MS) return;
    taking->shared_ms = now_ms;
    share(taking, true);
    if (now_ms - taking->progress_ms < PROGRESS_MS) return;
    taking->progress_ms = now_ms;
    snapshot_status(taking->snapshot, &status);
    if (status.stage == SNAPSHOT_FIND) {
        LOG(LOG_INFO, "snapshot", "looking for a block whose state peers can give (%u peers)",
            status.peers_usable);
    } else if (status.stage == SNAPSHOT_LIGHT) {
        LOG(LOG_INFO, "snapshot", "validators of rotation %llu are proven; block %llu is wanted",
            (unsigned long long)status.rotation, (unsigned long long)status.pivot_height);
    } else {
        LOG(LOG_INFO, "snapshot",
            "block %llu: %u %%, %llu accounts, %llu slots, %llu codes, %llu KiB, %u peers",
            (unsigned long long)status.pivot_height, status.percent,
            (unsigned long long)status.accounts, (unsigned long long)status.slots,
            (unsigned long long)status.codes, (unsigned long long)status.bytes / 1024,
            status.peers_usable);
    }
}

static enum err run(struct taking *taking) {
    struct node *node = taking->node;
    while (!taking->is_over && taking->err == ERR_OK) {
        uint32_t kind;
        struct bytes header, body;
        if (queue_pop(node->inputs, monotonic_ms() + TICK_MS, &kind, &header, &body)) {
            handle(taking, kind, header, body);
            queue_release(node->inputs);
        }
        if (taking->err == ERR_OK && !taking->is_over) {
            step(taking,
                 &(struct snapshot_input){.kind = SNAPSHOT_INPUT_TICK, .now_ms = monotonic_ms()});
        }
        progress(taking);
        if (outside_is_signalled(NULL)) return ERR_STOPPED;
    }
    return taking->err;
}

static void report(struct taking *taking, uint64_t begun_ms) {
    struct snapshot_status status;
    snapshot_status(taking->snapshot, &status);
    if (!taking->is_done) {
        LOG(LOG_INFO, "snapshot", "nobody is far enough ahead: going on by blocks");
        return;
    }
    LOG(LOG_INFO, "snapshot",
        "the state of block %llu is here%s: %llu accounts, %llu slots, %llu codes, %llu KiB in "
        "%llu ms",
        (unsigned long long)store_head(taking->node->ledger.store).number,
        status.is_resumed ? " (begun by an earlier run)" : "", (unsigned long long)status.accounts,
        (unsigned long long)status.slots, (unsigned long long)status.codes,
        (unsigned long long)status.bytes / 1024, (unsigned long long)(monotonic_ms() - begun_ms));
}

/* hand_over leaves the peers that came meanwhile to the sequencer's thread. */
static enum err hand_over(struct taking *taking) {
    struct node *node = taking->node;
    node->known_peers = calloc(taking->peers_count + 1, sizeof *node->known_peers);
    if (node->known_peers == NULL) return ERR_MEMORY;
    memcpy(node->known_peers, taking->peers, taking->peers_count * sizeof *node->known_peers);
    node->known_peers_count = taking->peers_count;
    return ERR_OK;
}

static enum err take(struct taking *taking, void *memory, const struct header *head,
                     const struct hash32 *hash) {
    struct node *node = taking->node;
    struct snapshot_config config;
    uint8_t record[ARENA_RECORDS];
    struct arena record_arena = arena_over(record, sizeof record);
    const uint64_t begun_ms = monotonic_ms();
    TRY(configure(node, head, hash, &config));
    TRY(record_read(node, &record_arena, &config));
    anchor_read(node, &config);
    taking->snapshot = snapshot_create(memory, &config, &taking->arena, begun_ms);
    share(taking, true);
    taking->progress_ms = begun_ms;
    const enum err err = run(taking);
    share(taking, false);
    if (err != ERR_OK) return err;
    report(taking, begun_ms);
    return hand_over(taking);
}

/* prepare reserves what taking needs and takes. */
static enum err prepare(struct node *node, const struct header *head, const struct hash32 *hash) {
    void *memory = NULL, *arena = NULL;
    struct taking *taking = calloc(1, sizeof *taking);
    enum err err = taking == NULL ? ERR_MEMORY : memory_reserve(snapshot_bytes(), &memory);
    if (err == ERR_OK) err = memory_reserve(ARENA_BYTES, &arena);
    if (err == ERR_OK) {
        taking->node = node;
        taking->arena = arena_over(arena, ARENA_BYTES);
        err = take(taking, memory, head, hash);
    }
    pages_release(arena, ARENA_BYTES);
    pages_release(memory, snapshot_bytes());
    free(taking);
    return err;
}

enum err snapshot_take(struct node *node, char error[512]) {
    struct store_view *view;
    struct header head;
    struct hash32 hash;
    TRY(store_view_open(node->ledger.store, &view));
    enum err err = store_header(view, store_view_head(view).number, &head, &hash);
    store_view_close(view);
    if (err != ERR_OK) return err;
    const bool has_peers = node->p2p != NULL && node->peers_count > 0;
    if (!has_peers && is_store_loading(node)) {
        snprintf(
            error, 512,
            "p2p_peers: is empty, and \"%.200s\" holds a snapshot that was begun and not ended",
            node->options.data_dir);
        return ERR_CONFIG;
    }
    if (!has_peers || !is_wanted(node, &head)) return ERR_OK;
    err = prepare(node, &head, &hash);
    if (err != ERR_OK && err != ERR_STOPPED) {
        snprintf(error, 512, "data_dir: \"%.200s\": the snapshot cannot be taken: %s",
                 node->options.data_dir, err_text(err));
    }
    return err;
}
