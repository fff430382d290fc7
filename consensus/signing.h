#pragma once
/* What validators sign, and with what.
 *
 * Votes and proposals are EIP-712 structs that the L1 contract can check with ecrecover:
 *   domain { name "AndeConsensus", version "1", chainId, verifyingContract }
 *   Vote(uint8 kind,uint64 height,uint32 round,int32 validRound,bytes32 blockHash)
 * Signing and recovering are two functions over a context: libsecp256k1 in a node, a remote signer
 * one day, cheap tags in the simulator.  All signing of a node goes through one struct signer. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/secp.h"

enum vote_kind {
    VOTE_PREVOTE = 1,
    VOTE_PRECOMMIT = 2,
    VOTE_PROPOSAL = 32,
};

#define VALID_ROUND_NONE (-1)

struct signer {
    void *context;
    struct address address; /* who signs; zero: a follower that never does */
    void (*sign)(void *context, const struct hash32 *digest, struct secp_signature *out);
};

struct recoverer {
    void *context;
    /* ERR_SIGNATURE: nobody can have signed this (high s included). Any thread. */
    enum err (*recover)(void *context, const struct hash32 *digest,
                        const struct secp_signature *signature, struct address *out);
};

/* Digests made before: all votes of one (height, round, kind, block) sign the same one.  Begins as
 * zeros; one thread's. */
#define VOTE_DIGESTS_MAX 64 /* a power of two */
struct vote_digest_entry {
    uint64_t height;
    uint32_t round, kind; /* kind 0: free */
    int32_t valid_round;
    struct hash32 block, digest;
};
struct vote_digests {
    struct vote_digest_entry entries[VOTE_DIGESTS_MAX];
};

/* The hashed EIP-712 domain; boot lifetime. */
struct signing_domain {
    struct hash32 separator;
    struct vote_digests *digests; /* of this domain, kept by the caller; NULL: none are kept */
};

/* signing_domain_make hashes the EIP-712 domain (name, version "1", chain id, contract). */
struct signing_domain signing_domain_make(const char *name, uint64_t chain_id,
                                          const struct address *contract);

/* One signed statement: a vote, or a proposal of a block. */
struct vote {
    enum vote_kind kind;
    uint64_t height;
    uint32_t round;
    int32_t valid_round;  /* proposals: -1 or the round of the polka; votes: -1 */
    struct hash32 block;  /* zero: nil (never in a proposal) */
    struct address voter; /* recovered from the signature, not sent */
    struct secp_signature signature;
};

/* vote_kind_name is "prevote", "precommit" or "proposal"; anything else: "unknown". */
const char *vote_kind_name(enum vote_kind kind);

/* vote_digest is what a voter signs: the EIP-712 hash of the statement in its domain, as the
 * contract computes it.  With `digests` it is looked up first, and kept. */
struct hash32 vote_digest(const struct signing_domain *domain, const struct vote *vote);

/* secp_signer and secp_recoverer are the real ones; `key` must outlive the signer. */
struct signer secp_signer(const struct secp_key *key);
struct recoverer secp_recoverer(void);

/* vote_encode writes rlp([kind, height, round, valid_round + 1, block, signature65]); vote_decode
 * reads it and leaves `voter` zero. */
#define VOTE_BYTES_MAX 160
void vote_encode(const struct vote *vote, struct buffer *out);
MUST_USE enum err vote_decode(struct bytes in, struct vote *out);
/* vote_recover fills voter.  ERR_SIGNATURE. */
MUST_USE enum err vote_recover(const struct recoverer *recoverer,
                               const struct signing_domain *domain, struct vote *vote);
