#pragma once
/* Building and checking blocks: a pure function from a job to an outcome.
 *
 * The sequencer asks for a job by effect and gets the outcome as an input; a node runs jobs on an
 * executor thread (so that execution delays neither votes nor admission), the simulator at once.
 * Each candidate block of a height lives in a slot with its own arena until the height is decided.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/verdict.h"
#include "chain/block.h"
#include "chain/fork.h"
#include "chain/receipt.h"
#include "consensus/commit.h"
#include "evm/evm.h"
#include "state/kv.h"
#include "workloads/ethereum.h"
#include "workloads/workload.h"

/* Candidate blocks of one height that may be alive at once. */
#define EXECUTOR_SLOTS 4

/* The committed chain, as the executor and the pool read it; valid until the next commit. */
struct chain_view {
    struct kv_reader state;     /* at `head`; read by the executor's thread */
    struct kv_reader admission; /* the same state, read by the sequencer's thread */
    struct header head;
    struct hash32 head_hash;
    struct frame head_frame;             /* zero at genesis */
    struct ethereum_ancestors ancestors; /* workloads/ethereum.h */
};

enum job_kind { JOB_BUILD, JOB_CHECK };

struct block_job {
    enum job_kind kind;
    uint32_t slot;
    uint64_t height;
    uint32_t round;
    const struct chain_view *view;        /* the parent's */
    struct validator_set last_validators; /* who signed last_commit (CHECK) */
    /* BUILD: the frame's fields but items_root and workload_roots, which the outcome fills */
    struct frame frame;
    struct bytes last_commit;
    struct bytes next_validators;
    /* BUILD: what to include, in the order to try; per lane in sequence order.
     * CHECK: what L1 forces on us and may not be left out any longer, if it can run. */
    const struct item *candidates;
    size_t candidates_count;
    uint64_t deadline_ms; /* stop adding items when `now_ms` says so; 0: none */
    /* CHECK */
    struct bytes package;
    /* Of the package's items, from package_bind: the package is that of `expected`; NULL: it is
     * bound first. */
    const struct hash32 *item_hashes;
    size_t item_hashes_count;
    const struct address
        *senders; /* by transaction, zero: not known; NULL or senders_count 0: none */
    size_t senders_count;
    struct bytes commit; /* of this block itself, verified against `validators`; empty: none (votes
                            will prove it) */
    struct validator_set validators;    /* whom the frame must name, and who signed `commit` */
    struct hash32 next_validators_hash; /* what the frame must name; zero: the package carries it */
    struct hash32 expected;             /* the block's hash; zero: any */
};

/* What came out; memory is the slot's. */
struct block_outcome {
    enum err err;         /* our machine failed: nothing else is meaningful */
    enum verdict verdict; /* CHECK: ACCEPTED or BLOCK_INVALID */
    const char *reason;   /* of BLOCK_INVALID; static text */
    bool is_unproven;     /* it is only job.commit that does not verify: the block may be valid */
    enum job_kind kind;
    uint32_t slot;
    uint64_t height;
    uint32_t round;
    struct hash32 hash; /* of the block */
    struct header header;
    struct frame frame;
    struct bytes package;  /* encoded */
    struct bytes receipts; /* receipts_store_encode */
    const struct hash32 *item_hashes;
    const struct address *item_lanes; /* parallel to item_hashes: whose items were included */
    size_t items_count;
    const struct kv_write *writes;
    size_t writes_count;
    struct validator_set next_validators; /* decoded; count 0 when not carried */
    bool omits_forced; /* CHECK: the block is valid, but one of the candidates is left out that
                          could run before it and after it */
    /* BUILD: candidates that cannot be in any next block (nonce used, fee, funds): the pool drops
     * them */
    const struct hash32 *rejected;
    const enum verdict *rejected_verdicts;
    size_t rejected_count;
};

struct executor_config {
    const struct chain_config *chain;
    struct signing_domain domain;
    struct recoverer recoverer;        /* for last_commit; transactions always use secp256k1 */
    uint64_t (*now_ms)(void *context); /* for deadline_ms; NULL: never too late (simulator) */
    void *now_context;
};

struct executor; /* boot lifetime */

/* executor_create puts an executor into `memory`: EVM, EXECUTOR_SLOTS arenas of `slot_bytes`. */
size_t executor_bytes(size_t slot_bytes);
MUST_USE enum err executor_create(void *memory, size_t memory_bytes, size_t slot_bytes,
                                  const struct executor_config *config, struct executor **out);

/* executor_run performs one job; *out lives in the slot until the slot is used again.  One thread.
 */
void executor_run(struct executor *executor, const struct block_job *job,
                  struct block_outcome *out);

/* executor_spare lists, after a job, memory that jobs touched and whose content is gone, beyond
 * what they usually need.  Returns how many. */
#define EXECUTOR_SPARES_MAX (EVM_SPARES_MAX + EXECUTOR_SLOTS)
size_t executor_spare(struct executor *executor, struct stretch out[EXECUTOR_SPARES_MAX]);
