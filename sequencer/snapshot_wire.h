#pragma once
/* What lies inside the pieces of snapshot messages (docs/formats.md): ranges of the state, and the
 * parts of a block that prove it to somebody who knows the validators of its rotation. */
#include "chain/block.h"
#include "consensus/commit.h"
#include "state/range.h"

/* snapshot_range_encode writes rlp([owner or "", from, to, [[key, value], ...], [node, ...]]);
 * `owner` NULL: accounts. */
void snapshot_range_encode(const struct hash32 *owner, const struct range *range,
                           struct buffer *out);

struct snapshot_range {
    bool is_storage;
    struct hash32 owner; /* of storage */
    struct range range;  /* arrays in the arena, values and nodes view the input */
};
/* snapshot_range_decode reads one; nothing is checked but the form.  ERR_ENCODING, ERR_TRUNCATED;
 * ERR_LIMIT: the arena is too small, or more nodes than a proof may have. */
MUST_USE enum err snapshot_range_decode(struct bytes in, struct arena *arena,
                                        struct snapshot_range *out);

/* A block as somebody sees it who does not execute it. */
struct snapshot_light {
    struct header header;
    struct hash32 hash;
    struct frame frame;
    struct commit commit;
    struct bytes next_validators; /* encoded; empty but in a rotation's first block */
};

/* snapshot_light_encode writes rlp([header, frame, commit, next_validators]) out of a package and
 * its commit.  ERR_ENCODING: the package is none. */
MUST_USE enum err snapshot_light_encode(struct bytes package, struct bytes commit,
                                        struct buffer *out);
/* snapshot_light_decode reads it and holds the parts against each other: the header names the
 * frame, the frame the header's number.  ERR_ENCODING, ERR_TRUNCATED; ERR_MISMATCH. */
MUST_USE enum err snapshot_light_decode(struct bytes in, struct snapshot_light *out);

/* snapshot_header_of views the header in an encoded Ethereum block.  ERR_ENCODING. */
MUST_USE enum err snapshot_header_of(struct bytes ethereum_block, struct bytes *out);
