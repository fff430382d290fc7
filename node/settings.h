#pragma once
/* Settings: every one has a name with three spellings, out of one table.
 *
 * `rpc_port` is the flag --rpc-port, the environment's BATON_RPC_PORT and the key "rpc_port" of the
 * JSON file that --config names.  A flag wins over the environment, the environment over the file,
 * the file over the default.  An unknown, missing or contradictory setting stops the start, with
 * its name in the message.  Secrets are never settings: only the files that hold them are. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/err.h"

/* Commands that take settings; a setting belongs to one or more.  `baton join` takes those of
 * `baton node` and its own: COMMAND_JOIN | COMMAND_NODE. */
enum settings_command {
    COMMAND_NODE = 1,
    COMMAND_DEV = 2,
    COMMAND_INIT = 4,
    COMMAND_REBUILD = 8,
    COMMAND_IMPORT = 16,
    COMMAND_HEALTH = 32,
    COMMAND_JOIN = 64,
};

enum setting_type { SETTING_TEXT, SETTING_NUMBER, SETTING_PORT, SETTING_BOOL };

/*    section      type    name                  default           min  max  commands  help */
#define ND (COMMAND_NODE | COMMAND_DEV)
#define SETTINGS(X)                                                                                \
    X("Chain", TEXT, data_dir, "", 0, 4096,                                                        \
      COMMAND_NODE | COMMAND_INIT | COMMAND_REBUILD | COMMAND_DEV | COMMAND_IMPORT,                \
      "directory of the database (dev: empty means a temporary one)")                              \
    X("Chain", TEXT, genesis, "", 0, 4096,                                                         \
      COMMAND_NODE | COMMAND_INIT | COMMAND_REBUILD | COMMAND_DEV | COMMAND_IMPORT,                \
      "genesis file, geth's format with a config.baton object")                                    \
    X("Chain", NUMBER, map_gib, "256", 1, 65536, ND | COMMAND_REBUILD | COMMAND_IMPORT,            \
      "largest size of the database, GiB (address space, not disk)")                               \
    X("Chain", BOOL, follow_only, "false", 0, 0, COMMAND_NODE,                                     \
      "serve and follow, never propose or vote")                                                   \
    X("Keys", TEXT, validator_key_file, "", 0, 4096, COMMAND_NODE,                                 \
      "file (mode 0600) with the secp256k1 key that signs votes and L1 transactions")              \
    X("Keys", TEXT, peer_key_file, "", 0, 4096, COMMAND_NODE,                                      \
      "file (mode 0600) with the Ed25519 key of the p2p identity")                                 \
    X("Keys", BOOL, allow_dev_keys, "false", 0, 0, COMMAND_NODE,                                   \
      "accept well-known development keys (development chains only)")                              \
    X("RPC", TEXT, rpc_host, "127.0.0.1", 0, 255, ND, "address of the JSON-RPC HTTP server")       \
    X("RPC", PORT, rpc_port, "8545", 0, 65535, ND, "its port; 0: off")                             \
    X("RPC", TEXT, ws_host, "127.0.0.1", 0, 255, ND, "address of the WebSocket server")            \
    X("RPC", PORT, ws_port, "8546", 0, 65535, ND, "its port; 0: off")                              \
    X("RPC", TEXT, cors_origins, "", 0, 4096, ND,                                                  \
      "origins that browsers may call from, comma-separated; \"*\": all; empty: no CORS headers")  \
    X("RPC", NUMBER, rpc_threads, "2", 1, 64, ND, "threads that serve connections")                \
    X("RPC", NUMBER, rpc_workers, "2", 1, 64, ND, "threads that run eth_call, eth_getLogs, ...")   \
    X("RPC", NUMBER, rpc_batch_calls_max, "1000", 1, 100000, ND, "calls in one batch")             \
    X("RPC", NUMBER, rpc_body_bytes_max, "5242880", 1024, 1073741824, ND, "bytes in one request")  \
    X("RPC", NUMBER, rpc_call_gas_max, "50000000", 21000, 10000000000, ND, "gas of one eth_call")  \
    X("RPC", NUMBER, rpc_logs_max, "10000", 1, 1000000, ND, "logs in one eth_getLogs answer")      \
    X("Metrics", TEXT, metrics_host, "127.0.0.1", 0, 255, ND, "address of the metrics page")       \
    X("Metrics", PORT, metrics_port, "9090", 0, 65535, ND, "its port; 0: off")                     \
    X("Metrics", TEXT, metrics_namespace, "ande", 1, 32, ND, "prefix of the metrics' names")       \
    X("P2P", TEXT, p2p_host, "0.0.0.0", 0, 255, COMMAND_NODE, "address to listen on for peers")    \
    X("P2P", PORT, p2p_port, "30303", 0, 65535, COMMAND_NODE, "its port; 0: do not listen")        \
    X("P2P", TEXT, p2p_peers, "", 0, 65536, COMMAND_NODE,                                          \
      "addresses of peers, comma-separated: PEERID@HOST:PORT")                                     \
    X("P2P", NUMBER, p2p_guests, "8", 0, 32, COMMAND_NODE,                                         \
      "nodes beyond validators and p2p_peers that may connect: followers, who joins")              \
    X("Sync", TEXT, sync, "auto", 0, 16, COMMAND_NODE,                                             \
      "blocks, snapshot, or auto: a snapshot when far behind")                                     \
    X("Sync", NUMBER, sync_behind_blocks, "5000", 3, 1000000000, COMMAND_NODE,                     \
      "auto: so many blocks are far behind")                                                       \
    X("Sync", NUMBER, snapshot_bytes_per_second, "16777216", 65536, 1073741824, COMMAND_NODE,      \
      "most that is sent to nodes that take snapshots")                                            \
    X("L1", TEXT, l1_rpc_url, "", 0, 4096, COMMAND_NODE | COMMAND_INIT,                            \
      "Ethereum endpoints, comma-separated; the next one is used when one fails")                  \
    X("L1", NUMBER, l1_poll_ms, "1000", 50, 3600000, COMMAND_NODE, "time between two looks at L1") \
    X("L1", NUMBER, l1_timeout_ms, "5000", 50, 600000, COMMAND_NODE | COMMAND_INIT,                \
      "time for one L1 request")                                                                   \
    X("L1", NUMBER, l1_confirmations, "0", 0, 100000, COMMAND_NODE | COMMAND_INIT,                 \
      "0: trust the tag `finalized`; else blocks below the head")                                  \
    X("DA", TEXT, da_url, "", 0, 4096, COMMAND_NODE, "Celestia node API; empty: publish nothing")  \
    X("DA", TEXT, da_token_file, "", 0, 4096, COMMAND_NODE | COMMAND_REBUILD,                      \
      "file (mode 0600) with the API's bearer token")                                              \
    X("DA", NUMBER, da_timeout_ms, "10000", 100, 600000, COMMAND_NODE | COMMAND_REBUILD,           \
      "time for one DA request")                                                                   \
    X("DA", NUMBER, da_submit_timeout_ms, "60000", 100, 3600000, COMMAND_NODE,                     \
      "time for one blob.Submit")                                                                  \
    X("DA", NUMBER, da_takeover_ms, "30000", 100, 86400000, COMMAND_NODE,                          \
      "another validator settles a batch that is unsettled so long")                               \
    X("DA", TEXT, da, "", 0, 4096, COMMAND_REBUILD, "Celestia node API to rebuild the chain from") \
    X("DA", NUMBER, da_from, "1", 0, UINT64_MAX, COMMAND_REBUILD, "first DA height to read")       \
    X("Blocks", NUMBER, idle_block_time_ms, "0", 0, 86400000, ND,                                  \
      "an idle chain slows down to this block time; 0: it does not")                               \
    X("Blocks", NUMBER, block_time_ms, "0", 0, 86400000, COMMAND_DEV,                              \
      "0: a block as soon as there is a transaction; else one block so often")                     \
    X("Blocks", NUMBER, timeout_propose_ms, "500", 10, 600000, COMMAND_NODE,                       \
      "wait beyond the block time for a proposal before the next validator takes over")            \
    X("Blocks", NUMBER, timeout_vote_ms, "250", 10, 600000, COMMAND_NODE,                          \
      "wait for missing votes once a quorum of mixed ones is there")                               \
    X("Blocks", NUMBER, timeout_delta_ms, "250", 1, 600000, COMMAND_NODE,                          \
      "added to both timeouts for each round of one height")                                       \
    X("Pool", NUMBER, pool_items_max, "32768", 16, 4194304, ND, "transactions held")               \
    X("Pool", NUMBER, pool_bytes_max, "67108864", 1048576, 17179869184, ND, "bytes of them")       \
    X("Pool", NUMBER, pool_lane_items_max, "1024", 1, 65536, ND, "transactions of one account")    \
    X("Pool", NUMBER, pool_fee_min_wei, "0", 0, UINT64_MAX, ND, "least priority fee per gas")      \
    X("Log", TEXT, log_level, "info", 0, 16, ND | COMMAND_REBUILD, "error, warn, info or debug")   \
    X("Log", TEXT, log_format, "text", 0, 16, ND | COMMAND_REBUILD, "text or json")                \
    X("Dev", NUMBER, accounts, "10", 1, 100, COMMAND_DEV, "funded accounts of the test mnemonic")  \
    X("Dev", NUMBER, balance, "10000", 0, 1000000000000, COMMAND_DEV, "ether of each")             \
    X("Dev", NUMBER, chain_id, "31337", 1, 4294967295, COMMAND_DEV | COMMAND_INIT, "chain id")     \
    X("Dev", NUMBER, gas_limit, "30000000", 100000, 10000000000, COMMAND_DEV,                      \
      "gas limit of blocks")                                                                       \
    X("Dev", BOOL, quiet, "false", 0, 0, COMMAND_DEV, "do not print the accounts")                 \
    X("Init", TEXT, template, "", 0, 4096, COMMAND_INIT,                                           \
      "genesis file to complete with validators read from L1; written to --genesis")               \
    X("Init", TEXT, consensus_contract, "", 0, 64, COMMAND_INIT | COMMAND_JOIN,                    \
      "address of AndeConsensus on L1")                                                            \
    X("Init", TEXT, coordinator_contract, "", 0, 64, COMMAND_INIT,                                 \
      "address of AndeSequencerCoordinator on L1")                                                 \
    X("Join", TEXT, bootstrap, "", 0, 4096, COMMAND_JOIN,                                          \
      "p2p address of a node of the chain: [PEERID@]HOST:PORT")                                    \
    X("Join", TEXT, genesis_hash, "", 0, 66, COMMAND_JOIN,                                         \
      "keccak-256 that the chain's genesis file must have")                                        \
    X("Join", BOOL, follower, "false", 0, 0, COMMAND_JOIN, "no validator: no stake is needed")     \
    X("Join", BOOL, start, "false", 0, 0, COMMAND_JOIN, "start the node when all is ready")        \
    X("Health", TEXT, url, "http://127.0.0.1:8545", 0, 4096, COMMAND_HEALTH,                       \
      "node to ask; several: repeated or comma-separated")

#define SETTING_FIELD_TEXT(name)   const char *name
#define SETTING_FIELD_NUMBER(name) uint64_t name
#define SETTING_FIELD_PORT(name)   uint64_t name
#define SETTING_FIELD_BOOL(name)   bool name

/* The values; texts live as long as the process. */
struct settings {
#define X(section, type, name, fallback, min, max, commands, help) SETTING_FIELD_##type(name);
    SETTINGS(X)
#undef X
};

/* settings_read fills *out for `command` from defaults, the --config file, the environment and
 * argv[1..argc).  ERR_CONFIG: `error` has one line that names the setting and its source.
 * --help is the caller's to look for before. */
MUST_USE enum err settings_read(enum settings_command command, int argc, char **argv,
                                struct settings *out, char error[512]);

/* settings_keep copies a text for as long as the process lives; NULL without memory.  The main
 * thread. */
char *settings_keep(const char *text);

/* settings_write writes the settings of `command` that are not their defaults as the JSON object
 * that --config reads. */
void settings_write(enum settings_command command, const struct settings *settings,
                    struct buffer *out);

/* settings_help prints the table of `command`'s settings, section by section, to `out`. */
void settings_help(enum settings_command command, FILE *out);

/* settings_names visits the flag names (without "--") of a command: for shell completion. */
void settings_names(enum settings_command command, void *context,
                    void (*visit)(void *context, const char *flag, bool takes_value));
