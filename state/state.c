#include "state/state.h"

#include "base/check.h"
#include "base/keccak.h"
#include "state/state_internal.h"

#define TABLE_CAPACITY_FIRST 64

/* --- tables */

/* mix hashes the table's key, with a seed that whoever chooses addresses and slots does not
 * know: it comes from where the arena happens to lie, and changes where entries are found, nothing
 * else.
 */
static uint64_t mix(uint64_t seed, uint64_t word) {
    const unsigned __int128 product =
        (unsigned __int128)(seed ^ word) * (0x9e3779b97f4a7c15u ^ (seed << 1));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_of_address(const struct state *state, const struct address *address) {
    uint64_t words[3] = {0};
    memcpy(words, address->bytes, sizeof address->bytes);
    return mix(mix(mix(state->seed, words[0]), words[1]), words[2]);
}

uint64_t state_hash_slot(const struct state *state, const struct state_account *account,
                         const struct hash32 *key) {
    uint64_t words[4];
    memcpy(words, key->bytes, sizeof key->bytes);
    uint64_t hash = mix(state->seed, (uint64_t)(uintptr_t)account);
    for (int i = 0; i < 4; i++)
        hash = mix(hash ^ state->seed, words[i]);
    return hash;
}

static bool table_create(struct arena *arena, struct state_table *table, size_t capacity) {
    void **entries = arena_array(arena, capacity, sizeof *entries);
    if (entries == NULL) return false;
    *table = (struct state_table){entries, capacity, table->count};
    return true;
}

static void table_place(struct state_table *table, uint64_t hash, void *entry) {
    size_t at = (size_t)hash & (table->capacity - 1);
    while (table->entries[at] != NULL)
        at = (at + 1) & (table->capacity - 1);
    table->entries[at] = entry;
}

static bool accounts_grow(struct state *state) {
    struct state_table bigger = state->accounts;
    if (!table_create(state->arena, &bigger, 2 * bigger.capacity)) return false;
    for (size_t i = 0; i < state->accounts.capacity; i++) {
        struct state_account *account = state->accounts.entries[i];
        if (account == NULL) continue;
        table_place(&bigger, hash_of_address(state, &account->address), account);
    }
    state->accounts = bigger;
    return true;
}

static bool slots_grow(struct state *state) {
    struct state_table bigger = state->slots;
    if (!table_create(state->arena, &bigger, 2 * bigger.capacity)) return false;
    for (size_t i = 0; i < state->slots.capacity; i++) {
        struct state_slot *slot = state->slots.entries[i];
        if (slot == NULL) continue;
        table_place(&bigger, state_hash_slot(state, slot->account, &slot->key), slot);
    }
    state->slots = bigger;
    return true;
}

void state_fail(struct state *state, enum err err) {
    if (state->error == ERR_OK) state->error = err;
}

static void account_clear(struct state_account *account, const struct address *address) {
    memset(account, 0, sizeof *account);
    account->address = *address;
    account->now.storage_root = KECCAK_EMPTY_TRIE;
    account->now.code_hash = KECCAK_EMPTY;
}

/* sink_account gives an entry that belongs to nobody, so that callers need no error path. */
static struct state_account *sink_account(struct state *state, const struct address *address) {
    state_fail(state, ERR_LIMIT);
    account_clear(&state->sink_account, address);
    state->sink_account.is_loaded = true;
    return &state->sink_account;
}

struct state_account *account_of(struct state *state, const struct address *address) {
    struct state_account *last = state->last_account;
    if (last != NULL && address_equal(&last->address, address)) return last;
    const uint64_t hash = hash_of_address(state, address);
    const size_t mask = state->accounts.capacity - 1;
    for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
        struct state_account *account = state->accounts.entries[at];
        if (account == NULL) break;
        if (address_equal(&account->address, address)) return state->last_account = account;
    }
    if (2 * (state->accounts.count + 1) > state->accounts.capacity && !accounts_grow(state)) {
        return sink_account(state, address);
    }
    struct state_account *account = arena_alloc(state->arena, sizeof *account);
    if (account == NULL) return sink_account(state, address);
    account_clear(account, address);
    table_place(&state->accounts, hash, account);
    state->accounts.count++;
    return state->last_account = account;
}

struct state_account *account_load(struct state *state, const struct address *address) {
    struct state_account *account = account_of(state, address);
    if (account->is_loaded) return account;
    account->is_loaded = true;
    account->hash = keccak256(address_bytes(address));
    struct bytes value;
    const enum err err =
        state->reader.get(state->reader.context, KV_ACCOUNTS, hash_bytes(&account->hash), &value);
    if (err == ERR_NOT_FOUND) return account;
    if (err != ERR_OK) {
        state_fail(state, err);
        return account;
    }
    if (account_decode(value, &account->now) != ERR_OK) {
        state_fail(state, ERR_CORRUPT);
        return account;
    }
    account->base = value;
    account->rooted = value;
    account->exists = true;
    account->has_base_storage = !hash_equal(&account->now.storage_root, &KECCAK_EMPTY_TRIE);
    return account;
}

void account_mark_changed(struct state *state, struct state_account *account) {
    account->is_dirty = true;
    if (account->is_changed || account == &state->sink_account) return;
    account->is_changed = true;
    account->next_changed = state->changed;
    state->changed = account;
}

struct state_slot *slot_of(struct state *state, struct state_account *account,
                           const struct hash32 *key) {
    struct state_slot *last = state->last_slot;
    if (last != NULL && last->account == account && hash_equal(&last->key, key)) return last;
    const uint64_t hash = state_hash_slot(state, account, key);
    const size_t mask = state->slots.capacity - 1;
    for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
        struct state_slot *slot = state->slots.entries[at];
        if (slot == NULL) break;
        if (slot->account == account && hash_equal(&slot->key, key)) {
            return state->last_slot = slot;
        }
    }
    const bool has_room = 2 * (state->slots.count + 1) <= state->slots.capacity;
    struct state_slot *slot = NULL;
    if (account != &state->sink_account && (has_room || slots_grow(state))) {
        slot = arena_alloc(state->arena, sizeof *slot);
    }
    const bool is_sink = slot == NULL;
    if (is_sink) {
        state_fail(state, ERR_LIMIT);
        slot = &state->sink_slot;
    }
    memset(slot, 0, sizeof *slot);
    slot->account = account;
    slot->key = *key;
    slot->is_loaded = slot->is_base_loaded = is_sink;
    slot->epoch = is_sink ? account->epoch : 0;
    if (is_sink) return slot;
    table_place(&state->slots, hash, slot);
    state->slots.count++;
    return state->last_slot = slot;
}

/* --- journal */

struct journal_record *journal_at(struct state *state, size_t index) {
    return &state->journal.chunks[index / JOURNAL_CHUNK_RECORDS][index % JOURNAL_CHUNK_RECORDS];
}

static bool journal_grow(struct state *state) {
    struct journal *journal = &state->journal;
    if (journal->chunks_count == journal->chunks_capacity) {
        const size_t capacity = 2 * journal->chunks_capacity;
        struct journal_record **chunks = arena_array(state->arena, capacity, sizeof *chunks);
        if (chunks == NULL) return false;
        memcpy(chunks, journal->chunks, journal->chunks_count * sizeof *chunks);
        journal->chunks = chunks;
        journal->chunks_capacity = capacity;
    }
    struct journal_record *chunk = arena_alloc(state->arena, JOURNAL_CHUNK_RECORDS * sizeof *chunk);
    if (chunk == NULL) return false;
    journal->chunks[journal->chunks_count++] = chunk;
    return true;
}

struct journal_record *journal_add(struct state *state, enum journal_kind kind) {
    struct journal *journal = &state->journal;
    struct journal_record *record = &state->sink_record;
    if (journal->count < journal->chunks_count * JOURNAL_CHUNK_RECORDS || journal_grow(state)) {
        record = journal_at(state, journal->count++);
    } else {
        state_fail(state, ERR_LIMIT);
    }
    record->kind = kind;
    record->account = NULL;
    record->slot = NULL;
    return record;
}

static void undo_account(struct state_account *account, const struct account_snapshot *before) {
    account->now = before->now;
    account->code = before->code;
    account->is_code_loaded = before->is_code_loaded;
    account->created_transaction = before->created_transaction;
    account->epoch = before->epoch;
    account->exists = before->exists;
}

static void undo(struct state *state, const struct journal_record *record) {
    struct state_account *account = record->account;
    struct state_slot *slot = record->slot;
    switch (record->kind) {
    case JOURNAL_ACCOUNT: undo_account(account, record->before.snapshot); break;
    case JOURNAL_BALANCE: account->now.balance = record->before.balance; break;
    case JOURNAL_NONCE: account->now.nonce = record->before.nonce; break;
    case JOURNAL_TOUCH: account->touched_transaction = record->before.transaction; break;
    case JOURNAL_DESTROY: account->destroyed_transaction = record->before.transaction; break;
    case JOURNAL_WARM_ACCOUNT: account->warm_transaction = record->before.transaction; break;
    case JOURNAL_SLOT:
        slot->value = record->before.slot.value;
        slot->original = record->before.slot.original;
        slot->original_transaction = record->before.slot.original_transaction;
        slot->epoch = record->before.slot.epoch;
        break;
    case JOURNAL_TRANSIENT:
        transient_at(state, record->before.transient.index)->value = record->before.transient.value;
        break;
    case JOURNAL_WARM_SLOT: slot->warm_transaction = record->before.transaction; break;
    }
}

size_t state_checkpoint(struct state *state) {
    return state->journal.count;
}

void state_rollback(struct state *state, size_t checkpoint) {
    CHECK(checkpoint <= state->journal.count);
    while (state->journal.count > checkpoint)
        undo(state, journal_at(state, --state->journal.count));
}

/* --- lifetime */

enum err state_begin(struct arena *arena, const struct kv_reader *reader, struct state **out) {
    const size_t mark = arena_mark(arena);
    struct state *state = arena_alloc_zero(arena, sizeof *state);
    if (state == NULL) return ERR_LIMIT;
    state->arena = arena;
    state->reader = *reader;
    state->transaction = 1;
    state->seed = mix(0x452821e638d01377u, (uint64_t)(uintptr_t)state);
    state->journal.chunks_capacity = 8;
    state->journal.chunks = arena_array(arena, 8, sizeof *state->journal.chunks);
    const bool is_complete = state->journal.chunks != NULL &&
                             table_create(arena, &state->accounts, TABLE_CAPACITY_FIRST) &&
                             table_create(arena, &state->slots, TABLE_CAPACITY_FIRST) &&
                             journal_grow(state);
    if (!is_complete) {
        arena_release(arena, mark);
        return ERR_LIMIT;
    }
    *out = state;
    return ERR_OK;
}

enum err state_error(const struct state *state) {
    return state->error;
}

/* --- sorting */

struct sort_item {
    uint64_t prefix;
    void *item;
};

static bool is_sorted(const struct sort_item *a, const struct sort_item *b,
                      int (*compare)(const void *a, const void *b)) {
    if (a->prefix != b->prefix) return a->prefix < b->prefix;
    return compare(a->item, b->item) <= 0;
}

/* merge_runs merges two neighbouring sorted runs of `from` into `to`. */
static void merge_runs(const struct sort_item *from, struct sort_item *to, size_t begin,
                       size_t middle, size_t end, int (*compare)(const void *a, const void *b)) {
    if (middle == end || is_sorted(&from[middle - 1], &from[middle], compare)) {
        memcpy(to + begin, from + begin, (end - begin) * sizeof *to);
        return;
    }
    size_t left = begin;
    size_t right = middle;
    for (size_t at = begin; at < end; at++) {
        const bool is_left =
            left < middle && (right == end || is_sorted(&from[left], &from[right], compare));
        to[at] = is_left ? from[left++] : from[right++];
    }
}

enum err state_sort(struct arena *arena, void **items, size_t count,
                    uint64_t (*prefix)(const void *item),
                    int (*compare)(const void *a, const void *b)) {
    struct sort_item *from = arena_array(arena, count, sizeof *from);
    struct sort_item *to = arena_array(arena, count, sizeof *to);
    if (count != 0 && (from == NULL || to == NULL)) return ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        from[i] = (struct sort_item){prefix(items[i]), items[i]};
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * width) {
            const size_t middle = begin + width < count ? begin + width : count;
            const size_t end = begin + 2 * width < count ? begin + 2 * width : count;
            merge_runs(from, to, begin, middle, end, compare);
        }
        struct sort_item *swap = from;
        from = to;
        to = swap;
    }
    for (size_t i = 0; i < count; i++)
        items[i] = from[i].item;
    return ERR_OK;
}

static uint64_t address_prefix(const void *account) {
    return be_read(((const struct state_account *)account)->address.bytes, 8);
}

static int compare_addresses(const void *a, const void *b) {
    const struct state_account *left = a;
    const struct state_account *right = b;
    return address_compare(&left->address, &right->address);
}

void state_accounts_touched(struct state *state, void *context,
                            void (*visit)(void *context, const struct address *address)) {
    const size_t mark = arena_mark(state->arena);
    void **accounts = arena_array(state->arena, state->accounts.count, sizeof *accounts);
    size_t count = 0;
    if (accounts != NULL) {
        for (size_t i = 0; i < state->accounts.capacity; i++) {
            struct state_account *account = state->accounts.entries[i];
            if (account != NULL && account->is_loaded) accounts[count++] = account;
        }
    }
    if (accounts == NULL ||
        state_sort(state->arena, accounts, count, address_prefix, compare_addresses) != ERR_OK) {
        state_fail(state, ERR_LIMIT);
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        visit(context, &((const struct state_account *)accounts[i])->address);
    }
    arena_release(state->arena, mark);
}

void state_slots_touched(struct state *state, void *context,
                         void (*visit)(void *context, const struct address *address,
                                       const struct hash32 *key)) {
    for (size_t i = 0; i < state->slots.capacity; i++) {
        const struct state_slot *slot = state->slots.entries[i];
        if (slot != NULL) visit(context, &slot->account->address, &slot->key);
    }
}
