#include "store/recent_index.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/check.h"
#include "pages/pages.h"

#define BUCKET_SLOTS    16
#define BUCKETS         (RECENT_INDEX_SLOTS / BUCKET_SLOTS)
#define BLOCK_BITS      12
#define BLOCK_MASK      ((1u << BLOCK_BITS) - 1)
#define FINGERPRINT_ANY (UINT32_MAX >> BLOCK_BITS)
#define INDEX_BYTES     (RECENT_INDEX_SLOTS * sizeof(uint32_t))
#define MULTIPLIER      0x9e3779b97f4a7c15u
#define HUGE_AFTER      (1u << 16) /* keys: nearly every page is in use by then */

static_assert(RECENT_INDEX_SPAN == (BLOCK_MASK + 1) / 2, "half of the numbers are in the past");

enum err recent_index_open(struct recent_index *index) {
    *index = (struct recent_index){.slots = NULL};
    if (getrandom(&index->seed, sizeof index->seed, 0) != (ssize_t)sizeof index->seed) {
        return ERR_STORAGE;
    }
    index->slots = pages_reserve(INDEX_BYTES);
    return index->slots == NULL ? ERR_MEMORY : ERR_OK;
}

void recent_index_close(struct recent_index *index) {
    pages_release((void *)index->slots, INDEX_BYTES);
    index->slots = NULL;
}

uint64_t recent_index_hash(const struct recent_index *index, struct bytes key) {
    uint64_t hash = index->seed ^ key.size;
    size_t at = 0;
    for (; at + 8 <= key.size; at += 8) {
        uint64_t word;
        memcpy(&word, key.data + at, sizeof word);
        hash = (hash ^ word) * MULTIPLIER;
        hash ^= hash >> 32;
    }
    uint64_t word = 0;
    if (at < key.size) memcpy(&word, key.data + at, key.size - at);
    hash = (hash ^ word) * MULTIPLIER;
    hash ^= hash >> 29;
    hash *= MULTIPLIER;
    return hash ^ hash >> 32;
}

static _Atomic uint32_t *bucket_of(const struct recent_index *index, uint64_t hash) {
    return index->slots + (hash >> 32) % BUCKETS * BUCKET_SLOTS;
}

void recent_index_expect(const struct recent_index *index, uint64_t hash) {
    __builtin_prefetch((const void *)bucket_of(index, hash), 1);
}

static uint32_t fingerprint_of(uint64_t hash) {
    const uint32_t fingerprint = (uint32_t)hash >> BLOCK_BITS;
    return fingerprint == 0 || fingerprint == FINGERPRINT_ANY ? 1 : fingerprint;
}

/* A slot is the fingerprint above the block's low bits; 0: empty, for no fingerprint is 0.
 * age_in is how far a slot's block lies after `first`; RECENT_INDEX_SPAN or more: before it. */
static uint32_t age_in(uint32_t slot, uint64_t first) {
    return (slot - (uint32_t)first) & BLOCK_MASK;
}

/* use_huge_pages makes the index, whose every look-up is elsewhere, a matter of 16 pages instead of
 * 8,192.  A kernel that cannot leaves it as it is. */
static void use_huge_pages(struct recent_index *index) {
    (void)madvise((void *)index->slots, INDEX_BYTES, MADV_HUGEPAGE);
#ifdef MADV_COLLAPSE
    (void)madvise((void *)index->slots, INDEX_BYTES, MADV_COLLAPSE);
#endif
}

void recent_index_add(struct recent_index *index, uint64_t hash, uint64_t block) {
    _Atomic uint32_t *bucket = bucket_of(index, hash);
    const uint64_t first = atomic_load_explicit(&index->first, memory_order_relaxed);
    const uint32_t fingerprint = fingerprint_of(hash);
    unsigned chosen = BUCKET_SLOTS;
    bool is_any = true;
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        const uint32_t slot = atomic_load_explicit(&bucket[i], memory_order_relaxed);
        const bool is_same = slot >> BLOCK_BITS == fingerprint;
        const bool is_stale = slot == 0 || age_in(slot, first) >= RECENT_INDEX_SPAN;
        if (!is_same && !(is_stale && is_any)) continue;
        chosen = i;
        is_any = false;
        if (is_same) break;
    }
    /* A full bucket: its first slot stands for every key from now on. */
    const uint32_t name = is_any ? FINGERPRINT_ANY : fingerprint;
    if (is_any) chosen = 0;
    atomic_store_explicit(&bucket[chosen], name << BLOCK_BITS | ((uint32_t)block & BLOCK_MASK),
                          memory_order_release);
    if (++index->added == HUGE_AFTER) use_huge_pages(index);
}

void recent_index_advance(struct recent_index *index, uint64_t first) {
    atomic_store_explicit(&index->first, first, memory_order_release);
}

bool recent_index_newest(const struct recent_index *index, uint64_t hash, uint64_t first,
                         uint64_t last, uint64_t *block) {
    const _Atomic uint32_t *bucket = bucket_of(index, hash);
    const uint32_t fingerprint = fingerprint_of(hash);
    bool is_found = false;
    uint64_t newest = first;
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        const uint32_t slot = atomic_load_explicit(&bucket[i], memory_order_acquire);
        const uint32_t name = slot >> BLOCK_BITS;
        const uint32_t age = age_in(slot, first);
        if (name != fingerprint && name != FINGERPRINT_ANY) continue;
        if (slot == 0 || age >= RECENT_INDEX_SPAN) continue;
        is_found = true;
        if (first + age > newest) newest = first + age;
    }
    /* Acquired above: whoever sees a slot that was used again sees here that it may have been. */
    if (atomic_load_explicit(&index->first, memory_order_relaxed) > first) {
        *block = last;
        return true;
    }
    if (is_found) *block = newest < last ? newest : last;
    return is_found;
}
