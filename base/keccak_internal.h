#pragma once
/* Keccak-f[1600] by instruction set.  keccak.c asks the processor and picks; the rest of base sees
 * only keccak.h. */
#include <stdbool.h>
#include <stdint.h>

#define KECCAK_LANES      25
#define KECCAK_RATE_BYTES 136
#define KECCAK_RATE_LANES 17
#define KECCAK_WAYS       8 /* states that keccak_absorb_eight works on at once */

/* Keccak's iota constants (FIPS 202, section 3.2.5). */
extern const uint64_t keccak_round_constants[24];

/* keccak_permute_general permutes one state in the general registers, on any processor. */
void keccak_permute_general(uint64_t state[KECCAK_LANES]);

/* keccak_has_avx512 says whether the two functions below may be called here. */
static inline bool keccak_has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
}

/* keccak_permute_avx512 permutes one state in vector registers. */
void keccak_permute_avx512(uint64_t state[KECCAK_LANES]);

/* keccak_absorb_eight mixes blocks[k] into state k and permutes, for eight states that lie lane by
 * lane: lane i of state k is states[i][k].  The states whose bits are set in `fresh` start from
 * zero. Each block is KECCAK_RATE_BYTES. */
void keccak_absorb_eight(uint64_t states[KECCAK_LANES][KECCAK_WAYS],
                         const uint8_t *const blocks[KECCAK_WAYS], uint8_t fresh);
