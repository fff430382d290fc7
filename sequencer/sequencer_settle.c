/* Batches that are on the DA layer: the validators' signatures about them, and their settlement. */
#include "sequencer/sequencer_internal.h"

/* --- whose business it is */

static bool is_connected(struct sequencer *sequencer, const struct validator *validator) {
    return sequencer_peer(sequencer, &validator->peer_id) != NULL;
}

/* turn_delay_ms says how long after `publisher` could have settled we do; UINT64_MAX: never.
 * Whoever is alive gets longer than who is gone.  Two who settle at once pay twice: the contract
 * takes one. */
static uint64_t turn_delay_ms(struct sequencer *sequencer, const struct address *publisher) {
    const struct validator_set *set = &sequencer->current;
    const int own = validator_set_find(set, &sequencer->config.consensus.signer.address);
    if (!sequencer_is_validator(sequencer)) return UINT64_MAX;
    const int found = validator_set_find(set, publisher);
    uint32_t at = found < 0 ? 0 : (uint32_t)found;
    uint64_t delay = 0;
    while (at != (uint32_t)own) {
        const uint64_t times =
            is_connected(sequencer, &set->validators[at]) ? BATCH_PATIENCE_TIMES : 1;
        delay += sequencer->config.batch_takeover_ms * times;
        at = (at + 1) % set->count;
    }
    return delay;
}

static bool is_our_turn(struct sequencer *sequencer, const struct address *publisher,
                        uint64_t since_ms) {
    const uint64_t delay = turn_delay_ms(sequencer, publisher);
    return delay != UINT64_MAX && sequencer->now_ms >= since_ms + delay;
}

/* --- signatures */

/* signers are whom the contract counts: the newest listing, or else our own current set. */
static const struct validator *signers(const struct sequencer *sequencer, uint32_t *count) {
    const struct l1_facts *facts = sequencer_l1_newest(sequencer);
    if (facts != NULL && facts->validators_count != 0) {
        *count = facts->validators_count;
        return facts->validators;
    }
    *count = sequencer->current.count;
    return sequencer->current.validators;
}

/* power_of is what the contract gives for a signature; 0: it refuses a batch that has this one. */
static uint64_t power_of(const struct sequencer *sequencer, const struct address *signer) {
    uint32_t count;
    const struct validator *validators = signers(sequencer, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (address_equal(&validators[i].address, signer)) return validators[i].power;
    }
    return 0;
}

/* has_quorum is asked again before settling: a validator that signed may have left since. */
static bool has_quorum(const struct sequencer *sequencer, const struct batch_entry *entry) {
    uint32_t count;
    const struct validator *validators = signers(sequencer, &count);
    uint64_t power = 0, total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += validators[i].power;
    for (uint32_t i = 0; i < entry->signatures_count; i++)
        power += power_of(sequencer, &entry->signatures[i].signer);
    return power >= quorum_power(sequencer->config.consensus.fault_model, total);
}

/* moment is the time of this step, and never 0, which says "not yet". */
static uint64_t moment(const struct sequencer *sequencer) {
    return sequencer->now_ms == 0 ? 1 : sequencer->now_ms;
}

static void signature_add(struct sequencer *sequencer, struct batch_entry *entry,
                          const struct batch_signature *signature) {
    uint32_t at = 0;
    while (at < entry->signatures_count) {
        const int order = address_compare(&entry->signatures[at].signer, &signature->signer);
        if (order == 0) return;
        if (order > 0) break;
        at++;
    }
    if (entry->signatures_count == VALIDATORS_MAX) return;
    memmove(&entry->signatures[at + 1], &entry->signatures[at],
            (entry->signatures_count - at) * sizeof entry->signatures[0]);
    entry->signatures[at] = *signature;
    entry->signatures_count += 1;
    if (entry->quorum_ms == 0 && has_quorum(sequencer, entry)) {
        entry->quorum_ms = moment(sequencer);
        sequencer->batches.check_at_ms = 0;
    }
}

static const struct secp_signature *own_signature(const struct sequencer *sequencer,
                                                  const struct batch_entry *entry) {
    const struct address *own = &sequencer->config.consensus.signer.address;
    for (uint32_t i = 0; i < entry->signatures_count; i++) {
        if (address_equal(&entry->signatures[i].signer, own))
            return &entry->signatures[i].signature;
    }
    return NULL;
}

static void sign(struct sequencer *sequencer, struct batch_entry *entry) {
    const struct signer *signer = &sequencer->config.consensus.signer;
    if (own_signature(sequencer, entry) == NULL) {
        const struct hash32 digest =
            batch_digest(&sequencer->config.batch_domain.separator, &entry->statement);
        struct batch_signature signature = {.signer = signer->address};
        signer->sign(signer->context, &digest, &signature.signature);
        signature_add(sequencer, entry, &signature);
    }
    entry->signed_ms = moment(sequencer);
    struct message *message = sequencer_message(sequencer, MESSAGE_BATCH_SIGN);
    message->batch = entry->statement;
    const struct secp_signature *signature = own_signature(sequencer, entry);
    if (signature == NULL) return; /* more validators than a settlement has room for */
    message->batch_signature.signature = *signature;
    sequencer_broadcast(sequencer, MESSAGE_CLASS_SYNC);
}

void batches_sign_run(struct sequencer *sequencer) {
    struct batches *batches = &sequencer->batches;
    if (!batches->has_settlement || !sequencer_is_validator(sequencer)) return;
    uint32_t sent = 0;
    for (uint32_t i = 0; i < batches->count && sent < BATCH_MESSAGES_MAX; i++) {
        struct batch_entry *entry = batch_at(batches, i);
        if (entry->state != BATCH_PUBLISHED) continue;
        if (entry->signed_ms != 0 && sequencer->now_ms - entry->signed_ms < BATCH_ASK_MS) continue;
        sign(sequencer, entry);
        sent += 1;
    }
}

static bool may_sign(const struct sequencer *sequencer, const struct address *signer) {
    if (validator_set_find(&sequencer->current, signer) >= 0) return true;
    if (validator_set_find(&sequencer->next, signer) >= 0) return true;
    const struct l1_facts *facts = sequencer_l1_newest(sequencer);
    for (uint32_t i = 0; facts != NULL && i < facts->validators_count; i++) {
        if (address_equal(&facts->validators[i].address, signer)) return true;
    }
    return false;
}

void batches_on_signature(struct sequencer *sequencer, const struct message *message) {
    struct batch_entry *entry =
        batch_find(&sequencer->batches, message->batch.first, message->batch.last);
    if (entry == NULL || !may_sign(sequencer, &message->batch_signature.signer)) return;
    if (entry->state != BATCH_PUBLISHED) { /* whoever signs has seen it there */
        batches_on_receipt_message(sequencer, message);
        return;
    }
    if (!batch_statement_equal(&entry->statement, &message->batch)) return;
    signature_add(sequencer, entry, &message->batch_signature);
}

/* --- settlement */

static void settle(struct sequencer *sequencer, struct batch_entry *entry) {
    struct settlement *settlement = arena_alloc(&sequencer->step, sizeof *settlement);
    CHECK(settlement != NULL);
    memset(settlement, 0, sizeof *settlement);
    settlement->batch = entry->statement;
    for (uint32_t i = 0; i < entry->signatures_count; i++) {
        if (power_of(sequencer, &entry->signatures[i].signer) == 0) continue;
        settlement->signatures[settlement->signatures_count++] = entry->signatures[i];
    }
    entry->settle_ms = moment(sequencer);
    sequencer_push(sequencer, EFFECT_SETTLE)->settlement = settlement;
}

/* batches_settle_run: the publisher of the oldest unsettled batch settles it and what follows it.
 * It asks for that again and again: L1 may have refused (an earlier batch was not there yet, a
 * validator that signed had just left), and each time the signatures are those that count now. */
void batches_settle_run(struct sequencer *sequencer) {
    struct batches *batches = &sequencer->batches;
    if (!batches->has_settlement || batches->count == 0) return;
    const struct batch_entry *oldest = batch_at(batches, 0);
    if (oldest->statement.first != batches->settled + 1 || oldest->quorum_ms == 0) return;
    if (!is_our_turn(sequencer, &oldest->publisher, oldest->quorum_ms)) return;
    const uint64_t again_ms = sequencer->config.batch_takeover_ms / BATCH_SETTLE_PARTS;
    for (uint32_t i = 0; i < batches->count && i < BATCH_SETTLE_AHEAD; i++) {
        struct batch_entry *entry = batch_at(batches, i);
        if (entry->state != BATCH_PUBLISHED || entry->quorum_ms == 0) return;
        const bool is_due =
            entry->settle_ms == 0 || sequencer->now_ms - entry->settle_ms >= again_ms;
        if (is_due && !has_quorum(sequencer, entry)) return;
        if (is_due) settle(sequencer, entry);
    }
}

void batches_on_settled(struct sequencer *sequencer, const struct l1_facts *facts) {
    struct batches *batches = &sequencer->batches;
    if (!batches->is_enabled || facts->settled_last_block <= batches->settled) return;
    batches->settled = facts->settled_last_block;
    if (batches->count == 0 && batches->scanned < batches->settled) {
        /* Blocks up to here were never seen (a snapshot) or not yet: a batch ends here all the
         * same, and the next one can be found again. */
        batches->scanned = batches->settled;
        batches->first = batches->settled + 1;
        batches->bytes = 0;
        batches->parent_hash = facts->settled_hash;
        if (batches->published < batches->settled) batches->published = batches->settled;
    }
    batches->is_dirty = true;
    batches->check_at_ms = 0;
}
