/* The way to the pivot: one block of each rotation with its commit, from the validators that we
 * know to the next ones; and at the end the pivot's block and the headers before it. */
#include "base/keccak.h"
#include "sequencer/package.h"
#include "sequencer/snapshot_internal.h"

uint64_t snapshot_first_of(const struct snapshot *snapshot, uint64_t rotation) {
    return rotation == 0 ? 1 : rotation * snapshot->config.blocks_per_rotation;
}

static uint64_t rotation_at(const struct snapshot *snapshot, uint64_t height) {
    return rotation_of(height, snapshot->config.blocks_per_rotation);
}

/* waits_for_anchor: the anchor is of the rotation that we stand in, and was not seen yet. */
static bool waits_for_anchor(const struct snapshot *snapshot) {
    return !snapshot->is_anchored &&
           rotation_at(snapshot, snapshot->config.anchor_height) <= snapshot->rotation;
}

/* ask_choose says what comes next: first blocks of rotations up to the pivot's, stopping at the
 * anchor's; the anchor; the pivot. */
static void ask_choose(struct snapshot *snapshot, struct message *message) {
    const uint64_t last = rotation_at(snapshot, snapshot->pivot_height);
    if (snapshot->has_next && waits_for_anchor(snapshot)) {
        snapshot->asked = LIGHT_ANCHOR;
        message->heights[message->count++] = snapshot->config.anchor_height;
        return;
    }
    if (snapshot->has_next && snapshot->rotation == last) {
        snapshot->asked = LIGHT_PIVOT;
        message->heights[message->count++] = snapshot->pivot_height;
        return;
    }
    uint64_t stop = last;
    if (!snapshot->is_anchored) {
        const uint64_t anchor = rotation_at(snapshot, snapshot->config.anchor_height);
        if (anchor < stop) stop = anchor;
    }
    snapshot->asked = LIGHT_FIRSTS;
    uint64_t rotation = snapshot->has_next ? snapshot->rotation + 1 : snapshot->rotation;
    while (rotation <= stop && message->count < SNAPSHOT_LIGHT_PER_ASK)
        message->heights[message->count++] = snapshot_first_of(snapshot, rotation++);
    CHECK(message->count > 0);
}

void snapshot_light_run(struct snapshot *snapshot) {
    if (snapshot->ask.kind != ASK_NONE) return;
    if (rotation_at(snapshot, snapshot->pivot_height) < snapshot->rotation) {
        snapshot_find(snapshot, false); /* peers have less than was proven before */
        return;
    }
    const int peer = snapshot_peer_choose(snapshot, snapshot->pivot_height);
    if (peer < 0) {
        snapshot_find(snapshot, true);
        return;
    }
    struct message *message = snapshot_message(snapshot, MESSAGE_GET_LIGHT);
    ask_choose(snapshot, message);
    memcpy(snapshot->asked_heights, message->heights, sizeof snapshot->asked_heights);
    snapshot_ask(snapshot, &snapshot->ask, ASK_LIGHT, (uint32_t)peer);
}

/* verify holds a block against the validators of the rotation that it is of: NULL, or what is
 * wrong. */
static const char *verify(struct snapshot *snapshot, uint64_t height) {
    const struct snapshot_config *config = &snapshot->config;
    const struct snapshot_light *light = &snapshot->light;
    const struct hash32 validators_hash = validator_set_hash(&snapshot->current);
    if (light->header.number != height) return "light block of another height";
    if (!hash_equal(&light->frame.validators_hash, &validators_hash)) {
        return "light block of other validators";
    }
    if (commit_verify(&light->commit, height, &light->hash, &snapshot->current, config->fault_model,
                      &config->domain, &config->recoverer) != ERR_OK) {
        return "light block without a commit of its validators";
    }
    return NULL;
}

/* take_first takes a rotation's first block: it names the validators of the next rotation. */
static const char *take_first(struct snapshot *snapshot, uint64_t height) {
    const struct snapshot_light *light = &snapshot->light;
    struct validator_set next;
    const bool moves_on = snapshot->has_next;
    const struct validator_set before = snapshot->current;
    if (moves_on) snapshot->current = snapshot->next;
    const char *fault = verify(snapshot, height);
    const struct hash32 named = keccak256(light->next_validators);
    if (fault == NULL && !hash_equal(&named, &light->frame.next_validators_hash)) {
        fault = "validators that the frame does not name";
    }
    if (fault == NULL && validator_set_decode(light->next_validators, &next) != ERR_OK) {
        fault = "validators that do not decode";
    }
    if (fault != NULL) {
        snapshot->current = before;
        return fault;
    }
    if (moves_on) snapshot->rotation += 1;
    snapshot->next = next;
    snapshot->has_next = true;
    return NULL;
}

/* take takes the block that was asked for at `height`. */
static const char *take(struct snapshot *snapshot, uint64_t height) {
    const struct snapshot_light *light = &snapshot->light;
    if (snapshot->asked == LIGHT_FIRSTS) return take_first(snapshot, height);
    const char *fault = verify(snapshot, height);
    if (fault != NULL) return fault;
    if (snapshot->asked == LIGHT_ANCHOR) {
        if (!hash_equal(&light->hash, &snapshot->config.anchor_hash)) {
            return "its chain is not the one that L1 has settled";
        }
        snapshot->is_anchored = true;
        return NULL;
    }
    snapshot->pivot_hash = light->hash;
    snapshot->pivot = light->header;
    snapshot->has_pivot = true;
    return NULL;
}

/* leave begins to look again, after a peer had not what it says. */
static void leave(struct snapshot *snapshot, uint32_t index) {
    struct snapshot_peer *peer = &snapshot->peers[index];
    peer->doubts += 1;
    peer->quiet_until_ms = snapshot->now_ms + SNAPSHOT_QUIET_MS;
    snapshot_find(snapshot, true);
}

/* keep has the first blocks that were proven kept: a node without the blocks before its pivot can
 * lead others to it all the same. */
static void keep(struct snapshot *snapshot, const struct message *message, uint32_t count) {
    struct snapshot_effect *effect = snapshot_push(snapshot, SNAPSHOT_EFFECT_KEEP_LIGHT);
    CHECK(count <= SNAPSHOT_LIGHT_PER_ASK);
    memcpy(snapshot->kept_heights, snapshot->asked_heights, count * sizeof(uint64_t));
    effect->lights = (struct snapshot_lights){count, snapshot->kept_heights, message->pieces};
}

void snapshot_on_light(struct snapshot *snapshot, const struct message *message) {
    const uint32_t peer = snapshot->ask.peer;
    const uint32_t asked = snapshot->ask.count;
    snapshot_answered(snapshot, &snapshot->ask);
    if (message->count > asked) {
        snapshot_bad(snapshot, peer, "more light blocks than asked for");
        snapshot_find(snapshot, true);
        return;
    }
    if (message->count == 0) { /* has not what it says */
        leave(snapshot, peer);
        return;
    }
    uint32_t taken = 0;
    const char *fault = NULL;
    while (taken < message->count && fault == NULL) {
        fault = "light block that does not decode";
        if (snapshot_light_decode(message->pieces[taken], &snapshot->light) == ERR_OK) {
            fault = take(snapshot, snapshot->asked_heights[taken]);
        }
        taken += fault == NULL ? 1 : 0;
    }
    if (snapshot->asked == LIGHT_FIRSTS && taken > 0) keep(snapshot, message, taken);
    if (fault == NULL) return;
    snapshot_bad(snapshot, peer, fault);
    snapshot_find(snapshot, true);
}

/* --- the tail */

/* headers_first is the first of the headers that are taken along. */
static uint64_t headers_first(const struct snapshot *snapshot) {
    const uint64_t pivot = snapshot->pivot_height;
    const uint64_t oldest = pivot > SNAPSHOT_HEADERS_MAX ? pivot - SNAPSHOT_HEADERS_MAX : 1;
    const uint64_t ours = snapshot->config.head_height + 1;
    return oldest > ours ? oldest : ours;
}

void snapshot_tail_run(struct snapshot *snapshot) {
    if (snapshot->ask.kind != ASK_NONE) return;
    const uint64_t first = headers_first(snapshot);
    if (first >= snapshot->pivot_height) snapshot->has_headers = true;
    const int peer = snapshot_peer_choose(snapshot, snapshot->pivot_height);
    if (peer < 0) return;
    if (!snapshot->has_headers) {
        struct message *message = snapshot_message(snapshot, MESSAGE_GET_HEADERS);
        message->height = first;
        message->count = (uint32_t)(snapshot->pivot_height - first);
        snapshot_ask(snapshot, &snapshot->ask, ASK_HEADERS, (uint32_t)peer);
        return;
    }
    struct message *message = snapshot_message(snapshot, MESSAGE_GET_BLOCKS);
    message->height = snapshot->pivot_height;
    message->count = 1;
    snapshot_ask(snapshot, &snapshot->ask, ASK_BLOCK, (uint32_t)peer);
}

/* headers_fault holds headers against the pivot, from the last one back: NULL, or what is wrong. */
static const char *headers_fault(const struct snapshot *snapshot, const struct message *message) {
    struct hash32 wanted = snapshot->pivot.parent_hash;
    for (uint32_t i = message->count; i-- > 0;) {
        struct header header;
        if (header_decode(message->pieces[i], &header) != ERR_OK) return "headers do not decode";
        const struct hash32 hash = keccak256(message->pieces[i]);
        if (!hash_equal(&hash, &wanted)) return "headers that are not before the pivot";
        wanted = header.parent_hash;
    }
    const bool is_whole = headers_first(snapshot) == snapshot->config.head_height + 1;
    if (is_whole && !hash_equal(&wanted, &snapshot->config.head_hash)) {
        return "headers that do not follow our own chain";
    }
    return NULL;
}

void snapshot_on_headers(struct snapshot *snapshot, const struct message *message) {
    const uint32_t peer = snapshot->ask.peer;
    const uint32_t asked = snapshot->ask.count;
    snapshot_answered(snapshot, &snapshot->ask);
    if (message->count < asked) { /* has not that many: another one may */
        snapshot->peers[peer].doubts += 1;
        snapshot->peers[peer].quiet_until_ms = snapshot->now_ms + SNAPSHOT_QUIET_MS;
        return;
    }
    const char *fault =
        message->count > asked ? "more headers than asked for" : headers_fault(snapshot, message);
    if (fault != NULL) {
        snapshot_bad(snapshot, peer, fault);
        return;
    }
    struct buffer room = buffer_over(snapshot->headers_room, sizeof snapshot->headers_room);
    for (uint32_t i = 0; i < message->count; i++) {
        const size_t at = room.size;
        buffer_append(&room, message->pieces[i]);
        snapshot->head.headers[i] = bytes_slice(buffer_bytes(&room), at, room.size - at);
    }
    CHECK(!room.overflow); /* a header that decodes has at most HEADER_BYTES_MAX */
    snapshot->head.headers_count = message->count;
    snapshot->has_headers = true;
}

/* block_fault holds the pivot's package and commit against what is known of it. */
static const char *block_fault(struct snapshot *snapshot, struct bytes package,
                               struct bytes encoded) {
    const struct snapshot_config *config = &snapshot->config;
    struct package_parts parts;
    const uint64_t height = snapshot->pivot_height;
    const bool carries_next = snapshot_first_of(snapshot, rotation_at(snapshot, height)) == height;
    struct hash32 *item_hashes =
        arena_array(snapshot->arena, BLOCK_TRANSACTIONS_MAX, sizeof *item_hashes);
    CHECK(item_hashes != NULL); /* SNAPSHOT_ARENA_BYTES_MIN */
    const char *fault = package_bind(package, &snapshot->pivot_hash, carries_next, item_hashes,
                                     BLOCK_TRANSACTIONS_MAX, &parts);
    if (fault != NULL) return fault;
    if (commit_decode(encoded, &snapshot->commit) != ERR_OK ||
        commit_verify(&snapshot->commit, snapshot->pivot_height, &snapshot->pivot_hash,
                      &snapshot->current, config->fault_model, &config->domain,
                      &config->recoverer) != ERR_OK) {
        return "block's commit is not valid";
    }
    return NULL;
}

void snapshot_on_block(struct snapshot *snapshot, const struct message *message) {
    const uint32_t peer = snapshot->ask.peer;
    struct bytes package = BYTES_EMPTY, commit = BYTES_EMPTY;
    if (message->count > 0) {
        package = message->blocks[0].package;
        commit = message->blocks[0].commit;
    }
    snapshot_answered(snapshot, &snapshot->ask);
    const char *fault = block_fault(snapshot, package, commit);
    if (fault != NULL) {
        snapshot_bad(snapshot, peer, fault);
        return;
    }
    struct snapshot_head *head = &snapshot->head;
    head->header = snapshot->pivot;
    head->hash = snapshot->pivot_hash;
    head->package = package;
    head->commit = commit;
    head->rotation = snapshot->rotation;
    head->validators = &snapshot->current;
    head->next_validators = &snapshot->next;
    snapshot_push(snapshot, SNAPSHOT_EFFECT_SET_HEAD)->head = head;
    snapshot_push(snapshot, SNAPSHOT_EFFECT_DONE);
    snapshot->stage = SNAPSHOT_ENDED;
}
