/* EIP-6110 deposits: the log's layout to the byte, and the hash that comes out. */
#include "base/merkle.h"
#include "workloads/test_world.h"

#define EVENT_BYTES 576

/* Code that logs its call data under the deposit event's topic:
 * CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY PUSH32 topic CALLDATASIZE PUSH0 LOG1 STOP. */
static const uint8_t logger[] = {0x36, 0x5f, 0x5f, 0x37, 0x7f, 0x64, 0x9b, 0xbc, 0x62, 0xd0, 0xe3,
                                 0x13, 0x42, 0xaf, 0xea, 0x4e, 0x5c, 0xd8, 0x2d, 0x40, 0x49, 0xe7,
                                 0xe1, 0xee, 0x91, 0x2f, 0xc0, 0x88, 0x9a, 0xa7, 0x90, 0x80, 0x3b,
                                 0xe3, 0x90, 0x38, 0xc5, 0x36, 0x5f, 0xa1, 0x00};

static void event_bytes(uint8_t out[EVENT_BYTES]) {
    static const struct {
        size_t offset;
        uint8_t size;
    } fields[5] = {{160, 48}, {256, 32}, {320, 8}, {384, 96}, {512, 8}};
    memset(out, 0, EVENT_BYTES);
    for (size_t i = 0; i < 5; i++) {
        be_write(out + 32 * i + 24, 8, fields[i].offset);
        out[fields[i].offset + 31] = fields[i].size;
        memset(out + fields[i].offset + 32, (int)(0xa0 + i), fields[i].size);
    }
}

/* run_event lets the deposit contract log `data` and ends the block. */
static struct block_fault run_event(struct bytes data, struct hash32 *requests_hash) {
    struct genesis_account accounts[TEST_ACCOUNTS_COUNT + 1];
    const struct chain_config config = chain_config_for_fork(FORK_PRAGUE);
    static const struct ethereum_ancestors no_ancestors = {NULL, NULL};
    struct test_world world;
    test_accounts(accounts);
    accounts[TEST_ACCOUNTS_COUNT] = (struct genesis_account){
        .address = config.deposit_contract, .nonce = 1, .code = BYTES_OF(logger)};
    test_world_load(&world, &config, accounts, TEST_ACCOUNTS_COUNT + 1);

    struct state *state;
    struct ethereum_block block;
    struct block_fault fault;
    struct header header = world.genesis_header;
    header.number = header.timestamp = 1;
    CHECK(state_begin(&world.arena, &world.reader, &state) == ERR_OK);
    CHECK(ethereum_block_begin(&block, world.evm, state, &world.arena, &config, &no_ancestors,
                               &header, 1) == ERR_OK);
    struct transaction transaction = test_transfer(&world.arena, 0, 0);
    transaction.to = config.deposit_contract;
    transaction.data = data;
    transaction.gas_limit = 200000;
    const struct secp_key key = test_key(1);
    enum verdict verdict;
    struct evm_result result;
    CHECK(transaction_sign(&transaction, &key, &world.arena) == ERR_OK);
    CHECK(ethereum_block_apply(&block, &transaction, &verdict, &result) == ERR_OK);
    CHECK(verdict == VERDICT_ACCEPTED && result.logs_count == 1);
    CHECK(ethereum_block_end(&block, NULL, 0, NULL, 0, &header, &fault) == ERR_OK);
    *requests_hash = header.requests_hash;
    return fault;
}

int main(void) {
    uint8_t event[EVENT_BYTES];
    struct hash32 found;
    event_bytes(event);
    CHECK(run_event(BYTES_OF(event), &found).verdict == VERDICT_ACCEPTED);

    /* The request is the five fields in a row behind its type; the hash is of hashes. */
    uint8_t request[1 + 192] = {0};
    memset(request + 1, 0xa0, 48);
    memset(request + 49, 0xa1, 32);
    memset(request + 81, 0xa2, 8);
    memset(request + 89, 0xa3, 96);
    memset(request + 185, 0xa4, 8);
    const struct hash32 inner = sha256(BYTES_OF(request));
    const struct hash32 expected = sha256(hash_bytes(&inner));
    CHECK(hash_equal(&found, &expected));

    /* Any offset or length that is not the one of the contract makes the block invalid. */
    static const size_t positions[] = {31, 63, 95, 127, 159, 191, 287, 351, 415, 543, 0, 24};
    for (size_t i = 0; i < sizeof positions / sizeof positions[0]; i++) {
        event_bytes(event);
        event[positions[i]] ^= 1;
        const struct block_fault fault = run_event(BYTES_OF(event), &found);
        CHECK(fault.verdict == VERDICT_BLOCK_INVALID);
        CHECK(strcmp(fault.reason, "deposit event has a wrong layout") == 0);
    }
    event_bytes(event);
    CHECK(run_event((struct bytes){event, EVENT_BYTES - 1}, &found).verdict ==
          VERDICT_BLOCK_INVALID);
    CHECK(run_event(BYTES_EMPTY, &found).verdict == VERDICT_BLOCK_INVALID);
    return 0;
}
