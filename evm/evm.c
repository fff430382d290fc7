/* The machine's memory, and how transactions and system calls run on it. */
#include "evm/evm.h"

#include <string.h>

#include "base/keccak.h"
#include "evm/machine.h"

/* How EVM_ARENA_BYTES is divided; EVM memory gets the rest.
 *
 * A transaction with G gas can fill at most G / 8 bytes of log data and G / 375 log records; with
 * 60 M gas that is 7.5 MB, or 27 MB of records.  EVM memory over all frames is at most 99.4 MiB
 * with 30 M gas and grows less than in proportion. */
#define ANALYSES_BYTES ((size_t)96 << 20)
#define LOGS_BYTES     ((size_t)64 << 20)
#define RETURN_BYTES   ((size_t)32 << 20)
#define SCRATCH_BYTES  ((size_t)32 << 20)
#define STACKS_BYTES   ((size_t)FRAMES_MAX * STACK_WORDS_MAX * sizeof(struct u256) + 64)

/* What stays between executions of each part, however much one of them touched. */
#define KEEP_BYTES    ((size_t)512 << 10)
#define KEEP_ANALYSES ((size_t)16 << 20)

#define SYSTEM_GAS 30000000
#define BLOB_GAS   ((uint64_t)131072)

static const struct address system_address = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                               0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                               0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}};

static bool take_arena(struct arena *from, size_t bytes, struct arena *out) {
    void *memory = arena_alloc(from, bytes);
    if (memory == NULL) return false;
    *out = arena_over(memory, bytes);
    return true;
}

enum err evm_create(void *memory, size_t memory_bytes, struct evm **out) {
    struct arena arena = arena_over(memory, memory_bytes);
    struct evm *evm = arena_alloc_zero(&arena, sizeof *evm);
    if (evm == NULL) return ERR_LIMIT;
    evm->frames = arena_array(&arena, FRAMES_MAX, sizeof *evm->frames);
    if (evm->frames == NULL || !take_arena(&arena, LOGS_BYTES, &evm->logs) ||
        !take_arena(&arena, SCRATCH_BYTES, &evm->scratch) ||
        !code_cache_create(&arena, ANALYSES_BYTES, interpret_handlers(), &evm->codes)) {
        return ERR_LIMIT;
    }
    uint8_t *stacks = arena_alloc(&arena, STACKS_BYTES);
    evm->return_buffer = arena_alloc(&arena, RETURN_BYTES);
    evm->return_capacity = RETURN_BYTES;
    if (stacks == NULL || evm->return_buffer == NULL) return ERR_LIMIT;
    /* Words on 32-byte borders move with one aligned load. */
    evm->stacks = (struct u256 *)(((uintptr_t)stacks + 31) / 32 * 32);
    evm->memory_capacity = arena.capacity - arena.used - 16;
    evm->memory = arena_alloc(&arena, evm->memory_capacity);
    if (evm->memory == NULL || evm->memory_capacity < (size_t)128 << 20) return ERR_LIMIT;
    rules_of(FORK_FRONTIER, &evm->rules);
    code_cache_rules(&evm->codes, &evm->rules);
    *out = evm;
    return ERR_OK;
}

/* add_spare lists what was touched of `data` behind the first `keep` bytes. */
static size_t add_spare(void *data, uint64_t touched, uint64_t keep, struct stretch *out) {
    if (touched <= keep) return 0;
    *out = (struct stretch){(uint8_t *)data + keep, touched - keep};
    return 1;
}

/* spare_codes gives up the analyses when they have become many. */
static size_t spare_codes(struct code_cache *codes, struct stretch *out) {
    if (codes->arena.used > KEEP_ANALYSES) code_forget(codes);
    out[0] = arena_spare(&codes->arena, KEEP_ANALYSES);
    if (out[0].size == 0) return 0;
    out[1] = (struct stretch){(uint8_t *)codes->slots, CODE_CACHE_SLOTS * sizeof *codes->slots};
    return 2;
}

size_t evm_spare(struct evm *evm, struct stretch out[EVM_SPARES_MAX]) {
    size_t count = 0;
    evm->return_data = BYTES_EMPTY;
    evm->logs_last = NULL;
    arena_reset(&evm->logs);
    arena_reset(&evm->scratch);
    struct arena *arenas[] = {&evm->logs, &evm->scratch};
    for (size_t i = 0; i < sizeof arenas / sizeof *arenas; i++) {
        out[count] = arena_spare(arenas[i], KEEP_BYTES);
        if (out[count].size != 0) count++;
    }
    const uint64_t stack_bytes =
        (uint64_t)(evm->depth_peak + 1) * STACK_WORDS_MAX * sizeof(struct u256);
    count += add_spare(evm->stacks, stack_bytes, KEEP_BYTES, &out[count]);
    count += add_spare(evm->return_buffer, evm->return_peak, KEEP_BYTES, &out[count]);
    count += add_spare(evm->memory, evm->memory_peak, KEEP_BYTES, &out[count]);
    count += spare_codes(&evm->codes, &out[count]);
    CHECK(count <= EVM_SPARES_MAX);
    evm->memory_peak = evm->return_peak = 0;
    evm->depth_peak = 0;
    return count;
}

void evm_use_fork(struct evm *evm, enum fork fork) {
    if (evm->rules.fork == fork) return;
    rules_of(fork, &evm->rules);
    code_cache_rules(&evm->codes, &evm->rules);
}

/* machine_begin readies the machine for one transaction. */
static void machine_begin(struct evm *evm, const struct evm_host *host,
                          const struct evm_block *block, const struct evm_tracer *tracer) {
    evm_use_fork(evm, block->fork);
    evm->host = host;
    evm->block = block;
    evm->tracer = tracer;
    evm->moves = NULL;
    evm->moves_count = 0;
    evm->depth = 0;
    evm->refund = 0;
    evm->error = ERR_OK;
    evm->gas_price = U256_ZERO;
    evm->blob_hashes = NULL;
    evm->blob_hashes_count = 0;
    evm->return_data = BYTES_EMPTY;
    evm->logs_last = NULL;
    arena_reset(&evm->logs);
}

/* machine_run runs a message to its end; gas_left is what remains of message->gas. */
static enum evm_status machine_run(struct evm *evm, const struct message *message,
                                   int64_t *gas_left) {
    enum evm_status status;
    trace_enter(evm, 0, message);
    if (message_begin(evm, 0, message, &status, gas_left) == MESSAGE_RUNS) {
        status = interpret(evm);
        *gas_left = evm->frames[0].gas;
    } else {
        trace_leave(evm, 0, status, evm->return_data, message->gas - *gas_left);
    }
    return status;
}

/* result_keep copies output and logs, which the next execution overwrites, into `arena`. */
static enum err result_keep(struct evm *evm, struct arena *arena, struct evm_result *result) {
    if (evm->error != ERR_OK) return evm->error;
    if (!arena_copy(arena, evm->return_data, &result->output)) return ERR_LIMIT;
    result->logs = NULL;
    result->logs_count = 0;
    size_t count = 0;
    for (const struct log_record *record = evm->logs_last; record; record = record->previous)
        count++;
    if (count == 0) return ERR_OK;
    struct evm_log *logs = arena_array(arena, count, sizeof *logs);
    if (logs == NULL) return ERR_LIMIT;
    result->logs = logs;
    result->logs_count = count;
    for (const struct log_record *record = evm->logs_last; record; record = record->previous) {
        logs[--count] = record->log;
        if (!arena_copy(arena, record->log.data, &logs[count].data)) return ERR_LIMIT;
    }
    return ERR_OK;
}

/* --- what a transaction does before and after it executes */

static void balance_subtract(const struct evm_host *host, const struct address *address,
                             const struct u256 *amount) {
    struct u256 balance;
    host->balance(host->context, address, &balance);
    balance = u256_sub(&balance, amount);
    host->set_balance(host->context, address, &balance);
}

static struct u256 times(const struct u256 *price, uint64_t amount) {
    const struct u256 factor = u256_from_u64(amount);
    return u256_mul(price, &factor);
}

/* effective_price is what one gas costs the sender. */
static struct u256 effective_price(const struct evm *evm, const struct transaction *transaction) {
    if (!rule(evm, RULE_TX_BASE_FEE)) return transaction->max_fee;
    const struct u256 *base_fee = &evm->block->base_fee;
    if (u256_less(&transaction->max_fee, base_fee)) return transaction->max_fee; /* eth_call */
    const struct u256 tip = transaction_effective_tip(transaction, base_fee);
    return u256_add(base_fee, &tip);
}

static void buy_gas(struct evm *evm, const struct transaction *transaction) {
    struct u256 cost = times(&evm->gas_price, transaction->gas_limit);
    if (transaction->type == TRANSACTION_BLOB) { /* burnt, whatever the transaction does */
        const struct u256 blobs =
            times(&evm->block->blob_base_fee, BLOB_GAS * transaction->blob_hashes_count);
        cost = u256_add(&cost, &blobs);
    }
    balance_subtract(evm->host, &transaction->sender, &cost);
}

static void warm_access_list(struct evm *evm, const struct transaction *transaction) {
    if (!rule(evm, RULE_ACCESS_LISTS)) return;
    const struct evm_host *host = evm->host;
    (void)host->warm_address(host->context, &transaction->sender);
    if (!transaction->is_create) (void)host->warm_address(host->context, &transaction->to);
    if (rule(evm, RULE_TX_COINBASE_WARM)) {
        (void)host->warm_address(host->context, &evm->block->coinbase);
    }
    for (size_t i = 0; i < transaction->access_list_count; i++) {
        const struct access_tuple *tuple = &transaction->access_list[i];
        (void)host->warm_address(host->context, &tuple->address);
        for (size_t j = 0; j < tuple->keys_count; j++)
            (void)host->warm_slot(host->context, &tuple->address, &tuple->keys[j]);
    }
}

/* authorize applies one EIP-7702 authorization; one that does not hold is skipped. */
static void authorize(struct evm *evm, const struct authorization *authorization) {
    const struct evm_host *host = evm->host;
    const struct u256 chain_id = u256_from_u64(evm->block->config->chain_id);
    if (!u256_is_zero(&authorization->chain_id) &&
        !u256_equal(&authorization->chain_id, &chain_id)) {
        return;
    }
    struct address authority;
    if (authorization->nonce == UINT64_MAX) return;
    if (authorization_recover(authorization, &authority) != ERR_OK) return;
    (void)host->warm_address(host->context, &authority);

    struct address ignored;
    const struct bytes code = host->code(host->context, &authority);
    if (code.size != 0 && !delegation_target(evm, code, &ignored)) return;
    if (host->nonce(host->context, &authority) != authorization->nonce) return;
    if (host->exists(host->context, &authority)) evm->refund += 25000 - 12500;

    uint8_t designator[23] = {0xef, 0x01, 0x00};
    memcpy(designator + 3, authorization->address.bytes, 20);
    const bool is_removal = address_is_zero(&authorization->address);
    host->set_code(host->context, &authority, is_removal ? BYTES_EMPTY : BYTES_OF(designator));
    host->set_nonce(host->context, &authority, authorization->nonce + 1);
}

/* message_of is the transaction as a message; `gas` is what is left after the intrinsic part. */
static struct message message_of(struct evm *evm, const struct transaction *transaction,
                                 int64_t gas) {
    const struct evm_host *host = evm->host;
    struct message message = {.kind = transaction->is_create ? FRAME_CREATE : FRAME_CALL,
                              .moves_value = true,
                              .gas = gas,
                              .caller = transaction->sender,
                              .value = transaction->value,
                              .input = transaction->data,
                              .address = transaction->to,
                              .code_address = transaction->to};
    if (transaction->is_create) {
        /* The nonce that the transaction used: the account's is one further by now. */
        const uint64_t nonce = host->nonce(host->context, &transaction->sender) - 1;
        message.address = contract_address_create(&transaction->sender, nonce);
        message.code_address = message.address;
        if (rule(evm, RULE_ACCESS_LISTS)) (void)account_warm(evm, &message.address);
        return message;
    }
    struct address target;
    if (rule(evm, RULE_DELEGATION) &&
        delegation_target(evm, host->code(host->context, &transaction->to), &target)) {
        (void)account_warm(evm, &target);
    }
    return message;
}

/* settle_gas fills gas_used and gas_refunded: refunds are capped (EIP-3529), then the floor of
 * EIP-7623 holds. */
static void settle_gas(struct evm *evm, const struct transaction *transaction, uint64_t gas_left,
                       struct evm_result *result) {
    const uint64_t used = transaction->gas_limit - gas_left;
    const uint64_t refund_max = used / (uint64_t)rule(evm, RULE_REFUND_QUOTIENT);
    const uint64_t refund = evm->refund > 0 ? (uint64_t)evm->refund : 0;
    result->gas_refunded = refund < refund_max ? refund : refund_max;
    result->gas_used = used - result->gas_refunded;
    const uint64_t floor = evm_floor_gas(evm->rules.fork, transaction);
    if (result->gas_used < floor) result->gas_used = floor;
    result->gas_peak = used < floor ? floor : used;
}

static void pay(struct evm *evm, const struct transaction *transaction,
                const struct evm_options *options, const struct evm_result *result) {
    if (options->skip_balance) return;
    const struct u256 refund = times(&evm->gas_price, transaction->gas_limit - result->gas_used);
    account_add_balance(evm, &transaction->sender, &refund);
    struct u256 tip = evm->gas_price;
    if (rule(evm, RULE_TX_BASE_FEE)) {
        tip = u256_less(&tip, &evm->block->base_fee) ? U256_ZERO
                                                     : u256_sub(&tip, &evm->block->base_fee);
    }
    const struct u256 reward = times(&tip, result->gas_used);
    account_add_balance(evm, &evm->block->coinbase, &reward);
}

enum err evm_transaction_run(struct evm *evm, const struct evm_host *host,
                             const struct evm_block *block, const struct transaction *transaction,
                             const struct evm_options *options, struct arena *arena,
                             struct evm_result *out) {
    CHECK(transaction->has_sender);
    machine_begin(evm, host, block, options->tracer);
    evm->moves = options->moves;
    evm->moves_count = options->moves_count;
    evm->origin = transaction->sender;
    evm->gas_price = effective_price(evm, transaction);
    evm->blob_hashes = transaction->blob_hashes;
    evm->blob_hashes_count = transaction->blob_hashes_count;

    if (!options->skip_balance) buy_gas(evm, transaction);
    const uint64_t nonce = host->nonce(host->context, &transaction->sender);
    host->set_nonce(host->context, &transaction->sender, nonce + 1);
    warm_access_list(evm, transaction);
    for (size_t i = 0; i < transaction->authorizations_count; i++)
        authorize(evm, &transaction->authorizations[i]);
    const int64_t authorization_refund = evm->refund;

    const uint64_t intrinsic = evm_intrinsic_gas(block->fork, transaction);
    CHECK(transaction->gas_limit >= intrinsic);
    /* The counter is signed; nobody can spend the 2^63 gas that this cuts off. */
    const uint64_t gas = transaction->gas_limit - intrinsic;
    const int64_t gas_given = gas > INT64_MAX ? INT64_MAX : (int64_t)gas;
    const struct message message = message_of(evm, transaction, gas_given);
    int64_t gas_left = gas_given;
    const enum evm_status status = machine_run(evm, &message, &gas_left);
    if (status != EVM_SUCCESS) evm->refund = authorization_refund;

    *out = (struct evm_result){.status = status, .effective_gas_price = evm->gas_price};
    const bool all_gone = status != EVM_SUCCESS && status != EVM_REVERT;
    const uint64_t beyond = all_gone ? 0 : gas - (uint64_t)gas_given;
    settle_gas(evm, transaction, (uint64_t)gas_left + beyond, out);
    pay(evm, transaction, options, out);
    if (transaction->is_create && status == EVM_SUCCESS) {
        out->has_contract_address = true;
        out->contract_address = message.address;
    }
    return result_keep(evm, arena, out);
}

enum err evm_system_call(struct evm *evm, const struct evm_host *host,
                         const struct evm_block *block, const struct address *to,
                         struct bytes input, struct arena *arena, struct evm_result *out) {
    machine_begin(evm, host, block, NULL);
    evm->origin = system_address;
    *out = (struct evm_result){.status = EVM_SUCCESS};
    if (host->code(host->context, to).size == 0) return ERR_OK;
    if (rule(evm, RULE_ACCESS_LISTS)) (void)host->warm_address(host->context, to);
    const struct message message = {.kind = FRAME_CALL,
                                    .gas = SYSTEM_GAS,
                                    .caller = system_address,
                                    .address = *to,
                                    .code_address = *to,
                                    .input = input};
    int64_t gas_left = SYSTEM_GAS;
    out->status = machine_run(evm, &message, &gas_left);
    out->gas_used = (uint64_t)(SYSTEM_GAS - gas_left);
    return result_keep(evm, arena, out);
}
