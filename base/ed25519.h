#pragma once
/* Ed25519, the identity of peers: the bytes32 peer id in the contract is the public key.
 * (libsodium; call ed25519_init once before anything else.) */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

struct ed25519_key {
    uint8_t seed[32];
    struct hash32 public_key;
};

/* ed25519_init prepares libsodium (picks implementations); thread-safe, may be called again.
 * ERR_SYSTEM when the library refuses. */
MUST_USE enum err ed25519_init(void);
/* ed25519_key_from_seed derives the public key. */
struct ed25519_key ed25519_key_from_seed(const uint8_t seed[32]);
/* ed25519_sign signs deterministically (RFC 8032); ed25519_verify refuses malleable signatures and
 * keys of small order, as libsodium does. */
void ed25519_sign(const struct ed25519_key *key, struct bytes message, uint8_t out[64]);
bool ed25519_verify(const struct hash32 *public_key, struct bytes message,
                    const uint8_t signature[64]);
