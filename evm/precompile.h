#pragma once
/* Precompiled contracts: which address does what, since which fork, at which price.
 *
 * One table (precompile.c) names every contract; a later line for the same address replaces the
 * earlier from its fork on.  Each contract is a pair of pure functions.  To add one: its functions
 * in a precompile_x.c, its line in the table.  Internal to evm/. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "chain/fork.h"

struct precompile {
    uint16_t address; /* the low bytes; all others are zero */
    enum fork first;
    const char *name;
    /* What the input costs; UINT64_MAX when it can never be paid. */
    uint64_t (*gas)(struct bytes input);
    /* Runs on an input that is paid for.  false: the input is invalid, the call fails.  `out` has
     * room for PRECOMPILE_OUTPUT_BYTES_MAX or the input's size, whichever is more; scratch is
     * empty. */
    bool (*run)(struct bytes input, struct arena *scratch, struct buffer *out);
};

#define PRECOMPILE_OUTPUT_BYTES_MAX 1024

/* precompile_find returns the contract at `address` in `fork`, NULL when there is none. */
const struct precompile *precompile_find(enum fork fork, const struct address *address);

/* precompile_word_gas is base + per_word for every started 32 bytes of input. */
static inline uint64_t precompile_word_gas(struct bytes input, uint64_t base, uint64_t per_word) {
    return base + (input.size + 31) / 32 * per_word;
}

/* precompile_padded copies [offset, offset + size) of the input, zeros beyond its end. */
void precompile_padded(struct bytes input, size_t offset, uint8_t *out, size_t size);

#define PRECOMPILE(name)                                                                           \
    uint64_t name##_gas(struct bytes input);                                                       \
    bool name##_run(struct bytes input, struct arena *scratch, struct buffer *out);
PRECOMPILE(ecrecover)
PRECOMPILE(sha256_precompile)
PRECOMPILE(ripemd160)
PRECOMPILE(identity)
#undef PRECOMPILE
