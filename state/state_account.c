/* Accounts: read, changed, created, destroyed; and the end of a transaction. */
#include "base/check.h"
#include "base/keccak.h"
#include "state/state.h"
#include "state/state_internal.h"

/* RIPEMD-160's account: a touch of it survives the failure of the call that made it, because a bug
 * in two clients once made it so in block 2,675,119 of the main network (Yellow Paper, appendix
 * K.1). */
static const struct address ripemd = {{[19] = 3}};

/* --- reading */

bool state_exists(struct state *state, const struct address *address) {
    return account_load(state, address)->exists;
}

static bool is_empty(const struct state_account *account) {
    return account->now.nonce == 0 && u256_is_zero(&account->now.balance) &&
           hash_equal(&account->now.code_hash, &KECCAK_EMPTY);
}

bool state_is_empty(struct state *state, const struct address *address) {
    return is_empty(account_load(state, address));
}

void state_balance(struct state *state, const struct address *address, struct u256 *out) {
    *out = account_load(state, address)->now.balance;
}

uint64_t state_nonce(struct state *state, const struct address *address) {
    return account_load(state, address)->now.nonce;
}

void state_code_hash(struct state *state, const struct address *address, struct hash32 *out) {
    *out = account_load(state, address)->now.code_hash;
}

struct bytes state_code(struct state *state, const struct address *address) {
    struct state_account *account = account_load(state, address);
    if (account->is_code_loaded) return account->code;
    account->is_code_loaded = true;
    account->code = BYTES_EMPTY;
    if (hash_equal(&account->now.code_hash, &KECCAK_EMPTY)) return BYTES_EMPTY;
    struct bytes code;
    const enum err err = state->reader.get(state->reader.context, KV_CODE,
                                           hash_bytes(&account->now.code_hash), &code);
    if (err == ERR_OK) {
        account->code = code;
    } else {
        state_fail(state, err == ERR_NOT_FOUND ? ERR_CORRUPT : err);
    }
    return account->code;
}

bool state_has_storage(struct state *state, const struct address *address) {
    const struct state_account *account = account_load(state, address);
    return account->epoch == account->rooted_epoch &&
           !hash_equal(&account->now.storage_root, &KECCAK_EMPTY_TRIE);
}

/* --- writing */

/* keep journals the whole account before a change that is more than a number. */
static void keep(struct state *state, struct state_account *account) {
    struct account_snapshot *snapshot = arena_alloc(state->arena, sizeof *snapshot);
    if (snapshot == NULL) {
        state_fail(state, ERR_LIMIT);
        return;
    }
    *snapshot =
        (struct account_snapshot){account->now,   account->code,   account->created_transaction,
                                  account->epoch, account->exists, account->is_code_loaded};
    struct journal_record *record = journal_add(state, JOURNAL_ACCOUNT);
    record->account = account;
    record->before.snapshot = snapshot;
}

/* touch makes the account exist and remembers it for the end of the transaction. */
static void touch(struct state *state, struct state_account *account) {
    if (!account->exists) {
        keep(state, account);
        account->exists = true;
    }
    if (account->touched_transaction != state->transaction) {
        struct journal_record *record = journal_add(state, JOURNAL_TOUCH);
        record->account = account;
        record->before.transaction = account->touched_transaction;
        account->touched_transaction = state->transaction;
        if (address_equal(&account->address, &ripemd)) state->is_ripemd_touched = true;
    }
    account_mark_changed(state, account);
}

void state_touch(struct state *state, const struct address *address) {
    touch(state, account_load(state, address));
}

void state_set_balance(struct state *state, const struct address *address,
                       const struct u256 *balance) {
    struct state_account *account = account_load(state, address);
    touch(state, account);
    struct journal_record *record = journal_add(state, JOURNAL_BALANCE);
    record->account = account;
    record->before.balance = account->now.balance;
    account->now.balance = *balance;
}

void state_set_nonce(struct state *state, const struct address *address, uint64_t nonce) {
    struct state_account *account = account_load(state, address);
    touch(state, account);
    struct journal_record *record = journal_add(state, JOURNAL_NONCE);
    record->account = account;
    record->before.nonce = account->now.nonce;
    account->now.nonce = nonce;
}

void state_set_code(struct state *state, const struct address *address, struct bytes code) {
    struct state_account *account = account_load(state, address);
    touch(state, account);
    struct bytes copy;
    if (!arena_copy(state->arena, code, &copy)) {
        state_fail(state, ERR_LIMIT);
        return;
    }
    keep(state, account);
    account->code = copy;
    account->is_code_loaded = true;
    account->now.code_hash = code.size == 0 ? KECCAK_EMPTY : keccak256(code);
}

void state_create_account(struct state *state, const struct address *address) {
    struct state_account *account = account_load(state, address);
    touch(state, account);
    keep(state, account);
    account->now.nonce = 0;
    account->now.code_hash = KECCAK_EMPTY;
    account->code = BYTES_EMPTY;
    account->is_code_loaded = true;
    account->created_transaction = state->transaction;
    account->epoch = ++state->epochs;
}

bool state_created_in_transaction(struct state *state, const struct address *address) {
    return account_of(state, address)->created_transaction == state->transaction;
}

void state_destroy(struct state *state, const struct address *address) {
    struct state_account *account = account_load(state, address);
    touch(state, account);
    if (account->destroyed_transaction == state->transaction) return;
    struct journal_record *record = journal_add(state, JOURNAL_DESTROY);
    record->account = account;
    record->before.transaction = account->destroyed_transaction;
    account->destroyed_transaction = state->transaction;
}

bool state_is_destroyed(struct state *state, const struct address *address) {
    return account_of(state, address)->destroyed_transaction == state->transaction;
}

bool state_warm_address(struct state *state, const struct address *address) {
    struct state_account *account = account_of(state, address);
    if (account->warm_transaction == state->transaction) return true;
    struct journal_record *record = journal_add(state, JOURNAL_WARM_ACCOUNT);
    record->account = account;
    record->before.transaction = account->warm_transaction;
    account->warm_transaction = state->transaction;
    return false;
}

/* --- the transaction's end */

/* remove_account leaves nothing: the next epoch's storage is empty. */
static void remove_account(struct state *state, struct state_account *account) {
    account->exists = false;
    account->now = (struct account){.storage_root = KECCAK_EMPTY_TRIE, .code_hash = KECCAK_EMPTY};
    account->code = BYTES_EMPTY;
    account->is_code_loaded = true;
    account->epoch = ++state->epochs;
    account_mark_changed(state, account);
}

void state_end_transaction(struct state *state, bool delete_empty) {
    for (size_t i = 0; i < state->journal.count; i++) {
        const struct journal_record *record = journal_at(state, i);
        struct state_account *account = record->account;
        if (record->kind == JOURNAL_DESTROY) {
            remove_account(state, account);
        } else if (record->kind == JOURNAL_TOUCH && delete_empty && account->exists &&
                   is_empty(account)) {
            remove_account(state, account);
        }
    }
    if (state->is_ripemd_touched && delete_empty) {
        struct state_account *account = account_load(state, &ripemd);
        if (account->exists && is_empty(account)) remove_account(state, account);
    }
    state->is_ripemd_touched = false;
    state->journal.count = 0;
    transient_clear(state);
    state->transaction++;
}
