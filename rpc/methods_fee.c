/* Methods about fees. */
#include <stdio.h>
#include <stdlib.h>

#include "rpc/methods.h"
#include "rpc/params.h"

#define FEE_BLOCKS_MAX      1024
#define FEE_PERCENTILES_MAX 100
/* Blocks that the suggested tip looks at. */
#define TIP_BLOCKS 20
/* The tip that is suggested on a chain that nobody competes for: 1 wei would do, wallets like more.
 */
#define TIP_DEFAULT_WEI 1000000

/* head_of reads the header that a fee question is about: the head's. */
static enum err head_of(struct call *call, struct header *out) {
    struct rpc_tags tags;
    struct hash32 hash;
    call->backend->tags(call->view, &tags);
    return call->backend->header(call->view, tags.latest, out, &hash);
}

static int compare_u256(const void *a, const void *b) {
    return u256_compare(a, b);
}

/* A transaction's tip and gas, for percentiles. */
struct reward {
    struct u256 tip;
    uint64_t gas;
};

static int compare_reward(const void *a, const void *b) {
    const struct reward *left = a, *right = b;
    return u256_compare(&left->tip, &right->tip);
}

/* read_rewards lists tips paid in a block, ascending, with the gas that paid them. */
static enum err read_rewards(struct call *call, uint64_t number, struct reward **out,
                             size_t *count) {
    const struct receipt *receipts;
    struct header header;
    struct hash32 hash;
    TRY(call->backend->header(call->view, number, &header, &hash));
    TRY(call->backend->receipts(call->view, number, call->arena, &receipts, count));
    struct reward *rewards = arena_array(call->arena, *count + 1, sizeof *rewards);
    if (rewards == NULL) return ERR_LIMIT;
    for (size_t i = 0; i < *count; i++) {
        const struct u256 *price = &receipts[i].effective_gas_price;
        rewards[i].tip =
            u256_less(price, &header.base_fee) ? U256_ZERO : u256_sub(price, &header.base_fee);
        rewards[i].gas = receipts[i].gas_used;
    }
    qsort(rewards, *count, sizeof *rewards, compare_reward);
    *out = rewards;
    return ERR_OK;
}

/* suggest_tip is the 60th percentile of the lowest tips of the last blocks, or the default. */
static enum err suggest_tip(struct call *call, struct u256 *out) {
    struct rpc_tags tags;
    struct u256 tips[TIP_BLOCKS];
    size_t count = 0;
    call->backend->tags(call->view, &tags);
    for (uint64_t back = 0; back < TIP_BLOCKS && back < tags.latest; back++) {
        struct reward *rewards;
        size_t rewards_count;
        const size_t mark = arena_mark(call->arena);
        TRY(read_rewards(call, tags.latest - back, &rewards, &rewards_count));
        if (rewards_count > 0) tips[count++] = rewards[0].tip;
        arena_release(call->arena, mark);
    }
    *out = u256_from_u64(TIP_DEFAULT_WEI);
    if (count == 0) return ERR_OK;
    qsort(tips, count, sizeof tips[0], compare_u256);
    const struct u256 *tip = &tips[(count - 1) * 60 / 100];
    if (u256_less(out, tip)) *out = *tip;
    return ERR_OK;
}

enum method_result rpc_eth_gas_price(struct call *call) {
    struct header head;
    struct u256 tip;
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    enum err err = head_of(call, &head);
    if (err == ERR_OK) err = suggest_tip(call, &tip);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    const struct u256 base_fee = header_next_base_fee(&head);
    const struct u256 price = u256_add(&base_fee, &tip);
    json_quantity_u256(call->out, &price);
    return METHOD_DONE;
}

enum method_result rpc_eth_max_priority_fee(struct call *call) {
    struct u256 tip;
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    const enum err err = suggest_tip(call, &tip);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    json_quantity_u256(call->out, &tip);
    return METHOD_DONE;
}

enum method_result rpc_eth_base_fee(struct call *call) {
    struct header head;
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    const enum err err = head_of(call, &head);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    const struct u256 fee = header_next_base_fee(&head);
    json_quantity_u256(call->out, &fee);
    return METHOD_DONE;
}

enum method_result rpc_eth_blob_base_fee(struct call *call) {
    struct header head;
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    const enum err err = head_of(call, &head);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    const struct chain_config *chain = call->backend->chain;
    const enum fork fork = fork_at(chain, head.number, head.timestamp);
    if (fork < FORK_CANCUN) {
        json_write_null(call->out);
        return METHOD_DONE;
    }
    const uint64_t excess = header_next_excess_blob_gas(chain, fork, &head);
    const struct u256 fee = blob_base_fee(chain, fork, excess);
    json_quantity_u256(call->out, &fee);
    return METHOD_DONE;
}

/* What eth_feeHistory is asked. */
struct fee_question {
    uint64_t oldest, newest;
    size_t percentiles_count;
    double percentiles[FEE_PERCENTILES_MAX];
};

static bool read_percentiles(struct call *call, struct fee_question *question) {
    json_t *list = json_array_get(call->params, 2);
    question->percentiles_count = json_array_size(list);
    if (question->percentiles_count > FEE_PERCENTILES_MAX) {
        rpc_call_error(call, RPC_INVALID_PARAMS,
                       "invalid reward percentile: over the query limit %d", FEE_PERCENTILES_MAX);
        return false;
    }
    for (size_t i = 0; i < question->percentiles_count; i++) {
        json_t *value = json_array_get(list, i);
        const double percentile = json_number_value(value);
        if (!json_is_number(value) || percentile < 0 || percentile > 100 ||
            (i > 0 && percentile < question->percentiles[i - 1])) {
            rpc_call_error(call, RPC_SERVER_ERROR, "invalid reward percentile: %f", percentile);
            return false;
        }
        question->percentiles[i] = percentile;
    }
    return true;
}

/* write_block_rewards writes the tips at each percentile of one block's gas. */
static enum err write_block_rewards(struct call *call, const struct fee_question *question,
                                    uint64_t number, uint64_t gas_used) {
    struct reward *rewards;
    size_t count, at = 0;
    TRY(read_rewards(call, number, &rewards, &count));
    json_array_begin(call->out);
    uint64_t sum = count > 0 ? rewards[0].gas : 0;
    for (size_t i = 0; i < question->percentiles_count; i++) {
        const uint64_t threshold = (uint64_t)((double)gas_used * question->percentiles[i] / 100.0);
        while (at + 1 < count && sum < threshold)
            sum += rewards[++at].gas;
        if (count == 0) {
            json_quantity(call->out, 0);
        } else {
            json_quantity_u256(call->out, &rewards[at].tip);
        }
    }
    json_array_end(call->out);
    return ERR_OK;
}

static enum err write_rewards(struct call *call, const struct fee_question *question) {
    json_key(call->out, "reward");
    json_array_begin(call->out);
    for (uint64_t number = question->oldest; number <= question->newest; number++) {
        struct header header;
        struct hash32 hash;
        const size_t mark = arena_mark(call->arena);
        TRY(call->backend->header(call->view, number, &header, &hash));
        TRY(write_block_rewards(call, question, number, header.gas_used));
        arena_release(call->arena, mark);
    }
    json_array_end(call->out);
    return ERR_OK;
}

/* write_ratio writes used/limit as a JSON number. */
static void write_ratio(struct json_writer *json, uint64_t used, uint64_t limit) {
    char text[32];
    const int size =
        snprintf(text, sizeof text, "%.17g", limit == 0 ? 0.0 : (double)used / (double)limit);
    json_raw(json, (struct bytes){(const uint8_t *)text, (size_t)size});
}

enum fee_column { FEE_BASE, FEE_GAS, FEE_BLOB_BASE, FEE_BLOB_GAS };

static void write_next(struct call *call, const struct header *last, enum fee_column column) {
    const struct chain_config *chain = call->backend->chain;
    if (column == FEE_BASE) {
        const struct u256 next = header_next_base_fee(last);
        json_quantity_u256(call->out, &next);
    } else if (column == FEE_BLOB_BASE) {
        const enum fork fork = fork_at(chain, last->number + 1, last->timestamp);
        struct u256 fee = U256_ZERO;
        if (fork >= FORK_CANCUN) {
            fee = blob_base_fee(chain, fork, header_next_excess_blob_gas(chain, fork, last));
        }
        json_quantity_u256(call->out, &fee);
    }
}

/* write_column writes one array over the blocks; base fees have one entry more: the next block's.
 */
static enum err write_column(struct call *call, const struct fee_question *question,
                             const char *key, enum fee_column column) {
    const struct chain_config *chain = call->backend->chain;
    struct header header = {.number = 0};
    struct hash32 hash;
    json_key(call->out, key);
    json_array_begin(call->out);
    for (uint64_t number = question->oldest; number <= question->newest; number++) {
        TRY(call->backend->header(call->view, number, &header, &hash));
        const enum fork fork = fork_at(chain, number, header.timestamp);
        const uint64_t blob_max = fork_blob_schedule(chain, fork).max_blobs * 131072;
        if (column == FEE_BASE) json_quantity_u256(call->out, &header.base_fee);
        if (column == FEE_GAS) write_ratio(call->out, header.gas_used, header.gas_limit);
        if (column == FEE_BLOB_GAS) write_ratio(call->out, header.blob_gas_used, blob_max);
        if (column == FEE_BLOB_BASE) {
            const struct u256 fee = fork >= FORK_CANCUN
                                        ? blob_base_fee(chain, fork, header.excess_blob_gas)
                                        : U256_ZERO;
            json_quantity_u256(call->out, &fee);
        }
    }
    write_next(call, &header, column);
    json_array_end(call->out);
    return ERR_OK;
}

enum method_result rpc_eth_fee_history(struct call *call) {
    struct fee_question question;
    struct block_choice newest;
    uint64_t count;
    if (!rpc_param_quantity(call, 0, &count)) return METHOD_FAILED;
    if (!rpc_param_block(call, 1, false, &newest, NULL)) return METHOD_FAILED;
    if (!read_percentiles(call, &question)) return METHOD_FAILED;
    if (count > FEE_BLOCKS_MAX) count = FEE_BLOCKS_MAX;
    if (count > newest.number + 1) count = newest.number + 1;
    question.newest = newest.number;
    question.oldest = newest.number + 1 - count;
    json_object_begin(call->out);
    json_key(call->out, "oldestBlock");
    json_quantity(call->out, count == 0 ? 0 : question.oldest);
    enum err err = ERR_OK;
    if (count > 0) {
        if (question.percentiles_count > 0) err = write_rewards(call, &question);
        if (err == ERR_OK) err = write_column(call, &question, "baseFeePerGas", FEE_BASE);
        if (err == ERR_OK) err = write_column(call, &question, "gasUsedRatio", FEE_GAS);
        if (err == ERR_OK) err = write_column(call, &question, "baseFeePerBlobGas", FEE_BLOB_BASE);
        if (err == ERR_OK) err = write_column(call, &question, "blobGasUsedRatio", FEE_BLOB_GAS);
    } else {
        json_key(call->out, "gasUsedRatio");
        json_write_null(call->out);
    }
    if (err != ERR_OK) return rpc_call_failed(call, err);
    json_object_end(call->out);
    return METHOD_DONE;
}
