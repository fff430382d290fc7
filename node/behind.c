#include "node/behind.h"

void behind_begin(struct behind *behind, uint64_t far_blocks, uint64_t block_time_ms) {
    const uint64_t slow_ms = 3 * block_time_ms;
    *behind = (struct behind){.far_blocks = far_blocks,
                              .stuck_ms = slow_ms > BEHIND_STUCK_MS ? slow_ms : BEHIND_STUCK_MS};
}

enum behind_verdict behind_look(struct behind *behind, const struct behind_seen *seen) {
    const uint64_t now_ms = seen->now_ms;
    const uint64_t lag =
        seen->peers_height > seen->head_height ? seen->peers_height - seen->head_height : 0;
    const bool is_moving = seen->head_height != behind->head_height;
    const bool is_late = lag >= BEHIND_STUCK_BLOCKS;
    behind->head_height = seen->head_height;
    if (!is_late || is_moving) behind->stuck_since_ms = 0;
    if (is_late && behind->stuck_since_ms == 0) behind->stuck_since_ms = now_ms;
    if (lag == 0) {
        behind->far_since_ms = 0;
        if (seen->peers_height != 0) behind->tries = 0; /* who is at the head begins anew */
        return BEHIND_NOT;
    }
    if (lag <= behind->far_blocks) {
        behind->far_since_ms = 0;
    } else if (behind->far_since_ms == 0) {
        behind->far_since_ms = now_ms;
    }
    if (behind->tries != 0 && now_ms < behind->not_before_ms) return BEHIND_NOT;
    if (behind->far_since_ms != 0 && now_ms - behind->far_since_ms >= BEHIND_FAR_MS)
        return BEHIND_FAR;
    const bool is_stuck = is_late && now_ms - behind->stuck_since_ms >= behind->stuck_ms;
    return is_stuck ? BEHIND_STUCK : BEHIND_NOT;
}

void behind_tried(struct behind *behind, uint64_t now_ms) {
    const uint32_t times = behind->tries < BEHIND_PAUSES_MAX ? behind->tries : BEHIND_PAUSES_MAX;
    behind->not_before_ms = now_ms + ((uint64_t)BEHIND_PAUSE_MS << times);
    behind->tries += 1;
    behind->stuck_since_ms = behind->far_since_ms = 0;
}
