#include "chain/receipt.h"

#include "base/check.h"
#include "base/rlp.h"
#include "chain/trie_root.h"

#define STORED_RECEIPTS_MAX 65536
#define STORED_LOGS_MAX     ((size_t)1 << 20) /* per receipt; 375 gas and more pay for each */

static void logs_encode(const struct receipt *receipt, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    for (size_t i = 0; i < receipt->logs_count; i++) {
        const struct log *log = &receipt->logs[i];
        const size_t entry = rlp_list_begin(out);
        rlp_write_address(out, &log->address);
        const size_t topics = rlp_list_begin(out);
        for (uint32_t topic = 0; topic < log->topics_count; topic++) {
            rlp_write_hash(out, &log->topics[topic]);
        }
        rlp_list_end(out, topics);
        rlp_write_string(out, log->data);
        rlp_list_end(out, entry);
    }
    rlp_list_end(out, list);
}

static void outcome_encode(const struct receipt *receipt, struct buffer *out) {
    if (receipt->has_state_root) {
        rlp_write_hash(out, &receipt->state_root);
    } else {
        rlp_write_u64(out, receipt->succeeded ? 1 : 0);
    }
    rlp_write_u64(out, receipt->cumulative_gas_used);
}

void receipt_encode(const struct receipt *receipt, struct buffer *out) {
    if (receipt->type != 0) buffer_append_byte(out, receipt->type);
    const size_t list = rlp_list_begin(out);
    outcome_encode(receipt, out);
    rlp_write_string(out, BYTES_OF(receipt->bloom.bytes));
    logs_encode(receipt, out);
    rlp_list_end(out, list);
}

/* receipt_bytes_max bounds the encoding: list headers take at most 9 bytes each. */
static size_t receipt_bytes_max(const struct receipt *receipt) {
    size_t size = 1 + 9 + 33 + 9 + (3 + BLOOM_BYTES) + 9;
    for (size_t i = 0; i < receipt->logs_count; i++) {
        size += 9 + 21 + 9 + 33 * LOG_TOPICS_MAX + 9 + receipt->logs[i].data.size;
    }
    return size;
}

static enum err root_in(const struct receipt *receipts, size_t count, struct arena *scratch,
                        struct hash32 *out) {
    struct bytes *values = arena_array(scratch, count, sizeof *values);
    if (values == NULL && count != 0) return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        const size_t capacity = receipt_bytes_max(&receipts[i]);
        const size_t mark = arena_mark(scratch);
        uint8_t *memory = arena_alloc(scratch, capacity);
        if (memory == NULL) return ERR_LIMIT;
        struct buffer value = buffer_over(memory, capacity);
        receipt_encode(&receipts[i], &value);
        CHECK(!value.overflow);
        values[i] = buffer_bytes(&value);
        /* What the estimate took too much goes back. */
        arena_release(scratch, mark);
        CHECK(arena_alloc(scratch, value.size) == memory);
    }
    return trie_root_indexed(values, count, scratch, out);
}

enum err receipts_root(const struct receipt *receipts, size_t count, struct arena *scratch,
                       struct hash32 *out) {
    const size_t mark = arena_mark(scratch);
    const enum err err = root_in(receipts, count, scratch, out);
    arena_release(scratch, mark);
    return err;
}

void receipts_store_encode(const struct receipt *receipts, size_t count, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    for (size_t i = 0; i < count; i++) {
        const struct receipt *receipt = &receipts[i];
        const size_t entry = rlp_list_begin(out);
        rlp_write_u64(out, receipt->type);
        outcome_encode(receipt, out);
        rlp_write_u64(out, receipt->gas_used);
        rlp_write_string(out, receipt->has_contract_address
                                  ? address_bytes(&receipt->contract_address)
                                  : BYTES_EMPTY);
        rlp_write_u256(out, &receipt->effective_gas_price);
        logs_encode(receipt, out);
        rlp_list_end(out, entry);
    }
    rlp_list_end(out, list);
}

static enum err log_decode(struct bytes *in, struct log *out) {
    struct bytes fields, topics;
    TRY(rlp_read_list(in, &fields));
    TRY(rlp_read_address(&fields, &out->address));
    TRY(rlp_read_list(&fields, &topics));
    out->topics_count = 0;
    while (topics.size != 0) {
        if (out->topics_count == LOG_TOPICS_MAX) return ERR_ENCODING;
        TRY(rlp_read_hash(&topics, &out->topics[out->topics_count]));
        out->topics_count++;
    }
    TRY(rlp_read_string(&fields, &out->data));
    return fields.size == 0 ? ERR_OK : ERR_ENCODING;
}

static enum err logs_decode(struct bytes *in, struct arena *arena, struct receipt *out) {
    struct bytes list;
    TRY(rlp_read_list(in, &list));
    TRY(rlp_list_count(list, STORED_LOGS_MAX, &out->logs_count));
    struct log *logs = arena_array(arena, out->logs_count, sizeof *logs);
    if (logs == NULL && out->logs_count != 0) return ERR_LIMIT;
    for (size_t i = 0; i < out->logs_count; i++)
        TRY(log_decode(&list, &logs[i]));
    out->logs = logs;
    receipt_bloom(out->logs, out->logs_count, &out->bloom);
    return ERR_OK;
}

static enum err outcome_decode(struct bytes *in, struct receipt *out) {
    struct bytes outcome;
    TRY(rlp_read_string(in, &outcome));
    out->has_state_root = outcome.size == sizeof out->state_root.bytes;
    if (out->has_state_root) {
        memcpy(out->state_root.bytes, outcome.data, sizeof out->state_root.bytes);
    } else if (outcome.size > 1 || (outcome.size == 1 && outcome.data[0] != 1)) {
        return ERR_ENCODING;
    } else {
        out->succeeded = outcome.size == 1;
    }
    return rlp_read_u64(in, &out->cumulative_gas_used);
}

static enum err contract_decode(struct bytes *in, struct receipt *out) {
    struct bytes contract;
    TRY(rlp_read_string(in, &contract));
    out->has_contract_address = contract.size != 0;
    if (contract.size == 0) return ERR_OK;
    if (contract.size != sizeof out->contract_address.bytes) return ERR_ENCODING;
    memcpy(out->contract_address.bytes, contract.data, contract.size);
    return ERR_OK;
}

static enum err stored_decode(struct bytes *in, struct arena *arena, struct receipt *out) {
    struct bytes fields;
    uint64_t type;
    TRY(rlp_read_list(in, &fields));
    TRY(rlp_read_u64(&fields, &type));
    if (type > 0x7f) return ERR_ENCODING;
    out->type = (uint8_t)type;
    TRY(outcome_decode(&fields, out));
    TRY(rlp_read_u64(&fields, &out->gas_used));
    TRY(contract_decode(&fields, out));
    TRY(rlp_read_u256(&fields, &out->effective_gas_price));
    TRY(logs_decode(&fields, arena, out));
    return fields.size == 0 ? ERR_OK : ERR_ENCODING;
}

static enum err store_decode(struct bytes in, struct arena *arena, struct receipt **out,
                             size_t *count_out) {
    struct bytes list;
    TRY(rlp_read_list(&in, &list));
    if (in.size != 0) return ERR_ENCODING;
    TRY(rlp_list_count(list, STORED_RECEIPTS_MAX, count_out));
    *out = arena_array(arena, *count_out, sizeof **out);
    if (*out == NULL && *count_out != 0) return ERR_LIMIT;
    for (size_t i = 0; i < *count_out; i++)
        TRY(stored_decode(&list, arena, &(*out)[i]));
    return ERR_OK;
}

enum err receipts_store_decode(struct bytes in, struct arena *arena, const struct receipt **out,
                               size_t *count_out) {
    const size_t mark = arena_mark(arena);
    struct receipt *receipts;
    size_t count;
    const enum err err = store_decode(in, arena, &receipts, &count);
    if (err != ERR_OK) {
        arena_release(arena, mark);
        return err;
    }
    *out = receipts;
    *count_out = count;
    return ERR_OK;
}

void receipt_bloom(const struct log *logs, size_t count, struct bloom *out) {
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < count; i++) {
        bloom_add(out, address_bytes(&logs[i].address));
        for (uint32_t topic = 0; topic < logs[i].topics_count; topic++) {
            bloom_add(out, hash_bytes(&logs[i].topics[topic]));
        }
    }
}
