/* Byzantine sequencers: they run the real code, and what they send is changed on its way out,
 * signed with the keys that they have; what they hear makes them say more than they should. */
#include <stdlib.h>

#include "base/check.h"
#include "base/keccak.h"
#include "simulator/core_node.h"
#include "simulator/sequencer_node.h"

#define CLAIM_HEIGHTS_MAX 1000
#define FLOOD_MS          100 /* votes for everything, not more often */

struct byzantine {
    uint64_t flood_after_ms;
    uint32_t count;
    struct {
        uint8_t data[REPLAY_BYTES];
        size_t size;
    } replay[REPLAY_MAX];
};

static bool has_habit(struct world *world, const struct sequencer_node *node,
                      enum byzantine_habit habit, uint64_t per_mille) {
    if ((node->habits & (uint32_t)habit) == 0) return false;
    return random_chance(&world->byzantine_random, per_mille);
}

void sequencer_byzantine_init(struct world *world, struct sequencer_node *node) {
    node->habits = (uint32_t)random_below(&world->byzantine_random, 256);
    node->byzantine = calloc(1, sizeof *node->byzantine);
    CHECK(node->byzantine != NULL);
}

static void sign(struct world *world, struct sequencer_node *node, struct vote *vote) {
    const struct signer signer = registry_signer(&node->own);
    const struct hash32 digest = vote_digest(&node->registry->domain, vote);
    signer.sign(signer.context, &digest, &vote->signature);
    vote->voter = node->own;
    checker_prevoted(world, node->index, vote);
}

static void send_message(struct world *world, struct sequencer_node *node, uint32_t to,
                         const struct message *message) {
    static _Thread_local uint8_t *memory;
    struct buffer out = buffer_over(thread_buffer(&memory, MESSAGE_BYTES_MAX), MESSAGE_BYTES_MAX);
    message_encode(message, &out);
    CHECK(!out.overflow);
    world_send(world, node->index, to, buffer_bytes(&out));
}

/* --- votes and proposals */

/* other_vote says the opposite: nil for a block, a block out of nowhere for nil. */
static void other_vote(struct world *world, struct sequencer_node *node, struct message *message) {
    struct vote *vote = &message->vote;
    world_count(world, COUNT_BYZANTINE_EQUIVOCATIONS);
    if (hash_is_zero(&vote->block)) {
        vote->block = node->view.head_hash;
    } else if (vote->kind == VOTE_PROPOSAL || random_chance(&world->byzantine_random, 300)) {
        vote->block = keccak256(hash_bytes(&vote->block));
    } else {
        vote->block = (struct hash32){{0}};
    }
    if (vote->kind == VOTE_PROPOSAL) message->package = BYTES_EMPTY;
    sign(world, node, vote);
}

static struct message *vote_message(const struct vote *like, enum vote_kind kind) {
    static _Thread_local struct message message;
    message = (struct message){.kind = MESSAGE_VOTE, .vote = *like};
    message.vote.kind = kind;
    message.vote.valid_round = VALID_ROUND_NONE;
    return &message;
}

/* both_votes adds the vote of the other kind for a block, whatever the protocol says. */
static void both_votes(struct world *world, struct sequencer_node *node, uint32_t to,
                       const struct vote *vote) {
    struct message *other =
        vote_message(vote, vote->kind == VOTE_PREVOTE ? VOTE_PRECOMMIT : VOTE_PREVOTE);
    sign(world, node, &other->vote);
    world_count(world, COUNT_BYZANTINE_VOTES);
    send_message(world, node, to, other);
}

/* propose_invalid sends a block that breaks a rule: the same to everybody in one round. */
static bool propose_invalid(struct world *world, struct sequencer_node *node, uint32_t to,
                            const struct message *message) {
    static _Thread_local struct message bad;
    const struct vote *vote = &message->vote;
    if ((node->habits & BYZANTINE_INVALID_BLOCKS) == 0 || message->package.size == 0) return false;
    const uint64_t draw = vote->height << 8 ^ vote->round;
    struct random random = random_make(world->config.seed ^ node->index, draw);
    if (!random_chance(&random, 400)) return false;
    bad = (struct message){.kind = MESSAGE_PROPOSAL, .vote = *vote};
    bad.package = sequencer_invalid_block(world, node, message->package, draw, &bad.vote.block);
    if (bad.package.size == 0) return false;
    bad.vote.valid_round = VALID_ROUND_NONE;
    sign(world, node, &bad.vote);
    send_message(world, node, to, &bad);
    return true;
}

/* send_spoilt sends a true block's header with something else behind it. */
static void send_spoilt(struct world *world, struct sequencer_node *node, uint32_t to,
                        const struct message *message) {
    static _Thread_local struct message bad;
    if (message->kind != MESSAGE_PROPOSAL || message->package.size == 0) return;
    if (!has_habit(world, node, BYZANTINE_INVALID_BLOCKS, 300)) return;
    bad = (struct message){.kind = MESSAGE_PROPOSAL, .vote = message->vote};
    bad.package = sequencer_spoilt_package(world, node, message->package);
    if (bad.package.size != 0) send_message(world, node, to, &bad);
}

/* send_unproven says that the block it proposes is committed, with its own signature alone. */
static void send_unproven(struct world *world, struct sequencer_node *node, uint32_t to,
                          const struct message *message) {
    static _Thread_local struct message bad;
    static _Thread_local struct commit commit;
    static _Thread_local uint8_t memory[COMMIT_BYTES_MAX];
    if (message->kind != MESSAGE_PROPOSAL || message->package.size == 0) return;
    if (!has_habit(world, node, BYZANTINE_LIE_IN_SYNC, 200)) return;
    commit = (struct commit){.height = message->vote.height,
                             .round = message->vote.round,
                             .block = message->vote.block,
                             .signatures_count = 1,
                             .signatures = {{0, message->vote.signature}}};
    struct buffer out = buffer_over(memory, sizeof memory);
    commit_encode(&commit, &out);
    bad = (struct message){.kind = MESSAGE_BLOCKS, .count = 1};
    bad.blocks[0].package = message->package;
    bad.blocks[0].commit = buffer_bytes(&out);
    world_count(world, COUNT_BYZANTINE_UNPROVEN);
    send_message(world, node, to, &bad);
}

/* send_vote sends a vote or a proposal of its own, or what it makes of it. */
static void send_vote(struct world *world, struct sequencer_node *node, uint32_t to,
                      struct bytes bytes, struct message *message) {
    checker_prevoted(world, node->index, &message->vote);
    if (message->kind == MESSAGE_PROPOSAL && propose_invalid(world, node, to, message)) return;
    send_spoilt(world, node, to, message);
    send_unproven(world, node, to, message);
    world_send(world, node->index, to, bytes);
    send_spoilt(world, node, to, message);
    if (!hash_is_zero(&message->vote.block) && has_habit(world, node, BYZANTINE_VOTE_ANY, 100)) {
        both_votes(world, node, to, &message->vote);
    }
    if (has_habit(world, node, BYZANTINE_EQUIVOCATE, 400)) {
        other_vote(world, node, message);
        send_message(world, node, to, message);
    }
}

/* --- sync */

static void send_flipped(struct world *world, struct sequencer_node *node, uint32_t to,
                         struct bytes bytes, uint64_t from) {
    static _Thread_local uint8_t *copy;
    memcpy(thread_buffer(&copy, MESSAGE_BYTES_MAX), bytes.data, bytes.size);
    copy[from + random_below(&world->byzantine_random, bytes.size - from)] ^=
        (uint8_t)(1u << random_below(&world->byzantine_random, 8));
    world_send(world, node->index, to, (struct bytes){copy, bytes.size});
}

/* forge_commit makes a commit of one block, with its own signature for everybody's (`is_forged`),
 * or with one signature alone. */
static struct bytes forge_commit(struct world *world, struct sequencer_node *node,
                                 struct bytes encoded, const struct hash32 *block, bool is_forged) {
    static _Thread_local uint8_t memory[COMMIT_BYTES_MAX];
    static _Thread_local struct commit commit;
    if (commit_decode(encoded, &commit) != ERR_OK) return encoded;
    struct vote vote = {.kind = VOTE_PRECOMMIT,
                        .height = commit.height,
                        .round = commit.round,
                        .valid_round = VALID_ROUND_NONE,
                        .block = *block};
    sign(world, node, &vote);
    commit.block = *block;
    if (!is_forged) commit.signatures_count = 1;
    for (uint32_t i = 0; is_forged && i < commit.signatures_count; i++)
        commit.signatures[i].signature = vote.signature;
    struct buffer out = buffer_over(memory, sizeof memory);
    commit_encode(&commit, &out);
    return buffer_bytes(&out);
}

static bool lie_in_sync(struct world *world, struct sequencer_node *node, uint32_t to,
                        struct bytes bytes, struct message *message) {
    if (message->count == 0 || !has_habit(world, node, BYZANTINE_LIE_IN_SYNC, 500)) return false;
    world_count(world, COUNT_BYZANTINE_LIES);
    const uint64_t lie = random_below(&world->byzantine_random, 4);
    const uint32_t at = (uint32_t)random_below(&world->byzantine_random, message->count);
    struct bytes *package = &message->blocks[at].package, *commit = &message->blocks[at].commit;
    struct block_package decoded;
    static _Thread_local struct commit old;
    if (lie == 0 || commit_decode(*commit, &old) != ERR_OK ||
        block_package_decode(*package, &decoded) != ERR_OK) {
        send_flipped(world, node, to, bytes, 8);
        return true;
    }
    if (lie == 1) { /* too few signatures */
        *commit = forge_commit(world, node, *commit, &old.block, false);
    } else if (lie == 2) { /* another block, and a commit of its own making */
        struct hash32 hash = {{0}};
        *package = sequencer_invalid_block(world, node, *package, old.height << 20 ^ at, &hash);
        *commit = forge_commit(world, node, *commit, &hash, true);
    } else { /* a block of another height in its place */
        *package = message->blocks[(at + 1) % message->count].package;
        *commit = message->blocks[(at + 1) % message->count].commit;
    }
    send_message(world, node, to, message);
    return true;
}

static void claim_height(struct world *world, struct sequencer_node *node, uint32_t to,
                         struct message *message) {
    world_count(world, COUNT_BYZANTINE_CLAIMS);
    message->height += 1 + random_below(&world->byzantine_random, CLAIM_HEIGHTS_MAX);
    message->hash = keccak256(hash_bytes(&message->hash));
    send_message(world, node, to, message);
}

/* --- batches */

/* forge_receipt says that a batch that may not even be published lies somewhere. */
static void forge_receipt(struct world *world, struct sequencer_node *node, uint32_t to) {
    static _Thread_local struct message message;
    const struct sequencer_shared *shared = world->shared;
    struct random *random = &world->byzantine_random;
    const uint64_t blocks = shared->config.rollup.batch_blocks;
    const uint64_t batches = node->view.head.number / blocks;
    message = (struct message){.kind = MESSAGE_BATCH_RECEIPT};
    message.batch.first =
        (batches - random_below(random, batches < 3 ? batches + 1 : 3)) * blocks + 1;
    message.batch.last = message.batch.first + blocks - 1;
    message.batch.da_height = 1 + random_below(random, sequencer_da_head(world) + 50);
    if (random_chance(random, 500) && shared->blobs_count != 0) { /* what is there, is another's */
        const struct da_blob *blob = &shared->blobs[random_below(random, shared->blobs_count)];
        message.batch.da_height = blob->height;
        message.batch.da_commitment = keccak256(blob->bytes);
    } else {
        be_write(message.batch.da_commitment.bytes, 8, random_next(random));
    }
    world_count(world, COUNT_BYZANTINE_FORGED);
    send_message(world, node, to, &message);
}

/* forge_statement signs something else about a batch, or puts its own signature under a statement
 * that it does not fit. */
static void forge_statement(struct world *world, struct sequencer_node *node, uint32_t to,
                            struct message *message) {
    const struct sequencer_shared *shared = world->shared;
    struct random *random = &world->byzantine_random;
    struct batch_statement *batch = &message->batch;
    struct hash32 *const fields[] = {&batch->parent_hash, &batch->last_hash, &batch->state_root,
                                     &batch->da_commitment};
    fields[random_below(random, 4)]->bytes[1] ^= 4;
    if (random_chance(random, 700)) {
        const struct signer signer = registry_signer(&node->own);
        const struct hash32 digest = batch_digest(&shared->batch_domain.separator, batch);
        signer.sign(signer.context, &digest, &message->batch_signature.signature);
    }
    world_count(world, COUNT_BYZANTINE_FORGED);
    send_message(world, node, to, message);
}

/* --- what others said before */

static void keep(struct world *world, struct sequencer_node *node, struct bytes bytes) {
    struct byzantine *byzantine = node->byzantine;
    if ((node->habits & BYZANTINE_REPLAY) == 0 || bytes.size > REPLAY_BYTES) return;
    const uint64_t at = byzantine->count < REPLAY_MAX
                            ? byzantine->count++
                            : random_below(&world->byzantine_random, REPLAY_MAX);
    memcpy(byzantine->replay[at].data, bytes.data, bytes.size);
    byzantine->replay[at].size = bytes.size;
}

static void replay(struct world *world, struct sequencer_node *node, uint32_t to) {
    struct byzantine *byzantine = node->byzantine;
    if (byzantine->count == 0) return;
    const uint64_t at = random_below(&world->byzantine_random, byzantine->count);
    world_count(world, COUNT_BYZANTINE_REPLAYS);
    world_send(world, node->index, to,
               (struct bytes){byzantine->replay[at].data, byzantine->replay[at].size});
}

void sequencer_byzantine_seen(struct world *world, struct sequencer_node *node, struct bytes bytes,
                              const struct message *message) {
    const struct vote *vote = &message->vote;
    keep(world, node, bytes);
    if (message->kind != MESSAGE_VOTE && message->kind != MESSAGE_PROPOSAL) return;
    if (hash_is_zero(&vote->block) || vote->height <= node->view.head.number) return;
    if (world->now_ms < node->byzantine->flood_after_ms) return;
    if (!has_habit(world, node, BYZANTINE_VOTE_ANY, 150)) return;
    node->byzantine->flood_after_ms = world->now_ms + FLOOD_MS;
    const bool is_prevote = random_chance(&world->byzantine_random, 500);
    struct message *own = vote_message(vote, is_prevote ? VOTE_PREVOTE : VOTE_PRECOMMIT);
    if (random_chance(&world->byzantine_random, 50)) {
        own->vote.round += (uint32_t)random_below(&world->byzantine_random, 12);
    }
    sign(world, node, &own->vote);
    world_count(world, COUNT_BYZANTINE_VOTES);
    for (uint32_t to = 0; to < world->nodes_count; to++) {
        if (to != node->index) send_message(world, node, to, own);
    }
}

/* --- on the way out */

/* change sends something instead of a message; false: it goes out as it is. */
static bool change(struct world *world, struct sequencer_node *node, uint32_t to,
                   struct bytes bytes, struct message *message) {
    switch (message->kind) {
    case MESSAGE_VOTE:
    case MESSAGE_PROPOSAL:
        if (!address_equal(&message->vote.voter, &node->own)) return false;
        send_vote(world, node, to, bytes, message);
        return true;
    case MESSAGE_BLOCKS: return lie_in_sync(world, node, to, bytes, message);
    case MESSAGE_STATUS:
        if (has_habit(world, node, BYZANTINE_FORGE, 100)) forge_receipt(world, node, to);
        if (!has_habit(world, node, BYZANTINE_LIE_IN_SYNC, 200)) return false;
        claim_height(world, node, to, message);
        return true;
    case MESSAGE_BATCH_SIGN:
        if (!has_habit(world, node, BYZANTINE_FORGE, 500)) return false;
        forge_statement(world, node, to, message);
        return true;
    default: return false;
    }
}

void sequencer_byzantine_send(struct world *world, struct sequencer_node *node, uint32_t to,
                              struct bytes bytes) {
    static _Thread_local struct message message;
    const struct sequencer_shared *shared = world->shared;
    const struct message_context context = {node->registry->domain, shared->batch_domain,
                                            registry_recoverer_of(node->registry)};
    if (has_habit(world, node, BYZANTINE_WITHHOLD, 300)) {
        world_count(world, COUNT_BYZANTINE_WITHHELD);
        return;
    }
    if (has_habit(world, node, BYZANTINE_GARBAGE, 30)) {
        world_count(world, COUNT_BYZANTINE_GARBAGE);
        send_flipped(world, node, to, bytes, 0);
        return;
    }
    keep(world, node, bytes);
    if (has_habit(world, node, BYZANTINE_REPLAY, 60)) replay(world, node, to);
    if (message_decode(&context, bytes, &message) == VERDICT_ACCEPTED &&
        change(world, node, to, bytes, &message)) {
        return;
    }
    world_send(world, node->index, to, bytes);
}
