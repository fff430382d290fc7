/* Methods that read blocks, transactions and receipts. */
#include "base/keccak.h"
#include "rpc/encode.h"
#include "rpc/methods.h"
#include "rpc/params.h"
#include "rpc/rpc_internal.h"
#include "rpc/submit.h"

static enum method_result null(struct call *call) {
    json_write_null(call->out);
    return METHOD_DONE;
}

/* choose reads the block that parameter 0 means, by number or tag, or by hash; *is_missing when it
 * is not here. */
static bool choose(struct call *call, bool by_hash, struct block_choice *out, bool *is_missing) {
    struct hash32 hash;
    *is_missing = false;
    if (!by_hash) return rpc_param_block(call, 0, true, out, is_missing);
    if (!rpc_param_hash(call, 0, &hash) || rpc_call_view(call) == NULL) return false;
    out->is_pending = false;
    const enum err err = call->backend->block_number(call->view, &hash, &out->number);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        rpc_call_failed(call, err);
        return false;
    }
    *is_missing = err == ERR_NOT_FOUND;
    return true;
}

/* load reads that block; false after an answer, *is_missing as above. */
static bool load(struct call *call, bool by_hash, struct rpc_block *out, bool *is_missing) {
    struct block_choice choice;
    if (!choose(call, by_hash, &choice, is_missing)) return false;
    if (*is_missing) return true;
    const enum err err = call->backend->block(call->view, choice.number, call->arena, out);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        rpc_call_failed(call, err);
        return false;
    }
    *is_missing = err == ERR_NOT_FOUND;
    return true;
}

enum method_result rpc_eth_block_number(struct call *call) {
    struct rpc_tags tags;
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    call->backend->tags(call->view, &tags);
    json_quantity(call->out, tags.latest);
    return METHOD_DONE;
}

static enum method_result get_block(struct call *call, bool by_hash) {
    struct rpc_block block;
    bool full, is_missing;
    if (!rpc_param_bool(call, 1, false, &full)) return METHOD_FAILED;
    if (!load(call, by_hash, &block, &is_missing)) return METHOD_FAILED;
    if (is_missing) return null(call);
    const enum err err = rpc_encode_block(call->out, &block, full, call->arena);
    return err == ERR_OK ? METHOD_DONE : rpc_call_failed(call, err);
}

enum method_result rpc_eth_get_block_by_number(struct call *call) {
    return get_block(call, false);
}
enum method_result rpc_eth_get_block_by_hash(struct call *call) {
    return get_block(call, true);
}

/* What parts of blocks are written by: `index` is parameter 1 of the methods that have one. */
struct part {
    enum method_result (*write)(struct call *call, const struct rpc_block *block, uint64_t index);
    bool has_index;
};

/* get_part writes a part of the block that parameter 0 means, or null when the block is not here.
 */
static enum method_result get_part(struct call *call, bool by_hash, struct part part) {
    struct rpc_block block;
    uint64_t index = 0;
    bool is_missing;
    if (part.has_index && !rpc_param_quantity(call, 1, &index)) return METHOD_FAILED;
    if (!load(call, by_hash, &block, &is_missing)) return METHOD_FAILED;
    return is_missing ? null(call) : part.write(call, &block, index);
}

static enum method_result write_transactions_count(struct call *call, const struct rpc_block *block,
                                                   uint64_t index) {
    (void)index;
    json_quantity(call->out, block->block.transactions_count);
    return METHOD_DONE;
}

static enum method_result write_uncles_count(struct call *call, const struct rpc_block *block,
                                             uint64_t index) {
    (void)index;
    json_quantity(call->out, block->block.ommers_count);
    return METHOD_DONE;
}

/* write_uncle writes the header of an ommer as a block without transactions. */
static enum method_result write_uncle(struct call *call, const struct rpc_block *block,
                                      uint64_t index) {
    if (index >= block->block.ommers_count) return null(call);
    const struct header *ommer = &block->block.ommers[index];
    struct rpc_block alone = {.block = {.header = *ommer, .hash = header_hash(ommer)}};
    const size_t capacity = HEADER_BYTES_MAX + 64;
    uint8_t *memory = arena_alloc(call->arena, capacity);
    if (memory == NULL) return rpc_call_failed(call, ERR_LIMIT);
    struct buffer encoded = buffer_over(memory, capacity);
    block_encode(&alone.block, &encoded);
    alone.ethereum_block_bytes = encoded.size;
    const enum err err = rpc_encode_block(call->out, &alone, false, call->arena);
    return err == ERR_OK ? METHOD_DONE : rpc_call_failed(call, err);
}

static enum method_result write_transaction(struct call *call, const struct rpc_block *block,
                                            uint64_t index) {
    if (index >= block->block.transactions_count) return null(call);
    const struct header *header = &block->block.header;
    const struct encode_place place = {&block->block.hash, header->number, index, header->timestamp,
                                       header->base_fee};
    const enum err err =
        rpc_encode_transaction(call->out, block->block.transactions[index], &place, call->arena);
    return err == ERR_OK ? METHOD_DONE : rpc_call_failed(call, err);
}

static const struct part transactions_count = {write_transactions_count, false};
static const struct part uncles_count = {write_uncles_count, false};
static const struct part uncle_at = {write_uncle, true};
static const struct part transaction_at = {write_transaction, true};

enum method_result rpc_eth_count_by_number(struct call *call) {
    return get_part(call, false, transactions_count);
}
enum method_result rpc_eth_count_by_hash(struct call *call) {
    return get_part(call, true, transactions_count);
}
enum method_result rpc_eth_uncles_by_number(struct call *call) {
    return get_part(call, false, uncles_count);
}
enum method_result rpc_eth_uncles_by_hash(struct call *call) {
    return get_part(call, true, uncles_count);
}
enum method_result rpc_eth_uncle_at_number(struct call *call) {
    return get_part(call, false, uncle_at);
}
enum method_result rpc_eth_uncle_at_hash(struct call *call) {
    return get_part(call, true, uncle_at);
}
enum method_result rpc_eth_transaction_at_number(struct call *call) {
    return get_part(call, false, transaction_at);
}
enum method_result rpc_eth_transaction_at_hash(struct call *call) {
    return get_part(call, true, transaction_at);
}

/* find_transaction looks for a hash in blocks, then in the pool; *encoded is empty when it is
 * nowhere, *place_is_known when it is in a block (and *block is loaded). */
static enum err find_transaction(struct call *call, const struct hash32 *hash,
                                 struct rpc_block *block, struct rpc_transaction_place *place,
                                 bool *place_is_known, struct bytes *encoded) {
    *place_is_known = false;
    *encoded = BYTES_EMPTY;
    enum err err = call->backend->transaction_place(call->view, hash, place);
    if (err == ERR_OK) {
        TRY(call->backend->block(call->view, place->block_number, call->arena, block));
        if (place->index >= block->block.transactions_count) return ERR_CORRUPT;
        *place_is_known = true;
        *encoded = block->block.transactions[place->index];
        return ERR_OK;
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* find_anywhere also asks the pool, and the blocks again when it left the pool in between. */
static enum err find_anywhere(struct call *call, const struct hash32 *hash, struct rpc_block *block,
                              struct rpc_transaction_place *place, bool *place_is_known,
                              struct bytes *encoded) {
    TRY(find_transaction(call, hash, block, place, place_is_known, encoded));
    if (*place_is_known) return ERR_OK;
    const enum err err =
        call->backend->pool_find(call->backend->context, hash, call->arena, encoded);
    if (err != ERR_NOT_FOUND) return err;
    *encoded = BYTES_EMPTY;
    call->backend->view_close(call->view);
    call->view = NULL;
    if (rpc_call_view(call) == NULL) return ERR_LIMIT;
    return find_transaction(call, hash, block, place, place_is_known, encoded);
}

enum method_result rpc_eth_get_transaction_by_hash(struct call *call) {
    struct hash32 hash;
    struct rpc_block block;
    struct rpc_transaction_place at;
    struct bytes encoded;
    bool is_mined;
    if (!rpc_param_hash(call, 0, &hash) || rpc_call_view(call) == NULL) return METHOD_FAILED;
    enum err err = find_anywhere(call, &hash, &block, &at, &is_mined, &encoded);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    if (encoded.size == 0) return null(call);
    if (is_mined) {
        const struct header *header = &block.block.header;
        const struct encode_place place = {&block.block.hash, header->number, at.index,
                                           header->timestamp, header->base_fee};
        err = rpc_encode_transaction(call->out, encoded, &place, call->arena);
    } else {
        err = rpc_encode_transaction(call->out, encoded, NULL, call->arena);
    }
    return err == ERR_OK ? METHOD_DONE : rpc_call_failed(call, err);
}

static enum method_result raw_transaction(struct call *call, bool null_when_missing) {
    struct hash32 hash;
    struct rpc_block block;
    struct rpc_transaction_place at;
    struct bytes encoded;
    bool is_mined;
    if (!rpc_param_hash(call, 0, &hash) || rpc_call_view(call) == NULL) return METHOD_FAILED;
    const enum err err = find_anywhere(call, &hash, &block, &at, &is_mined, &encoded);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    if (encoded.size == 0 && null_when_missing) return null(call);
    json_data(call->out, encoded);
    return METHOD_DONE;
}

enum method_result rpc_eth_get_raw_transaction(struct call *call) {
    return raw_transaction(call, true);
}
enum method_result rpc_eth_get_raw_transaction_debug(struct call *call) {
    return raw_transaction(call, false);
}

enum method_result rpc_eth_get_transaction_receipt(struct call *call) {
    struct hash32 hash;
    struct rpc_transaction_place at;
    if (!rpc_param_hash(call, 0, &hash) || rpc_call_view(call) == NULL) return METHOD_FAILED;
    enum err err = call->backend->transaction_place(call->view, &hash, &at);
    if (err == ERR_NOT_FOUND) return null(call);
    if (err == ERR_OK) {
        err = rpc_encode_receipt_at(call->out, call->backend, call->view, &at, call->arena);
    }
    return err == ERR_OK ? METHOD_DONE : rpc_call_failed(call, err);
}

enum method_result rpc_eth_get_block_receipts(struct call *call) {
    struct rpc_block block;
    const struct receipt *receipts;
    size_t count;
    uint64_t logs = 0;
    bool is_missing;
    if (!load(call, false, &block, &is_missing)) return METHOD_FAILED;
    if (is_missing) return null(call);
    enum err err = call->backend->receipts(call->view, block.block.header.number, call->arena,
                                           &receipts, &count);
    if (err == ERR_OK && count != block.block.transactions_count) err = ERR_CORRUPT;
    if (err != ERR_OK) return rpc_call_failed(call, err);
    json_array_begin(call->out);
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        const size_t mark = arena_mark(call->arena);
        err = rpc_encode_receipt(call->out, call->backend->chain, &block, receipts, i, logs,
                                 call->arena);
        arena_release(call->arena, mark);
        logs += receipts[i].logs_count;
    }
    if (err != ERR_OK) return rpc_call_failed(call, err);
    json_array_end(call->out);
    return METHOD_DONE;
}

/* param_raw reads a raw transaction; false after an answer. */
static bool param_raw(struct call *call, struct bytes *raw) {
    if (!rpc_param_data(call, 0, raw)) return false;
    if (raw->size == 0) {
        rpc_call_error(call, RPC_SERVER_ERROR, "typed transaction too short");
        return false;
    }
    if (raw->size <= ITEM_BYTES_MAX) return true;
    rpc_call_error(call, RPC_SERVER_ERROR, "oversized data: transaction size %zu, limit %u",
                   raw->size, ITEM_BYTES_MAX);
    return false;
}

enum method_result rpc_eth_send_raw_transaction(struct call *call) {
    struct bytes raw;
    return param_raw(call, &raw) ? rpc_submit_call(call, raw, 0) : METHOD_FAILED;
}

enum method_result rpc_eth_send_raw_transaction_sync(struct call *call) {
    struct bytes raw;
    uint64_t timeout_ms = RPC_SYNC_TIMEOUT_MS;
    if (!param_raw(call, &raw)) return METHOD_FAILED;
    if (rpc_param_is_given(call, 1) && !rpc_param_quantity(call, 1, &timeout_ms))
        return METHOD_FAILED;
    if (timeout_ms == 0) timeout_ms = RPC_SYNC_TIMEOUT_MS;
    if (timeout_ms > RPC_SYNC_TIMEOUT_MS_MAX) timeout_ms = RPC_SYNC_TIMEOUT_MS_MAX;
    return rpc_submit_call(call, raw, timeout_ms);
}

enum method_result rpc_debug_get_raw_header(struct call *call) {
    struct block_choice choice;
    struct header header;
    struct hash32 hash;
    uint8_t memory[HEADER_BYTES_MAX];
    if (!rpc_param_block(call, 0, false, &choice, NULL)) return METHOD_FAILED;
    const enum err err = call->backend->header(call->view, choice.number, &header, &hash);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    struct buffer out = buffer_over(memory, sizeof memory);
    header_encode(&header, &out);
    json_data(call->out, buffer_bytes(&out));
    return METHOD_DONE;
}

enum method_result rpc_debug_get_raw_block(struct call *call) {
    struct rpc_block block;
    bool is_missing;
    if (!load(call, false, &block, &is_missing)) return METHOD_FAILED;
    if (is_missing) return rpc_call_error(call, RPC_SERVER_ERROR, "block not found");
    uint8_t *memory = arena_alloc(call->arena, block.ethereum_block_bytes + 64);
    if (memory == NULL) return rpc_call_failed(call, ERR_LIMIT);
    struct buffer out = buffer_over(memory, block.ethereum_block_bytes + 64);
    block_encode(&block.block, &out);
    json_data(call->out, buffer_bytes(&out));
    return METHOD_DONE;
}

enum method_result rpc_debug_get_raw_receipts(struct call *call) {
    struct block_choice choice;
    const struct receipt *receipts;
    size_t count;
    if (!rpc_param_block(call, 0, false, &choice, NULL)) return METHOD_FAILED;
    const enum err err =
        call->backend->receipts(call->view, choice.number, call->arena, &receipts, &count);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    json_array_begin(call->out);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = 1024;
        for (size_t k = 0; k < receipts[i].logs_count; k++) {
            bytes += 256 + receipts[i].logs[k].data.size;
        }
        const size_t mark = arena_mark(call->arena);
        uint8_t *memory = arena_alloc(call->arena, bytes);
        if (memory == NULL) return rpc_call_failed(call, ERR_LIMIT);
        struct buffer out = buffer_over(memory, bytes);
        receipt_encode(&receipts[i], &out);
        json_data(call->out, buffer_bytes(&out));
        arena_release(call->arena, mark);
    }
    json_array_end(call->out);
    return METHOD_DONE;
}
