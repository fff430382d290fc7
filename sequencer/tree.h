#pragma once
/* Ordered sets of numbered things: an AVL tree whose links lie inside the things.
 *
 * Things are elements of one array and named by index; a thing may be in several trees by several
 * links.  Height is at most 1.44 * log2(count), so recursion is at most TREE_DEPTH_MAX deep
 * whatever keys a client chooses.  Keys must be distinct. */
#include <stdint.h>

#define TREE_NONE      UINT32_MAX
#define TREE_DEPTH_MAX 48

struct tree_link {
    uint32_t left;
    uint32_t right;
    uint32_t height;
};

struct tree {
    uint8_t *links; /* the link of thing 0 */
    uint32_t stride_bytes;
    const void *context;
    int (*compare)(const void *context, uint32_t a, uint32_t b);
};

/* tree_insert and tree_remove return the new root (TREE_NONE: empty).  The thing must not be, or
 * must be, in the tree (CHECK). */
uint32_t tree_insert(const struct tree *tree, uint32_t root, uint32_t thing);
uint32_t tree_remove(const struct tree *tree, uint32_t root, uint32_t thing);
/* tree_first and tree_last: the smallest and the largest; TREE_NONE when empty. */
uint32_t tree_first(const struct tree *tree, uint32_t root);
uint32_t tree_last(const struct tree *tree, uint32_t root);

/* tree_link finds the link that lies in a thing. */
/* tree_link is the link of a thing. */
static inline struct tree_link *tree_link(const struct tree *tree, uint32_t thing) {
    return (struct tree_link *)(void *)(tree->links + (uint64_t)thing * tree->stride_bytes);
}
