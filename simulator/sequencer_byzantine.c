/* Byzantine sequencers: they run the real code, and what they send is changed on its way out,
 * signed with the keys that they have. */
#include "base/check.h"
#include "base/keccak.h"
#include "simulator/core_node.h"
#include "simulator/sequencer_node.h"

static bool has_habit(struct world *world, const struct sequencer_node *node,
                      enum byzantine_habit habit, uint64_t per_mille) {
    if ((node->habits & (uint32_t)habit) == 0) return false;
    return random_chance(&world->byzantine_random, per_mille);
}

void sequencer_byzantine_init(struct world *world, struct sequencer_node *node) {
    node->habits = (uint32_t)random_below(&world->byzantine_random, 128);
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

/* both_votes adds the vote of the other kind for a block, whatever the protocol says. */
static void both_votes(struct world *world, struct sequencer_node *node, uint32_t to,
                       const struct message *message) {
    static _Thread_local struct message other;
    other = *message;
    other.kind = MESSAGE_VOTE;
    other.vote.kind = message->vote.kind == VOTE_PREVOTE ? VOTE_PRECOMMIT : VOTE_PREVOTE;
    other.vote.valid_round = VALID_ROUND_NONE;
    other.package = BYTES_EMPTY;
    sign(world, node, &other.vote);
    world_count(world, COUNT_BYZANTINE_VOTES);
    send_message(world, node, to, &other);
}

static bool lie_in_sync(struct world *world, struct sequencer_node *node, uint32_t to,
                        struct bytes bytes) {
    static _Thread_local uint8_t *copy;
    if (!has_habit(world, node, BYZANTINE_LIE_IN_SYNC, 500)) return false;
    world_count(world, COUNT_BYZANTINE_LIES);
    memcpy(thread_buffer(&copy, MESSAGE_BYTES_MAX), bytes.data, bytes.size);
    const uint64_t at = 8 + random_below(&world->byzantine_random, bytes.size - 8);
    copy[at] ^= (uint8_t)(1u << random_below(&world->byzantine_random, 8));
    world_send(world, node->index, to, (struct bytes){copy, bytes.size});
    return true;
}

static bool garble(struct world *world, struct sequencer_node *node, uint32_t to,
                   struct bytes bytes) {
    static _Thread_local uint8_t *copy;
    if (!has_habit(world, node, BYZANTINE_GARBAGE, 30)) return false;
    world_count(world, COUNT_BYZANTINE_GARBAGE);
    memcpy(thread_buffer(&copy, MESSAGE_BYTES_MAX), bytes.data, bytes.size);
    copy[random_below(&world->byzantine_random, bytes.size)] ^=
        (uint8_t)(1u << random_below(&world->byzantine_random, 8));
    world_send(world, node->index, to, (struct bytes){copy, bytes.size});
    return true;
}

void sequencer_byzantine_send(struct world *world, struct sequencer_node *node, uint32_t to,
                              struct bytes bytes) {
    static _Thread_local struct message message;
    const struct sequencer_shared *shared = world->shared;
    const struct message_context context = {node->registry->domain, shared->batch_domain,
                                            registry_recoverer()};
    const uint8_t kind = bytes.data[0];
    if (has_habit(world, node, BYZANTINE_WITHHOLD, 300)) {
        world_count(world, COUNT_BYZANTINE_WITHHELD);
        return;
    }
    if (garble(world, node, to, bytes)) return;
    if (kind == MESSAGE_BLOCKS && bytes.size > 16 && lie_in_sync(world, node, to, bytes)) return;
    world_send(world, node->index, to, bytes);
    if (has_habit(world, node, BYZANTINE_REPLAY, 100)) {
        world_count(world, COUNT_BYZANTINE_REPLAYS);
        world_send(world, node->index, to, bytes);
    }
    if (kind != MESSAGE_VOTE && kind != MESSAGE_PROPOSAL) return;
    if (message_decode(&context, bytes, &message) != VERDICT_ACCEPTED) return;
    if (!address_equal(&message.vote.voter, &node->own)) return;
    checker_prevoted(world, node->index, &message.vote);
    if (!hash_is_zero(&message.vote.block) && has_habit(world, node, BYZANTINE_VOTE_ANY, 100)) {
        both_votes(world, node, to, &message);
    }
    if (has_habit(world, node, BYZANTINE_EQUIVOCATE, 400)) {
        other_vote(world, node, &message);
        send_message(world, node, to, &message);
    }
}
