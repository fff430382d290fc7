#include "workloads/ethereum_internal.h"

#define WEI_PER_GWEI  1000000000u
#define WEI_PER_ETHER 1000000000000000000u

static void add_balance(struct ethereum_block *block, const struct address *address,
                        const struct u256 *amount) {
    struct state *state = block->world.state;
    struct u256 balance;
    state_touch(state, address);
    state_balance(state, address, &balance);
    balance = u256_add(&balance, amount);
    state_set_balance(state, address, &balance);
}

static uint64_t ether_per_block(enum fork fork) {
    if (fork >= FORK_PARIS) return 0;
    if (fork >= FORK_CONSTANTINOPLE) return 2; /* EIP-1234 */
    if (fork >= FORK_BYZANTIUM) return 3;      /* EIP-649 */
    return 5;
}

void ethereum_rewards(struct ethereum_block *block, const struct header *ommers,
                      size_t ommers_count) {
    const uint64_t ether = ether_per_block(block->env.fork);
    if (ether == 0) return;
    /* 5 ether is 2^62.1 wei: with an ommer's eighths it needs 128 bits and fits u256 easily. */
    const struct u256 static_reward = u256_from_u64(ether * WEI_PER_ETHER);
    struct u256 reward = static_reward;
    for (size_t i = 0; i < ommers_count; i++) {
        const uint64_t depth = block->env.number - ommers[i].number;
        const struct u256 eighths = u256_from_u64(depth < 8 ? 8 - depth : 0);
        const struct u256 eight = u256_from_u64(8);
        const struct u256 product = u256_mul(&static_reward, &eighths);
        const struct u256 ommer_reward = u256_div(&product, &eight);
        add_balance(block, &ommers[i].coinbase, &ommer_reward);
        const struct u256 nephew = u256_shr(&static_reward, 5);
        reward = u256_add(&reward, &nephew);
    }
    add_balance(block, &block->env.coinbase, &reward);
}

void ethereum_withdrawals(struct ethereum_block *block, const struct withdrawal *withdrawals,
                          size_t count) {
    const struct u256 gwei = u256_from_u64(WEI_PER_GWEI);
    for (size_t i = 0; i < count; i++) {
        const struct u256 amount = u256_from_u64(withdrawals[i].amount_gwei);
        const struct u256 wei = u256_mul(&amount, &gwei);
        add_balance(block, &withdrawals[i].address, &wei);
    }
}
