/* What Byzantine nodes do instead of the protocol, with their own keys and with what they overhear.
 */
#include "base/check.h"
#include "simulator/core_node.h"

static bool has_habit(struct world *world, const struct core_node *node, enum byzantine_habit habit,
                      uint64_t per_mille) {
    if ((node->habits & (uint32_t)habit) == 0) return false;
    return random_chance(&world->byzantine_random, per_mille);
}

void byzantine_init(struct world *world, struct core_node *node) {
    node->habits = (uint32_t)random_below(&world->byzantine_random, 128);
}

static void sign(struct world *world, struct core_node *node, struct vote *vote) {
    const struct signer signer = registry_signer(&node->own);
    const struct hash32 digest = vote_digest(&node->registry->domain, vote);
    signer.sign(signer.context, &digest, &vote->signature);
    vote->voter = node->own;
    checker_prevoted(world, node->index, vote);
}

static void send_vote(struct world *world, struct core_node *node, uint32_t to,
                      const struct vote *vote, const struct sim_block *block) {
    uint8_t data[VOTE_BYTES_MAX + SIM_BLOCK_BYTES + 8];
    struct buffer out = buffer_over(data, sizeof data);
    core_encode_vote(vote, block, &out);
    if (has_habit(world, node, BYZANTINE_GARBAGE, 30)) {
        world_count(world, COUNT_BYZANTINE_GARBAGE);
        data[random_below(&world->byzantine_random, out.size)] ^=
            (uint8_t)(1 << random_below(&world->byzantine_random, 8));
    }
    world_send(world, node->index, to, buffer_bytes(&out));
}

/* another_block finds a candidate other than `block`; nil when there is none. */
static struct hash32 another_block(struct world *world, const struct core_node *node,
                                   const struct hash32 *block, uint64_t height) {
    const uint64_t from = random_below(&world->byzantine_random, CANDIDATES_MAX);
    for (size_t i = 0; i < CANDIDATES_MAX; i++) {
        const struct candidate *candidate = &node->candidates[(from + i) % CANDIDATES_MAX];
        if (candidate->is_used && candidate->block.height == height &&
            !hash_equal(&candidate->hash, block)) {
            return candidate->hash;
        }
    }
    return (struct hash32){{0}};
}

/* equivocate signs something else of the same kind and round for this peer. */
static void equivocate(struct world *world, struct core_node *node, uint32_t to,
                       const struct vote *vote, const struct sim_block *block) {
    struct vote other = *vote;
    world_count(world, COUNT_BYZANTINE_EQUIVOCATIONS);
    if (vote->kind != VOTE_PROPOSAL) {
        other.block = another_block(world, node, &vote->block, vote->height);
        sign(world, node, &other);
        send_vote(world, node, to, &other, NULL);
        return;
    }
    if (block == NULL) return;
    struct sim_block twin = *block;
    twin.salt ^= 1 + random_below(&world->byzantine_random, 3);
    checker_block(world, &twin);
    core_candidate_add(node, &twin, NULL);
    other.block = sim_block_hash(&twin);
    sign(world, node, &other);
    core_candidate_add(node, &twin, &other);
    send_vote(world, node, to, &other, &twin);
}

void byzantine_send(struct world *world, struct core_node *node, uint32_t to,
                    const struct vote *vote, const struct sim_block *block) {
    if (has_habit(world, node, BYZANTINE_WITHHOLD, 400)) {
        world_count(world, COUNT_BYZANTINE_WITHHELD);
        return;
    }
    if (has_habit(world, node, BYZANTINE_EQUIVOCATE, 500)) {
        equivocate(world, node, to, vote, block);
        /* Sometimes the same peer gets both, so that evidence can be found. */
        if (random_chance(&world->byzantine_random, 700)) return;
    }
    send_vote(world, node, to, vote, block);
}

/* vote_any signs both votes for whatever block it sees, locked or not, executed or not. */
static void vote_any(struct world *world, struct core_node *node, const struct vote *seen) {
    struct vote vote = {.kind = random_chance(&world->byzantine_random, 500) ? VOTE_PREVOTE
                                                                             : VOTE_PRECOMMIT,
                        .height = seen->height,
                        .round = seen->round,
                        .valid_round = VALID_ROUND_NONE,
                        .block = seen->block};
    if (random_chance(&world->byzantine_random, 50)) {
        vote.round += (uint32_t)random_below(&world->byzantine_random, 12);
    }
    sign(world, node, &vote);
    world_count(world, COUNT_BYZANTINE_VOTES);
    for (uint32_t to = 0; to < world->nodes_count; to++) {
        if (to != node->index) send_vote(world, node, to, &vote, NULL);
    }
}

static void keep_and_replay(struct world *world, struct core_node *node, struct bytes message) {
    struct random *random = &world->byzantine_random;
    if (message.size <= REPLAY_BYTES) {
        const uint64_t at = node->replay_count < REPLAY_MAX ? node->replay_count++
                                                            : random_below(random, REPLAY_MAX);
        memcpy(node->replay[at].data, message.data, message.size);
        node->replay[at].size = message.size;
    }
    if (node->replay_count == 0 || !random_chance(random, 200)) return;
    const uint64_t at = random_below(random, node->replay_count);
    const uint32_t to = (uint32_t)random_below(random, world->nodes_count);
    if (to == node->index) return;
    world_count(world, COUNT_BYZANTINE_REPLAYS);
    world_send(world, node->index, to,
               (struct bytes){node->replay[at].data, node->replay[at].size});
}

void byzantine_seen(struct world *world, struct core_node *node, struct bytes message,
                    const struct vote *vote) {
    if ((node->habits & BYZANTINE_REPLAY) != 0) keep_and_replay(world, node, message);
    const bool is_tempting = !hash_is_zero(&vote->block) && vote->height > node->height;
    /* Not more often than a network lets it: a flood would use up the steps of recovery. */
    if (world->now_ms < node->flood_after_ms || !is_tempting) return;
    if (!has_habit(world, node, BYZANTINE_VOTE_ANY, 150)) return;
    node->flood_after_ms = world->now_ms + 30;
    vote_any(world, node, vote);
}

/* byzantine_serve makes up a block, with a commit signed by the one key it has, over and over. */
bool byzantine_serve(struct world *world, struct core_node *node, uint32_t to, uint64_t height) {
    if (!has_habit(world, node, BYZANTINE_LIE_IN_SYNC, 600)) return false;
    if (height == 0 || height > node->height) return false;
    world_count(world, COUNT_BYZANTINE_LIES);
    struct sim_block block = node->chain[height].block;
    block.salt ^= 0xbad;
    checker_block(world, &block);
    static _Thread_local struct commit commit;
    CHECK(
        commit_decode((struct bytes){node->chain[height].commit, node->chain[height].commit_bytes},
                      &commit) == ERR_OK);
    commit.block = sim_block_hash(&block);
    struct vote vote = {.kind = VOTE_PRECOMMIT,
                        .height = height,
                        .round = commit.round,
                        .valid_round = VALID_ROUND_NONE,
                        .block = commit.block};
    sign(world, node, &vote);
    const bool is_forged = random_chance(&world->byzantine_random, 500);
    for (uint32_t i = 0; is_forged && i < commit.signatures_count; i++)
        commit.signatures[i].signature = vote.signature;
    uint8_t data[1 + SIM_BLOCK_BYTES + COMMIT_BYTES_MAX] = {CORE_BLOCK};
    sim_block_encode(&block, data + 1);
    struct buffer out = buffer_over(data + 1 + SIM_BLOCK_BYTES, COMMIT_BYTES_MAX);
    commit_encode(&commit, &out);
    world_send(world, node->index, to, (struct bytes){data, 1 + SIM_BLOCK_BYTES + out.size});
    return true;
}
