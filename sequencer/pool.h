#pragma once
/* The pool: items that wait to be ordered.
 *
 * Items of one lane are ordered by sequence, gaps are held: an item is pending when no sequence is
 * missing between it and the committed state, else queued.  Between lanes the effective tip at the
 * next block's base fee decides.  A second item for the same sequence replaces the first when both
 * its fee and its tip are 10 % higher.  What a lane may have to pay for all its items together is
 * held against its balance at admission.  A full pool evicts the last item of the lane that holds
 * the cheapest one, if the newcomer pays more.
 *
 * Memory is fixed: a slab of entries, a heap of bytes (byte_heap.h), two hash tables, and trees
 * inside the entries (by sequence in each lane, by fee over all); operations cost O(log n).  The
 * pool sees lane, sequence, weight and fee, never an item's kind; what is legal is its workload's
 * business. Items stay while they are in a proposal, and go when a block with them is committed. */
#include "base/arena.h"
#include "base/err.h"
#include "base/verdict.h"
#include "workloads/workload.h"

/* A lane's item that waits behind a gap for so long is dropped. */
#define POOL_QUEUED_MS_MAX (3u * 3600 * 1000)
/* At most this share of the items may be queued: gaps must not crowd out what can run. */
#define POOL_QUEUED_SHARE 4

struct pool_limits {
    uint32_t items_max;
    uint64_t bytes_max;
    uint32_t lane_items_max;
    struct u256 tip_floor; /* per unit of weight; forced items are exempt */
    uint64_t hash_seed;
};

struct pool_add {
    const struct admit_context *admit;
    const struct item *item; /* inspected; bytes are copied */
    bool is_local;           /* from this node's RPC: gossiped again until it is in a block */
    bool is_forced;          /* from L1: goes first, is never evicted */
    uint64_t now_ms;
    struct arena *scratch;
};

struct pool_counts {
    uint32_t pending;
    uint32_t queued;
    uint64_t bytes;
};

struct pool;

/* pool_bytes is the memory that pool_create takes from its arena. */
size_t pool_bytes(const struct pool_limits *limits);
struct pool *pool_create(struct arena *arena, const struct pool_limits *limits);

/* pool_add judges an item and keeps it when *verdict is ACCEPTED; *stored (may be NULL) then views
 * the pool's copy.  Verdicts are geth's: ALREADY_KNOWN, NONCE_TOO_LOW, FUNDS (cumulated),
 * REPLACEMENT_UNDERPRICED, UNDERPRICED, POOL_FULL, SENDER_LIMIT, DELEGATED_LIMIT, and the
 * workload's. An error is the state reader's: nothing changed. */
MUST_USE enum err pool_add(struct pool *pool, const struct pool_add *add, enum verdict *verdict,
                           const struct item **stored);

/* pool_remove drops one item if it is here. */
void pool_remove(struct pool *pool, const struct hash32 *hash);

/* pool_find returns the pool's item or NULL; the view dies with the next change. */
const struct item *pool_find(const struct pool *pool, const struct hash32 *hash);

/* pool_is_forced says whether an item is here and goes first. */
bool pool_is_forced(const struct pool *pool, const struct hash32 *hash);

/* pool_ticket is a number of the owner's that goes with an item, 0 when it came or is not here. */
uint32_t pool_ticket(const struct pool *pool, const struct hash32 *hash);
void pool_set_ticket(struct pool *pool, const struct hash32 *hash, uint32_t ticket);

/* pool_next_sequence is the lane's next free sequence when pooled items are counted. */
uint64_t pool_next_sequence(const struct pool *pool, const struct address *lane,
                            uint64_t committed_next);

/* pool_counts says how much the pool holds now. */
/* pool_counts says how many items run without a gap, how many wait behind one, and their bytes. */
struct pool_counts pool_counts(const struct pool *pool);

/* pool_visit walks lanes by age and items by sequence until `visit` returns false. */
void pool_visit(const struct pool *pool, void *context,
                bool (*visit)(void *context, const struct item *item, bool is_pending));

/* What a block has room for. */
struct pool_selection {
    struct u256 base_fee; /* of that block */
    uint64_t weight_max;  /* sum of weights */
    size_t items_max;     /* room in `items` */
    struct item *items;
    struct buffer bytes; /* the items' encodings are copied here: the pool goes on changing */
};
/* pool_select lists candidates in the order to try them: forced lanes first, then by effective tip,
 * older first among equals, each lane in sequence order.  Returns how many. */
size_t pool_select(struct pool *pool, struct pool_selection *selection);

/* pool_committed forgets what a block holds, and of the lanes that it touched what can never run
 * any more; items behind move up.  An error is the state reader's. */
struct pool_block {
    const struct hash32 *hashes;
    const struct address *lanes; /* parallel */
    size_t count;
    const struct admit_context *admit; /* after the block */
    struct arena *scratch;
};
MUST_USE enum err pool_committed(struct pool *pool, const struct pool_block *block);

/* pool_gossip collects items (kind byte and encoding, views) to be sent: walking lanes from
 * *cursor, at most `max` items and `bytes_max` bytes.  `local_before_ms`: only local items not sent
 * since then, which counts as sending them at `now_ms`; UINT64_MAX: all items.  *cursor is 0 after
 * a full walk. */
struct pool_gossip {
    uint64_t now_ms;
    uint64_t local_before_ms;
    struct bytes *items;
    size_t items_max;
    size_t bytes_max;
};
size_t pool_gossip(struct pool *pool, const struct pool_gossip *gossip, uint64_t *cursor);

/* pool_expire drops items queued for longer than POOL_QUEUED_MS_MAX, looking at `count` entries. */
void pool_expire(struct pool *pool, uint64_t now_ms, uint32_t count);

/* pool_check_invariants CHECKs counts, trees and tables against each other; slow, for tests. */
void pool_check_invariants(const struct pool *pool);
