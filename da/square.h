#pragma once
/* The square of one DA block: blobs laid out as shares, extended, with the NMT roots of all rows
 * and columns, and proofs for the namespaces in a row.
 *
 * Blobs are in order of their namespaces; each starts at a multiple of its subtree width, so that
 * the roots under its commitment are nodes of the rows' trees.  Gaps are padding of the namespace
 * before, the rest is tail padding.  A block without blobs is one share of tail padding. */
#include "da/erasure.h"
#include "da/shares.h"

struct da_square_blob {
    struct da_namespace ns;
    struct bytes data;
    size_t
        share_index; /* of its first share in the data, row after row; da_square_layout sets it */
};

struct da_square {
    size_t width;          /* of the data; 1..DA_SQUARE_WIDTH_MAX */
    uint8_t *shares;       /* (2 * width)^2 of them */
    struct da_node *nodes; /* their leaf nodes */
    struct da_node row_roots[2 * DA_SQUARE_WIDTH_MAX];
    struct da_node column_roots[2 * DA_SQUARE_WIDTH_MAX];
    struct hash32 data_hash; /* RFC 6962 over row roots, then column roots */
};

struct da_proof {
    size_t start, end; /* leaves of the row, end not included */
    size_t nodes_count;
    struct da_node nodes[2 * 9];
};

/* da_square_bytes is what da_square_build needs of memory for a width. */
size_t da_square_bytes(size_t width);

/* da_square_layout places `count` blobs, sorted by namespace, and returns the width.  ERR_LIMIT:
 * they do not fit into the largest square. */
MUST_USE enum err da_square_layout(struct da_square_blob *blobs, size_t count, size_t *width);

/* da_square_build makes the square of blobs that were laid out, in `memory` of da_square_bytes. */
void da_square_build(const struct da_erasure *erasure, const struct da_square_blob *blobs,
                     size_t count, size_t width, void *memory, struct da_square *out);

/* da_square_prove proves the leaves [start, end) of a row; 0 < end - start. */
void da_square_prove(const struct da_square *square, size_t row, size_t start, size_t end,
                     struct da_proof *out);

/* da_proof_root is the root that the proof gives for its leaves, in a row of `leaves_count`. */
MUST_USE enum err da_proof_root(const struct da_proof *proof, const struct da_node *leaves,
                                size_t leaves_count, struct da_node *out);
