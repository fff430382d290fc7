/* The pool's log: what was flushed is read again, whatever the files' ends look like. */
#include "store/pool_log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

static char directory[] = "/tmp/test_pool_log.XXXXXX";

static struct pool_log *reopen(struct pool_log *log) {
    char error[512] = "";
    pool_log_close(log);
    CHECK(pool_log_open(directory, &log, error) == ERR_OK);
    return log;
}

struct seen {
    size_t count;
    uint32_t numbers[4096];
};

static void visit(void *context, uint8_t kind, struct bytes encoded) {
    struct seen *seen = context;
    CHECK(encoded.size >= 4 && seen->count < 4096);
    const uint32_t number = (uint32_t)be_read(encoded.data, 4);
    CHECK(kind == number % 7);
    CHECK(encoded.size == 4 + number % 900);
    for (size_t i = 4; i < encoded.size; i++)
        CHECK(encoded.data[i] == (uint8_t)number);
    seen->numbers[seen->count++] = number;
}

static void append(struct pool_log *log, uint32_t number) {
    uint8_t item[4 + 900];
    memset(item, (uint8_t)number, sizeof item);
    be_write(item, 4, number);
    pool_log_append(log, (uint8_t)(number % 7), (struct bytes){item, 4 + number % 900});
}

static void check_holds(struct pool_log *log, uint32_t first, uint32_t count) {
    static struct seen seen;
    seen.count = 0;
    CHECK(pool_log_read(log, &seen, visit) == ERR_OK);
    CHECK(seen.count == count);
    for (uint32_t i = 0; i < count; i++)
        CHECK(seen.numbers[i] == first + i);
}

static void path_of(unsigned segment, char path[64]) {
    (void)snprintf(path, 64, "%s/pool-%u", directory, segment);
}

static off_t size_of(unsigned segment) {
    char path[64];
    struct stat stat_now;
    path_of(segment, path);
    CHECK(stat(path, &stat_now) == 0);
    return stat_now.st_size;
}

static void cut(unsigned segment, off_t size) {
    char path[64];
    path_of(segment, path);
    CHECK(truncate(path, size) == 0);
}

static void forget(void) {
    cut(0, 0);
    cut(1, 0);
}

static void test_kept(void) {
    struct pool_log *log = reopen(NULL);
    check_holds(log, 0, 0);
    for (uint32_t i = 0; i < 1000; i++)
        append(log, i);
    CHECK(pool_log_flush(log) == ERR_OK);
    CHECK(size_of(0) > 400000); /* the system has it: a kill from here on changes nothing */
    log = reopen(log);
    check_holds(log, 0, 1000);
    append(log, 1000);
    log = reopen(log); /* an orderly end flushes */
    check_holds(log, 0, 1001);
    pool_log_close(log);
    forget();
}

/* A record that is not whole ends the reading, and the next one is written over it. */
static void test_torn(void) {
    for (off_t lost = 1; lost < 40; lost++) {
        struct pool_log *log = reopen(NULL);
        for (uint32_t i = 20; i < 30; i++)
            append(log, i);
        log = reopen(log);
        cut(0, size_of(0) - lost);
        log = reopen(log);
        check_holds(log, 20, 9);
        append(log, 29);
        append(log, 30);
        log = reopen(log);
        check_holds(log, 20, 11);
        pool_log_close(log);
        forget();
    }
}

static void test_flipped(void) {
    struct pool_log *log = reopen(NULL);
    for (uint32_t i = 0; i < 10; i++)
        append(log, i);
    pool_log_close(log);
    char path[64];
    path_of(0, path);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    const off_t at = size_of(0) - 3;
    CHECK(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 0x40;
    CHECK(pwrite(fd, &byte, 1, at) == 1);
    CHECK(close(fd) == 0);
    log = reopen(NULL);
    check_holds(log, 0, 9);
    pool_log_close(log);
    forget();
}

/* Beginning anew: until it is settled both files are read, afterwards the newer one. */
static void test_anew(void) {
    struct pool_log *log = reopen(NULL);
    uint32_t number = 0;
    while (!pool_log_is_grown(log)) {
        append(log, number++);
        CHECK(pool_log_flush(log) == ERR_OK);
    }
    CHECK((uint64_t)size_of(0) >= POOL_LOG_BYTES_MIN);
    CHECK(pool_log_begin(log) == ERR_OK);
    CHECK(!pool_log_is_grown(log));
    for (uint32_t i = number; i < number + 5; i++)
        append(log, i);
    CHECK(pool_log_flush(log) == ERR_OK);
    CHECK(size_of(0) > 0);
    CHECK(pool_log_settle(log) == ERR_OK);
    CHECK(size_of(0) == 0);
    append(log, number + 5);
    log = reopen(log);
    check_holds(log, number, 6);
    CHECK(pool_log_begin(log) == ERR_OK); /* back to the first file */
    append(log, number + 6);
    log = reopen(log); /* ended in between */
    check_holds(log, number, 7);
    pool_log_close(log);
    forget();
}

/* A process that ends while it begins anew, and another one that ends at the same place: nothing is
 * lost, as at no time the only file that has an item goes. */
static void test_anew_twice(void) {
    struct pool_log *log = reopen(NULL);
    for (uint32_t i = 0; i < 10; i++)
        append(log, i);
    CHECK(pool_log_begin(log) == ERR_OK);
    append(log, 10); /* it ends before it has written 0 to 9 again */
    log = reopen(log);
    check_holds(log, 0, 11);
    CHECK(pool_log_begin(log) == ERR_OK);
    log = reopen(log);
    check_holds(log, 0, 11);
    CHECK(pool_log_begin(log) == ERR_OK);
    for (uint32_t i = 0; i < 11; i++)
        append(log, i);
    CHECK(pool_log_settle(log) == ERR_OK);
    CHECK(size_of(0) == 0);
    CHECK(pool_log_begin(log) == ERR_OK);
    for (uint32_t i = 0; i < 11; i++)
        append(log, i);
    CHECK(pool_log_settle(log) == ERR_OK);
    CHECK(size_of(1) == 0);
    log = reopen(log);
    check_holds(log, 0, 11);
    pool_log_close(log);
    forget();
}

/* A disk without room: the error is told, and what follows is whole again. */
static void test_full(void) {
    struct pool_log *log = reopen(NULL);
    append(log, 1);
    CHECK(pool_log_flush(log) == ERR_OK);
    const struct rlimit small = {(rlim_t)size_of(0) + 100, RLIM_INFINITY};
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    for (uint32_t i = 500; i < 503; i++)
        append(log, i);
    CHECK(pool_log_flush(log) != ERR_OK);
    CHECK(pool_log_flush(log) == ERR_OK);
    CHECK(setrlimit(RLIMIT_FSIZE, &unlimited) == 0);
    append(log, 2);
    log = reopen(log);
    check_holds(log, 1, 2);
    pool_log_close(log);
    forget();
}

static void test_foreign(void) {
    char path[64], error[512] = "";
    struct pool_log *log = NULL;
    path_of(0, path);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs("something else, longer than a header", file) > 0);
    CHECK(fclose(file) == 0);
    log = reopen(NULL);
    check_holds(log, 0, 0);
    append(log, 3);
    log = reopen(log);
    check_holds(log, 3, 1);
    pool_log_close(log);
    forget();
    CHECK(pool_log_open("/nowhere/at/all", &log, error) != ERR_OK);
    CHECK(strstr(error, "/nowhere/at/all/pool-0") != NULL);
}

static void test_long(void) {
    static uint8_t item[POOL_LOG_ITEM_BYTES + 1];
    struct pool_log *log = reopen(NULL);
    append(log, 5);
    pool_log_append(log, 0, (struct bytes){item, sizeof item}); /* too long: left out */
    append(log, 6);
    CHECK(pool_log_flush(log) == ERR_OK);
    log = reopen(log);
    check_holds(log, 5, 2);
    pool_log_close(log);
    forget();
}

int main(void) {
    CHECK(mkdtemp(directory) != NULL);
    (void)signal(SIGXFSZ, SIG_IGN);
    test_kept();
    test_torn();
    test_flipped();
    test_anew();
    test_anew_twice();
    test_full();
    test_foreign();
    test_long();
    char path[64];
    for (unsigned i = 0; i < 2; i++) {
        path_of(i, path);
        CHECK(unlink(path) == 0);
    }
    CHECK(rmdir(directory) == 0);
    puts("ok");
    return 0;
}
