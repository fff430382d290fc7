#include "l1/sender.h"

#include <stdio.h>
#include <string.h>

#include "chain/transaction.h"
#include "l1/abi.h"

#define BUMP_BLOCKS     4 /* not mined so many L1 blocks after it was sent: raise the fees */
#define GWEI            1000000000u
#define TIP_DEFAULT_WEI (1u * GWEI)
#define FEE_WEI_MAX     (2000ull * GWEI) /* no more is paid, whatever an endpoint says */
#define GAS_MAX         16777216u        /* of one transaction (EIP-7825) */

void l1_sender_init(struct l1_sender *sender, const struct l1_config *config) {
    memset(sender, 0, sizeof *sender);
    sender->config = config;
    if (config->key != NULL) sender->address = secp_key_address(config->key);
    CHECK(pthread_mutex_init(&sender->lock, NULL) == 0);
}

void l1_sender_destroy(struct l1_sender *sender) {
    CHECK(pthread_mutex_destroy(&sender->lock) == 0);
}

static bool is_same(const struct l1_call *a, const struct l1_call *b) {
    if (a->is_batch && b->is_batch) return a->last_block == b->last_block;
    return a->is_batch == b->is_batch && address_equal(&a->to, &b->to) && a->size == b->size &&
           memcmp(a->data, b->data, a->size) == 0;
}

enum err l1_sender_push(struct l1_sender *sender, const struct l1_call *call) {
    enum err err = ERR_OK;
    bool is_known = false;
    CHECK(pthread_mutex_lock(&sender->lock) == 0);
    for (size_t i = 0; i < sender->count; i++) {
        struct l1_call *queued = &sender->calls[(sender->first + i) % L1_CALLS_MAX];
        if (!is_same(queued, call)) continue;
        is_known = true;
        *queued = *call; /* of the one in work take() has made a copy */
    }
    if (call->is_batch && call->last_block <= sender->settled_last_block) is_known = true;
    if (!is_known && sender->count == L1_CALLS_MAX) {
        err = ERR_LIMIT;
    } else if (!is_known) {
        sender->calls[(sender->first + sender->count) % L1_CALLS_MAX] = *call;
        sender->count += 1;
    }
    CHECK(pthread_mutex_unlock(&sender->lock) == 0);
    return err;
}

void l1_sender_settled(struct l1_sender *sender, uint64_t last_block) {
    CHECK(pthread_mutex_lock(&sender->lock) == 0);
    if (last_block > sender->settled_last_block) sender->settled_last_block = last_block;
    CHECK(pthread_mutex_unlock(&sender->lock) == 0);
}

/* finish lets go of the call in work. */
static void finish(struct l1_sender *sender) {
    CHECK(pthread_mutex_lock(&sender->lock) == 0);
    CHECK(sender->count > 0);
    sender->first = (sender->first + 1) % L1_CALLS_MAX;
    sender->count -= 1;
    CHECK(pthread_mutex_unlock(&sender->lock) == 0);
    sender->is_active = false;
}

/* take makes the oldest call the one in work; false: there is none.  A batch that is settled, by
 * whomever, is let go of. */
static bool take(struct l1_sender *sender) {
    for (;;) {
        CHECK(pthread_mutex_lock(&sender->lock) == 0);
        const bool has_one = sender->count > 0;
        if (has_one && !sender->is_active) {
            sender->call = sender->calls[sender->first];
            sender->sent_count = 0;
        }
        const uint64_t settled = sender->settled_last_block;
        CHECK(pthread_mutex_unlock(&sender->lock) == 0);
        if (!has_one) return false;
        sender->is_active = true;
        const bool is_settled = sender->call.is_batch && sender->call.last_block <= settled;
        if (!is_settled) return true;
        finish(sender);
    }
}

static void write_call(struct json_writer *json, const struct l1_sender *sender) {
    json_object_begin(json);
    json_key(json, "from");
    json_address(json, &sender->address);
    json_key(json, "to");
    json_address(json, &sender->call.to);
    json_key(json, "data");
    json_data(json, (struct bytes){sender->call.data, sender->call.size});
    json_object_end(json);
}

static size_t call_nonce(struct l1_endpoints *endpoints, const struct l1_sender *sender) {
    struct json_writer *json = l1_call_begin(endpoints, "eth_getTransactionCount");
    json_address(json, &sender->address);
    json_write_string(json, "latest");
    return l1_call_end(endpoints);
}

static void give_up(struct l1_sender *sender, const char *why, char error[L1_ERROR_BYTES]) {
    char reason[L1_ERROR_BYTES];
    (void)snprintf(reason, sizeof reason, "%.180s", why);
    (void)snprintf(error, L1_ERROR_BYTES, "%s: %.200s",
                   sender->call.is_batch ? "submitBatch" : "call", reason);
    sender->transactions_failed += 1;
    finish(sender);
}

static bool contains(const char *text, const char *part) {
    return strstr(text, part) != NULL;
}

/* is_out_of_turn: by what the contract says at L1's newest block, the batch in work is settled, or
 * an earlier one is not.  It cannot be sent now, and that is nobody's fault. */
static bool is_out_of_turn(const struct l1_sender *sender, const struct l1_block *latest) {
    const struct l1_call *call = &sender->call;
    if (!call->is_batch || !hash_equal(&sender->seen_hash, &latest->hash)) return false;
    return call->last_block <= sender->seen_settled_last ||
           call->first_block > sender->seen_settled_last + 1;
}

static size_t call_settled(struct l1_endpoints *endpoints, const struct l1_sender *sender,
                           const struct l1_block *latest) {
    uint8_t selector[4];
    l1_abi_selector(L1_ABI_LAST_SETTLED_BLOCK, selector);
    return l1_call_contract(endpoints, &sender->call.to, BYTES_OF(selector), &latest->hash);
}

static enum err note_settled(struct l1_sender *sender, struct l1_endpoints *endpoints, size_t index,
                             const struct l1_block *latest, char error[L1_ERROR_BYTES]) {
    const struct json_t *result;
    uint8_t memory[96];
    struct buffer data = buffer_over(memory, sizeof memory);
    TRY(l1_batch_result(endpoints, index, &result, error));
    TRY(l1_answer_data(result, &data));
    TRY(l1_abi_settled_block(buffer_bytes(&data), &sender->seen_settled_last));
    sender->seen_hash = latest->hash;
    return ERR_OK;
}

static void cap(struct u256 *fee) {
    const struct u256 limit = u256_from_u64(FEE_WEI_MAX);
    if (u256_compare(fee, &limit) > 0) *fee = limit;
}

/* prepare asks for nonce, gas and fees.  *ready: they are there; else the call was let go of. */
static enum err prepare(struct l1_sender *sender, struct l1_endpoints *endpoints, int endpoint,
                        const struct l1_block *latest, bool *ready, char error[L1_ERROR_BYTES]) {
    *ready = false;
    l1_batch_begin(endpoints);
    const size_t nonce_index = call_nonce(endpoints, sender);
    const size_t settled_index =
        sender->call.is_batch ? call_settled(endpoints, sender, latest) : 0;
    (void)l1_call_begin(endpoints, "eth_maxPriorityFeePerGas");
    const size_t tip_index = l1_call_end(endpoints);
    write_call(l1_call_begin(endpoints, "eth_estimateGas"), sender);
    const size_t gas_index = l1_call_end(endpoints);
    TRY(l1_batch_send(endpoints, endpoint, error));

    const struct json_t *result;
    uint64_t gas;
    TRY(l1_batch_result(endpoints, nonce_index, &result, error));
    TRY(l1_answer_u64(result, &sender->nonce));
    sender->tip = u256_from_u64(TIP_DEFAULT_WEI);
    char ignored[L1_ERROR_BYTES];
    if (l1_batch_result(endpoints, tip_index, &result, ignored) == ERR_OK) {
        TRY(l1_answer_u256(result, &sender->tip));
    }
    if (sender->call.is_batch) TRY(note_settled(sender, endpoints, settled_index, latest, error));
    if (is_out_of_turn(sender, latest)) {
        finish(sender);
        return ERR_OK;
    }
    const enum err estimated = l1_batch_result(endpoints, gas_index, &result, error);
    if (estimated == ERR_REFUSED && contains(error, "revert")) {
        give_up(sender, error, error);
        return ERR_OK;
    }
    TRY(estimated);
    TRY(l1_answer_u64(result, &gas));
    if (gas > GAS_MAX) return ERR_LIMIT;
    sender->gas_limit = gas + gas / 4 < GAS_MAX ? gas + gas / 4 : GAS_MAX;
    struct u256 base_fee = latest->base_fee;
    cap(&base_fee);
    cap(&sender->tip);
    const struct u256 two_base = u256_add(&base_fee, &base_fee);
    sender->max_fee = u256_add(&two_base, &sender->tip);
    cap(&sender->max_fee);
    *ready = true;
    return ERR_OK;
}

/* raise_fees adds 12.5 % and a wei, which every pool takes for a replacement. */
static void raise_fees(struct l1_sender *sender) {
    struct u256 *fees[2] = {&sender->max_fee, &sender->tip};
    for (size_t i = 0; i < 2; i++) {
        const struct u256 eighth = u256_shr(fees[i], 3);
        const struct u256 sum = u256_add(fees[i], &eighth);
        *fees[i] = u256_add(&sum, &U256_ONE);
        cap(fees[i]);
    }
}

/* post signs and sends the call in work as it stands. */
static enum err post(struct l1_sender *sender, struct l1_endpoints *endpoints, int endpoint,
                     const struct l1_block *latest, char error[L1_ERROR_BYTES]) {
    struct arena arena = arena_over(sender->memory, sizeof sender->memory);
    struct transaction transaction = {
        .type = TRANSACTION_DYNAMIC_FEE,
        .is_protected = true,
        .chain_id = sender->config->chain_id,
        .nonce = sender->nonce,
        .max_priority_fee = sender->tip,
        .max_fee = sender->max_fee,
        .gas_limit = sender->gas_limit,
        .to = sender->call.to,
        .data = {sender->call.data, sender->call.size},
    };
    TRY(transaction_sign(&transaction, sender->config->key, &arena));
    l1_batch_begin(endpoints);
    json_data(l1_call_begin(endpoints, "eth_sendRawTransaction"), transaction.encoded);
    const size_t index = l1_call_end(endpoints);
    TRY(l1_batch_send(endpoints, endpoint, error));

    /* From here on it may be in the pool, whatever the answer says. */
    sender->sent[sender->sent_count++ % L1_SENT_MAX] = transaction.hash;
    sender->sent_at_block = latest->number;
    sender->is_displaced = false;
    sender->transactions_sent += 1;
    const struct json_t *result;
    const enum err err = l1_batch_result(endpoints, index, &result, error);
    if (err != ERR_REFUSED) return err;
    if (contains(error, "already known") || contains(error, "already imported")) return ERR_OK;
    if (contains(error, "underpriced")) { /* an older transaction of ours has this nonce */
        raise_fees(sender);
        sender->sent_at_block = latest->number < BUMP_BLOCKS ? 0 : latest->number - BUMP_BLOCKS;
        return ERR_OK;
    }
    if (contains(error, "nonce too low")) return ERR_OK; /* the next step finds out whose it was */
    sender->sent_count -= 1;
    sender->transactions_sent -= 1;
    return ERR_REFUSED;
}

/* look asks for the receipts of all versions.  *is_over: the call has come to its end, or starts
 * over because its nonce was used by another transaction. */
static enum err look(struct l1_sender *sender, struct l1_endpoints *endpoints, int endpoint,
                     bool *is_over, char error[L1_ERROR_BYTES]) {
    const size_t count = sender->sent_count < L1_SENT_MAX ? sender->sent_count : L1_SENT_MAX;
    const struct json_t *result;
    uint64_t nonce;
    l1_batch_begin(endpoints);
    const size_t nonce_index = call_nonce(endpoints, sender);
    for (size_t i = 0; i < count; i++) {
        json_hash(l1_call_begin(endpoints, "eth_getTransactionReceipt"), &sender->sent[i]);
        (void)l1_call_end(endpoints);
    }
    TRY(l1_batch_send(endpoints, endpoint, error));
    TRY(l1_batch_result(endpoints, nonce_index, &result, error));
    TRY(l1_answer_u64(result, &nonce));
    for (size_t i = 0; i < count; i++) {
        struct l1_receipt receipt;
        TRY(l1_batch_result(endpoints, 1 + i, &result, error));
        TRY(l1_answer_receipt(result, &receipt));
        if (!receipt.is_mined) continue;
        *is_over = true;
        if (receipt.has_succeeded) {
            sender->transactions_confirmed += 1;
            finish(sender);
        } else {
            give_up(sender, "the transaction reverted", error);
        }
        return ERR_OK;
    }
    sender->has_gap = nonce < sender->nonce;
    if (nonce <= sender->nonce) return ERR_OK;
    /* The nonce is used.  Endpoints answer the calls of a batch at different moments, so only the
     * next look, which begins after that, can tell that the receipts are not there. */
    if (sender->is_displaced) sender->sent_count = 0;
    sender->is_displaced = true;
    *is_over = true;
    return ERR_OK;
}

enum err l1_sender_step(struct l1_sender *sender, struct l1_endpoints *endpoints, int endpoint,
                        const struct l1_block *latest, char error[L1_ERROR_BYTES]) {
    if (sender->config->key == NULL || !take(sender)) return ERR_OK;
    while (sender->sent_count == 0 && is_out_of_turn(sender, latest)) {
        finish(sender);
        if (!take(sender)) return ERR_OK;
    }
    if (sender->sent_count > 0) {
        bool is_over = false;
        TRY(look(sender, endpoints, endpoint, &is_over, error));
        if (is_over || latest->number < sender->sent_at_block + BUMP_BLOCKS) return ERR_OK;
        if (sender->has_gap) { /* it waits for a nonce that L1 took back, or never gave */
            sender->sent_count = 0;
            return ERR_OK;
        }
        raise_fees(sender);
    } else {
        bool ready = false;
        TRY(prepare(sender, endpoints, endpoint, latest, &ready, error));
        if (!ready) return ERR_OK;
    }
    return post(sender, endpoints, endpoint, latest, error);
}
