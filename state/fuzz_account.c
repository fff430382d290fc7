/* Foreign bytes as an account: what is accepted is canonical. */
#include "base/check.h"
#include "state/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct account account;
    if (account_decode((struct bytes){data, size}, &account) != ERR_OK) return 0;
    uint8_t room[128];
    struct buffer out = buffer_over(room, sizeof room);
    account_encode(&account, &out);
    CHECK(bytes_equal(buffer_bytes(&out), (struct bytes){data, size}));
    return 0;
}
