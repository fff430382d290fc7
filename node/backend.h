#pragma once
/* What the parts of the RPC backend share: a view, and the executors of eth_call. */
#include "node/node.h"

struct rpc_view {
    struct node *node;
    struct store_view *view;
    struct rpc_tags tags;
};

/* backend_chain.c: blocks, receipts, logs, state. */
void backend_chain_functions(struct rpc_backend *backend);
/* backend_call.c: execution.  `callers` run at once, each with an EVM of its own. */
struct callers;
MUST_USE enum err callers_create(unsigned count, struct callers **out);
void callers_destroy(struct callers *callers);
enum err backend_call(struct rpc_view *view, uint64_t number, bool is_pending,
                      const struct rpc_call *call, struct arena *arena,
                      struct rpc_call_result *out);
