#include "rpc/encode.h"

#include "base/keccak.h"

#define BLOB_GAS ((uint64_t)1 << 17) /* EIP-4844 */

static void quantity(struct json_writer *json, const char *key, uint64_t value) {
    json_key(json, key);
    json_quantity(json, value);
}
static void quantity_u256(struct json_writer *json, const char *key, const struct u256 *value) {
    json_key(json, key);
    json_quantity_u256(json, value);
}
static void hash(struct json_writer *json, const char *key, const struct hash32 *value) {
    json_key(json, key);
    json_hash(json, value);
}
static void data(struct json_writer *json, const char *key, struct bytes value) {
    json_key(json, key);
    json_data(json, value);
}
static void address(struct json_writer *json, const char *key, const struct address *value) {
    json_key(json, key);
    json_address(json, value);
}
static void null(struct json_writer *json, const char *key) {
    json_key(json, key);
    json_write_null(json);
}

void rpc_encode_header_fields(struct json_writer *json, const struct header *header,
                              const struct hash32 *block_hash) {
    hash(json, "hash", block_hash);
    hash(json, "parentHash", &header->parent_hash);
    hash(json, "sha3Uncles", &header->ommers_hash);
    address(json, "miner", &header->coinbase);
    hash(json, "stateRoot", &header->state_root);
    hash(json, "transactionsRoot", &header->transactions_root);
    hash(json, "receiptsRoot", &header->receipts_root);
    data(json, "logsBloom", (struct bytes){header->bloom.bytes, BLOOM_BYTES});
    quantity_u256(json, "difficulty", &header->difficulty);
    quantity(json, "number", header->number);
    quantity(json, "gasLimit", header->gas_limit);
    quantity(json, "gasUsed", header->gas_used);
    quantity(json, "timestamp", header->timestamp);
    data(json, "extraData", (struct bytes){header->extra, header->extra_bytes});
    hash(json, "mixHash", &header->mix_hash);
    data(json, "nonce", (struct bytes){header->nonce, sizeof header->nonce});
    if (header->tail_fields >= HEADER_TAIL_LONDON) {
        quantity_u256(json, "baseFeePerGas", &header->base_fee);
    }
    if (header->tail_fields >= HEADER_TAIL_SHANGHAI) {
        hash(json, "withdrawalsRoot", &header->withdrawals_root);
    }
    if (header->tail_fields >= HEADER_TAIL_CANCUN) {
        quantity(json, "blobGasUsed", header->blob_gas_used);
        quantity(json, "excessBlobGas", header->excess_blob_gas);
        hash(json, "parentBeaconBlockRoot", &header->parent_beacon_root);
    }
    if (header->tail_fields >= HEADER_TAIL_PRAGUE) {
        hash(json, "requestsHash", &header->requests_hash);
    }
}

void rpc_encode_withdrawals(struct json_writer *json, const struct block *block) {
    json_key(json, "withdrawals");
    json_array_begin(json);
    for (size_t i = 0; i < block->withdrawals_count; i++) {
        json_object_begin(json);
        quantity(json, "index", block->withdrawals[i].index);
        quantity(json, "validatorIndex", block->withdrawals[i].validator_index);
        address(json, "address", &block->withdrawals[i].address);
        quantity(json, "amount", block->withdrawals[i].amount_gwei);
        json_object_end(json);
    }
    json_array_end(json);
}

static enum err write_transactions(struct json_writer *json, const struct block *block, bool full,
                                   struct arena *arena) {
    json_array_begin(json);
    for (size_t i = 0; i < block->transactions_count; i++) {
        if (!full) {
            const struct hash32 name = keccak256(block->transactions[i]);
            json_hash(json, &name);
            continue;
        }
        const struct encode_place place = {&block->hash, block->header.number, i,
                                           block->header.timestamp, block->header.base_fee};
        const size_t mark = arena_mark(arena);
        TRY(rpc_encode_transaction(json, block->transactions[i], &place, arena));
        arena_release(arena, mark);
    }
    json_array_end(json);
    return ERR_OK;
}

enum err rpc_encode_block(struct json_writer *json, const struct rpc_block *block, bool full,
                          struct arena *arena) {
    json_object_begin(json);
    rpc_encode_header_fields(json, &block->block.header, &block->block.hash);
    quantity(json, "size", block->ethereum_block_bytes);
    json_key(json, "transactions");
    TRY(write_transactions(json, &block->block, full, arena));
    json_key(json, "uncles");
    json_array_begin(json);
    for (size_t i = 0; i < block->block.ommers_count; i++) {
        const struct hash32 ommer = header_hash(&block->block.ommers[i]);
        json_hash(json, &ommer);
    }
    json_array_end(json);
    if (block->block.has_withdrawals) rpc_encode_withdrawals(json, &block->block);
    json_object_end(json);
    return ERR_OK;
}

static void write_access_list(struct json_writer *json, const struct transaction *transaction) {
    json_key(json, "accessList");
    json_array_begin(json);
    for (size_t i = 0; i < transaction->access_list_count; i++) {
        const struct access_tuple *tuple = &transaction->access_list[i];
        json_object_begin(json);
        address(json, "address", &tuple->address);
        json_key(json, "storageKeys");
        json_array_begin(json);
        for (size_t k = 0; k < tuple->keys_count; k++)
            json_hash(json, &tuple->keys[k]);
        json_array_end(json);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_authorizations(struct json_writer *json, const struct transaction *transaction) {
    json_key(json, "authorizationList");
    json_array_begin(json);
    for (size_t i = 0; i < transaction->authorizations_count; i++) {
        const struct authorization *entry = &transaction->authorizations[i];
        json_object_begin(json);
        quantity_u256(json, "chainId", &entry->chain_id);
        address(json, "address", &entry->address);
        quantity(json, "nonce", entry->nonce);
        quantity_u256(json, "yParity", &entry->y_parity);
        quantity_u256(json, "r", &entry->r);
        quantity_u256(json, "s", &entry->s);
        json_object_end(json);
    }
    json_array_end(json);
}

/* effective_price is what the sender pays for a unit of gas in a block with this base fee. */
static struct u256 effective_price(const struct transaction *transaction,
                                   const struct u256 *base_fee) {
    const struct u256 tip = transaction_effective_tip(transaction, base_fee);
    return u256_add(base_fee, &tip);
}

static void write_fees(struct json_writer *json, const struct transaction *transaction,
                       const struct encode_place *place) {
    if (transaction->type < TRANSACTION_DYNAMIC_FEE) {
        quantity_u256(json, "gasPrice", &transaction->max_fee);
        return;
    }
    const struct u256 price =
        place != NULL ? effective_price(transaction, &place->base_fee) : transaction->max_fee;
    quantity_u256(json, "gasPrice", &price);
    quantity_u256(json, "maxFeePerGas", &transaction->max_fee);
    quantity_u256(json, "maxPriorityFeePerGas", &transaction->max_priority_fee);
}

static void write_place(struct json_writer *json, const struct encode_place *place) {
    if (place == NULL) {
        null(json, "blockHash");
        null(json, "blockNumber");
        null(json, "blockTimestamp");
        null(json, "transactionIndex");
        return;
    }
    hash(json, "blockHash", place->block_hash);
    quantity(json, "blockNumber", place->block_number);
    quantity(json, "transactionIndex", place->index);
    quantity(json, "blockTimestamp", place->timestamp);
}

static void write_typed(struct json_writer *json, const struct transaction *transaction) {
    if (transaction->type >= TRANSACTION_ACCESS_LIST) write_access_list(json, transaction);
    if (transaction->type == TRANSACTION_BLOB) {
        quantity_u256(json, "maxFeePerBlobGas", &transaction->max_fee_per_blob_gas);
        json_key(json, "blobVersionedHashes");
        json_array_begin(json);
        for (size_t i = 0; i < transaction->blob_hashes_count; i++) {
            json_hash(json, &transaction->blob_hashes[i]);
        }
        json_array_end(json);
    }
    if (transaction->type == TRANSACTION_SET_CODE) write_authorizations(json, transaction);
    if (transaction->is_protected) quantity(json, "chainId", transaction->chain_id);
}

void rpc_encode_known(struct json_writer *json, const struct transaction *transaction,
                      const struct encode_place *place) {
    json_object_begin(json);
    write_place(json, place);
    address(json, "from", &transaction->sender);
    quantity(json, "gas", transaction->gas_limit);
    write_fees(json, transaction, place);
    hash(json, "hash", &transaction->hash);
    data(json, "input", transaction->data);
    quantity(json, "nonce", transaction->nonce);
    if (transaction->is_create) {
        null(json, "to");
    } else {
        address(json, "to", &transaction->to);
    }
    quantity_u256(json, "value", &transaction->value);
    quantity(json, "type", (uint64_t)transaction->type);
    write_typed(json, transaction);
    quantity_u256(json, "v", &transaction->v);
    quantity_u256(json, "r", &transaction->r);
    quantity_u256(json, "s", &transaction->s);
    if (transaction->type != TRANSACTION_LEGACY) quantity_u256(json, "yParity", &transaction->v);
    json_object_end(json);
}

enum err rpc_encode_transaction(struct json_writer *json, struct bytes encoded,
                                const struct encode_place *place, struct arena *arena) {
    struct transaction transaction;
    const enum verdict verdict = transaction_decode(encoded, arena, &transaction);
    if (verdict == VERDICT_OVERSIZED) return ERR_LIMIT;
    if (verdict != VERDICT_ACCEPTED) return ERR_CORRUPT;
    if (transaction_recover(&transaction) != VERDICT_ACCEPTED) return ERR_CORRUPT;
    rpc_encode_known(json, &transaction, place);
    return ERR_OK;
}

void rpc_encode_log(struct json_writer *json, const struct log *log, const struct header *header,
                    const struct hash32 *block_hash, const struct hash32 *transaction_hash,
                    uint64_t transaction_index, uint64_t log_index, bool removed) {
    json_object_begin(json);
    address(json, "address", &log->address);
    json_key(json, "topics");
    json_array_begin(json);
    for (uint32_t i = 0; i < log->topics_count; i++)
        json_hash(json, &log->topics[i]);
    json_array_end(json);
    data(json, "data", log->data);
    quantity(json, "blockNumber", header->number);
    hash(json, "transactionHash", transaction_hash);
    quantity(json, "transactionIndex", transaction_index);
    hash(json, "blockHash", block_hash);
    quantity(json, "blockTimestamp", header->timestamp);
    quantity(json, "logIndex", log_index);
    json_key(json, "removed");
    json_bool(json, removed);
    json_object_end(json);
}

static void write_logs(struct json_writer *json, const struct rpc_block *block,
                       const struct receipt *receipt, const struct hash32 *name, size_t index,
                       uint64_t logs_before) {
    json_key(json, "logs");
    json_array_begin(json);
    for (size_t i = 0; i < receipt->logs_count; i++) {
        rpc_encode_log(json, &receipt->logs[i], &block->block.header, &block->block.hash, name,
                       index, logs_before + i, false);
    }
    json_array_end(json);
}

/* write_blob_gas adds what a blob transaction's blobs cost (EIP-4844). */
static void write_blob_gas(struct json_writer *json, const struct chain_config *chain,
                           const struct header *header, const struct transaction *transaction) {
    const enum fork fork = fork_at(chain, header->number, header->timestamp);
    const struct u256 price = blob_base_fee(chain, fork, header->excess_blob_gas);
    quantity(json, "blobGasUsed", transaction->blob_hashes_count * BLOB_GAS);
    quantity_u256(json, "blobGasPrice", &price);
}

enum err rpc_encode_receipt(struct json_writer *json, const struct chain_config *chain,
                            const struct rpc_block *block, const struct receipt *receipts,
                            size_t index, uint64_t logs_before, struct arena *arena) {
    const struct receipt *receipt = &receipts[index];
    struct transaction transaction;
    const struct bytes encoded = block->block.transactions[index];
    if (transaction_decode(encoded, arena, &transaction) != VERDICT_ACCEPTED) return ERR_CORRUPT;
    if (transaction_recover(&transaction) != VERDICT_ACCEPTED) return ERR_CORRUPT;
    json_object_begin(json);
    hash(json, "blockHash", &block->block.hash);
    quantity(json, "blockNumber", block->block.header.number);
    if (receipt->has_contract_address) {
        address(json, "contractAddress", &receipt->contract_address);
    } else {
        null(json, "contractAddress");
    }
    quantity(json, "cumulativeGasUsed", receipt->cumulative_gas_used);
    quantity_u256(json, "effectiveGasPrice", &receipt->effective_gas_price);
    address(json, "from", &transaction.sender);
    quantity(json, "gasUsed", receipt->gas_used);
    write_logs(json, block, receipt, &transaction.hash, index, logs_before);
    data(json, "logsBloom", (struct bytes){receipt->bloom.bytes, BLOOM_BYTES});
    if (receipt->has_state_root) {
        hash(json, "root", &receipt->state_root);
    } else {
        quantity(json, "status", receipt->succeeded);
    }
    if (transaction.is_create) {
        null(json, "to");
    } else {
        address(json, "to", &transaction.to);
    }
    hash(json, "transactionHash", &transaction.hash);
    quantity(json, "transactionIndex", index);
    quantity(json, "type", receipt->type);
    if (transaction.type == TRANSACTION_BLOB) {
        write_blob_gas(json, chain, &block->block.header, &transaction);
    }
    json_object_end(json);
    return ERR_OK;
}

static uint64_t logs_before(const struct receipt *receipts, size_t index) {
    uint64_t count = 0;
    for (size_t i = 0; i < index; i++)
        count += receipts[i].logs_count;
    return count;
}

enum err rpc_encode_receipt_at(struct json_writer *json, const struct rpc_backend *backend,
                               struct rpc_view *view, const struct rpc_transaction_place *place,
                               struct arena *arena) {
    struct rpc_block block;
    const struct receipt *receipts;
    size_t count;
    TRY(backend->block(view, place->block_number, arena, &block));
    TRY(backend->receipts(view, place->block_number, arena, &receipts, &count));
    if (count != block.block.transactions_count || place->index >= count) return ERR_CORRUPT;
    return rpc_encode_receipt(json, backend->chain, &block, receipts, place->index,
                              logs_before(receipts, place->index), arena);
}
