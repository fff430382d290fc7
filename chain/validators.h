#pragma once
/* Validators: who may propose and vote, with how much power, in the order that everyone agrees on.
 *
 * A set comes from the L1 contract (or the genesis file) and is named in frames by its hash; it
 * carries CometBFT's proposer priorities, so that whoever knows the hash knows the schedule. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

#define VALIDATORS_MAX               128
#define VALIDATOR_ENDPOINT_BYTES_MAX 256                                /* the contract's */
#define VALIDATOR_ENDPOINT_BYTES     (VALIDATOR_ENDPOINT_BYTES_MAX + 1) /* as a C string */
#define VALIDATOR_POWER_SUM_MAX      ((uint64_t)1 << 60)

/* One validator as the contract lists it; the active set is sorted by address, ascending. */
struct validator {
    struct address address; /* signs votes (secp256k1) */
    struct hash32 peer_id;  /* Ed25519 public key of its p2p identity */
    uint64_t power;         /* voting power: whole stake tokens, at least 1 */
    int64_t priority;       /* CometBFT's proposer priority, part of the set's hash */
};

struct validator_set {
    uint32_t count; /* 1..VALIDATORS_MAX in an active set */
    struct validator validators[VALIDATORS_MAX];
};

/* validator_set_encode writes rlp([[address, peer_id, power, priority as two's complement u64],
 * ...]); validator_set_hash is its keccak; validator_set_decode accepts 1..VALIDATORS_MAX entries
 * in strictly ascending address order, with power of at least 1 each and a sum of at most
 * VALIDATOR_POWER_SUM_MAX (ERR_ENCODING otherwise). */
#define VALIDATOR_SET_BYTES_MAX (16 + VALIDATORS_MAX * 80)
void validator_set_encode(const struct validator_set *set, struct buffer *out);
struct hash32 validator_set_hash(const struct validator_set *set);
MUST_USE enum err validator_set_decode(struct bytes in, struct validator_set *out);

/* validator_set_power is the sum of all powers. */
uint64_t validator_set_power(const struct validator_set *set);
/* validator_set_find returns the index of `address`, or -1; validator_set_find_peer that of the one
 * with `peer_id`, which the contract gives to one validator only. */
int validator_set_find(const struct validator_set *set, const struct address *address);
int validator_set_find_peer(const struct validator_set *set, const struct hash32 *peer_id);
