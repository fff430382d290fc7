/* Consensus inputs and effects, when a height begins, handover, evidence. */
#include "base/rlp.h"
#include "sequencer/sequencer_internal.h"

#define NEED_VOTERS_MIN 3

/* --- inputs wait in a ring: an effect may cause an input, and consensus is not entered twice */

void sequencer_core_push(struct sequencer *sequencer, const struct consensus_input *input) {
    if (sequencer->core_count == CORE_INPUTS_MAX) return; /* votes and proposals are sent again */
    const uint32_t at = (sequencer->core_begin + sequencer->core_count++) % CORE_INPUTS_MAX;
    sequencer->core_inputs[at] = *input;
    sequencer->core_inputs[at].now_ms = sequencer->now_ms;
}

/* record_write appends what PERSIST_RECORD holds: the record, and the valid block with its polka.
 */
static void record_write(struct sequencer *sequencer, const struct consensus_effect *effect,
                         struct buffer *out) {
    consensus_record_encode(&effect->record, out);
    if (!effect->record.has_valid) return;
    const struct candidate *candidate = sequencer_candidate(sequencer, &effect->record.valid);
    if (candidate == NULL || candidate->package.size == 0) return;
    uint8_t polka[COMMIT_BYTES_MAX];
    struct buffer polka_out = buffer_over(polka, sizeof polka);
    if (effect->commit != NULL) commit_encode(effect->commit, &polka_out);
    CHECK(!polka_out.overflow);
    const size_t list = rlp_list_begin(out);
    rlp_write_string(out, buffer_bytes(&polka_out));
    rlp_write_string(out, candidate->package);
    rlp_list_end(out, list);
}

static void on_persist(struct sequencer *sequencer, const struct consensus_effect *effect) {
    size_t room = CONSENSUS_RECORD_BYTES_MAX + COMMIT_BYTES_MAX + 64;
    const struct candidate *candidate = NULL;
    if (effect->record.has_valid) {
        candidate = sequencer_candidate(sequencer, &effect->record.valid);
    }
    if (candidate != NULL) room += candidate->package.size;
    uint8_t *memory = arena_alloc(&sequencer->step, room);
    CHECK(memory != NULL);
    struct buffer out = buffer_over(memory, room);
    record_write(sequencer, effect, &out);
    CHECK(!out.overflow);
    sequencer->record = effect->record;
    sequencer->has_record = true;
    struct effect *persist = sequencer_push(sequencer, EFFECT_PERSIST);
    persist->persist = PERSIST_RECORD;
    persist->bytes = buffer_bytes(&out);
}

static void proposal_broadcast(struct sequencer *sequencer, const struct vote *vote) {
    struct candidate *candidate = sequencer_candidate(sequencer, &vote->block);
    struct message *message = sequencer_message(sequencer, MESSAGE_PROPOSAL);
    message->vote = *vote;
    if (candidate != NULL) {
        candidate->has_proposal = true;
        candidate->proposal = *vote;
        candidate->round = vote->round;
        const bool is_again = candidate->is_sent && candidate->sent_round == vote->round;
        if (!is_again) message->package = candidate->package; /* else: who lacks it asks */
        candidate->is_sent = true;
        candidate->sent_round = vote->round;
    }
    sequencer_broadcast(sequencer, MESSAGE_CLASS_CONSENSUS);
}

static void on_broadcast(struct sequencer *sequencer, const struct vote *vote) {
    if (vote->kind == VOTE_PROPOSAL) {
        proposal_broadcast(sequencer, vote);
        return;
    }
    if (vote->kind == VOTE_PREVOTE) sequencer->counts.votes_prevote_total += 1;
    if (vote->kind == VOTE_PRECOMMIT) sequencer->counts.votes_precommit_total += 1;
    sequencer_message(sequencer, MESSAGE_VOTE)->vote = *vote;
    sequencer_broadcast(sequencer, MESSAGE_CLASS_CONSENSUS);
}

/* may_give: a validator that voted for the block, and is connected. */
static bool may_give(const struct sequencer *sequencer, uint32_t voter,
                     const struct hash32 *block) {
    const struct validator *validator = &sequencer->current.validators[voter];
    return sequencer_peer(sequencer, &validator->peer_id) != NULL &&
           consensus_has_voted(sequencer->core, voter, block);
}

/* need_ask sends the message to the next of those who may give the block; false: there are fewer
 * than are to be asked. */
static bool need_ask(struct sequencer *sequencer, struct needed *needed) {
    const struct validator_set *set = &sequencer->current;
    uint32_t able = 0;
    for (uint32_t i = 0; i < set->count; i++)
        able += may_give(sequencer, i, &needed->block);
    if (able < needed->voters) return false;
    for (uint32_t asked = 0; asked < needed->voters; needed->next++) {
        const uint32_t voter = needed->next % set->count;
        if (!may_give(sequencer, voter, &needed->block)) continue;
        sequencer_send(sequencer, &set->validators[voter].peer_id, MESSAGE_CLASS_CONSENSUS);
        asked++;
    }
    return true;
}

/* on_need asks few of the voters first, because each answers with the whole block, and twice as
 * many whenever that was in vain, in the end all peers.  Validators begin at different ones. */
static void on_need(struct sequencer *sequencer, const struct consensus_effect *effect) {
    struct needed *needed = &sequencer->needed;
    if (effect->height != sequencer->head_height + 1) return;
    if (!hash_equal(&needed->block, &effect->block)) {
        const int own =
            validator_set_find(&sequencer->current, &sequencer->config.consensus.signer.address);
        *needed = (struct needed){effect->block, NEED_VOTERS_MIN, (uint32_t)(own + 1)};
    } else if (needed->voters < VALIDATORS_MAX) {
        needed->voters *= 2;
    }
    struct message *message = sequencer_message(sequencer, MESSAGE_GET_PROPOSAL);
    message->height = effect->height;
    message->round = effect->round;
    message->hash = effect->block;
    if (!need_ask(sequencer, needed)) sequencer_broadcast(sequencer, MESSAGE_CLASS_CONSENSUS);
}

static void handover_send(struct sequencer *sequencer, uint64_t height) {
    const struct hash32 digest = handover_digest(&sequencer->config.consensus.domain, height);
    struct message *message = sequencer_message(sequencer, MESSAGE_HANDOVER);
    message->height = message->vote.height = height;
    const struct signer *signer = &sequencer->config.consensus.signer;
    signer->sign(signer->context, &digest, &message->vote.signature);
    sequencer_broadcast(sequencer, MESSAGE_CLASS_CONSENSUS);
}

static void on_build(struct sequencer *sequencer, const struct consensus_effect *effect) {
    if (effect->height != sequencer->head_height + 1) return;
    if (sequencer->is_stopping) {
        if (effect->round == 0) handover_send(sequencer, effect->height);
        return;
    }
    sequencer_block_build(sequencer, effect->round);
}

static void on_commit(struct sequencer *sequencer, const struct consensus_effect *effect) {
    if (effect->height != sequencer->head_height + 1) return;
    if (sequencer->height_state == HEIGHT_COMMITTING) return; /* the same block came by sync */
    struct candidate *candidate = sequencer_candidate(sequencer, &effect->block);
    /* It was checked here, but four later candidates may have taken its slot: then it comes with
     * its commit by sync, from those who kept it. */
    if (candidate == NULL || candidate->state != CANDIDATE_VALID) return;
    sequencer_block_commit(sequencer, candidate, effect->commit);
}

static void on_round(struct sequencer *sequencer, const struct consensus_effect *effect) {
    if (!effect->is_timeout) return;
    /* The baton was passed: a round without a proposal, but nobody waited for it. */
    if (effect->round == 1 && sequencer->has_handover &&
        sequencer->handover.height == effect->height) {
        return;
    }
    sequencer->counts.timeouts_total += 1;
    sequencer_event(sequencer, EVENT_ROUND_TIMEOUT, effect->round == 0 ? 0 : effect->round - 1,
                    NULL);
}

static void on_core_effect(struct sequencer *sequencer, const struct consensus_effect *effect) {
    switch (effect->kind) {
    case CONSENSUS_EFFECT_PERSIST: on_persist(sequencer, effect); break;
    case CONSENSUS_EFFECT_BUILD: on_build(sequencer, effect); break;
    case CONSENSUS_EFFECT_CHECK:
        sequencer_block_check(sequencer, &effect->block, effect->is_backed);
        break;
    case CONSENSUS_EFFECT_BROADCAST: on_broadcast(sequencer, &effect->vote); break;
    case CONSENSUS_EFFECT_COMMIT: on_commit(sequencer, effect); break;
    case CONSENSUS_EFFECT_EVIDENCE:
        sequencer_on_evidence(sequencer, &effect->vote, &effect->conflicting, true);
        break;
    case CONSENSUS_EFFECT_ROUND: on_round(sequencer, effect); break;
    case CONSENSUS_EFFECT_NEED: on_need(sequencer, effect); break;
    }
}

void sequencer_core_run(struct sequencer *sequencer) {
    while (sequencer->core_count != 0) {
        const struct consensus_input input = sequencer->core_inputs[sequencer->core_begin];
        sequencer->core_begin = (sequencer->core_begin + 1) % CORE_INPUTS_MAX;
        sequencer->core_count -= 1;
        if (sequencer->is_halted) continue;
        sequencer->core_effects->count = 0;
        consensus_step(sequencer->core, &input, sequencer->core_effects);
        for (size_t i = 0; i < sequencer->core_effects->count; i++) {
            on_core_effect(sequencer, &sequencer->core_effects->list[i]);
        }
    }
}

/* --- when a height begins */

/* delay_until says how long from now until `unix_ms`, at most `delay_ms_max`: clocks jump. */
static uint64_t delay_until(const struct sequencer *sequencer, uint64_t unix_ms,
                            uint64_t delay_ms_max) {
    if (unix_ms <= sequencer->unix_ms) return 0;
    const uint64_t delay = unix_ms - sequencer->unix_ms;
    return delay < delay_ms_max ? delay : delay_ms_max;
}

void sequencer_height_wait(struct sequencer *sequencer) {
    const uint64_t block_time = sequencer->block_time_ms;
    const uint64_t last = sequencer->view->head_frame.time_ms;
    uint64_t idle = sequencer->config.idle_block_time_ms;
    sequencer->height_state = HEIGHT_HELD;
    sequencer->is_woken = false;
    if (sequencer->config.is_interval_on_demand) {
        sequencer->propose_at_ms = sequencer->now_ms;
        sequencer->idle_until_ms =
            idle == 0 ? UINT64_MAX : sequencer->now_ms + delay_until(sequencer, last + idle, idle);
        return;
    }
    if (idle < block_time) idle = block_time;
    sequencer->propose_at_ms =
        sequencer->now_ms + delay_until(sequencer, last + block_time, block_time);
    sequencer->idle_until_ms =
        idle == block_time ? 0 : sequencer->now_ms + delay_until(sequencer, last + idle, idle);
}

/* was_lost: the peer was connected since we started, and is not any more. */
static bool was_lost(const struct sequencer *sequencer, const struct hash32 *peer_id) {
    bool is_known = false;
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        const struct peer *peer = &sequencer->peers[i];
        if (!hash_equal(&peer->id, peer_id)) continue;
        if (peer->is_connected) return false;
        is_known = true;
    }
    return is_known;
}

/* How long to wait for a proposer is everybody's own business (a vote for nil is always safe), so a
 * process that is gone need not cost a timeout: the kernel tells at once when it was killed. */
void sequencer_leader_check(struct sequencer *sequencer) {
    sequencer->leader_check_at_ms = UINT64_MAX;
    if (sequencer->height_state != HEIGHT_RUNNING) return;
    const uint32_t index = sequencer_proposer_index(sequencer, 0);
    const struct validator *leader = &sequencer->current.validators[index];
    if (!was_lost(sequencer, &leader->peer_id)) return;
    if (sequencer->now_ms < sequencer->propose_at_ms) { /* it may be back until its block is due */
        sequencer->leader_check_at_ms = sequencer->propose_at_ms;
        return;
    }
    struct consensus_input input = {.kind = CONSENSUS_INPUT_HANDOVER};
    input.vote.height = sequencer->head_height + 1;
    input.vote.voter = leader->address;
    sequencer_core_push(sequencer, &input);
}

static void height_begin(struct sequencer *sequencer) {
    const uint64_t height = sequencer->head_height + 1;
    struct consensus_input input = {.kind = CONSENSUS_INPUT_HEIGHT};
    input.begin.height = height;
    input.begin.set = &sequencer->current;
    input.begin.scheduled_index = sequencer->scheduled_index;
    input.begin.is_rotation_first = sequencer_is_rotation_first(sequencer, height);
    input.begin.previous_proposer = sequencer->view->head_frame.proposer;
    input.begin.propose_at_ms = sequencer->propose_at_ms;
    input.begin.is_silent = guard_is_silent(sequencer);
    if (sequencer->has_record && !sequencer->is_record_given) {
        input.begin.record = &sequencer->record;
        if (sequencer->has_record_polka) input.begin.polka = &sequencer->record_polka;
    }
    sequencer->is_record_given = true;
    sequencer->height_state = HEIGHT_RUNNING;
    sequencer_core_push(sequencer, &input);
    if (sequencer->has_handover && sequencer->handover.height == height) {
        const struct consensus_input handover = {.kind = CONSENSUS_INPUT_HANDOVER,
                                                 .vote = sequencer->handover};
        sequencer_core_push(sequencer, &handover);
    }
    sequencer_leader_check(sequencer);
    sequencer_prebuild_plan(sequencer);
}

void sequencer_height_try(struct sequencer *sequencer) {
    if (sequencer->height_state != HEIGHT_HELD || sequencer->is_halted) return;
    /* Who is behind proposes and votes for nothing; but a peer that only says that it is ahead must
     * not keep us silent. */
    if (sequencer_sync_holds(sequencer) || guard_is_wary(sequencer)) return;
    const bool has_items = pool_counts(sequencer->pool).pending != 0;
    const bool is_due = sequencer->now_ms >= sequencer->idle_until_ms;
    if (!has_items && !is_due && !sequencer->is_woken && !sequencer->is_stopping) return;
    if (sequencer->propose_at_ms < sequencer->now_ms) sequencer->propose_at_ms = sequencer->now_ms;
    height_begin(sequencer);
}

/* --- what others say */

void sequencer_on_vote(struct sequencer *sequencer, const struct hash32 *peer,
                       const struct vote *vote) {
    const uint64_t height = sequencer->head_height + 1;
    guard_on_vote(sequencer, vote);
    if (vote->height == height && validator_set_find(&sequencer->current, &vote->voter) >= 0) {
        sequencer->is_woken = true; /* others have begun */
        sequencer_height_try(sequencer);
    }
    if (vote->height > height + 1 && validator_set_find(&sequencer->current, &vote->voter) >= 0) {
        /* It votes on a height whose parent it has. */
        const struct peer *known = sequencer_peer(sequencer, peer);
        if (known != NULL && known->height < vote->height - 1) {
            sequencer_on_status(sequencer, peer, vote->height - 1);
        }
    }
    if (vote->height < height) sequencer_status_tell(sequencer, peer);
    if (vote->kind == VOTE_PROPOSAL) return; /* goes in with its block */
    if (vote->height != height && vote->height != height + 1) return;
    const struct consensus_input input = {.kind = CONSENSUS_INPUT_VOTE, .vote = *vote};
    sequencer_core_push(sequencer, &input);
}

/* may_hand_over: the voter can be the one whose round 0 it is. */
static bool may_hand_over(const struct sequencer *sequencer, const struct vote *vote) {
    const uint64_t height = sequencer->head_height + 1;
    const struct validator_set *set = &sequencer->current;
    if (vote->height == height) {
        const uint32_t index = sequencer_proposer_index(sequencer, 0);
        return address_equal(&set->validators[index].address, &vote->voter);
    }
    if (vote->height != height + 1) return false;
    if (sequencer_is_rotation_first(sequencer, vote->height)) set = &sequencer->next;
    return set->count == 0 || validator_set_find(set, &vote->voter) >= 0;
}

void sequencer_on_handover(struct sequencer *sequencer, const struct vote *vote) {
    const uint64_t height = sequencer->head_height + 1;
    if (!may_hand_over(sequencer, vote)) return;
    sequencer->has_handover = true;
    sequencer->handover = *vote;
    if (vote->height != height || sequencer->height_state != HEIGHT_RUNNING) return;
    const struct consensus_input input = {.kind = CONSENSUS_INPUT_HANDOVER, .vote = *vote};
    sequencer_core_push(sequencer, &input);
}

void sequencer_on_evidence(struct sequencer *sequencer, const struct vote *vote,
                           const struct vote *conflicting, bool is_ours) {
    const bool is_validator = validator_set_find(&sequencer->current, &vote->voter) >= 0 ||
                              validator_set_find(&sequencer->head_validators, &vote->voter) >= 0;
    if (!is_validator) return;
    for (uint32_t i = 0; i < EVIDENCE_KNOWN; i++) {
        const struct vote *known = &sequencer->evidence_known[i];
        if (known->kind == vote->kind && known->height == vote->height &&
            known->round == vote->round && address_equal(&known->voter, &vote->voter)) {
            return;
        }
    }
    struct vote *kept = arena_alloc(&sequencer->step, 2 * sizeof *kept);
    CHECK(kept != NULL);
    kept[0] = *vote;
    kept[1] = *conflicting;
    sequencer->evidence_known[sequencer->evidence_next++ % EVIDENCE_KNOWN] = *vote;
    sequencer->counts.evidence_total += 1;
    struct effect *effect = sequencer_push(sequencer, EFFECT_EVIDENCE);
    effect->evidence[0] = &kept[0];
    effect->evidence[1] = &kept[1];
    if (!is_ours) return; /* whoever found it has told everyone */
    struct message *message = sequencer_message(sequencer, MESSAGE_EVIDENCE);
    message->vote = *vote;
    message->conflicting = *conflicting;
    sequencer_broadcast(sequencer, MESSAGE_CLASS_CONSENSUS);
}

/* --- going down */

/* sequencer_leads: round 0 of the height after the head is ours. */
bool sequencer_leads(const struct sequencer *sequencer) {
    const uint32_t index = sequencer_proposer_index(sequencer, 0);
    return address_equal(&sequencer->current.validators[index].address,
                         &sequencer->config.consensus.signer.address);
}

static bool has_own_proposal(const struct sequencer *sequencer) {
    const struct address *own = &sequencer->config.consensus.signer.address;
    for (size_t i = 0; i < EXECUTOR_SLOTS; i++) {
        const struct candidate *candidate = &sequencer->candidates[i];
        if (candidate->state == CANDIDATE_FREE || !candidate->is_sent) continue;
        if (candidate->height != sequencer->head_height + 1) continue;
        if (address_equal(&candidate->frame.proposer, own)) return true;
    }
    return false;
}

void sequencer_on_stop(struct sequencer *sequencer) {
    if (sequencer->is_stopping) return;
    sequencer->is_stopping = true;
    sequencer->stop_deadline_ms = sequencer->now_ms + STOP_MS_MAX;
}

void sequencer_stop_try(struct sequencer *sequencer) {
    if (!sequencer->is_stopping || sequencer->is_stopped) return;
    const bool is_late = sequencer->now_ms >= sequencer->stop_deadline_ms;
    /* Alone nobody takes over; a proposal of ours that is out is voted for to its end. */
    const bool is_member = sequencer_is_validator(sequencer) && sequencer->current.count > 1;
    if (!is_late && !sequencer->is_halted) {
        if (sequencer->height_state == HEIGHT_COMMITTING) return;
        if (is_member && has_own_proposal(sequencer)) return;
    }
    sequencer->is_stopped = true;
    if (is_member && !sequencer->is_halted && sequencer_leads(sequencer)) {
        handover_send(sequencer, sequencer->head_height + 1);
    }
    sequencer_push(sequencer, EFFECT_STOPPED);
}

/* --- after a restart */

static enum err record_package_read(struct bytes in, struct bytes *polka, struct bytes *package) {
    struct bytes fields;
    TRY(rlp_read_list(&in, &fields));
    TRY(rlp_read_string(&fields, polka));
    TRY(rlp_read_string(&fields, package));
    return fields.size == 0 && in.size == 0 ? ERR_OK : ERR_ENCODING;
}

void sequencer_restore_record(struct sequencer *sequencer,
                              const struct sequencer_restore *restore) {
    if (!restore->has_record) return;
    sequencer->has_record = true;
    sequencer->record = restore->record;
    if (!restore->record.has_valid || restore->record_package.size == 0) return;
    if (restore->record.height != sequencer->head_height + 1) return;
    struct bytes polka, package;
    const char *fault;
    if (record_package_read(restore->record_package, &polka, &package) != ERR_OK) return;
    /* It may be that of an older valid block: then it is fetched from others like any other. */
    struct candidate *candidate = sequencer_candidate_hold(sequencer, restore->record.height,
                                                           &restore->record.valid, package, &fault);
    if (candidate == NULL) return;
    /* It was proposed in some round up to the record's: a later one than 0, maybe. */
    candidate->round = restore->record.round;
    /* A quorum voted for it when it became the valid block: what our L1 node told us then is gone,
     * and nobody could go on if we waited for it (found by the simulator, seed 1292). */
    candidate->is_backed = true;
    if (polka.size == 0 || commit_decode(polka, &sequencer->record_polka) != ERR_OK) return;
    sequencer->has_record_polka = true;
}
