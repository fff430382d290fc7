#include "state/range.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "state/trie_node.h"

static const struct hash32 all_ones = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/* --- reading */

bool range_key_after(const struct hash32 *key, struct hash32 *out) {
    *out = *key;
    for (size_t i = sizeof out->bytes; i-- > 0;) {
        if (++out->bytes[i] != 0) return true;
    }
    return false;
}

struct range_row range_row(const struct hash32 *owner, const struct hash32 *key) {
    struct range_row row = {.table = owner == NULL ? KV_ACCOUNTS : KV_STORAGE};
    if (owner != NULL) {
        memcpy(row.key, owner->bytes, sizeof owner->bytes);
        row.key_bytes = sizeof owner->bytes;
    }
    memcpy(row.key + row.key_bytes, key->bytes, sizeof key->bytes);
    row.key_bytes += sizeof key->bytes;
    return row;
}

enum err range_next(const struct kv_reader *reader, const struct hash32 *owner,
                    const struct hash32 *from, struct range_entry *out) {
    const struct range_row row = range_row(owner, from);
    const size_t owner_bytes = row.key_bytes - sizeof from->bytes;
    struct bytes found;
    TRY(reader->seek(reader->context, row.table, (struct bytes){row.key, row.key_bytes}, &found,
                     &out->value));
    if (found.size != row.key_bytes) return ERR_CORRUPT;
    if (memcmp(found.data, row.key, owner_bytes) != 0) return ERR_NOT_FOUND;
    memcpy(out->key.bytes, found.data + owner_bytes, sizeof out->key.bytes);
    return ERR_OK;
}

enum err range_read(const struct kv_reader *reader, const struct hash32 *owner,
                    const struct hash32 *from, size_t bytes_max, struct arena *arena,
                    struct range *out) {
    /* An entry has at least 33 bytes, so this many can come before the limit is passed. */
    const size_t count_max = bytes_max / 33 + 1;
    struct range_entry *entries = arena_array(arena, count_max, sizeof *entries);
    if (entries == NULL) return ERR_LIMIT;
    struct range range = {.from = *from, .to = all_ones, .entries = entries};
    struct hash32 at = *from;
    size_t total_bytes = 0;
    for (bool has_next = true; has_next;) {
        struct range_entry entry;
        const enum err err = range_next(reader, owner, &at, &entry);
        if (err == ERR_NOT_FOUND) break;
        if (err != ERR_OK) return err;
        CHECK(range.entries_count < count_max);
        if (!arena_copy(arena, entry.value, &entry.value)) return ERR_LIMIT;
        entries[range.entries_count++] = entry;
        total_bytes += 32 + entry.value.size;
        has_next = range_key_after(&entry.key, &at);
        if (has_next && total_bytes > bytes_max) {
            range.to = entry.key;
            break;
        }
    }
    *out = range;
    return ERR_OK;
}

enum err range_prove(struct trie *trie, struct arena *arena, struct range *range) {
    struct bytes *nodes = arena_array(arena, RANGE_PROOF_NODES_MAX, sizeof *nodes);
    if (nodes == NULL) return ERR_LIMIT;
    struct hash32 root;
    struct bytes value;
    size_t left = 0;
    size_t right = 0;
    TRY(trie_root(trie, &root));
    TRY(trie_prove(trie, &range->from, nodes, &left, &value));
    TRY(trie_prove(trie, &range->to, nodes + left, &right, &value));
    size_t shared = 0; /* both begin at the root */
    while (shared < left && shared < right && bytes_equal(nodes[shared], nodes[left + shared])) {
        shared++;
    }
    memmove(nodes + left, nodes + left + shared, (right - shared) * sizeof *nodes);
    range->proof = (struct proof){nodes, left + right - shared};
    return ERR_OK;
}

/* --- checking: a trie made of the proof's nodes, whose other children are names */

struct partial {
    struct trie trie;
    const struct range *range;
    struct hash32 hashes[RANGE_PROOF_NODES_MAX]; /* of the proof's nodes */
};

/* A node as the proof has it. */
struct node {
    bool is_branch;
    bool is_leaf;
    struct hash32 path; /* of leaf and extension: from the root to its end */
    unsigned depth;     /* nibbles of path */
    struct bytes items[17];
};

static enum err no_get(void *context, enum kv_table table, struct bytes key, struct bytes *value) {
    (void)context, (void)table, (void)key, (void)value;
    return ERR_MISMATCH;
}

/* no_seek answers when an entry would lie below what the proof says is outside. */
static enum err no_seek(void *context, enum kv_table table, struct bytes key,
                        struct bytes *key_found, struct bytes *value) {
    (void)context, (void)table, (void)key, (void)key_found, (void)value;
    return ERR_MISMATCH;
}

static const struct kv_reader no_reader = {NULL, no_get, no_seek};

/* read_path reads a hex-prefix path that begins after `depth` nibbles of `key`. */
static enum err read_path(struct bytes path, const struct hash32 *key, unsigned depth,
                          struct node *out) {
    if (path.size == 0 || path.data[0] >> 6 != 0) return ERR_MISMATCH;
    const unsigned odd = path.data[0] >> 4 & 1u;
    if (odd == 0 && (path.data[0] & 15u) != 0) return ERR_MISMATCH;
    const size_t count = 2 * (path.size - 1) + odd;
    if (count > TRIE_DEPTH_MAX - depth) return ERR_MISMATCH;
    out->is_leaf = (path.data[0] & 0x20) != 0;
    out->depth = depth + (unsigned)count;
    if (out->is_leaf != (out->depth == TRIE_DEPTH_MAX)) return ERR_MISMATCH;
    if (!out->is_leaf && count == 0) return ERR_MISMATCH;
    out->path = *key;
    for (unsigned i = 0; i < count; i++) {
        const unsigned at = i + 2 - odd; /* nibble of the path, flags included */
        const unsigned nibble = at % 2 == 0 ? path.data[at / 2] >> 4 : path.data[at / 2] & 15u;
        trie_set_nibble(&out->path, depth + i, nibble);
    }
    return ERR_OK;
}

/* read_node finds and reads the node that a name stands for, met after `depth` nibbles of `key`. */
static enum err read_node(const struct partial *partial, struct bytes name,
                          const struct hash32 *key, unsigned depth, struct node *out) {
    struct bytes encoded = name;
    if (name.size == 32) {
        const struct proof *proof = &partial->range->proof;
        size_t at = 0;
        while (at < proof->nodes_count && memcmp(partial->hashes[at].bytes, name.data, 32) != 0) {
            at++;
        }
        if (at == proof->nodes_count) return ERR_MISMATCH;
        encoded = proof->nodes[at];
    }
    struct bytes payload;
    if (rlp_read_list(&encoded, &payload) != ERR_OK || encoded.size != 0) return ERR_MISMATCH;
    size_t count = 0;
    while (payload.size != 0) {
        if (count == 17) return ERR_MISMATCH;
        if (rlp_read_item(&payload, &out->items[count++]) != ERR_OK) return ERR_MISMATCH;
    }
    out->is_branch = count == 17;
    out->is_leaf = false;
    out->depth = depth;
    if (count == 17) return depth < TRIE_DEPTH_MAX ? ERR_OK : ERR_MISMATCH;
    if (count != 2) return ERR_MISMATCH;
    struct bytes path;
    if (rlp_read_string(&out->items[0], &path) != ERR_OK) return ERR_MISMATCH;
    return read_path(path, key, depth, out);
}

/* read_name makes a slot of what stands in a branch or extension. */
static enum err read_name(struct bytes item, struct trie_slot *out) {
    struct bytes name = item;
    if (!rlp_is_list(item)) {
        if (rlp_read_string(&item, &name) != ERR_OK) return ERR_MISMATCH;
        if (name.size != 0 && name.size != 32) return ERR_MISMATCH;
    } else if (item.size >= 32) {
        return ERR_MISMATCH;
    }
    *out = (struct trie_slot){0};
    if (name.size == 0) return ERR_OK;
    *out = (struct trie_slot){name.data, TRIE_STORED_BRANCH, (uint8_t)name.size};
    return ERR_OK;
}

static enum err put_branch(struct partial *partial, const struct node *node,
                           const struct hash32 *path, struct trie_slot *slot) {
    struct trie_branch *branch = arena_alloc_zero(partial->trie.arena, sizeof *branch);
    if (branch == NULL) return ERR_LIMIT;
    branch->path = *path;
    branch->depth = (uint8_t)node->depth;
    branch->ref_depth = TRIE_DEPTH_NONE;
    branch->is_stale = true;
    for (unsigned nibble = 0; nibble < TRIE_CHILDREN; nibble++) {
        TRY(read_name(node->items[nibble], &branch->children[nibble]));
    }
    struct bytes value;
    if (rlp_read_string(&(struct bytes){node->items[16].data, node->items[16].size}, &value) !=
            ERR_OK ||
        value.size != 0) {
        return ERR_MISMATCH;
    }
    *slot = (struct trie_slot){branch, TRIE_BRANCH, 0};
    return ERR_OK;
}

static enum err put_leaf(struct partial *partial, struct node *node, struct trie_slot *slot) {
    struct trie_leaf *leaf = arena_alloc_zero(partial->trie.arena, sizeof *leaf);
    if (leaf == NULL) return ERR_LIMIT;
    leaf->key = node->path;
    leaf->ref_depth = TRIE_DEPTH_NONE;
    if (rlp_read_string(&node->items[1], &leaf->value) != ERR_OK) return ERR_MISMATCH;
    *slot = (struct trie_slot){leaf, TRIE_LEAF, 0};
    return ERR_OK;
}

/* expand replaces the names on the path of `key` by the proof's nodes, as far as the path goes. */
static enum err expand(struct partial *partial, const struct hash32 *key) {
    struct trie_slot *slot = &partial->trie.root;
    unsigned depth = 0;
    for (;;) {
        if (slot->kind == TRIE_STORED_BRANCH) {
            struct node node;
            TRY(read_node(partial, (struct bytes){slot->at, slot->ref_size}, key, depth, &node));
            if (node.is_leaf) return put_leaf(partial, &node, slot);
            if (!node.is_branch) { /* an extension, and below it a branch */
                const unsigned end = node.depth;
                const struct hash32 path = node.path;
                if (trie_common_nibbles(&path, key, depth, end) != end) return ERR_OK;
                struct trie_slot below;
                TRY(read_name(node.items[1], &below));
                if (below.kind == TRIE_EMPTY) return ERR_MISMATCH;
                TRY(read_node(partial, (struct bytes){below.at, below.ref_size}, key, end, &node));
                if (!node.is_branch) return ERR_MISMATCH;
            }
            TRY(put_branch(partial, &node, key, slot));
        }
        if (slot->kind != TRIE_BRANCH) return ERR_OK;
        const struct trie_branch *branch = trie_branch_at(slot);
        if (trie_common_nibbles(&branch->path, key, depth, branch->depth) != branch->depth) {
            return ERR_OK;
        }
        depth = branch->depth + 1u;
        slot = &trie_branch_at(slot)->children[trie_nibble(key, branch->depth)];
    }
}

/* Where a subtree lies: whether its path so far is that of `from`, of `to`. */
struct edges {
    bool is_from;
    bool is_to;
};

enum place { PLACE_OUTSIDE, PLACE_INSIDE, PLACE_EDGE };

/* place_of moves the edges along nibbles [depth, end) of a path. */
static enum place place_of(const struct range *range, const struct hash32 *path, unsigned depth,
                           unsigned end, struct edges *edges) {
    for (unsigned i = depth; i < end; i++) {
        const unsigned nibble = trie_nibble(path, i);
        if (edges->is_from && nibble < trie_nibble(&range->from, i)) return PLACE_OUTSIDE;
        if (edges->is_to && nibble > trie_nibble(&range->to, i)) return PLACE_OUTSIDE;
        if (edges->is_from && nibble > trie_nibble(&range->from, i)) edges->is_from = false;
        if (edges->is_to && nibble < trie_nibble(&range->to, i)) edges->is_to = false;
    }
    return edges->is_from || edges->is_to ? PLACE_EDGE : PLACE_INSIDE;
}

/* clear empties what lies inside the range.  `path` leads to the slot. */
static enum err clear(struct partial *partial, struct trie_slot *slot, unsigned depth,
                      const struct hash32 *path, struct edges edges) {
    enum place place = PLACE_EDGE;
    if (slot->kind == TRIE_EMPTY) return ERR_OK;
    if (!edges.is_from && !edges.is_to) {
        place = PLACE_INSIDE;
    } else if (slot->kind == TRIE_LEAF) {
        place = place_of(partial->range, &trie_leaf_at(slot)->key, depth, TRIE_DEPTH_MAX, &edges);
        if (place == PLACE_EDGE) place = PLACE_INSIDE; /* it is `from` or `to` itself */
    } else if (slot->kind == TRIE_BRANCH) {
        const struct trie_branch *branch = trie_branch_at(slot);
        place = place_of(partial->range, &branch->path, depth, branch->depth, &edges);
    } else { /* an extension that leaves the edge, or a node that the proof should have had */
        struct node node;
        TRY(read_node(partial, (struct bytes){slot->at, slot->ref_size}, path, depth, &node));
        if (node.is_branch || node.is_leaf) return ERR_MISMATCH;
        place = place_of(partial->range, &node.path, depth, node.depth, &edges);
        if (place == PLACE_EDGE) return ERR_MISMATCH;
    }
    if (place == PLACE_INSIDE) *slot = (struct trie_slot){0};
    if (place != PLACE_EDGE) return ERR_OK;
    struct trie_branch *branch = trie_branch_at(slot);
    for (unsigned nibble = 0; nibble < TRIE_CHILDREN; nibble++) {
        struct hash32 child_path = branch->path;
        struct edges child_edges = edges;
        trie_set_nibble(&child_path, branch->depth, nibble);
        if (place_of(partial->range, &child_path, branch->depth, branch->depth + 1u,
                     &child_edges) == PLACE_OUTSIDE) {
            continue;
        }
        TRY(clear(partial, &branch->children[nibble], branch->depth + 1u, &child_path,
                  child_edges));
    }
    return ERR_OK;
}

/* insert puts the entries where `clear` made room. */
static enum err insert(struct partial *partial, bool is_storage) {
    const struct range *range = partial->range;
    for (size_t i = 0; i < range->entries_count; i++) {
        const struct range_entry *entry = &range->entries[i];
        if (hash_compare(&entry->key, &range->from) < 0) return ERR_MISMATCH;
        if (hash_compare(&entry->key, &range->to) > 0) return ERR_MISMATCH;
        if (i > 0 && hash_compare(&range->entries[i - 1].key, &entry->key) >= 0) {
            return ERR_MISMATCH;
        }
        struct bytes payload = entry->value;
        if (payload.size == 0) return ERR_MISMATCH;
        if (is_storage) {
            if (payload.size > 32 || payload.data[0] == 0) return ERR_MISMATCH;
            uint8_t *room = arena_alloc(partial->trie.arena, 33);
            if (room == NULL) return ERR_LIMIT;
            struct buffer buffer = buffer_over(room, 33);
            rlp_write_string(&buffer, payload);
            payload = buffer_bytes(&buffer);
        }
        TRY(trie_set(&partial->trie, &entry->key, payload));
    }
    return ERR_OK;
}

enum err range_verify(const struct hash32 *root, bool is_storage, const struct range *range,
                      struct arena *arena) {
    if (range->proof.nodes_count > RANGE_PROOF_NODES_MAX) return ERR_MISMATCH;
    if (hash_compare(&range->from, &range->to) > 0) return ERR_MISMATCH;
    if (hash_equal(root, &KECCAK_EMPTY_TRIE)) {
        return range->entries_count == 0 ? ERR_OK : ERR_MISMATCH;
    }
    struct partial *partial = arena_alloc(arena, sizeof *partial);
    if (partial == NULL) return ERR_LIMIT;
    partial->range = range;
    trie_begin(&partial->trie, arena, &no_reader, NULL, false);
    partial->trie.is_opened = true;
    partial->trie.root = (struct trie_slot){root->bytes, TRIE_STORED_BRANCH, 32};
    for (size_t i = 0; i < range->proof.nodes_count; i++) {
        partial->hashes[i] = keccak256(range->proof.nodes[i]);
    }
    const struct hash32 path = {{0}};
    TRY(expand(partial, &range->from));
    TRY(expand(partial, &range->to));
    TRY(clear(partial, &partial->trie.root, 0, &path, (struct edges){true, true}));
    TRY(insert(partial, is_storage));
    struct hash32 computed;
    TRY(trie_root(&partial->trie, &computed));
    return hash_equal(&computed, root) ? ERR_OK : ERR_MISMATCH;
}
