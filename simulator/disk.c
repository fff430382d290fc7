#include "simulator/disk.h"

#include <stdlib.h>

#include "base/check.h"

/* checksum_of notices a torn write, as a database's does; nobody aims at it. */
static uint64_t checksum_of(struct bytes in) {
    uint64_t sum = in.size;
    for (size_t at = 0; at < in.size; at += 8) {
        const size_t rest = in.size - at;
        sum = (sum ^ be_read(in.data + at, rest < 8 ? rest : 8)) * 0x9e3779b97f4a7c15u;
        sum ^= sum >> 29;
    }
    return sum;
}

static bool is_whole(const struct disk_copy *copy) {
    if (copy->version == 0) return false;
    return checksum_of((struct bytes){copy->data, copy->size}) == copy->checksum;
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
    older->checksum = checksum_of(in);
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
