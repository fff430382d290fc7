#include "l1/slash.h"

#include "chain/typed_data.h"

/* Both votes inline (five words each) and an offset for each signature. */
#define HEAD_BYTES (12 * ABI_WORD_BYTES)
/* A length and 65 bytes, padded to whole words. */
#define TAIL_BYTES (4 * ABI_WORD_BYTES)

static void write_vote(struct buffer *out, const struct l1_vote *vote) {
    abi_word_u64(out, vote->kind);
    abi_word_u64(out, vote->height);
    abi_word_u64(out, vote->round);
    abi_word_i32(out, vote->valid_round);
    abi_word_hash(out, &vote->block);
}

static void write_signature(struct buffer *out, const struct secp_signature *signature) {
    uint8_t bytes[TAIL_BYTES - ABI_WORD_BYTES] = {0};
    secp_signature_write(signature, bytes);
    abi_word_u64(out, SECP_SIGNATURE_BYTES);
    buffer_append(out, BYTES_OF(bytes));
}

void l1_slash_encode(const struct l1_vote *a, const struct l1_vote *b, struct buffer *out) {
    buffer_append_be(out, 4, 0x08eeaac3);
    write_vote(out, a);
    abi_word_u64(out, HEAD_BYTES);
    write_vote(out, b);
    abi_word_u64(out, HEAD_BYTES + TAIL_BYTES);
    write_signature(out, &a->signature);
    write_signature(out, &b->signature);
}
