/* Items of the EVM: each verdict at the door and at the committed state, and application. */
#include "base/rlp.h"
#include "workloads/test_world.h"
#include "workloads/workload.h"

static const struct ethereum_ancestors no_ancestors = {NULL, NULL};

static void load(struct test_world *world) {
    static struct genesis_account accounts[TEST_ACCOUNTS_COUNT + 2];
    static const uint8_t delegation[23] = {0xef, 0x01, 0x00, 0xaa};
    static const uint8_t code[1] = {0x00};
    const struct chain_config config = chain_config_for_fork(FORK_OSAKA);
    test_accounts(accounts);
    accounts[TEST_ACCOUNTS_COUNT] = (struct genesis_account){.address = test_address(3),
                                                             .nonce = 5,
                                                             .balance = accounts[4].balance,
                                                             .code = BYTES_OF(delegation)};
    accounts[TEST_ACCOUNTS_COUNT + 1] = (struct genesis_account){
        .address = test_address(4), .balance = accounts[4].balance, .code = BYTES_OF(code)};
    test_world_load(world, &config, accounts, TEST_ACCOUNTS_COUNT + 2);
}

static void sign(struct transaction *transaction, uint8_t n, struct arena *arena) {
    const struct secp_key key = test_key(n);
    CHECK(transaction_sign(transaction, &key, arena) == ERR_OK);
}

static enum verdict inspect(struct test_world *world, struct bytes encoded, struct item *out) {
    return workload_by_kind(WORKLOAD_KIND_EVM)
        ->inspect(&world->genesis.config, FORK_OSAKA, encoded, &world->arena, out);
}

static void test_inspect(void) {
    struct test_world world;
    struct item item;
    load(&world);
    struct transaction transfer = test_transfer(&world.arena, 3, 7);
    const struct address sender = test_address(1);
    CHECK(inspect(&world, transfer.encoded, &item) == VERDICT_ACCEPTED);
    CHECK(item.kind == WORKLOAD_KIND_EVM && item.sequence == 3 && item.weight == 21000);
    CHECK(address_equal(&item.lane, &sender) && hash_equal(&item.hash, &transfer.hash));
    CHECK(item.cost_max.limb[0] == 21000 * 2000000000ull + 7);

    static uint8_t big[ITEM_BYTES_MAX + 1];
    CHECK(inspect(&world, BYTES_OF(big), &item) == VERDICT_OVERSIZED);
    CHECK(inspect(&world, BYTES_EMPTY, &item) == VERDICT_MALFORMED);
    CHECK(inspect(&world, BYTES_STRING("\x03garbage"), &item) == VERDICT_BLOB_UNSUPPORTED);
    CHECK(inspect(&world, BYTES_STRING("\x05garbage"), &item) == VERDICT_TYPE_UNSUPPORTED);
#define REFUSED(change, expected)                                                                  \
    do {                                                                                           \
        struct transaction one = transfer;                                                         \
        change;                                                                                    \
        sign(&one, 1, &world.arena);                                                               \
        CHECK(inspect(&world, one.encoded, &item) == (expected));                                  \
    } while (0)
    REFUSED(one.chain_id = 2, VERDICT_CHAIN_ID);
    REFUSED(one.gas_limit = 20999, VERDICT_INTRINSIC_GAS);
    REFUSED(one.gas_limit = (1 << 24) + 1, VERDICT_TX_GAS_LIMIT);
    REFUSED(one.max_priority_fee = U256_MAX, VERDICT_TIP_ABOVE_FEE);
    REFUSED(one.nonce = UINT64_MAX, VERDICT_NONCE_MAX);
    REFUSED(one.value = U256_MAX, VERDICT_FUNDS);
    REFUSED(one.type = TRANSACTION_SET_CODE, VERDICT_AUTHORIZATION_EMPTY);
    REFUSED((one.type = TRANSACTION_LEGACY, one.is_protected = false, one.chain_id = 0),
            VERDICT_UNPROTECTED);
#undef REFUSED
    struct transaction forged = transfer;
    uint8_t memory[256];
    struct buffer out = buffer_over(memory, sizeof memory);
    forged.s = U256_MAX;
    transaction_encode(&forged, &out);
    CHECK(inspect(&world, buffer_bytes(&out), &item) == VERDICT_SIGNATURE);
}

static enum verdict admit(struct test_world *world, const struct item *item,
                          struct lane_view *lane) {
    const struct admit_context context = {.config = &world->genesis.config,
                                          .reader = &world->reader,
                                          .fork = FORK_OSAKA,
                                          .base_fee = u256_from_u64(1000),
                                          .block_weight_max = 30000000};
    enum verdict verdict;
    CHECK(
        workload_by_kind(WORKLOAD_KIND_EVM)->admit(&context, item, &world->arena, lane, &verdict) ==
        ERR_OK);
    return verdict;
}

static void test_admit(void) {
    struct test_world world;
    struct lane_view lane;
    load(&world);
    struct item item = {.lane = test_address(1), .weight = 21000, .fee_max = u256_from_u64(1000)};
    CHECK(admit(&world, &item, &lane) == VERDICT_ACCEPTED);
    CHECK(lane.sequence_next == 0 && !lane.is_limited && u256_bits(&lane.balance) > 64);
    item.sequence = 1000; /* gaps are the pool's business */
    CHECK(admit(&world, &item, &lane) == VERDICT_ACCEPTED);
    item.fee_max = u256_from_u64(999);
    CHECK(admit(&world, &item, &lane) == VERDICT_ACCEPTED); /* the base fee may sink */
    item.fee_max = u256_from_u64(1000);
    item.cost_max = U256_MAX;
    CHECK(admit(&world, &item, &lane) == VERDICT_FUNDS);
    item.cost_max = U256_ZERO;
    item.weight = 30000001;
    CHECK(admit(&world, &item, &lane) == VERDICT_BLOCK_GAS);
    item.weight = 21000;
    item.lane = test_address(3);
    item.sequence = 4;
    CHECK(admit(&world, &item, &lane) == VERDICT_NONCE_TOO_LOW);
    item.sequence = 5;
    CHECK(admit(&world, &item, &lane) == VERDICT_ACCEPTED);
    CHECK(lane.is_limited && lane.sequence_next == 5);
    item.lane = test_address(4);
    CHECK(admit(&world, &item, &lane) == VERDICT_SENDER_NOT_EOA);
    item.lane = test_address(77); /* no such account */
    item.cost_max = U256_ONE;
    CHECK(admit(&world, &item, &lane) == VERDICT_FUNDS);
    CHECK(lane.sequence_next == 0);
}

static void test_apply(void) {
    const struct workload *workload = workload_by_kind(WORKLOAD_KIND_EVM);
    struct test_world world;
    struct state *state;
    struct ethereum_block block;
    struct item item;
    enum verdict verdict;
    load(&world);
    struct header header = world.genesis_header;
    header.number = header.timestamp = 1;
    CHECK(state_begin(&world.arena, &world.reader, &state) == ERR_OK);
    CHECK(ethereum_block_begin(&block, world.evm, state, &world.arena, &world.genesis.config,
                               &no_ancestors, &header, 1) == ERR_OK);
    const struct transaction early = test_transfer(&world.arena, 1, 5);
    CHECK(inspect(&world, early.encoded, &item) == VERDICT_ACCEPTED);
    CHECK(workload->apply(&block, &item, &verdict) == ERR_OK);
    CHECK(verdict == VERDICT_NONCE_TOO_HIGH && block.receipts_count == 0);
    const struct transaction transfer = test_transfer(&world.arena, 0, 5);
    CHECK(inspect(&world, transfer.encoded, &item) == VERDICT_ACCEPTED);
    CHECK(workload->apply(&block, &item, &verdict) == ERR_OK);
    CHECK(verdict == VERDICT_ACCEPTED && block.receipts_count == 1 && block.gas_used == 21000);
    struct u256 balance;
    const struct address receiver = test_address(2);
    state_balance(state, &receiver, &balance);
    CHECK(balance.limb[0] == 5);
    CHECK(workload->apply(&block, &item, &verdict) == ERR_LIMIT); /* room for one was asked */
}

static void test_registry(void) {
    size_t count = 0;
    for (unsigned kind = 0; kind <= UINT8_MAX; kind++) {
        const struct workload *workload = workload_by_kind((uint8_t)kind);
        if (workload == NULL) continue;
        CHECK(workload->kind == kind);
        count += 1;
    }
    CHECK(count >= 1);
    CHECK(workload_by_kind(200) == NULL);
}

int main(void) {
    test_inspect();
    test_admit();
    test_apply();
    test_registry();
    return 0;
}
