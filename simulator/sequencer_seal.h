#pragma once
/* Execution for a proposer that lies: a block whose parts were changed is made to look right again.
 * It uses the judge's machine (sequencer_judge.c). */
#include "chain/block.h"
#include "simulator/sequencer_node.h"

/* sequencer_seal executes a block on top of a node's head and makes the header's roots and gas fit;
 * false: it cannot be executed there, and the header stays. */
bool sequencer_seal(struct world *world, const struct sequencer_node *node, struct block *block,
                    struct arena *arena);
