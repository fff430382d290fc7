#pragma once
/* The border between state and where it is kept: ordered tables of byte strings.
 *
 * state/ reads through a struct kv_reader and hands its writes over as a list; it never sees LMDB.
 * store/ implements a reader on a read transaction, tests and the simulator one in memory. */
#include "base/bytes.h"
#include "base/err.h"

enum kv_table {
    KV_ACCOUNTS, /* keccak(address) -> account (state.h, account_encode) */
    KV_STORAGE,  /* keccak(address) || keccak(slot) -> value, 1..32 bytes without leading zeros */
    KV_CODE,     /* code hash -> code */
    KV_TRIE,     /* trie node key (trie.h) -> trie node */
    KV_TABLE_COUNT
};

#define KV_KEY_BYTES_MAX 128

/* A view of the tables at one block.  Returned bytes stay valid as long as the reader does, and are
 * read-only.  Functions are called from the one thread that uses the reader. */
struct kv_reader {
    void *context;
    /* get: ERR_OK with *value, ERR_NOT_FOUND, or ERR_STORAGE / ERR_CORRUPT. */
    enum err (*get)(void *context, enum kv_table table, struct bytes key, struct bytes *value);
    /* seek: the first entry whose key is at or after `key`; ERR_NOT_FOUND past the last. */
    enum err (*seek)(void *context, enum kv_table table, struct bytes key, struct bytes *key_found,
                     struct bytes *value);
};

/* One write; an empty value deletes the key. */
struct kv_write {
    enum kv_table table;
    struct bytes key;
    struct bytes value;    /* the new value; empty: delete */
    struct bytes previous; /* the old value, as the reader gave it; empty: there was none
                              (KV_ACCOUNTS, KV_STORAGE only) */
};
