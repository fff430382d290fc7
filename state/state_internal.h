#pragma once
/* Inside the state: the overlay's entries, tables and journal.  Only state*.c include this.
 *
 * Accounts and slots are entries in the arena, found through open-addressing tables of pointers
 * that double inside the arena.  Transactions are numbered from 1; whatever belongs to one (warm,
 * touched, created, transient, originals) carries its number, so that nothing has to be cleared at
 * its end.
 *
 * An account's storage has an epoch.  Creating or deleting the account begins a new one, in which
 * every slot is zero, without visiting the slots: a slot of another epoch is refreshed when it is
 * next looked at.  Epoch 0 is the reader's storage. */
#include "state/state.h"
#include "state/trie.h"

struct state_slot {
    struct state_account *account;
    struct hash32 key;
    struct hash32 hash; /* keccak(key), once has_hash */
    struct u256 value;
    struct u256 original; /* at the start of original_transaction */
    struct u256 base;     /* in the reader, once is_base_loaded */
    struct bytes stored;  /* the same, as the reader gave it; empty: not there */
    struct u256 rooted;   /* in the account's trie as of the last root, in rooted_epoch */
    uint64_t original_transaction;
    uint64_t warm_transaction;
    uint32_t epoch;
    uint32_t rooted_epoch;
    bool has_hash;
    bool is_loaded; /* value is valid in `epoch` */
    bool is_base_loaded;
    bool is_changed; /* in the account's list */
    bool is_dirty;   /* perhaps other than in the trie */
    struct state_slot *next_changed;
};

struct state_account {
    struct address address;
    struct hash32 hash;  /* keccak(address), once is_loaded */
    struct account now;  /* storage_root: as of the last root */
    struct bytes code;   /* once is_code_loaded */
    struct bytes base;   /* encoded, in the reader; empty: not there */
    struct bytes rooted; /* encoded, in the trie as of the last root */
    struct trie *storage_trie;
    uint64_t warm_transaction;
    uint64_t touched_transaction;
    uint64_t created_transaction;
    uint64_t destroyed_transaction;
    uint32_t epoch;
    uint32_t rooted_epoch;
    bool is_loaded;
    bool exists;
    bool is_code_loaded;
    bool has_base_storage;
    bool is_changed; /* in the state's list */
    bool is_dirty;
    struct state_account *next_changed;
    struct state_slot *slots_changed;
};

/* What an account was before it was created, deleted or given code. */
struct account_snapshot {
    struct account now;
    struct bytes code;
    uint64_t created_transaction;
    uint32_t epoch;
    bool exists;
    bool is_code_loaded;
};

enum journal_kind {
    JOURNAL_ACCOUNT,
    JOURNAL_BALANCE,
    JOURNAL_NONCE,
    JOURNAL_TOUCH,
    JOURNAL_DESTROY,
    JOURNAL_WARM_ACCOUNT,
    JOURNAL_SLOT,
    JOURNAL_TRANSIENT,
    JOURNAL_WARM_SLOT,
};

struct journal_record {
    enum journal_kind kind;
    struct state_account *account; /* of the kinds up to WARM_ACCOUNT */
    struct state_slot *slot;       /* of SLOT and WARM_SLOT */
    union {
        const struct account_snapshot *snapshot;
        struct u256 balance;
        uint64_t nonce;
        uint64_t transaction; /* TOUCH, DESTROY, WARM_*: the number that stood there */
        struct {
            struct u256 value;
            struct u256 original;
            uint64_t original_transaction;
            uint32_t epoch;
        } slot;
        struct {
            struct u256 value;
            uint32_t index; /* of the entry */
        } transient;
    } before;
};

#define JOURNAL_CHUNK_RECORDS 256

struct journal {
    struct journal_record **chunks; /* each of JOURNAL_CHUNK_RECORDS, reused by every transaction */
    size_t chunks_count;
    size_t chunks_capacity;
    size_t count; /* records */
};

/* Transient storage (EIP-1153), which costs a contract little: small entries whose room every
 * transaction uses anew, and nothing for reads of what was never set. */
struct transient_entry {
    const struct state_account *account;
    struct hash32 key;
    struct u256 value;
    uint32_t bucket; /* that names this entry */
};

#define TRANSIENT_CHUNK_ENTRIES 256

struct transient_table {
    uint32_t *buckets; /* 1 + index of an entry, 0: free; at most half are used */
    size_t buckets_count;
    struct transient_entry **chunks;
    size_t chunks_count;
    size_t chunks_capacity;
    size_t count; /* entries of this transaction */
};

/* A table of pointers to entries; capacity is a power of two, at most half is used. */
struct state_table {
    void **entries;
    size_t capacity;
    size_t count;
};

struct state {
    struct arena *arena;
    struct kv_reader reader;
    enum err error;
    uint64_t seed; /* of the tables; no result depends on it */
    uint64_t transaction;
    uint32_t epochs;
    bool is_ripemd_touched;
    struct state_table accounts;
    struct state_table slots;
    struct transient_table transient;
    struct journal journal;
    struct state_account *changed;
    struct state_account *last_account; /* the one looked up last */
    struct state_slot *last_slot;       /* likewise */
    struct trie trie;
    bool has_trie;
    struct hash32 root;
    struct state_account sink_account; /* stands in when the arena is exhausted */
    struct state_slot sink_slot;
    struct journal_record sink_record;
};

/* state_fail remembers the first error. */
void state_fail(struct state *state, enum err err);
/* account_of finds or makes the entry without reading; account_load also reads it.  Never NULL. */
struct state_account *account_of(struct state *state, const struct address *address);
struct state_account *account_load(struct state *state, const struct address *address);
/* slot_of finds or makes the entry without reading. */
struct state_slot *slot_of(struct state *state, struct state_account *account,
                           const struct hash32 *key);
const struct hash32 *slot_hash(struct state_slot *slot);
/* journal_add returns a record to fill in. */
struct journal_record *journal_add(struct state *state, enum journal_kind kind);
struct journal_record *journal_at(struct state *state, size_t index);
/* state_hash_slot is the tables' hash of an account's slot. */
uint64_t state_hash_slot(const struct state *state, const struct state_account *account,
                         const struct hash32 *key);
struct transient_entry *transient_at(struct state *state, size_t index);
/* transient_clear forgets the transaction's entries. */
void transient_clear(struct state *state);
void account_mark_changed(struct state *state, struct state_account *account);
/* state_sort sorts pointers stably, without recursion; ERR_LIMIT: no room in the arena.  `prefix`
 * gives a number that orders like `compare`, which is asked only where two numbers are equal. */
MUST_USE enum err state_sort(struct arena *arena, void **items, size_t count,
                             uint64_t (*prefix)(const void *item),
                             int (*compare)(const void *a, const void *b));
