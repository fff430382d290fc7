#pragma once
/* The write-ahead file: a few small named records that must be durable before a vote leaves.
 *
 * It is apart from the store so that signing never waits for a block's commit.  One preallocated
 * file holds two slots per record; a put writes the older slot with a higher sequence number and a
 * checksum, then waits for the disk once (fdatasync, no metadata).  A torn write leaves the other
 * slot, so a get returns the last value acknowledged, or a later one.  What a get returns is on the
 * disk: opening puts it once more, because the process that wrote a later one may have ended before
 * the disk had it.  One thread at a time per record; different records may be put by different
 * threads. */
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

enum wal_name {
    WAL_SIGNING, /* consensus_record_encode: what was signed last, locked and valid values */
    WAL_BLOCK,   /* the package of the valid block that WAL_SIGNING names by hash */
    WAL_JOURNAL, /* batches and settlements under way */
    WAL_NAME_COUNT
};

#define WAL_SMALL_BYTES_MAX 4032                 /* WAL_SIGNING */
#define WAL_BLOCK_BYTES_MAX ((4u << 20) + 65536) /* WAL_BLOCK */
/* WAL_JOURNAL: 128 batches of 320 bytes at most, and what leads them. */
#define WAL_JOURNAL_BYTES_MAX 65472u

struct wal;

/* wal_open opens or makes `path` (mode 0600, about 8.3 MiB, all of it allocated).  `error` (may be
 * NULL, 512 bytes) gets a line that names the path.  ERR_EXISTS: another process has it open;
 * ERR_CORRUPT: not such a file; ERR_DISK_FULL; ERR_PERMISSION; ERR_STORAGE. */
MUST_USE enum err wal_open(const char *path, struct wal **out, char *error);
void wal_close(struct wal *wal);
/* wal_put makes the value durable before it returns.  ERR_LIMIT: empty, or longer than the record
 * may be. ERR_STORAGE, ERR_DISK_FULL: the former value is still there. */
MUST_USE enum err wal_put(struct wal *wal, enum wal_name name, struct bytes value);
/* wal_get copies the newest value into the arena.  ERR_NOT_FOUND: never put.  ERR_CORRUPT: there
 * are traces of a value but neither slot is whole; signing must not go on without an operator.
 * ERR_LIMIT: arena. */
MUST_USE enum err wal_get(struct wal *wal, enum wal_name name, struct arena *arena,
                          struct bytes *out);
