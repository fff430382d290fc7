/* When a publication may be posted: every reason to wait, one by one. */
#include <stdio.h>

#include "base/check.h"
#include "da/attempt.h"

static struct da_attempt begin(uint64_t from, uint64_t until, bool is_unclear) {
    struct da_attempt attempt;
    da_attempt_begin(&attempt, 0, from, until, is_unclear);
    CHECK(attempt.scan_from == 1);
    CHECK(da_attempt_next(&attempt, 0) == DA_STEP_LOOK); /* never without a look */
    return attempt;
}

static void see(struct da_attempt *attempt, uint64_t head, uint64_t at_ms) {
    da_attempt_head(attempt, head, at_ms);
    CHECK(da_attempt_next(attempt, at_ms) != DA_STEP_POST); /* not before it is looked through */
    (void)da_attempt_looked(attempt);
    CHECK(attempt->scan_from == head + 1);
}

static void test_turn(void) {
    struct da_attempt attempt = begin(16, 26, false);
    see(&attempt, 15, 1000);
    CHECK(da_attempt_next(&attempt, 1000) == DA_STEP_LOOK); /* not yet */
    see(&attempt, 16, 2000);
    CHECK(da_attempt_next(&attempt, 2000) == DA_STEP_POST);
    see(&attempt, 25, 3000);
    CHECK(da_attempt_next(&attempt, 3000) == DA_STEP_POST);
    da_attempt_head(&attempt, 26, 4000);
    CHECK(da_attempt_next(&attempt, 4000) == DA_STEP_LEAVE);
}

/* A process that was stopped between look and post looks again. */
static void test_stale(void) {
    struct da_attempt attempt = begin(16, 26, false);
    see(&attempt, 20, 5000);
    CHECK(da_attempt_fence_ms(&attempt) == 5000 + DA_FRESH_MS);
    CHECK(da_attempt_next(&attempt, 5000 + DA_FRESH_MS - 1) == DA_STEP_POST);
    CHECK(da_attempt_next(&attempt, 5000 + DA_FRESH_MS) == DA_STEP_LOOK);
    see(&attempt, 40, 90000);
    CHECK(da_attempt_next(&attempt, 90000) == DA_STEP_LEAVE);
}

/* After a try that may have worked: not before it would have landed. */
static void test_unclear(void) {
    struct da_attempt attempt = begin(0, UINT64_MAX, true);
    for (uint64_t head = 7; head < 7 + DA_CERTAIN_HEIGHTS; head++) {
        see(&attempt, head, head * 1000);
        CHECK(da_attempt_next(&attempt, head * 1000) == DA_STEP_LOOK);
    }
    see(&attempt, 10, 10000);
    CHECK(da_attempt_next(&attempt, 10000) == DA_STEP_POST);
    CHECK(da_attempt_failed(&attempt, true) == DA_BACKOFF_MS_MIN);
    see(&attempt, 10, 10100);
    CHECK(da_attempt_next(&attempt, 10100) == DA_STEP_LOOK);
    see(&attempt, 12, 10200);
    CHECK(da_attempt_next(&attempt, 10200) == DA_STEP_LOOK);
    see(&attempt, 13, 10300);
    CHECK(da_attempt_next(&attempt, 10300) == DA_STEP_POST);
}

/* An endpoint that said far too much once: what it showed up there was looked at for nothing. */
static void test_head_goes_back(void) {
    struct da_attempt attempt = begin(16, 26, false);
    see(&attempt, 5000, 1000);
    CHECK(da_attempt_next(&attempt, 1000) == DA_STEP_LEAVE);
    see(&attempt, 17, 2000);
    CHECK(da_attempt_next(&attempt, 2000) == DA_STEP_POST);
    da_attempt_head(&attempt, 18, 2500);
    CHECK(attempt.scan_from == 18); /* and none is left out */
    CHECK(da_attempt_next(&attempt, 2500) == DA_STEP_LOOK);
}

static void test_backoff(void) {
    struct da_attempt attempt = begin(0, UINT64_MAX, false);
    uint64_t waited_ms = 0;
    for (int i = 0; i < 10; i++)
        waited_ms = da_attempt_failed(&attempt, false);
    CHECK(waited_ms == DA_BACKOFF_MS_MAX);
    see(&attempt, 1, 0);
    CHECK(da_attempt_next(&attempt, 0) == DA_STEP_POST); /* a failed look leaves nothing unclear */
}

int main(void) {
    test_turn();
    test_stale();
    test_unclear();
    test_head_goes_back();
    test_backoff();
    (void)puts("ok");
    return 0;
}
