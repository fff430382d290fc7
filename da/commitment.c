/* The share commitment of a blob: NMT roots over aligned runs of its shares, and an RFC 6962 tree
 * over those roots, so that the commitment can be found again in the trees of the block's square.
 */
#include "base/check.h"
#include "base/merkle.h"
#include "da/shares.h"

#define SUBTREES_MAX 160 /* 13,054 shares at DA_BLOB_BYTES_MAX: 102 of width 128 and a tail */

struct hash32 da_commitment(const struct da_namespace *ns, struct bytes data) {
    CHECK(data.size > 0 && data.size <= DA_BLOB_BYTES_MAX);
    const size_t count = da_shares_count(data.size);
    size_t width = da_subtree_width(count);
    struct hash32 roots[SUBTREES_MAX];
    size_t roots_count = 0;
    for (size_t next = 0; next < count;) {
        while (width > count - next)
            width /= 2;
        struct da_tree tree = {.depth = 0};
        for (size_t i = 0; i < width; i++, next++) {
            uint8_t share[DA_SHARE_BYTES];
            da_share_write(ns, data, next, share);
            const struct da_node leaf = da_node_leaf(ns, share);
            da_tree_add(&tree, &leaf);
        }
        const struct da_node root = da_tree_root(&tree);
        CHECK(roots_count < SUBTREES_MAX);
        roots[roots_count++] = merkle_leaf(BYTES_OF(root.bytes));
    }
    return merkle_root(roots, roots_count);
}
