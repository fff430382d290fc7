/* The call's data against what `cast calldata` prints for the same arguments. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/hex.h"
#include "l1/slash.h"

static const char EXPECTED[] = "0x08eeaac3"
                               "0000000000000000000000000000000000000000000000000000000000000001"
                               "0000000000000000000000000000000000000000000000000000000000000005"
                               "0000000000000000000000000000000000000000000000000000000000000002"
                               "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                               "0000000000000000000000000000000000000000000000000000000000000180"
                               "0000000000000000000000000000000000000000000000000000000000000001"
                               "0000000000000000000000000000000000000000000000000000000000000005"
                               "0000000000000000000000000000000000000000000000000000000000000002"
                               "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                               "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
                               "0000000000000000000000000000000000000000000000000000000000000200"
                               "0000000000000000000000000000000000000000000000000000000000000041"
                               "1111111111111111111111111111111111111111111111111111111111111111"
                               "1111111111111111111111111111111111111111111111111111111111111111"
                               "1b00000000000000000000000000000000000000000000000000000000000000"
                               "0000000000000000000000000000000000000000000000000000000000000041"
                               "2222222222222222222222222222222222222222222222222222222222222222"
                               "2222222222222222222222222222222222222222222222222222222222222222"
                               "1c00000000000000000000000000000000000000000000000000000000000000";

static struct l1_vote vote(uint8_t block, uint8_t signature, uint8_t y_parity) {
    struct l1_vote made = {.kind = 1, .height = 5, .round = 2, .valid_round = -1};
    memset(made.block.bytes, block, sizeof made.block.bytes);
    memset(made.signature.r, signature, sizeof made.signature.r);
    memset(made.signature.s, signature, sizeof made.signature.s);
    made.signature.y_parity = y_parity;
    return made;
}

int main(void) {
    uint8_t memory[L1_SLASH_BYTES];
    char text[2 * L1_SLASH_BYTES + 3];
    struct buffer out = buffer_over(memory, sizeof memory);
    const struct l1_vote a = vote(0xaa, 0x11, 0), b = vote(0xbb, 0x22, 1);
    l1_slash_encode(&a, &b, &out);
    CHECK(!out.overflow && out.size == L1_SLASH_BYTES);
    CHECK(strcmp(hex_string(buffer_bytes(&out), text), EXPECTED) == 0);
    puts("l1 slash: ok");
    return 0;
}
