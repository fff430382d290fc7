#pragma once
/* Submissions: eth_sendRawTransaction waits for the sequencer's verdict, and
 * eth_sendRawTransactionSync (EIP-7966) for the block as well, without holding a thread. */
#include "rpc/method.h"

/* rpc_submit_call hands a raw transaction to the backend; the call is answered when the verdict
 * comes, or with -32002 after RPC_SUBMIT_TIMEOUT_MS.  With `sync_ms` > 0 it is answered with the
 * receipt when the transaction is in a block, or with code 4 after that time. */
enum method_result rpc_submit_call(struct call *call, struct bytes raw, uint64_t sync_ms);
