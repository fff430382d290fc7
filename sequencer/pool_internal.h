#pragma once
/* The insides of the pool, shared by pool.c (admission), pool_index.c (tables and trees) and
 * pool_select.c (what goes into blocks, out to peers, and away). */
#include "sequencer/byte_heap.h"
#include "sequencer/pool.h"
#include "sequencer/tree.h"

#define NONE TREE_NONE

struct pool_entry {
    struct item item; /* `encoded` views the heap, one byte behind the kind */
    uint32_t lane;
    uint32_t next; /* in its hash bucket; in the list of free entries */
    uint32_t ticket;
    bool is_used;
    bool is_local;
    bool is_forced;
    uint64_t arrival; /* counts up: who came first */
    uint64_t added_ms;
    uint64_t sent_ms;
    struct tree_link by_sequence;
    struct tree_link by_fee;
};

struct pool_lane {
    struct address address;
    uint32_t next; /* in its bucket; in the list of free lanes */
    uint32_t root; /* items by sequence */
    uint32_t count;
    uint32_t pending_count;
    uint32_t forced_count;
    uint64_t sequence_next; /* in the committed state, as last seen */
    struct u256 cost_total; /* of all items; admission keeps it from overflowing */
};

/* A lane in the heap that pool_select draws from. */
struct pool_candidate {
    struct u256 tip;
    uint64_t arrival;
    uint32_t entry;
    bool is_forced;
};

struct pool {
    struct pool_limits limits;
    struct byte_heap heap;
    struct pool_entry *entries;
    struct pool_lane *lanes;
    uint32_t *entry_buckets;
    uint32_t *lane_buckets;
    struct pool_candidate *candidates;
    uint32_t buckets_mask;
    uint32_t entries_free, lanes_free;
    uint32_t entries_seen, lanes_seen; /* indices below were in use once */
    uint32_t fee_root;
    uint32_t items_count;
    uint32_t pending_count;
    uint64_t bytes_count;
    uint64_t arrivals;
    uint32_t expire_cursor;
};

/* pool_index.c */
uint32_t pool_entry_find(const struct pool *pool, const struct hash32 *hash);
uint32_t pool_lane_find(const struct pool *pool, const struct address *address);
/* pool_lane_at returns the lane's entry with `sequence`, NONE when there is none. */
uint32_t pool_lane_at(const struct pool *pool, const struct pool_lane *lane, uint64_t sequence);
/* pool_lane_from returns the lane's first entry at or after `sequence`. */
uint32_t pool_lane_from(const struct pool *pool, const struct pool_lane *lane, uint64_t sequence);
uint32_t pool_lane_last(const struct pool *pool, const struct pool_lane *lane);
uint32_t pool_cheapest(const struct pool *pool);
/* pool_insert puts a new entry in all indexes; `wire` is its memory in the heap.  There is room. */
uint32_t pool_insert(struct pool *pool, const struct pool_add *add, uint8_t *wire,
                     uint64_t sequence_next);
/* pool_drop takes an entry out of all indexes and gives its lane back when it was the last. */
void pool_drop(struct pool *pool, uint32_t entry);
/* pool_lane_advance takes note of the lane's committed sequence and counts pending items anew. */
void pool_lane_advance(struct pool *pool, struct pool_lane *lane, uint64_t sequence_next);
/* pool_lane_pass takes note that the lane's committed sequence is at least `sequence_next`: items
 * below go, and the lane with them when it is empty (pool_select.c). */
void pool_lane_pass(struct pool *pool, const struct address *lane, uint64_t sequence_next);

/* pool_is_pending: the sequence is reached from the committed one without a gap. */
/* pool_is_pending: no sequence is missing between the committed state and this one. */
static inline bool pool_is_pending(const struct pool_lane *lane, uint64_t sequence) {
    return sequence >= lane->sequence_next && sequence - lane->sequence_next < lane->pending_count;
}
