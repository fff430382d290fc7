#pragma once
/* The executor thread: runs the jobs and commits that the sequencer asks for, in order.
 *
 * Jobs are copied in (the pool's memory moves on while they run); outcomes live in the executor's
 * slots.  Building, checking and the wait for the disk all happen here, so that none of them delays
 * a vote or an admission. */
#include "node/ledger.h"
#include "sequencer/executor.h"

struct executing;

struct executing_events {
    void *context; /* both are called on the executor thread */
    void (*executed)(void *context, const struct block_outcome *outcome);
    /* `view` is the new head's, the receiver's to close; NULL when err is not ERR_OK. */
    void (*committed)(void *context, enum err err, struct ledger_view *view,
                      const struct block_outcome *outcome);
};

#define EXECUTING_JOBS_MAX 8

/* executing_start opens the executor's memory (slot_bytes of address space for each slot) and
 * starts the thread.  ERR_MEMORY, ERR_SYSTEM. */
MUST_USE enum err executing_start(struct ledger *ledger, const struct executor_config *config,
                                  size_t slot_bytes, const struct executing_events *events,
                                  struct executing **out);
/* executing_stop finishes the job at hand and joins. */
void executing_stop(struct executing *executing);

/* executing_run queues a job; executing_commit queues the commit of a slot's outcome.  From the
 * sequencer's thread.  ERR_LIMIT: EXECUTING_JOBS_MAX are waiting, or the job is too large. */
MUST_USE enum err executing_run(struct executing *executing, const struct block_job *job);
MUST_USE enum err executing_commit(struct executing *executing, uint32_t slot,
                                   const struct commit *commit);

/* What the thread did last, for metrics.  Any thread. */
struct executing_times {
    uint64_t execute_last_us, commit_last_us;
};
struct executing_times executing_times(struct executing *executing);
