#include "consensus/commit.h"

#include "base/check.h"
#include "base/rlp.h"

void commit_encode(const struct commit *commit, struct buffer *out) {
    CHECK(commit->signatures_count <= VALIDATORS_MAX);
    const size_t list = rlp_list_begin(out);
    rlp_write_u64(out, commit->height);
    rlp_write_u64(out, commit->round);
    rlp_write_hash(out, &commit->block);
    const size_t signatures = rlp_list_begin(out);
    for (uint32_t i = 0; i < commit->signatures_count; i++) {
        uint8_t wire[SECP_SIGNATURE_BYTES];
        secp_signature_write(&commit->signatures[i].signature, wire);
        const size_t entry = rlp_list_begin(out);
        rlp_write_u64(out, commit->signatures[i].voter_index);
        rlp_write_string(out, BYTES_OF(wire));
        rlp_list_end(out, entry);
    }
    rlp_list_end(out, signatures);
    rlp_list_end(out, list);
}

static enum err signature_decode(struct bytes *in, struct commit *commit) {
    struct bytes fields, wire;
    uint64_t voter_index;
    if (commit->signatures_count == VALIDATORS_MAX) return ERR_ENCODING;
    struct commit_signature *signature = &commit->signatures[commit->signatures_count];
    TRY(rlp_read_list(in, &fields));
    TRY(rlp_read_u64(&fields, &voter_index));
    TRY(rlp_read_string(&fields, &wire));
    TRY(secp_signature_read(wire, &signature->signature));
    if (fields.size != 0 || voter_index >= VALIDATORS_MAX) return ERR_ENCODING;
    signature->voter_index = (uint32_t)voter_index;
    if (commit->signatures_count != 0 && signature[-1].voter_index >= voter_index) {
        return ERR_ENCODING;
    }
    commit->signatures_count++;
    return ERR_OK;
}

enum err commit_decode(struct bytes in, struct commit *out) {
    struct bytes fields, signatures;
    uint64_t round;
    struct commit commit = {.signatures_count = 0};
    TRY(rlp_read_list(&in, &fields));
    if (in.size != 0) return ERR_ENCODING;
    TRY(rlp_read_u64(&fields, &commit.height));
    TRY(rlp_read_u64(&fields, &round));
    TRY(rlp_read_hash(&fields, &commit.block));
    TRY(rlp_read_list(&fields, &signatures));
    if (fields.size != 0 || round > INT32_MAX) return ERR_ENCODING;
    commit.round = (uint32_t)round;
    while (signatures.size != 0)
        TRY(signature_decode(&signatures, &commit));
    *out = commit;
    return ERR_OK;
}

enum err commit_verify(const struct commit *commit, uint64_t height, const struct hash32 *block,
                       const struct validator_set *set, enum fault_model model,
                       const struct signing_domain *domain, const struct recoverer *recoverer) {
    if (commit->height != height || !hash_equal(&commit->block, block)) return ERR_MISMATCH;
    if (hash_is_zero(block)) return ERR_MISMATCH; /* precommits for nil decide nothing */
    const struct vote precommit = {.kind = VOTE_PRECOMMIT,
                                   .height = height,
                                   .round = commit->round,
                                   .valid_round = VALID_ROUND_NONE,
                                   .block = *block};
    const struct hash32 digest = vote_digest(domain, &precommit);
    uint64_t power = 0;
    for (uint32_t i = 0; i < commit->signatures_count; i++) {
        const struct commit_signature *signature = &commit->signatures[i];
        /* Ascending, so that no power counts twice even when the commit was not decoded. */
        if (i != 0 && signature[-1].voter_index >= signature->voter_index) return ERR_MISMATCH;
        if (signature->voter_index >= set->count) return ERR_SIGNATURE;
        const struct validator *voter = &set->validators[signature->voter_index];
        struct address signed_by;
        TRY(recoverer->recover(recoverer->context, &digest, &signature->signature, &signed_by));
        if (!address_equal(&signed_by, &voter->address)) return ERR_SIGNATURE;
        power += voter->power;
    }
    return power >= quorum_power(model, validator_set_power(set)) ? ERR_OK : ERR_MISMATCH;
}

uint64_t quorum_power(enum fault_model model, uint64_t total_power) {
    CHECK(total_power <= VALIDATOR_POWER_SUM_MAX); /* so that doubling cannot overflow */
    return model == FAULT_MODEL_CRASH ? total_power / 2 + 1 : total_power * 2 / 3 + 1;
}

uint64_t skip_power(enum fault_model model, uint64_t total_power) {
    return model == FAULT_MODEL_CRASH ? 1 : total_power / 3 + 1;
}
