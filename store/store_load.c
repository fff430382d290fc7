#include "base/check.h"
#include "base/rlp.h"
#include "store/store_internal.h"

/* Taking a state range by range: each becomes entries of the flat table and the trie's branches
 * above them, so that after the last range the trie is whole and no pass over everything is needed.
 */

struct loading {
    struct arena *arena;
    struct kv_write *writes;
    size_t count;
    size_t capacity;
};

static enum err add_write(void *context, const struct kv_write *write) {
    struct loading *loading = context;
    if (loading->count == loading->capacity) {
        const size_t capacity = 2 * loading->capacity;
        struct kv_write *writes = arena_alloc(loading->arena, capacity * sizeof *writes);
        if (writes == NULL) return ERR_LIMIT;
        memcpy(writes, loading->writes, loading->count * sizeof *writes);
        loading->writes = writes;
        loading->capacity = capacity;
    }
    loading->writes[loading->count++] = *write;
    return ERR_OK;
}

/* is_empty says whether nothing of the owner is there yet. */
static enum err is_empty(const struct kv_reader *reader, const struct hash32 *owner, bool *out) {
    struct bytes key, value;
    const struct bytes from = owner == NULL ? BYTES_EMPTY : hash_bytes(owner);
    const enum err err =
        reader->seek(reader->context, owner == NULL ? KV_ACCOUNTS : KV_STORAGE, from, &key, &value);
    if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
    *out = err == ERR_NOT_FOUND || !bytes_equal(bytes_slice(key, 0, from.size), from);
    return ERR_OK;
}

static enum err add_entry(struct loading *loading, struct trie *trie, const struct hash32 *owner,
                          const struct range_entry *entry) {
    const struct range_row row = range_row(owner, &entry->key);
    struct kv_write write = {.table = row.table, .value = entry->value};
    struct bytes payload = entry->value;
    if (!arena_copy(loading->arena, (struct bytes){row.key, row.key_bytes}, &write.key)) {
        return ERR_LIMIT;
    }
    if (owner != NULL) {
        uint8_t *room = arena_alloc(loading->arena, 33);
        if (room == NULL) return ERR_LIMIT;
        struct buffer encoded = buffer_over(room, 33);
        rlp_write_string(&encoded, entry->value);
        CHECK(!encoded.overflow);
        payload = buffer_bytes(&encoded);
    }
    TRY(trie_set(trie, &entry->key, payload));
    return add_write(loading, &write);
}

static enum err list_writes(struct loading *loading, const struct kv_reader *reader,
                            const struct hash32 *owner, const struct range *range,
                            struct hash32 *root) {
    struct trie trie;
    bool has_nothing;
    TRY(is_empty(reader, owner, &has_nothing));
    trie_begin(&trie, loading->arena, reader, owner, has_nothing);
    for (size_t i = 0; i < range->entries_count; i++) {
        TRY(add_entry(loading, &trie, owner, &range->entries[i]));
    }
    TRY(trie_root(&trie, root));
    return trie_writes(&trie, loading, add_write);
}

enum err store_load_range(struct store *store, const struct hash32 *owner,
                          const struct range *range, struct arena *arena, struct hash32 *root) {
    struct loading loading = {.arena = arena, .capacity = 2 * range->entries_count + 64};
    loading.writes = arena_array(arena, loading.capacity, sizeof *loading.writes);
    if (loading.writes == NULL) return ERR_LIMIT;
    struct store_view *view;
    struct store_state latest;
    struct hash32 computed;
    TRY(store_view_open(store, &view));
    store_state_latest(view, &latest);
    enum err err = list_writes(&loading, &latest.reader, owner, range, &computed);
    /* Deletions come first: a key may come twice, then its value stands. */
    size_t deletions = 0;
    for (size_t i = 0; i < loading.count && err == ERR_OK; i++) {
        if (loading.writes[i].value.size != 0) continue;
        const struct kv_write swap = loading.writes[deletions];
        loading.writes[deletions++] = loading.writes[i];
        loading.writes[i] = swap;
    }
    if (err == ERR_OK) err = store_load_state(store, loading.writes, loading.count);
    store_view_close(view);
    if (err == ERR_OK) *root = computed;
    return err;
}
