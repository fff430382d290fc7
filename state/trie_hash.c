#include "base/check.h"
#include "base/keccak.h"
#include "state/trie.h"
#include "state/trie_node.h"

/* --- hashing: all leaves that changed, then the branches level by level from the lowest up; what
 * is of one level does not depend on each other and is hashed together. */

#define BATCH_NODES 8

struct batch {
    size_t count;
    struct bytes encoded[BATCH_NODES];
    struct trie_ref *refs[BATCH_NODES]; /* where the names go */
    uint8_t rooms[BATCH_NODES][TRIE_ENCODED_BYTES_MAX];
};

static void batch_flush(struct batch *batch) {
    struct hash32 hashes[BATCH_NODES];
    keccak256_many(batch->encoded, batch->count, hashes);
    for (size_t i = 0; i < batch->count; i++) {
        struct trie_ref *ref = batch->refs[i];
        const struct bytes encoded = batch->encoded[i];
        ref->size = encoded.size < 32 ? (uint8_t)encoded.size : 32;
        memcpy(ref->data, encoded.size < 32 ? encoded.data : hashes[i].bytes, ref->size);
    }
    batch->count = 0;
}

/* batch_room is where the next node's encoding goes. */
static struct buffer batch_room(struct batch *batch) {
    if (batch->count == BATCH_NODES) batch_flush(batch);
    return buffer_over(batch->rooms[batch->count], TRIE_ENCODED_BYTES_MAX);
}

static void batch_add(struct batch *batch, struct bytes encoded, struct trie_ref *ref) {
    batch->encoded[batch->count] = encoded;
    batch->refs[batch->count++] = ref;
}

static enum err leaf_encoding(struct trie *trie, const struct trie_leaf *leaf, unsigned depth,
                              struct bytes *out) {
    const size_t room_bytes = leaf->value.size + 64;
    uint8_t *room = arena_alloc(trie->arena, room_bytes);
    if (room == NULL) return ERR_LIMIT;
    struct buffer buffer = buffer_over(room, room_bytes);
    *out = trie_encode_leaf(leaf, depth, &buffer);
    return ERR_OK;
}

static enum err hash_leaf(struct trie *trie, struct batch *batch, struct trie_leaf *leaf,
                          unsigned depth) {
    if (leaf->ref_depth == depth) return ERR_OK;
    leaf->ref_depth = (uint8_t)depth;
    if (leaf->value.size + 64 <= TRIE_ENCODED_BYTES_MAX) {
        struct buffer room = batch_room(batch);
        batch_add(batch, trie_encode_leaf(leaf, depth, &room), &leaf->ref);
        return ERR_OK;
    }
    const size_t mark = arena_mark(trie->arena);
    struct bytes encoded;
    TRY(leaf_encoding(trie, leaf, depth, &encoded));
    leaf->ref = trie_ref_of(encoded);
    arena_release(trie->arena, mark);
    return ERR_OK;
}

/* collect hashes stale leaves and lists stale branches by depth. */
static enum err collect(struct trie *trie, struct batch *batch, const struct trie_slot *slot,
                        unsigned depth, struct trie_branch *levels[TRIE_DEPTH_MAX]) {
    if (slot->kind == TRIE_LEAF) return hash_leaf(trie, batch, trie_leaf_at(slot), depth);
    if (slot->kind != TRIE_BRANCH) return ERR_OK;
    struct trie_branch *branch = trie_branch_at(slot);
    if (!branch->is_stale && branch->has_own) return ERR_OK;
    branch->next = levels[branch->depth];
    levels[branch->depth] = branch;
    for (unsigned nibble = 0; nibble < TRIE_CHILDREN; nibble++) {
        TRY(collect(trie, batch, &branch->children[nibble], branch->depth + 1u, levels));
    }
    return ERR_OK;
}

/* slot_ref views the name of what hangs in a slot, all of it being hashed; empty: nothing. */
static struct bytes slot_ref(const struct trie_slot *slot, unsigned depth) {
    if (slot->kind == TRIE_EMPTY) return BYTES_EMPTY;
    if (slot->kind == TRIE_LEAF) {
        const struct trie_leaf *leaf = trie_leaf_at(slot);
        CHECK(leaf->ref_depth == depth);
        return (struct bytes){leaf->ref.data, leaf->ref.size};
    }
    if (slot->kind != TRIE_BRANCH) return (struct bytes){slot->at, slot->ref_size};
    struct trie_branch *branch = trie_branch_at(slot);
    if (branch->ref_depth != depth) {
        CHECK(branch->has_own);
        branch->ref = branch->own;
        if (depth < branch->depth) {
            uint8_t room[TRIE_ENCODED_BYTES_MAX];
            struct buffer buffer = buffer_over(room, sizeof room);
            branch->ref = trie_ref_of(trie_encode_extension(branch, depth, &buffer));
        }
        branch->ref_depth = (uint8_t)depth;
    }
    return (struct bytes){branch->ref.data, branch->ref.size};
}

static void child_refs(const struct trie_branch *branch, struct bytes refs[TRIE_CHILDREN]) {
    for (unsigned nibble = 0; nibble < TRIE_CHILDREN; nibble++)
        refs[nibble] = slot_ref(&branch->children[nibble], branch->depth + 1u);
}

static void hash_level(struct batch *batch, struct trie_branch *level) {
    for (struct trie_branch *branch = level; branch != NULL; branch = branch->next) {
        struct bytes refs[TRIE_CHILDREN];
        child_refs(branch, refs);
        struct buffer room = batch_room(batch);
        batch_add(batch, trie_encode_branch(refs, &room), &branch->own);
        branch->has_own = true;
        branch->is_stale = false;
        branch->ref_depth = TRIE_DEPTH_NONE;
    }
    batch_flush(batch);
}

/* hash_all makes every name under a slot valid. */
static enum err hash_all(struct trie *trie, const struct trie_slot *slot, unsigned depth) {
    struct trie_branch *levels[TRIE_DEPTH_MAX] = {NULL};
    struct batch batch;
    batch.count = 0;
    TRY(collect(trie, &batch, slot, depth, levels));
    batch_flush(&batch);
    for (unsigned level = TRIE_DEPTH_MAX; level-- > 0;) {
        if (levels[level] != NULL) hash_level(&batch, levels[level]);
    }
    return ERR_OK;
}

enum err trie_root(struct trie *trie, struct hash32 *out) {
    TRY(trie_open_root(trie));
    TRY(hash_all(trie, &trie->root, 0));
    const struct bytes ref = slot_ref(&trie->root, 0);
    if (ref.size == 0) {
        *out = KECCAK_EMPTY_TRIE;
    } else if (ref.size == sizeof out->bytes) {
        memcpy(out->bytes, ref.data, sizeof out->bytes);
    } else { /* the root is hashed however short it is */
        *out = keccak256(ref);
    }
    return ERR_OK;
}

/* --- writing */

struct writing {
    struct trie *trie;
    void *context;
    enum err (*visit)(void *context, const struct kv_write *write);
};

static enum err emit_deletion(const struct writing *writing, struct bytes key) {
    struct kv_write write = {.table = KV_TRIE};
    if (!arena_copy(writing->trie->arena, key, &write.key)) return ERR_LIMIT;
    return writing->visit(writing->context, &write);
}

static enum err emit_branch(const struct writing *writing, const struct trie_branch *branch) {
    struct bytes refs[TRIE_CHILDREN];
    struct kv_write write = {.table = KV_TRIE};
    child_refs(branch, refs);
    uint8_t key[TRIE_KEY_BYTES_MAX];
    const size_t key_bytes = trie_key(trie_owner(writing->trie), &branch->path, branch->depth, key);
    if (!arena_copy(writing->trie->arena, (struct bytes){key, key_bytes}, &write.key)) {
        return ERR_LIMIT;
    }
    struct arena *arena = writing->trie->arena;
    uint8_t *record = arena_alloc(arena, TRIE_RECORD_BYTES_MAX);
    if (record == NULL) return ERR_LIMIT;
    struct buffer buffer = buffer_over(record, TRIE_RECORD_BYTES_MAX);
    write.value = trie_record_encode(branch, refs, &buffer);
    arena_release(arena, (size_t)(record - arena->data) + write.value.size);
    return writing->visit(writing->context, &write);
}

static enum err write_branches(const struct writing *writing, const struct trie_slot *slot) {
    if (slot->kind != TRIE_BRANCH) return ERR_OK;
    const struct trie_branch *branch = trie_branch_at(slot);
    if (!branch->is_changed) return ERR_OK; /* nor is anything below it */
    CHECK(!branch->is_stale);
    TRY(emit_branch(writing, branch));
    for (unsigned nibble = 0; nibble < TRIE_CHILDREN; nibble++) {
        TRY(write_branches(writing, &branch->children[nibble]));
    }
    return ERR_OK;
}

/* delete_stored deletes every record that the reader has under the owner of a wiped trie. */
static enum err delete_stored(const struct writing *writing) {
    const struct trie *trie = writing->trie;
    const struct hash32 path = {{0}};
    uint8_t key[TRIE_KEY_BYTES_MAX + 1];
    const size_t prefix_bytes = trie_key(trie_owner(trie), &path, 0, key);
    size_t key_bytes = prefix_bytes;
    for (;;) {
        struct bytes found;
        struct bytes value;
        const enum err err = trie->reader->seek(trie->reader->context, KV_TRIE,
                                                (struct bytes){key, key_bytes}, &found, &value);
        if (err == ERR_NOT_FOUND) return ERR_OK;
        if (err != ERR_OK) return err;
        if (found.size < prefix_bytes || found.size > TRIE_KEY_BYTES_MAX) return ERR_OK;
        if (memcmp(found.data, key, prefix_bytes) != 0) return ERR_OK;
        memcpy(key, found.data, found.size);
        key_bytes = found.size;
        TRY(emit_deletion(writing, (struct bytes){key, key_bytes}));
        key[key_bytes++] = 0; /* the least key after it */
    }
}

enum err trie_writes(struct trie *trie, void *context,
                     enum err (*visit)(void *context, const struct kv_write *write)) {
    const struct writing writing = {trie, context, visit};
    if (!trie->is_opened) return ERR_OK;
    if (trie->is_wiped && !trie->is_stored_empty) TRY(delete_stored(&writing));
    for (const struct trie_deleted *at = trie->deleted; at != NULL; at = at->next) {
        uint8_t key[TRIE_KEY_BYTES_MAX];
        const size_t key_bytes = trie_key(trie_owner(trie), &at->path, at->depth, key);
        TRY(emit_deletion(&writing, (struct bytes){key, key_bytes}));
    }
    return write_branches(&writing, &trie->root);
}

/* --- proving */

struct proving {
    struct trie *trie;
    struct bytes *nodes;
    size_t count;
};

static enum err add_node(struct proving *proving, struct bytes encoded) {
    if (encoded.size < 32 && proving->count != 0) return ERR_OK; /* inside its parent */
    CHECK(proving->count < TRIE_PROOF_NODES_MAX);
    struct bytes copy;
    if (!arena_copy(proving->trie->arena, encoded, &copy)) return ERR_LIMIT;
    proving->nodes[proving->count++] = copy;
    return ERR_OK;
}

static enum err add_branch(struct proving *proving, struct trie_branch *branch, unsigned depth) {
    uint8_t room[TRIE_ENCODED_BYTES_MAX];
    struct buffer buffer = buffer_over(room, sizeof room);
    struct bytes refs[TRIE_CHILDREN];
    child_refs(branch, refs);
    if (depth < branch->depth) {
        TRY(add_node(proving, trie_encode_extension(branch, depth, &buffer)));
        buffer.size = 0;
    }
    return add_node(proving, trie_encode_branch(refs, &buffer));
}

enum err trie_prove(struct trie *trie, const struct hash32 *key, struct bytes *nodes,
                    size_t *nodes_count, struct bytes *value) {
    TRY(trie_open_root(trie));
    struct proving proving = {trie, nodes, 0};
    struct bytes found = BYTES_EMPTY;
    struct trie_slot *slot = &trie->root;
    unsigned depth = 0;
    for (;;) {
        TRY(trie_resolve(trie, slot, key, depth));
        if (slot->kind == TRIE_EMPTY) break;
        if (slot->kind == TRIE_LEAF) {
            struct bytes encoded;
            TRY(leaf_encoding(trie, trie_leaf_at(slot), depth, &encoded));
            TRY(add_node(&proving, encoded));
            if (hash_equal(&trie_leaf_at(slot)->key, key)) found = trie_leaf_at(slot)->value;
            break;
        }
        struct trie_branch *branch = trie_branch_at(slot);
        TRY(hash_all(trie, slot, depth)); /* one just loaded under an extension has no own name */
        const bool is_inside =
            trie_common_nibbles(&branch->path, key, depth, branch->depth) == branch->depth;
        if (!is_inside) {
            uint8_t room[TRIE_ENCODED_BYTES_MAX];
            struct buffer buffer = buffer_over(room, sizeof room);
            TRY(add_node(&proving, trie_encode_extension(branch, depth, &buffer)));
            break;
        }
        TRY(add_branch(&proving, branch, depth));
        slot = &branch->children[trie_nibble(key, branch->depth)];
        depth = branch->depth + 1u;
    }
    *nodes_count = proving.count;
    *value = found;
    return ERR_OK;
}
