/* Whatever transaction_decode accepts encodes to the same bytes and recovers without a crash. */
#include "base/check.h"
#include "chain/transaction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t memory[1 << 20], encoded[1 << 20];
    struct arena arena = arena_over(memory, sizeof memory);
    struct transaction transaction;
    const struct bytes in = {data, size};
    if (transaction_decode(in, &arena, &transaction) != VERDICT_ACCEPTED) return 0;
    struct buffer out = buffer_over(encoded, sizeof encoded);
    transaction_encode(&transaction, &out);
    CHECK(bytes_equal(buffer_bytes(&out), in));
    const enum verdict verdict = transaction_recover(&transaction);
    CHECK(transaction.has_sender == (verdict == VERDICT_ACCEPTED));
    for (size_t i = 0; i < transaction.authorizations_count; i++) {
        struct address signer;
        const enum err err = authorization_recover(&transaction.authorizations[i], &signer);
        CHECK(err == ERR_OK || err == ERR_SIGNATURE);
    }
    return 0;
}
