/* The DA server's file: what survives restarts, crashes at every byte, and corruption. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "da/log.h"

static char dir[] = "/tmp/baton-da-log-XXXXXX";
static char path[64];

static struct da_log *open_log(void) {
    struct da_log *log = NULL;
    CHECK(da_log_open(dir, 1000, 5000000, &log) == ERR_OK);
    return log;
}

static void append_one(struct da_log *log, uint8_t byte, size_t size) {
    static uint8_t data[100000];
    memset(data, byte, size);
    struct da_log_new_blob blob = {.data = {data, size}, .share_index = byte};
    memset(&blob.ns, byte, sizeof blob.ns);
    memset(&blob.commitment, byte, sizeof blob.commitment);
    CHECK(da_log_append(log, 6000000 + byte, &blob, 1) == ERR_OK);
}

static void expect_one(const struct da_log *log, uint64_t height, uint8_t byte, size_t size) {
    const struct da_log_block *block = da_log_block(log, height);
    CHECK(block != NULL && block->blobs_count == 1);
    CHECK(da_log_time(log, height) == 6000000u + byte);
    const struct da_log_blob *blob = da_log_blobs(log, block);
    CHECK(blob->size == size && blob->ns.bytes[3] == byte && blob->commitment.bytes[4] == byte);
    static uint8_t data[100000];
    struct buffer out = buffer_over(data, sizeof data);
    CHECK(da_log_read(log, blob, &out) == ERR_OK && out.size == size);
    for (size_t i = 0; i < size; i++)
        CHECK(data[i] == byte);
}

static uint64_t file_size(void) {
    struct stat status;
    CHECK(stat(path, &status) == 0);
    return (uint64_t)status.st_size;
}

static void test_restarts(void) {
    struct da_log *log = open_log();
    CHECK(da_log_head(log) == 1 && da_log_block(log, 1) == NULL);
    append_one(log, 7, 100);
    CHECK(da_log_append(log, 0, NULL, 0) == ERR_OK);
    append_one(log, 8, 100000);
    CHECK(da_log_head(log) == 4);
    struct da_log *second = NULL;
    CHECK(da_log_open(dir, 1000, 0, &second) == ERR_EXISTS);
    da_log_close(log);

    log = open_log(); /* after an orderly stop: right behind */
    CHECK(da_log_head(log) == 5);
    expect_one(log, 2, 7, 100);
    expect_one(log, 4, 8, 100000);
    CHECK(da_log_block(log, 3) == NULL && da_log_block(log, 99) == NULL);
    CHECK(da_log_time(log, 3) == 5000000 + 2 * 1000);
    for (int i = 0; i < 200; i++)
        CHECK(da_log_append(log, 0, NULL, 0) == ERR_OK);
    da_log_close(log);
    log = open_log();
    CHECK(da_log_head(log) == 206);
    da_log_close(log);
}

/* The file cut at every byte of its last records opens, and heights never go back below what was
 * shown when that much was durable. */
static void test_crash_at_every_byte(void) {
    struct da_log *log = open_log();
    const uint64_t shown = da_log_head(log);
    const uint64_t durable = file_size();
    append_one(log, 9, 50);
    append_one(log, 10, 60);
    const uint64_t end = file_size();
    da_log_close(log);
    static uint8_t content[1 << 20];
    const int in = open(path, O_RDONLY);
    CHECK(in >= 0);
    CHECK(read(in, content, sizeof content) >= (ssize_t)end);
    (void)close(in);
    for (uint64_t cut = durable; cut <= end; cut++) {
        const int out = open(path, O_WRONLY | O_TRUNC);
        CHECK(out >= 0);
        CHECK(write(out, content, cut) == (ssize_t)cut);
        (void)close(out);
        log = open_log();
        CHECK(da_log_head(log) > shown);
        if (cut == end) expect_one(log, shown + 2, 10, 60);
        const bool has_first = da_log_block(log, shown + 1) != NULL;
        CHECK(has_first || cut < end);
        append_one(log, 11, 5); /* and it can be written to */
        expect_one(log, da_log_head(log), 11, 5);
        da_log_close(log);
    }
    /* Damage in the middle is not a crash's doing. */
    content[durable + 20] ^= 1;
    const int out = open(path, O_WRONLY | O_TRUNC);
    CHECK(out >= 0);
    CHECK(write(out, content, end) == (ssize_t)end);
    (void)close(out);
    CHECK(da_log_open(dir, 1000, 0, &log) == ERR_CORRUPT);
}

/* A disk that is full (here: a limit on the file) costs the block and nothing else. */
static void test_disk_full(void) {
    struct da_log *log = open_log();
    append_one(log, 12, 1000);
    const uint64_t head = da_log_head(log);
    const uint64_t size = file_size();
    struct rlimit old;
    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    const struct rlimit tight = {.rlim_cur = size + 500, .rlim_max = old.rlim_max};
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHECK(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    static uint8_t data[1000];
    const struct da_log_new_blob blob = {.data = BYTES_OF(data)};
    CHECK(da_log_append(log, 0, &blob, 1) == ERR_DISK_FULL);
    CHECK(da_log_head(log) == head && file_size() == size);
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    append_one(log, 13, 1000);
    CHECK(da_log_head(log) == head + 1);
    da_log_close(log);
    log = open_log();
    expect_one(log, head, 12, 1000);
    expect_one(log, head + 1, 13, 1000);
    da_log_close(log);
}

static void test_no_directory(void) {
    struct da_log *log = NULL;
    CHECK(da_log_open("/proc/nowhere/at/all", 1000, 0, &log) != ERR_OK);
}

int main(void) {
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof path, "%s/blocks.log", dir);
    test_restarts();
    test_disk_full();
    test_crash_at_every_byte();
    test_no_directory();
    CHECK(unlink(path) == 0 && rmdir(dir) == 0);
    (void)puts("da log: ok");
    return 0;
}
