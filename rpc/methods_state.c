/* Methods that read accounts and storage at a block. */
#include "rpc/methods.h"
#include "rpc/params.h"

#define PROOF_KEYS_MAX 1024

/* state_failed words a missing state as geth does. */
static enum method_result state_failed(struct call *call, enum err err, uint64_t number) {
    if (err == ERR_NOT_FOUND) {
        return rpc_call_error(call, RPC_SERVER_ERROR,
                              "missing trie node: state of block %llu is not available",
                              (unsigned long long)number);
    }
    return rpc_call_failed(call, err);
}

enum method_result rpc_eth_get_balance(struct call *call) {
    struct address address;
    struct block_choice choice;
    struct account account;
    if (!rpc_param_address(call, 0, &address)) return METHOD_FAILED;
    if (!rpc_param_block(call, 1, false, &choice, NULL)) return METHOD_FAILED;
    const enum err err = call->backend->account(call->view, choice.number, &address, &account);
    if (err != ERR_OK) return state_failed(call, err, choice.number);
    json_quantity_u256(call->out, &account.balance);
    return METHOD_DONE;
}

enum method_result rpc_eth_get_transaction_count(struct call *call) {
    struct address address;
    struct block_choice choice;
    struct account account;
    uint64_t nonce;
    if (!rpc_param_address(call, 0, &address)) return METHOD_FAILED;
    if (!rpc_param_block(call, 1, false, &choice, NULL)) return METHOD_FAILED;
    enum err err;
    if (choice.is_pending) {
        err = call->backend->pending_nonce(call->backend->context, &address, &nonce);
        if (err != ERR_OK) return rpc_call_failed(call, err);
    } else {
        err = call->backend->account(call->view, choice.number, &address, &account);
        if (err != ERR_OK) return state_failed(call, err, choice.number);
        nonce = account.nonce;
    }
    json_quantity(call->out, nonce);
    return METHOD_DONE;
}

enum method_result rpc_eth_get_code(struct call *call) {
    struct address address;
    struct block_choice choice;
    struct bytes code;
    if (!rpc_param_address(call, 0, &address)) return METHOD_FAILED;
    if (!rpc_param_block(call, 1, false, &choice, NULL)) return METHOD_FAILED;
    const enum err err =
        call->backend->code(call->view, choice.number, &address, call->arena, &code);
    if (err != ERR_OK) return state_failed(call, err, choice.number);
    json_data(call->out, code);
    return METHOD_DONE;
}

enum method_result rpc_eth_get_storage_at(struct call *call) {
    struct address address;
    struct hash32 key;
    struct block_choice choice;
    struct u256 value;
    if (!rpc_param_address(call, 0, &address)) return METHOD_FAILED;
    if (!rpc_param_slot_value(call, json_array_get(call->params, 1), &key)) return METHOD_FAILED;
    if (!rpc_param_block(call, 2, false, &choice, NULL)) return METHOD_FAILED;
    const enum err err = call->backend->storage(call->view, choice.number, &address, &key, &value);
    if (err != ERR_OK) return state_failed(call, err, choice.number);
    const struct hash32 word = u256_to_hash(&value);
    json_hash(call->out, &word);
    return METHOD_DONE;
}

static void write_nodes(struct json_writer *json, const struct proof *proof) {
    json_array_begin(json);
    for (size_t i = 0; i < proof->nodes_count; i++)
        json_data(json, proof->nodes[i]);
    json_array_end(json);
}

/* What eth_getProof read. */
struct proven {
    struct address address;
    struct account account;
    struct proof account_proof;
    size_t keys_count;
    struct hash32 *keys;
    struct u256 *values;
    struct proof *proofs;
};

/* write_slot_name repeats a slot's name: as a hash when it was asked for as one, else as a
 * quantity.
 */
static void write_slot_name(struct json_writer *json, json_t *name, const struct hash32 *key) {
    if (json_string_length(name) == 66) {
        json_hash(json, key);
        return;
    }
    const struct u256 number = u256_from_hash(key);
    json_quantity_u256(json, &number);
}

static void write_proven(struct call *call, const struct proven *proven) {
    struct json_writer *json = call->out;
    json_object_begin(json);
    json_key(json, "address");
    json_address(json, &proven->address);
    json_key(json, "accountProof");
    write_nodes(json, &proven->account_proof);
    json_key(json, "balance");
    json_quantity_u256(json, &proven->account.balance);
    json_key(json, "codeHash");
    json_hash(json, &proven->account.code_hash);
    json_key(json, "nonce");
    json_quantity(json, proven->account.nonce);
    json_key(json, "storageHash");
    json_hash(json, &proven->account.storage_root);
    json_key(json, "storageProof");
    json_array_begin(json);
    json_t *names = json_array_get(call->params, 1);
    for (size_t i = 0; i < proven->keys_count; i++) {
        json_object_begin(json);
        json_key(json, "key");
        write_slot_name(json, json_array_get(names, i), &proven->keys[i]);
        json_key(json, "value");
        json_quantity_u256(json, &proven->values[i]);
        json_key(json, "proof");
        write_nodes(json, &proven->proofs[i]);
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
}

enum method_result rpc_eth_get_proof(struct call *call) {
    struct proven proven = {.keys_count = 0};
    struct block_choice choice;
    json_t *keys = json_array_get(call->params, 1);
    if (!rpc_param_address(call, 0, &proven.address)) return METHOD_FAILED;
    if (!json_is_array(keys) || json_array_size(keys) > PROOF_KEYS_MAX) {
        return rpc_call_error(call, RPC_INVALID_PARAMS,
                              "invalid argument 1: a list of at most %d storage keys is wanted",
                              PROOF_KEYS_MAX);
    }
    proven.keys_count = json_array_size(keys);
    proven.keys = arena_array(call->arena, proven.keys_count + 1, sizeof *proven.keys);
    proven.values = arena_array(call->arena, proven.keys_count + 1, sizeof *proven.values);
    proven.proofs = arena_array(call->arena, proven.keys_count + 1, sizeof *proven.proofs);
    if (proven.keys == NULL || proven.values == NULL || proven.proofs == NULL) {
        return rpc_call_failed(call, ERR_LIMIT);
    }
    for (size_t i = 0; i < proven.keys_count; i++) {
        if (!rpc_param_slot_value(call, json_array_get(keys, i), &proven.keys[i])) {
            return METHOD_FAILED;
        }
    }
    if (!rpc_param_block(call, 2, false, &choice, NULL)) return METHOD_FAILED;
    const enum err err = call->backend->proof(
        call->view, choice.number, &proven.address, proven.keys, proven.keys_count, call->arena,
        &proven.account, &proven.account_proof, proven.values, proven.proofs);
    if (err == ERR_LIMIT) {
        return rpc_call_error(call, RPC_SERVER_ERROR,
                              "block %llu is too old for a proof: too much changed since then",
                              (unsigned long long)choice.number);
    }
    if (err != ERR_OK) return state_failed(call, err, choice.number);
    write_proven(call, &proven);
    return METHOD_DONE;
}
