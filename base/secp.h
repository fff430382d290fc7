#pragma once
/* secp256k1 signatures as Ethereum uses them: recoverable, r || s || v, addresses by keccak. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

struct secp_key {
    uint8_t secret[32];
};

struct secp_signature {
    uint8_t r[32];
    uint8_t s[32];
    uint8_t y_parity; /* 0 or 1; add 27 for the contract's v */
};

/* secp_recover finds the address that signed `digest`.  ERR_SIGNATURE when r or s is out of range
 * or no key fits.  High s is accepted here; transactions and votes refuse it with secp_is_low_s. */
MUST_USE enum err secp_recover(const struct hash32 *digest, const struct secp_signature *signature,
                               struct address *out);
/* secp_recover_public_key gives the 64-byte uncompressed key (x || y). */
MUST_USE enum err secp_recover_public_key(const struct hash32 *digest,
                                          const struct secp_signature *signature, uint8_t out[64]);
/* secp_is_low_s: s <= n/2 (EIP-2). */
bool secp_is_low_s(const struct secp_signature *signature);

/* secp_sign signs deterministically (RFC 6979) with low s.  CHECKs that the key is valid:
 * secp_key_is_valid is asked when a key is loaded. */
void secp_sign(const struct secp_key *key, const struct hash32 *digest, struct secp_signature *out);
bool secp_key_is_valid(const struct secp_key *key);
/* secp_key_address gives the key's address. */
struct address secp_key_address(const struct secp_key *key);

/* The 65-byte wire form r || s || v with v = 27 + y_parity, as the contract's ecrecover takes it.
 * secp_signature_read accepts v of 0, 1, 27, 28 and low s only; ERR_ENCODING otherwise. */
#define SECP_SIGNATURE_BYTES 65
void secp_signature_write(const struct secp_signature *signature, uint8_t out[65]);
MUST_USE enum err secp_signature_read(struct bytes in, struct secp_signature *out);
