#pragma once
/* The frame: what consensus adds to an Ethereum block (docs/formats.md, Blocks).  It stands to the
 * block as a beacon block does on mainnet: header.parent_beacon_root = keccak(rlp(frame)). */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

#define FRAME_VERSION       1
#define FRAME_BYTES_MAX     1024
#define FRAME_WORKLOADS_MAX 8

struct frame {
    uint64_t version;
    uint64_t height;
    uint32_t round;          /* the round in which the block was first proposed */
    struct address proposer; /* who first proposed it */
    uint64_t time_ms;        /* Unix time, milliseconds; header.timestamp = time_ms / 1000 */
    uint64_t l1_number;      /* the L1 origin */
    struct hash32 l1_hash;
    struct hash32 validators_hash;      /* the set that votes on this block */
    struct hash32 next_validators_hash; /* the set of the next rotation */
    struct hash32
        last_commit_hash;     /* keccak of the encoded commit of the parent; zero in block 1 */
    struct hash32 items_root; /* RFC 6962 root over the items' hashes */
    uint32_t workload_roots_count;
    struct hash32
        workload_roots[FRAME_WORKLOADS_MAX]; /* by workload kind; the EVM's is state_root */
};

/* frame_encode writes rlp(frame), whose keccak256 is frame_hash and the header's
 * parentBeaconBlockRoot. */
void frame_encode(const struct frame *frame, struct buffer *out);
/* frame_decode: ERR_ENCODING for anything but exactly one canonical frame of version 1. */
MUST_USE enum err frame_decode(struct bytes in, struct frame *out);
struct hash32 frame_hash(const struct frame *frame);
