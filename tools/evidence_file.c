#include "tools/evidence_file.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

/* The file being read. */
struct reader {
    struct evidence_file *file;
    char *error;
};

static enum err bad(const struct reader *reader, const char *field) {
    snprintf(reader->error, EVIDENCE_FILE_ERROR, "%s is missing or not what it must be", field);
    return ERR_ENCODING;
}

/* number reads a JSON number or a hexadecimal or decimal text. */
static bool number(const json_t *value, uint64_t max, uint64_t *out) {
    if (json_is_integer(value)) {
        if (json_integer_value(value) < 0) return false;
        *out = (uint64_t)json_integer_value(value);
        return *out <= max;
    }
    const char *text = json_string_value(value);
    if (text == NULL || text[0] < '0' || text[0] > '9' || strlen(text) > 24) return false;
    const bool is_hex = text[0] == '0' && text[1] == 'x';
    char *end;
    errno = 0;
    *out = strtoull(is_hex ? text + 2 : text, &end, is_hex ? 16 : 10);
    return errno == 0 && *end == '\0' && end != text + (is_hex ? 2 : 0) && *out <= max;
}

static bool fixed(const json_t *value, uint8_t *out, size_t size) {
    struct buffer buffer = buffer_over(out, size);
    const char *text = json_string_value(value);
    if (text == NULL || json_string_length(value) != strlen(text)) return false;
    return hex_decode(bytes_from_string(text), false, &buffer) == ERR_OK && buffer.size == size &&
           !buffer.overflow;
}

static bool signature(const json_t *value, struct secp_signature *out) {
    uint8_t wire[SECP_SIGNATURE_BYTES];
    if (!fixed(value, wire, sizeof wire)) return false;
    return secp_signature_read(BYTES_OF(wire), out) == ERR_OK;
}

static enum err read_vote(const struct reader *reader, const json_t *in, struct vote *out) {
    const json_t *valid_round = json_object_get(in, "validRound");
    uint64_t value;
    out->valid_round = VALID_ROUND_NONE;
    if (json_is_integer(valid_round) && json_integer_value(valid_round) != VALID_ROUND_NONE) {
        if (!number(valid_round, INT32_MAX, &value)) return bad(reader, "votes[].validRound");
        out->valid_round = (int32_t)value;
    } else if (!json_is_integer(valid_round)) {
        return bad(reader, "votes[].validRound");
    }
    if (!fixed(json_object_get(in, "blockHash"), out->block.bytes, sizeof out->block.bytes)) {
        return bad(reader, "votes[].blockHash");
    }
    if (!signature(json_object_get(in, "signature"), &out->signature)) {
        return bad(reader, "votes[].signature");
    }
    return ERR_OK;
}

static enum err read_double(const struct reader *reader, const json_t *in,
                            struct evidence_claim *out) {
    const json_t *votes = json_object_get(in, "votes");
    const char *kind = json_string_value(json_object_get(in, "kind"));
    struct vote common = {.valid_round = VALID_ROUND_NONE};
    uint64_t round;
    if (!fixed(json_object_get(in, "validator"), out->validator.bytes, sizeof out->validator)) {
        return bad(reader, "validator");
    }
    if (!number(json_object_get(in, "height"), UINT64_MAX, &common.height)) {
        return bad(reader, "height");
    }
    if (!number(json_object_get(in, "round"), UINT32_MAX, &round)) return bad(reader, "round");
    common.round = (uint32_t)round;
    common.kind = kind != NULL ? evidence_kind(kind) : 0;
    if (common.kind == 0) return bad(reader, "kind");
    if (json_array_size(votes) != 2) return bad(reader, "votes");
    for (size_t i = 0; i < 2; i++) {
        out->evidence.votes[i] = common;
        TRY(read_vote(reader, json_array_get(votes, i), &out->evidence.votes[i]));
    }
    return ERR_OK;
}

static enum err read_commit(const struct reader *reader, const json_t *in, struct commit *out) {
    const json_t *signatures = json_object_get(in, "signatures");
    const size_t count = json_array_size(signatures);
    uint64_t round;
    if (!number(json_object_get(in, "height"), UINT64_MAX, &out->height)) {
        return bad(reader, "commits[].height");
    }
    if (!number(json_object_get(in, "round"), UINT32_MAX, &round)) {
        return bad(reader, "commits[].round");
    }
    out->round = (uint32_t)round;
    if (!fixed(json_object_get(in, "blockHash"), out->block.bytes, sizeof out->block.bytes)) {
        return bad(reader, "commits[].blockHash");
    }
    if (count == 0 || count > VALIDATORS_MAX) return bad(reader, "commits[].signatures");
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(signatures, i);
        uint64_t index;
        if (!number(json_object_get(entry, "validatorIndex"), VALIDATORS_MAX - 1, &index)) {
            return bad(reader, "commits[].signatures[].validatorIndex");
        }
        out->signatures[i].voter_index = (uint32_t)index;
        if (!signature(json_object_get(entry, "signature"), &out->signatures[i].signature)) {
            return bad(reader, "commits[].signatures[].signature");
        }
    }
    out->signatures_count = (uint32_t)count;
    return ERR_OK;
}

static enum err read_claim(const struct reader *reader, const json_t *in, struct commit *commits,
                           struct evidence_claim *out) {
    const json_t *list = json_object_get(in, "commits");
    struct evidence_domain *domain = &out->domain;
    if (!json_is_object(in)) return bad(reader, "an object");
    if (!number(json_object_get(in, "chainId"), UINT64_MAX, &domain->chain_id)) {
        return bad(reader, "chainId");
    }
    if (!fixed(json_object_get(in, "contract"), domain->contract.bytes, sizeof domain->contract)) {
        return bad(reader, "contract");
    }
    out->is_commits = list != NULL;
    if (!out->is_commits) return read_double(reader, in, out);
    if (json_array_size(list) != 2) return bad(reader, "commits");
    TRY(read_commit(reader, json_array_get(list, 0), &commits[0]));
    TRY(read_commit(reader, json_array_get(list, 1), &commits[1]));
    out->commits = commits;
    return ERR_OK;
}

/* read_all reads one object or a list of them. */
static enum err read_all(const struct reader *reader, const json_t *root) {
    const bool is_list = json_is_array(root);
    const size_t count = is_list ? json_array_size(root) : 1;
    size_t pairs = 0, pair = 0;
    if (count == 0) {
        snprintf(reader->error, EVIDENCE_FILE_ERROR, "there is no claim in it");
        return ERR_ENCODING;
    }
    if (count > EVIDENCE_FILE_CLAIMS_MAX) {
        snprintf(reader->error, EVIDENCE_FILE_ERROR, "more than %d claims",
                 EVIDENCE_FILE_CLAIMS_MAX);
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < count; i++)
        pairs += json_object_get(is_list ? json_array_get(root, i) : root, "commits") != NULL;
    struct evidence_file *file = reader->file;
    file->claims = calloc(count, sizeof *file->claims);
    file->commits = calloc(2 * pairs + 1, sizeof *file->commits);
    if (file->claims == NULL || file->commits == NULL) return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const json_t *claim = is_list ? json_array_get(root, i) : root;
        TRY(read_claim(reader, claim, &file->commits[2 * pair], &file->claims[i]));
        pair += file->claims[i].is_commits;
    }
    file->claims_count = count;
    return ERR_OK;
}

enum err evidence_file_parse(struct bytes text, struct evidence_file *out,
                             char error[EVIDENCE_FILE_ERROR]) {
    json_error_t at;
    struct evidence_file file = {.claims_count = 0};
    const struct reader reader = {&file, error};
    if (text.size > EVIDENCE_FILE_BYTES_MAX) {
        snprintf(error, EVIDENCE_FILE_ERROR, "longer than %zu bytes", EVIDENCE_FILE_BYTES_MAX);
        return ERR_LIMIT;
    }
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &at);
    if (root == NULL) {
        snprintf(error, EVIDENCE_FILE_ERROR, "line %d: %.120s", at.line, at.text);
        return ERR_ENCODING;
    }
    snprintf(error, EVIDENCE_FILE_ERROR, "out of memory");
    const json_t *result = json_object_get(root, "result");
    const enum err err = read_all(&reader, result != NULL ? result : root);
    json_decref(root);
    if (err != ERR_OK) {
        evidence_file_free(&file);
        return err;
    }
    *out = file;
    return ERR_OK;
}

void evidence_file_free(struct evidence_file *file) {
    free(file->claims);
    free(file->commits);
    *file = (struct evidence_file){.claims_count = 0};
}

/* --- what two commits show */

/* signers_of recovers who signed a commit, each once. */
static bool signers_of(const struct commit *commit, const struct signing_domain *domain,
                       const struct recoverer *recoverer, struct address out[VALIDATORS_MAX],
                       uint32_t *count) {
    *count = 0;
    for (uint32_t i = 0; i < commit->signatures_count; i++) {
        struct vote vote = {.kind = VOTE_PRECOMMIT,
                            .height = commit->height,
                            .round = commit->round,
                            .valid_round = VALID_ROUND_NONE,
                            .block = commit->block,
                            .signature = commit->signatures[i].signature};
        bool is_known = false;
        if (vote_recover(recoverer, domain, &vote) != ERR_OK) return false;
        for (uint32_t j = 0; j < *count; j++)
            is_known |= address_equal(&out[j], &vote.voter);
        if (!is_known) out[(*count)++] = vote.voter;
    }
    return true;
}

bool evidence_fork_check(const struct commit commits[2], const struct signing_domain *domain,
                         const struct recoverer *recoverer, struct evidence_fork *out,
                         char error[EVIDENCE_FILE_ERROR]) {
    struct address signers[2][VALIDATORS_MAX];
    const struct hash32 *first = &commits[0].block, *second = &commits[1].block;
    *out = (struct evidence_fork){.guilty_count = 0};
    if (commits[0].height != commits[1].height) {
        snprintf(error, EVIDENCE_FILE_ERROR, "the commits are of different heights");
        return false;
    }
    if (hash_equal(first, second) || hash_is_zero(first) || hash_is_zero(second)) {
        snprintf(error, EVIDENCE_FILE_ERROR, "the commits are not for two different blocks");
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        if (signers_of(&commits[i], domain, recoverer, signers[i], &out->signers_count[i])) {
            continue;
        }
        snprintf(error, EVIDENCE_FILE_ERROR, "a commit has a signature that is nobody's");
        return false;
    }
    for (uint32_t i = 0; i < out->signers_count[0]; i++) {
        for (uint32_t j = 0; j < out->signers_count[1]; j++) {
            if (!address_equal(&signers[0][i], &signers[1][j])) continue;
            out->both[out->both_count++] = signers[0][i];
        }
    }
    if (commits[0].round == commits[1].round) out->guilty_count = out->both_count;
    return true;
}

static bool verify_fork(const struct evidence_claim *claim, const struct signing_domain *domain,
                        const struct recoverer *recoverer, FILE *out) {
    static struct evidence_fork fork;
    char error[EVIDENCE_FILE_ERROR], address[43];
    const struct commit *commits = claim->commits;
    if (!evidence_fork_check(commits, domain, recoverer, &fork, error)) {
        fprintf(out, "not valid: %s\n", error);
        return false;
    }
    fprintf(out,
            "two commits of different blocks at height %" PRIu64 ": %u signers in round %" PRIu32
            ", %u in round %" PRIu32 ", %u of them in both\n",
            commits[0].height, fork.signers_count[0], commits[0].round, fork.signers_count[1],
            commits[1].round, fork.both_count);
    for (uint32_t i = 0; i < fork.both_count; i++) {
        fprintf(out, "  %s %s\n", hex_checksum_address(&fork.both[i], address),
                fork.guilty_count > 0 ? "is guilty: it signed both in one round"
                                      : "signed both, in different rounds");
    }
    if (fork.guilty_count > 0) return true;
    fputs(fork.both_count > 0
              ? "not proven: in different rounds a vote may change after a polka; who voted for "
                "the other block against its lock is in that round's prevotes\n"
              : "not proven: nobody signed both\n",
          out);
    return false;
}

bool evidence_claim_verify(const struct evidence_claim *claim, const struct recoverer *recoverer,
                           FILE *out) {
    const struct signing_domain domain = evidence_signing_domain(&claim->domain);
    struct evidence evidence = claim->evidence;
    char address[43];
    fprintf(out, "chain %" PRIu64 ", contract %s: ", claim->domain.chain_id,
            hex_checksum_address(&claim->domain.contract, address));
    if (claim->is_commits) return verify_fork(claim, &domain, recoverer, out);
    enum evidence_fault fault = evidence_check(&evidence, &domain, recoverer);
    if (fault == EVIDENCE_PROVES && !address_equal(&evidence.votes[0].voter, &claim->validator)) {
        fault = EVIDENCE_SIGNERS;
    }
    if (fault != EVIDENCE_PROVES) {
        fprintf(out, "not valid: the claim %s\n", evidence_fault_text(fault));
        return false;
    }
    fprintf(out, "%s is guilty: two %ss at height %" PRIu64 ", round %" PRIu32 "\n",
            hex_checksum_address(&claim->validator, address),
            vote_kind_name(evidence.votes[0].kind), evidence.votes[0].height,
            evidence.votes[0].round);
    return true;
}
