#include "state/trie_node.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"

#define HASH_BYTES 32

size_t trie_key(const struct hash32 *owner, const struct hash32 *path, unsigned depth,
                uint8_t out[TRIE_KEY_BYTES_MAX]) {
    CHECK(depth <= TRIE_DEPTH_MAX);
    size_t size = 1;
    out[0] = owner == NULL ? 0 : 1;
    if (owner != NULL) {
        memcpy(out + 1, owner->bytes, sizeof owner->bytes);
        size += sizeof owner->bytes;
    }
    for (unsigned i = 0; i < depth; i++)
        out[size++] = (uint8_t)trie_nibble(path, i);
    return size;
}

/* Record: three masks of two bytes (present, branches, inline), then the names by ascending nibble,
 * those inside the inline mask after a byte that says how long they are. */
enum err trie_record_decode(struct bytes in, struct trie_record *out) {
    if (in.size < 6) return ERR_CORRUPT;
    struct trie_record record = {0};
    record.present = (uint16_t)be_read(in.data, 2);
    record.branches = (uint16_t)be_read(in.data + 2, 2);
    const unsigned inlined = (unsigned)be_read(in.data + 4, 2);
    if ((record.branches & ~record.present) != 0) return ERR_CORRUPT;
    if ((inlined & ~(unsigned)record.present) != 0) return ERR_CORRUPT;
    if (__builtin_popcount(record.present) < 2) return ERR_CORRUPT;
    struct bytes rest = bytes_slice(in, 6, in.size);
    for (unsigned nibble = 0; nibble < TRIE_CHILDREN; nibble++) {
        if ((record.present >> nibble & 1) == 0) continue;
        size_t size = HASH_BYTES;
        if ((inlined >> nibble & 1) != 0) {
            if (rest.size == 0) return ERR_CORRUPT;
            size = rest.data[0];
            if (size == 0 || size >= HASH_BYTES) return ERR_CORRUPT;
            rest = bytes_slice(rest, 1, rest.size);
        }
        if (rest.size < size) return ERR_CORRUPT;
        record.refs[nibble] = bytes_slice(rest, 0, size);
        rest = bytes_slice(rest, size, rest.size);
    }
    if (rest.size != 0) return ERR_CORRUPT;
    *out = record;
    return ERR_OK;
}

struct bytes trie_record_encode(const struct trie_branch *branch,
                                const struct bytes refs[TRIE_CHILDREN], struct buffer *out) {
    unsigned present = 0;
    unsigned branches = 0;
    unsigned inlined = 0;
    for (unsigned nibble = 0; nibble < TRIE_CHILDREN; nibble++) {
        const uint8_t kind = branch->children[nibble].kind;
        if (kind == TRIE_EMPTY) continue;
        present |= 1u << nibble;
        if (kind == TRIE_STORED_BRANCH || kind == TRIE_BRANCH) branches |= 1u << nibble;
        if (refs[nibble].size != HASH_BYTES) inlined |= 1u << nibble;
    }
    CHECK(__builtin_popcount(present) >= 2);
    buffer_append_be(out, 2, present);
    buffer_append_be(out, 2, branches);
    buffer_append_be(out, 2, inlined);
    for (unsigned nibble = 0; nibble < TRIE_CHILDREN; nibble++) {
        const struct bytes ref = refs[nibble];
        if ((present >> nibble & 1) == 0) continue;
        if (ref.size != HASH_BYTES) buffer_append_byte(out, (uint8_t)ref.size);
        buffer_append(out, ref);
    }
    CHECK(!out->overflow);
    return buffer_bytes(out);
}

struct trie_ref trie_ref_of(struct bytes encoded) {
    CHECK(encoded.size != 0);
    struct trie_ref ref = {.size = HASH_BYTES};
    if (encoded.size < HASH_BYTES) {
        memcpy(ref.data, encoded.data, encoded.size);
        ref.size = (uint8_t)encoded.size;
        return ref;
    }
    const struct hash32 hash = keccak256(encoded);
    memcpy(ref.data, hash.bytes, sizeof hash.bytes);
    return ref;
}

/* write_path writes nibbles [from, to) of `key` in hex-prefix encoding (appendix C). */
static void write_path(const struct hash32 *key, unsigned from, unsigned to, bool is_leaf,
                       struct buffer *out) {
    uint8_t path[1 + TRIE_DEPTH_MAX / 2];
    unsigned at = from;
    size_t size = 1;
    path[0] = is_leaf ? 0x20 : 0x00;
    if ((to - from) % 2 == 1) {
        path[0] = (uint8_t)(path[0] | 0x10u | trie_nibble(key, at));
        at++;
    }
    for (; at < to; at += 2) {
        path[size++] = (uint8_t)(trie_nibble(key, at) << 4 | trie_nibble(key, at + 1));
    }
    rlp_write_string(out, (struct bytes){path, size});
}

static void write_ref(struct bytes ref, struct buffer *out) {
    if (ref.size == HASH_BYTES) buffer_append_byte(out, 0x80 + HASH_BYTES);
    buffer_append(out, ref);
}

struct bytes trie_encode_leaf(const struct trie_leaf *leaf, unsigned depth, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    write_path(&leaf->key, depth, TRIE_DEPTH_MAX, true, out);
    rlp_write_string(out, leaf->value);
    rlp_list_end(out, list);
    CHECK(!out->overflow);
    return buffer_bytes(out);
}

struct bytes trie_encode_extension(const struct trie_branch *branch, unsigned depth,
                                   struct buffer *out) {
    CHECK(depth < branch->depth);
    const size_t list = rlp_list_begin(out);
    write_path(&branch->path, depth, branch->depth, false, out);
    write_ref((struct bytes){branch->own.data, branch->own.size}, out);
    rlp_list_end(out, list);
    CHECK(!out->overflow);
    return buffer_bytes(out);
}

struct bytes trie_encode_branch(const struct bytes refs[TRIE_CHILDREN], struct buffer *out) {
    size_t payload_bytes = 1;
    for (unsigned nibble = 0; nibble < TRIE_CHILDREN; nibble++) {
        const size_t size = refs[nibble].size;
        payload_bytes += size == HASH_BYTES ? 1 + HASH_BYTES : size == 0 ? 1 : size;
    }
    if (payload_bytes <= 55) {
        buffer_append_byte(out, (uint8_t)(0xc0 + payload_bytes));
    } else {
        const size_t length_bytes = payload_bytes > 255 ? 2 : 1;
        buffer_append_byte(out, (uint8_t)(0xf7 + length_bytes));
        buffer_append_be(out, length_bytes, payload_bytes);
    }
    for (unsigned nibble = 0; nibble < TRIE_CHILDREN; nibble++) {
        if (refs[nibble].size == 0) {
            buffer_append_byte(out, 0x80);
        } else {
            write_ref(refs[nibble], out);
        }
    }
    buffer_append_byte(out, 0x80); /* no key ends inside another: all have 64 nibbles */
    CHECK(!out->overflow);
    return buffer_bytes(out);
}
