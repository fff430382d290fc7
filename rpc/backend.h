#pragma once
/* What the RPC methods ask of the node: one struct of functions over a context.
 *
 * rpc/ knows JSON and sockets, node/ knows store, state and the sequencer; they meet here.
 * Functions are called from RPC threads, several at once.  Everything a request reads goes through
 * one view, so that its parts belong to one head; memory comes from the request's arena. */
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/verdict.h"
#include "chain/block.h"
#include "chain/fork.h"
#include "chain/genesis.h"
#include "chain/receipt.h"
#include "chain/transaction.h"
#include "evm/evm.h"
#include "evm/tracer.h"
#include "state/proof.h"
#include "state/state.h"
#include "workloads/workload.h"

struct rpc_view; /* a read view; used and closed on the thread that opened it */

struct rpc_tags {
    uint64_t latest;
    uint64_t safe;      /* its batch is on the DA layer */
    uint64_t finalized; /* its batch is settled in a finalized L1 block */
    uint64_t earliest;  /* the oldest block whose state is kept */
};

struct rpc_block {
    struct block block; /* header, hash, transactions (encoded) */
    struct frame frame; /* zero in imported chains and at genesis */
    bool has_frame;
    size_t ethereum_block_bytes; /* rlp size: eth_getBlock's `size` */
};

struct rpc_transaction_place {
    uint64_t block_number;
    uint32_t index;
};

/* A filter of eth_getLogs: empty lists match everything. */
#define RPC_FILTER_ADDRESSES_MAX 1024
#define RPC_FILTER_TOPICS_MAX    1024
struct rpc_log_filter {
    const struct address *addresses;
    size_t addresses_count;
    struct {
        const struct hash32 *alternatives;
        size_t count;
    } topics[LOG_TOPICS_MAX];
};

/* An account as rpc_eth_call's third argument overrides it. */
struct rpc_override {
    struct address address;
    bool has_balance, has_nonce, has_code, has_state; /* has_state: `slots` replace all storage */
    bool has_move; /* the precompiled contract there goes to `move_to` */
    struct address move_to;
    struct u256 balance;
    uint64_t nonce;
    struct bytes code;
    const struct genesis_slot *slots; /* chain/genesis.h */
    size_t slots_count;
};

/* What a call or a simulated block has instead of the block's own environment. */
struct rpc_block_override {
    bool has_number, has_time, has_gas_limit, has_fee_recipient, has_prev_randao, has_base_fee,
        has_blob_base_fee, has_difficulty, has_beacon_root;
    uint64_t number, time, gas_limit;
    struct address fee_recipient;
    struct hash32 prev_randao, beacon_root;
    struct u256 base_fee, blob_base_fee, difficulty;
    const struct withdrawal *withdrawals; /* simulated blocks only */
    size_t withdrawals_count;
};

struct rpc_call {
    struct transaction transaction; /* sender set; gas_limit at most the node's cap */
    struct evm_options options;
    const struct rpc_override *overrides;
    size_t overrides_count;
    const struct rpc_block_override *block; /* NULL: none */
};

/* What debug_trace* asks: a call on a block, one transaction of it, or all of them. */
struct rpc_trace {
    struct tracer_config tracer;
    uint64_t timeout_ms;
    const struct rpc_call *call;   /* NULL: transactions of the block */
    const struct block *own_block; /* not NULL: of this one instead of the stored; its parent is */
    bool is_pending;               /* of the call */
    bool is_whole_block;
    uint32_t index; /* of the one transaction */
};

struct rpc_call_result {
    enum verdict verdict; /* not ACCEPTED: could not even start, text as for transactions */
    struct evm_result result;
};

/* eth_simulateV1: blocks that do not exist, one behind the other on a stored one. */
#define RPC_SIMULATED_BLOCKS_MAX 256
struct rpc_simulated_call {
    struct transaction transaction; /* sender set; fees as given */
    bool has_gas, has_nonce;
};
struct rpc_simulated_block {
    struct rpc_block_override override;
    const struct rpc_override *accounts;
    size_t accounts_count;
    const struct rpc_simulated_call *calls;
    size_t calls_count;
};
struct rpc_simulation {
    const struct rpc_simulated_block *blocks;
    size_t blocks_count;
    bool is_validating;    /* fees and nonces are checked as in a real block */
    bool traces_transfers; /* transfers of ether show as logs */
    uint64_t gas_max;      /* of all calls together */
};

struct rpc_simulated_log {
    struct log log;
    uint64_t index;
};
struct rpc_simulated_outcome {
    enum evm_status status;
    struct bytes output;
    uint64_t gas_used, gas_peak;
    const struct rpc_simulated_log *logs;
    size_t logs_count;
};
struct rpc_simulated_result {
    struct rpc_block block;
    const struct transaction *transactions; /* as run, unsigned */
    const struct rpc_simulated_outcome *outcomes;
};
struct rpc_simulation_failure {
    int code; /* 0: none */
    char message[192];
};

/* What /ready and rpc_baton_status say. */
struct rpc_health {
    bool is_ready;
    char reason[200]; /* one line when not ready */
    bool is_syncing;
    uint64_t starting_block, current_block, highest_block;
    uint32_t peers_count;
};

/* How a submitted item ended; called once for each submit that was accepted for work, on any thread
 * but never from inside submit. */
struct rpc_submit_result {
    uint64_t token;
    enum verdict verdict;
    struct hash32 hash;
};

struct rpc_backend {
    void *context;
    const struct chain_config *chain;
    const char *client_version;

    enum err (*view_open)(void *context, struct rpc_view **out);
    void (*view_close)(struct rpc_view *view);
    void (*tags)(struct rpc_view *view, struct rpc_tags *out);

    /* ERR_NOT_FOUND for blocks, hashes and transactions that are not here. */
    enum err (*block)(struct rpc_view *view, uint64_t number, struct arena *arena,
                      struct rpc_block *out);
    enum err (*header)(struct rpc_view *view, uint64_t number, struct header *out,
                       struct hash32 *hash);
    enum err (*block_number)(struct rpc_view *view, const struct hash32 *hash, uint64_t *out);
    enum err (*receipts)(struct rpc_view *view, uint64_t number, struct arena *arena,
                         const struct receipt **out, size_t *count);
    enum err (*transaction_place)(struct rpc_view *view, const struct hash32 *hash,
                                  struct rpc_transaction_place *out);
    enum err (*commit)(struct rpc_view *view, uint64_t number, struct arena *arena,
                       struct bytes *encoded);
    /* The next block in [from, to] whose logs may match; ERR_NOT_FOUND: none. */
    enum err (*log_candidate)(struct rpc_view *view, uint64_t from, uint64_t to,
                              const struct rpc_log_filter *filter, uint64_t *out);

    /* State after block `number`; ERR_NOT_FOUND: that state is not kept. */
    enum err (*account)(struct rpc_view *view, uint64_t number, const struct address *address,
                        struct account *out);
    enum err (*code)(struct rpc_view *view, uint64_t number, const struct address *address,
                     struct arena *arena, struct bytes *out);
    enum err (*storage)(struct rpc_view *view, uint64_t number, const struct address *address,
                        const struct hash32 *key, struct u256 *out);
    /* Proves an account and `keys_count` of its slots at once; values and slot_proofs have room for
     * keys_count. */
    enum err (*proof)(struct rpc_view *view, uint64_t number, const struct address *address,
                      const struct hash32 *keys, size_t keys_count, struct arena *arena,
                      struct account *account, struct proof *account_proof, struct u256 *values,
                      struct proof *slot_proofs);
    /* Runs a call on the state after block `number` in the environment of a block that follows it
     * when `is_pending`, else of the block itself.  May take long: called from worker threads.
     * ERR_LIMIT: no executor is free, or memory. */
    enum err (*call)(struct rpc_view *view, uint64_t number, bool is_pending,
                     const struct rpc_call *call, struct arena *arena, struct rpc_call_result *out);

    /* Runs a call, or block `number` again, under a tracer and writes the trace; of a whole block
     * an array of {txHash, result}.  *failure (static text) says why there is no trace: it cannot
     * run, takes too long, is too large. */
    enum err (*trace)(struct rpc_view *view, uint64_t number, const struct rpc_trace *trace,
                      struct arena *arena, struct json_writer *out, const char **failure);

    /* Simulates blocks after block `number`; *results has one for each, gaps in their numbers
     * filled with empty ones.  failure->code: why there is no result. */
    enum err (*simulate)(struct rpc_view *view, uint64_t number,
                         const struct rpc_simulation *simulation, struct arena *arena,
                         const struct rpc_simulated_result **results, size_t *count,
                         struct rpc_simulation_failure *failure);

    /* The pool.  submit copies `raw`; ERR_LIMIT: the queue is full ("busy"); on ERR_OK the result
     * comes through rpc_submitted (rpc.h) with the token. */
    enum err (*submit)(void *context, uint64_t token, struct bytes raw);
    /* The sender's next nonce, pooled items counted. */
    enum err (*pending_nonce)(void *context, const struct address *address, uint64_t *out);
    /* A pooled item's encoding; ERR_NOT_FOUND. */
    enum err (*pool_find)(void *context, const struct hash32 *hash, struct arena *arena,
                          struct bytes *encoded);
    void (*pool_status)(void *context, uint32_t *pending, uint32_t *queued);
    /* Pooled items of one lane (NULL: all), bounded by the arena (ERR_LIMIT). */
    enum err (*pool_content)(void *context, const struct address *lane, struct arena *arena,
                             const struct bytes **pending, size_t *pending_count,
                             const struct bytes **queued, size_t *queued_count);

    void (*health)(void *context, struct rpc_health *out);
    /* Writes the result objects of rpc_baton_status, rpc_baton_validators, rpc_baton_proposer. */
    void (*status_json)(void *context, struct json_writer *json);
    void (*validators_json)(void *context, struct json_writer *json);
    void (*proposer_json)(void *context, struct json_writer *json);
    /* Writes the list of rpc_baton_evidence; NULL: there is none. */
    enum err (*evidence_json)(void *context, struct json_writer *json);
    /* Appends the node's metrics in Prometheus text format (rpc/ appends its own). */
    void (*metrics)(void *context, struct buffer *out);
};
