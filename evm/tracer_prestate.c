/* prestateTracer: the accounts and slots that a transaction looks at, as they were before it, and
 * with diff_mode what it made of them. */
#include "base/hex.h"
#include "base/keccak.h"
#include "evm/machine.h"
#include "evm/tracer_internal.h"

#define ACCOUNT_BUCKETS 1024
#define SLOT_BUCKETS    4096

struct seen_slot {
    struct seen_slot *next_of_bucket, *next; /* next: of the same account, in order */
    struct seen_account *account;
    struct hash32 key;
    struct u256 before, after;
};

/* What of an account is shown. */
struct shown {
    struct u256 balance;
    uint64_t nonce;
    struct hash32 code_hash; /* zero: no code */
    struct bytes code;
};

struct seen_account {
    struct seen_account *next_of_bucket, *next;
    struct address address;
    struct shown before, after;
    struct seen_slot *slots, *slots_last;
    bool is_empty, is_changed;
    bool has_destroyed_itself, is_deleted; /* the first: unless that was undone */
};

struct prestate {
    struct seen_account *accounts, *accounts_last;
    struct seen_account *account_buckets[ACCOUNT_BUCKETS];
    struct seen_slot *slot_buckets[SLOT_BUCKETS];
};

static void *create(struct tracer *tracer) {
    return tracer_keep(tracer, sizeof(struct prestate));
}

/* bucket_of hashes what programs choose, so that they cannot choose the bucket cheaply. */
static size_t bucket_of(struct bytes key, size_t buckets) {
    const struct hash32 hash = keccak256(key);
    return (size_t)be_read(hash.bytes, 8) % buckets;
}

static struct shown look(struct tracer *tracer, const struct address *address) {
    const struct evm_host *host = tracer->host;
    struct shown shown = {.nonce = host->nonce(host->context, address)};
    host->balance(host->context, address, &shown.balance);
    const struct bytes code = host->code(host->context, address);
    if (code.size == 0) return shown;
    host->code_hash(host->context, address, &shown.code_hash);
    if (!tracer->config.disable_code) shown.code = tracer_keep_bytes(tracer, code);
    return shown;
}

static struct seen_account *see(struct tracer *tracer, struct prestate *seen,
                                const struct address *address) {
    struct seen_account **bucket =
        &seen->account_buckets[bucket_of(BYTES_OF(address->bytes), ACCOUNT_BUCKETS)];
    for (struct seen_account *at = *bucket; at != NULL; at = at->next_of_bucket) {
        if (address_equal(&at->address, address)) return at;
    }
    struct seen_account *account = tracer_keep(tracer, sizeof *account);
    if (account == NULL) return NULL;
    account->address = *address;
    account->before = look(tracer, address);
    account->is_empty = account->before.nonce == 0 && u256_is_zero(&account->before.balance) &&
                        hash_is_zero(&account->before.code_hash);
    account->next_of_bucket = *bucket;
    *bucket = account;
    if (seen->accounts == NULL) seen->accounts = account;
    if (seen->accounts_last != NULL) seen->accounts_last->next = account;
    seen->accounts_last = account;
    return account;
}

static void see_slot(struct tracer *tracer, struct prestate *seen, const struct address *address,
                     const struct u256 *word) {
    struct seen_account *account = see(tracer, seen, address);
    if (account == NULL || tracer->config.disable_storage) return;
    uint8_t both[52];
    const struct hash32 key = u256_to_hash(word);
    memcpy(both, address->bytes, 20);
    memcpy(both + 20, key.bytes, 32);
    struct seen_slot **bucket = &seen->slot_buckets[bucket_of(BYTES_OF(both), SLOT_BUCKETS)];
    for (struct seen_slot *at = *bucket; at != NULL; at = at->next_of_bucket) {
        if (at->account == account && hash_equal(&at->key, &key)) return;
    }
    struct seen_slot *slot = tracer_keep(tracer, sizeof *slot);
    if (slot == NULL) return;
    slot->account = account;
    slot->key = key;
    tracer->host->storage(tracer->host->context, address, &key, &slot->before);
    slot->next_of_bucket = *bucket;
    *bucket = slot;
    if (account->slots == NULL) account->slots = slot;
    if (account->slots_last != NULL) account->slots_last->next = slot;
    account->slots_last = slot;
}

/* see_delegated sees what an account's code points at (EIP-7702). */
static void see_delegated(struct tracer *tracer, struct prestate *seen,
                          const struct address *address) {
    const struct evm_host *host = tracer->host;
    const struct bytes code = host->code(host->context, address);
    struct address target;
    if (code.size != 23 || code.data[0] != 0xef || code.data[1] != 0x01 || code.data[2] != 0) {
        return;
    }
    memcpy(target.bytes, code.data + 3, sizeof target.bytes);
    (void)see(tracer, seen, &target);
}

static void begin(struct tracer *tracer, void *self) {
    struct prestate *seen = self;
    const struct transaction *transaction = tracer->transaction;
    const struct evm_host *host = tracer->host;
    struct address to = transaction->to;
    if (transaction->is_create) {
        const uint64_t nonce = host->nonce(host->context, &transaction->sender);
        to = contract_address_create(&transaction->sender, nonce);
    } else {
        see_delegated(tracer, seen, &to);
    }
    (void)see(tracer, seen, &transaction->sender);
    (void)see(tracer, seen, &to);
    (void)see(tracer, seen, &tracer->block->coinbase);
    for (size_t i = 0; i < transaction->authorizations_count; i++) {
        struct address authority;
        const enum err err = authorization_recover(&transaction->authorizations[i], &authority);
        if (err == ERR_OK) (void)see(tracer, seen, &authority);
    }
}

static void note_destruction(struct tracer *tracer, struct prestate *seen,
                             const struct address *address) {
    struct seen_account *account = see(tracer, seen, address);
    if (account != NULL) account->has_destroyed_itself = true;
}

static void step_seen(struct tracer *tracer, void *self, const struct evm_step *step) {
    struct prestate *seen = self;
    struct address address;
    if (step->fault != EVM_SUCCESS || tracer->is_full) return;
    switch (step->opcode) {
    case OP_SLOAD:
    case OP_SSTORE: see_slot(tracer, seen, &step->address, step_top(step, 0)); return;
    case OP_BALANCE:
    case OP_EXTCODESIZE:
    case OP_EXTCODECOPY:
    case OP_EXTCODEHASH:
    case OP_SELFDESTRUCT:
        address = step_address(step, 0);
        (void)see(tracer, seen, &address);
        if (step->opcode == OP_SELFDESTRUCT) note_destruction(tracer, seen, &step->address);
        return;
    case OP_CALL:
    case OP_CALLCODE:
    case OP_DELEGATECALL:
    case OP_STATICCALL:
        address = step_address(step, 1);
        (void)see(tracer, seen, &address);
        see_delegated(tracer, seen, &address);
        return;
    default:
        if (step_creates(tracer, step, &address)) (void)see(tracer, seen, &address);
    }
}

static bool compare_slots(struct tracer *tracer, struct seen_account *account) {
    const struct evm_host *host = tracer->host;
    bool is_changed = false;
    for (struct seen_slot *slot = account->slots; slot != NULL; slot = slot->next) {
        host->storage(host->context, &account->address, &slot->key, &slot->after);
        if (!u256_equal(&slot->before, &slot->after)) is_changed = true;
    }
    return is_changed;
}

static void end(struct tracer *tracer, void *self, const struct evm_result *result) {
    (void)result;
    const struct evm_host *host = tracer->host;
    struct prestate *seen = self;
    if (!tracer->config.diff_mode) return;
    for (struct seen_account *account = seen->accounts; account != NULL; account = account->next) {
        /* marked before the host ends the transaction, gone behind it */
        account->is_deleted = account->has_destroyed_itself &&
                              (host->is_destroyed(host->context, &account->address) ||
                               !host->exists(host->context, &account->address));
        if (account->is_deleted) continue;
        account->after = look(tracer, &account->address);
        const struct shown *before = &account->before, *after = &account->after;
        account->is_changed = !u256_equal(&before->balance, &after->balance) ||
                              before->nonce != after->nonce ||
                              !hash_equal(&before->code_hash, &after->code_hash);
        if (compare_slots(tracer, account)) account->is_changed = true;
    }
}

/* --- writing */

static void write_slot(struct json_writer *json, bool *is_open, const struct hash32 *key,
                       const struct u256 *value) {
    char text[67];
    if (!*is_open) {
        json_key(json, "storage");
        json_object_begin(json);
        *is_open = true;
    }
    const struct hash32 word = u256_to_hash(value);
    json_key(json, hex_string(BYTES_OF(key->bytes), text));
    json_hash(json, &word);
}

static void write_code(struct json_writer *json, const struct shown *shown) {
    if (shown->code.size != 0) {
        json_key(json, "code");
        json_data(json, shown->code);
    }
    if (!hash_is_zero(&shown->code_hash)) {
        json_key(json, "codeHash");
        json_hash(json, &shown->code_hash);
    }
}

static void write_nonce(struct json_writer *json, uint64_t nonce) {
    if (nonce == 0) return;
    json_key(json, "nonce");
    json_number_u64(json, nonce);
}

static void begin_account(struct json_writer *json, const struct seen_account *account) {
    char text[43];
    json_key(json, hex_string(BYTES_OF(account->address.bytes), text));
    json_object_begin(json);
}

/* write_before: with `only_changed` the slots that are the same afterwards, or were zero, are left
 * out. */
static void write_before(struct json_writer *json, const struct seen_account *account,
                         bool only_changed) {
    bool is_open = false;
    begin_account(json, account);
    json_key(json, "balance");
    json_quantity_u256(json, &account->before.balance);
    write_code(json, &account->before);
    write_nonce(json, account->before.nonce);
    for (const struct seen_slot *slot = account->slots; slot != NULL; slot = slot->next) {
        if (only_changed &&
            (u256_is_zero(&slot->before) || u256_equal(&slot->before, &slot->after))) {
            continue;
        }
        write_slot(json, &is_open, &slot->key, &slot->before);
    }
    if (is_open) json_object_end(json);
    json_object_end(json);
}

static void write_after(struct json_writer *json, const struct seen_account *account) {
    const struct shown *before = &account->before, *after = &account->after;
    bool is_open = false;
    begin_account(json, account);
    if (!u256_equal(&before->balance, &after->balance)) {
        json_key(json, "balance");
        json_quantity_u256(json, &after->balance);
    }
    if (!hash_equal(&before->code_hash, &after->code_hash)) write_code(json, after);
    if (before->nonce != after->nonce) write_nonce(json, after->nonce);
    for (const struct seen_slot *slot = account->slots; slot != NULL; slot = slot->next) {
        if (u256_is_zero(&slot->after) || u256_equal(&slot->before, &slot->after)) continue;
        write_slot(json, &is_open, &slot->key, &slot->after);
    }
    if (is_open) json_object_end(json);
    json_object_end(json);
}

static void write_accounts(const struct tracer *tracer, const struct prestate *seen,
                           struct json_writer *json) {
    const bool is_diff = tracer->config.diff_mode;
    json_object_begin(json);
    for (const struct seen_account *account = seen->accounts; account != NULL;
         account = account->next) {
        if (account->is_empty && !tracer->config.include_empty) continue;
        if (is_diff && !account->is_changed && !account->is_deleted) continue;
        write_before(json, account, is_diff && !account->is_deleted);
    }
    json_object_end(json);
}

static void write(struct tracer *tracer, void *self, const struct tracer_place *place,
                  struct json_writer *json) {
    const struct prestate *seen = self;
    (void)place;
    if (!tracer->config.diff_mode) {
        write_accounts(tracer, seen, json);
        return;
    }
    json_object_begin(json);
    json_key(json, "post");
    json_object_begin(json);
    for (const struct seen_account *account = seen->accounts; account != NULL;
         account = account->next) {
        if (account->is_changed) write_after(json, account);
    }
    json_object_end(json);
    json_key(json, "pre");
    write_accounts(tracer, seen, json);
    json_object_end(json);
}

const struct tracer_functions tracer_prestate = {
    .create = create, .begin = begin, .step = step_seen, .end = end, .write = write};
