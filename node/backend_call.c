/* The RPC backend's executions: eth_call, eth_estimateGas, eth_createAccessList. */
#include <stdlib.h>
#include <string.h>

#include "node/backend.h"
#include "node/memory.h"
#include "pages/pages.h"
#include "threads/clock.h"
#include "threads/gate.h"
#include "workloads/ethereum.h"

#define CALLER_STATE_BYTES ((size_t)1 << 30) /* address space */
/* A caller that touched more than this gives its pages back after the call. */
#define CALLER_KEEP_BYTES ((size_t)1 << 20)
/* How long a call waits for a free caller before it is told that the node is busy. */
#define CALLER_WAIT_MS 5000

struct callers {
    struct gate gate; /* guards is_busy of all; wakes who waits for a free one */
    unsigned count;
    struct caller list[];
};

enum err callers_create(unsigned count, struct callers **out) {
    struct callers *callers = calloc(1, sizeof *callers + count * sizeof callers->list[0]);
    void *memory;
    if (callers == NULL) return ERR_MEMORY;
    callers->count = count;
    for (unsigned i = 0; i < count; i++) {
        TRY(memory_reserve(EVM_ARENA_BYTES, &memory));
        TRY(evm_create(memory, EVM_ARENA_BYTES, &callers->list[i].evm));
        TRY(memory_reserve(CALLER_STATE_BYTES, &memory));
        callers->list[i].arena = arena_over(memory, CALLER_STATE_BYTES);
    }
    gate_create(&callers->gate);
    *out = callers;
    return ERR_OK;
}

void callers_destroy(struct callers *callers) {
    if (callers == NULL) return;
    for (unsigned i = 0; i < callers->count; i++) {
        pages_release(callers->list[i].evm, EVM_ARENA_BYTES);
        pages_release(callers->list[i].arena.data, CALLER_STATE_BYTES);
    }
    gate_destroy(&callers->gate);
    free(callers);
}

static struct caller *find_free(struct callers *callers) {
    for (unsigned i = 0; i < callers->count; i++) {
        if (!callers->list[i].is_busy) return &callers->list[i];
    }
    return NULL;
}

struct caller *caller_take(struct callers *callers) {
    const uint64_t until_ms = monotonic_ms() + CALLER_WAIT_MS;
    gate_lock(&callers->gate);
    struct caller *caller = find_free(callers);
    while (caller == NULL && gate_wait(&callers->gate, until_ms))
        caller = find_free(callers);
    if (caller != NULL) caller->is_busy = true;
    gate_unlock(&callers->gate);
    return caller;
}

void caller_give_back(struct callers *callers, struct caller *caller) {
    struct stretch spares[EVM_SPARES_MAX + 1];
    size_t count = evm_spare(caller->evm, spares);
    arena_reset(&caller->arena);
    spares[count++] = arena_spare(&caller->arena, CALLER_KEEP_BYTES);
    memory_give_back(spares, count);
    gate_lock(&callers->gate);
    caller->is_busy = false;
    gate_wake_one(&callers->gate);
    gate_unlock(&callers->gate);
}

/* clear_storage empties an account's storage and keeps the rest. */
static void clear_storage(struct state *state, const struct address *address) {
    const uint64_t nonce = state_nonce(state, address);
    const struct bytes code = state_code(state, address);
    state_create_account(state, address);
    state_set_nonce(state, address, nonce);
    if (code.size > 0) state_set_code(state, address, code);
}

static void apply_override(struct state *state, const struct rpc_override *override) {
    if (override->has_state) clear_storage(state, &override->address);
    if (override->has_balance) state_set_balance(state, &override->address, &override->balance);
    if (override->has_nonce) state_set_nonce(state, &override->address, override->nonce);
    if (override->has_code) state_set_code(state, &override->address, override->code);
    for (size_t i = 0; i < override->slots_count; i++) {
        state_set_storage(state, &override->address, &override->slots[i].key,
                          &override->slots[i].value);
    }
}

void backend_override(struct state *state, const struct rpc_override *overrides, size_t count) {
    for (size_t i = 0; i < count; i++)
        apply_override(state, &overrides[i]);
    state_end_transaction(state, false); /* what was overridden counts as original */
}

static void override_env(const struct rpc_block_override *override, struct evm_block *out) {
    if (override->has_number) out->number = override->number;
    if (override->has_time) out->timestamp = override->time;
    if (override->has_gas_limit) out->gas_limit = override->gas_limit;
    if (override->has_fee_recipient) out->coinbase = override->fee_recipient;
    if (override->has_prev_randao) out->randao = override->prev_randao;
    if (override->has_difficulty) out->difficulty = override->difficulty;
    if (override->has_base_fee) out->base_fee = override->base_fee;
    if (override->has_blob_base_fee) out->blob_base_fee = override->blob_base_fee;
}

enum err backend_env(struct rpc_view *view, uint64_t number, bool is_pending,
                     const struct rpc_block_override *override, struct evm_block *out) {
    const struct chain_config *config = view->node->config;
    struct header header;
    TRY(store_header(view->view, number, &header, NULL));
    if (is_pending) {
        const uint64_t now = unix_ms() / 1000;
        header.base_fee = header_next_base_fee(&header);
        header.number += 1;
        if (now > header.timestamp) header.timestamp = now;
    }
    ethereum_env(config, &header, out);
    if (override != NULL) override_env(override, out);
    return ERR_OK;
}

struct ethereum_ancestors backend_ancestors(struct rpc_view *view) {
    return ledger_ancestors(view->view);
}

enum err caller_state(struct caller *caller, struct rpc_view *view, uint64_t number,
                      struct store_state *stored, struct state **out) {
    TRY(backend_state(view, number, stored));
    return state_begin(&caller->arena, &stored->reader, out);
}

static enum err run(struct rpc_view *view, uint64_t number, bool is_pending,
                    const struct rpc_call *call, struct caller *caller, struct arena *arena,
                    struct rpc_call_result *out) {
    struct store_state stored;
    struct state *state;
    struct evm_block block;
    TRY(caller_state(caller, view, number, &stored, &state));
    TRY(backend_env(view, number, is_pending, call->block, &block));
    backend_override(state, call->overrides, call->overrides_count);
    struct ethereum_world world = {state, backend_ancestors(view)};
    const struct evm_host host = ethereum_host(&world);
    out->verdict = evm_transaction_check(caller->evm, &host, &block, &call->transaction,
                                         &call->options, UINT64_MAX);
    if (out->verdict == VERDICT_ACCEPTED) {
        TRY(evm_transaction_run(caller->evm, &host, &block, &call->transaction, &call->options,
                                arena, &out->result));
        if (out->result.has_contract_address) {
            /* what a creation returns is the code that it made */
            const struct bytes code = state_code(state, &out->result.contract_address);
            if (!arena_copy(arena, code, &out->result.output)) return ERR_LIMIT;
        }
    }
    return state_error(state);
}

enum err backend_call(struct rpc_view *view, uint64_t number, bool is_pending,
                      const struct rpc_call *call, struct arena *arena,
                      struct rpc_call_result *out) {
    struct callers *callers = view->node->callers;
    struct caller *caller = caller_take(callers);
    if (caller == NULL) return ERR_LIMIT;
    const enum err err = run(view, number, is_pending, call, caller, arena, out);
    caller_give_back(callers, caller);
    return err;
}
