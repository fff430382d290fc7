#include "simulator/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "simulator/checker.h"
#include "simulator/trace.h"

enum random_purpose { PURPOSE_NETWORK = 1, PURPOSE_FAULTS, PURPOSE_NODES, PURPOSE_BYZANTINE };

/* --- trace */

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash ^= value;
    hash *= 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

static uint64_t mix_text(uint64_t hash, const char *text) {
    for (; *text != 0; text++)
        hash = mix(hash, (uint8_t)*text);
    return hash;
}

void world_trace(struct world *world, const char *what, uint64_t node, uint64_t a, uint64_t b) {
    world->trace = mix(mix(mix(mix_text(world->trace, what), node), a), b);
    if (!world->config.is_traced) return;
    trace_line(world->now_ms, what, node, a, b);
}

void world_trace_hash(struct world *world, const char *what, uint64_t node, uint64_t a,
                      const struct hash32 *hash) {
    const uint64_t b = be_read(hash->bytes, 8);
    world->trace = mix(mix(mix(mix_text(world->trace, what), node), a), b);
    if (!world->config.is_traced) return;
    trace_line(world->now_ms, what, node, a, b);
}

void world_fail(struct world *world, const char *rule, const char *format, ...) {
    if (world->has_failed) return;
    world->has_failed = true;
    world->failed_rule = rule;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(world->failure, sizeof world->failure, format, arguments);
    va_end(arguments);
    world->trace = mix_text(world->trace, "FAILED");
    if (world->config.is_traced)
        printf("%8" PRIu64 " ms  FAILED: %s: %s\n", world->now_ms, rule, world->failure);
}

/* --- the queue */

static bool is_before(const struct event *a, const struct event *b) {
    if (a->at_ms != b->at_ms) return a->at_ms < b->at_ms;
    return a->sequence < b->sequence;
}

static void push_as_is(struct world *world, struct event event) {
    CHECK(world->queue_count < WORLD_EVENTS_MAX);
    uint32_t at = world->queue_count++;
    while (at != 0 && is_before(&event, &world->queue[(at - 1) / 2])) {
        world->queue[at] = world->queue[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->queue[at] = event;
}

void world_push(struct world *world, struct event event) {
    event.sequence = ++world->sequence;
    push_as_is(world, event);
}

static struct event pop(struct world *world) {
    const struct event first = world->queue[0], last = world->queue[--world->queue_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= world->queue_count) break;
        if (child + 1 < world->queue_count &&
            is_before(&world->queue[child + 1], &world->queue[child])) {
            child++;
        }
        if (!is_before(&world->queue[child], &last)) break;
        world->queue[at] = world->queue[child];
        at = child;
    }
    world->queue[at] = last;
    return first;
}

static struct payload *payload_make(struct bytes in) {
    struct payload *payload = malloc(sizeof *payload + in.size);
    CHECK(payload != NULL);
    payload->references = 1;
    payload->size = (uint32_t)in.size;
    if (in.size != 0) memcpy(payload->data, in.data, in.size);
    return payload;
}

static void payload_release(struct payload *payload) {
    if (payload != NULL && --payload->references == 0) free(payload);
}

/* --- clocks */

uint64_t world_clock(struct world *world, uint32_t node) {
    struct node *at = &world->nodes[node];
    const uint64_t passed_ms = world->now_ms - at->clock_world_ms;
    at->clock_us += passed_ms * (uint64_t)(1000 + at->clock_drift);
    at->clock_world_ms = world->now_ms;
    return at->clock_us / 1000;
}

int64_t world_wall_error_ms(struct world *world, uint32_t node) {
    struct node *at = &world->nodes[node];
    at->wall_error_us += (int64_t)(world->now_ms - at->wall_world_ms) * at->wall_drift;
    at->wall_world_ms = world->now_ms;
    return at->wall_error_us / 1000;
}

/* schedule_timer makes sure that a timer event is in the queue for the node's next deadline. */
static void schedule_timer(struct world *world, uint32_t node) {
    struct node *at = &world->nodes[node];
    if (!at->is_up) return;
    const uint64_t deadline_ms = world->config.kind->deadline_ms(at->state);
    if (deadline_ms == UINT64_MAX) return;
    const uint64_t clock_ms = world_clock(world, node);
    const uint64_t rest_ms = deadline_ms > clock_ms ? deadline_ms - clock_ms : 0;
    const uint64_t speed = (uint64_t)(1000 + at->clock_drift);
    uint64_t wait_ms = (rest_ms * 1000 + speed - 1) / speed;
    if (wait_ms == 0) wait_ms = 1;
    if (world->now_ms + wait_ms >= at->timer_at_ms) return;
    at->timer_at_ms = world->now_ms + wait_ms;
    world_push(world, (struct event){.at_ms = at->timer_at_ms,
                                     .kind = EVENT_TIMER,
                                     .node = node,
                                     .incarnation = at->incarnation});
}

/* --- the network */

/* arrival_ms draws when a message that is sent now arrives. */
static uint64_t arrival_ms(struct world *world, uint32_t from, uint32_t to) {
    uint64_t delay_ms =
        random_between(&world->network_random, world->delay_min_ms, world->delay_max_ms);
    delay_ms += world->nodes[from].slow_ms + world->nodes[to].slow_ms;
    uint64_t at_ms = world->now_ms + delay_ms;
    /* What a busy node sends leaves once its disk is done. */
    if (world->nodes[from].busy_until_ms > world->now_ms) {
        at_ms += world->nodes[from].busy_until_ms - world->now_ms;
    }
    /* A link keeps its order, as TCP does, but for messages of a broken connection. */
    uint64_t *link_ms = &world->link_ms[from][to];
    if (!world->is_reordering && at_ms < *link_ms) at_ms = *link_ms;
    if (at_ms > *link_ms) *link_ms = at_ms;
    return at_ms;
}

static void deliver_later(struct world *world, uint32_t from, uint32_t to,
                          struct payload *payload) {
    payload->references++;
    world_push(world, (struct event){.at_ms = arrival_ms(world, from, to),
                                     .kind = EVENT_DELIVER,
                                     .node = to,
                                     .from = from,
                                     .incarnation = world->nodes[to].incarnation,
                                     .from_incarnation = world->nodes[from].incarnation,
                                     .payload = payload});
}

void world_send(struct world *world, uint32_t from, uint32_t to, struct bytes message) {
    CHECK(from != to);
    world_count(world, COUNT_MESSAGES_SENT);
    if ((world->cuts[from] >> to & 1) != 0) {
        world_count(world, COUNT_MESSAGES_CUT);
        if (world->config.kind->lost != NULL) world->config.kind->lost(world, from, to);
        return;
    }
    if (random_chance(&world->network_random, world->loss)) {
        world_count(world, COUNT_MESSAGES_LOST);
        if (world->config.kind->lost != NULL) world->config.kind->lost(world, from, to);
        return;
    }
    struct payload *payload = payload_make(message);
    deliver_later(world, from, to, payload);
    if (random_chance(&world->network_random, world->duplication)) {
        world_count(world, COUNT_MESSAGES_DUPLICATED);
        deliver_later(world, from, to, payload);
    }
    payload_release(payload);
}

void world_local(struct world *world, uint32_t node, uint64_t delay_ms, struct bytes message) {
    world_push(world, (struct event){.at_ms = world->now_ms + delay_ms,
                                     .kind = EVENT_LOCAL,
                                     .node = node,
                                     .incarnation = world->nodes[node].incarnation,
                                     .payload = payload_make(message)});
}

/* --- nodes and their disks */

void world_crash(struct world *world, uint32_t node, uint64_t down_ms) {
    struct node *at = &world->nodes[node];
    if (!at->is_up) return;
    world_trace(world, "crash", node, down_ms, 0);
    world_count(world, COUNT_CRASHES);
    world->config.kind->crash(world, node, at->state);
    at->is_up = at->is_stopping = false;
    at->incarnation++;
    at->timer_at_ms = UINT64_MAX;
    at->effects_to_crash = 0;
    at->busy_until_ms = 0;
    world_push(
        world,
        (struct event){.at_ms = world->now_ms + down_ms + 1, .kind = EVENT_RESTART, .node = node});
}

bool world_effect(struct world *world, uint32_t node) {
    struct node *at = &world->nodes[node];
    if (!at->is_up) return false;
    if (at->effects_to_crash == 0 || --at->effects_to_crash != 0) return true;
    world_count(world, COUNT_CRASHES_IN_STEP);
    world_crash(world, node, at->crash_down_ms);
    return false;
}

void world_stopped(struct world *world, uint32_t node) {
    world_crash(world, node, random_between(&world->node_random, 100, 1500));
}

enum write_fate world_write(struct world *world, uint32_t node) {
    struct node *at = &world->nodes[node];
    if (!at->is_up) return WRITE_LOST_CRASHED;
    if (at->is_disk_full) {
        world_count(world, COUNT_WRITES_FULL);
        world_crash(world, node, 300);
        return WRITE_REFUSED;
    }
    world_count(world, COUNT_WRITES);
    if (at->disk_ms != 0) {
        const uint64_t from_ms =
            at->busy_until_ms > world->now_ms ? at->busy_until_ms : world->now_ms;
        at->busy_until_ms = from_ms + at->disk_ms;
    }
    if (world_effect(world, node)) return WRITE_DONE;
    /* The crash hits the write itself: kept, lost or torn. */
    switch (random_below(&world->node_random, 3)) {
    case 0: return WRITE_DONE_CRASHED;
    case 1: world_count(world, COUNT_WRITES_LOST); return WRITE_LOST_CRASHED;
    default: world_count(world, COUNT_WRITES_TORN); return WRITE_TORN_CRASHED;
    }
}

static void restart(struct world *world, uint32_t node) {
    struct node *at = &world->nodes[node];
    if (at->is_up) return;
    world_trace(world, "start", node, at->incarnation, 0);
    if (at->incarnation != 0) world_count(world, COUNT_RESTARTS);
    at->is_up = true;
    world->config.kind->start(world, node, at->state);
    schedule_timer(world, node);
}

/* --- a step */

static bool is_busy(struct world *world, const struct event *event) {
    if (event->kind == EVENT_RESTART || event->kind == EVENT_FAULT_END) return false;
    if (event->kind == EVENT_OUTSIDE) return false;
    struct node *at = &world->nodes[event->node];
    if (!at->is_up || at->busy_until_ms <= world->now_ms) return false;
    struct event later = *event;
    later.at_ms = at->busy_until_ms;
    if (event->kind == EVENT_TIMER && event->at_ms == at->timer_at_ms) {
        at->timer_at_ms = later.at_ms;
    }
    push_as_is(world, later); /* what waits keeps its place in the order */
    return true;
}

static void dispatch(struct world *world, const struct event *event) {
    struct node *at = &world->nodes[event->node];
    const struct node_kind *kind = world->config.kind;
    const bool is_same = at->is_up && event->incarnation == at->incarnation;
    const struct bytes message = event->payload == NULL
                                     ? BYTES_EMPTY
                                     : (struct bytes){event->payload->data, event->payload->size};
    switch (event->kind) {
    case EVENT_DELIVER:
        if (!at->is_up) break;
        world_count(world, COUNT_MESSAGES_DELIVERED);
        world->is_stale =
            !is_same || event->from_incarnation != world->nodes[event->from].incarnation;
        kind->deliver(world, event->node, at->state, event->from, message);
        break;
    case EVENT_LOCAL:
        if (is_same) kind->local(world, event->node, at->state, message);
        break;
    case EVENT_TIMER:
        if (!is_same || event->at_ms != at->timer_at_ms) break; /* an earlier one was set since */
        at->timer_at_ms = UINT64_MAX;
        kind->tick(world, event->node, at->state);
        break;
    case EVENT_RESTART: restart(world, event->node); break;
    case EVENT_FAULT_END: faults_end(world, event->fault); break;
    case EVENT_OUTSIDE:
        world_push(world, (struct event){.at_ms = world->now_ms + kind->outside(world),
                                         .kind = EVENT_OUTSIDE});
        break;
    }
    if (event->kind != EVENT_FAULT_END && event->kind != EVENT_OUTSIDE)
        schedule_timer(world, event->node);
}

static void heal(struct world *world) {
    world->is_chaos = false;
    world->healed_at_steps = world->steps;
    faults_heal(world);
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        const struct node *at = &world->nodes[i];
        const uint64_t height = world->config.kind->height(at->state);
        if (!at->is_byzantine && height > world->recovery_height) world->recovery_height = height;
    }
    world->recovery_height += RECOVERY_HEIGHTS;
    world_trace(world, "healed", 0, world->steps, world->recovery_height);
}

static bool has_recovered(struct world *world) {
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        const struct node *at = &world->nodes[i];
        if (at->is_byzantine) continue;
        if (!at->is_up) return false;
        if (world->config.kind->height(at->state) < world->recovery_height) return false;
    }
    const struct node_kind *kind = world->config.kind;
    return kind->is_done == NULL || kind->is_done(world);
}

static void fail_progress(struct world *world) {
    char heights[256] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < world->nodes_count && used < sizeof heights; i++) {
        const struct node *at = &world->nodes[i];
        used += (size_t)snprintf(heights + used, sizeof heights - used, " %s%" PRIu64,
                                 at->is_byzantine ? "byzantine:"
                                 : at->is_up      ? ""
                                                  : "down:",
                                 world->config.kind->height(at->state));
    }
    world_fail(world, "progress",
               "not everybody committed height %" PRIu64 " within %d steps after the faults "
               "stopped at step %" PRIu64 "; heights:%s%s",
               world->recovery_height, RECOVERY_STEPS_MAX, world->healed_at_steps, heights,
               world->undone);
}

void world_run(struct world *world) {
    while (!world->has_failed) {
        if (world->is_chaos && world->steps >= world->config.steps) heal(world);
        if (!world->is_chaos) {
            if (has_recovered(world)) break;
            if (world->queue_count == 0 ||
                world->steps - world->healed_at_steps > RECOVERY_STEPS_MAX) {
                fail_progress(world);
                break;
            }
        }
        CHECK(world->queue_count != 0);
        const struct event event = pop(world);
        CHECK(event.at_ms >= world->now_ms);
        world->now_ms = event.at_ms;
        world->steps++;
        if (world->is_chaos) faults_begin_due(world);
        if (is_busy(world, &event)) continue;
        world->trace = mix(mix(world->trace, event.at_ms), (uint64_t)event.kind << 32 | event.node);
        dispatch(world, &event);
        payload_release(event.payload);
    }
    if (!world->has_failed) checker_finish(world);
}

/* --- its life */

static uint32_t draw_nodes_count(struct world *world) {
    if (world->config.nodes_count != 0) return world->config.nodes_count;
    if (world->config.fault_model == FAULT_MODEL_CRASH) {
        return (uint32_t)random_between(&world->node_random, 3, 6);
    }
    return (uint32_t)random_between(&world->node_random, 4, 8);
}

struct world *world_create(const struct world_config *config) {
    struct world *world = calloc(1, sizeof *world);
    CHECK(world != NULL);
    world->config = *config;
    world->network_random = random_make(config->seed, PURPOSE_NETWORK);
    world->faults_random = random_make(config->seed, PURPOSE_FAULTS);
    world->node_random = random_make(config->seed, PURPOSE_NODES);
    world->byzantine_random = random_make(config->seed, PURPOSE_BYZANTINE);
    world->queue = malloc(sizeof *world->queue * WORLD_EVENTS_MAX);
    CHECK(world->queue != NULL);
    world->is_chaos = true;
    world->now_ms = 1000;
    world->nodes_count = draw_nodes_count(world);
    CHECK(world->nodes_count <= WORLD_NODES_MAX);
    faults_init(world);
    checker_create(world);
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        struct node *node = &world->nodes[i];
        node->timer_at_ms = UINT64_MAX;
        node->clock_us = random_below(&world->node_random, 1000000000);
        node->clock_world_ms = node->wall_world_ms = world->now_ms;
        node->clock_drift = (int64_t)random_below(&world->node_random, 21) - 10;
        node->execution_ms = 1 + (uint32_t)random_below(&world->node_random, 10);
    }
    if (config->kind->open != NULL) config->kind->open(world);
    if (config->kind->outside != NULL) {
        world_push(world, (struct event){.at_ms = 2000, .kind = EVENT_OUTSIDE});
    }
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        world->nodes[i].state = config->kind->create(world, i);
        world_push(world, (struct event){.at_ms = 1000 + random_below(&world->node_random, 300),
                                         .kind = EVENT_RESTART,
                                         .node = i});
    }
    return world;
}

void world_destroy(struct world *world) {
    for (uint32_t i = 0; i < world->queue_count; i++)
        payload_release(world->queue[i].payload);
    for (uint32_t i = 0; i < world->nodes_count; i++)
        world->config.kind->destroy(world->nodes[i].state);
    if (world->config.kind->close != NULL) world->config.kind->close(world);
    checker_destroy(world);
    free(world->queue);
    free(world);
}
