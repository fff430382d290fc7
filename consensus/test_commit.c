#include "base/rlp.h"
#include "consensus/test_support.h"

static const struct recoverer recoverer = {NULL, test_recover};

static struct signing_domain domain(void) {
    const struct address contract = test_address(99);
    return signing_domain_make("AndeConsensus", 7, &contract);
}

static struct commit commit_of(const struct validator_set *set, uint64_t voters) {
    struct commit commit = {.height = 12, .round = 3, .block = test_hash(1)};
    const struct vote vote = {.kind = VOTE_PRECOMMIT,
                              .height = commit.height,
                              .round = commit.round,
                              .valid_round = VALID_ROUND_NONE,
                              .block = commit.block};
    const struct signing_domain signing = domain();
    const struct hash32 digest = vote_digest(&signing, &vote);
    for (uint32_t i = 0; i < set->count; i++) {
        if ((voters >> i & 1) == 0) continue;
        struct commit_signature *signature = &commit.signatures[commit.signatures_count++];
        signature->voter_index = i;
        test_tag(&set->validators[i].address, &digest, &signature->signature);
    }
    return commit;
}

static enum err verify(const struct commit *commit, const struct validator_set *set,
                       enum fault_model model) {
    const struct signing_domain signing = domain();
    const struct hash32 block = test_hash(1);
    return commit_verify(commit, 12, &block, set, model, &signing, &recoverer);
}

static void test_verify(void) {
    const struct validator_set set = test_set(4, NULL);
    static const struct {
        uint64_t voters;
        enum err crash, byzantine;
    } table[] = {
        {0x0, ERR_MISMATCH, ERR_MISMATCH},
        {0x1, ERR_MISMATCH, ERR_MISMATCH},
        {0x3, ERR_MISMATCH, ERR_MISMATCH},
        {0x7, ERR_OK, ERR_OK},
        {0xe, ERR_OK, ERR_OK},
        {0xf, ERR_OK, ERR_OK},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct commit commit = commit_of(&set, table[i].voters);
        CHECK(verify(&commit, &set, FAULT_MODEL_CRASH) == table[i].crash);
        CHECK(verify(&commit, &set, FAULT_MODEL_BYZANTINE) == table[i].byzantine);
    }
    const uint64_t powers[] = {5, 1, 1, 1};
    const struct validator_set heavy = test_set(4, powers);
    const struct commit alone = commit_of(&heavy, 0x1);
    CHECK(verify(&alone, &heavy, FAULT_MODEL_CRASH) == ERR_OK);
    CHECK(verify(&alone, &heavy, FAULT_MODEL_BYZANTINE) == ERR_MISMATCH);
}

static void test_verify_refuses(void) {
    const struct validator_set set = test_set(4, NULL);
    struct commit commit = commit_of(&set, 0xf);
    const struct signing_domain signing = domain();
    const struct hash32 other = test_hash(2), nil = test_hash(0), block = test_hash(1);
    CHECK(commit_verify(&commit, 12, &other, &set, FAULT_MODEL_CRASH, &signing, &recoverer) ==
          ERR_MISMATCH);
    CHECK(commit_verify(&commit, 13, &block, &set, FAULT_MODEL_CRASH, &signing, &recoverer) ==
          ERR_MISMATCH);
    commit.block = nil;
    CHECK(commit_verify(&commit, 12, &nil, &set, FAULT_MODEL_CRASH, &signing, &recoverer) ==
          ERR_MISMATCH);

    commit = commit_of(&set, 0xf);
    commit.signatures[2].signature.r[5] ^= 1;
    CHECK(verify(&commit, &set, FAULT_MODEL_CRASH) == ERR_SIGNATURE);
    commit = commit_of(&set, 0x7);
    commit.signatures[2].voter_index = 3; /* somebody else's signature */
    CHECK(verify(&commit, &set, FAULT_MODEL_CRASH) == ERR_SIGNATURE);
    commit = commit_of(&set, 0x7);
    commit.signatures[2].voter_index = 4; /* nobody's */
    CHECK(verify(&commit, &set, FAULT_MODEL_CRASH) == ERR_SIGNATURE);
    commit = commit_of(&set, 0x3);
    commit.signatures[2] = commit.signatures[1]; /* counted twice */
    commit.signatures_count = 3;
    CHECK(verify(&commit, &set, FAULT_MODEL_CRASH) == ERR_MISMATCH);
}

static void test_encoding(void) {
    const struct validator_set set = test_set(60, NULL);
    const struct commit commit = commit_of(&set, UINT64_MAX >> 4);
    static uint8_t data[COMMIT_BYTES_MAX];
    struct buffer out = buffer_over(data, sizeof data);
    commit_encode(&commit, &out);
    CHECK(!out.overflow);
    static struct commit back;
    CHECK(commit_decode(buffer_bytes(&out), &back) == ERR_OK);
    CHECK(back.signatures_count == 60);
    CHECK(verify(&back, &set, FAULT_MODEL_BYZANTINE) == ERR_OK);
    static uint8_t again_data[COMMIT_BYTES_MAX];
    struct buffer again = buffer_over(again_data, sizeof again_data);
    commit_encode(&back, &again);
    CHECK(bytes_equal(buffer_bytes(&out), buffer_bytes(&again)));
    for (size_t size = 0; size < out.size; size += 7)
        CHECK(commit_decode((struct bytes){data, size}, &back) != ERR_OK);

    struct commit unordered = commit;
    unordered.signatures[1].voter_index = unordered.signatures[0].voter_index;
    out = buffer_over(data, sizeof data);
    commit_encode(&unordered, &out);
    CHECK(commit_decode(buffer_bytes(&out), &back) == ERR_ENCODING);
    unordered.signatures[1].voter_index = 1;
    unordered.signatures[59].voter_index = VALIDATORS_MAX;
    out = buffer_over(data, sizeof data);
    commit_encode(&unordered, &out);
    CHECK(commit_decode(buffer_bytes(&out), &back) == ERR_ENCODING);
}

/* One commit has one encoding: fields that nobody reads are no part of it. */
static void test_further_fields(void) {
    static const uint8_t signature[SECP_SIGNATURE_BYTES] = {[63] = 1};
    static struct commit back;
    for (int at = 0; at < 4; at++) {
        uint8_t data[256];
        struct buffer out = buffer_over(data, sizeof data);
        const struct hash32 block = test_hash(1);
        const size_t list = rlp_list_begin(&out);
        rlp_write_u64(&out, 12);
        rlp_write_u64(&out, 0);
        rlp_write_hash(&out, &block);
        const size_t signatures = rlp_list_begin(&out);
        const size_t entry = rlp_list_begin(&out);
        rlp_write_u64(&out, 0);
        rlp_write_string(&out, BYTES_OF(signature));
        if (at == 1) rlp_write_u64(&out, 7);
        rlp_list_end(&out, entry);
        rlp_list_end(&out, signatures);
        if (at == 2) rlp_write_u64(&out, 7);
        rlp_list_end(&out, list);
        if (at == 3) rlp_write_u64(&out, 7);
        CHECK(!out.overflow);
        CHECK(commit_decode(buffer_bytes(&out), &back) == (at == 0 ? ERR_OK : ERR_ENCODING));
    }
}

/* Any two quorums share a correct voter: more than the faulty power that the model tolerates. */
static void test_quorums_intersect(void) {
    for (uint64_t total = 1; total < 2000; total++) {
        CHECK(2 * quorum_power(FAULT_MODEL_CRASH, total) > total);
        const uint64_t quorum = quorum_power(FAULT_MODEL_BYZANTINE, total);
        const uint64_t faulty = (total - 1) / 3;
        CHECK(2 * quorum - total > faulty);
        CHECK(total - faulty >= quorum); /* the correct ones alone can decide */
        CHECK(skip_power(FAULT_MODEL_BYZANTINE, total) > faulty);
        CHECK(skip_power(FAULT_MODEL_BYZANTINE, total) <= quorum);
    }
    CHECK(quorum_power(FAULT_MODEL_BYZANTINE, VALIDATOR_POWER_SUM_MAX) >
          VALIDATOR_POWER_SUM_MAX / 3 * 2);
}

int main(void) {
    test_verify();
    test_verify_refuses();
    test_encoding();
    test_further_fields();
    test_quorums_intersect();
    return 0;
}
