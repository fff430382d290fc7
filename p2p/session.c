#include "p2p/session.h"

#include <assert.h>
#include <sodium.h>

#include "p2p/record.h"

static_assert(crypto_scalarmult_BYTES == 32, "an X25519 key is 32 bytes");

#define MAGIC_BYTES  9
#define SIGNED_BYTES (16 + 1 + 32 + 32 + 32)

/* The last byte is the protocol's version. */
static const uint8_t MAGIC[MAGIC_BYTES] = {'B', 'A', 'T', 'O', 'N', 'P', '2', 'P', 1};
static const uint8_t KEY_LABEL[16] = "baton p2p keys 1";
static const uint8_t AUTH_LABEL[16] = "baton p2p auth 1";

static void begin(struct p2p_session *session, const struct ed25519_key *key,
                  const struct hash32 *chain_digest, bool is_initiator,
                  const struct hash32 *expected, struct buffer *out) {
    *session = (struct p2p_session){
        .state = P2P_SESSION_HELLO,
        .is_initiator = is_initiator,
        .has_expected = expected != NULL,
        .chain_digest = *chain_digest,
        .key = key,
    };
    if (expected != NULL) session->expected = *expected;
    randombytes_buf(session->ephemeral_secret, sizeof session->ephemeral_secret);
    memcpy(session->hello, MAGIC, MAGIC_BYTES);
    CHECK(crypto_scalarmult_base(session->hello + MAGIC_BYTES, session->ephemeral_secret) == 0);
    if (session->is_initiator) buffer_append(out, BYTES_OF(session->hello));
}

void p2p_session_begin(struct p2p_session *session, const struct ed25519_key *key,
                       const struct hash32 *chain_digest, const struct hash32 *expected,
                       struct buffer *out) {
    begin(session, key, chain_digest, expected != NULL, expected, out);
}

void p2p_session_call(struct p2p_session *session, const struct ed25519_key *key,
                      const struct hash32 *expected, struct buffer *out) {
    const struct hash32 none = {{0}};
    begin(session, key, &none, true, expected, out);
}

void p2p_session_end(struct p2p_session *session) {
    sodium_memzero(session, sizeof *session);
    session->state = P2P_SESSION_FAILED;
}

/* derive_keys makes the transcript and both ciphers.  False: the other's key is a point of small
 * order, with which everybody would know the secret. */
static bool derive_keys(struct p2p_session *session, const uint8_t other[P2P_HELLO_BYTES]) {
    uint8_t secret[32];
    if (crypto_scalarmult(secret, session->ephemeral_secret, other + MAGIC_BYTES) != 0) {
        return false;
    }
    const uint8_t *first = session->is_initiator ? session->hello : other;
    const uint8_t *second = session->is_initiator ? other : session->hello;
    uint8_t hellos[2 * P2P_HELLO_BYTES];
    memcpy(hellos, first, P2P_HELLO_BYTES);
    memcpy(hellos + P2P_HELLO_BYTES, second, P2P_HELLO_BYTES);
    CHECK(crypto_generichash(session->transcript.bytes, 32, hellos, sizeof hellos, NULL, 0) == 0);

    uint8_t input[sizeof KEY_LABEL + 32];
    uint8_t keys[64];
    memcpy(input, KEY_LABEL, sizeof KEY_LABEL);
    memcpy(input + sizeof KEY_LABEL, session->transcript.bytes, 32);
    CHECK(crypto_generichash(keys, sizeof keys, input, sizeof input, secret, sizeof secret) == 0);
    memcpy(session->sending.key, session->is_initiator ? keys : keys + 32, 32);
    memcpy(session->receiving.key, session->is_initiator ? keys + 32 : keys, 32);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(keys, sizeof keys);
    sodium_memzero(session->ephemeral_secret, sizeof session->ephemeral_secret);
    return true;
}

/* signed_text writes what an auth record's sender signs. */
static void signed_text(const struct p2p_session *session, bool by_initiator,
                        const struct hash32 *key, const struct hash32 *digest,
                        uint8_t out[SIGNED_BYTES]) {
    memcpy(out, AUTH_LABEL, 16);
    out[16] = by_initiator ? 1 : 2;
    memcpy(out + 17, session->transcript.bytes, 32);
    memcpy(out + 49, key->bytes, 32);
    memcpy(out + 81, digest->bytes, 32);
}

static void send_auth(struct p2p_session *session, struct buffer *out) {
    uint8_t text[SIGNED_BYTES];
    uint8_t payload[P2P_AUTH_PAYLOAD_BYTES];
    signed_text(session, session->is_initiator, &session->key->public_key, &session->chain_digest,
                text);
    memcpy(payload, session->key->public_key.bytes, 32);
    memcpy(payload + 32, session->chain_digest.bytes, 32);
    ed25519_sign(session->key, BYTES_OF(text), payload + 64);
    p2p_record_seal(&session->sending, P2P_RECORD_AUTH, BYTES_OF(payload), out);
}

static enum p2p_session_result fail(struct p2p_session *session, enum p2p_session_result result) {
    session->state = P2P_SESSION_FAILED;
    return result;
}

static enum p2p_session_result on_hello(struct p2p_session *session, const uint8_t *data,
                                        size_t size, size_t *consumed, struct buffer *out) {
    /* A foreign protocol is noticed with its first bytes, not when 41 of them have come. */
    const size_t known = size < MAGIC_BYTES ? size : MAGIC_BYTES;
    if (memcmp(data, MAGIC, known) != 0) return fail(session, P2P_SESSION_NOT_HELLO);
    if (size < P2P_HELLO_BYTES) return P2P_SESSION_WAIT;
    if (!derive_keys(session, data)) return fail(session, P2P_SESSION_BAD_AUTH);
    *consumed = P2P_HELLO_BYTES;
    if (!session->is_initiator) {
        buffer_append(out, BYTES_OF(session->hello));
        send_auth(session, out);
    }
    session->state = P2P_SESSION_AUTH;
    return P2P_SESSION_PROGRESS;
}

static enum p2p_session_result on_auth(struct p2p_session *session, const struct p2p_record *record,
                                       struct buffer *out) {
    if (record->kind != P2P_RECORD_AUTH || record->payload.size != P2P_AUTH_PAYLOAD_BYTES) {
        return fail(session, P2P_SESSION_BAD_AUTH);
    }
    struct hash32 peer;
    struct hash32 digest;
    memcpy(peer.bytes, record->payload.data, 32);
    memcpy(digest.bytes, record->payload.data + 32, 32);
    uint8_t text[SIGNED_BYTES];
    signed_text(session, !session->is_initiator, &peer, &digest, text);
    if (session->has_expected && !hash_equal(&peer, &session->expected)) {
        return fail(session, P2P_SESSION_BAD_AUTH);
    }
    if (hash_equal(&peer, &session->key->public_key) || /* ourselves, or our words sent back */
        !ed25519_verify(&peer, BYTES_OF(text), record->payload.data + 64)) {
        return fail(session, P2P_SESSION_BAD_AUTH);
    }
    session->peer = peer;
    /* Also to a peer on another chain: it shall be able to say so to its operator. */
    if (session->is_initiator) send_auth(session, out);
    session->is_newcomer = !session->is_initiator && hash_is_zero(&digest);
    const bool knows_none =
        session->is_initiator ? hash_is_zero(&session->chain_digest) : session->is_newcomer;
    if (!knows_none && !hash_equal(&digest, &session->chain_digest)) {
        return fail(session, P2P_SESSION_OTHER_CHAIN);
    }
    session->state = P2P_SESSION_OPEN;
    return P2P_SESSION_ESTABLISHED;
}

enum p2p_session_result p2p_session_receive(struct p2p_session *session, uint8_t *data, size_t size,
                                            size_t *consumed, struct p2p_record *record,
                                            struct buffer *out) {
    CHECK(session->state != P2P_SESSION_FAILED);
    *consumed = 0;
    if (size == 0) return P2P_SESSION_WAIT;
    if (session->state == P2P_SESSION_HELLO) return on_hello(session, data, size, consumed, out);

    const enum err err = p2p_record_open(&session->receiving, data, size, consumed, record);
    if (err == ERR_TRUNCATED) return P2P_SESSION_WAIT;
    if (err != ERR_OK) return fail(session, P2P_SESSION_BAD_RECORD);
    if (session->state == P2P_SESSION_AUTH) return on_auth(session, record, out);
    return P2P_SESSION_RECORD;
}

void p2p_session_seal(struct p2p_session *session, uint8_t kind, struct bytes payload,
                      struct buffer *out) {
    CHECK(session->state == P2P_SESSION_OPEN);
    p2p_record_seal(&session->sending, kind, payload, out);
}
