/* eth_sendRawTransaction waits here for the sequencer's verdict; eth_sendRawTransactionSync waits
 * on, in the same place, until the notifier finds the transaction in a committed block. */
#include <stdlib.h>

#include "base/hex.h"
#include "base/keccak.h"
#include "rpc/encode.h"
#include "rpc/rpc_internal.h"
#include "rpc/submit.h"
#include "threads/clock.h"

#define RECEIPT_TEXT_BYTES_MAX ((size_t)8 << 20)
/* Late entries that are taken out under one hold of the lock. */
#define LATE_AT_ONCE 64

enum err rpc_submit_create(struct rpc *rpc) {
    pthread_mutex_init(&rpc->waiting_lock, NULL);
    rpc->waiting = calloc(RPC_SUBMITS_MAX, sizeof *rpc->waiting);
    return rpc->waiting == NULL ? ERR_MEMORY : ERR_OK;
}

void rpc_submit_destroy(struct rpc *rpc) {
    for (size_t i = 0; i < RPC_SUBMITS_MAX; i++) {
        if (!rpc->waiting[i].is_used) continue;
        rpc->waiting[i].is_used = false;
        rpc_task_free(rpc->waiting[i].task);
    }
    free(rpc->waiting);
    pthread_mutex_destroy(&rpc->waiting_lock);
}

/* reserve finds a free place; false when all wait, or too many wait for blocks. */
static bool reserve(struct rpc *rpc, const struct waiting *waiting, uint64_t *token) {
    bool found = false;
    pthread_mutex_lock(&rpc->waiting_lock);
    const bool fits = rpc->waiting_count < RPC_SUBMITS_MAX &&
                      (!waiting->is_sync || rpc->syncs_count < RPC_SYNCS_MAX);
    for (unsigned i = 0; i < RPC_SUBMITS_MAX && fits; i++) {
        const unsigned place = (rpc->waiting_next + i) % RPC_SUBMITS_MAX;
        struct waiting *entry = &rpc->waiting[place];
        if (entry->is_used) continue;
        const uint64_t generation = entry->generation + 1;
        *entry = *waiting;
        entry->generation = generation;
        entry->is_used = true;
        *token = generation << 16 | place;
        rpc->waiting_next = (place + 1) % RPC_SUBMITS_MAX;
        rpc->waiting_count += 1;
        if (waiting->is_sync) rpc->syncs_count += 1;
        found = true;
        break;
    }
    pthread_mutex_unlock(&rpc->waiting_lock);
    return found;
}

/* remove_entry empties a place; the lock is held. */
static void remove_entry(struct rpc *rpc, struct waiting *entry) {
    entry->is_used = false;
    rpc->waiting_count -= 1;
    if (entry->is_sync) rpc->syncs_count -= 1;
}

/* take removes the entry of a token; false when it is gone (timed out).  With `keep_sync` an entry
 * that also waits for a block stays, admitted, and false is the result. */
static bool take(struct rpc *rpc, uint64_t token, bool keep_sync, struct waiting *out) {
    struct waiting *entry = &rpc->waiting[token % RPC_SUBMITS_MAX];
    pthread_mutex_lock(&rpc->waiting_lock);
    bool found = entry->is_used && entry->generation == token >> 16;
    if (found && keep_sync && entry->is_sync) {
        entry->is_admitted = true;
        found = false;
    }
    if (found) {
        *out = *entry;
        remove_entry(rpc, entry);
    }
    pthread_mutex_unlock(&rpc->waiting_lock);
    return found;
}

enum method_result rpc_submit_call(struct call *call, struct bytes raw, uint64_t sync_ms) {
    struct rpc *rpc = call->rpc;
    struct waiting waiting = {.task = call->task,
                              .index = call->index,
                              .deadline_ms = monotonic_ms() + RPC_SUBMIT_TIMEOUT_MS};
    uint64_t token;
    if (sync_ms > 0) {
        waiting.is_sync = true;
        waiting.hash = keccak256(raw);
        waiting.deadline_ms = monotonic_ms() + sync_ms;
    }
    if (!reserve(rpc, &waiting, &token)) {
        return rpc_call_error(call, RPC_SERVER_ERROR, "server is busy, try again");
    }
    const enum err err = call->backend->submit(call->backend->context, token, raw);
    if (err == ERR_OK) return METHOD_LATER;
    struct waiting ignored;
    if (!take(rpc, token, false, &ignored)) return METHOD_LATER; /* answered by its time-out */
    return rpc_call_failed(call, err);
}

/* answer_error finishes a waiting call with an error. */
static void answer_error(const struct waiting *waiting, int code, const char *message,
                         struct bytes data) {
    uint8_t memory[2048];
    struct buffer out = buffer_over(memory, sizeof memory);
    rpc_task_write_error(&out, waiting->task->requests.list[waiting->index].id, code, message, data,
                         data.size > 0);
    rpc_task_finish_call(waiting->task, waiting->index, buffer_bytes(&out));
}

/* is_mined says whether a transaction is in a committed block. */
static bool is_mined(const struct rpc *rpc, const struct hash32 *hash) {
    const struct rpc_backend *backend = &rpc->config.backend;
    struct rpc_view *view;
    struct rpc_transaction_place place;
    if (backend->view_open(backend->context, &view) != ERR_OK) return false;
    const bool found = backend->transaction_place(view, hash, &place) == ERR_OK;
    backend->view_close(view);
    return found;
}

void rpc_submitted(struct rpc *rpc, const struct rpc_submit_result *result) {
    struct waiting waiting;
    uint8_t memory[2048];
    const bool accepted = result->verdict == VERDICT_ACCEPTED;
    if (!take(rpc, result->token, accepted, &waiting)) return;
    if (!accepted) {
        /* sent again, and mined since: its nonce is too low because of itself */
        const bool is_known =
            result->verdict == VERDICT_NONCE_TOO_LOW && is_mined(rpc, &result->hash);
        answer_error(&waiting, RPC_SERVER_ERROR,
                     verdict_text(is_known ? VERDICT_ALREADY_KNOWN : result->verdict), BYTES_EMPTY);
        return;
    }
    struct buffer out = buffer_over(memory, sizeof memory);
    rpc_task_write_result_head(&out, waiting.task->requests.list[waiting.index].id);
    buffer_append_byte(&out, '"');
    hex_write_data(&out, hash_bytes(&result->hash));
    buffer_append(&out, BYTES_STRING("\"}"));
    rpc_task_finish_call(waiting.task, waiting.index, buffer_bytes(&out));
}

static void answer_late(const struct waiting *late) {
    if (late->is_sync) {
        answer_error(late, RPC_SYNC_TIMEOUT,
                     late->is_admitted
                         ? "the transaction is in the pool but was in no block in time"
                         : "the transaction was not checked in time; it may be in the pool",
                     hash_bytes(&late->hash));
        return;
    }
    answer_error(late, RPC_TIMEOUT,
                 "request timed out: the transaction may or may not be in the pool", BYTES_EMPTY);
}

/* take_late moves entries whose time is over to `late`; the result is how many. */
static size_t take_late(struct rpc *rpc, uint64_t now, struct waiting late[LATE_AT_ONCE]) {
    size_t count = 0;
    pthread_mutex_lock(&rpc->waiting_lock);
    unsigned left = rpc->waiting_count;
    for (size_t i = 0; left > 0 && count < LATE_AT_ONCE; i++) {
        struct waiting *entry = &rpc->waiting[i];
        if (!entry->is_used) continue;
        left -= 1;
        if (now < entry->deadline_ms) continue;
        late[count++] = *entry;
        remove_entry(rpc, entry);
    }
    pthread_mutex_unlock(&rpc->waiting_lock);
    return count;
}

void rpc_submit_expire(struct rpc *rpc) {
    struct waiting late[LATE_AT_ONCE];
    size_t count;
    do {
        count = take_late(rpc, monotonic_ms(), late);
        for (size_t i = 0; i < count; i++)
            answer_late(&late[i]);
    } while (count == LATE_AT_ONCE);
}

/* next_admitted copies the next entry from place *at on that waits for a block, and its token. */
static bool next_admitted(struct rpc *rpc, size_t *at, struct waiting *out, uint64_t *token) {
    bool found = false;
    pthread_mutex_lock(&rpc->waiting_lock);
    for (; *at < RPC_SUBMITS_MAX && rpc->syncs_count > 0 && !found; *at += 1) {
        const struct waiting *entry = &rpc->waiting[*at];
        if (!entry->is_used || !entry->is_admitted) continue;
        *out = *entry;
        *token = entry->generation << 16 | *at;
        found = true;
    }
    pthread_mutex_unlock(&rpc->waiting_lock);
    return found;
}

void rpc_submit_block(struct rpc *rpc, struct rpc_view *view, struct arena *arena) {
    struct waiting waiting;
    uint64_t token;
    uint8_t *memory = NULL;
    for (size_t at = 0; next_admitted(rpc, &at, &waiting, &token);) {
        struct rpc_transaction_place place;
        const struct rpc_backend *backend = &rpc->config.backend;
        if (backend->transaction_place(view, &waiting.hash, &place) != ERR_OK) continue;
        if (!take(rpc, token, false, &waiting)) continue;
        const size_t mark = arena_mark(arena);
        if (memory == NULL) memory = malloc(RECEIPT_TEXT_BYTES_MAX);
        CHECK(memory != NULL);
        struct buffer out = buffer_over(memory, RECEIPT_TEXT_BYTES_MAX);
        rpc_task_write_result_head(&out, waiting.task->requests.list[waiting.index].id);
        struct json_writer json = json_over(&out);
        const enum err err = rpc_encode_receipt_at(&json, backend, view, &place, arena);
        buffer_append_byte(&out, '}');
        arena_release(arena, mark);
        if (err != ERR_OK || out.overflow) {
            answer_error(&waiting, RPC_INTERNAL, "the receipt cannot be read", BYTES_EMPTY);
        } else {
            rpc_task_finish_call(waiting.task, waiting.index, buffer_bytes(&out));
        }
    }
    free(memory);
}
