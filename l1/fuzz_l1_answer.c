/* Answers of a hostile L1 endpoint: every reader takes any JSON.  The input is a result (first byte
 * even) or a whole body. */
#include <stdlib.h>

#include "base/check.h"
#include "l1/answer.h"

static void read_all(const struct json_t *result) {
    static uint8_t memory[1 << 16];
    static const struct address address = {{1}};
    static const struct hash32 topics[2] = {{{2}}, {{3}}};
    struct buffer out = buffer_over(memory, sizeof memory);
    struct l1_block block;
    struct l1_receipt receipt;
    struct u256 word;
    uint64_t number;
    (void)!l1_answer_u64(result, &number);
    (void)!l1_answer_u256(result, &word);
    (void)!l1_answer_data(result, &out);
    (void)!l1_answer_block(result, &block);
    (void)!l1_answer_receipt(result, &receipt);
    (void)!l1_answer_log(result, &address, topics, 2, &out);
    CHECK(out.size <= out.capacity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t memory[1 << 16];
    struct buffer body = buffer_over(memory, sizeof memory);
    if (size == 0) return 0;
    const bool is_result = data[0] % 2 == 0;
    if (is_result) buffer_append(&body, BYTES_STRING("[{\"id\":7,\"result\":"));
    buffer_append(&body, (struct bytes){data + 1, size - 1});
    if (is_result) buffer_append(&body, BYTES_STRING("}]"));
    if (body.overflow) return 0;
    struct json_t *root = NULL;
    const struct json_t *result = NULL;
    char error[L1_ERROR_BYTES];
    if (l1_answers_open(buffer_bytes(&body), &root) != ERR_OK) return 0;
    if (l1_answer_find(root, 7, &result, error) == ERR_OK) read_all(result);
    l1_answers_close(root);
    return 0;
}
