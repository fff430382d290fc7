#include "base/check.h"
#include "consensus/commit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A commit that decodes encodes to as many bytes, and reads back the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct commit commit, again;
    if (commit_decode((struct bytes){data, size}, &commit) != ERR_OK) return 0;
    static uint8_t encoded[COMMIT_BYTES_MAX];
    struct buffer out = buffer_over(encoded, sizeof encoded);
    commit_encode(&commit, &out);
    CHECK(!out.overflow);
    CHECK(out.size == size);
    CHECK(commit_decode(buffer_bytes(&out), &again) == ERR_OK);
    CHECK(again.signatures_count == commit.signatures_count);
    const struct hash32 a = commit_hash(&commit), b = commit_hash(&again);
    CHECK(hash_equal(&a, &b));
    return 0;
}
