#include "store/wal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"

#define PAGE_BYTES      4096
#define MAGIC           "baton wal 2\n"
#define SLOT_MAGIC      0x6261746f6e736c74u /* "batonslt" */
#define SLOT_HEAD_BYTES 64
#define SMALL_PAGES     1
#define BLOCK_PAGES     1041 /* head and WAL_BLOCK_BYTES_MAX */
#define JOURNAL_PAGES   16
#define SLOTS           2
#define ERROR_BYTES     512

static_assert(SLOT_HEAD_BYTES + WAL_SMALL_BYTES_MAX <= SMALL_PAGES * PAGE_BYTES, "small slot");
static_assert(SLOT_HEAD_BYTES + WAL_BLOCK_BYTES_MAX <= BLOCK_PAGES * PAGE_BYTES, "block slot");
static_assert(SLOT_HEAD_BYTES + WAL_JOURNAL_BYTES_MAX <= JOURNAL_PAGES * PAGE_BYTES, "journal");

struct record_state {
    uint64_t sequence; /* of the newest whole slot */
    unsigned newest;   /* its index */
    size_t size;       /* its value's bytes */
    bool is_whole;     /* false: neither slot is */
};

struct wal {
    int file;
    struct record_state records[WAL_NAME_COUNT];
};

static size_t value_bytes_max(enum wal_name name) {
    switch (name) {
    case WAL_BLOCK: return WAL_BLOCK_BYTES_MAX;
    case WAL_JOURNAL: return WAL_JOURNAL_BYTES_MAX;
    default: return WAL_SMALL_BYTES_MAX;
    }
}

static off_t slot_pages(unsigned name) {
    switch (name) {
    case WAL_BLOCK: return BLOCK_PAGES;
    case WAL_JOURNAL: return JOURNAL_PAGES;
    default: return SMALL_PAGES;
    }
}

static off_t slot_offset(enum wal_name name, unsigned slot) {
    off_t page = 1;
    for (unsigned i = 0; i < (unsigned)name; i++)
        page += SLOTS * slot_pages(i);
    return (page + (off_t)slot * slot_pages(name)) * PAGE_BYTES;
}

static off_t file_bytes(void) {
    return slot_offset(WAL_NAME_COUNT, 0);
}

static enum err err_of_errno(int code) {
    switch (code) {
    case ENOSPC:
    case EFBIG:
    case EDQUOT: return ERR_DISK_FULL;
    case EACCES:
    case EPERM:
    case EROFS: return ERR_PERMISSION;
    default: return ERR_STORAGE;
    }
}

/* --- checksums: against torn writes, not against people */

static uint64_t mix(uint64_t a, uint64_t b) {
    const unsigned __int128 product =
        (unsigned __int128)(a ^ 0xa0761d6478bd642fu) * (b ^ 0xe7037ed1a0b428dbu);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t checksum(uint64_t sequence, struct bytes value) {
    uint64_t hash = mix(sequence, value.size);
    size_t at = 0;
    for (; at + 8 <= value.size; at += 8)
        hash = mix(hash, be_read(value.data + at, 8));
    return mix(hash, be_read(value.data + at, value.size - at));
}

static void head_write(uint8_t head[SLOT_HEAD_BYTES], uint64_t sequence, struct bytes value) {
    memset(head, 0, SLOT_HEAD_BYTES);
    be_write(head, 8, SLOT_MAGIC);
    be_write(head + 8, 8, sequence);
    be_write(head + 16, 8, value.size);
    be_write(head + 24, 8, checksum(sequence, value));
}

/* --- input and output, in full */

static enum err read_full(int file, uint8_t *data, size_t size, off_t offset) {
    size_t done = 0;
    while (done < size) {
        const ssize_t count = pread(file, data + done, size - done, offset + (off_t)done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return err_of_errno(errno);
        if (count == 0) return ERR_CORRUPT;
        done += (size_t)count;
    }
    return ERR_OK;
}

static enum err write_full(int file, struct bytes in, off_t offset) {
    size_t done = 0;
    while (done < in.size) {
        const ssize_t count = pwrite(file, in.data + done, in.size - done, offset + (off_t)done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return err_of_errno(errno);
        done += (size_t)count;
    }
    return ERR_OK;
}

static enum err sync_file(int file) {
    return fdatasync(file) == 0 ? ERR_OK : err_of_errno(errno);
}

static enum err write_slot(struct wal *wal, enum wal_name name, unsigned slot, uint64_t sequence,
                           struct bytes value) {
    uint8_t head[SLOT_HEAD_BYTES];
    head_write(head, sequence, value);
    const off_t offset = slot_offset(name, slot);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)(uintptr_t)value.data, value.size}};
    ssize_t count;
    do {
        count = pwritev(wal->file, parts, value.size == 0 ? 1 : 2, offset);
    } while (count < 0 && errno == EINTR);
    if (count < 0) return err_of_errno(errno);
    const size_t written = (size_t)count;
    if (written < sizeof head) { /* a short write: go on in two steps */
        TRY(write_full(wal->file, BYTES_OF(head), offset));
        return write_full(wal->file, value, offset + SLOT_HEAD_BYTES);
    }
    const size_t done = written - sizeof head;
    return write_full(wal->file, bytes_slice(value, done, value.size),
                      offset + SLOT_HEAD_BYTES + (off_t)done);
}

/* --- opening */

/* read_slot reads a slot into `room`, which has value_bytes_max; *is_whole says whether it fits. */
static enum err read_slot(struct wal *wal, enum wal_name name, unsigned slot, uint8_t *room,
                          bool *is_whole, uint64_t *sequence, size_t *size) {
    uint8_t head[SLOT_HEAD_BYTES];
    const off_t offset = slot_offset(name, slot);
    *is_whole = false;
    TRY(read_full(wal->file, head, sizeof head, offset));
    if (be_read(head, 8) != SLOT_MAGIC) return ERR_OK;
    *sequence = be_read(head + 8, 8);
    const uint64_t value_bytes = be_read(head + 16, 8);
    if (value_bytes > value_bytes_max(name)) return ERR_OK;
    *size = (size_t)value_bytes;
    TRY(read_full(wal->file, room, *size, offset + SLOT_HEAD_BYTES));
    uint8_t expected[SLOT_HEAD_BYTES];
    head_write(expected, *sequence, (struct bytes){room, *size});
    *is_whole = memcmp(expected, head, sizeof head) == 0;
    return ERR_OK;
}

static enum err scan(struct wal *wal, uint8_t *room) {
    for (unsigned name = 0; name < WAL_NAME_COUNT; name++) {
        struct record_state *record = &wal->records[name];
        for (unsigned slot = 0; slot < SLOTS; slot++) {
            bool is_whole;
            uint64_t sequence = 0;
            size_t size = 0;
            TRY(read_slot(wal, (enum wal_name)name, slot, room, &is_whole, &sequence, &size));
            if (!is_whole || (record->is_whole && sequence <= record->sequence)) continue;
            *record = (struct record_state){sequence, slot, size, true};
        }
    }
    return ERR_OK;
}

/* initialise allocates and writes the whole file, so that a put changes no metadata, and then marks
 * it as complete by the magic. */
static enum err initialise(struct wal *wal) {
    static const uint8_t zeros[64 * PAGE_BYTES];
    for (off_t offset = 0; offset < file_bytes(); offset += (off_t)sizeof zeros) {
        const off_t rest = file_bytes() - offset;
        const size_t size = rest < (off_t)sizeof zeros ? (size_t)rest : sizeof zeros;
        TRY(write_full(wal->file, (struct bytes){zeros, size}, offset));
    }
    for (unsigned name = 0; name < WAL_NAME_COUNT; name++) {
        for (unsigned slot = 0; slot < SLOTS; slot++) {
            TRY(write_slot(wal, (enum wal_name)name, slot, 0, BYTES_EMPTY));
        }
    }
    if (fsync(wal->file) != 0) return err_of_errno(errno);
    TRY(write_full(wal->file, BYTES_STRING(MAGIC), 0));
    return fsync(wal->file) == 0 ? ERR_OK : err_of_errno(errno);
}

/* check_file makes a new file complete, and refuses one that is not ours.  A file whose first page
 * is still zero was never completed, hence never used. */
static enum err check_file(struct wal *wal) {
    struct stat status;
    if (fstat(wal->file, &status) != 0) return err_of_errno(errno);
    uint8_t start[sizeof MAGIC - 1] = {0};
    if ((size_t)status.st_size >= sizeof start) {
        TRY(read_full(wal->file, start, sizeof start, 0));
    } else if (status.st_size != 0) {
        return ERR_CORRUPT;
    }
    static const uint8_t zeros[sizeof start];
    if (memcmp(start, zeros, sizeof start) == 0) return initialise(wal);
    if (memcmp(start, MAGIC, sizeof start) != 0) return ERR_CORRUPT;
    return status.st_size == file_bytes() ? ERR_OK : ERR_CORRUPT;
}

/* sync_parent makes the new file's name durable. */
static enum err sync_parent(const char *path) {
    char parent[4096];
    const int length = snprintf(parent, sizeof parent, "%s", path);
    if (length < 0 || (size_t)length >= sizeof parent) return ERR_LIMIT;
    char *slash = strrchr(parent, '/');
    if (slash == NULL) {
        (void)snprintf(parent, sizeof parent, ".");
    } else {
        slash[slash == parent ? 1 : 0] = '\0';
    }
    const int directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return err_of_errno(errno);
    const enum err err = fsync(directory) == 0 ? ERR_OK : err_of_errno(errno);
    (void)close(directory);
    return err;
}

/* renew puts each newest value once more: the process that wrote it may have ended, or its disk
 * have failed, before the value was on the disk, and what is sent from now on rests on it. */
static enum err renew(struct wal *wal, uint8_t *room) {
    for (unsigned i = 0; i < WAL_NAME_COUNT; i++) {
        const enum wal_name name = (enum wal_name)i;
        const struct record_state *record = &wal->records[name];
        bool is_whole;
        uint64_t sequence = 0;
        size_t size = 0;
        if (!record->is_whole || record->size == 0) continue;
        TRY(read_slot(wal, name, record->newest, room, &is_whole, &sequence, &size));
        if (!is_whole || sequence != record->sequence) return ERR_CORRUPT;
        TRY(wal_put(wal, name, (struct bytes){room, size}));
    }
    return ERR_OK;
}

static enum err open_file(struct wal *wal, const char *path) {
    wal->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (wal->file < 0) return err_of_errno(errno);
    if (flock(wal->file, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? ERR_EXISTS : err_of_errno(errno);
    }
    TRY(check_file(wal));
    TRY(sync_parent(path));
    uint8_t *room = malloc(WAL_BLOCK_BYTES_MAX);
    if (room == NULL) return ERR_MEMORY;
    enum err err = scan(wal, room);
    if (err == ERR_OK) err = renew(wal, room);
    free(room);
    return err;
}

enum err wal_open(const char *path, struct wal **out, char *error) {
    struct wal *wal = calloc(1, sizeof *wal);
    if (wal == NULL) return ERR_MEMORY;
    wal->file = -1;
    const enum err err = open_file(wal, path);
    if (err != ERR_OK) {
        const char *text = err == ERR_EXISTS ? "another process has it open" : err_text(err);
        if (error != NULL)
            (void)snprintf(error, ERROR_BYTES, "write-ahead file %s: %s", path, text);
        wal_close(wal);
        return err;
    }
    *out = wal;
    return ERR_OK;
}

void wal_close(struct wal *wal) {
    if (wal == NULL) return;
    if (wal->file >= 0) (void)close(wal->file);
    free(wal);
}

/* --- records */

enum err wal_put(struct wal *wal, enum wal_name name, struct bytes value) {
    if (value.size == 0 || value.size > value_bytes_max(name)) return ERR_LIMIT;
    struct record_state *record = &wal->records[name];
    const unsigned slot = record->is_whole ? 1 - record->newest : 0;
    TRY(write_slot(wal, name, slot, record->sequence + 1, value));
    TRY(sync_file(wal->file));
    *record = (struct record_state){record->sequence + 1, slot, value.size, true};
    return ERR_OK;
}

enum err wal_get(struct wal *wal, enum wal_name name, struct arena *arena, struct bytes *out) {
    const struct record_state *record = &wal->records[name];
    if (!record->is_whole) return ERR_CORRUPT;
    if (record->size == 0) return ERR_NOT_FOUND;
    const size_t mark = arena_mark(arena);
    uint8_t *room = arena_alloc(arena, record->size);
    if (room == NULL) return ERR_LIMIT;
    bool is_whole;
    uint64_t sequence = 0;
    size_t size = 0;
    uint8_t head[SLOT_HEAD_BYTES];
    enum err err = read_full(wal->file, head, sizeof head, slot_offset(name, record->newest));
    /* Another length than at opening or at the last put cannot be: only this process writes. */
    if (err == ERR_OK && be_read(head + 16, 8) != record->size) err = ERR_CORRUPT;
    if (err == ERR_OK) {
        err = read_slot(wal, name, record->newest, room, &is_whole, &sequence, &size);
    }
    if (err == ERR_OK && (!is_whole || sequence != record->sequence)) err = ERR_CORRUPT;
    if (err != ERR_OK) {
        arena_release(arena, mark);
        return err;
    }
    *out = (struct bytes){room, size};
    return ERR_OK;
}
