#pragma once
/* Forks and the chain's settings: which rules hold at which block, as geth's genesis files say.
 *
 * Before the Merge forks activate by block number, afterwards by timestamp.  Rules compare forks
 * with
 * >=, so the enum's order is the order of activation.  The rollup's own settings come from the
 * genesis file's `config.baton` object; they are part of the chain, not of a node's configuration.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/u256.h"
#include "chain/validators.h"

enum fork {
    FORK_FRONTIER,
    FORK_HOMESTEAD,
    FORK_TANGERINE, /* EIP-150 */
    FORK_SPURIOUS,  /* EIP-155, EIP-158, EIP-160, EIP-170 */
    FORK_BYZANTIUM,
    FORK_CONSTANTINOPLE,
    FORK_PETERSBURG,
    FORK_ISTANBUL,
    FORK_BERLIN,
    FORK_LONDON,
    FORK_PARIS,
    FORK_SHANGHAI,
    FORK_CANCUN,
    FORK_PRAGUE,
    FORK_OSAKA,
    FORK_BPO1, /* blob-parameter-only forks, EIP-7892 */
    FORK_BPO2,
    FORK_BPO3,
    FORK_BPO4,
    FORK_BPO5,
    FORK_COUNT
};

#define FORK_NEVER UINT64_MAX

struct blob_schedule {
    uint64_t target_blobs;             /* per block */
    uint64_t max_blobs;                /* per block */
    uint64_t base_fee_update_fraction; /* EIP-4844 */
};

enum fault_model { FAULT_MODEL_CRASH, FAULT_MODEL_BYZANTINE };

/* What makes a chain this rollup and no other: fixed at genesis. */
struct rollup_config {
    enum fault_model fault_model;
    uint64_t blocks_per_rotation; /* 100 */
    uint64_t timeout_blocks;      /* 10: reported as TIMEOUT_BLOCKS, kept for the contract */
    uint64_t block_time_ms;       /* 2000; 50 and up */
    uint64_t batch_blocks;        /* at most so many blocks in a batch */
    uint64_t
        batch_bytes_max;  /* a batch ends with the block that takes it past this, uncompressed */
    uint64_t l1_chain_id; /* 0: no L1 (baton dev) */
    struct address consensus_contract;
    struct address coordinator_contract;
    uint64_t l1_number; /* the L1 block at which `validators` was read */
    struct hash32 l1_hash;
    uint8_t da_namespace[29];
    struct validator_set validators; /* the set of rotation 0 */
};

struct chain_config {
    uint64_t chain_id;
    uint64_t fork_block[FORK_COUNT]; /* FORK_NEVER when not by block; used up to FORK_PARIS */
    uint64_t fork_time[FORK_COUNT];  /* FORK_NEVER when not by time; used from FORK_SHANGHAI */
    bool is_dao_fork_supported;
    uint64_t dao_fork_block; /* FORK_NEVER: none */
    /* Mainnet forks that did nothing but delay the difficulty bomb; FORK_NEVER: none. */
    uint64_t muir_glacier_block;
    uint64_t arrow_glacier_block;
    uint64_t gray_glacier_block;
    struct u256 terminal_difficulty; /* total difficulty at which Paris begins when not by block */
    bool has_terminal_difficulty;
    struct blob_schedule
        blobs[FORK_COUNT];           /* from FORK_CANCUN; zero where a fork changes nothing */
    struct address deposit_contract; /* EIP-6110; zero: no deposits are collected */
    bool is_rollup;                  /* config.baton is present: `rollup` is meaningful */
    struct rollup_config rollup;
};

/* fork_at returns the newest fork that is active in a block of this number and timestamp (seconds).
 * A config that activates later forks activates all before them. */
enum fork fork_at(const struct chain_config *config, uint64_t number, uint64_t timestamp);

/* fork_blob_schedule returns the schedule in force at `fork` (the newest one not newer than it);
 * zeros before Cancun. */
struct blob_schedule fork_blob_schedule(const struct chain_config *config, enum fork fork);

/* fork_name and fork_from_name use the fixtures' names ("Frontier", "EIP150", "EIP158",
 * "Byzantium", "ConstantinopleFix", "Paris" or "Merge", "Shanghai", "Cancun", "Prague", "Osaka",
 * "BPO1", ...). */
const char *fork_name(enum fork fork);
bool fork_from_name(struct bytes name, enum fork *out);

/* chain_config_for_fork returns a config in which `fork` is active from genesis, with mainnet's
 * blob schedule and chain id 1: what state tests mean by a fork's name. */
struct chain_config chain_config_for_fork(enum fork fork);
