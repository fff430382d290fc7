/* Every block, when the first correct node commits it, is held against the rules once more: it is
 * executed again on a state of the judge's own, from the genesis on, and its frame is compared with
 * what the checker knows of the chain.  Nothing of the sequencer's own checking is used. */
#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/keccak.h"
#include "base/merkle.h"
#include "chain/block.h"
#include "chain/transaction.h"
#include "consensus/rotation.h"
#include "evm/evm.h"
#include "simulator/sequencer_node.h"
#include "simulator/sequencer_seal.h"

#define JUDGE_ARENA_BYTES ((size_t)8 << 20)

struct judge {
    struct kv_memory *kv;
    struct evm *evm;
    struct arena arena; /* of one block */
    struct header head;
    struct frame head_frame;
    uint64_t height; /* judged */
    struct ethereum_block block;
    struct hash32 hashes[JUDGE_HEIGHTS_MAX], roots[JUDGE_HEIGHTS_MAX];
};

/* One judge's memory for each thread, used by one run after the other. */
static void *thread_memory(uint32_t use, size_t bytes) {
    static _Thread_local uint8_t *memory[3];
    return thread_buffer(&memory[use], bytes);
}

void sequencer_judge_open(struct sequencer_shared *shared) {
    struct judge *judge = calloc(1, sizeof *judge);
    CHECK(judge != NULL);
    const struct kv_memory *genesis = sequencer_genesis(&judge->head, &judge->hashes[0]);
    judge->roots[0] = judge->head.state_root;
    judge->kv = kv_memory_clone(genesis, thread_memory(0, SEQUENCER_KV_BYTES), SEQUENCER_KV_BYTES);
    CHECK(judge->kv != NULL);
    CHECK(evm_create(thread_memory(1, EVM_ARENA_BYTES), EVM_ARENA_BYTES, &judge->evm) == ERR_OK);
    judge->arena = arena_over(thread_memory(2, JUDGE_ARENA_BYTES), JUDGE_ARENA_BYTES);
    shared->judge = judge;
}

void sequencer_judge_close(struct sequencer_shared *shared) {
    free(shared->judge);
}

const struct hash32 *sequencer_judge_hash(const struct sequencer_shared *shared, uint64_t height) {
    return height <= shared->judge->height ? &shared->judge->hashes[height] : NULL;
}

const struct hash32 *sequencer_judge_root(const struct sequencer_shared *shared, uint64_t height) {
    return height <= shared->judge->height ? &shared->judge->roots[height] : NULL;
}

static void ancestor_hash(void *context, uint64_t number, struct hash32 *out) {
    const struct judge *judge = context;
    *out = number <= judge->height ? judge->hashes[number] : (struct hash32){{0}};
}

/* The functions below say what is wrong; NULL: nothing. */

static const char *frame_fault(struct world *world, const struct judge *judge,
                               const struct block_package *package, const struct block *block) {
    const struct frame *frame = &package->frame;
    const struct hash32 root = keccak256(package->frame_encoded);
    if (!hash_equal(&root, &block->header.parent_beacon_root)) return "its frame is another";
    if (frame->height != judge->height + 1) return "its frame is of another height";
    if (block->header.timestamp != frame->time_ms / 1000) return "its time is not its frame's";
    if (frame->time_ms <= judge->head_frame.time_ms) return "its time is not after its parent's";
    if (!address_equal(&block->header.coinbase, &frame->proposer)) return "its coinbase is another";
    if (block->header.gas_limit != judge->head.gas_limit) return "its gas limit is another";
    const struct validator_set *set = checker_set(world, frame->height);
    const struct hash32 set_hash = validator_set_hash(set);
    if (!hash_equal(&set_hash, &frame->validators_hash)) return "it names other validators";
    if (!hash_equal(&frame->workload_roots[0], &judge->head.state_root)) {
        return "it names another state before it";
    }
    if (frame->l1_number < judge->head_frame.l1_number) return "its L1 origin goes back";
    if (frame->l1_number > sequencer_l1_finalized(world, 0)) return "its L1 origin is not final";
    if (package->last_commit.size == 0) {
        return frame->height == 1 && hash_is_zero(&frame->last_commit_hash)
                   ? NULL
                   : "it has no commit of its parent";
    }
    const struct hash32 commit_hash = keccak256(package->last_commit);
    if (!hash_equal(&commit_hash, &frame->last_commit_hash)) return "it names another commit";
    static _Thread_local struct commit commit;
    if (commit_decode(package->last_commit, &commit) != ERR_OK) return "its commit does not decode";
    if (!checker_is_proven(world, &commit, &judge->hashes[judge->height], judge->height)) {
        return "its commit of its parent proves nothing";
    }
    return NULL;
}

static const char *items_fault(const struct block *block, const struct frame *frame,
                               struct arena *arena) {
    struct hash32 *leaves = arena_array(arena, block->transactions_count + 1, sizeof *leaves);
    CHECK(leaves != NULL);
    for (size_t i = 0; i < block->transactions_count; i++) {
        const struct hash32 hash = keccak256(block->transactions[i]);
        leaves[i] = merkle_leaf(hash_bytes(&hash));
    }
    const struct hash32 root = merkle_root(leaves, block->transactions_count);
    return hash_equal(&root, &frame->items_root) ? NULL : "its items are others";
}

bool sequencer_seal(struct world *world, const struct sequencer_node *node, struct block *block,
                    struct arena *arena) {
    const struct sequencer_shared *shared = world->shared;
    struct judge *judge = shared->judge;
    struct header *header = &block->header;
    struct state *state;
    struct block_fault fault;
    memset(&fault, 0, sizeof fault);
    if (header->number != node->view.head.number + 1) return false;
    CHECK(state_begin(arena, &node->view.state, &state) == ERR_OK);
    CHECK(ethereum_block_begin(&judge->block, judge->evm, state, arena, &shared->config,
                               &node->view.ancestors, header, block->transactions_count) == ERR_OK);
    for (size_t i = 0; i < block->transactions_count; i++) {
        struct transaction transaction;
        struct evm_result result;
        enum verdict verdict = transaction_decode(block->transactions[i], arena, &transaction);
        if (verdict == VERDICT_ACCEPTED) verdict = transaction_recover(&transaction);
        if (verdict != VERDICT_ACCEPTED) return false;
        CHECK(ethereum_block_apply(&judge->block, &transaction, &verdict, &result) == ERR_OK);
        if (verdict != VERDICT_ACCEPTED) return false;
    }
    CHECK(ethereum_block_end(&judge->block, NULL, 0, NULL, 0, header, &fault) == ERR_OK);
    return fault.verdict == VERDICT_ACCEPTED;
}

static const char *execution_fault(struct world *world, struct judge *judge,
                                   const struct block *block) {
    const struct sequencer_shared *shared = world->shared;
    const struct kv_reader reader = kv_memory_reader(judge->kv);
    const struct ethereum_ancestors ancestors = {judge, ancestor_hash};
    struct state *state;
    struct block_fault fault;
    memset(&fault, 0, sizeof fault);
    CHECK(state_begin(&judge->arena, &reader, &state) == ERR_OK);
    CHECK(ethereum_block_check(&judge->block, judge->evm, state, &judge->arena, &shared->config,
                               &ancestors, &judge->head, block, NULL, &fault) == ERR_OK);
    if (fault.verdict != VERDICT_ACCEPTED) {
        return fault.reason != NULL ? fault.reason : verdict_text(fault.verdict);
    }
    const struct kv_write *writes;
    size_t count;
    CHECK(state_writes(state, &writes, &count) == ERR_OK);
    CHECK(kv_memory_apply(judge->kv, writes, count) == ERR_OK);
    return NULL;
}

void sequencer_judge(struct world *world, uint32_t node, struct bytes encoded) {
    const struct sequencer_shared *shared = world->shared;
    struct judge *judge = shared->judge;
    struct block_package package;
    struct block block = {.transactions_count = 0};
    const char *why = "its package does not decode";
    arena_reset(&judge->arena);
    if (world->has_failed) return; /* what comes on top of a broken rule means nothing */
    if (block_package_decode(encoded, &package) == ERR_OK &&
        block_decode(package.ethereum_block, &judge->arena, &block) == ERR_OK) {
        why = frame_fault(world, judge, &package, &block);
        if (why == NULL) why = items_fault(&block, &package.frame, &judge->arena);
        if (why == NULL) why = execution_fault(world, judge, &block);
    }
    world_count(world, COUNT_BLOCKS_JUDGED);
    if (why != NULL) {
        world_fail(world, "validity", "node %u commits a block at height %llu, but %s", node,
                   (unsigned long long)judge->height + 1, why);
        return;
    }
    judge->height += 1;
    CHECK(judge->height < JUDGE_HEIGHTS_MAX);
    judge->head = block.header;
    judge->head_frame = package.frame;
    judge->hashes[judge->height] = block.hash;
    judge->roots[judge->height] = block.header.state_root;
}
