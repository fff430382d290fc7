/* Creation, inputs, the clock, and what others may ask. */
#include "sequencer/sequencer.h"

#include "sequencer/sequencer_internal.h"

/* Base fees of the pool's limit: see sequencer_config.fee_floor_wei. */
static struct pool_limits pool_limits_of(const struct sequencer_limits *limits) {
    return (struct pool_limits){.items_max = limits->pool_items_max,
                                .bytes_max = limits->pool_bytes_max,
                                .lane_items_max = limits->pool_lane_items_max};
}

static size_t candidate_bytes(void) {
    return BLOCK_PACKAGE_BYTES_MAX + COMMIT_BYTES_MAX +
           BLOCK_TRANSACTIONS_MAX * (sizeof(struct address) + sizeof(struct hash32)) + 64;
}

#define SCRATCH_BYTES ((size_t)1 << 20)

size_t sequencer_bytes(const struct sequencer_limits *limits) {
    const struct pool_limits pool = pool_limits_of(limits);
    return sizeof(struct sequencer) + pool_bytes(&pool) + items_bytes(limits) + batches_bytes() +
           forced_bytes() + consensus_bytes() + sizeof(struct consensus_effects) +
           CORE_INPUTS_MAX * sizeof(struct consensus_input) + EXECUTOR_SLOTS * candidate_bytes() +
           BUILD_ITEMS_MAX * sizeof(struct item) + BUILD_BYTES_MAX + VALIDATOR_SET_BYTES_MAX +
           COMMIT_BYTES_MAX + L1_RING * sizeof(struct l1_known) +
           byte_heap_bytes(SYNC_BYTES, SYNC_UNIT_BYTES) + sizeof(struct message) +
           BLOCK_TRANSACTIONS_MAX * sizeof(struct hash32) + STEP_ARENA_BYTES + SCRATCH_BYTES +
           65536;
}

/* take returns boot memory; sequencer_bytes counted it. */
static void *take(struct arena *arena, size_t size) {
    void *memory = arena_alloc(arena, size);
    CHECK(memory != NULL);
    return memory;
}

static void memory_create(struct sequencer *sequencer, struct arena *arena) {
    const struct sequencer_limits *limits = &sequencer->config.limits;
    sequencer->step = arena_over(take(arena, STEP_ARENA_BYTES), STEP_ARENA_BYTES);
    sequencer->scratch = arena_over(take(arena, SCRATCH_BYTES), SCRATCH_BYTES);
    sequencer->head_commit = take(arena, COMMIT_BYTES_MAX);
    sequencer->core_effects = take(arena, sizeof *sequencer->core_effects);
    sequencer->core_inputs = take(arena, CORE_INPUTS_MAX * sizeof *sequencer->core_inputs);
    for (size_t i = 0; i < EXECUTOR_SLOTS; i++) {
        struct candidate *candidate = &sequencer->candidates[i];
        candidate->memory = take(arena, BLOCK_PACKAGE_BYTES_MAX);
        candidate->commit_memory = take(arena, COMMIT_BYTES_MAX);
        candidate->senders = take(arena, BLOCK_TRANSACTIONS_MAX * sizeof(struct address));
        candidate->item_hashes = take(arena, BLOCK_TRANSACTIONS_MAX * sizeof(struct hash32));
    }
    sequencer->bind_hashes = take(arena, BLOCK_TRANSACTIONS_MAX * sizeof(struct hash32));
    sequencer->build_items = take(arena, BUILD_ITEMS_MAX * sizeof(struct item));
    sequencer->build_bytes = take(arena, BUILD_BYTES_MAX);
    sequencer->set_bytes = take(arena, VALIDATOR_SET_BYTES_MAX);
    sequencer->l1 = take(arena, L1_RING * sizeof *sequencer->l1);
    sequencer->message = take(arena, sizeof *sequencer->message);
    byte_heap_create(&sequencer->sync_heap, arena, SYNC_BYTES, SYNC_UNIT_BYTES,
                     BLOCK_PACKAGE_BYTES_MAX + COMMIT_BYTES_MAX);
    struct pool_limits pool = pool_limits_of(limits);
    pool.tip_floor = u256_from_u64(sequencer->config.fee_floor_wei);
    pool.hash_seed = sequencer->config.hash_seed;
    sequencer->pool = pool_create(arena, &pool);
    items_create(sequencer, arena);
    forced_create(sequencer, arena);
    sequencer->core =
        consensus_create(take(arena, consensus_bytes()), &sequencer->config.consensus);
}

enum err sequencer_create(void *memory, size_t memory_bytes, const struct sequencer_config *config,
                          const struct sequencer_restore *restore, struct sequencer **out) {
    if (memory_bytes < sequencer_bytes(&config->limits)) return ERR_LIMIT;
    if (!config->chain->is_rollup || config->chain->rollup.blocks_per_rotation == 0) {
        return ERR_CONFIG;
    }
    if (restore->view->head.number == 0) {
        TRY(consensus_set_check(config->chain->rollup.fault_model, &restore->validators));
    }
    if (restore->validators.count == 0 || restore->head_commit.size > COMMIT_BYTES_MAX) {
        return ERR_CORRUPT;
    }
    struct arena arena = arena_over(memory, memory_bytes);
    struct sequencer *sequencer = take(&arena, sizeof *sequencer);
    memset(sequencer, 0, sizeof *sequencer);
    sequencer->config = *config;
    sequencer->blocks_per_rotation = config->chain->rollup.blocks_per_rotation;
    sequencer->block_time_ms = config->chain->rollup.block_time_ms;
    sequencer->build_items_max = BUILD_ITEMS_MAX;
    memory_create(sequencer, &arena);
    sequencer->view = restore->view;
    sequencer->head_height = restore->view->head.number;
    sequencer->current = restore->validators;
    sequencer->next = restore->next_validators;
    sequencer->head_validators = restore->head_validators;
    if (restore->head_commit.size != 0) {
        memcpy(sequencer->head_commit, restore->head_commit.data, restore->head_commit.size);
    }
    sequencer->head_commit_bytes = restore->head_commit.size;
    sequencer->highest_seen = sequencer->head_height;
    if (sequencer_is_rotation_first(sequencer, sequencer->head_height + 1)) {
        sequencer->next.count = 0;
    }
    sequencer_sets_begin(sequencer);
    sequencer_restore_record(sequencer, restore);
    batches_create(sequencer, &arena, restore);
    sequencer->height_state = HEIGHT_HELD;
    sequencer->leader_check_at_ms = sequencer->prebuild_at_ms = UINT64_MAX;
    *out = sequencer;
    return ERR_OK;
}

/* --- effects */

struct effect *sequencer_push(struct sequencer *sequencer, enum effect_kind kind) {
    CHECK(sequencer->effects->count < SEQUENCER_EFFECTS_MAX);
    struct effect *effect = &sequencer->effects->list[sequencer->effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    return effect;
}

struct effect *sequencer_event(struct sequencer *sequencer, enum sequencer_event event,
                               uint64_t value, const char *text) {
    struct effect *effect = sequencer_push(sequencer, EFFECT_EVENT);
    effect->event = event;
    effect->value = value;
    effect->text = text;
    return effect;
}

struct message *sequencer_message(struct sequencer *sequencer, enum message_kind kind) {
    struct message *message = sequencer->message;
    memset(message, 0, sizeof *message);
    message->kind = kind;
    return message;
}

/* encode writes the message into the step's arena. */
static struct bytes encode(struct sequencer *sequencer) {
    struct arena *arena = &sequencer->step;
    const size_t mark = arena_mark(arena);
    const size_t rest = arena->capacity - arena->used;
    CHECK(rest > MESSAGE_BYTES_MAX);
    uint8_t *memory = arena_alloc(arena, MESSAGE_BYTES_MAX);
    CHECK(memory != NULL);
    struct buffer out = buffer_over(memory, MESSAGE_BYTES_MAX);
    message_encode(sequencer->message, &out);
    CHECK(!out.overflow);
    arena_release(arena, mark);
    CHECK(arena_alloc(arena, out.size) == memory);
    return buffer_bytes(&out);
}

void sequencer_send(struct sequencer *sequencer, const struct hash32 *peer,
                    enum message_class class) {
    const struct bytes bytes = encode(sequencer);
    struct effect *effect = sequencer_push(sequencer, EFFECT_SEND);
    effect->peer = *peer;
    effect->class = class;
    effect->bytes = bytes;
}

void sequencer_broadcast(struct sequencer *sequencer, enum message_class class) {
    const struct bytes bytes = encode(sequencer);
    struct effect *effect = sequencer_push(sequencer, EFFECT_BROADCAST);
    effect->class = class;
    effect->bytes = bytes;
}

void sequencer_halt(struct sequencer *sequencer, const char *text) {
    if (sequencer->is_halted) return;
    sequencer->is_halted = true;
    sequencer_event(sequencer, EVENT_HALTED, sequencer->head_height, text);
}

/* --- inputs */

static void on_message(struct sequencer *sequencer, const struct hash32 *peer,
                       const struct message *message) {
    switch (message->kind) {
    case MESSAGE_STATUS:
        sequencer_on_status(sequencer, peer, message->height);
        guard_on_status(sequencer, peer);
        break;
    case MESSAGE_PROPOSAL: sequencer_on_proposal(sequencer, peer, message); break;
    case MESSAGE_VOTE: sequencer_on_vote(sequencer, peer, &message->vote); break;
    case MESSAGE_GET_BLOCKS: {
        const uint64_t last = message->height + message->count - 1;
        if (message->height == 0 || message->height > sequencer->head_height) break;
        struct effect *effect = sequencer_push(sequencer, EFFECT_SERVE);
        effect->peer = *peer;
        effect->first = message->height;
        effect->last = last < sequencer->head_height ? last : sequencer->head_height;
        break;
    }
    case MESSAGE_BLOCKS: sequencer_on_blocks(sequencer, peer, message); break;
    case MESSAGE_GET_PROPOSAL: sequencer_on_get_proposal(sequencer, peer, message); break;
    case MESSAGE_HANDOVER: sequencer_on_handover(sequencer, &message->vote); break;
    case MESSAGE_EVIDENCE:
        sequencer_on_evidence(sequencer, &message->vote, &message->conflicting, false);
        break;
    case MESSAGE_BATCH_RECEIPT: batches_on_receipt_message(sequencer, message); break;
    case MESSAGE_BATCH_SIGN: batches_on_signature(sequencer, message); break;
    case MESSAGE_ITEMS_HELD: sequencer_on_held(sequencer, peer, message); break;
    case MESSAGE_ITEMS: break; /* each comes inspected, as INPUT_ITEM */
    default: break;            /* snapshots are taken before, and served beside, the sequencer */
    }
}

static void on_input(struct sequencer *sequencer, const struct input *input) {
    switch (input->kind) {
    case INPUT_TICK: {
        const struct consensus_input tick = {.kind = CONSENSUS_INPUT_TICK};
        if (sequencer->height_state == HEIGHT_RUNNING) sequencer_core_push(sequencer, &tick);
        if (sequencer->now_ms >= sequencer->leader_check_at_ms) sequencer_leader_check(sequencer);
        sequencer_status_idle(sequencer);
        break;
    }
    case INPUT_ITEM: sequencer_on_item(sequencer, input); break;
    case INPUT_MESSAGE: on_message(sequencer, &input->peer.peer, input->peer.message); break;
    case INPUT_PEER:
        sequencer_on_peer(sequencer, &input->peer.peer, input->peer.is_connected);
        break;
    case INPUT_L1_VIEW: sequencer_on_l1(sequencer, input->l1); break;
    case INPUT_EXECUTED: sequencer_on_executed(sequencer, input->outcome); break;
    case INPUT_COMMITTED: sequencer_on_committed(sequencer, input); break;
    case INPUT_DA_RECEIPT: batches_on_receipt(sequencer, input); break;
    case INPUT_DA_HEAD: batches_on_head(sequencer, input->da.height); break;
    case INPUT_STOP: sequencer_on_stop(sequencer); break;
    }
}

void sequencer_step(struct sequencer *sequencer, const struct input *input,
                    struct effects *effects) {
    CHECK(input->now_ms >= sequencer->now_ms);
    sequencer->now_ms = input->now_ms;
    sequencer->unix_ms = input->unix_ms;
    sequencer->effects = effects;
    arena_reset(&sequencer->step);
    arena_reset(&sequencer->scratch);
    if (!sequencer->is_begun) {
        sequencer->is_begun = true;
        sequencer->begun_ms = sequencer->now_ms;
        guard_begin(sequencer);
        sequencer_height_wait(sequencer);
        /* Whoever has signed something at this height goes on with it. */
        sequencer->is_woken =
            sequencer->has_record && sequencer->record.height == sequencer->head_height + 1;
    }
    sequencer->items.has_more = input->kind == INPUT_ITEM && input->item.has_more;
    on_input(sequencer, input);
    sequencer_core_run(sequencer);
    if (!sequencer->is_halted) {
        sequencer_sync_run(sequencer);
        sequencer_height_try(sequencer);
        sequencer_prebuild(sequencer);
        sequencer_core_run(sequencer);
        batches_run(sequencer);
    }
    sequencer_items_run(sequencer);
    sequencer_stop_try(sequencer);
    sequencer->effects = NULL;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t sequencer_deadline_ms(const struct sequencer *sequencer) {
    if (!sequencer->is_begun) return 0;
    uint64_t deadline = sequencer_items_deadline(sequencer);
    if (sequencer->is_stopping && !sequencer->is_stopped) {
        deadline = earlier(deadline, sequencer->stop_deadline_ms);
    }
    if (sequencer->is_halted) return deadline;
    deadline = earlier(deadline, sequencer->status_at_ms);
    if (sequencer->height_state == HEIGHT_RUNNING) {
        deadline = earlier(deadline, consensus_deadline_ms(sequencer->core));
        deadline = earlier(deadline, sequencer->leader_check_at_ms);
        deadline = earlier(deadline, sequencer->prebuild_at_ms);
    }
    if (sequencer->height_state == HEIGHT_HELD && sequencer->guard.is_wary) {
        deadline = earlier(deadline, guard_deadline(sequencer));
    } else if (sequencer->height_state == HEIGHT_HELD) {
        deadline = earlier(deadline, sequencer_sync_holds(sequencer)
                                         ? sequencer->sync_progress_ms + SYNC_HOLD_MS
                                         : sequencer->idle_until_ms);
    }
    deadline = earlier(deadline, sequencer_sync_deadline(sequencer));
    return earlier(deadline, batches_deadline(sequencer));
}

/* --- questions */

static void status_of_height(const struct sequencer *sequencer, struct sequencer_status *out) {
    uint32_t round = 0;
    if (sequencer->height_state == HEIGHT_RUNNING) round = consensus_status(sequencer->core).round;
    const uint32_t index = sequencer_proposer_index(sequencer, round);
    out->round = round;
    out->proposer = sequencer->current.validators[index].address;
    out->is_proposer = address_equal(&out->proposer, &sequencer->config.consensus.signer.address);
}

void sequencer_status(const struct sequencer *sequencer, struct sequencer_status *out) {
    *out = sequencer->counts;
    out->head_height = sequencer->head_height;
    out->highest_seen = sequencer->highest_seen > sequencer->head_height ? sequencer->highest_seen
                                                                         : sequencer->head_height;
    out->peers_height = sequencer_peers_height(sequencer);
    out->is_syncing = sequencer_sync_holds(sequencer);
    out->is_validator = sequencer_is_validator(sequencer);
    out->is_wary = sequencer->guard.is_wary;
    out->silent_until = guard_is_silent(sequencer) ? sequencer->guard.silent_until : 0;
    status_of_height(sequencer, out);
    out->rotation = rotation_of(sequencer->head_height + 1, sequencer->blocks_per_rotation);
    out->validators_count = sequencer->current.count;
    out->power_total = validator_set_power(&sequencer->current);
    out->quorum_seen_ms = sequencer->committed_ms;
    const struct pool_counts pool = pool_counts(sequencer->pool);
    out->pool_pending = pool.pending;
    out->pool_queued = pool.queued;
    out->pool_bytes = pool.bytes;
    const struct rollup_config *rollup = &sequencer->config.chain->rollup;
    out->l1_number =
        sequencer->head_height == 0 ? rollup->l1_number : sequencer->view->head_frame.l1_number;
    for (uint32_t i = 0; i < L1_RING && i < sequencer->l1_count; i++) {
        const struct l1_facts *facts = &sequencer->l1[i].facts;
        if (facts->number == out->l1_number) out->l1_timestamp = facts->timestamp;
    }
    out->published_block = sequencer->batches.published;
    out->settled_block = sequencer->batches.settled;
    out->batches_pending = sequencer->batches.count;
}

void sequencer_validators(const struct sequencer *sequencer, struct validator_set *current,
                          struct validator_set *next) {
    *current = sequencer->current;
    *next = sequencer->next;
}

uint64_t sequencer_pool_next_sequence(const struct sequencer *sequencer, const struct address *lane,
                                      uint64_t committed_next) {
    return pool_next_sequence(sequencer->pool, lane, committed_next);
}

const struct item *sequencer_pool_find(const struct sequencer *sequencer,
                                       const struct hash32 *hash) {
    return pool_find(sequencer->pool, hash);
}

void sequencer_pool_visit(const struct sequencer *sequencer, void *context,
                          bool (*visit)(void *context, const struct item *item, bool is_pending)) {
    pool_visit(sequencer->pool, context, visit);
}

void sequencer_check_invariants(const struct sequencer *sequencer) {
    pool_check_invariants(sequencer->pool);
    consensus_check_invariants(sequencer->core);
    CHECK(sequencer->view->head.number == sequencer->head_height);
    CHECK(sequencer->current.count >= 1);
    uint32_t committing = 0;
    for (size_t i = 0; i < EXECUTOR_SLOTS; i++) {
        const struct candidate *candidate = &sequencer->candidates[i];
        committing += candidate->state == CANDIDATE_COMMITTING ? 1 : 0;
        if (candidate->state == CANDIDATE_VALID || candidate->state == CANDIDATE_HELD) {
            CHECK(candidate->height > sequencer->head_height);
            CHECK(candidate->package.size != 0);
        }
    }
    CHECK(committing == (sequencer->height_state == HEIGHT_COMMITTING ? 1u : 0u));
    /* L1 may have settled blocks that are not here yet. */
    const struct batches *batches = &sequencer->batches;
    CHECK(batches->published <= sequencer->head_height || batches->published <= batches->settled);
}
