#include <string.h>

#include "base/merkle.h"
#include "workloads/ethereum_internal.h"
#include "workloads/system_contracts.h"

/* EIP-6110: the event's ABI encoding is five offsets, then each field's length and padded bytes. */
#define DEPOSIT_EVENT_BYTES 576
#define DEPOSIT_FIELDS      5

#define REQUEST_DEPOSIT       0x00
#define REQUEST_WITHDRAWAL    0x01 /* EIP-7002 */
#define REQUEST_CONSOLIDATION 0x02 /* EIP-7251 */

static const struct {
    size_t offset; /* of the length word */
    size_t size;
} deposit_fields[DEPOSIT_FIELDS] = {
    {160, 48}, {256, 32}, {320, 8}, {384, 96}, {512, 8}, /* key, credentials, amount, ... */
};

/* keccak256("DepositEvent(bytes,bytes,bytes,bytes,bytes)") */
static const struct hash32 deposit_topic = {{0x64, 0x9b, 0xbc, 0x62, 0xd0, 0xe3, 0x13, 0x42,
                                             0xaf, 0xea, 0x4e, 0x5c, 0xd8, 0x2d, 0x40, 0x49,
                                             0xe7, 0xe1, 0xee, 0x91, 0x2f, 0xc0, 0x88, 0x9a,
                                             0xa7, 0x90, 0x80, 0x3b, 0xe3, 0x90, 0x38, 0xc5}};

/* The hash of the requests of one type, absent when there is none. */
struct request_hash {
    struct sha256 context;
    bool has_requests;
    struct buffer *copy; /* NULL, or where the requests go too */
    size_t copy_at;
};

static void request_begin(struct request_hash *hash, uint8_t type, struct buffer *copy) {
    hash->copy = copy;
    if (copy != NULL) {
        hash->copy_at = copy->size;
        buffer_append_be(copy, 4, 0);
        buffer_append_byte(copy, type);
    }
    sha256_init(&hash->context);
    sha256_update(&hash->context, (struct bytes){&type, 1});
    hash->has_requests = false;
}

static void request_add(struct request_hash *hash, struct bytes data) {
    if (data.size == 0) return;
    sha256_update(&hash->context, data);
    if (hash->copy != NULL) buffer_append(hash->copy, data);
    hash->has_requests = true;
}

static void request_end(struct request_hash *hash, struct sha256 *all) {
    if (hash->copy != NULL && !hash->copy->overflow) {
        if (hash->has_requests) {
            be_write(hash->copy->data + hash->copy_at, 4, hash->copy->size - hash->copy_at - 4);
        } else {
            hash->copy->size = hash->copy_at;
        }
    }
    if (!hash->has_requests) return;
    const struct hash32 digest = sha256_final(&hash->context);
    sha256_update(all, hash_bytes(&digest));
}

static bool word_is(struct bytes data, size_t at, size_t expected) {
    const struct u256 word = u256_from_be(bytes_slice(data, at, 32));
    return u256_fits_u64(&word) && word.limb[0] == expected;
}

static bool deposit_add(struct request_hash *hash, struct bytes data) {
    if (data.size != DEPOSIT_EVENT_BYTES) return false;
    for (size_t i = 0; i < DEPOSIT_FIELDS; i++) {
        if (!word_is(data, 32 * i, deposit_fields[i].offset)) return false;
        if (!word_is(data, deposit_fields[i].offset, deposit_fields[i].size)) return false;
        request_add(hash, bytes_slice(data, deposit_fields[i].offset + 32, deposit_fields[i].size));
    }
    return true;
}

static bool deposits_add(const struct ethereum_block *block, struct request_hash *hash) {
    const struct address *contract = &block->config->deposit_contract;
    if (address_is_zero(contract)) return true;
    for (size_t i = 0; i < block->receipts_count; i++) {
        const struct receipt *receipt = &block->receipts[i];
        for (size_t index = 0; index < receipt->logs_count; index++) {
            const struct log *log = &receipt->logs[index];
            if (!address_equal(&log->address, contract) || log->topics_count == 0) continue;
            if (!hash_equal(&log->topics[0], &deposit_topic)) continue;
            if (!deposit_add(hash, log->data)) return false;
        }
    }
    return true;
}

/* queue_add asks one system contract for its requests.  Without it, or when it fails, the block is
 * invalid: a chain with these forks must have deployed it. */
static enum err queue_add(struct ethereum_block *block, const struct address *contract,
                          struct request_hash *hash, struct block_fault *fault) {
    bool has_code;
    struct evm_result result;
    TRY(ethereum_system_call(block, contract, BYTES_EMPTY, &has_code, &result));
    if (!has_code && block->requests == NULL) {
        *fault = ethereum_fault("system contract is not deployed");
    } else if (result.status != EVM_SUCCESS) {
        *fault = ethereum_fault("system contract call failed");
    } else {
        request_add(hash, result.output);
    }
    return ERR_OK;
}

enum err ethereum_requests(struct ethereum_block *block, struct hash32 *out,
                           struct block_fault *fault) {
    struct sha256 all;
    struct request_hash hash;
    sha256_init(&all);
    request_begin(&hash, REQUEST_DEPOSIT, block->requests);
    if (!deposits_add(block, &hash)) {
        *fault = ethereum_fault("deposit event has a wrong layout");
        return ERR_OK;
    }
    request_end(&hash, &all);
    request_begin(&hash, REQUEST_WITHDRAWAL, block->requests);
    TRY(queue_add(block, &system_withdrawal_requests.address, &hash, fault));
    if (fault->verdict != VERDICT_ACCEPTED) return ERR_OK;
    request_end(&hash, &all);
    request_begin(&hash, REQUEST_CONSOLIDATION, block->requests);
    TRY(queue_add(block, &system_consolidation_requests.address, &hash, fault));
    if (fault->verdict != VERDICT_ACCEPTED) return ERR_OK;
    request_end(&hash, &all);
    *out = sha256_final(&all);
    return ERR_OK;
}
