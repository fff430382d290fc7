/* Methods that wallets and explorers ask now and then: eth_config (EIP-7910), a transaction by its
 * sender and nonce, the pool in words, and what a node keeps. */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "rpc/encode.h"
#include "rpc/methods.h"
#include "rpc/params.h"
#include "workloads/system_contracts.h"

/* --- eth_getTransactionBySenderAndNonce */

static enum err nonce_at(struct call *call, uint64_t number, const struct address *sender,
                         uint64_t *out) {
    struct account account;
    TRY(call->backend->account(call->view, number, sender, &account));
    *out = account.nonce;
    return ERR_OK;
}

/* find_block finds the block that used the nonce: the first whose state has a higher one. */
static enum err find_block(struct call *call, const struct address *sender, uint64_t nonce,
                           uint64_t *out) {
    struct rpc_tags tags;
    uint64_t found;
    call->backend->tags(call->view, &tags);
    uint64_t low = tags.earliest, high = tags.latest;
    TRY(nonce_at(call, high, sender, &found));
    if (found <= nonce) return ERR_NOT_FOUND;
    TRY(nonce_at(call, low, sender, &found));
    if (found > nonce) return ERR_NOT_FOUND; /* before what is kept */
    while (low + 1 < high) {
        const uint64_t middle = low + (high - low) / 2;
        TRY(nonce_at(call, middle, sender, &found));
        if (found > nonce) {
            high = middle;
        } else {
            low = middle;
        }
    }
    *out = high;
    return ERR_OK;
}

/* write_sent writes the block's transaction of that sender and nonce, or null: the account's nonce
 * may also have grown by creating contracts or by authorizations. */
static enum err write_sent(struct call *call, uint64_t number, const struct address *sender,
                           uint64_t nonce) {
    struct rpc_block block;
    TRY(call->backend->block(call->view, number, call->arena, &block));
    for (size_t i = 0; i < block.block.transactions_count; i++) {
        struct transaction transaction;
        const struct bytes encoded = block.block.transactions[i];
        if (transaction_decode(encoded, call->arena, &transaction) != VERDICT_ACCEPTED) {
            return ERR_CORRUPT;
        }
        if (transaction.nonce != nonce) continue;
        if (transaction_recover(&transaction) != VERDICT_ACCEPTED) return ERR_CORRUPT;
        if (!address_equal(&transaction.sender, sender)) continue;
        const struct encode_place place = {&block.block.hash, number, i,
                                           block.block.header.timestamp,
                                           block.block.header.base_fee};
        rpc_encode_known(call->out, &transaction, &place);
        return ERR_OK;
    }
    json_write_null(call->out);
    return ERR_OK;
}

enum method_result rpc_eth_transaction_by_nonce(struct call *call) {
    struct address sender;
    uint64_t nonce, number;
    if (!rpc_param_address(call, 0, &sender) || !rpc_param_quantity(call, 1, &nonce)) {
        return METHOD_FAILED;
    }
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    enum err err = find_block(call, &sender, nonce, &number);
    if (err == ERR_NOT_FOUND) {
        json_write_null(call->out);
        return METHOD_DONE;
    }
    if (err == ERR_OK) err = write_sent(call, number, &sender, nonce);
    return err == ERR_OK ? METHOD_DONE : rpc_call_failed(call, err);
}

/* --- txpool_inspect */

static void decimal(const struct u256 *value, char out[80]) {
    struct u256 rest = *value;
    const struct u256 ten = u256_from_u64(10);
    char digits[80];
    size_t count = 0;
    do {
        const struct u256 quotient = u256_div(&rest, &ten);
        const struct u256 product = u256_mul(&quotient, &ten);
        const struct u256 digit = u256_sub(&rest, &product);
        digits[count++] = (char)('0' + digit.limb[0]);
        rest = quotient;
    } while (!u256_is_zero(&rest));
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    out[count] = 0;
}

/* write_words writes {sender: {nonce: "0xto: 1 wei + 21000 gas × 5 wei"}}; items come lane by lane.
 */
static enum err write_words(struct call *call, const struct bytes *items, size_t count) {
    struct address last = {{0}};
    bool is_open = false;
    json_object_begin(call->out);
    for (size_t i = 0; i < count; i++) {
        struct transaction transaction;
        char key[43], to[43], value[80], price[80], text[320];
        const size_t mark = arena_mark(call->arena);
        if (transaction_decode(items[i], call->arena, &transaction) != VERDICT_ACCEPTED ||
            transaction_recover(&transaction) != VERDICT_ACCEPTED) {
            return ERR_CORRUPT;
        }
        if (!is_open || !address_equal(&last, &transaction.sender)) {
            if (is_open) json_object_end(call->out);
            json_key(call->out, hex_checksum_address(&transaction.sender, key));
            json_object_begin(call->out);
            is_open = true;
            last = transaction.sender;
        }
        decimal(&transaction.value, value);
        decimal(&transaction.max_fee, price);
        snprintf(text, sizeof text, "%s: %s wei + %llu gas \xc3\x97 %s wei",
                 transaction.is_create ? "contract creation"
                                       : hex_checksum_address(&transaction.to, to),
                 value, (unsigned long long)transaction.gas_limit, price);
        snprintf(key, sizeof key, "%llu", (unsigned long long)transaction.nonce);
        json_key(call->out, key);
        json_write_string(call->out, text);
        arena_release(call->arena, mark);
    }
    if (is_open) json_object_end(call->out);
    json_object_end(call->out);
    return ERR_OK;
}

enum method_result rpc_txpool_inspect(struct call *call) {
    const struct bytes *pending, *queued;
    size_t pending_count, queued_count;
    enum err err = call->backend->pool_content(call->backend->context, NULL, call->arena, &pending,
                                               &pending_count, &queued, &queued_count);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    json_object_begin(call->out);
    json_key(call->out, "pending");
    err = write_words(call, pending, pending_count);
    if (err == ERR_OK) {
        json_key(call->out, "queued");
        err = write_words(call, queued, queued_count);
    }
    if (err != ERR_OK) return rpc_call_failed(call, err);
    json_object_end(call->out);
    return METHOD_DONE;
}

/* --- eth_config */

/* The moments at which the chain's rules change, for EIP-2124's checksum. */
#define MOMENTS_MAX 32

static void add_moment(uint64_t list[MOMENTS_MAX], size_t *count, uint64_t moment) {
    size_t at = 0;
    if (moment == FORK_NEVER || moment == 0 || *count == MOMENTS_MAX) return;
    while (at < *count && list[at] < moment)
        at++;
    if (at < *count && list[at] == moment) return;
    memmove(&list[at + 1], &list[at], (*count - at) * sizeof list[0]);
    list[at] = moment;
    *count += 1;
}

static uint32_t crc32_add(uint32_t crc, struct bytes data) {
    crc = ~crc;
    for (size_t i = 0; i < data.size; i++) {
        crc ^= data.data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* fork_id: EIP-2124 (with EIP-6122's times) once all forks up to `time` are active. */
static uint32_t fork_id(const struct chain_config *chain, const struct hash32 *genesis,
                        uint64_t genesis_time, uint64_t time) {
    uint64_t blocks[MOMENTS_MAX], times[MOMENTS_MAX];
    size_t blocks_count = 0, times_count = 0;
    for (int fork = 0; fork <= FORK_PARIS; fork++)
        add_moment(blocks, &blocks_count, chain->fork_block[fork]);
    if (chain->is_dao_fork_supported) add_moment(blocks, &blocks_count, chain->dao_fork_block);
    add_moment(blocks, &blocks_count, chain->muir_glacier_block);
    add_moment(blocks, &blocks_count, chain->arrow_glacier_block);
    add_moment(blocks, &blocks_count, chain->gray_glacier_block);
    for (int fork = FORK_SHANGHAI; fork < FORK_COUNT; fork++) {
        const uint64_t at = chain->fork_time[fork];
        if (at > genesis_time && at <= time) add_moment(times, &times_count, at);
    }
    uint32_t crc = crc32_add(0, hash_bytes(genesis));
    uint8_t encoded[8];
    for (size_t i = 0; i < blocks_count; i++) {
        be_write(encoded, 8, blocks[i]);
        crc = crc32_add(crc, BYTES_OF(encoded));
    }
    for (size_t i = 0; i < times_count; i++) {
        be_write(encoded, 8, times[i]);
        crc = crc32_add(crc, BYTES_OF(encoded));
    }
    return crc;
}

static void write_address(struct json_writer *json, const char *key,
                          const struct address *address) {
    json_key(json, key);
    json_address(json, address);
}

static void write_contracts(struct json_writer *json, const struct chain_config *chain,
                            enum fork fork) {
    json_key(json, "precompiles");
    json_object_begin(json);
    for (unsigned number = 1; number <= 0x100; number++) {
        struct address address = {{0}};
        be_write(address.bytes + 18, 2, number);
        const char *name = evm_precompile_name(fork, &address);
        if (name != NULL) write_address(json, name, &address);
    }
    json_object_end(json);
    json_key(json, "systemContracts");
    json_object_begin(json);
    if (fork >= FORK_CANCUN) {
        write_address(json, "BEACON_ROOTS_ADDRESS", &system_beacon_roots.address);
    }
    if (fork >= FORK_PRAGUE) {
        write_address(json, "CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS",
                      &system_consolidation_requests.address);
        write_address(json, "DEPOSIT_CONTRACT_ADDRESS", &chain->deposit_contract);
        write_address(json, "HISTORY_STORAGE_ADDRESS", &system_history.address);
        write_address(json, "WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS",
                      &system_withdrawal_requests.address);
    }
    json_object_end(json);
}

static void write_rules(struct json_writer *json, const struct chain_config *chain, enum fork fork,
                        uint32_t id) {
    char text[16];
    const struct blob_schedule schedule = fork_blob_schedule(chain, fork);
    const uint64_t at = chain->fork_time[fork];
    json_object_begin(json);
    json_key(json, "activationTime");
    json_number_u64(json, at == FORK_NEVER ? 0 : at);
    json_key(json, "blobSchedule");
    if (fork < FORK_CANCUN) {
        json_write_null(json);
    } else {
        json_object_begin(json);
        json_key(json, "target");
        json_number_u64(json, schedule.target_blobs);
        json_key(json, "max");
        json_number_u64(json, schedule.max_blobs);
        json_key(json, "baseFeeUpdateFraction");
        json_number_u64(json, schedule.base_fee_update_fraction);
        json_object_end(json);
    }
    json_key(json, "chainId");
    json_quantity(json, chain->chain_id);
    json_key(json, "forkId");
    snprintf(text, sizeof text, "0x%08x", id);
    json_write_string(json, text);
    write_contracts(json, chain, fork);
    json_object_end(json);
}

/* write_from writes the first rules that begin after `time`, or with `is_last` the last; null when
 * none are planned. */
static void write_from(struct json_writer *json, const struct chain_config *chain,
                       const struct hash32 *genesis, uint64_t genesis_time, uint64_t time,
                       bool is_last) {
    int found = -1;
    for (int fork = FORK_SHANGHAI; fork < FORK_COUNT; fork++) {
        if (chain->fork_time[fork] == FORK_NEVER || chain->fork_time[fork] <= time) continue;
        if (found < 0 || is_last) found = fork;
    }
    if (found < 0) {
        json_write_null(json);
        return;
    }
    write_rules(json, chain, (enum fork)found,
                fork_id(chain, genesis, genesis_time, chain->fork_time[found]));
}

enum method_result rpc_eth_config(struct call *call) {
    const struct chain_config *chain = call->backend->chain;
    struct json_writer *json = call->out;
    struct rpc_tags tags;
    struct header genesis, head;
    struct hash32 hash, ignored;
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    call->backend->tags(call->view, &tags);
    enum err err = call->backend->header(call->view, 0, &genesis, &hash);
    if (err == ERR_OK) err = call->backend->header(call->view, tags.latest, &head, &ignored);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    const enum fork fork = fork_at(chain, head.number, head.timestamp);
    json_object_begin(json);
    json_key(json, "current");
    write_rules(json, chain, fork, fork_id(chain, &hash, genesis.timestamp, head.timestamp));
    json_key(json, "next");
    write_from(json, chain, &hash, genesis.timestamp, head.timestamp, false);
    json_key(json, "last");
    write_from(json, chain, &hash, genesis.timestamp, head.timestamp, true);
    json_object_end(json);
    return METHOD_DONE;
}

/* --- eth_capabilities */

/* oldest_block finds the first block from which all are stored: a node that joined by a snapshot
 * has genesis and then a gap. */
static enum err oldest_block(struct call *call, uint64_t latest, uint64_t *out) {
    uint64_t low = 0, high = latest; /* `high` is there */
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        struct rpc_block block;
        const size_t mark = arena_mark(call->arena);
        /* Genesis is everywhere: block 1 says whether what follows it is. */
        const uint64_t asked = middle == 0 ? 1 : middle;
        const enum err err = call->backend->block(call->view, asked, call->arena, &block);
        arena_release(call->arena, mark);
        if (err == ERR_OK) {
            high = middle;
        } else if (err == ERR_NOT_FOUND) {
            low = middle + 1;
        } else {
            return err;
        }
    }
    *out = high;
    return ERR_OK;
}

static void write_resource(struct json_writer *json, const char *name, uint64_t oldest) {
    json_key(json, name);
    json_object_begin(json);
    json_key(json, "disabled");
    json_bool(json, false);
    json_key(json, "oldestBlock");
    json_quantity(json, oldest);
    json_object_end(json);
}

enum method_result rpc_eth_capabilities(struct call *call) {
    struct json_writer *json = call->out;
    struct rpc_tags tags;
    struct header head;
    struct hash32 hash;
    uint64_t oldest;
    if (rpc_call_view(call) == NULL) return METHOD_FAILED;
    call->backend->tags(call->view, &tags);
    enum err err = call->backend->header(call->view, tags.latest, &head, &hash);
    if (err == ERR_OK) err = oldest_block(call, tags.latest, &oldest);
    if (err != ERR_OK) return rpc_call_failed(call, err);
    json_object_begin(json);
    json_key(json, "head");
    json_object_begin(json);
    json_key(json, "number");
    json_quantity(json, tags.latest);
    json_key(json, "hash");
    json_hash(json, &hash);
    json_object_end(json);
    write_resource(json, "state", tags.earliest);
    write_resource(json, "tx", oldest);
    write_resource(json, "logs", oldest);
    write_resource(json, "receipts", oldest);
    write_resource(json, "blocks", oldest);
    write_resource(json, "stateproofs", tags.earliest);
    json_object_end(json);
    return METHOD_DONE;
}
