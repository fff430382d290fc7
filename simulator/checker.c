#include "simulator/checker.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/keccak.h"
#include "consensus/rotation.h"

#define HEIGHTS_MAX 4096
/* Votes so many rounds from the current one are kept by nodes, at least. */
#define EVIDENCE_ROUNDS 8
#define ROTATIONS_MAX   (HEIGHTS_MAX / 2 + 2)

/* An open table from a 64-bit key to what was seen under it. */
struct entry {
    uint64_t key; /* 0: free */
    struct hash32 hash;
    uint64_t voters; /* bits by node */
};

struct table {
    struct entry *entries;
    size_t capacity, count; /* capacity: a power of two */
};

struct lock {
    uint64_t height;
    uint32_t round;
    struct hash32 block;
};

struct checker {
    struct registry registry;
    uint64_t heights_count; /* committed by somebody, from 1 */
    struct hash32 hashes[HEIGHTS_MAX];
    struct sim_block blocks[HEIGHTS_MAX];
    uint64_t rotations_count;
    struct validator_set *sets[ROTATIONS_MAX]; /* N(r), as it votes */
    uint32_t scheduled[ROTATIONS_MAX];
    struct table votes, polkas, made, delivered;
    struct lock locks[WORLD_NODES_MAX];
    uint64_t heights[WORLD_NODES_MAX]; /* committed and durable, by node */
};

/* --- blocks */

void sim_block_encode(const struct sim_block *block, uint8_t data[SIM_BLOCK_BYTES]) {
    struct buffer out = buffer_over(data, SIM_BLOCK_BYTES);
    buffer_append_be(&out, 8, block->height);
    buffer_append_be(&out, 4, block->round);
    buffer_append(&out, address_bytes(&block->proposer));
    buffer_append(&out, hash_bytes(&block->parent));
    buffer_append_be(&out, 8, block->salt);
    buffer_append_byte(&out, block->is_valid);
    CHECK(out.size == SIM_BLOCK_BYTES);
}

bool sim_block_decode(struct bytes in, struct sim_block *out) {
    if (in.size != SIM_BLOCK_BYTES || in.data[72] > 1) return false;
    out->height = be_read(in.data, 8);
    out->round = (uint32_t)be_read(in.data + 8, 4);
    memcpy(out->proposer.bytes, in.data + 12, 20);
    memcpy(out->parent.bytes, in.data + 32, 32);
    out->salt = be_read(in.data + 64, 8);
    out->is_valid = in.data[72] == 1;
    return true;
}

struct hash32 sim_block_hash(const struct sim_block *block) {
    uint8_t data[SIM_BLOCK_BYTES];
    sim_block_encode(block, data);
    return keccak256(BYTES_OF(data));
}

/* --- tables */

static uint64_t key_of(uint64_t a, uint64_t b, uint64_t c) {
    uint64_t key = a * 0x9e3779b97f4a7c15u;
    key = (key ^ key >> 29 ^ b) * 0xbf58476d1ce4e5b9u;
    key = (key ^ key >> 32 ^ c) * 0x94d049bb133111ebu;
    key ^= key >> 31;
    return key == 0 ? 1 : key;
}

static struct entry *find(struct table *table, uint64_t key) {
    size_t at = key & (table->capacity - 1);
    while (table->entries[at].key != 0 && table->entries[at].key != key)
        at = (at + 1) & (table->capacity - 1);
    return &table->entries[at];
}

static void table_init(struct table *table, size_t capacity) {
    table->capacity = capacity;
    table->count = 0;
    table->entries = calloc(capacity, sizeof *table->entries);
    CHECK(table->entries != NULL);
}

/* obtain finds the entry of `key` or makes an empty one. */
static struct entry *obtain(struct table *table, uint64_t key) {
    if (2 * (table->count + 1) > table->capacity) {
        const struct table old = *table;
        table_init(table, 2 * old.capacity);
        for (size_t i = 0; i < old.capacity; i++) {
            if (old.entries[i].key != 0) *find(table, old.entries[i].key) = old.entries[i];
        }
        table->count = old.count;
        free(old.entries);
    }
    struct entry *entry = find(table, key);
    if (entry->key == 0) {
        entry->key = key;
        table->count++;
    }
    return entry;
}

/* --- its life */

void checker_create(struct world *world) {
    struct checker *checker = calloc(1, sizeof *checker);
    CHECK(checker != NULL);
    world->checker = checker;
    registry_init(&checker->registry, &world->node_random, world->nodes_count,
                  world->config.fault_model, world->config.seed);
    for (uint32_t i = 0; i < world->nodes_count; i++)
        world->nodes[i].is_byzantine = checker->registry.is_byzantine[i];
    table_init(&checker->votes, 1024);
    table_init(&checker->polkas, 1024);
    table_init(&checker->made, 256);
    table_init(&checker->delivered, 1024);
    checker->sets[0] = malloc(sizeof *checker->sets[0]);
    CHECK(checker->sets[0] != NULL);
    registry_genesis(&checker->registry, checker->sets[0]);
    struct validator_set advanced = *checker->sets[0];
    checker->scheduled[0] = rotation_advance(&advanced);
    checker->rotations_count = 1;
}

void checker_destroy(struct world *world) {
    struct checker *checker = world->checker;
    for (uint64_t i = 0; i < checker->rotations_count; i++)
        free(checker->sets[i]);
    free(checker->votes.entries);
    free(checker->polkas.entries);
    free(checker->made.entries);
    free(checker->delivered.entries);
    free(checker);
}

struct registry *checker_registry(struct world *world) {
    return &world->checker->registry;
}

/* --- the schedule, once more */

static const struct validator_set *set_at(const struct checker *checker, uint64_t height) {
    const uint64_t rotation = rotation_of(height, checker->registry.blocks_per_rotation);
    return rotation < checker->rotations_count ? checker->sets[rotation] : NULL;
}

/* proposer_at is defined up to one height past the committed ones. */
static struct address proposer_at(const struct checker *checker, uint64_t height, uint32_t round) {
    CHECK(height <= checker->heights_count + 1);
    const uint64_t per_rotation = checker->registry.blocks_per_rotation;
    const struct validator_set *set = set_at(checker, height);
    uint32_t leader = checker->scheduled[rotation_of(height, per_rotation)];
    if (height != 1 && height % per_rotation != 0) {
        const int previous = validator_set_find(set, &checker->blocks[height - 1].proposer);
        if (previous >= 0) leader = (uint32_t)previous;
    }
    return set->validators[(leader + round) % set->count].address;
}

/* extend makes N(rotation + 1) known once the first block of `rotation` is committed. */
static void extend(struct world *world, uint64_t height) {
    struct checker *checker = world->checker;
    const uint64_t per_rotation = checker->registry.blocks_per_rotation;
    if (height != rotation_first(height, per_rotation)) return;
    const uint64_t rotation = rotation_of(height, per_rotation);
    CHECK(rotation + 1 == checker->rotations_count);
    struct validator_set advanced = *checker->sets[rotation];
    rotation_advance(&advanced);
    /* A block that does not move the L1 origin on leaves the members as they are. */
    const uint64_t origin = checker->blocks[height].origin;
    const uint64_t before =
        height == 1 ? world->config.kind->genesis_origin : checker->blocks[height - 1].origin;
    struct validator_set listed = *checker->sets[rotation];
    if (origin != before) registry_listed(&checker->registry, origin, &listed);
    struct validator_set *next = malloc(sizeof *next);
    CHECK(next != NULL);
    rotation_merge(&advanced, &listed, next);
    bool is_changed = next->count != checker->sets[rotation]->count;
    for (uint32_t i = 0; !is_changed && i < next->count; i++) {
        is_changed = !address_equal(&next->validators[i].address,
                                    &checker->sets[rotation]->validators[i].address);
    }
    if (is_changed) world_count(world, COUNT_SET_CHANGES);
    checker->sets[rotation + 1] = next;
    checker->rotations_count++;
    struct validator_set scheduled = *next;
    checker->scheduled[rotation + 1] = rotation_advance(&scheduled);
}

/* --- blocks */

void checker_block(struct world *world, const struct sim_block *block) {
    const struct hash32 hash = sim_block_hash(block);
    struct entry *entry = obtain(&world->checker->made, key_of(be_read(hash.bytes, 8), 0, 0));
    entry->hash = hash;
    entry->voters = block->is_valid;
}

void checker_made(struct world *world, const struct hash32 *hash) {
    struct entry *entry = obtain(&world->checker->made, key_of(be_read(hash->bytes, 8), 0, 0));
    entry->hash = *hash;
    entry->voters = 1;
}

/* why_invalid says what is wrong with a block at the height after the committed ones; NULL:
 * nothing. */
static const char *why_invalid(const struct checker *checker, const struct sim_block *block) {
    if (!block->is_valid) return "it does not execute";
    if (block->height > checker->heights_count + 1) return "its parent is not committed";
    if (block->height > 1 && !hash_equal(&block->parent, &checker->hashes[block->height - 1])) {
        return "its parent is another block";
    }
    const struct address proposer = proposer_at(checker, block->height, block->round);
    if (!address_equal(&proposer, &block->proposer)) return "its proposer had no turn";
    return NULL;
}

/* --- votes */

void checker_prevoted(struct world *world, uint32_t node, const struct vote *vote) {
    if (vote->kind != VOTE_PREVOTE || hash_is_zero(&vote->block)) return;
    struct entry *entry = obtain(&world->checker->polkas,
                                 key_of(vote->height, vote->round, be_read(vote->block.bytes, 8)));
    entry->voters |= (uint64_t)1 << node;
}

/* has_polka: the prevotes that exist for `block` in the round are a quorum of the height's set. */
static bool has_polka(struct checker *checker, uint64_t height, uint32_t round,
                      const struct hash32 *block) {
    const struct validator_set *set = set_at(checker, height);
    const struct entry *entry =
        find(&checker->polkas, key_of(height, round, be_read(block->bytes, 8)));
    if (set == NULL || entry->key == 0) return false;
    uint64_t power = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const int node = registry_node(&checker->registry, &set->validators[i].address);
        if (node >= 0 && (entry->voters >> node & 1) != 0) power += set->validators[i].power;
    }
    const uint64_t total = validator_set_power(set);
    /* Written out here, beside quorum_power. */
    return checker->registry.fault_model == FAULT_MODEL_CRASH ? 2 * power > total
                                                              : 3 * power > 2 * total;
}

static void check_lock(struct world *world, uint32_t node, const struct vote *vote) {
    struct checker *checker = world->checker;
    struct lock *lock = &checker->locks[node];
    if (hash_is_zero(&vote->block)) return;
    if (vote->kind == VOTE_PRECOMMIT) {
        if (!has_polka(checker, vote->height, vote->round, &vote->block)) {
            world_fail(world, "polka",
                       "node %u precommits at height %" PRIu64
                       " round %u without a quorum of prevotes",
                       node, vote->height, vote->round);
        }
        const bool is_moved =
            lock->height == vote->height && !hash_equal(&lock->block, &vote->block);
        world_count(world, is_moved ? COUNT_RULE_RELOCK : COUNT_RULE_LOCK);
        *lock = (struct lock){vote->height, vote->round, vote->block};
        return;
    }
    if (lock->height != vote->height || hash_equal(&lock->block, &vote->block)) return;
    for (uint32_t round = lock->round + 1; round < vote->round; round++) {
        if (has_polka(checker, vote->height, round, &vote->block)) return;
    }
    world_fail(world, "lock",
               "node %u prevotes in round %u of height %" PRIu64 " against its lock of round %u",
               node, vote->round, vote->height, lock->round);
}

static void check_block_vote(struct world *world, uint32_t node, const struct vote *vote) {
    const struct entry *made =
        find(&world->checker->made, key_of(be_read(vote->block.bytes, 8), 0, 0));
    if (made->key == 0 || made->voters == 0) {
        world_fail(world, "executed first",
                   "node %u votes for a block that is not valid (height "
                   "%" PRIu64 ", round %u)",
                   node, vote->height, vote->round);
    }
}

static void count_vote(struct world *world, const struct vote *vote) {
    const bool is_nil = hash_is_zero(&vote->block);
    if (vote->kind == VOTE_PROPOSAL) {
        world_count(world,
                    vote->valid_round >= 0 ? COUNT_RULE_PROPOSE_VALID : COUNT_RULE_PROPOSE_NEW);
    } else if (vote->kind == VOTE_PREVOTE) {
        world_count(world, is_nil ? COUNT_RULE_PREVOTE_NIL : COUNT_RULE_PREVOTE_BLOCK);
    } else if (is_nil) {
        world_count(world, COUNT_RULE_PRECOMMIT_NIL);
    }
}

void checker_signed(struct world *world, uint32_t node, const struct vote *vote,
                    uint64_t durable_height, uint32_t durable_round, uint8_t durable_step) {
    struct checker *checker = world->checker;
    const uint64_t step = vote->kind == VOTE_PROPOSAL ? 1 : vote->kind == VOTE_PREVOTE ? 2 : 3;
    struct entry *entry = obtain(
        &checker->votes, key_of(node << 8 | (uint64_t)vote->kind, vote->height, vote->round));
    if (entry->voters != 0) { /* sent again */
        if (hash_equal(&entry->hash, &vote->block)) return;
        world_fail(world, "one signature",
                   "node %u signed two blocks: kind %d, height %" PRIu64 ", round %u", node,
                   (int)vote->kind, vote->height, vote->round);
        return;
    }
    entry->voters = 1;
    entry->hash = vote->block;
    count_vote(world, vote);
    const bool is_durable =
        durable_height > vote->height ||
        (durable_height == vote->height &&
         (durable_round > vote->round || (durable_round == vote->round && durable_step >= step)));
    if (!is_durable) {
        world_fail(world, "durable first",
                   "node %u sends a vote (kind %d, height %" PRIu64
                   ", round %u) that its record does not have",
                   node, (int)vote->kind, vote->height, vote->round);
    }
    if (vote->height > checker->heights_count + 1) {
        world_fail(world, "validity",
                   "node %u votes at height %" PRIu64 " before its parent is committed", node,
                   vote->height);
        return;
    }
    if (vote->kind == VOTE_PROPOSAL) {
        const struct address proposer = proposer_at(checker, vote->height, vote->round);
        if (!address_equal(&proposer, &vote->voter)) {
            world_fail(world, "proposer",
                       "node %u proposes out of turn at height %" PRIu64 ", round %u", node,
                       vote->height, vote->round);
        }
    }
    if (!hash_is_zero(&vote->block)) check_block_vote(world, node, vote);
    if (vote->kind != VOTE_PROPOSAL) check_lock(world, node, vote);
}

/* --- commits */

const struct validator_set *checker_set(struct world *world, uint64_t height) {
    return set_at(world->checker, height);
}

/* proof_power is the power behind a commit's good signatures for `hash`, and how many they are. */
static uint64_t proof_power(const struct checker *checker, const struct commit *commit,
                            const struct hash32 *hash, uint32_t *good_count) {
    const struct validator_set *set = set_at(checker, commit->height);
    const struct recoverer recoverer = registry_recoverer_of(&checker->registry);
    const struct vote precommit = {.kind = VOTE_PRECOMMIT,
                                   .height = commit->height,
                                   .round = commit->round,
                                   .valid_round = VALID_ROUND_NONE,
                                   .block = *hash};
    const struct hash32 digest = vote_digest(&checker->registry.domain, &precommit);
    uint64_t power = 0, seen = 0;
    *good_count = 0;
    for (uint32_t i = 0; i < commit->signatures_count; i++) {
        const struct commit_signature *signature = &commit->signatures[i];
        struct address signer;
        if (signature->voter_index >= set->count) continue;
        if ((seen >> signature->voter_index & 1) != 0) continue;
        if (recoverer.recover(recoverer.context, &digest, &signature->signature, &signer) != ERR_OK)
            continue;
        if (!address_equal(&signer, &set->validators[signature->voter_index].address)) continue;
        seen |= (uint64_t)1 << signature->voter_index;
        power += set->validators[signature->voter_index].power;
        *good_count += 1;
    }
    return power;
}

bool checker_is_proven(struct world *world, const struct commit *commit, const struct hash32 *hash,
                       uint64_t height) {
    const struct checker *checker = world->checker;
    uint32_t good_count;
    if (commit->height != height || !hash_equal(hash, &commit->block)) return false;
    const uint64_t power = proof_power(checker, commit, hash, &good_count);
    const uint64_t total = validator_set_power(set_at(checker, height));
    return checker->registry.fault_model == FAULT_MODEL_CRASH ? 2 * power > total
                                                              : 3 * power > 2 * total;
}

static void check_proof(struct world *world, uint32_t node, const struct commit *commit,
                        const struct hash32 *hash) {
    const struct checker *checker = world->checker;
    uint32_t good_count;
    const uint64_t power = proof_power(checker, commit, hash, &good_count);
    if (!checker_is_proven(world, commit, hash, commit->height)) {
        world_fail(world, "commit",
                   "node %u commits height %" PRIu64 " with power %" PRIu64 " of %" PRIu64, node,
                   commit->height, power, validator_set_power(set_at(checker, commit->height)));
    } else if (good_count != commit->signatures_count) { /* nobody else would take it */
        world_fail(world, "commit",
                   "node %u commits height %" PRIu64 " with %u signatures, of which %u are good",
                   node, commit->height, commit->signatures_count, good_count);
    }
}

void checker_commit(struct world *world, uint32_t node, const struct hash32 *hash,
                    const struct sim_block *block, const struct commit *commit) {
    struct checker *checker = world->checker;
    const uint64_t height = block->height;
    world_trace_hash(world, "commit", node, height, hash);
    CHECK(height < HEIGHTS_MAX);
    if (height > checker->heights_count + 1) {
        world_fail(world, "validity", "node %u commits height %" PRIu64 " before its parent", node,
                   height);
        return;
    }
    check_proof(world, node, commit, hash);
    if (checker->heights[node] + 1 != height && checker->heights[node] != height) {
        world_fail(world, "nothing lost", "node %u commits height %" PRIu64 " after %" PRIu64, node,
                   height, checker->heights[node]);
    }
    checker->heights[node] = height;
    if (height <= checker->heights_count) {
        if (!hash_equal(&checker->hashes[height], hash)) {
            world_fail(world, "agreement", "node %u commits another block at height %" PRIu64, node,
                       height);
        }
        return;
    }
    const char *why = why_invalid(checker, block);
    if (why != NULL) {
        world_fail(world, "validity", "node %u commits a block at height %" PRIu64 ", but %s", node,
                   height, why);
        return;
    }
    checker->heights_count = height;
    checker->hashes[height] = *hash;
    checker->blocks[height] = *block;
    world_count(world, COUNT_BLOCKS);
    if (commit->round != 0) world_count(world, COUNT_BLOCKS_LATER_ROUND);
    if (height > 1 && height % checker->registry.blocks_per_rotation != 0 &&
        address_equal(&checker->blocks[height - 1].proposer, &block->proposer)) {
        world_count(world, COUNT_RULE_STICKY);
    }
    extend(world, height);
}

void checker_restarted(struct world *world, uint32_t node, uint64_t height) {
    /* A commit that was on its way to the disk may be lost with it, and nothing before. */
    if (height + 1 < world->checker->heights[node] || height > world->checker->heights[node]) {
        world_fail(world, "nothing lost",
                   "node %u restarts at height %" PRIu64 " but had committed %" PRIu64, node,
                   height, world->checker->heights[node]);
    }
    world->checker->heights[node] = height;
}

bool checker_jumped(struct world *world, uint32_t node, uint64_t height,
                    const struct hash32 *hash) {
    const struct checker *checker = world->checker;
    if (height > checker->heights[node] && height <= checker->heights_count &&
        hash_equal(&checker->hashes[height], hash)) {
        return true;
    }
    world_fail(world, "agreement", "node %u takes another block at height %" PRIu64, node, height);
    return false;
}

void checker_restored(struct world *world, uint32_t node, uint64_t height) {
    CHECK(height <= world->checker->heights_count);
    world->checker->heights[node] = height;
}

/* --- evidence */

static struct entry *delivered_entry(struct world *world, uint32_t node, int voter,
                                     const struct vote *vote) {
    const uint64_t who = (uint64_t)node << 32 | (uint64_t)voter << 8 | (uint64_t)vote->kind;
    const uint64_t incarnation = world->nodes[node].incarnation;
    return obtain(&world->checker->delivered,
                  key_of(who, vote->height << 24 | incarnation, vote->round));
}

void checker_evidence(struct world *world, uint32_t node, const struct vote *vote,
                      const struct vote *conflicting) {
    const int voter = registry_node(&world->checker->registry, &vote->voter);
    const struct recoverer recoverer = registry_recoverer_of(&world->checker->registry);
    struct vote first = *vote, second = *conflicting;
    const struct signing_domain *domain = &world->checker->registry.domain;
    const bool is_proof = vote_recover(&recoverer, domain, &first) == ERR_OK &&
                          vote_recover(&recoverer, domain, &second) == ERR_OK &&
                          address_equal(&first.voter, &second.voter) && first.kind == second.kind &&
                          first.height == second.height && first.round == second.round &&
                          !hash_equal(&first.block, &second.block);
    if (voter < 0 || !is_proof) {
        world_fail(world, "evidence", "node %u shows evidence that proves nothing", node);
        return;
    }
    if (!world->nodes[voter].is_byzantine) {
        world_fail(world, "evidence", "node %u has evidence against the correct node %d", node,
                   voter);
    }
    delivered_entry(world, node, voter, vote)->voters = 2;
}

bool checker_delivered(struct world *world, uint32_t node, const struct vote *vote, uint64_t height,
                       uint32_t round) {
    struct checker *checker = world->checker;
    if (vote->height != height) return false;
    if (vote->round > round + EVIDENCE_ROUNDS || round > vote->round + EVIDENCE_ROUNDS) {
        return false;
    }
    const int voter = registry_node(&checker->registry, &vote->voter);
    const struct validator_set *set = set_at(checker, height);
    if (voter < 0 || set == NULL || validator_set_find(set, &vote->voter) < 0) return false;
    if (vote->kind == VOTE_PROPOSAL) {
        if (height > checker->heights_count + 1) return false;
        const struct address proposer = proposer_at(checker, height, vote->round);
        if (!address_equal(&proposer, &vote->voter)) return false;
    }
    struct entry *entry = delivered_entry(world, node, voter, vote);
    if (entry->voters == 0) {
        entry->voters = 1;
        entry->hash = vote->block;
        return false;
    }
    if (entry->voters == 2 || hash_equal(&entry->hash, &vote->block)) return false;
    entry->voters = 2;
    return true;
}

void checker_finish(struct world *world) {
    /* A run without a block says nothing. */
    if (world->checker->heights_count < RECOVERY_HEIGHTS) {
        world_fail(world, "progress", "only %" PRIu64 " blocks", world->checker->heights_count);
    }
}
