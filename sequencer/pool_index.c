/* The pool's indexes: entries by lane and sequence, by fee, by hash. */
#include "base/check.h"
#include "sequencer/pool_internal.h"

static uint32_t buckets_for(uint32_t items_max) {
    uint32_t buckets = 16;
    while (buckets < items_max)
        buckets *= 2;
    return buckets;
}

size_t pool_bytes(const struct pool_limits *limits) {
    const size_t per_item =
        sizeof(struct pool_entry) + sizeof(struct pool_lane) + sizeof(struct pool_candidate);
    return sizeof(struct pool) + limits->items_max * per_item +
           2 * buckets_for(limits->items_max) * sizeof(uint32_t) +
           byte_heap_bytes(limits->bytes_max, 128) + 4096;
}

struct pool *pool_create(struct arena *arena, const struct pool_limits *limits) {
    struct pool *pool = arena_alloc_zero(arena, sizeof *pool);
    CHECK(pool != NULL);
    pool->limits = *limits;
    pool->entries = arena_alloc(arena, limits->items_max * sizeof *pool->entries);
    pool->lanes = arena_alloc(arena, limits->items_max * sizeof *pool->lanes);
    pool->candidates = arena_alloc(arena, limits->items_max * sizeof *pool->candidates);
    const uint32_t buckets = buckets_for(limits->items_max);
    pool->entry_buckets = arena_alloc(arena, buckets * sizeof(uint32_t));
    pool->lane_buckets = arena_alloc(arena, buckets * sizeof(uint32_t));
    CHECK(pool->entries != NULL);
    CHECK(pool->lanes != NULL);
    CHECK(pool->candidates != NULL);
    CHECK(pool->entry_buckets != NULL);
    CHECK(pool->lane_buckets != NULL);
    memset(pool->entry_buckets, 0xff, buckets * sizeof(uint32_t));
    memset(pool->lane_buckets, 0xff, buckets * sizeof(uint32_t));
    pool->buckets_mask = buckets - 1;
    pool->entries_free = pool->lanes_free = pool->fee_root = NONE;
    byte_heap_create(&pool->heap, arena, limits->bytes_max, 128, ITEM_BYTES_MAX + 1);
    return pool;
}

/* --- trees */

static int sequence_compare(const void *context, uint32_t a, uint32_t b) {
    const struct pool *pool = context;
    const uint64_t x = pool->entries[a].item.sequence;
    const uint64_t y = pool->entries[b].item.sequence;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* fee_compare orders by how dear an entry is to the pool: the least is evicted first. */
static int fee_compare(const void *context, uint32_t a, uint32_t b) {
    const struct pool *pool = context;
    const struct pool_entry *x = &pool->entries[a], *y = &pool->entries[b];
    if (x->is_forced != y->is_forced) return x->is_forced ? 1 : -1;
    int order = u256_compare(&x->item.tip_max, &y->item.tip_max);
    if (order == 0) order = u256_compare(&x->item.fee_max, &y->item.fee_max);
    if (order != 0) return order;
    return x->arrival > y->arrival ? -1 : x->arrival < y->arrival ? 1 : 0;
}

static struct tree sequence_tree(const struct pool *pool) {
    return (struct tree){(uint8_t *)&pool->entries[0].by_sequence, sizeof(struct pool_entry), pool,
                         sequence_compare};
}

static struct tree fee_tree(const struct pool *pool) {
    return (struct tree){(uint8_t *)&pool->entries[0].by_fee, sizeof(struct pool_entry), pool,
                         fee_compare};
}

uint32_t pool_lane_from(const struct pool *pool, const struct pool_lane *lane, uint64_t sequence) {
    uint32_t found = NONE;
    uint32_t at = lane->root;
    while (at != NONE) {
        const struct pool_entry *entry = &pool->entries[at];
        if (entry->item.sequence >= sequence) {
            found = at;
            at = entry->by_sequence.left;
        } else {
            at = entry->by_sequence.right;
        }
    }
    return found;
}

uint32_t pool_lane_at(const struct pool *pool, const struct pool_lane *lane, uint64_t sequence) {
    const uint32_t at = pool_lane_from(pool, lane, sequence);
    return at != NONE && pool->entries[at].item.sequence == sequence ? at : NONE;
}

uint32_t pool_lane_last(const struct pool *pool, const struct pool_lane *lane) {
    const struct tree tree = sequence_tree(pool);
    return tree_last(&tree, lane->root);
}

uint32_t pool_cheapest(const struct pool *pool) {
    const struct tree tree = fee_tree(pool);
    return tree_first(&tree, pool->fee_root);
}

/* --- hash tables */

static uint32_t *entry_bucket(const struct pool *pool, const struct hash32 *hash) {
    const uint64_t mixed = hash_map_seed(hash, pool->limits.hash_seed);
    return &pool->entry_buckets[mixed & pool->buckets_mask];
}

static uint32_t *lane_bucket(const struct pool *pool, const struct address *address) {
    struct hash32 key = {{0}};
    memcpy(key.bytes, address->bytes, 8);
    for (size_t i = 8; i < sizeof address->bytes; i++)
        key.bytes[i % 8] ^= address->bytes[i];
    const uint64_t mixed = hash_map_seed(&key, pool->limits.hash_seed);
    return &pool->lane_buckets[mixed & pool->buckets_mask];
}

uint32_t pool_entry_find(const struct pool *pool, const struct hash32 *hash) {
    uint32_t at = *entry_bucket(pool, hash);
    while (at != NONE && !hash_equal(&pool->entries[at].item.hash, hash)) {
        at = pool->entries[at].next;
    }
    return at;
}

uint32_t pool_lane_find(const struct pool *pool, const struct address *address) {
    uint32_t at = *lane_bucket(pool, address);
    while (at != NONE && !address_equal(&pool->lanes[at].address, address)) {
        at = pool->lanes[at].next;
    }
    return at;
}

/* --- lanes */

static uint32_t lane_create(struct pool *pool, const struct address *address,
                            uint64_t sequence_next) {
    uint32_t at = pool->lanes_free;
    if (at != NONE) {
        pool->lanes_free = pool->lanes[at].next;
    } else {
        CHECK(pool->lanes_seen < pool->limits.items_max);
        at = pool->lanes_seen++;
    }
    struct pool_lane *lane = &pool->lanes[at];
    memset(lane, 0, sizeof *lane);
    lane->address = *address;
    lane->root = NONE;
    lane->sequence_next = sequence_next;
    uint32_t *bucket = lane_bucket(pool, address);
    lane->next = *bucket;
    *bucket = at;
    return at;
}

static void lane_destroy(struct pool *pool, uint32_t at) {
    struct pool_lane *lane = &pool->lanes[at];
    CHECK(lane->count == 0);
    CHECK(lane->pending_count == 0);
    uint32_t *link = lane_bucket(pool, &lane->address);
    while (*link != at)
        link = &pool->lanes[*link].next;
    *link = lane->next;
    lane->next = pool->lanes_free;
    pool->lanes_free = at;
}

static void pending_set(struct pool *pool, struct pool_lane *lane, uint32_t pending_count) {
    pool->pending_count += pending_count;
    pool->pending_count -= lane->pending_count;
    lane->pending_count = pending_count;
}

/* pending_extend counts the run of items without a gap from where it ended so far. */
static void pending_extend(struct pool *pool, struct pool_lane *lane) {
    uint32_t count = lane->pending_count;
    while (pool_lane_at(pool, lane, lane->sequence_next + count) != NONE)
        count++;
    pending_set(pool, lane, count);
}

void pool_lane_advance(struct pool *pool, struct pool_lane *lane, uint64_t sequence_next) {
    if (sequence_next == lane->sequence_next) return;
    const uint64_t end = lane->sequence_next + lane->pending_count;
    const bool is_inside = sequence_next > lane->sequence_next && sequence_next <= end;
    pending_set(pool, lane, is_inside ? (uint32_t)(end - sequence_next) : 0);
    lane->sequence_next = sequence_next;
    pending_extend(pool, lane);
}

/* --- entries */

static uint32_t entry_create(struct pool *pool) {
    uint32_t at = pool->entries_free;
    if (at != NONE) {
        pool->entries_free = pool->entries[at].next;
    } else {
        CHECK(pool->entries_seen < pool->limits.items_max);
        at = pool->entries_seen++;
    }
    memset(&pool->entries[at], 0, sizeof pool->entries[at]);
    return at;
}

uint32_t pool_insert(struct pool *pool, const struct pool_add *add, uint8_t *wire,
                     uint64_t sequence_next) {
    const struct item *item = add->item;
    wire[0] = item->kind;
    memcpy(wire + 1, item->encoded.data, item->encoded.size);
    uint32_t lane_index = pool_lane_find(pool, &item->lane);
    if (lane_index == NONE) lane_index = lane_create(pool, &item->lane, sequence_next);
    struct pool_lane *lane = &pool->lanes[lane_index];
    pool_lane_advance(pool, lane, sequence_next);

    const uint32_t at = entry_create(pool);
    struct pool_entry *entry = &pool->entries[at];
    entry->item = *item;
    entry->item.encoded.data = wire + 1;
    entry->lane = lane_index;
    entry->is_used = true;
    entry->is_local = add->is_local;
    entry->is_forced = add->is_forced;
    entry->arrival = ++pool->arrivals;
    entry->added_ms = entry->sent_ms = add->now_ms;
    uint32_t *bucket = entry_bucket(pool, &item->hash);
    entry->next = *bucket;
    *bucket = at;

    const struct tree by_sequence = sequence_tree(pool), by_fee = fee_tree(pool);
    lane->root = tree_insert(&by_sequence, lane->root, at);
    pool->fee_root = tree_insert(&by_fee, pool->fee_root, at);
    lane->count += 1;
    lane->forced_count += add->is_forced ? 1 : 0;
    lane->cost_total = u256_add(&lane->cost_total, &item->cost_max);
    pool->items_count += 1;
    pool->bytes_count += item->encoded.size;
    pending_extend(pool, lane);
    return at;
}

void pool_drop(struct pool *pool, uint32_t at) {
    struct pool_entry *entry = &pool->entries[at];
    CHECK(entry->is_used);
    struct pool_lane *lane = &pool->lanes[entry->lane];
    uint32_t *link = entry_bucket(pool, &entry->item.hash);
    while (*link != at)
        link = &pool->entries[*link].next;
    *link = entry->next;

    const struct tree by_sequence = sequence_tree(pool), by_fee = fee_tree(pool);
    lane->root = tree_remove(&by_sequence, lane->root, at);
    pool->fee_root = tree_remove(&by_fee, pool->fee_root, at);
    if (pool_is_pending(lane, entry->item.sequence)) {
        pending_set(pool, lane, (uint32_t)(entry->item.sequence - lane->sequence_next));
    }
    lane->count -= 1;
    lane->forced_count -= entry->is_forced ? 1 : 0;
    lane->cost_total = u256_sub(&lane->cost_total, &entry->item.cost_max);
    pool->items_count -= 1;
    pool->bytes_count -= entry->item.encoded.size;
    byte_heap_free(&pool->heap, entry->item.encoded.data - 1);
    if (lane->count == 0) lane_destroy(pool, entry->lane);
    entry->is_used = false;
    entry->next = pool->entries_free;
    pool->entries_free = at;
}

/* --- invariants */

struct audit {
    uint32_t count;
    uint32_t depth_max;
};

static struct audit audit_tree(const struct pool *pool, uint32_t at, uint32_t depth, bool by_fee) {
    struct audit sum = {0, depth};
    CHECK(depth <= TREE_DEPTH_MAX);
    if (at == NONE) return sum;
    const struct pool_entry *entry = &pool->entries[at];
    CHECK(entry->is_used);
    const struct tree_link *link = by_fee ? &entry->by_fee : &entry->by_sequence;
    const struct audit left = audit_tree(pool, link->left, depth + 1, by_fee);
    const struct audit right = audit_tree(pool, link->right, depth + 1, by_fee);
    sum.count = left.count + right.count + 1;
    return sum;
}

void pool_check_invariants(const struct pool *pool) {
    uint32_t items = 0, pending = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < pool->entries_seen; i++) {
        const struct pool_entry *entry = &pool->entries[i];
        if (!entry->is_used) continue;
        items += 1;
        bytes += entry->item.encoded.size;
        const struct pool_lane *lane = &pool->lanes[entry->lane];
        CHECK(pool_entry_find(pool, &entry->item.hash) == i);
        CHECK(pool_lane_at(pool, lane, entry->item.sequence) == i);
        CHECK(address_equal(&lane->address, &entry->item.lane));
        CHECK(entry->item.sequence >= lane->sequence_next);
        pending += pool_is_pending(lane, entry->item.sequence) ? 1 : 0;
    }
    CHECK(items == pool->items_count);
    CHECK(pending == pool->pending_count);
    CHECK(bytes == pool->bytes_count);
    CHECK(audit_tree(pool, pool->fee_root, 0, true).count == items);
    uint32_t in_lanes = 0;
    for (uint32_t i = 0; i < pool->lanes_seen; i++) {
        const struct pool_lane *lane = &pool->lanes[i];
        if (pool_lane_find(pool, &lane->address) != i) continue;
        CHECK(lane->count <= pool->limits.lane_items_max);
        CHECK(audit_tree(pool, lane->root, 0, false).count == lane->count);
        in_lanes += lane->count;
    }
    CHECK(in_lanes == items);
}
