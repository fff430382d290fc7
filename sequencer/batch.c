#include "sequencer/batch.h"

#define ZSTD_STATIC_LINKING_ONLY /* contexts over memory that is handed in */
#include <zstd.h>

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/block.h"
#include "consensus/commit.h"

#define BATCH_MAGIC      "BTNB"
#define BATCH_VERSION    1
#define BATCH_HEAD_BYTES (4 + 1 + 4)
#define BATCH_LEVEL      3

size_t batch_scratch_bytes(size_t raw_bytes) {
    return raw_bytes + ZSTD_estimateCCtxSize(BATCH_LEVEL) + 4096;
}

static size_t raw_bytes_of(const struct batch *batch) {
    size_t packages = 0;
    for (size_t i = 0; i < batch->count; i++)
        packages += rlp_string_size(batch->packages[i]);
    /* The first height and both list headers take at most 9 bytes each. */
    return packages + rlp_string_size(batch->commit) + 3 * 9;
}

static void raw_write(const struct batch *batch, struct buffer *out) {
    const size_t whole = rlp_list_begin(out);
    rlp_write_u64(out, batch->first);
    const size_t packages = rlp_list_begin(out);
    for (size_t i = 0; i < batch->count; i++)
        rlp_write_string(out, batch->packages[i]);
    rlp_list_end(out, packages);
    rlp_write_string(out, batch->commit);
    rlp_list_end(out, whole);
}

static enum err compress(struct bytes raw, struct arena *scratch, struct buffer *out) {
    const size_t context_bytes = ZSTD_estimateCCtxSize(BATCH_LEVEL);
    void *workspace = arena_alloc(scratch, context_bytes);
    if (workspace == NULL) return ERR_LIMIT;
    ZSTD_CCtx *context = ZSTD_initStaticCCtx(workspace, context_bytes);
    if (context == NULL) return ERR_LIMIT;
    buffer_append(out, BYTES_STRING(BATCH_MAGIC));
    buffer_append_byte(out, BATCH_VERSION);
    buffer_append_be(out, 4, raw.size);
    if (out->overflow) return ERR_LIMIT;
    const size_t size = ZSTD_compressCCtx(context, out->data + out->size, out->capacity - out->size,
                                          raw.data, raw.size, BATCH_LEVEL);
    if (ZSTD_isError(size)) {
        out->overflow = true;
        return ERR_LIMIT;
    }
    out->size += size;
    return ERR_OK;
}

enum err batch_encode(const struct batch *batch, struct arena *scratch, struct buffer *out) {
    CHECK(batch->count != 0);
    if (batch->count > BATCH_BLOCKS_MAX) return ERR_LIMIT;
    const size_t raw_max = raw_bytes_of(batch);
    if (raw_max > BATCH_RAW_BYTES_MAX) return ERR_LIMIT;
    const size_t mark = arena_mark(scratch);
    enum err err = ERR_LIMIT;
    uint8_t *memory = arena_alloc(scratch, raw_max);
    if (memory == NULL) goto done;
    struct buffer raw = buffer_over(memory, raw_max);
    raw_write(batch, &raw);
    CHECK(!raw.overflow);
    err = compress(buffer_bytes(&raw), scratch, out);
done:
    arena_release(scratch, mark);
    return err;
}

/* --- reading what a stranger wrote */

static enum err decompress(struct bytes packed, size_t raw_size, struct arena *arena,
                           struct bytes *out) {
    if (ZSTD_getFrameContentSize(packed.data, packed.size) != raw_size) return ERR_ENCODING;
    if (ZSTD_findFrameCompressedSize(packed.data, packed.size) != packed.size) return ERR_ENCODING;
    uint8_t *raw = arena_alloc(arena, raw_size);
    const size_t context_bytes = ZSTD_estimateDCtxSize();
    void *workspace = arena_alloc(arena, context_bytes);
    if (raw == NULL || workspace == NULL) return ERR_LIMIT;
    ZSTD_DCtx *context = ZSTD_initStaticDCtx(workspace, context_bytes);
    if (context == NULL) return ERR_LIMIT;
    const size_t size = ZSTD_decompressDCtx(context, raw, raw_size, packed.data, packed.size);
    if (ZSTD_isError(size) || size != raw_size) return ERR_ENCODING;
    *out = (struct bytes){raw, raw_size};
    return ERR_OK;
}

static enum err raw_read(struct bytes raw, struct arena *arena, struct batch *out) {
    struct bytes whole, list;
    TRY(rlp_read_list(&raw, &whole));
    TRY(rlp_read_u64(&whole, &out->first));
    TRY(rlp_read_list(&whole, &list));
    TRY(rlp_list_count(list, BATCH_BLOCKS_MAX, &out->count));
    TRY(rlp_read_string(&whole, &out->commit));
    if (raw.size != 0 || whole.size != 0) return ERR_ENCODING;
    if (out->count == 0 || out->first == 0) return ERR_ENCODING;
    if (out->commit.size > COMMIT_BYTES_MAX) return ERR_ENCODING;
    if (out->first > UINT64_MAX - BATCH_BLOCKS_MAX) return ERR_ENCODING;
    struct bytes *packages = arena_array(arena, out->count, sizeof *packages);
    if (packages == NULL) return ERR_LIMIT;
    for (size_t i = 0; i < out->count; i++) {
        TRY(rlp_read_string(&list, &packages[i]));
        if (packages[i].size > BLOCK_PACKAGE_BYTES_MAX) return ERR_ENCODING;
    }
    out->packages = packages;
    return ERR_OK;
}

enum err batch_decode(struct bytes blob, struct arena *arena, struct batch *out) {
    if (blob.size <= BATCH_HEAD_BYTES) return ERR_ENCODING;
    if (memcmp(blob.data, BATCH_MAGIC, 4) != 0) return ERR_ENCODING;
    if (blob.data[4] != BATCH_VERSION) return ERR_ENCODING;
    const size_t raw_size = be_read(blob.data + 5, 4);
    if (raw_size == 0) return ERR_ENCODING;
    if (raw_size > BATCH_RAW_BYTES_MAX) return ERR_LIMIT;
    const size_t mark = arena_mark(arena);
    struct bytes raw;
    struct batch batch;
    const struct bytes packed = bytes_slice(blob, BATCH_HEAD_BYTES, blob.size);
    enum err err = decompress(packed, raw_size, arena, &raw);
    if (err == ERR_OK) err = raw_read(raw, arena, &batch);
    if (err == ERR_TRUNCATED) err = ERR_ENCODING;
    if (err != ERR_OK) {
        arena_release(arena, mark);
        return err;
    }
    *out = batch;
    return ERR_OK;
}
