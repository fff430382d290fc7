/* What getValidatorInfo gives back, and what it may not. */
#include "l1/stake.h"

#include <stdio.h>

#include "base/check.h"

int main(void) {
    uint8_t data[32 * 10] = {0};
    struct l1_stake stake;
    data[31] = 32;      /* where the struct begins */
    data[63] = 2;       /* Jailed */
    data[64] = 0xaa;    /* peer id */
    data[127] = 7 * 32; /* endpoint */
    data[128 + 30] = 3; /* stake 0x300 */
    CHECK(l1_stake_decode(BYTES_OF(data), &stake) == ERR_OK);
    const struct u256 expected = u256_from_u64(0x300);
    CHECK(stake.status == L1_STAKE_JAILED && stake.peer_id.bytes[0] == 0xaa);
    CHECK(u256_compare(&stake.stake, &expected) == 0);
    for (size_t size = 0; size < 160; size++)
        CHECK(l1_stake_decode((struct bytes){data, size}, &stake) == ERR_TRUNCATED);
    data[63] = 4;
    CHECK(l1_stake_decode(BYTES_OF(data), &stake) == ERR_ENCODING);
    data[63] = 1;
    data[31] = 64;
    CHECK(l1_stake_decode(BYTES_OF(data), &stake) == ERR_ENCODING);
    puts("ok");
    return 0;
}
