#include "da/square.h"

#include "base/check.h"
#include "base/merkle.h"

#define LEVELS_MAX 10

size_t da_square_bytes(size_t width) {
    return 4 * width * width * (DA_SHARE_BYTES + sizeof(struct da_node));
}

enum err da_square_layout(struct da_square_blob *blobs, size_t count, size_t *width) {
    const size_t shares_max = (size_t)DA_SQUARE_WIDTH_MAX * DA_SQUARE_WIDTH_MAX;
    size_t cursor = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t shares = da_shares_count(blobs[i].data.size);
        const size_t align = da_subtree_width(shares);
        cursor = (cursor + align - 1) / align * align;
        blobs[i].share_index = cursor;
        if (shares > shares_max || cursor > shares_max - shares) return ERR_LIMIT;
        cursor += shares;
    }
    size_t found = 1;
    while (found * found < cursor)
        found *= 2;
    *width = found;
    return ERR_OK;
}

static uint8_t *share_at(const struct da_square *square, size_t row, size_t column) {
    return square->shares + (row * 2 * square->width + column) * DA_SHARE_BYTES;
}

static void place(const struct da_square *square, size_t index, const struct da_namespace *ns,
                  struct bytes data, size_t part) {
    da_share_write(ns, data, part, share_at(square, index / square->width, index % square->width));
}

static void place_all(const struct da_square *square, const struct da_square_blob *blobs,
                      size_t count) {
    size_t cursor = 0;
    const struct da_namespace *before = &DA_NAMESPACE_PRIMARY_PADDING;
    for (size_t i = 0; i < count; i++) {
        for (; cursor < blobs[i].share_index; cursor++) {
            place(square, cursor, before, BYTES_EMPTY, 0);
        }
        const size_t shares = da_shares_count(blobs[i].data.size);
        for (size_t part = 0; part < shares; part++) {
            place(square, cursor++, &blobs[i].ns, blobs[i].data, part);
        }
        before = &blobs[i].ns;
    }
    for (; cursor < square->width * square->width; cursor++) {
        place(square, cursor, &DA_NAMESPACE_TAIL_PADDING, BYTES_EMPTY, 0);
    }
}

static struct da_node *node_at(const struct da_square *square, size_t row, size_t column) {
    return &square->nodes[row * 2 * square->width + column];
}

static void hash_leaves(const struct da_square *square) {
    const size_t width = square->width;
    for (size_t row = 0; row < 2 * width; row++) {
        for (size_t column = 0; column < 2 * width; column++) {
            const uint8_t *share = share_at(square, row, column);
            struct da_namespace ns = DA_NAMESPACE_PARITY;
            if (row < width && column < width) memcpy(ns.bytes, share, sizeof ns.bytes);
            *node_at(square, row, column) = da_node_leaf(&ns, share);
        }
    }
}

void da_square_build(const struct da_erasure *erasure, const struct da_square_blob *blobs,
                     size_t count, size_t width, void *memory, struct da_square *out) {
    CHECK(width > 0 && width <= DA_SQUARE_WIDTH_MAX);
    out->width = width;
    out->shares = memory;
    out->nodes = (struct da_node *)(out->shares + 4 * width * width * DA_SHARE_BYTES);
    place_all(out, blobs, count);
    da_erasure_extend(erasure, out->shares, width);
    hash_leaves(out);
    struct hash32 leaves[4 * DA_SQUARE_WIDTH_MAX];
    for (size_t line = 0; line < 2 * width; line++) {
        struct da_tree row = {.depth = 0};
        struct da_tree column = {.depth = 0};
        for (size_t i = 0; i < 2 * width; i++) {
            da_tree_add(&row, node_at(out, line, i));
            da_tree_add(&column, node_at(out, i, line));
        }
        out->row_roots[line] = da_tree_root(&row);
        out->column_roots[line] = da_tree_root(&column);
        leaves[line] = merkle_leaf(BYTES_OF(out->row_roots[line].bytes));
        leaves[2 * width + line] = merkle_leaf(BYTES_OF(out->column_roots[line].bytes));
    }
    out->data_hash = merkle_root(leaves, 4 * width);
}

/* range_root is the root of the leaves [from, from + count), count a power of two. */
static struct da_node range_root(const struct da_node *leaves, size_t from, size_t count) {
    struct da_tree tree = {.depth = 0};
    for (size_t i = 0; i < count; i++)
        da_tree_add(&tree, &leaves[from + i]);
    return da_tree_root(&tree);
}

struct range {
    size_t from, count;
};

void da_square_prove(const struct da_square *square, size_t row, size_t start, size_t end,
                     struct da_proof *out) {
    const struct da_node *leaves = node_at(square, row, 0);
    CHECK(start < end && end <= 2 * square->width);
    *out = (struct da_proof){.start = start, .end = end};
    /* From left to right: what lies wholly outside is one node, what is cut is split. */
    struct range stack[2 * LEVELS_MAX];
    size_t depth = 0;
    stack[depth++] = (struct range){0, 2 * square->width};
    while (depth > 0) {
        const struct range range = stack[--depth];
        const size_t range_end = range.from + range.count;
        if (range.from >= start && range_end <= end) continue;
        if (range_end <= start || range.from >= end) {
            CHECK(out->nodes_count < sizeof out->nodes / sizeof *out->nodes);
            out->nodes[out->nodes_count++] = range_root(leaves, range.from, range.count);
            continue;
        }
        const size_t half = range.count / 2;
        stack[depth++] = (struct range){range.from + half, half};
        stack[depth++] = (struct range){range.from, half};
    }
}

enum err da_proof_root(const struct da_proof *proof, const struct da_node *leaves,
                       size_t leaves_count, struct da_node *out) {
    if (leaves_count == 0 || (leaves_count & (leaves_count - 1)) != 0) return ERR_ENCODING;
    if (proof->start >= proof->end || proof->end > leaves_count) return ERR_ENCODING;
    /* Post-order over the same splits; a finished left half waits on `done` for its right half. */
    struct {
        struct range range;
        bool is_join;
    } stack[3 * LEVELS_MAX];
    struct da_node done[LEVELS_MAX + 1];
    size_t depth = 0;
    size_t done_count = 0;
    size_t used = 0;
    stack[depth].range = (struct range){0, leaves_count};
    stack[depth++].is_join = false;
    while (depth > 0) {
        const struct range range = stack[--depth].range;
        if (stack[depth].is_join) {
            done[done_count - 2] = da_node_inner(&done[done_count - 2], &done[done_count - 1]);
            done_count -= 1;
            continue;
        }
        const size_t range_end = range.from + range.count;
        if (range.from >= proof->start && range_end <= proof->end) {
            done[done_count++] = range_root(leaves, range.from - proof->start, range.count);
        } else if (range_end <= proof->start || range.from >= proof->end) {
            if (used == proof->nodes_count) return ERR_TRUNCATED;
            done[done_count++] = proof->nodes[used++];
        } else {
            const size_t half = range.count / 2;
            stack[depth++].is_join = true;
            stack[depth].range = (struct range){range.from + half, half};
            stack[depth++].is_join = false;
            stack[depth].range = (struct range){range.from, half};
            stack[depth++].is_join = false;
        }
    }
    if (used != proof->nodes_count) return ERR_ENCODING;
    *out = done[0];
    return ERR_OK;
}
