#pragma once
/* A backend in memory for this room's test and fuzzer: one block with one transfer and one log, a
 * pool that says what it is told to.  Included by one source file each; everything is static. */
#include <stdatomic.h>
#include <string.h>

#include "base/keccak.h"
#include "chain/trie_root.h"
#include "rpc/rpc.h"

struct fake;
struct rpc_view {
    struct fake *fake;
};

struct fake {
    struct rpc *rpc;
    struct rpc_view view;
    atomic_uint_fast64_t head; /* all blocks up to it are alike, but for the number */
    struct chain_config chain;
    struct header header;
    struct hash32 hash;
    struct bytes transaction;
    uint8_t memory[4096];
    struct receipt receipt;
    struct log log;
    _Atomic(enum verdict) submit_verdict;
    atomic_bool submit_is_silent; /* no answer ever comes */
    atomic_bool is_unmined;       /* no block has the transaction */
};

static enum err fake_view_open(void *context, struct rpc_view **out) {
    struct fake *fake = context;
    *out = &fake->view;
    return ERR_OK;
}
static void fake_view_close(struct rpc_view *view) {
    (void)view;
}
static void fake_tags(struct rpc_view *view, struct rpc_tags *out) {
    const uint64_t head = view->fake->head;
    *out = (struct rpc_tags){head, head, 0, 0};
}
static enum err fake_header(struct rpc_view *view, uint64_t number, struct header *out,
                            struct hash32 *hash) {
    if (number > view->fake->head) return ERR_NOT_FOUND;
    *out = view->fake->header;
    out->number = number;
    *hash = view->fake->hash;
    return ERR_OK;
}
static enum err fake_block(struct rpc_view *view, uint64_t number, struct arena *arena,
                           struct rpc_block *out) {
    (void)arena;
    if (number > view->fake->head) return ERR_NOT_FOUND;
    *out = (struct rpc_block){.ethereum_block_bytes = 600};
    out->block.header = view->fake->header;
    out->block.header.number = number;
    out->block.hash = view->fake->hash;
    out->block.transactions = &view->fake->transaction;
    out->block.transactions_count = number > 0;
    return ERR_OK;
}
static enum err fake_block_number(struct rpc_view *view, const struct hash32 *hash, uint64_t *out) {
    if (!hash_equal(hash, &view->fake->hash)) return ERR_NOT_FOUND;
    *out = 1;
    return ERR_OK;
}
static enum err fake_receipts(struct rpc_view *view, uint64_t number, struct arena *arena,
                              const struct receipt **out, size_t *count) {
    (void)arena;
    *out = &view->fake->receipt;
    *count = number > 0;
    return ERR_OK;
}
static enum err fake_place(struct rpc_view *view, const struct hash32 *hash,
                           struct rpc_transaction_place *out) {
    const struct hash32 name = keccak256(view->fake->transaction);
    if (view->fake->is_unmined || !hash_equal(hash, &name)) return ERR_NOT_FOUND;
    *out = (struct rpc_transaction_place){1, 0};
    return ERR_OK;
}
static enum err fake_commit(struct rpc_view *view, uint64_t number, struct arena *arena,
                            struct bytes *encoded) {
    (void)view, (void)number, (void)arena, (void)encoded;
    return ERR_NOT_FOUND;
}
static enum err fake_log_candidate(struct rpc_view *view, uint64_t from, uint64_t to,
                                   const struct rpc_log_filter *filter, uint64_t *out) {
    (void)view, (void)filter;
    if (from > 1 || to < 1) return ERR_NOT_FOUND;
    *out = 1;
    return ERR_OK;
}
static enum err fake_account(struct rpc_view *view, uint64_t number, const struct address *address,
                             struct account *out) {
    (void)view, (void)number;
    *out = (struct account){.nonce = 5,
                            .balance = u256_from_u64(address->bytes[19]),
                            .storage_root = KECCAK_EMPTY_TRIE,
                            .code_hash = KECCAK_EMPTY};
    return ERR_OK;
}
static enum err fake_code(struct rpc_view *view, uint64_t number, const struct address *address,
                          struct arena *arena, struct bytes *out) {
    (void)view, (void)number, (void)address, (void)arena;
    *out = BYTES_STRING("\x60\x00");
    return ERR_OK;
}
static enum err fake_storage(struct rpc_view *view, uint64_t number, const struct address *address,
                             const struct hash32 *key, struct u256 *out) {
    (void)view, (void)number, (void)address;
    *out = u256_from_hash(key);
    return ERR_OK;
}
static enum err fake_proof(struct rpc_view *view, uint64_t number, const struct address *address,
                           const struct hash32 *keys, size_t keys_count, struct arena *arena,
                           struct account *account, struct proof *account_proof,
                           struct u256 *values, struct proof *slot_proofs) {
    (void)arena;
    *account_proof = (struct proof){NULL, 0};
    for (size_t i = 0; i < keys_count; i++) {
        values[i] = u256_from_hash(&keys[i]);
        slot_proofs[i] = (struct proof){NULL, 0};
    }
    return fake_account(view, number, address, account);
}
/* Succeeds from 50,000 gas on; data that begins with 0xff reverts with Error("no"). */
static enum err fake_call(struct rpc_view *view, uint64_t number, bool is_pending,
                          const struct rpc_call *call, struct arena *arena,
                          struct rpc_call_result *out) {
    static const uint8_t reason[100] = {
        0x08, 0xc3, 0x79, 0xa0, [35] = 0x20, [67] = 2, [68] = 'n', 'o'};
    (void)view, (void)number, (void)is_pending, (void)arena;
    *out = (struct rpc_call_result){.verdict = VERDICT_ACCEPTED};
    out->result.gas_used = 30000;
    out->result.output = call->transaction.data;
    out->result.status = call->transaction.gas_limit >= 50000 ? EVM_SUCCESS : EVM_OUT_OF_GAS;
    if (call->transaction.data.size > 0 && call->transaction.data.data[0] == 0xff) {
        out->result.status = EVM_REVERT;
        out->result.output = BYTES_OF(reason);
    }
    return ERR_OK;
}
static enum err fake_trace(struct rpc_view *view, uint64_t number, const struct rpc_trace *trace,
                           struct arena *arena, struct json_writer *out, const char **failure) {
    (void)view;
    (void)number;
    (void)arena;
    *failure = trace->timeout_ms == 0 ? "execution timeout" : NULL;
    json_object_begin(out);
    json_object_end(out);
    return ERR_OK;
}
static enum err fake_simulate(struct rpc_view *view, uint64_t number,
                              const struct rpc_simulation *simulation, struct arena *arena,
                              const struct rpc_simulated_result **results, size_t *count,
                              struct rpc_simulation_failure *failure) {
    (void)view;
    (void)number;
    (void)simulation;
    (void)arena;
    *results = NULL;
    *count = 0;
    failure->code = 0;
    return ERR_OK;
}
static enum err fake_submit(void *context, uint64_t token, struct bytes raw) {
    struct fake *fake = context;
    const struct rpc_submit_result result = {token, fake->submit_verdict, keccak256(raw)};
    if (!fake->submit_is_silent && fake->rpc != NULL) rpc_submitted(fake->rpc, &result);
    return ERR_OK;
}
static enum err fake_pending_nonce(void *context, const struct address *address, uint64_t *out) {
    (void)context, (void)address;
    *out = 9;
    return ERR_OK;
}
static enum err fake_pool_find(void *context, const struct hash32 *hash, struct arena *arena,
                               struct bytes *encoded) {
    (void)context, (void)hash, (void)arena, (void)encoded;
    return ERR_NOT_FOUND;
}
static void fake_pool_status(void *context, uint32_t *pending, uint32_t *queued) {
    (void)context;
    *pending = 2;
    *queued = 1;
}
static enum err fake_pool_content(void *context, const struct address *lane, struct arena *arena,
                                  const struct bytes **pending, size_t *pending_count,
                                  const struct bytes **queued, size_t *queued_count) {
    const struct fake *fake = context;
    (void)lane, (void)arena;
    *pending = *queued = &fake->transaction;
    *pending_count = 1;
    *queued_count = 0;
    return ERR_OK;
}
static void fake_health(void *context, struct rpc_health *out) {
    const struct fake *fake = context;
    *out = (struct rpc_health){.is_ready = fake->submit_verdict == VERDICT_ACCEPTED,
                               .current_block = 1,
                               .highest_block = 1,
                               .peers_count = 2};
    if (!out->is_ready) memcpy(out->reason, "said so", 8);
}
static void fake_json(void *context, struct json_writer *json) {
    (void)context;
    json_object_begin(json);
    json_object_end(json);
}
static void fake_metrics(void *context, struct buffer *out) {
    (void)context;
    buffer_append(out, BYTES_STRING("fake_metric 1\n"));
}

static void fake_fill_transaction(struct fake *fake) {
    const struct secp_key key = {{[31] = 1}};
    struct arena arena = arena_over(fake->memory, sizeof fake->memory);
    struct transaction transaction = {
        .type = TRANSACTION_DYNAMIC_FEE, .is_protected = true, .chain_id = 1, .gas_limit = 21000};
    transaction.max_fee = u256_from_u64(100);
    CHECK(transaction_sign(&transaction, &key, &arena) == ERR_OK);
    fake->transaction = transaction.encoded;
}

/* fake_init makes the block and fills the functions. */
static void fake_init(struct fake *fake, struct rpc_backend *out) {
    *fake = (struct fake){.submit_verdict = VERDICT_ACCEPTED, .head = 1};
    fake->view.fake = fake;
    fake->chain = chain_config_for_fork(FORK_OSAKA);
    fake->header = (struct header){.number = 1,
                                   .gas_limit = 30000000,
                                   .gas_used = 21000,
                                   .timestamp = 1000,
                                   .tail_fields = HEADER_TAIL_PRAGUE};
    fake->header.base_fee = u256_from_u64(7);
    fake->hash = header_hash(&fake->header);
    fake_fill_transaction(fake);
    fake->log = (struct log){.topics_count = 1, .data = BYTES_STRING("data")};
    fake->log.topics[0].bytes[0] = 0xab;
    fake->receipt = (struct receipt){.type = 2,
                                     .succeeded = true,
                                     .cumulative_gas_used = 21000,
                                     .logs = &fake->log,
                                     .logs_count = 1,
                                     .gas_used = 21000};
    *out = (struct rpc_backend){.context = fake,
                                .chain = &fake->chain,
                                .client_version = "fake/1",
                                .view_open = fake_view_open,
                                .view_close = fake_view_close,
                                .tags = fake_tags,
                                .block = fake_block,
                                .header = fake_header,
                                .block_number = fake_block_number,
                                .receipts = fake_receipts,
                                .transaction_place = fake_place,
                                .commit = fake_commit,
                                .log_candidate = fake_log_candidate,
                                .account = fake_account,
                                .code = fake_code,
                                .storage = fake_storage,
                                .proof = fake_proof,
                                .call = fake_call,
                                .trace = fake_trace,
                                .simulate = fake_simulate,
                                .submit = fake_submit,
                                .pending_nonce = fake_pending_nonce,
                                .pool_find = fake_pool_find,
                                .pool_status = fake_pool_status,
                                .pool_content = fake_pool_content,
                                .health = fake_health,
                                .status_json = fake_json,
                                .validators_json = fake_json,
                                .proposer_json = fake_json,
                                .metrics = fake_metrics};
}
