#pragma once
/* The decisions of a publication: look, post, or leave it?
 *
 * A blob shall be on the DA layer once, whatever errors say, and whoever else may post it.  Who may
 * is settled by the DA layer's own height: a turn is a range of heights, everybody's turns are
 * apart, and between two turns there are heights in which nobody posts.  So
 *  - nothing is posted unless the head was read a moment ago (DA_FRESH_MS) and lies in the turn: a
 *    process that was stopped in between reads it again;
 *  - before that all heights up to the head were looked through: what others posted in their turns
 *    has landed by then, as the quiet heights are longer than what is on its way takes;
 *  - after a try of our own that may have worked nothing is posted before it would have landed:
 *    DA_CERTAIN_HEIGHTS above the first head that was seen after it.
 * publisher.c performs the decisions with sockets, the simulator with a DA layer of its own.
 * Nothing here knows a clock or allocates. */
#include <stdbool.h>
#include <stdint.h>

#define DA_CERTAIN_HEIGHTS 3    /* what has not landed so long after an unclear error will not */
#define DA_FRESH_MS        2000 /* an older head says nothing: at most 3 heights go by */
#define DA_LOOK_MS         500  /* between two looks that wait for the head to move */
#define DA_BACKOFF_MS_MIN  1000
#define DA_BACKOFF_MS_MAX  30000

enum da_step {
    DA_STEP_LOOK,  /* read the head, look through new heights */
    DA_STEP_POST,  /* the request must have left before da_attempt_fence_ms */
    DA_STEP_LEAVE, /* the turn is over */
};

struct da_attempt {
    uint64_t scan_from;             /* heights below do not hold the blob; at least 1 */
    uint64_t turn_from, turn_until; /* heights of the head at which it is our turn */
    bool is_unclear;                /* an earlier try of ours may still land */
    uint64_t certain_height; /* once the head is there it has landed or never will; 0: not known */
    bool has_looked;         /* through everything up to `head` */
    uint64_t head, head_ms;  /* as read last, and when that request began */
    uint64_t backoff_ms;     /* after the next failure */
};

/* da_attempt_begin starts with what the caller knows; `is_unclear`: a process of ours that is gone
 * may have posted it a moment ago. */
void da_attempt_begin(struct da_attempt *attempt, uint64_t scan_from, uint64_t turn_from,
                      uint64_t turn_until, bool is_unclear);

/* da_attempt_next says what to do now. */
enum da_step da_attempt_next(const struct da_attempt *attempt, uint64_t now_ms);
/* da_attempt_fence_ms: whatever is posted leaves before this time, or not at all. */
uint64_t da_attempt_fence_ms(const struct da_attempt *attempt);

/* da_attempt_head notes the head that was asked for at `asked_ms`, before the heights up to it are
 * looked through.  A head below the one before takes back what was looked through above it. */
void da_attempt_head(struct da_attempt *attempt, uint64_t head, uint64_t asked_ms);

/* da_attempt_looked: the blob is at no height up to the head.  Returns how long to wait in ms. */
uint64_t da_attempt_looked(struct da_attempt *attempt);

/* da_attempt_failed: a request failed; `was_post`: it was one that may land all the same.  Returns
 * how long to wait in ms. */
uint64_t da_attempt_failed(struct da_attempt *attempt, bool was_post);
