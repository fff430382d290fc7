#include "store/history.h"

static enum err read_blocks(struct bytes *in, unsigned count, uint64_t *out) {
    if (in->size < (size_t)count * HISTORY_BLOCK_BYTES) return ERR_CORRUPT;
    for (unsigned i = 0; i < count; i++) {
        out[i] = be_read(in->data + (size_t)i * HISTORY_BLOCK_BYTES, HISTORY_BLOCK_BYTES);
    }
    *in = bytes_slice(*in, (size_t)count * HISTORY_BLOCK_BYTES, in->size);
    return ERR_OK;
}

enum err history_stamp_decode(struct bytes *in, struct history_stamp *out) {
    struct bytes rest = *in;
    if (rest.size == 0 || rest.data[0] > HISTORY_LEVELS_MAX) return ERR_CORRUPT;
    out->levels = rest.data[0];
    out->count = 0;
    rest = bytes_slice(rest, 1, rest.size);
    if (out->levels != 0) {
        if (rest.size < 4) return ERR_CORRUPT;
        out->count = (uint32_t)be_read(rest.data, 4);
        rest = bytes_slice(rest, 4, rest.size);
        TRY(read_blocks(&rest, out->levels, out->last));
    }
    *in = rest;
    return ERR_OK;
}

void history_stamp_encode(const struct history_stamp *stamp, struct buffer *out) {
    buffer_append_byte(out, stamp->levels);
    if (stamp->levels == 0) return;
    buffer_append_be(out, 4, stamp->count);
    for (unsigned i = 0; i < stamp->levels; i++) {
        buffer_append_be(out, HISTORY_BLOCK_BYTES, stamp->last[i]);
    }
}

enum err history_entry_decode(struct bytes in, struct history_entry *out) {
    if (in.size == 0 || in.data[0] == 0 || in.data[0] > HISTORY_LEVELS_MAX) return ERR_CORRUPT;
    out->levels = in.data[0];
    in = bytes_slice(in, 1, in.size);
    TRY(read_blocks(&in, out->levels, out->before));
    out->value = in;
    return ERR_OK;
}

void history_entry_encode(const struct history_entry *entry, struct buffer *out) {
    buffer_append_byte(out, entry->levels);
    for (unsigned i = 0; i < entry->levels; i++) {
        buffer_append_be(out, HISTORY_BLOCK_BYTES, entry->before[i]);
    }
    buffer_append(out, entry->value);
}

void history_change(struct history_stamp *stamp, uint64_t block, struct history_entry *entry) {
    CHECK(stamp->levels == 0 || block > stamp->last[0]);
    CHECK(block != 0);
    CHECK(stamp->count != UINT32_MAX);
    stamp->count++;
    entry->levels = (uint8_t)(1 + __builtin_ctz(stamp->count) / 2);
    for (unsigned i = 0; i < entry->levels; i++) {
        entry->before[i] = i < stamp->levels ? stamp->last[i] : 0;
        stamp->last[i] = block;
    }
    if (stamp->levels < entry->levels) stamp->levels = entry->levels;
}
