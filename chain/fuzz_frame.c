/* Whatever frame_decode accepts encodes to the same bytes, within FRAME_BYTES_MAX. */
#include "base/check.h"
#include "chain/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct frame frame;
    if (frame_decode((struct bytes){data, size}, &frame) != ERR_OK) return 0;
    uint8_t memory[FRAME_BYTES_MAX];
    struct buffer out = buffer_over(memory, sizeof memory);
    frame_encode(&frame, &out);
    CHECK(bytes_equal(buffer_bytes(&out), (struct bytes){data, size}));
    return 0;
}
