#pragma once
/* Every method: name, function, how many parameters, and whether it needs a worker. */
#include "rpc/method.h"

/*    name                                       function                  min max heavy */
#define METHODS(X)                                                                                 \
    X("eth_blockNumber", eth_block_number, 0, 0, false)                                            \
    X("eth_chainId", eth_chain_id, 0, 0, false)                                                    \
    X("eth_getBalance", eth_get_balance, 1, 2, false)                                              \
    X("eth_getTransactionCount", eth_get_transaction_count, 1, 2, false)                           \
    X("eth_sendRawTransaction", eth_send_raw_transaction, 1, 1, false)                             \
    X("eth_sendRawTransactionSync", eth_send_raw_transaction_sync, 1, 2, false)                    \
    X("eth_getTransactionReceipt", eth_get_transaction_receipt, 1, 1, false)                       \
    X("eth_getTransactionByHash", eth_get_transaction_by_hash, 1, 1, false)                        \
    X("eth_call", eth_call, 1, 4, true)                                                            \
    X("eth_estimateGas", eth_estimate_gas, 1, 4, true)                                             \
    X("eth_createAccessList", eth_create_access_list, 1, 3, true)                                  \
    X("eth_gasPrice", eth_gas_price, 0, 0, false)                                                  \
    X("eth_maxPriorityFeePerGas", eth_max_priority_fee, 0, 0, false)                               \
    X("eth_baseFee", eth_base_fee, 0, 0, false)                                                    \
    X("eth_blobBaseFee", eth_blob_base_fee, 0, 0, false)                                           \
    X("eth_feeHistory", eth_fee_history, 2, 3, true)                                               \
    X("eth_getCode", eth_get_code, 1, 2, false)                                                    \
    X("eth_getStorageAt", eth_get_storage_at, 2, 3, false)                                         \
    X("eth_getProof", eth_get_proof, 2, 3, true)                                                   \
    X("eth_getBlockByNumber", eth_get_block_by_number, 1, 2, false)                                \
    X("eth_getBlockByHash", eth_get_block_by_hash, 1, 2, false)                                    \
    X("eth_getBlockTransactionCountByNumber", eth_count_by_number, 1, 1, false)                    \
    X("eth_getBlockTransactionCountByHash", eth_count_by_hash, 1, 1, false)                        \
    X("eth_getUncleCountByBlockNumber", eth_uncles_by_number, 1, 1, false)                         \
    X("eth_getUncleCountByBlockHash", eth_uncles_by_hash, 1, 1, false)                             \
    X("eth_getUncleByBlockNumberAndIndex", eth_uncle_at_number, 2, 2, false)                       \
    X("eth_getUncleByBlockHashAndIndex", eth_uncle_at_hash, 2, 2, false)                           \
    X("eth_getBlockReceipts", eth_get_block_receipts, 1, 1, true)                                  \
    X("eth_getTransactionByBlockHashAndIndex", eth_transaction_at_hash, 2, 2, false)               \
    X("eth_getTransactionByBlockNumberAndIndex", eth_transaction_at_number, 2, 2, false)           \
    X("eth_getRawTransactionByHash", eth_get_raw_transaction, 1, 1, false)                         \
    X("eth_getLogs", eth_get_logs, 1, 1, true)                                                     \
    X("eth_newFilter", eth_new_filter, 1, 1, false)                                                \
    X("eth_newBlockFilter", eth_new_block_filter, 0, 0, false)                                     \
    X("eth_newPendingTransactionFilter", eth_new_pending_filter, 0, 1, false)                      \
    X("eth_getFilterChanges", eth_get_filter_changes, 1, 1, true)                                  \
    X("eth_getFilterLogs", eth_get_filter_logs, 1, 1, true)                                        \
    X("eth_uninstallFilter", eth_uninstall_filter, 1, 1, false)                                    \
    X("eth_subscribe", eth_subscribe, 1, 2, false)                                                 \
    X("eth_unsubscribe", eth_unsubscribe, 1, 1, false)                                             \
    X("eth_syncing", eth_syncing, 0, 0, false)                                                     \
    X("eth_accounts", eth_accounts, 0, 0, false)                                                   \
    X("net_version", net_version, 0, 0, false)                                                     \
    X("net_listening", net_listening, 0, 0, false)                                                 \
    X("net_peerCount", net_peer_count, 0, 0, false)                                                \
    X("web3_clientVersion", web3_client_version, 0, 0, false)                                      \
    X("web3_sha3", web3_sha3, 1, 1, false)                                                         \
    X("rpc_modules", rpc_modules, 0, 0, false)                                                     \
    X("txpool_status", txpool_status, 0, 0, false)                                                 \
    X("txpool_content", txpool_content, 0, 0, true)                                                \
    X("txpool_contentFrom", txpool_content_from, 1, 1, true)                                       \
    X("debug_getRawBlock", debug_get_raw_block, 1, 1, false)                                       \
    X("debug_getRawHeader", debug_get_raw_header, 1, 1, false)                                     \
    X("debug_getRawReceipts", debug_get_raw_receipts, 1, 1, false)                                 \
    X("debug_getRawTransaction", eth_get_raw_transaction_debug, 1, 1, false)                       \
    X("baton_status", baton_status, 0, 0, false)                                                   \
    X("baton_validators", baton_validators, 0, 0, false)                                           \
    X("baton_proposer", baton_proposer, 0, 1, false)                                               \
    X("baton_getCommit", baton_get_commit, 1, 1, false)                                            \
    X("baton_getFrame", baton_get_frame, 1, 1, false)

#define X(name, function, min, max, heavy) enum method_result function(struct call *call);
METHODS(X)
#undef X
