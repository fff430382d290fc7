#pragma once
/* What the parts of the RPC backend share: a view, and the executors of eth_call. */
#include "node/node.h"
#include "workloads/ethereum.h"

struct rpc_view {
    struct node *node;
    struct store_view *view;
    struct rpc_tags tags;
};

/* backend_chain.c: blocks, receipts, logs, state. */
void backend_chain_functions(struct rpc_backend *backend);
/* backend_call.c: execution.  `callers` run at once, each with an EVM of its own. */
struct callers;
struct caller {
    struct evm *evm;
    struct arena arena; /* address space for a state and what is kept of its executions */
    bool is_busy;
};
MUST_USE enum err callers_create(unsigned count, struct callers **out);
void callers_destroy(struct callers *callers);
/* caller_take waits for a free one, a few seconds; NULL: none became free.  caller_give_back ends
 * its use and empties its arena. */
struct caller *caller_take(struct callers *callers);
void caller_give_back(struct callers *callers, struct caller *caller);

/* backend_state views the state after block `number`, by the cheaper reader at the head.
 * ERR_NOT_FOUND: that state is not kept; ERR_SYNCING: a snapshot is being loaded, and until it is
 * whole there is no state. */
MUST_USE enum err backend_state(struct rpc_view *view, uint64_t number, struct store_state *out);
/* caller_state begins the state after block `number` in the caller's arena; `stored` must stay as
 * long as the state.  Errors as backend_state. */
MUST_USE enum err caller_state(struct caller *caller, struct rpc_view *view, uint64_t number,
                               struct store_state *stored, struct state **out);
/* backend_override makes the accounts what the request wants them to be, as if they had been so
 * before. */
void backend_override(struct state *state, const struct rpc_override *overrides, size_t count);
/* backend_env fills the environment of a call on block `number`, or on the one that would follow
 * it now; `override` may be NULL. */
MUST_USE enum err backend_env(struct rpc_view *view, uint64_t number, bool is_pending,
                              const struct rpc_block_override *override, struct evm_block *out);
/* backend_ancestors gives BLOCKHASH the stored blocks' hashes. */
struct ethereum_ancestors backend_ancestors(struct rpc_view *view);

/* The rpc_backend's functions `call`, `trace` and `simulate`. */
MUST_USE enum err backend_call(struct rpc_view *view, uint64_t number, bool is_pending,
                               const struct rpc_call *call, struct arena *arena,
                               struct rpc_call_result *out);
MUST_USE enum err backend_trace(struct rpc_view *view, uint64_t number,
                                const struct rpc_trace *trace, struct arena *arena,
                                struct json_writer *out, const char **failure);
MUST_USE enum err backend_simulate(struct rpc_view *view, uint64_t number,
                                   const struct rpc_simulation *simulation, struct arena *arena,
                                   const struct rpc_simulated_result **results, size_t *count,
                                   struct rpc_simulation_failure *failure);
