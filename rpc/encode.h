#pragma once
/* Writing Ethereum objects as JSON, with the fields and the order that geth has. */
#include "base/json.h"
#include "rpc/backend.h"

/* Where a transaction lies; NULL: it is pooled (blockHash and its like are null). */
struct encode_place {
    const struct hash32 *block_hash;
    uint64_t block_number;
    uint64_t index;
    uint64_t timestamp;
    struct u256 base_fee;
};

/* rpc_encode_header_fields writes the fields of a header into an open object. */
void rpc_encode_header_fields(struct json_writer *json, const struct header *header,
                              const struct hash32 *hash);
/* rpc_encode_withdrawals writes the member `withdrawals` of a block. */
void rpc_encode_withdrawals(struct json_writer *json, const struct block *block);
/* rpc_encode_block writes a block object; `full`: transactions as objects.  `arena` is scratch. */
MUST_USE enum err rpc_encode_block(struct json_writer *json, const struct rpc_block *block,
                                   bool full, struct arena *arena);
/* rpc_encode_transaction writes a transaction object from its envelope (sender is recovered). */
MUST_USE enum err rpc_encode_transaction(struct json_writer *json, struct bytes encoded,
                                         const struct encode_place *place, struct arena *arena);
/* rpc_encode_known writes the object of a transaction that is decoded and whose sender is known. */
void rpc_encode_known(struct json_writer *json, const struct transaction *transaction,
                      const struct encode_place *place);
/* rpc_encode_log writes a log object; `removed` as geth says it of blocks that are undone. */
void rpc_encode_log(struct json_writer *json, const struct log *log, const struct header *header,
                    const struct hash32 *block_hash, const struct hash32 *transaction_hash,
                    uint64_t transaction_index, uint64_t log_index, bool removed);
/* rpc_encode_receipt_at reads and writes the receipt of one mined transaction. */
MUST_USE enum err rpc_encode_receipt_at(struct json_writer *json, const struct rpc_backend *backend,
                                        struct rpc_view *view,
                                        const struct rpc_transaction_place *place,
                                        struct arena *arena);
/* rpc_encode_receipt writes receipt `index` of a block; `logs_before` is the number of logs in the
 * receipts before it. */
MUST_USE enum err rpc_encode_receipt(struct json_writer *json, const struct chain_config *chain,
                                     const struct rpc_block *block, const struct receipt *receipts,
                                     size_t index, uint64_t logs_before, struct arena *arena);
