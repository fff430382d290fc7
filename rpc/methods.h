#pragma once
/* Every method: name, function, how many parameters, and whether it needs a worker. */
#include "rpc/method.h"

/*    name                                       function                  min max heavy */
#define METHODS(X)                                                                                 \
    X("eth_blockNumber", rpc_eth_block_number, 0, 0, false)                                        \
    X("eth_chainId", rpc_eth_chain_id, 0, 0, false)                                                \
    X("eth_getBalance", rpc_eth_get_balance, 1, 2, false)                                          \
    X("eth_getTransactionCount", rpc_eth_get_transaction_count, 1, 2, false)                       \
    X("eth_sendRawTransaction", rpc_eth_send_raw_transaction, 1, 1, false)                         \
    X("eth_sendRawTransactionSync", rpc_eth_send_raw_transaction_sync, 1, 2, false)                \
    X("eth_getTransactionReceipt", rpc_eth_get_transaction_receipt, 1, 1, false)                   \
    X("eth_getTransactionByHash", rpc_eth_get_transaction_by_hash, 1, 1, false)                    \
    X("eth_call", rpc_eth_call, 1, 4, true)                                                        \
    X("eth_estimateGas", rpc_eth_estimate_gas, 1, 4, true)                                         \
    X("eth_createAccessList", rpc_eth_create_access_list, 1, 3, true)                              \
    X("eth_simulateV1", rpc_eth_simulate, 1, 2, true)                                              \
    X("eth_gasPrice", rpc_eth_gas_price, 0, 0, false)                                              \
    X("eth_maxPriorityFeePerGas", rpc_eth_max_priority_fee, 0, 0, false)                           \
    X("eth_baseFee", rpc_eth_base_fee, 0, 0, false)                                                \
    X("eth_blobBaseFee", rpc_eth_blob_base_fee, 0, 0, false)                                       \
    X("eth_feeHistory", rpc_eth_fee_history, 2, 3, true)                                           \
    X("eth_getCode", rpc_eth_get_code, 1, 2, false)                                                \
    X("eth_getStorageAt", rpc_eth_get_storage_at, 2, 3, false)                                     \
    X("eth_getProof", rpc_eth_get_proof, 2, 3, true)                                               \
    X("eth_getBlockByNumber", rpc_eth_get_block_by_number, 1, 2, false)                            \
    X("eth_getBlockByHash", rpc_eth_get_block_by_hash, 1, 2, false)                                \
    X("eth_getBlockTransactionCountByNumber", rpc_eth_count_by_number, 1, 1, false)                \
    X("eth_getBlockTransactionCountByHash", rpc_eth_count_by_hash, 1, 1, false)                    \
    X("eth_getUncleCountByBlockNumber", rpc_eth_uncles_by_number, 1, 1, false)                     \
    X("eth_getUncleCountByBlockHash", rpc_eth_uncles_by_hash, 1, 1, false)                         \
    X("eth_getUncleByBlockNumberAndIndex", rpc_eth_uncle_at_number, 2, 2, false)                   \
    X("eth_getUncleByBlockHashAndIndex", rpc_eth_uncle_at_hash, 2, 2, false)                       \
    X("eth_getBlockReceipts", rpc_eth_get_block_receipts, 1, 1, true)                              \
    X("eth_getTransactionByBlockHashAndIndex", rpc_eth_transaction_at_hash, 2, 2, false)           \
    X("eth_getTransactionByBlockNumberAndIndex", rpc_eth_transaction_at_number, 2, 2, false)       \
    X("eth_getRawTransactionByHash", rpc_eth_get_raw_transaction, 1, 1, false)                     \
    X("eth_getLogs", rpc_eth_get_logs, 1, 1, true)                                                 \
    X("eth_newFilter", rpc_eth_new_filter, 1, 1, false)                                            \
    X("eth_newBlockFilter", rpc_eth_new_block_filter, 0, 0, false)                                 \
    X("eth_newPendingTransactionFilter", rpc_eth_new_pending_filter, 0, 1, false)                  \
    X("eth_getFilterChanges", rpc_eth_get_filter_changes, 1, 1, true)                              \
    X("eth_getFilterLogs", rpc_eth_get_filter_logs, 1, 1, true)                                    \
    X("eth_uninstallFilter", rpc_eth_uninstall_filter, 1, 1, false)                                \
    X("eth_subscribe", rpc_eth_subscribe, 1, 2, false)                                             \
    X("eth_unsubscribe", rpc_eth_unsubscribe, 1, 1, false)                                         \
    X("eth_syncing", rpc_eth_syncing, 0, 0, false)                                                 \
    X("eth_accounts", rpc_eth_accounts, 0, 0, false)                                               \
    X("net_version", rpc_net_version, 0, 0, false)                                                 \
    X("net_listening", rpc_net_listening, 0, 0, false)                                             \
    X("net_peerCount", rpc_net_peer_count, 0, 0, false)                                            \
    X("web3_clientVersion", rpc_web3_client_version, 0, 0, false)                                  \
    X("web3_sha3", rpc_web3_sha3, 1, 1, false)                                                     \
    X("rpc_modules", rpc_modules, 0, 0, false)                                                     \
    X("txpool_status", rpc_txpool_status, 0, 0, false)                                             \
    X("txpool_content", rpc_txpool_content, 0, 0, true)                                            \
    X("txpool_inspect", rpc_txpool_inspect, 0, 0, true)                                            \
    X("eth_capabilities", rpc_eth_capabilities, 0, 0, true)                                        \
    X("eth_config", rpc_eth_config, 0, 0, false)                                                   \
    X("eth_getTransactionBySenderAndNonce", rpc_eth_transaction_by_nonce, 2, 2, true)              \
    X("txpool_contentFrom", rpc_txpool_content_from, 1, 1, true)                                   \
    X("debug_getRawBlock", rpc_debug_get_raw_block, 1, 1, false)                                   \
    X("debug_getRawHeader", rpc_debug_get_raw_header, 1, 1, false)                                 \
    X("debug_getRawReceipts", rpc_debug_get_raw_receipts, 1, 1, false)                             \
    X("debug_getRawTransaction", rpc_eth_get_raw_transaction_debug, 1, 1, false)                   \
    X("debug_traceTransaction", rpc_debug_trace_transaction, 1, 2, true)                           \
    X("debug_traceCall", rpc_debug_trace_call, 1, 3, true)                                         \
    X("debug_traceBlock", rpc_debug_trace_block, 1, 2, true)                                       \
    X("debug_traceBlockByNumber", rpc_debug_trace_block_by_number, 1, 2, true)                     \
    X("debug_traceBlockByHash", rpc_debug_trace_block_by_hash, 1, 2, true)                         \
    X("trace_transaction", rpc_trace_transaction, 1, 1, true)                                      \
    X("baton_status", rpc_baton_status, 0, 0, false)                                               \
    X("baton_validators", rpc_baton_validators, 0, 0, false)                                       \
    X("baton_proposer", rpc_baton_proposer, 0, 1, false)                                           \
    X("baton_evidence", rpc_baton_evidence, 0, 0, true)                                            \
    X("baton_getCommit", rpc_baton_get_commit, 1, 1, false)                                        \
    X("baton_getFrame", rpc_baton_get_frame, 1, 1, false)

#define X(name, function, min, max, heavy) enum method_result function(struct call *call);
METHODS(X)
#undef X
