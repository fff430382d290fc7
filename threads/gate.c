#include "threads/gate.h"

#include <errno.h>
#include <time.h>

#include "base/check.h"

void gate_create(struct gate *gate) {
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&gate->changed, &attributes) == 0);
    CHECK(pthread_condattr_destroy(&attributes) == 0);
    CHECK(pthread_mutex_init(&gate->lock, NULL) == 0);
}

void gate_destroy(struct gate *gate) {
    CHECK(pthread_cond_destroy(&gate->changed) == 0);
    CHECK(pthread_mutex_destroy(&gate->lock) == 0);
}

void gate_lock(struct gate *gate) {
    CHECK(pthread_mutex_lock(&gate->lock) == 0);
}

void gate_unlock(struct gate *gate) {
    CHECK(pthread_mutex_unlock(&gate->lock) == 0);
}

void gate_wake(struct gate *gate) {
    CHECK(pthread_cond_broadcast(&gate->changed) == 0);
}

bool gate_wait(struct gate *gate, uint64_t deadline_ms) {
    const struct timespec until = {(time_t)(deadline_ms / 1000),
                                   (long)(deadline_ms % 1000) * 1000000};
    const int failure = pthread_cond_timedwait(&gate->changed, &gate->lock, &until);
    CHECK(failure == 0 || failure == ETIMEDOUT);
    return failure == 0;
}

uint64_t gate_now_ms(void) {
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
