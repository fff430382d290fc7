#include "node/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/keccak.h"
#include "base/rlp.h"
#include "genesis/genesis_json.h"
#include "node/log.h"
#include "pages/pages.h"
#include "workloads/ethereum.h"

#define VIEWS_MAX         512
#define SCRATCH_BYTES     ((size_t)1 << 30)
#define SUMMARY_BYTES     (2 * (size_t)BLOCK_PACKAGE_BYTES_MAX)
#define GENESIS_BYTES     ((size_t)2 << 30)
#define VALIDATORS_RECORD "validators/"
#define LIGHT_RECORD      "light/"

enum err memory_reserve(size_t size, void **out) {
    void *memory = pages_reserve(size);
    if (memory == NULL) return ERR_MEMORY;
    *out = memory;
    return ERR_OK;
}

/* "validators/" and the rotation as 8 bytes, so that names sort by rotation. */
struct bytes ledger_set_name(uint64_t rotation, uint8_t out[32]) {
    const size_t prefix = sizeof VALIDATORS_RECORD - 1;
    memcpy(out, VALIDATORS_RECORD, prefix);
    be_write(out + prefix, 8, rotation);
    return (struct bytes){out, prefix + 8};
}

struct bytes ledger_light_name(uint64_t height, uint8_t out[32]) {
    const size_t prefix = sizeof LIGHT_RECORD - 1;
    memcpy(out, LIGHT_RECORD, prefix);
    be_write(out + prefix, 8, height);
    return (struct bytes){out, prefix + 8};
}

/* write_genesis computes block 0's state and commits it. */
static enum err write_genesis(struct ledger *ledger, const struct genesis *genesis,
                              struct state *state, struct arena *arena, bool commit) {
    struct header header;
    TRY(ethereum_genesis(genesis, state, &header));
    ledger->genesis_header = header;
    ledger->genesis_hash = header_hash(&header);
    if (!commit) return ERR_OK;

    const struct kv_write *writes;
    size_t writes_count;
    TRY(state_writes(state, &writes, &writes_count));
    uint8_t *memory = arena_alloc(arena, HEADER_BYTES_MAX + VALIDATOR_SET_BYTES_MAX + 64);
    if (memory == NULL) return ERR_LIMIT;
    struct buffer package = buffer_over(memory, HEADER_BYTES_MAX + 64);
    const struct block block = {.header = header,
                                .has_withdrawals = header.tail_fields >= HEADER_TAIL_SHANGHAI};
    block_encode(&block, &package);
    uint8_t name[32];
    struct buffer set = buffer_over(memory + HEADER_BYTES_MAX + 64, VALIDATOR_SET_BYTES_MAX);
    validator_set_encode(&genesis->config.rollup.validators, &set);
    const struct store_record record = {ledger_set_name(0, name), buffer_bytes(&set)};
    const struct store_block stored = {.header = &header,
                                       .hash = ledger->genesis_hash,
                                       .package = buffer_bytes(&package),
                                       .writes = writes,
                                       .writes_count = writes_count,
                                       .records = &record,
                                       .records_count = genesis->config.is_rollup ? 1 : 0};
    return store_commit_block(ledger->store, &stored, &ledger->scratch);
}

/* Reads nothing: the state before genesis. */
static enum err empty_get(void *context, enum kv_table table, struct bytes key,
                          struct bytes *value) {
    (void)context, (void)table, (void)key, (void)value;
    return ERR_NOT_FOUND;
}
static enum err empty_seek(void *context, enum kv_table table, struct bytes key,
                           struct bytes *key_found, struct bytes *value) {
    (void)context, (void)table, (void)key, (void)key_found, (void)value;
    return ERR_NOT_FOUND;
}

static enum err open_genesis(struct ledger *ledger, const struct genesis *genesis,
                             char error[512]) {
    void *memory;
    TRY(memory_reserve(GENESIS_BYTES, &memory));
    struct arena arena = arena_over(memory, GENESIS_BYTES);
    const struct kv_reader nothing = {.get = empty_get, .seek = empty_seek};
    struct state *state;
    enum err err = state_begin(&arena, &nothing, &state);
    const bool is_empty = !store_head(ledger->store).has_block;
    if (err == ERR_OK) err = write_genesis(ledger, genesis, state, &arena, is_empty);
    if (err == ERR_OK) {
        struct hash32 found;
        err = store_genesis_check(ledger->store, &ledger->genesis_hash, &found, error);
    } else {
        snprintf(error, 512, "genesis: cannot be made the first block: %s", err_text(err));
    }
    pages_release(memory, GENESIS_BYTES);
    return err;
}

enum err genesis_load(const char *path, struct genesis_file *out, char error[512]) {
    char line[GENESIS_ERROR_BYTES] = "";
    const enum err err = genesis_json_load(path, out, line);
    if (err == ERR_OK) return ERR_OK;
    /* the line begins with the path */
    snprintf(error, 512, "genesis: %s", line[0] != '\0' ? line : err_text(err));
    return err;
}

enum err ledger_open(const char *directory, uint64_t map_gib, const struct genesis *genesis,
                     struct ledger *out, char error[512]) {
    char path[4200];
    void *scratch;
    *out = (struct ledger){.directory = directory, .config = &genesis->config};
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        snprintf(error, 512, "data_dir: cannot make \"%.200s\": %s", directory, strerror(errno));
        return ERR_PERMISSION;
    }
    enum err err = memory_reserve(SCRATCH_BYTES, &scratch);
    if (err != ERR_OK) return err;
    out->scratch = arena_over(scratch, SCRATCH_BYTES);
    err = memory_reserve(SUMMARY_BYTES, &scratch);
    if (err != ERR_OK) {
        ledger_close(out);
        return err;
    }
    out->summary_scratch = arena_over(scratch, SUMMARY_BYTES);
    snprintf(path, sizeof path, "%s/chain", directory);
    const struct store_config config = {
        .directory = path, .map_bytes_max = map_gib << 30, .views_max = VIEWS_MAX};
    err = store_open(&config, &out->store, error);
    if (err == ERR_OK) err = open_genesis(out, genesis, error);
    if (err == ERR_OK) {
        snprintf(path, sizeof path, "%s/signing", directory);
        err = wal_open(path, &out->wal, error);
    }
    if (err != ERR_OK) ledger_close(out);
    return err;
}

void ledger_close(struct ledger *ledger) {
    if (ledger->wal != NULL) wal_close(ledger->wal);
    store_close(ledger->store);
    pages_release(ledger->scratch.data, SCRATCH_BYTES);
    pages_release(ledger->summary_scratch.data, SUMMARY_BYTES);
    *ledger = (struct ledger){0};
}

static void ancestor_hash(void *context, uint64_t number, struct hash32 *out) {
    struct store_view *view = context;
    if (store_block_hash(view, number, out) != ERR_OK) memset(out, 0, sizeof *out);
}

struct ethereum_ancestors ledger_ancestors(struct store_view *view) {
    return (struct ethereum_ancestors){view, ancestor_hash};
}

/* read_frame takes the head's frame out of its stored package; zero at genesis. */
static enum err read_frame(struct store_view *view, uint64_t number, struct frame *out) {
    void *memory;
    *out = (struct frame){0};
    if (number == 0) return ERR_OK;
    TRY(memory_reserve(BLOCK_PACKAGE_BYTES_MAX + 4096, &memory));
    struct arena arena = arena_over(memory, BLOCK_PACKAGE_BYTES_MAX + 4096);
    struct bytes bytes;
    struct block_package package;
    enum err err = store_package(view, number, &arena, &bytes);
    if (err == ERR_OK) err = block_package_decode(bytes, &package);
    if (err == ERR_OK) *out = package.frame;
    pages_release(memory, BLOCK_PACKAGE_BYTES_MAX + 4096);
    return err;
}

enum err ledger_view_open(struct ledger *ledger, struct ledger_view *out) {
    TRY(store_view_open(ledger->store, &out->view));
    store_state_latest(out->view, &out->state);
    out->chain = (struct chain_view){
        .state = out->state.reader,
        .admission = out->state.reader, /* each thread has a view of its own */
        .ancestors = ledger_ancestors(out->view),
    };
    const struct store_head head = store_view_head(out->view);
    enum err err = store_header(out->view, head.number, &out->chain.head, &out->chain.head_hash);
    if (err == ERR_OK && ledger->config->is_rollup) {
        err = read_frame(out->view, head.number, &out->chain.head_frame);
    }
    if (err != ERR_OK) ledger_view_close(out);
    return err;
}

void ledger_view_close(struct ledger_view *view) {
    store_view_close(view->view);
    view->view = NULL;
}

/* next_set_record names and encodes the set that a rotation's first block carries. */
static enum err next_set_record(struct ledger *ledger, const struct block_outcome *outcome,
                                uint8_t name[32], struct store_record *out) {
    uint8_t *memory = arena_alloc(&ledger->scratch, VALIDATOR_SET_BYTES_MAX);
    if (memory == NULL) return ERR_LIMIT;
    struct buffer set = buffer_over(memory, VALIDATOR_SET_BYTES_MAX);
    validator_set_encode(&outcome->next_validators, &set);
    const uint64_t per_rotation = ledger->config->rollup.blocks_per_rotation;
    *out = (struct store_record){
        ledger_set_name(rotation_of(outcome->height, per_rotation) + 1, name), buffer_bytes(&set)};
    return ERR_OK;
}

static enum err commit_in_scratch(struct ledger *ledger, const struct block_outcome *outcome,
                                  struct bytes commit, const struct ledger_view *view) {
    const struct receipt *receipts = NULL;
    size_t receipts_count = 0;
    uint8_t name[32];
    struct store_record record = {0};
    const bool carries_set = outcome->next_validators.count > 0;
    TRY(receipts_store_decode(outcome->receipts, &ledger->scratch, &receipts, &receipts_count));
    if (carries_set) TRY(next_set_record(ledger, outcome, name, &record));
    const struct store_block block = {
        .header = &outcome->header,
        .hash = outcome->hash,
        .package = outcome->package,
        .commit = commit,
        .transaction_hashes = outcome->item_hashes,
        .transactions_count = outcome->items_count,
        .receipts = receipts,
        .receipts_count = receipts_count,
        .writes = outcome->writes,
        .writes_count = outcome->writes_count,
        .view = view->view,
        .records = &record,
        .records_count = carries_set ? 1 : 0,
    };
    return store_commit_block(ledger->store, &block, &ledger->scratch);
}

enum err ledger_commit(struct ledger *ledger, const struct block_outcome *outcome,
                       struct bytes commit, const struct ledger_view *view) {
    const size_t mark = arena_mark(&ledger->scratch);
    const enum err err = commit_in_scratch(ledger, outcome, commit, view);
    arena_release(&ledger->scratch, mark);
    return err;
}

enum err ledger_validators(struct ledger *ledger, struct store_view *view, uint64_t rotation,
                           struct validator_set *out) {
    uint8_t name[32], memory[VALIDATOR_SET_BYTES_MAX + 64];
    struct arena arena = arena_over(memory, sizeof memory);
    struct bytes value;
    (void)ledger;
    TRY(store_record(view, ledger_set_name(rotation, name), &arena, &value));
    return validator_set_decode(value, out);
}

/* restore_journal reads which batches are under way. */
static enum err restore_journal(struct ledger *ledger, struct arena *arena,
                                struct sequencer_restore *out, char error[512]) {
    const enum err err = wal_get(ledger->wal, WAL_JOURNAL, arena, &out->journal);
    if (err == ERR_OK || err == ERR_NOT_FOUND) return ERR_OK;
    snprintf(error, 512,
             "data_dir: \"%.200s/signing\": the journal of batches is damaged (%s); restore it "
             "from a backup",
             ledger->directory, err_text(err));
    return err;
}

/* restore_record reads what was signed last and the valid block's bytes. */
static enum err restore_record(struct ledger *ledger, struct arena *arena,
                               struct sequencer_restore *out, char error[512]) {
    struct bytes bytes;
    enum err err = wal_get(ledger->wal, WAL_SIGNING, arena, &bytes);
    if (err == ERR_NOT_FOUND) return ERR_OK;
    if (err == ERR_OK) err = consensus_record_decode(bytes, &out->record);
    if (err != ERR_OK) {
        snprintf(error, 512,
                 "data_dir: \"%.200s/signing\": the record of what was signed is damaged (%s); "
                 "restore it from a backup no older than the last vote, or register a new key",
                 ledger->directory, err_text(err));
        return ERR_CORRUPT;
    }
    out->has_record = true;
    err = wal_get(ledger->wal, WAL_BLOCK, arena, &out->record_package);
    const bool is_lost = err == ERR_NOT_FOUND || err == ERR_CORRUPT; /* the others have the block */
    return is_lost ? ERR_OK : err;
}

enum err ledger_restore(struct ledger *ledger, struct ledger_view *view, struct arena *arena,
                        struct sequencer_restore *out, char error[512]) {
    const uint64_t per_rotation = ledger->config->rollup.blocks_per_rotation;
    const uint64_t head = view->chain.head.number;
    const uint64_t rotation = rotation_of(head + 1, per_rotation);
    *out = (struct sequencer_restore){.view = &view->chain};
    error[0] = '\0';
    enum err err = ledger_validators(ledger, view->view, rotation, &out->validators);
    if (err == ERR_OK) {
        err = ledger_validators(ledger, view->view, rotation_of(head, per_rotation),
                                &out->head_validators);
    }
    if (err == ERR_OK) {
        err = ledger_validators(ledger, view->view, rotation + 1, &out->next_validators);
        if (err == ERR_NOT_FOUND) err = ERR_OK;
    }
    if (err == ERR_OK && head > 0) {
        err = store_commit(view->view, head, arena, &out->head_commit);
    }
    if (err != ERR_OK) {
        snprintf(error, 512, "data_dir: \"%.200s\": block %llu cannot be taken up again: %s",
                 ledger->directory, (unsigned long long)head, err_text(err));
        return err;
    }
    TRY(restore_journal(ledger, arena, out, error));
    return restore_record(ledger, arena, out, error);
}

enum err ledger_summary(void *context, uint64_t height, struct block_summary *out) {
    struct ledger *ledger = context;
    const size_t mark = arena_mark(&ledger->summary_scratch);
    struct store_view *view;
    struct header header;
    struct bytes package;
    struct block_package parts = {.frame = {0}};
    TRY(store_view_open(ledger->store, &view));
    enum err err = store_header(view, height, &header, &out->hash);
    if (err == ERR_OK) err = store_package(view, height, &ledger->summary_scratch, &package);
    if (err == ERR_OK && height > 0) err = block_package_decode(package, &parts);
    store_view_close(view);
    if (err == ERR_OK) {
        out->state_root = header.state_root;
        out->proposer = parts.frame.proposer;
        out->package_bytes = package.size;
        out->l1_number = parts.frame.l1_number;
    }
    arena_release(&ledger->summary_scratch, mark);
    return err;
}

enum err ledger_rotation(void *context, uint64_t rotation, struct validator_set *out) {
    struct ledger *ledger = context;
    struct store_view *view;
    TRY(store_view_open(ledger->store, &view));
    const enum err err = ledger_validators(ledger, view, rotation, out);
    store_view_close(view);
    return err;
}

enum err ledger_persist_record(struct ledger *ledger, struct bytes record) {
    struct bytes rest = record, item;
    TRY(rlp_read_item(&rest, &item));
    if (rest.size > 0) TRY(wal_put(ledger->wal, WAL_BLOCK, rest));
    return wal_put(ledger->wal, WAL_SIGNING, item);
}

enum err ledger_persist_journal(struct ledger *ledger, struct bytes journal) {
    return wal_put(ledger->wal, WAL_JOURNAL, journal);
}
