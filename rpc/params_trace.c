#include "rpc/params_trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

static bool refuse(struct call *call, const char *what) {
    rpc_call_error(call, RPC_INVALID_PARAMS, "invalid argument: %s", what);
    return false;
}

static bool read_flag(struct call *call, json_t *object, const char *key, bool *out) {
    json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value)) return true;
    if (!json_is_boolean(value)) return refuse(call, "a flag is neither true nor false");
    *out = json_is_true(value);
    return true;
}

/* read_part reads one named tracer; a muxTracer's parts are read by their own. */
static bool read_part(struct call *call, const char *name, json_t *config,
                      struct tracer_config *out) {
    *out = (struct tracer_config){.kind = TRACER_STEPS};
    if (*name == 0 || !tracer_kind_of(name, &out->kind)) {
        rpc_call_error(call, RPC_SERVER_ERROR, "tracer %.40s not found", name);
        return false;
    }
    if (config == NULL || json_is_null(config)) return true;
    if (!json_is_object(config)) return refuse(call, "tracerConfig is not an object");
    if (out->kind == TRACER_MUX) return true;
    const char *key;
    json_t *value;
    json_object_foreach(config, key, value) {
        tracer_set(out, key, json_is_true(value));
    }
    return true;
}

static bool read_mux(struct call *call, json_t *config, struct tracer_config *out) {
    const size_t count = json_object_size(config);
    if (count > TRACER_PARTS_MAX) return refuse(call, "muxTracer has more than 8 tracers");
    struct tracer_config *parts = arena_array(call->arena, count + 1, sizeof *parts);
    if (parts == NULL) return refuse(call, "muxTracer is too large");
    const char *key;
    json_t *part;
    json_object_foreach(config, key, part) {
        if (!read_part(call, key, part, &parts[out->parts_count])) return false;
        /* else its depth would be the client's choice */
        if (parts[out->parts_count].kind == TRACER_MUX) {
            return refuse(call, "a muxTracer cannot hold another");
        }
        out->parts_count++;
    }
    out->parts = parts;
    return true;
}

/* read_timeout reads Go's form of a duration, one number and one unit: "500ms", "10s", "1m". */
static bool read_timeout(struct call *call, json_t *object, uint64_t *out_ms) {
    json_t *value = json_object_get(object, "timeout");
    if (value == NULL || json_is_null(value)) return true;
    const char *text = json_string_value(value);
    char *unit = NULL;
    const double amount = text == NULL ? -1 : strtod(text, &unit);
    const double scale = unit == NULL              ? 0
                         : strcmp(unit, "ms") == 0 ? 1
                         : strcmp(unit, "s") == 0  ? 1000
                         : strcmp(unit, "m") == 0  ? 60000
                                                   : 0;
    if (scale == 0 || !(amount >= 0)) return refuse(call, "timeout is not like \"5s\"");
    *out_ms =
        amount * scale > TRACE_TIMEOUT_MS_MAX ? TRACE_TIMEOUT_MS_MAX : (uint64_t)(amount * scale);
    return true;
}

static bool read_step_options(struct call *call, json_t *object, struct tracer_config *out) {
    json_t *limit = json_object_get(object, "limit");
    if (limit != NULL && !json_is_null(limit)) {
        if (!json_is_integer(limit) || json_integer_value(limit) < 0) {
            return refuse(call, "limit is not a number");
        }
        out->steps_max = (uint64_t)json_integer_value(limit);
    }
    return read_flag(call, object, "disableStorage", &out->disable_storage) &&
           read_flag(call, object, "disableStack", &out->disable_stack) &&
           read_flag(call, object, "enableMemory", &out->enable_memory) &&
           read_flag(call, object, "enableReturnData", &out->enable_return_data);
}

bool rpc_param_tracer(struct call *call, size_t index, struct rpc_trace *out) {
    json_t *object = json_array_get(call->params, index);
    *out = (struct rpc_trace){.tracer = {.kind = TRACER_STEPS}, .timeout_ms = TRACE_TIMEOUT_MS};
    if (object == NULL || json_is_null(object)) return true;
    if (!json_is_object(object)) return refuse(call, "the trace's options are not an object");
    if (!read_timeout(call, object, &out->timeout_ms)) return false;
    json_t *name = json_object_get(object, "tracer");
    if (name == NULL || json_is_null(name) || json_string_length(name) == 0) {
        return read_step_options(call, object, &out->tracer);
    }
    json_t *config = json_object_get(object, "tracerConfig");
    if (!read_part(call, json_string_value(name), config, &out->tracer)) return false;
    return out->tracer.kind != TRACER_MUX || read_mux(call, config, &out->tracer);
}

static bool read_hash(struct call *call, json_t *object, const char *key, struct hash32 *out,
                      bool *is_given) {
    struct bytes data = BYTES_EMPTY;
    if (!rpc_field_data(call, object, key, &data, is_given)) return false;
    if (!*is_given) return true;
    if (data.size != sizeof out->bytes) return refuse(call, "a block override is not a hash");
    memcpy(out->bytes, data.data, data.size);
    return true;
}

bool rpc_read_block_override(struct call *call, json_t *object, struct rpc_block_override *out) {
    *out = (struct rpc_block_override){.has_number = false};
    if (object == NULL || json_is_null(object)) return true;
    if (!json_is_object(object)) return refuse(call, "block overrides are not an object");
    json_t *recipient = json_object_get(object, "feeRecipient");
    const char *const fee_recipient = recipient != NULL ? "feeRecipient" : "coinbase";
    json_t *fee = json_object_get(object, "baseFeePerGas");
    const char *const base_fee = fee != NULL ? "baseFeePerGas" : "baseFee";
    json_t *random = json_object_get(object, "prevRandao");
    const char *const prev_randao = random != NULL ? "prevRandao" : "random";
    return rpc_field_quantity(call, object, "number", &out->number, &out->has_number) &&
           rpc_field_quantity(call, object, "time", &out->time, &out->has_time) &&
           rpc_field_quantity(call, object, "gasLimit", &out->gas_limit, &out->has_gas_limit) &&
           rpc_field_address(call, object, fee_recipient, &out->fee_recipient,
                             &out->has_fee_recipient) &&
           rpc_field_u256(call, object, "difficulty", &out->difficulty, &out->has_difficulty) &&
           rpc_field_u256(call, object, base_fee, &out->base_fee, &out->has_base_fee) &&
           rpc_field_u256(call, object, "blobBaseFee", &out->blob_base_fee,
                          &out->has_blob_base_fee) &&
           read_hash(call, object, prev_randao, &out->prev_randao, &out->has_prev_randao) &&
           read_hash(call, object, "beaconRoot", &out->beacon_root, &out->has_beacon_root);
}
