/* Signing after a start: is the record of what was signed the newest one?
 *
 * A data directory that was restored from a backup holds an old record, and looks like any other.
 * What this validator signed after the backup only others know.  So whoever starts first hears what
 * they know: each validator, when it connects, sends our own newest votes that it has and then its
 * height.  Nothing is signed before so much power has spoken that it and whoever decided a block
 * while we voted have a correct validator in common, and we have the blocks that they have: with a
 * decided height our votes of it are forgotten, and its commit may show them.  Or `wary_ms` has
 * passed, without a new block: a chain whose other validators are gone for good, or lie, must not
 * stand still for ever.
 *
 * A signature of ours that is newer than the record - a vote, or one in a commit - shows that the
 * record is old.  Then nothing is signed up to the height at which the owner of the true record may
 * have signed: two beyond the highest block that anybody has shown (docs/consensus.md). */
#include "sequencer/sequencer_internal.h"

/* Between the highest block that a quorum shows and the newest height that we may have voted on. */
#define STALE_HEIGHTS 2u

static const struct address *own_address(const struct sequencer *sequencer) {
    return &sequencer->config.consensus.signer.address;
}

static uint64_t wary_ms(const struct sequencer *sequencer) {
    return sequencer->config.wary_ms == 0 ? WARY_MS : sequencer->config.wary_ms;
}

/* behind_ms: who has blocks that we lack may be asked after others that do not answer. */
static uint64_t behind_ms(const struct sequencer *sequencer) {
    return wary_ms(sequencer) < WARY_MS ? WARY_MS : wary_ms(sequencer);
}

void guard_begin(struct sequencer *sequencer) {
    struct guard *guard = &sequencer->guard;
    const uint64_t wary = wary_ms(sequencer);
    const bool is_alone = sequencer->current.count == 1;
    guard->is_wary = !address_is_zero(own_address(sequencer)) && !is_alone;
    const bool is_new = sequencer->head_height == 0 && !sequencer->has_record;
    guard->until_ms = sequencer->now_ms + behind_ms(sequencer);
    guard->alone_until_ms = sequencer->now_ms + (is_new && wary > WARY_NEW_MS ? WARY_NEW_MS : wary);
}

/* power_heard is the power of the validators that have told us their height since the start. */
static uint64_t power_heard(const struct sequencer *sequencer) {
    const struct validator_set *set = &sequencer->current;
    uint64_t power = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct peer *peer = sequencer_peer(sequencer, &set->validators[i].peer_id);
        if (address_equal(&set->validators[i].address, own_address(sequencer))) continue;
        if (peer != NULL && peer->has_told) power += set->validators[i].power;
    }
    return power;
}

/* is_behind: what comes after our head is decided, with our signature or without. */
static bool is_behind(const struct sequencer *sequencer) {
    return sequencer_peers_height(sequencer) > sequencer->head_height;
}

uint64_t guard_deadline(const struct sequencer *sequencer) {
    const struct guard *guard = &sequencer->guard;
    return is_behind(sequencer) ? guard->until_ms : guard->alone_until_ms;
}

bool guard_is_wary(struct sequencer *sequencer) {
    struct guard *guard = &sequencer->guard;
    if (!guard->is_wary) return false;
    const struct validator_set *set = &sequencer->current;
    const int own = validator_set_find(set, own_address(sequencer));
    const uint64_t total = validator_set_power(set);
    const uint64_t others = own < 0 ? total : total - set->validators[own].power;
    const uint64_t quorum = quorum_power(sequencer->config.consensus.fault_model, total);
    const uint64_t enough = quorum < others ? quorum : others;
    const uint64_t now_ms = sequencer->now_ms;
    if (now_ms < guard->alone_until_ms && power_heard(sequencer) < enough) return true;
    guard->is_wary = now_ms < guard->until_ms && is_behind(sequencer);
    return guard->is_wary;
}

bool guard_is_silent(const struct sequencer *sequencer) {
    return sequencer->head_height + 1 <= sequencer->guard.silent_until;
}

static void silence(struct sequencer *sequencer, uint64_t height) {
    struct guard *guard = &sequencer->guard;
    if (height <= guard->silent_until) return;
    guard->silent_until = height;
    sequencer_event(sequencer, EVENT_RECORD_STALE, height,
                    "the record of what was signed is older than signatures that others have: an "
                    "old data directory, or a second process with this key");
    /* Between heights, too: consensus would take the signature over into the record. */
    const struct consensus_input input = {.kind = CONSENSUS_INPUT_SILENCE};
    sequencer_core_push(sequencer, &input);
}

static uint64_t silent_height(const struct sequencer *sequencer, uint64_t signed_height) {
    uint64_t highest = sequencer->head_height;
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        const struct peer *peer = &sequencer->peers[i];
        /* Heights are claims: one that is far off is not believed. */
        if (!peer->is_connected || peer->height > signed_height + STALE_HEIGHTS) continue;
        if (peer->height > highest) highest = peer->height;
    }
    return (highest > signed_height ? highest : signed_height) + STALE_HEIGHTS;
}

void guard_on_vote(struct sequencer *sequencer, const struct vote *vote) {
    if (!address_equal(&vote->voter, own_address(sequencer))) return;
    if (address_is_zero(&vote->voter) || vote->height <= sequencer->head_height) return;
    const struct consensus_record *record = &sequencer->record;
    const uint8_t step = vote->kind == VOTE_PROPOSAL ? 1 : vote->kind == VOTE_PREVOTE ? 2 : 3;
    const bool is_known =
        sequencer->has_record &&
        (vote->height < record->height ||
         (vote->height == record->height &&
          (vote->round < record->round || (vote->round == record->round && step <= record->step))));
    if (!is_known) silence(sequencer, silent_height(sequencer, vote->height));
}

void guard_on_commit(struct sequencer *sequencer, const struct commit *commit) {
    struct guard *guard = &sequencer->guard;
    if (guard->is_wary) guard->until_ms = sequencer->now_ms + behind_ms(sequencer);
    const int own = validator_set_find(&sequencer->current, own_address(sequencer));
    if (own < 0 || (sequencer->has_record && sequencer->record.height >= commit->height)) return;
    for (uint32_t i = 0; i < commit->signatures_count; i++) {
        if (commit->signatures[i].voter_index != (uint32_t)own) continue;
        silence(sequencer, silent_height(sequencer, commit->height));
    }
}

void guard_on_status(struct sequencer *sequencer, const struct hash32 *peer_id) {
    struct peer *peer = sequencer_peer(sequencer, peer_id);
    if (peer != NULL) peer->has_told = true;
}

/* guard_greet tells a validator that connects what we have of its own. */
void guard_greet(struct sequencer *sequencer, const struct hash32 *peer_id) {
    const struct validator_set *set = &sequencer->current;
    const int index = validator_set_find_peer(set, peer_id);
    if (index < 0) return;
    struct vote votes[CONSENSUS_VOTES_OF_MAX];
    const size_t count =
        consensus_votes_of(sequencer->core, &set->validators[index].address, votes);
    for (size_t i = 0; i < count; i++) {
        sequencer_message(sequencer, MESSAGE_VOTE)->vote = votes[i];
        sequencer_send(sequencer, peer_id, MESSAGE_CLASS_CONSENSUS);
    }
}
