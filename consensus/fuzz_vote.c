#include "base/check.h"
#include "consensus/signing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What decodes encodes back to the same bytes, but for v, of which two spellings are read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct vote vote, again;
    if (vote_decode((struct bytes){data, size}, &vote) != ERR_OK) return 0;
    uint8_t encoded[VOTE_BYTES_MAX];
    struct buffer out = buffer_over(encoded, sizeof encoded);
    vote_encode(&vote, &out);
    CHECK(!out.overflow);
    CHECK(out.size == size);
    CHECK(memcmp(encoded, data, size - 1) == 0);
    CHECK(vote_decode(buffer_bytes(&out), &again) == ERR_OK);
    return 0;
}
