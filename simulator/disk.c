#include "simulator/disk.h"

#include <stdlib.h>

#include "base/check.h"

static bool is_whole(const struct disk_copy *copy) {
    return copy->version != 0 && !copy->is_torn;
}

void disk_record_write(struct disk_record *record, struct bytes in, enum write_fate fate,
                       uint64_t cut) {
    CHECK(in.size != 0);
    if (fate == WRITE_LOST_CRASHED || fate == WRITE_REFUSED) return;
    struct disk_copy *older = &record->copies[0], *newer = &record->copies[1];
    if (older->version > newer->version) {
        older = &record->copies[1];
        newer = &record->copies[0];
    }
    /* A torn newest copy is the one to overwrite: never the only whole one. */
    if (!is_whole(newer)) {
        struct disk_copy *torn = newer;
        newer = older;
        older = torn;
    }
    older->version = newer->version + 1;
    older->is_torn = fate == WRITE_TORN_CRASHED;
    older->size = in.size;
    if (in.size > older->capacity) {
        older->capacity = 2 * in.size;
        free(older->data);
        older->data = malloc(older->capacity);
        CHECK(older->data != NULL);
    }
    memcpy(older->data, in.data, in.size);
    if (older->is_torn) older->data[cut % in.size] ^= 0x40;
}

struct bytes disk_record_read(const struct disk_record *record) {
    const struct disk_copy *best = NULL;
    for (size_t i = 0; i < 2; i++) {
        const struct disk_copy *copy = &record->copies[i];
        if (!is_whole(copy)) continue;
        if (best == NULL || copy->version > best->version) best = copy;
    }
    return best == NULL ? BYTES_EMPTY : (struct bytes){best->data, best->size};
}

void disk_record_free(struct disk_record *record) {
    free(record->copies[0].data);
    free(record->copies[1].data);
}
