#include "consensus/rotation.h"

#include "base/check.h"

/* The spread of priorities is kept within so many total powers (CometBFT's
 * PriorityWindowSizeFactor). */
#define PRIORITY_WINDOW_FACTOR 2

uint64_t rotation_of(uint64_t height, uint64_t blocks_per_rotation) {
    CHECK(blocks_per_rotation != 0);
    return height / blocks_per_rotation;
}

uint64_t rotation_first(uint64_t height, uint64_t blocks_per_rotation) {
    const uint64_t first = rotation_of(height, blocks_per_rotation) * blocks_per_rotation;
    return first == 0 ? 1 : first;
}

/* A set may come from a peer's bytes with any priorities, so sums saturate (as CometBFT's do). */
static int64_t add_clipped(int64_t a, int64_t b) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return b < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

static int64_t subtract_clipped(int64_t a, int64_t b) {
    int64_t difference;
    if (__builtin_sub_overflow(a, b, &difference)) return b < 0 ? INT64_MAX : INT64_MIN;
    return difference;
}

/* scale divides all priorities by one number when their spread exceeds the window. */
static void scale(struct validator_set *set, uint64_t window) {
    int64_t lowest = INT64_MAX, highest = INT64_MIN;
    for (uint32_t i = 0; i < set->count; i++) {
        const int64_t priority = set->validators[i].priority;
        if (priority < lowest) lowest = priority;
        if (priority > highest) highest = priority;
    }
    const uint64_t spread = (uint64_t)highest - (uint64_t)lowest;
    if (spread <= window) return;
    /* The spread is below 2^64 and the window at least 2, so that the ratio fits int64; rounded up
     * without the sum that could overflow. */
    const int64_t ratio = (int64_t)(spread / window + (spread % window != 0));
    for (uint32_t i = 0; i < set->count; i++)
        set->validators[i].priority /= ratio;
}

/* centre takes the average, rounded down, off each priority. */
static void centre(struct validator_set *set) {
    __int128 sum = 0;
    for (uint32_t i = 0; i < set->count; i++)
        sum += set->validators[i].priority;
    __int128 average = sum / set->count;
    if (sum % set->count < 0) average -= 1;
    for (uint32_t i = 0; i < set->count; i++)
        set->validators[i].priority =
            subtract_clipped(set->validators[i].priority, (int64_t)average);
}

static void scale_and_centre(struct validator_set *set) {
    scale(set, PRIORITY_WINDOW_FACTOR * validator_set_power(set));
    centre(set);
}

uint32_t rotation_advance(struct validator_set *set) {
    CHECK(set->count >= 1);
    scale_and_centre(set);
    uint32_t proposer = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct validator *validator = &set->validators[i];
        validator->priority = add_clipped(validator->priority, (int64_t)validator->power);
        /* Addresses ascend, so that the first of equals has the lower one. */
        if (validator->priority > set->validators[proposer].priority) proposer = i;
    }
    set->validators[proposer].priority =
        subtract_clipped(set->validators[proposer].priority, (int64_t)validator_set_power(set));
    return proposer;
}

void rotation_merge(const struct validator_set *current, const struct validator_set *listed,
                    struct validator_set *out) {
    CHECK(listed->count >= 1);
    struct validator_set next = *listed;
    /* CometBFT tallies the power that newcomers are measured by before removals, so that one who
     * leaves and comes back at once does not gain. */
    uint64_t power_before_removals = validator_set_power(listed);
    for (uint32_t i = 0; i < current->count; i++) {
        if (validator_set_find(listed, &current->validators[i].address) < 0) {
            power_before_removals += current->validators[i].power;
        }
    }
    const int64_t entry = -(int64_t)(power_before_removals + (power_before_removals >> 3));
    for (uint32_t i = 0; i < next.count; i++) {
        const int before = validator_set_find(current, &next.validators[i].address);
        next.validators[i].priority = before < 0 ? entry : current->validators[before].priority;
    }
    scale_and_centre(&next);
    *out = next;
}

uint32_t rotation_proposer_index(const struct validator_set *set, uint32_t scheduled_index,
                                 const struct address *previous_proposer, bool is_rotation_first,
                                 uint32_t round) {
    CHECK(scheduled_index < set->count);
    uint32_t leader = scheduled_index;
    if (!is_rotation_first) {
        const int previous = validator_set_find(set, previous_proposer);
        if (previous >= 0) leader = (uint32_t)previous;
    }
    return (uint32_t)(((uint64_t)leader + round) % set->count);
}
