/* The handshake and the records without sockets: everything an attacker on the wire can change. */
#include <sodium.h>
#include <stdio.h>

#include "p2p/session.h"

struct side {
    struct ed25519_key key;
    struct p2p_session session;
    uint8_t out_bytes[4 * P2P_RECORD_BYTES_MAX];
    struct buffer out;
};

static struct side alice, bob, mallory;
static const struct hash32 CHAIN = {{1}};
static const struct hash32 OTHER_CHAIN = {{2}};

static void side_init(struct side *side, uint8_t seed_byte) {
    uint8_t seed[32];
    memset(seed, seed_byte, sizeof seed);
    side->key = ed25519_key_from_seed(seed);
    side->out = buffer_over(side->out_bytes, sizeof side->out_bytes);
}

static void begin(struct side *side, const struct hash32 *chain, const struct hash32 *expected) {
    side->out.size = 0;
    p2p_session_begin(&side->session, &side->key, chain, expected, &side->out);
}

/* give hands all of `from`'s output to `to`; the last result that consumed something, or the first
 * that failed. */
static enum p2p_session_result give(struct side *from, struct side *to) {
    uint8_t wire[sizeof from->out_bytes];
    const size_t size = from->out.size;
    memcpy(wire, from->out_bytes, size);
    from->out.size = 0;
    enum p2p_session_result last = P2P_SESSION_WAIT;
    for (size_t at = 0; at < size;) {
        size_t consumed = 0;
        struct p2p_record record;
        const enum p2p_session_result result =
            p2p_session_receive(&to->session, wire + at, size - at, &consumed, &record, &to->out);
        if (result >= P2P_SESSION_NOT_HELLO) return result;
        if (result == P2P_SESSION_WAIT) return last;
        last = result;
        at += consumed;
    }
    return last;
}

static void connect_both(void) {
    begin(&alice, &CHAIN, &bob.key.public_key);
    begin(&bob, &CHAIN, NULL);
    CHECK(give(&alice, &bob) == P2P_SESSION_PROGRESS);
    CHECK(give(&bob, &alice) == P2P_SESSION_ESTABLISHED);
    CHECK(give(&alice, &bob) == P2P_SESSION_ESTABLISHED);
    CHECK(hash_equal(&alice.session.peer, &bob.key.public_key));
    CHECK(hash_equal(&bob.session.peer, &alice.key.public_key));
}

static enum p2p_session_result open_one(struct side *to, uint8_t *wire, size_t size,
                                        struct p2p_record *record) {
    size_t consumed = 0;
    return p2p_session_receive(&to->session, wire, size, &consumed, record, &to->out);
}

static void test_records(void) {
    connect_both();
    uint8_t payload[P2P_RECORD_PAYLOAD_MAX];
    const size_t sizes[] = {0, 1, 100, P2P_RECORD_PAYLOAD_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memset(payload, (int)i + 1, sizeof payload);
        struct p2p_record record;
        alice.out.size = 0;
        p2p_session_seal(&alice.session, (uint8_t)(0x20 + i), (struct bytes){payload, sizes[i]},
                         &alice.out);
        CHECK(alice.out.size == sizes[i] + P2P_RECORD_OVERHEAD);
        /* A prefix is waited for. */
        CHECK(open_one(&bob, alice.out_bytes, alice.out.size - 1, &record) == P2P_SESSION_WAIT);
        CHECK(open_one(&bob, alice.out_bytes, alice.out.size, &record) == P2P_SESSION_RECORD);
        CHECK(record.kind == 0x20 + i && record.payload.size == sizes[i]);
        CHECK(sizes[i] == 0 || memcmp(record.payload.data, payload, sizes[i]) == 0);
    }
}

static void test_every_changed_bit_is_noticed(void) {
    for (size_t bit = 0; bit < 8 * (10 + P2P_RECORD_OVERHEAD); bit++) {
        connect_both();
        const uint8_t payload[10] = "0123456789";
        struct p2p_record record;
        alice.out.size = 0;
        p2p_session_seal(&alice.session, P2P_RECORD_LAST, BYTES_OF(payload), &alice.out);
        p2p_session_seal(&alice.session, P2P_RECORD_LAST, BYTES_OF(payload), &alice.out);
        alice.out_bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        const enum p2p_session_result result =
            open_one(&bob, alice.out_bytes, alice.out.size, &record);
        /* A larger size may wait for bytes that never come; the connection's silence ends it. */
        CHECK(result == P2P_SESSION_BAD_RECORD || (bit < 16 && result == P2P_SESSION_WAIT));
    }
}

static void test_replay_and_reorder(void) {
    const uint8_t payload[4] = "vote";
    uint8_t wire[64];
    struct p2p_record record;
    const size_t size = sizeof payload + P2P_RECORD_OVERHEAD;

    connect_both();
    alice.out.size = 0;
    p2p_session_seal(&alice.session, P2P_RECORD_LAST, BYTES_OF(payload), &alice.out);
    memcpy(wire, alice.out_bytes, size);
    CHECK(open_one(&bob, alice.out_bytes, size, &record) == P2P_SESSION_RECORD);
    CHECK(open_one(&bob, wire, size, &record) == P2P_SESSION_BAD_RECORD);

    connect_both();
    alice.out.size = 0;
    p2p_session_seal(&alice.session, P2P_RECORD_LAST, BYTES_OF(payload), &alice.out);
    p2p_session_seal(&alice.session, P2P_RECORD_LAST, BYTES_OF(payload), &alice.out);
    CHECK(open_one(&bob, alice.out_bytes + size, size, &record) == P2P_SESSION_BAD_RECORD);

    /* Sent back to its author. */
    connect_both();
    alice.out.size = 0;
    p2p_session_seal(&alice.session, P2P_RECORD_LAST, BYTES_OF(payload), &alice.out);
    CHECK(open_one(&alice, alice.out_bytes, size, &record) == P2P_SESSION_BAD_RECORD);
}

static void test_wrong_identities(void) {
    /* Alice calls Bob, Mallory answers. */
    begin(&alice, &CHAIN, &bob.key.public_key);
    begin(&mallory, &CHAIN, NULL);
    CHECK(give(&alice, &mallory) == P2P_SESSION_PROGRESS);
    CHECK(give(&mallory, &alice) == P2P_SESSION_BAD_AUTH);
    CHECK(alice.out.size == 0); /* and learns nothing of Alice */

    /* Mallory claims to be Bob but has another secret. */
    begin(&alice, &CHAIN, &bob.key.public_key);
    struct ed25519_key forged = mallory.key;
    forged.public_key = bob.key.public_key;
    const struct ed25519_key real = mallory.key;
    mallory.key = forged;
    begin(&mallory, &CHAIN, NULL);
    CHECK(give(&alice, &mallory) == P2P_SESSION_PROGRESS);
    CHECK(give(&mallory, &alice) == P2P_SESSION_BAD_AUTH);
    mallory.key = real;

    /* Somebody sends Alice's own words back. */
    begin(&alice, &CHAIN, &bob.key.public_key);
    mallory.out = alice.out;
    mallory.out.data = alice.out_bytes;
    memcpy(mallory.out_bytes, alice.out_bytes, alice.out.size);
    mallory.out.data = mallory.out_bytes;
    CHECK(give(&mallory, &alice) == P2P_SESSION_PROGRESS); /* the same key: anyone's secret */
    CHECK(alice.session.state == P2P_SESSION_AUTH);
    CHECK(memcmp(alice.session.sending.key, alice.session.receiving.key, 32) != 0);
    side_init(&mallory, 3);
}

/* A man in the middle replaces the X25519 keys: both sides notice by the signature. */
static void test_man_in_the_middle(void) {
    struct side *to_bob = &mallory;
    begin(&alice, &CHAIN, &bob.key.public_key);
    begin(&bob, &CHAIN, NULL);
    begin(to_bob, &CHAIN, &bob.key.public_key);
    CHECK(give(to_bob, &bob) == P2P_SESSION_PROGRESS);
    /* Bob's hello and auth are for Mallory's key; forwarding them to Alice does not help. */
    CHECK(give(&bob, &alice) == P2P_SESSION_BAD_RECORD);
}

static void test_other_chain(void) {
    begin(&alice, &CHAIN, &bob.key.public_key);
    begin(&bob, &OTHER_CHAIN, NULL);
    CHECK(give(&alice, &bob) == P2P_SESSION_PROGRESS);
    CHECK(give(&bob, &alice) == P2P_SESSION_OTHER_CHAIN);
    CHECK(hash_equal(&alice.session.peer, &bob.key.public_key));
    CHECK(give(&alice, &bob) == P2P_SESSION_OTHER_CHAIN); /* Bob learns it, too */
    CHECK(hash_equal(&bob.session.peer, &alice.key.public_key));
}

static void test_not_hello(void) {
    uint8_t http[] = "GET / HTTP/1.1\r\n\r\n";
    struct p2p_record record;
    begin(&bob, &CHAIN, NULL);
    CHECK(open_one(&bob, http, 1, &record) == P2P_SESSION_NOT_HELLO);
    begin(&bob, &CHAIN, NULL);
    begin(&alice, &CHAIN, &bob.key.public_key);
    alice.out_bytes[8] += 1; /* another version */
    CHECK(give(&alice, &bob) == P2P_SESSION_NOT_HELLO);
    /* A point of small order would make the secret known to all. */
    begin(&bob, &CHAIN, NULL);
    begin(&alice, &CHAIN, &bob.key.public_key);
    memset(alice.out_bytes + 9, 0, 32);
    CHECK(give(&alice, &bob) == P2P_SESSION_BAD_AUTH);
}

static void test_size_bounds(void) {
    connect_both();
    struct p2p_record record;
    uint8_t wire[2];
    const size_t bad[] = {0, 1, 16, P2P_RECORD_BYTES_MAX - 1, 65535};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        connect_both();
        be_write(wire, 2, bad[i]);
        CHECK(open_one(&bob, wire, 2, &record) == P2P_SESSION_BAD_RECORD);
    }
}

int main(void) {
    CHECK(ed25519_init() == ERR_OK);
    side_init(&alice, 1);
    side_init(&bob, 2);
    side_init(&mallory, 3);
    test_records();
    test_every_changed_bit_is_noticed();
    test_replay_and_reorder();
    test_wrong_identities();
    test_man_in_the_middle();
    test_other_chain();
    test_not_hello();
    test_size_bounds();
    (void)puts("p2p session: ok");
    return 0;
}
