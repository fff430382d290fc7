#include "simulator/simulator.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

static bool read_whole(const char *text, uint64_t low, uint64_t high, uint64_t *out) {
    return read_number(&text, out) && *text == 0 && *out >= low && *out <= high;
}

static bool read_seeds(const char *text, struct run_options *options) {
    if (!read_number(&text, &options->seed_first)) return false;
    if (text[0] != '.' || text[1] != '.') return false;
    text += 2;
    if (!read_number(&text, &options->seed_last) || *text != 0) return false;
    return options->seed_first <= options->seed_last && options->seed_last <= SEED_MAX;
}

static bool read_without(const char *text, struct run_options *options) {
    for (;;) {
        uint64_t number;
        if (!read_number(&text, &number) || number >= WORLD_FAULTS_MAX) return false;
        options->without[number / 64] |= (uint64_t)1 << (number % 64);
        if (*text == 0) return true;
        if (*text++ != ',') return false;
    }
}

static bool read_model(const char *text, struct run_options *options) {
    options->has_model = true;
    options->fault_model = strcmp(text, "crash") == 0 ? FAULT_MODEL_CRASH : FAULT_MODEL_BYZANTINE;
    return strcmp(text, "crash") == 0 || strcmp(text, "byzantine") == 0;
}

/* read_value takes a flag's value; false: it is not what the flag wants. */
static bool read_value(const char *name, const char *value, struct run_options *options) {
    uint64_t number;
    if (strcmp(name, "--seeds") == 0) return read_seeds(value, options);
    if (strcmp(name, "--model") == 0) return read_model(value, options);
    if (strcmp(name, "--without") == 0) return read_without(value, options);
    if (strcmp(name, "--kind") == 0) {
        const bool is_core = strcmp(value, core_node_kind.name) == 0;
        options->kind = is_core ? &core_node_kind : &sequencer_node_kind;
        return is_core || strcmp(value, sequencer_node_kind.name) == 0;
    }
    if (strcmp(name, "--report") == 0) {
        options->report = value;
        return value[0] != '\0';
    }
    if (strcmp(name, "--steps") == 0) return read_whole(value, 1, STEPS_MAX, &options->steps);
    const bool is_nodes = strcmp(name, "--nodes") == 0, is_jobs = strcmp(name, "--jobs") == 0;
    const uint64_t high = is_nodes ? WORLD_NODES_MAX : is_jobs ? RUN_JOBS_MAX : SEED_MAX;
    if (!read_whole(value, is_nodes || is_jobs ? 1 : 0, high, &number)) return false;
    if (is_nodes) options->nodes_count = (uint32_t)number;
    if (is_jobs) options->jobs = (uint32_t)number;
    if (!is_nodes && !is_jobs) options->seed_first = options->seed_last = number;
    return true;
}

static bool is_seed_flag(const char *name) {
    return strcmp(name, "--seed") == 0 || strcmp(name, "--seeds") == 0 ||
           strcmp(name, "--shrink") == 0;
}

/* read_flag takes a flag and the argument after it, or NULL; false: it said what is wrong. */
static bool read_flag(const char *name, const char *value, struct run_options *options,
                      const char **seed_flag) {
    static const struct {
        const char *name, *wanted;
    } flags[] = {
        {"--seed", "a number below 2^63"},
        {"--seeds", "A..B with A at most B, and B below 2^63"},
        {"--shrink", "a number below 2^63"},
        {"--kind", "sequencer or consensus"},
        {"--nodes", "a number from 1 to " TEXT_OF(WORLD_NODES_MAX)},
        {"--model", "crash or byzantine"},
        {"--steps", "a number from 1 to " TEXT_OF(STEPS_MAX)},
        {"--without", "a list of fault numbers below " TEXT_OF(WORLD_FAULTS_MAX)},
        {"--jobs", "a number from 1 to " TEXT_OF(RUN_JOBS_MAX)},
        {"--report", "a file's name"},
    };
    const size_t flags_count = sizeof flags / sizeof flags[0];
    size_t at = 0;
    while (at < flags_count && strcmp(name, flags[at].name) != 0)
        at++;
    if (at == flags_count) {
        fprintf(stderr, "baton simulate: %s: unknown flag (see --help)\n", name);
        return false;
    }
    if (value == NULL) {
        fprintf(stderr, "baton simulate: %s: needs a value: %s\n", name, flags[at].wanted);
        return false;
    }
    if (is_seed_flag(name)) {
        if (*seed_flag != NULL) {
            fprintf(stderr, "baton simulate: %s and %s exclude each other\n", *seed_flag, name);
            return false;
        }
        *seed_flag = flags[at].name;
    }
    if (read_value(name, value, options)) return true;
    fprintf(stderr, "baton simulate: %s: \"%s\" is not %s\n", name, value, flags[at].wanted);
    return false;
}

/* read_options fills the options and the flag that names the seeds; false: it said what is wrong.
 */
static bool read_options(int argc, char **argv, struct run_options *options,
                         const char **seed_flag) {
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *options = (struct run_options){.kind = &sequencer_node_kind,
                                    .steps = STEPS_DEFAULT,
                                    .jobs = cores < 1              ? 1
                                            : cores > RUN_JOBS_MAX ? RUN_JOBS_MAX
                                                                   : (uint32_t)cores};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            options->is_traced = true;
        } else if (strcmp(argv[i], "--first") == 0) {
            options->stops_at_first = true;
        } else {
            char *equals = strchr(argv[i], '=');
            const char *value = i + 1 < argc ? argv[i + 1] : NULL;
            if (equals != NULL) {
                *equals = '\0';
                value = equals + 1;
            }
            if (!read_flag(argv[i], value, options, seed_flag)) return false;
            i += equals == NULL;
        }
    }
    if (*seed_flag == NULL) {
        fputs("baton simulate: which seed? --seed S, --seeds A..B or --shrink S (see --help)\n",
              stderr);
        return false;
    }
    if (options->is_traced && strcmp(*seed_flag, "--seed") != 0) {
        fprintf(stderr, "baton simulate: --trace goes with --seed, not with %s\n", *seed_flag);
        return false;
    }
    if (options->report != NULL && strcmp(*seed_flag, "--shrink") == 0) {
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

static double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int simulator_main(int argc, char **argv) {
    struct run_options options;
    const char *seed_flag = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) continue;
        printf(help, WORLD_NODES_MAX, STEPS_DEFAULT, RUN_JOBS_MAX);
        return 0;
    }
    if (!read_options(argc, argv, &options, &seed_flag)) return 2;
    if (strcmp(seed_flag, "--shrink") == 0) {
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
