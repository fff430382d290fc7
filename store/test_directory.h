#pragma once
/* The directories of the store's tests, and processes that are killed as they write to one. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

/* test_files_remove removes what store_open made, as far as it is there. */
static inline void test_files_remove(const char *directory) {
    static const char *const names[] = {"data.mdb", "lock.mdb", "LOCK"};
    for (size_t i = 0; i < 3; i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
}

/* test_directory_remove CHECKs that nothing else was in it. */
static inline void test_directory_remove(const char *directory) {
    test_files_remove(directory);
    CHECK(rmdir(directory) == 0);
}

/* test_kill_at lets a child go on until it has acknowledged `wanted`, through the pipe `ends` of
 * which it has the writing end, and ends it with kill -9; returns the last number it wrote. */
static inline uint64_t test_kill_at(pid_t child, const int ends[2], uint64_t wanted) {
    uint64_t acknowledged = 0;
    while (acknowledged < wanted)
        CHECK(read(ends[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged);
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(close(ends[1]) == 0);
    while (read(ends[0], &acknowledged, sizeof acknowledged) > 0)
        continue;
    CHECK(close(ends[0]) == 0);
    return acknowledged;
}
