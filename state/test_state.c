/* The overlay against a plain model: random operations with nested checkpoints, several
 * transactions and blocks, roots against a full rebuild, and the tables that the writes leave. */
#include "state/state.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/trie_root.h"
#include "state/kv_memory.h"

#define ACCOUNTS    10
#define SLOTS       6
#define DEPTH_MAX   4
#define ARENA_BYTES (24u << 20)

struct model_account {
    bool exists;
    uint64_t nonce;
    struct u256 balance;
    uint8_t code_byte; /* 0: no code; else code is this byte, 40 times */
    struct u256 slots[SLOTS];
    /* of the transaction */
    bool is_touched, is_created, is_destroyed, is_warm;
    struct u256 originals[SLOTS];
    struct u256 transient[SLOTS];
    bool warm_slots[SLOTS];
};

struct model {
    struct model_account accounts[ACCOUNTS];
};

struct run {
    uint64_t random;
    struct model model;
    struct model saved[DEPTH_MAX];
    size_t checkpoints[DEPTH_MAX];
    size_t depth;
    struct state *state;
    struct arena arena;
    struct kv_memory *kv;
    struct kv_reader reader;
};

static uint8_t arena_room[ARENA_BYTES] __attribute__((aligned(16)));
static uint8_t kv_room[4 << 20] __attribute__((aligned(16)));

static uint64_t next_random(struct run *run) {
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return run->random * 0x2545f4914f6cdd1du >> 16;
}

static struct address address_at(size_t index) {
    return (struct address){{[0] = 0x11, [19] = (uint8_t)(index + 1)}};
}

static struct hash32 slot_at(size_t index) {
    return (struct hash32){{[31] = (uint8_t)index}};
}

static struct bytes code_of(const struct model_account *account, uint8_t room[40]) {
    memset(room, account->code_byte, 40);
    return (struct bytes){room, account->code_byte == 0 ? 0 : 40};
}

static bool model_is_empty(const struct model_account *account) {
    return account->nonce == 0 && u256_is_zero(&account->balance) && account->code_byte == 0;
}

static void model_delete(struct model_account *account) {
    account->exists = false;
    account->nonce = 0;
    account->balance = U256_ZERO;
    account->code_byte = 0;
    memset(account->slots, 0, sizeof account->slots);
}

/* --- what the model's root is */

struct sorted {
    struct hash32 key;
    uint8_t value[128];
    size_t value_bytes;
};

static struct hash32 root_of(struct sorted *entries, size_t count) {
    static struct trie_entry sorted[ACCOUNTS + SLOTS];
    for (size_t i = 1; i < count; i++) {
        for (size_t at = i; at > 0 && hash_compare(&entries[at - 1].key, &entries[at].key) > 0;
             at--) {
            const struct sorted swap = entries[at];
            entries[at] = entries[at - 1];
            entries[at - 1] = swap;
        }
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i].key = hash_bytes(&entries[i].key);
        sorted[i].value = (struct bytes){entries[i].value, entries[i].value_bytes};
    }
    struct arena none = arena_over(NULL, 0);
    struct hash32 root;
    CHECK(trie_root_sorted(sorted, count, &none, &root) == ERR_OK);
    return root;
}

static struct hash32 model_storage_root(const struct model_account *account) {
    struct sorted entries[SLOTS];
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (u256_is_zero(&account->slots[i])) continue;
        const struct hash32 key = slot_at(i);
        struct sorted *entry = &entries[count++];
        entry->key = keccak256(hash_bytes(&key));
        struct buffer out = buffer_over(entry->value, sizeof entry->value);
        rlp_write_u256(&out, &account->slots[i]);
        entry->value_bytes = out.size;
    }
    return root_of(entries, count);
}

static struct hash32 model_root(const struct model *model) {
    struct sorted entries[ACCOUNTS];
    size_t count = 0;
    for (size_t i = 0; i < ACCOUNTS; i++) {
        const struct model_account *account = &model->accounts[i];
        if (!account->exists) continue;
        const struct address address = address_at(i);
        struct sorted *entry = &entries[count++];
        entry->key = keccak256(address_bytes(&address));
        uint8_t code[40];
        const struct account encoded = {account->nonce, account->balance,
                                        model_storage_root(account),
                                        keccak256(code_of(account, code))};
        struct buffer out = buffer_over(entry->value, sizeof entry->value);
        account_encode(&encoded, &out);
        entry->value_bytes = out.size;
    }
    return root_of(entries, count);
}

/* --- operations on both */

static void touch(struct model_account *account) {
    account->exists = true;
    account->is_touched = true;
}

static void change_account(struct run *run, size_t index, uint64_t kind) {
    const struct address address = address_at(index);
    struct model_account *account = &run->model.accounts[index];
    const struct u256 balance = u256_from_u64(next_random(run) % 3);
    uint8_t code[40];
    switch (kind) {
    case 0:
        state_set_balance(run->state, &address, &balance);
        touch(account);
        account->balance = balance;
        break;
    case 1:
        touch(account);
        account->nonce = next_random(run) % 3;
        state_set_nonce(run->state, &address, account->nonce);
        break;
    case 2:
        touch(account);
        account->code_byte = (uint8_t)(next_random(run) % 3);
        state_set_code(run->state, &address, code_of(account, code));
        break;
    case 3:
        state_touch(run->state, &address);
        touch(account);
        break;
    case 4:
        if (next_random(run) % 3 != 0) break;
        state_create_account(run->state, &address);
        touch(account);
        account->nonce = 0;
        account->code_byte = 0;
        account->is_created = true;
        memset(account->slots, 0, sizeof account->slots);
        memset(account->originals, 0, sizeof account->originals);
        break;
    default:
        if (next_random(run) % 3 != 0) break;
        state_destroy(run->state, &address);
        touch(account);
        account->is_destroyed = true;
        break;
    }
}

static void change_slot(struct run *run, size_t index, uint64_t kind) {
    const struct address address = address_at(index);
    struct model_account *account = &run->model.accounts[index];
    const size_t slot = next_random(run) % SLOTS;
    const struct hash32 key = slot_at(slot);
    const struct u256 value = u256_from_u64(next_random(run) % 4);
    if (kind == 0) {
        CHECK(state_warm_slot(run->state, &address, &key) == account->warm_slots[slot]);
        account->warm_slots[slot] = true;
    } else if (kind == 1) {
        CHECK(state_warm_address(run->state, &address) == account->is_warm);
        account->is_warm = true;
    } else if (kind == 2) {
        state_set_transient(run->state, &address, &key, &value);
        account->transient[slot] = value;
    } else if (account->exists) { /* only existing accounts run code */
        state_set_storage(run->state, &address, &key, &value);
        account->slots[slot] = value;
    }
}

static void compare(struct run *run, size_t index) {
    const struct address address = address_at(index);
    const struct model_account *account = &run->model.accounts[index];
    struct u256 number;
    uint8_t code[40];
    CHECK(state_exists(run->state, &address) == account->exists);
    CHECK(state_is_empty(run->state, &address) == model_is_empty(account));
    CHECK(state_nonce(run->state, &address) == account->nonce);
    state_balance(run->state, &address, &number);
    CHECK(u256_equal(&number, &account->balance));
    CHECK(bytes_equal(state_code(run->state, &address), code_of(account, code)));
    struct hash32 hash;
    const struct hash32 expected = keccak256(code_of(account, code));
    state_code_hash(run->state, &address, &hash);
    CHECK(hash_equal(&hash, &expected));
    CHECK(state_created_in_transaction(run->state, &address) == account->is_created);
    CHECK(state_is_destroyed(run->state, &address) == account->is_destroyed);
    const size_t slot = next_random(run) % SLOTS;
    const struct hash32 key = slot_at(slot);
    state_storage(run->state, &address, &key, &number);
    CHECK(u256_equal(&number, &account->slots[slot]));
    state_storage_original(run->state, &address, &key, &number);
    CHECK(u256_equal(&number, &account->originals[slot]));
    state_transient(run->state, &address, &key, &number);
    CHECK(u256_equal(&number, &account->transient[slot]));
}

static void operate(struct run *run) {
    const size_t index = next_random(run) % ACCOUNTS;
    const uint64_t kind = next_random(run) % 14;
    if (kind < 6) {
        change_account(run, index, kind);
    } else if (kind < 11) {
        change_slot(run, index, kind - 6);
    } else if (kind == 11 && run->depth < DEPTH_MAX) {
        run->saved[run->depth] = run->model;
        run->checkpoints[run->depth++] = state_checkpoint(run->state);
    } else if (kind == 12 && run->depth > 0) {
        run->depth--;
        state_rollback(run->state, run->checkpoints[run->depth]);
        run->model = run->saved[run->depth];
    } else if (kind == 13 && run->depth > 0) {
        run->depth--; /* the call succeeded: its changes stay */
    }
    compare(run, next_random(run) % ACCOUNTS);
}

static void end_transaction(struct run *run, bool delete_empty) {
    state_end_transaction(run->state, delete_empty);
    for (size_t i = 0; i < ACCOUNTS; i++) {
        struct model_account *account = &run->model.accounts[i];
        const bool is_gone = account->is_destroyed ||
                             (delete_empty && account->is_touched && model_is_empty(account));
        if (account->exists && is_gone) model_delete(account);
        account->is_touched = account->is_created = account->is_destroyed = false;
        account->is_warm = false;
        memset(account->transient, 0, sizeof account->transient);
        memset(account->warm_slots, 0, sizeof account->warm_slots);
        memcpy(account->originals, account->slots, sizeof account->slots);
    }
}

/* --- the tables */

static size_t model_slots(const struct model *model) {
    size_t count = 0;
    for (size_t i = 0; i < ACCOUNTS; i++) {
        for (size_t slot = 0; slot < SLOTS; slot++) {
            if (!u256_is_zero(&model->accounts[i].slots[slot])) count++;
        }
    }
    return count;
}

static void check_root(struct run *run) {
    struct hash32 root;
    const struct hash32 expected = model_root(&run->model);
    CHECK(state_root(run->state, &root) == ERR_OK);
    CHECK(hash_equal(&root, &expected));
}

/* commit writes the block back and checks `previous` and that nothing is left over. */
static void commit(struct run *run) {
    const struct kv_write *writes;
    size_t count;
    check_root(run);
    CHECK(state_writes(run->state, &writes, &count) == ERR_OK);
    for (size_t i = 0; i < count; i++) {
        struct bytes stored = BYTES_EMPTY;
        const enum err err = run->reader.get(run->kv, writes[i].table, writes[i].key, &stored);
        CHECK(err == ERR_OK || err == ERR_NOT_FOUND);
        if (i > 0 && writes[i].table == writes[i - 1].table) {
            CHECK(bytes_compare(writes[i - 1].key, writes[i].key) < 0);
        }
        if (writes[i].table == KV_ACCOUNTS || writes[i].table == KV_STORAGE) {
            CHECK(bytes_equal(stored, writes[i].previous));
            CHECK(!bytes_equal(stored, writes[i].value));
        }
    }
    CHECK(kv_memory_apply(run->kv, writes, count) == ERR_OK);
    size_t existing = 0;
    for (size_t i = 0; i < ACCOUNTS; i++)
        existing += run->model.accounts[i].exists;
    CHECK(kv_memory_count(run->kv, KV_ACCOUNTS) == existing);
    CHECK(kv_memory_count(run->kv, KV_STORAGE) == model_slots(&run->model));
}

static void test_random(uint64_t seed) {
    static struct run run;
    memset(&run, 0, sizeof run);
    run.random = seed * 0x9e3779b97f4a7c15u + 1;
    run.kv = kv_memory_create(kv_room, sizeof kv_room);
    run.reader = kv_memory_reader(run.kv);
    for (int block = 0; block < 12; block++) {
        run.arena = arena_over(arena_room, sizeof arena_room);
        CHECK(state_begin(&run.arena, &run.reader, &run.state) == ERR_OK);
        const uint64_t transactions = next_random(&run) % 4;
        for (uint64_t i = 0; i < transactions; i++) {
            const uint64_t operations = next_random(&run) % 60;
            for (uint64_t at = 0; at < operations; at++)
                operate(&run);
            run.depth = 0;
            end_transaction(&run, next_random(&run) % 4 != 0);
            if (next_random(&run) % 3 == 0) check_root(&run);
        }
        commit(&run);
        CHECK(state_error(run.state) == ERR_OK);
    }
}

/* Every arena size either works or says ERR_LIMIT; nothing crashes. */
static void test_small_arenas(void) {
    struct kv_memory *kv = kv_memory_create(kv_room, sizeof kv_room);
    const struct kv_reader reader = kv_memory_reader(kv);
    bool has_succeeded = false;
    for (size_t size = 0; size < (256u << 10); size += 1024) {
        struct arena arena = arena_over(arena_room, size);
        struct state *state;
        if (state_begin(&arena, &reader, &state) != ERR_OK) continue;
        for (size_t i = 0; i < 60; i++) {
            const struct address address = address_at(i);
            const struct hash32 key = slot_at(i);
            const struct u256 one = U256_ONE;
            state_set_balance(state, &address, &one);
            state_set_code(state, &address, hash_bytes(&key));
            state_create_account(state, &address);
            state_set_storage(state, &address, &key, &one);
            state_set_transient(state, &address, &key, &one);
        }
        state_end_transaction(state, true);
        struct hash32 root;
        const struct kv_write *writes;
        size_t count;
        enum err err = state_root(state, &root);
        if (err == ERR_OK) err = state_writes(state, &writes, &count);
        CHECK(err == ERR_OK || err == ERR_LIMIT);
        CHECK(!has_succeeded || err == ERR_OK);
        has_succeeded = err == ERR_OK;
    }
    CHECK(has_succeeded);
}

static enum err failing_get(void *context, enum kv_table table, struct bytes key,
                            struct bytes *value) {
    (void)context, (void)table, (void)key, (void)value;
    return ERR_STORAGE;
}

static enum err failing_seek(void *context, enum kv_table table, struct bytes key,
                             struct bytes *key_found, struct bytes *value) {
    (void)context, (void)table, (void)key, (void)key_found, (void)value;
    return ERR_STORAGE;
}

static void test_reader_fails(void) {
    const struct kv_reader reader = {NULL, failing_get, failing_seek};
    struct arena arena = arena_over(arena_room, sizeof arena_room);
    struct state *state;
    CHECK(state_begin(&arena, &reader, &state) == ERR_OK);
    CHECK(state_error(state) == ERR_OK);
    const struct address address = address_at(0);
    CHECK(!state_exists(state, &address));
    CHECK(state_error(state) == ERR_STORAGE);
    struct hash32 root;
    CHECK(state_root(state, &root) == ERR_STORAGE);
}

/* A touch of RIPEMD-160's account outlives its rollback; one of another account does not. */
static void test_ripemd(void) {
    struct kv_memory *kv = kv_memory_create(kv_room, sizeof kv_room);
    const struct kv_reader reader = kv_memory_reader(kv);
    struct arena arena = arena_over(arena_room, sizeof arena_room);
    struct state *state;
    CHECK(state_begin(&arena, &reader, &state) == ERR_OK);
    const struct address addresses[2] = {{{[19] = 3}}, {{[19] = 4}}};
    for (int i = 0; i < 2; i++)
        state_touch(state, &addresses[i]);
    state_end_transaction(state, false);
    const size_t checkpoint = state_checkpoint(state);
    for (int i = 0; i < 2; i++)
        state_touch(state, &addresses[i]);
    state_rollback(state, checkpoint);
    state_end_transaction(state, true);
    CHECK(!state_exists(state, &addresses[0]));
    CHECK(state_exists(state, &addresses[1]));
}

/* Much transient storage: values and rollbacks are right, and the next transaction uses its room.
 */
static void test_transient(void) {
    struct kv_memory *kv = kv_memory_create(kv_room, sizeof kv_room);
    const struct kv_reader reader = kv_memory_reader(kv);
    struct arena arena = arena_over(arena_room, sizeof arena_room);
    struct state *state;
    CHECK(state_begin(&arena, &reader, &state) == ERR_OK);
    const struct address address = address_at(0), other = address_at(1);
    size_t used = 0;
    for (int transaction = 0; transaction < 4; transaction++) {
        size_t checkpoint = 0;
        for (uint64_t i = 0; i < 6000; i++) {
            if (i == 3000) checkpoint = state_checkpoint(state);
            const struct hash32 key = {{[0] = (uint8_t)i, [31] = (uint8_t)(i / 256)}};
            const struct u256 value = u256_from_u64(i + 1);
            struct u256 found;
            state_transient(state, &address, &key, &found);
            CHECK(u256_is_zero(&found));
            state_set_transient(state, &address, &key, &value);
            state_transient(state, &address, &key, &found);
            CHECK(u256_equal(&found, &value));
            state_transient(state, &other, &key, &found);
            CHECK(u256_is_zero(&found));
        }
        state_rollback(state, checkpoint);
        for (uint64_t i = 0; i < 6000; i++) {
            const struct hash32 key = {{[0] = (uint8_t)i, [31] = (uint8_t)(i / 256)}};
            const struct u256 value = u256_from_u64(i < 3000 ? i + 1 : 0);
            struct u256 found;
            state_transient(state, &address, &key, &found);
            CHECK(u256_equal(&found, &value));
        }
        state_end_transaction(state, true);
        CHECK(transaction == 0 || arena.used == used);
        used = arena.used;
    }
    CHECK(state_error(state) == ERR_OK);
}

static void test_account_errors(void) {
    struct account account = {.nonce = 7, .balance = {{1, 2, 3, 4}}}, read;
    uint8_t room[128];
    struct buffer out = buffer_over(room, sizeof room);
    account_encode(&account, &out);
    CHECK(account_decode(buffer_bytes(&out), &read) == ERR_OK);
    CHECK(read.nonce == 7 && u256_equal(&read.balance, &account.balance));
    for (size_t size = 0; size < out.size; size++) {
        CHECK(account_decode((struct bytes){room, size}, &read) != ERR_OK);
    }
    room[out.size] = 0;
    CHECK(account_decode((struct bytes){room, out.size + 1}, &read) == ERR_ENCODING);
}

int main(void) {
    test_account_errors();
    test_reader_fails();
    test_ripemd();
    test_transient();
    test_small_arenas();
    for (uint64_t seed = 1; seed <= 400; seed++)
        test_random(seed);
    return 0;
}
