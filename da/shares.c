#include "da/shares.h"

#include "base/check.h"
#include "base/merkle.h"

#define SEQUENCE_BYTES     4
#define HEAD_BYTES         (DA_NAMESPACE_BYTES + 1)
#define FIRST_DATA_BYTES   (DA_SHARE_BYTES - HEAD_BYTES - SEQUENCE_BYTES)
#define NEXT_DATA_BYTES    (DA_SHARE_BYTES - HEAD_BYTES)
#define SUBTREES_THRESHOLD 64
#define RESERVED_BYTES     19 /* version and zeros of a version 0 namespace */

const struct da_namespace DA_NAMESPACE_PRIMARY_PADDING = {{[DA_NAMESPACE_BYTES - 1] = 0xff}};
const struct da_namespace DA_NAMESPACE_TAIL_PADDING = {
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}};
const struct da_namespace DA_NAMESPACE_PARITY = {
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

int da_namespace_compare(const struct da_namespace *a, const struct da_namespace *b) {
    return memcmp(a->bytes, b->bytes, DA_NAMESPACE_BYTES);
}

bool da_namespace_is_for_blobs(const struct da_namespace *ns) {
    for (size_t i = 0; i < RESERVED_BYTES; i++) {
        if (ns->bytes[i] != 0) return false;
    }
    return da_namespace_compare(ns, &DA_NAMESPACE_PRIMARY_PADDING) > 0;
}

size_t da_shares_count(size_t data_bytes) {
    if (data_bytes <= FIRST_DATA_BYTES) return 1;
    return 1 + (data_bytes - FIRST_DATA_BYTES + NEXT_DATA_BYTES - 1) / NEXT_DATA_BYTES;
}

void da_share_write(const struct da_namespace *ns, struct bytes data, size_t index,
                    uint8_t out[DA_SHARE_BYTES]) {
    struct buffer share = buffer_over(out, DA_SHARE_BYTES);
    buffer_append(&share, BYTES_OF(ns->bytes));
    buffer_append_byte(&share, index == 0 ? 1 : 0); /* share version 0 << 1 | is first */
    size_t offset = 0;
    if (index == 0) {
        buffer_append_be(&share, SEQUENCE_BYTES, data.size);
    } else {
        offset = FIRST_DATA_BYTES + (index - 1) * NEXT_DATA_BYTES;
    }
    buffer_append(&share, bytes_slice(data, offset, DA_SHARE_BYTES - share.size));
    CHECK(!share.overflow);
    memset(out + share.size, 0, DA_SHARE_BYTES - share.size);
}

static size_t next_power_of_two(size_t value) {
    size_t power = 1;
    while (power < value)
        power *= 2;
    return power;
}

size_t da_subtree_width(size_t shares_count) {
    CHECK(shares_count > 0);
    size_t root = 1; /* the square root, rounded up */
    while (root * root < shares_count)
        root += 1;
    const size_t by_count =
        next_power_of_two((shares_count + SUBTREES_THRESHOLD - 1) / SUBTREES_THRESHOLD);
    const size_t by_square = next_power_of_two(root);
    return by_count < by_square ? by_count : by_square;
}

struct da_node da_node_leaf(const struct da_namespace *ns, const uint8_t share[DA_SHARE_BYTES]) {
    static const uint8_t domain[1] = {0x00};
    struct sha256 context;
    sha256_init(&context);
    sha256_update(&context, BYTES_OF(domain));
    sha256_update(&context, BYTES_OF(ns->bytes));
    sha256_update(&context, (struct bytes){share, DA_SHARE_BYTES});
    const struct hash32 hash = sha256_final(&context);
    struct da_node node;
    memcpy(node.bytes, ns->bytes, DA_NAMESPACE_BYTES);
    memcpy(node.bytes + DA_NAMESPACE_BYTES, ns->bytes, DA_NAMESPACE_BYTES);
    memcpy(node.bytes + 2 * DA_NAMESPACE_BYTES, hash.bytes, 32);
    return node;
}

struct da_node da_node_inner(const struct da_node *left, const struct da_node *right) {
    uint8_t preimage[1 + 2 * DA_NODE_BYTES];
    preimage[0] = 0x01;
    memcpy(preimage + 1, left->bytes, DA_NODE_BYTES);
    memcpy(preimage + 1 + DA_NODE_BYTES, right->bytes, DA_NODE_BYTES);
    const struct hash32 hash = sha256(BYTES_OF(preimage));
    /* Leaves are sorted, so the right side's max is the larger, unless it is all parity. */
    const bool right_is_parity =
        memcmp(right->bytes, DA_NAMESPACE_PARITY.bytes, DA_NAMESPACE_BYTES) == 0;
    const struct da_node *largest = right_is_parity ? left : right;
    struct da_node node;
    memcpy(node.bytes, left->bytes, DA_NAMESPACE_BYTES);
    memcpy(node.bytes + DA_NAMESPACE_BYTES, largest->bytes + DA_NAMESPACE_BYTES,
           DA_NAMESPACE_BYTES);
    memcpy(node.bytes + 2 * DA_NAMESPACE_BYTES, hash.bytes, 32);
    return node;
}

void da_tree_add(struct da_tree *tree, const struct da_node *leaf) {
    CHECK(tree->depth < sizeof tree->stack / sizeof *tree->stack);
    tree->stack[tree->depth++] = *leaf;
    tree->count += 1;
    for (uint64_t seen = tree->count; seen % 2 == 0; seen /= 2, tree->depth--) {
        tree->stack[tree->depth - 2] =
            da_node_inner(&tree->stack[tree->depth - 2], &tree->stack[tree->depth - 1]);
    }
}

struct da_node da_tree_root(const struct da_tree *tree) {
    CHECK(tree->depth > 0);
    struct da_node root = tree->stack[tree->depth - 1];
    for (size_t i = tree->depth - 1; i > 0; i--)
        root = da_node_inner(&tree->stack[i - 1], &root);
    return root;
}
