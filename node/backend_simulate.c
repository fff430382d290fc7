/* The RPC backend's simulated blocks (eth_simulateV1): headers, transactions and states that follow
 * a stored block and are forgotten with the answer. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/keccak.h"
#include "evm/opcodes.h"
#include "node/backend.h"
#include "threads/clock.h"

#define TIMESTAMP_STEP 12 /* seconds between simulated blocks that name no time */
#define SIMULATION_MS  10000
#define LOGS_MAX       65536 /* of one call */
#define CODE_BLOCK_GAS (-38015)
#define CODE_NUMBER    (-38020)
#define CODE_TIMESTAMP (-38021)
#define CODE_TOO_MANY  (-38026)
#define CODE_SERVER    (-32000)
#define CODE_TIMEOUT   (-32002)

struct simulating {
    struct rpc_view *view;
    const struct rpc_simulation *simulation;
    struct caller *caller;
    struct arena *arena;
    struct state *state;
    struct rpc_simulation_failure *failure;
    struct rpc_simulated_result *results;
    size_t count;
    uint64_t base_number;
    uint64_t gas_left; /* of simulation->gas_max */
    uint64_t until_ms;
};

static void fail(struct simulating *sim, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct simulating *sim, int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    sim->failure->code = code;
    vsnprintf(sim->failure->message, sizeof sim->failure->message, format, arguments);
    va_end(arguments);
}

/* --- the order of the blocks */

/* plan fills `out` with the blocks asked for and empty ones in the gaps, with numbers and times. */
static size_t plan(struct simulating *sim, const struct header *base,
                   struct rpc_simulated_block out[RPC_SIMULATED_BLOCKS_MAX]) {
    const struct rpc_simulation *simulation = sim->simulation;
    uint64_t number = base->number, time = base->timestamp;
    size_t count = 0;
    for (size_t i = 0; i < simulation->blocks_count; i++) {
        struct rpc_simulated_block block = simulation->blocks[i];
        struct rpc_block_override *override = &block.override;
        if (!override->has_number) override->number = number + 1;
        if (override->number <= number) {
            fail(sim, CODE_NUMBER, "block numbers must be in order: %llu <= %llu",
                 (unsigned long long) override->number, (unsigned long long)number);
            return 0;
        }
        if (override->number - base->number > RPC_SIMULATED_BLOCKS_MAX) {
            fail(sim, CODE_TOO_MANY, "too many blocks");
            return 0;
        }
        while (override->number > number + 1) {
            number += 1;
            time += TIMESTAMP_STEP;
            out[count++] = (struct rpc_simulated_block){
                .override = {.has_number = true, .number = number, .has_time = true, .time = time}};
        }
        if (!override->has_time) override->time = time + TIMESTAMP_STEP;
        if (override->time <= time) {
            fail(sim, CODE_TIMESTAMP, "block timestamps must be in order: %llu <= %llu",
                 (unsigned long long) override->time, (unsigned long long)time);
            return 0;
        }
        number = override->number;
        time = override->time;
        out[count++] = block;
    }
    return count;
}

/* make_header opens a block; what it leaves out depends on the parent's own header. */
static void make_header(const struct simulating *sim, const struct header *parent,
                        const struct rpc_block_override *override, struct header *out) {
    const struct chain_config *config = sim->view->node->config;
    *out = (struct header){.parent_hash = header_hash(parent),
                           .ommers_hash = KECCAK_EMPTY_LIST,
                           .coinbase = parent->coinbase,
                           .difficulty = parent->difficulty,
                           .number = override->number,
                           .gas_limit = parent->gas_limit,
                           .timestamp = override->time};
    if (override->has_fee_recipient) out->coinbase = override->fee_recipient;
    if (override->has_difficulty) out->difficulty = override->difficulty;
    if (override->has_gas_limit) out->gas_limit = override->gas_limit;
    if (override->has_prev_randao) out->mix_hash = override->prev_randao;
    if (override->has_beacon_root) out->parent_beacon_root = override->beacon_root;
    const enum fork fork = ethereum_fork(config, out);
    out->tail_fields = header_tail_fields(fork);
    /* Without validation a price of zero is no fault: the base fee is zero too. */
    if (override->has_base_fee) {
        out->base_fee = override->base_fee;
    } else if (sim->simulation->is_validating) {
        out->base_fee = header_next_base_fee(parent);
    }
    if (fork >= FORK_CANCUN && ethereum_fork(config, parent) >= FORK_CANCUN) {
        out->excess_blob_gas = header_next_excess_blob_gas(config, fork, parent);
    }
}

/* ancestor_hash knows the simulated blocks and the stored ones. */
static void ancestor_hash(void *context, uint64_t number, struct hash32 *out) {
    const struct simulating *sim = context;
    if (number > sim->base_number && number - sim->base_number <= sim->count) {
        *out = sim->results[number - sim->base_number - 1].block.block.hash;
        return;
    }
    const struct ethereum_ancestors stored = backend_ancestors(sim->view);
    stored.hash(stored.context, number, out);
}

/* --- logs as they come, transfers of ether among them */

struct collector {
    struct arena *arena;
    struct rpc_simulated_log *logs; /* LOGS_MAX */
    size_t count;
    uint64_t next_index; /* in the block */
    size_t marks[EVM_CALL_DEPTH_MAX + 3];
    size_t depth;
    bool traces_transfers;
    bool is_full;
};

static struct rpc_simulated_log *add_log(struct collector *collector) {
    if (collector->count == LOGS_MAX) {
        collector->is_full = true;
        return NULL;
    }
    struct rpc_simulated_log *log = &collector->logs[collector->count++];
    *log = (struct rpc_simulated_log){.index = collector->next_index++};
    return log;
}

static void add_transfer(struct collector *collector, const struct evm_frame_event *event) {
    static const char transfer[] = "Transfer(address,address,uint256)";
    struct rpc_simulated_log *log = add_log(collector);
    if (log == NULL) return;
    const struct hash32 value = u256_to_hash(&event->value);
    memset(log->log.address.bytes, 0xee, sizeof log->log.address.bytes);
    log->log.topics_count = 3;
    log->log.topics[0] = keccak256(bytes_from_string(transfer));
    memcpy(log->log.topics[1].bytes + 12, event->from.bytes, 20);
    memcpy(log->log.topics[2].bytes + 12, event->to.bytes, 20);
    if (!arena_copy(collector->arena, hash_bytes(&value), &log->log.data)) {
        collector->is_full = true;
    }
}

static void collect_frame(void *context, const struct evm_frame_event *event) {
    struct collector *collector = context;
    if (!event->is_enter) {
        const size_t mark = collector->marks[--collector->depth];
        if (event->status != EVM_SUCCESS) collector->count = mark;
        return;
    }
    collector->marks[collector->depth++] = collector->count;
    if (!collector->traces_transfers || event->opcode == OP_DELEGATECALL) return;
    if (!u256_is_zero(&event->value)) add_transfer(collector, event);
}

static void collect_step(void *context, const struct evm_step *step) {
    struct collector *collector = context;
    if (step->opcode < OP_LOG0 || step->opcode > OP_LOG4 || step->fault != EVM_SUCCESS) return;
    struct rpc_simulated_log *log = add_log(collector);
    if (log == NULL) return;
    const struct u256 *top = &step->stack[step->stack_count - 1];
    const uint64_t offset = u256_to_u64_saturated(&top[0]);
    const uint64_t bytes = u256_to_u64_saturated(&top[-1]);
    log->log.address = step->address;
    log->log.topics_count = (uint32_t)(step->opcode - OP_LOG0);
    for (uint32_t i = 0; i < log->log.topics_count; i++)
        log->log.topics[i] = u256_to_hash(&top[-2 - (int)i]);
    if (bytes == 0) return;
    uint8_t *data = arena_alloc_zero(collector->arena, bytes); /* paid for: no fault */
    if (data == NULL) {
        collector->is_full = true;
        return;
    }
    const struct bytes there = bytes_slice(step->memory, offset, bytes);
    if (there.size != 0) memcpy(data, there.data, there.size);
    log->log.data = (struct bytes){data, bytes};
}

/* --- one block */

/* moves_of tells the EVM which precompiled contracts the overrides move or hide. */
static struct evm_precompile_move *moves_of(struct simulating *sim, enum fork fork,
                                            const struct rpc_simulated_block *block,
                                            size_t *count) {
    struct evm_precompile_move *moves =
        arena_array(sim->arena, 2 * block->accounts_count + 1, sizeof *moves);
    *count = 0;
    if (moves == NULL) return NULL;
    for (size_t i = 0; i < block->accounts_count; i++) {
        const struct rpc_override *account = &block->accounts[i];
        const bool is_precompile = evm_is_precompile(fork, &account->address);
        if (account->has_move && !is_precompile) {
            char text[43];
            fail(sim, CODE_SERVER, "account %s is not a precompile",
                 hex_string(address_bytes(&account->address), text));
            return moves;
        }
        if (account->has_move) {
            /* the first entry of an address counts: the last move must come first */
            memmove(moves + 1, moves, *count * sizeof *moves);
            moves[0] = (struct evm_precompile_move){account->move_to, false, account->address};
            *count += 1;
        }
        if (!is_precompile) continue;
        moves[*count] = (struct evm_precompile_move){.at = account->address, .is_gone = true};
        *count += 1;
    }
    return moves;
}

/* prepare completes a call as the block stands: nonce, gas, and the form of the transaction. */
static bool prepare(struct simulating *sim, const struct ethereum_block *run,
                    const struct rpc_simulated_call *call, struct transaction *out) {
    *out = call->transaction;
    const uint64_t left = run->env.gas_limit - run->gas_used;
    if (!call->has_nonce) out->nonce = state_nonce(sim->state, &out->sender);
    if (!call->has_gas) out->gas_limit = left;
    if (out->gas_limit > left) {
        fail(sim, CODE_BLOCK_GAS, "block gas limit reached: %llu >= %llu",
             (unsigned long long)run->gas_used, (unsigned long long)run->env.gas_limit);
        return false;
    }
    if (out->gas_limit > sim->gas_left) out->gas_limit = sim->gas_left;
    const size_t bytes =
        1024 + out->data.size + out->access_list_count * 64 + out->blob_hashes_count * 64;
    size_t keys = 0;
    for (size_t i = 0; i < out->access_list_count; i++)
        keys += out->access_list[i].keys_count;
    uint8_t *memory = arena_alloc(sim->arena, bytes + keys * 64);
    if (memory == NULL) {
        fail(sim, CODE_SERVER, "the simulation is too large");
        return false;
    }
    struct buffer encoded = buffer_over(memory, bytes + keys * 64);
    transaction_encode(out, &encoded);
    out->encoded = buffer_bytes(&encoded);
    out->hash = keccak256(out->encoded);
    return !encoded.overflow;
}

/* code_of is the error code of a transaction that cannot run. */
static int code_of(enum verdict verdict) {
    switch (verdict) {
    case VERDICT_NONCE_TOO_LOW: return -38010;
    case VERDICT_NONCE_TOO_HIGH: return -38011;
    case VERDICT_FEE_BELOW_BASE: return -38012;
    case VERDICT_INTRINSIC_GAS: return -38013;
    case VERDICT_FUNDS: return -38014;
    case VERDICT_INITCODE_SIZE: return -38025;
    case VERDICT_TIP_ABOVE_FEE:
    case VERDICT_SENDER_NOT_EOA: return -32602;
    default: return -32603;
    }
}

static enum err keep_logs(struct simulating *sim, const struct collector *collector,
                          struct rpc_simulated_outcome *outcome) {
    if (collector->is_full) {
        fail(sim, CODE_SERVER, "a call has more than %d logs, or too large ones", LOGS_MAX);
        return ERR_OK;
    }
    struct rpc_simulated_log *kept = arena_array(sim->arena, collector->count, sizeof *kept);
    if (kept == NULL && collector->count != 0) return ERR_LIMIT;
    if (collector->count != 0) {
        memcpy(kept, collector->logs, collector->count * sizeof *kept);
    }
    outcome->logs = kept;
    outcome->logs_count = collector->count;
    return ERR_OK;
}

static enum err run_call(struct simulating *sim, struct ethereum_block *run,
                         struct collector *collector, const struct transaction *transaction,
                         struct rpc_simulated_outcome *outcome) {
    struct evm_result result;
    enum verdict verdict;
    collector->count = 0;
    collector->depth = 0;
    TRY(ethereum_block_apply(run, transaction, &verdict, &result));
    if (verdict != VERDICT_ACCEPTED) {
        fail(sim, code_of(verdict), "err: %s (supplied gas %llu)", verdict_text(verdict),
             (unsigned long long)transaction->gas_limit);
        return ERR_OK;
    }
    sim->gas_left -= result.gas_used;
    *outcome = (struct rpc_simulated_outcome){.status = result.status,
                                              .output = result.output, /* revert data too */
                                              .gas_used = result.gas_used,
                                              .gas_peak = result.gas_peak};
    if (result.has_contract_address) {
        const struct bytes code = state_code(sim->state, &result.contract_address);
        if (!arena_copy(sim->arena, code, &outcome->output)) return ERR_LIMIT;
    }
    if (monotonic_ms() > sim->until_ms) fail(sim, CODE_TIMEOUT, "execution timeout");
    return keep_logs(sim, collector, outcome);
}

static enum err run_calls(struct simulating *sim, struct ethereum_block *run,
                          const struct rpc_simulated_block *block,
                          struct rpc_simulated_result *out) {
    struct transaction *transactions =
        arena_array(sim->arena, block->calls_count + 1, sizeof *transactions);
    struct rpc_simulated_outcome *outcomes =
        arena_array(sim->arena, block->calls_count + 1, sizeof *outcomes);
    struct bytes *encoded = arena_array(sim->arena, block->calls_count + 1, sizeof *encoded);
    struct collector *collector = arena_alloc_zero(&sim->caller->arena, sizeof *collector);
    if (transactions == NULL || outcomes == NULL || encoded == NULL || collector == NULL) {
        return ERR_LIMIT;
    }
    collector->arena = sim->arena;
    collector->traces_transfers = sim->simulation->traces_transfers;
    collector->logs = arena_alloc(&sim->caller->arena, LOGS_MAX * sizeof *collector->logs);
    if (collector->logs == NULL) return ERR_LIMIT;
    const struct evm_tracer observer = {
        .context = collector, .step = collect_step, .frame = collect_frame};
    run->tracer = &observer;
    for (size_t i = 0; i < block->calls_count && sim->failure->code == 0; i++) {
        if (!prepare(sim, run, &block->calls[i], &transactions[i])) break;
        encoded[i] = transactions[i].encoded;
        TRY(run_call(sim, run, collector, &transactions[i], &outcomes[i]));
    }
    run->tracer = NULL;
    out->transactions = transactions;
    out->outcomes = outcomes;
    out->block.block.transactions = encoded;
    out->block.block.transactions_count = block->calls_count;
    return ERR_OK;
}

/* seal computes what the header says of the body, and the block's hash and size. */
static enum err seal(struct simulating *sim, struct ethereum_block *run,
                     const struct rpc_block_override *override, struct rpc_block *out) {
    struct block *block = &out->block;
    struct block_fault fault;
    block->has_withdrawals = block->header.tail_fields >= HEADER_TAIL_SHANGHAI;
    block->withdrawals = override->withdrawals;
    block->withdrawals_count = override->withdrawals_count;
    TRY(ethereum_block_end(run, NULL, 0, block->withdrawals, block->withdrawals_count,
                           &block->header, &fault));
    if (fault.verdict != VERDICT_ACCEPTED) {
        fail(sim, CODE_SERVER, "%s", fault.reason);
        return ERR_OK;
    }
    TRY(transactions_root(block->transactions, block->transactions_count, sim->arena,
                          &block->header.transactions_root));
    TRY(withdrawals_root(block->withdrawals, block->withdrawals_count, sim->arena,
                         &block->header.withdrawals_root));
    block->hash = header_hash(&block->header);
    out->ethereum_block_bytes = block_encoded_bytes(block);
    return ERR_OK;
}

static enum err simulate_block(struct simulating *sim, const struct header *parent,
                               const struct rpc_simulated_block *block,
                               struct rpc_simulated_result *out) {
    const bool is_validating = sim->simulation->is_validating;
    const struct chain_config *config = sim->view->node->config;
    const struct ethereum_ancestors ancestors = {sim, ancestor_hash};
    struct header *header = &out->block.block.header;
    struct ethereum_block run;
    make_header(sim, parent, &block->override, header);
    struct evm_options options = {.skip_nonce = !is_validating,
                                  .skip_code_check = true,
                                  .skip_base_fee = !is_validating,
                                  .skip_gas_cap = true};
    options.moves = moves_of(sim, ethereum_fork(config, header), block, &options.moves_count);
    if (options.moves == NULL) return ERR_LIMIT;
    if (sim->failure->code != 0) return ERR_OK;
    backend_override(sim->state, block->accounts, block->accounts_count);
    TRY(ethereum_block_begin(&run, sim->caller->evm, sim->state, sim->arena, config, &ancestors,
                             header, block->calls_count));
    if (block->override.has_blob_base_fee) run.env.blob_base_fee = block->override.blob_base_fee;
    run.options = &options;
    TRY(run_calls(sim, &run, block, out));
    if (sim->failure->code != 0) return ERR_OK;
    return seal(sim, &run, &block->override, &out->block);
}

static enum err simulate_all(struct simulating *sim, uint64_t number) {
    struct header base;
    struct store_state stored;
    TRY(store_header(sim->view->view, number, &base, NULL));
    TRY(caller_state(sim->caller, sim->view, number, &stored, &sim->state));
    struct rpc_simulated_block *blocks =
        arena_array(sim->arena, RPC_SIMULATED_BLOCKS_MAX, sizeof *blocks);
    if (blocks == NULL) return ERR_LIMIT;
    const size_t count = plan(sim, &base, blocks);
    sim->results = arena_array(sim->arena, count + 1, sizeof *sim->results);
    if (sim->results == NULL) return ERR_LIMIT;
    const struct header *parent = &base;
    for (size_t i = 0; i < count && sim->failure->code == 0; i++) {
        TRY(simulate_block(sim, parent, &blocks[i], &sim->results[i]));
        parent = &sim->results[i].block.block.header;
        sim->count++;
        if (monotonic_ms() > sim->until_ms) fail(sim, CODE_TIMEOUT, "execution timeout");
    }
    return state_error(sim->state);
}

enum err backend_simulate(struct rpc_view *view, uint64_t number,
                          const struct rpc_simulation *simulation, struct arena *arena,
                          const struct rpc_simulated_result **results, size_t *count,
                          struct rpc_simulation_failure *failure) {
    struct callers *callers = view->node->callers;
    struct simulating sim = {.view = view,
                             .simulation = simulation,
                             .caller = caller_take(callers),
                             .arena = arena,
                             .failure = failure,
                             .base_number = number,
                             .gas_left = simulation->gas_max,
                             .until_ms = monotonic_ms() + SIMULATION_MS};
    failure->code = 0;
    if (sim.caller == NULL) return ERR_LIMIT;
    enum err err = simulate_all(&sim, number);
    if (err == ERR_UNSUPPORTED) { /* a header needs the root of a state whose trie is not kept */
        fail(&sim, CODE_SERVER, "blocks are simulated on the latest block only");
        err = ERR_OK;
    }
    caller_give_back(callers, sim.caller);
    *results = sim.results;
    *count = sim.count;
    return err;
}
