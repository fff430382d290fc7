#include "simulator/run.h"

#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

/* What a failed CHECK needs to say which run it was. */
static _Thread_local uint64_t current_seed;
static _Thread_local const struct run_options *current_options;

static void on_abort(int signal_number) {
    (void)signal_number;
    if (current_options == NULL) return;
    char command[512], line[600];
    run_command(current_options, current_seed, command, sizeof command);
    const int bytes = snprintf(line, sizeof line, "FAILED: a CHECK, in: %s\n", command);
    if (bytes > 0 && write(STDERR_FILENO, line, (size_t)bytes) < 0) _exit(1);
    _exit(1);
}

/* SIGINT and SIGTERM end a long run early: the runs under way are finished and reported. */
static atomic_bool is_stopping;

static void on_stop(int signal_number) {
    (void)signal_number;
    atomic_store(&is_stopping, true);
}

enum fault_model run_model(const struct run_options *options, uint64_t seed) {
    if (options->has_model) return options->fault_model;
    return seed % 2 == 0 ? FAULT_MODEL_CRASH : FAULT_MODEL_BYZANTINE;
}

void run_command(const struct run_options *options, uint64_t seed, char *out, size_t out_bytes) {
    size_t used = (size_t)snprintf(out, out_bytes,
                                   "baton simulate --kind %s --seed %" PRIu64 " --steps %" PRIu64,
                                   options->kind->name, seed, options->steps);
    if (options->has_model && used < out_bytes) {
        used += (size_t)snprintf(out + used, out_bytes - used, " --model %s",
                                 options->fault_model == FAULT_MODEL_CRASH ? "crash" : "byzantine");
    }
    if (options->nodes_count != 0 && used < out_bytes) {
        used += (size_t)snprintf(out + used, out_bytes - used, " --nodes %u", options->nodes_count);
    }
    const char *separator = " --without ";
    for (uint32_t i = 0; i < WORLD_FAULTS_MAX && used < out_bytes; i++) {
        if ((options->without[i / 64] >> (i % 64) & 1) == 0) continue;
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%u", separator, i);
        separator = ",";
    }
}

void run_one(const struct run_options *options, uint64_t seed, struct run_result *out) {
    current_seed = seed;
    current_options = options;
    struct world_config config = {
        .seed = seed,
        .nodes_count = options->nodes_count,
        .fault_model = run_model(options, seed),
        .steps = options->steps,
        .is_traced = options->is_traced,
        .kind = options->kind,
    };
    memcpy(config.without, options->without, sizeof config.without);
    struct world *world = world_create(&config);
    world_run(world);
    *out = (struct run_result){.has_failed = world->has_failed,
                               .rule = world->failed_rule,
                               .seed = seed,
                               .trace = world->trace,
                               .steps = world->steps,
                               .now_ms = world->now_ms,
                               .nodes_count = world->nodes_count,
                               .faults_count = world->faults_count};
    memcpy(out->failure, world->failure, sizeof out->failure);
    memcpy(out->counts, world->counts, sizeof out->counts);
    memcpy(out->fault_counts, world->fault_counts, sizeof out->fault_counts);
    world_destroy(world);
    current_options = NULL;
}

/* --- many seeds */

struct crew {
    const struct run_options *options;
    atomic_uint_fast64_t next_seed, done, failures;
    pthread_mutex_t lock; /* over `result` */
    struct run_result result;
};

static void add_result(struct crew *crew, const struct run_result *one) {
    struct run_result *sum = &crew->result;
    pthread_mutex_lock(&crew->lock);
    const bool is_first = one->has_failed && (!sum->has_failed || one->seed < sum->seed);
    if (is_first) {
        sum->has_failed = true;
        sum->rule = one->rule;
        sum->seed = one->seed;
        memcpy(sum->failure, one->failure, sizeof sum->failure);
    }
    /* A sum, so that the order of the threads does not show. */
    sum->trace += one->trace;
    sum->steps += one->steps;
    sum->now_ms += one->now_ms;
    sum->faults_count += one->faults_count;
    if (crew->options->seed_first == crew->options->seed_last) { /* no sum, but the run itself */
        sum->seed = one->seed;
        sum->nodes_count = one->nodes_count;
    }
    for (size_t i = 0; i < COUNT_KINDS; i++)
        sum->counts[i] += one->counts[i];
    for (size_t i = 0; i < FAULT_KINDS; i++)
        sum->fault_counts[i] += one->fault_counts[i];
    pthread_mutex_unlock(&crew->lock);
}

static void *work(void *argument) {
    struct crew *crew = argument;
    for (;;) {
        const uint64_t seed = atomic_fetch_add(&crew->next_seed, 1);
        if (seed > crew->options->seed_last || atomic_load(&is_stopping)) return NULL;
        if (crew->options->stops_at_first && atomic_load(&crew->failures) != 0) return NULL;
        struct run_result one;
        run_one(crew->options, seed, &one);
        add_result(crew, &one);
        if (one.has_failed) {
            char command[512];
            run_command(crew->options, seed, command, sizeof command);
            fprintf(stderr, "%sFAILED: %s: %s\n  %s\n",
                    isatty(STDERR_FILENO) == 1 ? "\r\x1b[K" : "", one.rule, one.failure, command);
            atomic_fetch_add(&crew->failures, 1);
        }
        atomic_fetch_add(&crew->done, 1);
    }
}

static bool is_over(struct crew *crew, uint64_t total) {
    if (atomic_load(&crew->done) >= total || atomic_load(&is_stopping)) return true;
    return crew->options->stops_at_first && atomic_load(&crew->failures) != 0;
}

/* show_progress keeps one line of a terminal up to date, once a second. */
static void *show_progress(void *argument) {
    struct crew *crew = argument;
    const uint64_t total = crew->options->seed_last - crew->options->seed_first + 1;
    for (unsigned looks = 1; !is_over(crew, total); looks++) {
        if (looks % 20 == 0) {
            fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " seeds, %" PRIu64 " failed\x1b[K",
                    (uint64_t)atomic_load(&crew->done), total,
                    (uint64_t)atomic_load(&crew->failures));
        }
        usleep(50000);
    }
    fputs("\r\x1b[K", stderr);
    return NULL;
}

void run_many(const struct run_options *options, struct run_result *out, uint64_t *runs,
              uint64_t *failures) {
    static struct crew crew;
    memset(&crew, 0, sizeof crew);
    crew.options = options;
    atomic_store(&crew.next_seed, options->seed_first);
    CHECK(pthread_mutex_init(&crew.lock, NULL) == 0);
    signal(SIGABRT, on_abort);
    signal(SIGINT, on_stop);
    signal(SIGTERM, on_stop);
    /* The memory of one run is the next one's: give none of it back in between. */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    /* The nodes' large buffers are thread-local, which lies on the stack. */
    pthread_attr_t large;
    CHECK(pthread_attr_init(&large) == 0);
    CHECK(pthread_attr_setstacksize(&large, (size_t)256 << 20) == 0);
    pthread_t threads[RUN_JOBS_MAX], progress;
    const uint32_t jobs = options->jobs;
    for (uint32_t i = 0; i < jobs; i++)
        CHECK(pthread_create(&threads[i], &large, work, &crew) == 0);
    const bool is_long =
        options->seed_last - options->seed_first >= 100 && isatty(STDERR_FILENO) == 1;
    if (is_long) CHECK(pthread_create(&progress, &large, show_progress, &crew) == 0);
    for (uint32_t i = 0; i < jobs; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    if (is_long) CHECK(pthread_join(progress, NULL) == 0);
    pthread_attr_destroy(&large);
    *out = crew.result;
    *runs = atomic_load(&crew.done);
    *failures = atomic_load(&crew.failures);
    pthread_mutex_destroy(&crew.lock);
}

/* --- shrinking */

/* attempt runs the options' first seed in a child, which a failed CHECK may end. */
static bool attempt(const struct run_options *options, struct run_result *out) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct run_result result;
        close(ends[0]);
        if (freopen("/dev/null", "w", stderr) == NULL) _exit(2);
        run_one(options, options->seed_first, &result);
        const ssize_t sent = write(ends[1], &result, sizeof result);
        _exit(sent != (ssize_t)sizeof result);
    }
    close(ends[1]);
    memset(out, 0, sizeof *out);
    const bool is_whole = read(ends[0], out, sizeof *out) == (ssize_t)sizeof *out;
    close(ends[0]);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    if (is_whole) return out->has_failed;
    out->rule = "CHECK";
    out->steps = options->steps;
    out->faults_count = WORLD_FAULTS_MAX;
    return true; /* died in a CHECK */
}

static bool is_same_rule(const char *a, const char *b) {
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* shorten halves the steps as long as the same rule breaks. */
static void shorten(struct run_options *options, const char *rule) {
    struct run_result result;
    for (uint64_t cut = options->steps / 2; cut >= 1; cut /= 2) {
        struct run_options shorter = *options;
        while (shorter.steps > cut) {
            shorter.steps -= cut;
            if (!attempt(&shorter, &result) || !is_same_rule(result.rule, rule)) break;
            *options = shorter;
        }
    }
}

/* with_fewer_nodes tries the seed with as few nodes as the model allows, and more of them until the
 * same rule breaks no later and with no more faults. */
static void with_fewer_nodes(struct run_options *options, struct run_result *result,
                             const char *rule) {
    struct run_options fewer = *options;
    struct run_result tried;
    fewer.has_model = true; /* fewer than four nodes have no other */
    fewer.fault_model = run_model(options, options->seed_first);
    const uint32_t nodes_count = result->nodes_count;
    fewer.nodes_count = fewer.fault_model == FAULT_MODEL_CRASH ? 2 : 4;
    for (; fewer.nodes_count < nodes_count; fewer.nodes_count++) {
        if (!attempt(&fewer, &tried) || !is_same_rule(tried.rule, rule)) continue;
        if (tried.steps > result->steps || tried.faults_count > result->faults_count) continue;
        *options = fewer;
        *result = tried;
        return;
    }
}

static void print_size(const struct run_result *result) {
    uint64_t faults = 0;
    for (size_t i = 0; i < FAULT_KINDS; i++)
        faults += result->fault_counts[i];
    fprintf(stderr, " after %" PRIu64 " steps with %" PRIu64 " faults and %u nodes\n",
            result->steps, faults, result->nodes_count);
}

bool run_shrink(struct run_options *options) {
    struct run_result result;
    char command[1024];
    options->is_traced = false;
    if (!attempt(options, &result)) return false;
    const char *rule = result.rule;
    fprintf(stderr, "breaks \"%s\"", rule);
    print_size(&result);
    with_fewer_nodes(options, &result, rule);
    shorten(options, rule);
    CHECK(attempt(options, &result));
    const uint32_t faults =
        result.faults_count < WORLD_FAULTS_MAX ? result.faults_count : WORLD_FAULTS_MAX;
    for (uint32_t i = 0; i < faults; i++) {
        struct run_options fewer = *options;
        fewer.without[i / 64] |= (uint64_t)1 << (i % 64);
        if (attempt(&fewer, &result) && is_same_rule(result.rule, rule)) *options = fewer;
    }
    shorten(options, rule);
    CHECK(attempt(options, &result));
    fputs("and still does", stderr);
    print_size(&result);
    run_command(options, options->seed_first, command, sizeof command);
    printf("%s: %s\n%s\n", rule, result.failure, command);
    return true;
}
