/* What happens to candidate blocks: proposed, built, executed, committed. */
#include "base/keccak.h"
#include "sequencer/sequencer_internal.h"

static uint32_t slot_of(const struct sequencer *sequencer, const struct candidate *candidate) {
    return (uint32_t)(candidate - sequencer->candidates);
}

/* --- proposals from others */

static void ask_for(struct sequencer *sequencer, const struct hash32 *peer,
                    const struct vote *proposal) {
    struct message *message = sequencer_message(sequencer, MESSAGE_GET_PROPOSAL);
    message->height = proposal->height;
    message->round = proposal->round;
    message->hash = proposal->block;
    sequencer_send(sequencer, peer, MESSAGE_CLASS_CONSENSUS);
}

/* is_far: of a round that consensus does not listen to yet. */
static bool is_far(const struct sequencer *sequencer, const struct vote *proposal) {
    const uint32_t round = sequencer_round(sequencer);
    return round != UINT32_MAX && proposal->height == sequencer->head_height + 1 &&
           proposal->round > round + CONSENSUS_ROUNDS_AHEAD_MAX;
}

/* may_propose keeps strangers' blocks out of our slots. */
static bool may_propose(const struct sequencer *sequencer, const struct vote *proposal) {
    const struct validator_set *set = &sequencer->current;
    const uint64_t height = sequencer->head_height + 1;
    if (proposal->height == height) {
        const uint32_t index = sequencer_proposer_index(sequencer, proposal->round);
        return address_equal(&set->validators[index].address, &proposal->voter);
    }
    /* Of the height after it we know only who may vote, unless the set changes right there. */
    if (proposal->height != height + 1) return false;
    const bool is_new_set = sequencer_is_rotation_first(sequencer, proposal->height);
    if (is_new_set) set = &sequencer->next;
    return set->count != 0 && validator_set_find(set, &proposal->voter) >= 0;
}

static void candidate_proposed(const struct sequencer *sequencer, struct candidate *candidate,
                               const struct vote *proposal) {
    const struct vote *known = &candidate->proposal;
    const bool is_newer = candidate->has_proposal && known->round > proposal->round;
    if (is_newer && !is_far(sequencer, known)) return;
    candidate->has_proposal = true;
    candidate->proposal = *proposal;
    candidate->round = proposal->round;
}

/* candidate_known holds what came with a proposal of a block that is here against that block; NULL:
 * it fits. */
static const char *candidate_known(const struct candidate *candidate,
                                   const struct message *message) {
    if (candidate->height != message->vote.height) return "block is of another height";
    if (message->package.size == 0 || bytes_equal(candidate->package, message->package)) {
        return NULL;
    }
    return "package is not the block's"; /* it has one only (package.h) */
}

void sequencer_on_proposal(struct sequencer *sequencer, const struct hash32 *peer,
                           const struct message *message) {
    const struct vote *proposal = &message->vote;
    sequencer_on_vote(sequencer, peer, proposal); /* tells how far others are, wakes the height */
    if (!may_propose(sequencer, proposal)) return;
    const struct consensus_input input = {.kind = CONSENSUS_INPUT_PROPOSAL, .vote = *proposal};
    if (is_far(sequencer, proposal)) { /* it tells of the round, its block may come later */
        sequencer_core_push(sequencer, &input);
        return;
    }
    struct candidate *candidate = sequencer_candidate(sequencer, &proposal->block);
    if (candidate == NULL && message->package.size == 0) {
        ask_for(sequencer, peer, proposal);
        return;
    }
    const char *fault;
    if (candidate == NULL) {
        candidate = sequencer_candidate_hold(sequencer, proposal->height, &proposal->block,
                                             message->package, &fault);
    } else {
        fault = candidate_known(candidate, message);
    }
    if (fault != NULL) sequencer_strike(sequencer, peer, fault);
    if (fault != NULL || candidate == NULL) return;
    candidate_proposed(sequencer, candidate, proposal);
    sequencer_core_push(sequencer, &input);
}

void sequencer_on_get_proposal(struct sequencer *sequencer, const struct hash32 *peer,
                               const struct message *message) {
    const struct candidate *candidate = sequencer_candidate(sequencer, &message->hash);
    if (candidate != NULL && candidate->has_proposal && candidate->package.size != 0) {
        struct message *answer = sequencer_message(sequencer, MESSAGE_PROPOSAL);
        answer->vote = candidate->proposal;
        answer->package = candidate->package;
        sequencer_send(sequencer, peer, MESSAGE_CLASS_CONSENSUS);
        return;
    }
    if (message->height == 0 || message->height > sequencer->head_height) return;
    struct effect *effect = sequencer_push(sequencer, EFFECT_SERVE);
    effect->peer = *peer;
    effect->first = effect->last = message->height;
}

/* --- jobs */

static struct block_job *job_begin(struct sequencer *sequencer, struct candidate *candidate,
                                   enum job_kind kind) {
    struct block_job *job = &candidate->job;
    memset(job, 0, sizeof *job);
    job->kind = kind;
    job->slot = slot_of(sequencer, candidate);
    job->height = candidate->height;
    job->round = candidate->round;
    job->view = sequencer->view;
    job->last_validators = sequencer->head_validators;
    job->validators = sequencer->current;
    return job;
}

static void job_send(struct sequencer *sequencer, struct candidate *candidate) {
    candidate->state = CANDIDATE_EXECUTING;
    candidate->job_ms = sequencer->now_ms;
    sequencer_push(sequencer, EFFECT_EXECUTE)->job = &candidate->job;
}

static uint64_t block_time(const struct sequencer *sequencer) {
    const struct chain_view *view = sequencer->view;
    uint64_t time_ms = sequencer->unix_ms;
    const uint64_t least = view->head_frame.time_ms + 1;
    if (time_ms < least) time_ms = least;
    const uint64_t second = view->head.timestamp * 1000; /* the genesis has no frame */
    return time_ms < second ? second : time_ms;
}

static void frame_begin(struct sequencer *sequencer, uint32_t round, struct block_job *job) {
    struct frame *frame = &job->frame;
    frame->version = FRAME_VERSION;
    frame->height = job->height;
    frame->round = round;
    frame->proposer = sequencer->config.consensus.signer.address;
    frame->time_ms = block_time(sequencer);
    if (sequencer->is_prebuilding) { /* it is of the time when it will be proposed */
        frame->time_ms += sequencer->propose_at_ms - sequencer->now_ms;
    }
    frame->validators_hash = sequencer->current_hash;
    bool carries_next;
    struct validator_set next;
    sequencer_origin_choose(sequencer, round, frame, &next, &carries_next);
    if (carries_next) {
        struct buffer out = buffer_over(sequencer->set_bytes, VALIDATOR_SET_BYTES_MAX);
        validator_set_encode(&next, &out);
        CHECK(!out.overflow);
        job->next_validators = buffer_bytes(&out);
    }
    job->last_commit = (struct bytes){sequencer->head_commit, sequencer->head_commit_bytes};
    if (job->height > 1) frame->last_commit_hash = keccak256(job->last_commit);
}

/* build_budget_ms: how long items are added; the others need as long again to check. */
static uint64_t build_budget_ms(const struct sequencer *sequencer) {
    const uint64_t half = sequencer->block_time_ms / 2;
    return half < 50 ? 50 : half > 1000 ? 1000 : half;
}

/* is_building: a job that reads build_items and set_bytes is out. */
static bool is_building(const struct sequencer *sequencer) {
    for (size_t i = 0; i < EXECUTOR_SLOTS; i++) {
        const struct candidate *candidate = &sequencer->candidates[i];
        if (candidate->state == CANDIDATE_EXECUTING && candidate->job.kind == JOB_BUILD)
            return true;
    }
    return false;
}

static void answer_built(struct sequencer *sequencer, const struct candidate *candidate) {
    const struct consensus_input input = {
        .kind = CONSENSUS_INPUT_BUILT, .block = candidate->hash, .round = candidate->round};
    sequencer_core_push(sequencer, &input);
}

/* take_prebuilt answers with the block that was built ahead, now or when it is ready. */
static bool take_prebuilt(struct sequencer *sequencer) {
    for (size_t i = 0; i < EXECUTOR_SLOTS; i++) {
        struct candidate *candidate = &sequencer->candidates[i];
        if (!candidate->is_prebuilt || candidate->height != sequencer->head_height + 1) continue;
        if (candidate->state != CANDIDATE_VALID && candidate->state != CANDIDATE_EXECUTING) {
            continue;
        }
        candidate->is_awaited = true;
        if (candidate->state == CANDIDATE_VALID) answer_built(sequencer, candidate);
        return true;
    }
    return false;
}

/* prebuild_lead_ms: jobs take so long lately that the block is then ready on time. */
static uint64_t prebuild_lead_ms(const struct sequencer *sequencer) {
    const uint64_t most = sequencer->block_time_ms / 4;
    const uint64_t lead = sequencer->job_ms + PREBUILD_MARGIN_MS;
    return lead < most ? lead : most;
}

void sequencer_prebuild_plan(struct sequencer *sequencer) {
    const uint64_t lead = prebuild_lead_ms(sequencer);
    const uint64_t at = sequencer->propose_at_ms;
    sequencer->prebuild_at_ms = UINT64_MAX;
    if (at <= sequencer->now_ms || sequencer->config.is_interval_on_demand) return;
    if (!sequencer_leads(sequencer) || guard_is_silent(sequencer)) return;
    /* Whoever has signed something at this height goes on with that. */
    if (sequencer->has_record && sequencer->record.height > sequencer->head_height) return;
    sequencer->prebuild_at_ms = at > sequencer->now_ms + lead ? at - lead : sequencer->now_ms;
}

void sequencer_prebuild(struct sequencer *sequencer) {
    if (sequencer->now_ms < sequencer->prebuild_at_ms) return;
    sequencer->prebuild_at_ms = UINT64_MAX;
    if (sequencer->height_state != HEIGHT_RUNNING || sequencer->is_stopping) return;
    if (consensus_status(sequencer->core).round != 0) return;
    if (sequencer->now_ms >= sequencer->propose_at_ms) return; /* consensus asks by itself */
    sequencer->is_prebuilding = true;
    sequencer_block_build(sequencer, 0);
    sequencer->is_prebuilding = false;
}

void sequencer_block_build(struct sequencer *sequencer, uint32_t round) {
    if (sequencer->is_halted) return;
    if (round == 0 && !sequencer->is_prebuilding && take_prebuilt(sequencer)) return;
    /* A second job would be given the first one's memory (found by the simulator, seed 2504): this
     * round times out. */
    if (is_building(sequencer)) return;
    struct candidate *candidate = sequencer_candidate_take(sequencer);
    if (candidate == NULL) return; /* the round times out */
    candidate->height = sequencer->head_height + 1;
    candidate->round = round;
    candidate->is_prebuilt = sequencer->is_prebuilding;
    struct block_job *job = job_begin(sequencer, candidate, JOB_BUILD);
    frame_begin(sequencer, round, job);
    const struct admit_context admit = sequencer_admit_context(sequencer);
    struct pool_selection selection = {
        .base_fee = admit.base_fee,
        .weight_max = admit.block_weight_max > UINT64_MAX / BUILD_WEIGHT_TIMES
                          ? UINT64_MAX
                          : admit.block_weight_max * BUILD_WEIGHT_TIMES,
        .items_max = sequencer->build_items_max,
        .items = sequencer->build_items,
        .bytes = buffer_over(sequencer->build_bytes, BUILD_BYTES_MAX),
    };
    job->candidates_count = pool_select(sequencer->pool, &selection);
    job->candidates = sequencer->build_items;
    job->deadline_ms = sequencer->now_ms + build_budget_ms(sequencer);
    job_send(sequencer, candidate);
}

static bool is_right_proposer(const struct sequencer *sequencer, const struct frame *frame) {
    const uint32_t index = sequencer_proposer_index(sequencer, frame->round);
    return address_equal(&sequencer->current.validators[index].address, &frame->proposer);
}

static void answer_checked(struct sequencer *sequencer, struct candidate *candidate,
                           bool is_valid) {
    candidate->is_wanted = false;
    const struct consensus_input input = {
        .kind = CONSENSUS_INPUT_CHECKED, .block = candidate->hash, .is_valid = is_valid};
    sequencer_core_push(sequencer, &input);
}

static void refuse(struct sequencer *sequencer, struct candidate *candidate, const char *text) {
    candidate->state = CANDIDATE_INVALID;
    sequencer_event(sequencer, EVENT_BLOCK_INVALID, candidate->height, text);
    if (candidate->is_wanted) answer_checked(sequencer, candidate, false);
}

void sequencer_block_execute(struct sequencer *sequencer, struct candidate *candidate) {
    struct block_job *job = job_begin(sequencer, candidate, JOB_CHECK);
    if (!sequencer_is_rotation_first(sequencer, candidate->height)) {
        job->next_validators_hash = sequencer->next_hash;
    }
    job->package = candidate->package;
    job->expected = candidate->hash;
    job->item_hashes = candidate->item_hashes;
    job->item_hashes_count = job->senders_count = candidate->items_count;
    job->senders = candidate->senders;
    for (size_t i = 0; i < candidate->items_count; i++) {
        const struct item *item = pool_find(sequencer->pool, &candidate->item_hashes[i]);
        candidate->senders[i] = item == NULL ? (struct address){{0}} : item->lane;
    }
    const bool is_voted_on = !candidate->is_synced && !candidate->is_backed;
    if (is_voted_on) job->candidates_count = forced_due(sequencer, &job->candidates);
    if (candidate->is_synced) {
        struct buffer out = buffer_over(candidate->commit_memory, COMMIT_BYTES_MAX);
        commit_encode(&candidate->commit, &out);
        CHECK(!out.overflow);
        job->commit = buffer_bytes(&out);
    }
    job_send(sequencer, candidate);
}

/* check_begin holds a proposed frame against the rules that only the sequencer knows. */
static void check_begin(struct sequencer *sequencer, struct candidate *candidate) {
    const struct frame *frame = &candidate->frame;
    if (!is_right_proposer(sequencer, frame)) {
        refuse(sequencer, candidate, "not proposed by the proposer of its round");
        return;
    }
    if (frame->round > candidate->round) { /* a liar was early: it may be right in its round */
        refuse(sequencer, candidate, "proposed before its round");
        candidate->state = CANDIDATE_HELD;
        return;
    }
    /* What only our clock or our view of L1 speaks against is executed all the same once a quorum
     * voted for it, and not before: consensus asks again in each round. */
    if (!candidate->is_backed && frame->time_ms > sequencer->unix_ms + TIME_AHEAD_MS_MAX) {
        candidate->is_doubted = true;
        refuse(sequencer, candidate, "time is too far in the future");
        return;
    }
    const enum origin_answer answer = sequencer_origin_check(sequencer, frame);
    if (answer == ORIGIN_WRONG) {
        refuse(sequencer, candidate, "L1 origin or next validator set is wrong");
        return;
    }
    if (answer == ORIGIN_DOUBTED && !candidate->is_backed) {
        candidate->is_doubted = true;
        refuse(sequencer, candidate, "L1 origin is not what our L1 node says");
        return;
    }
    if (answer == ORIGIN_UNKNOWN && !candidate->is_backed) {
        candidate->waits_for_l1 = true; /* no answer: the round's timeout votes nil */
        sequencer_push(sequencer, EFFECT_ASK_L1)->value = frame->l1_number;
        return;
    }
    sequencer_block_execute(sequencer, candidate);
}

void sequencer_block_check(struct sequencer *sequencer, const struct hash32 *hash, bool is_backed) {
    struct candidate *candidate = sequencer_candidate(sequencer, hash);
    if (candidate == NULL) {
        const struct consensus_input input = {.kind = CONSENSUS_INPUT_MISSING, .block = *hash};
        sequencer_core_push(sequencer, &input);
        return;
    }
    if (candidate->height != sequencer->head_height + 1) return;
    candidate->is_wanted = candidate->was_asked = true;
    candidate->asked_round = consensus_status(sequencer->core).round;
    candidate->is_backed |= is_backed;
    switch (candidate->state) {
    case CANDIDATE_VALID: answer_checked(sequencer, candidate, true); break;
    case CANDIDATE_INVALID:
        if (candidate->is_unforced && candidate->is_backed) {
            candidate->state = CANDIDATE_HELD;
            sequencer_block_execute(sequencer, candidate);
            break;
        }
        if (candidate->is_unforced || !candidate->is_doubted) {
            answer_checked(sequencer, candidate, false);
            break;
        }
        candidate->state = CANDIDATE_HELD;
        check_begin(sequencer, candidate);
        break;
    case CANDIDATE_HELD: check_begin(sequencer, candidate); break;
    case CANDIDATE_FREE:
    case CANDIDATE_EXECUTING:
    case CANDIDATE_COMMITTING: break;
    }
}

/* --- outcomes */

static void on_built(struct sequencer *sequencer, struct candidate *candidate) {
    const struct block_outcome *outcome = &candidate->outcome;
    for (size_t i = 0; i < outcome->rejected_count; i++) {
        pool_remove(sequencer->pool, &outcome->rejected[i]);
        sequencer->counts.verdicts_total[outcome->rejected_verdicts[i]] += 1;
    }
    candidate->state = CANDIDATE_VALID;
    candidate->was_asked = true; /* it is for this round, asked for already or soon */
    candidate->asked_round = candidate->round;
    candidate->hash = outcome->hash;
    candidate->package = outcome->package;
    candidate->frame = outcome->frame;
    if (sequencer->is_stopping || (candidate->is_prebuilt && !candidate->is_awaited)) return;
    answer_built(sequencer, candidate);
}

/* on_unproven: who sent the commit lied, and the block is what it was before. */
static void on_unproven(struct sequencer *sequencer, struct candidate *candidate) {
    const struct hash32 peer = candidate->sync_peer;
    candidate->is_synced = false;
    candidate->state = candidate->was_refused ? CANDIDATE_INVALID : CANDIDATE_HELD;
    sequencer_sync_refused(sequencer, &peer, candidate->outcome.reason);
    if (candidate->is_wanted) sequencer_block_check(sequencer, &candidate->hash, false);
}

static void on_checked(struct sequencer *sequencer, struct candidate *candidate) {
    const struct block_outcome *outcome = &candidate->outcome;
    if (outcome->is_unproven) {
        CHECK(candidate->is_synced);
        on_unproven(sequencer, candidate);
        return;
    }
    if (outcome->verdict != VERDICT_ACCEPTED) {
        const bool is_synced = candidate->is_synced;
        const struct hash32 peer = candidate->sync_peer;
        refuse(sequencer, candidate, outcome->reason);
        candidate->is_doubted = false;
        if (is_synced) sequencer_sync_refused(sequencer, &peer, outcome->reason);
        return;
    }
    if (outcome->omits_forced && !candidate->is_synced) {
        candidate->is_unforced = true;
        refuse(sequencer, candidate, "it leaves out what L1 forces on the rollup");
        return;
    }
    candidate->is_unforced = false;
    candidate->state = CANDIDATE_VALID;
    if (candidate->is_wanted) answer_checked(sequencer, candidate, true);
    if (candidate->is_synced && sequencer->height_state != HEIGHT_COMMITTING) {
        sequencer_block_commit(sequencer, candidate, &candidate->commit);
    }
}

static void on_failed(struct sequencer *sequencer, struct candidate *candidate, enum err err) {
    const bool is_build = candidate->outcome.kind == JOB_BUILD;
    candidate->state = is_build ? CANDIDATE_FREE : CANDIDATE_HELD;
    if (err != ERR_LIMIT) {
        sequencer_halt(sequencer, "a block could not be executed");
        return;
    }
    /* The arena was too small for so many items: fewer, from now on. */
    if (is_build && sequencer->build_items_max > 64) sequencer->build_items_max /= 2;
}

void sequencer_on_executed(struct sequencer *sequencer, const struct block_outcome *outcome) {
    CHECK(outcome->slot < EXECUTOR_SLOTS);
    struct candidate *candidate = &sequencer->candidates[outcome->slot];
    CHECK(candidate->state == CANDIDATE_EXECUTING);
    CHECK(candidate->height == outcome->height);
    candidate->outcome = *outcome;
    const uint64_t took_ms = sequencer->now_ms - candidate->job_ms;
    sequencer->job_ms -= sequencer->job_ms / 8;
    if (took_ms > sequencer->job_ms) sequencer->job_ms = took_ms;
    if (candidate->height != sequencer->head_height + 1) {
        candidate->state = CANDIDATE_FREE; /* decided otherwise meanwhile */
        return;
    }
    if (outcome->err != ERR_OK) {
        on_failed(sequencer, candidate, outcome->err);
    } else if (outcome->kind == JOB_BUILD) {
        on_built(sequencer, candidate);
    } else {
        on_checked(sequencer, candidate);
    }
}

/* --- commits */

void sequencer_block_commit(struct sequencer *sequencer, struct candidate *candidate,
                            const struct commit *commit) {
    CHECK(candidate->state == CANDIDATE_VALID);
    CHECK(candidate->height == sequencer->head_height + 1);
    CHECK(sequencer->height_state != HEIGHT_COMMITTING);
    if (sequencer->is_halted) return;
    candidate->state = CANDIDATE_COMMITTING;
    if (commit != &candidate->commit) candidate->commit = *commit;
    sequencer->height_state = HEIGHT_COMMITTING;
    struct effect *effect = sequencer_push(sequencer, EFFECT_COMMIT);
    effect->slot = slot_of(sequencer, candidate);
    effect->commit = &candidate->commit;
}

static struct candidate *committing(struct sequencer *sequencer) {
    for (size_t i = 0; i < EXECUTOR_SLOTS; i++) {
        struct candidate *candidate = &sequencer->candidates[i];
        if (candidate->state == CANDIDATE_COMMITTING) return candidate;
    }
    return NULL;
}

static void head_move(struct sequencer *sequencer, const struct candidate *candidate,
                      const struct chain_view *view) {
    const struct block_outcome *outcome = &candidate->outcome;
    CHECK(view->head.number == outcome->height);
    CHECK(hash_equal(&view->head_hash, &outcome->hash));
    sequencer->view = view;
    sequencer->head_height = outcome->height;
    sequencer->committed_ms = sequencer->now_ms;
    if (candidate->is_synced) sequencer->sync_progress_ms = sequencer->now_ms;
    struct buffer out = buffer_over(sequencer->head_commit, COMMIT_BYTES_MAX);
    commit_encode(&candidate->commit, &out);
    CHECK(!out.overflow);
    sequencer->head_commit_bytes = out.size;
    guard_on_commit(sequencer, &candidate->commit);
    const struct address *own = &sequencer->config.consensus.signer.address;
    if (address_equal(&outcome->frame.proposer, own)) sequencer->counts.blocks_produced_total += 1;
}

/* candidates_release frees what the commit made useless; a job that is still out frees its slot
 * when it comes back, and blocks of the new height stay. */
static void candidates_release(struct sequencer *sequencer) {
    for (size_t i = 0; i < EXECUTOR_SLOTS; i++) {
        struct candidate *candidate = &sequencer->candidates[i];
        if (candidate->state == CANDIDATE_EXECUTING) continue;
        if (candidate->height <= sequencer->head_height) candidate->state = CANDIDATE_FREE;
    }
}

void sequencer_on_committed(struct sequencer *sequencer, const struct input *input) {
    struct candidate *candidate = committing(sequencer);
    CHECK(candidate != NULL);
    CHECK(sequencer->height_state == HEIGHT_COMMITTING);
    if (input->committed.err != ERR_OK) {
        sequencer_halt(sequencer, "a block could not be made durable");
        return;
    }
    const struct block_outcome *outcome = &candidate->outcome;
    head_move(sequencer, candidate, input->committed.view);
    sequencer_sets_follow(sequencer, outcome);
    const struct admit_context admit = sequencer_admit_context(sequencer);
    const struct pool_block block = {.hashes = outcome->item_hashes,
                                     .lanes = outcome->item_lanes,
                                     .count = outcome->items_count,
                                     .admit = &admit,
                                     .scratch = &sequencer->scratch};
    if (pool_committed(sequencer->pool, &block) != ERR_OK) {
        sequencer_halt(sequencer, "the committed state cannot be read");
        return;
    }
    forced_run(sequencer);
    batches_on_committed(sequencer, outcome);
    candidates_release(sequencer);
    struct message *message = sequencer_message(sequencer, MESSAGE_STATUS);
    message->height = sequencer->head_height;
    message->hash = sequencer->view->head_hash;
    sequencer_broadcast(sequencer, MESSAGE_CLASS_CONSENSUS);
    sequencer_height_wait(sequencer);
}
