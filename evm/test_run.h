#pragma once
/* Runs bytecode given as hex in a fresh transaction of a world: what the tests of evm/ share. */
#include "evm/test_world.h"

#define RUN_SENDER  ((struct address){{[19] = 0xaa}})
#define RUN_TARGET  ((struct address){{[18] = 0xc0, [19] = 0xde}})
#define RUN_BALANCE 1000000000000000000u

struct run {
    struct world *world;
    struct evm *evm;
    struct chain_config config;
    struct evm_block block;
    struct arena arena;
    struct evm_result result;
    enum verdict verdict;
};

static inline struct bytes run_hex(struct run *run, const char *text) {
    const size_t size = strlen(text) / 2;
    uint8_t *out = arena_alloc(&run->arena, size);
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        CHECK(sscanf(text + 2 * i, "%2x", &byte) == 1);
        out[i] = (uint8_t)byte;
    }
    return (struct bytes){out, size};
}

static inline void run_begin(struct run *run, enum fork fork) {
    if (run->world == NULL) {
        run->world = world_new();
        run->evm = world_evm();
        run->arena = arena_over(world_map((size_t)64 << 20), (size_t)64 << 20);
    }
    world_clear(run->world);
    arena_reset(&run->arena);
    run->config = chain_config_for_fork(fork);
    run->block = (struct evm_block){.config = &run->config,
                                    .fork = fork,
                                    .number = 1000,
                                    .timestamp = 5000,
                                    .gas_limit = 100000000,
                                    .coinbase = {{[19] = 0xcb}},
                                    .blob_base_fee = U256_ONE};
    const struct evm_host host = world_host(run->world);
    const struct u256 balance = u256_from_u64(RUN_BALANCE);
    host.set_balance(run->world, &RUN_SENDER, &balance);
}

static inline void run_code(struct run *run, const struct address *at, const char *hex) {
    world_set_code(run->world, at, run_hex(run, hex));
}

static inline void run_transaction(struct run *run, struct transaction *transaction) {
    const struct evm_host host = world_host(run->world);
    const struct evm_options options = {0};
    transaction->has_sender = true;
    transaction->sender = RUN_SENDER;
    transaction->nonce = host.nonce(run->world, &RUN_SENDER);
    run->verdict = evm_transaction_check(run->evm, &host, &run->block, transaction, &options,
                                         run->block.gas_limit);
    if (run->verdict != VERDICT_ACCEPTED) return;
    CHECK(evm_transaction_run(run->evm, &host, &run->block, transaction, &options, &run->arena,
                              &run->result) == ERR_OK);
    world_end_transaction(run->world);
}

/* run_call runs `code` in `fork` with an input (both hex) and 1,000,000 gas. */
static inline void run_call(struct run *run, enum fork fork, const char *code, const char *input) {
    run_begin(run, fork);
    run_code(run, &RUN_TARGET, code);
    struct transaction transaction = {
        .gas_limit = 1000000, .to = RUN_TARGET, .data = run_hex(run, input)};
    run_transaction(run, &transaction);
}

static inline struct u256 run_word(const struct run *run) {
    CHECK(run->result.output.size == 32);
    return u256_from_be(run->result.output);
}
