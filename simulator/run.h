#pragma once
/* Runs of the simulator: one seed, many seeds on all cores, and the shrinking of a failing one. */
#include <stdio.h>

#include "base/err.h"
#include "simulator/world.h"

#define RUN_JOBS_MAX 64

struct run_options {
    const struct node_kind *kind;
    uint64_t seed_first, seed_last;
    uint32_t nodes_count; /* 0: drawn */
    bool has_model;
    enum fault_model fault_model;
    uint64_t steps;
    uint32_t jobs;
    bool is_traced, stops_at_first;
    uint64_t without[WORLD_FAULTS_MAX / 64];
    const char *report; /* NULL: standard output */
};

struct run_result {
    bool has_failed;
    const char *rule; /* static text */
    char failure[512];
    uint64_t seed, trace, steps, now_ms;
    uint32_t nodes_count, faults_count;
    uint64_t counts[COUNT_KINDS], fault_counts[FAULT_KINDS];
};

/* run_model is the model of a seed: what was asked for, or every other one. */
enum fault_model run_model(const struct run_options *options, uint64_t seed);
/* run_one runs one seed.  A failed CHECK prints the seed's command and ends the process. */
void run_one(const struct run_options *options, uint64_t seed, struct run_result *out);
/* run_many runs all seeds of the options; *out holds the first failure by seed and the sums. */
void run_many(const struct run_options *options, struct run_result *out, uint64_t *runs,
              uint64_t *failures);
/* run_shrink prints the shortest command it finds; false: the seed does not fail. */
bool run_shrink(struct run_options *options);
/* run_command writes the command that repeats a run. */
void run_command(const struct run_options *options, uint64_t seed, char *out, size_t out_bytes);
/* run_report writes the JSON report to `file`. */
void run_report(const struct run_options *options, const struct run_result *result, uint64_t runs,
                uint64_t failures, double seconds, const char *const *missing, size_t missing_count,
                FILE *file);
/* run_summary says on standard error, in a line, what one run went through. */
void run_summary(const struct run_options *options, const struct run_result *result);
/* run_missing lists what never happened and should have. */
size_t run_missing(const struct run_options *options, const struct run_result *result,
                   uint64_t runs, const char **names);
