/* Which blocks of the height the caller has, and what executing them said. */
#include "base/check.h"
#include "consensus/consensus_internal.h"

static struct known_block *find_block(const struct consensus *core, const struct hash32 *block) {
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        const struct known_block *known = &core->blocks[i];
        if (known->state != BLOCK_UNKNOWN && hash_equal(&known->hash, block)) {
            return (struct known_block *)(uintptr_t)known;
        }
    }
    return NULL;
}

/* is_pinned: the block may still be voted for or decided, so that its state is not forgotten. */
static bool is_pinned(const struct consensus *core, const struct hash32 *block) {
    if (core->has_locked && hash_equal(&core->locked, block)) return true;
    if (core->has_valid && hash_equal(&core->valid, block)) return true;
    const struct round_votes *votes = &core->rounds[core->round % ROUNDS_KEPT];
    return votes->has_proposal && votes->round == core->round &&
           hash_equal(&votes->proposal.block, block);
}

/* free_entry finds an unused entry, or the one unused for longest that is not pinned: at most three
 * are, of sixteen. */
static struct known_block *free_entry(struct consensus *core) {
    struct known_block *oldest = NULL;
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        struct known_block *known = &core->blocks[i];
        if (known->state == BLOCK_UNKNOWN) return known;
        if (is_pinned(core, &known->hash)) continue;
        if (oldest == NULL || known->used < oldest->used) oldest = known;
    }
    CHECK(oldest != NULL);
    return oldest;
}

enum block_state consensus_block_state(const struct consensus *core, const struct hash32 *block) {
    const struct known_block *known = find_block(core, block);
    return known == NULL ? BLOCK_UNKNOWN : known->state;
}

void consensus_block_set(struct consensus *core, const struct hash32 *block,
                         enum block_state state) {
    struct known_block *known = find_block(core, block);
    if (known == NULL) known = free_entry(core);
    *known = (struct known_block){*block, state, ++core->block_uses};
}

/* is_backed: a quorum prevoted or precommitted the block in some round. */
static bool is_backed(const struct consensus *core, const struct hash32 *block) {
    if (core->has_valid && hash_equal(&core->valid, block)) return true;
    if (core->has_justification && tally_power(&core->justification, block) >= core->quorum) {
        return true;
    }
    for (size_t i = 0; i < ROUNDS_KEPT; i++) {
        const struct round_votes *votes = &core->rounds[i];
        if (!votes->is_used) continue;
        if (tally_power(&votes->prevotes, block) >= core->quorum) return true;
        if (tally_power(&votes->precommits, block) >= core->quorum) return true;
    }
    return false;
}

enum block_state consensus_block_want(struct consensus *core, const struct hash32 *block,
                                      struct consensus_effects *effects) {
    struct known_block *known = find_block(core, block);
    if (known == NULL) return BLOCK_UNKNOWN;
    known->used = ++core->block_uses;
    if (known->state == BLOCK_PRESENT) {
        known->state = BLOCK_CHECKING;
        struct consensus_effect *effect = consensus_push(core, effects, CONSENSUS_EFFECT_CHECK);
        effect->block = *block;
        effect->is_backed = is_backed(core, block);
    }
    return known->state;
}

enum block_state consensus_block_need(struct consensus *core, const struct hash32 *block,
                                      uint32_t round, struct consensus_effects *effects) {
    const enum block_state state = consensus_block_want(core, block, effects);
    if (state == BLOCK_UNKNOWN && !core->is_need_asked) {
        core->is_need_asked = true;
        struct consensus_effect *effect = consensus_push(core, effects, CONSENSUS_EFFECT_NEED);
        effect->block = *block;
        effect->round = round;
    }
    return state;
}

bool consensus_block_is_wanted(struct consensus *core, const struct hash32 *block) {
    for (size_t i = 0; i < ROUNDS_KEPT; i++) {
        const struct round_votes *votes = &core->rounds[i];
        if (!votes->is_used) continue;
        if (tally_power(&votes->prevotes, block) >= core->correct_power) return true;
        if (tally_power(&votes->precommits, block) >= core->correct_power) return true;
    }
    return false;
}

void consensus_blocks_recheck(struct consensus *core) {
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        if (core->blocks[i].state == BLOCK_INVALID) core->blocks[i].state = BLOCK_PRESENT;
    }
}
