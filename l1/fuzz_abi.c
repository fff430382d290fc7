/* The contracts' results as hostile bytes: whatever is accepted encodes to the same bytes again. */
#include <stdlib.h>

#include "base/check.h"
#include "l1/abi.h"

#define WORD 32

static void word(struct buffer *out, uint64_t value) {
    uint8_t bytes[WORD] = {0};
    be_write(bytes + WORD - 8, 8, value);
    buffer_append(out, BYTES_OF(bytes));
}

static void padded_address(struct buffer *out, const struct address *address) {
    uint8_t bytes[WORD] = {0};
    memcpy(bytes + WORD - 20, address->bytes, 20);
    buffer_append(out, BYTES_OF(bytes));
}

static size_t padded(size_t size) {
    return (size + WORD - 1) / WORD * WORD;
}

static void encode_set(struct buffer *out, const struct l1_view *view) {
    uint64_t total = 0;
    for (size_t i = 0; i < view->validators_count; i++)
        total += view->validators[i].power;
    word(out, view->epoch);
    word(out, total);
    word(out, 3 * WORD);
    word(out, view->validators_count);
    size_t offset = view->validators_count * (size_t)WORD;
    for (size_t i = 0; i < view->validators_count; i++) {
        word(out, offset);
        offset += 5 * WORD + padded(strlen(view->validators[i].endpoint));
    }
    for (size_t i = 0; i < view->validators_count; i++) {
        const struct l1_validator *validator = &view->validators[i];
        const size_t size = strlen(validator->endpoint);
        uint8_t text[VALIDATOR_ENDPOINT_BYTES_MAX + WORD] = {0};
        memcpy(text, validator->endpoint, size);
        padded_address(out, &validator->address);
        buffer_append(out, BYTES_OF(validator->peer_id.bytes));
        word(out, validator->power);
        word(out, 4 * WORD);
        word(out, size);
        buffer_append(out, (struct bytes){text, padded(size)});
    }
}

static bool has_replaced(const struct l1_view *view) {
    for (size_t i = 0; i < view->validators_count; i++) {
        if (strchr(view->validators[i].endpoint, '?') != NULL) return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct l1_view view;
    static struct l1_pending rows[L1_PENDING_MAX];
    static uint8_t memory[1 << 20];
    uint8_t *copy = malloc(size + 1);
    CHECK(copy != NULL);
    if (size > 0) memcpy(copy, data, size);
    const struct bytes in = {copy, size};
    if (l1_abi_validator_set(in, &view) == ERR_OK && !has_replaced(&view)) {
        struct buffer out = buffer_over(memory, sizeof memory);
        encode_set(&out, &view);
        CHECK(bytes_equal(buffer_bytes(&out), in));
    }
    size_t count = 0;
    if (l1_abi_pending(in, rows, L1_PENDING_MAX, &count) == ERR_OK) {
        struct buffer out = buffer_over(memory, sizeof memory);
        word(&out, WORD);
        word(&out, count);
        for (size_t i = 0; i < count; i++) {
            word(&out, rows[i].id);
            padded_address(&out, &rows[i].sender);
            buffer_append(&out, BYTES_OF(rows[i].tx_hash.bytes));
            word(&out, rows[i].l1_block);
            word(&out, rows[i].deadline_l1_block);
        }
        CHECK(bytes_equal(buffer_bytes(&out), in));
    }
    struct bytes raw;
    struct hash32 hash;
    if (l1_abi_forced(in, &raw, &hash) == ERR_OK) CHECK(raw.size <= L1_RAW_BYTES_MAX);
    (void)!l1_abi_settled(in, &view);
    free(copy);
    return 0;
}
