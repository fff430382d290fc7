/* The RPC backend's reads: blocks, receipts, logs, and state at any kept block. */
#include <string.h>

#include "base/keccak.h"
#include "node/backend.h"

static enum err read_block(struct rpc_view *view, uint64_t number, struct arena *arena,
                           struct rpc_block *out) {
    struct bytes bytes;
    struct block_package package = {.frame = {0}};
    TRY(store_package(view->view, number, arena, &bytes));
    const bool has_frame = view->node->config->is_rollup && number > 0;
    if (has_frame) TRY(block_package_decode(bytes, &package));
    if (!has_frame) package.ethereum_block = bytes; /* genesis and imports have no frame */
    struct rpc_block block = {.has_frame = has_frame, .frame = package.frame};
    block.ethereum_block_bytes = package.ethereum_block.size;
    TRY(block_decode(package.ethereum_block, arena, &block.block));
    *out = block;
    return ERR_OK;
}

static enum err header(struct rpc_view *view, uint64_t number, struct header *out,
                       struct hash32 *hash) {
    return store_header(view->view, number, out, hash);
}

static enum err block_number(struct rpc_view *view, const struct hash32 *hash, uint64_t *out) {
    return store_block_number(view->view, hash, out);
}

static enum err receipts(struct rpc_view *view, uint64_t number, struct arena *arena,
                         const struct receipt **out, size_t *count) {
    const struct receipt *stored;
    TRY(store_receipts(view->view, number, arena, &stored, count));
    struct receipt *list = arena_array(arena, *count, sizeof *list);
    if (list == NULL && *count > 0) return ERR_LIMIT;
    for (size_t i = 0; i < *count; i++) {
        list[i] = stored[i];
        receipt_bloom(list[i].logs, list[i].logs_count, &list[i].bloom);
    }
    *out = list;
    return ERR_OK;
}

static enum err transaction_place(struct rpc_view *view, const struct hash32 *hash,
                                  struct rpc_transaction_place *out) {
    struct store_location location;
    TRY(store_transaction(view->view, hash, &location));
    *out = (struct rpc_transaction_place){location.number, location.index};
    return ERR_OK;
}

static enum err commit(struct rpc_view *view, uint64_t number, struct arena *arena,
                       struct bytes *encoded) {
    return store_commit(view->view, number, arena, encoded);
}

static enum err log_candidate(struct rpc_view *view, uint64_t from, uint64_t to,
                              const struct rpc_log_filter *filter, uint64_t *out) {
    struct store_log_filter stored = {.addresses = filter->addresses,
                                      .addresses_count = filter->addresses_count};
    for (int i = 0; i < LOG_TOPICS_MAX; i++) {
        stored.topics[i].values = filter->topics[i].alternatives;
        stored.topics[i].count = filter->topics[i].count;
    }
    return store_logs_next(view->view, &stored, from, to, out);
}

enum err backend_state(struct rpc_view *view, uint64_t number, struct store_state *out) {
    if (store_is_loading(view->view)) return ERR_SYNCING;
    if (number == store_view_head(view->view).number) {
        store_state_latest(view->view, out);
        return ERR_OK;
    }
    const enum err err = store_state_at(view->view, number, out);
    return err == ERR_LIMIT ? ERR_NOT_FOUND : err; /* its history is not kept */
}

static enum err account(struct rpc_view *view, uint64_t number, const struct address *address,
                        struct account *out) {
    struct store_state state;
    struct bytes value;
    const struct hash32 key = keccak256(address_bytes(address));
    TRY(backend_state(view, number, &state));
    const enum err err =
        state.reader.get(state.reader.context, KV_ACCOUNTS, hash_bytes(&key), &value);
    if (err == ERR_NOT_FOUND) {
        *out = (struct account){.storage_root = KECCAK_EMPTY_TRIE, .code_hash = KECCAK_EMPTY};
        return ERR_OK;
    }
    TRY(err);
    return account_decode(value, out);
}

static enum err code(struct rpc_view *view, uint64_t number, const struct address *address,
                     struct arena *arena, struct bytes *out) {
    struct store_state state;
    struct account found;
    struct bytes value;
    TRY(account(view, number, address, &found));
    *out = BYTES_EMPTY;
    if (hash_equal(&found.code_hash, &KECCAK_EMPTY)) return ERR_OK;
    TRY(backend_state(view, number, &state));
    const enum err err =
        state.reader.get(state.reader.context, KV_CODE, hash_bytes(&found.code_hash), &value);
    if (err != ERR_OK) return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    return arena_copy(arena, value, out) ? ERR_OK : ERR_LIMIT;
}

static enum err storage(struct rpc_view *view, uint64_t number, const struct address *address,
                        const struct hash32 *key, struct u256 *out) {
    struct store_state state;
    struct bytes value;
    uint8_t name[64];
    const struct hash32 owner = keccak256(address_bytes(address));
    const struct hash32 slot = keccak256(hash_bytes(key));
    memcpy(name, owner.bytes, 32);
    memcpy(name + 32, slot.bytes, 32);
    TRY(backend_state(view, number, &state));
    const enum err err = state.reader.get(state.reader.context, KV_STORAGE,
                                          (struct bytes){name, sizeof name}, &value);
    if (err == ERR_NOT_FOUND) {
        *out = U256_ZERO;
        return ERR_OK;
    }
    TRY(err);
    if (value.size > 32) return ERR_CORRUPT;
    *out = u256_from_be(value);
    return ERR_OK;
}

static enum err prove(struct rpc_view *view, uint64_t number, const struct address *address,
                      const struct hash32 *keys, size_t keys_count, struct arena *arena,
                      struct account *found, struct proof *account_proof, struct u256 *values,
                      struct proof *slot_proofs) {
    struct store_prover prover;
    if (store_is_loading(view->view)) return ERR_SYNCING;
    const enum err err =
        store_proof_account(view->view, number, address, arena, &prover, found, account_proof);
    if (err != ERR_OK) return err;
    for (size_t i = 0; i < keys_count; i++) {
        TRY(store_proof_storage(&prover, &keys[i], &values[i], &slot_proofs[i]));
    }
    return ERR_OK;
}

void backend_chain_functions(struct rpc_backend *backend) {
    backend->block = read_block;
    backend->header = header;
    backend->block_number = block_number;
    backend->receipts = receipts;
    backend->transaction_place = transaction_place;
    backend->commit = commit;
    backend->log_candidate = log_candidate;
    backend->account = account;
    backend->code = code;
    backend->storage = storage;
    backend->proof = prove;
}
