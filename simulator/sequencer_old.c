/* A data directory that somebody restores from a backup: once in some of the runs.
 *
 * A correct node's disk is copied at one moment, and put in the place of the newer one at a later.
 * What the node signed in between only others know, so this is no fault that every other may go
 * with (docs/consensus.md says what is not covered): around it the network and the other nodes are
 * left alone, from so long before the node stops that all have heard what it signed since they run,
 * until it has heard what they know and signs again.  Until then it is one that does not take part:
 * only a node is chosen without which there is a quorum.  That it signs nothing twice the checker
 * sees. */
#include <stdlib.h>

#include "base/check.h"
#include "simulator/owned.h"
#include "simulator/sequencer_node.h"

#define PURPOSE_OLD    5
#define CALM_MS        1500 /* in which everybody hears the newest votes, sent again every 250 ms */
#define AWAY_MS_MIN    600  /* what was on its way arrives before the node is back */
#define SIGNS_AGAIN_MS 60000 /* at the latest */
#define RUNS_PER_MILLE 300

static void forget_disk(struct old_disk *disk) {
    owned_free(&disk->record);
    owned_free(&disk->journal);
}

static void take(struct sequencer_node *node, struct old_disk *disk) {
    void *memory = sequencer_node_memory(node->index, SEQUENCER_MEMORY_BACKUP, SEQUENCER_KV_BYTES);
    disk->kv = kv_memory_clone(node->kv, memory, SEQUENCER_KV_BYTES);
    CHECK(disk->kv != NULL);
    disk->view = node->view;
    disk->record = owned_copy(disk_record_read(&node->record));
    disk->journal = owned_copy(disk_record_read(&node->journal));
}

static void put_record(struct disk_record *record, struct bytes bytes) {
    disk_record_free(record);
    *record = (struct disk_record){0};
    if (bytes.size != 0) disk_record_write(record, bytes, WRITE_DONE, 0);
}

/* put makes the disk of a node that is down what it was. */
static void put(struct world *world, struct sequencer_node *node, const struct old_disk *disk) {
    CHECK(!world->nodes[node->index].is_up);
    for (uint64_t i = disk->view.head.number + 1; i <= node->view.head.number; i++) {
        owned_free(&node->chain[i].package);
        owned_free(&node->chain[i].commit);
        node->chain[i] = (struct sequencer_block){0};
    }
    CHECK(kv_memory_clone(disk->kv, node->kv, SEQUENCER_KV_BYTES) == node->kv);
    node->view = disk->view;
    put_record(&node->record, disk->record);
    put_record(&node->journal, disk->journal);
    owned_free(&node->record_package);
    checker_restored(world, node->index, disk->view.head.number);
}

/* is_backlog: what a fault has held up is still on the way from one node to another. */
static bool is_backlog(const struct world *world, uint32_t from) {
    for (uint32_t to = 0; to < world->nodes_count; to++) {
        if (world->link_ms[from][to] > world->now_ms + world->base_delay_max_ms) return true;
    }
    return false;
}

/* listens: it is up, does what it has to, keeps the votes that it hears, and is heard without
 * delay. */
static bool listens(const struct world *world, uint32_t index) {
    const struct node *node = &world->nodes[index];
    if (!node->is_up || node->is_stopping || node->busy_until_ms > world->now_ms) return false;
    const struct sequencer_node *state = node->state;
    struct sequencer_status status;
    sequencer_status(state->sequencer, &status);
    return !status.is_wary && !is_backlog(world, index);
}

static bool is_calm(const struct world *world) {
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        if (!world->nodes[i].is_byzantine && !listens(world, i)) return false;
    }
    return true;
}

/* signs_again: it knows that its record is good, or is past the heights at which it may not be. */
static bool signs_again(const struct world *world, uint32_t index) {
    const struct sequencer_node *node = world->nodes[index].state;
    struct sequencer_status status;
    if (!world->nodes[index].is_up) return false;
    sequencer_status(node->sequencer, &status);
    return !status.is_wary && status.silent_until == 0 &&
           node->view.head.number >= node->signed_before;
}

static void restore(struct world *world, struct old_directory *old) {
    struct sequencer_node *node = world->nodes[old->node].state;
    node->signed_before = node->durable.height;
    node->is_found_out = false;
    world->fault_counts[FAULT_OLD_DIRECTORY]++;
    world_trace(world, fault_name(FAULT_OLD_DIRECTORY), old->node, old->disk.view.head.number,
                node->view.head.number);
    world_crash(world, old->node, AWAY_MS_MIN + random_below(&old->random, 2000));
    put(world, node, &old->disk);
    forget_disk(&old->disk);
}

void sequencer_old_open(struct world *world, struct old_directory *old) {
    old->random = random_make(world->config.seed, PURPOSE_OLD);
    if (!random_chance(&old->random, RUNS_PER_MILLE)) old->phase = OLD_OVER;
    old->at_ms = world->now_ms + 300 + random_below(&old->random, 5000);
}

void sequencer_old_close(struct old_directory *old) {
    forget_disk(&old->disk);
}

void sequencer_old_run(struct world *world, struct old_directory *old) {
    if (old->phase == OLD_CALM && !is_calm(world)) old->at_ms = world->now_ms + CALM_MS;
    if (world->now_ms < old->at_ms) return;
    switch (old->phase) {
    case OLD_NONE: {
        const uint32_t index = (uint32_t)random_below(&old->random, world->nodes_count);
        if (world->nodes[index].is_byzantine) break; /* another one, the next time */
        if (!registry_spares(checker_registry(world), index)) break;
        old->node = index;
        take(world->nodes[index].state, &old->disk);
        old->at_ms = world->now_ms + random_below(&old->random, 3000);
        old->phase = OLD_TAKEN;
        break;
    }
    case OLD_TAKEN:
        if (!world->is_chaos) break;
        faults_pause(world);
        old->at_ms = world->now_ms + CALM_MS;
        old->phase = OLD_CALM;
        break;
    case OLD_CALM:
        restore(world, old);
        old->until_ms = world->now_ms + SIGNS_AGAIN_MS;
        old->phase = OLD_AWAY;
        break;
    case OLD_AWAY:
        if (!signs_again(world, old->node)) {
            if (world->now_ms < old->until_ms) break;
            world_fail(world, "progress", "node %u with an old disk never signs again", old->node);
        }
        faults_resume(world);
        old->phase = OLD_OVER;
        break;
    case OLD_OVER: break;
    }
}
