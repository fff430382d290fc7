#pragma once
/* Celestia's shares and namespaced Merkle trees (NMT).
 *
 * A blob is split into shares of 512 bytes: namespace (29) | info (1) | in the first share the
 * blob's size (4, big-endian) | data; the last one is padded with zeros.  A tree's node is the
 * smallest and the largest namespace below it and a hash: leaf = ns | ns | SHA256(0x00 | ns |
 * share), inner = min | max | SHA256(0x01 | left | right).  The largest namespace of all (parity)
 * does not count for max where there is another one.  Pure functions. */
#include "base/bytes.h"
#include "base/err.h"
#include "da/da.h"

#define DA_SHARE_BYTES 512
#define DA_NODE_BYTES  90

struct da_node {
    uint8_t bytes[DA_NODE_BYTES]; /* min namespace, max namespace, SHA-256 */
};

extern const struct da_namespace DA_NAMESPACE_PRIMARY_PADDING; /* 00...00ff */
extern const struct da_namespace DA_NAMESPACE_TAIL_PADDING;    /* ff...fffe */
extern const struct da_namespace DA_NAMESPACE_PARITY;          /* ff...ffff */

/* da_namespace_compare orders by bytes: <0, 0, >0. */
int da_namespace_compare(const struct da_namespace *a, const struct da_namespace *b);
/* da_namespace_is_for_blobs: version 0, 18 zero bytes, and above the reserved ones. */
bool da_namespace_is_for_blobs(const struct da_namespace *ns);

/* da_shares_count is the number of shares of a blob of `data_bytes` (at least 1). */
size_t da_shares_count(size_t data_bytes);
/* da_share_write writes share `index` of the blob; with empty data, a padding share. */
void da_share_write(const struct da_namespace *ns, struct bytes data, size_t index,
                    uint8_t out[DA_SHARE_BYTES]);

/* da_subtree_width is the largest subtree that a blob of so many shares is committed by, and the
 * alignment of its first share in the square. */
size_t da_subtree_width(size_t shares_count);

/* One node of the namespaced Merkle tree (leaf domain byte 0, inner 1), with the range that it
 * spans. */
struct da_node da_node_leaf(const struct da_namespace *ns, const uint8_t share[DA_SHARE_BYTES]);
struct da_node da_node_inner(const struct da_node *left, const struct da_node *right);

/* A tree that is built leaf by leaf; its shape splits at the largest power of two below the count.
 */
struct da_tree {
    struct da_node stack[48];
    size_t depth;
    uint64_t count;
};
void da_tree_add(struct da_tree *tree, const struct da_node *leaf);
/* da_tree_root folds what was added; at least one leaf. */
struct da_node da_tree_root(const struct da_tree *tree);
