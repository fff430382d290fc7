#include "state/trie.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "state/trie_node.h"

/* Nibbles of an extension that are guessed before they are sought. */
#define EXTENSION_GUESS 2u

/* The branches from the root to where a change happens, and the slots that they hang in. */
struct descent {
    struct trie_slot *slots[TRIE_DEPTH_MAX + 1];
    struct trie_branch *branches[TRIE_DEPTH_MAX];
    size_t branches_count;
};

void trie_begin(struct trie *trie, struct arena *arena, const struct kv_reader *reader,
                const struct hash32 *owner, bool is_empty) {
    *trie = (struct trie){.arena = arena, .reader = reader, .is_stored_empty = is_empty};
    if (owner != NULL) {
        trie->has_owner = true;
        trie->owner = *owner;
    }
}

void trie_wipe(struct trie *trie) {
    trie->is_wiped = true;
    trie->is_opened = true;
    trie->root = (struct trie_slot){0};
    trie->deleted = NULL;
}

const struct hash32 *trie_owner(const struct trie *trie) {
    return trie->has_owner ? &trie->owner : NULL;
}

unsigned trie_common_nibbles(const struct hash32 *a, const struct hash32 *b, unsigned from,
                             unsigned to) {
    unsigned at = from;
    while (at < to && trie_nibble(a, at) == trie_nibble(b, at))
        at++;
    return at;
}

/* --- loading */

static struct trie_branch *branch_new(struct trie *trie, const struct hash32 *path,
                                      unsigned depth) {
    struct trie_branch *branch = arena_alloc(trie->arena, sizeof *branch);
    if (branch == NULL) return NULL;
    memset(branch, 0, sizeof *branch);
    branch->path = *path;
    branch->depth = (uint8_t)depth;
    branch->ref_depth = TRIE_DEPTH_NONE;
    return branch;
}

static struct trie_leaf *leaf_new(struct trie *trie, const struct hash32 *key, struct bytes value) {
    struct trie_leaf *leaf = arena_alloc(trie->arena, sizeof *leaf);
    if (leaf == NULL) return NULL;
    leaf->key = *key;
    leaf->value = value;
    leaf->ref_depth = TRIE_DEPTH_NONE;
    return leaf;
}

/* find_branch finds the record of the topmost stored branch at or below the first `depth` nibbles
 * of `path`: their keys begin with it, and the shortest sorts first.  Most hang right there, and
 * most of those below an extension on the path itself; what does not is sought. */
static enum err find_branch(const struct trie *trie, const struct hash32 *path, unsigned depth,
                            uint8_t key[TRIE_KEY_BYTES_MAX], struct bytes *found,
                            struct bytes *value) {
    const struct kv_reader *reader = trie->reader;
    const bool is_guessed = depth != 0 && depth + EXTENSION_GUESS <= TRIE_DEPTH_MAX;
    const unsigned deepest = is_guessed ? depth + EXTENSION_GUESS : depth;
    for (unsigned at = depth; at <= deepest; at++) {
        *found = (struct bytes){key, trie_key(trie_owner(trie), path, at, key)};
        const enum err err = reader->get(reader->context, KV_TRIE, *found, value);
        if (err != ERR_NOT_FOUND) return err;
    }
    const struct bytes prefix = {key, found->size - (deepest - depth)};
    TRY(reader->seek(reader->context, KV_TRIE, prefix, found, value));
    if (found->size < prefix.size || found->size - prefix.size > TRIE_DEPTH_MAX - depth) {
        return ERR_NOT_FOUND;
    }
    return memcmp(found->data, prefix.data, prefix.size) == 0 ? ERR_OK : ERR_NOT_FOUND;
}

/* load_branch loads the topmost stored branch at or below the first `depth` nibbles of `path`. */
static enum err load_branch(struct trie *trie, const struct hash32 *path, unsigned depth,
                            struct trie_branch **out) {
    uint8_t key[TRIE_KEY_BYTES_MAX];
    const size_t prefix_bytes = (trie->has_owner ? 33u : 1u) + depth;
    struct bytes found;
    struct bytes value;
    TRY(find_branch(trie, path, depth, key, &found, &value));

    struct trie_record record;
    TRY(trie_record_decode(value, &record));
    const unsigned branch_depth = depth + (unsigned)(found.size - prefix_bytes);
    if (branch_depth >= TRIE_DEPTH_MAX) return ERR_CORRUPT;
    struct trie_branch *branch = branch_new(trie, path, branch_depth);
    if (branch == NULL) return ERR_LIMIT;
    for (unsigned i = depth; i < branch_depth; i++) {
        const uint8_t nibble = found.data[prefix_bytes + i - depth];
        if (nibble > 15) return ERR_CORRUPT;
        trie_set_nibble(&branch->path, i, nibble);
    }
    for (unsigned nibble = 0; nibble < TRIE_CHILDREN; nibble++) {
        if ((record.present >> nibble & 1) == 0) continue;
        const bool is_branch = (record.branches >> nibble & 1) != 0;
        branch->children[nibble] = (struct trie_slot){
            record.refs[nibble].data, is_branch ? TRIE_STORED_BRANCH : TRIE_STORED_LEAF,
            (uint8_t)record.refs[nibble].size};
    }
    branch->is_stored = true;
    *out = branch;
    return ERR_OK;
}

/* load_leaf finds the one entry of the flat table below the first `depth` nibbles of `path`. */
static enum err load_leaf(struct trie *trie, const struct hash32 *path, unsigned depth,
                          struct trie_leaf **out) {
    uint8_t key[64] = {0};
    size_t owner_bytes = 0;
    if (trie->has_owner) {
        memcpy(key, trie->owner.bytes, 32);
        owner_bytes = 32;
    }
    memcpy(key + owner_bytes, path->bytes, depth / 2);
    if (depth % 2 == 1) key[owner_bytes + depth / 2] = path->bytes[depth / 2] & 0xf0u;
    struct bytes found;
    struct bytes value;
    const enum kv_table table = trie->has_owner ? KV_STORAGE : KV_ACCOUNTS;
    TRY(trie->reader->seek(trie->reader->context, table, (struct bytes){key, owner_bytes + 32},
                           &found, &value));
    if (found.size != owner_bytes + 32) return ERR_CORRUPT;
    if (memcmp(found.data, key, owner_bytes) != 0) return ERR_NOT_FOUND;
    struct hash32 found_key;
    memcpy(found_key.bytes, found.data + owner_bytes, sizeof found_key.bytes);
    if (trie_common_nibbles(&found_key, path, 0, depth) != depth) return ERR_NOT_FOUND;

    if (trie->has_owner) { /* the flat value is a bare number, the leaf's payload is its RLP */
        uint8_t *room = arena_alloc(trie->arena, 40);
        if (room == NULL) return ERR_LIMIT;
        struct buffer encoded = buffer_over(room, 40);
        rlp_write_string(&encoded, value);
        if (encoded.overflow) return ERR_CORRUPT;
        value = buffer_bytes(&encoded);
    }
    struct trie_leaf *leaf = leaf_new(trie, &found_key, value);
    if (leaf == NULL) return ERR_LIMIT;
    *out = leaf;
    return ERR_OK;
}

enum err trie_resolve(struct trie *trie, struct trie_slot *slot, const struct hash32 *path,
                      unsigned depth) {
    if (slot->kind != TRIE_STORED_LEAF && slot->kind != TRIE_STORED_BRANCH) return ERR_OK;
    struct trie_ref ref = {.size = slot->ref_size};
    memcpy(ref.data, slot->at, slot->ref_size);
    enum err err;
    if (slot->kind == TRIE_STORED_LEAF) {
        struct trie_leaf *leaf = NULL;
        err = load_leaf(trie, path, depth, &leaf);
        if (err == ERR_OK) {
            leaf->ref = ref;
            leaf->ref_depth = (uint8_t)depth;
            *slot = (struct trie_slot){leaf, TRIE_LEAF, 0};
        }
    } else {
        struct trie_branch *branch = NULL;
        err = load_branch(trie, path, depth, &branch);
        if (err == ERR_OK) {
            branch->ref = ref;
            branch->ref_depth = (uint8_t)depth;
            branch->has_own = branch->depth == depth;
            if (branch->has_own) branch->own = ref;
            *slot = (struct trie_slot){branch, TRIE_BRANCH, 0};
        }
    }
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

enum err trie_open_root(struct trie *trie) {
    if (trie->is_opened) return ERR_OK;
    const struct hash32 path = {{0}};
    if (!trie->is_stored_empty) {
        struct trie_branch *branch = NULL;
        enum err err = load_branch(trie, &path, 0, &branch);
        if (err == ERR_OK) {
            trie->root = (struct trie_slot){branch, TRIE_BRANCH, 0};
        } else if (err == ERR_NOT_FOUND) {
            struct trie_leaf *leaf = NULL;
            err = load_leaf(trie, &path, 0, &leaf);
            if (err == ERR_NOT_FOUND) return ERR_CORRUPT;
            if (err == ERR_OK) trie->root = (struct trie_slot){leaf, TRIE_LEAF, 0};
        }
        if (err != ERR_OK) return err;
    }
    trie->is_opened = true;
    return ERR_OK;
}

/* --- changing */

static void mark_stale(struct descent *descent) {
    for (size_t i = 0; i < descent->branches_count; i++) {
        descent->branches[i]->is_stale = true;
        descent->branches[i]->is_changed = true;
    }
}

/* split puts a new branch at `fork_depth` into `slot`, over what hangs there and a new leaf. */
static enum err split(struct trie *trie, struct trie_slot *slot, unsigned fork_depth,
                      unsigned old_nibble, const struct hash32 *key, struct bytes value) {
    struct trie_branch *branch = branch_new(trie, key, fork_depth);
    struct trie_leaf *leaf = leaf_new(trie, key, value);
    if (branch == NULL || leaf == NULL) return ERR_LIMIT;
    branch->children[old_nibble] = *slot;
    branch->children[trie_nibble(key, fork_depth)] = (struct trie_slot){leaf, TRIE_LEAF, 0};
    branch->is_stale = true;
    branch->is_changed = true;
    *slot = (struct trie_slot){branch, TRIE_BRANCH, 0};
    return ERR_OK;
}

/* collapse removes the lowest branch of the descent if one child is left, which takes its place. */
static enum err collapse(struct trie *trie, struct descent *descent) {
    if (descent->branches_count == 0) return ERR_OK;
    struct trie_branch *branch = descent->branches[descent->branches_count - 1];
    unsigned left = 0;
    unsigned last = 0;
    for (unsigned nibble = 0; nibble < TRIE_CHILDREN; nibble++) {
        if (branch->children[nibble].kind == TRIE_EMPTY) continue;
        left++;
        last = nibble;
    }
    CHECK(left >= 1);
    if (left > 1) return ERR_OK;
    struct hash32 path = branch->path;
    trie_set_nibble(&path, branch->depth, last);
    TRY(trie_resolve(trie, &branch->children[last], &path, branch->depth + 1u));
    if (branch->is_stored) {
        struct trie_deleted *deleted = arena_alloc(trie->arena, sizeof *deleted);
        if (deleted == NULL) return ERR_LIMIT;
        *deleted = (struct trie_deleted){branch->path, branch->depth, trie->deleted};
        trie->deleted = deleted;
    }
    *descent->slots[descent->branches_count - 1] = branch->children[last];
    descent->branches_count--;
    return ERR_OK;
}

/* change does what trie_set says at the end of the descent: an empty slot or a leaf. */
static enum err change(struct trie *trie, struct trie_slot *slot, unsigned depth,
                       const struct hash32 *key, struct bytes value, struct descent *descent) {
    if (slot->kind == TRIE_EMPTY) {
        if (value.size == 0) return ERR_OK;
        struct trie_leaf *leaf = leaf_new(trie, key, value);
        if (leaf == NULL) return ERR_LIMIT;
        *slot = (struct trie_slot){leaf, TRIE_LEAF, 0};
    } else {
        struct trie_leaf *leaf = trie_leaf_at(slot);
        const unsigned fork_depth = trie_common_nibbles(&leaf->key, key, depth, TRIE_DEPTH_MAX);
        if (fork_depth < TRIE_DEPTH_MAX) {
            if (value.size == 0) return ERR_OK;
            const unsigned old_nibble = trie_nibble(&leaf->key, fork_depth);
            TRY(split(trie, slot, fork_depth, old_nibble, key, value));
        } else if (value.size == 0) {
            *slot = (struct trie_slot){0};
            TRY(collapse(trie, descent));
        } else {
            leaf->value = value;
            leaf->ref_depth = TRIE_DEPTH_NONE;
        }
    }
    mark_stale(descent);
    return ERR_OK;
}

/* name_leaf puts the leaf of `key` into a slot that is known to lead to it; its value comes later.
 */
static enum err name_leaf(struct trie *trie, struct trie_slot *slot, const struct hash32 *key) {
    struct trie_leaf *leaf = leaf_new(trie, key, BYTES_EMPTY);
    if (leaf == NULL) return ERR_LIMIT;
    *slot = (struct trie_slot){leaf, TRIE_LEAF, 0};
    return ERR_OK;
}

static enum err set(struct trie *trie, const struct hash32 *key, struct bytes value,
                    bool is_in_reader) {
    TRY(trie_open_root(trie));
    struct descent descent = {.branches_count = 0};
    struct trie_slot *slot = &trie->root;
    unsigned depth = 0;
    for (;;) {
        if (slot->kind == TRIE_STORED_LEAF && is_in_reader) TRY(name_leaf(trie, slot, key));
        TRY(trie_resolve(trie, slot, key, depth));
        if (slot->kind != TRIE_BRANCH) return change(trie, slot, depth, key, value, &descent);
        struct trie_branch *branch = trie_branch_at(slot);
        const unsigned fork_depth = trie_common_nibbles(&branch->path, key, depth, branch->depth);
        if (fork_depth < branch->depth) { /* the key leaves inside the extension */
            if (value.size == 0) return ERR_OK;
            const unsigned old_nibble = trie_nibble(&branch->path, fork_depth);
            TRY(split(trie, slot, fork_depth, old_nibble, key, value));
            mark_stale(&descent);
            return ERR_OK;
        }
        descent.slots[descent.branches_count] = slot;
        descent.branches[descent.branches_count++] = branch;
        slot = &branch->children[trie_nibble(key, branch->depth)];
        depth = branch->depth + 1u;
    }
}

enum err trie_set(struct trie *trie, const struct hash32 *key, struct bytes value) {
    return set(trie, key, value, false);
}

enum err trie_replace(struct trie *trie, const struct hash32 *key, struct bytes value) {
    return set(trie, key, value, true);
}
