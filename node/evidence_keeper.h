#pragma once
/* The keeper of evidence: a thread that makes evidence durable and gets it punished.
 *
 * What the sequencer finds, or hears of, is put into the store first, then sent to L1 as a call of
 * `slash`; every EVIDENCE_CHECK_MS it asks the contract about what is not punished yet and sends it
 * again, so that neither a restart nor an outage of L1 lets an offence pass.  Which validator's
 * transaction comes first does not matter: the contract punishes an offence once. */
#include "node/evidence.h"

#define EVIDENCE_WAITING_MAX 64    /* not written yet; what finds no room is counted and logged */
#define EVIDENCE_CHECK_MS    10000 /* between two looks at what is not punished */

struct node;
struct evidence_keeper;

/* evidence_keeper_start counts what is in the store and starts the thread.  ERR_MEMORY, ERR_SYSTEM,
 * errors of the store. */
MUST_USE enum err evidence_keeper_start(struct node *node, struct evidence_keeper **out);
/* evidence_keeper_stop writes what waits and joins; NULL is fine. */
void evidence_keeper_stop(struct evidence_keeper *keeper);

/* evidence_keeper_add hands over two votes.  Any thread; never waits for the disk. */
void evidence_keeper_add(struct evidence_keeper *keeper, const struct vote *first,
                         const struct vote *second);

/* Numbers for metrics; zeros for NULL.  Any thread. */
struct evidence_counts {
    uint64_t kept, on_l1, dropped;
};
struct evidence_counts evidence_keeper_counts(struct evidence_keeper *keeper);
