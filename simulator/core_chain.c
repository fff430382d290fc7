#include <stdlib.h>

#include "base/check.h"
#include "consensus/rotation.h"
#include "simulator/core_node.h"

/* --- blocks that may be decided */

struct candidate *core_candidate_find(struct core_node *node, const struct hash32 *hash) {
    for (size_t i = 0; i < CANDIDATES_MAX; i++) {
        struct candidate *candidate = &node->candidates[i];
        if (candidate->is_used && hash_equal(&candidate->hash, hash)) return candidate;
    }
    return NULL;
}

struct candidate *core_candidate_add(struct core_node *node, const struct sim_block *block,
                                     const struct vote *vote) {
    const struct hash32 hash = sim_block_hash(block);
    struct candidate *candidate = core_candidate_find(node, &hash);
    if (candidate == NULL) {
        candidate = &node->candidates[0];
        for (size_t i = 0; i < CANDIDATES_MAX && candidate->is_used; i++) {
            struct candidate *other = &node->candidates[i];
            if (!other->is_used || other->stamp < candidate->stamp) candidate = other;
        }
        *candidate = (struct candidate){.is_used = true, .hash = hash, .block = *block};
    }
    candidate->stamp = ++node->stamp;
    if (vote != NULL) {
        candidate->has_vote = true;
        candidate->vote = *vote;
    }
    return candidate;
}

static void forget_candidates(struct core_node *node) {
    for (size_t i = 0; i < CANDIDATES_MAX; i++) {
        struct candidate *candidate = &node->candidates[i];
        if (candidate->is_used && candidate->block.height <= node->height) {
            candidate->is_used = false;
        }
    }
}

/* --- the chain and its schedule */

struct hash32 core_head_hash(const struct core_node *node) {
    return node->height == 0 ? (struct hash32){{0}} : node->chain[node->height].hash;
}

struct address core_head_proposer(const struct core_node *node) {
    if (node->height == 0) return (struct address){{0}};
    return node->chain[node->height].block.proposer;
}

bool core_is_rotation_first(const struct core_node *node, uint64_t height) {
    return height == rotation_first(height, node->registry->blocks_per_rotation);
}

/* proposer_of is the rule for the height under way. */
static struct address proposer_of(const struct core_node *node, uint32_t round) {
    const struct address previous = core_head_proposer(node);
    const uint32_t index =
        rotation_proposer_index(&node->set, node->scheduled, &previous,
                                core_is_rotation_first(node, node->height + 1), round);
    return node->set.validators[index].address;
}

bool core_execute(const struct core_node *node, const struct sim_block *block) {
    if (!block->is_valid || block->height != node->height + 1) return false;
    const struct hash32 parent = core_head_hash(node);
    const struct address proposer = proposer_of(node, block->round);
    return hash_equal(&block->parent, &parent) && address_equal(&block->proposer, &proposer);
}

/* follow_schedule moves the sets on after block `height`: rotation.h says how they follow. */
static void follow_schedule(struct core_node *node, uint64_t height) {
    const uint64_t per_rotation = node->registry->blocks_per_rotation;
    const uint64_t rotation = rotation_of(height, per_rotation);
    if (core_is_rotation_first(node, height)) {
        struct validator_set advanced = node->set, listed;
        rotation_advance(&advanced);
        registry_listed(node->registry, rotation + 1, &listed);
        rotation_merge(&advanced, &listed, &node->next_set);
    }
    if (rotation_of(height + 1, per_rotation) == rotation) return;
    node->set = node->next_set;
    struct validator_set advanced = node->set;
    node->scheduled = rotation_advance(&advanced);
}

bool core_append(struct world *world, struct core_node *node, const struct sim_block *block,
                 const struct hash32 *hash, const struct commit *commit) {
    /* Each rotation has an L1 block of its own. */
    struct sim_block seen = *block;
    seen.origin = rotation_of(block->height, node->registry->blocks_per_rotation) + 1;
    if (!world->nodes[node->index].is_byzantine) {
        checker_commit(world, node->index, hash, &seen, commit);
    }
    const enum write_fate fate = world_write(world, node->index);
    if (fate != WRITE_DONE && fate != WRITE_DONE_CRASHED) return false;
    if (node->height + 2 > node->chain_capacity) {
        node->chain_capacity *= 2;
        node->chain = realloc(node->chain, node->chain_capacity * sizeof *node->chain);
        CHECK(node->chain != NULL);
    }
    uint8_t encoded[COMMIT_BYTES_MAX];
    struct buffer out = buffer_over(encoded, sizeof encoded);
    commit_encode(commit, &out);
    struct stored_block *stored = &node->chain[node->height + 1];
    *stored = (struct stored_block){*block, *hash, malloc(out.size), out.size};
    CHECK(stored->commit != NULL);
    memcpy(stored->commit, encoded, out.size);
    node->height++;
    follow_schedule(node, node->height);
    forget_candidates(node);
    return fate == WRITE_DONE;
}
