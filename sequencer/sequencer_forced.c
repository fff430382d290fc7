/* What L1 forces on the rollup: requests of forced inclusion, kept until L1 ends them.
 *
 * A request counts for a block by facts that all validators share: it is due at height h when the
 * block at h - forced_blocks already names an L1 origin at or after the request's L1 block, and the
 * request is pending at that origin.  Validators do not prevote a block that leaves out a due item
 * which could run before it and after it (executor.h).  Being pending is an interval of L1 blocks,
 * so that any finalized view says something about all origins: listed in a view at or after the
 * origin, it was pending there.  Who knows less (after a restart, while L1 is away) votes as if
 * nothing were due: a rollup must not stand still because L1 does.
 *
 * Items go into the pool as soon as they are known, before all others, and again after each block
 * for as long as they are pending: what was dropped because it could not run may run later. */
#include "sequencer/sequencer_internal.h"

size_t forced_bytes(void) {
    return byte_heap_bytes(FORCED_BYTES, FORCED_UNIT_BYTES) +
           FORCED_ITEMS_MAX * sizeof(struct item) + 256;
}

void forced_create(struct sequencer *sequencer, struct arena *arena) {
    struct forced *forced = &sequencer->forced;
    byte_heap_create(&forced->heap, arena, FORCED_BYTES, FORCED_UNIT_BYTES, ITEM_BYTES_MAX);
    forced->due = arena_array(arena, FORCED_ITEMS_MAX, sizeof *forced->due);
    CHECK(forced->due != NULL);
    forced->blocks =
        sequencer->config.forced_blocks != 0 ? sequencer->config.forced_blocks : FORCED_BLOCKS;
}

static struct forced_entry *entry_find(struct forced *forced, uint64_t id) {
    for (size_t i = 0; i < FORCED_MAX; i++) {
        if (forced->entries[i].id == id) return &forced->entries[i];
    }
    return NULL;
}

/* entry_add keeps a request; when there is no room it is offered again with the next view. */
static struct forced_entry *entry_add(struct forced *forced, const struct forced_item *listed) {
    const struct bytes encoded = listed->item.encoded;
    if (encoded.size == 0 || encoded.size > ITEM_BYTES_MAX) return NULL;
    struct forced_entry *entry = entry_find(forced, 0);
    if (entry == NULL) return NULL;
    uint8_t *memory = byte_heap_alloc(&forced->heap, encoded.size);
    if (memory == NULL) return NULL;
    memcpy(memory, encoded.data, encoded.size);
    *entry = (struct forced_entry){
        .id = listed->id, .l1_number = listed->l1_number, .item = listed->item, .memory = memory};
    entry->item.encoded = (struct bytes){memory, encoded.size};
    return entry;
}

static void entry_release(struct forced *forced, struct forced_entry *entry) {
    byte_heap_free(&forced->heap, entry->memory);
    memset(entry, 0, sizeof *entry);
}

static bool is_listed(const struct l1_facts *facts, uint64_t id) {
    for (uint32_t i = 0; i < facts->forced_count; i++) {
        if (facts->forced[i].id == id) return true;
    }
    return false;
}

void forced_on_l1(struct sequencer *sequencer, const struct l1_facts *facts) {
    struct forced *forced = &sequencer->forced;
    CHECK(facts->forced_count <= FORCED_ITEMS_MAX);
    for (uint32_t i = 0; i < facts->forced_count; i++) {
        const struct forced_item *listed = &facts->forced[i];
        if (listed->id == 0 || listed->l1_number > facts->number) continue;
        struct forced_entry *entry = entry_find(forced, listed->id);
        if (entry == NULL) entry = entry_add(forced, listed);
        if (entry == NULL) continue;
        if (entry->pending_until < facts->number) entry->pending_until = facts->number;
    }
    for (size_t i = 0; i < FORCED_MAX; i++) {
        struct forced_entry *entry = &forced->entries[i];
        if (entry->id == 0 || entry->l1_number > facts->number) continue;
        if (is_listed(facts, entry->id) || entry->id > facts->forced_id_max) continue;
        if (entry->gone_from == 0 || entry->gone_from > facts->number) {
            entry->gone_from = facts->number;
        }
    }
}

/* origin_at is the L1 origin of our chain at `height`; 0: the block is not here. */
static uint64_t origin_at(const struct sequencer *sequencer, uint64_t height) {
    struct block_summary summary;
    if (height == 0) return sequencer->config.chain->rollup.l1_number;
    if (height == sequencer->head_height) return sequencer->view->head_frame.l1_number;
    if (sequencer->config.archive.summary == NULL) return 0;
    if (sequencer->config.archive.summary(sequencer->config.archive.context, height, &summary) !=
        ERR_OK) {
        return 0;
    }
    return summary.l1_number;
}

/* due_origin is the L1 block whose pending requests the block after the head must not leave out; 0:
 * none yet. */
static uint64_t due_origin(struct sequencer *sequencer) {
    struct forced *forced = &sequencer->forced;
    const uint64_t height = sequencer->head_height + 1;
    if (height <= forced->blocks) return 0;
    if (forced->origin_height != height) {
        forced->origin_height = height;
        forced->origin = origin_at(sequencer, height - forced->blocks);
    }
    return forced->origin;
}

size_t forced_due(struct sequencer *sequencer, const struct item **out) {
    struct forced *forced = &sequencer->forced;
    size_t count = 0;
    *out = forced->due;
    if (forced->is_empty) return 0;
    const uint64_t origin = due_origin(sequencer);
    for (size_t i = 0; origin != 0 && i < FORCED_MAX && count < FORCED_ITEMS_MAX; i++) {
        const struct forced_entry *entry = &forced->entries[i];
        if (entry->id == 0 || entry->is_spent) continue;
        if (entry->l1_number > origin || entry->pending_until < origin) continue;
        forced->due[count++] = entry->item;
    }
    return count;
}

/* pool_offer puts an item into the pool, first of all; one that came as any other goes up. */
static void pool_offer(struct sequencer *sequencer, struct forced_entry *entry) {
    if (pool_is_forced(sequencer->pool, &entry->item.hash)) return;
    pool_remove(sequencer->pool, &entry->item.hash);
    const struct admit_context admit = sequencer_admit_context(sequencer);
    const struct pool_add add = {.admit = &admit,
                                 .item = &entry->item,
                                 .is_local = true,
                                 .is_forced = true,
                                 .now_ms = sequencer->now_ms,
                                 .scratch = &sequencer->scratch};
    enum verdict verdict;
    const struct item *stored = NULL;
    if (pool_add(sequencer->pool, &add, &verdict, &stored) != ERR_OK) {
        sequencer_halt(sequencer, "the committed state cannot be read");
        return;
    }
    if (verdict == VERDICT_NONCE_TOO_LOW) entry->is_spent = true; /* in the chain, or replaced */
    if (verdict == VERDICT_ACCEPTED) sequencer_push(sequencer, EFFECT_ADMITTED)->item = stored;
}

void forced_run(struct sequencer *sequencer) {
    struct forced *forced = &sequencer->forced;
    uint32_t offered = 0;
    forced->is_empty = true;
    for (size_t i = 0; i < FORCED_MAX; i++) {
        struct forced_entry *entry = &forced->entries[i];
        if (entry->id == 0) continue;
        if (entry->gone_from != 0 && due_origin(sequencer) >= entry->gone_from) {
            entry_release(forced, entry);
            continue;
        }
        forced->is_empty = false;
        if (entry->is_spent || entry->gone_from != 0 || offered == FORCED_ITEMS_MAX) continue;
        pool_offer(sequencer, entry);
        offered += 1;
    }
}
