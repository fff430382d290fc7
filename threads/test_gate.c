#include "threads/gate.h"

#include <stdio.h>

#include "base/check.h"
#include "threads/clock.h"

#define ROUNDS 1000

struct turns {
    struct gate gate;
    uint64_t taken; /* under gate */
};

/* taker takes the odd turns. */
static void *taker(void *context) {
    struct turns *turns = context;
    for (int i = 0; i < ROUNDS; i++) {
        gate_lock(&turns->gate);
        while (turns->taken % 2 == 0)
            CHECK(gate_wait(&turns->gate, GATE_FOREVER));
        turns->taken += 1;
        gate_wake_one(&turns->gate);
        gate_unlock(&turns->gate);
    }
    return NULL;
}

/* Two threads take turns: nothing is lost between looking and sleeping. */
static void test_turns(void) {
    static struct turns turns;
    pthread_t thread;
    gate_create(&turns.gate);
    CHECK(pthread_create(&thread, NULL, taker, &turns) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        gate_lock(&turns.gate);
        while (turns.taken % 2 == 1)
            CHECK(gate_wait(&turns.gate, monotonic_ms() + 60000));
        turns.taken += 1;
        gate_wake(&turns.gate);
        gate_unlock(&turns.gate);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(turns.taken == 2 * ROUNDS);
    gate_destroy(&turns.gate);
}

/* A deadline ends the wait, not before it has come. */
static void test_deadline(void) {
    struct gate gate;
    gate_create(&gate);
    const uint64_t deadline_ms = monotonic_ms() + 30;
    gate_lock(&gate);
    while (gate_wait(&gate, deadline_ms)) { /* woken for nothing */
    }
    CHECK(monotonic_ms() >= deadline_ms);
    CHECK(!gate_wait(&gate, 0)); /* long gone */
    gate_unlock(&gate);
    gate_destroy(&gate);
}

int main(void) {
    test_turns();
    test_deadline();
    puts("threads gate: ok");
    return 0;
}
