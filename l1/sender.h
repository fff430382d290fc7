#pragma once
/* Transactions to the contracts: one at a time, each with the nonce that L1 expects next, sent
 * again with higher fees until it is mined.
 *
 * A call whose estimate reverts is given up (the caller sees it by the counters and asks again when
 * it still matters).  A batch that L1's newest block has settled, or that follows one which is not
 * settled there, is no failure: it is let go of until it is asked for again.  A nonce that somebody
 * else used (another process with this key) makes the call start over, and so does one that L1 does
 * not come to, because it took an earlier one back (a reorganisation).  The queue is shared;
 * everything else is the l1 thread's. */
#include <pthread.h>

#include "base/arena.h"
#include "base/u256.h"
#include "l1/endpoint.h"

#define L1_CALLS_MAX      8
#define L1_CALL_BYTES_MAX (32u << 10)
#define L1_SENT_MAX       16

struct l1_call {
    bool is_batch;
    uint64_t first_block, last_block; /* of a batch: given up once a view shows it settled */
    struct address to;
    size_t size;
    uint8_t data[L1_CALL_BYTES_MAX];
};

struct l1_sender {
    const struct l1_config *config;
    struct address address; /* of the key */
    /* under lock */
    pthread_mutex_t lock;
    size_t first, count;
    struct l1_call calls[L1_CALLS_MAX]; /* the first one is the one in work, when is_active */
    uint64_t settled_last_block;
    /* the l1 thread's */
    bool is_active;
    struct l1_call call;
    struct hash32 seen_hash;    /* the newest L1 block at which the contract was asked */
    uint64_t seen_settled_last; /* and its answer */
    uint64_t nonce, gas_limit;
    struct u256 max_fee, tip;
    uint64_t sent_at_block;
    bool is_displaced; /* the last look found the nonce used and no receipt of ours */
    bool has_gap;      /* the last look found that an earlier nonce is not used */
    size_t sent_count; /* versions of this nonce; the newest L1_SENT_MAX are remembered */
    struct hash32 sent[L1_SENT_MAX];
    uint64_t transactions_sent, transactions_confirmed, transactions_failed;
    uint8_t memory[128u << 10];
};

/* l1_sender_init clears the queue; `config` must outlive the sender.  l1_sender_destroy lets go of
 * the lock. */
void l1_sender_init(struct l1_sender *sender, const struct l1_config *config);
void l1_sender_destroy(struct l1_sender *sender);

/* l1_sender_push queues a call; one that is queued already is not queued again, but for a batch the
 * newer signatures count.  ERR_LIMIT.  Any thread. */
MUST_USE enum err l1_sender_push(struct l1_sender *sender, const struct l1_call *call);
/* l1_sender_settled says up to which block a view shows the rollup settled. */
void l1_sender_settled(struct l1_sender *sender, uint64_t last_block);

/* l1_sender_step moves the call in work on: look for its receipt, send it, or raise its fees.
 * Errors of the endpoint are returned; what L1 refuses is counted and written to `error`. */
MUST_USE enum err l1_sender_step(struct l1_sender *sender, struct l1_endpoints *endpoints,
                                 int endpoint, const struct l1_block *latest,
                                 char error[L1_ERROR_BYTES]);
