#pragma once
/* The tables in memory: a kv_reader for tests, fixtures, `baton dev`-sized states and the
 * simulator.
 *
 * A skip list per table, all of it inside one stretch of memory that is handed in and never grows;
 * links are offsets, so that a clone is one copy.  Freed room is used again for sizes of its class.
 * Costs O(log n) a lookup and about 60 bytes an entry beyond key and value.  One thread at a time.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "state/kv.h"

struct hash32;
struct range;
struct kv_memory; /* at the beginning of its memory */

/* kv_memory_create makes empty tables in `bytes` bytes at `memory`, aligned to 16, which must
 * outlive them.  NULL: too small (a few KiB), or beyond 32 GiB. */
struct kv_memory *kv_memory_create(void *memory, size_t bytes);
/* kv_memory_clone copies `from` into other memory; NULL: too small for what it holds. */
struct kv_memory *kv_memory_clone(const struct kv_memory *from, void *memory, size_t bytes);
/* kv_memory_reader reads the tables as they are at each call; what it returned is valid until the
 * next change. */
struct kv_reader kv_memory_reader(struct kv_memory *kv);
/* kv_memory_put sets one entry; an empty value deletes.  ERR_LIMIT: the memory is full or the key
 * is longer than KV_KEY_BYTES_MAX; nothing has changed. */
MUST_USE enum err kv_memory_put(struct kv_memory *kv, enum kv_table table, struct bytes key,
                                struct bytes value);
/* kv_memory_apply does all writes in order.  ERR_LIMIT: some are done, some are not. */
MUST_USE enum err kv_memory_apply(struct kv_memory *kv, const struct kv_write *writes,
                                  size_t count);
/* kv_memory_put_range sets all entries of a range of `owner`'s storage (NULL: accounts). ERR_LIMIT:
 * some are there, some are not. */
MUST_USE enum err kv_memory_put_range(struct kv_memory *kv, const struct hash32 *owner,
                                      const struct range *range);
/* kv_memory_count is the number of entries of a table. */
size_t kv_memory_count(const struct kv_memory *kv, enum kv_table table);
