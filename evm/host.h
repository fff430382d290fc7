#pragma once
/* What the EVM asks of the world: one struct of functions over a context.
 *
 * evm/ and state/ do not know each other; workloads/ binds them.  All calls come from the one
 * thread that runs the transaction.  A host that fails (disk) remembers it and answers zeros; its
 * owner checks after the transaction. */
#include "base/bytes.h"
#include "base/hash.h"
#include "base/u256.h"

struct evm_log {
    struct address address;
    uint32_t topics_count;
    struct hash32 topics[4];
    struct bytes data; /* lives in the transaction's arena */
};

struct evm_host {
    void *context;
    bool (*exists)(void *context, const struct address *address);
    bool (*is_empty)(void *context, const struct address *address);
    void (*balance)(void *context, const struct address *address, struct u256 *out);
    uint64_t (*nonce)(void *context, const struct address *address);
    /* The account's own code, delegation designators (EIP-7702) not followed. */
    struct bytes (*code)(void *context, const struct address *address);
    void (*code_hash)(void *context, const struct address *address, struct hash32 *out);
    bool (*has_storage)(void *context, const struct address *address);
    void (*set_balance)(void *context, const struct address *address, const struct u256 *balance);
    void (*set_nonce)(void *context, const struct address *address, uint64_t nonce);
    void (*set_code)(void *context, const struct address *address, struct bytes code);
    void (*touch)(void *context, const struct address *address);
    void (*create_account)(void *context, const struct address *address);
    bool (*created_in_transaction)(void *context, const struct address *address);
    void (*destroy)(void *context, const struct address *address);
    bool (*is_destroyed)(void *context, const struct address *address);
    void (*storage)(void *context, const struct address *address, const struct hash32 *key,
                    struct u256 *out);
    void (*storage_original)(void *context, const struct address *address, const struct hash32 *key,
                             struct u256 *out);
    void (*set_storage)(void *context, const struct address *address, const struct hash32 *key,
                        const struct u256 *value);
    void (*transient)(void *context, const struct address *address, const struct hash32 *key,
                      struct u256 *out);
    void (*set_transient)(void *context, const struct address *address, const struct hash32 *key,
                          const struct u256 *value);
    bool (*warm_address)(void *context, const struct address *address);
    bool (*warm_slot)(void *context, const struct address *address, const struct hash32 *key);
    size_t (*checkpoint)(void *context);
    void (*rollback)(void *context, size_t checkpoint);
    /* The hash of one of the 256 blocks before the current one; zero when unknown. */
    void (*block_hash)(void *context, uint64_t number, struct hash32 *out);
};
