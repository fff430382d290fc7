#include "store/pool_log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/keccak.h"

#define MAGIC        "baton pool 1\n"
#define MAGIC_BYTES  (sizeof MAGIC - 1)
#define HEADER_BYTES (MAGIC_BYTES + 8)
#define RECORD_BYTES 13u /* before the encoding: size, sum, kind */
#define BUFFER_BYTES (256u << 10)

static_assert(RECORD_BYTES + POOL_LOG_ITEM_BYTES <= BUFFER_BYTES, "an item fits the buffer");

struct segment {
    int fd;
    uint64_t generation; /* 0: empty */
    uint64_t bytes;      /* written, header included */
    uint64_t bytes_at_open;
};

struct pool_log {
    struct segment segments[2];
    uint32_t current;
    uint64_t grown_bytes; /* the size at which the log has grown */
    enum err failure;     /* of a write since the last flush */
    struct buffer buffer;
    uint8_t memory[BUFFER_BYTES];
};

static enum err err_of(int number) {
    switch (number) {
    case ENOSPC:
    case EDQUOT: return ERR_DISK_FULL;
    case EACCES:
    case EPERM:
    case EROFS: return ERR_PERMISSION;
    default: return ERR_STORAGE;
    }
}

static uint64_t grown_after(uint64_t bytes) {
    return 2 * bytes > POOL_LOG_BYTES_MIN ? 2 * bytes : POOL_LOG_BYTES_MIN;
}

/* --- files */

static enum err write_all(int fd, struct bytes bytes, uint64_t offset) {
    while (bytes.size > 0) {
        const ssize_t written = pwrite(fd, bytes.data, bytes.size, (off_t)offset);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return written < 0 ? err_of(errno) : ERR_STORAGE;
        bytes = bytes_slice(bytes, (size_t)written, bytes.size);
        offset += (uint64_t)written;
    }
    return ERR_OK;
}

/* append writes at the segment's end; what was written of something that does not fit is cut off
 * again, and should that fail, the next record is written over it. */
static enum err append(struct segment *segment, struct bytes bytes) {
    const enum err err = write_all(segment->fd, bytes, segment->bytes);
    if (err == ERR_OK) {
        segment->bytes += bytes.size;
    } else {
        (void)!ftruncate(segment->fd, (off_t)segment->bytes);
    }
    return err;
}

static enum err clear(struct segment *segment) {
    if (ftruncate(segment->fd, 0) != 0) return err_of(errno);
    *segment = (struct segment){.fd = segment->fd};
    return ERR_OK;
}

static enum err start_generation(struct segment *segment, uint64_t generation) {
    uint8_t header[HEADER_BYTES];
    TRY(clear(segment));
    memcpy(header, MAGIC, MAGIC_BYTES);
    be_write(header + MAGIC_BYTES, 8, generation);
    TRY(append(segment, BYTES_OF(header)));
    segment->generation = generation;
    return ERR_OK;
}

static enum err open_segment(const char *path, struct segment *segment) {
    uint8_t header[HEADER_BYTES];
    struct stat stat;
    segment->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (segment->fd < 0 || fstat(segment->fd, &stat) != 0) return err_of(errno);
    if (!S_ISREG(stat.st_mode)) return ERR_STORAGE;
    if (pread(segment->fd, header, sizeof header, 0) != (ssize_t)sizeof header) return ERR_OK;
    if (memcmp(header, MAGIC, MAGIC_BYTES) != 0) return ERR_OK;
    segment->generation = be_read(header + MAGIC_BYTES, 8);
    segment->bytes = segment->bytes_at_open = (uint64_t)stat.st_size;
    return ERR_OK;
}

enum err pool_log_open(const char *directory, struct pool_log **out, char *error) {
    struct pool_log *log = calloc(1, sizeof *log);
    if (log == NULL) return ERR_MEMORY;
    log->segments[0].fd = log->segments[1].fd = -1;
    log->buffer = buffer_over(log->memory, sizeof log->memory);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < 2 && err == ERR_OK; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/pool-%u", directory, i);
        err = open_segment(path, &log->segments[i]);
        if (err != ERR_OK)
            (void)snprintf(error, 512, "data_dir: \"%.400s\": %s", path, err_text(err));
    }
    log->current = log->segments[1].generation > log->segments[0].generation ? 1 : 0;
    struct segment *current = &log->segments[log->current];
    if (err == ERR_OK && current->generation == 0) err = start_generation(current, 1);
    log->grown_bytes = grown_after(current->bytes);
    if (err != ERR_OK) {
        pool_log_close(log);
        return err;
    }
    *out = log;
    return ERR_OK;
}

void pool_log_close(struct pool_log *log) {
    if (log == NULL) return;
    if (log->buffer.size > 0) (void)!pool_log_flush(log);
    for (uint32_t i = 0; i < 2; i++) {
        if (log->segments[i].fd >= 0) (void)close(log->segments[i].fd);
    }
    free(log);
}

/* --- records */

static uint64_t sum_of(struct bytes kind_and_encoding) {
    const struct hash32 hash = keccak256(kind_and_encoding);
    return be_read(hash.bytes, 8);
}

bool pool_log_next(struct bytes *rest, uint8_t *kind, struct bytes *encoded) {
    if (rest->size < RECORD_BYTES) return false;
    const size_t size = (size_t)be_read(rest->data, 4);
    if (size > POOL_LOG_ITEM_BYTES || size > rest->size - RECORD_BYTES) return false;
    const struct bytes summed = bytes_slice(*rest, RECORD_BYTES - 1, size + 1);
    if (be_read(rest->data + 4, 8) != sum_of(summed)) return false;
    *kind = summed.data[0];
    *encoded = (struct bytes){summed.data + 1, size};
    *rest = (struct bytes){encoded->data + size, rest->size - RECORD_BYTES - size};
    return true;
}

/* read_segment visits the records; what follows the last whole one is written over later. */
static enum err read_segment(struct segment *segment, void *context,
                             void (*visit)(void *context, uint8_t kind, struct bytes encoded)) {
    const uint64_t bytes =
        segment->bytes_at_open < POOL_LOG_BYTES_MAX ? segment->bytes_at_open : POOL_LOG_BYTES_MAX;
    if (bytes <= HEADER_BYTES) return ERR_OK;
    uint8_t *data = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, segment->fd, 0);
    if (data == MAP_FAILED) return ERR_STORAGE;
    struct bytes rest = {data + HEADER_BYTES, (size_t)bytes - HEADER_BYTES}, encoded;
    uint8_t kind;
    while (pool_log_next(&rest, &kind, &encoded))
        visit(context, kind, encoded);
    segment->bytes = bytes - rest.size;
    (void)munmap(data, (size_t)bytes);
    return ERR_OK;
}

enum err pool_log_read(struct pool_log *log, void *context,
                       void (*visit)(void *context, uint8_t kind, struct bytes encoded)) {
    TRY(read_segment(&log->segments[1 - log->current], context, visit));
    return read_segment(&log->segments[log->current], context, visit);
}

/* --- writing */

static void write_record(struct buffer *out, uint8_t kind, struct bytes encoded) {
    uint8_t head[RECORD_BYTES] = {0};
    const size_t begin = out->size;
    head[RECORD_BYTES - 1] = kind;
    buffer_append(out, BYTES_OF(head));
    buffer_append(out, encoded);
    uint8_t *record = out->data + begin;
    be_write(record, 4, encoded.size);
    be_write(record + 4, 8, sum_of((struct bytes){record + RECORD_BYTES - 1, encoded.size + 1}));
}

static void write_buffer(struct pool_log *log) {
    const enum err err = append(&log->segments[log->current], buffer_bytes(&log->buffer));
    if (err != ERR_OK) log->failure = err;
    log->buffer.size = 0;
}

void pool_log_append(struct pool_log *log, uint8_t kind, struct bytes encoded) {
    const size_t size = RECORD_BYTES + encoded.size;
    if (encoded.size > POOL_LOG_ITEM_BYTES) return;
    if (log->buffer.size + size > BUFFER_BYTES) write_buffer(log);
    write_record(&log->buffer, kind, encoded);
}

enum err pool_log_flush(struct pool_log *log) {
    if (log->buffer.size > 0) write_buffer(log);
    const enum err err = log->failure;
    log->failure = ERR_OK;
    return err;
}

bool pool_log_is_grown(const struct pool_log *log) {
    return log->segments[log->current].bytes >= log->grown_bytes;
}

enum err pool_log_begin(struct pool_log *log) {
    TRY(pool_log_flush(log));
    struct segment *former = &log->segments[log->current], *next = &log->segments[1 - log->current];
    former->bytes_at_open = next->bytes_at_open = 0; /* whoever wanted to read it has */
    log->grown_bytes = grown_after(former->bytes);
    /* The other file is not empty when an earlier beginning did not end: what only that one has is
     * appended to this one before it goes. */
    if (next->bytes > HEADER_BYTES) return ERR_OK;
    TRY(start_generation(next, former->generation + 1));
    log->current = 1 - log->current;
    return ERR_OK;
}

enum err pool_log_settle(struct pool_log *log) {
    TRY(pool_log_flush(log));
    log->grown_bytes = grown_after(log->segments[log->current].bytes);
    return clear(&log->segments[1 - log->current]);
}
