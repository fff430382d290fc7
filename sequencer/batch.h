#pragma once
/* Batches: consecutive blocks with their commits, compressed, as they lie on the DA layer.
 *
 * blob = "BTNB" || version 1 || raw size as 4 bytes || zstd(rlp([first, [package, ...], commit])),
 * where `commit` is the encoded commit of the last block, exactly as the next block's frame names
 * it (last_commit_hash); every other block's commit is in the package after it.  With the genesis
 * file and the batches alone a stranger rebuilds the chain and checks every commit.
 *
 * The encoding is deterministic for one version of zstd; readers that compare batches of different
 * builds compare what they decode to. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

#define BATCH_BLOCKS_MAX 1024
/* A batch ends with the block that takes it past batch_bytes_max, so it may be one block longer. */
#define BATCH_RAW_BYTES_MAX  (24u << 20)
#define BATCH_BLOB_BYTES_MAX (6u << 20)

struct batch {
    uint64_t first; /* height of packages[0] */
    size_t count;   /* 1..BATCH_BLOCKS_MAX */
    const struct bytes *packages;
    struct bytes commit; /* of the last block */
};

/* batch_scratch_bytes is the scratch that batch_encode needs to compress `raw_bytes`. */
size_t batch_scratch_bytes(size_t raw_bytes);

/* batch_encode appends the blob to `out`.  ERR_LIMIT: more blocks or bytes than a batch may have,
 * or `scratch` or `out` is too small (out->overflow is then set or nothing was written). */
MUST_USE enum err batch_encode(const struct batch *batch, struct arena *scratch,
                               struct buffer *out);

/* batch_decode reads a blob that a stranger may have written: sizes are bounded before anything is
 * unpacked.  Packages are views in `arena` and are not checked any further.
 * ERR_ENCODING: not a batch.  ERR_LIMIT: too large, or the arena is exhausted. */
MUST_USE enum err batch_decode(struct bytes blob, struct arena *arena, struct batch *out);
