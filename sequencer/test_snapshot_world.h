#pragma once
/* What the tests of snapshots share: a chain of light blocks over one state, peers that serve it,
 * each with a vice or none, and a node that takes the snapshot into tables in memory. */
#include <stdio.h>
#include <stdlib.h>

#include "base/keccak.h"
#include "consensus/rotation.h"
#include "sequencer/package.h"
#include "sequencer/snapshot.h"
#include "state/kv_memory.h"
#include "state/state.h"

#define PER_ROTATION 10
#define HEIGHTS      337
#define VALIDATORS   4
#define PEERS        4
#define ACCOUNTS     700
#define BIG_SLOTS    2500

enum vice {
    VICE_NONE,
    VICE_SILENT,        /* never answers */
    VICE_HEIGHT,        /* claims to be far ahead */
    VICE_ENTRY,         /* changes an entry */
    VICE_PROOF,         /* changes a node of the proof */
    VICE_MISSING,       /* leaves the last entry out */
    VICE_STORAGE_EMPTY, /* says that nobody has storage */
    VICE_CODE,          /* sends another code */
    VICE_COMMIT,        /* commits without a quorum */
    VICE_STRANGERS,     /* names validators of its own */
    VICE_HEADERS,       /* headers of another chain */
    VICE_BLOCK,         /* another block than the pivot */
    VICE_TOO_OLD,       /* does not serve the pivot, but later ones */
    VICE_TINY,          /* a range of one key without an entry, again and again */
    VICE_GARBAGE,       /* pieces that do not decode */
    VICE_COUNT,
};

struct light_block {
    struct bytes package, commit, header;
    struct hash32 hash;
    struct validator_set set; /* that voted */
};

struct server {
    struct hash32 id;
    enum vice vice;
    uint64_t height;
    bool is_connected;
    uint64_t refuses_below; /* VICE_TOO_OLD */
    uint64_t requests;
};

struct sink {
    void *memory;
    size_t memory_bytes;
    struct kv_memory *kv;
    uint8_t record[SNAPSHOT_RECORD_BYTES];
    size_t record_bytes;
    bool has_head, is_done, is_not_needed;
    uint64_t head_number, cleared, loads;
    struct hash32 head_hash;
    size_t headers_count;
    uint32_t dropped[PEERS];
    bool has_light[HEIGHTS + 1]; /* kept for those who ask us */
};

static uint8_t world_room[64u << 20] __attribute__((aligned(16)));
static struct arena world_arena;
static uint8_t kv_room[32u << 20] __attribute__((aligned(16)));
static struct kv_memory *source;
static struct kv_reader source_reader;
static struct hash32 source_root;
static struct light_block chain[HEIGHTS + 1];
static struct validator_set genesis_set;
static struct hash32 genesis_hash;
static struct secp_key keys[VALIDATORS];
static struct signing_domain domain;
static struct server servers[PEERS];
static struct sink sink;
static size_t answer_bytes = 4096; /* of one answer: small, so that there are many */

static inline struct bytes keep(struct bytes in) {
    CHECK(arena_copy(&world_arena, in, &in));
    return in;
}

/* --- the state */

static inline struct address account_address(uint32_t index) {
    struct address address = {{0}};
    be_write(address.bytes + 16, 4, index + 1);
    return address;
}

static inline void put_slots(struct state *state, const struct address *address, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct hash32 key = {{0}};
        const struct u256 value = u256_from_u64(i + 1);
        be_write(key.bytes + 24, 8, i);
        state_set_storage(state, address, &key, &value);
    }
}

static inline void make_state(void) {
    static uint8_t room[128u << 20] __attribute__((aligned(16)));
    struct arena arena = arena_over(room, sizeof room);
    source = kv_memory_create(kv_room, sizeof kv_room);
    source_reader = kv_memory_reader(source);
    struct state *state;
    CHECK(state_begin(&arena, &source_reader, &state) == ERR_OK);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        const struct address address = account_address(i);
        const struct u256 balance = u256_from_u64(1000 + i);
        state_set_balance(state, &address, &balance);
        if (i % 10 != 0) continue;
        uint8_t code[40] = {0x60, 0x01};
        code[2] = (uint8_t)(i / 20); /* some share their code */
        state_set_code(state, &address, BYTES_OF(code));
        put_slots(state, &address, i == 50 ? BIG_SLOTS : i % 50 == 0 ? 0 : 1 + i % 30);
    }
    state_end_transaction(state, true);
    const struct kv_write *writes;
    size_t count;
    CHECK(state_root(state, &source_root) == ERR_OK);
    CHECK(state_writes(state, &writes, &count) == ERR_OK);
    CHECK(kv_memory_apply(source, writes, count) == ERR_OK);
}

/* --- the chain */

static inline void sign_block(struct light_block *block, uint64_t height, uint32_t voters) {
    static struct commit commit;
    memset(&commit, 0, sizeof commit);
    commit.height = height;
    commit.block = block->hash;
    const struct vote vote = {.kind = VOTE_PRECOMMIT,
                              .height = height,
                              .valid_round = VALID_ROUND_NONE,
                              .block = block->hash};
    const struct hash32 digest = vote_digest(&domain, &vote);
    for (uint32_t i = 0; i < block->set.count && commit.signatures_count < voters; i++) {
        for (uint32_t k = 0; k < VALIDATORS; k++) {
            const struct address address = secp_key_address(&keys[k]);
            if (!address_equal(&address, &block->set.validators[i].address)) continue;
            struct commit_signature *signature = &commit.signatures[commit.signatures_count++];
            signature->voter_index = i;
            secp_sign(&keys[k], &digest, &signature->signature);
        }
    }
    static uint8_t room[COMMIT_BYTES_MAX];
    struct buffer out = buffer_over(room, sizeof room);
    commit_encode(&commit, &out);
    CHECK(!out.overflow);
    block->commit = keep(buffer_bytes(&out));
}

static inline struct bytes set_bytes(const struct validator_set *set) {
    static uint8_t room[VALIDATOR_SET_BYTES_MAX];
    struct buffer out = buffer_over(room, sizeof room);
    validator_set_encode(set, &out);
    return keep(buffer_bytes(&out));
}

/* make_block makes block `height` over `parent`; `next` is the set of the next rotation. */
static inline void make_block(struct light_block *out, uint64_t height, const struct hash32 *parent,
                              const struct validator_set *set, const struct validator_set *next) {
    static uint8_t room[65536];
    const bool is_first = rotation_first(height, PER_ROTATION) == height;
    const struct bytes next_bytes = set_bytes(next);
    struct frame frame = {.version = FRAME_VERSION,
                          .height = height,
                          .proposer = set->validators[0].address,
                          .time_ms = height * 1000,
                          .validators_hash = validator_set_hash(set),
                          .next_validators_hash = keccak256(next_bytes),
                          .items_root = package_items_root(NULL, 0),
                          .workload_roots_count = 1};
    struct block block = {.header = header_empty(FORK_PRAGUE), .has_withdrawals = true};
    block.header.parent_hash = *parent;
    block.header.state_root = source_root;
    block.header.number = block.header.timestamp = height;
    block.header.parent_beacon_root = frame_hash(&frame);
    struct buffer encoded = buffer_over(room, sizeof room);
    block_encode(&block, &encoded);
    const struct bytes ethereum_block = keep(buffer_bytes(&encoded));
    struct buffer frame_out = buffer_over(room, sizeof room);
    frame_encode(&frame, &frame_out);
    const struct block_package package = {.ethereum_block = ethereum_block,
                                          .frame_encoded = keep(buffer_bytes(&frame_out)),
                                          .frame = frame,
                                          .next_validators = is_first ? next_bytes : BYTES_EMPTY};
    struct buffer all = buffer_over(room, sizeof room);
    block_package_encode(&package, &all);
    CHECK(!all.overflow);
    out->package = keep(buffer_bytes(&all));
    CHECK(snapshot_header_of(ethereum_block, &out->header) == ERR_OK);
    out->hash = keccak256(out->header);
    out->set = *set;
    sign_block(out, height, VALIDATORS);
}

/* set_of is the set of a rotation: powers change with each. */
static inline struct validator_set set_of(uint64_t rotation) {
    struct validator_set set = genesis_set;
    for (uint32_t i = 0; i < set.count; i++)
        set.validators[i].power = 1 + (rotation + i) % 2;
    return rotation == 0 ? genesis_set : set;
}

static inline void make_chain(void) {
    const struct address contract = {{9}};
    domain = signing_domain_make("AndeConsensus", 1, &contract);
    genesis_set.count = VALIDATORS;
    for (uint32_t i = 0; i < VALIDATORS; i++) {
        keys[i] = (struct secp_key){{5, 6, 7, (uint8_t)(i + 1)}};
        struct validator validator = {.address = secp_key_address(&keys[i]), .power = 1};
        uint32_t at = i;
        while (at > 0 &&
               address_compare(&genesis_set.validators[at - 1].address, &validator.address) > 0) {
            genesis_set.validators[at] = genesis_set.validators[at - 1];
            at -= 1;
        }
        genesis_set.validators[at] = validator;
    }
    genesis_hash = keccak256(BYTES_STRING("genesis"));
    for (uint64_t height = 1; height <= HEIGHTS; height++) {
        const uint64_t rotation = rotation_of(height, PER_ROTATION);
        const struct validator_set set = set_of(rotation), next = set_of(rotation + 1);
        const struct hash32 *parent = height == 1 ? &genesis_hash : &chain[height - 1].hash;
        make_block(&chain[height], height, parent, &set, &next);
    }
}

static inline void make_world(void) {
    world_arena = arena_over(world_room, sizeof world_room);
    make_state();
    make_chain();
}
