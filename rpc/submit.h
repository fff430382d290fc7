#pragma once
/* Submissions: eth_sendRawTransaction waits for the sequencer's verdict. */
#include "rpc/method.h"

/* submit_call hands a raw transaction to the backend; the call is answered when the verdict comes,
 * or with -32002 after RPC_SUBMIT_TIMEOUT_MS. */
enum method_result submit_call(struct call *call, struct bytes raw);
