#include "sequencer/tree.h"

#include "base/check.h"

static uint32_t height_of(const struct tree *tree, uint32_t node) {
    return node == TREE_NONE ? 0 : tree_link(tree, node)->height;
}

static void measure(const struct tree *tree, uint32_t node) {
    struct tree_link *link = tree_link(tree, node);
    const uint32_t left = height_of(tree, link->left);
    const uint32_t right = height_of(tree, link->right);
    link->height = 1 + (left > right ? left : right);
}

static uint32_t rotate_right(const struct tree *tree, uint32_t node) {
    const uint32_t up = tree_link(tree, node)->left;
    tree_link(tree, node)->left = tree_link(tree, up)->right;
    tree_link(tree, up)->right = node;
    measure(tree, node);
    measure(tree, up);
    return up;
}

static uint32_t rotate_left(const struct tree *tree, uint32_t node) {
    const uint32_t up = tree_link(tree, node)->right;
    tree_link(tree, node)->right = tree_link(tree, up)->left;
    tree_link(tree, up)->left = node;
    measure(tree, node);
    measure(tree, up);
    return up;
}

static uint32_t balance(const struct tree *tree, uint32_t node) {
    struct tree_link *link = tree_link(tree, node);
    measure(tree, node);
    const uint32_t left = height_of(tree, link->left);
    const uint32_t right = height_of(tree, link->right);
    if (left > right + 1) {
        const struct tree_link *child = tree_link(tree, link->left);
        if (height_of(tree, child->right) > height_of(tree, child->left)) {
            link->left = rotate_left(tree, link->left);
        }
        return rotate_right(tree, node);
    }
    if (right > left + 1) {
        const struct tree_link *child = tree_link(tree, link->right);
        if (height_of(tree, child->left) > height_of(tree, child->right)) {
            link->right = rotate_right(tree, link->right);
        }
        return rotate_left(tree, node);
    }
    return node;
}

uint32_t tree_insert(const struct tree *tree, uint32_t root, uint32_t thing) {
    if (root == TREE_NONE) {
        *tree_link(tree, thing) = (struct tree_link){TREE_NONE, TREE_NONE, 1};
        return thing;
    }
    const int order = tree->compare(tree->context, thing, root);
    CHECK(order != 0);
    struct tree_link *link = tree_link(tree, root);
    if (order < 0) {
        link->left = tree_insert(tree, link->left, thing);
    } else {
        link->right = tree_insert(tree, link->right, thing);
    }
    return balance(tree, root);
}

/* remove_first takes the smallest out of a tree that is not empty. */
static uint32_t remove_first(const struct tree *tree, uint32_t root, uint32_t *first) {
    struct tree_link *link = tree_link(tree, root);
    if (link->left == TREE_NONE) {
        *first = root;
        return link->right;
    }
    link->left = remove_first(tree, link->left, first);
    return balance(tree, root);
}

uint32_t tree_remove(const struct tree *tree, uint32_t root, uint32_t thing) {
    CHECK(root != TREE_NONE);
    struct tree_link *link = tree_link(tree, root);
    if (root == thing) {
        if (link->left == TREE_NONE) return link->right;
        if (link->right == TREE_NONE) return link->left;
        uint32_t heir;
        const uint32_t right = remove_first(tree, link->right, &heir);
        *tree_link(tree, heir) = (struct tree_link){link->left, right, 0};
        return balance(tree, heir);
    }
    const int order = tree->compare(tree->context, thing, root);
    CHECK(order != 0);
    if (order < 0) {
        link->left = tree_remove(tree, link->left, thing);
    } else {
        link->right = tree_remove(tree, link->right, thing);
    }
    return balance(tree, root);
}

uint32_t tree_first(const struct tree *tree, uint32_t root) {
    while (root != TREE_NONE && tree_link(tree, root)->left != TREE_NONE) {
        root = tree_link(tree, root)->left;
    }
    return root;
}

uint32_t tree_last(const struct tree *tree, uint32_t root) {
    while (root != TREE_NONE && tree_link(tree, root)->right != TREE_NONE) {
        root = tree_link(tree, root)->right;
    }
    return root;
}
