#pragma once
/* One record on a simulated disk: two copies written in turn, as a database that survives torn
 * writes keeps them, whose checksums tell a torn copy.  A torn write leaves the older one to be
 * read. */
#include "base/bytes.h"
#include "simulator/world.h"

struct disk_copy {
    uint64_t version; /* 0: never written */
    bool is_torn;     /* its checksum would not fit */
    size_t size, capacity;
    uint8_t *data; /* owned */
};

struct disk_record {
    struct disk_copy copies[2];
};

/* disk_record_write writes as `fate` says; `cut` chooses where a torn write ends.  A record begins
 * as zeros; disk_record_free frees it. */
void disk_record_write(struct disk_record *record, struct bytes in, enum write_fate fate,
                       uint64_t cut);
void disk_record_free(struct disk_record *record);
/* disk_record_read views the newest whole copy; empty: none. */
struct bytes disk_record_read(const struct disk_record *record);
