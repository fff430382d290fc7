#include "p2p/record.h"

#include <assert.h>
#include <sodium.h>

static_assert(crypto_aead_chacha20poly1305_IETF_ABYTES == P2P_RECORD_TAG_BYTES, "the tag's size");
static_assert(crypto_aead_chacha20poly1305_IETF_KEYBYTES == 32, "the key's size");
static_assert(P2P_RECORD_BYTES_MAX - P2P_RECORD_SIZE_BYTES <= UINT16_MAX, "fits its size field");

#define NONCE_BYTES crypto_aead_chacha20poly1305_IETF_NPUBBYTES

static void nonce_of(const struct p2p_cipher *cipher, uint8_t nonce[NONCE_BYTES]) {
    memset(nonce, 0, NONCE_BYTES);
    be_write(nonce + NONCE_BYTES - 8, 8, cipher->counter);
}

void p2p_record_seal(struct p2p_cipher *cipher, uint8_t kind, struct bytes payload,
                     struct buffer *out) {
    CHECK(payload.size <= P2P_RECORD_PAYLOAD_MAX);
    uint8_t *at = buffer_reserve(out, payload.size + P2P_RECORD_OVERHEAD);
    CHECK(at != NULL);
    uint8_t nonce[NONCE_BYTES];
    nonce_of(cipher, nonce);
    be_write(at, P2P_RECORD_SIZE_BYTES, 1 + payload.size + P2P_RECORD_TAG_BYTES);
    uint8_t *body = at + P2P_RECORD_SIZE_BYTES;
    body[0] = kind;
    if (payload.size > 0) memcpy(body + 1, payload.data, payload.size);
    unsigned long long sealed_bytes = 0;
    CHECK(crypto_aead_chacha20poly1305_ietf_encrypt(body, &sealed_bytes, body, 1 + payload.size, at,
                                                    P2P_RECORD_SIZE_BYTES, NULL, nonce,
                                                    cipher->key) == 0);
    CHECK(sealed_bytes == 1 + payload.size + P2P_RECORD_TAG_BYTES);
    cipher->counter += 1;
}

enum err p2p_record_open(struct p2p_cipher *cipher, uint8_t *data, size_t size, size_t *consumed,
                         struct p2p_record *record) {
    if (size < P2P_RECORD_SIZE_BYTES) return ERR_TRUNCATED;
    const size_t sealed = (size_t)be_read(data, P2P_RECORD_SIZE_BYTES);
    if (sealed < 1 + P2P_RECORD_TAG_BYTES) return ERR_LIMIT;
    if (sealed > P2P_RECORD_BYTES_MAX - P2P_RECORD_SIZE_BYTES) return ERR_LIMIT;
    if (size - P2P_RECORD_SIZE_BYTES < sealed) return ERR_TRUNCATED;
    uint8_t nonce[NONCE_BYTES];
    nonce_of(cipher, nonce);
    uint8_t *body = data + P2P_RECORD_SIZE_BYTES;
    unsigned long long plain_bytes = 0;
    if (crypto_aead_chacha20poly1305_ietf_decrypt(body, &plain_bytes, NULL, body, sealed, data,
                                                  P2P_RECORD_SIZE_BYTES, nonce, cipher->key) != 0) {
        return ERR_SIGNATURE;
    }
    CHECK(plain_bytes == sealed - P2P_RECORD_TAG_BYTES);
    cipher->counter += 1;
    *consumed = P2P_RECORD_SIZE_BYTES + sealed;
    *record = (struct p2p_record){.kind = body[0], .payload = {body + 1, (size_t)plain_bytes - 1}};
    return ERR_OK;
}
