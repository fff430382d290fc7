/* From what changed to a root, and to the list of what is to be written. */
#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "state/range.h"
#include "state/state.h"
#include "state/state_internal.h"

#define ACCOUNT_BYTES_MAX 128
#define AHEAD             8 /* entries are fetched before their turn: they lie all over memory */

/* --- root */

static int compare_account_hashes(const void *a, const void *b) {
    const struct state_account *left = a;
    const struct state_account *right = b;
    return hash_compare(&left->hash, &right->hash);
}

static uint64_t account_prefix(const void *account) {
    return be_read(((const struct state_account *)account)->hash.bytes, 8);
}

static int compare_slot_hashes(const void *a, const void *b) {
    const struct state_slot *left = a;
    const struct state_slot *right = b;
    return hash_compare(&left->hash, &right->hash);
}

static uint64_t slot_prefix(const void *slot) {
    return be_read(((const struct state_slot *)slot)->hash.bytes, 8);
}

/* slots_list sorts the changed slots of an account by hash; `only_dirty`: since the last root. */
static enum err slots_list(struct state *state, struct state_account *account, bool only_dirty,
                           void ***out, size_t *count_out) {
    size_t count = 0;
    for (struct state_slot *slot = account->slots_changed; slot != NULL;
         slot = slot->next_changed) {
        if (slot->is_dirty || !only_dirty) count++;
    }
    void **slots = arena_array(state->arena, count, sizeof *slots);
    if (slots == NULL && count != 0) return ERR_LIMIT;
    size_t at = 0;
    for (struct state_slot *slot = account->slots_changed; slot != NULL;
         slot = slot->next_changed) {
        if (!slot->is_dirty && only_dirty) continue;
        (void)slot_hash(slot);
        slots[at++] = slot;
    }
    TRY(state_sort(state->arena, slots, count, slot_prefix, compare_slot_hashes));
    *out = slots;
    *count_out = count;
    return ERR_OK;
}

static enum err accounts_list(struct state *state, bool only_dirty, void ***out,
                              size_t *count_out) {
    size_t count = 0;
    for (struct state_account *account = state->changed; account != NULL;
         account = account->next_changed) {
        if (account->is_dirty || !only_dirty) count++;
    }
    void **accounts = arena_array(state->arena, count, sizeof *accounts);
    if (accounts == NULL && count != 0) return ERR_LIMIT;
    size_t at = 0;
    for (struct state_account *account = state->changed; account != NULL;
         account = account->next_changed) {
        if (account->is_dirty || !only_dirty) accounts[at++] = account;
    }
    TRY(state_sort(state->arena, accounts, count, account_prefix, compare_account_hashes));
    *out = accounts;
    *count_out = count;
    return ERR_OK;
}

/* slot_rooted is what the account's trie holds. */
static struct u256 slot_rooted(const struct state_slot *slot) {
    if (slot->rooted_epoch == slot->account->rooted_epoch) return slot->rooted;
    return slot->account->rooted_epoch == 0 ? slot->base : U256_ZERO;
}

/* number_bytes writes a number without leading zeros. */
static struct bytes number_bytes(const struct u256 *value, uint8_t room[32]) {
    const size_t size = (u256_bits(value) + 7) / 8;
    u256_to_be(value, room);
    return (struct bytes){room + 32 - size, size};
}

static enum err set_slot(struct state *state, struct trie *trie, struct state_slot *slot) {
    slot->is_dirty = false;
    if (slot->epoch != slot->account->epoch) return ERR_OK; /* what changed it was rolled back */
    const struct u256 before = slot_rooted(slot);
    slot->rooted = slot->value;
    slot->rooted_epoch = slot->account->rooted_epoch;
    if (u256_equal(&before, &slot->value)) return ERR_OK;
    struct bytes payload = BYTES_EMPTY;
    if (!u256_is_zero(&slot->value)) {
        uint8_t *room = arena_alloc(state->arena, 33);
        if (room == NULL) return ERR_LIMIT;
        struct buffer buffer = buffer_over(room, 33);
        rlp_write_u256(&buffer, &slot->value);
        payload = buffer_bytes(&buffer);
    }
    const bool is_in_reader = slot->is_base_loaded && !u256_is_zero(&slot->base);
    return (is_in_reader ? trie_replace : trie_set)(trie, slot_hash(slot), payload);
}

/* root_storage brings the account's storage trie up to date and its root into now.storage_root. */
static enum err root_storage(struct state *state, struct state_account *account) {
    const bool is_wiped = account->epoch != account->rooted_epoch;
    if (!is_wiped && account->slots_changed == NULL) return ERR_OK;
    void **slots;
    size_t count;
    TRY(slots_list(state, account, true, &slots, &count));
    if (!is_wiped && count == 0) return ERR_OK;
    if (account->storage_trie == NULL) {
        struct trie *trie = arena_alloc(state->arena, sizeof *trie);
        if (trie == NULL) return ERR_LIMIT;
        trie_begin(trie, state->arena, &state->reader, &account->hash, !account->has_base_storage);
        account->storage_trie = trie;
    }
    if (is_wiped) {
        trie_wipe(account->storage_trie);
        account->rooted_epoch = account->epoch;
    }
    for (size_t i = 0; i < count; i++)
        TRY(set_slot(state, account->storage_trie, slots[i]));
    return trie_root(account->storage_trie, &account->now.storage_root);
}

static enum err root_account(struct state *state, struct state_account *account) {
    account->is_dirty = false;
    TRY(root_storage(state, account));
    struct bytes encoded = BYTES_EMPTY;
    if (account->exists) {
        uint8_t *room = arena_alloc(state->arena, ACCOUNT_BYTES_MAX);
        if (room == NULL) return ERR_LIMIT;
        struct buffer buffer = buffer_over(room, ACCOUNT_BYTES_MAX);
        account_encode(&account->now, &buffer);
        CHECK(!buffer.overflow);
        encoded = buffer_bytes(&buffer);
    }
    if (bytes_equal(encoded, account->rooted)) return ERR_OK;
    account->rooted = encoded;
    const bool is_in_reader = account->base.size != 0;
    return (is_in_reader ? trie_replace : trie_set)(&state->trie, &account->hash, encoded);
}

/* begin_trie views the reader's account trie; only an empty table has an empty trie. */
static enum err begin_trie(struct state *state) {
    if (state->has_trie) return ERR_OK;
    struct bytes key;
    struct bytes value;
    const enum err err =
        state->reader.seek(state->reader.context, KV_ACCOUNTS, BYTES_EMPTY, &key, &value);
    if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
    trie_begin(&state->trie, state->arena, &state->reader, NULL, err == ERR_NOT_FOUND);
    state->has_trie = true;
    return ERR_OK;
}

static enum err compute_root(struct state *state, struct hash32 *root) {
    TRY(begin_trie(state));
    void **accounts;
    size_t count;
    TRY(accounts_list(state, true, &accounts, &count));
    for (size_t i = 0; i < count; i++) {
        if (i + 2 * AHEAD < count) __builtin_prefetch(accounts[i + 2 * AHEAD]);
        if (i + AHEAD < count) {
            const struct state_account *later = accounts[i + AHEAD];
            __builtin_prefetch(later->rooted.data);
        }
        TRY(root_account(state, accounts[i]));
    }
    return trie_root(&state->trie, root);
}

enum err state_root(struct state *state, struct hash32 *root) {
    TRY(state->error);
    struct hash32 computed;
    const enum err err = compute_root(state, &computed);
    if (err != ERR_OK) {
        state_fail(state, err); /* the trie may be half changed */
        return err;
    }
    *root = computed;
    return ERR_OK;
}

/* --- writes */

struct write_list {
    struct state *state;
    struct kv_write *writes;
    size_t count;
    size_t capacity;
    bool is_sorted; /* each key of the table under way is above the one before */
};

static int compare_writes(const void *a, const void *b) {
    const struct kv_write *left = a;
    const struct kv_write *right = b;
    if (left->table != right->table) return left->table < right->table ? -1 : 1;
    return bytes_compare(left->key, right->key);
}

static enum err add_write(void *context, const struct kv_write *write) {
    struct write_list *list = context;
    if (list->count == list->capacity) {
        const size_t capacity = 2 * list->capacity;
        struct kv_write *writes = arena_alloc(list->state->arena, capacity * sizeof *writes);
        if (writes == NULL) return ERR_LIMIT;
        memcpy(writes, list->writes, list->count * sizeof *writes);
        list->writes = writes;
        list->capacity = capacity;
    }
    if (list->count != 0 && compare_writes(&list->writes[list->count - 1], write) >= 0) {
        list->is_sorted = false;
    }
    list->writes[list->count++] = *write;
    return ERR_OK;
}

static enum err add_slot(struct write_list *list, const struct state_account *account,
                         const struct hash32 *hash, const struct u256 *value, struct bytes before) {
    const struct u256 number = u256_from_be(before);
    if (u256_equal(value, &number)) return ERR_OK;
    const struct range_row row = range_row(&account->hash, hash);
    const struct bytes key = {row.key, row.key_bytes};
    uint8_t room[32];
    struct kv_write write = {.table = row.table, .previous = before};
    if (!arena_copy(list->state->arena, key, &write.key)) return ERR_LIMIT;
    if (!arena_copy(list->state->arena, number_bytes(value, room), &write.value)) return ERR_LIMIT;
    return add_write(list, &write);
}

static struct u256 slot_now(const struct state_slot *slot) {
    return slot->epoch == slot->account->epoch ? slot->value : U256_ZERO;
}

/* add_wiped merges the reader's slots, which are all gone, with those set since: both by hash. */
static enum err add_wiped(struct write_list *list, struct state_account *account, void **slots,
                          size_t count) {
    struct hash32 from = {{0}};
    size_t at = 0;
    bool has_more = account->has_base_storage;
    while (has_more) {
        struct range_entry stored;
        const enum err err = range_next(&list->state->reader, &account->hash, &from, &stored);
        if (err != ERR_OK && err != ERR_NOT_FOUND) return err;
        if (err == ERR_NOT_FOUND) break;
        if (stored.value.size > 32) return ERR_CORRUPT;
        struct u256 value = U256_ZERO;
        for (; at < count; at++) {
            struct state_slot *slot = slots[at];
            const int order = hash_compare(&slot->hash, &stored.key);
            if (order > 0) break;
            const struct u256 now = slot_now(slot);
            if (order == 0) {
                value = now;
            } else {
                TRY(add_slot(list, account, &slot->hash, &now, BYTES_EMPTY));
            }
        }
        TRY(add_slot(list, account, &stored.key, &value, stored.value));
        has_more = range_key_after(&stored.key, &from);
    }
    for (; at < count; at++) {
        struct state_slot *slot = slots[at];
        const struct u256 now = slot_now(slot);
        TRY(add_slot(list, account, &slot->hash, &now, BYTES_EMPTY));
    }
    return ERR_OK;
}

/* add_slots lists the slots of an account that changed. */
static enum err add_slots(struct write_list *list, struct state_account *account) {
    if (account->storage_trie == NULL) return ERR_OK; /* never changed */
    void **slots;
    size_t count;
    TRY(slots_list(list->state, account, false, &slots, &count));
    if (account->epoch != 0) return add_wiped(list, account, slots, count);
    for (size_t i = 0; i < count; i++) {
        const struct state_slot *slot = slots[i];
        if (slot->epoch != 0) continue; /* seen only in an epoch that was rolled back */
        TRY(add_slot(list, account, &slot->hash, &slot->value, slot->stored));
    }
    return ERR_OK;
}

static enum err add_account(struct write_list *list, struct state_account *account) {
    if (bytes_equal(account->rooted, account->base)) return ERR_OK;
    const struct kv_write write = {KV_ACCOUNTS, hash_bytes(&account->hash), account->rooted,
                                   account->base};
    return add_write(list, &write);
}

static enum err add_code(struct write_list *list, struct state_account *account) {
    const struct hash32 *code_hash = &account->now.code_hash;
    if (!account->exists || hash_equal(code_hash, &KECCAK_EMPTY)) return ERR_OK;
    struct account before = {.code_hash = KECCAK_EMPTY};
    if (account->base.size != 0) TRY(account_decode(account->base, &before));
    if (hash_equal(code_hash, &before.code_hash)) return ERR_OK;
    CHECK(account->is_code_loaded);
    const struct kv_write code = {KV_CODE, hash_bytes(code_hash), account->code, BYTES_EMPTY};
    return add_write(list, &code);
}

static enum err add_storage_trie(struct write_list *list, struct state_account *account) {
    if (account->storage_trie == NULL) return ERR_OK;
    return trie_writes(account->storage_trie, list, add_write);
}

/* write_prefix: the table and how the key begins. */
static uint64_t write_prefix(const void *at) {
    const struct kv_write *write = at;
    const size_t size = write->key.size < 7 ? write->key.size : 7;
    return (uint64_t)write->table << 56 | be_read(write->key.data, size) << 8 * (7 - size);
}

/* sort_writes sorts the writes from `first` on and keeps one per key: a value rather than a
 * deletion. */
static enum err sort_writes(struct write_list *list, size_t first) {
    struct arena *arena = list->state->arena;
    const size_t unsorted = list->count - first;
    const size_t mark = arena_mark(arena);
    void **order = arena_array(arena, unsorted, sizeof *order);
    struct kv_write *sorted = arena_array(arena, unsorted, sizeof *sorted);
    if (order == NULL || sorted == NULL) return ERR_LIMIT;
    for (size_t i = 0; i < unsorted; i++)
        order[i] = &list->writes[first + i];
    TRY(state_sort(arena, order, unsorted, write_prefix, compare_writes));
    size_t count = 0;
    for (size_t i = 0; i < unsorted; i++) {
        const struct kv_write *write = order[i];
        if (count == 0 || compare_writes(&sorted[count - 1], write) != 0) {
            sorted[count++] = *write;
        } else if (write->value.size != 0) {
            sorted[count - 1] = *write;
        }
    }
    memcpy(list->writes + first, sorted, count * sizeof *sorted);
    list->count = first + count;
    arena_release(arena, mark);
    return ERR_OK;
}

/* add_table lists one table's writes, in order: most come so. */
static enum err add_table(struct write_list *list, void *const *accounts, size_t count,
                          enum err (*add)(struct write_list *, struct state_account *)) {
    const size_t first = list->count;
    list->is_sorted = true;
    if (add == add_storage_trie) TRY(trie_writes(&list->state->trie, list, add_write));
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count) __builtin_prefetch(accounts[i + AHEAD]);
        TRY(add(list, accounts[i]));
    }
    return list->is_sorted ? ERR_OK : sort_writes(list, first);
}

enum err state_writes(struct state *state, const struct kv_write **out, size_t *count) {
    static enum err (*const tables[])(struct write_list *, struct state_account *) = {
        add_account, add_slots, add_code, add_storage_trie};
    TRY(state->error);
    CHECK(state->has_trie);
    void **accounts;
    size_t accounts_count;
    TRY(accounts_list(state, false, &accounts, &accounts_count));
    struct write_list list = {.state = state, .capacity = 256 + 4 * accounts_count};
    list.writes = arena_alloc(state->arena, list.capacity * sizeof *list.writes);
    if (list.writes == NULL) return ERR_LIMIT;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        TRY(add_table(&list, accounts, accounts_count, tables[i]));
    *out = list.writes;
    *count = list.count;
    return ERR_OK;
}
