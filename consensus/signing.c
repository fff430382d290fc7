#include "consensus/signing.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/typed_data.h"

struct signing_domain signing_domain_make(const char *name, uint64_t chain_id,
                                          const struct address *contract) {
    return (struct signing_domain){.separator = typed_domain(name, chain_id, contract)};
}

const char *vote_kind_name(enum vote_kind kind) {
    switch (kind) {
    case VOTE_PREVOTE: return "prevote";
    case VOTE_PRECOMMIT: return "precommit";
    case VOTE_PROPOSAL: return "proposal";
    }
    return "unknown";
}

/* keccak256("Vote(uint8 kind,uint64 height,uint32 round,int32 validRound,bytes32 blockHash)"),
 * which test_signing.c computes again: a digest is made for every vote that comes in. */
static const struct hash32 VOTE_TYPE = {{0x74, 0xaa, 0xc1, 0xee, 0x32, 0xad, 0x32, 0x7f,
                                         0x44, 0x0f, 0xab, 0x09, 0xb5, 0xb5, 0xd3, 0x0c,
                                         0xcf, 0x7b, 0xf8, 0xa4, 0x06, 0xce, 0x0e, 0x05,
                                         0xb5, 0xef, 0xfd, 0xcf, 0x56, 0x35, 0x68, 0xe1}};

static struct hash32 compute_digest(const struct signing_domain *domain, const struct vote *vote) {
    uint8_t words[6 * ABI_WORD_BYTES];
    struct buffer out = buffer_over(words, sizeof words);
    abi_word_hash(&out, &VOTE_TYPE);
    abi_word_u64(&out, (uint64_t)vote->kind);
    abi_word_u64(&out, vote->height);
    abi_word_u64(&out, vote->round);
    abi_word_i32(&out, vote->valid_round);
    abi_word_hash(&out, &vote->block);
    CHECK(!out.overflow);
    return typed_digest(&domain->separator, buffer_bytes(&out));
}

struct hash32 vote_digest(const struct signing_domain *domain, const struct vote *vote) {
    if (domain->digests == NULL) return compute_digest(domain, vote);
    const uint64_t mixed = (be_read(vote->block.bytes, 8) ^ vote->height << 20 ^
                            (uint64_t)vote->round << 8 ^ (uint64_t)vote->kind) *
                           0x9e3779b97f4a7c15u;
    struct vote_digest_entry *entry =
        &domain->digests->entries[mixed >> 32 & (VOTE_DIGESTS_MAX - 1)];
    if (entry->kind == (uint32_t)vote->kind && entry->height == vote->height &&
        entry->round == vote->round && entry->valid_round == vote->valid_round &&
        hash_equal(&entry->block, &vote->block)) {
        return entry->digest;
    }
    *entry = (struct vote_digest_entry){.height = vote->height,
                                        .round = vote->round,
                                        .kind = (uint32_t)vote->kind,
                                        .valid_round = vote->valid_round,
                                        .block = vote->block,
                                        .digest = compute_digest(domain, vote)};
    return entry->digest;
}

static void sign_with_key(void *context, const struct hash32 *digest, struct secp_signature *out) {
    secp_sign(context, digest, out);
}

struct signer secp_signer(const struct secp_key *key) {
    /* The context is a void pointer for signers that have state; this one only reads. */
    union {
        const struct secp_key *key;
        void *context;
    } pointer = {.key = key};
    return (struct signer){pointer.context, secp_key_address(key), sign_with_key};
}

static enum err recover_low_s(void *context, const struct hash32 *digest,
                              const struct secp_signature *signature, struct address *out) {
    (void)context;
    if (!secp_is_low_s(signature)) return ERR_SIGNATURE;
    return secp_recover(digest, signature, out);
}

struct recoverer secp_recoverer(void) {
    return (struct recoverer){NULL, recover_low_s};
}

void vote_encode(const struct vote *vote, struct buffer *out) {
    uint8_t signature[SECP_SIGNATURE_BYTES];
    secp_signature_write(&vote->signature, signature);
    const size_t list = rlp_list_begin(out);
    rlp_write_u64(out, (uint64_t)vote->kind);
    rlp_write_u64(out, vote->height);
    rlp_write_u64(out, vote->round);
    rlp_write_u64(out, (uint64_t)((int64_t)vote->valid_round + 1));
    rlp_write_hash(out, &vote->block);
    rlp_write_string(out, BYTES_OF(signature));
    rlp_list_end(out, list);
}

/* vote_is_well_formed: votes carry no valid round; a proposal names a block, and its valid round is
 * before its round. */
static bool vote_is_well_formed(const struct vote *vote) {
    if (vote->kind == VOTE_PREVOTE || vote->kind == VOTE_PRECOMMIT) {
        return vote->valid_round == VALID_ROUND_NONE;
    }
    if (vote->kind != VOTE_PROPOSAL || hash_is_zero(&vote->block)) return false;
    return vote->valid_round < (int64_t)vote->round;
}

enum err vote_decode(struct bytes in, struct vote *out) {
    struct bytes fields, signature;
    uint64_t kind, round, valid_round_plus_one;
    struct vote vote = {.kind = VOTE_PREVOTE};
    TRY(rlp_read_list(&in, &fields));
    if (in.size != 0) return ERR_ENCODING;
    TRY(rlp_read_u64(&fields, &kind));
    TRY(rlp_read_u64(&fields, &vote.height));
    TRY(rlp_read_u64(&fields, &round));
    TRY(rlp_read_u64(&fields, &valid_round_plus_one));
    TRY(rlp_read_hash(&fields, &vote.block));
    TRY(rlp_read_string(&fields, &signature));
    if (fields.size != 0) return ERR_ENCODING;
    TRY(secp_signature_read(signature, &vote.signature));
    /* Rounds fit int32, so that a valid round does. */
    if (kind > VOTE_PROPOSAL || round > INT32_MAX) return ERR_ENCODING;
    if (valid_round_plus_one > round) return ERR_ENCODING;
    vote.kind = (enum vote_kind)kind;
    vote.round = (uint32_t)round;
    vote.valid_round = (int32_t)valid_round_plus_one - 1;
    if (!vote_is_well_formed(&vote)) return ERR_ENCODING;
    *out = vote;
    return ERR_OK;
}

enum err vote_recover(const struct recoverer *recoverer, const struct signing_domain *domain,
                      struct vote *vote) {
    const struct hash32 digest = vote_digest(domain, vote);
    return recoverer->recover(recoverer->context, &digest, &vote->signature, &vote->voter);
}
