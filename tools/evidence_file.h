#pragma once
/* Files that claim an offence, from anybody: what `baton evidence verify` reads.
 *
 * Accepted are one object, a list of them, or a whole JSON-RPC answer with one of these as its
 * `result`.  An object is a double signature as baton_evidence lists it, or
 *   {"chainId", "contract", "commits": [COMMIT, COMMIT]}
 * with commits as baton_getCommit gives them: two blocks that were both committed at one height.
 * In the `crash` model, where nobody is expected to lie, that is what a fork leaves behind; whoever
 * signed both in one round is guilty of a double signature.
 *
 * Everything in a file is a claim.  Parsing is strict and bounded, signatures are recovered, and
 * what a claim says of itself is compared with what they show. */
#include <stdio.h>

#include "chain/validators.h"
#include "consensus/commit.h"
#include "node/evidence.h"

#define EVIDENCE_FILE_BYTES_MAX  ((size_t)8 << 20)
#define EVIDENCE_FILE_CLAIMS_MAX 1024
#define EVIDENCE_FILE_ERROR      160

struct evidence_claim {
    struct evidence_domain domain;
    bool is_commits;
    struct evidence evidence;     /* double signature */
    struct address validator;     /* whom it names */
    const struct commit *commits; /* two of them */
};

struct evidence_file {
    size_t claims_count;
    struct evidence_claim *claims;
    struct commit *commits; /* of all claims */
};

/* evidence_file_parse reads `text`.  ERR_ENCODING: not such a file, `error` names the field;
 * ERR_LIMIT: too many claims, or too long; ERR_MEMORY. */
MUST_USE enum err evidence_file_parse(struct bytes text, struct evidence_file *out,
                                      char error[EVIDENCE_FILE_ERROR]);
void evidence_file_free(struct evidence_file *file);

/* What two commits show. */
struct evidence_fork {
    uint32_t guilty_count; /* signed both in one round: each is a double signature */
    uint32_t both_count;   /* signed both, at all */
    uint32_t signers_count[2];
    struct address both[VALIDATORS_MAX];
};

/* evidence_fork_check recovers all signers of both commits.  false: they show nothing; `error`
 * says why. */
bool evidence_fork_check(const struct commit commits[2], const struct signing_domain *domain,
                         const struct recoverer *recoverer, struct evidence_fork *out,
                         char error[EVIDENCE_FILE_ERROR]);

/* evidence_claim_verify checks one claim and prints what it finds; true: somebody is provably
 * guilty. */
bool evidence_claim_verify(const struct evidence_claim *claim, const struct recoverer *recoverer,
                           FILE *out);
