/* `baton node` and `baton config check`. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/hex.h"
#include "flags/flags.h"
#include "genesis/genesis_json.h"
#include "node/commands.h"
#include "node/keys.h"
#include "node/log.h"
#include "node/node.h"
#include "node/version.h"

/* block_signals is called before any thread starts: only node_wait takes them. */
static void block_signals(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* check_ports finds two servers on one port. */
static enum err check_ports(const struct settings *settings, char error[512]) {
    const struct {
        const char *name;
        uint64_t port;
    } ports[] = {{"rpc_port", settings->rpc_port},
                 {"ws_port", settings->ws_port},
                 {"metrics_port", settings->metrics_port},
                 {"p2p_port", settings->p2p_port}};
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        for (size_t j = 0; j < i; j++) {
            if (ports[i].port == 0 || ports[i].port != ports[j].port) continue;
            snprintf(error, 512, "%s: is the same as %s (%llu)", ports[i].name, ports[j].name,
                     (unsigned long long)ports[i].port);
            return ERR_CONFIG;
        }
    }
    return ERR_OK;
}

/* check_settings finds what is missing or contradictory. */
static enum err check_settings(const struct settings *settings, char error[512]) {
    if (!log_configure(settings->log_level, settings->log_format)) {
        snprintf(error, 512, "log_level is error, warn, info or debug; log_format is text or json");
        return ERR_CONFIG;
    }
    /* An imported chain has neither peers nor keys: load_genesis looks once it knows the chain. */
    const bool is_archive = settings->follow_only && settings->p2p_peers[0] == '\0';
    const bool needs_peer_key = !is_archive && settings->peer_key_file[0] == '\0';
    const char *missing = settings->data_dir[0] == '\0'  ? "data_dir"
                          : settings->genesis[0] == '\0' ? "genesis"
                          : needs_peer_key               ? "peer_key_file"
                                                         : NULL;
    if (missing != NULL) {
        snprintf(error, 512, "%s: is missing (see --help)", missing);
        return ERR_CONFIG;
    }
    if (!settings->follow_only && settings->validator_key_file[0] == '\0') {
        snprintf(error, 512, "validator_key_file: is missing (or set follow_only)");
        return ERR_CONFIG;
    }
    if (settings->follow_only && settings->validator_key_file[0] != '\0') {
        snprintf(error, 512, "follow_only contradicts validator_key_file: a follower never signs");
        return ERR_CONFIG;
    }
    if (strcmp(settings->sync, "auto") != 0 && strcmp(settings->sync, "blocks") != 0 &&
        strcmp(settings->sync, "snapshot") != 0) {
        snprintf(error, 512, "sync: \"%.100s\" is neither auto, blocks nor snapshot",
                 settings->sync);
        return ERR_CONFIG;
    }
    if (settings->da_token_file[0] != '\0' && settings->da_url[0] == '\0') {
        snprintf(error, 512, "da_url: is missing, but da_token_file is given");
        return ERR_CONFIG;
    }
    TRY(peers_check(settings->p2p_peers, error));
    return check_ports(settings, error);
}

static enum err read_keys(const struct settings *settings, struct node_options *options,
                          char error[512]) {
    if (settings->validator_key_file[0] != '\0') {
        TRY(keys_read_validator(settings->validator_key_file, settings->allow_dev_keys,
                                &options->validator_key, error));
        options->has_validator_key = true;
    }
    if (settings->da_token_file[0] != '\0') {
        TRY(keys_check_file(settings->da_token_file, "da_token_file", error));
    }
    if (settings->peer_key_file[0] == '\0') return ERR_OK;
    options->has_p2p = true;
    return keys_read_peer(settings->peer_key_file, &options->peer_key, error);
}

/* load_genesis reads the chain's genesis and checks it against the settings. */
static enum err load_genesis(const struct settings *settings, struct genesis_file *out,
                             char error[512]) {
    TRY(genesis_load(settings->genesis, out, error));
    const struct chain_config *config = &out->genesis.config;
    if (!config->is_rollup && !settings->follow_only) {
        snprintf(error, 512,
                 "genesis: \"%.200s\" has no config.baton object (baton init writes one); "
                 "without it only follow_only works",
                 settings->genesis);
    } else if (config->is_rollup && settings->peer_key_file[0] == '\0') {
        snprintf(error, 512, "peer_key_file: is missing (see --help)");
    } else if (config->is_rollup && config->rollup.l1_chain_id != 0 &&
               settings->l1_rpc_url[0] == '\0') {
        snprintf(error, 512, "l1_rpc_url: is missing, and the chain has an L1 (chain id %llu)",
                 (unsigned long long)config->rollup.l1_chain_id);
    } else if (!settings->follow_only && config->rollup.l1_chain_id == 0 &&
               settings->l1_rpc_url[0] != '\0') {
        snprintf(error, 512, "l1_rpc_url: is given, but the chain has no L1 (l1_chain_id is 0)");
    } else {
        return ERR_OK;
    }
    genesis_file_free(out);
    return ERR_CONFIG;
}

static void announce(const struct node *node) {
    const struct settings *settings = node->options.settings;
    char address[43], peer[67], hash[67];
    LOG(LOG_INFO, "node", "%s, chain %llu, genesis %s", BATON_CLIENT_VERSION,
        (unsigned long long)node->config->chain_id,
        hex_string(hash_bytes(&node->ledger.genesis_hash), hash));
    LOG(LOG_INFO, "node", "%s%s, peer %s",
        node->options.has_validator_key ? "validator " : "follower",
        node->options.has_validator_key ? hex_checksum_address(&node->signer.address, address) : "",
        hex_string(hash_bytes(&node->options.peer_key.public_key), peer));
    LOG(LOG_INFO, "node", "block %llu; rpc %s:%llu, ws %s:%llu, metrics %s:%llu, p2p %s:%llu",
        (unsigned long long)node->head_at_start, settings->rpc_host,
        (unsigned long long)settings->rpc_port, settings->ws_host,
        (unsigned long long)settings->ws_port, settings->metrics_host,
        (unsigned long long)settings->metrics_port, settings->p2p_host,
        (unsigned long long)settings->p2p_port);
}

static int fail(const char *error) {
    fprintf(stderr, "baton node: %s\n", error);
    return 1;
}

static int run(const struct settings *settings) {
    static struct node node;
    struct node_options options = {.settings = settings, .data_dir = settings->data_dir};
    struct genesis_file genesis;
    struct behind behind;
    char error[512] = "";
    if (read_keys(settings, &options, error) != ERR_OK) return fail(error);
    if (load_genesis(settings, &genesis, error) != ERR_OK) return fail(error);
    options.genesis = &genesis.genesis;
    behind_begin(&behind, settings->sync_behind_blocks,
                 genesis.genesis.config.rollup.block_time_ms);
    int code;
    do {
        const enum err err = node_start(&options, &node, error);
        if (err == ERR_STOPPED) { /* a signal: somebody's, or because something failed */
            return atomic_load(&node.failure) != ERR_OK ? 1 : 0;
        }
        if (err != ERR_OK) return fail(error);
        announce(&node);
        code = node_wait(&node, &behind);
        options.is_behind = true;
    } while (code == NODE_AGAIN);
    genesis_file_free(&genesis);
    return code;
}

static int read_all(int argc, char **argv, const char *name, struct settings *settings) {
    char error[512];
    if (settings_read(COMMAND_NODE, argc, argv, settings, error) != ERR_OK ||
        check_settings(settings, error) != ERR_OK) {
        fprintf(stderr, "%s: %s\n", name, error);
        return 2;
    }
    return 0;
}

int command_node(int argc, char **argv) {
    struct settings settings;
    if (flags_help_wanted(argc, argv)) {
        puts(
            "NAME\n  baton node - run a sequencer or follower\n\n"
            "SYNOPSIS\n  baton node --data-dir DIR --genesis FILE --validator-key-file FILE\n"
            "             --peer-key-file FILE [--config FILE] [FLAG ...]\n\n"
            "DESCRIPTION\n"
            "  Orders and executes transactions together with the other validators of the chain,\n"
            "  serves JSON-RPC and WebSocket, and publishes batches to the DA layer.  SIGTERM and\n"
            "  SIGINT pass the baton on, then end the process.\n\n"
            "EXIT STATUS\n  0 after a signal; 1 when something failed; 2 for wrong settings.");
        settings_help(COMMAND_NODE, stdout);
        return 0;
    }
    const int code = read_all(argc, argv, "baton node", &settings);
    if (code != 0) return code;
    block_signals();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (ed25519_init() != ERR_OK) return fail("libsodium cannot be initialised");
    return run(&settings);
}

int command_config(int argc, char **argv) {
    struct settings settings;
    struct node_options options = {0};
    struct genesis_file genesis;
    char error[512];
    if (argc < 2 || strcmp(argv[1], "check") != 0 || flags_help_wanted(argc, argv)) {
        const bool is_help = flags_help_wanted(argc, argv);
        fputs(
            "NAME\n  baton config - check settings without starting\n\n"
            "SYNOPSIS\n  baton config check [FLAG ...]\n\n"
            "DESCRIPTION\n"
            "  Reads settings, keys and genesis as `baton node` would, and says what is wrong.\n\n"
            "EXIT STATUS\n"
            "  0 a node would start with them; 1 a key or the genesis is wrong; 2 a setting is.\n",
            is_help ? stdout : stderr);
        if (is_help) settings_help(COMMAND_NODE, stdout);
        return is_help ? 0 : 2;
    }
    const int code = read_all(argc - 1, argv + 1, "baton config check", &settings);
    if (code != 0) return code;
    if (ed25519_init() != ERR_OK) return fail("libsodium cannot be initialised");
    if (read_keys(&settings, &options, error) != ERR_OK ||
        load_genesis(&settings, &genesis, error) != ERR_OK) {
        fprintf(stderr, "baton config check: %s\n", error);
        return 1;
    }
    printf("settings are fine: chain %llu, %u validators at genesis\n",
           (unsigned long long)genesis.genesis.config.chain_id,
           genesis.genesis.config.rollup.validators.count);
    genesis_file_free(&genesis);
    return 0;
}
