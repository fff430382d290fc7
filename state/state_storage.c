#include "base/check.h"
#include "base/keccak.h"
#include "state/state.h"
#include "state/state_internal.h"

const struct hash32 *slot_hash(struct state_slot *slot) {
    if (!slot->has_hash) {
        slot->hash = keccak256(hash_bytes(&slot->key));
        slot->has_hash = true;
    }
    return &slot->hash;
}

/* load_base reads the slot of the reader's storage. */
static void load_base(struct state *state, struct state_slot *slot) {
    if (slot->is_base_loaded) return;
    slot->is_base_loaded = true;
    if (!slot->account->has_base_storage) return;
    uint8_t key[64];
    memcpy(key, slot->account->hash.bytes, 32);
    memcpy(key + 32, slot_hash(slot)->bytes, 32);
    struct bytes value;
    const enum err err =
        state->reader.get(state->reader.context, KV_STORAGE, BYTES_OF(key), &value);
    if (err == ERR_NOT_FOUND) return;
    if (err != ERR_OK || value.size > 32) {
        state_fail(state, err != ERR_OK ? err : ERR_CORRUPT);
        return;
    }
    slot->base = u256_from_be(value);
    slot->stored = value;
    slot->rooted = slot->base;
}

static void keep_slot(struct state *state, struct state_slot *slot) {
    struct journal_record *record = journal_add(state, JOURNAL_SLOT);
    record->slot = slot;
    record->before.slot.value = slot->value;
    record->before.slot.original = slot->original;
    record->before.slot.original_transaction = slot->original_transaction;
    record->before.slot.epoch = slot->epoch;
}

/* slot_load makes the entry's value current. */
static struct state_slot *slot_load(struct state *state, struct state_account *account,
                                    const struct hash32 *key) {
    struct state_slot *slot = slot_of(state, account, key);
    if (slot->is_loaded && slot->epoch == account->epoch) return slot;
    if (slot->is_loaded) keep_slot(state, slot); /* the epoch may be rolled back */
    slot->value = U256_ZERO;
    if (account->epoch == 0) {
        load_base(state, slot);
        slot->value = slot->base;
    }
    slot->original_transaction = 0;
    slot->epoch = account->epoch;
    slot->is_loaded = true;
    return slot;
}

void state_storage(struct state *state, const struct address *address, const struct hash32 *key,
                   struct u256 *out) {
    *out = slot_load(state, account_load(state, address), key)->value;
}

void state_storage_original(struct state *state, const struct address *address,
                            const struct hash32 *key, struct u256 *out) {
    const struct state_slot *slot = slot_load(state, account_load(state, address), key);
    *out = slot->original_transaction == state->transaction ? slot->original : slot->value;
}

void state_set_storage(struct state *state, const struct address *address, const struct hash32 *key,
                       const struct u256 *value) {
    struct state_account *account = account_load(state, address);
    struct state_slot *slot = slot_load(state, account, key);
    if (u256_equal(&slot->value, value)) return;
    keep_slot(state, slot);
    if (slot->original_transaction != state->transaction) {
        slot->original = slot->value;
        slot->original_transaction = state->transaction;
    }
    slot->value = *value;
    slot->is_dirty = true;
    account_mark_changed(state, account);
    if (slot->is_changed || slot == &state->sink_slot) return;
    slot->is_changed = true;
    slot->next_changed = account->slots_changed;
    account->slots_changed = slot;
}

bool state_warm_slot(struct state *state, const struct address *address, const struct hash32 *key) {
    struct state_slot *slot = slot_of(state, account_of(state, address), key);
    if (slot->warm_transaction == state->transaction) return true;
    struct journal_record *record = journal_add(state, JOURNAL_WARM_SLOT);
    record->slot = slot;
    record->before.transaction = slot->warm_transaction;
    slot->warm_transaction = state->transaction;
    return false;
}
