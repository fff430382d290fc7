#pragma once
/* The world state during one block: accounts, storage, code, with a journal over a kv_reader.
 *
 * Reads fall through overlay -> reader and are cached for the block; writes stay in the overlay
 * until state_root makes a root of them and state_writes a list.  Checkpoints nest and roll
 * back all of balances, nonces, code, storage, transient storage, access lists and logs' count (the
 * caller keeps logs).  All memory comes from the arena given at state_begin; nothing is freed
 * before the block ends.  A reader's failure is remembered (state_error) and reads then give zeros:
 * callers check once, at the end of a transaction and of a block, and abandon the block.  One
 * thread. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/u256.h"
#include "state/kv.h"

struct state; /* lives in the arena of state_begin */

struct account {
    uint64_t nonce;
    struct u256 balance;
    struct hash32 storage_root; /* KECCAK_EMPTY_TRIE when empty */
    struct hash32 code_hash;    /* KECCAK_EMPTY when none */
};

/* account_encode writes the trie's form rlp([nonce, balance, storage_root, code_hash]). */
void account_encode(const struct account *account, struct buffer *out);
MUST_USE enum err account_decode(struct bytes in, struct account *out);

/* state_begin makes an empty overlay over `reader`, which must stay valid until the state is gone.
 * ERR_LIMIT: the arena is too small for the fixed part. */
MUST_USE enum err state_begin(struct arena *arena, const struct kv_reader *reader,
                              struct state **out);
/* state_error is the first failure of the reader or arena (ERR_LIMIT), ERR_OK when none. */
enum err state_error(const struct state *state);

/* --- accounts.  An account "exists" when it is in the trie or was created in this block; it is
 * "empty" by EIP-161 when nonce, balance and code are. */
bool state_exists(struct state *state, const struct address *address);
bool state_is_empty(struct state *state, const struct address *address);
void state_balance(struct state *state, const struct address *address, struct u256 *out);
uint64_t state_nonce(struct state *state, const struct address *address);
void state_code_hash(struct state *state, const struct address *address, struct hash32 *out);
/* state_code views the code; valid as long as the state. */
struct bytes state_code(struct state *state, const struct address *address);
/* state_has_storage: the account has a non-empty storage root (EIP-7610). */
bool state_has_storage(struct state *state, const struct address *address);

/* The setters make the account exist, as state_touch does; code is copied. */
void state_set_balance(struct state *state, const struct address *address,
                       const struct u256 *balance);
/* state_set_nonce: as above. */
void state_set_nonce(struct state *state, const struct address *address, uint64_t nonce);
/* state_set_code: as above; empty code is no code. */
void state_set_code(struct state *state, const struct address *address, struct bytes code);
/* state_touch marks an account so that EIP-161 deletes it if it is empty at the transaction's end;
 * one that does not exist comes to exist, empty. */
void state_touch(struct state *state, const struct address *address);
/* state_create_account resets code, nonce and storage of a new contract's account, keeps its
 * balance, and marks it as created in this transaction (EIP-6780). */
void state_create_account(struct state *state, const struct address *address);
bool state_created_in_transaction(struct state *state, const struct address *address);
/* state_destroy removes the account when the transaction ends. */
void state_destroy(struct state *state, const struct address *address);
bool state_is_destroyed(struct state *state, const struct address *address);

/* --- storage; `key` is the slot number as 32 big-endian bytes. */
void state_storage(struct state *state, const struct address *address, const struct hash32 *key,
                   struct u256 *out);
/* state_storage_original: the value at the start of the transaction (EIP-2200). */
void state_storage_original(struct state *state, const struct address *address,
                            const struct hash32 *key, struct u256 *out);
void state_set_storage(struct state *state, const struct address *address, const struct hash32 *key,
                       const struct u256 *value);
void state_transient(struct state *state, const struct address *address, const struct hash32 *key,
                     struct u256 *out);
void state_set_transient(struct state *state, const struct address *address,
                         const struct hash32 *key, const struct u256 *value);

/* --- EIP-2929: add to the transaction's access list; true when it was there already (warm). */
bool state_warm_address(struct state *state, const struct address *address);
bool state_warm_slot(struct state *state, const struct address *address, const struct hash32 *key);

/* --- journal */
size_t state_checkpoint(struct state *state);
void state_rollback(struct state *state, size_t checkpoint);

/* state_end_transaction deletes destroyed accounts and, when `delete_empty` (EIP-161), touched
 * empty ones; clears access list, transient storage and the journal; storage originals move on. */
void state_end_transaction(struct state *state, bool delete_empty);

/* state_root computes the root of the overlay over the reader's trie; cost grows with what changed
 * since the last call.  Errors: those of the reader, ERR_LIMIT of the arena. */
MUST_USE enum err state_root(struct state *state, struct hash32 *root);

/* state_writes lists what to write so that the tables hold the new state: accounts, storage, code
 * and trie nodes, sorted by (table, key), in the arena.  Call after state_root. */
MUST_USE enum err state_writes(struct state *state, const struct kv_write **out, size_t *count);

/* state_accounts_touched visits every account this block read or wrote, sorted by address: for
 * tools (prestate, JSON dumps), never for hashing. */
void state_accounts_touched(struct state *state, void *context,
                            void (*visit)(void *context, const struct address *address));

/* state_slots_touched visits every slot this block read or wrote, in no order: for the same. */
void state_slots_touched(struct state *state, void *context,
                         void (*visit)(void *context, const struct address *address,
                                       const struct hash32 *key));
