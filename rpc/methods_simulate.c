/* eth_simulateV1: calls in blocks that follow a real one, with what overrides make of the state. */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "rpc/encode.h"
#include "rpc/methods.h"
#include "rpc/params.h"
#include "rpc/params_trace.h"
#include "rpc/revert.h"

#define CALLS_MAX        5000 /* of one block: more could not pay for their intrinsic gas */
#define WITHDRAWALS_MAX  64
#define BLOB_HASHES_MAX  64
#define RPC_VM_ERROR     (-32015)
#define RPC_CLIENT_LIMIT (-38026)

static bool refuse(struct call *call, const char *what) {
    rpc_call_error(call, RPC_INVALID_PARAMS, "invalid argument 0: %s", what);
    return false;
}

/* --- reading */

static bool read_blob_hashes(struct call *call, json_t *object, struct transaction *out) {
    json_t *list = json_object_get(object, "blobVersionedHashes");
    bool has_fee;
    if (list == NULL || json_is_null(list)) return true;
    const size_t count = json_array_size(list);
    if (!json_is_array(list) || count > BLOB_HASHES_MAX) {
        return refuse(call, "blobVersionedHashes is not a list of at most 64");
    }
    struct hash32 *hashes = arena_array(call->arena, count + 1, sizeof *hashes);
    if (hashes == NULL) return refuse(call, "too large");
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text == NULL || hex_to_hash(bytes_from_string(text), &hashes[i]) != ERR_OK) {
            return refuse(call, "a blob's hash is not a hash");
        }
    }
    out->type = TRANSACTION_BLOB;
    out->blob_hashes = hashes;
    out->blob_hashes_count = count;
    return rpc_field_u256(call, object, "maxFeePerBlobGas", &out->max_fee_per_blob_gas, &has_fee);
}

static bool read_call(struct call *call, json_t *object, struct rpc_simulated_call *out) {
    struct rpc_call what;
    if (!rpc_read_call(call, object, &what, &out->has_gas, &out->has_nonce)) return false;
    out->transaction = what.transaction;
    struct transaction *transaction = &out->transaction;
    json_t *price = json_object_get(object, "gasPrice");
    const bool has_price = price != NULL && !json_is_null(price);
    if (has_price) {
        if (transaction->access_list_count == 0) transaction->type = TRANSACTION_LEGACY;
    } else {
        transaction->type = TRANSACTION_DYNAMIC_FEE; /* unless the call says otherwise */
    }
    return read_blob_hashes(call, object, transaction);
}

static bool read_calls(struct call *call, json_t *list, struct rpc_simulated_block *out) {
    if (list == NULL || json_is_null(list)) return true;
    const size_t count = json_array_size(list);
    if (!json_is_array(list) || count > CALLS_MAX) {
        return refuse(call, "calls is not a list of at most 5000");
    }
    struct rpc_simulated_call *calls = arena_array(call->arena, count + 1, sizeof *calls);
    if (calls == NULL) return refuse(call, "too large");
    for (size_t i = 0; i < count; i++) {
        if (!read_call(call, json_array_get(list, i), &calls[i])) return false;
    }
    out->calls = calls;
    out->calls_count = count;
    return true;
}

static bool read_withdrawals(struct call *call, json_t *list, struct rpc_block_override *out) {
    if (list == NULL || json_is_null(list)) return true;
    const size_t count = json_array_size(list);
    if (!json_is_array(list) || count > WITHDRAWALS_MAX) {
        return refuse(call, "withdrawals is not a list of at most 64");
    }
    struct withdrawal *withdrawals = arena_array(call->arena, count + 1, sizeof *withdrawals);
    if (withdrawals == NULL) return refuse(call, "too large");
    for (size_t i = 0; i < count; i++) {
        json_t *object = json_array_get(list, i);
        struct withdrawal *at = &withdrawals[i];
        if (!json_is_object(object)) return refuse(call, "a withdrawal is not an object");
        if (!rpc_field_quantity(call, object, "index", &at->index, NULL) ||
            !rpc_field_quantity(call, object, "validatorIndex", &at->validator_index, NULL) ||
            !rpc_field_address(call, object, "address", &at->address, NULL) ||
            !rpc_field_quantity(call, object, "amount", &at->amount_gwei, NULL)) {
            return false;
        }
    }
    out->withdrawals = withdrawals;
    out->withdrawals_count = count;
    return true;
}

static bool read_block(struct call *call, json_t *object, struct rpc_simulated_block *out) {
    struct rpc_call overrides = {.overrides_count = 0};
    json_t *block = json_object_get(object, "blockOverrides");
    if (!json_is_object(object)) return refuse(call, "a block is not an object");
    if (!rpc_read_block_override(call, block, &out->override) ||
        !read_withdrawals(call, json_object_get(block, "withdrawals"), &out->override) ||
        !rpc_read_overrides(call, json_object_get(object, "stateOverrides"), &overrides)) {
        return false;
    }
    out->accounts = overrides.overrides;
    out->accounts_count = overrides.overrides_count;
    return read_calls(call, json_object_get(object, "calls"), out);
}

static bool read_simulation(struct call *call, json_t *object, struct rpc_simulation *out) {
    json_t *list = json_object_get(object, "blockStateCalls");
    const size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0) return refuse(call, "empty input");
    if (count > RPC_SIMULATED_BLOCKS_MAX) {
        rpc_call_error(call, RPC_CLIENT_LIMIT, "too many blocks");
        return false;
    }
    struct rpc_simulated_block *blocks = arena_array(call->arena, count, sizeof *blocks);
    if (blocks == NULL) return refuse(call, "too large");
    for (size_t i = 0; i < count; i++) {
        if (!read_block(call, json_array_get(list, i), &blocks[i])) return false;
    }
    *out = (struct rpc_simulation){
        .blocks = blocks,
        .blocks_count = count,
        .is_validating = json_is_true(json_object_get(object, "validation")),
        .traces_transfers = json_is_true(json_object_get(object, "traceTransfers")),
        .gas_max = call->limits->call_gas_max};
    return true;
}

/* --- writing */

static void write_error(struct json_writer *json, const struct rpc_simulated_outcome *outcome) {
    char reason[REVERT_REASON_BYTES], text[REVERT_REASON_BYTES + 32];
    const bool is_revert = outcome->status == EVM_REVERT;
    snprintf(text, sizeof text, "%s", evm_status_text(outcome->status));
    if (is_revert && revert_reason(outcome->output, reason)) {
        snprintf(text, sizeof text, "execution reverted: %s", reason);
    }
    json_key(json, "error");
    json_object_begin(json);
    json_key(json, "message");
    json_write_string(json, text);
    json_key(json, "code");
    json_number(json, is_revert ? RPC_REVERTED : RPC_VM_ERROR);
    if (is_revert) {
        json_key(json, "data");
        json_data(json, outcome->output);
    }
    json_object_end(json);
}

static void write_outcome(struct json_writer *json, const struct rpc_simulated_result *result,
                          size_t index) {
    const struct rpc_simulated_outcome *outcome = &result->outcomes[index];
    const struct block *block = &result->block.block;
    json_object_begin(json);
    json_key(json, "returnData");
    /* what a revert says is the error's data */
    json_data(json, outcome->status == EVM_SUCCESS ? outcome->output : BYTES_EMPTY);
    json_key(json, "logs");
    json_array_begin(json);
    for (size_t i = 0; i < outcome->logs_count; i++) {
        rpc_encode_log(json, &outcome->logs[i].log, &block->header, &block->hash,
                       &result->transactions[index].hash, index, outcome->logs[i].index, false);
    }
    json_array_end(json);
    json_key(json, "gasUsed");
    json_quantity(json, outcome->gas_used);
    json_key(json, "maxUsedGas");
    json_quantity(json, outcome->gas_peak);
    json_key(json, "status");
    json_quantity(json, outcome->status == EVM_SUCCESS);
    if (outcome->status != EVM_SUCCESS) write_error(json, outcome);
    json_object_end(json);
}

static void write_transactions(struct json_writer *json, const struct rpc_simulated_result *result,
                               bool is_full) {
    const struct block *block = &result->block.block;
    json_key(json, "transactions");
    json_array_begin(json);
    for (size_t i = 0; i < block->transactions_count; i++) {
        const struct encode_place place = {&block->hash, block->header.number, i,
                                           block->header.timestamp, block->header.base_fee};
        if (is_full) {
            rpc_encode_known(json, &result->transactions[i], &place);
        } else {
            json_hash(json, &result->transactions[i].hash);
        }
    }
    json_array_end(json);
}

static void write_result(struct json_writer *json, const struct rpc_simulated_result *result,
                         bool is_full) {
    const struct block *block = &result->block.block;
    json_object_begin(json);
    rpc_encode_header_fields(json, &block->header, &block->hash);
    json_key(json, "size");
    json_quantity(json, result->block.ethereum_block_bytes);
    write_transactions(json, result, is_full);
    json_key(json, "uncles");
    json_array_begin(json);
    json_array_end(json);
    if (block->has_withdrawals) rpc_encode_withdrawals(json, block);
    json_key(json, "calls");
    json_array_begin(json);
    for (size_t i = 0; i < block->transactions_count; i++)
        write_outcome(json, result, i);
    json_array_end(json);
    json_object_end(json);
}

enum method_result rpc_eth_simulate(struct call *call) {
    struct rpc_simulation simulation;
    struct block_choice choice;
    struct rpc_simulation_failure failure = {.code = 0};
    const struct rpc_simulated_result *results = NULL;
    size_t count = 0;
    json_t *object = json_array_get(call->params, 0);
    if (!read_simulation(call, object, &simulation)) return METHOD_FAILED;
    if (!rpc_param_block(call, 1, false, &choice, NULL)) return METHOD_FAILED;
    const enum err err = call->backend->simulate(call->view, choice.number, &simulation,
                                                 call->arena, &results, &count, &failure);
    if (err == ERR_NOT_FOUND) {
        return rpc_call_error(call, RPC_SERVER_ERROR,
                              "missing trie node: state of block %llu is not available",
                              (unsigned long long)choice.number);
    }
    if (err != ERR_OK) return rpc_call_failed(call, err);
    if (failure.code != 0) return rpc_call_error(call, failure.code, "%s", failure.message);
    const bool is_full = json_is_true(json_object_get(object, "returnFullTransactions"));
    json_array_begin(call->out);
    for (size_t i = 0; i < count; i++)
        write_result(call->out, &results[i], is_full);
    json_array_end(call->out);
    return METHOD_DONE;
}
