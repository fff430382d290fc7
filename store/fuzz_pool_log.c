/* Foreign bytes as the records of a pool's log: views stay inside, and each step goes on. */
#include "store/pool_log.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes rest = {data, size}, encoded;
    uint8_t kind;
    while (rest.size > 0) {
        const struct bytes before = rest;
        if (!pool_log_next(&rest, &kind, &encoded)) {
            CHECK(rest.data == before.data && rest.size == before.size);
            break;
        }
        CHECK(rest.size < before.size);
        CHECK(encoded.data >= before.data && encoded.data + encoded.size == rest.data);
        CHECK(rest.data + rest.size == data + size);
        CHECK(encoded.size == 0 || encoded.data[-1] == kind);
    }
    return 0;
}
