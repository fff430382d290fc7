/* Reading the pool: what goes into a block, what is gossiped, what expires. */
#include "base/check.h"
#include "sequencer/pool_internal.h"

/* --- what goes into a block: a binary heap of each lane's next item */

static bool is_before(const struct pool_candidate *a, const struct pool_candidate *b) {
    if (a->is_forced != b->is_forced) return a->is_forced;
    const int tips = u256_compare(&a->tip, &b->tip);
    if (tips != 0) return tips > 0;
    return a->arrival < b->arrival;
}

static void sift_down(struct pool_candidate *heap, size_t count, size_t at) {
    const struct pool_candidate moved = heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && is_before(&heap[child + 1], &heap[child])) child++;
        if (!is_before(&heap[child], &moved)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

/* candidate_of describes an entry as a candidate; false when it cannot pay the base fee. */
static bool candidate_of(const struct pool *pool, uint32_t at, const struct u256 *base_fee,
                         struct pool_candidate *out) {
    const struct pool_entry *entry = &pool->entries[at];
    const struct item *item = &entry->item;
    if (u256_less(&item->fee_max, base_fee)) return false;
    const struct u256 rest = u256_sub(&item->fee_max, base_fee);
    out->tip = u256_less(&item->tip_max, &rest) ? item->tip_max : rest;
    out->arrival = entry->arrival;
    out->entry = at;
    out->is_forced = pool->lanes[entry->lane].forced_count != 0;
    return true;
}

static size_t heads_collect(struct pool *pool, const struct u256 *base_fee) {
    size_t count = 0;
    for (uint32_t i = 0; i < pool->lanes_seen; i++) {
        const struct pool_lane *lane = &pool->lanes[i];
        if (lane->count == 0 || lane->pending_count == 0) continue;
        const uint32_t head = pool_lane_at(pool, lane, lane->sequence_next);
        CHECK(head != NONE);
        if (candidate_of(pool, head, base_fee, &pool->candidates[count])) count++;
    }
    for (size_t i = count / 2; i > 0; i--)
        sift_down(pool->candidates, count, i - 1);
    return count;
}

/* take copies an entry into the selection; false when there is no room for its bytes. */
static bool take(const struct pool_entry *entry, struct pool_selection *selection, size_t index) {
    const struct bytes encoded = entry->item.encoded;
    if (selection->bytes.capacity - selection->bytes.size < encoded.size) return false;
    uint8_t *copy = buffer_reserve(&selection->bytes, encoded.size);
    memcpy(copy, encoded.data, encoded.size);
    selection->items[index] = entry->item;
    selection->items[index].encoded.data = copy;
    return true;
}

size_t pool_select(struct pool *pool, struct pool_selection *selection) {
    struct pool_candidate *heap = pool->candidates;
    size_t heads = heads_collect(pool, &selection->base_fee);
    size_t count = 0;
    uint64_t weight = 0;
    while (heads != 0 && count < selection->items_max && weight < selection->weight_max) {
        const struct pool_entry *entry = &pool->entries[heap[0].entry];
        const struct pool_lane *lane = &pool->lanes[entry->lane];
        bool has_next = false;
        if (take(entry, selection, count)) {
            count += 1;
            weight += entry->item.weight;
            const uint32_t next = pool_lane_at(pool, lane, entry->item.sequence + 1);
            has_next = next != NONE && candidate_of(pool, next, &selection->base_fee, &heap[0]);
        }
        /* A lane whose item does not fit is done: what follows it cannot run before it. */
        if (!has_next) heap[0] = heap[--heads];
        if (heads != 0) sift_down(heap, heads, 0);
    }
    return count;
}

/* --- what goes away */

void pool_lane_pass(struct pool *pool, const struct address *address, uint64_t sequence_next) {
    const struct address key = *address; /* may lie in an entry that goes */
    uint32_t at = pool_lane_find(pool, &key);
    if (at == NONE) return;
    /* First advance, so that the run of pending items is shortened and not counted anew. */
    if (sequence_next > pool->lanes[at].sequence_next) {
        pool_lane_advance(pool, &pool->lanes[at], sequence_next);
    }
    while (at != NONE) {
        const uint32_t lowest = pool_lane_from(pool, &pool->lanes[at], 0);
        if (pool->entries[lowest].item.sequence >= sequence_next) return;
        pool_drop(pool, lowest);
        at = pool_lane_find(pool, &key);
    }
}

/* lane_refresh holds a lane's lowest items against the state until one may stay. */
static enum err lane_refresh(struct pool *pool, const struct address *address,
                             const struct pool_block *block) {
    for (uint32_t i = 0; i <= pool->limits.lane_items_max; i++) {
        const uint32_t at = pool_lane_find(pool, address);
        if (at == NONE) return ERR_OK;
        struct pool_lane *lane = &pool->lanes[at];
        const uint32_t lowest = pool_lane_from(pool, lane, 0);
        const struct item *item = &pool->entries[lowest].item;
        struct lane_view view = {.sequence_next = lane->sequence_next};
        enum verdict verdict;
        TRY(workload_by_kind(item->kind)
                ->admit(block->admit, item, block->scratch, &view, &verdict));
        if (verdict == VERDICT_NONCE_TOO_LOW || verdict == VERDICT_FUNDS) {
            pool_drop(pool, lowest);
            continue;
        }
        pool_lane_pass(pool, address, view.sequence_next);
        return ERR_OK;
    }
    return ERR_OK;
}

enum err pool_committed(struct pool *pool, const struct pool_block *block) {
    for (size_t i = 0; i < block->count; i++) {
        const uint32_t at = pool_entry_find(pool, &block->hashes[i]);
        if (at != NONE) {
            const struct item *item = &pool->entries[at].item;
            pool_lane_pass(pool, &item->lane, item->sequence + 1);
        } else {
            /* We never saw it (or dropped it): only the state knows the lane's sequence now. */
            TRY(lane_refresh(pool, &block->lanes[i], block));
        }
    }
    return ERR_OK;
}

void pool_expire(struct pool *pool, uint64_t now_ms, uint32_t count) {
    for (uint32_t i = 0; i < count && pool->entries_seen != 0; i++) {
        pool->expire_cursor = (pool->expire_cursor + 1) % pool->entries_seen;
        const struct pool_entry *entry = &pool->entries[pool->expire_cursor];
        if (!entry->is_used || entry->is_forced) continue;
        if (now_ms - entry->added_ms < POOL_QUEUED_MS_MAX) continue;
        if (pool_is_pending(&pool->lanes[entry->lane], entry->item.sequence)) continue;
        pool_drop(pool, pool->expire_cursor);
    }
}

/* --- what goes out */

/* A gossip cursor is a lane's index and how many of its items were looked at. */
#define CURSOR_ITEMS_BITS 20

size_t pool_gossip(struct pool *pool, const struct pool_gossip *gossip, uint64_t *cursor) {
    size_t count = 0, bytes = 0;
    uint32_t index = (uint32_t)(*cursor >> CURSOR_ITEMS_BITS);
    uint32_t skip = (uint32_t)(*cursor & ((1u << CURSOR_ITEMS_BITS) - 1));
    for (; index < pool->lanes_seen; index++, skip = 0) {
        const struct pool_lane *lane = &pool->lanes[index];
        if (lane->count == 0) continue;
        uint32_t seen = 0;
        uint32_t at = pool_lane_from(pool, lane, 0);
        while (at != NONE) {
            struct pool_entry *entry = &pool->entries[at];
            const bool is_wanted = gossip->local_before_ms == UINT64_MAX ||
                                   (entry->is_local && entry->sent_ms <= gossip->local_before_ms);
            if (seen >= skip && is_wanted) {
                const struct bytes wire = {entry->item.encoded.data - 1,
                                           entry->item.encoded.size + 1};
                if (count == gossip->items_max || bytes + wire.size > gossip->bytes_max) {
                    *cursor = (uint64_t)index << CURSOR_ITEMS_BITS | seen;
                    return count;
                }
                gossip->items[count++] = wire;
                bytes += wire.size;
                if (gossip->local_before_ms != UINT64_MAX) entry->sent_ms = gossip->now_ms;
            }
            seen++;
            if (entry->item.sequence == UINT64_MAX) break;
            at = pool_lane_from(pool, lane, entry->item.sequence + 1);
        }
    }
    *cursor = 0;
    return count;
}

void pool_visit(const struct pool *pool, void *context,
                bool (*visit)(void *context, const struct item *item, bool is_pending)) {
    for (uint32_t i = 0; i < pool->lanes_seen; i++) {
        const struct pool_lane *lane = &pool->lanes[i];
        if (lane->count == 0) continue;
        uint32_t at = pool_lane_from(pool, lane, 0);
        while (at != NONE) {
            const struct item *item = &pool->entries[at].item;
            if (!visit(context, item, pool_is_pending(lane, item->sequence))) return;
            if (item->sequence == UINT64_MAX) break;
            at = pool_lane_from(pool, lane, item->sequence + 1);
        }
    }
}
