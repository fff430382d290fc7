#pragma once
/* JSON-RPC 2.0 over HTTP and WebSocket, health checks and the metrics page (libwebsockets,
 * jansson).
 *
 * Light methods run on the service threads; those that execute code or scan blocks run on worker
 * threads, so that a slow rpc_eth_call delays no eth_blockNumber.  Every bound is named in
 * rpc_limits and answered with an error when reached.  Method tables: rpc/methods.h, one line per
 * method. */
#include "base/err.h"
#include "rpc/backend.h"

struct rpc_limits {
    uint32_t body_bytes_max;      /* 5 MiB */
    uint32_t websocket_bytes_max; /* 32 MiB */
    uint32_t batch_calls_max;     /* 1000 */
    uint32_t response_bytes_max;  /* 25 MB: -32003 beyond */
    uint32_t connections_max;     /* 1024 */
    uint32_t subscriptions_max;   /* per connection: 128 */
    uint32_t logs_blocks_max;     /* blocks per eth_getLogs: 10,000 when nothing narrows it */
    uint32_t logs_max;            /* logs per answer: 10,000 */
    uint64_t call_gas_max;        /* 50,000,000 */
    uint32_t json_depth_max;      /* 32 */
    uint32_t workers_queue_max;   /* requests waiting for a worker: 1024 */
};

struct rpc_config {
    const char *http_host;
    uint16_t http_port; /* 0: off */
    const char *websocket_host;
    uint16_t websocket_port; /* 0: off.  HTTP's port answers WebSocket upgrades too. */
    const char *metrics_host;
    uint16_t metrics_port; /* 0: off; /metrics, /health and /ready are there (and on HTTP's port) */
    const char *cors_origins;      /* comma-separated, "*" or empty: no CORS headers */
    const char *metrics_namespace; /* "ande" */
    unsigned threads;              /* service threads: 2 */
    unsigned workers;              /* worker threads: 2 */
    struct rpc_limits limits;      /* zero fields: the defaults above */
    struct rpc_backend backend;
};

struct rpc;

/* rpc_start listens and starts the threads.  ERR_ADDRESS_IN_USE (error names the port), ERR_SYSTEM.
 */
MUST_USE enum err rpc_start(const struct rpc_config *config, struct rpc **out, char error[256]);
/* rpc_stop ends the threads: workers finish the task that they run, connections are closed. */
void rpc_stop(struct rpc *rpc);

/* What the node tells; any thread, never blocking.
 *
 * rpc_submitted: the sequencer has judged a submission (eth_sendRawTransaction). */
void rpc_submitted(struct rpc *rpc, const struct rpc_submit_result *result);
/* A block is committed and durable: newHeads, logs, eth_sendRawTransactionSync. */
void rpc_block_committed(struct rpc *rpc, uint64_t number);
/* An item entered the pool: newPendingTransactions. */
void rpc_item_admitted(struct rpc *rpc, const struct hash32 *hash, struct bytes encoded);
