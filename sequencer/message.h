#pragma once
/* What nodes say to each other: one kind byte, then RLP (docs/formats.md).
 *
 * message_decode runs on the edge's threads: it checks the form and recovers who signed votes and
 * proposals, so that the sequencer gets authenticated facts only.  Anything else is a verdict that
 * the edge counts against the peer. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/verdict.h"
#include "chain/settlement.h"
#include "consensus/commit.h"
#include "consensus/signing.h"
#include "workloads/workload.h"

enum message_kind {
    MESSAGE_STATUS = 1,   /* height, head hash: on connect and after each commit */
    MESSAGE_PROPOSAL = 2, /* signed proposal, package (may be empty: the block is known) */
    MESSAGE_VOTE = 3,
    MESSAGE_ITEMS = 4,        /* items of the pool */
    MESSAGE_GET_BLOCKS = 5,   /* first, count */
    MESSAGE_BLOCKS = 6,       /* packages with commits */
    MESSAGE_GET_PROPOSAL = 7, /* height, round, block hash: send the block again */
    MESSAGE_HANDOVER = 8, /* height: the proposer of round 0 will not propose (handover_digest) */
    MESSAGE_EVIDENCE = 9, /* two votes */
    MESSAGE_BATCH_RECEIPT = 10, /* a batch is on DA: first, last, DA height, commitment */
    MESSAGE_BATCH_SIGN = 11,    /* a validator's signature over a settlement */
    MESSAGE_ITEMS_HELD = 12,    /* items that the sender was sent and now holds, by hash */
    /* Snapshots (snapshot.h).  Each answer repeats the number of its request. */
    MESSAGE_GET_LIGHT = 13,   /* heights */
    MESSAGE_LIGHT = 14,       /* what proves each of them (snapshot_wire.h), as many as fit */
    MESSAGE_GET_RANGES = 15,  /* height; names: first account, or owner and first slot */
    MESSAGE_RANGES = 16,      /* a range for each name, as many as fit; none: not to be had */
    MESSAGE_GET_CODES = 17,   /* names: code hashes */
    MESSAGE_CODES = 18,       /* in that order, as many as fit */
    MESSAGE_GET_HEADERS = 19, /* first, count */
    MESSAGE_HEADERS = 20,
    MESSAGE_GET_CHAIN = 21, /* offset: who comes to a chain asks for its genesis file */
    MESSAGE_CHAIN = 22,     /* offset, size of the file, a piece of it, addresses of peers */
};

enum message_class { MESSAGE_CLASS_CONSENSUS, MESSAGE_CLASS_ITEMS, MESSAGE_CLASS_SYNC };

#define MESSAGE_ITEMS_MAX  512
#define MESSAGE_HELD_MAX   64
#define MESSAGE_BLOCKS_MAX 32
#define MESSAGE_LIGHT_MAX  32  /* heights of GET_LIGHT */
#define MESSAGE_NAMES_MAX  32  /* of GET_RANGES and GET_CODES */
#define MESSAGE_PIECES_MAX 256 /* of any snapshot message */
#define MESSAGE_BYTES_MAX  (6u << 20)

struct message {
    enum message_kind kind;
    uint64_t height;         /* STATUS, GET_BLOCKS (first), GET_PROPOSAL, HANDOVER, GET_RANGES,
                                RANGES, GET_HEADERS (first); GET_CHAIN, CHAIN: offset */
    uint32_t round;          /* GET_PROPOSAL */
    uint32_t count;          /* GET_BLOCKS; entries of BLOCKS and ITEMS */
    struct hash32 hash;      /* STATUS head, GET_PROPOSAL block */
    struct vote vote;        /* PROPOSAL, VOTE, EVIDENCE: voter is recovered; HANDOVER: only
                                height, voter and signature mean something */
    struct vote conflicting; /* EVIDENCE */
    struct bytes package;    /* PROPOSAL */
    struct {
        struct bytes package, commit;
    } blocks[MESSAGE_BLOCKS_MAX];
    struct bytes items[MESSAGE_ITEMS_MAX];   /* ITEMS: kind byte, then the encoding */
    struct bytes pieces[MESSAGE_PIECES_MAX]; /* `count` names, ranges, codes, headers, ... */
    struct bytes hashes;                     /* ITEMS_HELD: `count` of 32 bytes each */
    struct batch_statement batch;           /* BATCH_SIGN; BATCH_RECEIPT: heights and place alone */
    struct batch_signature batch_signature; /* BATCH_SIGN: the signer is recovered */
    uint64_t request;                       /* of snapshot messages */
    uint64_t heights[MESSAGE_LIGHT_MAX];    /* GET_LIGHT: `count` */
    uint64_t total_bytes;                   /* CHAIN: of the genesis file; `height` is the offset */
    struct bytes peers;                     /* CHAIN: PEERID@HOST:PORT, comma-separated */
};

/* message_is_snapshot_request: a message that asks for chain facts which anybody may have. */
bool message_is_snapshot_request(enum message_kind kind);
/* message_is_snapshot_answer: what comes back. */
bool message_is_snapshot_answer(enum message_kind kind);

struct message_context {
    struct signing_domain domain;       /* votes */
    struct signing_domain batch_domain; /* settlements */
    struct recoverer recoverer;
};

/* message_decode views `in`.  VERDICT_MALFORMED; VERDICT_SIGNATURE when a signature is nobody's;
 * VERDICT_OVERSIZED. */
enum verdict message_decode(const struct message_context *context, struct bytes in,
                            struct message *out);
/* message_encode writes a message (signatures as given). */
void message_encode(const struct message *message, struct buffer *out);

/* handover_digest is what the proposer of round 0 signs to say that it will not propose at
 * `height`: keccak(0x19 || "baton handover" || separator || height as 8 bytes). */
struct hash32 handover_digest(const struct signing_domain *domain, uint64_t height);
