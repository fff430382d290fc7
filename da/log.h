#pragma once
/* The DA server's blocks on disk: one append-only file, and an index of it in memory.
 *
 * A record is magic (4) | kind (1) | payload size (4) | payload | the first 8 bytes of its SHA-256.
 * Blocks with blobs are written and synced before anybody hears of their height.  Blocks without
 * are not written at all: a reservation says up to which height they may have been shown, and after
 * a crash the heights go on behind it, so that no height is ever shown with two contents.  What a
 * crash left half written at the end is cut off; a bad record before the end is corruption.  One
 * process at a time (a lock on the file), one thread. */
#include "base/bytes.h"
#include "base/err.h"
#include "da/da.h"

#define DA_LOG_BLOCKS_MAX (4u << 20) /* blocks with blobs */
#define DA_LOG_BLOBS_MAX  (8u << 20)
#define DA_LOG_STARTS_MAX 4096 /* restarts whose times are remembered */

struct da_log_blob {
    struct da_namespace ns;
    struct hash32 commitment;
    uint64_t offset; /* of the data in the file */
    uint32_t size;
    uint32_t share_index; /* in the square's data, row after row */
};

struct da_log_block {
    uint64_t height;
    uint64_t time_ms; /* since 1970 */
    uint32_t blobs_first;
    uint32_t blobs_count;
};

struct da_log;

/* da_log_open opens or creates DIR/blocks.log and DIR itself.  ERR_EXISTS: another process has it.
 * ERR_NOT_FOUND: the folder above DIR does not exist.  ERR_CORRUPT,
 * ERR_PERMISSION, ERR_DISK_FULL, ERR_STORAGE, ERR_MEMORY, ERR_LIMIT. */
MUST_USE enum err da_log_open(const char *dir, uint64_t block_time_ms, uint64_t now_ms,
                              struct da_log **out);
/* da_log_close notes the head, so that the next start goes on right behind it. */
void da_log_close(struct da_log *log);

/* da_log_head is the last height there is. */
uint64_t da_log_head(const struct da_log *log);
/* da_log_time is the time of any height up to the head. */
uint64_t da_log_time(const struct da_log *log, uint64_t height);

struct da_log_new_blob {
    struct da_namespace ns;
    struct hash32 commitment;
    struct bytes data;
    uint32_t share_index;
};
/* da_log_append makes the next height, with blobs in the square's order.  On ERR_DISK_FULL,
 * ERR_STORAGE and ERR_LIMIT there is no new height and the file is as it was. */
MUST_USE enum err da_log_append(struct da_log *log, uint64_t now_ms,
                                const struct da_log_new_blob *blobs, size_t count);

/* da_log_block finds a block with blobs; NULL: it has none.  da_log_blobs are its blobs. */
const struct da_log_block *da_log_block(const struct da_log *log, uint64_t height);
const struct da_log_blob *da_log_blobs(const struct da_log *log, const struct da_log_block *block);
/* da_log_read appends the blob's data to `out`.  ERR_LIMIT, ERR_STORAGE. */
MUST_USE enum err da_log_read(const struct da_log *log, const struct da_log_blob *blob,
                              struct buffer *out);
