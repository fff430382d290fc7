/* What goes wrong: faults begin at random times, last for a while, and overlap.  Each is drawn
 * whole before it is applied, so that leaving one out (--without) leaves the others what they were.
 */
#include "base/check.h"
#include "simulator/world.h"

/* A wall clock may be off by any time. */
#define WALL_AHEAD_MS_MAX  20000
#define WALL_BEHIND_MS_MAX 20000

static const char *const fault_names[] = {
#define X(name, text) text,
    FAULT_LIST(X)
#undef X
};

static const char *const count_names[] = {
#define X(name, text) text,
    COUNT_LIST(X)
#undef X
};

const char *fault_name(enum fault_kind kind) {
    CHECK(kind < FAULT_KINDS);
    return fault_names[kind];
}

const char *count_name(enum count_kind kind) {
    CHECK(kind < COUNT_KINDS);
    return count_names[kind];
}

/* --- drawing */

void faults_init(struct world *world) {
    struct random *random = &world->faults_random;
    static const uint64_t delays_ms[] = {2, 10, 40, 120};
    world->base_delay_min_ms = random_between(random, 0, 3);
    world->base_delay_max_ms =
        world->base_delay_min_ms + delays_ms[random_below(random, sizeof delays_ms / 8)];
    world->base_loss = random_chance(random, 300) ? random_between(random, 1, 30) : 0;
    world->delay_min_ms = world->base_delay_min_ms;
    world->delay_max_ms = world->base_delay_max_ms;
    world->loss = world->base_loss;
    static const uint64_t gaps_ms[] = {150, 500, 1500, 4000};
    world->fault_gap_ms = gaps_ms[random_below(random, sizeof gaps_ms / 8)];
    /* A few kinds at a time find what all of them together hide: half of the seeds try few. */
    const uint64_t share = random_chance(random, 500) ? 150 : 600;
    const uint64_t possible = world->config.kind->faults;
    const uint32_t kinds = world->config.kind->faults_count;
    for (size_t i = 0; i < kinds; i++) {
        const bool is_picked = random_chance(random, share);
        world->kinds_enabled[i] = is_picked && (possible >> i & 1) != 0;
    }
    uint64_t least;
    do {
        least = random_below(random, kinds);
    } while ((possible >> least & 1) == 0);
    world->kinds_enabled[least] = true;
    world->next_fault_ms = world->now_ms + random_below(random, world->fault_gap_ms) + 1;
}

static void cut(struct fault *fault, uint64_t from, uint64_t to, uint32_t nodes_count) {
    for (uint32_t i = 0; i < nodes_count; i++) {
        if ((from >> i & 1) != 0) fault->cuts[i] |= to & ~((uint64_t)1 << i);
    }
}

static void draw_cuts(struct world *world, struct fault *fault, uint64_t draw) {
    const uint32_t count = world->nodes_count;
    const uint64_t all = ((uint64_t)1 << count) - 1, node = (uint64_t)1 << fault->node;
    const uint64_t half = (draw & all) == 0 || (draw & all) == all ? node : draw & all;
    if (fault->kind == FAULT_PARTITION) {
        cut(fault, half, all & ~half, count);
        cut(fault, all & ~half, half, count);
    } else if (fault->kind == FAULT_ISOLATE) {
        cut(fault, node, all, count);
        cut(fault, all, node, count);
    } else if (fault->kind == FAULT_ONE_WAY) {
        cut(fault, half, all & ~half, count);
    }
}

/* recompute derives the network from the faults that are active. */
static void recompute(struct world *world) {
    memset(world->cuts, 0, sizeof world->cuts);
    world->loss = world->base_loss;
    world->duplication = 0;
    world->is_reordering = false;
    world->delay_min_ms = world->base_delay_min_ms;
    world->delay_max_ms = world->base_delay_max_ms;
    for (uint32_t i = 0; i < world->faults_count; i++) {
        const struct fault *fault = &world->faults[i];
        if (!fault->is_active) continue;
        for (uint32_t node = 0; node < world->nodes_count; node++)
            world->cuts[node] |= fault->cuts[node];
        const uint64_t value = fault->value;
        if (fault->kind == FAULT_LOSS) world->loss += (value % 500) + 20;
        if (fault->kind == FAULT_DUPLICATION) world->duplication += (value % 400) + 50;
        if (fault->kind == FAULT_REORDERING) {
            world->is_reordering = true;
            world->delay_max_ms += value % 200;
        }
        if (fault->kind == FAULT_DELAY) world->delay_max_ms += value % 1000;
    }
}

/* --- beginning and ending */

static void crash_soon(struct world *world, uint32_t node, uint64_t value) {
    struct node *at = &world->nodes[node];
    if (!at->is_up) return;
    at->crash_down_ms = (uint32_t)(value >> 32) % 3000;
    /* Half of the crashes hit between two effects of a step to come, half at once. */
    if ((value & 1) != 0) {
        at->effects_to_crash = 1 + (uint32_t)(value >> 8) % 20;
    } else {
        world_crash(world, node, at->crash_down_ms);
    }
}

static void begin_node(struct world *world, const struct fault *fault) {
    struct node *node = &world->nodes[fault->node];
    const uint64_t value = fault->value;
    switch (fault->kind) {
    case FAULT_CRASH: crash_soon(world, fault->node, value); break;
    case FAULT_CRASH_ALL:
        for (uint32_t i = 0; i < world->nodes_count; i++)
            crash_soon(world, i, value * (2 * i + 1));
        break;
    case FAULT_PAUSE: {
        /* Never shorter than what it is busy for already: what waits must keep its order. */
        const uint64_t until_ms = world->now_ms + 50 + value % 5000;
        if (until_ms > node->busy_until_ms) node->busy_until_ms = until_ms;
        break;
    }
    case FAULT_HANDOVER:
        if (!node->is_up || node->is_stopping) break;
        node->is_stopping = true;
        world->config.kind->stop(world, fault->node, node->state);
        break;
    case FAULT_CLOCK_DRIFT:
        (void)world_clock(world, fault->node);
        node->clock_drift = (int64_t)(value % 601) - 300;
        break;
    case FAULT_CLOCK_JUMP:
        (void)world_clock(world, fault->node);
        node->clock_us += value % 20000000;
        break;
    case FAULT_SLOW_LINK: node->slow_ms = (uint32_t)(value % 1000); break;
    case FAULT_DISK_SLOW: node->disk_ms = (uint32_t)(value % 200); break;
    case FAULT_DISK_FULL: node->is_disk_full = true; break;
    case FAULT_EXECUTION_SLOW: node->execution_ms = (uint32_t)(value % 800); break;
    case FAULT_BUILD_LATE: node->is_build_late = true; break;
    case FAULT_VIEW_BEHIND: node->is_view_behind = true; break;
    case FAULT_L1_OUTAGE: node->is_l1_out = true; break;
    case FAULT_DA_OUTAGE: world->is_da_out = true; break;
    case FAULT_DA_AMBIGUOUS: world->is_da_ambiguous = true; break;
    case FAULT_DA_LATE: world->is_da_late = true; break;
    case FAULT_DA_REPEATED: world->is_da_repeating = true; break;
    case FAULT_L1_OUTAGE_ALL: world->is_l1_out = true; break;
    case FAULT_L1_SLOW: node->l1_slow_ms = (uint32_t)(value % 6000); break;
    case FAULT_L1_AMBIGUOUS: world->is_l1_ambiguous = true; break;
    case FAULT_L1_CONGESTED: world->is_l1_congested = true; break;
    case FAULT_WALL_JUMP:
        (void)world_wall_error_ms(world, fault->node);
        node->wall_error_us =
            ((int64_t)(value % (WALL_AHEAD_MS_MAX + WALL_BEHIND_MS_MAX + 1)) - WALL_BEHIND_MS_MAX) *
            1000;
        break;
    case FAULT_WALL_DRIFT:
        (void)world_wall_error_ms(world, fault->node);
        node->wall_drift = (int64_t)(value % 401) - 100;
        break;
    default: break; /* the network's */
    }
}

static void end_node(struct world *world, const struct fault *fault) {
    struct node *node = &world->nodes[fault->node];
    switch (fault->kind) {
    case FAULT_CLOCK_DRIFT:
        (void)world_clock(world, fault->node);
        node->clock_drift = 0;
        break;
    case FAULT_SLOW_LINK: node->slow_ms = 0; break;
    case FAULT_DISK_SLOW: node->disk_ms = 0; break;
    case FAULT_DISK_FULL: node->is_disk_full = false; break;
    case FAULT_EXECUTION_SLOW: node->execution_ms = 5; break;
    case FAULT_BUILD_LATE: node->is_build_late = false; break;
    case FAULT_VIEW_BEHIND: node->is_view_behind = false; break;
    case FAULT_L1_OUTAGE: node->is_l1_out = false; break;
    case FAULT_DA_OUTAGE: world->is_da_out = false; break;
    case FAULT_DA_AMBIGUOUS: world->is_da_ambiguous = false; break;
    case FAULT_DA_LATE: world->is_da_late = false; break;
    case FAULT_DA_REPEATED: world->is_da_repeating = false; break;
    case FAULT_L1_OUTAGE_ALL: world->is_l1_out = false; break;
    case FAULT_L1_SLOW: node->l1_slow_ms = 0; break;
    case FAULT_L1_AMBIGUOUS: world->is_l1_ambiguous = false; break;
    case FAULT_L1_CONGESTED: world->is_l1_congested = false; break;
    case FAULT_WALL_JUMP:
    case FAULT_WALL_DRIFT: /* somebody sets it right */
        node->wall_error_us = node->wall_drift = 0;
        break;
    default: break;
    }
}

static void begin_one(struct world *world) {
    struct random *random = &world->faults_random;
    const uint32_t number = world->faults_count++;
    struct fault *fault = &world->faults[number];
    uint64_t pick;
    do {
        pick = random_below(random, world->config.kind->faults_count);
    } while (!world->kinds_enabled[pick]);
    *fault = (struct fault){.kind = (enum fault_kind)pick};
    fault->node = (uint32_t)random_below(random, world->nodes_count);
    fault->value = random_next(random);
    const uint64_t draw = random_next(random);
    const uint64_t lasts_ms = random_between(random, 50, 4000);
    if ((world->config.without[number / 64] >> (number % 64) & 1) != 0) return;
    draw_cuts(world, fault, draw);
    fault->is_active = true;
    world->fault_counts[fault->kind]++;
    world_trace(world, fault_name(fault->kind), fault->node, number, lasts_ms);
    begin_node(world, fault);
    if (world->config.kind->outside_fault != NULL) {
        world->config.kind->outside_fault(world, fault);
    }
    recompute(world);
    world_push(world, (struct event){.at_ms = world->now_ms + lasts_ms,
                                     .kind = EVENT_FAULT_END,
                                     .fault = number});
}

void faults_begin_due(struct world *world) {
    if (world->is_paused) return;
    while (world->now_ms >= world->next_fault_ms && world->faults_count < WORLD_FAULTS_MAX) {
        world->next_fault_ms += 1 + random_below(&world->faults_random, world->fault_gap_ms);
        begin_one(world);
    }
}

void faults_end(struct world *world, uint32_t number) {
    struct fault *fault = &world->faults[number];
    if (!fault->is_active) return;
    fault->is_active = false;
    end_node(world, fault);
    recompute(world);
}

static void end_all(struct world *world) {
    for (uint32_t i = 0; i < world->faults_count; i++)
        faults_end(world, i);
    world->base_loss = 0;
    recompute(world);
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        struct node *node = &world->nodes[i];
        node->effects_to_crash = 0;
    }
}

void faults_heal(struct world *world) {
    world->is_paused = false;
    end_all(world);
}

void faults_pause(struct world *world) {
    CHECK(world->is_chaos && !world->is_paused);
    world->is_paused = true;
    world->paused_loss = world->base_loss;
    end_all(world);
}

void faults_resume(struct world *world) {
    if (!world->is_paused) return;
    world->is_paused = false;
    world->base_loss = world->paused_loss;
    if (world->next_fault_ms < world->now_ms) world->next_fault_ms = world->now_ms;
    recompute(world);
}
