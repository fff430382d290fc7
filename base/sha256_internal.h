#pragma once
/* SHA-256's compression by instruction set.  sha256.c asks the processor and picks; the rest of
 * base sees only merkle.h. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BLOCK_BYTES 64

/* FIPS 180-4, section 4.2.2. */
extern const uint32_t sha256_round_constants[64];

/* sha256_compress_general folds `count` blocks into the state, on any processor. */
void sha256_compress_general(uint32_t state[8], const uint8_t *blocks, size_t count);

/* sha256_has_ni says whether sha256_compress_ni may be called here.  (clang's builtin does not know
 * the name of these extensions before version 16.) */
static inline bool sha256_has_ni(void) {
#if defined(__clang__) && __clang_major__ < 16
    return false;
#else
    return __builtin_cpu_supports("sha");
#endif
}

/* sha256_compress_ni does the same with the processor's SHA extensions. */
void sha256_compress_ni(uint32_t state[8], const uint8_t *blocks, size_t count);
