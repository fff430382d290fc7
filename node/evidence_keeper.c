#include "node/evidence_keeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "l1/slash.h"
#include "node/log.h"
#include "node/node.h"
#include "threads/clock.h"
#include "threads/gate.h"

/* Punished or sent in one look: L1's queue holds no more. */
#define LOOK_MAX 4

struct evidence_keeper {
    struct node *node;
    pthread_t thread;
    bool has_thread;
    struct gate gate; /* guards what follows */
    size_t waiting_count;
    struct evidence waiting[EVIDENCE_WAITING_MAX];
    bool is_stopping;
    struct evidence_counts counts;
    /* the thread's: how many open ones the next look passes over, so that each has its turn */
    size_t looked;
};

/* put writes one record.  ERR_LIMIT: EVIDENCE_RECORDS_MAX are kept. */
static enum err put(struct evidence_keeper *keeper, const struct evidence *evidence) {
    uint8_t name[EVIDENCE_NAME_BYTES], memory[EVIDENCE_RECORD_BYTES];
    struct buffer value = buffer_over(memory, sizeof memory);
    evidence_encode(evidence, &value);
    CHECK(!value.overflow);
    const struct store_record record = {evidence_name(&evidence->votes[0], name),
                                        buffer_bytes(&value)};
    return store_put_records(keeper->node->ledger.store, &record, 1);
}

static bool is_kept(struct evidence_keeper *keeper, const struct evidence *evidence) {
    uint8_t name[EVIDENCE_NAME_BYTES], memory[2 * EVIDENCE_RECORD_BYTES];
    struct arena arena = arena_over(memory, sizeof memory);
    struct store_view *view;
    struct bytes value;
    if (store_view_open(keeper->node->ledger.store, &view) != ERR_OK) return false;
    const enum err err =
        store_record(view, evidence_name(&evidence->votes[0], name), &arena, &value);
    store_view_close(view);
    return err == ERR_OK;
}

/* send puts it on L1's queue; without L1, or without a key, it stays in the store. */
static void send(struct evidence_keeper *keeper, const struct evidence *evidence) {
    struct node *node = keeper->node;
    struct l1 *l1 = node->l1;
    struct l1_vote votes[2];
    uint8_t memory[L1_SLASH_BYTES];
    struct buffer data = buffer_over(memory, sizeof memory);
    if (l1 == NULL) return;
    for (size_t i = 0; i < 2; i++) {
        const struct vote *vote = &evidence->votes[i];
        votes[i] = (struct l1_vote){(uint8_t)vote->kind, vote->height, vote->round,
                                    vote->valid_round,   vote->block,  vote->signature};
    }
    l1_slash_encode(&votes[0], &votes[1], &data);
    const enum err err = l1_send(l1, &node->config->rollup.consensus_contract, buffer_bytes(&data));
    if (err != ERR_OK) LOG(LOG_WARN, "l1", "evidence cannot be sent now: %s", err_text(err));
}

static void keep(struct evidence_keeper *keeper, const struct evidence *evidence) {
    if (is_kept(keeper, evidence)) return;
    const bool has_room = evidence_keeper_counts(keeper).kept < EVIDENCE_RECORDS_MAX;
    const enum err err = has_room ? put(keeper, evidence) : ERR_LIMIT;
    if (err != ERR_OK) {
        LOG(LOG_ERROR, "consensus", "evidence cannot be kept: %s", err_text(err));
    } else {
        gate_lock(&keeper->gate);
        keeper->counts.kept += 1;
        gate_unlock(&keeper->gate);
    }
    send(keeper, evidence);
}

/* What is not punished, of one look. */
struct open_list {
    size_t skip, count;
    struct evidence list[LOOK_MAX];
};

static bool collect_open(void *context, const struct evidence *evidence) {
    struct open_list *list = context;
    if (evidence->is_on_l1) return true;
    if (list->skip > 0) {
        list->skip -= 1;
        return true;
    }
    list->list[list->count++] = *evidence;
    return list->count < LOOK_MAX;
}

/* is_stopping is an l1_config.is_interrupted: an L1 that hangs does not hold the end up. */
static bool is_stopping(const void *context) {
    struct evidence_keeper *keeper = *(struct evidence_keeper *const *)context;
    gate_lock(&keeper->gate);
    const bool stopping = keeper->is_stopping;
    gate_unlock(&keeper->gate);
    return stopping;
}

/* ask_l1 asks about one offence; punished: it is marked, else sent again. */
static void ask_l1(struct evidence_keeper *keeper, struct evidence *evidence) {
    struct node *node = keeper->node;
    struct l1_config config;
    char line[512];
    bool is_punished = false;
    const struct l1_offence offence = evidence_offence(evidence);
    enum err err = outside_l1_config(node->options.settings, &node->config->rollup, &config, line);
    if (err == ERR_OK) {
        config.is_interrupted = is_stopping;
        config.interrupt_context = &keeper;
        err = l1_is_punished(&config, &offence, &is_punished, line);
    }
    if (err != ERR_OK) {
        LOG(LOG_DEBUG, "l1", "whether evidence is punished is not known: %.200s", line);
        return;
    }
    if (!is_punished) {
        send(keeper, evidence);
        return;
    }
    evidence->is_on_l1 = true;
    if (put(keeper, evidence) != ERR_OK) return; /* asked again at the next look */
    gate_lock(&keeper->gate);
    keeper->counts.on_l1 += 1;
    gate_unlock(&keeper->gate);
    LOG(LOG_INFO, "l1", "the double signature at height %llu is punished on L1",
        (unsigned long long)evidence->votes[0].height);
}

static void look(struct evidence_keeper *keeper) {
    const struct evidence_counts counts = evidence_keeper_counts(keeper);
    struct open_list open = {.skip = keeper->looked};
    struct store_view *view;
    if (keeper->node->l1 == NULL || counts.on_l1 == counts.kept) return;
    if (store_view_open(keeper->node->ledger.store, &view) != ERR_OK) return;
    const enum err err = evidence_visit(view, &open, collect_open);
    store_view_close(view);
    if (err != ERR_OK) LOG(LOG_ERROR, "consensus", "kept evidence: %s", err_text(err));
    keeper->looked = open.count < LOOK_MAX ? 0 : keeper->looked + LOOK_MAX;
    for (size_t i = 0; i < open.count && !is_stopping(&keeper); i++)
        ask_l1(keeper, &open.list[i]);
}

/* take waits for evidence; false: none came until it was time for a look. */
static bool take(struct evidence_keeper *keeper, struct evidence *out, bool *is_done) {
    const uint64_t until_ms = monotonic_ms() + EVIDENCE_CHECK_MS;
    bool is_time = false;
    gate_lock(&keeper->gate);
    while (keeper->waiting_count == 0 && !keeper->is_stopping && !is_time) {
        is_time = !gate_wait(&keeper->gate, until_ms);
    }
    const bool has_one = keeper->waiting_count > 0;
    if (has_one) {
        *out = keeper->waiting[0];
        keeper->waiting_count -= 1;
        memmove(keeper->waiting, keeper->waiting + 1,
                keeper->waiting_count * sizeof keeper->waiting[0]);
    }
    *is_done = keeper->is_stopping && !has_one;
    gate_unlock(&keeper->gate);
    return has_one;
}

static void *keeper_main(void *context) {
    struct evidence_keeper *keeper = context;
    bool is_done = false;
    while (!is_done) {
        struct evidence evidence;
        if (take(keeper, &evidence, &is_done)) {
            keep(keeper, &evidence);
        } else if (!is_done) {
            look(keeper);
        }
    }
    return NULL;
}

static bool count_one(void *context, const struct evidence *evidence) {
    struct evidence_counts *counts = context;
    counts->kept += 1;
    counts->on_l1 += evidence->is_on_l1;
    return true;
}

static enum err count_all(struct evidence_keeper *keeper) {
    struct store_view *view;
    TRY(store_view_open(keeper->node->ledger.store, &view));
    const enum err err = evidence_visit(view, &keeper->counts, count_one);
    store_view_close(view);
    return err;
}

enum err evidence_keeper_start(struct node *node, struct evidence_keeper **out) {
    struct evidence_keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL) return ERR_MEMORY;
    keeper->node = node;
    gate_create(&keeper->gate);
    enum err err = count_all(keeper);
    if (err == ERR_OK && pthread_create(&keeper->thread, NULL, keeper_main, keeper) != 0) {
        err = ERR_SYSTEM;
    }
    keeper->has_thread = err == ERR_OK;
    if (err != ERR_OK) {
        evidence_keeper_stop(keeper);
        return err;
    }
    *out = keeper;
    return ERR_OK;
}

void evidence_keeper_stop(struct evidence_keeper *keeper) {
    if (keeper == NULL) return;
    gate_lock(&keeper->gate);
    keeper->is_stopping = true;
    gate_wake(&keeper->gate);
    gate_unlock(&keeper->gate);
    if (keeper->has_thread) pthread_join(keeper->thread, NULL);
    gate_destroy(&keeper->gate);
    free(keeper);
}

void evidence_keeper_add(struct evidence_keeper *keeper, const struct vote *first,
                         const struct vote *second) {
    const struct evidence evidence = {.votes = {*first, *second}, .found_ms = unix_ms()};
    gate_lock(&keeper->gate);
    const bool has_room = keeper->waiting_count < EVIDENCE_WAITING_MAX;
    if (has_room) {
        keeper->waiting[keeper->waiting_count++] = evidence;
    } else {
        keeper->counts.dropped += 1;
    }
    gate_wake(&keeper->gate);
    gate_unlock(&keeper->gate);
    if (!has_room) LOG(LOG_WARN, "consensus", "evidence dropped: %d wait", EVIDENCE_WAITING_MAX);
}

struct evidence_counts evidence_keeper_counts(struct evidence_keeper *keeper) {
    if (keeper == NULL) return (struct evidence_counts){0};
    gate_lock(&keeper->gate);
    const struct evidence_counts counts = keeper->counts;
    gate_unlock(&keeper->gate);
    return counts;
}
