#include "sequencer/package.h"

#include "base/keccak.h"
#include "base/merkle.h"
#include "base/rlp.h"

#define TYPED_TAG_MAX 0x7f /* EIP-2718: above is a legacy list, or nothing */

struct hash32 package_items_root(const struct hash32 *item_hashes, size_t count) {
    struct merkle_fold fold = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        const struct hash32 leaf = merkle_leaf(hash_bytes(&item_hashes[i]));
        merkle_fold_leaf(&fold, &leaf);
    }
    return merkle_fold_root(&fold);
}

/* item_read takes one transaction off the list, in the only form that block_decode takes too. */
static enum err item_read(struct bytes *list, struct bytes *out) {
    if (rlp_is_list(*list)) return rlp_read_item(list, out);
    TRY(rlp_read_string(list, out));
    return out->size == 0 || out->data[0] > TYPED_TAG_MAX ? ERR_ENCODING : ERR_OK;
}

static const char *items_fault(struct bytes list, const struct frame *frame,
                               struct hash32 *item_hashes, size_t items_max, size_t *count) {
    *count = 0;
    while (list.size != 0) {
        struct bytes encoded;
        if (*count == items_max) return "block has too many items";
        if (item_read(&list, &encoded) != ERR_OK) return "items do not decode";
        item_hashes[(*count)++] = keccak256(encoded);
    }
    const struct hash32 root = package_items_root(item_hashes, *count);
    return hash_equal(&root, &frame->items_root) ? NULL : "items root differs";
}

/* frame_fault holds what travels beside the block against the header. */
static const char *frame_fault(const struct block_package *package, const struct header *header,
                               bool carries_next) {
    const struct frame *frame = &package->frame;
    const struct hash32 root = keccak256(package->frame_encoded);
    if (!hash_equal(&header->parent_beacon_root, &root)) {
        return "parent beacon root is not the frame's hash";
    }
    const struct bytes last = package->last_commit, next = package->next_validators;
    const struct hash32 last_hash = last.size == 0 ? (struct hash32){{0}} : keccak256(last);
    if (!hash_equal(&frame->last_commit_hash, &last_hash)) return "last commit is not the frame's";
    if (!carries_next) {
        return next.size == 0 ? NULL : "next validators are carried in the wrong block";
    }
    const struct hash32 next_hash = keccak256(next);
    if (!hash_equal(&frame->next_validators_hash, &next_hash)) {
        return "next validator set differs";
    }
    return NULL;
}

/* lists_read takes the block's lists after its header; ommers and withdrawals are empty. */
static const char *lists_read(struct bytes parts, struct bytes *items) {
    struct bytes ommers, withdrawals;
    if (rlp_read_list(&parts, items) != ERR_OK || rlp_read_list(&parts, &ommers) != ERR_OK ||
        rlp_read_list(&parts, &withdrawals) != ERR_OK || parts.size != 0) {
        return "block does not decode";
    }
    if (ommers.size != 0) return "block has ommers";
    return withdrawals.size == 0 ? NULL : "block has withdrawals";
}

const char *package_bind(struct bytes encoded, const struct hash32 *hash, bool carries_next,
                         struct hash32 *item_hashes, size_t items_max, struct package_parts *out) {
    struct package_parts found;
    struct bytes parts, raw, items;
    struct header header;
    if (block_package_decode(encoded, &found.package) != ERR_OK) return "package does not decode";
    struct bytes block = found.package.ethereum_block;
    if (rlp_read_list(&block, &parts) != ERR_OK || rlp_read_item(&parts, &raw) != ERR_OK) {
        return "block does not decode";
    }
    const struct hash32 raw_hash = keccak256(raw);
    if (!hash_equal(&raw_hash, hash)) return "another block than expected";
    if (header_decode(raw, &header) != ERR_OK) return "header does not decode";
    if (header.tail_fields < HEADER_TAIL_CANCUN) return "header lacks fields";
    const char *fault = frame_fault(&found.package, &header, carries_next);
    if (fault == NULL) fault = lists_read(parts, &items);
    if (fault == NULL) {
        fault =
            items_fault(items, &found.package.frame, item_hashes, items_max, &found.items_count);
    }
    if (fault == NULL) *out = found;
    return fault;
}
