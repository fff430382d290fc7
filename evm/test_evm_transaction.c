/* What a transaction must fulfil, pays and leaves: EIP-2, 155, 1559, 2930, 3529, 3607, 3651, 3860,
 * 4844, 7623, 7702, 7825, system calls, observers. */
#include "base/secp.h"
#include "chain/transaction.h"
#include "evm/test_run.h"

static struct u256 balance_of(const struct run *run, const struct address *address) {
    return world_account(run->world, address)->balance;
}

/* --- verdicts */

struct verdict_case {
    enum fork fork;
    struct transaction transaction;
    enum verdict verdict;
};

static const struct hash32 blob_hash = {{0x01}};
static const struct hash32 blob_hash_wrong = {{0x02}};
static const struct authorization authorization = {.nonce = 0};
static uint8_t large[60000];

#define LIMITED(gas)  .gas_limit = (gas), .to = RUN_TARGET
#define MANY_BLOBS(n) .blob_hashes = blob_hashes, .blob_hashes_count = (n)

static struct hash32 blob_hashes[10];

#define ONE                                                                                        \
    {                                                                                              \
        { 1, 0, 0, 0 }                                                                             \
    }
#define MAX                                                                                        \
    {                                                                                              \
        { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX }                                         \
    }

static const struct verdict_case cases[] = {
    {FORK_OSAKA, {LIMITED(21000)}, VERDICT_ACCEPTED},
    {FORK_OSAKA, {LIMITED(20999)}, VERDICT_INTRINSIC_GAS},
    {FORK_OSAKA, {LIMITED((1 << 24) + 1)}, VERDICT_TX_GAS_LIMIT},
    {FORK_OSAKA, {LIMITED(1 << 24)}, VERDICT_ACCEPTED},
    {FORK_PRAGUE, {LIMITED((1 << 24) + 1)}, VERDICT_ACCEPTED},
    {FORK_PRAGUE, {LIMITED(100000001)}, VERDICT_BLOCK_GAS},
    {FORK_OSAKA, {LIMITED(21000), .is_protected = true, .chain_id = 2}, VERDICT_CHAIN_ID},
    {FORK_OSAKA, {LIMITED(21000), .is_protected = true, .chain_id = 1}, VERDICT_ACCEPTED},
    {FORK_TANGERINE, {LIMITED(21000), .is_protected = true, .chain_id = 1}, VERDICT_CHAIN_ID},
    {FORK_ISTANBUL, {LIMITED(21000), .type = 1, .chain_id = 1}, VERDICT_TYPE_UNSUPPORTED},
    {FORK_BERLIN, {LIMITED(21000), .type = 2, .chain_id = 1}, VERDICT_TYPE_UNSUPPORTED},
    {FORK_SHANGHAI, {LIMITED(21000), .type = 3, .chain_id = 1}, VERDICT_TYPE_UNSUPPORTED},
    {FORK_CANCUN, {LIMITED(21000), .type = 4, .chain_id = 1}, VERDICT_TYPE_UNSUPPORTED},
    {FORK_OSAKA, {LIMITED(21000), .type = 2, .max_priority_fee = ONE}, VERDICT_TIP_ABOVE_FEE},
    {FORK_OSAKA, {LIMITED(21000), .value = MAX}, VERDICT_FUNDS},
    {FORK_OSAKA, {LIMITED(21000), .max_fee = MAX}, VERDICT_FUNDS},
    {FORK_OSAKA, {LIMITED(1000000), .type = 4}, VERDICT_AUTHORIZATION_EMPTY},
    {FORK_OSAKA,
     {.gas_limit = 1000000,
      .is_create = true,
      .type = 4,
      .authorizations = &authorization,
      .authorizations_count = 1},
     VERDICT_SET_CODE_CREATE},
    {FORK_OSAKA, {LIMITED(1000000), .type = 3, .max_fee_per_blob_gas = ONE}, VERDICT_BLOB_HASHES},
    {FORK_OSAKA,
     {LIMITED(1000000), .type = 3, .blob_hashes = &blob_hash_wrong, .blob_hashes_count = 1,
      .max_fee_per_blob_gas = ONE},
     VERDICT_BLOB_HASHES},
    {FORK_OSAKA, {LIMITED(1000000), .type = 3, MANY_BLOBS(1)}, VERDICT_BLOB_FEE},
    {FORK_OSAKA,
     {LIMITED(1000000), .type = 3, MANY_BLOBS(7), .max_fee_per_blob_gas = ONE},
     VERDICT_BLOB_LIMIT},
    {FORK_PRAGUE,
     {LIMITED(1000000), .type = 3, MANY_BLOBS(7), .max_fee_per_blob_gas = ONE},
     VERDICT_ACCEPTED},
    {FORK_PRAGUE,
     {LIMITED(1000000), .type = 3, MANY_BLOBS(10), .max_fee_per_blob_gas = ONE},
     VERDICT_BLOB_LIMIT},
    {FORK_OSAKA,
     {.gas_limit = 1000000,
      .is_create = true,
      .type = 3,
      MANY_BLOBS(1),
      .max_fee_per_blob_gas = ONE},
     VERDICT_BLOB_CREATE},
    {FORK_SHANGHAI,
     {.gas_limit = 3000000, .is_create = true, .data = {large, 49153}},
     VERDICT_INITCODE_SIZE},
    {FORK_SHANGHAI,
     {.gas_limit = 3000000, .is_create = true, .data = {large, 49152}},
     VERDICT_ACCEPTED},
    {FORK_PARIS,
     {.gas_limit = 3000000, .is_create = true, .data = {large, 60000}},
     VERDICT_ACCEPTED},
    {FORK_PRAGUE, {LIMITED(21000 + 4000 * 4), .data = {large, 4000}}, VERDICT_FLOOR_DATA_GAS},
    {FORK_PRAGUE, {LIMITED(21000 + 4000 * 10), .data = {large, 4000}}, VERDICT_ACCEPTED},
    {FORK_CANCUN, {LIMITED(21000 + 4000 * 4), .data = {large, 4000}}, VERDICT_ACCEPTED},
};

static void check_verdicts(struct run *run) {
    for (size_t i = 0; i < 10; i++)
        blob_hashes[i] = blob_hash;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run_begin(run, cases[i].fork);
        struct transaction transaction = cases[i].transaction;
        run_transaction(run, &transaction);
        if (run->verdict != cases[i].verdict) {
            fprintf(stderr, "case %zu: %s\n", i, verdict_text(run->verdict));
        }
        CHECK(run->verdict == cases[i].verdict);
    }
}

static enum verdict check_only(struct run *run, const struct transaction *transaction) {
    const struct evm_host host = world_host(run->world);
    const struct evm_options options = {0};
    return evm_transaction_check(run->evm, &host, &run->block, transaction, &options, 30000000);
}

static void check_sender(struct run *run) {
    run_begin(run, FORK_OSAKA);
    world_set_nonce(run->world, &RUN_SENDER, 5);
    struct transaction transaction = {
        .gas_limit = 21000, .has_sender = true, .sender = RUN_SENDER, .nonce = 4};
    CHECK(check_only(run, &transaction) == VERDICT_NONCE_TOO_LOW);
    transaction.nonce = 6;
    CHECK(check_only(run, &transaction) == VERDICT_NONCE_TOO_HIGH);
    transaction.nonce = UINT64_MAX;
    CHECK(check_only(run, &transaction) == VERDICT_NONCE_MAX);
    transaction.nonce = 5;
    CHECK(check_only(run, &transaction) == VERDICT_ACCEPTED);
    run->block.base_fee = u256_from_u64(7);
    CHECK(check_only(run, &transaction) == VERDICT_FEE_BELOW_BASE);
    transaction.max_fee = transaction.max_priority_fee = u256_from_u64(7);
    CHECK(check_only(run, &transaction) == VERDICT_ACCEPTED);
    run_code(run, &RUN_SENDER, "00"); /* EIP-3607 */
    CHECK(check_only(run, &transaction) == VERDICT_SENDER_NOT_EOA);
    run_code(run, &RUN_SENDER, "ef0100000000000000000000000000000000000000c0de"); /* EIP-7702 */
    CHECK(check_only(run, &transaction) == VERDICT_ACCEPTED);
}

/* --- payments */

/* EIP-1559: the base fee is burnt, the tip goes to the coinbase, what is not used comes back. */
static void check_payment(struct run *run) {
    run_begin(run, FORK_OSAKA);
    run->block.base_fee = u256_from_u64(10);
    const struct address to = {{[19] = 0x77}};
    struct transaction transaction = {.type = TRANSACTION_DYNAMIC_FEE,
                                      .is_protected = true,
                                      .chain_id = 1,
                                      .gas_limit = 50000,
                                      .to = to,
                                      .value = u256_from_u64(1000),
                                      .max_fee = u256_from_u64(30),
                                      .max_priority_fee = u256_from_u64(3)};
    run_transaction(run, &transaction);
    CHECK(run->result.status == EVM_SUCCESS && run->result.gas_used == 21000);
    CHECK(run->result.effective_gas_price.limb[0] == 13);
    CHECK(balance_of(run, &to).limb[0] == 1000);
    CHECK(balance_of(run, &run->block.coinbase).limb[0] == 21000 * 3);
    CHECK(balance_of(run, &RUN_SENDER).limb[0] == RUN_BALANCE - 1000 - 21000 * 13);
    CHECK(world_account(run->world, &RUN_SENDER)->nonce == 1);
}

/* EIP-4844: the blob fee is burnt and BLOBHASH sees the hashes. */
static void check_blobs(struct run *run) {
    run_begin(run, FORK_CANCUN);
    run_code(run, &RUN_TARGET, "60004960005260206000f3");
    struct transaction transaction = {.type = TRANSACTION_BLOB,
                                      .gas_limit = 100000,
                                      .to = RUN_TARGET,
                                      .max_fee_per_blob_gas = u256_from_u64(5),
                                      .blob_hashes = &blob_hash,
                                      .blob_hashes_count = 1};
    run_transaction(run, &transaction);
    CHECK(run->result.status == EVM_SUCCESS);
    CHECK(bytes_equal(run->result.output, hash_bytes(&blob_hash)));
    CHECK(balance_of(run, &RUN_SENDER).limb[0] == RUN_BALANCE - 131072);
}

/* EIP-7623: data that is only data costs at least ten gas a token. */
static void check_floor(struct run *run) {
    run_begin(run, FORK_PRAGUE);
    struct transaction transaction = {LIMITED(1000000), .data = {large, 1000}};
    run_transaction(run, &transaction);
    CHECK(run->result.gas_used == 21000 + 10 * 1000);
}

/* --- creation */

static void check_create(struct run *run) {
    run_begin(run, FORK_OSAKA);
    /* Returns one byte of code, 00. */
    struct transaction transaction = {
        .gas_limit = 100000, .is_create = true, .data = run_hex(run, "60016000f3")};
    run_transaction(run, &transaction);
    CHECK(run->result.status == EVM_SUCCESS && run->result.has_contract_address);
    const struct address expected = contract_address_create(&RUN_SENDER, 0);
    CHECK(address_equal(&run->result.contract_address, &expected));
    CHECK(world_account(run->world, &expected)->code.size == 1);
    CHECK(world_account(run->world, &expected)->nonce == 1);

    /* EIP-3541, EIP-170, EIP-684. */
    transaction.data = run_hex(run, "60ef60005360016000f3");
    run_transaction(run, &transaction);
    CHECK(run->result.status == EVM_CODE_PREFIX_EF && run->result.gas_used == 100000);
    transaction.data = run_hex(run, "6160016000f3");
    transaction.gas_limit = 10000000;
    run_transaction(run, &transaction);
    CHECK(run->result.status == EVM_CODE_SIZE_EXCEEDED);
    const struct address next = contract_address_create(&RUN_SENDER, 3);
    world_set_nonce(run->world, &next, 1);
    run_transaction(run, &transaction);
    CHECK(run->result.status == EVM_CONTRACT_COLLISION);
    CHECK(run->result.gas_used == transaction.gas_limit);
}

/* EIP-6780: only a contract of this transaction disappears. */
static void check_selfdestruct(struct run *run) {
    const struct address heir = {{[19] = 0x99}};
    for (int fork = FORK_SHANGHAI; fork <= FORK_CANCUN; fork++) {
        run_begin(run, (enum fork)fork);
        run_code(run, &RUN_TARGET, "6099ff");
        struct transaction transaction = {LIMITED(100000), .value = u256_from_u64(5)};
        run_transaction(run, &transaction);
        CHECK(run->result.status == EVM_SUCCESS);
        CHECK(balance_of(run, &heir).limb[0] == 5);
        CHECK(world_account(run->world, &RUN_TARGET)->is_destroyed == (fork == FORK_SHANGHAI));
    }
}

/* --- EIP-7702 */

static void check_delegation(struct run *run) {
    const struct secp_key key = {.secret = {[31] = 0x42}};
    const struct address authority = secp_key_address(&key);
    struct authorization signed_one = {.chain_id = U256_ONE, .address = RUN_TARGET, .nonce = 0};
    run_begin(run, FORK_PRAGUE);
    run_code(run, &RUN_TARGET, "303360005260206000f3"); /* returns CALLER, leaves ADDRESS */

    /* keccak(05 || rlp([1, address, 0])): a list of 0x17 bytes. */
    uint8_t message[25] = {0x05, 0xd7, 0x01, 0x94};
    memcpy(message + 4, RUN_TARGET.bytes, 20);
    message[24] = 0x80;
    const struct hash32 digest = keccak256(BYTES_OF(message));
    struct secp_signature signature;
    secp_sign(&key, &digest, &signature);
    signed_one.r = u256_from_be(BYTES_OF(signature.r));
    signed_one.s = u256_from_be(BYTES_OF(signature.s));
    signed_one.y_parity = u256_from_u64(signature.y_parity);

    struct transaction transaction = {.type = TRANSACTION_SET_CODE,
                                      .gas_limit = 200000,
                                      .to = authority,
                                      .authorizations = &signed_one,
                                      .authorizations_count = 1};
    run_transaction(run, &transaction);
    CHECK(run->verdict == VERDICT_ACCEPTED && run->result.status == EVM_SUCCESS);
    const struct world_account *account = world_account(run->world, &authority);
    CHECK(account->nonce == 1 && account->code.size == 23 && account->code.data[0] == 0xef);
    const struct u256 word = run_word(run); /* the delegate's code ran */
    CHECK(word.limb[0] == 0xaa);
    CHECK(run->result.gas_used > 21000 + 25000);

    /* The same authorization again: its nonce is used, it is skipped, the transaction goes on. */
    run_transaction(run, &transaction);
    CHECK(run->result.status == EVM_SUCCESS && account->nonce == 1);
}

/* --- system calls and observers */

static void check_system_call(struct run *run) {
    run_begin(run, FORK_PRAGUE);
    run_code(run, &RUN_TARGET, "3360005260206000f3");
    const struct evm_host host = world_host(run->world);
    struct evm_result result;
    CHECK(evm_system_call(run->evm, &host, &run->block, &RUN_TARGET, BYTES_EMPTY, &run->arena,
                          &result) == ERR_OK);
    CHECK(result.status == EVM_SUCCESS && result.output.size == 32);
    CHECK(result.output.data[31] == 0xfe && result.output.data[12] == 0xff);
    const struct address nobody = {{1}};
    CHECK(evm_system_call(run->evm, &host, &run->block, &nobody, BYTES_EMPTY, &run->arena,
                          &result) == ERR_OK);
    CHECK(result.status == EVM_SUCCESS && result.output.size == 0);
}

struct seen {
    size_t steps, enters, leaves;
    uint64_t gas_last, cost_last;
    uint8_t opcodes[16];
};

static void see_step(void *context, const struct evm_step *step) {
    struct seen *seen = context;
    /* The cost that was told is the cost that was paid. */
    CHECK(seen->steps == 0 || step->gas == seen->gas_last - seen->cost_last);
    seen->gas_last = step->gas;
    seen->cost_last = step->gas_cost;
    seen->opcodes[seen->steps++ % 16] = step->opcode;
}

static void see_frame(void *context, const struct evm_frame_event *event) {
    struct seen *seen = context;
    if (event->is_enter) {
        seen->enters++;
    } else {
        seen->leaves++;
    }
}

/* An observer sees every instruction, and the outcome is the same as without one. */
static void check_tracer(struct run *run) {
    run_call(run, FORK_OSAKA, "6001600201600055600035", "");
    const uint64_t gas_used = run->result.gas_used;
    run_begin(run, FORK_OSAKA);
    run_code(run, &RUN_TARGET, "6001600201600055600035");
    struct seen seen = {0};
    const struct evm_tracer tracer = {.context = &seen, .step = see_step, .frame = see_frame};
    const struct evm_options options = {.tracer = &tracer};
    const struct evm_host host = world_host(run->world);
    const struct transaction transaction = {LIMITED(1000000), .has_sender = true,
                                            .sender = RUN_SENDER};
    CHECK(evm_transaction_run(run->evm, &host, &run->block, &transaction, &options, &run->arena,
                              &run->result) == ERR_OK);
    CHECK(run->result.gas_used == gas_used);
    static const uint8_t expected[] = {0x60, 0x60, 0x01, 0x60, 0x55, 0x60, 0x35, 0x00};
    CHECK(seen.steps == sizeof expected);
    CHECK(memcmp(seen.opcodes, expected, sizeof expected) == 0);
    CHECK(seen.enters == 1 && seen.leaves == 1);
}

int main(void) {
    static struct run run;
    check_verdicts(&run);
    check_sender(&run);
    check_payment(&run);
    check_blobs(&run);
    check_floor(&run);
    check_create(&run);
    check_selfdestruct(&run);
    check_delegation(&run);
    check_system_call(&run);
    check_tracer(&run);
    return 0;
}
