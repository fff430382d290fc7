/* A validator that lies: node/effects.c with what it sends to the others turned against them.
 *
 * The program baton_byzantine is the node with this file in the place of node/effects.c; no other
 * program has it.  The deciding part is the honest one, so the liar stays in touch with the
 * network; whatever it signs may be replaced on its way out.  The environment's BYZANTINE_WAYS
 * lists how: equivocate  signs two votes or two proposals, and tells each half of the others
 * another one withhold    proposes and votes not at all, or tells one of the others only invalid
 * proposes blocks whose state root is wrong, correctly signed What is done to a message depends on
 * its height, round and kind only, so that what is sent again is turned in the same way. */
#define effects_perform effects_perform_honestly
#include "node/effects.c"
#undef effects_perform

#include <stdlib.h>

#include "base/check.h"
#include "chain/block.h"

void effects_perform(struct node *node);

#define BLOCK_ARENA_BYTES ((size_t)16 << 20)

enum way { WAY_EQUIVOCATE, WAY_WITHHOLD, WAY_INVALID, WAY_HONEST };

static struct {
    struct message message;
    uint8_t bytes[MESSAGE_BYTES_MAX];
    uint8_t package[MESSAGE_BYTES_MAX];
    uint8_t arena[BLOCK_ARENA_BYTES];
} lies;

static bool is_asked_for(const char *way) {
    const char *ways = getenv("BYZANTINE_WAYS");
    return ways != NULL && strstr(ways, way) != NULL;
}

/* way_of decides, for a third of all votes and proposals, which lie it becomes. */
static enum way way_of(const struct vote *vote) {
    const uint64_t mixed =
        (vote->height * 31 + vote->round * 7 + (uint64_t)vote->kind) * 0x9e3779b97f4a7c15ull;
    switch (mixed >> 32 & 0xf) {
    case 0:
    case 1: return is_asked_for("equivocate") ? WAY_EQUIVOCATE : WAY_HONEST;
    case 2:
    case 3: return is_asked_for("withhold") ? WAY_WITHHOLD : WAY_HONEST;
    case 4:
    case 5: return is_asked_for("invalid") ? WAY_INVALID : WAY_HONEST;
    default: return WAY_HONEST;
    }
}

static void tell(struct node *node, const struct message *message, const struct hash32 *peer) {
    struct buffer out = buffer_over(lies.bytes, sizeof lies.bytes);
    message_encode(message, &out);
    CHECK(!out.overflow);
    p2p_send(node->p2p, peer, P2P_LANE_CONSENSUS, buffer_bytes(&out));
}

static void sign(struct node *node, struct vote *vote) {
    const struct hash32 digest = vote_digest(&node->domain, vote);
    node->signer.sign(node->signer.context, &digest, &vote->signature);
}

/* spoil makes the proposed block another one, whose state root is wrong.  false: there is none. */
static bool spoil(struct message *message) {
    struct block_package package;
    struct block block;
    struct arena arena = arena_over(lies.arena, sizeof lies.arena);
    if (message->package.size == 0) return false;
    memcpy(lies.package, message->package.data, message->package.size);
    message->package.data = lies.package;
    if (block_package_decode(message->package, &package) != ERR_OK) return false;
    if (block_decode(package.ethereum_block, &arena, &block) != ERR_OK) return false;
    for (size_t at = 0; at + 32 <= message->package.size; at++) {
        if (memcmp(lies.package + at, block.header.state_root.bytes, 32) != 0) continue;
        lies.package[at] ^= 1;
        struct arena again = arena_over(lies.arena, sizeof lies.arena);
        if (block_decode(package.ethereum_block, &again, &block) != ERR_OK) return false;
        if (hash_equal(&block.hash, &message->vote.block)) { /* it was in the frame: not this one */
            lies.package[at] ^= 1;
            continue;
        }
        message->vote.block = block.hash;
        return true;
    }
    return false;
}

/* lie_of makes `message` say something else under the same signer. */
static bool lie_of(struct node *node, struct message *message) {
    if (message->kind == MESSAGE_PROPOSAL) {
        if (!spoil(message)) return false;
    } else {
        message->vote.block.bytes[0] ^= 0x5a; /* of a nil vote too: then for a block nobody has */
    }
    sign(node, &message->vote);
    return true;
}

static void log_lie(const char *what, const struct vote *vote) {
    LOG(LOG_WARN, "byzantine", "%s a %s at height %llu, round %u", what, vote_kind_name(vote->kind),
        (unsigned long long)vote->height, vote->round);
}

/* equivocate tells the first half of the others the truth and the second half a lie. */
static void equivocate(struct node *node, struct message *message, const struct hash32 *peers,
                       size_t count) {
    for (size_t i = 0; i < (count + 1) / 2; i++)
        tell(node, message, &peers[i]);
    if (!lie_of(node, message)) return;
    log_lie("signed twice", &message->vote);
    for (size_t i = (count + 1) / 2; i < count; i++)
        tell(node, message, &peers[i]);
    /* One hears both, so that there is evidence. */
    tell(node, message, &peers[0]);
}

/* misbehave: true when the message has been dealt with here. */
static bool misbehave(struct node *node, const struct effect *effect) {
    const struct message_context context = {node->domain, node->batch_domain, node->recoverer};
    struct hash32 peers[P2P_PEERS_MAX];
    struct message *message = &lies.message;
    if (effect->class != MESSAGE_CLASS_CONSENSUS || node->p2p == NULL) return false;
    if (effect->bytes.data[0] != MESSAGE_PROPOSAL && effect->bytes.data[0] != MESSAGE_VOTE) {
        return false;
    }
    const size_t count = p2p_connected(node->p2p, peers, P2P_PEERS_MAX);
    if (count == 0) return false;
    if (message_decode(&context, effect->bytes, message) != VERDICT_ACCEPTED) return false;
    if (!address_equal(&message->vote.voter, &node->signer.address)) return false;
    switch (way_of(&message->vote)) {
    case WAY_HONEST: return false;
    case WAY_EQUIVOCATE: equivocate(node, message, peers, count); return true;
    case WAY_WITHHOLD:
        log_lie("withheld", &message->vote);
        if (message->vote.height % 2 == 0) tell(node, message, &peers[0]);
        return true;
    case WAY_INVALID:
        if (message->kind != MESSAGE_PROPOSAL) return false;
        if (!lie_of(node, message)) return true; /* it is sent again: the lie is out */
        log_lie("spoiled", &message->vote);
        for (size_t i = 0; i < count; i++)
            tell(node, message, &peers[i]);
        return true;
    }
    return false;
}

void effects_perform(struct node *node) {
    struct effects *effects = node->effects;
    size_t kept = 0;
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        const bool is_message = effect->kind == EFFECT_BROADCAST || effect->kind == EFFECT_SEND;
        if (is_message && misbehave(node, effect)) continue;
        effects->list[kept++] = *effect;
    }
    effects->count = kept;
    effects_perform_honestly(node);
}
