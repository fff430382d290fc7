#pragma once
/* Copies of bytes whose owners come and go: they hang in a ring, and what nobody has given back by
 * the end of a test, kept_drop_all does. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

struct kept {
    struct kept *next, *previous;
    uint8_t data[];
};
static struct kept kept_ring = {&kept_ring, &kept_ring};

static inline struct bytes bytes_keep(struct bytes in) {
    struct kept *kept = malloc(sizeof *kept + in.size);
    CHECK(kept != NULL);
    kept->next = kept_ring.next;
    kept->previous = &kept_ring;
    kept->next->previous = kept->previous->next = kept;
    if (in.size != 0) memcpy(kept->data, in.data, in.size);
    return (struct bytes){kept->data, in.size};
}

static inline void kept_drop(struct kept *kept) {
    kept->next->previous = kept->previous;
    kept->previous->next = kept->next;
    free(kept);
}

/* bytes_drop gives back what bytes_keep returned; BYTES_EMPTY is nothing. */
static inline void bytes_drop(struct bytes bytes) {
    if (bytes.data == NULL) return;
    kept_drop((struct kept *)(uintptr_t)(bytes.data - offsetof(struct kept, data)));
}

static inline void kept_drop_all(void) {
    while (kept_ring.next != &kept_ring)
        kept_drop(kept_ring.next);
}
