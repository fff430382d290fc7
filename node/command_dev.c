/* `baton dev`: one validator, funded accounts of the well-known test mnemonic, no L1 and no DA. */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "flags/flags.h"
#include "genesis/genesis_json.h"
#include "node/commands.h"
#include "node/keys.h"
#include "node/log.h"
#include "node/node.h"
#include "workloads/system_contracts.h"

#define DEV_ACCOUNTS_MAX 100

struct dev {
    struct settings settings;
    struct node_options options;
    struct genesis genesis;
    struct genesis_account accounts[DEV_ACCOUNTS_MAX + SYSTEM_CONTRACTS_COUNT];
    struct secp_key keys[DEV_ACCOUNTS_MAX];
    char directory[64]; /* a temporary one; empty: the user's */
};

/* make_genesis is a chain with everything active from the start and one validator: account 0. */
static void make_genesis(struct dev *dev) {
    struct chain_config config = chain_config_for_fork(FORK_OSAKA);
    config.chain_id = dev->settings.chain_id;
    config.is_rollup = true;
    config.rollup = (struct rollup_config){
        .fault_model = FAULT_MODEL_CRASH,
        .blocks_per_rotation = 100,
        .timeout_blocks = 10,
        .block_time_ms = dev->settings.block_time_ms,
        .batch_blocks = 50,
        .batch_bytes_max = 1u << 20,
    };
    const struct address validator = secp_key_address(&dev->keys[0]);
    config.rollup.validators.count = 1;
    config.rollup.validators.validators[0] = (struct validator){.address = validator, .power = 1};
    config.rollup.validators.validators[0].peer_id.bytes[31] = 1;

    const struct u256 ether = u256_from_u64(1000000000000000000u);
    const struct u256 count = u256_from_u64(dev->settings.balance);
    for (uint64_t i = 0; i < dev->settings.accounts; i++) {
        dev->accounts[i].address = secp_key_address(&dev->keys[i]);
        dev->accounts[i].balance = u256_mul(&ether, &count);
    }
    const size_t funded = dev->settings.accounts;
    system_contracts_list(dev->accounts + funded);
    dev->genesis = (struct genesis){
        .config = config,
        .header = header_empty(FORK_OSAKA),
        .accounts = dev->accounts,
        .accounts_count = funded + SYSTEM_CONTRACTS_COUNT,
    };
    dev->genesis.header.gas_limit = dev->settings.gas_limit;
    dev->genesis.header.base_fee = u256_from_u64(1000000000);
}

static void print_accounts(const struct dev *dev) {
    char address[43], key[67];
    puts("\nAccounts\n========");
    for (uint64_t i = 0; i < dev->settings.accounts; i++) {
        printf("(%llu) %s (%llu ether)\n", (unsigned long long)i,
               hex_checksum_address(&dev->accounts[i].address, address),
               (unsigned long long)dev->settings.balance);
    }
    puts("\nPrivate keys (well known: never use them for anything of value)\n============");
    for (uint64_t i = 0; i < dev->settings.accounts; i++) {
        printf("(%llu) %s\n", (unsigned long long)i,
               hex_string((struct bytes){dev->keys[i].secret, 32}, key));
    }
    printf("\nMnemonic: test test test test test test test test test test test junk\n"
           "Chain id: %llu\nBlocks:   %s\n\nListening on %s:%llu\n",
           (unsigned long long)dev->settings.chain_id,
           dev->settings.block_time_ms == 0 ? "as soon as there is a transaction" : "by interval",
           dev->settings.rpc_host, (unsigned long long)dev->settings.rpc_port);
    fflush(stdout);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *at) {
    (void)about, (void)kind, (void)at;
    return remove(path);
}

static int run(struct dev *dev) {
    static struct node node;
    char error[512] = "";
    keys_development(dev->keys, (uint32_t)dev->settings.accounts);
    make_genesis(dev);
    dev->options = (struct node_options){
        .settings = &dev->settings,
        .genesis = &dev->genesis,
        .data_dir = dev->settings.data_dir,
        .has_validator_key = true,
        .validator_key = dev->keys[0],
        .is_on_demand = dev->settings.block_time_ms == 0,
    };
    if (dev->settings.data_dir[0] == '\0') {
        snprintf(dev->directory, sizeof dev->directory, "/tmp/baton-dev-XXXXXX");
        if (mkdtemp(dev->directory) == NULL) {
            fputs("baton dev: cannot make a temporary directory\n", stderr);
            return 1;
        }
        dev->options.data_dir = dev->directory;
        dev->options.forgets_pool = true;
    }
    int code = 1;
    if (node_start(&dev->options, &node, error) == ERR_OK) {
        if (!dev->settings.quiet) print_accounts(dev);
        code = node_wait(&node, NULL);
    } else {
        fprintf(stderr, "baton dev: %s\n", error);
    }
    if (dev->directory[0] != '\0') nftw(dev->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return code;
}

int command_dev(int argc, char **argv) {
    static struct dev dev;
    char error[512];
    sigset_t signals;
    if (flags_help_wanted(argc, argv)) {
        puts(
            "NAME\n  baton dev - run a development chain\n\n"
            "SYNOPSIS\n  baton dev [--rpc-port 8545] [--block-time-ms 1000] [FLAG ...]\n\n"
            "DESCRIPTION\n"
            "  One validator, no L1 and no DA, ten funded accounts of the mnemonic that anvil and\n"
            "  hardhat use, chain id 31337.  A transaction makes a block at once, or blocks come\n"
            "  at an interval.  Without --data-dir everything is forgotten at the end.");
        settings_help(COMMAND_DEV, stdout);
        return 0;
    }
    if (settings_read(COMMAND_DEV, argc, argv, &dev.settings, error) != ERR_OK) {
        fprintf(stderr, "baton dev: %s\n", error);
        return 2;
    }
    if (!log_configure(dev.settings.log_level, dev.settings.log_format)) {
        fputs("baton dev: log_level is error, warn, info or debug; log_format text or json\n",
              stderr);
        return 2;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return run(&dev);
}
