/* The tracers on small programs; go-ethereum's vectors (fixtures/vectors_tracer.c) are the depth.
 */
#include "evm/tracer.h"

#include <stdio.h>
#include <string.h>

#include "evm/test_run.h"

#define KEPT_BYTES   ((size_t)1 << 20)
#define ANSWER_BYTES ((size_t)1 << 20)

static uint8_t kept_memory[KEPT_BYTES];
static char answer[ANSWER_BYTES];

/* trace runs a call of RUN_TARGET with the code and writes the trace into `answer`. */
static enum err trace(struct run *run, const struct tracer_config *config, const char *code,
                      size_t kept_bytes) {
    struct arena kept = arena_over(kept_memory, kept_bytes);
    struct buffer out = buffer_over((uint8_t *)answer, ANSWER_BYTES - 1);
    struct json_writer json = json_over(&out);
    const struct tracer_place place = {.block_number = 7};
    run_begin(run, FORK_OSAKA);
    run_code(run, &RUN_TARGET, code);
    struct tracer *tracer = tracer_create(&kept, config);
    if (tracer == NULL) return ERR_LIMIT;
    const struct evm_options options = {.tracer = tracer_observer(tracer)};
    const struct evm_host host = world_host(run->world);
    const struct transaction transaction = {
        .gas_limit = 1000000, .to = RUN_TARGET, .has_sender = true, .sender = RUN_SENDER};
    tracer_begin(tracer, &host, &run->block, &transaction, 0);
    const enum err err = evm_transaction_run(run->evm, &host, &run->block, &transaction, &options,
                                             &run->arena, &run->result);
    if (err != ERR_OK) return err;
    tracer_end(tracer, &run->result);
    TRY(tracer_write(tracer, &place, &json));
    answer[out.size] = 0;
    return ERR_OK;
}

static void expect(struct run *run, struct tracer_config config, const char *code,
                   const char *text) {
    CHECK(trace(run, &config, code, KEPT_BYTES) == ERR_OK);
    if (strstr(answer, text) == NULL) printf("%s\nis not in\n%s\n", text, answer);
    CHECK(strstr(answer, text) != NULL);
}

/* Stores, logs one byte, calls the identity contract, and fails or not. */
#define STORE    "602a600155"
#define LOG      "60016000a0"
#define IDENTITY "60006000600060006000600461fffff150"

static void check_steps(struct run *run) {
    const struct tracer_config steps = {.kind = TRACER_STEPS};
    expect(run, steps, STORE,
           "\"op\":\"SSTORE\",\"gas\":978994,\"gasCost\":22100,\"depth\":1,"
           "\"stack\":[\"0x2a\",\"0x1\"],\"storage\":{\"0x00000000000000000000000000000000"
           "00000000000000000000000000000001\":\"0x000000000000000000000000000000000000000000"
           "000000000000000000002a\"}");
    expect(run, (struct tracer_config){.kind = TRACER_STEPS, .enable_memory = true},
           "6001600052" STORE, "\"memory\":[\"0x0000000000000000");
    expect(run, (struct tracer_config){.kind = TRACER_STEPS, .steps_max = 1}, STORE,
           "\"structLogs\":[{\"pc\":0,\"op\":\"PUSH1\",\"gas\":979000,\"gasCost\":3,\"depth\":1,"
           "\"stack\":[]}]}");
    expect(run, steps, "01", "\"error\":\"stack underflow (0 <=> 2)\"");
    expect(run, steps, "21", "\"error\":\"invalid opcode: opcode 0x21 not defined\"");
}

static void check_calls(struct run *run) {
    const struct tracer_config calls = {.kind = TRACER_CALLS, .with_log = true};
    expect(run, calls, LOG IDENTITY, "\"calls\":[{\"from\":");
    expect(run, calls, LOG IDENTITY, "\"logs\":[{\"address\":");
    expect(run, calls, LOG "60006000fd", "\"error\":\"execution reverted\",\"value\"");
    expect(run, (struct tracer_config){.kind = TRACER_CALLS, .only_top_call = true}, IDENTITY,
           "\"input\":\"0x\",\"value\":\"0x0\",\"type\":\"CALL\"}");
    expect(run, (struct tracer_config){.kind = TRACER_FLAT_CALLS}, IDENTITY, "\"subtraces\":0");
    expect(run, (struct tracer_config){.kind = TRACER_FLAT_CALLS, .include_precompiles = true},
           IDENTITY, "\"subtraces\":1");
    expect(run, (struct tracer_config){.kind = TRACER_FLAT_CALLS, .convert_parity_errors = true},
           "21", "\"error\":\"Bad instruction\"");
}

static void check_others(struct run *run) {
    expect(run, (struct tracer_config){.kind = TRACER_PRESTATE, .diff_mode = true}, STORE,
           "\"storage\":{\"0x0000000000000000000000000000000000000000000000000000000000000001\":"
           "\"0x000000000000000000000000000000000000000000000000000000000000002a\"}}");
    expect(run, (struct tracer_config){.kind = TRACER_NOTHING}, STORE, "{}");
    expect(run, (struct tracer_config){.kind = TRACER_OPERATIONS}, STORE,
           "\"usedOpcodes\":{\"0x0\":1,\"0x55\":1}");
    const struct tracer_config parts[] = {{.kind = TRACER_CALLS}, {.kind = TRACER_SELECTORS}};
    expect(run, (struct tracer_config){.kind = TRACER_MUX, .parts = parts, .parts_count = 2}, STORE,
           "\"4byteTracer\":{}");
}

/* A loop that would fill any memory is stopped by the arena, and by a flag. */
static void check_bounds(struct run *run) {
    static const char endless[] = "5b600056";
    const struct tracer_config steps = {.kind = TRACER_STEPS};
    CHECK(trace(run, &steps, endless, 65536) == ERR_LIMIT);
    CHECK(trace(run, &steps, endless, 64) == ERR_LIMIT);
    const bool is_stopped = true;
    struct arena kept = arena_over(kept_memory, KEPT_BYTES);
    struct tracer *tracer = tracer_create(&kept, &(struct tracer_config){.kind = TRACER_NOTHING});
    CHECK(tracer != NULL);
    struct evm_tracer observer = *tracer_observer(tracer);
    observer.is_stopped = &is_stopped;
    run_begin(run, FORK_OSAKA);
    run_code(run, &RUN_TARGET, endless);
    const struct evm_options options = {.tracer = &observer};
    const struct evm_host host = world_host(run->world);
    const struct transaction transaction = {
        .gas_limit = 1000000, .to = RUN_TARGET, .has_sender = true, .sender = RUN_SENDER};
    tracer_begin(tracer, &host, &run->block, &transaction, 0);
    CHECK(evm_transaction_run(run->evm, &host, &run->block, &transaction, &options, &run->arena,
                              &run->result) == ERR_LIMIT);
}

int main(void) {
    static struct run run;
    check_steps(&run);
    check_calls(&run);
    check_others(&run);
    check_bounds(&run);
    return 0;
}
