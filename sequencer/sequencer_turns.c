/* Whose turn it is to publish a batch: one validator's at each height of the DA layer.
 *
 * Time is the DA layer's own height, which all see alike and which no clock of ours can contradict.
 * Its heights are cut into turns of BATCH_TURN_HEIGHTS.  Turn t of a batch belongs to validator
 * t mod n of the set that voted on the batch's last block: a function of the chain and t alone, so
 * that any two nodes that know who it is agree.  At the last BATCH_TURN_QUIET heights of a turn
 * nobody posts: what was posted before has landed, or never will, when the next turn begins, and
 * its owner, who looks first, finds it (docs/sequencer.md has the whole argument).
 *
 * The set of a batch may be gone for good: after BATCH_TURNS_OWN turns of BATCH_TURNS_ROUND the
 * rest belong to a later rotation's set, 1, 4, 16, ... rotations on.  Who does not know that set
 * yet lets the turn pass. */
#include "sequencer/sequencer_internal.h"

#define LATER_SETS 12u

/* set_of reads a rotation's set: the newest ones are here, older ones in the archive. */
static bool set_of(const struct sequencer *sequencer, uint64_t rotation,
                   struct validator_set *out) {
    const uint64_t per = sequencer->blocks_per_rotation;
    if (rotation == rotation_of(sequencer->head_height + 1, per)) {
        *out = sequencer->current;
        return true;
    }
    if (rotation == rotation_of(sequencer->head_height, per)) {
        *out = sequencer->head_validators;
        return true;
    }
    if (sequencer->config.archive.validators == NULL) return false;
    return sequencer->config.archive.validators(sequencer->config.archive.context, rotation, out) ==
           ERR_OK;
}

/* own_turns_find fills which turns are ours by the batch's own set. */
static bool own_turns_find(const struct sequencer *sequencer, struct batch_entry *entry) {
    if (entry->turns_count != 0) return true;
    struct validator_set set;
    const uint64_t last = entry->statement.last;
    if (!set_of(sequencer, rotation_of(last, sequencer->blocks_per_rotation), &set)) return false;
    entry->turns_count = set.count;
    entry->turn_own = validator_set_find(&set, &sequencer->config.consensus.signer.address);
    return true;
}

static bool is_ours_by_later_set(const struct sequencer *sequencer, const struct batch_entry *entry,
                                 uint64_t turn) {
    const uint64_t later = (uint64_t)1 << 2 * (turn / BATCH_TURNS_ROUND % LATER_SETS);
    const uint64_t own = rotation_of(entry->statement.last, sequencer->blocks_per_rotation);
    struct validator_set set;
    if (own + later > rotation_of(sequencer->head_height + 1, sequencer->blocks_per_rotation)) {
        return false;
    }
    if (!set_of(sequencer, own + later, &set)) return false;
    const int found = validator_set_find(&set, &sequencer->config.consensus.signer.address);
    return found >= 0 && turn % set.count == (uint64_t)found;
}

bool turn_is_ours(struct sequencer *sequencer, struct batch_entry *entry, struct batch_turn *out) {
    const uint64_t height = sequencer->batches.da_height;
    const uint64_t turn = height / BATCH_TURN_HEIGHTS;
    if (height == 0 || address_is_zero(&sequencer->config.consensus.signer.address)) return false;
    out->from = turn * BATCH_TURN_HEIGHTS;
    out->until = out->from + BATCH_TURN_HEIGHTS - BATCH_TURN_QUIET;
    if (height >= out->until) return false;
    if (turn % BATCH_TURNS_ROUND >= BATCH_TURNS_OWN) {
        return is_ours_by_later_set(sequencer, entry, turn);
    }
    if (!own_turns_find(sequencer, entry)) return false;
    return entry->turn_own >= 0 && turn % entry->turns_count == (uint64_t)entry->turn_own;
}
