/* Addition, multiplication and pairing check on alt_bn128 (EIP-196, EIP-197; prices EIP-1108). */
#include "evm/bn254.h"
#include "evm/precompile.h"

static bool g1_read(const uint8_t in[64], struct bn254_g1 *out) {
    return fp_read(in, &out->x) && fp_read(in + 32, &out->y) && bn254_g1_is_on_curve(out);
}

static void g1_append(struct buffer *out, const struct bn254_g1 *p) {
    uint8_t bytes[64];
    fp_write(&p->x, bytes);
    fp_write(&p->y, bytes + 32);
    buffer_append(out, BYTES_OF(bytes));
}

uint64_t bn254_add_byzantium_gas(struct bytes input) {
    (void)input;
    return 500;
}
uint64_t bn254_add_gas(struct bytes input) {
    (void)input;
    return 150;
}
bool bn254_add_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    uint8_t in[128];
    precompile_padded(input, 0, in, sizeof in);
    struct bn254_g1 p, q;
    if (!g1_read(in, &p) || !g1_read(in + 64, &q)) return false;
    const struct bn254_g1 sum = bn254_g1_add(&p, &q);
    g1_append(out, &sum);
    return true;
}

uint64_t bn254_mul_byzantium_gas(struct bytes input) {
    (void)input;
    return 40000;
}
uint64_t bn254_mul_gas(struct bytes input) {
    (void)input;
    return 6000;
}
bool bn254_mul_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    uint8_t in[96];
    precompile_padded(input, 0, in, sizeof in);
    struct bn254_g1 p;
    if (!g1_read(in, &p)) return false;
    const struct u256 scalar = u256_from_be((struct bytes){in + 64, 32});
    const struct bn254_g1 product = bn254_g1_mul(&p, &scalar);
    g1_append(out, &product);
    return true;
}

#define PAIR_BYTES 192

uint64_t bn254_pairing_byzantium_gas(struct bytes input) {
    return 100000 + 80000 * (uint64_t)(input.size / PAIR_BYTES);
}
uint64_t bn254_pairing_gas(struct bytes input) {
    return 45000 + 34000 * (uint64_t)(input.size / PAIR_BYTES);
}

/* The imaginary part comes first. */
static bool fp2_read(const uint8_t in[64], struct fp2 *out) {
    return fp_read(in, &out->b) && fp_read(in + 32, &out->a);
}

static bool pair_read(const uint8_t *in, struct bn254_pair *out) {
    return g1_read(in, &out->p) && fp2_read(in + 64, &out->q.x) && fp2_read(in + 128, &out->q.y) &&
           bn254_g2_is_on_curve(&out->q) && bn254_g2_is_in_group(&out->q);
}

bool bn254_pairing_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    if (input.size % PAIR_BYTES != 0) return false;
    const size_t count = input.size / PAIR_BYTES;
    struct bn254_pair *pairs = arena_array(scratch, count, sizeof *pairs);
    if (pairs == NULL) return precompile_no_room(out);
    for (size_t i = 0; i < count; i++) {
        if (!pair_read(input.data + PAIR_BYTES * i, &pairs[i])) return false;
    }
    bool error;
    uint8_t word[32] = {0};
    word[31] = bn254_pairing_check(pairs, count, scratch, &error);
    if (error) return precompile_no_room(out);
    buffer_append(out, BYTES_OF(word));
    return true;
}
