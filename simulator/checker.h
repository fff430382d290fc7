#pragma once
/* What must hold in every run, checked after every step against the whole cluster at once:
 *
 * - agreement: all correct nodes commit one block per height;
 * - commit: what they commit has a quorum of precommits of the set of that height, and nothing that
 *   others would refuse it for;
 * - validity: it is a valid block on top of the committed one, by a proposer of its round, and
 *   executes to its roots once more (sequencer_judge.c);
 * - one signature: a correct validator signs one thing per (height, round, kind), over restarts;
 * - durable first: its record says so before the signature leaves;
 * - executed first: it votes for valid blocks only;
 * - polka: it precommits a block only with a quorum of prevotes for it in that round;
 * - lock: after that it prevotes another block only with a later polka for that one;
 * - proposer: it proposes only when it is its turn;
 * - evidence: whoever saw both votes of a double signer says so;
 * - nothing lost: what a node committed is there after its restart; an acknowledged transaction
 * gets into one block (sequencer_world.c);
 * - once on DA: every block is in one batch (sequencer_da.c);
 * - forced inclusion: no block leaves out what L1 forces and is due, when those who knew of it keep
 *   every quorum from it; all of it gets in (sequencer_forced.c);
 * - snapshot: a state that was taken from others is that of its block, and nobody correct is called
 *   a liar (sequencer_snapshot.c);
 * - settlement: L1 settles, in order, what is true of the chain; safe, finalized: a node says so
 *   only of what is on the DA layer, and final on L1 (sequencer_l1.c);
 * - progress: once the faults stop, everybody commits, what was acknowledged is included, batches
 *   are published and settled (world.c).
 *
 * The schedule and the sets are derived here once more, from the committed blocks and the registry,
 * beside what the nodes compute. */
#include "consensus/commit.h"
#include "simulator/registry.h"
#include "simulator/world.h"

/* A block as far as ordering cares. */
struct sim_block {
    uint64_t height;
    uint32_t round; /* it was built in */
    struct address proposer;
    struct hash32 parent;
    uint64_t salt;
    bool is_valid;   /* executes to its root */
    uint64_t origin; /* the L1 block it reads the contract at; not encoded, the node knows it */
};
/* sim_block_encode writes it, sim_block_decode reads that (false: it is none), sim_block_hash names
 * it. */
#define SIM_BLOCK_BYTES 73
void sim_block_encode(const struct sim_block *block, uint8_t out[SIM_BLOCK_BYTES]);
bool sim_block_decode(struct bytes in, struct sim_block *out);
struct hash32 sim_block_hash(const struct sim_block *block);

/* checker_create gives the world a checker and the registry that it keeps; checker_destroy ends
 * both. */
void checker_create(struct world *world);
void checker_destroy(struct world *world);
struct registry *checker_registry(struct world *world);

/* checker_block registers a block that somebody made. */
void checker_block(struct world *world, const struct sim_block *block);
/* checker_made is the same for a block known by its hash, once a correct node executed it. */
void checker_made(struct world *world, const struct hash32 *hash);
/* checker_signed sees each signature of a correct node as it leaves; `durable` is its record on
 * disk. */
void checker_signed(struct world *world, uint32_t node, const struct vote *vote,
                    uint64_t durable_height, uint32_t durable_round, uint8_t durable_step);
/* checker_prevoted notes a prevote that exists, of whoever it is. */
void checker_prevoted(struct world *world, uint32_t node, const struct vote *vote);
/* checker_commit sees each commit of a correct node, before it is durable. */
void checker_commit(struct world *world, uint32_t node, const struct hash32 *hash,
                    const struct sim_block *block, const struct commit *commit);
/* checker_restarted sees what a correct node finds on its disk. */
void checker_restarted(struct world *world, uint32_t node, uint64_t height);
/* checker_jumped says whether a node may go on at a block that it did not execute; checker_restored
 * is told that it does, or that somebody put a disk from a backup in. */
bool checker_jumped(struct world *world, uint32_t node, uint64_t height, const struct hash32 *hash);
void checker_restored(struct world *world, uint32_t node, uint64_t height);
/* checker_delivered says whether evidence must follow from this vote. */
bool checker_delivered(struct world *world, uint32_t node, const struct vote *vote, uint64_t height,
                       uint32_t round);
/* checker_evidence sees the evidence that a correct node found. */
void checker_evidence(struct world *world, uint32_t node, const struct vote *vote,
                      const struct vote *conflicting);
/* checker_set is who votes at `height`, up to one past the committed; checker_is_proven says
 * whether a commit carries a quorum of them for `hash`. */
const struct validator_set *checker_set(struct world *world, uint64_t height);
bool checker_is_proven(struct world *world, const struct commit *commit, const struct hash32 *hash,
                       uint64_t height);
/* checker_finish: a run in which hardly a block was decided says nothing. */
void checker_finish(struct world *world);
