/* Descriptors: the limit is raised, and clients never get all. */
#include "node/descriptors.h"

#include <stdio.h>
#include <sys/resource.h>

#include "base/check.h"

static void test_raise(void) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const rlim_t least = limit.rlim_max < 300 ? limit.rlim_max : 300;
    limit.rlim_cur = 100;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    const uint64_t raised = descriptors_raise();
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(raised == limit.rlim_cur);
    CHECK(raised >= least);
    CHECK(raised <= DESCRIPTORS_WANTED);
    limit.rlim_cur = limit.rlim_max = 200;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(descriptors_raise() == 200);
}

static void test_clients(void) {
    CHECK(descriptors_for_clients(65536, 1024) == 1024);
    CHECK(descriptors_for_clients(1536, 1024) == 1024);
    CHECK(descriptors_for_clients(1024, 1024) == 512);
    CHECK(descriptors_for_clients(256, 1024) == 128);
    CHECK(descriptors_for_clients(256, 64) == 64);
}

int main(void) {
    test_clients();
    test_raise();
    puts("node descriptors: ok");
    return 0;
}
