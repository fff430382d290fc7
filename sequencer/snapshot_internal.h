#pragma once
/* What the files of a snapshot share: snapshot.c has peers, requests and the record;
 * snapshot_light.c the way to the pivot and the tail; snapshot_state.c the lanes. */
#include "base/check.h"
#include "consensus/rotation.h"
#include "sequencer/snapshot.h"

#define SNAPSHOT_QUIET_MS        2000 /* after a timeout, doubled for each further one */
#define SNAPSHOT_QUIET_TIMES_MAX 4
#define SNAPSHOT_REFUSED_MS      2000 /* nobody has the pivot for so long: a newer one */
#define SNAPSHOT_PERSIST_LOADS   32
#define SNAPSHOT_CODES_KNOWN     1024
#define SNAPSHOT_SEND_BYTES      ((SNAPSHOT_LANES + 2) * (MESSAGE_NAMES_MAX * 68 + 256))

enum ask_kind {
    ASK_NONE,
    ASK_LIGHT,
    ASK_ACCOUNTS,
    ASK_STORAGE,
    ASK_CODES,
    ASK_HEADERS,
    ASK_BLOCK,
};

/* What a LIGHT request is for. */
enum light_kind { LIGHT_FIRSTS, LIGHT_ANCHOR, LIGHT_PIVOT };

/* One request under way. */
struct ask {
    enum ask_kind kind;
    uint64_t request;
    uint32_t peer; /* index */
    uint32_t count;
    uint64_t deadline_ms;
};

struct snapshot_peer {
    struct hash32 id;
    bool is_connected;
    bool is_bad;   /* for good */
    bool is_heard; /* has told its height */
    uint64_t height;
    uint64_t refused_height; /* the pivot that it cannot serve */
    uint32_t under_way;
    uint32_t doubts; /* claims that came to nothing */
    uint32_t timeouts;
    uint64_t quiet_until_ms;
    uint64_t served; /* requests, so that all get their share */
};

struct snapshot_owner {
    struct hash32 key;
    struct hash32 root;
};

/* A part of the accounts' key space, taken stretch by stretch. */
struct lane {
    struct ask ask;
    struct hash32 next; /* the first account that is not done */
    struct hash32 end;
    bool is_done;
    bool has_stretch; /* accounts [next, stretch_to] are loaded, what follows belongs to them */
    struct hash32 stretch_to;
    uint32_t owners_count, owners_at;
    struct hash32 slot; /* of owners[owners_at]: the first that is not done */
    uint32_t codes_count, codes_at;
    bool has_resume; /* the record knew how far the stretch's storage had come */
    struct hash32 resume_owner, resume_slot;
    struct snapshot_owner owners[SNAPSHOT_STRETCH_MAX];
    struct hash32 codes[SNAPSHOT_STRETCH_MAX];
};

struct snapshot {
    struct snapshot_config config; /* `record` is not kept */
    struct arena *arena;
    struct snapshot_effects *effects; /* of the step at hand */
    uint64_t now_ms;
    enum snapshot_stage stage;
    bool has_begun, is_resumed;
    uint64_t started_ms;
    uint64_t heard_ms; /* somebody told its height; 0: nobody */
    uint64_t persist_at_ms;
    bool is_dirty;
    uint32_t loads;      /* since the last PERSIST */
    uint64_t refused_ms; /* since nobody has the pivot; 0: somebody has */
    uint64_t request_last;
    struct snapshot_status counts;
    uint32_t peers_count;
    struct snapshot_peer peers[SNAPSHOT_PEERS_MAX];

    /* the validators: N(rotation), and N(rotation + 1) once that rotation's first block was seen */
    uint64_t rotation;
    bool has_next;
    bool is_anchored;
    struct validator_set current, next;

    uint64_t pivot_height;
    bool has_pivot; /* it is proven */
    struct hash32 pivot_hash;
    struct header pivot;
    struct ask ask; /* LIGHT, HEADERS, BLOCK */
    enum light_kind asked;
    uint64_t asked_heights[MESSAGE_LIGHT_MAX];
    uint64_t kept_heights[SNAPSHOT_LIGHT_PER_ASK]; /* of KEEP_LIGHT: the next question overwrites */

    struct lane lanes[SNAPSHOT_LANES];
    struct hash32 codes_known[SNAPSHOT_CODES_KNOWN]; /* asked for since the state was cleared */

    bool has_headers;
    struct snapshot_head head;
    uint8_t headers_room[SNAPSHOT_HEADERS_MAX * HEADER_BYTES_MAX];

    struct message message; /* of ours, being encoded */
    struct snapshot_light light;
    struct commit commit;
    size_t sent_bytes;
    uint8_t sent[SNAPSHOT_SEND_BYTES];
    uint8_t record[SNAPSHOT_RECORD_BYTES];
};

/* --- snapshot.c */
/* snapshot_push adds an effect of this step, zero but for its kind. */
struct snapshot_effect *snapshot_push(struct snapshot *snapshot, enum snapshot_effect_kind kind);
/* snapshot_bad never asks the peer again and says so. */
void snapshot_bad(struct snapshot *snapshot, uint32_t peer, const char *text);
/* snapshot_refused passes the peer over as long as the pivot stays. */
void snapshot_refused(struct snapshot *snapshot, uint32_t peer);
/* snapshot_peer_choose returns who is asked next for something of height `height`, -1: nobody. */
int snapshot_peer_choose(const struct snapshot *snapshot, uint64_t height);
/* snapshot_ask sends snapshot->message, whose request number it sets, to the peer. */
void snapshot_ask(struct snapshot *snapshot, struct ask *ask, enum ask_kind kind, uint32_t peer);
/* snapshot_answered ends an ask whose answer came. */
void snapshot_answered(struct snapshot *snapshot, struct ask *ask);
/* snapshot_message clears and returns the message to fill, for snapshot_ask. */
struct message *snapshot_message(struct snapshot *snapshot, enum message_kind kind);
/* snapshot_first_of is a rotation's first block. */
uint64_t snapshot_first_of(const struct snapshot *snapshot, uint64_t rotation);
/* snapshot_find begins to look for a pivot. */
void snapshot_find(struct snapshot *snapshot, bool at_once);

/* --- snapshot_light.c */
/* snapshot_light_run asks for what is missing on the way to the pivot; the stage becomes STATE. */
void snapshot_light_run(struct snapshot *snapshot);
/* The _on_ functions take the answer to what the ask under way wanted; who lies is never asked
 * again. */
void snapshot_on_light(struct snapshot *snapshot, const struct message *message);
/* snapshot_tail_run asks for headers and block. */
void snapshot_tail_run(struct snapshot *snapshot);
void snapshot_on_headers(struct snapshot *snapshot, const struct message *message);
void snapshot_on_block(struct snapshot *snapshot, const struct message *message);

/* --- snapshot_state.c */
/* snapshot_state_begin divides the key space among the lanes. */
void snapshot_state_begin(struct snapshot *snapshot);
/* snapshot_state_run asks for what each lane needs next. */
void snapshot_state_run(struct snapshot *snapshot);
void snapshot_on_ranges(struct snapshot *snapshot, struct lane *lane,
                        const struct message *message);
void snapshot_on_codes(struct snapshot *snapshot, struct lane *lane, const struct message *message);
/* snapshot_state_is_done: all of the key space is loaded; snapshot_state_percent says how much is.
 */
bool snapshot_state_is_done(const struct snapshot *snapshot);
unsigned snapshot_state_percent(const struct snapshot *snapshot);
