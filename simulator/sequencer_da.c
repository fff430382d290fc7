/* The simulated DA layer, a height each DA_BLOCK_MS, and each node's publisher: it looks before it
 * posts, and after an error it waits until an earlier try would have landed (da/publisher.c). */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/keccak.h"
#include "sequencer/batch.h"
#include "simulator/owned.h"
#include "simulator/sequencer_node.h"

#define PUBLISH_RETRY_MS 120
#define LATE_HEIGHTS_MAX 2 /* from the error to the blob */
#define CERTAIN_HEIGHTS  3 /* after an error: nothing lands any more */
#define ANSWER_MS        5
#define ANSWER_LATE_MS   3000

/* --- the layer */

void sequencer_da_close(struct sequencer_shared *shared) {
    for (size_t i = 0; i < shared->blobs_count; i++)
        owned_free(&shared->blobs[i].bytes);
    for (size_t i = 0; i < shared->late_count; i++)
        owned_free(&shared->late[i].bytes);
}

static void land(struct world *world, const struct da_blob *blob) {
    struct sequencer_shared *shared = world->shared;
    for (size_t i = 0; i < shared->blobs_count; i++) {
        if (shared->blobs[i].first <= blob->last && shared->blobs[i].last >= blob->first) {
            world_fail(world, "once on DA", "blocks %llu to %llu are published a second time",
                       (unsigned long long)blob->first, (unsigned long long)blob->last);
        }
    }
    CHECK(shared->blobs_count < BLOBS_MAX);
    shared->blobs[shared->blobs_count++] = *blob;
    world_count(world, COUNT_BATCHES);
    world_trace(world, "published", 0, blob->first, blob->last);
}

uint64_t sequencer_da_head(struct world *world) {
    struct sequencer_shared *shared = world->shared;
    const uint64_t head = 1 + world->now_ms / DA_BLOCK_MS;
    size_t kept = 0;
    for (size_t i = 0; i < shared->late_count; i++) {
        if (shared->late[i].height > head) {
            shared->late[kept++] = shared->late[i];
            continue;
        }
        world_count(world, COUNT_BLOBS_LATE);
        land(world, &shared->late[i]);
    }
    shared->late_count = kept;
    return head;
}

const struct da_blob *sequencer_da_find(const struct sequencer_shared *shared, uint64_t height,
                                        uint64_t first, uint64_t last) {
    for (size_t i = shared->blobs_count; i-- > 0;) {
        const struct da_blob *blob = &shared->blobs[i];
        if (blob->height == height && blob->first == first && blob->last == last) return blob;
    }
    return NULL;
}

uint64_t sequencer_da_covered(const struct sequencer_shared *shared) {
    uint64_t covered = 0;
    for (bool is_found = true; is_found;) {
        is_found = false;
        for (size_t i = 0; i < shared->blobs_count; i++) {
            if (shared->blobs[i].first != covered + 1) continue;
            covered = shared->blobs[i].last;
            is_found = true;
        }
    }
    return covered;
}

bool sequencer_da_is_done(struct world *world) {
    /* Every block up to the height of healing is on the DA layer. */
    const uint64_t last = world->recovery_height - RECOVERY_HEIGHTS;
    const uint64_t covered = sequencer_da_covered(world->shared);
    snprintf(world->undone, sizeof world->undone, "; DA has blocks up to %llu of %llu",
             (unsigned long long)covered, (unsigned long long)last);
    return covered >= last;
}

/* submit puts a blob on the layer; returns its height, or 0 for an error (which may lie). */
static uint64_t submit(struct world *world, const struct effect *effect, struct bytes bytes) {
    struct sequencer_shared *shared = world->shared;
    struct da_blob blob = {.bytes = owned_copy(bytes),
                           .first = effect->first,
                           .last = effect->last,
                           .height = sequencer_da_head(world)};
    const bool is_late = world->is_da_late && shared->late_count < BLOBS_LATE_MAX;
    if (is_late && random_chance(&world->node_random, 600)) {
        blob.height += 1 + random_below(&world->node_random, LATE_HEIGHTS_MAX);
        shared->late[shared->late_count++] = blob;
        world_count(world, COUNT_DA_REFUSED);
        return 0;
    }
    land(world, &blob);
    if (world->is_da_ambiguous && random_chance(&world->node_random, 700)) {
        world_count(world, COUNT_DA_REFUSED);
        return 0; /* it is there, and the answer got lost */
    }
    return blob.height;
}

/* --- a node's publisher */

/* make_blob fails as long as the block behind the batch is not there, and for what lies before a
 * snapshot. */
static bool make_blob(struct sequencer_node *node, uint64_t first, uint64_t last,
                      struct bytes *out_blob) {
    static _Thread_local struct bytes packages[BATCH_BLOCKS_MAX];
    static _Thread_local uint8_t *scratch_memory, *blob;
    const size_t scratch_bytes = 4u << 20, blob_bytes = 1u << 20;
    struct arena scratch = arena_over(thread_buffer(&scratch_memory, scratch_bytes), scratch_bytes);
    struct block_package next;
    if (last >= node->view.head.number || last - first >= BATCH_BLOCKS_MAX) return false;
    struct batch batch = {.first = first, .count = last - first + 1, .packages = packages};
    for (uint64_t height = first; height <= last; height++) {
        packages[height - first] = node->chain[height].package;
        if (packages[height - first].size == 0) return false;
    }
    if (node->chain[last + 1].package.size == 0) return false;
    CHECK(block_package_decode(node->chain[last + 1].package, &next) == ERR_OK);
    batch.commit = next.last_commit;
    struct buffer out = buffer_over(thread_buffer(&blob, blob_bytes), blob_bytes);
    CHECK(batch_encode(&batch, &scratch, &out) == ERR_OK);
    *out_blob = buffer_bytes(&out);
    return true;
}

static void answer(struct world *world, struct sequencer_node *node, uint64_t first, uint64_t last,
                   uint64_t height) {
    uint8_t data[25] = {LOCAL_DA};
    be_write(data + 1, 8, first);
    be_write(data + 9, 8, last);
    be_write(data + 17, 8, height);
    if (!world->is_da_repeating) {
        world_local(world, node->index, ANSWER_MS, BYTES_OF(data));
        return;
    }
    world_count(world, COUNT_RECEIPTS_REPEATED);
    for (int i = 0; i < 2; i++) {
        world_local(world, node->index, random_between(&world->node_random, 1, ANSWER_LATE_MS),
                    BYTES_OF(data));
    }
}

static void try_later(struct world *world, struct sequencer_node *node, uint64_t delay_ms) {
    const uint8_t data[1] = {LOCAL_PUBLISH};
    world_local(world, node->index, delay_ms, BYTES_OF(data));
}

void sequencer_da_perform(struct world *world, struct sequencer_node *node,
                          const struct effect *effect) {
    node->publisher = (struct publisher){.effect = *effect};
    if (effect->is_unclear) {
        node->publisher.certain_height = sequencer_da_head(world) + CERTAIN_HEIGHTS;
    }
    try_later(world, node, 1 + random_below(&world->node_random, PUBLISH_RETRY_MS));
}

/* look finds a blob that is on the layer at `from` or above; 0: it is not. */
static uint64_t look(struct world *world, struct bytes bytes, uint64_t from) {
    const struct sequencer_shared *shared = world->shared;
    for (size_t i = 0; i < shared->blobs_count; i++) {
        if (shared->blobs[i].height < from) continue;
        if (!bytes_equal(shared->blobs[i].bytes, bytes)) continue;
        world_count(world, COUNT_BATCHES_SCANNED);
        return shared->blobs[i].height;
    }
    return 0;
}

void sequencer_da_publish(struct world *world, struct sequencer_node *node) {
    struct publisher *publisher = &node->publisher;
    const struct effect *effect = &publisher->effect;
    struct bytes bytes;
    uint64_t height = 0;
    if (effect->first == 0) return;
    const uint64_t head = sequencer_da_head(world);
    if (world->is_da_out) {
        world_count(world, COUNT_DA_REFUSED);
    } else if (make_blob(node, effect->first, effect->last, &bytes)) {
        height = look(world, bytes, effect->scan_from);
        if (height == 0 && head >= effect->turn_until) {
            publisher->effect.first = 0; /* the turn is over */
            return;
        }
        if (height == 0 && head >= publisher->certain_height && head >= effect->turn_from) {
            world_trace(world, "post", node->index, effect->first, effect->scan_from);
            height = submit(world, effect, bytes);
            publisher->certain_height = head + CERTAIN_HEIGHTS;
        }
    }
    if (height == 0) {
        try_later(world, node, PUBLISH_RETRY_MS);
        return;
    }
    answer(world, node, effect->first, effect->last, height);
    publisher->effect.first = 0;
}

void sequencer_da_verify(struct world *world, struct sequencer_node *node,
                         const struct effect *effect) {
    const struct sequencer_shared *shared = world->shared;
    struct bytes bytes;
    (void)sequencer_da_head(world);
    if (world->is_da_out) return;
    const struct da_blob *blob =
        sequencer_da_find(shared, effect->da_height, effect->first, effect->last);
    if (blob == NULL || !make_blob(node, effect->first, effect->last, &bytes)) return;
    const struct hash32 commitment = keccak256(blob->bytes);
    if (!hash_equal(&commitment, &effect->commitment)) return;
    if (bytes_equal(blob->bytes, bytes)) {
        answer(world, node, effect->first, effect->last, effect->da_height);
    }
}
