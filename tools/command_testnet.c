/* `baton testnet`: the command line. */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ed25519.h"
#include "flags/flags.h"
#include "tools/commands.h"
#include "tools/testnet.h"

static const char HELP[] =
    "NAME\n  baton testnet - run a network of real nodes on this machine, and report on it\n\n"
    "SYNOPSIS\n"
    "  baton testnet --validators N [--duration TIME] [--report FILE] [--kill N] [FLAG ...]\n\n"
    "DESCRIPTION\n"
    "  Starts N processes of `baton node`, one after another, all connected to all over real\n"
    "  sockets, with fixed validators and neither L1 nor DA.  Once all are ready it measures for\n"
    "  the given time, prints a line every few seconds, stops every process and writes a report.\n"
    "  SIGINT and SIGTERM end it early, in the same order.  No process outlives it.\n\n"
    "FLAGS\n"
    "  --validators N       nodes, 1 to 128 [default: 4]\n"
    "  --duration TIME      measured time: 90s, 10m, 1h [default: 60s]\n"
    "  --report FILE        the JSON report [default: standard output]\n"
    "  --kill N             kill -9 so many nodes during the run, one after another, whoever "
    "leads\n"
    "                       and any other in turns, and start them again [default: 0]\n"
    "  --down-ms N          a killed node stays away so long [default: duration / 6, at most "
    "5000]\n"
    "  --block-time-ms N    50 and more [default: 2000, or 100 for each node if that is more]\n"
    "  --load TPS           transactions per second, transfers over all nodes [default: 10]\n"
    "  --model MODEL        crash or byzantine [default: byzantine from four nodes on]\n"
    "  --dir DIR            empty directory for data and logs, kept [default: a temporary one]\n"
    "  --port-base N        node I uses the ports N + 3 I (RPC), + 1 (metrics), + 2 (p2p)\n"
    "                       [default: 26000]\n"
    "  --stagger-ms N       between two starts [default: 50]\n"
    "  --start-max TIME     until all nodes are ready, or it fails [default: 60s + 2s a node]\n"
    "  --timeout-ms N       wait for a proposal beyond the block time, and half of it for votes\n"
    "                       [default: 500, or 100 for each node if that is more]\n\n"
    "REPORT\n"
    "  All of it is measured, from the moment when all nodes were ready to the end.\n"
    "  deployment.num_nodes                   processes\n"
    "  deployment.stake_per_node              voting power of each\n"
    "  deployment.duration_hours              measured time, hours\n"
    "  metrics.consensus_rounds_completed     heights decided (blocks)\n"
    "  metrics.total_transactions_processed   transactions in these blocks\n"
    "  metrics.average_consensus_time         seconds from a height's first proposal to its "
    "durable\n"
    "                                         block, mean over all nodes and their blocks\n"
    "  metrics.throughput                     transactions per second\n"
    "  metrics.node_failures                  processes that ended, killed or not\n"
    "  metrics.view_changes                   rounds of these heights that decided nothing, so "
    "that\n"
    "                                         another validator took over\n"
    "  stability.uptime_percentage            share of the questions that nodes answered, "
    "percent:\n"
    "                                         each is asked every 1 to 3.5 s, and an answer may\n"
    "                                         take 5 s and 0.1 s for each node\n"
    "  stability.consensus_success_rate       rounds that decided a block, in percent of all\n"
    "  stability.network_health               share of the questions that nodes answered as "
    "ready:\n"
    "                                         at most 5 blocks behind, with a quorum, percent\n"
    "  issues                                 what was not as it should be, in words\n\n"
    "EXIT STATUS\n"
    "  0 blocks were decided and all nodes have the same chain; 1 not so; 2 wrong use; 130 ended\n"
    "  by a signal.\n";

/* read_time reads 90s, 10m, 1h, or seconds without a letter, 1 second to 30 days. */
static bool read_time(const char *text, void *out_ms) {
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
    char digits[16];
    uint64_t value, factor = 1;
    size_t size = strlen(text);
    if (size == 0 || size >= sizeof digits) return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (text[size - 1] != units[i].letter) continue;
        factor = units[i].seconds;
        size -= 1;
        break;
    }
    memcpy(digits, text, size);
    digits[size] = '\0';
    if (!flag_read_number(digits, 1, 2592000 / factor, &value)) return false;
    *(uint64_t *)out_ms = value * factor * 1000;
    return true;
}

/* Values of flags that have no place in the options, or whose default depends on others. */
struct raw {
    uint64_t validators, kills, port_base, timeout_ms;
    bool has_model;
    enum fault_model model;
};

static bool read_model(const char *text, void *out) {
    struct raw *raw = out;
    raw->has_model = true;
    raw->model = strcmp(text, "crash") == 0 ? FAULT_MODEL_CRASH : FAULT_MODEL_BYZANTINE;
    return strcmp(text, "crash") == 0 || strcmp(text, "byzantine") == 0;
}

static bool read_flags(int argc, char **argv, struct testnet_options *options, struct raw *raw) {
    static const char time_wanted[] = "a time up to 30 days, as 90s, 10m or 1h";
#define NUMBER(text, place, least, most)                                                           \
    { .name = text, .kind = FLAG_NUMBER, .out = place, .low = least, .high = most }
    const struct flag flags[] = {
        NUMBER("validators", &raw->validators, 1, TESTNET_NODES_MAX),
        NUMBER("kill", &raw->kills, 0, 100000),
        NUMBER("down-ms", &options->down_ms, 1, 3600000),
        NUMBER("block-time-ms", &options->block_time_ms, 50, 600000),
        NUMBER("load", &options->load_tps, 0, 2000),
        NUMBER("port-base", &raw->port_base, 1024, 65535 - TESTNET_PORTS * TESTNET_NODES_MAX),
        NUMBER("stagger-ms", &options->stagger_ms, 0, 60000),
        NUMBER("timeout-ms", &raw->timeout_ms, 20, 600000),
        {.name = "duration",
         .kind = FLAG_OTHER,
         .out = &options->duration_ms,
         .wanted = time_wanted,
         .read = read_time},
        {.name = "start-max",
         .kind = FLAG_OTHER,
         .out = &options->start_ms_max,
         .wanted = time_wanted,
         .read = read_time},
        {.name = "model",
         .kind = FLAG_OTHER,
         .out = raw,
         .wanted = "crash or byzantine",
         .read = read_model},
        {.name = "report", .kind = FLAG_TEXT, .out = &options->report},
        {.name = "dir", .kind = FLAG_TEXT, .out = &options->directory},
    };
#undef NUMBER
    return flags_read("testnet", argc, argv, 1, flags, sizeof flags / sizeof flags[0], NULL);
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* complete fills in what depends on the number of nodes. */
static void complete(struct testnet_options *options, const struct raw *raw) {
    const uint64_t count = raw->validators;
    const uint64_t timeout = raw->timeout_ms != 0 ? raw->timeout_ms : larger(500, 100 * count);
    options->validators = (uint32_t)count;
    options->kills = (uint32_t)raw->kills;
    options->port_base = (uint16_t)raw->port_base;
    options->timeout_propose_ms = timeout;
    options->timeout_vote_ms = timeout / 2;
    if (options->block_time_ms == 0) options->block_time_ms = larger(2000, 100 * count);
    if (options->start_ms_max == 0) options->start_ms_max = 60000 + 2000 * count;
    if (options->down_ms == 0) {
        const uint64_t sixth = options->duration_ms / 6;
        options->down_ms = sixth < 5000 ? sixth : 5000;
    }
    options->model = raw->has_model ? raw->model
                     : count >= 4   ? FAULT_MODEL_BYZANTINE
                                    : FAULT_MODEL_CRASH;
}

static bool read_options(int argc, char **argv, struct testnet_options *options) {
    struct raw raw = {.validators = 4, .port_base = 26000};
    *options = (struct testnet_options){
        .duration_ms = 60000, .directory = "", .load_tps = 10, .stagger_ms = 50};
    if (!read_flags(argc, argv, options, &raw)) return false;
    complete(options, &raw);
    if (options->model == FAULT_MODEL_BYZANTINE && options->validators < 4) {
        fputs("baton testnet: --model byzantine needs four validators: fewer survive no fault\n",
              stderr);
        return false;
    }
    return true;
}

/* is_report_writable finds out before the run that the report has a place. */
static bool is_report_writable(const char *path) {
    if (path == NULL) return true;
    FILE *file = fopen(path, "ae");
    if (file == NULL) {
        fprintf(stderr, "baton testnet: --report: cannot write \"%s\": %s\n", path,
                strerror(errno));
        return false;
    }
    fclose(file);
    return true;
}

extern char **environ;

/* clear_settings keeps the environment's settings from the nodes, which have files for them. */
static void clear_settings(void) {
    for (bool found = true; found;) {
        found = false;
        for (char **entry = environ; *entry != NULL && !found; entry++) {
            char name[128];
            const size_t size = strcspn(*entry, "=");
            if (strncmp(*entry, "BATON_", 6) != 0 || size >= sizeof name) continue;
            memcpy(name, *entry, size);
            name[size] = '\0';
            found = unsetenv(name) == 0;
        }
    }
}

int command_testnet(int argc, char **argv) {
    char error[512] = "";
    if (flags_help_wanted(argc, argv)) {
        fputs(HELP, stdout);
        return 0;
    }
    struct testnet *net = calloc(1, sizeof *net);
    if (net == NULL) return 1;
    if (!read_options(argc, argv, &net->options)) {
        free(net);
        return 2;
    }
    if (!is_report_writable(net->options.report)) {
        free(net);
        return 1;
    }
    clear_settings();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int code = 1;
    if (ed25519_init() != ERR_OK || http_create(&net->http) != ERR_OK) {
        fputs("baton testnet: a library cannot be initialised\n", stderr);
    } else if (testnet_setup(net, error) != ERR_OK) {
        fprintf(stderr, "baton testnet: %s\n", error);
    } else {
        fprintf(stderr, "%u nodes in %s, ports from %u on, blocks of %llu ms\n",
                net->options.validators, net->directory, net->options.port_base,
                (unsigned long long)net->options.block_time_ms);
        code = testnet_run(net);
    }
    testnet_forget(net);
    http_destroy(net->http);
    curl_global_cleanup();
    free(net);
    return code;
}
