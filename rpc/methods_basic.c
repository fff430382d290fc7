/* Methods about the node and the chain as such: eth_chainId, net_*, web3_*, txpool_*, baton_*. */
#include <stdio.h>

#include "base/hex.h"
#include "base/keccak.h"
#include "consensus/commit.h"
#include "rpc/encode.h"
#include "rpc/methods.h"
#include "rpc/params.h"

enum method_result rpc_eth_chain_id(struct call *call) {
    json_quantity(call->out, call->backend->chain->chain_id);
    return METHOD_DONE;
}

enum method_result rpc_net_version(struct call *call) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)call->backend->chain->chain_id);
    json_write_string(call->out, text);
    return METHOD_DONE;
}

enum method_result rpc_net_listening(struct call *call) {
    json_bool(call->out, true);
    return METHOD_DONE;
}

enum method_result rpc_net_peer_count(struct call *call) {
    struct rpc_health health;
    call->backend->health(call->backend->context, &health);
    json_quantity(call->out, health.peers_count);
    return METHOD_DONE;
}

enum method_result rpc_web3_client_version(struct call *call) {
    json_write_string(call->out, call->backend->client_version);
    return METHOD_DONE;
}

enum method_result rpc_web3_sha3(struct call *call) {
    struct bytes data;
    if (!rpc_param_data(call, 0, &data)) return METHOD_FAILED;
    const struct hash32 hash = keccak256(data);
    json_hash(call->out, &hash);
    return METHOD_DONE;
}

enum method_result rpc_modules(struct call *call) {
    static const char *const names[] = {"baton", "debug", "eth", "net", "rpc", "txpool", "web3"};
    json_object_begin(call->out);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_key(call->out, names[i]);
        json_write_string(call->out, "1.0");
    }
    json_object_end(call->out);
    return METHOD_DONE;
}

enum method_result rpc_eth_accounts(struct call *call) {
    json_array_begin(call->out);
    json_array_end(call->out);
    return METHOD_DONE;
}

enum method_result rpc_eth_syncing(struct call *call) {
    struct rpc_health health;
    call->backend->health(call->backend->context, &health);
    if (!health.is_syncing) {
        json_bool(call->out, false);
        return METHOD_DONE;
    }
    json_object_begin(call->out);
    json_key(call->out, "startingBlock");
    json_quantity(call->out, health.starting_block);
    json_key(call->out, "currentBlock");
    json_quantity(call->out, health.current_block);
    json_key(call->out, "highestBlock");
    json_quantity(call->out, health.highest_block);
    json_object_end(call->out);
    return METHOD_DONE;
}

enum method_result rpc_txpool_status(struct call *call) {
    uint32_t pending = 0, queued = 0;
    call->backend->pool_status(call->backend->context, &pending, &queued);
    json_object_begin(call->out);
    json_key(call->out, "pending");
    json_quantity(call->out, pending);
    json_key(call->out, "queued");
    json_quantity(call->out, queued);
    json_object_end(call->out);
    return METHOD_DONE;
}

/* write_lanes writes {sender: {nonce: transaction}}; items come lane by lane. With `one_lane` the
 * outer object is left out. */
static enum err write_lanes(struct call *call, const struct bytes *items, size_t count,
                            bool one_lane) {
    struct address last = {{0}};
    char text[43];
    bool is_open = false;
    json_object_begin(call->out);
    for (size_t i = 0; i < count; i++) {
        struct transaction transaction;
        const size_t mark = arena_mark(call->arena);
        if (transaction_decode(items[i], call->arena, &transaction) != VERDICT_ACCEPTED ||
            transaction_recover(&transaction) != VERDICT_ACCEPTED) {
            return ERR_CORRUPT;
        }
        if (!one_lane && (!is_open || !address_equal(&last, &transaction.sender))) {
            if (is_open) json_object_end(call->out);
            json_key(call->out, hex_checksum_address(&transaction.sender, text));
            json_object_begin(call->out);
            is_open = true;
            last = transaction.sender;
        }
        snprintf(text, sizeof text, "%llu", (unsigned long long)transaction.nonce);
        json_key(call->out, text);
        TRY(rpc_encode_transaction(call->out, items[i], NULL, call->arena));
        arena_release(call->arena, mark);
    }
    if (is_open) json_object_end(call->out);
    json_object_end(call->out);
    return ERR_OK;
}

static enum method_result write_content(struct call *call, const struct address *lane) {
    const struct bytes *pending, *queued;
    size_t pending_count, queued_count;
    enum err err = call->backend->pool_content(call->backend->context, lane, call->arena, &pending,
                                               &pending_count, &queued, &queued_count);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    json_object_begin(call->out);
    json_key(call->out, "pending");
    err = write_lanes(call, pending, pending_count, lane != NULL);
    if (err == ERR_OK) {
        json_key(call->out, "queued");
        err = write_lanes(call, queued, queued_count, lane != NULL);
    }
    if (err != ERR_OK) return rpc_call_failed(call, err);
    json_object_end(call->out);
    return METHOD_DONE;
}

enum method_result rpc_txpool_content(struct call *call) {
    return write_content(call, NULL);
}

enum method_result rpc_txpool_content_from(struct call *call) {
    struct address lane;
    if (!rpc_param_address(call, 0, &lane)) return METHOD_FAILED;
    return write_content(call, &lane);
}

enum method_result rpc_baton_status(struct call *call) {
    call->backend->status_json(call->backend->context, call->out);
    return METHOD_DONE;
}

enum method_result rpc_baton_validators(struct call *call) {
    call->backend->validators_json(call->backend->context, call->out);
    return METHOD_DONE;
}

/* rpc_baton_proposer says who leads now, or, with a block, who first proposed that one. */
enum method_result rpc_baton_proposer(struct call *call) {
    struct block_choice choice;
    struct rpc_block block;
    if (!rpc_param_is_given(call, 0)) {
        call->backend->proposer_json(call->backend->context, call->out);
        return METHOD_DONE;
    }
    if (!rpc_param_block(call, 0, false, &choice, NULL)) return METHOD_FAILED;
    const enum err err = call->backend->block(call->view, choice.number, call->arena, &block);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    json_object_begin(call->out);
    json_key(call->out, "address");
    json_address(call->out, &block.frame.proposer);
    json_key(call->out, "height");
    json_quantity(call->out, choice.number);
    json_key(call->out, "round");
    json_quantity(call->out, block.frame.round);
    json_object_end(call->out);
    return METHOD_DONE;
}

static void write_commit(struct call *call, const struct commit *commit) {
    json_object_begin(call->out);
    json_key(call->out, "height");
    json_quantity(call->out, commit->height);
    json_key(call->out, "round");
    json_quantity(call->out, commit->round);
    json_key(call->out, "blockHash");
    json_hash(call->out, &commit->block);
    json_key(call->out, "signatures");
    json_array_begin(call->out);
    for (uint32_t i = 0; i < commit->signatures_count; i++) {
        uint8_t signature[SECP_SIGNATURE_BYTES];
        secp_signature_write(&commit->signatures[i].signature, signature);
        json_object_begin(call->out);
        json_key(call->out, "validatorIndex");
        json_quantity(call->out, commit->signatures[i].voter_index);
        json_key(call->out, "signature");
        json_data(call->out, (struct bytes){signature, sizeof signature});
        json_object_end(call->out);
    }
    json_array_end(call->out);
    json_object_end(call->out);
}

enum method_result rpc_baton_get_commit(struct call *call) {
    struct block_choice choice;
    struct bytes encoded;
    bool is_missing;
    if (!rpc_param_block(call, 0, true, &choice, &is_missing)) return METHOD_FAILED;
    enum err err = is_missing
                       ? ERR_NOT_FOUND
                       : call->backend->commit(call->view, choice.number, call->arena, &encoded);
    if (err == ERR_NOT_FOUND) {
        json_write_null(call->out);
        return METHOD_DONE;
    }
    struct commit *commit = arena_alloc(call->arena, sizeof *commit);
    if (commit == NULL) return rpc_call_failed(call, ERR_LIMIT);
    if (err == ERR_OK) err = commit_decode(encoded, commit);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    write_commit(call, commit);
    return METHOD_DONE;
}

static void write_frame(struct json_writer *json, const struct frame *frame) {
    const struct {
        const char *key;
        const struct hash32 *value;
    } hashes[] = {{"l1Hash", &frame->l1_hash},
                  {"validatorsHash", &frame->validators_hash},
                  {"nextValidatorsHash", &frame->next_validators_hash},
                  {"lastCommitHash", &frame->last_commit_hash},
                  {"itemsRoot", &frame->items_root}};
    json_object_begin(json);
    json_key(json, "height");
    json_quantity(json, frame->height);
    json_key(json, "round");
    json_quantity(json, frame->round);
    json_key(json, "proposer");
    json_address(json, &frame->proposer);
    json_key(json, "timeMs");
    json_quantity(json, frame->time_ms);
    json_key(json, "l1Number");
    json_quantity(json, frame->l1_number);
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        json_key(json, hashes[i].key);
        json_hash(json, hashes[i].value);
    }
    json_object_end(json);
}

enum method_result rpc_baton_get_frame(struct call *call) {
    struct block_choice choice;
    struct rpc_block block;
    bool is_missing;
    if (!rpc_param_block(call, 0, true, &choice, &is_missing)) return METHOD_FAILED;
    if (!is_missing) {
        const enum err err = call->backend->block(call->view, choice.number, call->arena, &block);
        if (err != ERR_OK) return rpc_call_failed(call, err);
    }
    if (is_missing || !block.has_frame) {
        json_write_null(call->out);
        return METHOD_DONE;
    }
    write_frame(call->out, &block.frame);
    return METHOD_DONE;
}
