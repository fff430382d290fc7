/* Evidence: what proves and what does not, records, files, and two conflicting commits.
 *
 * The votes are those of contracts/test/vectors/votes.json, which the contract's tests check too:
 * their signatures are not ours. */
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/keccak.h"
#include "tools/evidence_file.h"

#define VECTORS "contracts/test/vectors/votes.json"

static const struct recoverer *recoverer(void) {
    static struct recoverer real;
    real = secp_recoverer();
    return &real;
}

static struct evidence_domain domain = {31337, {{0x5f, 0xbd, 0xb2}}};

static struct secp_key key_of(uint8_t number) {
    return (struct secp_key){{[31] = number}};
}

/* signed_by makes a vote of the test's own domain. */
static struct vote signed_by(uint8_t number, enum vote_kind kind, uint32_t round, uint8_t block) {
    const struct secp_key key = key_of(number);
    const struct signing_domain signing = evidence_signing_domain(&domain);
    struct vote vote = {
        .kind = kind, .height = 9, .round = round, .valid_round = -1, .block = {{block}}};
    const struct hash32 digest = vote_digest(&signing, &vote);
    secp_sign(&key, &digest, &vote.signature);
    vote.voter = secp_key_address(&key);
    return vote;
}

static enum evidence_fault check(struct vote a, struct vote b) {
    struct evidence evidence = {.votes = {a, b}};
    const struct signing_domain signing = evidence_signing_domain(&domain);
    return evidence_check(&evidence, &signing, recoverer());
}

static void test_check(void) {
    const struct vote a = signed_by(7, VOTE_PREVOTE, 2, 0xaa);
    const struct vote b = signed_by(7, VOTE_PREVOTE, 2, 0xbb);
    struct vote broken = b;
    CHECK(check(a, b) == EVIDENCE_PROVES);
    CHECK(check(a, signed_by(7, VOTE_PREVOTE, 2, 0)) == EVIDENCE_PROVES); /* nil is a vote, too */
    CHECK(check(a, a) == EVIDENCE_SAME_BLOCK);
    CHECK(check(a, signed_by(8, VOTE_PREVOTE, 2, 0xbb)) == EVIDENCE_SIGNERS);
    CHECK(check(a, signed_by(7, VOTE_PREVOTE, 3, 0xbb)) == EVIDENCE_DIFFERENT);
    CHECK(check(a, signed_by(7, VOTE_PRECOMMIT, 2, 0xbb)) == EVIDENCE_DIFFERENT);
    broken.height = 10;
    CHECK(check(a, broken) == EVIDENCE_DIFFERENT);
    broken = b;
    memset(broken.signature.r, 0, sizeof broken.signature.r);
    CHECK(check(a, broken) == EVIDENCE_SIGNATURE);
    broken = b;
    broken.block.bytes[5] ^= 1; /* what was not signed */
    CHECK(check(a, broken) == EVIDENCE_SIGNERS || check(a, broken) == EVIDENCE_SIGNATURE);
    broken.kind = 3;
    CHECK(check(broken, broken) == EVIDENCE_KIND);
}

static void test_record(void) {
    const struct evidence evidence = {
        .votes = {signed_by(7, VOTE_PROPOSAL, 2, 1), signed_by(7, VOTE_PROPOSAL, 2, 2)},
        .found_ms = 1234567890123,
        .is_on_l1 = true};
    uint8_t memory[EVIDENCE_RECORD_BYTES], name[EVIDENCE_NAME_BYTES];
    struct buffer out = buffer_over(memory, sizeof memory);
    struct evidence back;
    evidence_encode(&evidence, &out);
    CHECK(!out.overflow);
    CHECK(evidence_decode(buffer_bytes(&out), &back) == ERR_OK);
    CHECK(back.found_ms == evidence.found_ms && back.is_on_l1);
    CHECK(address_equal(&back.votes[1].voter, &evidence.votes[1].voter));
    CHECK(hash_equal(&back.votes[1].block, &evidence.votes[1].block));
    CHECK(check(back.votes[0], back.votes[1]) == EVIDENCE_PROVES);
    for (size_t size = 0; size < out.size; size++)
        CHECK(evidence_decode((struct bytes){memory, size}, &back) != ERR_OK);
    CHECK(evidence_name(&evidence.votes[0], name).size <= STORE_NAME_BYTES_MAX);
}

struct seen {
    uint32_t count;
    uint64_t heights[8];
};

static bool see(void *context, const struct evidence *evidence) {
    struct seen *seen = context;
    seen->heights[seen->count++] = evidence->votes[0].height;
    return seen->count < 3;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *at) {
    (void)about, (void)kind, (void)at;
    return remove(path);
}

static void put(struct store *store, const char *name, struct bytes value) {
    const struct store_record record = {bytes_from_string(name), value};
    CHECK(store_put_records(store, &record, 1) == ERR_OK);
}

/* In the store evidence stands among records of other kinds, long ones, too. */
static void test_visit(void) {
    static const uint64_t heights[] = {300, 2, 70000};
    static uint8_t big[20000] = {1};
    char directory[] = "/tmp/test-evidence-XXXXXX", error[STORE_ERROR_BYTES];
    struct store_view *view;
    struct store *store;
    struct seen seen = {.count = 0};
    CHECK(mkdtemp(directory) != NULL);
    const struct store_config config = {
        .directory = directory, .map_bytes_max = 64u << 20, .views_max = 4};
    CHECK(store_open(&config, &store, error) == ERR_OK);
    put(store, "events", BYTES_OF(big));
    put(store, "validators/0", BYTES_OF(big));
    CHECK(store_view_open(store, &view) == ERR_OK);
    CHECK(evidence_visit(view, &seen, see) == ERR_OK && seen.count == 0);
    store_view_close(view);
    for (size_t i = 0; i < 3; i++) {
        struct evidence evidence = {
            .votes = {signed_by(7, VOTE_PREVOTE, 2, 1), signed_by(7, VOTE_PREVOTE, 2, 2)}};
        uint8_t memory[EVIDENCE_RECORD_BYTES], name[EVIDENCE_NAME_BYTES];
        struct buffer out = buffer_over(memory, sizeof memory);
        evidence.votes[0].height = evidence.votes[1].height = heights[i];
        evidence_encode(&evidence, &out);
        const struct store_record record = {evidence_name(&evidence.votes[0], name),
                                            buffer_bytes(&out)};
        CHECK(store_put_records(store, &record, 1) == ERR_OK);
    }
    CHECK(store_view_open(store, &view) == ERR_OK);
    CHECK(evidence_visit(view, &seen, see) == ERR_OK && seen.count == 3);
    store_view_close(view);
    CHECK(seen.heights[0] == 2 && seen.heights[1] == 300 && seen.heights[2] == 70000);
    store_close(store);
    CHECK(nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

/* keccak256(abi.encode(address(0x7e57...), uint8(2), uint64(7), uint32(2))), put together by hand.
 */
static void test_offence(void) {
    const struct evidence evidence = {
        .votes = {{.kind = VOTE_PRECOMMIT, .height = 7, .round = 2, .voter = {{0x7e, 0x57}}}}};
    uint8_t words[128] = {[12] = 0x7e, [13] = 0x57, [63] = 2, [95] = 7, [127] = 2};
    const struct l1_offence offence = evidence_offence(&evidence);
    const struct hash32 id = l1_offence_id(&offence), expected = keccak256(BYTES_OF(words));
    CHECK(hash_equal(&id, &expected));
}

static char text[1 << 16];

/* verify parses `text` and verifies its first claim. */
static bool verify(const char *json) {
    static FILE *nowhere;
    struct evidence_file file;
    char error[EVIDENCE_FILE_ERROR];
    if (nowhere == NULL) nowhere = fopen("/dev/null", "we");
    CHECK(nowhere != NULL);
    if (evidence_file_parse(bytes_from_string(json), &file, error) != ERR_OK) return false;
    const bool is_proven = evidence_claim_verify(&file.claims[0], recoverer(), nowhere);
    evidence_file_free(&file);
    return is_proven;
}

static const char *written(const struct evidence *evidence, const char *before, const char *after) {
    struct buffer out = buffer_over((uint8_t *)text, sizeof text - 1);
    struct json_writer json = json_over(&out);
    buffer_append(&out, bytes_from_string(before));
    evidence_write(evidence, &domain, &json);
    buffer_append(&out, bytes_from_string(after));
    CHECK(!out.overflow);
    text[out.size] = '\0';
    return text;
}

static void test_file_of_a_node(void) {
    struct evidence evidence = {
        .votes = {signed_by(7, VOTE_PRECOMMIT, 2, 1), signed_by(7, VOTE_PRECOMMIT, 2, 2)}};
    CHECK(verify(written(&evidence, "", "")));
    CHECK(verify(written(&evidence, "[", "]")));
    CHECK(verify(written(&evidence, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[", "]}")));
    evidence.votes[0].voter.bytes[0] ^= 1; /* it blames somebody else */
    CHECK(!verify(written(&evidence, "", "")));
    CHECK(!verify("[]") && !verify("{}") && !verify("") && !verify("{\"result\":3}"));
}

/* Of the vectors: one vote as it is, the other signed here with its key. */
static void test_vectors(void) {
    json_t *root = json_load_file(VECTORS, 0, NULL);
    const json_t *votes = json_object_get(root, "votes");
    size_t index, checked = 0;
    json_t *vector;
    CHECK(json_array_size(votes) > 0);
    json_array_foreach(votes, index, vector) {
        struct evidence evidence = {0};
        struct vote *a = &evidence.votes[0], *b = &evidence.votes[1];
        struct evidence_domain of;
        struct secp_key key;
        struct hash32 secret, expected;
        struct address signer;
        uint8_t wire[65];
        struct buffer out = buffer_over(wire, sizeof wire);
#define FIELD(name) bytes_from_string(json_string_value(json_object_get(vector, name)))
        of.chain_id = strtoull(json_string_value(json_object_get(vector, "chainId")), NULL, 10);
        CHECK(hex_to_address(FIELD("contract"), &of.contract) == ERR_OK);
        a->kind = (enum vote_kind)json_integer_value(json_object_get(vector, "kind"));
        a->height = strtoull(json_string_value(json_object_get(vector, "height")), NULL, 10);
        a->round = (uint32_t)json_integer_value(json_object_get(vector, "round"));
        a->valid_round = (int32_t)json_integer_value(json_object_get(vector, "validRound"));
        CHECK(hex_to_hash(FIELD("blockHash"), &a->block) == ERR_OK);
        CHECK(hex_decode(FIELD("signature"), false, &out) == ERR_OK);
        CHECK(secp_signature_read(BYTES_OF(wire), &a->signature) == ERR_OK);
        CHECK(hex_to_hash(FIELD("privateKey"), &secret) == ERR_OK);
        CHECK(hex_to_address(FIELD("signer"), &signer) == ERR_OK);
        CHECK(hex_to_hash(FIELD("digest"), &expected) == ERR_OK);
#undef FIELD
        const struct signing_domain signing = evidence_signing_domain(&of);
        const struct hash32 digest = vote_digest(&signing, a);
        CHECK(hash_equal(&digest, &expected));
        memcpy(key.secret, secret.bytes, 32);
        *b = *a;
        b->block.bytes[31] ^= 1;
        const struct hash32 other = vote_digest(&signing, b);
        secp_sign(&key, &other, &b->signature);
        CHECK(evidence_check(&evidence, &signing, recoverer()) == EVIDENCE_PROVES);
        CHECK(address_equal(&a->voter, &signer));
        checked += 1;
    }
    json_decref(root);
    CHECK(checked == 28);
}

/* commit_of is a commit for `block` in `round` by the keys listed. */
static struct commit commit_of(uint32_t round, uint8_t block, const char *keys) {
    struct commit commit = {.height = 9, .round = round, .block = {{block}}};
    for (; *keys != '\0'; keys++) {
        const struct vote vote = signed_by((uint8_t)*keys, VOTE_PRECOMMIT, round, block);
        commit.signatures[commit.signatures_count] =
            (struct commit_signature){commit.signatures_count, vote.signature};
        commit.signatures_count += 1;
    }
    return commit;
}

static void test_forks(void) {
    static const struct {
        uint32_t rounds[2];
        uint8_t blocks[2];
        const char *keys[2];
        bool is_fork;
        uint32_t both, guilty;
    } cases[] = {
        {{0, 0}, {1, 2}, {"abc", "cde"}, true, 1, 1},
        {{0, 0}, {1, 2}, {"abc", "bcd"}, true, 2, 2},
        {{0, 1}, {1, 2}, {"abc", "bcd"}, true, 2, 0}, /* a polka may have moved their locks */
        {{0, 0}, {1, 2}, {"ab", "cd"}, true, 0, 0},
        {{0, 0}, {1, 2}, {"aaa", "aab"}, true, 1, 1}, /* repeating oneself is not twice guilty */
        {{0, 0}, {1, 1}, {"abc", "abc"}, false, 0, 0},
        {{0, 0}, {1, 0}, {"abc", "abc"}, false, 0, 0}, /* nil is committed by nobody */
    };
    const struct signing_domain signing = evidence_signing_domain(&domain);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct commit commits[2];
        static struct evidence_fork fork;
        char error[EVIDENCE_FILE_ERROR];
        for (size_t j = 0; j < 2; j++)
            commits[j] = commit_of(cases[i].rounds[j], cases[i].blocks[j], cases[i].keys[j]);
        CHECK(evidence_fork_check(commits, &signing, recoverer(), &fork, error) ==
              cases[i].is_fork);
        CHECK(fork.both_count == cases[i].both && fork.guilty_count == cases[i].guilty);
        commits[1].height = 10;
        CHECK(!evidence_fork_check(commits, &signing, recoverer(), &fork, error));
    }
}

/* The same as a file, as baton_getCommit writes commits. */
static void test_file_of_commits(void) {
    static const char *const keys[2] = {"abc", "cde"};
    char hex[160];
    struct buffer out = buffer_over((uint8_t *)text, sizeof text - 1);
    struct json_writer json = json_over(&out);
    json_object_begin(&json);
    json_key(&json, "chainId");
    json_number_u64(&json, domain.chain_id);
    json_key(&json, "contract");
    json_address(&json, &domain.contract);
    json_key(&json, "commits");
    json_array_begin(&json);
    for (uint8_t i = 0; i < 2; i++) {
        const struct commit commit = commit_of(4, (uint8_t)(i + 1), keys[i]);
        json_object_begin(&json);
        json_key(&json, "height");
        json_quantity(&json, commit.height);
        json_key(&json, "round");
        json_quantity(&json, commit.round);
        json_key(&json, "blockHash");
        json_hash(&json, &commit.block);
        json_key(&json, "signatures");
        json_array_begin(&json);
        for (uint32_t j = 0; j < commit.signatures_count; j++) {
            uint8_t wire[65];
            secp_signature_write(&commit.signatures[j].signature, wire);
            json_object_begin(&json);
            json_key(&json, "validatorIndex");
            json_quantity(&json, j);
            json_key(&json, "signature");
            json_write_string(&json, hex_string(BYTES_OF(wire), hex));
            json_object_end(&json);
        }
        json_array_end(&json);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    CHECK(!out.overflow);
    text[out.size] = '\0';
    CHECK(verify(text));
    char *signature = strstr(text, "signature\":\"0x");
    signature[20] = signature[20] == 'a' ? 'b' : 'a'; /* another signer, or nobody: not the same */
    struct evidence_file file;
    char error[EVIDENCE_FILE_ERROR];
    CHECK(evidence_file_parse(bytes_from_string(text), &file, error) == ERR_OK);
    CHECK(file.claims_count == 1 && file.claims[0].is_commits);
    evidence_file_free(&file);
    strstr(text, "0x4")[2] = 'z';
    CHECK(evidence_file_parse(bytes_from_string(text), &file, error) == ERR_ENCODING);
    CHECK(strcmp(error, "commits[].round is missing or not what it must be") == 0);
}

int main(void) {
    test_check();
    test_record();
    test_visit();
    test_offence();
    test_file_of_a_node();
    test_vectors();
    test_forks();
    test_file_of_commits();
    puts("evidence: ok");
    return 0;
}
