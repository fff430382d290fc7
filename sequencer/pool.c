#include "sequencer/pool.h"

#include "base/check.h"
#include "sequencer/pool_internal.h"

/* A newcomer evicts at most so many items to make room for its bytes. */
#define EVICTIONS_MAX 64

/* is_dearer_by_tenth: geth's price bump, new >= old * 110 / 100 and more than old. */
static bool is_dearer_by_tenth(const struct u256 *fee, const struct u256 *old) {
    const struct u256 ten = u256_from_u64(10);
    const struct u256 tenth = u256_div(old, &ten);
    bool overflow;
    struct u256 least = u256_add_overflow(old, &tenth, &overflow);
    if (overflow) return false;
    return u256_less(old, fee) && !u256_less(fee, &least);
}

static bool is_cheaper_or_equal(const struct item *newcomer, const struct item *item) {
    const int tips = u256_compare(&newcomer->tip_max, &item->tip_max);
    if (tips != 0) return tips < 0;
    return u256_compare(&newcomer->fee_max, &item->fee_max) <= 0;
}

/* What admission found out before room is made. */
struct admission {
    struct lane_view view;
    uint32_t lane;     /* NONE: a new one */
    uint32_t replaced; /* NONE: nothing */
    bool is_gapped;
};

static bool is_affordable(const struct pool *pool, const struct item *item,
                          const struct admission *found) {
    struct u256 total = U256_ZERO;
    if (found->lane != NONE) total = pool->lanes[found->lane].cost_total;
    if (found->replaced != NONE) {
        total = u256_sub(&total, &pool->entries[found->replaced].item.cost_max);
    }
    bool overflow;
    total = u256_add_overflow(&total, &item->cost_max, &overflow);
    return !overflow && u256_compare(&total, &found->view.balance) <= 0;
}

/* judge says whether an item that its workload admits may be in this pool. */
static enum verdict judge(struct pool *pool, const struct pool_add *add, struct admission *found) {
    const struct item *item = add->item;
    if (!add->is_forced && u256_less(&item->tip_max, &pool->limits.tip_floor)) {
        return VERDICT_UNDERPRICED;
    }
    if (item->sequence < found->view.sequence_next) return VERDICT_NONCE_TOO_LOW;
    found->lane = pool_lane_find(pool, &item->lane);
    found->replaced = NONE;
    uint64_t free_sequence = found->view.sequence_next;
    uint32_t in_lane = 0;
    if (found->lane != NONE) {
        struct pool_lane *lane = &pool->lanes[found->lane];
        /* Our own block may be ahead of what this reader saw, never behind what the lane knows. */
        if (found->view.sequence_next < lane->sequence_next) {
            found->view.sequence_next = lane->sequence_next;
        }
        if (item->sequence < lane->sequence_next) return VERDICT_NONCE_TOO_LOW;
        found->replaced = pool_lane_at(pool, lane, item->sequence);
        free_sequence = lane->sequence_next + lane->pending_count;
        in_lane = lane->count;
    }
    found->is_gapped = item->sequence > free_sequence;
    if (found->replaced != NONE) {
        const struct item *old = &pool->entries[found->replaced].item;
        if (!is_dearer_by_tenth(&item->fee_max, &old->fee_max) ||
            !is_dearer_by_tenth(&item->tip_max, &old->tip_max)) {
            return VERDICT_REPLACEMENT_UNDERPRICED;
        }
    } else {
        if (found->view.is_limited && (in_lane != 0 || found->is_gapped)) {
            return VERDICT_DELEGATED_LIMIT;
        }
        if (in_lane >= pool->limits.lane_items_max) return VERDICT_SENDER_LIMIT;
        const uint32_t queued = pool->items_count - pool->pending_count;
        if (found->is_gapped && queued >= pool->limits.items_max / POOL_QUEUED_SHARE) {
            return VERDICT_POOL_FULL;
        }
    }
    return is_affordable(pool, item, found) ? VERDICT_ACCEPTED : VERDICT_FUNDS;
}

/* evict_for gives up the last item of the lane that holds the cheapest item, if `newcomer` pays
 * more than that one and is not of that lane. */
static enum verdict evict_for(struct pool *pool, const struct pool_add *newcomer,
                              const struct admission *found) {
    const uint32_t cheapest = pool_cheapest(pool);
    if (cheapest == NONE || found->is_gapped) return VERDICT_POOL_FULL;
    const struct pool_entry *entry = &pool->entries[cheapest];
    if (entry->is_forced) return VERDICT_POOL_FULL;
    if (!newcomer->is_forced && is_cheaper_or_equal(newcomer->item, &entry->item)) {
        return VERDICT_UNDERPRICED;
    }
    if (entry->lane == found->lane) return VERDICT_POOL_FULL;
    const uint32_t victim = pool_lane_last(pool, &pool->lanes[entry->lane]);
    if (pool->entries[victim].is_forced) return VERDICT_POOL_FULL;
    pool_drop(pool, victim);
    return VERDICT_ACCEPTED;
}

/* make_room returns memory for the item's bytes, evicting what is worth less. */
static enum verdict make_room(struct pool *pool, const struct pool_add *add,
                              const struct admission *found, uint8_t **wire) {
    const size_t bytes = add->item->encoded.size + 1;
    for (int i = 0; i <= EVICTIONS_MAX; i++) {
        const bool has_entry =
            found->replaced != NONE || pool->items_count < pool->limits.items_max;
        *wire = has_entry ? byte_heap_alloc(&pool->heap, bytes) : NULL;
        if (*wire != NULL) return VERDICT_ACCEPTED;
        const enum verdict verdict = evict_for(pool, add, found);
        if (verdict != VERDICT_ACCEPTED) return verdict;
    }
    return VERDICT_POOL_FULL;
}

enum err pool_add(struct pool *pool, const struct pool_add *add, enum verdict *verdict,
                  const struct item **stored) {
    const struct item *item = add->item;
    CHECK(item->encoded.size != 0);
    CHECK(item->encoded.size <= ITEM_BYTES_MAX);
    if (pool_entry_find(pool, &item->hash) != NONE) {
        *verdict = VERDICT_ALREADY_KNOWN;
        return ERR_OK;
    }
    const struct workload *workload = workload_by_kind(item->kind);
    CHECK(workload != NULL); /* inspect passed it */
    struct admission found;
    memset(&found, 0, sizeof found);
    enum verdict judged;
    TRY(workload->admit(add->admit, item, add->scratch, &found.view, &judged));
    if (judged == VERDICT_ACCEPTED) {
        pool_lane_pass(pool, &item->lane, found.view.sequence_next);
        judged = judge(pool, add, &found);
    }
    uint8_t *wire = NULL;
    if (judged == VERDICT_ACCEPTED) judged = make_room(pool, add, &found, &wire);
    *verdict = judged;
    if (judged != VERDICT_ACCEPTED) return ERR_OK;
    if (found.replaced != NONE) pool_drop(pool, found.replaced);
    const uint32_t entry = pool_insert(pool, add, wire, found.view.sequence_next);
    if (stored != NULL) *stored = &pool->entries[entry].item;
    return ERR_OK;
}

void pool_remove(struct pool *pool, const struct hash32 *hash) {
    const uint32_t entry = pool_entry_find(pool, hash);
    if (entry != NONE) pool_drop(pool, entry);
}

const struct item *pool_find(const struct pool *pool, const struct hash32 *hash) {
    const uint32_t entry = pool_entry_find(pool, hash);
    return entry == NONE ? NULL : &pool->entries[entry].item;
}

bool pool_is_forced(const struct pool *pool, const struct hash32 *hash) {
    const uint32_t entry = pool_entry_find(pool, hash);
    return entry != NONE && pool->entries[entry].is_forced;
}

uint32_t pool_ticket(const struct pool *pool, const struct hash32 *hash) {
    const uint32_t entry = pool_entry_find(pool, hash);
    return entry == NONE ? 0 : pool->entries[entry].ticket;
}

void pool_set_ticket(struct pool *pool, const struct hash32 *hash, uint32_t ticket) {
    const uint32_t entry = pool_entry_find(pool, hash);
    if (entry != NONE) pool->entries[entry].ticket = ticket;
}

uint64_t pool_next_sequence(const struct pool *pool, const struct address *address,
                            uint64_t committed_next) {
    const uint32_t at = pool_lane_find(pool, address);
    if (at == NONE) return committed_next;
    const struct pool_lane *lane = &pool->lanes[at];
    const uint64_t end = lane->sequence_next + lane->pending_count;
    return end > committed_next ? end : committed_next;
}

struct pool_counts pool_counts(const struct pool *pool) {
    return (struct pool_counts){pool->pending_count, pool->items_count - pool->pending_count,
                                pool->bytes_count};
}
