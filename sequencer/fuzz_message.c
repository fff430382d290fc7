/* Any bytes: message_decode never crashes, and what it accepts encodes to the same bytes. */
#include <stdlib.h>

#include "base/check.h"
#include "sequencer/message.h"

/* Recovering is the curve library's business: here everybody is the same signer. */
static enum err recover(void *context, const struct hash32 *digest,
                        const struct secp_signature *signature, struct address *out) {
    (void)context;
    (void)digest;
    if (signature->r[0] == 0xff) return ERR_SIGNATURE;
    *out = (struct address){{1}};
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct message message;
    struct message_context context = {.recoverer = {NULL, recover}};
    if (message_decode(&context, (struct bytes){data, size}, &message) != VERDICT_ACCEPTED) {
        return 0;
    }
    uint8_t *memory = malloc(size + 64);
    CHECK(memory != NULL);
    struct buffer out = buffer_over(memory, size + 64);
    message_encode(&message, &out);
    CHECK(!out.overflow);
    static struct message again;
    CHECK(message_decode(&context, buffer_bytes(&out), &again) == VERDICT_ACCEPTED);
    CHECK(again.kind == message.kind);
    CHECK(again.count == message.count);
    free(memory);
    return 0;
}
