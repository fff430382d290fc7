/* The program: finds the command and runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "da/da.h"
#include "fixtures/fixtures.h"
#include "node/commands.h"
#include "node/version.h"
#include "simulator/simulator.h"
#include "tools/commands.h"
#include "tools/completion.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static int command_version(int argc, char **argv);
static int command_help(int argc, char **argv);
static int command_completion(int argc, char **argv);

static const struct command COMMANDS[] = {
    {"node", command_node, "run a sequencer or follower"},
    {"dev", command_dev, "run a development chain: one validator, funded accounts, no L1 or DA"},
    {"init", command_init, "make a genesis file from the L1 contracts, and a data directory"},
    {"testnet", command_testnet, "run a network of N local nodes, and report on it"},
    {"evidence", command_evidence, "check and show proofs of double signing"},
    {"monitor", command_monitor, "watch nodes in the terminal"},
    {"join", command_join, "make a validator or follower of a chain from nothing"},
    {"key", command_key, "make and show keys"},
    {"da", da_server_main, "serve the Celestia blob API, keeping blobs in files"},
    {"rebuild", command_rebuild, "rebuild a chain from its genesis and the DA layer alone"},
    {"import", command_import, "import a chain file (concatenated RLP blocks)"},
    {"health", command_health, "ask a node whether it is ready"},
    {"config", command_config, "check settings without starting (config check ...)"},
    {"simulate", simulator_main, "run a simulated cluster through its bad days"},
    {"statetest", fixtures_statetest, "run state test fixtures"},
    {"blocktest", fixtures_blocktest, "run blockchain test fixtures"},
    {"vectortest", fixtures_vectortest, "run vectors of RLP, tries, precompiles, signatures, ..."},
    {"t8n", fixtures_t8n, "apply transactions to a state, as geth's evm t8n does"},
    {"t9n", fixtures_t9n, "judge transactions by themselves, as geth's evm t9n does"},
    {"b11r", fixtures_b11r, "put a block together, as geth's evm b11r does"},
    {"completion", command_completion, "print a completion script for bash, zsh or fish"},
    {"version", command_version, "print the version"},
    {"help", command_help, "print this"},
};
static const size_t COMMANDS_COUNT = sizeof COMMANDS / sizeof COMMANDS[0];

static void usage(FILE *out) {
    fprintf(out, "Baton %s, a rollup sequencer\n\nUsage: baton COMMAND [FLAG ...]\n\nCommands:\n",
            BATON_VERSION_TEXT);
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        fprintf(out, "  %-11s %s\n", COMMANDS[i].name, COMMANDS[i].help);
    }
    fputs("\n`baton COMMAND --help` explains one.  Exit codes: 0 fine, 1 failed, 2 wrong use.\n",
          out);
}

static int command_version(int argc, char **argv) {
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        puts("Usage: baton version\n\nPrints the program's name and version.");
        return 0;
    }
    printf("baton %s\n", BATON_VERSION_TEXT);
    return 0;
}

static int command_help(int argc, char **argv) {
    (void)argc;
    (void)argv;
    usage(stdout);
    return 0;
}

static int command_completion(int argc, char **argv) {
    const char *names[sizeof COMMANDS / sizeof COMMANDS[0]];
    for (size_t i = 0; i < COMMANDS_COUNT; i++)
        names[i] = COMMANDS[i].name;
    return completion_print(argc, argv, names, COMMANDS_COUNT);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) name = "version";
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (strcmp(name, COMMANDS[i].name) == 0) return COMMANDS[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "baton: \"%s\" is no command (see baton --help)\n", argv[1]);
    return 2;
}
