/* Frames: the round trip, and that only one canonical encoding of version 1 is a frame. */
#include "chain/frame.h"

#include "base/check.h"
#include "base/keccak.h"

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

int main(void) {
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
