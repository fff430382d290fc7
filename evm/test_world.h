#pragma once
/* A small world in memory for tests of evm/: an evm_host over two hash tables with an undo log.
 * Every change first saves the bytes that it overwrites; rolling back copies them back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/keccak.h"
#include "evm/evm.h"

#ifndef WORLD_ACCOUNTS
#define WORLD_ACCOUNTS 1024
#endif
#ifndef WORLD_SLOTS
#define WORLD_SLOTS 65536
#endif
#define WORLD_UNDO_BYTES ((size_t)64 << 20)

struct world_account {
    bool is_used, exists, is_created, is_destroyed, is_warm, is_touched;
    struct address address;
    struct u256 balance;
    uint64_t nonce;
    struct bytes code;
    struct hash32 code_hash;
};

struct world_slot {
    bool is_used, is_warm;
    struct address address;
    struct hash32 key;
    struct u256 value, original, transient;
};

struct world {
    struct world_account accounts[WORLD_ACCOUNTS];
    struct world_slot slots[WORLD_SLOTS];
    uint32_t accounts_used[WORLD_ACCOUNTS], slots_used[WORLD_SLOTS]; /* which are in use */
    size_t accounts_count, slots_count;
    uint8_t *undo;
    size_t undo_used;
    uint8_t *codes; /* created code, never freed */
    size_t codes_used;
};

static inline void world_save(struct world *w, void *at, size_t size) {
    CHECK(w->undo_used + size + 16 <= WORLD_UNDO_BYTES);
    memcpy(w->undo + w->undo_used, at, size);
    w->undo_used += size;
    memcpy(w->undo + w->undo_used, &at, 8);
    memcpy(w->undo + w->undo_used + 8, &size, 8);
    w->undo_used += 16;
}

static inline struct world_account *world_account(struct world *w, const struct address *address) {
    uint64_t index = be_read(address->bytes + 12, 8) * 0x9e3779b97f4a7c15u >> 40;
    for (uint64_t probes = 0;; index++) {
        CHECK(probes++ < WORLD_ACCOUNTS);
        struct world_account *account = &w->accounts[index % WORLD_ACCOUNTS];
        if (!account->is_used) {
            account->is_used = true;
            w->accounts_used[w->accounts_count++] = (uint32_t)(index % WORLD_ACCOUNTS);
            account->address = *address;
            account->code_hash = KECCAK_EMPTY;
        }
        if (address_equal(&account->address, address)) return account;
    }
}

static inline struct world_slot *world_slot(struct world *w, const struct address *address,
                                            const struct hash32 *key) {
    uint64_t index =
        be_read(address->bytes + 12, 8) ^ be_read(key->bytes + 24, 8) ^ be_read(key->bytes, 8);
    index = index * 0x9e3779b97f4a7c15u >> 32;
    for (uint64_t probes = 0;; index++) {
        CHECK(probes++ < WORLD_SLOTS);
        struct world_slot *slot = &w->slots[index % WORLD_SLOTS];
        if (!slot->is_used) {
            slot->is_used = true;
            w->slots_used[w->slots_count++] = (uint32_t)(index % WORLD_SLOTS);
            slot->address = *address;
            slot->key = *key;
        }
        if (hash_equal(&slot->key, key) && address_equal(&slot->address, address)) return slot;
    }
}

static inline struct world_account *world_change(struct world *w, const struct address *address) {
    struct world_account *account = world_account(w, address);
    world_save(w, account, sizeof *account);
    account->exists = true;
    return account;
}

static inline bool world_exists(void *c, const struct address *a) {
    return world_account(c, a)->exists;
}
static inline bool world_is_empty(void *c, const struct address *a) {
    const struct world_account *account = world_account(c, a);
    return account->nonce == 0 && account->code.size == 0 && u256_is_zero(&account->balance);
}
static inline void world_balance(void *c, const struct address *a, struct u256 *out) {
    *out = world_account(c, a)->balance;
}
static inline uint64_t world_nonce(void *c, const struct address *a) {
    return world_account(c, a)->nonce;
}
static inline struct bytes world_code(void *c, const struct address *a) {
    return world_account(c, a)->code;
}
static inline void world_code_hash(void *c, const struct address *a, struct hash32 *out) {
    *out = world_account(c, a)->code_hash;
}
static inline bool world_has_storage(void *c, const struct address *a) {
    (void)c;
    (void)a;
    return false;
}
static inline void world_set_balance(void *c, const struct address *a, const struct u256 *value) {
    world_change(c, a)->balance = *value;
}
static inline void world_set_nonce(void *c, const struct address *a, uint64_t nonce) {
    world_change(c, a)->nonce = nonce;
}
static inline void world_set_code(void *c, const struct address *a, struct bytes code) {
    struct world *w = c;
    CHECK(w->codes_used + code.size <= WORLD_UNDO_BYTES);
    struct world_account *account = world_change(w, a);
    if (code.size != 0) memcpy(w->codes + w->codes_used, code.data, code.size);
    account->code = (struct bytes){w->codes + w->codes_used, code.size};
    account->code_hash = keccak256(account->code);
    w->codes_used += code.size;
}
static inline void world_touch(void *c, const struct address *a) {
    struct world_account *account = world_account(c, a);
    world_save(c, account, sizeof *account);
    account->is_touched = true;
}
static inline void world_create_account(void *c, const struct address *a) {
    struct world_account *account = world_change(c, a);
    account->nonce = 0;
    account->code = BYTES_EMPTY;
    account->code_hash = KECCAK_EMPTY;
    account->is_created = true;
}
static inline bool world_created(void *c, const struct address *a) {
    return world_account(c, a)->is_created;
}
static inline void world_destroy(void *c, const struct address *a) {
    world_change(c, a)->is_destroyed = true;
}
static inline bool world_is_destroyed(void *c, const struct address *a) {
    return world_account(c, a)->is_destroyed;
}
static inline void world_storage(void *c, const struct address *a, const struct hash32 *key,
                                 struct u256 *out) {
    *out = world_slot(c, a, key)->value;
}
static inline void world_storage_original(void *c, const struct address *a,
                                          const struct hash32 *key, struct u256 *out) {
    *out = world_slot(c, a, key)->original;
}
static inline void world_set_storage(void *c, const struct address *a, const struct hash32 *key,
                                     const struct u256 *value) {
    struct world_slot *slot = world_slot(c, a, key);
    world_save(c, &slot->value, sizeof slot->value);
    slot->value = *value;
}
static inline void world_transient(void *c, const struct address *a, const struct hash32 *key,
                                   struct u256 *out) {
    *out = world_slot(c, a, key)->transient;
}
static inline void world_set_transient(void *c, const struct address *a, const struct hash32 *key,
                                       const struct u256 *value) {
    struct world_slot *slot = world_slot(c, a, key);
    world_save(c, &slot->transient, sizeof slot->transient);
    slot->transient = *value;
}
static inline bool world_warm(struct world *w, bool *flag) {
    if (*flag) return true;
    world_save(w, flag, sizeof *flag);
    *flag = true;
    return false;
}
static inline bool world_warm_address(void *c, const struct address *a) {
    return world_warm(c, &world_account(c, a)->is_warm);
}
static inline bool world_warm_slot(void *c, const struct address *a, const struct hash32 *key) {
    return world_warm(c, &world_slot(c, a, key)->is_warm);
}
static inline size_t world_checkpoint(void *c) {
    return ((struct world *)c)->undo_used;
}
static inline void world_rollback(void *c, size_t checkpoint) {
    struct world *w = c;
    while (w->undo_used > checkpoint) {
        void *at;
        size_t size;
        w->undo_used -= 16;
        memcpy(&at, w->undo + w->undo_used, 8);
        memcpy(&size, w->undo + w->undo_used + 8, 8);
        w->undo_used -= size;
        memcpy(at, w->undo + w->undo_used, size);
    }
}
static inline void world_block_hash(void *c, uint64_t number, struct hash32 *out) {
    (void)c;
    *out = (struct hash32){{0}};
    be_write(out->bytes + 24, 8, number);
    *out = keccak256(hash_bytes(out));
}

static inline struct evm_host world_host(struct world *w) {
    return (struct evm_host){.context = w,
                             .exists = world_exists,
                             .is_empty = world_is_empty,
                             .balance = world_balance,
                             .nonce = world_nonce,
                             .code = world_code,
                             .code_hash = world_code_hash,
                             .has_storage = world_has_storage,
                             .set_balance = world_set_balance,
                             .set_nonce = world_set_nonce,
                             .set_code = world_set_code,
                             .touch = world_touch,
                             .create_account = world_create_account,
                             .created_in_transaction = world_created,
                             .destroy = world_destroy,
                             .is_destroyed = world_is_destroyed,
                             .storage = world_storage,
                             .storage_original = world_storage_original,
                             .set_storage = world_set_storage,
                             .transient = world_transient,
                             .set_transient = world_set_transient,
                             .warm_address = world_warm_address,
                             .warm_slot = world_warm_slot,
                             .checkpoint = world_checkpoint,
                             .rollback = world_rollback,
                             .block_hash = world_block_hash};
}

/* world_map gives zeroed memory that costs only where it is touched. */
static inline void *world_map(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

static inline struct world *world_new(void) {
    struct world *w = world_map(sizeof *w);
    w->undo = world_map(WORLD_UNDO_BYTES);
    w->codes = world_map(WORLD_UNDO_BYTES);
    return w;
}

static inline struct evm *world_evm(void) {
    struct evm *evm;
    CHECK(evm_create(world_map(EVM_ARENA_BYTES), EVM_ARENA_BYTES, &evm) == ERR_OK);
    return evm;
}

/* world_clear makes the world empty again. */
static inline void world_clear(struct world *w) {
    for (size_t i = 0; i < w->accounts_count; i++)
        memset(&w->accounts[w->accounts_used[i]], 0, sizeof w->accounts[0]);
    for (size_t i = 0; i < w->slots_count; i++)
        memset(&w->slots[w->slots_used[i]], 0, sizeof w->slots[0]);
    w->accounts_count = w->slots_count = 0;
    w->undo_used = w->codes_used = 0;
}

/* world_end_transaction forgets what a transaction leaves: warmth, transient storage, originals. */
static inline void world_end_transaction(struct world *w) {
    for (size_t i = 0; i < w->accounts_count; i++) {
        struct world_account *account = &w->accounts[w->accounts_used[i]];
        account->is_warm = account->is_created = false;
    }
    for (size_t i = 0; i < w->slots_count; i++) {
        struct world_slot *slot = &w->slots[w->slots_used[i]];
        slot->is_warm = false;
        slot->original = slot->value;
        slot->transient = U256_ZERO;
    }
    w->undo_used = 0;
}
