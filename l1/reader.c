#include "l1/reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "pages/pages.h"

#define DATA_BYTES_MAX (L1_ANSWER_BYTES_MAX / 2)

enum err l1_reader_create(const struct l1_config *config, struct l1_reader **out) {
    struct l1_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) return ERR_MEMORY;
    reader->config = config;
    const size_t size = DATA_BYTES_MAX + L1_FORCED_MAX * (size_t)L1_RAW_BYTES_MAX;
    reader->pages = pages_reserve(size);
    enum err err = reader->pages == NULL ? ERR_MEMORY : ERR_OK;
    if (err == ERR_OK) {
        reader->data = buffer_over(reader->pages, DATA_BYTES_MAX);
        for (size_t i = 0; i < L1_FORCED_MAX; i++) {
            reader->raws[i].data = reader->pages + DATA_BYTES_MAX + i * L1_RAW_BYTES_MAX;
        }
        err = l1_endpoints_create(config, &reader->endpoints);
    }
    if (err != ERR_OK) {
        l1_reader_destroy(reader);
        return err;
    }
    *out = reader;
    return ERR_OK;
}

void l1_reader_destroy(struct l1_reader *reader) {
    if (reader->endpoints != NULL) l1_endpoints_destroy(reader->endpoints);
    pages_release(reader->pages, DATA_BYTES_MAX + L1_FORCED_MAX * (size_t)L1_RAW_BYTES_MAX);
    free(reader);
}

/* unreadable notes an answer that is not what it must be. */
static enum err unreadable(struct l1_reader *reader, enum err err, const char *what,
                           char error[L1_ERROR_BYTES]) {
    if (err == ERR_OK) return ERR_OK;
    reader->bad_answers += 1;
    (void)snprintf(error, L1_ERROR_BYTES, "%s: %s", what, err_text(err));
    return err;
}

static size_t call_block(struct l1_endpoints *endpoints, const char *tag, uint64_t number) {
    struct json_writer *json = l1_call_begin(endpoints, "eth_getBlockByNumber");
    if (tag != NULL) {
        json_write_string(json, tag);
    } else {
        json_quantity(json, number);
    }
    json_bool(json, false);
    return l1_call_end(endpoints);
}

static enum err result_block(struct l1_reader *reader, size_t index, const char *what,
                             struct l1_block *out, char error[L1_ERROR_BYTES]) {
    const struct json_t *result;
    TRY(l1_batch_result(reader->endpoints, index, &result, error));
    const enum err err = l1_answer_block(result, out);
    if (err != ERR_NOT_FOUND) return unreadable(reader, err, what, error);
    (void)snprintf(error, L1_ERROR_BYTES, "%s: there is none", what);
    return err;
}

enum err l1_reader_block(struct l1_reader *reader, int endpoint, uint64_t number,
                         struct l1_block *out, char error[L1_ERROR_BYTES]) {
    l1_batch_begin(reader->endpoints);
    const size_t index = call_block(reader->endpoints, NULL, number);
    TRY(l1_batch_send(reader->endpoints, endpoint, error));
    struct l1_block block;
    TRY(result_block(reader, index, "block by number", &block, error));
    if (block.number != number) {
        return unreadable(reader, ERR_MISMATCH, "block by number", error);
    }
    *out = block;
    return ERR_OK;
}

enum err l1_reader_heads(struct l1_reader *reader, int endpoint, struct l1_heads *out,
                         char error[L1_ERROR_BYTES]) {
    struct l1_endpoints *endpoints = reader->endpoints;
    const bool by_tag = reader->config->confirmations == 0;
    l1_batch_begin(endpoints);
    (void)l1_call_begin(endpoints, "eth_chainId");
    const size_t chain_index = l1_call_end(endpoints);
    const size_t latest_index = call_block(endpoints, "latest", 0);
    const size_t finalized_index = by_tag ? call_block(endpoints, "finalized", 0) : 0;
    TRY(l1_batch_send(endpoints, endpoint, error));

    const struct json_t *result;
    uint64_t chain_id;
    struct l1_heads heads;
    TRY(l1_batch_result(endpoints, chain_index, &result, error));
    TRY(unreadable(reader, l1_answer_u64(result, &chain_id), "chain id", error));
    if (chain_id != reader->config->chain_id) {
        (void)snprintf(error, L1_ERROR_BYTES, "its chain id is %llu, l1_chain_id is %llu",
                       (unsigned long long)chain_id, (unsigned long long)reader->config->chain_id);
        return ERR_MISMATCH;
    }
    TRY(result_block(reader, latest_index, "latest block", &heads.latest, error));
    if (by_tag) {
        TRY(result_block(reader, finalized_index, "finalized block", &heads.finalized, error));
    } else {
        const uint64_t head = heads.latest.number;
        const uint64_t depth = reader->config->confirmations;
        TRY(l1_reader_block(reader, endpoint, head > depth ? head - depth : 0, &heads.finalized,
                            error));
    }
    *out = heads;
    return ERR_OK;
}

enum err l1_reader_code(struct l1_reader *reader, int endpoint, char error[L1_ERROR_BYTES]) {
    const struct address *contracts[2] = {&reader->config->consensus, &reader->config->coordinator};
    static const char *const names[2] = {"consensus_contract", "coordinator_contract"};
    l1_batch_begin(reader->endpoints);
    for (size_t i = 0; i < 2; i++) {
        struct json_writer *json = l1_call_begin(reader->endpoints, "eth_getCode");
        json_address(json, contracts[i]);
        json_write_string(json, "latest");
        (void)l1_call_end(reader->endpoints);
    }
    TRY(l1_batch_send(reader->endpoints, endpoint, error));
    for (size_t i = 0; i < 2; i++) {
        const struct json_t *result;
        TRY(l1_batch_result(reader->endpoints, i, &result, error));
        reader->data.size = 0;
        TRY(unreadable(reader, l1_answer_data(result, &reader->data), "code", error));
        if (reader->data.size > 0) continue;
        char text[43];
        (void)snprintf(error, L1_ERROR_BYTES, "no code at %s (%s)",
                       hex_checksum_address(contracts[i], text), names[i]);
        return ERR_NOT_FOUND;
    }
    return ERR_OK;
}

/* result_data decodes the result of a call into reader->data.  ERR_NOT_FOUND: there was no contract
 * at that block yet. */
static enum err result_data(struct l1_reader *reader, size_t index, const char *what,
                            char error[L1_ERROR_BYTES]) {
    const struct json_t *result;
    TRY(l1_batch_result(reader->endpoints, index, &result, error));
    reader->data.size = 0;
    reader->data.overflow = false;
    TRY(unreadable(reader, l1_answer_data(result, &reader->data), what, error));
    if (reader->data.size > 0) return ERR_OK;
    (void)snprintf(error, L1_ERROR_BYTES, "%s: no contract at that block", what);
    return ERR_NOT_FOUND;
}

enum err l1_reader_genesis(struct l1_reader *reader, int endpoint, char error[L1_ERROR_BYTES]) {
    const struct l1_config *config = reader->config;
    uint8_t selector[4];
    struct hash32 settled;
    if (hash_is_zero(&config->genesis_hash)) return ERR_OK;
    l1_abi_selector(L1_ABI_GENESIS_HASH, selector);
    l1_batch_begin(reader->endpoints);
    struct json_writer *json = l1_call_begin(reader->endpoints, "eth_call");
    json_object_begin(json);
    json_key(json, "to");
    json_address(json, &config->coordinator);
    json_key(json, "data");
    json_data(json, BYTES_OF(selector));
    json_object_end(json);
    json_write_string(json, "latest");
    const size_t call = l1_call_end(reader->endpoints);
    TRY(l1_batch_send(reader->endpoints, endpoint, error));
    TRY(result_data(reader, call, "genesisHash", error));
    TRY(unreadable(reader, l1_abi_genesis(buffer_bytes(&reader->data), &settled), "genesisHash",
                   error));
    if (hash_is_zero(&settled) || hash_equal(&settled, &config->genesis_hash)) return ERR_OK;
    (void)snprintf(error, L1_ERROR_BYTES,
                   "coordinator_contract has settled another chain, genesis block 0x%08x...: "
                   "a new chain needs new contracts",
                   (unsigned)be_read(settled.bytes, 4));
    return ERR_MISMATCH;
}

static int compare_pending(const void *left, const void *right) {
    const uint64_t a = ((const struct l1_pending *)left)->id;
    const uint64_t b = ((const struct l1_pending *)right)->id;
    return a < b ? -1 : a > b;
}

static struct l1_raw *find_raw(struct l1_reader *reader, uint64_t id) {
    for (size_t i = 0; i < L1_FORCED_MAX; i++) {
        if (reader->raws[i].id == id) return &reader->raws[i];
    }
    return NULL;
}

/* fetch_raw reads a request's transaction from its event into a place of the cache. */
static enum err fetch_raw(struct l1_reader *reader, int endpoint, const struct l1_pending *pending,
                          struct l1_raw *out, char error[L1_ERROR_BYTES]) {
    struct hash32 topics[2] = {l1_abi_topic(L1_ABI_FORCE_REQUESTED), {{0}}};
    be_write(topics[1].bytes + 24, 8, pending->id);
    l1_batch_begin(reader->endpoints);
    struct json_writer *json = l1_call_begin(reader->endpoints, "eth_getLogs");
    json_object_begin(json);
    json_key(json, "address");
    json_address(json, &reader->config->coordinator);
    json_key(json, "fromBlock");
    json_quantity(json, pending->l1_block);
    json_key(json, "toBlock");
    json_quantity(json, pending->l1_block);
    json_key(json, "topics");
    json_array_begin(json);
    json_hash(json, &topics[0]);
    json_hash(json, &topics[1]);
    json_array_end(json);
    json_object_end(json);
    const size_t index = l1_call_end(reader->endpoints);
    TRY(l1_batch_send(reader->endpoints, endpoint, error));

    const struct json_t *result;
    struct bytes raw;
    struct hash32 tx_hash;
    TRY(l1_batch_result(reader->endpoints, index, &result, error));
    reader->data.size = 0;
    reader->data.overflow = false;
    TRY(unreadable(reader,
                   l1_answer_log(result, &reader->config->coordinator, topics, 2, &reader->data),
                   "ForceInclusionRequested", error));
    enum err err = l1_abi_forced(buffer_bytes(&reader->data), &raw, &tx_hash);
    if (err == ERR_OK && !hash_equal(&tx_hash, &pending->tx_hash)) err = ERR_MISMATCH;
    TRY(unreadable(reader, err, "ForceInclusionRequested", error));
    memcpy(out->data, raw.data, raw.size);
    out->size = raw.size;
    out->id = pending->id;
    return ERR_OK;
}

/* add_forced puts the oldest requests into the view, with their transactions. */
static enum err add_forced(struct l1_reader *reader, int endpoint, size_t pending_count,
                           struct l1_view *view, char error[L1_ERROR_BYTES]) {
    qsort(reader->pending, pending_count, sizeof *reader->pending, compare_pending);
    const size_t count = pending_count < L1_FORCED_MAX ? pending_count : L1_FORCED_MAX;
    for (size_t i = 0; i < L1_FORCED_MAX; i++)
        reader->raws[i].is_wanted = false;
    for (size_t i = 0; i < count; i++) {
        struct l1_raw *raw = find_raw(reader, reader->pending[i].id);
        if (raw != NULL) raw->is_wanted = true;
    }
    for (size_t i = 0; i < L1_FORCED_MAX; i++) {
        if (!reader->raws[i].is_wanted) reader->raws[i].id = 0;
    }
    view->forced_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct l1_pending *pending = &reader->pending[i];
        struct l1_raw *raw = find_raw(reader, pending->id);
        if (raw == NULL) {
            raw = find_raw(reader, 0);
            CHECK(raw != NULL);
            TRY(fetch_raw(reader, endpoint, pending, raw, error));
        }
        view->forced[view->forced_count++] = (struct l1_forced){
            .id = pending->id, .l1_number = pending->l1_block, .raw = {raw->data, raw->size}};
    }
    return ERR_OK;
}

enum err l1_reader_view(struct l1_reader *reader, int endpoint, const struct l1_block *block,
                        struct l1_view *view, char error[L1_ERROR_BYTES]) {
    uint8_t selectors[2][4];
    uint8_t page_call[4 + 64];
    struct buffer page = buffer_over(page_call, sizeof page_call);
    l1_abi_selector(L1_ABI_GET_VALIDATOR_SET, selectors[0]);
    l1_abi_selector(L1_ABI_LAST_SETTLED_BLOCK, selectors[1]);
    l1_abi_get_pending(&page, 0, L1_PENDING_MAX);
    const struct l1_config *config = reader->config;
    struct l1_endpoints *endpoints = reader->endpoints;
    l1_batch_begin(endpoints);
    const size_t set =
        l1_call_contract(endpoints, &config->consensus, BYTES_OF(selectors[0]), &block->hash);
    const size_t settled =
        l1_call_contract(endpoints, &config->coordinator, BYTES_OF(selectors[1]), &block->hash);
    const size_t forced =
        l1_call_contract(endpoints, &config->coordinator, buffer_bytes(&page), &block->hash);
    TRY(l1_batch_send(endpoints, endpoint, error));

    memset(view, 0, sizeof *view);
    view->number = block->number;
    view->hash = block->hash;
    view->timestamp = block->timestamp;
    TRY(result_data(reader, set, "getValidatorSet", error));
    TRY(unreadable(reader, l1_abi_validator_set(buffer_bytes(&reader->data), view),
                   "getValidatorSet", error));
    TRY(result_data(reader, settled, "lastSettledBlock", error));
    TRY(unreadable(reader, l1_abi_settled(buffer_bytes(&reader->data), view), "lastSettledBlock",
                   error));
    size_t pending_count = 0;
    TRY(result_data(reader, forced, "getPendingForceInclusions", error));
    TRY(unreadable(reader,
                   l1_abi_pending(buffer_bytes(&reader->data), reader->pending, L1_PENDING_MAX,
                                  &pending_count),
                   "getPendingForceInclusions", error));
    return add_forced(reader, endpoint, pending_count, view, error);
}
