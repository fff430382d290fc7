/* ecrecover, SHA-256, RIPEMD-160, identity (Yellow Paper, appendix E). */
#include "base/merkle.h"
#include "base/secp.h"
#include "evm/precompile.h"
#include "evm/ripemd160.h"

uint64_t ecrecover_gas(struct bytes input) {
    (void)input;
    return 3000;
}

/* An input that nobody can have signed gives empty output, not failure. */
bool ecrecover_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    uint8_t in[128];
    precompile_padded(input, 0, in, sizeof in);
    static const uint8_t zeros[31];
    if (memcmp(in + 32, zeros, sizeof zeros) != 0 || (in[63] != 27 && in[63] != 28)) return true;
    struct hash32 digest;
    struct secp_signature signature = {.y_parity = (uint8_t)(in[63] - 27)};
    memcpy(digest.bytes, in, 32);
    memcpy(signature.r, in + 64, 32);
    memcpy(signature.s, in + 96, 32);
    struct address address;
    if (secp_recover(&digest, &signature, &address) != ERR_OK) return true;
    buffer_append(out, (struct bytes){zeros, 12});
    buffer_append(out, address_bytes(&address));
    return true;
}

uint64_t sha256_gas(struct bytes input) {
    return precompile_word_gas(input, 60, 12);
}
bool sha256_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    const struct hash32 hash = sha256(input);
    buffer_append(out, hash_bytes(&hash));
    return true;
}

uint64_t ripemd160_gas(struct bytes input) {
    return precompile_word_gas(input, 600, 120);
}
bool ripemd160_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    uint8_t word[32] = {0};
    ripemd160(input, word + 12);
    buffer_append(out, BYTES_OF(word));
    return true;
}

uint64_t identity_gas(struct bytes input) {
    return precompile_word_gas(input, 15, 3);
}
bool identity_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    buffer_append(out, input);
    return true;
}
