#include "chain/trie_root.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"

#define KEY_BYTES_MAX   64
#define PATH_BYTES_MAX  (1 + KEY_BYTES_MAX)
#define BRANCH_CHILDREN 16

#define INDEX_KEY_BYTES_MAX 16 /* rlp of an index, 1..9 bytes */

/* Leaves of one branch whose values are at most this long are hashed together. */
#define TOGETHER_VALUE_MAX 512
#define LEAF_BYTES_MAX     (TOGETHER_VALUE_MAX + PATH_BYTES_MAX + 9)

/* How a parent names a node: its encoding when shorter than 32 bytes, else its hash as a string. */
struct reference {
    uint8_t data[33];
    uint8_t size;
};

static unsigned nibble_at(struct bytes key, size_t index) {
    const uint8_t byte = key.data[index / 2];
    return index % 2 == 0 ? byte >> 4 : byte & 15u;
}

/* write_path writes nibbles [from, to) of the key in hex-prefix encoding (appendix C). */
static struct bytes write_path(struct bytes key, size_t from, size_t to, bool is_leaf,
                               uint8_t path[PATH_BYTES_MAX]) {
    const size_t count = to - from;
    size_t size = 1;
    path[0] = is_leaf ? 0x20 : 0x00;
    size_t at = from;
    if (count % 2 == 1) {
        path[0] = (uint8_t)(path[0] | 0x10u | nibble_at(key, at));
        at++;
    }
    for (; at < to; at += 2) {
        path[size++] = (uint8_t)(nibble_at(key, at) << 4 | nibble_at(key, at + 1));
    }
    return (struct bytes){path, size};
}

static struct reference reference_of_hash(const struct hash32 *hash) {
    struct reference out = {.size = 33};
    out.data[0] = 0x80 + 32;
    memcpy(out.data + 1, hash->bytes, 32);
    return out;
}

static struct reference reference_of(struct bytes encoded) {
    if (encoded.size < 32) {
        struct reference out = {.size = (uint8_t)encoded.size};
        memcpy(out.data, encoded.data, encoded.size);
        return out;
    }
    const struct hash32 hash = keccak256(encoded);
    return reference_of_hash(&hash);
}

/* write_head writes the header of a string or list of `payload_bytes` (appendix B); `tag` is that
 * of an empty one. */
static void write_head(struct buffer *out, uint8_t tag, size_t payload_bytes) {
    if (payload_bytes <= 55) {
        buffer_append_byte(out, (uint8_t)(tag + payload_bytes));
        return;
    }
    size_t length_bytes = 1;
    while (length_bytes < 8 && payload_bytes >> (8 * length_bytes) != 0)
        length_bytes++;
    buffer_append_byte(out, (uint8_t)(tag + 55 + length_bytes));
    buffer_append_be(out, length_bytes, payload_bytes);
}

/* seal names the node rlp([items..., value]) whose `items` are encoded already.  Values may be
 * megabytes long (a transaction), so they go to the hash function in pieces and are not copied. */
static struct reference seal(struct bytes items, struct bytes value) {
    const size_t payload_bytes = items.size + rlp_string_size(value);
    uint8_t small[32 + 18];
    struct buffer head = buffer_over(small, sizeof small);
    write_head(&head, 0xc0, payload_bytes);
    if (payload_bytes < 31) {
        buffer_append(&head, items);
        rlp_write_string(&head, value);
        CHECK(!head.overflow);
        return reference_of(buffer_bytes(&head));
    }
    struct keccak context;
    keccak_init(&context);
    keccak_update(&context, buffer_bytes(&head));
    keccak_update(&context, items);
    head.size = 0;
    if (value.size != 1 || value.data[0] >= 0x80) write_head(&head, 0x80, value.size);
    CHECK(!head.overflow);
    keccak_update(&context, buffer_bytes(&head));
    keccak_update(&context, value);
    const struct hash32 hash = keccak_final(&context);
    return reference_of_hash(&hash);
}

/* Where the leaves of one branch are written. */
struct leaves {
    uint8_t rooms[BRANCH_CHILDREN][LEAF_BYTES_MAX];
};

static struct reference leaf(const struct trie_entry *entry, size_t depth) {
    uint8_t path[PATH_BYTES_MAX];
    uint8_t items[PATH_BYTES_MAX + 3];
    struct buffer out = buffer_over(items, sizeof items);
    rlp_write_string(&out, write_path(entry->key, depth, 2 * entry->key.size, true, path));
    CHECK(!out.overflow);
    return seal(buffer_bytes(&out), entry->value);
}

/* write_leaf writes a leaf whose value is short enough. */
static struct bytes write_leaf(const struct trie_entry *entry, size_t depth,
                               uint8_t room[LEAF_BYTES_MAX]) {
    uint8_t path[PATH_BYTES_MAX];
    struct buffer out = buffer_over(room, LEAF_BYTES_MAX);
    const size_t list = rlp_list_begin(&out);
    rlp_write_string(&out, write_path(entry->key, depth, 2 * entry->key.size, true, path));
    rlp_write_string(&out, entry->value);
    rlp_list_end(&out, list);
    CHECK(!out.overflow);
    return buffer_bytes(&out);
}

/* name_leaves names the children of a branch that are single entries: together, where they are
 * short. */
static void name_leaves(const struct trie_entry *const singles[BRANCH_CHILDREN], size_t depth,
                        struct leaves *leaves, struct reference children[BRANCH_CHILDREN]) {
    struct bytes encoded[BRANCH_CHILDREN];
    struct hash32 hashes[BRANCH_CHILDREN];
    unsigned nibbles[BRANCH_CHILDREN];
    size_t count = 0;
    for (unsigned nibble = 0; nibble < BRANCH_CHILDREN; nibble++) {
        const struct trie_entry *entry = singles[nibble];
        if (entry == NULL) continue;
        if (entry->value.size > TOGETHER_VALUE_MAX) {
            children[nibble] = leaf(entry, depth);
            continue;
        }
        nibbles[count] = nibble;
        encoded[count] = write_leaf(entry, depth, leaves->rooms[count]);
        count++;
    }
    keccak256_many(encoded, count, hashes);
    for (size_t i = 0; i < count; i++) {
        const bool is_inside = encoded[i].size < 32;
        children[nibbles[i]] = is_inside ? reference_of(encoded[i]) : reference_of_hash(&hashes[i]);
    }
}

/* shared_nibbles counts the nibbles that the first and the last entry, and so all between them,
 * have in common from `depth` on. */
static size_t shared_nibbles(const struct trie_entry *entries, size_t count, size_t depth) {
    const struct bytes first = entries[0].key;
    const struct bytes last = entries[count - 1].key;
    const size_t end = 2 * (first.size < last.size ? first.size : last.size);
    size_t at = depth;
    while (at < end && nibble_at(first, at) == nibble_at(last, at))
        at++;
    return at - depth;
}

static struct reference node(const struct trie_entry *entries, size_t count, size_t depth,
                             struct leaves *leaves);

/* extension names a node of `shared` common nibbles and what is below them. */
static struct reference extension(const struct trie_entry *entries, size_t count, size_t depth,
                                  size_t shared, struct leaves *leaves) {
    uint8_t path[PATH_BYTES_MAX];
    uint8_t encoded[PATH_BYTES_MAX + 3 + 33 + 3];
    struct buffer out = buffer_over(encoded, sizeof encoded);
    const struct reference child = node(entries, count, depth + shared, leaves);
    const size_t list = rlp_list_begin(&out);
    rlp_write_string(&out, write_path(entries[0].key, depth, depth + shared, false, path));
    rlp_write_raw(&out, (struct bytes){child.data, child.size});
    rlp_list_end(&out, list);
    CHECK(!out.overflow);
    return reference_of(buffer_bytes(&out));
}

/* node names the node over entries that share their first `depth` nibbles.  Recursion is at most
 * 2 * KEY_BYTES_MAX levels deep, because each branch consumes a nibble. */
static struct reference node(const struct trie_entry *entries, size_t count, size_t depth,
                             struct leaves *leaves) {
    if (count == 1) return leaf(&entries[0], depth);
    const size_t shared = shared_nibbles(entries, count, depth);
    if (shared != 0) return extension(entries, count, depth, shared, leaves);

    struct reference children[BRANCH_CHILDREN];
    const struct trie_entry *singles[BRANCH_CHILDREN] = {NULL};
    /* A key that ends here sorts before the keys that go on; its value is the branch's own. */
    const bool has_value = 2 * entries[0].key.size == depth;
    size_t at = has_value ? 1 : 0;
    for (unsigned nibble = 0; nibble < BRANCH_CHILDREN; nibble++) {
        const size_t begin = at;
        while (at < count && nibble_at(entries[at].key, depth) == nibble)
            at++;
        children[nibble] = (struct reference){.data = {0x80}, .size = 1}; /* none */
        if (at - begin == 1) {
            singles[nibble] = entries + begin;
        } else if (at != begin) {
            children[nibble] = node(entries + begin, at - begin, depth + 1, leaves);
        }
    }
    CHECK(at == count);
    name_leaves(singles, depth + 1, leaves, children);
    uint8_t items[BRANCH_CHILDREN * 33];
    struct buffer out = buffer_over(items, sizeof items);
    for (unsigned nibble = 0; nibble < BRANCH_CHILDREN; nibble++) {
        const struct reference *child = &children[nibble];
        rlp_write_raw(&out, (struct bytes){child->data, child->size});
    }
    CHECK(!out.overflow);
    return seal(buffer_bytes(&out), has_value ? entries[0].value : BYTES_EMPTY);
}

enum err trie_root_sorted(const struct trie_entry *entries, size_t count, struct arena *scratch,
                          struct hash32 *out) {
    (void)scratch;
    if (count == 0) {
        *out = KECCAK_EMPTY_TRIE;
        return ERR_OK;
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(entries[i].key.size <= KEY_BYTES_MAX);
        CHECK(entries[i].value.size != 0);
        CHECK(i == 0 || bytes_compare(entries[i - 1].key, entries[i].key) < 0);
    }
    struct leaves leaves;
    const struct reference root = node(entries, count, 0, &leaves);
    if (root.size == 33) {
        memcpy(out->bytes, root.data + 1, sizeof out->bytes);
    } else {
        *out = keccak256((struct bytes){root.data, root.size});
    }
    return ERR_OK;
}

enum err trie_root_indexed(const struct bytes *values, size_t count, struct arena *scratch,
                           struct hash32 *out) {
    const size_t mark = arena_mark(scratch);
    struct trie_entry *entries = arena_array(scratch, count, sizeof *entries);
    uint8_t *keys = arena_array(scratch, count, INDEX_KEY_BYTES_MAX);
    if (count != 0 && (entries == NULL || keys == NULL)) {
        arena_release(scratch, mark);
        return ERR_LIMIT;
    }
    /* rlp(0) is 0x80, which sorts after rlp(1) to rlp(127) and before rlp(128) = 0x8180. */
    const size_t zero_at = count < 128 ? count - 1 : 127;
    for (size_t i = 0; i < count; i++) {
        const size_t index = i < zero_at ? i + 1 : i == zero_at ? 0 : i;
        struct buffer key = buffer_over(keys + i * INDEX_KEY_BYTES_MAX, INDEX_KEY_BYTES_MAX);
        rlp_write_u64(&key, index);
        entries[i] = (struct trie_entry){buffer_bytes(&key), values[index]};
    }
    const enum err err = trie_root_sorted(entries, count, scratch, out);
    arena_release(scratch, mark);
    return err;
}
