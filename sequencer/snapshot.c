#include "sequencer/snapshot.h"

#include "base/rlp.h"
#include "sequencer/snapshot_internal.h"

#define RECORD_VERSION 1

/* --- effects and messages */

struct snapshot_effect *snapshot_push(struct snapshot *snapshot, enum snapshot_effect_kind kind) {
    struct snapshot_effects *effects = snapshot->effects;
    CHECK(effects->count < SNAPSHOT_EFFECTS_MAX);
    struct snapshot_effect *effect = &effects->list[effects->count++];
    *effect = (struct snapshot_effect){.kind = kind};
    return effect;
}

struct message *snapshot_message(struct snapshot *snapshot, enum message_kind kind) {
    snapshot->message.kind = kind;
    snapshot->message.count = 0;
    snapshot->message.height = 0;
    return &snapshot->message;
}

/* --- peers */

static struct snapshot_peer *peer_find(struct snapshot *snapshot, const struct hash32 *id) {
    for (uint32_t i = 0; i < snapshot->peers_count; i++) {
        if (hash_equal(&snapshot->peers[i].id, id)) return &snapshot->peers[i];
    }
    return NULL;
}

/* peer_room finds a place: a new one, or that of somebody who left and was no liar. */
static struct snapshot_peer *peer_room(struct snapshot *snapshot) {
    if (snapshot->peers_count < SNAPSHOT_PEERS_MAX) {
        return &snapshot->peers[snapshot->peers_count++];
    }
    for (uint32_t i = 0; i < SNAPSHOT_PEERS_MAX; i++) {
        struct snapshot_peer *peer = &snapshot->peers[i];
        if (!peer->is_connected && !peer->is_bad) return peer;
    }
    return NULL;
}

static void ask_end(struct snapshot *snapshot, struct ask *ask) {
    if (ask->kind == ASK_NONE) return;
    CHECK(snapshot->peers[ask->peer].under_way > 0);
    snapshot->peers[ask->peer].under_way -= 1;
    ask->kind = ASK_NONE;
}

/* asks_of ends what was asked of a peer that left or lied. */
static void asks_of(struct snapshot *snapshot, uint32_t peer) {
    if (snapshot->ask.kind != ASK_NONE && snapshot->ask.peer == peer) {
        ask_end(snapshot, &snapshot->ask);
    }
    for (size_t i = 0; i < SNAPSHOT_LANES; i++) {
        struct ask *ask = &snapshot->lanes[i].ask;
        if (ask->kind != ASK_NONE && ask->peer == peer) ask_end(snapshot, ask);
    }
}

static void on_peer(struct snapshot *snapshot, const struct snapshot_input *input) {
    struct snapshot_peer *peer = peer_find(snapshot, &input->peer);
    if (!input->is_connected) {
        if (peer == NULL || !peer->is_connected) return;
        peer->is_connected = false;
        asks_of(snapshot, (uint32_t)(peer - snapshot->peers));
        return;
    }
    if (peer == NULL) {
        peer = peer_room(snapshot);
        if (peer == NULL) return;
        *peer = (struct snapshot_peer){.id = input->peer};
    }
    peer->is_connected = true;
    peer->is_heard = false;
    peer->quiet_until_ms = 0;
    peer->timeouts = 0;
}

void snapshot_bad(struct snapshot *snapshot, uint32_t index, const char *text) {
    struct snapshot_peer *peer = &snapshot->peers[index];
    peer->is_bad = true;
    asks_of(snapshot, index);
    snapshot->counts.bad_peers_total += 1;
    struct snapshot_effect *effect = snapshot_push(snapshot, SNAPSHOT_EFFECT_DROP);
    effect->peer = peer->id;
    effect->text = text;
}

void snapshot_refused(struct snapshot *snapshot, uint32_t index) {
    snapshot->peers[index].refused_height = snapshot->pivot_height;
    snapshot->counts.refusals_total += 1;
}

static bool is_usable(const struct snapshot *snapshot, const struct snapshot_peer *peer,
                      uint64_t height) {
    if (!peer->is_connected || peer->is_bad || !peer->is_heard) return false;
    if (snapshot->now_ms < peer->quiet_until_ms || peer->height < height) return false;
    const bool is_state = snapshot->stage == SNAPSHOT_STATE;
    return !is_state || peer->refused_height != snapshot->pivot_height;
}

int snapshot_peer_choose(const struct snapshot *snapshot, uint64_t height) {
    int best = -1;
    for (uint32_t i = 0; i < snapshot->peers_count; i++) {
        const struct snapshot_peer *peer = &snapshot->peers[i];
        if (!is_usable(snapshot, peer, height)) continue;
        if (peer->under_way >= SNAPSHOT_REQUESTS_MAX) continue;
        if (best >= 0) {
            const struct snapshot_peer *other = &snapshot->peers[best];
            if (peer->doubts > other->doubts) continue;
            if (peer->doubts == other->doubts && peer->under_way > other->under_way) continue;
            if (peer->doubts == other->doubts && peer->under_way == other->under_way &&
                peer->served >= other->served) {
                continue;
            }
        }
        best = (int)i;
    }
    return best;
}

/* --- requests */

void snapshot_ask(struct snapshot *snapshot, struct ask *ask, enum ask_kind kind, uint32_t index) {
    CHECK(ask->kind == ASK_NONE);
    struct snapshot_peer *peer = &snapshot->peers[index];
    snapshot->message.request = ++snapshot->request_last;
    *ask = (struct ask){.kind = kind,
                        .request = snapshot->request_last,
                        .peer = index,
                        .count = snapshot->message.count,
                        .deadline_ms = snapshot->now_ms + SNAPSHOT_TIMEOUT_MS};
    peer->under_way += 1;
    peer->served += 1;
    snapshot->counts.requests_total += 1;
    struct buffer out = buffer_over(snapshot->sent + snapshot->sent_bytes,
                                    sizeof snapshot->sent - snapshot->sent_bytes);
    message_encode(&snapshot->message, &out);
    CHECK(!out.overflow);
    snapshot->sent_bytes += out.size;
    struct snapshot_effect *effect = snapshot_push(snapshot, SNAPSHOT_EFFECT_SEND);
    effect->peer = peer->id;
    effect->bytes = buffer_bytes(&out);
}

void snapshot_answered(struct snapshot *snapshot, struct ask *ask) {
    struct snapshot_peer *peer = &snapshot->peers[ask->peer];
    peer->timeouts = 0;
    ask_end(snapshot, ask);
}

/* ask_overdue leaves a silent peer alone for a while. */
static void ask_overdue(struct snapshot *snapshot, struct ask *ask) {
    if (ask->kind == ASK_NONE || snapshot->now_ms < ask->deadline_ms) return;
    struct snapshot_peer *peer = &snapshot->peers[ask->peer];
    const uint32_t times =
        peer->timeouts < SNAPSHOT_QUIET_TIMES_MAX ? peer->timeouts : SNAPSHOT_QUIET_TIMES_MAX;
    peer->quiet_until_ms = snapshot->now_ms + ((uint64_t)SNAPSHOT_QUIET_MS << times);
    peer->timeouts += 1;
    snapshot->counts.timeouts_total += 1;
    const bool is_light = ask->kind == ASK_LIGHT;
    ask_end(snapshot, ask);
    if (!is_light) return;
    peer->doubts += 1;
    snapshot_find(snapshot, true);
}

static struct lane *lane_of(struct snapshot *snapshot, uint64_t request) {
    for (size_t i = 0; i < SNAPSHOT_LANES; i++) {
        struct lane *lane = &snapshot->lanes[i];
        if (lane->ask.kind != ASK_NONE && lane->ask.request == request) return lane;
    }
    return NULL;
}

/* is_asked: the message answers `ask`, and its sender is who was asked. */
static bool is_asked(const struct snapshot *snapshot, const struct ask *ask, enum ask_kind kind,
                     const struct snapshot_input *input) {
    return ask->kind == kind && hash_equal(&snapshot->peers[ask->peer].id, &input->peer) &&
           (kind == ASK_BLOCK || ask->request == input->message->request);
}

static void on_status(struct snapshot *snapshot, const struct hash32 *id, uint64_t height) {
    struct snapshot_peer *peer = peer_find(snapshot, id);
    if (peer == NULL) return;
    peer->height = height;
    peer->is_heard = true;
    if (snapshot->heard_ms == 0) snapshot->heard_ms = snapshot->now_ms == 0 ? 1 : snapshot->now_ms;
}

static void on_message(struct snapshot *snapshot, const struct snapshot_input *input) {
    const struct message *message = input->message;
    struct lane *lane = lane_of(snapshot, message->request);
    if (lane != NULL && !hash_equal(&snapshot->peers[lane->ask.peer].id, &input->peer)) lane = NULL;
    switch (message->kind) {
    case MESSAGE_STATUS: on_status(snapshot, &input->peer, message->height); break;
    case MESSAGE_LIGHT:
        if (is_asked(snapshot, &snapshot->ask, ASK_LIGHT, input)) {
            snapshot_on_light(snapshot, message);
        }
        break;
    case MESSAGE_HEADERS:
        if (is_asked(snapshot, &snapshot->ask, ASK_HEADERS, input)) {
            snapshot_on_headers(snapshot, message);
        }
        break;
    case MESSAGE_BLOCKS:
        if (is_asked(snapshot, &snapshot->ask, ASK_BLOCK, input)) {
            snapshot_on_block(snapshot, message);
        }
        break;
    case MESSAGE_RANGES:
        if (lane != NULL && lane->ask.kind != ASK_CODES)
            snapshot_on_ranges(snapshot, lane, message);
        break;
    case MESSAGE_CODES:
        if (lane != NULL && lane->ask.kind == ASK_CODES) snapshot_on_codes(snapshot, lane, message);
        break;
    default: break; /* of the sequencer, which does not run yet */
    }
}

/* --- looking for a pivot */

void snapshot_find(struct snapshot *snapshot, bool at_once) {
    snapshot->stage = SNAPSHOT_FIND;
    snapshot->pivot_height = 0;
    snapshot->has_pivot = false;
    snapshot->refused_ms = 0;
    if (!at_once) snapshot->heard_ms = snapshot->now_ms == 0 ? 1 : snapshot->now_ms;
}

/* best_height is the highest that the least doubtful peers say they have; 0: nobody says anything.
 */
static uint64_t best_height(const struct snapshot *snapshot) {
    uint32_t doubts = UINT32_MAX;
    uint64_t best = 0;
    for (uint32_t i = 0; i < snapshot->peers_count; i++) {
        const struct snapshot_peer *peer = &snapshot->peers[i];
        if (!is_usable(snapshot, peer, 0) || peer->doubts > doubts) continue;
        if (peer->doubts < doubts) best = 0;
        doubts = peer->doubts;
        if (peer->height > best) best = peer->height;
    }
    return best;
}

static void not_needed(struct snapshot *snapshot) {
    snapshot->stage = SNAPSHOT_ENDED;
    snapshot_push(snapshot, SNAPSHOT_EFFECT_NOT_NEEDED);
}

static bool is_everybody_heard(const struct snapshot *snapshot) {
    uint32_t heard = 0;
    for (uint32_t i = 0; i < snapshot->peers_count; i++)
        heard += snapshot->peers[i].is_connected && snapshot->peers[i].is_heard ? 1 : 0;
    return snapshot->config.peers_expected != 0 && heard >= snapshot->config.peers_expected;
}

static void find_run(struct snapshot *snapshot) {
    const struct snapshot_config *config = &snapshot->config;
    const bool is_over =
        config->find_ms != 0 && snapshot->now_ms - snapshot->started_ms >= config->find_ms;
    const bool is_heard =
        snapshot->heard_ms != 0 &&
        (snapshot->now_ms - snapshot->heard_ms >= SNAPSHOT_FIND_MS || is_everybody_heard(snapshot));
    if (!is_heard) {
        if (is_over && !snapshot->has_begun) not_needed(snapshot);
        return;
    }
    const uint64_t best = best_height(snapshot);
    const uint64_t behind_min = config->behind_min > SNAPSHOT_PIVOT_DISTANCE
                                    ? config->behind_min
                                    : SNAPSHOT_PIVOT_DISTANCE + 1;
    const bool is_settled = !config->has_anchor ||
                            best >= config->anchor_height + SNAPSHOT_PIVOT_DISTANCE ||
                            config->anchor_height <= config->head_height;
    if (best < config->head_height + behind_min) {
        if (best != 0 && !snapshot->has_begun) not_needed(snapshot);
        if (best == 0 && is_over && !snapshot->has_begun) not_needed(snapshot);
        return;
    }
    if (!is_settled) return; /* L1 knows of more than anybody here */
    snapshot->pivot_height = best - SNAPSHOT_PIVOT_DISTANCE;
    /* The way leads no further back than what was proven.  When the chain stands still right behind
     * that (it may be waiting for this very node), the proven block is the pivot. */
    const uint64_t proven = snapshot_first_of(snapshot, snapshot->rotation);
    if (snapshot->pivot_height < proven && best >= proven) snapshot->pivot_height = proven;
    snapshot->stage = SNAPSHOT_LIGHT;
}

/* --- the record: what a restart goes on with */

static void lane_write(const struct lane *lane, struct buffer *out) {
    struct hash32 owner = {{0}}, slot = {{0}}; /* the first storage that is not done */
    const bool has_cursor = lane->has_stretch || lane->has_resume;
    if (!lane->has_stretch) {
        owner = lane->resume_owner;
        slot = lane->resume_slot;
    } else if (lane->owners_at < lane->owners_count) {
        owner = lane->owners[lane->owners_at].key;
        slot = lane->slot;
    } else if (!range_key_after(&lane->stretch_to, &owner)) {
        owner = lane->stretch_to;
    }
    rlp_write_u64(out, lane->is_done ? 1 : 0);
    rlp_write_hash(out, &lane->next);
    rlp_write_u64(out, has_cursor ? 1 : 0);
    rlp_write_hash(out, &owner);
    rlp_write_hash(out, &slot);
}

static void persist(struct snapshot *snapshot) {
    struct buffer out = buffer_over(snapshot->record, sizeof snapshot->record);
    const size_t list = rlp_list_begin(&out);
    rlp_write_u64(&out, RECORD_VERSION);
    rlp_write_hash(&out, &snapshot->pivot_hash);
    header_encode(&snapshot->pivot, &out);
    validator_set_encode(&snapshot->current, &out);
    validator_set_encode(&snapshot->next, &out);
    for (size_t i = 0; i < SNAPSHOT_LANES; i++)
        lane_write(&snapshot->lanes[i], &out);
    rlp_list_end(&out, list);
    CHECK(!out.overflow);
    snapshot_push(snapshot, SNAPSHOT_EFFECT_PERSIST)->bytes = buffer_bytes(&out);
    snapshot->loads = 0;
    snapshot->is_dirty = false;
    snapshot->persist_at_ms = snapshot->now_ms + SNAPSHOT_PERSIST_MS;
}

static enum err lane_read(struct bytes *in, struct lane *lane) {
    uint64_t is_done, has_cursor;
    struct hash32 next;
    TRY(rlp_read_u64(in, &is_done));
    TRY(rlp_read_hash(in, &next));
    TRY(rlp_read_u64(in, &has_cursor));
    TRY(rlp_read_hash(in, &lane->resume_owner));
    TRY(rlp_read_hash(in, &lane->resume_slot));
    if (is_done > 1 || has_cursor > 1) return ERR_ENCODING;
    lane->next = next;
    lane->is_done = is_done == 1;
    lane->has_resume = has_cursor == 1;
    return ERR_OK;
}

static enum err set_read(struct bytes *in, struct validator_set *out) {
    struct bytes item;
    TRY(rlp_read_item(in, &item));
    return validator_set_decode(item, out);
}

static enum err record_read(struct snapshot *snapshot, struct bytes in) {
    struct bytes fields, header;
    uint64_t version;
    TRY(rlp_read_list(&in, &fields));
    TRY(rlp_read_u64(&fields, &version));
    if (in.size != 0 || version != RECORD_VERSION) return ERR_ENCODING;
    TRY(rlp_read_hash(&fields, &snapshot->pivot_hash));
    TRY(rlp_read_item(&fields, &header));
    TRY(header_decode(header, &snapshot->pivot));
    TRY(set_read(&fields, &snapshot->current));
    TRY(set_read(&fields, &snapshot->next));
    for (size_t i = 0; i < SNAPSHOT_LANES; i++)
        TRY(lane_read(&fields, &snapshot->lanes[i]));
    return fields.size == 0 ? ERR_OK : ERR_ENCODING;
}

/* resume goes on where the record ends, unless the chain has gone past it meanwhile. */
static void resume(struct snapshot *snapshot, struct bytes record) {
    const uint64_t per_rotation = snapshot->config.blocks_per_rotation;
    snapshot_state_begin(snapshot);
    const bool is_read = record_read(snapshot, record) == ERR_OK;
    const uint64_t height = snapshot->pivot.number;
    if (!is_read || height <= snapshot->config.head_height) {
        snapshot->current = snapshot->config.validators;
        snapshot->next.count = 0;
        return;
    }
    snapshot->stage = SNAPSHOT_STATE;
    snapshot->has_begun = snapshot->is_resumed = true;
    snapshot->pivot_height = height;
    snapshot->rotation = rotation_of(height, per_rotation);
    snapshot->has_next = snapshot->has_pivot = true;
    snapshot->is_anchored = true;
    snapshot->counts.pivots_total = 1;
}

/* --- the machine */

size_t snapshot_bytes(void) {
    return sizeof(struct snapshot);
}

struct snapshot *snapshot_create(void *memory, const struct snapshot_config *config,
                                 struct arena *arena, uint64_t now_ms) {
    struct snapshot *snapshot = memory;
    CHECK(arena->capacity >= SNAPSHOT_ARENA_BYTES_MIN);
    memset(snapshot, 0, sizeof *snapshot);
    snapshot->config = *config;
    snapshot->config.record = BYTES_EMPTY;
    snapshot->arena = arena;
    snapshot->now_ms = snapshot->started_ms = now_ms;
    snapshot->stage = SNAPSHOT_FIND;
    snapshot->has_begun = config->has_begun;
    snapshot->rotation = rotation_of(config->head_height + 1, config->blocks_per_rotation);
    snapshot->current = config->validators;
    snapshot->is_anchored = !config->has_anchor || config->anchor_height <= config->head_height;
    if (config->record.size != 0) resume(snapshot, config->record);
    return snapshot;
}

/* refusals_run: when nobody serves the pivot any more, the state begins anew with a newer one. */
static void refusals_run(struct snapshot *snapshot) {
    uint32_t refused = 0;
    for (uint32_t i = 0; i < snapshot->peers_count; i++) {
        const struct snapshot_peer *peer = &snapshot->peers[i];
        if (!peer->is_connected || peer->is_bad || !peer->is_heard) continue;
        if (peer->under_way != 0) return;
        if (peer->refused_height != snapshot->pivot_height &&
            peer->height >= snapshot->pivot_height)
            return;
        if (peer->refused_height == snapshot->pivot_height) refused += 1;
    }
    if (refused == 0) return;
    if (snapshot->refused_ms == 0) snapshot->refused_ms = snapshot->now_ms + 1;
    if (snapshot->now_ms + 1 - snapshot->refused_ms < SNAPSHOT_REFUSED_MS) return;
    snapshot->is_resumed = false;
    snapshot_find(snapshot, true);
}

static void begin_state(struct snapshot *snapshot) {
    snapshot->stage = SNAPSHOT_STATE;
    snapshot->has_begun = true;
    snapshot->counts.pivots_total += 1;
    snapshot_state_begin(snapshot);
    snapshot_push(snapshot, SNAPSHOT_EFFECT_CLEAR);
    persist(snapshot);
}

static void run(struct snapshot *snapshot) {
    if (snapshot->stage == SNAPSHOT_FIND) find_run(snapshot);
    if (snapshot->stage == SNAPSHOT_LIGHT) {
        if (snapshot->has_pivot) {
            begin_state(snapshot);
        } else {
            snapshot_light_run(snapshot);
        }
    }
    if (snapshot->stage == SNAPSHOT_STATE) {
        snapshot_state_run(snapshot);
        if (snapshot_state_is_done(snapshot)) {
            snapshot->stage = SNAPSHOT_TAIL;
            snapshot->has_headers = false;
            persist(snapshot);
        } else {
            refusals_run(snapshot);
        }
    }
    if (snapshot->stage == SNAPSHOT_TAIL) snapshot_tail_run(snapshot);
    const bool is_loading = snapshot->stage == SNAPSHOT_STATE;
    const bool is_due =
        snapshot->now_ms >= snapshot->persist_at_ms || snapshot->loads >= SNAPSHOT_PERSIST_LOADS;
    if (is_loading && snapshot->is_dirty && is_due) persist(snapshot);
}

void snapshot_step(struct snapshot *snapshot, const struct snapshot_input *input,
                   struct snapshot_effects *effects) {
    snapshot->effects = effects;
    if (input->now_ms > snapshot->now_ms) snapshot->now_ms = input->now_ms;
    snapshot->sent_bytes = 0;
    arena_reset(snapshot->arena);
    if (snapshot->stage == SNAPSHOT_ENDED) return;
    if (input->kind == SNAPSHOT_INPUT_PEER) on_peer(snapshot, input);
    if (input->kind == SNAPSHOT_INPUT_MESSAGE) on_message(snapshot, input);
    ask_overdue(snapshot, &snapshot->ask);
    for (size_t i = 0; i < SNAPSHOT_LANES; i++)
        ask_overdue(snapshot, &snapshot->lanes[i].ask);
    if (snapshot->stage != SNAPSHOT_ENDED) run(snapshot);
}

uint64_t snapshot_deadline_ms(const struct snapshot *snapshot) {
    return snapshot->stage == SNAPSHOT_ENDED ? UINT64_MAX : snapshot->now_ms + 100;
}

void snapshot_status(const struct snapshot *snapshot, struct snapshot_status *out) {
    *out = snapshot->counts;
    out->stage = snapshot->stage;
    out->has_begun = snapshot->has_begun;
    out->is_resumed = snapshot->is_resumed;
    out->pivot_height = snapshot->pivot_height;
    out->rotation = snapshot->rotation;
    out->percent = snapshot_state_percent(snapshot);
    out->highest_seen = 0;
    out->peers_usable = 0;
    for (uint32_t i = 0; i < snapshot->peers_count; i++) {
        const struct snapshot_peer *peer = &snapshot->peers[i];
        if (!is_usable(snapshot, peer, snapshot->pivot_height)) continue;
        out->peers_usable += 1;
        if (peer->height > out->highest_seen) out->highest_seen = peer->height;
    }
}
