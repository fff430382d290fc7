/* eth_sendRawTransaction: a submission waits here for the sequencer's verdict. */
#include <stdlib.h>

#include "base/hex.h"
#include "rpc/rpc_internal.h"
#include "rpc/submit.h"

enum err submit_create(struct rpc *rpc) {
    pthread_mutex_init(&rpc->waiting_lock, NULL);
    rpc->waiting = calloc(RPC_SUBMITS_MAX, sizeof *rpc->waiting);
    return rpc->waiting == NULL ? ERR_MEMORY : ERR_OK;
}

void submit_destroy(struct rpc *rpc) {
    for (size_t i = 0; i < RPC_SUBMITS_MAX; i++) {
        if (!rpc->waiting[i].is_used) continue;
        rpc->waiting[i].is_used = false;
        task_free(rpc->waiting[i].task);
    }
    free(rpc->waiting);
    pthread_mutex_destroy(&rpc->waiting_lock);
}

/* reserve finds a free place; false when all wait. */
static bool reserve(struct rpc *rpc, const struct waiting *waiting, uint64_t *token) {
    bool found = false;
    pthread_mutex_lock(&rpc->waiting_lock);
    for (unsigned i = 0; i < RPC_SUBMITS_MAX && rpc->waiting_count < RPC_SUBMITS_MAX; i++) {
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
        found = true;
        break;
    }
    pthread_mutex_unlock(&rpc->waiting_lock);
    return found;
}

/* take removes the entry of a token; false when it is gone (timed out). */
static bool take(struct rpc *rpc, uint64_t token, struct waiting *out) {
    struct waiting *entry = &rpc->waiting[token % RPC_SUBMITS_MAX];
    pthread_mutex_lock(&rpc->waiting_lock);
    const bool found = entry->is_used && entry->generation == token >> 16;
    if (found) {
        *out = *entry;
        entry->is_used = false;
        rpc->waiting_count -= 1;
    }
    pthread_mutex_unlock(&rpc->waiting_lock);
    return found;
}

enum method_result submit_call(struct call *call, struct bytes raw) {
    struct rpc *rpc = call->rpc;
    const struct waiting waiting = {.task = call->task,
                                    .index = call->index,
                                    .deadline_ms = rpc_now_ms() + RPC_SUBMIT_TIMEOUT_MS};
    uint64_t token;
    if (!reserve(rpc, &waiting, &token)) {
        return call_error(call, RPC_SERVER_ERROR, "server is busy, try again");
    }
    const enum err err = call->backend->submit(call->backend->context, token, raw);
    if (err == ERR_OK) return METHOD_LATER;
    struct waiting ignored;
    if (!take(rpc, token, &ignored)) return METHOD_LATER; /* answered already, by its time-out */
    return call_failed(call, err);
}

/* answer_error finishes a waiting call with an error. */
static void answer_error(const struct waiting *waiting, int code, const char *message) {
    uint8_t memory[2048];
    struct buffer out = buffer_over(memory, sizeof memory);
    task_write_error(&out, waiting->task->answers[waiting->index].id, code, message, BYTES_EMPTY,
                     false);
    task_finish_call(waiting->task, waiting->index, buffer_bytes(&out));
}

void rpc_submitted(struct rpc *rpc, const struct rpc_submit_result *result) {
    struct waiting waiting;
    uint8_t memory[2048];
    if (!take(rpc, result->token, &waiting)) return;
    if (result->verdict != VERDICT_ACCEPTED) {
        answer_error(&waiting, RPC_SERVER_ERROR, verdict_text(result->verdict));
        return;
    }
    struct buffer out = buffer_over(memory, sizeof memory);
    task_write_head(&out, waiting.task->answers[waiting.index].id);
    buffer_append(&out, BYTES_STRING(",\"result\":\""));
    hex_write_data(&out, hash_bytes(&result->hash));
    buffer_append(&out, BYTES_STRING("\"}"));
    task_finish_call(waiting.task, waiting.index, buffer_bytes(&out));
}

void submit_expire(struct rpc *rpc) {
    const uint64_t now = rpc_now_ms();
    if (rpc->waiting_count == 0) return;
    for (unsigned i = 0; i < RPC_SUBMITS_MAX; i++) {
        pthread_mutex_lock(&rpc->waiting_lock);
        struct waiting *entry = &rpc->waiting[i];
        const bool is_late = entry->is_used && now >= entry->deadline_ms;
        const struct waiting late = *entry;
        if (is_late) {
            entry->is_used = false;
            rpc->waiting_count -= 1;
        }
        pthread_mutex_unlock(&rpc->waiting_lock);
        if (is_late) {
            answer_error(&late, RPC_TIMEOUT,
                         "request timed out: the transaction may or may not be in the pool");
        }
    }
}
