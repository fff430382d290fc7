#pragma once
/* Taking a snapshot: how a node that is new, or far behind, gets the state of a recent block (the
 * pivot) from several peers at once, and believes none of them.
 *
 *   FIND    peers tell their heights; the pivot is a little below the highest
 *   LIGHT   one block of each rotation, with its commit, leads from the validators that we know to
 *           those of the pivot; then the pivot itself (docs/consensus.md, section 6)
 *   STATE   the accounts in SNAPSHOT_LANES parts of the key space at once; in each part a stretch
 *           of accounts, then the storage and the code of these, then the next stretch.  Every
 *           range is proven against the pivot's state root or the account's storage root, every
 *           code is hashed, before it is handed out to be loaded
 *   TAIL    the headers that BLOCKHASH may ask for, and the pivot's block with its commit
 *
 * Whoever sends what cannot be true is never asked again.  Whoever cannot serve the pivot (any
 * more) is passed over; when nobody can, a newer pivot is taken and the state begins anew.
 *
 * A pure state machine: snapshot_step takes one input and appends effects, which the caller
 * performs in order; when one of LOAD_* or PERSIST fails it ends.  What PERSIST kept last is all
 * that a restart needs: ranges that were loaded after it come again and change nothing. */
#include "base/arena.h"
#include "consensus/commit.h"
#include "sequencer/message.h"
#include "sequencer/snapshot_wire.h"

#define SNAPSHOT_LANES           16
#define SNAPSHOT_PEERS_MAX       64
#define SNAPSHOT_REQUESTS_MAX    4    /* under way at one peer */
#define SNAPSHOT_STRETCH_MAX     4096 /* accounts with storage, and codes, of one stretch */
#define SNAPSHOT_HEADERS_MAX     256
#define SNAPSHOT_EFFECTS_MAX     160
#define SNAPSHOT_RECORD_BYTES    (2 * VALIDATOR_SET_BYTES_MAX + SNAPSHOT_LANES * 160 + 1024)
#define SNAPSHOT_ANSWER_BYTES    (128u << 10) /* servers stop after this much of the state */
#define SNAPSHOT_TIMEOUT_MS      10000
#define SNAPSHOT_FIND_MS         1000 /* heights of several peers are heard before one is chosen */
#define SNAPSHOT_PERSIST_MS      1000
#define SNAPSHOT_LIGHT_PER_ASK   16
#define SNAPSHOT_PIVOT_DISTANCE  2 /* below the highest block: others have that one as well */
#define SNAPSHOT_ARENA_BYTES_MIN ((size_t)32 << 20)

struct snapshot_config {
    uint64_t blocks_per_rotation;
    enum fault_model fault_model;
    struct signing_domain domain;
    struct recoverer recoverer;
    uint64_t head_height; /* what this node has */
    struct hash32 head_hash;
    struct validator_set validators; /* N(rotation_of(head_height + 1)) */
    uint64_t behind_min;             /* a snapshot is worth it from so many blocks on */
    uint32_t peers_expected;         /* once so many told their height, nobody is waited for */
    bool has_begun;                  /* the old state is gone: there is no way back */
    uint64_t find_ms;                /* how long to wait for somebody to be ahead; 0: for ever */
    /* A block of the chain that L1 names (settled): the pivot's chain must have it. */
    bool has_anchor;
    uint64_t anchor_height;
    struct hash32 anchor_hash;
    struct bytes record; /* of a snapshot that was begun; empty: none */
};

enum snapshot_input_kind { SNAPSHOT_INPUT_TICK, SNAPSHOT_INPUT_PEER, SNAPSHOT_INPUT_MESSAGE };

struct snapshot_input {
    enum snapshot_input_kind kind;
    uint64_t now_ms;               /* monotonic */
    struct hash32 peer;            /* PEER, MESSAGE */
    bool is_connected;             /* PEER */
    const struct message *message; /* MESSAGE: STATUS, BLOCKS and answers; others are passed over */
};

enum snapshot_effect_kind {
    SNAPSHOT_EFFECT_SEND,       /* bytes to `peer` */
    SNAPSHOT_EFFECT_DROP,       /* `peer` sent what cannot be true: `text` says what */
    SNAPSHOT_EFFECT_CLEAR,      /* drop the state that is there */
    SNAPSHOT_EFFECT_KEEP_LIGHT, /* `lights`: keep them for those who will ask this node the way */
    SNAPSHOT_EFFECT_LOAD_RANGE, /* `owner` (NULL: accounts), `range`: put into the state */
    SNAPSHOT_EFFECT_LOAD_CODE,  /* `hash`, `bytes` */
    SNAPSHOT_EFFECT_PERSIST,    /* `bytes`: durable, and all loads before it */
    SNAPSHOT_EFFECT_SET_HEAD,   /* `head`: in one step; the record of PERSIST goes with it */
    SNAPSHOT_EFFECT_DONE,       /* the snapshot is taken */
    SNAPSHOT_EFFECT_NOT_NEEDED, /* nobody is far ahead, or nobody is there */
};

struct snapshot_head {
    struct header header;
    struct hash32 hash;
    struct bytes package, commit;
    /* Headers before it, ascending, consecutive up to its parent; each an encoding. */
    size_t headers_count;
    struct bytes headers[SNAPSHOT_HEADERS_MAX];
    uint64_t rotation;                                        /* of the pivot */
    const struct validator_set *validators, *next_validators; /* N(rotation), N(rotation + 1) */
};

/* Proven first blocks of rotations, each in the form that MESSAGE_LIGHT carries. */
struct snapshot_lights {
    size_t count;
    const uint64_t *heights;
    const struct bytes *pieces;
};

struct snapshot_effect {
    enum snapshot_effect_kind kind;
    struct hash32 peer;
    const char *text;
    struct bytes bytes; /* lives until the next step, as do all views */
    const struct hash32 *owner;
    const struct range *range;
    struct hash32 hash;
    const struct snapshot_head *head;
    struct snapshot_lights lights;
};

struct snapshot_effects {
    size_t count;
    struct snapshot_effect list[SNAPSHOT_EFFECTS_MAX];
};

struct snapshot;

/* snapshot_create makes one in `memory` (snapshot_bytes()); `arena` (SNAPSHOT_ARENA_BYTES_MIN at
 * least) is used and reset by each step.  A record that does not decode is as none. */
size_t snapshot_bytes(void);
struct snapshot *snapshot_create(void *memory, const struct snapshot_config *config,
                                 struct arena *arena, uint64_t now_ms);

/* snapshot_step handles one input. */
void snapshot_step(struct snapshot *snapshot, const struct snapshot_input *input,
                   struct snapshot_effects *effects);

/* snapshot_deadline_ms is when the next TICK is needed. */
uint64_t snapshot_deadline_ms(const struct snapshot *snapshot);

enum snapshot_stage {
    SNAPSHOT_FIND,
    SNAPSHOT_LIGHT,
    SNAPSHOT_STATE,
    SNAPSHOT_TAIL,
    SNAPSHOT_ENDED
};

struct snapshot_status {
    enum snapshot_stage stage;
    bool has_begun;        /* the old state is gone */
    bool is_resumed;       /* goes on where an earlier run stopped */
    uint64_t pivot_height; /* 0: not chosen */
    uint64_t rotation;     /* verified so far */
    uint64_t highest_seen;
    unsigned percent; /* of the key space, 0..100 */
    uint32_t peers_usable;
    uint64_t accounts, slots, codes, bytes; /* loaded by this run */
    uint64_t requests_total, timeouts_total, refusals_total, bad_peers_total, pivots_total;
};
void snapshot_status(const struct snapshot *snapshot, struct snapshot_status *out);
