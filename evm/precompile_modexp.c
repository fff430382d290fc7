/* Modular exponentiation (EIP-198; prices EIP-198, EIP-2565, EIP-7883; bounds EIP-7823), on GMP's
 * low-level functions over memory from the arena.
 *
 * Odd moduli are worked in Montgomery form; an even modulus m = 2^k q is split: the power modulo q
 * by Montgomery, the power modulo 2^k by cutting off, joined by the Chinese remainder theorem (C.
 * K. Koc, "Montgomery reduction with even modulus", 1994). */
#include <gmp.h>
#include <string.h>

#include "base/u256.h"
#include "evm/modexp.h"
#include "evm/precompile.h"

#define HEAD_BYTES     96
#define LENGTH_PAYABLE ((uint64_t)1 << 32) /* longer operands cost more than any gas limit */

struct lengths {
    uint64_t base, exponent, modulus; /* bytes; UINT64_MAX stands for anything larger */
};

static struct lengths lengths_read(struct bytes input) {
    uint8_t head[HEAD_BYTES];
    precompile_padded(input, 0, head, sizeof head);
    struct u256 words[3];
    for (size_t i = 0; i < 3; i++)
        words[i] = u256_from_be((struct bytes){head + 32 * i, 32});
    return (struct lengths){u256_to_u64_saturated(&words[0]), u256_to_u64_saturated(&words[1]),
                            u256_to_u64_saturated(&words[2])};
}

/* tail views the input from `offset` bytes behind the lengths. */
static struct bytes tail(struct bytes input, uint64_t offset) {
    if (input.size <= HEAD_BYTES || offset > input.size - HEAD_BYTES) return BYTES_EMPTY;
    return bytes_slice(input, HEAD_BYTES + offset, input.size);
}

/* iterations is EIP-198's adjusted exponent length, with `per_byte` for bytes beyond 32. */
static unsigned __int128 iterations(struct bytes input, const struct lengths *lengths,
                                    uint64_t per_byte) {
    uint8_t head[32];
    const uint64_t size = lengths->exponent < 32 ? lengths->exponent : 32;
    precompile_padded(tail(input, lengths->base), 0, head, size);
    const struct u256 number = u256_from_be((struct bytes){head, size});
    const unsigned bits = u256_bits(&number);
    unsigned __int128 count = bits > 0 ? bits - 1 : 0;
    if (lengths->exponent > 32) {
        count += (unsigned __int128)per_byte * (lengths->exponent - 32);
    }
    return count > 0 ? count : 1;
}

static uint64_t longest(const struct lengths *lengths) {
    return lengths->base > lengths->modulus ? lengths->base : lengths->modulus;
}

static uint64_t saturate(unsigned __int128 gas) {
    return gas > UINT64_MAX ? UINT64_MAX : (uint64_t)gas;
}

uint64_t modexp_byzantium_gas(struct bytes input) {
    const struct lengths lengths = lengths_read(input);
    const uint64_t x = longest(&lengths);
    if (x > LENGTH_PAYABLE) return UINT64_MAX;
    uint64_t complexity = x * x;
    if (x > 1024) {
        complexity = x * x / 16 + 480 * x - 199680;
    } else if (x > 64) {
        complexity = x * x / 4 + 96 * x - 3072;
    }
    return saturate(complexity * iterations(input, &lengths, 8) / 20);
}

uint64_t modexp_berlin_gas(struct bytes input) {
    const struct lengths lengths = lengths_read(input);
    if (longest(&lengths) > LENGTH_PAYABLE) return UINT64_MAX;
    const uint64_t words = (longest(&lengths) + 7) / 8;
    const uint64_t gas = saturate(words * words * iterations(input, &lengths, 8) / 3);
    return gas > 200 ? gas : 200;
}

uint64_t modexp_osaka_gas(struct bytes input) {
    const struct lengths lengths = lengths_read(input);
    if (longest(&lengths) > LENGTH_PAYABLE) return UINT64_MAX;
    const uint64_t words = (longest(&lengths) + 7) / 8;
    const uint64_t complexity = longest(&lengths) > 32 ? 2 * words * words : 16;
    const uint64_t gas = saturate(complexity * iterations(input, &lengths, 16));
    return gas > 500 ? gas : 500;
}

/* operand copies `size` bytes at `offset` into limbs, the least significant first. */
static struct modexp_number operand(struct bytes input, uint64_t offset, uint64_t size,
                                    struct arena *scratch) {
    const size_t count = size / 8 + 1;
    struct modexp_number out = {arena_array(scratch, count, sizeof(uint64_t)), count};
    if (out.limbs == NULL) return out;
    const struct bytes there = bytes_slice(tail(input, offset), 0, size);
    for (size_t i = 0; i < there.size; i++) {
        const uint64_t place = size - 1 - i; /* from the least significant byte */
        out.limbs[place / 8] |= (uint64_t)there.data[i] << (8 * (place % 8));
    }
    while (out.count > 0 && out.limbs[out.count - 1] == 0)
        out.count--;
    return out;
}

bool modexp_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    const struct lengths lengths = lengths_read(input);
    if (lengths.modulus == 0) return true;
    const uint64_t size = lengths.modulus;
    uint8_t *result = buffer_reserve(out, size);
    if (result == NULL) return false;
    memset(result, 0, size);
    const struct modexp_number base = operand(input, 0, lengths.base, scratch);
    const struct modexp_number modulus =
        operand(input, lengths.base + lengths.exponent, size, scratch);
    const struct bytes exponent_there = bytes_slice(tail(input, lengths.base), 0, lengths.exponent);
    uint64_t *power = arena_array(scratch, modulus.count + 1, sizeof *power);
    if (base.limbs == NULL || modulus.limbs == NULL || power == NULL) {
        return precompile_no_room(out);
    }
    if (modulus.count == 0) return true;
    const struct modexp_exponent exponent = {exponent_there, lengths.exponent};
    if (!modexp_power(&base, &exponent, &modulus, scratch, power)) return precompile_no_room(out);
    for (size_t i = 0; i < size && i / 8 < modulus.count; i++)
        result[size - 1 - i] = (uint8_t)(power[i / 8] >> (8 * (i % 8)));
    return true;
}

bool modexp_osaka_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    const struct lengths lengths = lengths_read(input);
    const uint64_t most = 1024; /* EIP-7823 */
    if (lengths.base > most || lengths.exponent > most || lengths.modulus > most) return false;
    return modexp_run(input, scratch, out);
}
