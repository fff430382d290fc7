#include "workloads/ethereum.h"

static struct state *state_of(void *context) {
    return ((struct ethereum_world *)context)->state;
}

static bool exists(void *context, const struct address *address) {
    return state_exists(state_of(context), address);
}
static bool is_empty(void *context, const struct address *address) {
    return state_is_empty(state_of(context), address);
}
static void balance(void *context, const struct address *address, struct u256 *out) {
    state_balance(state_of(context), address, out);
}
static uint64_t nonce(void *context, const struct address *address) {
    return state_nonce(state_of(context), address);
}
static struct bytes code(void *context, const struct address *address) {
    return state_code(state_of(context), address);
}
static void code_hash(void *context, const struct address *address, struct hash32 *out) {
    state_code_hash(state_of(context), address, out);
}
static bool has_storage(void *context, const struct address *address) {
    return state_has_storage(state_of(context), address);
}
static void set_balance(void *context, const struct address *address, const struct u256 *value) {
    state_set_balance(state_of(context), address, value);
}
static void set_nonce(void *context, const struct address *address, uint64_t value) {
    state_set_nonce(state_of(context), address, value);
}
static void set_code(void *context, const struct address *address, struct bytes value) {
    state_set_code(state_of(context), address, value);
}
static void touch(void *context, const struct address *address) {
    state_touch(state_of(context), address);
}
static void create_account(void *context, const struct address *address) {
    state_create_account(state_of(context), address);
}
static bool created_in_transaction(void *context, const struct address *address) {
    return state_created_in_transaction(state_of(context), address);
}
static void destroy(void *context, const struct address *address) {
    state_destroy(state_of(context), address);
}
static bool is_destroyed(void *context, const struct address *address) {
    return state_is_destroyed(state_of(context), address);
}
static void storage(void *context, const struct address *address, const struct hash32 *key,
                    struct u256 *out) {
    state_storage(state_of(context), address, key, out);
}
static void storage_original(void *context, const struct address *address, const struct hash32 *key,
                             struct u256 *out) {
    state_storage_original(state_of(context), address, key, out);
}
static void set_storage(void *context, const struct address *address, const struct hash32 *key,
                        const struct u256 *value) {
    state_set_storage(state_of(context), address, key, value);
}
static void transient(void *context, const struct address *address, const struct hash32 *key,
                      struct u256 *out) {
    state_transient(state_of(context), address, key, out);
}
static void set_transient(void *context, const struct address *address, const struct hash32 *key,
                          const struct u256 *value) {
    state_set_transient(state_of(context), address, key, value);
}
static bool warm_address(void *context, const struct address *address) {
    return state_warm_address(state_of(context), address);
}
static bool warm_slot(void *context, const struct address *address, const struct hash32 *key) {
    return state_warm_slot(state_of(context), address, key);
}
static size_t checkpoint(void *context) {
    return state_checkpoint(state_of(context));
}
static void rollback(void *context, size_t to) {
    state_rollback(state_of(context), to);
}
static void block_hash(void *context, uint64_t number, struct hash32 *out) {
    const struct ethereum_ancestors *ancestors = &((struct ethereum_world *)context)->ancestors;
    memset(out, 0, sizeof *out);
    if (ancestors->hash != NULL) ancestors->hash(ancestors->context, number, out);
}

struct evm_host ethereum_host(struct ethereum_world *world) {
    return (struct evm_host){
        .context = world,
        .exists = exists,
        .is_empty = is_empty,
        .balance = balance,
        .nonce = nonce,
        .code = code,
        .code_hash = code_hash,
        .has_storage = has_storage,
        .set_balance = set_balance,
        .set_nonce = set_nonce,
        .set_code = set_code,
        .touch = touch,
        .create_account = create_account,
        .created_in_transaction = created_in_transaction,
        .destroy = destroy,
        .is_destroyed = is_destroyed,
        .storage = storage,
        .storage_original = storage_original,
        .set_storage = set_storage,
        .transient = transient,
        .set_transient = set_transient,
        .warm_address = warm_address,
        .warm_slot = warm_slot,
        .checkpoint = checkpoint,
        .rollback = rollback,
        .block_hash = block_hash,
    };
}
