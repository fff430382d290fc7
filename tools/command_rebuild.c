/* `baton rebuild`: the chain out of its genesis and the DA layer alone, every commit and root
 * checked on the way. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "da/da.h"
#include "flags/flags.h"
#include "genesis/genesis_json.h"
#include "node/keys.h"
#include "node/ledger.h"
#include "node/log.h"
#include "node/settings.h"
#include "sequencer/batch.h"
#include "threads/clock.h"
#include "tools/commands.h"

#define REBUILD_SLOT_BYTES  ((size_t)4 << 30)
#define REBUILD_ARENA_BYTES ((size_t)256 << 20)
#define PROGRESS_MS         2000

struct rebuild {
    const struct settings *settings;
    struct genesis_file genesis;
    struct ledger ledger;
    struct ledger_view view;
    struct executor *executor;
    struct arena arena;
    struct da_client *client;
    uint64_t batches;             /* taken, in all passes */
    uint64_t strangers, passed;   /* blobs of this pass that are no batch of ours, or not needed */
    uint64_t early;               /* batches that came before their turn in this pass */
    uint64_t batches_before_pass; /* passed over in this one, because they were taken before */
    uint64_t progress_ms;
    char error[512];
};

static uint64_t head_number(const struct rebuild *rebuild) {
    return rebuild->view.chain.head.number;
}

/* set_of reads the validators of the rotation that holds `height`. */
static enum err set_of(struct rebuild *rebuild, uint64_t height, struct validator_set *out) {
    const uint64_t per_rotation = rebuild->ledger.config->rollup.blocks_per_rotation;
    return ledger_validators(&rebuild->ledger, rebuild->view.view,
                             rotation_of(height, per_rotation), out);
}

/* block_job fills the check of one block with its commit. */
static enum err block_job(struct rebuild *rebuild, struct bytes package, struct bytes commit,
                          struct block_job *job) {
    const uint64_t height = head_number(rebuild) + 1;
    const uint64_t per_rotation = rebuild->ledger.config->rollup.blocks_per_rotation;
    *job = (struct block_job){.kind = JOB_CHECK,
                              .height = height,
                              .view = &rebuild->view.chain,
                              .package = package,
                              .commit = commit};
    TRY(set_of(rebuild, height, &job->validators));
    TRY(set_of(rebuild, height - 1, &job->last_validators));
    if (rotation_first(height, per_rotation) == height) return ERR_OK;
    struct validator_set next;
    TRY(set_of(rebuild, height + per_rotation, &next));
    job->next_validators_hash = validator_set_hash(&next);
    return ERR_OK;
}

/* take_block checks one block against its commit and makes it durable. */
static enum err take_block(struct rebuild *rebuild, struct bytes package, struct bytes commit) {
    struct block_job job;
    struct block_outcome outcome;
    TRY(block_job(rebuild, package, commit, &job));
    executor_run(rebuild->executor, &job, &outcome);
    if (outcome.err != ERR_OK) return outcome.err;
    if (outcome.verdict != VERDICT_ACCEPTED) {
        snprintf(rebuild->error, sizeof rebuild->error, "block %llu on DA is not valid: %s",
                 (unsigned long long)job.height, outcome.reason);
        return ERR_MISMATCH;
    }
    TRY(ledger_commit(&rebuild->ledger, &outcome, commit, &rebuild->view));
    ledger_view_close(&rebuild->view);
    TRY(ledger_view_open(&rebuild->ledger, &rebuild->view));
    if (monotonic_ms() - rebuild->progress_ms >= PROGRESS_MS) {
        rebuild->progress_ms = monotonic_ms();
        fprintf(stderr, "block %llu\n", (unsigned long long)job.height);
    }
    return ERR_OK;
}

static enum err take_batch(struct rebuild *rebuild, const struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->first + i <= head_number(rebuild)) continue;
        struct bytes commit = batch->commit;
        if (i + 1 < batch->count) {
            struct block_package next;
            TRY(block_package_decode(batch->packages[i + 1], &next));
            commit = next.last_commit;
        }
        TRY(take_block(rebuild, batch->packages[i], commit));
    }
    rebuild->batches += 1;
    return ERR_OK;
}

/* on_blob takes one blob of the namespace; anybody may post there, so what is no valid next batch
 * is counted and passed over. */
static enum err on_blob(void *context, struct bytes blob) {
    struct rebuild *rebuild = context;
    struct batch batch;
    arena_reset(&rebuild->arena);
    if (batch_decode(blob, &rebuild->arena, &batch) != ERR_OK) {
        rebuild->strangers += 1;
        return ERR_OK;
    }
    const uint64_t next = head_number(rebuild) + 1;
    if (batch.first + batch.count <= next) {
        rebuild->passed += 1;
        return ERR_OK;
    }
    if (batch.first > next) {
        rebuild->early += 1;
        return ERR_OK;
    }
    const enum err err = take_batch(rebuild, &batch);
    if (err != ERR_MISMATCH && err != ERR_ENCODING) return err;
    fprintf(stderr, "passed over a blob: %s\n", rebuild->error);
    rebuild->strangers += 1;
    return ERR_OK;
}

/* scan reads all DA heights once, from `from` on. */
static enum err scan(struct rebuild *rebuild, uint64_t from, uint64_t to) {
    struct da_namespace ns;
    memcpy(ns.bytes, rebuild->ledger.config->rollup.da_namespace, sizeof ns.bytes);
    for (uint64_t height = from; height <= to; height++) {
        const enum err err =
            da_get_all(rebuild->client, height, &ns, rebuild, on_blob, rebuild->error);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

static enum err scan_all(struct rebuild *rebuild) {
    uint64_t to;
    TRY(da_head(rebuild->client, &to, rebuild->error));
    for (;;) { /* batches may lie out of order: again, as long as that brings blocks */
        const uint64_t before = head_number(rebuild);
        rebuild->early = rebuild->strangers = rebuild->passed = 0;
        rebuild->batches_before_pass = rebuild->batches;
        TRY(scan(rebuild, rebuild->settings->da_from, to));
        if (rebuild->early == 0 || head_number(rebuild) == before) return ERR_OK;
    }
}

static enum err open_all(struct rebuild *rebuild) {
    const struct settings *settings = rebuild->settings;
    void *memory;
    TRY(genesis_load(settings->genesis, &rebuild->genesis, rebuild->error));
    TRY(ledger_open(settings->data_dir, settings->map_gib, &rebuild->genesis.genesis,
                    &rebuild->ledger, rebuild->error));
    TRY(ledger_view_open(&rebuild->ledger, &rebuild->view));
    const struct rollup_config *rollup = &rebuild->genesis.genesis.config.rollup;
    const uint64_t chain_id =
        rollup->l1_chain_id != 0 ? rollup->l1_chain_id : rebuild->genesis.genesis.config.chain_id;
    const struct executor_config config = {
        .chain = &rebuild->genesis.genesis.config,
        .domain = signing_domain_make("AndeConsensus", chain_id, &rollup->consensus_contract),
        .recoverer = secp_recoverer(),
    };
    const size_t bytes = executor_bytes(REBUILD_SLOT_BYTES);
    TRY(memory_reserve(bytes, &memory));
    TRY(executor_create(memory, bytes, REBUILD_SLOT_BYTES, &config, &rebuild->executor));
    TRY(memory_reserve(REBUILD_ARENA_BYTES, &memory));
    rebuild->arena = arena_over(memory, REBUILD_ARENA_BYTES);
    const struct da_client_config client = {
        .url = settings->da,
        .token_file = settings->da_token_file[0] != '\0' ? settings->da_token_file : NULL,
        .timeout_ms = settings->da_timeout_ms,
        .submit_timeout_ms = settings->da_timeout_ms,
    };
    if (client.token_file != NULL) {
        TRY(keys_check_file(client.token_file, "da_token_file", rebuild->error));
    }
    return da_client_create(&client, &rebuild->client);
}

static int report(struct rebuild *rebuild, enum err err) {
    char hash[67], root[67];
    if (err != ERR_OK) {
        fprintf(stderr, "baton rebuild: %s\n",
                rebuild->error[0] != '\0' ? rebuild->error : err_text(err));
        return 1;
    }
    printf("block %llu\nhash  %s\nroot  %s\n%llu batches, %llu duplicates, %llu other blobs\n",
           (unsigned long long)head_number(rebuild),
           hex_string(hash_bytes(&rebuild->view.chain.head_hash), hash),
           hex_string(hash_bytes(&rebuild->view.chain.head.state_root), root),
           (unsigned long long)rebuild->batches,
           (unsigned long long)(rebuild->passed - rebuild->batches_before_pass),
           (unsigned long long)rebuild->strangers);
    return 0;
}

int command_rebuild(int argc, char **argv) {
    static struct rebuild rebuild;
    struct settings settings;
    char error[512];
    if (flags_help_wanted(argc, argv)) {
        puts("NAME\n  baton rebuild - rebuild a chain from its genesis and the DA layer alone\n\n"
             "SYNOPSIS\n  baton rebuild --da URL --genesis FILE --data-dir DIR [--da-from "
             "HEIGHT]\n\n"
             "DESCRIPTION\n"
             "  Reads every batch of the chain's namespace, executes the blocks, and checks every\n"
             "  commit and every root.  Prints the head.  Goes on where an earlier run stopped.");
        settings_help(COMMAND_REBUILD, stdout);
        return 0;
    }
    /* Operators' plans write --data for --data-dir. */
    if (flags_rename(argc, argv, "data", "data-dir") != ERR_OK) return 1;
    if (settings_read(COMMAND_REBUILD, argc, argv, &settings, error) != ERR_OK) {
        fprintf(stderr, "baton rebuild: %s\n", error);
        return 2;
    }
    const char *missing = settings.da[0] == '\0'         ? "da"
                          : settings.genesis[0] == '\0'  ? "genesis"
                          : settings.data_dir[0] == '\0' ? "data_dir"
                                                         : NULL;
    if (missing != NULL) {
        fprintf(stderr, "baton rebuild: %s: is missing (see --help)\n", missing);
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    rebuild.settings = &settings;
    enum err err = open_all(&rebuild);
    if (err == ERR_OK) err = scan_all(&rebuild);
    return report(&rebuild, err);
}
