#pragma once
/* Evidence: two votes that one validator signed for one height, round and kind, and different
 * blocks.  Whoever has both can prove the offence to anybody: here what it is, how it is kept in
 * the store, and how it is written as JSON (docs/formats.md). */
#include "base/arena.h"
#include "base/json.h"
#include "consensus/signing.h"
#include "l1/punished.h"
#include "store/store.h"

#define EVIDENCE_RECORDS_MAX  1024 /* kept; what comes later is logged only */
#define EVIDENCE_RECORD_BYTES 512
#define EVIDENCE_NAME_BYTES   48
#define EVIDENCE_PREFIX       "evidence/"

struct evidence {
    struct vote votes[2];
    uint64_t found_ms; /* wall clock, of this node */
    bool is_on_l1;     /* the contract says that it is punished */
};

/* The EIP-712 domain of the votes, in parts. */
struct evidence_domain {
    uint64_t chain_id;
    struct address contract;
};
struct signing_domain evidence_signing_domain(const struct evidence_domain *domain);

/* What is wrong with a claim, if something is. */
enum evidence_fault {
    EVIDENCE_PROVES,
    EVIDENCE_KIND,      /* no kind of vote that exists */
    EVIDENCE_DIFFERENT, /* heights, rounds or kinds of the two votes differ */
    EVIDENCE_SAME_BLOCK,
    EVIDENCE_SIGNATURE, /* a signature is nobody's */
    EVIDENCE_SIGNERS,   /* two validators, one vote each */
};
const char *evidence_fault_text(enum evidence_fault fault);

/* evidence_check recovers both signers (it fills both voters) and says whether they prove a double
 * signature. */
enum evidence_fault evidence_check(struct evidence *evidence, const struct signing_domain *domain,
                                   const struct recoverer *recoverer);

/* evidence_name is the record's name: prefix, height, kind, round, validator; it views `out`. */
struct bytes evidence_name(const struct vote *vote, uint8_t out[EVIDENCE_NAME_BYTES]);
/* evidence_encode writes rlp([vote, vote, voter, found_ms, is_on_l1]); evidence_decode reads it.
 * ERR_ENCODING. */
void evidence_encode(const struct evidence *evidence, struct buffer *out);
MUST_USE enum err evidence_decode(struct bytes in, struct evidence *out);
/* evidence_offence is how L1 names it. */
struct l1_offence evidence_offence(const struct evidence *evidence);

/* evidence_visit calls `visit` for every record of a view, by height, until it returns false. */
MUST_USE enum err evidence_visit(struct store_view *view, void *context,
                                 bool (*visit)(void *context, const struct evidence *evidence));

/* evidence_kind reads what vote_kind_name writes; 0: it is none. */
enum vote_kind evidence_kind(const char *name);

/* evidence_write writes one object, as baton_evidence lists them and `evidence verify` reads them.
 */
void evidence_write(const struct evidence *evidence, const struct evidence_domain *domain,
                    struct json_writer *json);
