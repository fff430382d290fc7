#include "chain/block.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/trie_root.h"

#define BLOCK_OMMERS_MAX      16 /* the protocol allows two; more are decoded to be refused */
#define BLOCK_WITHDRAWALS_MAX 65536
#define WITHDRAWAL_BYTES_MAX  64   /* 1 + 9 + 9 + 21 + 9 */
#define TYPED_TAG_MAX         0x7f /* EIP-2718: above is a legacy list, or nothing */

static enum err transactions_decode(struct bytes list, struct arena *arena, struct block *block) {
    TRY(rlp_list_count(list, BLOCK_TRANSACTIONS_MAX, &block->transactions_count));
    struct bytes *transactions =
        arena_array(arena, block->transactions_count, sizeof *transactions);
    if (transactions == NULL && block->transactions_count != 0) return ERR_LIMIT;
    for (size_t i = 0; i < block->transactions_count; i++) {
        if (rlp_is_list(list)) {
            TRY(rlp_read_item(&list, &transactions[i]));
            continue;
        }
        TRY(rlp_read_string(&list, &transactions[i]));
        if (transactions[i].size == 0 || transactions[i].data[0] > TYPED_TAG_MAX) {
            return ERR_ENCODING;
        }
    }
    block->transactions = transactions;
    return ERR_OK;
}

static enum err ommers_decode(struct bytes list, struct arena *arena, struct block *block) {
    TRY(rlp_list_count(list, BLOCK_OMMERS_MAX, &block->ommers_count));
    struct header *ommers = arena_array(arena, block->ommers_count, sizeof *ommers);
    if (ommers == NULL && block->ommers_count != 0) return ERR_LIMIT;
    for (size_t i = 0; i < block->ommers_count; i++) {
        struct bytes item;
        TRY(rlp_read_item(&list, &item));
        TRY(header_decode(item, &ommers[i]));
    }
    block->ommers = ommers;
    return ERR_OK;
}

static enum err withdrawal_decode(struct bytes *in, struct withdrawal *out) {
    struct bytes fields;
    TRY(rlp_read_list(in, &fields));
    TRY(rlp_read_u64(&fields, &out->index));
    TRY(rlp_read_u64(&fields, &out->validator_index));
    TRY(rlp_read_address(&fields, &out->address));
    TRY(rlp_read_u64(&fields, &out->amount_gwei));
    return fields.size == 0 ? ERR_OK : ERR_ENCODING;
}

static enum err withdrawals_decode(struct bytes list, struct arena *arena, struct block *block) {
    TRY(rlp_list_count(list, BLOCK_WITHDRAWALS_MAX, &block->withdrawals_count));
    struct withdrawal *withdrawals =
        arena_array(arena, block->withdrawals_count, sizeof *withdrawals);
    if (withdrawals == NULL && block->withdrawals_count != 0) return ERR_LIMIT;
    for (size_t i = 0; i < block->withdrawals_count; i++) {
        TRY(withdrawal_decode(&list, &withdrawals[i]));
    }
    block->has_withdrawals = true;
    block->withdrawals = withdrawals;
    return ERR_OK;
}

static enum err parts_decode(struct bytes in, struct arena *arena, struct block *block) {
    struct bytes parts, header, list;
    TRY(rlp_read_list(&in, &parts));
    if (in.size != 0) return ERR_ENCODING;
    TRY(rlp_read_item(&parts, &header));
    TRY(header_decode(header, &block->header));
    block->hash = keccak256(header);
    TRY(rlp_read_list(&parts, &list));
    TRY(transactions_decode(list, arena, block));
    TRY(rlp_read_list(&parts, &list));
    TRY(ommers_decode(list, arena, block));
    if (parts.size == 0) return ERR_OK;
    TRY(rlp_read_list(&parts, &list));
    TRY(withdrawals_decode(list, arena, block));
    return parts.size == 0 ? ERR_OK : ERR_ENCODING;
}

enum err block_decode(struct bytes in, struct arena *arena, struct block *out) {
    const size_t mark = arena_mark(arena);
    struct block block;
    memset(&block, 0, sizeof block);
    const enum err err = parts_decode(in, arena, &block);
    if (err != ERR_OK) {
        arena_release(arena, mark);
        return err;
    }
    *out = block;
    return ERR_OK;
}

static void withdrawal_encode(const struct withdrawal *withdrawal, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    rlp_write_u64(out, withdrawal->index);
    rlp_write_u64(out, withdrawal->validator_index);
    rlp_write_address(out, &withdrawal->address);
    rlp_write_u64(out, withdrawal->amount_gwei);
    rlp_list_end(out, list);
}

void block_encode(const struct block *block, struct buffer *out) {
    const size_t parts = rlp_list_begin(out);
    header_encode(&block->header, out);
    size_t list = rlp_list_begin(out);
    for (size_t i = 0; i < block->transactions_count; i++) {
        const struct bytes transaction = block->transactions[i];
        CHECK(transaction.size != 0);
        if (transaction.data[0] > TYPED_TAG_MAX) {
            rlp_write_raw(out, transaction);
        } else {
            rlp_write_string(out, transaction);
        }
    }
    rlp_list_end(out, list);
    list = rlp_list_begin(out);
    for (size_t i = 0; i < block->ommers_count; i++)
        header_encode(&block->ommers[i], out);
    rlp_list_end(out, list);
    if (block->has_withdrawals) {
        list = rlp_list_begin(out);
        for (size_t i = 0; i < block->withdrawals_count; i++) {
            withdrawal_encode(&block->withdrawals[i], out);
        }
        rlp_list_end(out, list);
    }
    rlp_list_end(out, parts);
}

static size_t header_encoded_bytes(const struct header *header) {
    uint8_t encoded[HEADER_BYTES_MAX];
    struct buffer out = buffer_over(encoded, sizeof encoded);
    header_encode(header, &out);
    CHECK(!out.overflow);
    return out.size;
}

size_t block_encoded_bytes(const struct block *block) {
    size_t transactions = 0, ommers = 0, withdrawals = 0;
    for (size_t i = 0; i < block->transactions_count; i++) {
        const struct bytes in = block->transactions[i];
        transactions += in.data[0] > TYPED_TAG_MAX ? in.size : rlp_string_size(in);
    }
    for (size_t i = 0; i < block->ommers_count; i++) {
        ommers += header_encoded_bytes(&block->ommers[i]);
    }
    for (size_t i = 0; i < block->withdrawals_count; i++) {
        uint8_t encoded[WITHDRAWAL_BYTES_MAX];
        struct buffer out = buffer_over(encoded, sizeof encoded);
        withdrawal_encode(&block->withdrawals[i], &out);
        withdrawals += out.size;
    }
    size_t payload = header_encoded_bytes(&block->header);
    payload += rlp_list_size(transactions) + rlp_list_size(ommers);
    if (block->has_withdrawals) payload += rlp_list_size(withdrawals);
    return rlp_list_size(payload);
}

enum err block_package_decode(struct bytes in, struct block_package *out) {
    struct block_package package;
    memset(&package, 0, sizeof package);
    struct bytes parts;
    if (in.size > BLOCK_PACKAGE_BYTES_MAX) return ERR_LIMIT;
    TRY(rlp_read_list(&in, &parts));
    if (in.size != 0) return ERR_ENCODING;
    if (!rlp_is_list(parts)) return ERR_ENCODING;
    TRY(rlp_read_item(&parts, &package.ethereum_block));
    TRY(rlp_read_item(&parts, &package.frame_encoded));
    TRY(frame_decode(package.frame_encoded, &package.frame));
    TRY(rlp_read_string(&parts, &package.last_commit));
    TRY(rlp_read_string(&parts, &package.next_validators));
    if (parts.size != 0) return ERR_ENCODING;
    *out = package;
    return ERR_OK;
}

void block_package_encode(const struct block_package *package, struct buffer *out) {
    const size_t parts = rlp_list_begin(out);
    rlp_write_raw(out, package->ethereum_block);
    rlp_write_raw(out, package->frame_encoded);
    rlp_write_string(out, package->last_commit);
    rlp_write_string(out, package->next_validators);
    rlp_list_end(out, parts);
}

enum err transactions_root(const struct bytes *transactions, size_t count, struct arena *scratch,
                           struct hash32 *out) {
    return trie_root_indexed(transactions, count, scratch, out);
}

enum err withdrawals_root(const struct withdrawal *withdrawals, size_t count, struct arena *scratch,
                          struct hash32 *out) {
    const size_t mark = arena_mark(scratch);
    enum err err = ERR_LIMIT;
    struct bytes *values = arena_array(scratch, count, sizeof *values);
    uint8_t *encoded = arena_array(scratch, count, WITHDRAWAL_BYTES_MAX);
    if (count == 0 || (values != NULL && encoded != NULL)) {
        for (size_t i = 0; i < count; i++) {
            struct buffer value =
                buffer_over(encoded + i * WITHDRAWAL_BYTES_MAX, WITHDRAWAL_BYTES_MAX);
            withdrawal_encode(&withdrawals[i], &value);
            CHECK(!value.overflow);
            values[i] = buffer_bytes(&value);
        }
        err = trie_root_indexed(values, count, scratch, out);
    }
    arena_release(scratch, mark);
    return err;
}
