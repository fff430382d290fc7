#pragma once
/* A gate: a lock, and a place to wait for what others change under it.
 *
 * Whoever waits holds the lock, is without it while asleep, and looks again at what it waits for
 * when it wakes: for a change, for its deadline, or for nothing.  Deadlines are by monotonic_ms
 * (threads/clock.h), so that nobody sleeps through a change of the wall clock.  A gate stays where
 * it was made. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

/* gate_create makes one in memory of the caller; gate_destroy ends it when nobody uses it. */
void gate_create(struct gate *gate);
void gate_destroy(struct gate *gate);

/* gate_lock and gate_unlock guard what the gate stands for. */
void gate_lock(struct gate *gate);
void gate_unlock(struct gate *gate);

/* gate_wake wakes all who wait; gate_wake_one wakes one of them, where any is as good as another.
 * The lock may be held or not. */
void gate_wake(struct gate *gate);
void gate_wake_one(struct gate *gate);

/* gate_wait, with the lock held, sleeps until woken or until `deadline_ms`, which may be
 * GATE_FOREVER.  false: the deadline has passed. */
#define GATE_FOREVER UINT64_MAX
bool gate_wait(struct gate *gate, uint64_t deadline_ms);
