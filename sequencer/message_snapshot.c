#include "sequencer/message_snapshot.h"

#include "base/check.h"
#include "base/rlp.h"

bool message_is_snapshot_request(enum message_kind kind) {
    return kind == MESSAGE_GET_LIGHT || kind == MESSAGE_GET_RANGES || kind == MESSAGE_GET_CODES ||
           kind == MESSAGE_GET_HEADERS || kind == MESSAGE_GET_CHAIN;
}

bool message_is_snapshot_answer(enum message_kind kind) {
    return kind == MESSAGE_LIGHT || kind == MESSAGE_RANGES || kind == MESSAGE_CODES ||
           kind == MESSAGE_HEADERS || kind == MESSAGE_CHAIN;
}

/* pieces_read reads a list of strings. */
static enum err pieces_read(struct bytes *in, uint32_t count_max, struct message *out) {
    struct bytes list;
    TRY(rlp_read_list(in, &list));
    while (list.size != 0) {
        if (out->count == count_max) return ERR_LIMIT;
        TRY(rlp_read_string(&list, &out->pieces[out->count]));
        out->count += 1;
    }
    return ERR_OK;
}

/* names_read reads what is asked for: each name is of `size` bytes, or of `size_other`. */
static enum err names_read(struct bytes *in, size_t size, size_t size_other, struct message *out) {
    TRY(pieces_read(in, MESSAGE_NAMES_MAX, out));
    for (uint32_t i = 0; i < out->count; i++) {
        const size_t found = out->pieces[i].size;
        if (found != size && found != size_other) return ERR_ENCODING;
    }
    return out->count == 0 ? ERR_ENCODING : ERR_OK;
}

static enum err heights_read(struct bytes *in, struct message *out) {
    struct bytes list;
    TRY(rlp_read_list(in, &list));
    while (list.size != 0) {
        if (out->count == MESSAGE_LIGHT_MAX) return ERR_LIMIT;
        TRY(rlp_read_u64(&list, &out->heights[out->count]));
        out->count += 1;
    }
    return out->count == 0 ? ERR_ENCODING : ERR_OK;
}

static enum err headers_asked_read(struct bytes *in, struct message *out) {
    uint64_t count;
    TRY(rlp_read_u64(in, &out->height));
    TRY(rlp_read_u64(in, &count));
    if (count == 0 || count > MESSAGE_PIECES_MAX) return ERR_ENCODING;
    out->count = (uint32_t)count;
    return ERR_OK;
}

static enum err chain_read(struct bytes *in, struct message *out) {
    TRY(rlp_read_u64(in, &out->height));
    TRY(rlp_read_u64(in, &out->total_bytes));
    TRY(rlp_read_string(in, &out->pieces[0]));
    out->count = 1;
    return rlp_read_string(in, &out->peers);
}

enum err message_snapshot_read(struct bytes *in, struct message *out) {
    TRY(rlp_read_u64(in, &out->request));
    switch (out->kind) {
    case MESSAGE_GET_LIGHT: return heights_read(in, out);
    case MESSAGE_LIGHT: return pieces_read(in, MESSAGE_LIGHT_MAX, out);
    case MESSAGE_GET_RANGES:
        TRY(rlp_read_u64(in, &out->height));
        return names_read(in, 32, 64, out);
    case MESSAGE_RANGES:
        TRY(rlp_read_u64(in, &out->height));
        return pieces_read(in, MESSAGE_NAMES_MAX, out);
    case MESSAGE_GET_CODES: return names_read(in, 32, 32, out);
    case MESSAGE_CODES: return pieces_read(in, MESSAGE_NAMES_MAX, out);
    case MESSAGE_GET_HEADERS: return headers_asked_read(in, out);
    case MESSAGE_HEADERS: return pieces_read(in, MESSAGE_PIECES_MAX, out);
    case MESSAGE_GET_CHAIN: return rlp_read_u64(in, &out->height);
    case MESSAGE_CHAIN: return chain_read(in, out);
    default: return ERR_ENCODING;
    }
}

static void pieces_write(const struct message *message, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    for (uint32_t i = 0; i < message->count; i++)
        rlp_write_string(out, message->pieces[i]);
    rlp_list_end(out, list);
}

static void heights_write(const struct message *message, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    for (uint32_t i = 0; i < message->count; i++)
        rlp_write_u64(out, message->heights[i]);
    rlp_list_end(out, list);
}

void message_snapshot_write(const struct message *message, struct buffer *out) {
    rlp_write_u64(out, message->request);
    switch (message->kind) {
    case MESSAGE_GET_LIGHT: heights_write(message, out); break;
    case MESSAGE_GET_RANGES:
    case MESSAGE_RANGES:
        rlp_write_u64(out, message->height);
        pieces_write(message, out);
        break;
    case MESSAGE_GET_HEADERS:
        rlp_write_u64(out, message->height);
        rlp_write_u64(out, message->count);
        break;
    case MESSAGE_GET_CHAIN: rlp_write_u64(out, message->height); break;
    case MESSAGE_CHAIN:
        rlp_write_u64(out, message->height);
        rlp_write_u64(out, message->total_bytes);
        rlp_write_string(out, message->pieces[0]);
        rlp_write_string(out, message->peers);
        break;
    case MESSAGE_LIGHT:
    case MESSAGE_GET_CODES:
    case MESSAGE_CODES:
    case MESSAGE_HEADERS: pieces_write(message, out); break;
    default: CHECK(false); /* no message at all */
    }
}
