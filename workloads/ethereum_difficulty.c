#include "base/keccak.h"
#include "workloads/ethereum_internal.h"

#define DIFFICULTY_MIN     131072u
#define DIFFICULTY_DIVISOR 2048u
#define FRONTIER_SECONDS   13u
#define HOMESTEAD_SECONDS  10u
#define BYZANTIUM_SECONDS  9u
#define STEPS_DOWN_MAX     99u
#define BOMB_PERIOD_BLOCKS 100000u

/* steps returns by how many 2,048ths of the parent's difficulty to go up, negative: down. */
static int64_t steps(enum fork fork, const struct header *parent, uint64_t seconds) {
    if (fork < FORK_HOMESTEAD) return seconds < FRONTIER_SECONDS ? 1 : -1;
    const bool has_ommers = !hash_equal(&parent->ommers_hash, &KECCAK_EMPTY_LIST);
    const uint64_t up = fork >= FORK_BYZANTIUM && has_ommers ? 2 : 1; /* EIP-100 */
    const uint64_t down =
        seconds / (fork >= FORK_BYZANTIUM ? BYZANTIUM_SECONDS : HOMESTEAD_SECONDS);
    if (down >= up + STEPS_DOWN_MAX) return -(int64_t)STEPS_DOWN_MAX;
    return (int64_t)up - (int64_t)down;
}

static uint64_t bomb_delay_blocks(const struct chain_config *config, enum fork fork,
                                  uint64_t number) {
    if (number >= config->gray_glacier_block) return 11400000;
    if (number >= config->arrow_glacier_block) return 10700000;
    if (fork >= FORK_LONDON) return 9700000;
    if (number >= config->muir_glacier_block) return 9000000;
    if (fork >= FORK_CONSTANTINOPLE) return 5000000;
    return fork >= FORK_BYZANTIUM ? 3000000 : 0;
}

struct u256 ethereum_difficulty(const struct chain_config *config, enum fork fork,
                                const struct header *parent, const struct header *header) {
    const struct u256 divisor = u256_from_u64(DIFFICULTY_DIVISOR);
    const struct u256 minimum = u256_from_u64(DIFFICULTY_MIN);
    const struct u256 step = u256_div(&parent->difficulty, &divisor);
    const int64_t count = steps(fork, parent, header->timestamp - parent->timestamp);
    const struct u256 magnitude = u256_from_u64((uint64_t)(count < 0 ? -count : count));
    const struct u256 change = u256_mul(&step, &magnitude);
    struct u256 out =
        count < 0 ? u256_sub(&parent->difficulty, &change) : u256_add(&parent->difficulty, &change);
    if (u256_less(&out, &minimum)) out = minimum;

    const uint64_t delay = bomb_delay_blocks(config, fork, header->number);
    const uint64_t block = header->number > delay ? header->number - delay : 0;
    const uint64_t period = block / BOMB_PERIOD_BLOCKS;
    if (period < 2) return out;
    const struct u256 one = U256_ONE;
    const struct u256 bomb = u256_shl(&one, period - 2);
    return u256_add(&out, &bomb);
}
