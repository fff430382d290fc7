#pragma once
/* The ledger: what this node has on disk, as the other parts of the node use it.
 *
 * It binds the store (blocks, state, indexes), the write-ahead file (what was signed) and the
 * sequencer's types: opening and checking a data directory, writing the genesis, committing an
 * executed block, what a restart begins with, and views for those who read. */
#include "chain/genesis.h"
#include "sequencer/executor.h"
#include "sequencer/sequencer.h"
#include "store/store.h"
#include "store/wal.h"

struct ledger {
    const char *directory; /* of the caller, who keeps it while the ledger is open */
    struct store *store;
    struct wal *wal;
    const struct chain_config *config;
    struct header genesis_header;
    struct hash32 genesis_hash;
    struct arena scratch;         /* the committing thread's */
    struct arena summary_scratch; /* the sequencer's thread's */
};

/* A read view of the committed head in the form that sequencer and executor read; do not move it.
 */
struct ledger_view {
    struct store_view *view;
    struct store_state state;
    struct chain_view chain;
    struct arena arena; /* small, for frames */
    uint8_t arena_memory[8192];
};

struct genesis_file;

/* genesis_load reads the genesis file of the setting `genesis`; errors as genesis_json_load, with
 * setting and file named.  genesis_file_free is the caller's. */
MUST_USE enum err genesis_load(const char *path, struct genesis_file *out, char error[512]);

/* ledger_open opens DIRECTORY/chain and DIRECTORY/signing, writes the genesis into an empty one,
 * and refuses one of another genesis (ERR_MISMATCH; `error` names both hashes). */
MUST_USE enum err ledger_open(const char *directory, uint64_t map_gib,
                              const struct genesis *genesis, struct ledger *out, char error[512]);
void ledger_close(struct ledger *ledger);

/* ledger_ancestors gives BLOCKHASH the stored blocks' hashes; as long as the view is open. */
struct ethereum_ancestors ledger_ancestors(struct store_view *view);

/* ledger_view_open pins the head.  Used and closed by one thread at a time. */
MUST_USE enum err ledger_view_open(struct ledger *ledger, struct ledger_view *out);
void ledger_view_close(struct ledger_view *view);

/* ledger_commit makes a block durable with its commit (encoded; empty for imports); `view` is what
 * it was executed on, still open.  Errors as store_commit_block. */
MUST_USE enum err ledger_commit(struct ledger *ledger, const struct block_outcome *outcome,
                                struct bytes commit, const struct ledger_view *view);

/* ledger_restore fills what sequencer_create needs, `view` being the open head's; memory of parts
 * comes from `arena` and must live until sequencer_create returns. */
MUST_USE enum err ledger_restore(struct ledger *ledger, struct ledger_view *view,
                                 struct arena *arena, struct sequencer_restore *out,
                                 char error[512]);

/* ledger_validators reads the set that votes in `rotation`.  ERR_NOT_FOUND: not known (yet). */
MUST_USE enum err ledger_validators(struct ledger *ledger, struct store_view *view,
                                    uint64_t rotation, struct validator_set *out);

/* ledger_set_name writes the name under which that set is recorded. */
struct bytes ledger_set_name(uint64_t rotation, uint8_t out[32]);

/* ledger_light_name writes the name under which the proof of block `height` is kept that a snapshot
 * left behind (the first of a rotation, before what is here of the chain). */
struct bytes ledger_light_name(uint64_t height, uint8_t out[32]);

/* ledger_summary and ledger_rotation are sequencer_config.archive's functions; `context` is the
 * ledger.  The sequencer's thread. */
enum err ledger_summary(void *context, uint64_t height, struct block_summary *out);
enum err ledger_rotation(void *context, uint64_t rotation, struct validator_set *out);

/* ledger_persist_record and ledger_persist_journal make a PERSIST effect durable. */
MUST_USE enum err ledger_persist_record(struct ledger *ledger, struct bytes record);
MUST_USE enum err ledger_persist_journal(struct ledger *ledger, struct bytes journal);

/* memory_reserve is pages_reserve for whoever passes errors up.  ERR_MEMORY. */
MUST_USE enum err memory_reserve(size_t size, void **out);
