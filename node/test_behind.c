#include "node/behind.h"

#include <stdio.h>

#include "base/check.h"

#define FAR      100
#define BLOCK_MS 2000

static enum behind_verdict look(struct behind *behind, uint64_t now_ms, uint64_t head,
                                uint64_t peers) {
    const struct behind_seen seen = {now_ms, head, peers};
    return behind_look(behind, &seen);
}

/* Far behind, for long enough, and only when it lasts. */
static void test_far(void) {
    struct behind behind;
    behind_begin(&behind, FAR, BLOCK_MS);
    CHECK(look(&behind, 1000, 10, 110) == BEHIND_NOT); /* as far as allowed */
    CHECK(look(&behind, 1000 + 2 * BEHIND_FAR_MS, 10, 110) == BEHIND_NOT);
    CHECK(look(&behind, 10000, 10, 111) == BEHIND_NOT);
    CHECK(look(&behind, 10000 + BEHIND_FAR_MS - 1, 12, 113) == BEHIND_NOT);
    CHECK(look(&behind, 10000 + BEHIND_FAR_MS, 13, 114) == BEHIND_FAR);
    CHECK(look(&behind, 10000 + BEHIND_FAR_MS + 1, 14, 114) == BEHIND_NOT); /* it caught up */
    CHECK(look(&behind, 20000, 14, 200) == BEHIND_NOT);                     /* anew */
    CHECK(look(&behind, 20000 + BEHIND_FAR_MS, 14, 200) == BEHIND_FAR);
}

/* Not far behind, but no block comes. */
static void test_stuck(void) {
    struct behind behind;
    behind_begin(&behind, FAR, BLOCK_MS);
    CHECK(look(&behind, 1000, 0, 50) == BEHIND_NOT);
    CHECK(look(&behind, 1000 + BEHIND_STUCK_MS - 1, 0, 50) == BEHIND_NOT);
    CHECK(look(&behind, 1000 + BEHIND_STUCK_MS, 0, 50) == BEHIND_STUCK);
    /* a block came: not stuck */
    CHECK(look(&behind, 1001 + BEHIND_STUCK_MS, 1, 50) == BEHIND_NOT);
    CHECK(look(&behind, 1000 + 2 * BEHIND_STUCK_MS, 1, 50) == BEHIND_NOT);
    CHECK(look(&behind, 1001 + 2 * BEHIND_STUCK_MS, 1, 50) == BEHIND_STUCK);
    /* a little behind is nothing */
    CHECK(look(&behind, 1001 + 4 * BEHIND_STUCK_MS, 50 - BEHIND_STUCK_BLOCKS + 1, 50) ==
          BEHIND_NOT);
    CHECK(look(&behind, 1001 + 9 * BEHIND_STUCK_MS, 50 - BEHIND_STUCK_BLOCKS + 1, 50) ==
          BEHIND_NOT);
    /* nobody there: nothing to be had */
    behind_begin(&behind, FAR, BLOCK_MS);
    CHECK(look(&behind, 1000, 5, 0) == BEHIND_NOT);
    CHECK(look(&behind, 1000 + 5 * BEHIND_STUCK_MS, 5, 0) == BEHIND_NOT);
    CHECK(look(&behind, 1001 + 5 * BEHIND_STUCK_MS, 5, 50) == BEHIND_NOT); /* they just came */
    /* a process that was stopped for long has not tried in vain */
    behind_begin(&behind, FAR, BLOCK_MS);
    CHECK(look(&behind, 1000, 50, 50) == BEHIND_NOT);
    CHECK(look(&behind, 1000 + 3 * BEHIND_STUCK_MS, 50, 90) == BEHIND_NOT);
    CHECK(look(&behind, 1000 + 4 * BEHIND_STUCK_MS, 50, 90) == BEHIND_STUCK);
    /* slow blocks */
    behind_begin(&behind, FAR, BEHIND_STUCK_MS);
    CHECK(look(&behind, 1000, 0, 50) == BEHIND_NOT);
    CHECK(look(&behind, 999 + 3 * BEHIND_STUCK_MS, 0, 50) == BEHIND_NOT);
    CHECK(look(&behind, 1000 + 3 * BEHIND_STUCK_MS, 0, 50) == BEHIND_STUCK);
}

/* Tries become rare, until the node was at the head. */
static void test_tries(void) {
    struct behind behind;
    uint64_t now_ms = 1000;
    behind_begin(&behind, FAR, BLOCK_MS);
    for (uint32_t i = 0; i < BEHIND_PAUSES_MAX + 3; i++) {
        const uint32_t times = i < BEHIND_PAUSES_MAX ? i : BEHIND_PAUSES_MAX;
        behind_tried(&behind, now_ms);
        CHECK(look(&behind, now_ms, 0, 1000) == BEHIND_NOT);
        now_ms += (uint64_t)BEHIND_PAUSE_MS << times;
        CHECK(look(&behind, now_ms - 1, 0, 1000) == BEHIND_NOT);
        CHECK(look(&behind, now_ms, 0, 1000) == BEHIND_FAR);
    }
    CHECK(look(&behind, now_ms, 1000, 1000) == BEHIND_NOT); /* at the head */
    CHECK(look(&behind, now_ms + 1, 1000, 2000) == BEHIND_NOT);
    CHECK(look(&behind, now_ms + 1 + BEHIND_FAR_MS, 1000, 2000) == BEHIND_FAR);
}

int main(void) {
    test_far();
    test_stuck();
    test_tries();
    puts("node behind: ok");
    return 0;
}
