/* The publisher: one blob at a time until it is on the DA layer, once. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "da/answer.h"
#include "da/attempt.h"
#include "da/da.h"
#include "threads/clock.h"
#include "threads/gate.h"

#define IDLE_HEAD_MS    1000 /* how often the head is asked for when there is nothing to publish */
#define STATUS_TEXT_MAX 200
#define SCAN_HEIGHTS    64 /* so many are looked through before the head is read again */

struct da_publisher {
    struct da_publisher_config config;
    struct da_client *client;
    pthread_t thread;
    struct gate gate;
    /* under the gate */
    bool is_stopping;
    bool has_blob;                     /* from da_publish until the thread has let go of it */
    bool is_cancelled;                 /* the thread shall let go */
    struct da_publication publication; /* but for the blob, which is below */
    uint64_t started_ms;
    size_t blob_bytes;
    struct da_publisher_status status;
    /* the thread's from da_publish on */
    uint8_t blob[DA_BLOB_BYTES_MAX];
};

/* A job as the thread sees it. */
struct job {
    uint64_t id, started_ms;
    struct bytes blob;
    struct da_attempt attempt;
};

/* pause_job waits out a backoff; false when the job is over. */
static bool pause_job(struct da_publisher *publisher, uint64_t ms) {
    const uint64_t until_ms = monotonic_ms() + ms;
    gate_lock(&publisher->gate);
    while (!publisher->is_stopping && !publisher->is_cancelled && monotonic_ms() < until_ms) {
        (void)gate_wait(&publisher->gate, until_ms);
    }
    const bool goes_on = !publisher->is_stopping && !publisher->is_cancelled;
    gate_unlock(&publisher->gate);
    return goes_on;
}

/* note_success passes a lower head on, too: the one before was wrong. */
static void note_success(struct da_publisher *publisher, uint64_t head) {
    gate_lock(&publisher->gate);
    publisher->status.is_reachable = true;
    const bool is_new = head != publisher->status.head;
    publisher->status.head = head;
    gate_unlock(&publisher->gate);
    if (is_new && publisher->config.head != NULL) {
        publisher->config.head(publisher->config.context, head);
    }
}

static void note_failure(struct da_publisher *publisher, enum err err, const char *error) {
    gate_lock(&publisher->gate);
    publisher->status.failures += 1;
    /* A node that says no is there. */
    publisher->status.is_reachable = err == ERR_REFUSED || err == ERR_NOT_FOUND;
    (void)snprintf(publisher->status.last_error, STATUS_TEXT_MAX, "%s: %.160s", err_text(err),
                   error);
    gate_unlock(&publisher->gate);
}

struct search {
    struct bytes blob;
    bool found;
};
static enum err compare_blob(void *context, struct bytes blob) {
    struct search *search = context;
    search->found |= bytes_equal(blob, search->blob);
    return ERR_OK;
}

static enum err read_head(struct da_publisher *publisher, struct job *job, uint64_t *head,
                          char *error) {
    const uint64_t asked_ms = da_clock_ms();
    TRY(da_head(publisher->client, head, error));
    note_success(publisher, *head);
    da_attempt_head(&job->attempt, *head, asked_ms);
    return ERR_OK;
}

/* scan looks for the blob in all heights up to the head that were not looked through before.
 * *found is its height, or 0.  The head is read again on a long way: an endpoint that once said
 * far too much does not keep us at heights that are not there. */
static enum err scan(struct da_publisher *publisher, struct job *job, uint64_t *found,
                     char *error) {
    uint64_t head = 0;
    TRY(read_head(publisher, job, &head, error));
    struct search search = {.blob = job->blob};
    uint32_t heights = 0;
    for (uint64_t height = job->attempt.scan_from; height <= head; height++) {
        if (++heights % SCAN_HEIGHTS == 0) {
            TRY(read_head(publisher, job, &head, error));
            if (height > head) break;
        }
        TRY(da_get_all(publisher->client, height, &publisher->config.ns, &search, compare_blob,
                       error));
        if (search.found) {
            *found = height;
            return ERR_OK;
        }
        job->attempt.scan_from = height + 1;
        if (!pause_job(publisher, 0)) return ERR_STOPPED;
    }
    *found = 0;
    return ERR_OK;
}

static void deliver(struct da_publisher *publisher, const struct job *job, uint64_t height,
                    bool was_found) {
    const struct da_receipt receipt = {
        .id = job->id,
        .height = height,
        .commitment = da_commitment(&publisher->config.ns, job->blob),
        .latency_ms = monotonic_ms() - job->started_ms,
        .was_found = was_found,
    };
    gate_lock(&publisher->gate);
    const bool is_wanted = !publisher->is_cancelled;
    if (!was_found) {
        publisher->status.submissions += 1;
        publisher->status.bytes += job->blob.size;
    }
    publisher->status.is_reachable = true;
    if (height > publisher->status.head) publisher->status.head = height;
    publisher->status.last_error[0] = 0;
    publisher->has_blob = false; /* the receipt's taker may publish the next one at once */
    publisher->is_cancelled = false;
    gate_unlock(&publisher->gate);
    if (is_wanted) publisher->config.receipt(publisher->config.context, &receipt);
}

/* look scans once; *done: the blob is there, and the receipt is out. */
static enum err look(struct da_publisher *publisher, struct job *job, bool *done, uint64_t *wait_ms,
                     char *error) {
    uint64_t height = 0;
    TRY(scan(publisher, job, &height, error));
    if (height != 0) {
        deliver(publisher, job, height, true);
        *done = true;
        return ERR_OK;
    }
    *wait_ms = da_attempt_looked(&job->attempt);
    return ERR_OK;
}

/* post tries once.  A request that was held back is no failure: the next step looks again. */
static enum err post(struct da_publisher *publisher, struct job *job, bool *done, char *error) {
    uint64_t height = 0;
    const enum err err = da_submit(publisher->client, &publisher->config.ns, job->blob,
                                   da_attempt_fence_ms(&job->attempt), &height, error);
    if (err == ERR_STOPPED) return ERR_OK;
    if (err != ERR_OK) return err;
    deliver(publisher, job, height, false);
    *done = true;
    return ERR_OK;
}

static void run_job(struct da_publisher *publisher, struct job *job) {
    bool done = false;
    bool goes_on = true;
    while (!done && goes_on) {
        char error[DA_ERROR_BYTES] = "";
        uint64_t wait_ms = 0;
        const enum da_step step = da_attempt_next(&job->attempt, da_clock_ms());
        if (step == DA_STEP_LEAVE) break;
        const enum err err = step == DA_STEP_POST ? post(publisher, job, &done, error)
                                                  : look(publisher, job, &done, &wait_ms, error);
        if (done || err == ERR_STOPPED) break;
        if (err != ERR_OK) {
            note_failure(publisher, err, error);
            wait_ms = da_attempt_failed(&job->attempt, step == DA_STEP_POST);
        }
        goes_on = pause_job(publisher, wait_ms);
    }
    if (done) return;
    gate_lock(&publisher->gate);
    publisher->has_blob = false;
    publisher->is_cancelled = false;
    gate_unlock(&publisher->gate);
}

static void ask_head(struct da_publisher *publisher) {
    char error[DA_ERROR_BYTES] = "";
    uint64_t head = 0;
    const enum err err = da_head(publisher->client, &head, error);
    if (err == ERR_OK) {
        note_success(publisher, head);
    } else {
        note_failure(publisher, err, error);
    }
}

static void *publisher_main(void *argument) {
    struct da_publisher *publisher = argument;
    uint64_t head_at_ms = 0;
    gate_lock(&publisher->gate);
    while (!publisher->is_stopping) {
        if (publisher->has_blob) {
            const struct da_publication *publication = &publisher->publication;
            struct job job = {
                .id = publication->id,
                .started_ms = publisher->started_ms,
                .blob = {publisher->blob, publisher->blob_bytes},
            };
            da_attempt_begin(&job.attempt, publication->scan_from, publication->turn_from,
                             publication->turn_until, publication->is_unclear);
            gate_unlock(&publisher->gate);
            run_job(publisher, &job);
            gate_lock(&publisher->gate);
        } else if (monotonic_ms() >= head_at_ms) {
            gate_unlock(&publisher->gate);
            ask_head(publisher);
            head_at_ms = monotonic_ms() + IDLE_HEAD_MS;
            gate_lock(&publisher->gate);
        } else {
            (void)gate_wait(&publisher->gate, head_at_ms);
        }
    }
    gate_unlock(&publisher->gate);
    return NULL;
}

static void destroy(struct da_publisher *publisher) {
    if (publisher->client != NULL) da_client_destroy(publisher->client);
    gate_destroy(&publisher->gate);
    free(publisher);
}

enum err da_publisher_start(const struct da_publisher_config *config, struct da_publisher **out) {
    CHECK(config->receipt != NULL);
    struct da_publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL) return ERR_MEMORY;
    publisher->config = *config;
    gate_create(&publisher->gate);
    enum err err = da_client_create(&config->client, &publisher->client);
    if (err == ERR_OK && pthread_create(&publisher->thread, NULL, publisher_main, publisher) != 0) {
        err = ERR_SYSTEM;
    }
    if (err != ERR_OK) {
        destroy(publisher);
        return err;
    }
    *out = publisher;
    return ERR_OK;
}

void da_publisher_stop(struct da_publisher *publisher) {
    gate_lock(&publisher->gate);
    publisher->is_stopping = true;
    gate_wake(&publisher->gate);
    gate_unlock(&publisher->gate);
    da_client_abort(publisher->client);
    CHECK(pthread_join(publisher->thread, NULL) == 0);
    destroy(publisher);
}

enum err da_publish(struct da_publisher *publisher, const struct da_publication *publication) {
    const struct bytes blob = publication->blob;
    CHECK(blob.size > 0);
    if (blob.size > DA_BLOB_BYTES_MAX) return ERR_LIMIT;
    gate_lock(&publisher->gate);
    const bool is_busy = publisher->has_blob;
    if (!is_busy) {
        memcpy(publisher->blob, blob.data, blob.size);
        publisher->blob_bytes = blob.size;
        publisher->publication = *publication;
        publisher->publication.blob = BYTES_EMPTY;
        publisher->started_ms = monotonic_ms();
        publisher->has_blob = true;
        publisher->is_cancelled = false;
        gate_wake(&publisher->gate);
    }
    gate_unlock(&publisher->gate);
    return is_busy ? ERR_LIMIT : ERR_OK;
}

void da_publish_cancel(struct da_publisher *publisher, uint64_t id) {
    gate_lock(&publisher->gate);
    if (publisher->has_blob && publisher->publication.id == id) {
        publisher->is_cancelled = true;
        gate_wake(&publisher->gate);
    }
    gate_unlock(&publisher->gate);
}

struct da_publisher_status da_publisher_status(struct da_publisher *publisher) {
    gate_lock(&publisher->gate);
    struct da_publisher_status status = publisher->status;
    status.pending = publisher->has_blob ? 1 : 0;
    gate_unlock(&publisher->gate);
    return status;
}
