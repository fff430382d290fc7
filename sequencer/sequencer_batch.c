/* Batches: where they end, who publishes and settles them, what is known of them.
 *
 * A batch ends with the block that makes it batch_blocks long or takes it past batch_bytes_max:
 * every node finds the same boundaries.  Once the next block (which names the canonical commit of
 * the last) is committed, the batch is published by whoever has the turn at the DA layer's height
 * (sequencer_turns.c).  A receipt is believed once our own DA node shows the batch.  Then every
 * validator signs the statement about it, and the proposer of the oldest unsettled batch's last
 * block settles all that have a quorum, in order. */
#include "base/rlp.h"
#include "sequencer/sequencer_internal.h"

size_t batches_bytes(void) {
    return BATCHES_MAX * sizeof(struct batch_entry) + 64;
}

struct batch_entry *batch_at(const struct batches *batches, uint32_t offset) {
    return &batches->entries[(batches->begin + offset) % BATCHES_MAX];
}

struct batch_entry *batch_find(const struct batches *batches, uint64_t first, uint64_t last) {
    for (uint32_t i = 0; i < batches->count; i++) {
        struct batch_entry *entry = batch_at(batches, i);
        if (entry->statement.first == first && entry->statement.last == last) return entry;
    }
    return NULL;
}

/* --- the journal: rlp([first, parent_hash, published, settled, scan_floor, [entry, ...]]) */

#define JOURNAL_ENTRY_BYTES 320u
#define JOURNAL_BYTES_MAX   (256u + BATCHES_MAX * JOURNAL_ENTRY_BYTES)

static void entry_write(const struct batch_entry *entry, struct buffer *out) {
    const struct batch_statement *statement = &entry->statement;
    const size_t list = rlp_list_begin(out);
    rlp_write_u64(out, statement->first);
    rlp_write_u64(out, statement->last);
    rlp_write_hash(out, &statement->parent_hash);
    rlp_write_hash(out, &statement->last_hash);
    rlp_write_hash(out, &statement->state_root);
    rlp_write_u64(out, statement->da_height);
    rlp_write_hash(out, &statement->da_commitment);
    rlp_write_address(out, &entry->publisher);
    rlp_write_u64(out, entry->state == BATCH_PUBLISHED ? 1 : 0);
    rlp_write_u64(out, entry->scan_from);
    rlp_list_end(out, list);
}

static void journal_write(struct sequencer *sequencer) {
    struct batches *batches = &sequencer->batches;
    uint8_t *memory = arena_alloc(&sequencer->step, JOURNAL_BYTES_MAX);
    CHECK(memory != NULL);
    struct buffer out = buffer_over(memory, JOURNAL_BYTES_MAX);
    const size_t whole = rlp_list_begin(&out);
    rlp_write_u64(&out, batches->first);
    rlp_write_hash(&out, &batches->parent_hash);
    rlp_write_u64(&out, batches->published);
    rlp_write_u64(&out, batches->settled);
    rlp_write_u64(&out, batches->scan_floor);
    const size_t list = rlp_list_begin(&out);
    for (uint32_t i = 0; i < batches->count; i++)
        entry_write(batch_at(batches, i), &out);
    rlp_list_end(&out, list);
    rlp_list_end(&out, whole);
    CHECK(!out.overflow);
    struct effect *effect = sequencer_push(sequencer, EFFECT_PERSIST);
    effect->persist = PERSIST_JOURNAL;
    effect->bytes = buffer_bytes(&out);
    batches->is_dirty = false;
}

static enum err entry_read(struct bytes *in, struct batch_entry *entry) {
    struct bytes fields;
    uint64_t is_published;
    struct batch_statement *statement = &entry->statement;
    memset(entry, 0, sizeof *entry);
    TRY(rlp_read_list(in, &fields));
    TRY(rlp_read_u64(&fields, &statement->first));
    TRY(rlp_read_u64(&fields, &statement->last));
    TRY(rlp_read_hash(&fields, &statement->parent_hash));
    TRY(rlp_read_hash(&fields, &statement->last_hash));
    TRY(rlp_read_hash(&fields, &statement->state_root));
    TRY(rlp_read_u64(&fields, &statement->da_height));
    TRY(rlp_read_hash(&fields, &statement->da_commitment));
    TRY(rlp_read_address(&fields, &entry->publisher));
    TRY(rlp_read_u64(&fields, &is_published));
    TRY(rlp_read_u64(&fields, &entry->scan_from));
    entry->state = is_published == 1 ? BATCH_PUBLISHED : BATCH_CLOSED;
    entry->is_unclear = true;
    return fields.size == 0 ? ERR_OK : ERR_ENCODING;
}

static enum err journal_read(struct batches *batches, struct bytes in) {
    struct bytes fields, list;
    TRY(rlp_read_list(&in, &fields));
    TRY(rlp_read_u64(&fields, &batches->first));
    TRY(rlp_read_hash(&fields, &batches->parent_hash));
    TRY(rlp_read_u64(&fields, &batches->published));
    TRY(rlp_read_u64(&fields, &batches->settled));
    TRY(rlp_read_u64(&fields, &batches->scan_floor));
    TRY(rlp_read_list(&fields, &list));
    while (list.size != 0) {
        if (batches->count == BATCHES_MAX) return ERR_LIMIT;
        TRY(entry_read(&list, batch_at(batches, batches->count)));
        batches->count += 1;
    }
    return batches->first == 0 ? ERR_ENCODING : ERR_OK;
}

void batches_create(struct sequencer *sequencer, struct arena *arena,
                    const struct sequencer_restore *restore) {
    struct batches *batches = &sequencer->batches;
    const struct rollup_config *rollup = &sequencer->config.chain->rollup;
    batches->entries = arena_array(arena, BATCHES_MAX, sizeof *batches->entries);
    CHECK(batches->entries != NULL);
    for (size_t i = 0; i < sizeof rollup->da_namespace; i++) {
        if (rollup->da_namespace[i] != 0) batches->is_enabled = true;
    }
    batches->has_settlement = rollup->l1_chain_id != 0;
    const bool is_read = restore->journal.size != 0 &&
                         journal_read(batches, restore->journal) == ERR_OK &&
                         batches->first <= sequencer->head_height + 1;
    if (!is_read) { /* a new chain, or one whose journal is lost: all is found again on the DA layer
                     */
        batches->count = 0;
        batches->published = batches->settled = batches->scan_floor = 0;
        batches->first = 1;
        batches->parent_hash = sequencer->config.genesis_hash;
    }
    if (batches->count != 0) batches->scan_sure = batch_at(batches, 0)->scan_from;
    batches->scanned = batches->first - 1;
    batches->check_at_ms = batches->is_enabled ? 0 : UINT64_MAX;
}

/* --- boundaries */

static void published_move(struct batches *batches) {
    for (uint32_t i = 0; i < batches->count; i++) {
        const struct batch_entry *entry = batch_at(batches, i);
        if (entry->state != BATCH_PUBLISHED) return;
        if (entry->statement.last > batches->published) batches->published = entry->statement.last;
    }
}

/* entries_release forgets what is settled, or only published where nothing settles. */
static void entries_release(struct batches *batches) {
    published_move(batches);
    while (batches->count != 0) {
        const struct batch_entry *oldest = batch_at(batches, 0);
        const bool is_done = batches->has_settlement ? oldest->statement.last <= batches->settled
                                                     : oldest->state == BATCH_PUBLISHED;
        if (!is_done) break;
        if (oldest->statement.last > batches->published) {
            batches->published = oldest->statement.last;
        }
        batches->begin = (batches->begin + 1) % BATCHES_MAX;
        batches->count -= 1;
        batches->is_dirty = true;
    }
    published_move(batches);
}

/* claim_take looks whether somebody said before that this batch is on the DA layer; verify_run
 * asks. */
static void claim_take(struct batches *batches, struct batch_entry *entry) {
    for (uint32_t i = 0; i < BATCH_CLAIMS_KEPT; i++) {
        const struct batch_receipt *claim = &batches->claims[i];
        if (claim->first != entry->statement.first) continue;
        if (claim->last != entry->statement.last) continue;
        entry->is_verifying = true;
        entry->claim_height = claim->da_height;
        entry->claim_commitment = claim->da_commitment;
    }
}

static void batch_close(struct sequencer *sequencer, const struct block_summary *last,
                        bool is_live) {
    struct batches *batches = &sequencer->batches;
    CHECK(batches->count < BATCHES_MAX);
    /* Receipts tell how high the DA layer is.  Who catches up has heard of receipts that are
     * younger than the batch it closes: the last height that it knew in time is the safe one. */
    if (is_live && batches->da_height > batches->scan_floor + BATCH_DA_MARGIN) {
        batches->scan_floor = batches->da_height - BATCH_DA_MARGIN;
    }
    struct batch_entry *entry = batch_at(batches, batches->count++);
    memset(entry, 0, sizeof *entry);
    entry->statement.first = batches->first;
    entry->statement.last = batches->scanned;
    entry->statement.parent_hash = batches->parent_hash;
    entry->statement.last_hash = last->hash;
    entry->statement.state_root = last->state_root;
    entry->publisher = last->proposer;
    entry->closed_ms = sequencer->now_ms;
    entry->scan_from = batches->scan_floor == 0 ? 1 : batches->scan_floor;
    /* Whoever was killed and is back may have posted it a moment ago. */
    entry->is_unclear = !is_live || sequencer->now_ms - sequencer->begun_ms < BATCH_UNCLEAR_MS;
    claim_take(batches, entry);
    batches->first = batches->scanned + 1;
    batches->bytes = 0;
    batches->parent_hash = last->hash;
    batches->is_dirty = true;
}

/* block_count adds the block after `scanned` to the open batch. */
static void block_count(struct sequencer *sequencer, const struct block_summary *summary,
                        bool is_live) {
    struct batches *batches = &sequencer->batches;
    const struct rollup_config *rollup = &sequencer->config.chain->rollup;
    batches->scanned += 1;
    batches->bytes += summary->package_bytes;
    const uint64_t count = batches->scanned - batches->first + 1;
    const uint64_t count_max = rollup->batch_blocks == 0 || rollup->batch_blocks > BATCH_BLOCKS_MAX
                                   ? BATCH_BLOCKS_MAX
                                   : rollup->batch_blocks;
    const uint64_t bytes_max =
        rollup->batch_bytes_max == 0 ? BATCH_BLOB_BYTES_MAX / 4 : rollup->batch_bytes_max;
    if (count >= count_max || batches->bytes >= bytes_max) {
        batch_close(sequencer, summary, is_live);
    }
}

/* scan reads committed blocks that are not counted yet: after a restart, or a time of full rings.
 */
static void scan(struct sequencer *sequencer) {
    struct batches *batches = &sequencer->batches;
    if (sequencer->config.archive.summary == NULL) return;
    for (uint32_t i = 0; i < BATCH_SCAN_MAX && batches->scanned < sequencer->head_height; i++) {
        if (batches->count == BATCHES_MAX) return;
        struct block_summary summary;
        if (sequencer->config.archive.summary(sequencer->config.archive.context,
                                              batches->scanned + 1, &summary) != ERR_OK) {
            return; /* pruned or failing: what is missing here others publish */
        }
        block_count(sequencer, &summary, false);
    }
}

static uint64_t live_ms(const struct sequencer *sequencer) {
    return sequencer->config.batch_takeover_ms / BATCH_LIVE_PARTS;
}

/* is_on_time: the block is not later than the others were, by the pace of our own clock since the
 * start, in which it is not the first.  The wall's clock may be wrong by any time. */
static bool is_on_time(struct sequencer *sequencer, uint64_t time_ms) {
    struct batch_pace *pace = &sequencer->batches.pace;
    const bool is_first = !pace->is_known;
    const int64_t delay_ms = (int64_t)(sequencer->now_ms - time_ms); /* and a constant */
    const uint64_t steps = (sequencer->now_ms - pace->since_ms) / BATCH_DRIFT_PARTS;
    pace->since_ms += steps * BATCH_DRIFT_PARTS;
    pace->least_ms += (int64_t)steps;
    if (is_first || delay_ms < pace->least_ms) {
        pace->is_known = true;
        pace->least_ms = delay_ms;
        pace->since_ms = sequencer->now_ms;
    }
    return !is_first && (uint64_t)(delay_ms - pace->least_ms) < live_ms(sequencer);
}

/* told_note keeps how high the others said that they are, for when that is a while ago. */
static void told_note(struct sequencer *sequencer) {
    struct batch_pace *pace = &sequencer->batches.pace;
    if (sequencer->now_ms - pace->told_ms < live_ms(sequencer) / 2) return;
    pace->told_before = pace->told;
    pace->told = sequencer_peers_height(sequencer);
    pace->told_ms = sequencer->now_ms;
}

void batches_on_committed(struct sequencer *sequencer, const struct block_outcome *outcome) {
    struct batches *batches = &sequencer->batches;
    if (!batches->is_enabled) return;
    batches->check_at_ms = 0;
    if (batches->scanned + 1 != outcome->height || batches->count == BATCHES_MAX) return;
    const struct block_summary summary = {.hash = outcome->hash,
                                          .state_root = outcome->header.state_root,
                                          .proposer = outcome->frame.proposer,
                                          .package_bytes = outcome->package.size};
    /* Our clock may be wrong: what was fetched, or what others had long ago, is late whatever it
     * says. */
    const bool is_late = sequencer->sync_progress_ms == sequencer->now_ms ||
                         outcome->height <= batches->pace.told_before;
    const uint64_t time_ms = outcome->frame.time_ms;
    const bool is_paced = is_on_time(sequencer, time_ms);
    const bool is_live = !is_late && is_paced && time_ms + live_ms(sequencer) > sequencer->unix_ms;
    block_count(sequencer, &summary, is_live);
}

/* --- publication */

/* publish always says where to look first: others had turns before. */
static void publish(struct sequencer *sequencer, struct batch_entry *entry,
                    const struct batch_turn *turn) {
    entry->state = BATCH_PUBLISHING;
    entry->asked_ms = sequencer->now_ms;
    entry->turn_until = turn->until;
    struct effect *effect = sequencer_push(sequencer, EFFECT_PUBLISH);
    effect->first = entry->statement.first;
    effect->last = entry->statement.last;
    effect->scan_from = entry->scan_from;
    effect->turn_from = turn->from;
    effect->turn_until = turn->until;
    effect->is_unclear = entry->is_unclear;
    entry->is_unclear = true;
}

/* is_young: claims that others make about the batch are waited for.  Not for longer, as a liar may
 * make one after the other; whoever publishes looks at the DA layer before. */
static bool is_young(const struct sequencer *sequencer, const struct batch_entry *entry) {
    return sequencer->now_ms - entry->closed_ms <=
           sequencer->config.batch_takeover_ms * BATCH_YOUNG_TIMES;
}

static void publish_run(struct sequencer *sequencer) {
    struct batches *batches = &sequencer->batches;
    for (uint32_t i = 0; i < batches->count; i++) {
        struct batch_entry *entry = batch_at(batches, i);
        struct batch_turn turn;
        const bool is_published = entry->state == BATCH_PUBLISHED;
        if (entry->state == BATCH_PUBLISHING && batches->da_height >= entry->turn_until) {
            entry->state = BATCH_CLOSED; /* the publisher has given up */
        }
        const bool is_claimed = entry->is_verifying && entry->state == BATCH_CLOSED;
        if (is_published || (is_claimed && is_young(sequencer, entry))) continue;
        if (entry->statement.last >= sequencer->head_height) return;
        const bool is_asked = entry->state == BATCH_PUBLISHING;
        if (!turn_is_ours(sequencer, entry, &turn)) {
            if (is_asked) return; /* one at a time */
            continue;
        }
        if (is_asked && sequencer->now_ms - entry->asked_ms < BATCH_PUBLISH_MS) return;
        publish(sequencer, entry, &turn);
        return;
    }
}

static void receipt_message(struct sequencer *sequencer, const struct batch_receipt *receipt) {
    struct message *message = sequencer_message(sequencer, MESSAGE_BATCH_RECEIPT);
    message->batch.first = receipt->first;
    message->batch.last = receipt->last;
    message->batch.da_height = receipt->da_height;
    message->batch.da_commitment = receipt->da_commitment;
}

static void publish_cancel(struct sequencer *sequencer, const struct batch_entry *entry) {
    struct effect *effect = sequencer_push(sequencer, EFFECT_PUBLISH_CANCEL);
    effect->first = entry->statement.first;
    effect->last = entry->statement.last;
}

/* heights_lower is what follows when a head turns out to have been far too high: batches that were
 * closed under it may lie lower than it said, and turns that it began will not come. */
static void heights_lower(struct sequencer *sequencer, uint64_t height) {
    struct batches *batches = &sequencer->batches;
    const uint64_t sure = batches->scan_sure <= height ? batches->scan_sure : 0;
    if (batches->scan_floor > height) batches->scan_floor = sure;
    for (uint32_t i = 0; i < batches->count; i++) {
        struct batch_entry *entry = batch_at(batches, i);
        if (entry->scan_from > height) entry->scan_from = sure == 0 ? 1 : sure;
        if (entry->state != BATCH_PUBLISHING || entry->turn_until <= height + BATCH_DA_MARGIN) {
            continue;
        }
        publish_cancel(sequencer, entry);
        entry->state = BATCH_CLOSED;
    }
    batches->is_dirty = true;
}

/* Whoever posts reads the head again: a wrong one here costs time, but never a second copy.  One
 * that is a little lower than another is that of a DA node which lags: no turn comes back. */
void batches_on_head(struct sequencer *sequencer, uint64_t height) {
    struct batches *batches = &sequencer->batches;
    const bool was_wrong =
        height < batches->da_height && batches->da_height - height > BATCH_DA_MARGIN;
    if (height == 0 || (height <= batches->da_height && !was_wrong)) return;
    batches->da_height = height;
    told_note(sequencer);
    if (was_wrong) heights_lower(sequencer, height);
    if (batches->count != 0) batches->check_at_ms = 0;
}

void batches_on_receipt(struct sequencer *sequencer, const struct input *input) {
    struct batches *batches = &sequencer->batches;
    struct batch_entry *entry = batch_find(batches, input->da.first, input->da.last);
    if (entry == NULL || entry->state == BATCH_PUBLISHED) return;
    const bool is_theirs = entry->is_verifying && entry->claim_height == input->da.height &&
                           hash_equal(&entry->claim_commitment, &input->da.commitment);
    if (is_theirs && entry->state == BATCH_PUBLISHING) publish_cancel(sequencer, entry);
    const bool is_floor_right = entry->scan_from <= input->da.height;
    if (is_floor_right && entry->scan_from > batches->scan_sure) {
        batches->scan_sure = entry->scan_from;
    }
    entry->state = BATCH_PUBLISHED;
    entry->is_verifying = false;
    entry->statement.da_height = input->da.height;
    entry->statement.da_commitment = input->da.commitment;
    if (input->da.height > batches->da_height) batches->da_height = input->da.height;
    const struct batch_receipt receipt = {input->da.first, input->da.last, input->da.height,
                                          input->da.commitment};
    batches->receipts[batches->receipts_next++ % BATCH_RECEIPTS_KEPT] = receipt;
    batches->is_dirty = true;
    batches->check_at_ms = 0;
    if (is_theirs) return;
    receipt_message(sequencer, &receipt);
    sequencer_broadcast(sequencer, MESSAGE_CLASS_SYNC);
}

static void verify(struct sequencer *sequencer, struct batch_entry *entry) {
    entry->asked_ms = sequencer->now_ms;
    struct effect *effect = sequencer_push(sequencer, EFFECT_VERIFY_DA);
    effect->first = entry->statement.first;
    effect->last = entry->statement.last;
    effect->da_height = entry->claim_height;
    effect->commitment = entry->claim_commitment;
}

void batches_on_receipt_message(struct sequencer *sequencer, const struct message *message) {
    struct batches *batches = &sequencer->batches;
    const struct batch_statement *claim = &message->batch;
    struct batch_entry *entry = batch_find(batches, claim->first, claim->last);
    if (entry == NULL && claim->first >= batches->first) {
        batches->claims[batches->claims_next++ % BATCH_CLAIMS_KEPT] = (struct batch_receipt){
            claim->first, claim->last, claim->da_height, claim->da_commitment};
    }
    if (entry == NULL || entry->state == BATCH_PUBLISHED) return;
    if (entry->is_verifying && sequencer->now_ms - entry->asked_ms < BATCH_ASK_MS) return;
    entry->is_verifying = true;
    entry->claim_height = claim->da_height;
    entry->claim_commitment = claim->da_commitment;
    entry->asked_ms = 0; /* verify_run asks once we have the block behind the batch */
    batches->check_at_ms = 0;
}

void batches_on_peer(struct sequencer *sequencer, const struct hash32 *peer) {
    const struct batches *batches = &sequencer->batches;
    for (uint32_t i = 0; i < BATCH_RECEIPTS_KEPT; i++) {
        if (batches->receipts[i].first == 0) continue;
        receipt_message(sequencer, &batches->receipts[i]);
        sequencer_send(sequencer, peer, MESSAGE_CLASS_SYNC);
    }
}

/* verify_run repeats questions without an answer.  While a batch is young its claim is asked for
 * again and again; later (and after a restart) each claim is asked for once. */
static void verify_run(struct sequencer *sequencer) {
    struct batches *batches = &sequencer->batches;
    uint32_t asked = 0;
    for (uint32_t i = 0; i < batches->count && asked < BATCH_MESSAGES_MAX; i++) {
        struct batch_entry *entry = batch_at(batches, i);
        if (!entry->is_verifying || entry->state == BATCH_PUBLISHED) continue;
        const bool is_asked = entry->asked_ms != 0;
        if (is_asked && sequencer->now_ms - entry->asked_ms < BATCH_ASK_MS) continue;
        if (entry->statement.last >= sequencer->head_height) continue;
        if (is_asked && entry->state == BATCH_CLOSED && !is_young(sequencer, entry)) {
            entry->is_verifying = false;
            continue;
        }
        verify(sequencer, entry);
        asked += 1;
    }
}

/* --- by the clock */

void batches_run(struct sequencer *sequencer) {
    struct batches *batches = &sequencer->batches;
    if (!batches->is_enabled || sequencer->now_ms < batches->check_at_ms) return;
    scan(sequencer);
    entries_release(batches);
    verify_run(sequencer);
    publish_run(sequencer);
    batches_sign_run(sequencer);
    batches_settle_run(sequencer);
    if (batches->is_dirty) journal_write(sequencer);
    const bool has_more = batches->scanned < sequencer->head_height &&
                          batches->count < BATCHES_MAX && sequencer->config.archive.summary != NULL;
    batches->check_at_ms = has_more              ? sequencer->now_ms + 1
                           : batches->count != 0 ? sequencer->now_ms + BATCH_CHECK_MS
                                                 : UINT64_MAX;
}

uint64_t batches_deadline(const struct sequencer *sequencer) {
    return sequencer->batches.check_at_ms;
}
