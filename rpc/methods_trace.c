/* debug_trace*: what transactions and calls did, by geth's tracers. */
#include "rpc/methods.h"
#include "rpc/params.h"
#include "rpc/params_trace.h"

/* run answers with the trace. */
static enum method_result run(struct call *call, uint64_t number, const struct rpc_trace *trace) {
    const char *failure = NULL;
    const enum err err =
        call->backend->trace(call->view, number, trace, call->arena, call->out, &failure);
    if (err == ERR_NOT_FOUND) {
        return rpc_call_error(call, RPC_SERVER_ERROR,
                              "missing trie node: state before block %llu is not available",
                              (unsigned long long)number);
    }
    if (err != ERR_OK) return rpc_call_failed(call, err);
    if (failure != NULL) return rpc_call_error(call, RPC_SERVER_ERROR, "%s", failure);
    return METHOD_DONE;
}

static enum method_result trace_transaction(struct call *call, struct rpc_trace *trace) {
    struct hash32 hash;
    struct rpc_transaction_place place;
    if (!rpc_param_hash(call, 0, &hash)) return METHOD_FAILED;
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    const enum err err = call->backend->transaction_place(call->view, &hash, &place);
    if (err == ERR_NOT_FOUND) {
        return rpc_call_error(call, RPC_SERVER_ERROR, "transaction not found");
    }
    if (err != ERR_OK) return rpc_call_failed(call, err);
    trace->index = place.index;
    return run(call, place.block_number, trace);
}

enum method_result rpc_debug_trace_transaction(struct call *call) {
    struct rpc_trace trace;
    if (!rpc_param_tracer(call, 1, &trace)) return METHOD_FAILED;
    return trace_transaction(call, &trace);
}

/* Parity's own words for what its callers expect of trace_transaction. */
enum method_result rpc_trace_transaction(struct call *call) {
    struct rpc_trace trace = {.tracer = {.kind = TRACER_FLAT_CALLS, .convert_parity_errors = true},
                              .timeout_ms = TRACE_TIMEOUT_MS};
    return trace_transaction(call, &trace);
}

enum method_result rpc_debug_trace_block_by_number(struct call *call) {
    struct rpc_trace trace;
    struct block_choice choice;
    if (!rpc_param_tracer(call, 1, &trace)) return METHOD_FAILED;
    if (!rpc_param_block(call, 0, false, &choice, NULL)) return METHOD_FAILED;
    trace.is_whole_block = true;
    return run(call, choice.number, &trace);
}

enum method_result rpc_debug_trace_block_by_hash(struct call *call) {
    struct rpc_trace trace;
    struct hash32 hash;
    uint64_t number;
    if (!rpc_param_tracer(call, 1, &trace) || !rpc_param_hash(call, 0, &hash)) {
        return METHOD_FAILED;
    }
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    const enum err err = call->backend->block_number(call->view, &hash, &number);
    if (err == ERR_NOT_FOUND) {
        return rpc_call_error(call, RPC_SERVER_ERROR, "block not found");
    }
    if (err != ERR_OK) return rpc_call_failed(call, err);
    trace.is_whole_block = true;
    return run(call, number, &trace);
}

/* parent_fits: the block's parent is one of ours, and its gas limit no further from the parent's
 * than a block may go, so that a made-up header buys no more work than a real one. */
static bool parent_fits(struct call *call, const struct header *header) {
    uint64_t number;
    struct header parent;
    struct hash32 hash;
    enum err err = call->backend->block_number(call->view, &header->parent_hash, &number);
    if (err == ERR_OK) err = call->backend->header(call->view, number, &parent, &hash);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && number + 1 != header->number)) {
        rpc_call_error(call, RPC_SERVER_ERROR, "parent of the block not found");
        return false;
    }
    if (err != ERR_OK) {
        rpc_call_failed(call, err);
        return false;
    }
    if (header->gas_limit <= parent.gas_limit + parent.gas_limit / 1024) return true;
    rpc_call_error(call, RPC_SERVER_ERROR, "gas limit %llu is too far above the parent's %llu",
                   (unsigned long long)header->gas_limit, (unsigned long long)parent.gas_limit);
    return false;
}

/* A block that the caller encodes, on a parent that is stored here. */
enum method_result rpc_debug_trace_block(struct call *call) {
    struct rpc_trace trace;
    struct block block;
    struct bytes encoded;
    if (!rpc_param_tracer(call, 1, &trace) || !rpc_param_data(call, 0, &encoded)) {
        return METHOD_FAILED;
    }
    const enum err err = block_decode(encoded, call->arena, &block);
    if (err != ERR_OK) {
        return rpc_call_error(call, RPC_SERVER_ERROR, "could not decode block: %s", err_text(err));
    }
    if (block.header.number == 0) {
        return rpc_call_error(call, RPC_SERVER_ERROR, "genesis is not traceable");
    }
    if (rpc_call_view(call) == NULL || !parent_fits(call, &block.header)) return METHOD_FAILED;
    trace.is_whole_block = true;
    trace.own_block = &block;
    return run(call, block.header.number, &trace);
}

enum method_result rpc_debug_trace_call(struct call *call) {
    struct rpc_trace trace;
    struct rpc_call what;
    struct rpc_block_override override;
    struct block_choice choice;
    bool has_gas, has_nonce;
    json_t *options = json_array_get(call->params, 2);
    if (!rpc_param_tracer(call, 2, &trace)) return METHOD_FAILED;
    if (!rpc_param_call(call, 0, 0, &what, &has_gas, &has_nonce)) return METHOD_FAILED;
    if (!rpc_read_overrides(call, json_object_get(options, "stateOverrides"), &what) ||
        !rpc_read_block_override(call, json_object_get(options, "blockOverrides"), &override)) {
        return METHOD_FAILED;
    }
    if (!rpc_param_block(call, 1, false, &choice, NULL)) return METHOD_FAILED;
    what.block = &override;
    trace.call = &what;
    trace.is_pending = choice.is_pending;
    return run(call, choice.number, &trace);
}
