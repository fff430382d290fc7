/* The RPC backend's traces: a call, or stored blocks run again, under a tracer.
 *
 * A trace is bounded by the memory that its tracer may keep, by the size of the answer (the
 * writer's) and by time: the observer given to the EVM looks at the clock now and then and stops
 * the execution. */
#include <string.h>

#include "node/backend.h"
#include "threads/clock.h"

#define TRACE_BYTES_MAX ((size_t)96 << 20)
/* The clock is read once for so many instructions. */
#define STEPS_PER_LOOK 1024

static const char too_late[] = "execution timeout";
static const char invalid[] = "the block has an invalid transaction";
static const char too_large[] = "the trace needs more than 96 MiB";

/* Stands between the EVM and the tracer. */
struct watch {
    const struct evm_tracer *inner;
    uint64_t until_ms;
    uint64_t steps;
    bool is_late, is_stopped;
};

static void watch_step(void *context, const struct evm_step *step) {
    struct watch *watch = context;
    watch->inner->step(watch->inner->context, step);
    if (++watch->steps % STEPS_PER_LOOK == 0 && monotonic_ms() > watch->until_ms) {
        watch->is_late = true;
    }
    watch->is_stopped = watch->is_late || *watch->inner->is_stopped;
}

static void watch_frame(void *context, const struct evm_frame_event *event) {
    struct watch *watch = context;
    watch->inner->frame(watch->inner->context, event);
}

/* What all of one request shares. */
struct tracing {
    struct rpc_view *view;
    const struct rpc_trace *trace;
    struct caller *caller;
    struct arena *arena; /* the request's */
    struct json_writer *json;
    const char **failure;
    uint64_t until_ms;
    struct arena kept; /* the tracer's memory */
};

static struct evm_tracer watcher(struct watch *watch) {
    return (struct evm_tracer){.context = watch,
                               .step = watch_step,
                               .frame = watch_frame,
                               .is_stopped = &watch->is_stopped};
}

/* explain turns an execution that the watch stopped into the request's failure. */
static enum err explain(struct tracing *tracing, const struct watch *watch, enum err err) {
    if (err == ERR_OK && !watch->is_stopped) return ERR_OK;
    if (!watch->is_stopped) return err;
    *tracing->failure = watch->is_late ? too_late : too_large;
    return ERR_OK;
}

static enum err write_trace(struct tracing *tracing, struct tracer *tracer,
                            const struct tracer_place *place) {
    const enum err err = tracer_write(tracer, place, tracing->json);
    /* a full writer is the response's own limit, and named by it */
    if (err != ERR_OK && !tracing->json->out->overflow) *tracing->failure = too_large;
    return ERR_OK;
}

static struct tracer *new_tracer(struct tracing *tracing) {
    arena_reset(&tracing->kept);
    struct tracer *tracer = tracer_create(&tracing->kept, &tracing->trace->tracer);
    if (tracer == NULL) *tracing->failure = too_large;
    return tracer;
}

static enum err trace_call(struct tracing *tracing, uint64_t number) {
    const struct rpc_call *call = tracing->trace->call;
    struct caller *caller = tracing->caller;
    struct store_state stored;
    struct state *state;
    struct evm_block env;
    struct evm_result result;
    TRY(caller_state(caller, tracing->view, number, &stored, &state));
    TRY(backend_env(tracing->view, number, tracing->trace->is_pending, call->block, &env));
    backend_override(state, call->overrides, call->overrides_count);
    struct ethereum_world world = {state, backend_ancestors(tracing->view)};
    const struct evm_host host = ethereum_host(&world);
    struct tracer *tracer = new_tracer(tracing);
    if (tracer == NULL) return ERR_OK;
    struct watch watch = {.inner = tracer_observer(tracer), .until_ms = tracing->until_ms};
    const struct evm_tracer observer = watcher(&watch);
    struct evm_options options = call->options;
    options.tracer = &observer;
    const enum verdict verdict =
        evm_transaction_check(caller->evm, &host, &env, &call->transaction, &options, UINT64_MAX);
    if (verdict != VERDICT_ACCEPTED) {
        *tracing->failure = verdict_text(verdict);
        return state_error(state);
    }
    tracer_begin(tracer, &host, &env, &call->transaction, 0);
    TRY(explain(tracing, &watch,
                evm_transaction_run(caller->evm, &host, &env, &call->transaction, &options,
                                    &caller->arena, &result)));
    if (*tracing->failure != NULL) return ERR_OK;
    tracer_end(tracer, &result);
    const struct tracer_place place = {.block_number = env.number};
    TRY(write_trace(tracing, tracer, &place));
    return state_error(state);
}

/* is_wrong: a transaction of the block cannot be in it, which is the caller's fault when the block
 * is, and our store's when the block is a committed one. */
static enum err is_wrong(struct tracing *tracing) {
    if (tracing->trace->own_block == NULL) return ERR_CORRUPT;
    *tracing->failure = invalid;
    return ERR_OK;
}

/* apply runs one transaction of the block; with a tracer its result is written. */
static enum err apply(struct tracing *tracing, struct ethereum_block *run,
                      const struct transaction *transaction, const struct tracer_place *place,
                      bool is_traced) {
    struct evm_result result;
    enum verdict verdict;
    struct tracer *tracer = is_traced ? new_tracer(tracing) : NULL;
    if (is_traced && tracer == NULL) return ERR_OK;
    struct watch watch = {.until_ms = tracing->until_ms};
    struct evm_tracer observer = watcher(&watch);
    if (is_traced) {
        watch.inner = tracer_observer(tracer);
        tracer_begin(tracer, &run->host, &run->env, transaction, place->logs_before);
    }
    run->tracer = is_traced ? &observer : NULL;
    TRY(explain(tracing, &watch, ethereum_block_apply(run, transaction, &verdict, &result)));
    if (*tracing->failure != NULL) return ERR_OK;
    if (verdict != VERDICT_ACCEPTED) return is_wrong(tracing);
    if (monotonic_ms() > tracing->until_ms) *tracing->failure = too_late;
    if (!is_traced) return ERR_OK;
    tracer_end(tracer, &result);
    if (!tracing->trace->is_whole_block) return write_trace(tracing, tracer, place);
    json_object_begin(tracing->json);
    json_key(tracing->json, "txHash");
    json_hash(tracing->json, &place->transaction_hash);
    json_key(tracing->json, "result");
    TRY(write_trace(tracing, tracer, place));
    json_object_end(tracing->json);
    return ERR_OK;
}

static enum err apply_all(struct tracing *tracing, struct ethereum_block *run,
                          const struct block *block) {
    const struct rpc_trace *trace = tracing->trace;
    const size_t count =
        trace->is_whole_block ? block->transactions_count : (size_t)trace->index + 1;
    struct tracer_place place = {
        .is_in_block = true, .block_hash = block->hash, .block_number = block->header.number};
    for (size_t i = 0; i < count && *tracing->failure == NULL; i++) {
        struct transaction transaction;
        const struct bytes encoded = block->transactions[i];
        if (transaction_decode(encoded, tracing->arena, &transaction) != VERDICT_ACCEPTED ||
            transaction_recover_at(&transaction, run->env.fork) != VERDICT_ACCEPTED) {
            return is_wrong(tracing);
        }
        place.index = i;
        place.transaction_hash = transaction.hash;
        TRY(apply(tracing, run, &transaction, &place, trace->is_whole_block || i == trace->index));
        place.logs_before +=
            run->receipts_count == 0 ? 0 : run->receipts[run->receipts_count - 1].logs_count;
    }
    return ERR_OK;
}

static enum err trace_block(struct tracing *tracing, uint64_t number) {
    struct caller *caller = tracing->caller;
    struct rpc_view *view = tracing->view;
    struct store_state stored;
    struct state *state;
    struct rpc_block stored_block;
    const struct block *block = tracing->trace->own_block;
    struct rpc_backend reads = {.context = NULL};
    static const char genesis[] = "genesis is not traceable";
    if (number == 0) {
        *tracing->failure = genesis;
        return ERR_OK;
    }
    if (block == NULL) {
        backend_chain_functions(&reads);
        TRY(reads.block(view, number, tracing->arena, &stored_block));
        block = &stored_block.block;
    }
    if (!tracing->trace->is_whole_block && tracing->trace->index >= block->transactions_count) {
        return ERR_NOT_FOUND;
    }
    TRY(caller_state(caller, view, number - 1, &stored, &state));
    struct ethereum_block run;
    const struct ethereum_ancestors ancestors = backend_ancestors(view);
    TRY(ethereum_block_begin(&run, caller->evm, state, &caller->arena, view->node->config,
                             &ancestors, &block->header, block->transactions_count));
    run.skips_roots = true; /* an old state has no trie to compute them with */
    if (tracing->trace->is_whole_block) json_array_begin(tracing->json);
    TRY(apply_all(tracing, &run, block));
    if (*tracing->failure != NULL) return ERR_OK;
    if (tracing->trace->is_whole_block) json_array_end(tracing->json);
    return state_error(state);
}

enum err backend_trace(struct rpc_view *view, uint64_t number, const struct rpc_trace *trace,
                       struct arena *arena, struct json_writer *out, const char **failure) {
    struct callers *callers = view->node->callers;
    struct tracing tracing = {.view = view,
                              .trace = trace,
                              .caller = caller_take(callers),
                              .arena = arena,
                              .json = out,
                              .failure = failure,
                              .until_ms = monotonic_ms() + trace->timeout_ms};
    *failure = NULL;
    if (tracing.caller == NULL) return ERR_LIMIT;
    enum err err = ERR_LIMIT;
    void *memory = arena_alloc(&tracing.caller->arena, TRACE_BYTES_MAX);
    if (memory != NULL) {
        tracing.kept = arena_over(memory, TRACE_BYTES_MAX);
        err = trace->call != NULL ? trace_call(&tracing, number) : trace_block(&tracing, number);
    }
    caller_give_back(callers, tracing.caller);
    return err;
}
