/* Building a block: items are tried in turn until time, gas or bytes are used up. */
#include "base/check.h"
#include "base/keccak.h"
#include "sequencer/beacon_watch.h"
#include "sequencer/executor_internal.h"
#include "sequencer/package.h"
#include "workloads/system_contracts.h"

/* EIP-4788's ring: timestamps at [0, 8191), roots behind them. */
#define BEACON_RING 8191u

/* How often a block whose items looked at the frame's hash is executed with the true one before it
 * goes without items. */
#define BUILD_PASSES_MAX 3

/* Less gas than this runs no transaction. */
#define WEIGHT_LEAST 21000u

struct build {
    struct executor *executor;
    const struct block_job *job;
    struct arena *arena;
    struct block_outcome *out;
    enum fork fork;
    const struct item **included; /* in order; room for all candidates */
    size_t included_count;
    struct hash32 *hashes; /* of the included */
    struct hash32 *rejected;
    enum verdict *rejected_verdicts;
    size_t rejected_count;
    struct beacon_watch watch;
};

static void header_begin(struct build *build, struct header *header) {
    const struct block_job *job = build->job;
    const struct header *parent = &job->view->head;
    *header = header_empty(build->fork);
    header->parent_hash = job->view->head_hash;
    header->coinbase = job->frame.proposer;
    header->number = job->height;
    header->gas_limit = parent->gas_limit;
    header->timestamp = job->frame.time_ms / 1000;
    header->mix_hash = executor_randao(&job->frame);
    header->base_fee = header_next_base_fee(parent);
    header->excess_blob_gas =
        header_next_excess_blob_gas(build->executor->config.chain, build->fork, parent);
}

/* stays says whether an item that cannot be in this block may be in a later one. */
static bool stays(const struct item *item, enum verdict verdict, uint64_t gas_limit) {
    switch (verdict) {
    case VERDICT_NONCE_TOO_HIGH:
    case VERDICT_FEE_BELOW_BASE:
    case VERDICT_BLOB_FEE: return true;
    case VERDICT_BLOCK_GAS: return item->weight <= gas_limit;
    default: return false;
    }
}

static void reject(struct build *build, const struct item *item, enum verdict verdict) {
    build->rejected[build->rejected_count] = item->hash;
    build->rejected_verdicts[build->rejected_count] = verdict;
    build->rejected_count += 1;
}

/* begin opens the block on a fresh overlay, with `root` as the frame's hash. */
static enum err begin(struct build *build, const struct hash32 *root, size_t items_max) {
    struct executor *executor = build->executor;
    struct block_outcome *out = build->out;
    header_begin(build, &out->header);
    out->header.parent_beacon_root = *root;
    struct state *state;
    TRY(state_begin(build->arena, &build->job->view->state, &state));
    TRY(ethereum_block_begin(&executor->block, executor->evm, state, build->arena,
                             executor->config.chain, &build->job->view->ancestors, &out->header,
                             items_max));
    const struct evm_host inner = executor->block.host;
    executor->block.host = beacon_watch_begin(&build->watch, &inner);
    return ERR_OK;
}

/* fill applies candidates in their order until time, gas or the list ends. */
static enum err fill(struct build *build) {
    const struct executor_config *config = &build->executor->config;
    const struct block_job *job = build->job;
    struct ethereum_block *block = &build->executor->block;
    const uint64_t gas_limit = build->out->header.gas_limit;
    build->included_count = 0;
    for (size_t i = 0; i < job->candidates_count; i++) {
        if (gas_limit - block->gas_used < WEIGHT_LEAST) break;
        if (config->now_ms != NULL && job->deadline_ms != 0 &&
            config->now_ms(config->now_context) >= job->deadline_ms) {
            break;
        }
        const struct item *item = &job->candidates[i];
        enum verdict verdict;
        TRY(workload_by_kind(item->kind)->apply(block, item, &verdict));
        if (verdict == VERDICT_ACCEPTED) {
            build->included[build->included_count++] = item;
        } else if (!stays(item, verdict, gas_limit)) {
            reject(build, item, verdict);
        }
    }
    return ERR_OK;
}

/* refill applies the included items again; what cannot run with this frame's hash falls out. */
static enum err refill(struct build *build) {
    size_t kept = 0;
    for (size_t i = 0; i < build->included_count; i++) {
        const struct item *item = build->included[i];
        enum verdict verdict;
        TRY(workload_by_kind(item->kind)->apply(&build->executor->block, item, &verdict));
        if (verdict == VERDICT_ACCEPTED) build->included[kept++] = item;
    }
    build->included_count = kept;
    return ERR_OK;
}

static void frame_finish(struct build *build, struct hash32 *root) {
    struct frame *frame = &build->out->frame;
    *frame = build->job->frame;
    for (size_t i = 0; i < build->included_count; i++)
        build->hashes[i] = build->included[i]->hash;
    frame->items_root = package_items_root(build->hashes, build->included_count);
    frame->workload_roots_count = 1;
    frame->workload_roots[0] = build->job->view->head.state_root;
    *root = frame_hash(frame);
}

/* root_replace puts the true frame hash where the system call put `stand_in`. */
static enum err root_replace(struct build *build, const struct hash32 *stand_in,
                             const struct hash32 *root) {
    struct state *state = build->executor->block.world.state;
    const uint64_t slot = build->out->header.timestamp % BEACON_RING + BEACON_RING;
    struct hash32 key = {{0}};
    be_write(key.bytes + 24, 8, slot);
    struct u256 found;
    state_storage(state, &system_beacon_roots.address, &key, &found);
    const struct u256 expected = u256_from_hash(stand_in);
    if (u256_equal(&found, &expected)) { /* else the genesis has no such contract */
        const struct u256 value = u256_from_hash(root);
        state_set_storage(state, &system_beacon_roots.address, &key, &value);
        state_end_transaction(state, true);
    }
    build->out->header.parent_beacon_root = *root;
    return state_error(state);
}

/* execute runs passes until header, frame and items fit each other. */
static enum err execute(struct build *build) {
    const struct hash32 stand_in = keccak256(hash_bytes(&build->job->view->head_hash));
    struct hash32 root;
    TRY(begin(build, &stand_in, build->job->candidates_count));
    TRY(fill(build));
    frame_finish(build, &root);
    if (!build->watch.was_used) return root_replace(build, &stand_in, &root);
    for (int pass = 0;; pass++) {
        if (pass == BUILD_PASSES_MAX) build->included_count = 0;
        const size_t count = build->included_count;
        frame_finish(build, &root);
        TRY(begin(build, &root, count));
        TRY(refill(build));
        if (build->included_count == count) return ERR_OK;
    }
}

static enum err block_finish(struct build *build, struct block *block) {
    struct block_outcome *out = build->out;
    struct arena *arena = build->arena;
    struct bytes *transactions = arena_array(arena, build->included_count, sizeof *transactions);
    struct address *lanes = arena_array(arena, build->included_count, sizeof *lanes);
    if (build->included_count != 0 && (transactions == NULL || lanes == NULL)) return ERR_LIMIT;
    for (size_t i = 0; i < build->included_count; i++) {
        transactions[i] = build->included[i]->encoded;
        lanes[i] = build->included[i]->lane;
    }
    struct block_fault fault;
    memset(&fault, 0, sizeof fault);
    TRY(ethereum_block_end(&build->executor->block, NULL, 0, NULL, 0, &out->header, &fault));
    CHECK(fault.verdict == VERDICT_ACCEPTED); /* we chose every part of it */
    TRY(transactions_root(transactions, build->included_count, arena,
                          &out->header.transactions_root));
    out->hash = header_hash(&out->header);
    out->item_hashes = build->hashes;
    out->item_lanes = lanes;
    out->items_count = build->included_count;
    *block = (struct block){.header = out->header,
                            .hash = out->hash,
                            .transactions = transactions,
                            .transactions_count = build->included_count,
                            .has_withdrawals = true};
    return ERR_OK;
}

static enum err package_finish(struct build *build, const struct block *block) {
    struct arena *arena = build->arena;
    struct block_package package = {.frame = build->out->frame,
                                    .last_commit = build->job->last_commit,
                                    .next_validators = build->job->next_validators};
    size_t mark;
    struct buffer buffer = executor_write_begin(arena, &mark);
    block_encode(block, &buffer);
    TRY(executor_write_end(arena, mark, &buffer, &package.ethereum_block));
    buffer = executor_write_begin(arena, &mark);
    frame_encode(&build->out->frame, &buffer);
    TRY(executor_write_end(arena, mark, &buffer, &package.frame_encoded));
    buffer = executor_write_begin(arena, &mark);
    block_package_encode(&package, &buffer);
    TRY(executor_write_end(arena, mark, &buffer, &build->out->package));
    if (build->out->package.size > BLOCK_PACKAGE_BYTES_MAX) return ERR_LIMIT;
    if (package.next_validators.size == 0) return ERR_OK;
    return validator_set_decode(package.next_validators, &build->out->next_validators);
}

static enum err build_run(struct build *build) {
    const size_t room = build->job->candidates_count + 1;
    build->included = arena_array(build->arena, room, sizeof *build->included);
    build->hashes = arena_array(build->arena, room, sizeof *build->hashes);
    build->rejected = arena_array(build->arena, room, sizeof *build->rejected);
    build->rejected_verdicts = arena_array(build->arena, room, sizeof *build->rejected_verdicts);
    if (build->included == NULL || build->hashes == NULL || build->rejected == NULL ||
        build->rejected_verdicts == NULL) {
        return ERR_LIMIT;
    }
    if (header_tail_fields(build->fork) < HEADER_TAIL_CANCUN) return ERR_CONFIG;
    TRY(execute(build));
    struct block block;
    TRY(block_finish(build, &block));
    TRY(package_finish(build, &block));
    build->out->rejected = build->rejected;
    build->out->rejected_verdicts = build->rejected_verdicts;
    build->out->rejected_count = build->rejected_count;
    return executor_finish(build->executor, build->arena, build->out);
}

void executor_build(struct executor *executor, const struct block_job *job, struct arena *arena,
                    struct block_outcome *out) {
    struct build build = {.executor = executor, .job = job, .arena = arena, .out = out};
    build.fork = fork_at(executor->config.chain, job->height, job->frame.time_ms / 1000);
    out->err = build_run(&build);
    out->verdict = VERDICT_ACCEPTED;
}
