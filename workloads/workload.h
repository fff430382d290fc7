#pragma once
/* A workload: the rules for one kind of item.
 *
 * Pool, builder, checker, gossip and metrics see an item's lane, sequence, weight and fee, never
 * its kind.  A new workload is one file with one of these structs and one line in workloads.c. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/u256.h"
#include "base/verdict.h"
#include "chain/fork.h"
#include "state/state.h"

#define WORKLOAD_KIND_EVM 0
#define ITEM_BYTES_MAX    (128u * 1024)

/* An item that `inspect` passed: what the ordering part may know of it. */
struct item {
    uint8_t kind;
    struct bytes encoded;
    struct hash32 hash;
    struct address lane;  /* items of one lane are ordered by sequence (EVM: the sender) */
    uint64_t sequence;    /* EVM: the nonce */
    uint64_t weight;      /* share of the block it may take (EVM: gas limit) */
    struct u256 fee_max;  /* per unit of weight */
    struct u256 tip_max;  /* of that, at most this to the proposer */
    struct u256 cost_max; /* the most that the lane may have to pay: weight * fee_max + value */
};

/* The head that admission is judged by. */
struct admit_context {
    const struct chain_config *config;
    const struct kv_reader *reader; /* committed state */
    enum fork fork;                 /* of the next block */
    struct u256 base_fee;           /* of the next block */
    uint64_t block_weight_max;      /* gas limit */
};

/* What admission found out about the lane. */
struct lane_view {
    uint64_t sequence_next; /* the lane's next sequence in the committed state */
    struct u256 balance;
    bool is_limited; /* EIP-7702: a delegated account may have one item in flight */
};

struct ethereum_block;

struct workload {
    const char *name;
    uint8_t kind;
    size_t item_bytes_max;

    /* inspect decodes and checks what needs no state, recovers the signer, fills *out (views
     * `encoded`).  Any thread; `arena` is scratch and may be reset afterwards. */
    enum verdict (*inspect)(const struct chain_config *config, enum fork fork, struct bytes encoded,
                            struct arena *arena, struct item *out);

    /* admit judges an inspected item by the committed state. A storage failure is err. */
    enum err (*admit)(const struct admit_context *context, const struct item *item,
                      struct arena *scratch, struct lane_view *lane, enum verdict *verdict);

    /* apply executes the item in a block; a verdict other than ACCEPTED leaves no trace. */
    enum err (*apply)(struct ethereum_block *block, const struct item *item, enum verdict *verdict);
};

/* workload_by_kind returns NULL for a kind that does not exist. */
const struct workload *workload_by_kind(uint8_t kind);
