#pragma once
/* The Ethereum L1 client: what the contracts say at finalized blocks, and transactions to them.
 *
 * One thread polls; nothing on the block path waits for it.  Several endpoints, with failover: an
 * endpoint that fails, lags or is on another chain is left for the next, with backoff.  Every view
 * is read at one block hash (EIP-1898), so that all its parts belong together.  Answers are hostile
 * bytes: bounded in size, parsed strictly, counted when bad. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/secp.h"
#include "chain/settlement.h"
#include "chain/validators.h"

#define L1_ENDPOINTS_MAX 8
#define L1_FORCED_MAX    64

struct l1_validator {
    struct address address;
    struct hash32 peer_id;
    uint64_t power;
    char endpoint[VALIDATOR_ENDPOINT_BYTES];
};

struct l1_forced {
    uint64_t id;
    uint64_t l1_number; /* the block of the request */
    struct bytes raw;   /* the transaction; dies with the view */
};

/* The contracts at one finalized L1 block. */
struct l1_view {
    uint64_t number;
    struct hash32 hash;
    uint64_t timestamp; /* seconds */
    uint64_t epoch;     /* AndeConsensus.currentEpoch() */
    uint32_t validators_count;
    struct l1_validator validators[VALIDATORS_MAX]; /* ascending address */
    uint64_t settled_last_block; /* AndeSequencerCoordinator.lastSettledBlock() */
    struct hash32 settled_hash;
    struct hash32 settled_state_root;
    size_t forced_count;
    struct l1_forced forced[L1_FORCED_MAX];
};

struct l1_config {
    const char *endpoints[L1_ENDPOINTS_MAX]; /* http(s) URLs */
    size_t endpoints_count;
    uint64_t chain_id; /* expected; an endpoint on another chain is refused by name */
    struct address consensus;
    struct address coordinator;
    struct hash32 genesis_hash; /* of the rollup; zero: l1_check does not look at it */
    uint64_t poll_ms;           /* 0: 1000 */
    uint64_t timeout_ms;        /* per request; 0: 5000 */
    uint64_t confirmations;     /* 0: the "finalized" tag; else head minus so many */
    const struct secp_key *key; /* sends transactions; NULL: read only */
    /* Asked now and then while a function that blocks waits; true ends it.  NULL: never. */
    bool (*is_interrupted)(const void *context);
    const void *interrupt_context;
    struct { /* called on the l1 thread */
        void *context;
        void (*view)(void *context, const struct l1_view *view);
    } events;
};

struct l1_status {
    bool is_reachable;
    uint64_t finalized_number;
    uint64_t finalized_timestamp; /* seconds */
    uint64_t head_number;
    uint64_t last_success_ms; /* monotonic */
    uint64_t requests, failures, bad_answers;
    uint64_t transactions_sent, transactions_confirmed, transactions_failed;
    char last_error[200]; /* names the endpoint */
};

struct l1;

/* l1_check asks once, at start: reachable, chain id, code at both contracts, and that what was
 * settled there is this chain: a second chain of one contract would have its validators sign other
 * blocks of heights that they have signed, which that contract slashes.  `error` gets one line that
 * names the endpoint and the setting.  ERR_NETWORK, ERR_MISMATCH, ERR_NOT_FOUND (no code),
 * ERR_STOPPED (is_interrupted). */
MUST_USE enum err l1_check(const struct l1_config *config, char error[256]);
/* l1_read reads one view now, blocking: for `baton init` and tools. */
MUST_USE enum err l1_read(const struct l1_config *config, struct l1_view *out, char error[256]);

/* l1_start copies `config` and starts the thread that reads and settles; ERR_MEMORY, ERR_SYSTEM.
 * l1_stop ends the thread and waits for it.  l1_status copies what is known now.  Any thread. */
MUST_USE enum err l1_start(const struct l1_config *config, struct l1 **out);
void l1_stop(struct l1 *l1);
struct l1_status l1_status(struct l1 *l1);

/* l1_ask wants the view of block `number`, too: it is read at that block's hash as soon as the
 * block is finalized, whether or not views of newer blocks were read before.  Few can wait at once:
 * one that is forgotten is asked for again.  Any thread. */
void l1_ask(struct l1 *l1, uint64_t number);

/* l1_submit_batch queues a submitBatch transaction: own nonce, fee bumped until mined, given up
 * when a view shows it settled.  ERR_LIMIT: the queue is full; the caller tries again later. */
MUST_USE enum err l1_submit_batch(struct l1 *l1, const struct settlement *settlement);
/* l1_send queues any other contract call (slash, reportTimeout) as ABI-encoded data.  ERR_LIMIT:
 * the queue is full, or the data is longer than a call may be. */
MUST_USE enum err l1_send(struct l1 *l1, const struct address *to, struct bytes call_data);
