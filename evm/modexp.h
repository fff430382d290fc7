#pragma once
/* b^e mod m on limbs, for the precompiled contract.  Internal to evm/. */
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"

struct modexp_number {
    uint64_t *limbs; /* least significant first */
    size_t count;    /* without leading zeros; 0 for zero */
};

/* Big-endian digits of which those past `there` are zero. */
struct modexp_exponent {
    struct bytes there;
    uint64_t size; /* bytes, at least there.size */
};

/* modexp_power writes modulus->count limbs; modulus is not zero.  false: scratch is too small. */
bool modexp_power(const struct modexp_number *base, const struct modexp_exponent *exponent,
                  const struct modexp_number *modulus, struct arena *scratch, uint64_t *out);
