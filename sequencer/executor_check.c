/* Checking a block that somebody else built: every field, by executing it. */
#include "base/check.h"
#include "sequencer/executor_internal.h"
#include "sequencer/package.h"

/* A block that is being checked. */
struct check {
    struct executor *executor;
    const struct block_job *job;
    struct arena *arena;
    struct block_outcome *out;
    struct block_package package;
    struct block block;
    struct address *senders;
    struct hash32 *hashes;
};

/* The functions below return NULL, or why the block is invalid.  What the header's hash says about
 * the rest of the package, package_bind has held against it. */

static const char *frame_fault(const struct check *check) {
    const struct block_job *job = check->job;
    const struct frame *frame = &check->package.frame;
    const struct frame *parent = &job->view->head_frame;
    const struct hash32 validators_hash = validator_set_hash(&job->validators);
    if (frame->height != job->height) return "frame is of another height";
    if (frame->time_ms <= parent->time_ms) return "time is not after the parent's";
    if (frame->l1_number < parent->l1_number) return "L1 origin goes back";
    if (!hash_equal(&frame->validators_hash, &validators_hash)) return "validator set differs";
    if (validator_set_find(&job->validators, &frame->proposer) < 0) {
        return "proposer is not a validator";
    }
    if (frame->workload_roots_count != 1) return "workload roots differ";
    if (!hash_equal(&frame->workload_roots[0], &job->view->head.state_root)) {
        return "workload roots differ";
    }
    return NULL;
}

static const char *next_validators_fault(const struct check *check) {
    const struct block_job *job = check->job;
    const struct frame *frame = &check->package.frame;
    const struct bytes carried = check->package.next_validators;
    if (!hash_is_zero(&job->next_validators_hash)) {
        return hash_equal(&frame->next_validators_hash, &job->next_validators_hash)
                   ? NULL
                   : "next validator set differs";
    }
    if (validator_set_decode(carried, &check->out->next_validators) != ERR_OK) {
        return "next validators do not decode";
    }
    return NULL;
}

static const char *header_fault(const struct check *check) {
    const struct header *header = &check->block.header;
    const struct frame *frame = &check->package.frame;
    const struct header *parent = &check->job->view->head;
    if (header->number != check->job->height) return "number is not the height";
    if (!hash_equal(&header->parent_hash, &check->job->view->head_hash)) return "parent differs";
    const struct hash32 randao = executor_randao(frame);
    if (!hash_equal(&header->mix_hash, &randao)) return "randao differs";
    if (header->timestamp != frame->time_ms / 1000) return "timestamp is not the frame's";
    if (!address_equal(&header->coinbase, &frame->proposer)) return "coinbase is not the proposer";
    if (header->gas_limit != parent->gas_limit) return "gas limit differs";
    return header->extra_bytes == 0 ? NULL : "extra data is not empty";
}

static const char *commits_fault(const struct check *check) {
    const struct block_job *job = check->job;
    const struct bytes last = check->package.last_commit;
    if (job->height == 1) {
        if (last.size != 0) return "block 1 has a last commit";
    } else if (executor_commit_verify(check->executor, last, job->height - 1, &job->view->head_hash,
                                      &job->last_validators) != ERR_OK) {
        return "last commit does not verify";
    }
    if (job->commit.size == 0) return NULL;
    if (executor_commit_verify(check->executor, job->commit, job->height, &check->block.hash,
                               &job->validators) == ERR_OK) {
        return NULL;
    }
    check->out->is_unproven = true;
    return "commit does not verify";
}

/* bind takes the hashes of the items from whoever held the package against its hash, or does so. */
static enum err bind(struct check *check, const char **fault) {
    const struct block_job *job = check->job;
    const size_t count = check->block.transactions_count;
    check->hashes = arena_array(check->arena, count, sizeof *check->hashes);
    if (count != 0 && check->hashes == NULL) return ERR_LIMIT;
    if (job->item_hashes != NULL) {
        CHECK(job->item_hashes_count == count);
        if (count != 0) memcpy(check->hashes, job->item_hashes, count * sizeof *check->hashes);
        return ERR_OK;
    }
    struct package_parts parts;
    *fault = package_bind(check->out->package, &check->block.hash,
                          hash_is_zero(&job->next_validators_hash), check->hashes, count, &parts);
    return ERR_OK;
}

/* senders_find fills who sent each transaction: what the pool knows need not be recovered again. */
static enum err senders_find(struct check *check, const char **fault) {
    const struct block_job *job = check->job;
    const size_t count = check->block.transactions_count;
    check->senders = arena_array(check->arena, count, sizeof *check->senders);
    if (count != 0 && check->senders == NULL) return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        const struct bytes encoded = check->block.transactions[i];
        if (encoded.data[0] == TRANSACTION_BLOB) {
            *fault = "block has a blob transaction";
            return ERR_OK;
        }
        if (i < job->senders_count && !address_is_zero(&job->senders[i])) {
            check->senders[i] = job->senders[i];
            continue;
        }
        const size_t mark = arena_mark(check->arena);
        struct transaction transaction;
        enum verdict verdict = transaction_decode(encoded, check->arena, &transaction);
        if (verdict == VERDICT_ACCEPTED) verdict = transaction_recover(&transaction);
        arena_release(check->arena, mark);
        if (verdict != VERDICT_ACCEPTED) {
            *fault = "a transaction has no sender";
            return ERR_OK;
        }
        check->senders[i] = transaction.sender;
    }
    return ERR_OK;
}

static enum err execute(struct check *check, const char **fault) {
    struct executor *executor = check->executor;
    const struct block_job *job = check->job;
    struct state *state;
    TRY(state_begin(check->arena, &job->view->state, &state));
    struct block_fault found;
    memset(&found, 0, sizeof found);
    TRY(ethereum_block_check(&executor->block, executor->evm, state, check->arena,
                             executor->config.chain, &job->view->ancestors, &job->view->head,
                             &check->block, check->senders, &found));
    if (found.verdict != VERDICT_ACCEPTED) {
        *fault = found.reason != NULL ? found.reason : verdict_text(found.verdict);
    }
    return ERR_OK;
}

static bool is_included(const struct check *check, const struct hash32 *hash) {
    for (size_t i = 0; i < check->block.transactions_count; i++) {
        if (hash_equal(&check->hashes[i], hash)) return true;
    }
    return false;
}

/* could_run_before says whether the proposer had to know that the item can run: by the parent's
 * state. */
static enum err could_run_before(struct check *check, const struct item *item, bool *out) {
    const struct block_job *job = check->job;
    const struct header *header = &check->block.header;
    const struct admit_context context = {
        .config = check->executor->config.chain,
        .reader = &job->view->state,
        .fork = fork_at(check->executor->config.chain, job->height, header->timestamp),
        .base_fee = header->base_fee,
        .block_weight_max = header->gas_limit};
    struct lane_view lane;
    enum verdict verdict;
    memset(&lane, 0, sizeof lane);
    TRY(workload_by_kind(item->kind)->admit(&context, item, check->arena, &lane, &verdict));
    *out = verdict == VERDICT_ACCEPTED && item->sequence == lane.sequence_next &&
           !u256_less(&item->fee_max, &header->base_fee);
    return ERR_OK;
}

/* forced_check tries what the block leaves out on the state after it, too: what cannot run there
 * (its sequence was used, its lane cannot pay) is no fault of the proposer's.  For gas it competes
 * only with what was forced as well.  Everything else of the outcome is written by then. */
static enum err forced_check(struct check *check) {
    struct ethereum_block *block = &check->executor->block;
    const struct block_job *job = check->job;
    uint64_t weight = 0;
    for (size_t i = 0; i < job->candidates_count; i++) {
        const struct item *item = &job->candidates[i];
        if (is_included(check, &item->hash) && weight < block->env.gas_limit) {
            weight += item->weight;
        }
    }
    block->receipts = arena_array(check->arena, 1, sizeof *block->receipts);
    if (block->receipts == NULL) return ERR_LIMIT;
    for (size_t i = 0; i < job->candidates_count && !check->out->omits_forced; i++) {
        const struct item *item = &job->candidates[i];
        bool could_run;
        if (is_included(check, &item->hash)) continue;
        TRY(could_run_before(check, item, &could_run));
        if (!could_run) continue;
        block->receipts_count = 0;
        block->receipts_max = 1;
        block->gas_used = weight < block->env.gas_limit ? weight : block->env.gas_limit;
        enum verdict verdict;
        TRY(workload_by_kind(item->kind)->apply(block, item, &verdict));
        check->out->omits_forced = verdict == VERDICT_ACCEPTED;
    }
    return ERR_OK;
}

static enum err check_run(struct check *check, const char **fault) {
    struct block_outcome *out = check->out;
    const struct block_job *job = check->job;
    /* A copy: the outcome outlives the job. */
    if (!arena_copy(check->arena, job->package, &out->package)) return ERR_LIMIT;
    *fault = "package does not decode";
    if (block_package_decode(out->package, &check->package) != ERR_OK) return ERR_OK;
    const enum err err = block_decode(check->package.ethereum_block, check->arena, &check->block);
    if (err != ERR_OK) return ERR_OK;
    out->frame = check->package.frame;
    out->header = check->block.header;
    out->hash = check->block.hash;
    *fault = "another block than expected";
    if (!hash_is_zero(&job->expected) && !hash_equal(&job->expected, &out->hash)) return ERR_OK;
    *fault = NULL;
    TRY(bind(check, fault));
    if (*fault == NULL) *fault = frame_fault(check);
    if (*fault == NULL) *fault = next_validators_fault(check);
    if (*fault == NULL) *fault = header_fault(check);
    if (*fault == NULL) *fault = commits_fault(check);
    if (*fault != NULL) return ERR_OK;
    TRY(senders_find(check, fault));
    if (*fault != NULL) return ERR_OK;
    TRY(execute(check, fault));
    if (*fault != NULL) return ERR_OK;
    out->item_hashes = check->hashes;
    out->item_lanes = check->senders;
    out->items_count = check->block.transactions_count;
    TRY(executor_finish(check->executor, check->arena, out));
    return job->candidates_count == 0 ? ERR_OK : forced_check(check);
}

void executor_check(struct executor *executor, const struct block_job *job, struct arena *arena,
                    struct block_outcome *out) {
    struct check check = {.executor = executor, .job = job, .arena = arena, .out = out};
    const char *fault = NULL;
    out->err = check_run(&check, &fault);
    out->verdict = fault == NULL ? VERDICT_ACCEPTED : VERDICT_BLOCK_INVALID;
    out->reason = fault;
}
