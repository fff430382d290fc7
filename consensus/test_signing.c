#include "base/rlp.h"
#include "consensus/test_support.h"

static uint8_t file_data[1 << 20];

static struct bytes need(const char **at, const char *key) {
    struct bytes text;
    CHECK(test_value(at, key, &text));
    return text;
}

/* The same file is checked against the contract by contracts/test/Vectors.t.sol. */
static void test_contract_vectors(void) {
    test_read_file("contracts/test/vectors/votes.json", file_data, sizeof file_data);
    const char *at = (const char *)file_data;
    int count = 0;
    struct bytes text;
    while (test_value(&at, "chainId", &text)) {
        const uint64_t chain_id = (uint64_t)test_number(text);
        struct address contract, signer;
        CHECK(hex_to_address(need(&at, "contract"), &contract) == ERR_OK);
        struct vote vote = {.kind = (enum vote_kind)test_number(need(&at, "kind"))};
        vote.height = (uint64_t)test_number(need(&at, "height"));
        vote.round = (uint32_t)test_number(need(&at, "round"));
        vote.valid_round = (int32_t)test_number(need(&at, "validRound"));
        CHECK(hex_to_hash(need(&at, "blockHash"), &vote.block) == ERR_OK);
        struct hash32 digest;
        CHECK(hex_to_hash(need(&at, "digest"), &digest) == ERR_OK);
        struct secp_key key;
        CHECK(hex_decode_fixed(need(&at, "privateKey"), key.secret, sizeof key.secret) == ERR_OK);
        uint8_t wire[SECP_SIGNATURE_BYTES];
        CHECK(hex_decode_fixed(need(&at, "signature"), wire, sizeof wire) == ERR_OK);
        CHECK(hex_to_address(need(&at, "signer"), &signer) == ERR_OK);

        const struct signing_domain domain =
            signing_domain_make("AndeConsensus", chain_id, &contract);
        const struct hash32 ours = vote_digest(&domain, &vote);
        CHECK(hash_equal(&ours, &digest));
        CHECK(secp_signature_read(BYTES_OF(wire), &vote.signature) == ERR_OK);
        const struct recoverer recoverer = secp_recoverer();
        CHECK(vote_recover(&recoverer, &domain, &vote) == ERR_OK);
        CHECK(address_equal(&vote.voter, &signer));

        const struct signer own = secp_signer(&key);
        CHECK(address_equal(&own.address, &signer));
        struct secp_signature signature;
        uint8_t own_wire[SECP_SIGNATURE_BYTES];
        own.sign(own.context, &digest, &signature);
        secp_signature_write(&signature, own_wire);
        CHECK(memcmp(own_wire, wire, sizeof wire) == 0); /* RFC 6979 on both sides */
        count++;
    }
    CHECK(count >= 20);
}

static struct vote example(enum vote_kind kind, uint32_t round, int32_t valid_round) {
    struct vote vote = {.kind = kind,
                        .height = 77,
                        .round = round,
                        .valid_round = valid_round,
                        .block = test_hash(9)};
    const struct address voter = test_address(3);
    test_tag(&voter, &vote.block, &vote.signature);
    return vote;
}

static void test_encoding(void) {
    const struct vote votes[] = {
        example(VOTE_PREVOTE, 0, VALID_ROUND_NONE),
        example(VOTE_PRECOMMIT, 5, VALID_ROUND_NONE),
        example(VOTE_PROPOSAL, 0, VALID_ROUND_NONE),
        example(VOTE_PROPOSAL, 7, 6),
    };
    for (size_t i = 0; i < sizeof votes / sizeof votes[0]; i++) {
        uint8_t data[VOTE_BYTES_MAX];
        struct buffer out = buffer_over(data, sizeof data);
        vote_encode(&votes[i], &out);
        CHECK(!out.overflow);
        struct vote back;
        CHECK(vote_decode(buffer_bytes(&out), &back) == ERR_OK);
        CHECK(back.kind == votes[i].kind);
        CHECK(back.height == votes[i].height);
        CHECK(back.round == votes[i].round);
        CHECK(back.valid_round == votes[i].valid_round);
        CHECK(hash_equal(&back.block, &votes[i].block));
        CHECK(memcmp(back.signature.r, votes[i].signature.r, 32) == 0);
        for (size_t size = 0; size < out.size; size++)
            CHECK(vote_decode((struct bytes){data, size}, &back) != ERR_OK);
    }
}

/* What no correct validator signs is not decoded at all. */
static void test_refusals(void) {
    struct vote bad[] = {
        example(VOTE_PREVOTE, 4, 2),                         /* a vote with a valid round */
        example(VOTE_PROPOSAL, 4, 4),                        /* valid round not before round */
        example((enum vote_kind)3, 4, VALID_ROUND_NONE),     /* an unknown kind */
        example(VOTE_PROPOSAL, 4, VALID_ROUND_NONE),         /* nil proposed, below */
        example(VOTE_PREVOTE, 0x80000000, VALID_ROUND_NONE), /* a round beyond int32 */
    };
    bad[3].block = (struct hash32){{0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t data[VOTE_BYTES_MAX];
        struct buffer out = buffer_over(data, sizeof data);
        vote_encode(&bad[i], &out);
        struct vote back = {.height = 1234};
        CHECK(vote_decode(buffer_bytes(&out), &back) == ERR_ENCODING);
        CHECK(back.height == 1234);
    }
    uint8_t data[VOTE_BYTES_MAX + 1]; /* nor what has something behind it */
    struct buffer out = buffer_over(data, sizeof data);
    const struct vote vote = example(VOTE_PREVOTE, 4, VALID_ROUND_NONE);
    struct vote back;
    vote_encode(&vote, &out);
    CHECK(vote_decode(buffer_bytes(&out), &back) == ERR_OK);
    buffer_append_byte(&out, 0x80);
    CHECK(!out.overflow);
    CHECK(vote_decode(buffer_bytes(&out), &back) == ERR_ENCODING);
}

/* written encodes a prevote as vote_encode does, with numbers that no vote has room for. */
static enum err written(uint64_t kind, uint64_t round, uint64_t valid_round_plus_one) {
    uint8_t data[VOTE_BYTES_MAX + 16], signature[SECP_SIGNATURE_BYTES];
    const struct vote vote = example(VOTE_PREVOTE, 4, VALID_ROUND_NONE);
    struct buffer out = buffer_over(data, sizeof data);
    struct vote back;
    secp_signature_write(&vote.signature, signature);
    const size_t list = rlp_list_begin(&out);
    rlp_write_u64(&out, kind);
    rlp_write_u64(&out, vote.height);
    rlp_write_u64(&out, round);
    rlp_write_u64(&out, valid_round_plus_one);
    rlp_write_hash(&out, &vote.block);
    rlp_write_string(&out, BYTES_OF(signature));
    rlp_list_end(&out, list);
    CHECK(!out.overflow);
    return vote_decode(buffer_bytes(&out), &back);
}

/* A vote has one encoding: none whose numbers become its own when they are cut off. */
static void test_numbers_too_large(void) {
    const uint64_t more = (uint64_t)1 << 32;
    CHECK(written(VOTE_PREVOTE, 4, 0) == ERR_OK);
    CHECK(written(more + VOTE_PREVOTE, 4, 0) == ERR_ENCODING);
    CHECK(written(VOTE_PREVOTE, more + 4, 0) == ERR_ENCODING);
    CHECK(written(VOTE_PREVOTE, 4, more) == ERR_ENCODING);
    CHECK(written(VOTE_PROPOSAL, 4, 0) == ERR_OK);
    CHECK(written(VOTE_PROPOSAL, 4, more) == ERR_ENCODING);
    CHECK(written(0, 4, 0) == ERR_ENCODING);
}

static void test_signature_of_nobody(void) {
    struct vote vote = example(VOTE_PREVOTE, 1, VALID_ROUND_NONE);
    const struct address contract = test_address(1);
    const struct signing_domain domain = signing_domain_make("AndeConsensus", 1, &contract);
    const struct recoverer recoverer = {NULL, test_recover};
    CHECK(vote_recover(&recoverer, &domain, &vote) == ERR_SIGNATURE); /* signed another digest */
    struct vote high_s = vote;
    memset(high_s.signature.s, 0xf0, 32);
    const struct recoverer real = secp_recoverer();
    CHECK(vote_recover(&real, &domain, &high_s) == ERR_SIGNATURE);
}

/* Of the two signatures that anybody can make of one only that with the low s is its owner's. */
static void test_one_signature_for_a_vote(void) {
    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
                                      0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
                                      0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
    const struct secp_key key = {{[31] = 5}};
    const struct address contract = test_address(1);
    const struct signing_domain domain = signing_domain_make("AndeConsensus", 1, &contract);
    struct vote vote = example(VOTE_PREVOTE, 1, VALID_ROUND_NONE);
    const struct hash32 digest = vote_digest(&domain, &vote);
    secp_sign(&key, &digest, &vote.signature);
    const struct recoverer real = secp_recoverer();
    CHECK(vote_recover(&real, &domain, &vote) == ERR_OK);
    int borrow = 0;
    for (size_t i = 32; i-- > 0;) { /* s becomes the order less s */
        const int digit = order[i] - vote.signature.s[i] - borrow;
        borrow = digit < 0;
        vote.signature.s[i] = (uint8_t)(digit & 0xff);
    }
    vote.signature.y_parity ^= 1;
    CHECK(vote_recover(&real, &domain, &vote) == ERR_SIGNATURE);
}

/* Kept digests are the digests: of statements that differ in one field each, in any order. */
static void test_digests_kept(void) {
    struct vote_digests digests = {0};
    const struct address contract = {{7}};
    const struct signing_domain plain = signing_domain_make("AndeConsensus", 5, &contract);
    struct signing_domain keeping = plain;
    keeping.digests = &digests;
    for (uint32_t i = 0; i < 20000; i++) {
        const uint32_t draw = i * 2654435761u;
        struct vote vote = example(draw >> 9 & 1 ? VOTE_PREVOTE : VOTE_PRECOMMIT, draw >> 10 & 3,
                                   (int32_t)(draw >> 12 & 3) - 1);
        vote.height += draw >> 14 & 7;
        vote.block = test_hash((uint8_t)(draw >> 17 & 3));
        vote.block.bytes[31] ^= draw >> 19 & 1; /* beyond what chooses the entry */
        const struct hash32 kept = vote_digest(&keeping, &vote), made = vote_digest(&plain, &vote);
        CHECK(hash_equal(&kept, &made));
    }
}

int main(void) {
    test_contract_vectors();
    test_encoding();
    test_refusals();
    test_numbers_too_large();
    test_signature_of_nobody();
    test_one_signature_for_a_vote();
    test_digests_kept();
    return 0;
}
