/* Call objects: the parameters of rpc_eth_call, eth_estimateGas and eth_createAccessList. */
#include <string.h>

#include "base/hex.h"
#include "rpc/params.h"

#define ACCESS_LIST_MAX 1024
#define OVERRIDES_MAX   256
#define SLOTS_MAX       4096

static bool refuse(struct call *call, const char *what) {
    rpc_call_error(call, RPC_INVALID_PARAMS, "invalid argument: %s", what);
    return false;
}

static bool read_access_tuple(struct call *call, json_t *entry, struct access_tuple *out) {
    json_t *keys = json_object_get(entry, "storageKeys");
    const size_t count = json_array_size(keys);
    bool given;
    if (!rpc_field_address(call, entry, "address", &out->address, &given)) return false;
    if (!given || count > SLOTS_MAX) return refuse(call, "accessList: address or keys are wrong");
    struct hash32 *list = arena_array(call->arena, count, sizeof *list);
    if (list == NULL && count > 0) return refuse(call, "accessList is too large");
    for (size_t i = 0; i < count; i++) {
        if (hex_to_hash(rpc_text(json_array_get(keys, i)), &list[i]) != ERR_OK) {
            return refuse(call, "accessList: a storage key is not a hash");
        }
    }
    out->keys = list;
    out->keys_count = count;
    return true;
}

static bool read_access_list(struct call *call, json_t *object, struct transaction *out) {
    json_t *list = json_object_get(object, "accessList");
    if (list == NULL || json_is_null(list)) return true;
    const size_t count = json_array_size(list);
    if (!json_is_array(list) || count > ACCESS_LIST_MAX) {
        return refuse(call, "accessList is not a list of at most 1024 entries");
    }
    struct access_tuple *tuples = arena_array(call->arena, count, sizeof *tuples);
    if (tuples == NULL && count > 0) return refuse(call, "accessList is too large");
    for (size_t i = 0; i < count; i++) {
        if (!read_access_tuple(call, json_array_get(list, i), &tuples[i])) return false;
    }
    out->access_list = tuples;
    out->access_list_count = count;
    if (out->type == TRANSACTION_LEGACY) out->type = TRANSACTION_ACCESS_LIST;
    return true;
}

static bool read_slots(struct call *call, json_t *object, struct rpc_override *out) {
    const size_t count = json_object_size(object);
    if (count > SLOTS_MAX) return refuse(call, "an override has too many slots");
    struct genesis_slot *slots = arena_array(call->arena, count, sizeof *slots);
    if (slots == NULL && count > 0) return refuse(call, "an override has too many slots");
    const char *key;
    json_t *value;
    size_t i = 0;
    json_object_foreach(object, key, value) {
        struct hash32 word;
        if (hex_to_hash(bytes_from_string(key), &slots[i].key) != ERR_OK ||
            hex_to_hash(rpc_text(value), &word) != ERR_OK) {
            return refuse(call, "an override's slots map hashes to hashes");
        }
        slots[i++].value = u256_from_hash(&word);
    }
    out->slots = slots;
    out->slots_count = count;
    return true;
}

static bool read_override(struct call *call, json_t *object, struct rpc_override *out) {
    json_t *state = json_object_get(object, "state");
    json_t *diff = json_object_get(object, "stateDiff");
    if (!rpc_field_u256(call, object, "balance", &out->balance, &out->has_balance)) return false;
    if (!rpc_field_quantity(call, object, "nonce", &out->nonce, &out->has_nonce)) return false;
    if (!rpc_field_data(call, object, "code", &out->code, &out->has_code)) return false;
    if (state != NULL && diff != NULL) {
        return refuse(call, "an override has both \"state\" and \"stateDiff\"");
    }
    if (!rpc_field_address(call, object, "movePrecompileToAddress", &out->move_to,
                           &out->has_move)) {
        return false;
    }
    out->has_state = state != NULL;
    return read_slots(call, state != NULL ? state : diff, out);
}

bool rpc_read_overrides(struct call *call, json_t *object, struct rpc_call *out) {
    if (object == NULL || json_is_null(object)) return true;
    const size_t count = json_object_size(object);
    if (!json_is_object(object) || count > OVERRIDES_MAX) {
        return refuse(call, "state overrides are not an object of at most 256 accounts");
    }
    struct rpc_override *list = arena_array(call->arena, count, sizeof *list);
    if (list == NULL && count > 0) return refuse(call, "state overrides are too large");
    const char *key;
    json_t *value;
    size_t i = 0;
    json_object_foreach(object, key, value) {
        if (hex_to_address(bytes_from_string(key), &list[i].address) != ERR_OK) {
            return refuse(call, "state overrides: a key is not an address");
        }
        if (!read_override(call, value, &list[i])) return false;
        i += 1;
    }
    out->overrides = list;
    out->overrides_count = count;
    return true;
}

/* read_fees takes gasPrice, or maxFeePerGas and maxPriorityFeePerGas, or nothing. */
static bool read_fees(struct call *call, json_t *object, struct rpc_call *out) {
    struct transaction *transaction = &out->transaction;
    struct u256 price = U256_ZERO, fee = U256_ZERO, tip = U256_ZERO;
    bool has_price, has_fee, has_tip;
    if (!rpc_field_u256(call, object, "gasPrice", &price, &has_price)) return false;
    if (!rpc_field_u256(call, object, "maxFeePerGas", &fee, &has_fee)) return false;
    if (!rpc_field_u256(call, object, "maxPriorityFeePerGas", &tip, &has_tip)) return false;
    if (has_price && (has_fee || has_tip)) {
        return refuse(call, "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
    }
    if (has_fee && u256_less(&fee, &tip)) {
        rpc_call_error(call, RPC_SERVER_ERROR,
                       "max priority fee per gas higher than max fee per gas");
        return false;
    }
    transaction->max_fee = has_price ? price : fee;
    transaction->max_priority_fee = has_price ? price : tip;
    if (has_fee || has_tip) transaction->type = TRANSACTION_DYNAMIC_FEE;
    const bool is_free = u256_is_zero(&transaction->max_fee);
    out->options.skip_base_fee = is_free;
    out->options.skip_balance = is_free;
    return true;
}

static bool read_data(struct call *call, json_t *object, struct transaction *out) {
    struct bytes data = BYTES_EMPTY, input = BYTES_EMPTY;
    bool has_data, has_input;
    if (!rpc_field_data(call, object, "data", &data, &has_data)) return false;
    if (!rpc_field_data(call, object, "input", &input, &has_input)) return false;
    if (has_data && has_input && !bytes_equal(data, input)) {
        return refuse(call, "both \"data\" and \"input\" are set and not equal. Please use "
                            "\"input\" to pass transaction call data");
    }
    out->data = has_input ? input : data;
    return true;
}

bool rpc_read_call(struct call *call, json_t *object, struct rpc_call *out, bool *gas_is_given,
                   bool *nonce_is_given) {
    struct rpc_call result = {.transaction = {.has_sender = true, .is_protected = true}};
    struct transaction *transaction = &result.transaction;
    bool has_to = false;
    if (!json_is_object(object)) return refuse(call, "argument 0 is not a call object");
    transaction->chain_id = call->backend->chain->chain_id;
    if (!rpc_field_address(call, object, "from", &transaction->sender, NULL)) return false;
    if (!rpc_field_address(call, object, "to", &transaction->to, &has_to)) return false;
    if (!rpc_field_quantity(call, object, "gas", &transaction->gas_limit, gas_is_given))
        return false;
    if (!rpc_field_u256(call, object, "value", &transaction->value, NULL)) return false;
    if (!rpc_field_quantity(call, object, "nonce", &transaction->nonce, nonce_is_given))
        return false;
    if (!read_fees(call, object, &result) || !read_data(call, object, transaction)) return false;
    if (!read_access_list(call, object, transaction)) return false;
    transaction->is_create = !has_to;
    *out = result;
    return true;
}

bool rpc_param_call(struct call *call, size_t index, size_t overrides_index, struct rpc_call *out,
                    bool *gas_is_given, bool *nonce_is_given) {
    struct rpc_call result;
    if (!rpc_read_call(call, json_array_get(call->params, index), &result, gas_is_given,
                       nonce_is_given)) {
        return false;
    }
    if (overrides_index != 0 &&
        !rpc_read_overrides(call, json_array_get(call->params, overrides_index), &result)) {
        return false;
    }
    struct transaction *transaction = &result.transaction;
    if (!*gas_is_given || transaction->gas_limit > call->limits->call_gas_max) {
        transaction->gas_limit = call->limits->call_gas_max;
    }
    result.options.skip_nonce = true;
    result.options.skip_code_check = true;
    result.options.skip_gas_cap = true;
    *out = result;
    return true;
}
