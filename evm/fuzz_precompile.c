/* Any input to any precompiled contract in any fork: never a crash, never more output than there is
 * room for.  Input: two bytes for the contract, one for the fork, the contract's input. */
#include "evm/precompile.h"
#include "evm/test_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SCRATCH_BYTES ((size_t)32 << 20)
#define GAS_MAX       1000000 /* what one run may cost */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct arena scratch;
    static uint8_t *output;
    if (output == NULL) {
        scratch = arena_over(world_map(SCRATCH_BYTES), SCRATCH_BYTES);
        output = world_map(SCRATCH_BYTES);
    }
    if (size < 3) return 0;
    struct address address = {{0}};
    address.bytes[18] = data[0] & 1;
    address.bytes[19] = data[1] % 0x13;
    const struct precompile *precompile =
        precompile_find((enum fork)(data[2] % FORK_COUNT), &address);
    const struct bytes input = {data + 3, size - 3};
    if (precompile == NULL || precompile->gas(input) > GAS_MAX) return 0;
    struct buffer out = buffer_over(output, SCRATCH_BYTES);
    arena_reset(&scratch);
    (void)precompile->run(input, &scratch, &out);
    CHECK(!out.overflow);
    return 0;
}
