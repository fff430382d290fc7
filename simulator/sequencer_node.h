#pragma once
/* A node that is the real sequencer: pool, blocks that the EVM executes, consensus, sync, batches.
 * The edge around it is simulated: its disk is memory, its L1 a function of time, the DA layer an
 * array, and its clients send signed transfers whose acknowledgements are held against it. */
#include <sys/mman.h>

#include "base/check.h"
#include "sequencer/sequencer.h"
#include "simulator/checker.h"
#include "simulator/disk.h"
#include "simulator/world.h"
#include "state/kv_memory.h"

#define CLIENT_ACCOUNTS      6
#define CLIENT_ITEMS         64 /* of each account, in a run */
#define SEQUENCER_KV_BYTES   ((size_t)4 << 20)
#define SEQUENCER_SLOT_BYTES ((size_t)8 << 20)
#define BLOBS_MAX            1024
#define L1_GENESIS           100
#define L1_BLOCK_MS          700
#define L1_HISTORY           48 /* below L1_RING */

/* thread_buffer returns a thread's large buffer, made at its first use: as a thread-local array it
 * would cost every thread of the whole program its memory. */
static inline uint8_t *thread_buffer(uint8_t **buffer, size_t bytes) {
    if (*buffer != NULL) return *buffer;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    *buffer = memory;
    return *buffer;
}

enum local_message {
    LOCAL_EXECUTED = 1,
    LOCAL_COMMITTED,
    LOCAL_PUBLISH,
    LOCAL_DA,
    LOCAL_PEER,
    LOCAL_RECONNECT,
};

/* What a run's nodes share. */
struct client_item {
    uint64_t acknowledged_crashes; /* the cluster's count of crashes then */
    uint64_t sent_ms;
    bool is_sent, is_acknowledged, is_included;
    bool is_held; /* by another correct node when it was acknowledged */
};

struct sequencer_shared {
    struct chain_config config;
    struct signing_domain batch_domain;
    struct bytes blobs[BLOBS_MAX]; /* DA height is index + 1 */
    uint64_t blobs_first[BLOBS_MAX], blobs_last[BLOBS_MAX];
    size_t blobs_count;
    struct client_item items[CLIENT_ACCOUNTS][CLIENT_ITEMS];
    uint64_t items_target;                            /* of each account */
    bool is_broken[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* connections, until they are made again */
};

struct sequencer_block {
    struct bytes package, commit; /* owned */
    struct hash32 hash, state_root;
    struct address proposer;
};

struct sequencer_node {
    struct world *world;
    uint32_t index;
    struct registry *registry;
    struct address own;
    void *memory, *executor_memory, *kv_memory; /* the thread's, used again by the next run */
    struct sequencer *sequencer;
    struct executor *executor;

    /* on its disk */
    struct kv_memory *kv;
    struct chain_view view;
    struct sequencer_block *chain; /* [0..height], 0: genesis */
    uint64_t chain_capacity;
    struct validator_set *sets; /* by rotation */
    uint64_t sets_capacity;
    struct disk_record record, journal;
    struct bytes record_package; /* owned: what followed the last record that had a valid block */

    /* gone in a crash */
    struct chain_view given[2];
    uint32_t given_next;
    struct block_outcome outcomes[EXECUTOR_SLOTS];
    struct consensus_record durable;
    struct effect publishing; /* first 0: nothing */
    uint64_t l1_at_ms, l1_number;
    uint64_t wall_offset_ms;

    /* Byzantine only */
    uint32_t habits;
};

extern const struct node_kind sequencer_node_kind;

/* --- sequencer_world.c: genesis, clients, L1, DA */
void sequencer_world_open(struct world *world);
void sequencer_world_close(struct world *world);
uint64_t sequencer_world_outside(struct world *world);
bool sequencer_world_is_done(struct world *world);
/* sequencer_genesis is made once for all runs. */
const struct kv_memory *sequencer_genesis(struct header *header, struct hash32 *hash);
/* sequencer_item finds a client's item by its encoding; NULL: garbage. */
const struct item *sequencer_item(struct bytes encoded);
void sequencer_l1_facts(const struct registry *registry, uint64_t number, struct l1_facts *out);
/* sequencer_acknowledged notes the answer to request (account * CLIENT_ITEMS + nonce + 1). */
void sequencer_acknowledged(struct world *world, uint32_t node, uint64_t request,
                            enum verdict verdict);
/* sequencer_included notes the items of a committed block. */
void sequencer_included(struct world *world, const struct block_outcome *outcome);
/* sequencer_da_publish puts a blob on the DA layer unless it is there at `scan_from` (0: 1) or
 * above; returns its height, or 0 for an error (which may lie). */
uint64_t sequencer_da_publish(struct world *world, uint64_t first, uint64_t last, struct bytes blob,
                              uint64_t scan_from);

/* --- sequencer_node.c, for the Byzantine and for clients */
void sequencer_node_input(struct world *world, struct sequencer_node *node, struct input *input);

/* --- sequencer_byzantine.c */
void sequencer_byzantine_init(struct world *world, struct sequencer_node *node);
/* sequencer_byzantine_send sends a message, or something else in its place. */
void sequencer_byzantine_send(struct world *world, struct sequencer_node *node, uint32_t to,
                              struct bytes message);
