#pragma once
/* Which recent block changed a key last: a lossy index in memory over the changes that are not in
 * the tables yet (store_recent.c), so that most reads look into one of them or into none.
 *
 * Buckets of sixteen slots, a cache line each; a slot holds a piece of the key's hash and the low
 * bits of a block's number.  A full bucket gets a slot that stands for any key.  So the index may
 * name a block that did not change the key (a look-up in vain), but never leaves one out.  One
 * thread writes; any number read at the same time without locks.  A reader says which blocks it can
 * see: entries of older ones are stale and their slots are used again, so a reader that sees
 * further back than the index remembers is told to look everywhere. */
#include <stdatomic.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#define RECENT_INDEX_SLOTS (1u << 23) /* 32 MiB of address space; pages are used as keys come */
#define RECENT_INDEX_SPAN  2048       /* blocks that can be told apart */

struct recent_index {
    _Atomic uint32_t *slots;
    uint64_t seed;          /* nobody can choose keys that share a bucket */
    _Atomic uint64_t first; /* entries of older blocks may be gone */
    uint64_t added;         /* of the writer's alone */
};

/* recent_index_open makes an empty index whose oldest block is 0.  ERR_MEMORY. */
MUST_USE enum err recent_index_open(struct recent_index *index);
void recent_index_close(struct recent_index *index);
/* recent_index_hash is the hash that the others take. */
uint64_t recent_index_hash(const struct recent_index *index, struct bytes key);
/* recent_index_expect fetches what recent_index_add will need soon. */
void recent_index_expect(const struct recent_index *index, uint64_t hash);
/* recent_index_add notes that `block` changed a key; blocks ascend.  Before readers can see it. */
void recent_index_add(struct recent_index *index, uint64_t hash, uint64_t block);
/* recent_index_advance: entries before `first` are not needed by readers from now on. */
void recent_index_advance(struct recent_index *index, uint64_t first);
/* recent_index_newest is the newest block of [first, last] that may have changed the key, so that
 * none above it did; false: none did.  At most RECENT_INDEX_SPAN blocks. */
bool recent_index_newest(const struct recent_index *index, uint64_t hash, uint64_t first,
                         uint64_t last, uint64_t *block);
