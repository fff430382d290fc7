#include "base/ed25519.h"

#include <assert.h>
#include <sodium.h>

static_assert(crypto_sign_SEEDBYTES == 32, "the seed is ours to lay out");
static_assert(crypto_sign_SECRETKEYBYTES == 64, "libsodium's secret key is seed || public key");

enum err ed25519_init(void) {
    return sodium_init() < 0 ? ERR_SYSTEM : ERR_OK;
}

struct ed25519_key ed25519_key_from_seed(const uint8_t seed[32]) {
    struct ed25519_key key;
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    memcpy(key.seed, seed, sizeof key.seed);
    CHECK(crypto_sign_seed_keypair(key.public_key.bytes, secret, seed) == 0);
    sodium_memzero(secret, sizeof secret);
    return key;
}

void ed25519_sign(const struct ed25519_key *key, struct bytes message, uint8_t out[64]) {
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    memcpy(secret, key->seed, 32);
    memcpy(secret + 32, key->public_key.bytes, 32);
    CHECK(crypto_sign_detached(out, NULL, message.data, message.size, secret) == 0);
    sodium_memzero(secret, sizeof secret);
}

bool ed25519_verify(const struct hash32 *public_key, struct bytes message,
                    const uint8_t signature[64]) {
    return crypto_sign_verify_detached(signature, message.data, message.size, public_key->bytes) ==
           0;
}
