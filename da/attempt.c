#include "da/attempt.h"

void da_attempt_begin(struct da_attempt *attempt, uint64_t scan_from, uint64_t turn_from,
                      uint64_t turn_until, bool is_unclear) {
    *attempt = (struct da_attempt){.scan_from = scan_from == 0 ? 1 : scan_from,
                                   .turn_from = turn_from,
                                   .turn_until = turn_until,
                                   .is_unclear = is_unclear,
                                   .backoff_ms = DA_BACKOFF_MS_MIN};
}

/* is_free: nothing that we know of speaks against posting at the head that was read. */
static bool is_free(const struct da_attempt *attempt) {
    return attempt->has_looked && !attempt->is_unclear && attempt->head >= attempt->turn_from;
}

enum da_step da_attempt_next(const struct da_attempt *attempt, uint64_t now_ms) {
    if (attempt->head >= attempt->turn_until) return DA_STEP_LEAVE;
    return is_free(attempt) && now_ms < da_attempt_fence_ms(attempt) ? DA_STEP_POST : DA_STEP_LOOK;
}

uint64_t da_attempt_fence_ms(const struct da_attempt *attempt) {
    return attempt->head_ms + DA_FRESH_MS;
}

void da_attempt_head(struct da_attempt *attempt, uint64_t head, uint64_t asked_ms) {
    attempt->has_looked = false;
    attempt->head = head;
    attempt->head_ms = asked_ms;
    /* Heights above the head were not there when they were looked through. */
    if (attempt->scan_from > head && head != UINT64_MAX) attempt->scan_from = head + 1;
    if (attempt->is_unclear && attempt->certain_height == 0) {
        attempt->certain_height = head + DA_CERTAIN_HEIGHTS;
    }
}

uint64_t da_attempt_looked(struct da_attempt *attempt) {
    if (attempt->scan_from <= attempt->head) attempt->scan_from = attempt->head + 1;
    attempt->has_looked = true;
    if (attempt->is_unclear && attempt->head >= attempt->certain_height) {
        attempt->is_unclear = false;
    }
    return is_free(attempt) ? 0 : DA_LOOK_MS;
}

uint64_t da_attempt_failed(struct da_attempt *attempt, bool was_post) {
    /* No error of Submit is trusted, not even a plain refusal: nodes answer "timed out" or
     * "incorrect account sequence" for blobs that land a moment later. */
    attempt->has_looked = false;
    if (was_post) {
        attempt->is_unclear = true;
        attempt->certain_height = 0;
    }
    const uint64_t wait_ms = attempt->backoff_ms;
    attempt->backoff_ms = wait_ms * 2 > DA_BACKOFF_MS_MAX ? DA_BACKOFF_MS_MAX : wait_ms * 2;
    return wait_ms;
}
