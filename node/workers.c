/* Workers: threads for what must not take the sequencer's time.
 *
 *   serve    reads blocks for peers that are behind
 *   inspect  recovers the senders of gossiped items
 *   da       makes batches and talks to the DA layer, which may hang
 *
 * Each has a bounded queue; work that does not fit is dropped and counted, because whoever asked
 * asks again (sync and batches) or has other ways (gossip). */
#include <stdlib.h>
#include <string.h>

#include "node/log.h"
#include "node/node.h"
#include "pages/pages.h"
#include "sequencer/batch.h"
#include "threads/clock.h"
#include "workloads/workload.h"

struct worker_room {
    size_t urgent_bytes, bulk_bytes; /* of its queue */
    struct queue_share share;        /* of one peer */
};
/* Each request is answered with megabytes: a correct peer waits for an answer before it asks again.
 */
#define SERVE_ROOM ((struct worker_room){(size_t)1 << 20, 4096, {8, 4096}})
/* Guests' items come after those of peers. */
#define INSPECT_ROOM                                                                               \
    ((struct worker_room){(size_t)64 << 20, (size_t)16 << 20, {4096, (size_t)8 << 20}})
#define DA_ROOM            ((struct worker_room){(size_t)1 << 20, 4096, {0, 0}})
#define WORKER_ARENA_BYTES ((size_t)256 << 20) /* address space */
/* The answer to a peer that is behind stops before this size. */
#define SERVE_BYTES_MAX (4u << 20)

struct task_range {
    struct hash32 peer;
    uint64_t first, last, height;
    struct hash32 commitment;
    bool is_verify;
    struct da_publication publication; /* but for the blob: to publish */
};

struct worker {
    struct node *node;
    struct queue *queue;
    struct arena arena;
    pthread_t thread;
    bool has_thread;
    atomic_bool is_stopping; /* what waits is dropped */
    void (*handle)(struct worker *worker, struct bytes header, struct bytes body);
};

struct workers {
    struct worker serve, inspect, da;
    struct message *message; /* the serve worker's */
    struct message *items;   /* the inspect worker's */
    struct da_client *client;
    pthread_mutex_t batch_lock; /* guards what the publisher's thread reads of the batch at work */
    uint64_t batch_first, batch_last;
};

static void *worker_main(void *context) {
    struct worker *worker = context;
    uint32_t kind;
    struct bytes header, body;
    while (queue_pop(worker->queue, UINT64_MAX, &kind, &header, &body)) {
        arena_reset(&worker->arena);
        if (!atomic_load(&worker->is_stopping)) worker->handle(worker, header, body);
        queue_release(worker->queue);
    }
    return NULL;
}

/* read_blocks fills `out` with blocks and commits from `first` on, as many as fit. */
static enum err read_blocks(struct worker *worker, uint64_t first, uint64_t last,
                            struct message *out) {
    struct store_view *view;
    size_t bytes = 0;
    TRY(store_view_open(worker->node->ledger.store, &view));
    enum err err = ERR_OK;
    for (uint64_t height = first; height <= last && out->count < MESSAGE_BLOCKS_MAX; height++) {
        struct bytes package, commit;
        err = store_package(view, height, &worker->arena, &package);
        if (err == ERR_OK) err = store_commit(view, height, &worker->arena, &commit);
        if (err != ERR_OK || bytes + package.size > SERVE_BYTES_MAX) break;
        out->blocks[out->count].package = package;
        out->blocks[out->count].commit = commit;
        out->count += 1;
        bytes += package.size + commit.size;
    }
    store_view_close(view);
    return out->count > 0 ? ERR_OK : err;
}

static void serve(struct worker *worker, struct bytes header, struct bytes body) {
    struct task_range range;
    struct node *node = worker->node;
    struct message *message = node->workers->message;
    (void)body;
    CHECK(header.size == sizeof range);
    memcpy(&range, header.data, sizeof range);
    message->kind = MESSAGE_BLOCKS;
    message->height = range.first;
    message->count = 0;
    if (read_blocks(worker, range.first, range.last, message) != ERR_OK) return;
    uint8_t *memory = arena_alloc(&worker->arena, MESSAGE_BYTES_MAX);
    if (memory == NULL) return;
    struct buffer out = buffer_over(memory, MESSAGE_BYTES_MAX);
    message_encode(message, &out);
    if (out.overflow || node->p2p == NULL) return;
    traffic_sent(&node->counters.traffic, buffer_bytes(&out), 1);
    p2p_send(node->p2p, &range.peer, P2P_LANE_SYNC, buffer_bytes(&out));
}

/* inspect_item checks one gossiped item and hands it on. */
static void inspect_item(struct worker *worker, const struct hash32 *peer, struct bytes encoded) {
    struct node *node = worker->node;
    struct driver_item carried = {.peer = *peer};
    const struct workload *workload = encoded.size > 0 ? workload_by_kind(encoded.data[0]) : NULL;
    enum verdict verdict = VERDICT_MALFORMED;
    if (workload != NULL) {
        const struct bytes item = bytes_slice(encoded, 1, encoded.size);
        const enum fork fork = fork_at(node->config, UINT64_MAX - 1, unix_ms() / 1000);
        verdict = workload->inspect(node->config, fork, item, &worker->arena, &carried.item);
    }
    if (verdict != VERDICT_ACCEPTED) {
        atomic_fetch_add(&node->counters.items_bad, 1);
        return;
    }
    driver_push(node, QUEUE_BULK, DRIVER_ITEM, VALUE_BYTES(carried), carried.item.encoded);
}

static void inspect(struct worker *worker, struct bytes header, struct bytes body) {
    struct node *node = worker->node;
    struct message *message = node->workers->items;
    const struct message_context context = {node->domain, node->batch_domain, node->recoverer};
    struct hash32 peer;
    CHECK(header.size == sizeof peer);
    memcpy(&peer, header.data, sizeof peer);
    if (message_decode(&context, body, message) != VERDICT_ACCEPTED) {
        atomic_fetch_add(&node->counters.bad_peers, 1);
        return;
    }
    for (uint32_t i = 0; i < message->count; i++) {
        const size_t mark = arena_mark(&worker->arena);
        inspect_item(worker, &peer, message->items[i]);
        arena_release(&worker->arena, mark);
    }
}

/* read_batch collects the packages of a batch and the commit of its last block as the block after
 * it carries it. */
static enum err read_batch(struct worker *worker, const struct task_range *range,
                           struct batch *out) {
    const size_t count = (size_t)(range->last - range->first + 1);
    if (range->last < range->first || count > BATCH_BLOCKS_MAX) return ERR_LIMIT;
    struct bytes *packages = arena_array(&worker->arena, count, sizeof *packages);
    struct store_view *view;
    if (packages == NULL) return ERR_LIMIT;
    TRY(store_view_open(worker->node->ledger.store, &view));
    enum err err = ERR_OK;
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        err = store_package(view, range->first + i, &worker->arena, &packages[i]);
    }
    struct bytes next;
    struct block_package package;
    if (err == ERR_OK) err = store_package(view, range->last + 1, &worker->arena, &next);
    if (err == ERR_OK) err = block_package_decode(next, &package);
    store_view_close(view);
    if (err != ERR_OK) return err;
    *out = (struct batch){range->first, count, packages, package.last_commit};
    return ERR_OK;
}

static enum err encode_batch(struct worker *worker, const struct batch *batch, struct buffer *out) {
    size_t raw = 4096;
    for (size_t i = 0; i < batch->count; i++)
        raw += batch->packages[i].size + 16;
    uint8_t *memory = arena_alloc(&worker->arena, BATCH_BLOB_BYTES_MAX);
    void *scratch_memory = arena_alloc(&worker->arena, batch_scratch_bytes(raw));
    if (memory == NULL || scratch_memory == NULL) return ERR_LIMIT;
    struct arena scratch = arena_over(scratch_memory, batch_scratch_bytes(raw));
    *out = buffer_over(memory, BATCH_BLOB_BYTES_MAX);
    return batch_encode(batch, &scratch, out);
}

static void publish(struct worker *worker, const struct task_range *range) {
    struct node *node = worker->node;
    struct workers *workers = node->workers;
    struct batch batch;
    struct buffer blob;
    if (node->da == NULL) return;
    enum err err = read_batch(worker, range, &batch);
    if (err == ERR_OK) err = encode_batch(worker, &batch, &blob);
    if (err != ERR_OK) {
        LOG(LOG_ERROR, "da", "batch %llu to %llu cannot be made: %s",
            (unsigned long long)range->first, (unsigned long long)range->last, err_text(err));
        return;
    }
    struct da_publication publication = range->publication;
    publication.id = range->first;
    publication.blob = buffer_bytes(&blob);
    pthread_mutex_lock(&workers->batch_lock);
    err = da_publish(node->da, &publication);
    if (err == ERR_OK) {
        workers->batch_first = range->first;
        workers->batch_last = range->last;
    }
    pthread_mutex_unlock(&workers->batch_lock);
    if (err == ERR_OK) atomic_fetch_add(&node->counters.da_bytes, blob.size);
    LOG(LOG_DEBUG, "da", "publishing blocks %llu to %llu, %zu bytes: %s",
        (unsigned long long)range->first, (unsigned long long)range->last, blob.size,
        err_text(err));
}

static void push_receipt(struct node *node, const struct driver_da *receipt) {
    driver_push(node, QUEUE_URGENT, DRIVER_DA, VALUE_BYTES(*receipt), BYTES_EMPTY);
}

/* holds_range says whether a blob is the batch [first, last] of this chain. */
static bool holds_range(struct worker *worker, struct bytes blob, const struct task_range *range) {
    struct batch batch;
    struct block_package theirs;
    struct hash32 ours;
    struct store_view *view;
    struct block block;
    if (batch_decode(blob, &worker->arena, &batch) != ERR_OK) return false;
    if (batch.first != range->first || batch.count != range->last - range->first + 1) return false;
    const struct bytes last = batch.packages[batch.count - 1];
    if (block_package_decode(last, &theirs) != ERR_OK) return false;
    if (block_decode(theirs.ethereum_block, &worker->arena, &block) != ERR_OK) return false;
    if (store_view_open(worker->node->ledger.store, &view) != ERR_OK) return false;
    const enum err err = store_block_hash(view, range->last, &ours);
    store_view_close(view);
    return err == ERR_OK && hash_equal(&ours, &block.hash);
}

static void verify_da(struct worker *worker, const struct task_range *range) {
    struct node *node = worker->node;
    struct da_namespace ns;
    char error[256] = "";
    uint8_t *memory = arena_alloc(&worker->arena, DA_BLOB_BYTES_MAX);
    if (memory == NULL || node->workers->client == NULL) return;
    struct buffer blob = buffer_over(memory, DA_BLOB_BYTES_MAX);
    memcpy(ns.bytes, node->config->rollup.da_namespace, sizeof ns.bytes);
    const enum err err =
        da_get(node->workers->client, range->height, &ns, &range->commitment, &blob, error);
    if (err != ERR_OK || !holds_range(worker, buffer_bytes(&blob), range)) {
        LOG(LOG_DEBUG, "da", "batch %llu to %llu is not at DA height %llu: %s",
            (unsigned long long)range->first, (unsigned long long)range->last,
            (unsigned long long)range->height, err != ERR_OK ? error : "other contents");
        return;
    }
    const struct driver_da receipt = {range->first, range->last, range->height, range->commitment,
                                      0};
    push_receipt(node, &receipt);
}

static void da_work(struct worker *worker, struct bytes header, struct bytes body) {
    struct task_range range;
    (void)body;
    CHECK(header.size == sizeof range);
    memcpy(&range, header.data, sizeof range);
    if (range.is_verify) {
        verify_da(worker, &range);
    } else {
        publish(worker, &range);
    }
}

void workers_da_receipt(void *context, const struct da_receipt *receipt) {
    struct node *node = context;
    struct workers *workers = node->workers;
    struct driver_da carried = {.height = receipt->height, .commitment = receipt->commitment};
    pthread_mutex_lock(&workers->batch_lock);
    const bool is_current = receipt->id == workers->batch_first;
    carried.first = workers->batch_first;
    carried.last = workers->batch_last;
    pthread_mutex_unlock(&workers->batch_lock);
    if (!is_current) return;
    histogram_observe(&node->counters.da_latency, receipt->latency_ms * 1000);
    if (!receipt->was_found) atomic_fetch_add(&node->counters.da_submissions, 1);
    push_receipt(node, &carried);
}

void workers_da_head(void *context, uint64_t head) {
    const struct driver_da carried = {.height = head};
    push_receipt(context, &carried);
}

static enum err worker_start(struct node *node, struct worker *worker, struct worker_room room,
                             void (*handle)(struct worker *, struct bytes, struct bytes)) {
    void *memory;
    worker->node = node;
    worker->handle = handle;
    TRY(memory_reserve(WORKER_ARENA_BYTES, &memory));
    worker->arena = arena_over(memory, WORKER_ARENA_BYTES);
    TRY(queue_create(room.urgent_bytes, room.bulk_bytes, &worker->queue));
    queue_set_share(worker->queue, room.share);
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) return ERR_SYSTEM;
    worker->has_thread = true;
    return ERR_OK;
}

static void worker_stop(struct worker *worker) {
    if (!worker->has_thread) return;
    atomic_store(&worker->is_stopping, true);
    queue_close(worker->queue);
    pthread_join(worker->thread, NULL);
    worker->has_thread = false;
}

static void worker_destroy(struct worker *worker) {
    if (worker->queue != NULL) queue_destroy(worker->queue);
    pages_release(worker->arena.data, WORKER_ARENA_BYTES);
}

/* start_client opens the connection that verifies what others published. */
static enum err start_client(struct node *node, struct workers *workers) {
    const struct settings *settings = node->options.settings;
    if (settings->da_url == NULL || settings->da_url[0] == '\0') return ERR_OK;
    const struct da_client_config config = {
        .url = settings->da_url,
        .token_file = settings->da_token_file[0] != '\0' ? settings->da_token_file : NULL,
        .timeout_ms = settings->da_timeout_ms,
        .submit_timeout_ms = settings->da_submit_timeout_ms,
    };
    return da_client_create(&config, &workers->client);
}

enum err workers_start(struct node *node) {
    struct workers *workers = calloc(1, sizeof *workers);
    if (workers == NULL) return ERR_MEMORY;
    node->workers = workers;
    pthread_mutex_init(&workers->batch_lock, NULL);
    workers->message = calloc(1, sizeof *workers->message);
    workers->items = calloc(1, sizeof *workers->items);
    if (workers->message == NULL || workers->items == NULL) return ERR_MEMORY;
    TRY(start_client(node, workers));
    if (node->options.has_p2p) { /* only peers have work for these */
        TRY(worker_start(node, &workers->serve, SERVE_ROOM, serve));
        TRY(worker_start(node, &workers->inspect, INSPECT_ROOM, inspect));
    }
    return worker_start(node, &workers->da, DA_ROOM, da_work);
}

void workers_stop(struct node *node) {
    struct workers *workers = node->workers;
    if (workers == NULL) return;
    if (workers->client != NULL) da_client_abort(workers->client); /* a DA that hangs */
    worker_stop(&workers->serve);
    worker_stop(&workers->inspect);
    worker_stop(&workers->da);
}

void workers_destroy(struct node *node) {
    struct workers *workers = node->workers;
    if (workers == NULL) return;
    worker_destroy(&workers->serve);
    worker_destroy(&workers->inspect);
    worker_destroy(&workers->da);
    if (workers->client != NULL) da_client_destroy(workers->client);
    free(workers->message);
    free(workers->items);
    free(workers);
    node->workers = NULL;
}

/* push_range queues work; `peer`: who asked for it, or NULL. */
static void push_range(struct node *node, struct worker *worker, const struct hash32 *peer,
                       const struct task_range *range) {
    if (queue_push_from(worker->queue, QUEUE_URGENT, 0, peer, VALUE_BYTES(*range), BYTES_EMPTY) !=
        ERR_OK) {
        atomic_fetch_add(&node->counters.queue_full, 1);
    }
}

void workers_serve(struct node *node, const struct hash32 *peer, uint64_t first, uint64_t last) {
    const struct task_range range = {.peer = *peer, .first = first, .last = last};
    push_range(node, &node->workers->serve, peer, &range);
}

void workers_publish(struct node *node, const struct effect *effect) {
    const struct task_range range = {.first = effect->first,
                                     .last = effect->last,
                                     .publication = {.scan_from = effect->scan_from,
                                                     .turn_from = effect->turn_from,
                                                     .turn_until = effect->turn_until,
                                                     .is_unclear = effect->is_unclear}};
    push_range(node, &node->workers->da, NULL, &range);
}

void workers_verify_da(struct node *node, uint64_t first, uint64_t last, uint64_t height,
                       const struct hash32 *commitment) {
    const struct task_range range = {.first = first,
                                     .last = last,
                                     .height = height,
                                     .commitment = *commitment,
                                     .is_verify = true};
    push_range(node, &node->workers->da, NULL, &range);
}

void workers_inspect(struct node *node, const struct hash32 *sender, bool is_guest,
                     struct bytes message) {
    static const struct hash32 nobody = {{0}};
    struct worker *worker = &node->workers->inspect;
    const enum queue_lane lane = is_guest ? QUEUE_BULK : QUEUE_URGENT;
    const struct bytes from = hash_bytes(is_guest ? &nobody : sender);
    if (queue_push_from(worker->queue, lane, 0, sender, from, message) != ERR_OK) {
        atomic_fetch_add(&node->counters.queue_full, 1);
    }
}
