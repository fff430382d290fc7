/* Frames: the round trip, and that only one canonical encoding of version 1 is a frame. */
#include "chain/frame.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"

static struct frame example(void) {
    struct frame frame = {.version = FRAME_VERSION,
                          .height = 1234567,
                          .round = 3,
                          .proposer = {{0xaa, 0xbb}},
                          .time_ms = 1700000000123,
                          .l1_number = 21000000,
                          .workload_roots_count = 2};
    frame.l1_hash = keccak256(BYTES_STRING("l1"));
    frame.validators_hash = keccak256(BYTES_STRING("validators"));
    frame.next_validators_hash = keccak256(BYTES_STRING("next"));
    frame.last_commit_hash = keccak256(BYTES_STRING("commit"));
    frame.items_root = keccak256(BYTES_STRING("items"));
    frame.workload_roots[0] = keccak256(BYTES_STRING("evm"));
    return frame;
}

/* spliced puts `middle` in place of bytes [from, to) of the frame's list. */
static struct bytes spliced(const struct frame *frame, size_t from, size_t to,
                            struct bytes middle) {
    static uint8_t memory[2 * FRAME_BYTES_MAX];
    uint8_t encoded[FRAME_BYTES_MAX];
    struct buffer whole = buffer_over(encoded, sizeof encoded);
    frame_encode(frame, &whole);
    struct bytes in = buffer_bytes(&whole), fields;
    CHECK(rlp_read_list(&in, &fields) == ERR_OK);
    if (from > fields.size) from = to = fields.size;
    struct buffer out = buffer_over(memory, sizeof memory);
    const size_t list = rlp_list_begin(&out);
    buffer_append(&out, bytes_slice(fields, 0, from));
    buffer_append(&out, middle);
    buffer_append(&out, bytes_slice(fields, to, fields.size));
    rlp_list_end(&out, list);
    CHECK(!out.overflow);
    return buffer_bytes(&out);
}

/* A round has 32 bits, and nothing comes after the last field. */
static void test_refusals(void) {
    const struct frame frame = example();
    const size_t round_at = 1 + 4; /* behind the version and a height of three bytes */
    struct frame read;
    CHECK(frame_decode(spliced(&frame, round_at, round_at + 1, BYTES_STRING("\x04")), &read) ==
          ERR_OK);
    CHECK(read.round == 4);
    const struct bytes large = BYTES_STRING("\x85\x01\x00\x00\x00\x04");
    CHECK(frame_decode(spliced(&frame, round_at, round_at + 1, large), &read) == ERR_ENCODING);
    CHECK(frame_decode(spliced(&frame, SIZE_MAX, 0, BYTES_STRING("\x01")), &read) == ERR_ENCODING);
}

int main(void) {
    test_refusals();
    struct frame frame = example(), read;
    uint8_t memory[FRAME_BYTES_MAX];
    struct buffer out = buffer_over(memory, sizeof memory - 1);
    frame_encode(&frame, &out);
    CHECK(!out.overflow);
    CHECK(frame_decode(buffer_bytes(&out), &read) == ERR_OK);
    CHECK(read.height == frame.height && read.round == 3 && read.time_ms == frame.time_ms);
    CHECK(read.workload_roots_count == 2);
    const struct hash32 first = frame_hash(&frame), second = frame_hash(&read);
    CHECK(hash_equal(&first, &second));
    const struct hash32 bytes_hash = keccak256(buffer_bytes(&out));
    CHECK(hash_equal(&first, &bytes_hash));

    for (size_t size = 0; size < out.size; size++) {
        CHECK(frame_decode((struct bytes){memory, size}, &read) == ERR_ENCODING);
    }
    memory[out.size] = 0x80;
    CHECK(frame_decode((struct bytes){memory, out.size + 1}, &read) == ERR_ENCODING);

    frame.version = FRAME_VERSION + 1;
    out.size = 0;
    frame_encode(&frame, &out);
    CHECK(frame_decode(buffer_bytes(&out), &read) == ERR_ENCODING);

    frame = example(); /* the longest frame fits FRAME_BYTES_MAX */
    frame.workload_roots_count = FRAME_WORKLOADS_MAX;
    frame.height = frame.time_ms = frame.l1_number = UINT64_MAX;
    frame.round = UINT32_MAX;
    out = buffer_over(memory, sizeof memory);
    frame_encode(&frame, &out);
    CHECK(!out.overflow);
    CHECK(frame_decode(buffer_bytes(&out), &read) == ERR_OK);
    return 0;
}
