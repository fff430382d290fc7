/* The JSON report: what was run, what happened in it, and what never did. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "simulator/run.h"

#define REPORT_BYTES_MAX (64 * 1024)
/* From so many runs on, each kind of fault and rule must have happened at least once. */
#define RUNS_TO_EXPECT_ALL 200

static bool is_expected(const struct run_options *options, enum count_kind kind) {
    if (options->kind->counts_missing[kind]) return false;
    const bool is_byzantine = !options->has_model || options->fault_model == FAULT_MODEL_BYZANTINE;
    /* Only lies break the rules behind these. */
    if (kind >= COUNT_BYZANTINE_EQUIVOCATIONS || kind == COUNT_RULE_EVIDENCE ||
        kind == COUNT_MESSAGES_REFUSED) {
        return is_byzantine;
    }
    return true;
}

size_t run_missing(const struct run_options *options, const struct run_result *result,
                   uint64_t runs, const char **names) {
    size_t count = 0;
    if (runs < RUNS_TO_EXPECT_ALL) {
        uint64_t faults = 0;
        for (size_t i = 0; i < FAULT_KINDS; i++)
            faults += result->fault_counts[i];
        if (faults == 0) names[count++] = "any fault";
        return count;
    }
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        if ((options->kind->faults >> i & 1) == 0) continue;
        if (result->fault_counts[i] == 0) names[count++] = fault_name((enum fault_kind)i);
    }
    for (size_t i = 0; i < COUNT_KINDS; i++) {
        const enum count_kind kind = (enum count_kind)i;
        if (result->counts[i] == 0 && is_expected(options, kind)) names[count++] = count_name(kind);
    }
    return count;
}

static void write_failure(struct json_writer *json, const struct run_options *options,
                          const struct run_result *result) {
    char command[1024];
    run_command(options, result->seed, command, sizeof command);
    json_key(json, "failure");
    json_object_begin(json);
    json_key(json, "rule");
    json_write_string(json, result->rule);
    json_key(json, "text");
    json_write_string(json, result->failure);
    json_key(json, "command");
    json_write_string(json, command);
    json_object_end(json);
}

static void write_numbers(struct json_writer *json, const struct run_result *result) {
    json_key(json, "faults");
    json_object_begin(json);
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        json_key(json, fault_name((enum fault_kind)i));
        json_number_u64(json, result->fault_counts[i]);
    }
    json_object_end(json);
    json_key(json, "counts");
    json_object_begin(json);
    for (size_t i = 0; i < COUNT_KINDS; i++) {
        json_key(json, count_name((enum count_kind)i));
        json_number_u64(json, result->counts[i]);
    }
    json_object_end(json);
}

static void write_head(struct json_writer *json, const struct run_options *options,
                       const struct run_result *result, uint64_t runs, double seconds) {
    char text[64];
    json_key(json, "kind");
    json_write_string(json, options->kind->name);
    json_key(json, "seeds");
    snprintf(text, sizeof text, "%llu..%llu", (unsigned long long)options->seed_first,
             (unsigned long long)options->seed_last);
    json_write_string(json, text);
    if (options->seed_first == options->seed_last) {
        json_key(json, "model");
        json_write_string(json, run_model(options, options->seed_first) == FAULT_MODEL_CRASH
                                    ? "crash"
                                    : "byzantine");
        json_key(json, "nodes");
        json_number_u64(json, result->nodes_count);
    }
    json_key(json, "runs");
    json_number_u64(json, runs);
    json_key(json, "steps_of_chaos");
    json_number_u64(json, options->steps);
    json_key(json, "steps_total");
    json_number_u64(json, result->steps);
    json_key(json, "simulated_ms");
    json_number_u64(json, result->now_ms);
    json_key(json, "faults_total");
    json_number_u64(json, result->faults_count);
    json_key(json, "seconds");
    json_number_u64(json, (uint64_t)seconds);
    json_key(json, "seeds_per_second");
    json_number_u64(json, seconds > 0.001 ? (uint64_t)((double)runs / seconds) : 0);
    json_key(json, "trace");
    snprintf(text, sizeof text, "%016llx", (unsigned long long)result->trace);
    json_write_string(json, text);
}

void run_report(const struct run_options *options, const struct run_result *result, uint64_t runs,
                uint64_t failures, double seconds, const char *const *missing, size_t missing_count,
                FILE *file) {
    static uint8_t data[REPORT_BYTES_MAX];
    struct buffer out = buffer_over(data, sizeof data);
    struct json_writer json = json_over(&out);
    json_object_begin(&json);
    write_head(&json, options, result, runs, seconds);
    json_key(&json, "failures");
    json_number_u64(&json, failures);
    json_key(&json, "passed");
    const bool is_whole = runs == options->seed_last - options->seed_first + 1;
    json_bool(&json, failures == 0 && missing_count == 0 && is_whole);
    if (failures != 0) write_failure(&json, options, result);
    json_key(&json, "never_happened");
    json_array_begin(&json);
    for (size_t i = 0; i < missing_count; i++)
        json_write_string(&json, missing[i]);
    json_array_end(&json);
    write_numbers(&json, result);
    json_object_end(&json);
    CHECK(!out.overflow);
    fwrite(data, 1, out.size, file);
    fputc('\n', file);
}

/* append adds "N what" to a sentence when N is not zero. */
static void append(char *text, size_t bytes, uint64_t count, const char *what) {
    const size_t used = strlen(text);
    if (count == 0 || used + 1 >= bytes) return;
    snprintf(text + used, bytes - used, "%s%llu %s", used == 0 ? "" : ", ",
             (unsigned long long)count, what);
}

void run_summary(const struct run_options *options, const struct run_result *result) {
    char faults[1024] = "";
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        append(faults, sizeof faults, result->fault_counts[i], fault_name((enum fault_kind)i));
    }
    append(faults, sizeof faults, result->counts[COUNT_BYZANTINE_INVALID], "invalid blocks");
    const bool is_crash = run_model(options, result->seed) == FAULT_MODEL_CRASH;
    fprintf(
        stderr,
        "seed %llu: %u nodes (%s) through %.1f s of %s: %llu blocks, %llu of them after a failed "
        "round, %llu transactions, %s\n",
        (unsigned long long)result->seed, result->nodes_count, is_crash ? "crash" : "byzantine",
        (double)result->now_ms / 1000, faults[0] == 0 ? "peace" : faults,
        (unsigned long long)result->counts[COUNT_BLOCKS],
        (unsigned long long)result->counts[COUNT_BLOCKS_LATER_ROUND],
        (unsigned long long)result->counts[COUNT_ITEMS_INCLUDED],
        result->has_failed ? "and a broken rule" : "no rule broken");
}
