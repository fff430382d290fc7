/* `baton import`: a data directory out of a genesis and a file of concatenated RLP blocks, as other
 * execution clients export it.  Every block is executed and every root checked. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "flags/flags.h"
#include "genesis/genesis_json.h"
#include "node/ledger.h"
#include "node/settings.h"
#include "threads/clock.h"
#include "tools/commands.h"
#include "workloads/ethereum.h"

#define IMPORT_ARENA_BYTES ((size_t)4 << 30) /* address space */
#define PROGRESS_MS        2000

struct import {
    struct genesis_file genesis;
    struct ledger ledger;
    struct ledger_view view;
    struct evm *evm;
    struct arena arena;
    uint64_t progress_ms;
    uint64_t skipped; /* blocks that were here already */
    char error[512];
};

static enum err open_all(struct import *import, const struct settings *settings) {
    void *memory;
    TRY(genesis_load(settings->genesis, &import->genesis, import->error));
    TRY(ledger_open(settings->data_dir, settings->map_gib, &import->genesis.genesis,
                    &import->ledger, import->error));
    TRY(memory_reserve(EVM_ARENA_BYTES, &memory));
    TRY(evm_create(memory, EVM_ARENA_BYTES, &import->evm));
    TRY(memory_reserve(IMPORT_ARENA_BYTES, &memory));
    import->arena = arena_over(memory, IMPORT_ARENA_BYTES);
    return ledger_view_open(&import->ledger, &import->view);
}

/* store_block makes an executed block durable. */
static enum err store_block(struct import *import, struct bytes encoded, const struct block *block,
                            const struct ethereum_block *executed, struct state *state) {
    const struct kv_write *writes;
    size_t writes_count;
    struct hash32 *hashes =
        arena_array(&import->arena, block->transactions_count + 1, sizeof *hashes);
    if (hashes == NULL) return ERR_LIMIT;
    for (size_t i = 0; i < block->transactions_count; i++) {
        hashes[i] = keccak256(block->transactions[i]);
    }
    TRY(state_writes(state, &writes, &writes_count));
    const struct store_block stored = {
        .header = &block->header,
        .hash = block->hash,
        .package = encoded,
        .transaction_hashes = hashes,
        .transactions_count = block->transactions_count,
        .receipts = executed->receipts,
        .receipts_count = executed->receipts_count,
        .writes = writes,
        .writes_count = writes_count,
        .view = import->view.view,
    };
    TRY(store_commit_block(import->ledger.store, &stored, &import->ledger.scratch));
    ledger_view_close(&import->view);
    return ledger_view_open(&import->ledger, &import->view);
}

/* check_ommers holds the block's ommers against those of its ancestors, which were paid for. */
static enum err check_ommers(struct import *import, const struct block *block) {
    struct hash32 earlier[ETHEREUM_OMMERS_MAX];
    const size_t mark = arena_mark(&import->arena);
    size_t count = 0;
    struct store_view *view;
    if (block->ommers_count == 0) return ERR_OK;
    TRY(store_view_open(import->ledger.store, &view));
    enum err err = ERR_OK;
    for (uint64_t i = 1; i <= ETHEREUM_OMMER_GENERATIONS && err == ERR_OK; i++) {
        struct bytes encoded;
        struct block ancestor;
        if (block->header.number <= i) break;
        err = store_package(view, block->header.number - i, &import->arena, &encoded);
        if (err == ERR_OK) err = block_decode(encoded, &import->arena, &ancestor);
        if (err == ERR_OK) count = ethereum_ommers_add(&ancestor, earlier, count);
    }
    store_view_close(view);
    arena_release(&import->arena, mark);
    TRY(err);
    if (ethereum_ommers_are_new(block, earlier, count)) return ERR_OK;
    snprintf(import->error, sizeof import->error,
             "block %llu is not valid: an ommer was in an earlier block",
             (unsigned long long)block->header.number);
    return ERR_MISMATCH;
}

static enum err execute(struct import *import, struct bytes encoded, const struct block *block) {
    struct state *state;
    struct block_fault fault = {.verdict = VERDICT_ACCEPTED};
    struct ethereum_block *executed = arena_alloc_zero(&import->arena, sizeof *executed);
    if (executed == NULL) return ERR_LIMIT;
    TRY(state_begin(&import->arena, &import->view.chain.state, &state));
    TRY(ethereum_block_check(executed, import->evm, state, &import->arena, import->ledger.config,
                             &import->view.chain.ancestors, &import->view.chain.head, block, NULL,
                             &fault));
    if (fault.verdict != VERDICT_ACCEPTED) {
        snprintf(import->error, sizeof import->error, "block %llu is not valid: %s",
                 (unsigned long long)block->header.number, fault.reason);
        return ERR_MISMATCH;
    }
    return store_block(import, encoded, block, executed, state);
}

static enum err take_block(struct import *import, struct bytes encoded) {
    struct block block;
    arena_reset(&import->arena);
    TRY(block_decode(encoded, &import->arena, &block));
    const struct header *head = &import->view.chain.head;
    if (block.header.number <= head->number) {
        import->skipped += 1;
        return ERR_OK;
    }
    if (block.header.number != head->number + 1 ||
        !hash_equal(&block.header.parent_hash, &import->view.chain.head_hash)) {
        snprintf(import->error, sizeof import->error, "block %llu does not follow block %llu",
                 (unsigned long long)block.header.number, (unsigned long long)head->number);
        return ERR_MISMATCH;
    }
    TRY(check_ommers(import, &block));
    TRY(execute(import, encoded, &block));
    if (monotonic_ms() - import->progress_ms >= PROGRESS_MS) {
        import->progress_ms = monotonic_ms();
        fprintf(stderr, "block %llu\n", (unsigned long long)block.header.number);
    }
    return ERR_OK;
}

static enum err take_file(struct import *import, struct bytes file) {
    const size_t size = file.size;
    while (file.size > 0) {
        struct bytes item;
        const enum err err = rlp_read_item(&file, &item);
        if (err != ERR_OK) {
            snprintf(import->error, sizeof import->error, "byte %zu of the file: %s",
                     size - file.size, err_text(err));
            return err;
        }
        TRY(take_block(import, item));
    }
    return ERR_OK;
}

static enum err map_file(const char *path, struct bytes *out, char error[512]) {
    struct stat about;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) != 0 || about.st_size == 0) {
        snprintf(error, 512, "cannot read \"%.200s\": %s", path,
                 file < 0 ? strerror(errno) : "it is empty");
        if (file >= 0) close(file);
        return ERR_SYSTEM;
    }
    void *data = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (data == MAP_FAILED) return ERR_MEMORY;
    *out = (struct bytes){data, (size_t)about.st_size};
    return ERR_OK;
}

static int import_file(const struct settings *settings, const char *path) {
    static struct import import;
    struct bytes file = BYTES_EMPTY;
    char hash[67], root[67];
    enum err err = map_file(path, &file, import.error);
    if (err == ERR_OK) err = open_all(&import, settings);
    if (err == ERR_OK) err = take_file(&import, file);
    if (err != ERR_OK) {
        fprintf(stderr, "baton import: %s\n",
                import.error[0] != '\0' ? import.error : err_text(err));
        return 1;
    }
    printf("block %llu\nhash  %s\nroot  %s\n", (unsigned long long)import.view.chain.head.number,
           hex_string(hash_bytes(&import.view.chain.head_hash), hash),
           hex_string(hash_bytes(&import.view.chain.head.state_root), root));
    ledger_view_close(&import.view);
    ledger_close(&import.ledger);
    genesis_file_free(&import.genesis);
    return 0;
}

int command_import(int argc, char **argv) {
    struct settings settings;
    char error[512];
    if (flags_help_wanted(argc, argv)) {
        puts("NAME\n  baton import - import a chain file\n\n"
             "SYNOPSIS\n  baton import --genesis FILE --data-dir DIR CHAIN.RLP\n\n"
             "DESCRIPTION\n"
             "  Executes every block of the file on top of the genesis and checks every root.\n"
             "  `baton node --follow-only --data-dir DIR --genesis FILE` then serves the chain.");
        settings_help(COMMAND_IMPORT, stdout);
        return 0;
    }
    if (argc < 2 || strncmp(argv[argc - 1], "--", 2) == 0) {
        fputs("baton import: the chain file is missing (see --help)\n", stderr);
        return 2;
    }
    if (settings_read(COMMAND_IMPORT, argc - 1, argv, &settings, error) != ERR_OK) {
        fprintf(stderr, "baton import: %s\n", error);
        return 2;
    }
    if (settings.genesis[0] == '\0' || settings.data_dir[0] == '\0') {
        fprintf(stderr, "baton import: %s: is missing (see --help)\n",
                settings.genesis[0] == '\0' ? "genesis" : "data_dir");
        return 2;
    }
    return import_file(&settings, argv[argc - 1]);
}
