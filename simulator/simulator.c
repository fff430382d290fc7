#include "simulator/simulator.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "simulator/core_node.h"
#include "simulator/run.h"
#include "simulator/sequencer_node.h"

#define STEPS_DEFAULT 2500

static const char usage[] =
    "usage: baton simulate (--seed S | --seeds A..B | --shrink S) [--nodes N]\n"
    "           [--kind sequencer|consensus]\n"
    "           [--model crash|byzantine] [--steps K] [--without I,J,...] [--jobs N]\n"
    "           [--trace] [--first] [--report FILE]\n";

static const char help[] =
    "NAME\n  baton simulate - run a simulated cluster through its bad days\n\n"
    "SYNOPSIS\n"
    "  baton simulate --seed S [--trace] [FLAG ...]      one run\n"
    "  baton simulate --seeds A..B [--jobs N] [FLAG ...] many, and a JSON report\n"
    "  baton simulate --shrink S [FLAG ...]              a shorter run that fails the same way\n\n"
    "DESCRIPTION\n"
    "  Runs the real sequencer code of several nodes on one thread, in simulated time, with "
    "faults\n"
    "  of network, disks, clocks, L1, DA and validators, and checks after every step that no rule\n"
    "  of docs/consensus.md is broken.  Everything follows from the seed: the same seed gives the\n"
    "  same run on every build.  SIGINT ends a run of many seeds early; the report is about those\n"
    "  that were run.\n\n"
    "FLAGS\n"
    "  --kind KIND         sequencer: pool, blocks, consensus, sync, batches (default); "
    "consensus:\n"
    "                      the consensus machine alone, several times faster\n"
    "  --nodes N           nodes [default: drawn from the seed]\n"
    "  --model MODEL       crash or byzantine [default: drawn from the seed]\n"
    "  --steps K           events until the faults stop [default: 2500]\n"
    "  --without I,J,...   leaves out these faults of the run, by number\n"
    "  --jobs N            processes [default: one for each core]\n"
    "  --trace             prints every event\n"
    "  --first             stops at the first seed that fails\n"
    "  --report FILE       the JSON report [default: standard output]\n\n"
    "EXIT STATUS\n"
    "  0 no rule was broken, and all that was to be tried happened; 1 a rule was broken; 2 wrong\n"
    "  use; 3 nothing was broken, but some fault or rule never happened, which is no pass.\n";

static bool read_number(const char **text, uint64_t *out) {
    char *end;
    if (**text < '0' || **text > '9') return false;
    *out = strtoull(*text, &end, 10);
    *text = end;
    return true;
}

static bool read_whole(const char *text, uint64_t low, uint64_t high, uint64_t *out) {
    return read_number(&text, out) && *text == 0 && *out >= low && *out <= high;
}

static bool read_seeds(const char *text, struct run_options *options) {
    if (!read_number(&text, &options->seed_first)) return false;
    if (text[0] != '.' || text[1] != '.') return false;
    text += 2;
    if (!read_number(&text, &options->seed_last) || *text != 0) return false;
    return options->seed_first <= options->seed_last;
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

/* read_option takes one option with its value. */
static bool read_option(const char *name, const char *value, struct run_options *options,
                        bool *is_shrink) {
    uint64_t number;
    if (strcmp(name, "--seeds") == 0) return read_seeds(value, options);
    if (strcmp(name, "--model") == 0) return read_model(value, options);
    if (strcmp(name, "--kind") == 0) {
        const bool is_core = strcmp(value, core_node_kind.name) == 0;
        options->kind = is_core ? &core_node_kind : &sequencer_node_kind;
        return is_core || strcmp(value, sequencer_node_kind.name) == 0;
    }
    if (strcmp(name, "--without") == 0) return read_without(value, options);
    if (strcmp(name, "--report") == 0) {
        options->report = value;
        return true;
    }
    if (strcmp(name, "--seed") == 0 || strcmp(name, "--shrink") == 0) {
        if (!read_whole(value, 0, UINT64_MAX, &number)) return false;
        options->seed_first = options->seed_last = number;
        *is_shrink = strcmp(name, "--shrink") == 0;
        return true;
    }
    if (strcmp(name, "--nodes") == 0) {
        if (!read_whole(value, 1, WORLD_NODES_MAX, &number)) return false;
        options->nodes_count = (uint32_t)number;
        return true;
    }
    if (strcmp(name, "--steps") == 0) return read_whole(value, 1, 10000000, &options->steps);
    if (strcmp(name, "--jobs") == 0) {
        if (!read_whole(value, 1, 64, &number)) return false;
        options->jobs = (uint32_t)number;
        return true;
    }
    return false;
}

static bool read_options(int argc, char **argv, struct run_options *options, bool *is_shrink) {
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *options = (struct run_options){.kind = &sequencer_node_kind,
                                    .seed_first = UINT64_MAX,
                                    .steps = STEPS_DEFAULT,
                                    .jobs = cores < 1 ? 1 : (uint32_t)cores};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            options->is_traced = true;
            continue;
        }
        if (strcmp(argv[i], "--first") == 0) {
            options->stops_at_first = true;
            continue;
        }
        if (i + 1 == argc || !read_option(argv[i], argv[i + 1], options, is_shrink)) {
            fprintf(stderr, "baton simulate: %s is not understood\n%s", argv[i], usage);
            return false;
        }
        i++;
    }
    if (options->seed_first == UINT64_MAX) {
        fprintf(stderr, "baton simulate: which seed?\n%s", usage);
        return false;
    }
    const bool is_small = options->nodes_count != 0 && options->nodes_count < 4;
    if (is_small && !(options->has_model && options->fault_model == FAULT_MODEL_CRASH)) {
        fprintf(stderr, "baton simulate: --model byzantine needs four nodes; use --model crash\n");
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
    bool is_shrink = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) continue;
        fputs(help, stdout);
        return 0;
    }
    if (!read_options(argc, argv, &options, &is_shrink)) return 2;
    if (is_shrink) {
        if (run_shrink(&options)) return 1;
        printf("seed %" PRIu64 " breaks nothing\n", options.seed_first);
        return 0;
    }
    const double began = now_seconds();
    struct run_result result;
    uint64_t runs, failures;
    run_many(&options, &result, &runs, &failures);
    if (runs == 1) run_summary(&options, &result);
    const char *missing[COUNT_KINDS + FAULT_KINDS];
    const size_t missing_count = run_missing(&options, &result, runs, missing);
    run_report(&options, &result, runs, failures, now_seconds() - began, missing, missing_count);
    if (failures != 0) return 1;
    for (size_t i = 0; i < missing_count; i++)
        fprintf(stderr, "never happened, so this is no pass: %s\n", missing[i]);
    return missing_count == 0 ? 0 : 3;
}
