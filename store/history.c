#include "store/history.h"

#include "base/check.h"

static enum err read_blocks(struct bytes *in, unsigned count, uint64_t *out) {
    if (in->size < (size_t)count * HISTORY_BLOCK_BYTES) return ERR_CORRUPT;
    for (unsigned i = 0; i < count; i++) {
        out[i] = be_read(in->data + (size_t)i * HISTORY_BLOCK_BYTES, HISTORY_BLOCK_BYTES);
    }
    *in = bytes_slice(*in, (size_t)count * HISTORY_BLOCK_BYTES, in->size);
    return ERR_OK;
}

/* tail_bytes is the size of what follows the value. */
static size_t tail_bytes(unsigned levels) {
    return levels == 0 ? 0 : 4 + (size_t)levels * HISTORY_BLOCK_BYTES;
}

enum err history_record_decode(struct bytes in, struct history_stamp *stamp, struct bytes *value) {
    if (in.size == 0) return ERR_CORRUPT;
    const unsigned levels = in.data[0] & ~(unsigned)HISTORY_MARK;
    if (levels > HISTORY_LEVELS_MAX || in.size < 1 + tail_bytes(levels)) return ERR_CORRUPT;
    struct bytes tail = bytes_slice(in, in.size - tail_bytes(levels), in.size);
    stamp->levels = (uint8_t)levels;
    stamp->count = 0;
    if (levels != 0) {
        stamp->count = (uint32_t)be_read(tail.data, 4);
        tail = bytes_slice(tail, 4, tail.size);
        TRY(read_blocks(&tail, levels, stamp->last));
    }
    *value = bytes_slice(in, 1, in.size - 1 - tail_bytes(levels));
    return ERR_OK;
}

void history_record_encode(const struct history_stamp *stamp, struct bytes value,
                           struct buffer *out) {
    buffer_append_byte(out, stamp->levels);
    buffer_append(out, value);
    if (stamp->levels == 0) return;
    buffer_append_be(out, 4, stamp->count);
    for (unsigned i = 0; i < stamp->levels; i++) {
        buffer_append_be(out, HISTORY_BLOCK_BYTES, stamp->last[i]);
    }
}

struct bytes history_record_around(struct bytes value) {
    const uint8_t *record = value.data - 1;
    const unsigned levels = *record & ~(unsigned)HISTORY_MARK;
    CHECK(levels <= HISTORY_LEVELS_MAX);
    return (struct bytes){record, 1 + value.size + tail_bytes(levels)};
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
