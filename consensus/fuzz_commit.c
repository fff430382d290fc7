#include "base/check.h"
#include "consensus/commit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A commit that decodes encodes to as many bytes, which are read back as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct commit commit, again;
    if (commit_decode((struct bytes){data, size}, &commit) != ERR_OK) return 0;
    static uint8_t encoded[COMMIT_BYTES_MAX], encoded_again[COMMIT_BYTES_MAX];
    struct buffer out = buffer_over(encoded, sizeof encoded);
    commit_encode(&commit, &out);
    CHECK(!out.overflow);
    CHECK(out.size == size);
    CHECK(commit_decode(buffer_bytes(&out), &again) == ERR_OK);
    struct buffer out_again = buffer_over(encoded_again, sizeof encoded_again);
    commit_encode(&again, &out_again);
    CHECK(bytes_equal(buffer_bytes(&out), buffer_bytes(&out_again)));
    return 0;
}
