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

void gate_wake_one(struct gate *gate) {
    CHECK(pthread_cond_signal(&gate->changed) == 0);
}

bool gate_wait(struct gate *gate, uint64_t deadline_ms) {
    if (deadline_ms == GATE_FOREVER) {
        CHECK(pthread_cond_wait(&gate->changed, &gate->lock) == 0);
        return true;
    }
    const struct timespec until = {(time_t)(deadline_ms / 1000),
                                   (long)(deadline_ms % 1000) * 1000000};
    const int failure = pthread_cond_timedwait(&gate->changed, &gate->lock, &until);
    CHECK(failure == 0 || failure == ETIMEDOUT);
    return failure == 0;
}
