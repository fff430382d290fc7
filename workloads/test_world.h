#pragma once
/* What the tests of this folder execute in: an EVM, state tables in memory, funded keys. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/keccak.h"
#include "chain/transaction.h"
#include "state/kv_memory.h"
#include "workloads/ethereum.h"
#include "workloads/system_contracts.h"

#define TEST_ARENA_BYTES ((size_t)64 << 20)

struct test_world {
    struct evm *evm;
    struct arena arena;
    struct kv_memory *kv;
    struct kv_reader reader;
    struct genesis genesis;
    struct header genesis_header;
};

/* test_key is the n-th key; its secret is the number n. */
static inline struct secp_key test_key(uint8_t n) {
    struct secp_key key = {{[31] = n}};
    return key;
}

static inline struct address test_address(uint8_t n) {
    const struct secp_key key = test_key(n);
    return secp_key_address(&key);
}

/* test_world_load makes the accounts the state of block 0, in a header that fits the config's fork.
 */
static inline void test_world_load(struct test_world *world, const struct chain_config *config,
                                   const struct genesis_account *accounts, size_t count) {
    static uint8_t *evm_memory, *arena_memory, *kv_memory;
    if (evm_memory == NULL) {
        evm_memory = calloc(1, EVM_ARENA_BYTES);
        arena_memory = calloc(1, TEST_ARENA_BYTES);
        kv_memory = aligned_alloc(16, TEST_ARENA_BYTES);
    }
    memset(world, 0, sizeof *world);
    CHECK(evm_create(evm_memory, EVM_ARENA_BYTES, &world->evm) == ERR_OK);
    world->arena = arena_over(arena_memory, TEST_ARENA_BYTES);
    world->kv = kv_memory_create(kv_memory, TEST_ARENA_BYTES);
    CHECK(world->kv != NULL);
    world->reader = kv_memory_reader(world->kv);

    const enum fork fork = fork_at(config, 0, 0);
    struct header *header = &world->genesis.header;
    *header = header_empty(fork);
    header->gas_limit = 30000000;
    header->base_fee = u256_from_u64(1000000000);
    world->genesis.config = *config;
    world->genesis.accounts = accounts;
    world->genesis.accounts_count = count;

    struct state *state;
    const struct kv_write *writes;
    size_t writes_count;
    CHECK(state_begin(&world->arena, &world->reader, &state) == ERR_OK);
    CHECK(ethereum_genesis(&world->genesis, state, &world->genesis_header) == ERR_OK);
    CHECK(state_writes(state, &writes, &writes_count) == ERR_OK);
    CHECK(kv_memory_apply(world->kv, writes, writes_count) == ERR_OK);
    arena_reset(&world->arena);
}

/* test_accounts lists the four system contracts and then key 1 with 100 ether. */
#define TEST_ACCOUNTS_COUNT (SYSTEM_CONTRACTS_COUNT + 1)
static inline void test_accounts(struct genesis_account out[TEST_ACCOUNTS_COUNT]) {
    memset(out, 0, TEST_ACCOUNTS_COUNT * sizeof *out);
    system_contracts_list(out);
    const struct u256 ether = u256_from_u64(1000000000000000000u), hundred = u256_from_u64(100);
    out[SYSTEM_CONTRACTS_COUNT].address = test_address(1);
    out[SYSTEM_CONTRACTS_COUNT].balance = u256_mul(&ether, &hundred);
}

/* test_transfer is a signed transfer of `value` wei from key 1 to key 2. */
static inline struct transaction test_transfer(struct arena *arena, uint64_t nonce,
                                               uint64_t value) {
    struct transaction out = {.type = TRANSACTION_DYNAMIC_FEE,
                              .is_protected = true,
                              .chain_id = 1,
                              .nonce = nonce,
                              .max_priority_fee = u256_from_u64(1),
                              .max_fee = u256_from_u64(2000000000),
                              .gas_limit = 21000,
                              .to = test_address(2),
                              .value = u256_from_u64(value)};
    const struct secp_key key = test_key(1);
    CHECK(transaction_sign(&out, &key, arena) == ERR_OK);
    return out;
}
