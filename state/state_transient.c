#include "base/check.h"
#include "state/state.h"
#include "state/state_internal.h"

#define BUCKETS_FIRST 64
#define CHUNKS_FIRST  8

struct transient_entry *transient_at(struct state *state, size_t index) {
    return &state->transient
                .chunks[index / TRANSIENT_CHUNK_ENTRIES][index % TRANSIENT_CHUNK_ENTRIES];
}

/* find goes to the bucket of the key: the one that names its entry, or the free one where it would
 * be. */
static size_t find(struct state *state, const struct state_account *account,
                   const struct hash32 *key) {
    const struct transient_table *table = &state->transient;
    const size_t mask = table->buckets_count - 1;
    size_t at = (size_t)state_hash_slot(state, account, key) & mask;
    for (; table->buckets[at] != 0; at = (at + 1) & mask) {
        const struct transient_entry *entry = transient_at(state, table->buckets[at] - 1);
        if (entry->account == account && hash_equal(&entry->key, key)) break;
    }
    return at;
}

static bool grow_buckets(struct state *state) {
    struct transient_table *table = &state->transient;
    const size_t count = table->buckets_count == 0 ? BUCKETS_FIRST : 2 * table->buckets_count;
    uint32_t *buckets = arena_array(state->arena, count, sizeof *buckets);
    if (buckets == NULL) return false;
    table->buckets = buckets;
    table->buckets_count = count;
    for (size_t i = 0; i < table->count; i++) {
        struct transient_entry *entry = transient_at(state, i);
        entry->bucket = (uint32_t)find(state, entry->account, &entry->key);
        buckets[entry->bucket] = (uint32_t)i + 1;
    }
    return true;
}

static bool grow_entries(struct state *state) {
    struct transient_table *table = &state->transient;
    if (table->chunks_count == table->chunks_capacity) {
        const size_t capacity = table->chunks_count == 0 ? CHUNKS_FIRST : 2 * table->chunks_count;
        struct transient_entry **chunks = arena_array(state->arena, capacity, sizeof *chunks);
        if (chunks == NULL) return false;
        if (table->chunks_count != 0) {
            memcpy(chunks, table->chunks, table->chunks_count * sizeof *chunks);
        }
        table->chunks = chunks;
        table->chunks_capacity = capacity;
    }
    struct transient_entry *chunk =
        arena_alloc(state->arena, TRANSIENT_CHUNK_ENTRIES * sizeof *chunk);
    if (chunk == NULL) return false;
    table->chunks[table->chunks_count++] = chunk;
    return true;
}

/* add makes an entry of value zero; false when the arena is exhausted. */
static bool add(struct state *state, const struct state_account *account,
                const struct hash32 *key) {
    struct transient_table *table = &state->transient;
    if (table->count >= UINT32_MAX / 4) return false;
    if (2 * (table->count + 1) > table->buckets_count && !grow_buckets(state)) return false;
    if (table->count == table->chunks_count * TRANSIENT_CHUNK_ENTRIES && !grow_entries(state)) {
        return false;
    }
    const uint32_t bucket = (uint32_t)find(state, account, key);
    *transient_at(state, table->count) =
        (struct transient_entry){.account = account, .key = *key, .bucket = bucket};
    table->buckets[bucket] = (uint32_t)++table->count;
    return true;
}

static struct transient_entry *lookup(struct state *state, const struct state_account *account,
                                      const struct hash32 *key, uint32_t *index) {
    const struct transient_table *table = &state->transient;
    if (table->count == 0) return NULL;
    const size_t bucket = find(state, account, key);
    if (table->buckets[bucket] == 0) return NULL;
    *index = table->buckets[bucket] - 1;
    return transient_at(state, *index);
}

void transient_clear(struct state *state) {
    struct transient_table *table = &state->transient;
    for (size_t i = 0; i < table->count; i++) {
        table->buckets[transient_at(state, i)->bucket] = 0;
    }
    table->count = 0;
}

void state_transient(struct state *state, const struct address *address, const struct hash32 *key,
                     struct u256 *out) {
    uint32_t index;
    const struct transient_entry *entry = lookup(state, account_of(state, address), key, &index);
    *out = entry == NULL ? U256_ZERO : entry->value;
}

void state_set_transient(struct state *state, const struct address *address,
                         const struct hash32 *key, const struct u256 *value) {
    const struct state_account *account = account_of(state, address);
    uint32_t index = 0;
    struct transient_entry *entry = lookup(state, account, key, &index);
    if (entry == NULL) {
        if (account == &state->sink_account || !add(state, account, key)) {
            state_fail(state, ERR_LIMIT);
            return;
        }
        entry = lookup(state, account, key, &index);
        CHECK(entry != NULL);
    }
    struct journal_record *record = journal_add(state, JOURNAL_TRANSIENT);
    record->before.transient.value = entry->value;
    record->before.transient.index = index;
    entry->value = *value;
}
