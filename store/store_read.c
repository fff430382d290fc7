#include "base/check.h"
#include "store/store_internal.h"

static enum err get_numbered(struct store_view *view, enum store_table table, uint64_t number,
                             struct bytes *out) {
    uint8_t room[NUMBER_BYTES];
    return table_get(view->store, view->txn, table, number_key(number, room), out);
}

static enum err copy_numbered(struct store_view *view, enum store_table table, uint64_t number,
                              struct arena *arena, struct bytes *out) {
    struct bytes value;
    TRY(get_numbered(view, table, number, &value));
    return arena_copy(arena, value, out) ? ERR_OK : ERR_LIMIT;
}

enum err store_block_hash(struct store_view *view, uint64_t number, struct hash32 *out) {
    struct bytes value;
    TRY(get_numbered(view, TABLE_HEADERS, number, &value));
    if (value.size <= 32) return ERR_CORRUPT;
    memcpy(out->bytes, value.data, 32);
    return ERR_OK;
}

enum err store_block_number(struct store_view *view, const struct hash32 *hash, uint64_t *out) {
    struct bytes value;
    TRY(table_get(view->store, view->txn, TABLE_NUMBERS, hash_bytes(hash), &value));
    if (value.size != NUMBER_BYTES) return ERR_CORRUPT;
    *out = be_read(value.data, NUMBER_BYTES);
    return ERR_OK;
}

enum err store_header(struct store_view *view, uint64_t number, struct header *out,
                      struct hash32 *hash) {
    struct bytes value;
    TRY(get_numbered(view, TABLE_HEADERS, number, &value));
    if (value.size <= 32) return ERR_CORRUPT;
    if (header_decode(bytes_slice(value, 32, value.size), out) != ERR_OK) return ERR_CORRUPT;
    if (hash != NULL) memcpy(hash->bytes, value.data, 32);
    return ERR_OK;
}

enum err store_package(struct store_view *view, uint64_t number, struct arena *arena,
                       struct bytes *out) {
    return copy_numbered(view, TABLE_PACKAGES, number, arena, out);
}

enum err store_commit(struct store_view *view, uint64_t height, struct arena *arena,
                      struct bytes *out) {
    return copy_numbered(view, TABLE_COMMITS, height, arena, out);
}

enum err store_receipts(struct store_view *view, uint64_t number, struct arena *arena,
                        const struct receipt **out, size_t *count) {
    struct bytes encoded;
    const enum err err = copy_numbered(view, TABLE_RECEIPTS, number, arena, &encoded);
    if (err == ERR_NOT_FOUND) { /* a block without transactions has none */
        struct hash32 hash;
        TRY(store_block_hash(view, number, &hash));
        *out = NULL;
        *count = 0;
        return ERR_OK;
    }
    if (err != ERR_OK) return err;
    const enum err decoded = receipts_store_decode(encoded, arena, out, count);
    return decoded == ERR_OK || decoded == ERR_LIMIT ? decoded : ERR_CORRUPT;
}

enum err store_record(struct store_view *view, struct bytes name, struct arena *arena,
                      struct bytes *out) {
    struct bytes value;
    TRY(table_get(view->store, view->txn, TABLE_RECORDS, name, &value));
    return arena_copy(arena, value, out) ? ERR_OK : ERR_LIMIT;
}

enum err store_record_seek(struct store_view *view, struct bytes name, struct arena *arena,
                           struct store_record *out) {
    struct bytes found, value;
    struct store_record record;
    TRY(view_seek(view, TABLE_RECORDS, name, &found, &value));
    if (!arena_copy(arena, found, &record.name)) return ERR_LIMIT;
    if (!arena_copy(arena, value, &record.value)) return ERR_LIMIT;
    *out = record;
    return ERR_OK;
}
