/* `baton init`: a genesis file with the validators that the contract lists, and a data directory.
 */
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "flags/flags.h"
#include "genesis/genesis_json.h"
#include "node/node.h"
#include "tools/commands.h"

static int fail(const char *text) {
    fprintf(stderr, "baton init: %s\n", text);
    return 1;
}

static enum err read_contract(const char *text, const char *setting, struct address *out,
                              char error[512]) {
    if (hex_to_address(bytes_from_string(text), out) == ERR_OK) return ERR_OK;
    snprintf(error, 512, "%s: \"%.100s\" is not an address", setting, text);
    return ERR_CONFIG;
}

/* read_l1 fills the rollup's settings from the contracts at a finalized block. */
static enum err read_l1(const struct settings *settings, struct rollup_config *rollup,
                        char (*endpoints)[VALIDATOR_ENDPOINT_BYTES], char error[512]) {
    static struct l1_view view;
    struct l1_config config;
    char line[256] = "";
    TRY(read_contract(settings->consensus_contract, "consensus_contract",
                      &rollup->consensus_contract, error));
    TRY(read_contract(settings->coordinator_contract, "coordinator_contract",
                      &rollup->coordinator_contract, error));
    TRY(outside_l1_config(settings, rollup, &config, error));
    config.poll_ms = 1000;
    enum err err = l1_check(&config, line);
    if (err == ERR_OK) err = l1_read(&config, &view, line);
    if (err != ERR_OK) {
        snprintf(error, 512, "l1_rpc_url: %s", line);
        return err;
    }
    if (view.validators_count == 0) {
        snprintf(error, 512,
                 "consensus_contract: no validator is active at finalized L1 block %llu",
                 (unsigned long long)view.number);
        return ERR_CONFIG;
    }
    rollup->l1_number = view.number;
    rollup->l1_hash = view.hash;
    rollup->validators.count = view.validators_count;
    for (uint32_t i = 0; i < view.validators_count; i++) {
        rollup->validators.validators[i] = (struct validator){
            view.validators[i].address, view.validators[i].peer_id, view.validators[i].power, 0};
        snprintf(endpoints[i], VALIDATOR_ENDPOINT_BYTES, "%s", view.validators[i].endpoint);
    }
    return ERR_OK;
}

/* template_settings reads what the template's config.baton says before validators are known. */
static void template_settings(json_t *baton, struct rollup_config *rollup) {
    const json_int_t chain_id = json_integer_value(json_object_get(baton, "l1_chain_id"));
    rollup->l1_chain_id = chain_id > 0 ? (uint64_t)chain_id : 0;
}

/* merge puts what was read from L1 into the template's config.baton. */
static enum err merge(json_t *baton, const struct rollup_config *rollup,
                      const char (*endpoints)[VALIDATOR_ENDPOINT_BYTES]) {
    char text[96];
    json_t *list = json_array();
    if (list == NULL) return ERR_MEMORY;
    for (uint32_t i = 0; i < rollup->validators.count; i++) {
        const struct validator *validator = &rollup->validators.validators[i];
        json_t *entry = json_object();
        json_object_set_new(entry, "address",
                            json_string(hex_string(address_bytes(&validator->address), text)));
        json_object_set_new(entry, "peer_id",
                            json_string(hex_string(hash_bytes(&validator->peer_id), text)));
        json_object_set_new(entry, "power", json_integer((json_int_t)validator->power));
        json_object_set_new(entry, "endpoint", json_string(endpoints[i]));
        json_array_append_new(list, entry);
    }
    json_object_set_new(baton, "validators", list);
    json_object_set_new(baton, "consensus_contract",
                        json_string(hex_string(address_bytes(&rollup->consensus_contract), text)));
    json_object_set_new(
        baton, "coordinator_contract",
        json_string(hex_string(address_bytes(&rollup->coordinator_contract), text)));
    json_object_set_new(baton, "l1_number", json_integer((json_int_t)rollup->l1_number));
    json_object_set_new(baton, "l1_hash",
                        json_string(hex_string(hash_bytes(&rollup->l1_hash), text)));
    return ERR_OK;
}

/* complete writes --genesis out of --template and the contracts. */
static enum err complete(const struct settings *settings, char error[512]) {
    static struct rollup_config rollup;
    static char endpoints[VALIDATORS_MAX][VALIDATOR_ENDPOINT_BYTES];
    json_error_t at;
    json_t *root = json_load_file(settings->template, 0, &at);
    json_t *config = json_object_get(root, "config");
    json_t *baton = json_object_get(config, "baton");
    if (baton == NULL) {
        snprintf(error, 512, "template: \"%.200s\": %s", settings->template,
                 root == NULL ? at.text : "has no config.baton object");
        return ERR_CONFIG;
    }
    template_settings(baton, &rollup);
    enum err err = read_l1(settings, &rollup, endpoints, error);
    if (err == ERR_OK) {
        err = merge(baton, &rollup, (const char(*)[VALIDATOR_ENDPOINT_BYTES])endpoints);
    }
    if (err == ERR_OK && json_dump_file(root, settings->genesis, JSON_INDENT(2)) != 0) {
        snprintf(error, 512, "genesis: cannot write \"%.200s\": %s", settings->genesis,
                 strerror(errno));
        err = ERR_SYSTEM;
    }
    json_decref(root);
    return err;
}

/* open_directory makes or checks the data directory against the genesis. */
static enum err open_directory(const struct settings *settings, char error[512]) {
    struct genesis_file genesis;
    static struct ledger ledger;
    char hash[67];
    TRY(genesis_load(settings->genesis, &genesis, error));
    enum err err = ERR_OK;
    if (settings->data_dir[0] != '\0') {
        err = ledger_open(settings->data_dir, 256, &genesis.genesis, &ledger, error);
        if (err == ERR_OK) {
            printf("data directory %s: genesis %s\n", settings->data_dir,
                   hex_string(hash_bytes(&ledger.genesis_hash), hash));
            ledger_close(&ledger);
        } else if (error[0] == '\0') {
            snprintf(error, 512, "data_dir: \"%.200s\": %s", settings->data_dir, err_text(err));
        }
    }
    genesis_file_free(&genesis);
    return err;
}

int command_init(int argc, char **argv) {
    struct settings settings;
    char error[512] = "";
    if (flags_help_wanted(argc, argv)) {
        puts("NAME\n  baton init - make a genesis file and a data directory\n\n"
             "SYNOPSIS\n"
             "  baton init --genesis FILE --data-dir DIR\n"
             "  baton init --genesis FILE --template FILE --l1-rpc-url URL\n"
             "             --consensus-contract ADDRESS --coordinator-contract ADDRESS\n\n"
             "DESCRIPTION\n"
             "  With --template: reads the active validators from the contract at a finalized L1\n"
             "  block and writes the template with them to --genesis.  With --data-dir: makes the\n"
             "  directory for that genesis; one that holds another genesis is refused.");
        settings_help(COMMAND_INIT, stdout);
        return 0;
    }
    if (settings_read(COMMAND_INIT, argc, argv, &settings, error) != ERR_OK) {
        fprintf(stderr, "baton init: %s\n", error);
        return 2;
    }
    if (settings.genesis[0] == '\0') {
        fputs("baton init: genesis: is missing (see --help)\n", stderr);
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (settings.template[0] != '\0' && complete(&settings, error) != ERR_OK) return fail(error);
    return open_directory(&settings, error) == ERR_OK ? 0 : fail(error);
}
