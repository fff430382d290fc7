/* The write-ahead file: values survive reopening, torn slots, foreign files and kill -9. */
#include "store/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "store/test_directory.h"

static uint8_t memory[16 << 20] __attribute__((aligned(16)));
static char path[256];

/* The disk under the file: what it has of the small record, which a cut of the power leaves.  It
 * gets it when the file is synced, which may fail, or never come. */
static struct {
    uint8_t image[2 * 4096];
    enum { DISK_WORKS, DISK_FAILS, DISK_IS_TOO_LATE } mode;
} disk;

int fdatasync(int file) {
    if (disk.mode == DISK_IS_TOO_LATE) _exit(0);
    if (disk.mode == DISK_FAILS) {
        errno = EIO;
        return -1;
    }
    CHECK(pread(file, disk.image, sizeof disk.image, 4096) == (ssize_t)sizeof disk.image);
    return (int)syscall(SYS_fdatasync, file);
}

static void cut_power(void) {
    const int file = open(path, O_RDWR | O_CLOEXEC);
    CHECK(pwrite(file, disk.image, sizeof disk.image, 4096) == (ssize_t)sizeof disk.image);
    CHECK(close(file) == 0);
}

static struct bytes get(struct wal *wal, enum wal_name name, enum err expected) {
    struct arena arena = arena_over(memory, sizeof memory);
    struct bytes value = BYTES_EMPTY;
    CHECK(wal_get(wal, name, &arena, &value) == expected);
    return value;
}

static struct wal *reopen(struct wal *wal) {
    wal_close(wal);
    CHECK(wal_open(path, &wal, NULL) == ERR_OK);
    return wal;
}

static void flip(off_t offset) {
    const int file = open(path, O_RDWR);
    uint8_t byte;
    CHECK(pread(file, &byte, 1, offset) == 1);
    byte ^= 1;
    CHECK(pwrite(file, &byte, 1, offset) == 1);
    CHECK(close(file) == 0);
}

static void test_values(void) {
    struct wal *wal = NULL;
    CHECK(wal_open(path, &wal, NULL) == ERR_OK);
    for (unsigned name = 0; name < WAL_NAME_COUNT; name++)
        get(wal, name, ERR_NOT_FOUND);
    CHECK(wal_put(wal, WAL_SIGNING, BYTES_STRING("one")) == ERR_OK);
    CHECK(bytes_equal(get(wal, WAL_SIGNING, ERR_OK), BYTES_STRING("one")));
    CHECK(wal_put(wal, WAL_SIGNING, BYTES_STRING("second")) == ERR_OK);
    CHECK(wal_put(wal, WAL_SIGNING, BYTES_EMPTY) == ERR_LIMIT);
    wal = reopen(wal);
    CHECK(bytes_equal(get(wal, WAL_SIGNING, ERR_OK), BYTES_STRING("second")));
    get(wal, WAL_BLOCK, ERR_NOT_FOUND);

    static uint8_t big[WAL_BLOCK_BYTES_MAX + 1];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 31 + i / 4096);
    CHECK(wal_put(wal, WAL_BLOCK, (struct bytes){big, sizeof big}) == ERR_LIMIT);
    CHECK(wal_put(wal, WAL_SIGNING, (struct bytes){big, WAL_SMALL_BYTES_MAX + 1}) == ERR_LIMIT);
    CHECK(wal_put(wal, WAL_JOURNAL, (struct bytes){big, WAL_JOURNAL_BYTES_MAX + 1}) == ERR_LIMIT);
    CHECK(wal_put(wal, WAL_JOURNAL, (struct bytes){big, WAL_JOURNAL_BYTES_MAX}) == ERR_OK);
    CHECK(wal_put(wal, WAL_BLOCK, (struct bytes){big, WAL_BLOCK_BYTES_MAX}) == ERR_OK);
    CHECK(wal_put(wal, WAL_SIGNING, (struct bytes){big, WAL_SMALL_BYTES_MAX}) == ERR_OK);
    wal = reopen(wal);
    CHECK(bytes_equal(get(wal, WAL_JOURNAL, ERR_OK), (struct bytes){big, WAL_JOURNAL_BYTES_MAX}));
    CHECK(bytes_equal(get(wal, WAL_BLOCK, ERR_OK), (struct bytes){big, WAL_BLOCK_BYTES_MAX}));
    CHECK(bytes_equal(get(wal, WAL_SIGNING, ERR_OK), (struct bytes){big, WAL_SMALL_BYTES_MAX}));
    struct wal *second = NULL;
    char error[512];
    CHECK(wal_open(path, &second, error) == ERR_EXISTS);
    CHECK(strstr(error, path) != NULL);
    wal_close(wal);
}

/* A torn slot leaves the value before it; two torn slots are not taken for "never signed". */
static void test_torn(void) {
    CHECK(unlink(path) == 0);
    struct wal *wal = NULL;
    CHECK(wal_open(path, &wal, NULL) == ERR_OK);
    CHECK(wal_put(wal, WAL_SIGNING, BYTES_STRING("first")) == ERR_OK);  /* slot 1 */
    CHECK(wal_put(wal, WAL_SIGNING, BYTES_STRING("second")) == ERR_OK); /* slot 0 */
    wal_close(wal);
    flip(4096 + 64);
    CHECK(wal_open(path, &wal, NULL) == ERR_OK);
    CHECK(bytes_equal(get(wal, WAL_SIGNING, ERR_OK), BYTES_STRING("first")));
    CHECK(wal_put(wal, WAL_SIGNING, BYTES_STRING("third")) == ERR_OK);
    wal = reopen(wal);
    CHECK(bytes_equal(get(wal, WAL_SIGNING, ERR_OK), BYTES_STRING("third")));
    wal_close(wal);
    flip(4096 + 64);
    flip(2 * 4096 + 64);
    CHECK(wal_open(path, &wal, NULL) == ERR_OK);
    get(wal, WAL_SIGNING, ERR_CORRUPT);
    wal_close(wal);
}

/* What is there after the process has ended, the disk has it before anybody is told of it. */
static void test_unsynced(void) {
    CHECK(unlink(path) == 0);
    struct wal *wal = NULL;
    CHECK(wal_open(path, &wal, NULL) == ERR_OK);
    CHECK(wal_put(wal, WAL_SIGNING, BYTES_STRING("first")) == ERR_OK);
    wal_close(wal);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(wal_open(path, &wal, NULL) == ERR_OK);
        disk.mode = DISK_IS_TOO_LATE;
        (void)!wal_put(wal, WAL_SIGNING, BYTES_STRING("second"));
        abort(); /* it was to end at the sync */
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(wal_open(path, &wal, NULL) == ERR_OK);
    CHECK(bytes_equal(get(wal, WAL_SIGNING, ERR_OK), BYTES_STRING("second")));
    wal_close(wal);
    cut_power();
    CHECK(wal_open(path, &wal, NULL) == ERR_OK);
    CHECK(bytes_equal(get(wal, WAL_SIGNING, ERR_OK), BYTES_STRING("second")));

    disk.mode = DISK_FAILS;
    CHECK(wal_put(wal, WAL_SIGNING, BYTES_STRING("third")) == ERR_STORAGE);
    wal_close(wal);
    CHECK(wal_open(path, &wal, NULL) == ERR_STORAGE);
    disk.mode = DISK_WORKS;
    CHECK(wal_open(path, &wal, NULL) == ERR_OK);
    CHECK(bytes_equal(get(wal, WAL_SIGNING, ERR_OK), BYTES_STRING("third")));
    wal_close(wal);
    cut_power();
    CHECK(wal_open(path, &wal, NULL) == ERR_OK);
    CHECK(bytes_equal(get(wal, WAL_SIGNING, ERR_OK), BYTES_STRING("third")));
    wal_close(wal);
}

static void test_foreign(void) {
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fputs("something else entirely, longer than a header", file) >= 0);
    CHECK(fclose(file) == 0);
    struct wal *wal = NULL;
    CHECK(wal_open(path, &wal, NULL) == ERR_CORRUPT);
    CHECK(truncate(path, 3) == 0);
    CHECK(wal_open(path, &wal, NULL) == ERR_CORRUPT);
    CHECK(truncate(path, 0) == 0); /* created, then killed before anything was written */
    CHECK(wal_open(path, &wal, NULL) == ERR_OK);
    wal_close(wal);
    CHECK(truncate(path, 8192) == 0);
    CHECK(wal_open(path, &wal, NULL) == ERR_CORRUPT);
}

/* A child puts counters and acknowledges each through a pipe; after kill -9 the file holds the last
 * one acknowledged, or one more. */
static void test_kill(void) {
    CHECK(unlink(path) == 0);
    for (unsigned round = 0; round < 20; round++) {
        int ends[2];
        CHECK(pipe(ends) == 0);
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            struct wal *wal = NULL;
            CHECK(wal_open(path, &wal, NULL) == ERR_OK);
            static uint8_t value[200000];
            for (uint64_t i = 1;; i++) {
                memset(value, (int)(i & 255), sizeof value);
                be_write(value, 4, i);
                CHECK(wal_put(wal, WAL_BLOCK, BYTES_OF(value)) == ERR_OK);
                CHECK(write(ends[1], &i, sizeof i) == sizeof i);
            }
        }
        const uint64_t acknowledged = test_kill_at(child, ends, 1 + round);
        struct wal *wal = NULL;
        CHECK(wal_open(path, &wal, NULL) == ERR_OK);
        const struct bytes value = get(wal, WAL_BLOCK, ERR_OK);
        const uint64_t found = be_read(value.data, 4);
        CHECK(found == acknowledged || found == acknowledged + 1);
        for (size_t i = 4; i < value.size; i++)
            CHECK(value.data[i] == (found & 255));
        wal_close(wal);
    }
}

int main(void) {
    char directory[] = "/tmp/test_wal.XXXXXX";
    CHECK(mkdtemp(directory) != NULL);
    (void)snprintf(path, sizeof path, "%s/wal", directory);
    test_values();
    test_torn();
    test_unsynced();
    test_foreign();
    test_kill();
    CHECK(unlink(path) == 0);
    CHECK(rmdir(directory) == 0);
    return 0;
}
