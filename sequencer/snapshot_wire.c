#include "sequencer/snapshot_wire.h"

#include "base/keccak.h"
#include "base/rlp.h"

#define ENTRY_BYTES_MIN 35 /* a list of a 32-byte string and one byte */

void snapshot_range_encode(const struct hash32 *owner, const struct range *range,
                           struct buffer *out) {
    const size_t whole = rlp_list_begin(out);
    rlp_write_string(out, owner == NULL ? BYTES_EMPTY : hash_bytes(owner));
    rlp_write_hash(out, &range->from);
    rlp_write_hash(out, &range->to);
    const size_t entries = rlp_list_begin(out);
    for (size_t i = 0; i < range->entries_count; i++) {
        const size_t entry = rlp_list_begin(out);
        rlp_write_hash(out, &range->entries[i].key);
        rlp_write_string(out, range->entries[i].value);
        rlp_list_end(out, entry);
    }
    rlp_list_end(out, entries);
    const size_t nodes = rlp_list_begin(out);
    for (size_t i = 0; i < range->proof.nodes_count; i++)
        rlp_write_string(out, range->proof.nodes[i]);
    rlp_list_end(out, nodes);
    rlp_list_end(out, whole);
}

static enum err entries_read(struct bytes list, struct arena *arena, struct range *out) {
    struct range_entry *entries =
        arena_array(arena, list.size / ENTRY_BYTES_MIN + 1, sizeof *entries);
    if (entries == NULL) return ERR_LIMIT;
    size_t count = 0;
    while (list.size != 0) {
        struct bytes entry;
        TRY(rlp_read_list(&list, &entry));
        TRY(rlp_read_hash(&entry, &entries[count].key));
        TRY(rlp_read_string(&entry, &entries[count].value));
        if (entry.size != 0 || entries[count].value.size == 0) return ERR_ENCODING;
        count += 1;
    }
    out->entries = entries;
    out->entries_count = count;
    return ERR_OK;
}

static enum err nodes_read(struct bytes list, struct arena *arena, struct proof *out) {
    struct bytes *nodes = arena_array(arena, RANGE_PROOF_NODES_MAX, sizeof *nodes);
    if (nodes == NULL) return ERR_LIMIT;
    size_t count = 0;
    while (list.size != 0) {
        if (count == RANGE_PROOF_NODES_MAX) return ERR_LIMIT;
        TRY(rlp_read_string(&list, &nodes[count++]));
    }
    *out = (struct proof){nodes, count};
    return ERR_OK;
}

enum err snapshot_range_decode(struct bytes in, struct arena *arena, struct snapshot_range *out) {
    struct snapshot_range found = {.is_storage = false};
    struct bytes fields, owner, list;
    TRY(rlp_read_list(&in, &fields));
    if (in.size != 0) return ERR_ENCODING;
    TRY(rlp_read_string(&fields, &owner));
    if (owner.size != 0 && owner.size != sizeof found.owner.bytes) return ERR_ENCODING;
    found.is_storage = owner.size != 0;
    if (found.is_storage) memcpy(found.owner.bytes, owner.data, owner.size);
    TRY(rlp_read_hash(&fields, &found.range.from));
    TRY(rlp_read_hash(&fields, &found.range.to));
    TRY(rlp_read_list(&fields, &list));
    TRY(entries_read(list, arena, &found.range));
    TRY(rlp_read_list(&fields, &list));
    TRY(nodes_read(list, arena, &found.range.proof));
    if (fields.size != 0) return ERR_ENCODING;
    *out = found;
    return ERR_OK;
}

enum err snapshot_header_of(struct bytes ethereum_block, struct bytes *out) {
    struct bytes fields;
    TRY(rlp_read_list(&ethereum_block, &fields));
    return rlp_read_item(&fields, out);
}

enum err snapshot_light_encode(struct bytes package, struct bytes commit, struct buffer *out) {
    struct block_package parts;
    struct bytes header;
    TRY(block_package_decode(package, &parts));
    TRY(snapshot_header_of(parts.ethereum_block, &header));
    const size_t list = rlp_list_begin(out);
    rlp_write_raw(out, header);
    rlp_write_raw(out, parts.frame_encoded);
    rlp_write_string(out, commit);
    rlp_write_string(out, parts.next_validators);
    rlp_list_end(out, list);
    return ERR_OK;
}

enum err snapshot_light_decode(struct bytes in, struct snapshot_light *out) {
    struct bytes fields, header, frame, commit;
    TRY(rlp_read_list(&in, &fields));
    if (in.size != 0) return ERR_ENCODING;
    TRY(rlp_read_item(&fields, &header));
    TRY(rlp_read_item(&fields, &frame));
    TRY(rlp_read_string(&fields, &commit));
    TRY(rlp_read_string(&fields, &out->next_validators));
    if (fields.size != 0) return ERR_ENCODING;
    TRY(header_decode(header, &out->header));
    TRY(frame_decode(frame, &out->frame));
    TRY(commit_decode(commit, &out->commit));
    out->hash = keccak256(header);
    const struct hash32 frame_hash = keccak256(frame);
    if (!hash_equal(&frame_hash, &out->header.parent_beacon_root)) return ERR_MISMATCH;
    return out->frame.height == out->header.number ? ERR_OK : ERR_MISMATCH;
}
