#pragma once
/* Bounded memory for byte strings of all sizes: a buddy allocator over a region that is handed in.
 *
 * Blocks are powers of two times the unit; a freed block joins its free buddy, so memory does not
 * stay splintered, and both operations cost O(log size).  Nothing is touched before it is first
 * used: an empty pool costs no resident memory. */
#include "base/arena.h"
#include "base/bytes.h"

#define BYTE_HEAP_ORDERS 20

struct byte_heap {
    uint8_t *data;
    uint8_t *tags;  /* per unit: state of the block that begins there */
    uint32_t units; /* of unit_bytes */
    uint32_t unit_bytes;
    uint32_t order_max; /* largest block: unit_bytes << order_max */
    uint32_t free_head[BYTE_HEAP_ORDERS];
    uint32_t fresh, fresh_end; /* whole largest blocks that were never in use */
    uint64_t bytes_used;       /* whole blocks */
};

/* byte_heap_bytes is what byte_heap_create takes from its arena. */
size_t byte_heap_bytes(uint64_t capacity, uint32_t unit_bytes);

/* byte_heap_create makes a heap of `capacity` bytes; the largest string is `string_bytes_max`.
 * `unit_bytes` is a power of two, at least 64.  CHECKs that the arena has room. */
void byte_heap_create(struct byte_heap *heap, struct arena *arena, uint64_t capacity,
                      uint32_t unit_bytes, size_t string_bytes_max);

/* byte_heap_alloc returns room for `size` bytes, NULL when there is none (or none in one piece). */
uint8_t *byte_heap_alloc(struct byte_heap *heap, size_t size);

/* byte_heap_free gives back what byte_heap_alloc returned. */
void byte_heap_free(struct byte_heap *heap, const uint8_t *data);
