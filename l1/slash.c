#include "l1/slash.h"

#define WORD_BYTES 32
/* Both votes inline (five words each) and an offset for each signature. */
#define HEAD_BYTES (12 * WORD_BYTES)
/* A length and 65 bytes, padded to whole words. */
#define TAIL_BYTES (4 * WORD_BYTES)

static void write_word(struct buffer *out, uint64_t value) {
    buffer_append_be(out, 8, 0);
    buffer_append_be(out, 8, 0);
    buffer_append_be(out, 8, 0);
    buffer_append_be(out, 8, value);
}

/* write_signed writes an int32 as the ABI does: sign-extended over the whole word. */
static void write_signed(struct buffer *out, int32_t value) {
    const uint64_t sign = value < 0 ? UINT64_MAX : 0;
    for (int i = 0; i < 3; i++)
        buffer_append_be(out, 8, sign);
    buffer_append_be(out, 8, (uint64_t)(int64_t)value);
}

static void write_vote(struct buffer *out, const struct l1_vote *vote) {
    write_word(out, vote->kind);
    write_word(out, vote->height);
    write_word(out, vote->round);
    write_signed(out, vote->valid_round);
    buffer_append(out, hash_bytes(&vote->block));
}

static void write_signature(struct buffer *out, const struct secp_signature *signature) {
    uint8_t bytes[TAIL_BYTES - WORD_BYTES] = {0};
    secp_signature_write(signature, bytes);
    write_word(out, SECP_SIGNATURE_BYTES);
    buffer_append(out, BYTES_OF(bytes));
}

void l1_slash_encode(const struct l1_vote *a, const struct l1_vote *b, struct buffer *out) {
    buffer_append_be(out, 4, 0x08eeaac3);
    write_vote(out, a);
    write_word(out, HEAD_BYTES);
    write_vote(out, b);
    write_word(out, HEAD_BYTES + TAIL_BYTES);
    write_signature(out, &a->signature);
    write_signature(out, &b->signature);
}
