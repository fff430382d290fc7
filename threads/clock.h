#pragma once
/* The two clocks of the edge.  Pure rooms have none: time comes to them in their inputs. */
#include <stdint.h>
#include <time.h>

/* monotonic_ms never goes back, whatever is done to the wall clock: for deadlines and durations. */
static inline uint64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
/* monotonic_us is the same clock, in microseconds. */
static inline uint64_t monotonic_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
/* unix_ms is the wall clock, since 1970: for times that others read, never for durations. */
static inline uint64_t unix_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
