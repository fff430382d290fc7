/* The lanes: each takes its part of the accounts, stretch by stretch, and what belongs to them. */
#include "base/keccak.h"
#include "sequencer/snapshot_internal.h"
#include "state/state.h"

static const struct hash32 LAST_KEY = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

void snapshot_state_begin(struct snapshot *snapshot) {
    const unsigned width = 256 / SNAPSHOT_LANES;
    for (unsigned i = 0; i < SNAPSHOT_LANES; i++) {
        struct lane *lane = &snapshot->lanes[i];
        lane->ask.kind = ASK_NONE;
        lane->next = (struct hash32){{(uint8_t)(i * width)}};
        lane->end = LAST_KEY;
        lane->end.bytes[0] = (uint8_t)(i * width + width - 1);
        lane->is_done = lane->has_stretch = lane->has_resume = false;
    }
    memset(snapshot->codes_known, 0, sizeof snapshot->codes_known);
    snapshot->refused_ms = 0;
}

bool snapshot_state_is_done(const struct snapshot *snapshot) {
    for (size_t i = 0; i < SNAPSHOT_LANES; i++) {
        if (!snapshot->lanes[i].is_done) return false;
    }
    return true;
}

unsigned snapshot_state_percent(const struct snapshot *snapshot) {
    if (snapshot->stage == SNAPSHOT_TAIL || snapshot->stage == SNAPSHOT_ENDED) return 100;
    if (snapshot->stage != SNAPSHOT_STATE) return 0;
    const unsigned width = 65536 / SNAPSHOT_LANES;
    unsigned taken = 0;
    for (unsigned i = 0; i < SNAPSHOT_LANES; i++) {
        const struct lane *lane = &snapshot->lanes[i];
        const unsigned at = (unsigned)lane->next.bytes[0] << 8 | lane->next.bytes[1];
        taken += lane->is_done ? width : at - i * width;
    }
    return taken * 100 / 65536;
}

/* --- asking */

static void ask_accounts(struct snapshot *snapshot, struct lane *lane, uint32_t peer) {
    struct message *message = snapshot_message(snapshot, MESSAGE_GET_RANGES);
    message->height = snapshot->pivot_height;
    message->pieces[message->count++] = hash_bytes(&lane->next);
    snapshot_ask(snapshot, &lane->ask, ASK_ACCOUNTS, peer);
}

static void ask_storage(struct snapshot *snapshot, struct lane *lane, uint32_t peer) {
    uint8_t names[MESSAGE_NAMES_MAX][64];
    struct message *message = snapshot_message(snapshot, MESSAGE_GET_RANGES);
    message->height = snapshot->pivot_height;
    while (message->count < MESSAGE_NAMES_MAX &&
           lane->owners_at + message->count < lane->owners_count) {
        uint8_t *name = names[message->count];
        memset(name, 0, 64);
        memcpy(name, lane->owners[lane->owners_at + message->count].key.bytes, 32);
        if (message->count == 0) memcpy(name + 32, lane->slot.bytes, 32);
        message->pieces[message->count++] = (struct bytes){name, 64};
    }
    snapshot_ask(snapshot, &lane->ask, ASK_STORAGE, peer);
}

static void ask_codes(struct snapshot *snapshot, struct lane *lane, uint32_t peer) {
    struct message *message = snapshot_message(snapshot, MESSAGE_GET_CODES);
    while (message->count < MESSAGE_NAMES_MAX &&
           lane->codes_at + message->count < lane->codes_count) {
        const struct hash32 *hash = &lane->codes[lane->codes_at + message->count];
        message->pieces[message->count++] = hash_bytes(hash);
    }
    snapshot_ask(snapshot, &lane->ask, ASK_CODES, peer);
}

/* stretch_end moves on to the accounts after the stretch, when all that belongs to it is there. */
static void stretch_end(struct snapshot *snapshot, struct lane *lane) {
    if (!lane->has_stretch) return;
    if (lane->owners_at < lane->owners_count || lane->codes_at < lane->codes_count) return;
    lane->has_stretch = false;
    lane->is_done = hash_compare(&lane->stretch_to, &lane->end) >= 0;
    if (!lane->is_done) CHECK(range_key_after(&lane->stretch_to, &lane->next));
    snapshot->is_dirty = true;
}

void snapshot_state_run(struct snapshot *snapshot) {
    for (size_t i = 0; i < SNAPSHOT_LANES; i++) {
        struct lane *lane = &snapshot->lanes[i];
        stretch_end(snapshot, lane);
        if (lane->is_done || lane->ask.kind != ASK_NONE) continue;
        const int peer = snapshot_peer_choose(snapshot, snapshot->pivot_height);
        if (peer < 0) continue;
        if (!lane->has_stretch) {
            ask_accounts(snapshot, lane, (uint32_t)peer);
        } else if (lane->owners_at < lane->owners_count) {
            ask_storage(snapshot, lane, (uint32_t)peer);
        } else {
            ask_codes(snapshot, lane, (uint32_t)peer);
        }
    }
}

/* --- answers */

/* is_code_new: not asked for yet, as far as the table remembers. */
static bool is_code_new(struct snapshot *snapshot, const struct hash32 *hash) {
    const unsigned at = ((unsigned)hash->bytes[0] << 8 | hash->bytes[1]) % SNAPSHOT_CODES_KNOWN;
    if (hash_equal(&snapshot->codes_known[at], hash)) return false;
    snapshot->codes_known[at] = *hash;
    return true;
}

/* range_fault decodes a piece and holds it against what was asked for: NULL, or what is wrong. */
static const char *range_fault(struct snapshot *snapshot, struct bytes piece,
                               const struct hash32 *owner, const struct hash32 *from,
                               const struct hash32 *root, const struct range **out) {
    struct snapshot_range *found = arena_alloc(snapshot->arena, sizeof *found);
    if (found == NULL) return "more than fits";
    if (snapshot_range_decode(piece, snapshot->arena, found) != ERR_OK) {
        return "range that does not decode";
    }
    const struct range *range = &found->range;
    if (found->is_storage != (owner != NULL)) return "range of something else";
    if (owner != NULL && !hash_equal(&found->owner, owner)) return "range of another account";
    if (!hash_equal(&range->from, from)) return "range that begins elsewhere";
    const bool is_last = hash_equal(&range->to, &LAST_KEY);
    /* A range that ends early ends with an entry: nobody can make the way endless. */
    if (!is_last && (range->entries_count == 0 ||
                     !hash_equal(&range->entries[range->entries_count - 1].key, &range->to))) {
        return "range without an end";
    }
    if (range_verify(root, owner != NULL, range, snapshot->arena) != ERR_OK) {
        return "range whose proof is wrong";
    }
    *out = range;
    return NULL;
}

static void load_range(struct snapshot *snapshot, const struct hash32 *owner,
                       const struct range *range) {
    if (range->entries_count == 0) return;
    struct snapshot_effect *effect = snapshot_push(snapshot, SNAPSHOT_EFFECT_LOAD_RANGE);
    effect->owner = owner;
    effect->range = range;
    snapshot->loads += 1;
    snapshot->is_dirty = true;
    if (owner == NULL) snapshot->counts.accounts += range->entries_count;
    if (owner != NULL) snapshot->counts.slots += range->entries_count;
    for (size_t i = 0; i < range->entries_count; i++)
        snapshot->counts.bytes += sizeof(struct hash32) + range->entries[i].value.size;
}

/* owner_add notes an account whose storage has to come, unless a run before took it already. */
static void owner_add(struct lane *lane, const struct hash32 *key, const struct hash32 *root) {
    if (lane->has_resume && hash_compare(key, &lane->resume_owner) < 0) return;
    if (lane->has_resume && hash_equal(key, &lane->resume_owner)) lane->slot = lane->resume_slot;
    lane->owners[lane->owners_count++] = (struct snapshot_owner){*key, *root};
}

/* stretch_begin lists what belongs to the accounts of a range.  False: one does not decode. */
static bool stretch_begin(struct snapshot *snapshot, struct lane *lane, const struct range *range) {
    lane->owners_count = lane->owners_at = lane->codes_count = lane->codes_at = 0;
    lane->slot = (struct hash32){{0}};
    lane->stretch_to = range->to;
    for (size_t i = 0; i < range->entries_count; i++) {
        const struct range_entry *entry = &range->entries[i];
        struct account account;
        if (hash_compare(&entry->key, &lane->end) > 0) break; /* of the next lane */
        if (account_decode(entry->value, &account) != ERR_OK) return false;
        if (!hash_equal(&account.storage_root, &KECCAK_EMPTY_TRIE)) {
            owner_add(lane, &entry->key, &account.storage_root);
        }
        if (!hash_equal(&account.code_hash, &KECCAK_EMPTY) &&
            is_code_new(snapshot, &account.code_hash)) {
            lane->codes[lane->codes_count++] = account.code_hash;
        }
        if (lane->owners_count == SNAPSHOT_STRETCH_MAX ||
            lane->codes_count == SNAPSHOT_STRETCH_MAX) {
            lane->stretch_to = entry->key; /* the others come with the next stretch */
            break;
        }
    }
    lane->has_stretch = true;
    lane->has_resume = false;
    return true;
}

static void on_accounts(struct snapshot *snapshot, struct lane *lane,
                        const struct message *message) {
    const uint32_t peer = lane->ask.peer;
    const struct range *found;
    snapshot_answered(snapshot, &lane->ask);
    const char *fault = "more ranges than asked for";
    if (message->count == 1) {
        fault = range_fault(snapshot, message->pieces[0], NULL, &lane->next,
                            &snapshot->pivot.state_root, &found);
    }
    if (fault == NULL && !stretch_begin(snapshot, lane, found)) {
        fault = "account that does not decode";
    }
    if (fault != NULL) {
        snapshot_bad(snapshot, peer, fault);
        return;
    }
    load_range(snapshot, NULL, found);
}

static void on_storage(struct snapshot *snapshot, struct lane *lane,
                       const struct message *message) {
    const uint32_t peer = lane->ask.peer;
    const uint32_t asked = lane->ask.count;
    snapshot_answered(snapshot, &lane->ask);
    if (message->count > asked) {
        snapshot_bad(snapshot, peer, "more ranges than asked for");
        return;
    }
    for (uint32_t i = 0; i < message->count; i++) {
        const struct snapshot_owner *owner = &lane->owners[lane->owners_at];
        const struct range *found = NULL;
        const char *fault = range_fault(snapshot, message->pieces[i], &owner->key, &lane->slot,
                                        &owner->root, &found);
        const bool is_last = fault == NULL && hash_equal(&found->to, &LAST_KEY);
        if (fault == NULL && !is_last && i + 1 < message->count)
            fault = "range that ends too early";
        if (fault != NULL) {
            snapshot_bad(snapshot, peer, fault);
            return;
        }
        load_range(snapshot, &owner->key, found);
        if (is_last) {
            lane->owners_at += 1;
            lane->slot = (struct hash32){{0}};
        } else {
            CHECK(range_key_after(&found->to, &lane->slot));
        }
    }
}

void snapshot_on_ranges(struct snapshot *snapshot, struct lane *lane,
                        const struct message *message) {
    if (message->count == 0 || message->height != snapshot->pivot_height) {
        const uint32_t peer = lane->ask.peer;
        snapshot_answered(snapshot, &lane->ask);
        snapshot_refused(snapshot, peer);
    } else if (lane->ask.kind == ASK_ACCOUNTS) {
        on_accounts(snapshot, lane, message);
    } else {
        on_storage(snapshot, lane, message);
    }
}

void snapshot_on_codes(struct snapshot *snapshot, struct lane *lane,
                       const struct message *message) {
    const uint32_t peer = lane->ask.peer;
    const uint32_t asked = lane->ask.count;
    snapshot_answered(snapshot, &lane->ask);
    if (message->count == 0) {
        snapshot_refused(snapshot, peer);
        return;
    }
    for (uint32_t i = 0; i < message->count && i < asked; i++) {
        const struct hash32 hash = keccak256(message->pieces[i]);
        if (!hash_equal(&hash, &lane->codes[lane->codes_at])) {
            snapshot_bad(snapshot, peer, "code of another hash");
            return;
        }
        struct snapshot_effect *effect = snapshot_push(snapshot, SNAPSHOT_EFFECT_LOAD_CODE);
        effect->hash = hash;
        effect->bytes = message->pieces[i];
        lane->codes_at += 1;
        snapshot->counts.codes += 1;
        snapshot->counts.bytes += message->pieces[i].size;
    }
    snapshot->is_dirty = true;
    if (message->count > asked) snapshot_bad(snapshot, peer, "more codes than asked for");
}
