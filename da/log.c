#include "da/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/merkle.h"
#include "pages/pages.h"

#define MAGIC             0x44414c47u /* "DALG" */
#define HEAD_BYTES        9
#define SUM_BYTES         8
#define BLOB_HEAD_BYTES   (DA_NAMESPACE_BYTES + 32 + 4 + 4)
#define START_BYTES       24
#define PAYLOAD_BYTES_MAX (40u << 20)
#define RESERVED_HEIGHTS  64

enum kind {
    KIND_START = 1,   /* height, time, block time: how the times of blocks without blobs follow */
    KIND_RESERVE = 2, /* heights up to this one may have been shown */
    KIND_BLOCK =
        3,        /* height, time, count, then the blobs: ns, commitment, share index, size, data */
    KIND_STOP = 4 /* the head at an orderly stop: takes back what was reserved beyond */
};

struct start {
    uint64_t height, time_ms, block_time_ms;
};

struct da_log {
    int fd;
    uint64_t file_bytes;
    uint64_t head, reserved;
    size_t blocks_count, blobs_count, starts_count;
    struct da_log_block *blocks; /* reserved pages, ascending heights */
    struct da_log_blob *blobs;
    struct start starts[DA_LOG_STARTS_MAX];
    uint8_t *scratch; /* one payload, reserved pages */
};

static enum err write_error(void) {
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ERR_DISK_FULL : ERR_STORAGE;
}

static enum err write_at(const struct da_log *log, uint64_t offset, struct bytes in) {
    for (size_t at = 0; at < in.size;) {
        const ssize_t wrote = pwrite(log->fd, in.data + at, in.size - at, (off_t)(offset + at));
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return write_error();
        at += (size_t)wrote;
    }
    return ERR_OK;
}

/* read_at reads exactly out.size bytes.  ERR_TRUNCATED: the file ends before. */
static enum err read_at(const struct da_log *log, uint64_t offset, uint8_t *out, size_t size) {
    for (size_t at = 0; at < size;) {
        const ssize_t got = pread(log->fd, out + at, size - at, (off_t)(offset + at));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ERR_STORAGE;
        if (got == 0) return ERR_TRUNCATED;
        at += (size_t)got;
    }
    return ERR_OK;
}

static struct hash32 record_sum(const uint8_t head[HEAD_BYTES], struct bytes payload) {
    struct sha256 context;
    sha256_init(&context);
    sha256_update(&context, (struct bytes){head, HEAD_BYTES});
    sha256_update(&context, payload);
    return sha256_final(&context);
}

/* append_record writes one record and syncs it; on failure the file is cut back. */
static enum err append_record(struct da_log *log, enum kind kind, struct bytes payload) {
    uint8_t head[HEAD_BYTES];
    be_write(head, 4, MAGIC);
    head[4] = (uint8_t)kind;
    be_write(head + 5, 4, payload.size);
    const struct hash32 sum = record_sum(head, payload);
    const uint64_t at = log->file_bytes;
    enum err err = write_at(log, at, BYTES_OF(head));
    if (err == ERR_OK) err = write_at(log, at + HEAD_BYTES, payload);
    if (err == ERR_OK) {
        err = write_at(log, at + HEAD_BYTES + payload.size, (struct bytes){sum.bytes, SUM_BYTES});
    }
    if (err == ERR_OK && fdatasync(log->fd) != 0) err = write_error();
    if (err != ERR_OK) {
        /* If this fails, too, the next start cuts it off. */
        (void)!ftruncate(log->fd, (off_t)at);
        return err;
    }
    log->file_bytes = at + HEAD_BYTES + payload.size + SUM_BYTES;
    return ERR_OK;
}

static void add_start(struct da_log *log, const struct start *start) {
    if (log->starts_count == DA_LOG_STARTS_MAX) log->starts_count -= 1;
    log->starts[log->starts_count++] = *start;
}

/* index_block adds a block's payload, which begins at `offset` in the file. */
static enum err index_block(struct da_log *log, struct bytes payload, uint64_t offset) {
    if (payload.size < 20) return ERR_CORRUPT;
    struct da_log_block block = {
        .height = be_read(payload.data, 8),
        .time_ms = be_read(payload.data + 8, 8),
        .blobs_first = (uint32_t)log->blobs_count,
        .blobs_count = (uint32_t)be_read(payload.data + 16, 4),
    };
    if (block.height <= log->head) return ERR_CORRUPT;
    if (log->blocks_count == DA_LOG_BLOCKS_MAX) return ERR_LIMIT;
    if (block.blobs_count > DA_LOG_BLOBS_MAX - log->blobs_count) return ERR_LIMIT;
    size_t at = 20;
    for (uint32_t i = 0; i < block.blobs_count; i++) {
        if (payload.size - at < BLOB_HEAD_BYTES) return ERR_CORRUPT;
        const uint8_t *head = payload.data + at;
        struct da_log_blob *blob = &log->blobs[log->blobs_count + i];
        memcpy(blob->ns.bytes, head, DA_NAMESPACE_BYTES);
        memcpy(blob->commitment.bytes, head + DA_NAMESPACE_BYTES, 32);
        blob->share_index = (uint32_t)be_read(head + DA_NAMESPACE_BYTES + 32, 4);
        blob->size = (uint32_t)be_read(head + DA_NAMESPACE_BYTES + 36, 4);
        at += BLOB_HEAD_BYTES;
        if (payload.size - at < blob->size) return ERR_CORRUPT;
        blob->offset = offset + at;
        at += blob->size;
    }
    if (at != payload.size) return ERR_CORRUPT;
    log->blobs_count += block.blobs_count;
    log->blocks[log->blocks_count++] = block;
    log->head = block.height;
    if (log->reserved < log->head) log->reserved = log->head;
    return ERR_OK;
}

static enum err index_record(struct da_log *log, uint8_t kind, struct bytes payload,
                             uint64_t offset) {
    switch (kind) {
    case KIND_START:
        if (payload.size != START_BYTES) return ERR_CORRUPT;
        add_start(log, &(struct start){be_read(payload.data, 8), be_read(payload.data + 8, 8),
                                       be_read(payload.data + 16, 8)});
        return ERR_OK;
    case KIND_RESERVE:
        if (payload.size != 8) return ERR_CORRUPT;
        log->reserved = be_read(payload.data, 8);
        return ERR_OK;
    case KIND_STOP:
        if (payload.size != 8) return ERR_CORRUPT;
        log->head = log->reserved = be_read(payload.data, 8);
        return ERR_OK;
    case KIND_BLOCK: return index_block(log, payload, offset);
    default: return ERR_CORRUPT;
    }
}

/* load_record reads the record at `offset`.  ERR_TRUNCATED: it is not whole or does not fit its
 * sum, and nothing follows it. */
static enum err load_record(struct da_log *log, uint64_t offset, uint64_t end, uint64_t *next) {
    uint8_t head[HEAD_BYTES];
    uint8_t sum[SUM_BYTES];
    if (end - offset < HEAD_BYTES) return ERR_TRUNCATED;
    TRY(read_at(log, offset, head, sizeof head));
    const uint64_t size = be_read(head + 5, 4);
    if (be_read(head, 4) != MAGIC || size > PAYLOAD_BYTES_MAX) {
        /* Pages that a crash left unwritten read as zeros. */
        for (size_t i = 0; i < HEAD_BYTES; i++) {
            if (head[i] != 0) return ERR_CORRUPT;
        }
        return ERR_TRUNCATED;
    }
    if (end - offset < HEAD_BYTES + size + SUM_BYTES) return ERR_TRUNCATED;
    TRY(read_at(log, offset + HEAD_BYTES, log->scratch, size));
    TRY(read_at(log, offset + HEAD_BYTES + size, sum, sizeof sum));
    const struct bytes payload = {log->scratch, size};
    const struct hash32 expected = record_sum(head, payload);
    *next = offset + HEAD_BYTES + size + SUM_BYTES;
    if (memcmp(expected.bytes, sum, SUM_BYTES) != 0) {
        return *next == end ? ERR_TRUNCATED : ERR_CORRUPT;
    }
    return index_record(log, head[4], payload, offset + HEAD_BYTES);
}

static enum err load(struct da_log *log) {
    struct stat status;
    if (fstat(log->fd, &status) != 0) return ERR_STORAGE;
    const uint64_t end = (uint64_t)status.st_size;
    uint64_t offset = 0;
    while (offset < end) {
        uint64_t next = offset;
        const enum err err = load_record(log, offset, end, &next);
        if (err == ERR_TRUNCATED) {
            if (ftruncate(log->fd, (off_t)offset) != 0) return ERR_STORAGE;
            break;
        }
        if (err != ERR_OK) return err;
        offset = next;
    }
    log->file_bytes = offset;
    return ERR_OK;
}

static enum err open_file(const char *dir, int *out) {
    char path[4096];
    if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
        if (errno == ENOENT) return ERR_NOT_FOUND;
        return errno == EACCES ? ERR_PERMISSION : write_error();
    }
    if (snprintf(path, sizeof path, "%s/blocks.log", dir) >= (int)sizeof path) return ERR_CONFIG;
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return errno == EACCES ? ERR_PERMISSION : write_error();
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return ERR_EXISTS;
    }
    *out = fd;
    return ERR_OK;
}

static void destroy(struct da_log *log) {
    if (log->fd >= 0) (void)close(log->fd);
    pages_release(log->blocks, DA_LOG_BLOCKS_MAX * sizeof *log->blocks);
    pages_release(log->blobs, DA_LOG_BLOBS_MAX * sizeof *log->blobs);
    pages_release(log->scratch, PAYLOAD_BYTES_MAX);
    free(log);
}

static enum err open_all(struct da_log *log, const char *dir) {
    log->blocks = pages_reserve(DA_LOG_BLOCKS_MAX * sizeof *log->blocks);
    log->blobs = pages_reserve(DA_LOG_BLOBS_MAX * sizeof *log->blobs);
    log->scratch = pages_reserve(PAYLOAD_BYTES_MAX);
    if (log->blocks == NULL || log->blobs == NULL || log->scratch == NULL) return ERR_MEMORY;
    TRY(open_file(dir, &log->fd));
    return load(log);
}

enum err da_log_open(const char *dir, uint64_t block_time_ms, uint64_t now_ms,
                     struct da_log **out) {
    struct da_log *log = calloc(1, sizeof *log);
    if (log == NULL) return ERR_MEMORY;
    log->fd = -1;
    enum err err = open_all(log, dir);
    if (err == ERR_OK) {
        log->head = log->reserved + 1; /* a new block, without blobs, for the start */
        const struct start start = {log->head, now_ms, block_time_ms};
        uint8_t payload[START_BYTES];
        be_write(payload, 8, start.height);
        be_write(payload + 8, 8, start.time_ms);
        be_write(payload + 16, 8, start.block_time_ms);
        err = append_record(log, KIND_START, BYTES_OF(payload));
        add_start(log, &start);
        be_write(payload, 8, log->head + RESERVED_HEIGHTS);
        log->reserved = log->head + RESERVED_HEIGHTS;
        if (err == ERR_OK) err = append_record(log, KIND_RESERVE, (struct bytes){payload, 8});
    }
    if (err != ERR_OK) {
        destroy(log);
        return err;
    }
    *out = log;
    return ERR_OK;
}

void da_log_close(struct da_log *log) {
    uint8_t payload[8];
    be_write(payload, 8, log->head);
    /* Without it the next start only skips some heights. */
    const enum err err = append_record(log, KIND_STOP, BYTES_OF(payload));
    (void)err;
    destroy(log);
}

uint64_t da_log_head(const struct da_log *log) {
    return log->head;
}

uint64_t da_log_time(const struct da_log *log, uint64_t height) {
    const struct da_log_block *block = da_log_block(log, height);
    if (block != NULL) return block->time_ms;
    for (size_t i = log->starts_count; i > 0; i--) {
        const struct start *start = &log->starts[i - 1];
        if (height < start->height) continue;
        return start->time_ms + (height - start->height) * start->block_time_ms;
    }
    return log->starts[0].time_ms;
}

static enum err append_block(struct da_log *log, uint64_t now_ms,
                             const struct da_log_new_blob *blobs, size_t count) {
    struct buffer payload = buffer_over(log->scratch, PAYLOAD_BYTES_MAX);
    buffer_append_be(&payload, 8, log->head + 1);
    buffer_append_be(&payload, 8, now_ms);
    buffer_append_be(&payload, 4, count);
    for (size_t i = 0; i < count; i++) {
        buffer_append(&payload, BYTES_OF(blobs[i].ns.bytes));
        buffer_append(&payload, BYTES_OF(blobs[i].commitment.bytes));
        buffer_append_be(&payload, 4, blobs[i].share_index);
        buffer_append_be(&payload, 4, blobs[i].data.size);
        buffer_append(&payload, blobs[i].data);
    }
    if (payload.overflow || log->blocks_count == DA_LOG_BLOCKS_MAX ||
        count > DA_LOG_BLOBS_MAX - log->blobs_count) {
        return ERR_LIMIT;
    }
    const uint64_t offset = log->file_bytes + HEAD_BYTES;
    TRY(append_record(log, KIND_BLOCK, buffer_bytes(&payload)));
    CHECK(index_block(log, buffer_bytes(&payload), offset) == ERR_OK);
    return ERR_OK;
}

enum err da_log_append(struct da_log *log, uint64_t now_ms, const struct da_log_new_blob *blobs,
                       size_t count) {
    const uint64_t height = log->head + 1;
    if (height > log->reserved) {
        uint8_t payload[8];
        be_write(payload, 8, height + RESERVED_HEIGHTS);
        TRY(append_record(log, KIND_RESERVE, BYTES_OF(payload)));
        log->reserved = height + RESERVED_HEIGHTS;
    }
    if (count > 0) return append_block(log, now_ms, blobs, count);
    log->head = height;
    return ERR_OK;
}

const struct da_log_block *da_log_block(const struct da_log *log, uint64_t height) {
    size_t low = 0;
    size_t high = log->blocks_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (log->blocks[middle].height < height) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == log->blocks_count || log->blocks[low].height != height) return NULL;
    return &log->blocks[low];
}

const struct da_log_blob *da_log_blobs(const struct da_log *log, const struct da_log_block *block) {
    return &log->blobs[block->blobs_first];
}

enum err da_log_read(const struct da_log *log, const struct da_log_blob *blob, struct buffer *out) {
    uint8_t *at = buffer_reserve(out, blob->size);
    if (at == NULL) return ERR_LIMIT;
    const enum err err = read_at(log, blob->offset, at, blob->size);
    return err == ERR_TRUNCATED ? ERR_CORRUPT : err;
}
