#include "sequencer/beacon_watch.h"

#include "workloads/system_contracts.h"

static struct evm_host *inner_of(void *context) {
    return &((struct beacon_watch *)context)->inner;
}

static void note(void *context, const struct address *address) {
    struct beacon_watch *watch = context;
    if (address_equal(address, &system_beacon_roots.address)) watch->was_used = true;
}

/* FORWARD defines a function that calls the inner host's function of the same name. */
#define FORWARD(result, name, parameters, ...)                                                     \
    static result watch_##name parameters {                                                        \
        const struct evm_host *inner = inner_of(context);                                          \
        return inner->name(inner->context __VA_OPT__(, ) __VA_ARGS__);                             \
    }

#define CONTEXT void *context
#define ADDRESS const struct address *address
#define KEY     const struct hash32 *key

FORWARD(bool, exists, (CONTEXT, ADDRESS), address)
FORWARD(bool, is_empty, (CONTEXT, ADDRESS), address)
FORWARD(void, balance, (CONTEXT, ADDRESS, struct u256 *out), address, out)
FORWARD(uint64_t, nonce, (CONTEXT, ADDRESS), address)
FORWARD(struct bytes, code, (CONTEXT, ADDRESS), address)
FORWARD(void, code_hash, (CONTEXT, ADDRESS, struct hash32 *out), address, out)
FORWARD(bool, has_storage, (CONTEXT, ADDRESS), address)
FORWARD(void, set_balance, (CONTEXT, ADDRESS, const struct u256 *value), address, value)
FORWARD(void, set_nonce, (CONTEXT, ADDRESS, uint64_t value), address, value)
FORWARD(void, set_code, (CONTEXT, ADDRESS, struct bytes value), address, value)
FORWARD(void, touch, (CONTEXT, ADDRESS), address)
FORWARD(void, create_account, (CONTEXT, ADDRESS), address)
FORWARD(bool, created_in_transaction, (CONTEXT, ADDRESS), address)
FORWARD(void, destroy, (CONTEXT, ADDRESS), address)
FORWARD(bool, is_destroyed, (CONTEXT, ADDRESS), address)
FORWARD(void, transient, (CONTEXT, ADDRESS, KEY, struct u256 *out), address, key, out)
FORWARD(void, set_transient, (CONTEXT, ADDRESS, KEY, const struct u256 *value), address, key, value)
FORWARD(bool, warm_address, (CONTEXT, ADDRESS), address)
FORWARD(bool, warm_slot, (CONTEXT, ADDRESS, KEY), address, key)
FORWARD(size_t, checkpoint, (CONTEXT))
FORWARD(void, rollback, (CONTEXT, size_t checkpoint), checkpoint)
FORWARD(void, block_hash, (CONTEXT, uint64_t number, struct hash32 *out), number, out)

static void watch_storage(CONTEXT, ADDRESS, KEY, struct u256 *out) {
    const struct evm_host *inner = inner_of(context);
    note(context, address);
    inner->storage(inner->context, address, key, out);
}

static void watch_storage_original(CONTEXT, ADDRESS, KEY, struct u256 *out) {
    const struct evm_host *inner = inner_of(context);
    note(context, address);
    inner->storage_original(inner->context, address, key, out);
}

static void watch_set_storage(CONTEXT, ADDRESS, KEY, const struct u256 *value) {
    const struct evm_host *inner = inner_of(context);
    note(context, address);
    inner->set_storage(inner->context, address, key, value);
}

struct evm_host beacon_watch_begin(struct beacon_watch *watch, const struct evm_host *inner) {
    watch->inner = *inner;
    watch->was_used = false;
    return (struct evm_host){
        .context = watch,
        .exists = watch_exists,
        .is_empty = watch_is_empty,
        .balance = watch_balance,
        .nonce = watch_nonce,
        .code = watch_code,
        .code_hash = watch_code_hash,
        .has_storage = watch_has_storage,
        .set_balance = watch_set_balance,
        .set_nonce = watch_set_nonce,
        .set_code = watch_set_code,
        .touch = watch_touch,
        .create_account = watch_create_account,
        .created_in_transaction = watch_created_in_transaction,
        .destroy = watch_destroy,
        .is_destroyed = watch_is_destroyed,
        .storage = watch_storage,
        .storage_original = watch_storage_original,
        .set_storage = watch_set_storage,
        .transient = watch_transient,
        .set_transient = watch_set_transient,
        .warm_address = watch_warm_address,
        .warm_slot = watch_warm_slot,
        .checkpoint = watch_checkpoint,
        .rollback = watch_rollback,
        .block_hash = watch_block_hash,
    };
}
