/* Blocks built and then checked, and every way in which a checked block may be wrong. */
#include <stdio.h>

#include "base/hex.h"
#include "base/rlp.h"
#include "workloads/test_world.h"

/* A block with two transfers and a withdrawal, as its proposer seals it. */
struct sealed {
    struct block block;
    struct bytes transactions[2];
    struct withdrawal withdrawal;
};

static const struct ethereum_ancestors no_ancestors = {NULL, NULL};

static struct header child_of(const struct header *parent, const struct chain_config *config) {
    struct header header = *parent;
    header.number = parent->number + 1;
    header.timestamp = parent->timestamp + 12;
    header.parent_hash = header_hash(parent);
    const enum fork fork = fork_at(config, header.number, header.timestamp);
    header.tail_fields = header_tail_fields(fork);
    header.base_fee = header_next_base_fee(parent);
    header.excess_blob_gas = header_next_excess_blob_gas(config, fork, parent);
    header.coinbase = test_address(9);
    return header;
}

static void seal(struct test_world *world, struct sealed *out) {
    const struct chain_config *config = &world->genesis.config;
    struct ethereum_block block;
    struct state *state;
    struct block_fault fault;
    memset(out, 0, sizeof *out);
    struct header header = child_of(&world->genesis_header, config);
    CHECK(state_begin(&world->arena, &world->reader, &state) == ERR_OK);
    CHECK(ethereum_block_begin(&block, world->evm, state, &world->arena, config, &no_ancestors,
                               &header, 2) == ERR_OK);
    for (uint64_t nonce = 0; nonce < 2; nonce++) {
        enum verdict verdict;
        struct evm_result result;
        const struct transaction transfer = test_transfer(&world->arena, nonce, 1000);
        CHECK(ethereum_block_apply(&block, &transfer, &verdict, &result) == ERR_OK);
        CHECK(verdict == VERDICT_ACCEPTED && result.gas_used == 21000);
        out->transactions[nonce] = transfer.encoded;
    }
    out->withdrawal = (struct withdrawal){7, 8, test_address(5), 3};
    CHECK(ethereum_block_end(&block, NULL, 0, &out->withdrawal, 1, &header, &fault) == ERR_OK);
    CHECK(fault.verdict == VERDICT_ACCEPTED);
    CHECK(transactions_root(out->transactions, 2, &world->arena, &header.transactions_root) ==
          ERR_OK);
    CHECK(withdrawals_root(&out->withdrawal, 1, &world->arena, &header.withdrawals_root) == ERR_OK);
    CHECK(header.gas_used == 42000);
    out->block = (struct block){.header = header,
                                .transactions = out->transactions,
                                .transactions_count = 2,
                                .has_withdrawals = true,
                                .withdrawals = &out->withdrawal,
                                .withdrawals_count = 1};
    out->block.hash = header_hash(&header);
}

static struct block_fault check(struct test_world *world, const struct block *block,
                                const struct address *senders) {
    static struct ethereum_block scratch;
    struct state *state;
    struct block_fault fault;
    CHECK(state_begin(&world->arena, &world->reader, &state) == ERR_OK);
    CHECK(ethereum_block_check(&scratch, world->evm, state, &world->arena, &world->genesis.config,
                               &no_ancestors, &world->genesis_header, block, senders,
                               &fault) == ERR_OK);
    return fault;
}

static void load_prague(struct test_world *world) {
    static struct genesis_account accounts[TEST_ACCOUNTS_COUNT];
    const struct chain_config config = chain_config_for_fork(FORK_PRAGUE);
    test_accounts(accounts);
    test_world_load(world, &config, accounts, TEST_ACCOUNTS_COUNT);
}

static void test_good_block(void) {
    struct test_world world;
    struct sealed sealed;
    load_prague(&world);
    seal(&world, &sealed);
    CHECK(check(&world, &sealed.block, NULL).verdict == VERDICT_ACCEPTED);
    /* Senders that were recovered before are believed; unknown ones are recovered. */
    const struct address senders[2] = {test_address(1), {{0}}};
    CHECK(check(&world, &sealed.block, senders).verdict == VERDICT_ACCEPTED);
    const struct address wrong[2] = {test_address(3), test_address(1)};
    const struct block_fault fault = check(&world, &sealed.block, wrong);
    CHECK(fault.verdict == VERDICT_BLOCK_INVALID && fault.transaction_index == 0);
    CHECK(fault.transaction_verdict == VERDICT_FUNDS);
}

static void expect(struct test_world *world, const struct block *block, const char *reason) {
    const struct block_fault fault = check(world, block, NULL);
    if (fault.reason == NULL || strcmp(fault.reason, reason) != 0) {
        fprintf(stderr, "expected \"%s\", found \"%s\"\n", reason,
                fault.reason == NULL ? "" : fault.reason);
    }
    CHECK(fault.verdict == VERDICT_BLOCK_INVALID);
    CHECK(strcmp(fault.reason, reason) == 0);
}

/* Each line makes one field of the header wrong. */
static void test_wrong_headers(void) {
    struct test_world world;
    struct sealed sealed;
    load_prague(&world);
    seal(&world, &sealed);
#define WRONG(change, reason)                                                                      \
    do {                                                                                           \
        struct block block = sealed.block;                                                         \
        struct header *header = &block.header;                                                     \
        change;                                                                                    \
        (void)header;                                                                              \
        expect(&world, &block, reason);                                                            \
    } while (0)
    WRONG(header->number = 2, "number does not follow the parent's");
    WRONG(header->parent_hash.bytes[0] ^= 1, "parent hash differs");
    WRONG(header->timestamp = 0, "timestamp is not after the parent's");
    WRONG(header->gas_limit += header->gas_limit / 1024, "gas limit moves too far");
    WRONG(header->gas_used = header->gas_limit + 1, "gas used exceeds gas limit");
    WRONG(header->difficulty = U256_ONE, "difficulty is not zero");
    WRONG(header->nonce[7] = 1, "nonce is not zero");
    WRONG(header->ommers_hash.bytes[0] ^= 1, "ommers are not empty");
    WRONG(header->tail_fields = HEADER_TAIL_CANCUN, "header fields are not the fork's");
    WRONG(header->base_fee = U256_ONE, "base fee differs");
    WRONG(header->blob_gas_used = 1, "blob gas used is not whole blobs");
    WRONG(header->blob_gas_used = 10 * 131072, "blob gas is too much");
    WRONG(header->excess_blob_gas = 131072, "excess blob gas differs");
    WRONG(header->blob_gas_used = 131072, "blob gas used differs");
    WRONG(header->transactions_root.bytes[0] ^= 1, "transactions root differs");
    WRONG(header->withdrawals_root.bytes[0] ^= 1, "withdrawals root differs");
    WRONG(header->gas_used -= 1, "gas used differs");
    WRONG(header->bloom.bytes[0] = 1, "bloom differs");
    WRONG(header->receipts_root.bytes[0] ^= 1, "receipts root differs");
    WRONG(header->requests_hash.bytes[0] ^= 1, "requests hash differs");
    WRONG(header->state_root.bytes[0] ^= 1, "state root differs");
    WRONG(block.has_withdrawals = false, "withdrawals are not the fork's");
    WRONG(block.transactions_count = 1, "transactions root differs");
#undef WRONG
}

/* The rollup's blocks may share a second, but not go back. */
static void test_shared_second(void) {
    struct chain_config config = chain_config_for_fork(FORK_PRAGUE);
    struct test_world world;
    struct block_fault fault;
    load_prague(&world);
    struct header parent = world.genesis_header;
    parent.timestamp = 100;
    struct header header = child_of(&parent, &config);
    header.timestamp = parent.timestamp;
    ethereum_header_check(&config, &parent, &header, &fault);
    CHECK(fault.verdict == VERDICT_BLOCK_INVALID);
    config.is_rollup = true;
    ethereum_header_check(&config, &parent, &header, &fault);
    CHECK(fault.verdict == VERDICT_ACCEPTED);
    header.timestamp -= 1;
    ethereum_header_check(&config, &parent, &header, &fault);
    CHECK(fault.verdict == VERDICT_BLOCK_INVALID);
}

/* A Prague chain whose genesis lacks a queue contract has no valid block (EIP-7002). */
static void test_missing_system_contract(void) {
    struct genesis_account accounts[TEST_ACCOUNTS_COUNT];
    const struct chain_config config = chain_config_for_fork(FORK_PRAGUE);
    struct test_world world;
    struct ethereum_block block;
    struct state *state;
    struct block_fault fault;
    test_accounts(accounts);
    test_world_load(&world, &config, accounts, 2); /* roots and history only */
    struct header header = child_of(&world.genesis_header, &config);
    CHECK(state_begin(&world.arena, &world.reader, &state) == ERR_OK);
    CHECK(ethereum_block_begin(&block, world.evm, state, &world.arena, &config, &no_ancestors,
                               &header, 0) == ERR_OK);
    CHECK(ethereum_block_end(&block, NULL, 0, NULL, 0, &header, &fault) == ERR_OK);
    CHECK(strcmp(fault.reason, "system contract is not deployed") == 0);
}

static struct u256 balance_after(struct ethereum_block *block, const struct address *address) {
    struct u256 out;
    state_balance(block->world.state, address, &out);
    return out;
}

/* Yellow Paper, section 11.3: an ommer one block back earns 7/8, its nephew 1/32 more. */
static void test_rewards(void) {
    static const struct {
        enum fork fork;
        uint64_t ether;
    } cases[] = {{FORK_FRONTIER, 5}, {FORK_BYZANTIUM, 3}, {FORK_PETERSBURG, 2}, {FORK_PARIS, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct chain_config config = chain_config_for_fork(cases[i].fork);
        struct test_world world;
        struct ethereum_block block;
        struct state *state;
        struct block_fault fault;
        test_world_load(&world, &config, NULL, 0);
        struct header header = child_of(&world.genesis_header, &config);
        header.number = 10;
        struct header ommer = world.genesis_header;
        ommer.number = 9;
        ommer.coinbase = test_address(8);
        CHECK(state_begin(&world.arena, &world.reader, &state) == ERR_OK);
        CHECK(ethereum_block_begin(&block, world.evm, state, &world.arena, &config, &no_ancestors,
                                   &header, 0) == ERR_OK);
        CHECK(ethereum_block_end(&block, &ommer, 1, NULL, 0, &header, &fault) == ERR_OK);
        const uint64_t wei = cases[i].ether * 1000000000000000000u;
        const struct u256 miner = balance_after(&block, &header.coinbase);
        const struct u256 uncle = balance_after(&block, &ommer.coinbase);
        CHECK(miner.limb[0] == wei + wei / 32 && u256_fits_u64(&miner));
        CHECK(uncle.limb[0] == wei / 8 * 7 && u256_fits_u64(&uncle));
    }
}

/* The DAO itself is among the drained accounts (EIP-779). */
static void test_dao_fork(void) {
    struct genesis_account dao = {.balance = {{777, 0, 0, 0}}};
    struct address refund;
    CHECK(hex_to_address(BYTES_STRING("0xbb9bc244d798123fde783fcc1c72d3bb8c189413"),
                         &dao.address) == ERR_OK);
    CHECK(hex_to_address(BYTES_STRING("0xbf4ed7b27f1d666546e30d74d50d173d20bca754"), &refund) ==
          ERR_OK);
    struct chain_config config = chain_config_for_fork(FORK_HOMESTEAD);
    config.is_dao_fork_supported = true;
    for (uint64_t fork_block = 1; fork_block <= 2; fork_block++) {
        struct test_world world;
        struct ethereum_block block;
        struct state *state;
        config.dao_fork_block = fork_block;
        test_world_load(&world, &config, &dao, 1);
        const struct header header = child_of(&world.genesis_header, &config);
        CHECK(state_begin(&world.arena, &world.reader, &state) == ERR_OK);
        CHECK(ethereum_block_begin(&block, world.evm, state, &world.arena, &config, &no_ancestors,
                                   &header, 0) == ERR_OK);
        const struct u256 left = balance_after(&block, &dao.address);
        const struct u256 moved = balance_after(&block, &refund);
        CHECK(left.limb[0] == (fork_block == 1 ? 0 : 777));
        CHECK(moved.limb[0] == (fork_block == 1 ? 777 : 0));
    }
}

int main(void) {
    test_good_block();
    test_wrong_headers();
    test_shared_second();
    test_missing_system_contract();
    test_rewards();
    test_dao_fork();
    return 0;
}
