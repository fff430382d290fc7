/* Answers of a hostile DA node: every reader takes any bytes.  The input is a result (first byte
 * even) or a whole body. */
#include <stdlib.h>

#include "base/check.h"
#include "da/answer.h"

static enum err visit(void *context, struct bytes blob) {
    size_t *sum = context;
    for (size_t i = 0; i < blob.size; i++)
        *sum += blob.data[i];
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t memory[1 << 16];
    static uint8_t text[1 << 16];
    static const struct da_namespace ns = {{[28] = 1}};
    static const struct hash32 commitment = {{1}};
    if (size == 0) return 0;
    struct buffer whole = buffer_over(text, sizeof text);
    const bool is_result = data[0] % 2 == 0;
    if (is_result) buffer_append(&whole, BYTES_STRING("{\"id\":1,\"result\":"));
    buffer_append(&whole, (struct bytes){data + 1, size - 1});
    if (is_result) buffer_append(&whole, BYTES_STRING("}"));
    if (whole.overflow) return 0;
    const struct bytes body = buffer_bytes(&whole);
    char error[DA_ERROR_BYTES];
    uint64_t height = 0;
    size_t sum = 0;
    struct buffer out = buffer_over(memory, sizeof memory);
    (void)!da_answer_submit(body, 1, &height, error);
    (void)!da_answer_head(body, 1, &height, error);
    /* A wrong commitment never passes. */
    CHECK(da_answer_blob(body, 1, &ns, &commitment, &out, error) != ERR_OK);
    CHECK(out.size == 0);
    (void)!da_answer_blobs(body, 1, &ns, &out, &sum, visit, error);
    return 0;
}
