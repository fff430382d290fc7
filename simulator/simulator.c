#include "simulator/simulator.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "flags/flags.h"
#include "simulator/core_node.h"
#include "simulator/run.h"
#include "simulator/sequencer_node.h"

#define STEPS_DEFAULT 2500
#define STEPS_MAX     10000000
#define SEED_MAX      INT64_MAX /* so that one seed more is a number, too */

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

static const char help[] =
    "NAME\n  baton simulate - run a simulated cluster through its bad days\n\n"
    "SYNOPSIS\n"
    "  baton simulate --seed S [--trace] [FLAG ...]      one run\n"
    "  baton simulate --seeds A..B [--jobs N] [FLAG ...] many\n"
    "  baton simulate --shrink S [FLAG ...]              a shorter run that fails the same way\n\n"
    "DESCRIPTION\n"
    "  Runs the real sequencer code of several nodes on one thread, in simulated time, with "
    "faults\n"
    "  of network, disks, clocks, L1, DA and validators, and checks after every step that no rule\n"
    "  of docs/consensus.md is broken.  Everything follows from the seed: the same seed gives the\n"
    "  same run on every build.  SIGINT ends a run of many seeds early; the report is about those\n"
    "  that were run.  Many seeds show their progress on a terminal; a seed that fails is printed\n"
    "  as the command that runs it again.\n\n"
    "FLAGS\n"
    "  --kind KIND         sequencer: pool, blocks, consensus, sync, batches (default); "
    "consensus:\n"
    "                      the consensus machine alone, several times faster\n"
    "  --nodes N           1 to %d [default: drawn from the seed]\n"
    "  --model MODEL       crash or byzantine [default: drawn from the seed]\n"
    "  --steps K           events until the faults stop [default: %d]\n"
    "  --without I,J,...   leaves out these faults of the run; --trace shows their numbers\n"
    "  --jobs N            threads, 1 to %d [default: one for each core]\n"
    "  --trace             prints every event of the one run, and the report with --report only\n"
    "  --first             stops at the first seed that fails\n"
    "  --report FILE       the JSON report [default: standard output]\n\n"
    "REPORT\n"
    "  runs, failures, passed; failure: the first seed's rule, text and command; faults: how "
    "often\n"
    "  each kind of fault began; counts: what happened and which rules fired; never_happened;\n"
    "  seconds, seeds_per_second, steps_total; trace: a hash of everything that happened.\n\n"
    "EXIT STATUS\n"
    "  0 no rule was broken, and all that was to be tried happened; 1 a rule was broken; 2 wrong\n"
    "  use; 3 nothing was broken, but some fault or rule never happened, which is no pass; 130\n"
    "  ended early by a signal, and nothing was broken until then, which is no pass either.\n";

static bool read_number(const char **text, uint64_t *out) {
    char *end;
    if (**text < '0' || **text > '9') return false;
    errno = 0;
    *out = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

/* Which seeds, by each of the three flags that can say so; only one may. */
struct seed_flags {
    uint64_t one, shrunk, first, last;
    bool has_one, has_shrunk, has_many;
};

static bool read_seed(const char *text, void *out) {
    struct seed_flags *seeds = out;
    seeds->has_one = true;
    return flag_read_number(text, 0, SEED_MAX, &seeds->one);
}

static bool read_shrunk(const char *text, void *out) {
    struct seed_flags *seeds = out;
    seeds->has_shrunk = true;
    return flag_read_number(text, 0, SEED_MAX, &seeds->shrunk);
}

static bool read_seeds(const char *text, void *out) {
    struct seed_flags *seeds = out;
    seeds->has_many = true;
    if (!read_number(&text, &seeds->first)) return false;
    if (text[0] != '.' || text[1] != '.') return false;
    text += 2;
    if (!read_number(&text, &seeds->last) || *text != 0) return false;
    return seeds->first <= seeds->last && seeds->last <= SEED_MAX;
}

static bool read_without(const char *text, void *out) {
    struct run_options *options = out;
    for (;;) {
        uint64_t number;
        if (!read_number(&text, &number) || number >= WORLD_FAULTS_MAX) return false;
        options->without[number / 64] |= (uint64_t)1 << (number % 64);
        if (*text == 0) return true;
        if (*text++ != ',') return false;
    }
}

static bool read_model(const char *text, void *out) {
    struct run_options *options = out;
    options->has_model = true;
    options->fault_model = strcmp(text, "crash") == 0 ? FAULT_MODEL_CRASH : FAULT_MODEL_BYZANTINE;
    return strcmp(text, "crash") == 0 || strcmp(text, "byzantine") == 0;
}

static bool read_kind(const char *text, void *out) {
    struct run_options *options = out;
    const bool is_core = strcmp(text, core_node_kind.name) == 0;
    options->kind = is_core ? &core_node_kind : &sequencer_node_kind;
    return is_core || strcmp(text, sequencer_node_kind.name) == 0;
}

/* check_options holds the flags against each other; false: it said what is wrong. */
static bool check_options(const struct run_options *options, const struct seed_flags *seeds) {
    const int count =
        (seeds->has_one ? 1 : 0) + (seeds->has_many ? 1 : 0) + (seeds->has_shrunk ? 1 : 0);
    if (count == 0) {
        fputs("baton simulate: which seed? --seed S, --seeds A..B or --shrink S (see --help)\n",
              stderr);
        return false;
    }
    if (count > 1) {
        fputs("baton simulate: --seed, --seeds and --shrink exclude each other\n", stderr);
        return false;
    }
    if (options->is_traced && !seeds->has_one) {
        fputs("baton simulate: --trace goes with --seed\n", stderr);
        return false;
    }
    if (options->report != NULL && seeds->has_shrunk) {
        fputs("baton simulate: --shrink writes no report\n", stderr);
        return false;
    }
    const bool is_small = options->nodes_count != 0 && options->nodes_count < 4;
    if (is_small && !(options->has_model && options->fault_model == FAULT_MODEL_CRASH)) {
        fputs("baton simulate: --model byzantine needs four nodes; use --model crash\n", stderr);
        return false;
    }
    return true;
}

/* read_options fills the options; *is_shrinking: --shrink named the seed.  false: it said what is
 * wrong. */
static bool read_options(int argc, char **argv, struct run_options *options, bool *is_shrinking) {
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct seed_flags seeds = {0};
    uint64_t nodes = 0;
    uint64_t jobs = cores < 1 ? 1 : cores > RUN_JOBS_MAX ? RUN_JOBS_MAX : (uint64_t)cores;
    *options = (struct run_options){.kind = &sequencer_node_kind, .steps = STEPS_DEFAULT};
#define NUMBER(flag, place, most)                                                                  \
    { .name = (flag), .kind = FLAG_NUMBER, .out = (place), .low = 1, .high = (most) }
#define OTHER(flag, place, what, function)                                                         \
    { .name = (flag), .kind = FLAG_OTHER, .out = (place), .wanted = (what), .read = (function) }
    const struct flag flags[] = {
        OTHER("seed", &seeds, "a number below 2^63", read_seed),
        OTHER("seeds", &seeds, "A..B with A at most B, and B below 2^63", read_seeds),
        OTHER("shrink", &seeds, "a number below 2^63", read_shrunk),
        OTHER("kind", options, "sequencer or consensus", read_kind),
        OTHER("model", options, "crash or byzantine", read_model),
        OTHER("without", options, "a list of fault numbers below " TEXT_OF(WORLD_FAULTS_MAX),
              read_without),
        NUMBER("nodes", &nodes, WORLD_NODES_MAX),
        NUMBER("steps", &options->steps, STEPS_MAX),
        NUMBER("jobs", &jobs, RUN_JOBS_MAX),
        {.name = "trace", .kind = FLAG_SWITCH, .out = &options->is_traced},
        {.name = "first", .kind = FLAG_SWITCH, .out = &options->stops_at_first},
        {.name = "report", .kind = FLAG_TEXT, .out = &options->report},
    };
#undef NUMBER
#undef OTHER
    if (!flags_read("simulate", argc, argv, 1, flags, sizeof flags / sizeof flags[0], NULL)) {
        return false;
    }
    options->nodes_count = (uint32_t)nodes;
    options->jobs = (uint32_t)jobs;
    if (!check_options(options, &seeds)) return false;
    *is_shrinking = seeds.has_shrunk;
    options->seed_first = seeds.has_many ? seeds.first : seeds.has_one ? seeds.one : seeds.shrunk;
    options->seed_last = seeds.has_many ? seeds.last : options->seed_first;
    return true;
}

static double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int simulator_main(int argc, char **argv) {
    struct run_options options;
    bool is_shrinking;
    if (flags_help_wanted(argc, argv)) {
        printf(help, WORLD_NODES_MAX, STEPS_DEFAULT, RUN_JOBS_MAX);
        return 0;
    }
    if (!read_options(argc, argv, &options, &is_shrinking)) return 2;
    if (is_shrinking) {
        if (run_shrink(&options)) return 1;
        printf("seed %" PRIu64 " breaks nothing\n", options.seed_first);
        return 0;
    }
    FILE *report = stdout;
    if (options.report != NULL) report = fopen(options.report, "we");
    if (report == NULL) {
        fprintf(stderr, "baton simulate: --report: cannot write \"%s\": %s\n", options.report,
                strerror(errno));
        return 1;
    }
    const double began = now_seconds();
    struct run_result result;
    uint64_t runs, failures;
    run_many(&options, &result, &runs, &failures);
    if (runs == 1) run_summary(&options, &result);
    const char *missing[COUNT_KINDS + FAULT_KINDS];
    const size_t missing_count = run_missing(&options, &result, runs, missing);
    const double seconds = now_seconds() - began;
    if (!options.is_traced || options.report != NULL) {
        run_report(&options, &result, runs, failures, seconds, missing, missing_count, report);
    }
    if (fflush(report) != 0 || ferror(report) != 0 || fflush(stdout) != 0 || ferror(stdout) != 0) {
        fprintf(stderr, "baton simulate: not all of the %s could be written\n",
                options.is_traced ? "trace" : "report");
        return 1;
    }
    if (failures != 0) return 1;
    const uint64_t seeds = options.seed_last - options.seed_first + 1;
    if (runs < seeds) {
        fprintf(stderr, "baton simulate: ended early, after %" PRIu64 " of %" PRIu64 " seeds\n",
                runs, seeds);
        return 130;
    }
    for (size_t i = 0; i < missing_count; i++)
        fprintf(stderr, "never happened, so this is no pass: %s\n", missing[i]);
    return missing_count == 0 ? 0 : 3;
}
