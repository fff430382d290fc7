/* Foreign bytes against both sides of a handshake, in pieces; the fuzzer cannot get past it. */
#include <stdlib.h>

#include "p2p/session.h"

static void run(bool is_initiator, const uint8_t *data, size_t size) {
    static const uint8_t seed[32] = {1};
    static const struct hash32 digest = {{2}};
    static const struct hash32 expected = {{3}};
    const struct ed25519_key key = ed25519_key_from_seed(seed);
    uint8_t out_bytes[2 * P2P_HANDSHAKE_BYTES_MAX];
    struct buffer out = buffer_over(out_bytes, sizeof out_bytes);
    struct p2p_session session;
    p2p_session_begin(&session, &key, &digest, is_initiator ? &expected : NULL, &out);
    uint8_t *copy = malloc(size + 1); /* exact bounds for the address sanitizer */
    CHECK(copy != NULL);
    memcpy(copy, data, size);
    for (size_t at = 0; at < size;) {
        size_t consumed = 0;
        struct p2p_record record;
        const enum p2p_session_result result =
            p2p_session_receive(&session, copy + at, size - at, &consumed, &record, &out);
        CHECK(!out.overflow);
        CHECK(consumed <= size - at);
        CHECK(session.state != P2P_SESSION_OPEN);
        if (result != P2P_SESSION_PROGRESS) break;
        at += consumed;
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CHECK(ed25519_init() == ERR_OK);
    run(true, data, size);
    run(false, data, size);
    return 0;
}
