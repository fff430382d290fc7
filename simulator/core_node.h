#pragma once
/* A node that is the consensus machine and as little else as possible: blocks are 73 bytes,
 * executing one is looking at a flag, the chain is an array, sync asks for one block at a time.
 * What it leaves out (pool, execution, batches) has no say in what is decided. */
#include "consensus/consensus.h"
#include "simulator/checker.h"
#include "simulator/disk.h"
#include "simulator/world.h"

#define CANDIDATES_MAX 64 /* blocks of the heights under way; the oldest makes room */
#define REPLAY_MAX     32
#define REPLAY_BYTES   256

enum core_message {
    CORE_PROPOSAL = 1, /* vote, block */
    CORE_VOTE,
    CORE_STATUS,       /* height */
    CORE_GET,          /* height */
    CORE_BLOCK,        /* block, commit */
    CORE_GET_PROPOSAL, /* height, block hash */
    CORE_HANDOVER,     /* height */
    CORE_BUILT,        /* to itself: height, round, hash */
    CORE_CHECKED,      /* to itself: height, hash, is valid */
};

enum byzantine_habit {
    BYZANTINE_EQUIVOCATE = 1,
    BYZANTINE_WITHHOLD = 2,
    BYZANTINE_REPLAY = 4,
    BYZANTINE_VOTE_ANY = 8,
    BYZANTINE_INVALID_BLOCKS = 16,
    BYZANTINE_LIE_IN_SYNC = 32,
    BYZANTINE_GARBAGE = 64,
    BYZANTINE_FORGE = 128, /* receipts and signatures of batches */
};

struct candidate {
    bool is_used, has_vote;
    struct hash32 hash;
    struct sim_block block;
    struct vote vote; /* the proposal it came with */
    uint64_t stamp;
};

struct stored_block {
    struct sim_block block;
    struct hash32 hash;
    uint8_t *commit; /* encoded */
    size_t commit_bytes;
};

struct core_node {
    uint32_t index;
    struct registry *registry;
    struct address own;
    void *memory;
    struct consensus *core;

    /* on its disk */
    struct disk_record record;
    struct stored_block *chain; /* [1..height] */
    uint64_t height, chain_capacity;

    /* derived from the chain */
    struct validator_set set, next_set; /* N of the next height's rotation, and of the one after */
    uint32_t scheduled;

    /* gone in a crash */
    struct consensus_record durable;
    struct candidate candidates[CANDIDATES_MAX];
    uint64_t stamp, status_at_ms, sync_asked_ms, began_ms;
    bool has_advanced; /* a height was committed in this step: begin the next */

    /* Byzantine only */
    uint32_t habits;
    uint64_t flood_after_ms;
    uint32_t replay_count;
    struct {
        uint8_t data[REPLAY_BYTES];
        size_t size;
    } replay[REPLAY_MAX];
};

extern const struct node_kind core_node_kind;

/* --- core_chain.c: blocks that may be decided, the chain, and whose turn it is on it */
/* core_candidate_find finds a block by its hash; NULL: it is not kept. */
struct candidate *core_candidate_find(struct core_node *node, const struct hash32 *hash);
/* core_candidate_add keeps a block, and the proposal it came with (NULL: none). */
struct candidate *core_candidate_add(struct core_node *node, const struct sim_block *block,
                                     const struct vote *vote);
/* core_head_hash and core_head_proposer are of the head, zeroes at genesis; core_is_rotation_first:
 * a rotation begins at this height. */
struct hash32 core_head_hash(const struct core_node *node);
struct address core_head_proposer(const struct core_node *node);
bool core_is_rotation_first(const struct core_node *node, uint64_t height);
/* core_execute says whether a block is valid on top of the head. */
bool core_execute(const struct core_node *node, const struct sim_block *block);
/* core_append makes a block durable and moves the schedule on.  False: the node crashed. */
bool core_append(struct world *world, struct core_node *node, const struct sim_block *block,
                 const struct hash32 *hash, const struct commit *commit);

/* --- core_node.c, for the Byzantine */
/* core_encode_vote writes a vote message, or a proposal with its block (NULL: without). */
void core_encode_vote(const struct vote *vote, const struct sim_block *block, struct buffer *out);

/* --- byzantine.c */
/* byzantine_init picks how the node will misbehave, from the world's seed. */
void byzantine_init(struct world *world, struct core_node *node);
/* byzantine_send sends what an honest node would have sent to one peer, or something else. */
void byzantine_send(struct world *world, struct core_node *node, uint32_t to,
                    const struct vote *vote, const struct sim_block *block);
/* byzantine_seen reacts to a message that came in. */
void byzantine_seen(struct world *world, struct core_node *node, struct bytes message,
                    const struct vote *vote);
/* byzantine_serve answers a request for a block; false: it answers honestly. */
bool byzantine_serve(struct world *world, struct core_node *node, uint32_t to, uint64_t height);
