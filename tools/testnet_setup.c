/* What a test network needs on disk before its nodes start. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ed25519.h"
#include "base/hex.h"
#include "base/json.h"
#include "genesis/genesis_json.h"
#include "tools/testnet.h"
#include "workloads/system_contracts.h"

#define GENESIS_TEXT_BYTES ((size_t)256 << 10)
#define CONFIG_TEXT_BYTES  ((size_t)64 << 10)

static enum err cannot(const char *what, const char *path, char error[512]) {
    snprintf(error, 512, "dir: cannot %s \"%.300s\": %s", what, path, strerror(errno));
    return ERR_SYSTEM;
}

static enum err write_file(const char *path, mode_t mode, struct bytes text, char error[512]) {
    const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0) return cannot("create", path, error);
    const bool is_written = write(file, text.data, text.size) == (ssize_t)text.size;
    if (close(file) != 0 || !is_written) return cannot("write", path, error);
    return ERR_OK;
}

static enum err write_secret(const char *path, const uint8_t secret[32], char error[512]) {
    char text[67];
    hex_string((struct bytes){secret, 32}, text);
    const enum err err = write_file(path, 0600, bytes_from_string(text), error);
    sodium_memzero(text, sizeof text);
    return err;
}

static bool is_empty(const char *path) {
    DIR *directory = opendir(path);
    if (directory == NULL) return true; /* what is wrong shows when a file is made there */
    bool found = false;
    for (const struct dirent *entry = readdir(directory); entry != NULL && !found;
         entry = readdir(directory)) {
        found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(directory);
    return !found;
}

static enum err make_directory(struct testnet *net, char error[512]) {
    const char *asked = net->options.directory;
    if (asked[0] == '\0') {
        const char *parent = getenv("TMPDIR");
        if (parent == NULL || parent[0] == '\0' || strlen(parent) > 200) parent = "/tmp";
        snprintf(net->directory, sizeof net->directory, "%s/baton-testnet-XXXXXX", parent);
        if (mkdtemp(net->directory) == NULL) return cannot("make", net->directory, error);
        net->is_temporary = true;
        return ERR_OK;
    }
    if (mkdir(asked, 0700) != 0 && errno != EEXIST) return cannot("make", asked, error);
    if (!is_empty(asked)) {
        snprintf(error, 512, "dir: \"%.300s\" is not empty", asked);
        return ERR_EXISTS;
    }
    char *absolute = realpath(asked, NULL);
    if (absolute == NULL || strlen(absolute) > 300) {
        free(absolute);
        errno = ENAMETOOLONG;
        return cannot("use", asked, error);
    }
    snprintf(net->directory, sizeof net->directory, "%s", absolute);
    free(absolute);
    return ERR_OK;
}

static void random_key(struct secp_key *key) {
    do {
        randombytes_buf(key->secret, sizeof key->secret);
    } while (!secp_key_is_valid(key));
}

static enum err make_member(struct testnet *net, uint32_t index, char error[512]) {
    struct testnet_member *member = &net->members[index];
    const uint16_t port = (uint16_t)(net->options.port_base + TESTNET_PORTS * index);
    struct secp_key key;
    uint8_t seed[32];
    char path[TESTNET_PATH_BYTES + 32];
    snprintf(member->home, sizeof member->home, "%.400s/node-%u", net->directory, index);
    member->rpc_port = port;
    member->metrics_port = (uint16_t)(port + 1);
    member->p2p_port = (uint16_t)(port + 2);
    random_key(&key);
    randombytes_buf(seed, sizeof seed);
    member->address = secp_key_address(&key);
    member->peer_id = ed25519_key_from_seed(seed).public_key;
    if (mkdir(member->home, 0700) != 0) return cannot("make", member->home, error);
    snprintf(path, sizeof path, "%s/validator.key", member->home);
    TRY(write_secret(path, key.secret, error));
    snprintf(path, sizeof path, "%s/peer.key", member->home);
    return write_secret(path, seed, error);
}

static void text(struct json_writer *json, const char *key, const char *value) {
    json_key(json, key);
    json_write_string(json, value);
}
static void number(struct json_writer *json, const char *key, uint64_t value) {
    json_key(json, key);
    json_number_u64(json, value);
}

static void write_peers(struct json_writer *json, const struct testnet *net, uint32_t own) {
    char list[TESTNET_NODES_MAX * 96] = "", id[67];
    size_t size = 0;
    for (uint32_t i = 0; i < net->options.validators; i++) {
        if (i == own) continue;
        const struct testnet_member *peer = &net->members[i];
        size += (size_t)snprintf(list + size, sizeof list - size, "%s%s@127.0.0.1:%u",
                                 size > 0 ? "," : "", hex_string(hash_bytes(&peer->peer_id), id),
                                 peer->p2p_port);
    }
    text(json, "p2p_peers", list);
}

static enum err write_config(const struct testnet *net, uint32_t index, struct buffer *out,
                             char error[512]) {
    const struct testnet_member *member = &net->members[index];
    const struct testnet_options *options = &net->options;
    struct json_writer json = json_over(out);
    char path[TESTNET_PATH_BYTES + 32];
    json_object_begin(&json);
    snprintf(path, sizeof path, "%s/data", member->home);
    text(&json, "data_dir", path);
    snprintf(path, sizeof path, "%s/genesis.json", net->directory);
    text(&json, "genesis", path);
    snprintf(path, sizeof path, "%s/validator.key", member->home);
    text(&json, "validator_key_file", path);
    snprintf(path, sizeof path, "%s/peer.key", member->home);
    text(&json, "peer_key_file", path);
    number(&json, "rpc_port", member->rpc_port);
    number(&json, "ws_port", 0);
    number(&json, "metrics_port", member->metrics_port);
    number(&json, "p2p_port", member->p2p_port);
    text(&json, "p2p_host", "127.0.0.1");
    text(&json, "metrics_namespace", "ande");
    number(&json, "rpc_threads", 1);
    number(&json, "rpc_workers", 1);
    text(&json, "sync", "blocks"); /* all begin with nothing: nobody has a snapshot to give */
    number(&json, "timeout_propose_ms", options->timeout_propose_ms);
    number(&json, "timeout_vote_ms", options->timeout_vote_ms);
    number(&json, "timeout_delta_ms", options->timeout_vote_ms);
    write_peers(&json, net, index);
    json_object_end(&json);
    snprintf(path, sizeof path, "%s/config.json", member->home);
    if (out->overflow) return ERR_LIMIT;
    return write_file(path, 0600, buffer_bytes(out), error);
}

/* write_alloc writes the accounts: Ethereum's system contracts and those that send transactions. */
static void write_alloc(struct testnet *net, struct json_writer *json) {
    char name[43];
    json_key(json, "alloc");
    json_object_begin(json);
    for (size_t i = 0; i < SYSTEM_CONTRACTS_COUNT; i++) {
        json_key(json, hex_string(address_bytes(&system_contracts[i]->address), name));
        json_object_begin(json);
        text(json, "nonce", "0x1");
        text(json, "balance", "0x0");
        json_key(json, "code");
        json_data(json, system_contracts[i]->code);
        json_object_end(json);
    }
    for (uint32_t i = 0; i < TESTNET_ACCOUNTS; i++) {
        random_key(&net->accounts[i].key);
        const struct address address = secp_key_address(&net->accounts[i].key);
        json_key(json, hex_string(address_bytes(&address), name));
        json_object_begin(json);
        text(json, "balance", "0xffffffffffffffffffffffff");
        json_object_end(json);
    }
    json_object_end(json);
}

static void write_config_object(const struct testnet *net, struct json_writer *json) {
    static const char *const blocks[] = {
        "homesteadBlock", "eip150Block",   "eip155Block",         "eip158Block",
        "byzantiumBlock", "istanbulBlock", "constantinopleBlock", "petersburgBlock",
        "berlinBlock",    "londonBlock",   "shanghaiTime",        "cancunTime",
        "pragueTime",     "osakaTime",     "mergeNetsplitBlock",  "terminalTotalDifficulty"};
    static const char *const blobs[] = {"cancun", "prague", "osaka"};
    static struct rollup_config rollup;
    rollup = (struct rollup_config){.fault_model = net->options.model,
                                    .blocks_per_rotation = 100,
                                    .timeout_blocks = 10,
                                    .block_time_ms = net->options.block_time_ms,
                                    .batch_blocks = 50,
                                    .batch_bytes_max = 1u << 20};
    genesis_default_namespace(TESTNET_CHAIN_ID, rollup.da_namespace);
    rollup.validators.count = net->options.validators;
    for (uint32_t i = 0; i < net->options.validators; i++) {
        rollup.validators.validators[i] =
            (struct validator){net->members[i].address, net->members[i].peer_id, TESTNET_STAKE, 0};
    }
    json_key(json, "config");
    json_object_begin(json);
    number(json, "chainId", TESTNET_CHAIN_ID);
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        number(json, blocks[i], 0);
    json_key(json, "terminalTotalDifficultyPassed");
    json_bool(json, true);
    json_key(json, "blobSchedule");
    json_object_begin(json);
    for (size_t i = 0; i < sizeof blobs / sizeof blobs[0]; i++) {
        json_key(json, blobs[i]);
        json_object_begin(json);
        number(json, "target", 6);
        number(json, "max", 9);
        number(json, "baseFeeUpdateFraction", 5007716);
        json_object_end(json);
    }
    json_object_end(json);
    json_key(json, "baton");
    uint8_t *memory = malloc(GENESIS_TEXT_BYTES);
    struct buffer out = buffer_over(memory, memory != NULL ? GENESIS_TEXT_BYTES : 0);
    genesis_json_write_rollup(&rollup, NULL, &out);
    json_raw(json, buffer_bytes(&out));
    free(memory);
    json_object_end(json);
}

static enum err write_genesis(struct testnet *net, struct buffer *out, char error[512]) {
    static const char zero[] = "0x0000000000000000000000000000000000000000000000000000000000000000";
    struct json_writer json = json_over(out);
    char path[TESTNET_PATH_BYTES + 32];
    json_object_begin(&json);
    write_config_object(net, &json);
    text(&json, "nonce", "0x0");
    text(&json, "timestamp", "0x0");
    text(&json, "extraData", "0x");
    text(&json, "gasLimit", "0x1c9c380");
    text(&json, "difficulty", "0x0");
    text(&json, "mixHash", zero);
    text(&json, "coinbase", "0x0000000000000000000000000000000000000000");
    text(&json, "baseFeePerGas", "0x3b9aca00");
    write_alloc(net, &json);
    json_object_end(&json);
    snprintf(path, sizeof path, "%s/genesis.json", net->directory);
    if (out->overflow) return ERR_LIMIT;
    return write_file(path, 0600, buffer_bytes(out), error);
}

enum err testnet_setup(struct testnet *net, char error[512]) {
    uint8_t *memory = malloc(GENESIS_TEXT_BYTES);
    if (memory == NULL) return ERR_MEMORY;
    snprintf(error, 512, "cannot set the network up");
    enum err err = make_directory(net, error);
    for (uint32_t i = 0; i < net->options.validators && err == ERR_OK; i++)
        err = make_member(net, i, error);
    struct buffer genesis = buffer_over(memory, GENESIS_TEXT_BYTES);
    if (err == ERR_OK) err = write_genesis(net, &genesis, error);
    for (uint32_t i = 0; i < net->options.validators && err == ERR_OK; i++) {
        struct buffer config = buffer_over(memory, CONFIG_TEXT_BYTES);
        err = write_config(net, i, &config, error);
    }
    free(memory);
    return err;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *at) {
    (void)about, (void)kind, (void)at;
    return remove(path);
}

void testnet_forget(struct testnet *net) {
    if (net->is_temporary) nftw(net->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
