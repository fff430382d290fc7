#pragma once
/* Random numbers of a run: xoshiro256** (Blackman and Vigna), seeded by splitmix64.  Every purpose
 * has its own stream, so that leaving one fault out changes as little as possible of the rest. */
#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

/* random_make seeds a stream of `seed`; streams of different purpose are independent. */
struct random random_make(uint64_t seed, uint64_t purpose);
uint64_t random_next(struct random *random);
/* random_below is uniform in [0, bound), bound at least 1; random_between in [low, high]. */
uint64_t random_below(struct random *random, uint64_t bound);
uint64_t random_between(struct random *random, uint64_t low, uint64_t high);
/* random_chance is true in `per_mille` of a thousand cases. */
bool random_chance(struct random *random, uint64_t per_mille);
