#pragma once
/* One authenticated, encrypted conversation, without its socket: bytes in, bytes and records out.
 *
 *   initiator                              responder
 *   hello: magic, version, X25519 key  ->
 *                                      <-  hello, then auth sealed
 *   auth sealed                        ->
 *   records                           <->  records
 *
 * The hellos carry fresh X25519 keys.  Both directions' keys come from the shared secret and a hash
 * over both hellos; both sides forget the secrets with the connection.  An auth record holds the
 * sender's Ed25519 key, its chain digest, and a signature over role, both hellos, key and digest
 * (SIGMA-I: the identity is bound to the shared secret by the seal around it).  A record is
 *
 *   size (2 bytes, big-endian: of what follows) | ChaCha20-Poly1305(kind (1 byte) | payload) | tag
 *
 * with the size as associated data and the number of the record in its direction as nonce, so that
 * a record that was changed, repeated, left out or reordered does not open.
 *
 * A zero chain digest says: I know no chain yet.  Such a newcomer may call without naming whom it
 * expects, learns who answered, and is let in as far as the digests go; what it may do is for the
 * layers above.
 *
 * No clock, no socket; randomness comes from libsodium when a session begins.  One thread. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/ed25519.h"
#include "base/err.h"
#include "base/hash.h"

#define P2P_HELLO_BYTES         41
#define P2P_RECORD_PAYLOAD_MAX  (16u << 10)
#define P2P_RECORD_SIZE_BYTES   2
#define P2P_RECORD_TAG_BYTES    16
#define P2P_RECORD_OVERHEAD     (P2P_RECORD_SIZE_BYTES + 1 + P2P_RECORD_TAG_BYTES)
#define P2P_RECORD_BYTES_MAX    (P2P_RECORD_PAYLOAD_MAX + P2P_RECORD_OVERHEAD)
#define P2P_AUTH_PAYLOAD_BYTES  128 /* key, chain digest, signature */
#define P2P_HANDSHAKE_BYTES_MAX (P2P_HELLO_BYTES + P2P_RECORD_OVERHEAD + P2P_AUTH_PAYLOAD_BYTES)

enum p2p_record_kind {
    P2P_RECORD_AUTH = 0,
    P2P_RECORD_PING = 1,
    P2P_RECORD_MORE = 0x10, /* + lane: a part of a message, more follow */
    P2P_RECORD_LAST = 0x20, /* + lane: the last part of a message, often its only one */
};

enum p2p_session_state {
    P2P_SESSION_HELLO, /* waits for the other's hello */
    P2P_SESSION_AUTH,  /* waits for the other's auth */
    P2P_SESSION_OPEN,
    P2P_SESSION_FAILED
};

enum p2p_session_result {
    P2P_SESSION_WAIT,        /* nothing was consumed: more bytes are needed */
    P2P_SESSION_PROGRESS,    /* a handshake step; `out` may hold bytes to send */
    P2P_SESSION_ESTABLISHED, /* the other side is who `peer` says, on our chain */
    P2P_SESSION_RECORD,      /* one record was opened */
    /* from here on the session has failed */
    P2P_SESSION_NOT_HELLO,   /* another protocol or version */
    P2P_SESSION_BAD_AUTH,    /* wrong signature, or not the peer that was called */
    P2P_SESSION_OTHER_CHAIN, /* `peer` proved its key, but runs another chain */
    P2P_SESSION_BAD_RECORD   /* too long, empty, or does not open */
};

struct p2p_cipher {
    uint8_t key[32];
    uint64_t counter; /* records so far in this direction */
};

struct p2p_session {
    enum p2p_session_state state;
    bool is_initiator;
    bool has_expected;
    bool is_newcomer;       /* the responder's: the other side knows no chain yet */
    struct hash32 expected; /* whom the initiator called */
    struct hash32 peer;     /* valid from ESTABLISHED or OTHER_CHAIN on */
    struct hash32 chain_digest;
    const struct ed25519_key *key; /* ours; outlives the session */
    uint8_t ephemeral_secret[32];
    uint8_t hello[P2P_HELLO_BYTES]; /* ours */
    struct hash32 transcript;
    struct p2p_cipher sending;
    struct p2p_cipher receiving;
};

/* A record that was opened in place: the view lives in the input. */
struct p2p_record {
    uint8_t kind;
    struct bytes payload;
};

/* p2p_session_begin starts a session; an initiator's hello is appended to `out`.  `expected` is the
 * peer that an initiator calls, NULL for a responder. */
void p2p_session_begin(struct p2p_session *session, const struct ed25519_key *key,
                       const struct hash32 *chain_digest, const struct hash32 *expected,
                       struct buffer *out);

/* p2p_session_call begins as an initiator that knows no chain; `expected` NULL: anybody may answer.
 */
void p2p_session_call(struct p2p_session *session, const struct ed25519_key *key,
                      const struct hash32 *expected, struct buffer *out);

/* p2p_session_receive takes one step with the bytes at `data`, which it may overwrite (records are
 * opened in place), and says how many it consumed.  Handshake answers are appended to `out`, which
 * needs P2P_HANDSHAKE_BYTES_MAX of room before the session is open. */
enum p2p_session_result p2p_session_receive(struct p2p_session *session, uint8_t *data, size_t size,
                                            size_t *consumed, struct p2p_record *record,
                                            struct buffer *out);

/* p2p_session_seal appends one record; the payload has at most P2P_RECORD_PAYLOAD_MAX bytes and
 * `out` has room for P2P_RECORD_OVERHEAD more.  The session is open. */
void p2p_session_seal(struct p2p_session *session, uint8_t kind, struct bytes payload,
                      struct buffer *out);

/* p2p_session_end forgets all secrets. */
void p2p_session_end(struct p2p_session *session);
