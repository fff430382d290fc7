/* Random code never crashes, stays within its gas, and does the same with an observer (one
 * instruction a block, nothing fused) as without.  Input: a byte for the fork, one for the gas, one
 * for the size of the call data, the call data, the code. */
#include "evm/test_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void see_step(void *context, const struct evm_step *step) {
    uint64_t *steps = context;
    CHECK(step->stack_count <= 1024);
    ++*steps;
}

struct outcome {
    bool ok;
    uint64_t gas_used, refunded;
    size_t logs_count;
    struct hash32 output;
    struct u256 slot;
};

static void run_one(struct run *run, enum fork fork, uint64_t gas, struct bytes input,
                    struct bytes code, const struct evm_tracer *tracer, struct outcome *out) {
    run_begin(run, fork);
    world_set_code(run->world, &RUN_TARGET, code);
    const struct evm_host host = world_host(run->world);
    const struct evm_options options = {.tracer = tracer};
    const struct transaction transaction = {.gas_limit = gas,
                                            .has_sender = true,
                                            .sender = RUN_SENDER,
                                            .to = RUN_TARGET,
                                            .value = U256_ONE,
                                            .data = input};
    if (evm_transaction_check(run->evm, &host, &run->block, &transaction, &options, gas) !=
        VERDICT_ACCEPTED) {
        return;
    }
    CHECK(evm_transaction_run(run->evm, &host, &run->block, &transaction, &options, &run->arena,
                              &run->result) == ERR_OK);
    const struct evm_result *result = &run->result;
    CHECK(result->gas_used <= gas);
    CHECK(result->status == EVM_SUCCESS || result->logs_count == 0);
    CHECK(result->status == EVM_SUCCESS || result->status == EVM_REVERT ||
          result->output.size == 0);
    const struct hash32 key = {{0}};
    *out = (struct outcome){.ok = result->status == EVM_SUCCESS,
                            .gas_used = result->gas_used,
                            .refunded = result->gas_refunded,
                            .logs_count = result->logs_count,
                            .output = keccak256(result->output),
                            .slot = world_slot(run->world, &RUN_TARGET, &key)->value};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct run run;
    if (size < 3 || size > 4096) return 0;
    const enum fork fork = (enum fork)(data[0] % FORK_COUNT);
    const uint64_t gas = 21000 + 4096 * 68 + 1000 * (uint64_t)data[1];
    const struct bytes rest = {data + 3, size - 3};
    const struct bytes input = bytes_slice(rest, 0, data[2]);
    const struct bytes code = bytes_slice(rest, input.size, rest.size);
    struct outcome plain = {0};
    struct outcome traced = {0};
    uint64_t steps = 0;
    const struct evm_tracer tracer = {.context = &steps, .step = see_step};
    run_one(&run, fork, gas, input, code, NULL, &plain);
    run_one(&run, fork, gas, input, code, &tracer, &traced);
    CHECK(plain.ok == traced.ok);
    CHECK(plain.gas_used == traced.gas_used && plain.refunded == traced.refunded);
    CHECK(plain.logs_count == traced.logs_count);
    CHECK(hash_equal(&plain.output, &traced.output));
    CHECK(u256_equal(&plain.slot, &traced.slot));
    return 0;
}
