#include "base/secp.h"

#include <secp256k1.h>
#include <secp256k1_preallocated.h>
#include <secp256k1_recovery.h>

#include "base/keccak.h"

/* n / 2, rounded down: the largest s that EIP-2 takes. */
static const uint8_t half_order[32] = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

/* Reading keys and signatures needs no tables of its own: the library's constant context serves.
 * Making them needs a context with a generator table view; it is built on the caller's stack for
 * each call, so that nothing writable outlives it. */
#define CONTEXT_BYTES_MAX 1024

struct signer {
    _Alignas(16) uint8_t memory[CONTEXT_BYTES_MAX];
};

static secp256k1_context *signer_open(struct signer *signer) {
    CHECK(secp256k1_context_preallocated_size(SECP256K1_CONTEXT_NONE) <= sizeof signer->memory);
    return secp256k1_context_preallocated_create(signer->memory, SECP256K1_CONTEXT_NONE);
}

/* public_key_write writes x || y. */
static void public_key_write(const secp256k1_pubkey *key, uint8_t out[64]) {
    uint8_t encoded[65];
    size_t size = sizeof encoded;
    CHECK(secp256k1_ec_pubkey_serialize(secp256k1_context_static, encoded, &size, key,
                                        SECP256K1_EC_UNCOMPRESSED) == 1);
    memcpy(out, encoded + 1, 64);
}

static struct address address_of(const uint8_t public_key[64]) {
    const struct hash32 hash = keccak256((struct bytes){public_key, 64});
    struct address address;
    memcpy(address.bytes, hash.bytes + 12, sizeof address.bytes);
    return address;
}

enum err secp_recover_public_key(const struct hash32 *digest,
                                 const struct secp_signature *signature, uint8_t out[64]) {
    if (signature->y_parity > 1) return ERR_SIGNATURE;
    uint8_t compact[64];
    memcpy(compact, signature->r, 32);
    memcpy(compact + 32, signature->s, 32);
    secp256k1_ecdsa_recoverable_signature parsed;
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(secp256k1_context_static, &parsed,
                                                            compact, signature->y_parity) != 1) {
        return ERR_SIGNATURE;
    }
    secp256k1_pubkey key;
    if (secp256k1_ecdsa_recover(secp256k1_context_static, &key, &parsed, digest->bytes) != 1) {
        return ERR_SIGNATURE;
    }
    public_key_write(&key, out);
    return ERR_OK;
}

enum err secp_recover(const struct hash32 *digest, const struct secp_signature *signature,
                      struct address *out) {
    uint8_t public_key[64];
    TRY(secp_recover_public_key(digest, signature, public_key));
    *out = address_of(public_key);
    return ERR_OK;
}

bool secp_is_low_s(const struct secp_signature *signature) {
    return memcmp(signature->s, half_order, sizeof half_order) <= 0;
}

void secp_sign(const struct secp_key *key, const struct hash32 *digest,
               struct secp_signature *out) {
    struct signer signer;
    secp256k1_context *context = signer_open(&signer);
    secp256k1_ecdsa_recoverable_signature signature;
    CHECK(secp256k1_ecdsa_sign_recoverable(context, &signature, digest->bytes, key->secret, NULL,
                                           NULL) == 1);
    uint8_t compact[64];
    int recovery_id;
    CHECK(secp256k1_ecdsa_recoverable_signature_serialize_compact(context, compact, &recovery_id,
                                                                  &signature) == 1);
    secp256k1_context_preallocated_destroy(context);
    /* Bit 1 says that r was reduced modulo n, which happens once in 2^127 signatures. */
    CHECK(recovery_id == 0 || recovery_id == 1);
    memcpy(out->r, compact, 32);
    memcpy(out->s, compact + 32, 32);
    out->y_parity = (uint8_t)recovery_id;
}

bool secp_key_is_valid(const struct secp_key *key) {
    return secp256k1_ec_seckey_verify(secp256k1_context_static, key->secret) == 1;
}

struct address secp_key_address(const struct secp_key *key) {
    struct signer signer;
    secp256k1_context *context = signer_open(&signer);
    secp256k1_pubkey public_key;
    CHECK(secp256k1_ec_pubkey_create(context, &public_key, key->secret) == 1);
    secp256k1_context_preallocated_destroy(context);
    uint8_t encoded[64];
    public_key_write(&public_key, encoded);
    return address_of(encoded);
}

void secp_signature_write(const struct secp_signature *signature, uint8_t out[65]) {
    memcpy(out, signature->r, 32);
    memcpy(out + 32, signature->s, 32);
    out[64] = (uint8_t)(27 + signature->y_parity);
}

enum err secp_signature_read(struct bytes in, struct secp_signature *out) {
    if (in.size != SECP_SIGNATURE_BYTES) return ERR_ENCODING;
    const uint8_t v = in.data[64];
    if (v != 0 && v != 1 && v != 27 && v != 28) return ERR_ENCODING;
    struct secp_signature signature;
    memcpy(signature.r, in.data, 32);
    memcpy(signature.s, in.data + 32, 32);
    signature.y_parity = (uint8_t)(v >= 27 ? v - 27 : v);
    if (!secp_is_low_s(&signature)) return ERR_ENCODING;
    *out = signature;
    return ERR_OK;
}
