#include "simulator/random.h"

#include "base/check.h"

static uint64_t splitmix(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

struct random random_make(uint64_t seed, uint64_t purpose) {
    uint64_t state = seed;
    (void)splitmix(&state);
    state ^= purpose * 0xd1342543de82ef95u;
    struct random random;
    for (int i = 0; i < 4; i++)
        random.state[i] = splitmix(&state);
    return random;
}

static uint64_t rotate(uint64_t value, int bits) {
    return value << bits | value >> (64 - bits);
}

uint64_t random_next(struct random *random) {
    uint64_t *s = random->state;
    const uint64_t result = rotate(s[1] * 5, 7) * 9, shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t bound) {
    CHECK(bound >= 1);
    /* The high half of a product: the bias is below bound / 2^64. */
    return (uint64_t)((unsigned __int128)random_next(random) * bound >> 64);
}

uint64_t random_between(struct random *random, uint64_t low, uint64_t high) {
    CHECK(low <= high);
    return low + random_below(random, high - low + 1);
}

bool random_chance(struct random *random, uint64_t per_mille) {
    return random_below(random, 1000) < per_mille;
}
