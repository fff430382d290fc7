#pragma once
/* Evidence of double signing as AndeConsensus takes it:
 * slash(Vote a, bytes signatureA, Vote b, bytes signatureB), the votes as they were signed. */
#include "base/bytes.h"
#include "base/hash.h"
#include "base/secp.h"

/* A vote in the contract's form; see consensus/signing.h for what the fields mean. */
struct l1_vote {
    uint8_t kind;
    uint64_t height;
    uint32_t round;
    int32_t valid_round;
    struct hash32 block;
    struct secp_signature signature;
};

/* l1_slash_encode appends the call's data, L1_SLASH_BYTES of it. */
#define L1_SLASH_BYTES (4 + 12 * 32 + 2 * 4 * 32)
void l1_slash_encode(const struct l1_vote *a, const struct l1_vote *b, struct buffer *out);
