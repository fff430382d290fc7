#include "base/arena.h"

#include <string.h>

#include "base/check.h"

#define ALIGNMENT_BYTES 16
#define PAGE_BYTES      4096
#define TABLE_BYTES     65536

struct arena arena_over(void *data, size_t capacity) {
    return (struct arena){.data = data, .used = 0, .capacity = capacity, .peak = 0};
}

void *arena_alloc(struct arena *arena, size_t size) {
    /* The address is aligned, not the offset: the memory handed in may start anywhere. */
    const size_t misaligned = ((uintptr_t)arena->data + arena->used) % ALIGNMENT_BYTES;
    const size_t padding = misaligned == 0 ? 0 : ALIGNMENT_BYTES - misaligned;
    const size_t rest = arena->capacity - arena->used;
    if (rest < padding || rest - padding < size) return NULL;

    void *at = arena->data + arena->used + padding;
    arena->used += padding + size;
    if (arena->used > arena->peak) arena->peak = arena->used;
    return at;
}

/* clear makes memory zero and writes only to pages that are not: reading a page that was mapped and
 * never written costs no memory, so a large table takes what it uses. */
static void clear(uint8_t *at, size_t size) {
    static const uint8_t zeros[PAGE_BYTES];
    while (size > 0) {
        const size_t rest = PAGE_BYTES - (uintptr_t)at % PAGE_BYTES;
        const size_t part = size < rest ? size : rest;
        if (memcmp(at, zeros, part) != 0) memset(at, 0, part);
        at += part;
        size -= part;
    }
}

void *arena_alloc_zero(struct arena *arena, size_t size) {
    void *at = arena_alloc(arena, size);
    if (at == NULL) return NULL;
    if (size < TABLE_BYTES) {
        memset(at, 0, size);
    } else {
        clear(at, size);
    }
    return at;
}

void *arena_array(struct arena *arena, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return NULL;
    return arena_alloc_zero(arena, total);
}

bool arena_copy(struct arena *arena, struct bytes in, struct bytes *out) {
    uint8_t *at = arena_alloc(arena, in.size);
    if (at == NULL) return false;
    if (in.size != 0) memcpy(at, in.data, in.size);
    *out = (struct bytes){at, in.size};
    return true;
}

void arena_release(struct arena *arena, size_t mark) {
    CHECK(mark <= arena->used);
    arena->used = mark;
}

void arena_reset(struct arena *arena) {
    arena->used = 0;
}

struct stretch arena_spare(struct arena *arena, size_t keep) {
    const size_t from = arena->used > keep ? arena->used : keep;
    const size_t to = arena->peak;
    if (from >= to) return (struct stretch){NULL, 0};
    arena->peak = from;
    return (struct stretch){arena->data + from, to - from};
}
