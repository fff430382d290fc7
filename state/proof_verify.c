#include "base/keccak.h"
#include "base/rlp.h"
#include "state/proof.h"
#include "state/trie.h"

/* A walk from the root down: the node at hand, and how many nibbles of the key are behind. */
struct walk {
    const struct proof *proof;
    const struct hash32 *key;
    struct bytes node;
    size_t next_node; /* index of the first unused node of the proof */
    unsigned depth;
};

/* skip_path matches a hex-prefix path (appendix C) with the key.  *is_here: the key goes along. */
static enum err skip_path(struct walk *walk, struct bytes path, bool *is_leaf, bool *is_here) {
    if (path.size == 0 || path.data[0] >> 6 != 0) return ERR_MISMATCH;
    const bool is_odd = (path.data[0] & 0x10) != 0;
    if (!is_odd && (path.data[0] & 0x0f) != 0) return ERR_MISMATCH;
    const size_t count = 2 * (path.size - 1) + (is_odd ? 1 : 0);
    if (count > TRIE_DEPTH_MAX - walk->depth) return ERR_MISMATCH;
    *is_leaf = (path.data[0] & 0x20) != 0;
    if (*is_leaf && walk->depth + count != TRIE_DEPTH_MAX) return ERR_MISMATCH;
    if (!*is_leaf && count == 0) return ERR_MISMATCH;
    *is_here = true;
    for (size_t i = 0; i < count; i++) {
        const size_t at = i + (is_odd ? 1 : 2); /* nibble of the path, flags included */
        const uint8_t byte = path.data[at / 2];
        const unsigned nibble = at % 2 == 0 ? byte >> 4 : byte & 15u;
        if (nibble != trie_nibble(walk->key, walk->depth + (unsigned)i)) *is_here = false;
    }
    walk->depth += (unsigned)count;
    return ERR_OK;
}

/* follow goes to the child that `item` names; *is_absent: it names none. */
static enum err follow(struct walk *walk, struct bytes item, bool *is_absent) {
    *is_absent = false;
    if (rlp_is_list(item)) { /* the child itself, which must be too short to be hashed */
        if (item.size >= 32) return ERR_MISMATCH;
        walk->node = item;
        return ERR_OK;
    }
    struct bytes name;
    if (rlp_read_string(&item, &name) != ERR_OK) return ERR_MISMATCH;
    if (name.size == 0) {
        *is_absent = true;
        return ERR_OK;
    }
    if (name.size != 32) return ERR_MISMATCH;
    if (walk->next_node == walk->proof->nodes_count) return ERR_MISMATCH;
    const struct bytes node = walk->proof->nodes[walk->next_node++];
    if (node.size < 32) return ERR_MISMATCH;
    const struct hash32 hash = keccak256(node);
    if (memcmp(hash.bytes, name.data, sizeof hash.bytes) != 0) return ERR_MISMATCH;
    walk->node = node;
    return ERR_OK;
}

/* step reads the node at hand; *is_done: *value says what is there. */
static enum err step(struct walk *walk, bool *is_done, struct bytes *value) {
    struct bytes node = walk->node;
    struct bytes payload;
    if (rlp_read_list(&node, &payload) != ERR_OK || node.size != 0) return ERR_MISMATCH;
    struct bytes items[17];
    size_t count = 0;
    while (payload.size != 0) {
        if (count == 17) return ERR_MISMATCH;
        if (rlp_read_item(&payload, &items[count++]) != ERR_OK) return ERR_MISMATCH;
    }
    bool is_absent = false;
    if (count == 17) {
        if (walk->depth == TRIE_DEPTH_MAX) return ERR_MISMATCH;
        TRY(follow(walk, items[trie_nibble(walk->key, walk->depth)], &is_absent));
        walk->depth++;
    } else if (count == 2) {
        struct bytes path;
        bool is_leaf;
        bool is_here;
        if (rlp_read_string(&items[0], &path) != ERR_OK) return ERR_MISMATCH;
        TRY(skip_path(walk, path, &is_leaf, &is_here));
        if (is_leaf && is_here) {
            if (rlp_read_string(&items[1], value) != ERR_OK) return ERR_MISMATCH;
            *is_done = true;
            return value->size == 0 ? ERR_MISMATCH : ERR_OK;
        }
        is_absent = !is_here;
        if (is_here) {
            TRY(follow(walk, items[1], &is_absent));
            if (is_absent) return ERR_MISMATCH; /* an extension leads somewhere */
        }
    } else {
        return ERR_MISMATCH;
    }
    if (is_absent) {
        *value = BYTES_EMPTY;
        *is_done = true;
    }
    return ERR_OK;
}

enum err proof_verify(const struct hash32 *root, const struct hash32 *key_hash,
                      const struct proof *proof, struct bytes *value) {
    if (proof->nodes_count > TRIE_PROOF_NODES_MAX) return ERR_MISMATCH;
    if (hash_equal(root, &KECCAK_EMPTY_TRIE)) { /* nothing is there, and no node shows it */
        const bool is_null =
            proof->nodes_count == 1 && proof->nodes[0].size == 1 && proof->nodes[0].data[0] == 0x80;
        if (proof->nodes_count != 0 && !is_null) return ERR_MISMATCH;
        *value = BYTES_EMPTY;
        return ERR_OK;
    }
    if (proof->nodes_count == 0) return ERR_MISMATCH;
    const struct hash32 hash = keccak256(proof->nodes[0]);
    if (!hash_equal(&hash, root)) return ERR_MISMATCH;
    struct walk walk = {proof, key_hash, proof->nodes[0], 1, 0};
    struct bytes found = BYTES_EMPTY;
    bool is_done = false;
    /* Every step but the last consumes a nibble of the key, so this ends. */
    while (!is_done)
        TRY(step(&walk, &is_done, &found));
    if (walk.next_node != proof->nodes_count) return ERR_MISMATCH;
    *value = found;
    return ERR_OK;
}
