/* `baton join`: a follower or validator out of nothing but the address of a node.
 *
 * The genesis file comes from that node; then keys, the check of the stake, peers, the snapshot,
 * the configuration file, and the node itself when asked.  Everything may be run again after it was
 * interrupted: what is there already is used. */
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/keccak.h"
#include "flags/flags.h"
#include "genesis/genesis_json.h"
#include "l1/stake.h"
#include "node/commands.h"
#include "node/keys.h"
#include "node/log.h"
#include "node/node.h"
#include "p2p/fetch.h"
#include "tools/commands.h"

#define FETCH_MS           10000
#define FETCH_MESSAGES_MAX 1000 /* of the bootstrap node, for all of the genesis file */
#define GENESIS_BYTES_MAX  ((size_t)64 << 20)
#define PATH_BYTES         4400
#define PEERS_BYTES        32768

struct join {
    struct settings settings;
    struct p2p_peer bootstrap; /* id: who answered there */
    uint8_t *genesis_text;
    size_t genesis_bytes;
    uint64_t genesis_total_bytes; /* as the bootstrap node said first */
    uint32_t messages_count;
    struct genesis_file genesis;
    char directory[PATH_BYTES];
    char genesis_path[PATH_BYTES], config_path[PATH_BYTES];
    char validator_path[PATH_BYTES], peer_path[PATH_BYTES];
    char peers[PEERS_BYTES];
    bool has_validator_key;
    struct secp_key validator_key;
    struct ed25519_key peer_key;
    char error[512];
};

/* wrong notes which setting is wrong. */
static enum err wrong(struct join *join, const char *setting, const char *text) {
    snprintf(join->error, sizeof join->error, "%s: %s", setting, text);
    return ERR_CONFIG;
}

/* --- the chain, from the bootstrap node */

/* bootstrap_parse reads [PEERID@]HOST:PORT; *has_id says whether the peer is named. */
static enum err bootstrap_parse(struct join *join, bool *has_id) {
    const char *text = join->settings.bootstrap;
    char whole[PATH_BYTES];
    if (text[0] == '\0') return wrong(join, "bootstrap", "is missing (see --help)");
    *has_id = strchr(text, '@') != NULL;
    if (*has_id) {
        snprintf(whole, sizeof whole, "%.4300s", text);
    } else {
        snprintf(whole, sizeof whole, "0x%064d@%.4000s", 0, text);
    }
    if (peer_parse(bytes_from_string(whole), &join->bootstrap) == ERR_OK) return ERR_OK;
    snprintf(join->error, sizeof join->error, "bootstrap: \"%.200s\" is not [PEERID@]HOST:PORT",
             text);
    return ERR_CONFIG;
}

/* add_peers keeps the addresses that are well formed, the bootstrap node first. */
static void add_peers(struct join *join, struct bytes list) {
    char id[67];
    size_t at = (size_t)snprintf(join->peers, sizeof join->peers, "%s@%s:%u",
                                 hex_string(hash_bytes(&join->bootstrap.id), id),
                                 join->bootstrap.host, join->bootstrap.port);
    for (size_t from = 0; from < list.size;) {
        size_t end = from;
        while (end < list.size && list.data[end] != ',')
            end += 1;
        struct p2p_peer peer;
        const struct bytes entry = bytes_slice(list, from, end - from);
        const bool is_new = peer_parse(entry, &peer) == ERR_OK &&
                            !hash_equal(&peer.id, &join->bootstrap.id) &&
                            !hash_equal(&peer.id, &join->peer_key.public_key);
        if (is_new && at + entry.size + 2 < sizeof join->peers) {
            join->peers[at++] = ',';
            memcpy(join->peers + at, entry.data, entry.size);
            at += entry.size;
            join->peers[at] = '\0';
        }
        from = end + 1;
    }
}

/* fetch_piece asks for the file from `offset` on; *is_whole: that was the last piece. */
static enum err fetch_piece(struct join *join, struct p2p_fetch *fetch, struct message *message,
                            bool *is_whole) {
    const struct message_context none = {.recoverer = secp_recoverer()};
    uint8_t memory[64];
    struct buffer out = buffer_over(memory, sizeof memory);
    message->kind = MESSAGE_GET_CHAIN;
    message->request = 1;
    message->height = join->genesis_bytes;
    message_encode(message, &out);
    TRY(p2p_fetch_send(fetch, buffer_bytes(&out)));
    do { /* it tells its height, too */
        struct bytes in;
        if (++join->messages_count > FETCH_MESSAGES_MAX) return ERR_LIMIT;
        if (outside_is_signalled(NULL)) return ERR_STOPPED;
        TRY(p2p_fetch_receive(fetch, &in));
        if (message_decode(&none, in, message) != VERDICT_ACCEPTED) return ERR_ENCODING;
    } while (message->kind != MESSAGE_CHAIN);
    const struct bytes piece = message->pieces[0];
    if (message->height != join->genesis_bytes) return ERR_MISMATCH;
    if (message->total_bytes == 0) return ERR_NOT_FOUND;
    if (message->total_bytes > GENESIS_BYTES_MAX) return ERR_LIMIT;
    if (join->genesis_bytes == 0) join->genesis_total_bytes = message->total_bytes;
    if (message->total_bytes != join->genesis_total_bytes) return ERR_MISMATCH;
    if (piece.size == 0 || piece.size > message->total_bytes - join->genesis_bytes) {
        return ERR_MISMATCH;
    }
    memcpy(join->genesis_text + join->genesis_bytes, piece.data, piece.size);
    join->genesis_bytes += piece.size;
    *is_whole = join->genesis_bytes == message->total_bytes;
    if (*is_whole) add_peers(join, message->peers);
    return ERR_OK;
}

/* fetch_fault says what the bootstrap node did wrong; NULL: its connection says that itself. */
static const char *fetch_fault(enum err err) {
    switch (err) {
    case ERR_REFUSED: return "it lets no guests in (p2p_guests)";
    case ERR_NOT_FOUND: return "it does not give its genesis file";
    case ERR_MISMATCH:
        return "the pieces of its genesis file do not fit together: ask another node";
    case ERR_LIMIT: return "it sends too much, or its genesis file is too large: ask another node";
    case ERR_ENCODING: return "what it sends does not decode: ask another node";
    default: return NULL;
    }
}

static enum err fetch_chain(struct join *join) {
    bool has_id, is_whole = false;
    char line[256] = "";
    struct p2p_fetch *fetch;
    TRY(bootstrap_parse(join, &has_id));
    const struct hash32 expected = join->bootstrap.id;
    struct message *message = calloc(1, sizeof *message);
    join->genesis_text = malloc(GENESIS_BYTES_MAX);
    if (message == NULL || join->genesis_text == NULL) return ERR_MEMORY;
    enum err err = p2p_fetch_open(join->bootstrap.host, join->bootstrap.port,
                                  has_id ? &expected : NULL, FETCH_MS, &fetch, line);
    if (err == ERR_OK) {
        join->bootstrap.id = *p2p_fetch_peer(fetch);
        while (err == ERR_OK && !is_whole)
            err = fetch_piece(join, fetch, message, &is_whole);
        p2p_fetch_close(fetch);
        const char *fault = fetch_fault(err);
        if (fault != NULL) snprintf(line, sizeof line, "%s", fault);
    }
    free(message);
    if (err == ERR_OK) return ERR_OK;
    snprintf(join->error, sizeof join->error, "bootstrap: %s",
             line[0] != '\0' ? line : err_text(err));
    return err;
}

/* --- the genesis: from the bootstrap node, held against what the operator knows of it */

static enum err file_read(const char *path, uint8_t *room, size_t room_bytes, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return errno == ENOENT ? ERR_NOT_FOUND : ERR_PERMISSION;
    *size = fread(room, 1, room_bytes, file);
    const bool has_more = fgetc(file) != EOF;
    fclose(file);
    return has_more ? ERR_LIMIT : ERR_OK;
}

/* same_file compares a file with the genesis that was fetched. */
static enum err same_file(struct join *join, const char *setting, const char *path) {
    uint8_t *room = malloc(join->genesis_bytes + 1);
    size_t size = 0;
    if (room == NULL) return ERR_MEMORY;
    const enum err err = file_read(path, room, join->genesis_bytes, &size);
    const bool is_same =
        err == ERR_OK && size == join->genesis_bytes && memcmp(room, join->genesis_text, size) == 0;
    free(room);
    if (err == ERR_NOT_FOUND || is_same) return err;
    snprintf(join->error, sizeof join->error,
             "%s: \"%.200s\" is another file than the genesis that the node runs with", setting,
             path);
    return ERR_MISMATCH;
}

static enum err genesis_check(struct join *join) {
    const struct settings *settings = &join->settings;
    const struct hash32 found = keccak256((struct bytes){join->genesis_text, join->genesis_bytes});
    struct hash32 wanted;
    char text[67];
    if (settings->genesis[0] != '\0') {
        const enum err err = same_file(join, "genesis", settings->genesis);
        if (err == ERR_NOT_FOUND) return wrong(join, "genesis", "there is no such file");
        TRY(err);
    }
    if (settings->genesis_hash[0] != '\0') {
        if (hex_to_hash(bytes_from_string(settings->genesis_hash), &wanted) != ERR_OK) {
            return wrong(join, "genesis_hash", "is not 32 bytes of hexadecimal");
        }
        if (!hash_equal(&wanted, &found)) {
            snprintf(join->error, sizeof join->error,
                     "genesis_hash: the node's genesis file has hash %s",
                     hex_string(hash_bytes(&found), text));
            return ERR_MISMATCH;
        }
    }
    const bool is_pinned = settings->genesis[0] != '\0' || settings->genesis_hash[0] != '\0';
    printf("genesis    %s  (keccak-256 of the file%s)\n", hex_string(hash_bytes(&found), text),
           is_pinned ? ", as asked for" : "");
    if (!is_pinned) {
        puts("           believed because the node said so: compare it with what the chain's\n"
             "           operators publish, or give --genesis or --genesis-hash");
    }
    return ERR_OK;
}

static enum err file_write(const char *path, struct bytes text) {
    char part[PATH_BYTES + 8];
    snprintf(part, sizeof part, "%s.part", path);
    FILE *file = fopen(part, "wb");
    if (file == NULL) return ERR_PERMISSION;
    const bool is_written = fwrite(text.data, 1, text.size, file) == text.size;
    const bool is_synced = fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (fclose(file) != 0 || !is_written || !is_synced) return ERR_DISK_FULL;
    return rename(part, path) == 0 ? ERR_OK : ERR_SYSTEM;
}

/* paths_prepare makes the data directory and names what will be in it. */
static enum err paths_prepare(struct join *join) {
    const char *wanted =
        join->settings.data_dir[0] != '\0' ? join->settings.data_dir : "baton-data";
    char *real = NULL;
    if (mkdir(wanted, 0700) == 0 || errno == EEXIST) real = realpath(wanted, NULL);
    if (real == NULL || strlen(real) > 4000) {
        snprintf(join->error, sizeof join->error, "data_dir: cannot make \"%.200s\": %s", wanted,
                 strerror(errno));
        free(real);
        return ERR_PERMISSION;
    }
    snprintf(join->directory, PATH_BYTES, "%s", real);
    free(real);
    snprintf(join->genesis_path, PATH_BYTES, "%.4000s/genesis.json", join->directory);
    snprintf(join->config_path, PATH_BYTES, "%.4000s/config.json", join->directory);
    snprintf(join->validator_path, PATH_BYTES, "%.4000s/validator.key", join->directory);
    snprintf(join->peer_path, PATH_BYTES, "%.4000s/peer.key", join->directory);
    return ERR_OK;
}

static enum err genesis_keep(struct join *join) {
    enum err err = same_file(join, "data_dir", join->genesis_path);
    if (err == ERR_NOT_FOUND) {
        const struct bytes text = {join->genesis_text, join->genesis_bytes};
        err = file_write(join->genesis_path, text);
        if (err != ERR_OK) wrong(join, "data_dir", "the genesis file cannot be written");
    }
    TRY(err);
    TRY(genesis_load(join->genesis_path, &join->genesis, join->error));
    const struct rollup_config *rollup = &join->genesis.genesis.config.rollup;
    if (!join->genesis.genesis.config.is_rollup) {
        return wrong(join, "bootstrap", "its chain has no config.baton object");
    }
    if (join->settings.consensus_contract[0] == '\0') return ERR_OK;
    struct address given;
    char text[43];
    if (hex_to_address(bytes_from_string(join->settings.consensus_contract), &given) != ERR_OK) {
        return wrong(join, "consensus_contract", "is not an address");
    }
    if (address_equal(&given, &rollup->consensus_contract)) return ERR_OK;
    snprintf(join->error, sizeof join->error,
             "consensus_contract: the chain's is %s: this is another chain, or a false genesis",
             hex_checksum_address(&rollup->consensus_contract, text));
    return ERR_MISMATCH;
}

/* --- keys and stake */

static enum err keys_prepare(struct join *join) {
    const struct settings *settings = &join->settings;
    if (settings->validator_key_file[0] != '\0') {
        snprintf(join->validator_path, PATH_BYTES, "%.4300s", settings->validator_key_file);
    }
    if (settings->peer_key_file[0] != '\0') {
        snprintf(join->peer_path, PATH_BYTES, "%.4300s", settings->peer_key_file);
    }
    TRY(keys_make_peer(join->peer_path, join->error));
    TRY(keys_read_peer(join->peer_path, &join->peer_key, join->error));
    char text[67], address[43];
    printf("peer id    %s  (%s)\n", hex_string(hash_bytes(&join->peer_key.public_key), text),
           join->peer_path);
    if (settings->follower) return ERR_OK;
    TRY(keys_make_validator(join->validator_path, join->error));
    TRY(keys_read_validator(join->validator_path, settings->allow_dev_keys, &join->validator_key,
                            join->error));
    join->has_validator_key = true;
    const struct address own = secp_key_address(&join->validator_key);
    printf("validator  %s  (%s)\n", hex_checksum_address(&own, address), join->validator_path);
    return ERR_OK;
}

/* tokens writes an amount in whole tokens, with up to 18 digits behind the point. */
static const char *tokens(const struct u256 *amount, char out[96]) {
    char digits[79];
    const unsigned count = u256_to_decimal(amount, digits);
    char padded[100];
    const unsigned zeros = count < 19 ? 19 - count : 0;
    memset(padded, '0', zeros);
    memcpy(padded + zeros, digits, count + 1);
    const size_t whole = zeros + count - 18;
    size_t end = whole + 18;
    while (end > whole && padded[end - 1] == '0')
        end -= 1;
    snprintf(out, 96, "%.*s%s%.*s", (int)whole, padded, end > whole ? "." : "", (int)(end - whole),
             padded + whole);
    return out;
}

/* print_register says how an unregistered key becomes a validator. */
static void print_register(const struct join *join, const struct l1_stake *stake,
                           const struct address *own) {
    char contract[43], token[43], peer[67], amount[79], address[43];
    const struct rollup_config *rollup = &join->genesis.genesis.config.rollup;
    hex_checksum_address(&rollup->consensus_contract, contract);
    hex_checksum_address(&stake->token, token);
    u256_to_decimal(&stake->stake_min, amount);
    printf("\nTo register it, give %s the stake and ether for gas, then:\n\n"
           "  KEY=$(cat %s)\n"
           "  cast send %s \"approve(address,uint256)\" %s %s \\\n"
           "      --rpc-url %s --private-key $KEY\n"
           "  cast send %s \"registerValidator(bytes32,string,uint256)\" \\\n"
           "      %s http://HOST:RPC_PORT %s \\\n"
           "      --rpc-url %s --private-key $KEY\n\n"
           "and run this again; or join with --follower, which needs no stake.\n",
           hex_checksum_address(own, address), join->validator_path, token, contract, amount,
           join->settings.l1_rpc_url, contract,
           hex_string(hash_bytes(&join->peer_key.public_key), peer), amount,
           join->settings.l1_rpc_url);
}

static enum err stake_judge(struct join *join, const struct l1_stake *stake,
                            const struct address *own) {
    char address[43], has[96], needs[96];
    hex_checksum_address(own, address);
    tokens(&stake->stake, has);
    tokens(&stake->stake_min, needs);
    if (stake->status == L1_STAKE_NONE) {
        snprintf(join->error, sizeof join->error,
                 "validator %s is not registered: it has staked 0 tokens, the least is %s", address,
                 needs);
        print_register(join, stake, own);
        return ERR_REFUSED;
    }
    if (u256_compare(&stake->stake, &stake->stake_min) < 0) {
        snprintf(join->error, sizeof join->error,
                 "validator %s has staked %s tokens, the least is %s: increaseStake adds to it",
                 address, has, needs);
        return ERR_REFUSED;
    }
    if (stake->status != L1_STAKE_ACTIVE) {
        snprintf(join->error, sizeof join->error, "validator %s is %s in the contract", address,
                 stake->status == L1_STAKE_JAILED ? "jailed (unjail lets it back in)" : "exiting");
        return ERR_REFUSED;
    }
    if (!hash_equal(&stake->peer_id, &join->peer_key.public_key)) {
        char peer[67];
        snprintf(join->error, sizeof join->error,
                 "peer_key_file: validator %s is registered with peer id %s, this key has another",
                 address, hex_string(hash_bytes(&stake->peer_id), peer));
        return ERR_MISMATCH;
    }
    printf("stake      %s tokens of at least %s\n", has, needs);
    return ERR_OK;
}

static enum err stake_check(struct join *join) {
    const struct rollup_config *rollup = &join->genesis.genesis.config.rollup;
    struct l1_config config;
    struct l1_stake stake;
    char line[256] = "";
    if (rollup->l1_chain_id != 0 && join->settings.l1_rpc_url[0] == '\0') {
        snprintf(join->error, sizeof join->error,
                 "l1_rpc_url: is missing, and the chain has an L1 (chain id %llu)",
                 (unsigned long long)rollup->l1_chain_id);
        return ERR_CONFIG;
    }
    if (join->settings.follower) return ERR_OK;
    const struct address own = secp_key_address(&join->validator_key);
    if (rollup->l1_chain_id == 0) {
        if (validator_set_find(&rollup->validators, &own) >= 0) return ERR_OK;
        return wrong(join, "follower",
                     "the chain has no L1, its validators are those of the genesis; others can "
                     "only follow");
    }
    TRY(outside_l1_config(&join->settings, rollup, &config, join->error));
    const enum err err = l1_stake_read(&config, &own, &stake, line);
    if (err != ERR_OK) {
        snprintf(join->error, sizeof join->error, "l1_rpc_url: %s", line);
        return err;
    }
    return stake_judge(join, &stake, &own);
}

/* --- configuration, state, start */

static enum err configure(struct join *join) {
    struct settings *settings = &join->settings;
    settings->data_dir = join->directory;
    settings->genesis = join->genesis_path;
    settings->peer_key_file = join->peer_path;
    settings->validator_key_file = join->has_validator_key ? join->validator_path : "";
    settings->follow_only = settings->follower;
    if (settings->p2p_peers[0] == '\0') settings->p2p_peers = join->peers;
    const size_t room_bytes = 262144;
    uint8_t *room = malloc(room_bytes);
    if (room == NULL) return ERR_MEMORY;
    struct buffer out = buffer_over(room, room_bytes);
    settings_write(COMMAND_NODE, settings, &out);
    enum err err = out.overflow ? ERR_LIMIT : file_write(join->config_path, buffer_bytes(&out));
    free(room);
    if (err != ERR_OK) return wrong(join, "data_dir", "the configuration cannot be written");
    printf("settings   %s\n", join->config_path);
    return ERR_OK;
}

/* take_state starts the part of a node that takes a snapshot, and ends it. */
static enum err take_state(struct join *join) {
    static struct node node;
    struct settings settings = join->settings;
    settings.sync = "snapshot";
    settings.p2p_port = 0; /* nobody has to reach us yet */
    const struct node_options options = {.settings = &settings,
                                         .genesis = &join->genesis.genesis,
                                         .data_dir = join->directory,
                                         .peer_key = join->peer_key,
                                         .has_p2p = true,
                                         .is_state_only = true};
    if (strcmp(join->settings.sync, "blocks") == 0) return ERR_OK;
    const enum err err = node_start(&options, &node, join->error);
    if (err == ERR_OK) node_stop(&node);
    if (err == ERR_STOPPED) {
        snprintf(join->error, sizeof join->error, "interrupted: run it again to go on");
    }
    return err;
}

static enum err run(struct join *join) {
    TRY(fetch_chain(join));
    TRY(genesis_check(join));
    TRY(paths_prepare(join));
    TRY(genesis_keep(join));
    TRY(keys_prepare(join));
    TRY(stake_check(join));
    TRY(configure(join));
    fflush(stdout);
    return take_state(join);
}

static void help(void) {
    puts(
        "NAME\n  baton join - make a validator or follower of a chain from nothing\n\n"
        "SYNOPSIS\n"
        "  baton join --bootstrap [PEERID@]HOST:PORT [--data DIR] [--l1 URL] [--contract ADDRESS]\n"
        "             [--follower] [--genesis FILE | --genesis-hash HASH] [--start] [FLAG ...]\n\n"
        "DESCRIPTION\n"
        "  Asks the node at --bootstrap (its p2p port) for the chain's genesis file and for other\n"
        "  peers, makes keys (mode 0600) where there are none, checks on L1 that the validator "
        "has\n"
        "  the least stake, takes a snapshot of the state, and writes DIR/config.json for\n"
        "  `baton node --config`.  With --start that node is started at once.  It may be run "
        "again\n"
        "  after it was interrupted.\n\n"
        "  What the node says is proven by commits of the validators that the genesis names: so\n"
        "  the genesis must be the right one.  --genesis or --genesis-hash says which it is;\n"
        "  without, the first answer is believed and its hash is shown.\n\n"
        "  --data is --data-dir, --l1 is --l1-rpc-url, --contract is --consensus-contract; all\n"
        "  settings of `baton node` are taken over into the file.\n\n"
        "EXIT STATUS\n"
        "  0 done, or the node ended after a signal; 1 when something failed or the stake is too\n"
        "  small; 2 for wrong settings.");
    settings_help(COMMAND_JOIN, stdout);
}

static int fail(const struct join *join, enum err err) {
    fflush(stdout);
    fprintf(stderr, "baton join: %s\n", join->error[0] != '\0' ? join->error : err_text(err));
    return err == ERR_CONFIG ? 2 : 1;
}

static int start(const struct join *join) {
    char flag[] = "--config", name[] = "node", path[PATH_BYTES];
    char *argv[] = {name, flag, path, NULL};
    snprintf(path, sizeof path, "%s", join->config_path);
    return command_node(3, argv);
}

int command_join(int argc, char **argv) {
    static struct join join;
    sigset_t signals;
    if (flags_help_wanted(argc, argv)) {
        help();
        return 0;
    }
    if (flags_rename(argc, argv, "data", "data-dir") != ERR_OK ||
        flags_rename(argc, argv, "l1", "l1-rpc-url") != ERR_OK ||
        flags_rename(argc, argv, "contract", "consensus-contract") != ERR_OK) {
        return fail(&join, ERR_MEMORY);
    }
    const enum settings_command command = (enum settings_command)(COMMAND_JOIN | COMMAND_NODE);
    if (settings_read(command, argc, argv, &join.settings, join.error) != ERR_OK) {
        return fail(&join, ERR_CONFIG);
    }
    if (!log_configure(join.settings.log_level, join.settings.log_format)) {
        return fail(&join, wrong(&join, "log_level", "is error, warn, info or debug"));
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (ed25519_init() != ERR_OK) return fail(&join, ERR_SYSTEM);
    const enum err err = run(&join);
    if (err != ERR_OK) return fail(&join, err);
    free(join.genesis_text);
    if (join.settings.start) return start(&join);
    printf("\nstart it with: baton node --config %s\n", join.config_path);
    return 0;
}
