/* Methods that execute: rpc_eth_call, eth_estimateGas, eth_createAccessList. */
#include <stdio.h>
#include <string.h>

#include "rpc/methods.h"
#include "rpc/params.h"
#include "rpc/params_trace.h"
#include "rpc/revert.h"

/* outcome_failed answers a call that could not start, reverted or failed. */
static enum method_result outcome_failed(struct call *call, const struct rpc_call_result *result) {
    char reason[REVERT_REASON_BYTES];
    if (result->verdict != VERDICT_ACCEPTED) {
        return rpc_call_error(call, RPC_SERVER_ERROR, "err: %s", verdict_text(result->verdict));
    }
    if (result->result.status != EVM_REVERT) {
        return rpc_call_error(call, RPC_SERVER_ERROR, "%s", evm_status_text(result->result.status));
    }
    call->error_data = result->result.output;
    call->has_error_data = true;
    if (revert_reason(result->result.output, reason)) {
        return rpc_call_error(call, RPC_REVERTED, "execution reverted: %s", reason);
    }
    return rpc_call_error(call, RPC_REVERTED, "execution reverted");
}

static enum method_result run(struct call *call, const struct block_choice *choice,
                              const struct rpc_call *what, struct rpc_call_result *result) {
    const enum err err = call->backend->call(call->view, choice->number, choice->is_pending, what,
                                             call->arena, result);
    if (err == ERR_OK) return METHOD_DONE;
    if (err == ERR_NOT_FOUND) {
        return rpc_call_error(call, RPC_SERVER_ERROR,
                              "missing trie node: state of block %llu is not available",
                              (unsigned long long)choice->number);
    }
    return rpc_call_failed(call, err);
}

enum method_result rpc_eth_call(struct call *call) {
    struct rpc_call what;
    struct block_choice choice;
    struct rpc_call_result result;
    struct rpc_block_override override;
    bool has_gas, has_nonce;
    if (!rpc_param_call(call, 0, 2, &what, &has_gas, &has_nonce)) return METHOD_FAILED;
    if (!rpc_read_block_override(call, json_array_get(call->params, 3), &override)) {
        return METHOD_FAILED;
    }
    what.block = &override;
    if (!rpc_param_block(call, 1, false, &choice, NULL)) return METHOD_FAILED;
    if (run(call, &choice, &what, &result) == METHOD_FAILED) return METHOD_FAILED;
    if (result.verdict != VERDICT_ACCEPTED || result.result.status != EVM_SUCCESS) {
        return outcome_failed(call, &result);
    }
    json_data(call->out, result.result.output);
    return METHOD_DONE;
}

static bool succeeded(const struct rpc_call_result *result) {
    return result->verdict == VERDICT_ACCEPTED && result->result.status == EVM_SUCCESS;
}

/* affordable_gas is how much gas the sender can pay for at this price; `most` when it is free. */
static enum err affordable_gas(struct call *call, const struct block_choice *choice,
                               const struct rpc_call *what, uint64_t most, uint64_t *out) {
    struct account account;
    const struct transaction *transaction = &what->transaction;
    *out = most;
    if (u256_is_zero(&transaction->max_fee)) return ERR_OK;
    TRY(call->backend->account(call->view, choice->number, &transaction->sender, &account));
    *out = 0;
    if (u256_less(&account.balance, &transaction->value)) return ERR_OK;
    const struct u256 rest = u256_sub(&account.balance, &transaction->value);
    const struct u256 gas = u256_div(&rest, &transaction->max_fee);
    const uint64_t affordable = u256_to_u64_saturated(&gas);
    *out = affordable < most ? affordable : most;
    return ERR_OK;
}

/* search finds the least gas in (low, high] that succeeds; `high` does. */
static enum method_result search(struct call *call, const struct block_choice *choice,
                                 struct rpc_call *what, uint64_t low, uint64_t high,
                                 uint64_t *out) {
    while (low + 1 < high) {
        struct rpc_call_result result;
        const size_t mark = arena_mark(call->arena);
        const uint64_t middle = low + (high - low) / 2;
        what->transaction.gas_limit = middle;
        if (run(call, choice, what, &result) == METHOD_FAILED) return METHOD_FAILED;
        if (succeeded(&result)) {
            high = middle;
        } else {
            low = middle;
        }
        arena_release(call->arena, mark);
    }
    *out = high;
    return METHOD_DONE;
}

enum method_result rpc_eth_estimate_gas(struct call *call) {
    struct rpc_call what;
    struct block_choice choice;
    struct rpc_call_result result;
    struct header header;
    struct hash32 hash;
    struct rpc_block_override override;
    bool has_gas, has_nonce;
    uint64_t most, estimate;
    if (!rpc_param_call(call, 0, 2, &what, &has_gas, &has_nonce)) return METHOD_FAILED;
    if (!rpc_read_block_override(call, json_array_get(call->params, 3), &override)) {
        return METHOD_FAILED;
    }
    what.block = &override;
    if (!rpc_param_block(call, 1, false, &choice, NULL)) return METHOD_FAILED;
    enum err err = call->backend->header(call->view, choice.number, &header, &hash);
    if (err == ERR_OK) {
        most = what.transaction.gas_limit;
        if (!has_gas && header.gas_limit < most) most = header.gas_limit;
        err = affordable_gas(call, &choice, &what, most, &most);
    }
    if (err != ERR_OK) return rpc_call_failed(call, err);
    what.transaction.gas_limit = most;
    if (run(call, &choice, &what, &result) == METHOD_FAILED) return METHOD_FAILED;
    if (!succeeded(&result)) {
        if (result.verdict == VERDICT_ACCEPTED && result.result.status == EVM_OUT_OF_GAS) {
            return rpc_call_error(call, RPC_SERVER_ERROR, "gas required exceeds allowance (%llu)",
                                  (unsigned long long)most);
        }
        return outcome_failed(call, &result);
    }
    /* less than what it used cannot be enough; refunds and 63/64 may make it need more */
    const uint64_t low = result.result.gas_used > 0 ? result.result.gas_used - 1 : 0;
    if (search(call, &choice, &what, low, most, &estimate) == METHOD_FAILED) {
        return METHOD_FAILED;
    }
    json_quantity(call->out, estimate);
    return METHOD_DONE;
}

/* Collects what an execution touches, for EIP-2930 lists. */
#define ACCESS_ADDRESSES_MAX 1024
#define ACCESS_SLOTS_MAX     8192
struct collected_slot {
    struct address address;
    struct hash32 key;
};
struct collector {
    struct address *addresses;
    size_t addresses_count;
    struct collected_slot *slots;
    size_t slots_count;
    bool overflow;
};

static void collect_address(struct collector *collector, const struct address *address) {
    for (size_t i = 0; i < collector->addresses_count; i++) {
        if (address_equal(&collector->addresses[i], address)) return;
    }
    if (collector->addresses_count == ACCESS_ADDRESSES_MAX) {
        collector->overflow = true;
        return;
    }
    collector->addresses[collector->addresses_count++] = *address;
}

static void collect_slot(struct collector *collector, const struct address *address,
                         const struct hash32 *key) {
    for (size_t i = 0; i < collector->slots_count; i++) {
        if (hash_equal(&collector->slots[i].key, key) &&
            address_equal(&collector->slots[i].address, address)) {
            return;
        }
    }
    if (collector->slots_count == ACCESS_SLOTS_MAX) {
        collector->overflow = true;
        return;
    }
    collector->slots[collector->slots_count++] = (struct collected_slot){*address, *key};
    collect_address(collector, address);
}

static struct address low_address(const struct u256 *word) {
    const struct hash32 bytes = u256_to_hash(word);
    struct address address;
    memcpy(address.bytes, bytes.bytes + 12, sizeof address.bytes);
    return address;
}

static void collect_step(void *context, const struct evm_step *step) {
    struct collector *collector = context;
    const size_t count = step->stack_count;
    if (count == 0) return;
    const struct u256 *top = &step->stack[count - 1];
    switch (step->opcode) {
    case 0x54: /* SLOAD */
    case 0x55: /* SSTORE */ {
        const struct hash32 key = u256_to_hash(top);
        collect_slot(collector, &step->address, &key);
        return;
    }
    case 0x31: /* BALANCE */
    case 0x3b: /* EXTCODESIZE */
    case 0x3c: /* EXTCODECOPY */
    case 0x3f: /* EXTCODEHASH */
    case 0xff: /* SELFDESTRUCT */ {
        const struct address address = low_address(top);
        collect_address(collector, &address);
        return;
    }
    case 0xf1: /* CALL */
    case 0xf2: /* CALLCODE */
    case 0xf4: /* DELEGATECALL */
    case 0xfa: /* STATICCALL */ {
        if (count < 2) return;
        const struct address address = low_address(top - 1);
        collect_address(collector, &address);
        return;
    }
    default: return;
    }
}

/* is_free: an address that is warm anyway: sender, recipient, precompiles. */
static bool is_free(const struct rpc_call *what, const struct address *address) {
    if (address_equal(address, &what->transaction.sender)) return true;
    if (!what->transaction.is_create && address_equal(address, &what->transaction.to)) return true;
    for (size_t i = 0; i < 18; i++) {
        if (address->bytes[i] != 0) return false;
    }
    const unsigned low = (unsigned)address->bytes[18] << 8 | address->bytes[19];
    return low <= 0x11 || low == 0x100;
}

static size_t slots_of(const struct collector *collector, const struct address *address,
                       struct hash32 *keys) {
    size_t count = 0;
    for (size_t i = 0; i < collector->slots_count; i++) {
        if (!address_equal(&collector->slots[i].address, address)) continue;
        keys[count++] = collector->slots[i].key;
    }
    return count;
}

/* make_list turns what was collected into an access list in the arena; NULL: no room. */
static struct access_tuple *make_list(struct call *call, const struct rpc_call *what,
                                      const struct collector *collector, size_t *count) {
    struct access_tuple *list =
        arena_array(call->arena, collector->addresses_count + 1, sizeof *list);
    struct hash32 *keys = arena_array(call->arena, collector->slots_count + 1, sizeof *keys);
    if (list == NULL || keys == NULL) return NULL;
    *count = 0;
    for (size_t i = 0; i < collector->addresses_count; i++) {
        const size_t slots = slots_of(collector, &collector->addresses[i], keys);
        if (slots == 0 && is_free(what, &collector->addresses[i])) continue;
        list[*count] = (struct access_tuple){collector->addresses[i], keys, slots};
        keys += slots;
        *count += 1;
    }
    return list;
}

static void write_list(struct call *call, const struct access_tuple *list, size_t count,
                       const struct rpc_call_result *result) {
    struct json_writer *json = call->out;
    json_object_begin(json);
    json_key(json, "accessList");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(json);
        json_key(json, "address");
        json_address(json, &list[i].address);
        json_key(json, "storageKeys");
        json_array_begin(json);
        for (size_t k = 0; k < list[i].keys_count; k++)
            json_hash(json, &list[i].keys[k]);
        json_array_end(json);
        json_object_end(json);
    }
    json_array_end(json);
    if (result->result.status != EVM_SUCCESS) {
        json_key(json, "error");
        json_write_string(json, evm_status_text(result->result.status));
    }
    json_key(json, "gasUsed");
    json_quantity(json, result->result.gas_used);
    json_object_end(json);
}

enum method_result rpc_eth_create_access_list(struct call *call) {
    struct rpc_call what;
    struct block_choice choice;
    struct rpc_call_result result;
    bool has_gas, has_nonce;
    struct collector collector = {.addresses_count = 0};
    size_t count = 0;
    if (!rpc_param_call(call, 0, 2, &what, &has_gas, &has_nonce)) return METHOD_FAILED;
    if (!rpc_param_block(call, 1, false, &choice, NULL)) return METHOD_FAILED;
    collector.addresses =
        arena_array(call->arena, ACCESS_ADDRESSES_MAX, sizeof *collector.addresses);
    collector.slots = arena_array(call->arena, ACCESS_SLOTS_MAX, sizeof *collector.slots);
    if (collector.addresses == NULL || collector.slots == NULL) {
        return rpc_call_failed(call, ERR_LIMIT);
    }
    const struct evm_tracer tracer = {.context = &collector, .step = collect_step};
    what.options.tracer = &tracer;
    if (run(call, &choice, &what, &result) == METHOD_FAILED) return METHOD_FAILED;
    if (result.verdict != VERDICT_ACCEPTED) return outcome_failed(call, &result);
    if (collector.overflow) {
        return rpc_call_error(call, RPC_SERVER_ERROR, "the access list would be too large");
    }
    struct access_tuple *list = make_list(call, &what, &collector, &count);
    if (list == NULL) return rpc_call_failed(call, ERR_LIMIT);
    /* once more with the list, for the gas that it leads to */
    what.options.tracer = NULL;
    what.transaction.access_list = list;
    what.transaction.access_list_count = count;
    if (what.transaction.type == TRANSACTION_LEGACY) {
        what.transaction.type = TRANSACTION_ACCESS_LIST;
    }
    if (run(call, &choice, &what, &result) == METHOD_FAILED) return METHOD_FAILED;
    if (result.verdict != VERDICT_ACCEPTED) return outcome_failed(call, &result);
    write_list(call, list, count, &result);
    return METHOD_DONE;
}
