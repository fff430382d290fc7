#pragma once
/* Bytes that somebody owns: copies on the heap, for what a run keeps. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/check.h"

/* owned_copy copies bytes for their new owner; nothing for none. */
static inline struct bytes owned_copy(struct bytes in) {
    if (in.size == 0) return BYTES_EMPTY;
    uint8_t *copy = malloc(in.size);
    CHECK(copy != NULL);
    memcpy(copy, in.data, in.size);
    return (struct bytes){copy, in.size};
}

/* owned_free leaves the owner with none; none is fine, too. */
static inline void owned_free(struct bytes *owned) {
    free((void *)(uintptr_t)owned->data);
    *owned = BYTES_EMPTY;
}
