/* `baton evidence`: verify a file offline, or ask nodes what they know. */
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "flags/flags.h"
#include "tools/commands.h"
#include "tools/evidence_file.h"
#include "tools/http.h"

#define ANSWER_BYTES ((size_t)4 << 20)
#define ASK_MS       10000

static const char HELP[] =
    "NAME\n  baton evidence - check and show proofs of double signing\n\n"
    "SYNOPSIS\n"
    "  baton evidence verify FILE [--chain-id N] [--contract ADDRESS]\n"
    "  baton evidence list [--rpc URL]\n"
    "  baton evidence show [--rpc URL] > FILE\n\n"
    "DESCRIPTION\n"
    "  verify reads claims and says for each who is provably guilty, by the signatures alone: no\n"
    "  node and no network are needed.  A claim is what the RPC method baton_evidence lists, or "
    "two\n"
    "  commits of different blocks at one height, as baton_getCommit gives them:\n"
    "    {\"chainId\": N, \"contract\": ADDRESS, \"commits\": [COMMIT, COMMIT]}\n"
    "  Whoever signed both commits in one round is guilty.  With --chain-id and --contract a "
    "claim\n"
    "  about another chain does not count.  \"-\" reads standard input.\n"
    "  That an address belongs to a validator is for the contract, or the reader, to know.\n\n"
    "  list prints a line for each piece of evidence that a node keeps; show prints all of it, as\n"
    "  verify reads it.\n\n"
    "FLAGS\n"
    "  --chain-id N        the chain of the signing domain: L1's id, or the rollup's without L1\n"
    "  --contract ADDRESS  AndeConsensus, zero without L1\n"
    "  --rpc URL           the node to ask [default: http://127.0.0.1:8545]\n\n"
    "EXIT STATUS\n"
    "  verify: 0 every claim proves somebody guilty; 1 one does not; 2 wrong use.\n"
    "  list, show: 0 the node answered; 1 it did not.\n";

struct options {
    const char *file;
    const char *rpc;
    bool has_chain_id, has_contract;
    struct evidence_domain domain; /* what claims must be about */
};

static bool read_rpc(const char *value, void *out) {
    *(const char **)out = value;
    return strlen(value) < HTTP_URL_BYTES;
}

static bool read_contract(const char *value, void *out) {
    struct options *options = out;
    options->has_contract = true;
    return hex_to_address(bytes_from_string(value), &options->domain.contract) == ERR_OK;
}

static bool read_chain_id(const char *value, void *out) {
    struct options *options = out;
    char *end;
    errno = 0;
    options->has_chain_id = true;
    options->domain.chain_id = strtoull(value, &end, 0);
    return errno == 0 && value[0] >= '0' && value[0] <= '9' && *end == '\0';
}

static bool read_options(int argc, char **argv, struct options *options) {
    const struct flag flags[] = {
        {.name = "rpc",
         .kind = FLAG_OTHER,
         .out = &options->rpc,
         .wanted = "a URL",
         .read = read_rpc},
        {.name = "contract",
         .kind = FLAG_OTHER,
         .out = options,
         .wanted = "an address",
         .read = read_contract},
        {.name = "chain-id",
         .kind = FLAG_OTHER,
         .out = options,
         .wanted = "a chain id",
         .read = read_chain_id},
    };
    *options = (struct options){.rpc = "http://127.0.0.1:8545"};
    return flags_read("evidence", argc, argv, 2, flags, sizeof flags / sizeof flags[0],
                      &options->file);
}

/* read_whole reads a file, or standard input, into memory of its own; NULL: an error was printed.
 */
static uint8_t *read_whole(const char *path, size_t *size) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    uint8_t *memory = malloc(EVIDENCE_FILE_BYTES_MAX + 1);
    if (file == NULL || memory == NULL) {
        fprintf(stderr, "baton evidence: cannot open \"%s\": %s\n", path, strerror(errno));
    } else {
        *size = fread(memory, 1, EVIDENCE_FILE_BYTES_MAX + 1, file);
        if (!ferror(file)) {
            if (file != stdin) fclose(file);
            return memory;
        }
        fprintf(stderr, "baton evidence: cannot read \"%s\"\n", path);
    }
    if (file != NULL && file != stdin) fclose(file);
    free(memory);
    return NULL;
}

static bool is_asked_chain(const struct options *options, const struct evidence_claim *claim) {
    if (options->has_chain_id && options->domain.chain_id != claim->domain.chain_id) return false;
    return !options->has_contract ||
           address_equal(&options->domain.contract, &claim->domain.contract);
}

static int verify(const struct options *options) {
    const struct recoverer recoverer = secp_recoverer();
    struct evidence_file file;
    char error[EVIDENCE_FILE_ERROR];
    size_t size = 0;
    bool is_proven = true;
    uint8_t *text = read_whole(options->file, &size);
    if (text == NULL) return 1;
    const enum err err = evidence_file_parse((struct bytes){text, size}, &file, error);
    free(text);
    if (err != ERR_OK) {
        fprintf(stderr, "baton evidence: \"%s\": %s\n", options->file, error);
        return 1;
    }
    for (size_t i = 0; i < file.claims_count; i++) {
        if (!is_asked_chain(options, &file.claims[i])) {
            puts("not valid: it is about another chain");
            is_proven = false;
        } else {
            is_proven &= evidence_claim_verify(&file.claims[i], &recoverer, stdout);
        }
    }
    evidence_file_free(&file);
    return is_proven ? 0 : 1;
}

static void print_line(const json_t *entry) {
    const char *texts[5];
    static const char *const keys[] = {"height", "round", "kind", "validator", "foundAt"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        texts[i] = json_string_value(json_object_get(entry, keys[i]));
        if (texts[i] == NULL) texts[i] = "0";
    }
    printf("height %llu  round %llu  %-9s  %s  %s\n", strtoull(texts[0], NULL, 16),
           strtoull(texts[1], NULL, 16), texts[2], texts[3],
           json_is_true(json_object_get(entry, "onL1")) ? "punished on L1" : "not on L1");
}

/* ask lists what a node keeps, as lines or as JSON. */
static int ask(const struct options *options, bool is_list) {
    static const char body[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"baton_evidence\",\"params\":[]}";
    struct http_request request = {.body = body, .answer_bytes_max = ANSWER_BYTES};
    struct http *http;
    int code = 1;
    request.answer = malloc(ANSWER_BYTES + 1);
    if (request.answer == NULL || http_create(&http) != ERR_OK) {
        free(request.answer);
        return 1;
    }
    snprintf(request.url, sizeof request.url, "%s", options->rpc);
    http_run(http, &request, 1, ASK_MS);
    json_t *answer = request.status == 200 ? json_loads(request.answer, 0, NULL) : NULL;
    const json_t *result = json_object_get(answer, "result");
    if (!json_is_array(result)) {
        fprintf(stderr, "baton evidence: %s does not answer baton_evidence\n", options->rpc);
    } else {
        code = 0;
        if (is_list && json_array_size(result) == 0) {
            fprintf(stderr, "no double signatures are known to %s\n", options->rpc);
        }
        for (size_t i = 0; i < json_array_size(result) && is_list; i++)
            print_line(json_array_get(result, i));
        if (!is_list) code = json_dumpf(result, stdout, JSON_INDENT(2)) == 0 ? 0 : 1;
        if (!is_list) putchar('\n');
    }
    json_decref(answer);
    http_destroy(http);
    free(request.answer);
    return code;
}

int command_evidence(int argc, char **argv) {
    struct options options;
    const char *what = argc >= 2 ? argv[1] : "";
    if (flags_help_wanted(argc, argv)) {
        fputs(HELP, stdout);
        return 0;
    }
    const bool is_verify = strcmp(what, "verify") == 0, is_list = strcmp(what, "list") == 0;
    if (!is_verify && !is_list && strcmp(what, "show") != 0) {
        fputs("baton evidence: verify, list or show (see --help)\n", stderr);
        return 2;
    }
    if (!read_options(argc, argv, &options)) return 2;
    if (is_verify != (options.file != NULL)) {
        fprintf(stderr, "baton evidence %s: %s (see --help)\n", what,
                is_verify ? "which file?" : "takes no file");
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const int code = is_verify ? verify(&options) : ask(&options, is_list);
    curl_global_cleanup();
    return code;
}
