#pragma once
/* The store: everything that a node must still know after a crash, in one LMDB environment.
 *
 * One thread writes (the thread that owns the sequencer); any number of threads read, up to
 * `views_max` at once, and never wait for the writer nor make it wait.  A reader opens a view: a
 * consistent picture of one head, in which it reads blocks, receipts, indexes and the state at any
 * kept block.  Views are short (one request): an open view keeps pages from being reused.  What a
 * function returns is copied into the caller's arena, but for what a kv_reader returns, which lives
 * as long as its view.
 *
 * store_commit_block writes a block with all that belongs to it in one transaction and returns when
 * it is durable: after any crash the head is the last block acknowledged or one later, never a
 * part.
 *
 * State at old blocks: every change of an account or slot leaves its former value under
 * (block, key), and each entry links to earlier changes of the same key like a skip list, so that a
 * read at block n takes O(log changes) steps and writing history is appending (history.h).
 *
 * What must be durable while votes wait (signing records) is in wal.h, a file of its own. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "chain/header.h"
#include "chain/receipt.h"
#include "state/kv.h"
#include "state/proof.h"
#include "state/range.h"
#include "state/state.h"
#include "state/trie.h"

#define STORE_ERROR_BYTES       512 /* room for a line of text for people */
#define STORE_NAME_BYTES_MAX    96  /* of a named record */
#define STORE_VIEWS_MAX         1024
#define STORE_MAP_BYTES_DEFAULT (1ull << 40) /* address space, not disk */
#define STORE_PROOF_CHANGES_MAX 200000       /* changes that a proof at an old block may undo */
#define STORE_HISTORY_ALL       0

struct store; /* one open environment; boot lifetime */
struct store_view;

struct store_config {
    const char *directory;   /* made with mode 0700 when missing; holds data.mdb and lock.mdb */
    uint64_t map_bytes_max;  /* 0: STORE_MAP_BYTES_DEFAULT; the most that the file may grow to */
    uint32_t views_max;      /* views open at once, 1..STORE_VIEWS_MAX */
    uint64_t history_blocks; /* state is readable at this many blocks below the head; 0: at all */
};

/* store_open opens or makes the environment.  `error` (STORE_ERROR_BYTES, may be NULL) gets a line
 * that names the directory.  ERR_PERMISSION; ERR_EXISTS: another process has it open; ERR_CORRUPT:
 * not a database of this program, or of another format version; ERR_DISK_FULL; ERR_MEMORY: the map
 * does not fit in the address space; ERR_STORAGE. */
MUST_USE enum err store_open(const struct store_config *config, struct store **out, char *error);
/* store_close ends it; all views are closed before (CHECK).  NULL is fine. */
void store_close(struct store *store);

/* --- identity and head */
struct store_head {
    bool has_block; /* false: nothing but perhaps a loaded state is here yet */
    uint64_t number;
    struct hash32 hash;
};

/* store_genesis_check compares the hash of block 0.  ERR_OK: the same.  ERR_NOT_FOUND: the store
 * has none yet.  ERR_MISMATCH: another; *found is what is here and `error` (may be NULL) names
 * both. */
MUST_USE enum err store_genesis_check(struct store *store, const struct hash32 *expected,
                                      struct hash32 *found, char *error);
/* store_head is the last durable block.  Any thread. */
struct store_head store_head(struct store *store);

/* --- writing; one thread at a time, but for store_put_records */
struct store_record {
    struct bytes name;  /* 1..STORE_NAME_BYTES_MAX */
    struct bytes value; /* empty: delete */
};

struct store_block {
    const struct header *header;
    struct hash32 hash;
    struct bytes package; /* chain/block.h, or whatever form the caller reads back: opaque here */
    struct bytes commit;  /* encoded commit of this block; empty: none (block 0, imports) */
    const struct hash32 *transaction_hashes;
    size_t transactions_count;
    const struct receipt *receipts; /* as many as transactions, or none for an import without */
    size_t receipts_count;
    const struct kv_write *writes; /* of state_writes */
    size_t writes_count;
    /* The view, still open, whose store_state_latest the writes were computed on, their `previous`
     * being views of it: then nothing is sought again.  NULL: they may be copies. */
    const struct store_view *view;
    const struct store_record *records; /* named records that change with the block */
    size_t records_count;
    /* store_set_head alone: encoded headers of the blocks before it, up to its parent, ascending;
     * their hashes and headers can be read afterwards, the blocks cannot. */
    const struct bytes *ancestors;
    size_t ancestors_count;
};

/* store_commit_block makes `block` durable and the head.  Its number is 0 in an empty store, else
 * one above the head (CHECK), its parent the head (CHECK).  `scratch` is used and released.
 * ERR_DISK_FULL, ERR_STORAGE, ERR_LIMIT (scratch): nothing has changed.  ERR_MISMATCH: a write's
 * `previous` is not what is stored, or the view is not of the head: it was computed on another
 * state. */
MUST_USE enum err store_commit_block(struct store *store, const struct store_block *block,
                                     struct arena *scratch);
/* store_load_state puts state entries without history and without a block: a big genesis in pieces
 * (before block 0), or a snapshot (between store_clear_state and store_set_head).  `previous` is
 * not looked at. */
MUST_USE enum err store_load_state(struct store *store, const struct kv_write *writes,
                                   size_t count);
/* store_clear_state drops accounts, storage, trie, history and code; blocks stay.  Until
 * store_set_head no block's state can be read (store_state_at: ERR_LIMIT) and none committed, also
 * after a restart: store_is_loading says so. */
MUST_USE enum err store_clear_state(struct store *store);
/* store_set_head makes `block` (without writes) the head of a store whose state was loaded: state
 * sync.  Its number is above the head's (CHECK); blocks between them stay unknown, but for the
 * headers of `ancestors`, which are above the head as well (CHECK). */
MUST_USE enum err store_set_head(struct store *store, const struct store_block *block,
                                 struct arena *scratch);
/* store_put_records writes named records in one durable transaction.  Any thread: while another one
 * writes, it waits. */
MUST_USE enum err store_put_records(struct store *store, const struct store_record *records,
                                    size_t count);
/* store_set_durable(false) lets commits return before they are on disk, for loading much; true (the
 * default) makes everything durable now and from now on. */
MUST_USE enum err store_set_durable(struct store *store, bool is_durable);

/* --- views; any thread, a view belongs to one thread at a time */

/* store_view_open pins the current head.  ERR_LIMIT: views_max are open. */
MUST_USE enum err store_view_open(struct store *store, struct store_view **out);
/* store_view_close gives it back; NULL is fine. */
void store_view_close(struct store_view *view);
struct store_head store_view_head(const struct store_view *view);

/* A reader of the state at one block; caller's memory, valid until the view is closed.  Not to be
 * copied: the reader points back at it. */
struct store_state {
    struct kv_reader reader; /* hand out &state.reader */
    struct store_view *view;
    uint64_t number;
    bool is_latest;
};
/* store_state_latest views the state at the view's head (the loaded state when there is no block).
 */
void store_state_latest(struct store_view *view, struct store_state *out);
/* store_state_at views the state after block `number`.  ERR_NOT_FOUND: above the head, or no block.
 * ERR_LIMIT: its history is not kept any more.  KV_TRIE reads give ERR_UNSUPPORTED at old blocks.
 */
MUST_USE enum err store_state_at(struct store_view *view, uint64_t number, struct store_state *out);
/* store_is_loading: the state was cleared and its loading has not come to store_set_head. */
bool store_is_loading(const struct store_view *view);
/* store_history_first is the oldest block whose state can be read. */
uint64_t store_history_first(struct store_view *view);

/* Blocks.  ERR_NOT_FOUND: not here.  ERR_LIMIT: the arena is too small.  ERR_CORRUPT. */
MUST_USE enum err store_block_hash(struct store_view *view, uint64_t number, struct hash32 *out);
MUST_USE enum err store_block_number(struct store_view *view, const struct hash32 *hash,
                                     uint64_t *out);
/* store_header reads the header alone; hash may be NULL. */
MUST_USE enum err store_header(struct store_view *view, uint64_t number, struct header *out,
                               struct hash32 *hash);
MUST_USE enum err store_package(struct store_view *view, uint64_t number, struct arena *arena,
                                struct bytes *out);
/* store_commit reads the encoded commit of the block at `height`. */
MUST_USE enum err store_commit(struct store_view *view, uint64_t height, struct arena *arena,
                               struct bytes *out);
/* store_receipts reads a block's receipts; blooms are zero (receipt_bloom computes them). */
MUST_USE enum err store_receipts(struct store_view *view, uint64_t number, struct arena *arena,
                                 const struct receipt **out, size_t *count);

struct store_location {
    uint64_t number; /* block */
    uint32_t index;  /* of the transaction in it */
};
MUST_USE enum err store_transaction(struct store_view *view, const struct hash32 *hash,
                                    struct store_location *out);

/* A filter as eth_getLogs has it: an empty list stands for "anything". */
struct store_log_filter {
    const struct address *addresses;
    size_t addresses_count;
    struct {
        const struct hash32 *values;
        size_t count;
    } topics[LOG_TOPICS_MAX];
};
/* store_logs_next finds the first block in [from, to] that may have logs for the filter; false
 * positives are possible (the caller checks the receipts), misses are not.  Cost: one seek per
 * value and step of the intersection.  An all-empty filter gives every block that has any log.
 * ERR_NOT_FOUND: none. */
MUST_USE enum err store_logs_next(struct store_view *view, const struct store_log_filter *filter,
                                  uint64_t from, uint64_t to, uint64_t *out);

/* Named records. */
MUST_USE enum err store_record(struct store_view *view, struct bytes name, struct arena *arena,
                               struct bytes *out);
/* store_record_seek finds the first record whose name is at or after `name`. */
MUST_USE enum err store_record_seek(struct store_view *view, struct bytes name, struct arena *arena,
                                    struct store_record *out);

/* --- proofs (EIP-1186) at any block whose state is readable, as long as at most
 * STORE_PROOF_CHANGES_MAX changes lie between it and the head (ERR_LIMIT): they are undone in
 * memory, and the root is held against the block's header (ERR_CORRUPT).  The arena needs about 1
 * KiB per change, and 64 KiB per proof. */

/* Proves many slots of one account; caller's memory, valid until the view is closed.  Not to be
 * copied. */
struct store_prover {
    struct store_state latest;
    struct arena *arena;
    struct trie storage;
    struct hash32 storage_root;
};
/* store_proof_account proves presence or absence; *account is empty (EIP-161) when absent. */
MUST_USE enum err store_proof_account(struct store_view *view, uint64_t number,
                                      const struct address *address, struct arena *arena,
                                      struct store_prover *prover, struct account *account,
                                      struct proof *out);
/* store_proof_storage proves a slot of the prover's account: its value, or zero by absence. */
MUST_USE enum err store_proof_storage(struct store_prover *prover, const struct hash32 *key,
                                      struct u256 *value, struct proof *out);

/* --- state by key ranges (state/range.h): how a node far behind takes the state of a block */

/* store_range reads and proves a range of the accounts (owner NULL) or of an account's storage, by
 * hashed keys, as of block `number`; at most about `bytes_max` of keys and values.  Limits and
 * errors as for proofs. */
MUST_USE enum err store_range(struct store_view *view, uint64_t number, const struct hash32 *owner,
                              const struct hash32 *from, size_t bytes_max, struct arena *arena,
                              struct range *out);
/* store_load_range puts the entries of a verified range, and the trie nodes that follow from them,
 * as store_load_state does; *root is that of the entries of `owner` so far.  The same range may
 * come twice.  Code is put with store_load_state. */
MUST_USE enum err store_load_range(struct store *store, const struct hash32 *owner,
                                   const struct range *range, struct arena *arena,
                                   struct hash32 *root);

/* --- what people and metrics may know */
struct store_stats {
    uint64_t file_bytes; /* pages in use and free, as the file is long */
    uint64_t map_bytes_max;
    uint64_t commits;        /* since open */
    uint64_t commit_last_ns; /* store_commit_block as a whole */
    uint64_t sync_last_ns;   /* of it, the wait for the disk */
    uint32_t views_open;
    uint32_t views_max;
};
struct store_stats store_stats(struct store *store);
