#include "node/executing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "node/log.h"
#include "node/memory.h"
#include "pages/pages.h"
#include "threads/clock.h"
#include "threads/gate.h"

#define JOB_ARENA_BYTES    ((size_t)64 << 20)
#define SCRATCH_KEEP_BYTES ((size_t)16 << 20)

/* One entry of the mailbox: a job with copies of all that it points at, or a commit. */
struct entry {
    bool is_commit;
    struct block_job job;
    uint32_t slot;
    uint8_t commit[COMMIT_BYTES_MAX];
    size_t commit_bytes;
    struct arena arena;
};

struct executing {
    struct ledger *ledger;
    struct executor *executor;
    void *executor_memory;
    size_t executor_memory_bytes;
    struct executing_events events;
    struct block_outcome outcomes[EXECUTOR_SLOTS];
    struct ledger_view *view; /* the executor's own, of the committed head */
    pthread_t thread;
    bool has_thread;
    struct gate gate; /* guards first, count and is_stopping; wakes the thread */
    struct entry entries[EXECUTING_JOBS_MAX];
    size_t first, count;
    bool is_stopping;
    atomic_uint_fast64_t execute_last_us, commit_last_us;
};

/* copy_candidates copies items with their bytes. */
static enum err copy_candidates(struct arena *arena, const struct block_job *from,
                                struct block_job *to) {
    struct item *items = arena_array(arena, from->candidates_count, sizeof *items);
    if (items == NULL && from->candidates_count > 0) return ERR_LIMIT;
    for (size_t i = 0; i < from->candidates_count; i++) {
        items[i] = from->candidates[i];
        if (!arena_copy(arena, from->candidates[i].encoded, &items[i].encoded)) return ERR_LIMIT;
    }
    to->candidates = items;
    return ERR_OK;
}

static enum err copy_job(struct entry *entry, const struct block_job *job) {
    arena_reset(&entry->arena);
    entry->is_commit = false;
    entry->job = *job;
    TRY(copy_candidates(&entry->arena, job, &entry->job));
    if (!arena_copy(&entry->arena, job->last_commit, &entry->job.last_commit)) return ERR_LIMIT;
    if (!arena_copy(&entry->arena, job->next_validators, &entry->job.next_validators)) {
        return ERR_LIMIT;
    }
    if (!arena_copy(&entry->arena, job->package, &entry->job.package)) return ERR_LIMIT;
    if (!arena_copy(&entry->arena, job->commit, &entry->job.commit)) return ERR_LIMIT;
    if (job->senders == NULL) return ERR_OK;
    struct address *senders = arena_array(&entry->arena, job->senders_count, sizeof *senders);
    if (senders == NULL) return ERR_LIMIT;
    memcpy(senders, job->senders, job->senders_count * sizeof *senders);
    entry->job.senders = senders;
    return ERR_OK;
}

/* next_free returns the entry after the last waiting one, NULL when the mailbox is full.  Only the
 * sequencer's thread adds, so the entry stays free until publish. */
static struct entry *next_free(struct executing *executing) {
    gate_lock(&executing->gate);
    struct entry *entry = NULL;
    if (executing->count < EXECUTING_JOBS_MAX) {
        entry = &executing->entries[(executing->first + executing->count) % EXECUTING_JOBS_MAX];
    }
    gate_unlock(&executing->gate);
    return entry;
}

static void publish(struct executing *executing) {
    gate_lock(&executing->gate);
    executing->count += 1;
    gate_wake(&executing->gate);
    gate_unlock(&executing->gate);
}

enum err executing_run(struct executing *executing, const struct block_job *job) {
    struct entry *entry = next_free(executing);
    if (entry == NULL) return ERR_LIMIT;
    TRY(copy_job(entry, job));
    publish(executing);
    return ERR_OK;
}

enum err executing_commit(struct executing *executing, uint32_t slot, const struct commit *commit) {
    struct entry *entry = next_free(executing);
    if (entry == NULL) return ERR_LIMIT;
    struct buffer out = buffer_over(entry->commit, sizeof entry->commit);
    commit_encode(commit, &out);
    CHECK(!out.overflow);
    CHECK(slot < EXECUTOR_SLOTS);
    entry->is_commit = true;
    entry->slot = slot;
    entry->commit_bytes = out.size;
    publish(executing);
    return ERR_OK;
}

static void run_job(struct executing *executing, struct entry *entry) {
    const uint64_t begin = monotonic_us();
    struct block_outcome *outcome = &executing->outcomes[entry->job.slot];
    CHECK(entry->job.slot < EXECUTOR_SLOTS);
    entry->job.view = &executing->view->chain;
    executor_run(executing->executor, &entry->job, outcome);
    struct stretch spares[EXECUTOR_SPARES_MAX];
    memory_give_back(spares, executor_spare(executing->executor, spares));
    atomic_store(&executing->execute_last_us, monotonic_us() - begin);
    executing->events.executed(executing->events.context, outcome);
}

static void run_commit(struct executing *executing, struct entry *entry) {
    const uint64_t begin = monotonic_us();
    const struct block_outcome *outcome = &executing->outcomes[entry->slot];
    const struct bytes commit = {entry->commit, entry->commit_bytes};
    struct ledger_view *given = NULL;
    struct arena *scratch = &executing->ledger->scratch;
    enum err err = ledger_commit(executing->ledger, outcome, commit, executing->view);
    const struct stretch spare = arena_spare(scratch, SCRATCH_KEEP_BYTES);
    memory_give_back(&spare, 1);
    if (err == ERR_OK) {
        ledger_view_close(executing->view);
        err = ledger_view_open(executing->ledger, executing->view);
    }
    if (err == ERR_OK) {
        given = malloc(sizeof *given);
        err = given == NULL ? ERR_MEMORY : ledger_view_open(executing->ledger, given);
    }
    if (err != ERR_OK) {
        free(given);
        given = NULL;
    }
    atomic_store(&executing->commit_last_us, monotonic_us() - begin);
    executing->events.committed(executing->events.context, err, given, outcome);
}

static void *thread_main(void *context) {
    struct executing *executing = context;
    for (;;) {
        gate_lock(&executing->gate);
        while (executing->count == 0 && !executing->is_stopping) {
            (void)gate_wait(&executing->gate, GATE_FOREVER);
        }
        const bool is_done = executing->is_stopping;
        gate_unlock(&executing->gate);
        if (is_done) return NULL;

        struct entry *entry = &executing->entries[executing->first];
        if (entry->is_commit) {
            run_commit(executing, entry);
        } else {
            run_job(executing, entry);
        }
        gate_lock(&executing->gate);
        executing->first = (executing->first + 1) % EXECUTING_JOBS_MAX;
        executing->count -= 1;
        gate_unlock(&executing->gate);
    }
}

/* open_memory reserves what the jobs need and opens the view that they read. */
static enum err open_memory(struct executing *executing, const struct executor_config *config,
                            size_t slot_bytes) {
    void *memory;
    const size_t bytes = executor_bytes(slot_bytes);
    TRY(memory_reserve(bytes, &executing->executor_memory));
    executing->executor_memory_bytes = bytes;
    TRY(executor_create(executing->executor_memory, bytes, slot_bytes, config,
                        &executing->executor));
    for (size_t i = 0; i < EXECUTING_JOBS_MAX; i++) {
        TRY(memory_reserve(JOB_ARENA_BYTES, &memory));
        executing->entries[i].arena = arena_over(memory, JOB_ARENA_BYTES);
    }
    struct ledger_view *view = calloc(1, sizeof *view);
    if (view == NULL) return ERR_MEMORY;
    const enum err err = ledger_view_open(executing->ledger, view);
    if (err != ERR_OK) {
        free(view);
        return err;
    }
    executing->view = view;
    return ERR_OK;
}

enum err executing_start(struct ledger *ledger, const struct executor_config *config,
                         size_t slot_bytes, const struct executing_events *events,
                         struct executing **out) {
    struct executing *executing = calloc(1, sizeof *executing);
    if (executing == NULL) return ERR_MEMORY;
    executing->ledger = ledger;
    executing->events = *events;
    gate_create(&executing->gate);
    enum err err = open_memory(executing, config, slot_bytes);
    if (err == ERR_OK && pthread_create(&executing->thread, NULL, thread_main, executing) != 0) {
        err = ERR_SYSTEM;
    }
    executing->has_thread = err == ERR_OK;
    if (err != ERR_OK) {
        executing_stop(executing);
        return err;
    }
    *out = executing;
    return ERR_OK;
}

void executing_stop(struct executing *executing) {
    gate_lock(&executing->gate);
    executing->is_stopping = true;
    gate_wake(&executing->gate);
    gate_unlock(&executing->gate);
    if (executing->has_thread) pthread_join(executing->thread, NULL);
    if (executing->view != NULL) ledger_view_close(executing->view);
    free(executing->view);
    pages_release(executing->executor_memory, executing->executor_memory_bytes);
    for (size_t i = 0; i < EXECUTING_JOBS_MAX; i++) {
        pages_release(executing->entries[i].arena.data, JOB_ARENA_BYTES);
    }
    gate_destroy(&executing->gate);
    free(executing);
}

struct executing_times executing_times(struct executing *executing) {
    return (struct executing_times){atomic_load(&executing->execute_last_us),
                                    atomic_load(&executing->commit_last_us)};
}
