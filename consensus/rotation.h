#pragma once
/* Who proposes: CometBFT's proposer-priority rule once per rotation, sticky in between.
 *
 * rotation(h) = h / blocks_per_rotation.  The first height of a rotation (and block 1) belongs to
 * the scheduled proposer: the set's priorities are advanced by one step (add power, take the
 * largest, ties to the lower address, subtract the total), with CometBFT's scaling (spread at most
 * 2 * total) and centring (average 0).  Every other height's round 0 belongs to the proposer of the
 * block before, or, when that one left the set, to the scheduled one.  Round r belongs to the r-th
 * next validator by address. */
#include "chain/fork.h"

/* rotation_of and rotation_first: numbers, and the first height of the rotation that holds `height`
 * (1 for rotation 0). */
uint64_t rotation_of(uint64_t height, uint64_t blocks_per_rotation);
uint64_t rotation_first(uint64_t height, uint64_t blocks_per_rotation);

/* rotation_advance advances priorities by one step and returns the index of the proposer. */
uint32_t rotation_advance(struct validator_set *set);

/* rotation_merge makes the next set out of what the contract lists (addresses, peer ids, powers;
 * priorities ignored) and the current one: stayers keep their priority, newcomers enter with
 * -1.125 * total power (CometBFT), then scaling and centring. */
void rotation_merge(const struct validator_set *current, const struct validator_set *listed,
                    struct validator_set *out);

/* How sets follow each other: N(r) is the set that votes in rotation r, the one frames name as
 * validators_hash.  rotation_advance on a copy of N(r) gives the scheduled proposer of r; N(r + 1)
 * is rotation_merge of that advanced copy with what the contract listed at the L1 origin that the
 * first block of r named.  N(0) is in the genesis; N(1) is named by block 1. */

/* rotation_proposer_index returns who leads (height, round): `scheduled_index` from
 * rotation_advance, `previous_proposer` the frame's proposer of the block before. */
uint32_t rotation_proposer_index(const struct validator_set *set, uint32_t scheduled_index,
                                 const struct address *previous_proposer, bool is_rotation_first,
                                 uint32_t round);
