#include "node/descriptors.h"

#include <sys/resource.h>

#define LIMIT_LEAST 1024 /* what POSIX systems give */

uint64_t descriptors_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return LIMIT_LEAST;
    const rlim_t wanted = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
    if (limit.rlim_cur < wanted) {
        const struct rlimit raised = {.rlim_cur = wanted, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit.rlim_cur = wanted;
    }
    return limit.rlim_cur;
}

uint32_t descriptors_for_clients(uint64_t limit, uint32_t wanted) {
    const uint64_t kept = limit >= 2 * DESCRIPTORS_KEPT ? DESCRIPTORS_KEPT : limit / 2;
    return limit - kept < wanted ? (uint32_t)(limit - kept) : wanted;
}
