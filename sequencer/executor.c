#include "sequencer/executor.h"

#include "base/check.h"
#include "base/keccak.h"
#include "sequencer/executor_internal.h"

#define SLOT_KEEP_BYTES ((size_t)4 << 20)
#define USUAL_JOBS      16 /* of so many the usual size is a mean */

size_t executor_bytes(size_t slot_bytes) {
    return sizeof(struct executor) + EVM_ARENA_BYTES + EXECUTOR_SLOTS * (slot_bytes + 64) + 4096;
}

enum err executor_create(void *memory, size_t memory_bytes, size_t slot_bytes,
                         const struct executor_config *config, struct executor **out) {
    struct arena arena = arena_over(memory, memory_bytes);
    struct executor *executor = arena_alloc_zero(&arena, sizeof *executor);
    /* The EVM wants memory that is zero or fresh: it comes untouched from what we were given. */
    void *evm_memory = arena_alloc(&arena, EVM_ARENA_BYTES);
    if (executor == NULL || evm_memory == NULL) return ERR_LIMIT;
    TRY(evm_create(evm_memory, EVM_ARENA_BYTES, &executor->evm));
    for (int i = 0; i < EXECUTOR_SLOTS; i++) {
        void *slot = arena_alloc(&arena, slot_bytes);
        if (slot == NULL) return ERR_LIMIT;
        executor->slots[i] = arena_over(slot, slot_bytes);
    }
    executor->config = *config;
    *out = executor;
    return ERR_OK;
}

void executor_run(struct executor *executor, const struct block_job *job,
                  struct block_outcome *out) {
    CHECK(job->slot < EXECUTOR_SLOTS);
    CHECK(job->view->head.number + 1 == job->height);
    struct arena *arena = &executor->slots[job->slot];
    arena_reset(arena);
    memset(out, 0, sizeof *out);
    out->kind = job->kind;
    out->slot = job->slot;
    out->height = job->height;
    out->round = job->round;
    executor->height = executor->slot_heights[job->slot] = job->height;
    if (job->kind == JOB_BUILD) {
        executor_build(executor, job, arena, out);
    } else {
        executor_check(executor, job, arena, out);
    }
    executor->slot_bytes_usual += arena->used / USUAL_JOBS;
    executor->slot_bytes_usual -= executor->slot_bytes_usual / USUAL_JOBS;
}

size_t executor_spare(struct executor *executor, struct stretch out[EXECUTOR_SPARES_MAX]) {
    const size_t usual = 2 * executor->slot_bytes_usual;
    size_t count = evm_spare(executor->evm, out);
    for (int i = 0; i < EXECUTOR_SLOTS; i++) {
        struct arena *slot = &executor->slots[i];
        /* Two heights on, the slot's block is decided and its outcome was used. */
        if (executor->slot_heights[i] + 2 <= executor->height) arena_reset(slot);
        out[count] = arena_spare(slot, usual > SLOT_KEEP_BYTES ? usual : SLOT_KEEP_BYTES);
        if (out[count].size != 0) count++;
    }
    return count;
}

struct hash32 executor_randao(const struct frame *frame) {
    uint8_t message[32 + 8];
    memcpy(message, frame->l1_hash.bytes, 32);
    be_write(message + 32, 8, frame->height);
    return keccak256(BYTES_OF(message));
}

enum err executor_commit_verify(struct executor *executor, struct bytes encoded, uint64_t height,
                                const struct hash32 *block, const struct validator_set *set) {
    /* What was verified is a commit's bytes for one block by one set. */
    const struct hash32 set_hash = validator_set_hash(set);
    struct keccak context;
    keccak_init(&context);
    keccak_update(&context, hash_bytes(&set_hash));
    keccak_update(&context, hash_bytes(block));
    keccak_update(&context, encoded);
    const struct hash32 name = keccak_final(&context);
    for (int i = 0; i < EXECUTOR_COMMITS_KNOWN; i++) {
        if (hash_equal(&executor->commits_known[i], &name)) return ERR_OK;
    }
    struct commit commit;
    TRY(commit_decode(encoded, &commit));
    TRY(commit_verify(&commit, height, block, set, executor->config.chain->rollup.fault_model,
                      &executor->config.domain, &executor->config.recoverer));
    executor->commits_known[executor->commits_next++ % EXECUTOR_COMMITS_KNOWN] = name;
    return ERR_OK;
}

struct buffer executor_write_begin(struct arena *arena, size_t *mark) {
    *mark = arena_mark(arena);
    const size_t rest = arena->capacity - arena->used;
    const size_t usable = rest < 64 ? 0 : rest - 64;
    const size_t peak = arena->peak;
    uint8_t *data = usable == 0 ? NULL : arena_alloc(arena, usable);
    arena->peak = peak; /* lent, not used */
    return buffer_over(data, data == NULL ? 0 : usable);
}

enum err executor_write_end(struct arena *arena, size_t mark, struct buffer *buffer,
                            struct bytes *out) {
    arena_release(arena, mark);
    if (buffer->overflow) return ERR_LIMIT;
    const void *kept = arena_alloc(arena, buffer->size);
    CHECK(kept == buffer->data);
    *out = buffer_bytes(buffer);
    return ERR_OK;
}

enum err executor_finish(struct executor *executor, struct arena *arena,
                         struct block_outcome *out) {
    struct ethereum_block *block = &executor->block;
    TRY(state_writes(block->world.state, &out->writes, &out->writes_count));
    size_t mark;
    struct buffer receipts = executor_write_begin(arena, &mark);
    receipts_store_encode(block->receipts, block->receipts_count, &receipts);
    return executor_write_end(arena, mark, &receipts, &out->receipts);
}
