#pragma once
/* An arena hands out memory that goes all at once: the block's and the request's lifetimes.
 *
 * Its memory is handed in and never grows.  There is no free for one object; `arena_mark` and
 * `arena_release` give back a nested stretch, `arena_reset` everything.  One thread at a time. */
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct arena {
    uint8_t *data;
    size_t used;     /* bytes handed out, alignment included */
    size_t capacity; /* bytes at data */
    size_t peak;     /* the most `used` has been since arena_spare, or ever */
};

/* A stretch of memory whose content nobody needs: whoever maps memory may give its pages back to
 * the system, after which they read as zeros. */
struct stretch {
    uint8_t *data;
    size_t size; /* 0: nothing */
};

/* arena_over makes an arena of `capacity` bytes at `data`, which must outlive it. */
struct arena arena_over(void *data, size_t capacity);

/* arena_alloc returns `size` bytes aligned to 16, not cleared; NULL when the arena is exhausted,
 * which callers turn into ERR_LIMIT.  The memory lives until the arena is reset or released. */
void *arena_alloc(struct arena *arena, size_t size);

/* arena_alloc_zero is arena_alloc with the bytes cleared. */
void *arena_alloc_zero(struct arena *arena, size_t size);

/* arena_array returns room for `count` objects of `size` bytes, cleared; NULL when exhausted or
 * when count * size overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size);

/* arena_copy copies `in` into the arena; on exhaustion *out is untouched and it returns false. */
bool arena_copy(struct arena *arena, struct bytes in, struct bytes *out);

/* arena_mark and arena_release bracket a nested use: release forgets everything since mark. */
static inline size_t arena_mark(const struct arena *arena) {
    return arena->used;
}
void arena_release(struct arena *arena, size_t mark);

/* arena_reset forgets everything. */
void arena_reset(struct arena *arena);

/* arena_spare is what was handed out since the last call and is not now, behind the first `keep`
 * bytes. */
struct stretch arena_spare(struct arena *arena, size_t keep);
