#include "l1/l1.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "l1/reader.h"
#include "l1/sender.h"
#include "threads/clock.h"
#include "threads/gate.h"

#define ASKED_MAX      8  /* blocks whose views are wanted by number */
#define VIEWS_BACK_MAX 64 /* finalized blocks between two looks that still get their views */
#define STATUS_BYTES   200

struct l1 {
    struct l1_config config;
    struct secp_key key;
    pthread_t thread;
    struct l1_reader *reader;
    struct l1_sender sender;
    struct l1_view view;
    /* the thread's */
    uint64_t next_number; /* the first finalized block without a view; 0: none was read yet */
    struct l1_block last_finalized;
    /* under the gate */
    struct gate gate;
    bool is_stopping, is_woken;
    uint64_t asked[ASKED_MAX]; /* 0: free */
    uint32_t asked_next;
    struct l1_status status;
};

static bool is_stopping(struct l1 *l1) {
    gate_lock(&l1->gate);
    const bool stopping = l1->is_stopping;
    gate_unlock(&l1->gate);
    return stopping;
}

/* --- reading --- */

static void emit(struct l1 *l1) {
    l1_sender_settled(&l1->sender, l1->view.settled_last_block);
    if (l1->config.events.view != NULL)
        l1->config.events.view(l1->config.events.context, &l1->view);
}

/* read_view reads one block's view and tells of it. */
static enum err read_view(struct l1 *l1, int endpoint, uint64_t number,
                          char error[L1_ERROR_BYTES]) {
    struct l1_block block;
    TRY(l1_reader_block(l1->reader, endpoint, number, &block, error));
    TRY(l1_reader_view(l1->reader, endpoint, &block, &l1->view, error));
    emit(l1);
    return ERR_OK;
}

/* read_views reads the views up to the finalized block, the older ones only where they can be had:
 * an endpoint need not keep the state of old blocks. */
static enum err read_views(struct l1 *l1, int endpoint, const struct l1_block *finalized,
                           char error[L1_ERROR_BYTES]) {
    const uint64_t oldest =
        finalized->number >= VIEWS_BACK_MAX ? finalized->number - (VIEWS_BACK_MAX - 1) : 0;
    uint64_t number = l1->next_number > oldest ? l1->next_number : oldest;
    for (; number < finalized->number; number++) {
        if (is_stopping(l1)) return ERR_STOPPED;
        const enum err err = read_view(l1, endpoint, number, error);
        if (err == ERR_NETWORK || err == ERR_TIMEOUT) return err;
        l1->next_number = number + 1;
    }
    if (number > finalized->number) return ERR_OK; /* seen before */
    const enum err err = l1_reader_view(l1->reader, endpoint, finalized, &l1->view, error);
    if (err == ERR_NOT_FOUND) return ERR_OK; /* deployed, but not finalized: no fault of L1's */
    TRY(err);
    emit(l1);
    l1->next_number = finalized->number + 1;
    l1->last_finalized = *finalized;
    return ERR_OK;
}

/* take_asked takes one of the wanted blocks that are finalized; 0: there is none. */
static uint64_t take_asked(struct l1 *l1, uint64_t finalized) {
    uint64_t number = 0;
    gate_lock(&l1->gate);
    for (size_t i = 0; i < ASKED_MAX && number == 0; i++) {
        if (l1->asked[i] == 0 || l1->asked[i] > finalized) continue;
        number = l1->asked[i];
        l1->asked[i] = 0;
    }
    gate_unlock(&l1->gate);
    return number;
}

/* read_asked reads views of single blocks.  One that this endpoint cannot give is dropped: whoever
 * needs it asks again. */
static enum err read_asked(struct l1 *l1, int endpoint, uint64_t finalized,
                           char error[L1_ERROR_BYTES]) {
    for (uint64_t number = take_asked(l1, finalized); number != 0;
         number = take_asked(l1, finalized)) {
        if (is_stopping(l1)) return ERR_STOPPED;
        const enum err err = read_view(l1, endpoint, number, error);
        if (err == ERR_NETWORK || err == ERR_TIMEOUT) return err;
        error[0] = 0;
    }
    return ERR_OK;
}

/* check_progress refuses an endpoint that is behind another one, or contradicts what was final. */
static enum err check_progress(const struct l1 *l1, const struct l1_block *finalized,
                               char error[L1_ERROR_BYTES]) {
    const struct l1_block *last = &l1->last_finalized;
    if (l1->next_number == 0) return ERR_OK;
    if (finalized->number < last->number) {
        (void)snprintf(error, L1_ERROR_BYTES, "lags: its finalized block is %llu, %llu was seen",
                       (unsigned long long)finalized->number, (unsigned long long)last->number);
        return ERR_MISMATCH;
    }
    if (finalized->number == last->number && !hash_equal(&finalized->hash, &last->hash)) {
        (void)snprintf(error, L1_ERROR_BYTES, "contradicts the finalized block %llu",
                       (unsigned long long)last->number);
        return ERR_MISMATCH;
    }
    return ERR_OK;
}

static enum err poll_endpoint(struct l1 *l1, int endpoint, char error[L1_ERROR_BYTES]) {
    struct l1_heads heads;
    TRY(l1_reader_heads(l1->reader, endpoint, &heads, error));
    TRY(check_progress(l1, &heads.finalized, error));
    gate_lock(&l1->gate);
    l1->status.head_number = heads.latest.number;
    gate_unlock(&l1->gate);
    TRY(read_asked(l1, endpoint, heads.finalized.number, error)); /* a vote waits for it */
    TRY(read_views(l1, endpoint, &heads.finalized, error));
    gate_lock(&l1->gate);
    l1->status.finalized_number = heads.finalized.number;
    l1->status.finalized_timestamp = heads.finalized.timestamp;
    gate_unlock(&l1->gate);
    return l1_sender_step(&l1->sender, l1->reader->endpoints, endpoint, &heads.latest, error);
}

/* note writes the outcome of a look into the status. */
static void note(struct l1 *l1, int endpoint, enum err err, const char *error) {
    gate_lock(&l1->gate);
    struct l1_status *status = &l1->status;
    status->requests = l1_requests_count(l1->reader->endpoints);
    status->bad_answers = l1->reader->bad_answers;
    status->transactions_sent = l1->sender.transactions_sent;
    status->transactions_confirmed = l1->sender.transactions_confirmed;
    status->transactions_failed = l1->sender.transactions_failed;
    status->is_reachable = err == ERR_OK;
    if (err == ERR_OK) status->last_success_ms = monotonic_ms();
    if (err != ERR_OK) status->failures += 1;
    if (err != ERR_OK || error[0] != 0) {
        (void)snprintf(status->last_error, STATUS_BYTES, "%.80s: %.110s",
                       l1_endpoints_name(l1->reader->endpoints, endpoint),
                       error[0] != 0 ? error : err_text(err));
    }
    gate_unlock(&l1->gate);
}

/* look asks one endpoint after the other until one answers. */
static void look(struct l1 *l1) {
    struct l1_endpoints *endpoints = l1->reader->endpoints;
    for (size_t tries = 0; tries < l1->config.endpoints_count; tries++) {
        const int endpoint = l1_endpoints_choose(endpoints, monotonic_ms());
        if (endpoint < 0 || is_stopping(l1)) return;
        char error[L1_ERROR_BYTES] = "";
        const enum err err = poll_endpoint(l1, endpoint, error);
        if (err == ERR_STOPPED) return;
        note(l1, endpoint, err, error);
        if (err == ERR_OK) {
            l1_endpoints_succeeded(endpoints, endpoint);
            return;
        }
        l1_endpoints_failed(endpoints, endpoint, monotonic_ms());
    }
}

static void wait_next(struct l1 *l1) {
    const uint64_t until_ms = monotonic_ms() + l1->config.poll_ms;
    gate_lock(&l1->gate);
    bool is_time = false;
    while (!l1->is_stopping && !l1->is_woken && !is_time) {
        is_time = !gate_wait(&l1->gate, until_ms);
    }
    l1->is_woken = false;
    gate_unlock(&l1->gate);
}

static void *l1_main(void *argument) {
    struct l1 *l1 = argument;
    while (!is_stopping(l1)) {
        look(l1);
        wait_next(l1);
    }
    return NULL;
}

/* --- start and stop --- */

static void destroy(struct l1 *l1) {
    if (l1->reader != NULL) l1_reader_destroy(l1->reader);
    l1_sender_destroy(&l1->sender);
    gate_destroy(&l1->gate);
    free(l1);
}

enum err l1_start(const struct l1_config *config, struct l1 **out) {
    struct l1 *l1 = calloc(1, sizeof *l1);
    if (l1 == NULL) return ERR_MEMORY;
    l1->config = *config;
    l1->config.is_interrupted = NULL; /* l1_stop ends it */
    if (config->key != NULL) {
        l1->key = *config->key;
        l1->config.key = &l1->key;
    }
    if (l1->config.poll_ms == 0) l1->config.poll_ms = 1000;
    l1_sender_init(&l1->sender, &l1->config);
    gate_create(&l1->gate);
    enum err err = l1_reader_create(&l1->config, &l1->reader);
    if (err == ERR_OK && pthread_create(&l1->thread, NULL, l1_main, l1) != 0) err = ERR_SYSTEM;
    if (err != ERR_OK) {
        destroy(l1);
        return err;
    }
    *out = l1;
    return ERR_OK;
}

void l1_stop(struct l1 *l1) {
    gate_lock(&l1->gate);
    l1->is_stopping = true;
    gate_wake(&l1->gate);
    gate_unlock(&l1->gate);
    l1_endpoints_abort(l1->reader->endpoints);
    CHECK(pthread_join(l1->thread, NULL) == 0);
    destroy(l1);
}

struct l1_status l1_status(struct l1 *l1) {
    gate_lock(&l1->gate);
    const struct l1_status status = l1->status;
    gate_unlock(&l1->gate);
    return status;
}

static void wake(struct l1 *l1) {
    l1->is_woken = true;
    gate_wake(&l1->gate);
}

void l1_ask(struct l1 *l1, uint64_t number) {
    gate_lock(&l1->gate);
    bool is_known = number == 0;
    for (size_t i = 0; i < ASKED_MAX; i++)
        is_known |= l1->asked[i] == number;
    if (!is_known) {
        l1->asked[l1->asked_next++ % ASKED_MAX] = number;
        wake(l1);
    }
    gate_unlock(&l1->gate);
}

static enum err push(struct l1 *l1, const struct l1_call *call) {
    if (l1->config.key == NULL) return ERR_UNSUPPORTED;
    TRY(l1_sender_push(&l1->sender, call));
    gate_lock(&l1->gate);
    wake(l1);
    gate_unlock(&l1->gate);
    return ERR_OK;
}

enum err l1_submit_batch(struct l1 *l1, const struct settlement *settlement) {
    struct l1_call call = {.is_batch = true,
                           .first_block = settlement->batch.first,
                           .last_block = settlement->batch.last,
                           .to = l1->config.coordinator};
    struct buffer out = buffer_over(call.data, sizeof call.data);
    static_assert(L1_BATCH_CALL_BYTES_MAX <= L1_CALL_BYTES_MAX, "a full batch fits a call");
    l1_abi_submit_batch(&out, settlement);
    CHECK(!out.overflow);
    call.size = out.size;
    return push(l1, &call);
}

enum err l1_send(struct l1 *l1, const struct address *to, struct bytes call_data) {
    if (call_data.size > L1_CALL_BYTES_MAX) return ERR_LIMIT;
    struct l1_call call = {.to = *to, .size = call_data.size};
    if (call_data.size > 0) memcpy(call.data, call_data.data, call_data.size);
    return push(l1, &call);
}
