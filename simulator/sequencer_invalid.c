/* Blocks that look right and are not: a Byzantine proposer takes the block that it built, breaks
 * one rule, and makes everything else fit again (hashes, roots of lists), so that only the check of
 * that one rule can refuse it. */
#include <stdlib.h>

#include "base/check.h"
#include "base/keccak.h"
#include "base/merkle.h"
#include "chain/block.h"
#include "simulator/sequencer_node.h"
#include "simulator/sequencer_seal.h"

#define INVALID_ARENA_BYTES ((size_t)24 << 20)
#define INVALID_PURPOSE     ((uint64_t)0xbad << 48)
#define HOUR_MS             3600000u

struct invalid {
    struct block_package package;
    struct block block;
    const struct header *parent;
    const struct frame *parent_frame;
    struct random random;
    struct arena arena;
    struct bytes *transactions; /* of the block, with room for one more */
    bool is_root_wrong;         /* the beacon root stays what it was made */
    enum count_kind kind;
};

static void flip(struct hash32 *hash) {
    hash->bytes[7] ^= 0x10;
}

static void make_root(struct invalid *invalid) {
    invalid->kind = COUNT_INVALID_ROOT;
    struct header *header = &invalid->block.header;
    switch (random_below(&invalid->random, 4)) {
    case 0:
    case 1: flip(&header->state_root); break;
    case 2: flip(&header->receipts_root); break;
    default: header->bloom.bytes[9] ^= 2; break;
    }
}

static void make_gas(struct invalid *invalid) {
    invalid->kind = COUNT_INVALID_GAS;
    struct header *header = &invalid->block.header;
    switch (random_below(&invalid->random, 3)) {
    case 0: header->gas_used += 21000; break;
    case 1: header->gas_limit += 1; break;
    default: header->base_fee = u256_add(&header->base_fee, &U256_ONE); break;
    }
}

static void set_transactions(struct invalid *invalid, size_t count) {
    struct block *block = &invalid->block;
    block->transactions = invalid->transactions;
    block->transactions_count = count;
    CHECK(transactions_root(block->transactions, count, &invalid->arena,
                            &block->header.transactions_root) == ERR_OK);
    struct hash32 *leaves = arena_array(&invalid->arena, count + 1, sizeof *leaves);
    CHECK(leaves != NULL);
    for (size_t i = 0; i < count; i++) {
        const struct hash32 hash = keccak256(block->transactions[i]);
        leaves[i] = merkle_leaf(hash_bytes(&hash));
    }
    invalid->package.frame.items_root = merkle_root(leaves, count);
}

static void make_transaction(struct invalid *invalid) {
    invalid->kind = COUNT_INVALID_TRANSACTION;
    const size_t count = invalid->block.transactions_count;
    const uint64_t draw = random_below(&invalid->random, 4);
    if (draw == 0 && count != 0) { /* twice */
        invalid->transactions[count] = invalid->transactions[count - 1];
    } else if (draw == 1) { /* no transaction at all */
        static const uint8_t garbage[] = {2, 0xc1, 0x80};
        invalid->transactions[count] = BYTES_OF(garbage);
    } else if (draw == 2 && count != 0) { /* its signature is another's, or nobody's */
        const struct bytes from = invalid->transactions[count - 1];
        uint8_t *copy = arena_alloc(&invalid->arena, from.size);
        CHECK(copy != NULL);
        memcpy(copy, from.data, from.size);
        copy[from.size - 1] ^= 1;
        invalid->transactions[count - 1] = (struct bytes){copy, from.size};
        set_transactions(invalid, count);
        return;
    } else { /* out of its turn: a nonce far ahead */
        const uint32_t account = (uint32_t)random_below(&invalid->random, CLIENT_ACCOUNTS);
        invalid->transactions[count] = sequencer_client_item(account, CLIENT_ITEMS - 1)->encoded;
    }
    set_transactions(invalid, count + 1);
}

static void make_frame(struct invalid *invalid) {
    invalid->kind = COUNT_INVALID_FRAME;
    struct frame *frame = &invalid->package.frame;
    switch (random_below(&invalid->random, 8)) {
    case 0: flip(&frame->workload_roots[0]); break;
    case 1: flip(&frame->validators_hash); break;
    case 2: flip(&frame->next_validators_hash); break;
    case 3: flip(&frame->items_root); break;
    case 4: frame->l1_number += 1000; break;
    case 5: frame->height += 1; break;
    case 6: frame->round += 1; break;
    default:
        frame->proposer.bytes[3] ^= 1;
        invalid->block.header.coinbase = frame->proposer;
        break;
    }
}

static void make_time(struct invalid *invalid) {
    invalid->kind = COUNT_INVALID_TIME;
    struct frame *frame = &invalid->package.frame;
    struct header *header = &invalid->block.header;
    switch (random_below(&invalid->random, 3)) {
    case 0: header->timestamp += 1; return;
    case 1: frame->time_ms = invalid->parent_frame->time_ms; break;
    default: frame->time_ms += HOUR_MS; break;
    }
    header->timestamp = frame->time_ms / 1000;
}

static void make_commit(struct invalid *invalid) {
    static _Thread_local struct commit commit;
    invalid->kind = COUNT_INVALID_COMMIT;
    struct block_package *package = &invalid->package;
    struct buffer out =
        buffer_over(arena_alloc(&invalid->arena, COMMIT_BYTES_MAX), COMMIT_BYTES_MAX);
    CHECK(out.data != NULL);
    if (package->last_commit.size == 0) { /* block 1 has none */
        flip(&package->frame.last_commit_hash);
        return;
    }
    CHECK(commit_decode(package->last_commit, &commit) == ERR_OK);
    commit.signatures_count = 1;
    commit_encode(&commit, &out);
    package->last_commit = buffer_bytes(&out);
    package->frame.last_commit_hash = keccak256(package->last_commit);
}

static void make_oversized(struct invalid *invalid) {
    invalid->kind = COUNT_INVALID_SIZE;
    const size_t bytes = BLOCK_PACKAGE_BYTES_MAX + 1000;
    uint8_t *data = arena_alloc(&invalid->arena, bytes);
    CHECK(data != NULL);
    memset(data, 2, bytes);
    invalid->transactions[invalid->block.transactions_count] = (struct bytes){data, bytes};
    invalid->block.transactions = invalid->transactions;
    invalid->block.transactions_count += 1;
}

static void break_one_rule(struct invalid *invalid) {
    switch (random_below(&invalid->random, 8)) {
    case 0: make_root(invalid); break;
    case 1: make_gas(invalid); break;
    case 2: make_transaction(invalid); break;
    case 3:
    case 4: make_frame(invalid); break;
    case 5: make_time(invalid); break;
    case 6: make_commit(invalid); break;
    default:
        /* Large ones are costly to carry around: few. */
        if (random_chance(&invalid->random, 150)) {
            make_oversized(invalid);
            break;
        }
        invalid->kind = COUNT_INVALID_BEACON_ROOT;
        flip(&invalid->block.header.parent_beacon_root);
        invalid->is_root_wrong = true;
        break;
    }
}

/* fit makes the header fit the broken frame: its hash, and with that in the state (EIP-4788) the
 * roots, so that nothing but the broken rule speaks against the block. */
static void fit(struct world *world, const struct sequencer_node *node, struct invalid *invalid) {
    struct header *header = &invalid->block.header;
    if (!invalid->is_root_wrong) header->parent_beacon_root = frame_hash(&invalid->package.frame);
    const bool is_executed =
        invalid->kind == COUNT_INVALID_FRAME || invalid->kind == COUNT_INVALID_TIME ||
        invalid->kind == COUNT_INVALID_COMMIT || invalid->kind == COUNT_INVALID_BEACON_ROOT;
    if (is_executed) (void)sequencer_seal(world, node, &invalid->block, &invalid->arena);
}

static struct bytes encode(struct invalid *invalid, struct hash32 *hash) {
    static _Thread_local uint8_t *memory;
    struct block_package *package = &invalid->package;
    uint8_t frame_memory[FRAME_BYTES_MAX];
    struct buffer frame = buffer_over(frame_memory, sizeof frame_memory);
    frame_encode(&package->frame, &frame);
    package->frame_encoded = buffer_bytes(&frame);
    *hash = header_hash(&invalid->block.header);
    invalid->block.hash = *hash;
    const size_t bytes = block_encoded_bytes(&invalid->block) + 64;
    struct buffer block = buffer_over(arena_alloc(&invalid->arena, bytes), bytes);
    CHECK(block.data != NULL);
    block_encode(&invalid->block, &block);
    CHECK(!block.overflow);
    package->ethereum_block = buffer_bytes(&block);
    struct buffer out = buffer_over(thread_buffer(&memory, MESSAGE_BYTES_MAX), MESSAGE_BYTES_MAX);
    block_package_encode(package, &out);
    CHECK(!out.overflow);
    return buffer_bytes(&out);
}

/* open_package takes a package apart; NULL: it is none. */
static struct invalid *open_package(const struct sequencer_node *node, struct bytes package) {
    static _Thread_local uint8_t *memory;
    static _Thread_local struct invalid invalid;
    invalid = (struct invalid){.parent = &node->view.head, .parent_frame = &node->view.head_frame};
    invalid.arena = arena_over(thread_buffer(&memory, INVALID_ARENA_BYTES), INVALID_ARENA_BYTES);
    struct block *block = &invalid.block;
    if (block_package_decode(package, &invalid.package) != ERR_OK) return NULL;
    if (block_decode(invalid.package.ethereum_block, &invalid.arena, block) != ERR_OK) return NULL;
    const size_t count = block->transactions_count;
    invalid.transactions = arena_array(&invalid.arena, count + 1, sizeof(struct bytes));
    CHECK(invalid.transactions != NULL);
    for (size_t i = 0; i < count; i++)
        invalid.transactions[i] = block->transactions[i];
    return &invalid;
}

struct bytes sequencer_invalid_block(struct world *world, const struct sequencer_node *node,
                                     struct bytes package, uint64_t draw, struct hash32 *hash) {
    struct invalid *invalid = open_package(node, package);
    if (invalid == NULL) return BYTES_EMPTY;
    invalid->random = random_make(world->config.seed, INVALID_PURPOSE ^ draw);
    break_one_rule(invalid);
    world_count(world, COUNT_BYZANTINE_INVALID);
    world_count(world, invalid->kind);
    world_trace(world, count_name(invalid->kind), node->index, invalid->block.header.number, 0);
    fit(world, node, invalid);
    return encode(invalid, hash);
}

/* spoil_one changes one thing that the header names, and not the header. */
static void spoil_one(struct invalid *invalid, uint64_t draw) {
    static const uint8_t other[] = {2, 0xc1, 0x80};
    struct block_package *package = &invalid->package;
    struct block *block = &invalid->block;
    switch (draw) {
    case 0: package->frame.time_ms += 1; break;
    case 1: package->frame.round += 1; break;
    case 2:
        invalid->transactions[block->transactions_count++] = BYTES_OF(other);
        block->transactions = invalid->transactions;
        break;
    case 3: package->last_commit.size /= 2; break;
    case 4: package->last_commit = BYTES_OF(other); break;
    case 5: package->next_validators.size /= 2; break;
    case 6: package->next_validators = BYTES_OF(other); break;
    default: block->has_withdrawals = false; break;
    }
}

struct bytes sequencer_spoilt_package(struct world *world, const struct sequencer_node *node,
                                      struct bytes package) {
    struct hash32 hash;
    struct invalid *invalid = open_package(node, package);
    if (invalid == NULL) return BYTES_EMPTY;
    spoil_one(invalid, random_below(&world->byzantine_random, 8));
    world_count(world, COUNT_BYZANTINE_SPOILT);
    return encode(invalid, &hash);
}
