/* Records: foreign bytes never open, and what was sealed opens, whatever its content. */
#include <stdlib.h>

#include "p2p/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct p2p_cipher opening = {.key = {9}};
    struct p2p_cipher sealing = opening;
    size_t consumed = 0;
    struct p2p_record record;
    uint8_t *copy = malloc(size + 1);
    CHECK(copy != NULL);
    if (size > 0) memcpy(copy, data, size);
    CHECK(p2p_record_open(&opening, copy, size, &consumed, &record) != ERR_OK);
    CHECK(opening.counter == 0);
    free(copy);

    static uint8_t wire[P2P_RECORD_BYTES_MAX];
    const struct bytes payload = bytes_slice((struct bytes){data, size}, 0, P2P_RECORD_PAYLOAD_MAX);
    struct buffer out = buffer_over(wire, sizeof wire);
    p2p_record_seal(&sealing, P2P_RECORD_LAST, payload, &out);
    CHECK(p2p_record_open(&opening, wire, out.size, &consumed, &record) == ERR_OK);
    CHECK(consumed == out.size && record.kind == P2P_RECORD_LAST);
    CHECK(bytes_equal(record.payload, payload));
    return 0;
}
