#pragma once
/* Precompiled contracts: which address does what, since which fork, at which price.
 *
 * One table (PRECOMPILES) names every contract; a later line for the same address replaces the
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

/* precompile_find returns the contract at `address` in `fork`, NULL when there is none. */
const struct precompile *precompile_find(enum fork fork, const struct address *address);

/* precompile_word_gas is base + per_word for every started 32 bytes of input. */
static inline uint64_t precompile_word_gas(struct bytes input, uint64_t base, uint64_t per_word) {
    return base + (input.size + 31) / 32 * per_word;
}

/* precompile_padded copies [offset, offset + size) of the input, zeros beyond its end. */
void precompile_padded(struct bytes input, size_t offset, uint8_t *out, size_t size);

/* precompile_no_room says that scratch is exhausted: no fault of the input. */
static inline bool precompile_no_room(struct buffer *out) {
    out->overflow = true;
    return false;
}

/*    address, first fork, name in geth's tracers, gas, run.  A later line replaces an earlier. */
#define PRECOMPILES(X)                                                                             \
    X(0x01, FRONTIER, "ECREC", ecrecover_gas, ecrecover_run)                                       \
    X(0x02, FRONTIER, "SHA256", sha256_gas, sha256_run)                                            \
    X(0x03, FRONTIER, "RIPEMD160", ripemd160_gas, ripemd160_run)                                   \
    X(0x04, FRONTIER, "ID", identity_gas, identity_run)                                            \
    X(0x05, BYZANTIUM, "MODEXP", modexp_byzantium_gas, modexp_run)                                 \
    X(0x05, BERLIN, "MODEXP", modexp_berlin_gas, modexp_run)                                       \
    X(0x05, OSAKA, "MODEXP", modexp_osaka_gas, modexp_osaka_run)                                   \
    X(0x06, BYZANTIUM, "BN254_ADD", bn254_add_byzantium_gas, bn254_add_run)                        \
    X(0x06, ISTANBUL, "BN254_ADD", bn254_add_gas, bn254_add_run)                                   \
    X(0x07, BYZANTIUM, "BN254_MUL", bn254_mul_byzantium_gas, bn254_mul_run)                        \
    X(0x07, ISTANBUL, "BN254_MUL", bn254_mul_gas, bn254_mul_run)                                   \
    X(0x08, BYZANTIUM, "BN254_PAIRING", bn254_pairing_byzantium_gas, bn254_pairing_run)            \
    X(0x08, ISTANBUL, "BN254_PAIRING", bn254_pairing_gas, bn254_pairing_run)                       \
    X(0x09, ISTANBUL, "BLAKE2F", blake2f_gas, blake2f_run)                                         \
    X(0x0a, CANCUN, "KZG_POINT_EVALUATION", kzg_point_gas, kzg_point_run)                          \
    X(0x0b, PRAGUE, "BLS12_G1ADD", bls_g1_add_gas, bls_g1_add_run)                                 \
    X(0x0c, PRAGUE, "BLS12_G1MSM", bls_g1_msm_gas, bls_g1_msm_run)                                 \
    X(0x0d, PRAGUE, "BLS12_G2ADD", bls_g2_add_gas, bls_g2_add_run)                                 \
    X(0x0e, PRAGUE, "BLS12_G2MSM", bls_g2_msm_gas, bls_g2_msm_run)                                 \
    X(0x0f, PRAGUE, "BLS12_PAIRING_CHECK", bls_pairing_gas, bls_pairing_run)                       \
    X(0x10, PRAGUE, "BLS12_MAP_FP_TO_G1", bls_map_g1_gas, bls_map_g1_run)                          \
    X(0x11, PRAGUE, "BLS12_MAP_FP2_TO_G2", bls_map_g2_gas, bls_map_g2_run)                         \
    X(0x100, OSAKA, "P256VERIFY", p256_verify_gas, p256_verify_run)

#define PRECOMPILE_GAS(name) uint64_t name(struct bytes input);
#define PRECOMPILE_RUN(name)                                                                       \
    bool name(struct bytes input, struct arena *scratch, struct buffer *out);
PRECOMPILE_GAS(ecrecover_gas)
PRECOMPILE_RUN(ecrecover_run)
PRECOMPILE_GAS(sha256_gas)
PRECOMPILE_RUN(sha256_run)
PRECOMPILE_GAS(ripemd160_gas)
PRECOMPILE_RUN(ripemd160_run)
PRECOMPILE_GAS(identity_gas)
PRECOMPILE_RUN(identity_run)
PRECOMPILE_GAS(modexp_byzantium_gas)
PRECOMPILE_GAS(modexp_berlin_gas)
PRECOMPILE_GAS(modexp_osaka_gas)
PRECOMPILE_RUN(modexp_run)
PRECOMPILE_RUN(modexp_osaka_run)
PRECOMPILE_GAS(bn254_add_byzantium_gas)
PRECOMPILE_GAS(bn254_add_gas)
PRECOMPILE_RUN(bn254_add_run)
PRECOMPILE_GAS(bn254_mul_byzantium_gas)
PRECOMPILE_GAS(bn254_mul_gas)
PRECOMPILE_RUN(bn254_mul_run)
PRECOMPILE_GAS(bn254_pairing_byzantium_gas)
PRECOMPILE_GAS(bn254_pairing_gas)
PRECOMPILE_RUN(bn254_pairing_run)
PRECOMPILE_GAS(blake2f_gas)
PRECOMPILE_RUN(blake2f_run)
PRECOMPILE_GAS(kzg_point_gas)
PRECOMPILE_RUN(kzg_point_run)
PRECOMPILE_GAS(bls_g1_add_gas)
PRECOMPILE_RUN(bls_g1_add_run)
PRECOMPILE_GAS(bls_g1_msm_gas)
PRECOMPILE_RUN(bls_g1_msm_run)
PRECOMPILE_GAS(bls_g2_add_gas)
PRECOMPILE_RUN(bls_g2_add_run)
PRECOMPILE_GAS(bls_g2_msm_gas)
PRECOMPILE_RUN(bls_g2_msm_run)
PRECOMPILE_GAS(bls_pairing_gas)
PRECOMPILE_RUN(bls_pairing_run)
PRECOMPILE_GAS(bls_map_g1_gas)
PRECOMPILE_RUN(bls_map_g1_run)
PRECOMPILE_GAS(bls_map_g2_gas)
PRECOMPILE_RUN(bls_map_g2_run)
PRECOMPILE_GAS(p256_verify_gas)
PRECOMPILE_RUN(p256_verify_run)
#undef PRECOMPILE_GAS
#undef PRECOMPILE_RUN
