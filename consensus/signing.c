#include "consensus/signing.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"

/* One ABI word each: EIP-712 encodes every atomic member as 32 bytes. */
#define WORD_BYTES 32

static void append_word_u64(struct buffer *out, uint64_t value) {
    uint8_t *at = buffer_reserve(out, WORD_BYTES);
    CHECK(at != NULL);
    memset(at, 0, WORD_BYTES);
    be_write(at + WORD_BYTES - 8, 8, value);
}

/* append_word_i32 is sign-extended, as Solidity's int32 in an ABI word. */
static void append_word_i32(struct buffer *out, int32_t value) {
    uint8_t *at = buffer_reserve(out, WORD_BYTES);
    CHECK(at != NULL);
    memset(at, value < 0 ? 0xff : 0, WORD_BYTES);
    be_write(at + WORD_BYTES - 4, 4, (uint32_t)value);
}

static void append_word_hash(struct buffer *out, const struct hash32 *hash) {
    buffer_append(out, hash_bytes(hash));
}

struct signing_domain signing_domain_make(const char *name, uint64_t chain_id,
                                          const struct address *contract) {
    const struct hash32 type =
        keccak256(BYTES_STRING("EIP712Domain(string name,string version,uint256 chainId,address "
                               "verifyingContract)"));
    const struct hash32 name_hash = keccak256(bytes_from_string(name));
    const struct hash32 version_hash = keccak256(BYTES_STRING("1"));
    uint8_t words[5 * WORD_BYTES];
    struct buffer out = buffer_over(words, sizeof words);
    append_word_hash(&out, &type);
    append_word_hash(&out, &name_hash);
    append_word_hash(&out, &version_hash);
    append_word_u64(&out, chain_id);
    static const uint8_t padding[WORD_BYTES - sizeof contract->bytes] = {0};
    buffer_append(&out, BYTES_OF(padding));
    buffer_append(&out, address_bytes(contract));
    CHECK(!out.overflow);
    return (struct signing_domain){.separator = keccak256(buffer_bytes(&out))};
}

/* keccak256("Vote(uint8 kind,uint64 height,uint32 round,int32 validRound,bytes32 blockHash)"),
 * which test_signing.c computes again: a digest is made for every vote that comes in. */
static const struct hash32 VOTE_TYPE = {{0x74, 0xaa, 0xc1, 0xee, 0x32, 0xad, 0x32, 0x7f,
                                         0x44, 0x0f, 0xab, 0x09, 0xb5, 0xb5, 0xd3, 0x0c,
                                         0xcf, 0x7b, 0xf8, 0xa4, 0x06, 0xce, 0x0e, 0x05,
                                         0xb5, 0xef, 0xfd, 0xcf, 0x56, 0x35, 0x68, 0xe1}};

static struct hash32 compute_digest(const struct signing_domain *domain, const struct vote *vote) {
    uint8_t words[6 * WORD_BYTES];
    struct buffer members = buffer_over(words, sizeof words);
    append_word_hash(&members, &VOTE_TYPE);
    append_word_u64(&members, (uint64_t)vote->kind);
    append_word_u64(&members, vote->height);
    append_word_u64(&members, vote->round);
    append_word_i32(&members, vote->valid_round);
    append_word_hash(&members, &vote->block);
    const struct hash32 struct_hash = keccak256(buffer_bytes(&members));

    uint8_t message[2 + 2 * WORD_BYTES];
    struct buffer out = buffer_over(message, sizeof message);
    buffer_append_byte(&out, 0x19);
    buffer_append_byte(&out, 0x01);
    append_word_hash(&out, &domain->separator);
    append_word_hash(&out, &struct_hash);
    CHECK(!out.overflow);
    return keccak256(buffer_bytes(&out));
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
