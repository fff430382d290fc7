#include "simulator/disk.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/keccak.h"

static bool is_whole(const struct disk_copy *copy) {
    if (copy->version == 0) return false;
    const struct hash32 checksum = keccak256((struct bytes){copy->data, copy->size});
    return hash_equal(&checksum, &copy->checksum);
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
    older->checksum = keccak256(in);
    older->size = in.size;
    older->data = realloc(older->data, in.size);
    CHECK(older->data != NULL);
    memcpy(older->data, in.data, in.size);
    if (fate == WRITE_TORN_CRASHED) older->data[cut % in.size] ^= 0x40;
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
