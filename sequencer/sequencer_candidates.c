/* Candidate blocks: who has a slot, and with which package. */
#include "sequencer/package.h"
#include "sequencer/sequencer_internal.h"

uint32_t sequencer_round(const struct sequencer *sequencer) {
    if (sequencer->height_state != HEIGHT_RUNNING) return UINT32_MAX;
    return consensus_status(sequencer->core).round;
}

struct candidate *sequencer_candidate(struct sequencer *sequencer, const struct hash32 *hash) {
    for (size_t i = 0; i < EXECUTOR_SLOTS; i++) {
        struct candidate *candidate = &sequencer->candidates[i];
        if (candidate->state == CANDIDATE_FREE || hash_is_zero(&candidate->hash)) continue;
        if (hash_equal(&candidate->hash, hash)) return candidate;
    }
    return NULL;
}

/* is_kept: the block that we are locked on, or could be asked to propose again, or that this round
 * is about: a proposer of rounds to come could take its slot with blocks of those. */
static bool is_kept(const struct sequencer *sequencer, const struct candidate *candidate) {
    const struct consensus_record *record = &sequencer->record;
    if (candidate->height == sequencer->head_height + 1 && candidate->was_asked &&
        candidate->asked_round == sequencer_round(sequencer) &&
        candidate->state != CANDIDATE_INVALID) {
        return true;
    }
    if (!sequencer->has_record || record->height != candidate->height) return false;
    return (record->has_valid && hash_equal(&record->valid, &candidate->hash)) ||
           (record->has_locked && hash_equal(&record->locked, &candidate->hash));
}

struct candidate *sequencer_candidate_take(struct sequencer *sequencer) {
    struct candidate *taken = NULL;
    for (size_t i = 0; i < EXECUTOR_SLOTS; i++) {
        struct candidate *candidate = &sequencer->candidates[i];
        if (candidate->state == CANDIDATE_EXECUTING) continue;
        if (candidate->state == CANDIDATE_COMMITTING) continue;
        if (candidate->state != CANDIDATE_FREE && is_kept(sequencer, candidate)) continue;
        if (taken == NULL || candidate->state == CANDIDATE_FREE ||
            (taken->state != CANDIDATE_FREE && candidate->round < taken->round)) {
            taken = candidate;
        }
    }
    if (taken == NULL) return NULL;
    uint8_t *memory = taken->memory, *commit_memory = taken->commit_memory;
    struct address *senders = taken->senders;
    struct hash32 *item_hashes = taken->item_hashes;
    memset(taken, 0, sizeof *taken);
    taken->memory = memory;
    taken->commit_memory = commit_memory;
    taken->senders = senders;
    taken->item_hashes = item_hashes;
    return taken;
}

struct candidate *sequencer_candidate_hold(struct sequencer *sequencer, uint64_t height,
                                           const struct hash32 *hash, struct bytes package,
                                           const char **fault) {
    struct package_parts parts;
    const bool carries_next = sequencer_is_rotation_first(sequencer, height);
    *fault = package_bind(package, hash, carries_next, sequencer->bind_hashes,
                          BLOCK_TRANSACTIONS_MAX, &parts);
    if (*fault != NULL) return NULL;
    if (parts.package.frame.height != height) {
        *fault = "block is of another height";
        return NULL;
    }
    struct candidate *candidate = sequencer_candidate_take(sequencer);
    if (candidate == NULL) return NULL;
    struct hash32 *const bound = sequencer->bind_hashes;
    sequencer->bind_hashes = candidate->item_hashes;
    candidate->item_hashes = bound;
    candidate->items_count = parts.items_count;
    memcpy(candidate->memory, package.data, package.size);
    candidate->state = CANDIDATE_HELD;
    candidate->height = height;
    candidate->hash = *hash;
    candidate->package = (struct bytes){candidate->memory, package.size};
    candidate->frame = parts.package.frame;
    return candidate;
}
