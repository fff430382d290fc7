#pragma once
/* The contract's side of a run: who is listed as a validator at each rotation, with how much power,
 * and who is Byzantine.  Drawn from the seed; the power of the Byzantine stays below a third of
 * every set.
 *
 * Also what every node and the checker need to know about the schedule, from the chain alone. */
#include "chain/validators.h"
#include "consensus/signing.h"
#include "simulator/world.h"

struct registry {
    uint64_t seed;
    uint64_t blocks_per_rotation;
    uint64_t block_time_ms;
    uint32_t nodes_count;
    bool has_changes;                          /* sets change from rotation to rotation */
    uint64_t era_blocks;                       /* the listing stays for so many L1 blocks */
    struct address addresses[WORLD_NODES_MAX]; /* by node */
    struct hash32 peer_ids[WORLD_NODES_MAX];
    uint64_t powers[WORLD_NODES_MAX];
    bool is_byzantine[WORLD_NODES_MAX];
    uint64_t tags[WORLD_NODES_MAX]; /* the part of a node's signatures that is always the same */
    enum fault_model fault_model;
    struct signing_domain domain;
    struct vote_digests digests;
};

/* registry_init fills it in its place (the domain points into it), and draws the chain's settings
 * and the nodes' powers from `random`; addresses follow from `seed`. */
void registry_init(struct registry *registry, struct random *random, uint32_t nodes_count,
                   enum fault_model fault_model, uint64_t seed);
/* registry_listed gives what the contract lists at L1 block `origin`: sorted, priorities zero. */
void registry_listed(const struct registry *registry, uint64_t origin, struct validator_set *out);
/* registry_genesis is N(0). */
void registry_genesis(const struct registry *registry, struct validator_set *out);
/* registry_spares says whether every set that may be listed has a quorum without `node` and without
 * the Byzantine. */
bool registry_spares(const struct registry *registry, uint32_t node);
/* registry_node finds who has `address`; -1: nobody. */
int registry_node(const struct registry *registry, const struct address *address);

/* Signatures without cryptography: the signer's address, and a hash that only simulated keys make.
 * The address outlives the signer, the registry the recoverer that knows it, which is faster. */
struct signer registry_signer(const struct address *address);
struct recoverer registry_recoverer(void);
struct recoverer registry_recoverer_of(const struct registry *registry);
