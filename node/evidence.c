#include "node/evidence.h"

#include <assert.h>

#include "base/rlp.h"

struct signing_domain evidence_signing_domain(const struct evidence_domain *domain) {
    return signing_domain_make("AndeConsensus", domain->chain_id, &domain->contract);
}

const char *evidence_fault_text(enum evidence_fault fault) {
    switch (fault) {
    case EVIDENCE_PROVES: return "proves a double signature";
    case EVIDENCE_KIND: return "is of no kind of vote that exists";
    case EVIDENCE_DIFFERENT: return "has two votes of different heights, rounds or kinds";
    case EVIDENCE_SAME_BLOCK: return "has two votes for the same block";
    case EVIDENCE_SIGNATURE: return "has a signature that is nobody's";
    case EVIDENCE_SIGNERS: return "has signatures of two validators, or not of the one it names";
    }
    return "";
}

enum evidence_fault evidence_check(struct evidence *evidence, const struct signing_domain *domain,
                                   const struct recoverer *recoverer) {
    struct vote *a = &evidence->votes[0], *b = &evidence->votes[1];
    if (a->kind != VOTE_PREVOTE && a->kind != VOTE_PRECOMMIT && a->kind != VOTE_PROPOSAL) {
        return EVIDENCE_KIND;
    }
    if (a->kind != b->kind || a->height != b->height || a->round != b->round) {
        return EVIDENCE_DIFFERENT;
    }
    if (hash_equal(&a->block, &b->block)) return EVIDENCE_SAME_BLOCK;
    if (vote_recover(recoverer, domain, a) != ERR_OK) return EVIDENCE_SIGNATURE;
    if (vote_recover(recoverer, domain, b) != ERR_OK) return EVIDENCE_SIGNATURE;
    return address_equal(&a->voter, &b->voter) ? EVIDENCE_PROVES : EVIDENCE_SIGNERS;
}

struct bytes evidence_name(const struct vote *vote, uint8_t out[EVIDENCE_NAME_BYTES]) {
    struct buffer name = buffer_over(out, EVIDENCE_NAME_BYTES);
    buffer_append(&name, BYTES_STRING(EVIDENCE_PREFIX));
    buffer_append_be(&name, 8, vote->height);
    buffer_append_byte(&name, (uint8_t)vote->kind);
    buffer_append_be(&name, 4, vote->round);
    buffer_append(&name, address_bytes(&vote->voter));
    CHECK(!name.overflow);
    return buffer_bytes(&name);
}

void evidence_encode(const struct evidence *evidence, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    vote_encode(&evidence->votes[0], out);
    vote_encode(&evidence->votes[1], out);
    rlp_write_string(out, address_bytes(&evidence->votes[0].voter));
    rlp_write_u64(out, evidence->found_ms);
    rlp_write_u64(out, evidence->is_on_l1);
    rlp_list_end(out, list);
}

enum err evidence_decode(struct bytes in, struct evidence *out) {
    struct evidence evidence = {.found_ms = 0};
    struct bytes fields, vote;
    uint64_t is_on_l1;
    TRY(rlp_read_list(&in, &fields));
    for (size_t i = 0; i < 2; i++) {
        TRY(rlp_read_item(&fields, &vote));
        TRY(vote_decode(vote, &evidence.votes[i]));
    }
    TRY(rlp_read_fixed(&fields, evidence.votes[0].voter.bytes, sizeof evidence.votes[0].voter));
    evidence.votes[1].voter = evidence.votes[0].voter;
    TRY(rlp_read_u64(&fields, &evidence.found_ms));
    TRY(rlp_read_u64(&fields, &is_on_l1));
    if (in.size != 0 || fields.size != 0 || is_on_l1 > 1) return ERR_ENCODING;
    evidence.is_on_l1 = is_on_l1 == 1;
    *out = evidence;
    return ERR_OK;
}

struct l1_offence evidence_offence(const struct evidence *evidence) {
    const struct vote *vote = &evidence->votes[0];
    return (struct l1_offence){vote->voter, (uint8_t)vote->kind, vote->height, vote->round};
}

enum err evidence_visit(struct store_view *view, void *context,
                        bool (*visit)(void *context, const struct evidence *evidence)) {
    const struct bytes prefix = BYTES_STRING(EVIDENCE_PREFIX);
    static_assert(EVIDENCE_RECORD_BYTES + EVIDENCE_NAME_BYTES + 64 <= 1024, "any record fits");
    uint8_t memory[1024], name[EVIDENCE_NAME_BYTES + 1];
    struct bytes next = prefix;
    for (;;) {
        struct arena arena = arena_over(memory, sizeof memory);
        struct store_record record;
        struct evidence evidence;
        const enum err err = store_record_seek(view, next, &arena, &record);
        /* What does not fit is longer than ours: a record of another kind, behind the last one. */
        if (err == ERR_NOT_FOUND || err == ERR_LIMIT) return ERR_OK;
        TRY(err);
        if (record.name.size < prefix.size || record.name.size > EVIDENCE_NAME_BYTES ||
            !bytes_equal(bytes_slice(record.name, 0, prefix.size), prefix)) {
            return ERR_OK;
        }
        if (evidence_decode(record.value, &evidence) != ERR_OK) return ERR_CORRUPT;
        if (!visit(context, &evidence)) return ERR_OK;
        struct buffer after = buffer_over(name, sizeof name); /* the least name behind it */
        buffer_append(&after, record.name);
        buffer_append_byte(&after, 0);
        next = buffer_bytes(&after);
    }
}

enum vote_kind evidence_kind(const char *name) {
    static const enum vote_kind kinds[] = {VOTE_PREVOTE, VOTE_PRECOMMIT, VOTE_PROPOSAL};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (bytes_equal(bytes_from_string(name), bytes_from_string(vote_kind_name(kinds[i])))) {
            return kinds[i];
        }
    }
    return 0;
}

static void write_vote(const struct vote *vote, struct json_writer *json) {
    uint8_t signature[SECP_SIGNATURE_BYTES];
    secp_signature_write(&vote->signature, signature);
    json_object_begin(json);
    json_key(json, "validRound");
    json_number(json, vote->valid_round);
    json_key(json, "blockHash");
    json_hash(json, &vote->block);
    json_key(json, "signature");
    json_data(json, BYTES_OF(signature));
    json_object_end(json);
}

void evidence_write(const struct evidence *evidence, const struct evidence_domain *domain,
                    struct json_writer *json) {
    const struct vote *vote = &evidence->votes[0];
    json_object_begin(json);
    json_key(json, "validator");
    json_address(json, &vote->voter);
    json_key(json, "height");
    json_quantity(json, vote->height);
    json_key(json, "round");
    json_quantity(json, vote->round);
    json_key(json, "kind");
    json_write_string(json, vote_kind_name(vote->kind));
    json_key(json, "votes");
    json_array_begin(json);
    write_vote(&evidence->votes[0], json);
    write_vote(&evidence->votes[1], json);
    json_array_end(json);
    json_key(json, "chainId");
    json_quantity(json, domain->chain_id);
    json_key(json, "contract");
    json_address(json, &domain->contract);
    json_key(json, "foundAt");
    json_quantity(json, evidence->found_ms / 1000);
    json_key(json, "onL1");
    json_bool(json, evidence->is_on_l1);
    json_object_end(json);
}
