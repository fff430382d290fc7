/* Peers, and the blocks that they have committed and we have not.
 *
 * Several peers are asked at once, each for a stretch of at most sync_blocks_max blocks within a
 * window after the head; blocks wait in a bounded heap and are executed one after another, each
 * with its commit checked against the set that our own chain names.  A peer that lies or fails to
 * answer is left alone for a while, and what it claims no longer counts. */
#include "base/keccak.h"
#include "base/rlp.h"
#include "sequencer/sequencer_internal.h"

struct peer *sequencer_peer(const struct sequencer *sequencer, const struct hash32 *id) {
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        const struct peer *peer = &sequencer->peers[i];
        if (peer->is_connected && hash_equal(&peer->id, id)) {
            return (struct peer *)(uintptr_t)peer;
        }
    }
    return NULL;
}

/* leave_alone stops believing a peer for a while, twice as long each time. */
static void leave_alone(const struct sequencer *sequencer, struct peer *peer) {
    peer->struck_until_ms = sequencer->now_ms + ((uint64_t)PEER_STRIKE_MS << peer->strikes);
    if (peer->strikes < PEER_STRIKES_MAX) peer->strikes += 1;
    peer->doubts += 1;
    peer->request_count = 0;
}

void sequencer_strike(struct sequencer *sequencer, const struct hash32 *id, const char *text) {
    struct peer *peer = sequencer_peer(sequencer, id);
    sequencer->counts.messages_bad_total += 1;
    struct effect *effect = sequencer_event(sequencer, EVENT_BAD_PEER, 0, text);
    effect->peer = *id;
    if (peer != NULL) leave_alone(sequencer, peer);
}

static void status_send(struct sequencer *sequencer, const struct hash32 *peer) {
    struct message *message = sequencer_message(sequencer, MESSAGE_STATUS);
    message->height = sequencer->head_height;
    message->hash = sequencer->view->head_hash;
    sequencer_send(sequencer, peer, MESSAGE_CLASS_CONSENSUS);
}

void sequencer_status_idle(struct sequencer *sequencer) {
    if (sequencer->now_ms < sequencer->status_at_ms) return;
    sequencer->status_at_ms = sequencer->now_ms + STATUS_IDLE_MS;
    if (sequencer->now_ms - sequencer->committed_ms < STATUS_IDLE_MS) return;
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        const struct peer *peer = &sequencer->peers[i];
        if (peer->is_connected) status_send(sequencer, &peer->id);
    }
}

void sequencer_status_tell(struct sequencer *sequencer, const struct hash32 *id) {
    struct peer *peer = sequencer_peer(sequencer, id);
    if (peer == NULL || peer->height >= sequencer->head_height) return;
    if (sequencer->now_ms - peer->told_ms < STATUS_PAUSE_MS) return;
    peer->told_ms = sequencer->now_ms;
    status_send(sequencer, id);
}

void sequencer_on_peer(struct sequencer *sequencer, const struct hash32 *id, bool is_connected) {
    struct peer *peer = sequencer_peer(sequencer, id);
    if (!is_connected) {
        if (peer == NULL) return;
        peer->is_connected = false;
        sequencer_items_peer_gone(sequencer, (uint32_t)(peer - sequencer->peers));
        sequencer_leader_check(sequencer);
        return;
    }
    for (uint32_t i = 0; peer == NULL && i < PEERS_MAX; i++) {
        if (sequencer->peers[i].is_connected) continue;
        peer = &sequencer->peers[i];
        if (i >= sequencer->peers_used) sequencer->peers_used = i + 1;
    }
    if (peer == NULL) return; /* the mesh is bounded below this by p2p */
    memset(peer, 0, sizeof *peer);
    peer->id = *id;
    peer->is_connected = true;
    peer->is_dumping = true;
    guard_greet(sequencer, id); /* before our height, which says that this was all */
    status_send(sequencer, id);
    batches_on_peer(sequencer, id);
}

/* --- how far others are */

static bool is_trusted(const struct sequencer *sequencer, const struct peer *peer) {
    return peer->is_connected && sequencer->now_ms >= peer->struck_until_ms;
}

/* target is the highest block that a peer we still believe says it has. */
static uint64_t target(const struct sequencer *sequencer) {
    uint64_t highest = sequencer->head_height;
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        const struct peer *peer = &sequencer->peers[i];
        if (is_trusted(sequencer, peer) && peer->height > highest) highest = peer->height;
    }
    return highest;
}

void sequencer_on_status(struct sequencer *sequencer, const struct hash32 *id, uint64_t height) {
    struct peer *peer = sequencer_peer(sequencer, id);
    if (peer == NULL) return;
    peer->height = height;
    sequencer->highest_seen = target(sequencer);
}

/* mark_counted marks the peers among whose claims not all can be lies.  Whoever has registered is a
 * peer; only those with a vote now or in the next rotation count, where any is connected. */
static void mark_counted(const struct sequencer *sequencer, bool counted[PEERS_MAX]) {
    bool has_voter = false;
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        const struct peer *peer = &sequencer->peers[i];
        counted[i] =
            peer->is_connected && (validator_set_find_peer(&sequencer->current, &peer->id) >= 0 ||
                                   validator_set_find_peer(&sequencer->next, &peer->id) >= 0);
        has_voter |= counted[i];
    }
    for (uint32_t i = 0; i < sequencer->peers_used && !has_voter; i++)
        counted[i] = sequencer->peers[i].is_connected;
}

static uint32_t peers_with(const struct sequencer *sequencer, const bool counted[PEERS_MAX],
                           uint64_t height) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < sequencer->peers_used; i++)
        count += counted[i] && sequencer->peers[i].height >= height ? 1 : 0;
    return count;
}

uint64_t sequencer_peers_height(const struct sequencer *sequencer) {
    const bool may_lie = sequencer->config.consensus.fault_model == FAULT_MODEL_BYZANTINE;
    const uint32_t liars_max = may_lie ? (sequencer->current.count - 1) / 3 : 0;
    bool counted[PEERS_MAX];
    uint64_t best = 0;
    mark_counted(sequencer, counted);
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        const uint64_t height = sequencer->peers[i].height;
        if (!counted[i] || height <= best) continue;
        if (peers_with(sequencer, counted, height) > liars_max) best = height;
    }
    return best;
}

/* --- blocks that wait */

static struct sync_block *block_at(struct sequencer *sequencer, uint64_t height) {
    return &sequencer->sync[height % SYNC_WINDOW];
}

static void block_release(struct sequencer *sequencer, struct sync_block *block) {
    if (block->height == 0) return;
    byte_heap_free(&sequencer->sync_heap, block->memory);
    memset(block, 0, sizeof *block);
}

static void blocks_release_old(struct sequencer *sequencer) {
    for (size_t i = 0; i < SYNC_WINDOW; i++) {
        struct sync_block *block = &sequencer->sync[i];
        if (block->height <= sequencer->head_height) block_release(sequencer, block);
    }
}

/* last_release gives up the highest block beyond `height`: what comes later must not take the room
 * of what is needed first.  false: there is none. */
static bool last_release(struct sequencer *sequencer, uint64_t height) {
    struct sync_block *last = NULL;
    for (size_t i = 0; i < SYNC_WINDOW; i++) {
        struct sync_block *block = &sequencer->sync[i];
        if (block->height > height && (last == NULL || block->height > last->height)) last = block;
    }
    if (last != NULL) block_release(sequencer, last);
    return last != NULL;
}

static void block_keep(struct sequencer *sequencer, const struct peer *peer, uint64_t height,
                       struct bytes package, struct bytes commit) {
    struct sync_block *block = block_at(sequencer, height);
    if (block->height != 0) return;
    uint8_t *memory;
    while ((memory = byte_heap_alloc(&sequencer->sync_heap, package.size + commit.size)) == NULL) {
        if (!last_release(sequencer, height)) return; /* asked for again when there is room */
    }
    memcpy(memory, package.data, package.size);
    if (commit.size != 0) memcpy(memory + package.size, commit.data, commit.size);
    *block = (struct sync_block){.height = height,
                                 .peer = peer->id,
                                 .memory = memory,
                                 .package_bytes = package.size,
                                 .commit_bytes = commit.size};
}

void sequencer_on_blocks(struct sequencer *sequencer, const struct hash32 *id,
                         const struct message *message) {
    struct peer *peer = sequencer_peer(sequencer, id);
    if (peer == NULL) return;
    const uint64_t first = peer->request_first;
    const uint32_t asked = peer->request_count;
    uint32_t useful = 0;
    /* Who lied would take the places of what others send. */
    if (asked == 0 && peer->strikes != 0 && !is_trusted(sequencer, peer)) return;
    for (uint32_t i = 0; i < message->count; i++) {
        struct block_package parts;
        if (block_package_decode(message->blocks[i].package, &parts) != ERR_OK) {
            sequencer_strike(sequencer, id, "synced block does not decode");
            return;
        }
        const uint64_t height = parts.frame.height;
        /* One that was not asked for by range may answer a GET_PROPOSAL: it is judged all the same.
         */
        if (height <= sequencer->head_height) continue;
        if (height > sequencer->head_height + SYNC_WINDOW) continue;
        block_keep(sequencer, peer, height, message->blocks[i].package, message->blocks[i].commit);
        useful += asked != 0 && height >= first && height - first < asked ? 1 : 0;
    }
    if (asked == 0) return;
    peer->request_count = 0;
    if (useful != 0) peer->strikes = peer->doubts = 0;
    if (useful == 0 && first > sequencer->head_height) { /* has not what it says */
        peer->doubts += 1;
        peer->struck_until_ms = sequencer->now_ms + PEER_SILENT_MS;
    }
}

/* --- asking */

static bool is_requested(const struct sequencer *sequencer, uint64_t height) {
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        const struct peer *peer = &sequencer->peers[i];
        if (!peer->is_connected || peer->request_count == 0) continue;
        if (height >= peer->request_first && height - peer->request_first < peer->request_count) {
            return true;
        }
    }
    return false;
}

static bool is_missing(struct sequencer *sequencer, uint64_t height) {
    return block_at(sequencer, height)->height == 0 && !is_requested(sequencer, height);
}

static void ask(struct sequencer *sequencer, struct peer *peer) {
    const uint64_t end_max = sequencer->head_height + SYNC_WINDOW;
    const uint64_t end = peer->height < end_max ? peer->height : end_max;
    uint64_t first = sequencer->head_height + 1;
    while (first <= end && !is_missing(sequencer, first))
        first++;
    if (first > end) return;
    uint32_t count = 1;
    while (count < sequencer->config.limits.sync_blocks_max && count < MESSAGE_BLOCKS_MAX / 2 &&
           first + count <= end && is_missing(sequencer, first + count)) {
        count++;
    }
    peer->request_first = first;
    peer->request_count = count;
    peer->request_deadline_ms = sequencer->now_ms + SYNC_TIMEOUT_MS;
    struct message *message = sequencer_message(sequencer, MESSAGE_GET_BLOCKS);
    message->height = first;
    message->count = count;
    sequencer_send(sequencer, &peer->id, MESSAGE_CLASS_SYNC);
}

static void ask_all(struct sequencer *sequencer) {
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        struct peer *peer = &sequencer->peers[i];
        if (!peer->is_connected) continue;
        if (peer->request_count != 0 && sequencer->now_ms >= peer->request_deadline_ms) {
            /* Partitions pass: it is asked again soon. */
            peer->request_count = 0;
            peer->doubts += 1;
            peer->struck_until_ms = sequencer->now_ms + PEER_SILENT_MS;
        }
        if (!is_trusted(sequencer, peer) || peer->request_count != 0) continue;
        if (peer->height > sequencer->head_height) ask(sequencer, peer);
    }
}

/* --- executing */

static bool is_busy(const struct sequencer *sequencer) {
    if (sequencer->height_state == HEIGHT_COMMITTING || sequencer->is_halted) return true;
    for (size_t i = 0; i < EXECUTOR_SLOTS; i++) {
        const struct candidate *candidate = &sequencer->candidates[i];
        if (candidate->is_synced && candidate->state == CANDIDATE_EXECUTING) return true;
    }
    return false;
}

/* known_fault holds what came against the block that is here already, and commits it when it is
 * executed and the commit proves it.  NULL: nothing speaks against it. */
static const char *known_fault(struct sequencer *sequencer, struct candidate *candidate,
                               struct bytes package, const struct commit *commit) {
    const struct consensus_config *config = &sequencer->config.consensus;
    if (candidate->height != sequencer->head_height + 1) return "commit is of another height";
    if (!bytes_equal(candidate->package, package)) return "package is not the block's";
    if (candidate->state != CANDIDATE_VALID) return NULL;
    if (commit_verify(commit, candidate->height, &candidate->hash, &sequencer->current,
                      config->fault_model, &config->domain,
                      &sequencer->config.recoverer) != ERR_OK) {
        return "commit does not verify";
    }
    sequencer_block_commit(sequencer, candidate, commit);
    return NULL;
}

/* take_next gives the waiting block at head + 1 to the executor, or commits it if it was executed.
 */
static void take_next(struct sequencer *sequencer) {
    const uint64_t height = sequencer->head_height + 1;
    struct sync_block *block = block_at(sequencer, height);
    if (block->height != height || is_busy(sequencer)) return;
    const struct bytes package = {block->memory, block->package_bytes};
    const struct bytes encoded = {block->memory + block->package_bytes, block->commit_bytes};
    const struct hash32 peer = block->peer;
    struct commit commit;
    const char *fault = "synced commit does not decode";
    struct candidate *candidate = NULL;
    if (commit_decode(encoded, &commit) == ERR_OK) {
        candidate = sequencer_candidate(sequencer, &commit.block);
        if (candidate != NULL && candidate->state == CANDIDATE_EXECUTING) return; /* soon */
        if (candidate == NULL) {
            candidate = sequencer_candidate_hold(sequencer, height, &commit.block, package, &fault);
        } else {
            fault = known_fault(sequencer, candidate, package, &commit);
        }
    }
    if (candidate == NULL && fault == NULL) return; /* no slot yet */
    block_release(sequencer, block);
    if (fault != NULL) {
        sequencer_sync_refused(sequencer, &peer, fault);
        return;
    }
    if (candidate->state == CANDIDATE_COMMITTING) return;
    candidate->was_refused = candidate->state == CANDIDATE_INVALID;
    candidate->state = CANDIDATE_HELD;
    candidate->is_synced = true;
    candidate->sync_peer = peer;
    candidate->commit = commit;
    const uint32_t index = sequencer_proposer_index(sequencer, candidate->frame.round);
    if (!address_equal(&sequencer->current.validators[index].address, &candidate->frame.proposer)) {
        candidate->state = CANDIDATE_FREE;
        sequencer_sync_refused(sequencer, &peer, "synced block has the wrong proposer");
        return;
    }
    sequencer_block_execute(sequencer, candidate);
}

void sequencer_sync_refused(struct sequencer *sequencer, const struct hash32 *peer,
                            const char *text) {
    for (size_t i = 0; i < SYNC_WINDOW; i++) {
        struct sync_block *block = &sequencer->sync[i];
        if (block->height != 0 && hash_equal(&block->peer, peer)) block_release(sequencer, block);
    }
    sequencer_strike(sequencer, peer, text);
}

static void sync_end(struct sequencer *sequencer) {
    sequencer->is_syncing = false;
    sequencer->behind_since_ms = 0;
    sequencer->highest_seen = target(sequencer);
    sequencer_event(sequencer, EVENT_SYNC_END, sequencer->head_height, NULL);
    if (sequencer->height_state == HEIGHT_HELD) sequencer_height_wait(sequencer);
}

void sequencer_sync_run(struct sequencer *sequencer) {
    blocks_release_old(sequencer);
    take_next(sequencer);
    const uint64_t highest = target(sequencer);
    const uint64_t behind = highest - sequencer->head_height;
    if (behind == 0) {
        sequencer->behind_since_ms = 0;
        if (sequencer->is_syncing) sync_end(sequencer);
        return;
    }
    if (sequencer->behind_since_ms == 0) sequencer->behind_since_ms = sequencer->now_ms;
    /* One block behind is the normal state of things while our own votes are being counted. */
    const bool is_late = sequencer->guard.is_wary ||
                         sequencer->now_ms - sequencer->behind_since_ms >= SYNC_PATIENCE_MS;
    if (!sequencer->is_syncing) {
        if (behind < 2 && !is_late) return;
        sequencer->is_syncing = true;
        sequencer->sync_progress_ms = sequencer->now_ms;
        sequencer_event(sequencer, EVENT_SYNC_BEGIN, highest, NULL);
    }
    ask_all(sequencer);
}

bool sequencer_sync_holds(const struct sequencer *sequencer) {
    if (!sequencer->is_syncing) return false;
    if (sequencer->now_ms - sequencer->sync_progress_ms >= SYNC_HOLD_MS) return false;
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        const struct peer *peer = &sequencer->peers[i];
        if (!is_trusted(sequencer, peer) || peer->doubts != 0) continue;
        if (peer->height > sequencer->head_height) return true;
    }
    return false;
}

uint64_t sequencer_sync_deadline(const struct sequencer *sequencer) {
    uint64_t deadline = UINT64_MAX;
    if (!sequencer->is_syncing) {
        if (sequencer->behind_since_ms == 0) return deadline;
        return sequencer->behind_since_ms + SYNC_PATIENCE_MS;
    }
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        const struct peer *peer = &sequencer->peers[i];
        if (!peer->is_connected) continue;
        if (peer->request_count != 0 && peer->request_deadline_ms < deadline) {
            deadline = peer->request_deadline_ms;
        }
        if (peer->struck_until_ms > sequencer->now_ms && peer->struck_until_ms < deadline) {
            deadline = peer->struck_until_ms;
        }
    }
    return deadline;
}
