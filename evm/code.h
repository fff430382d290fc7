#pragma once
/* Analysed code: bytecode turned once into a list of instructions that dispatch follows directly.
 *
 * Each instruction carries the address of its handler and its constant.  A basic block starts with
 * a BLOCK record that holds the constant gas of the whole block and what the block needs of the
 * stack, so that both are checked once per block.  Blocks end where control may leave and after
 * every instruction that can see the gas counter (GAS, SSTORE, calls, creations): what such an
 * instruction sees is therefore exact.
 *
 * Analyses are cached by code hash in a fixed stretch of memory.  When it is full, all of it is
 * forgotten; frames that still run notice by the cache's generation and have their code analysed
 * again (code_of).  One cache per evm. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "evm/rules.h"

struct block_cost {
    uint32_t gas;
    uint16_t stack_need; /* words that must be there */
    uint16_t stack_span; /* at most this many more than stack_need may be there */
};
#define BLOCK_NEVER UINT16_MAX /* stack_need of a block that cannot run on any stack */

struct instruction {
    const void *handler;
    union {
        uint64_t value;
        struct block_cost cost;
    };
};

/* Handlers that no opcode byte names. */
enum special_handler {
    HANDLER_BLOCK = 256,
    HANDLER_STEP,       /* tells the tracer; value is the program counter */
    HANDLER_PUSH_SMALL, /* value */
    HANDLER_PUSH_WIDE,  /* the four limbs are in the two records that follow */
    HANDLER_UNDEFINED,
    HANDLER_SPECIAL_FIRST_FUSED,
    HANDLER_COUNT = 384
};

struct code {
    const struct instruction *instructions; /* [0] is unused; [1] is the first block */
    const uint32_t *targets; /* per code byte: its block's instruction, 0: no JUMPDEST */
    size_t size;             /* bytes of code */
};

#define CODE_CACHE_SLOTS 8192 /* power of two; analyses kept at once are at most half of it */

struct code_slot {
    struct hash32 hash;
    bool is_traced;
    uint64_t generation; /* the slot is empty unless this is the cache's */
    struct code code;
};

struct code_cache {
    const void *const *handlers; /* HANDLER_COUNT addresses, from the dispatch function */
    const struct rules *rules;
    struct arena arena;
    uint64_t generation; /* from 1 */
    size_t slots_used;
    struct code_slot *slots;
};

/* code_cache_create takes the slots from `arena` and the rest of its memory for analyses. */
bool code_cache_create(struct arena *arena, size_t analyses_bytes, const void *const *handlers,
                       struct code_cache *out);

/* code_cache_rules makes later analyses follow `rules` (which must stay valid) and forgets the old
 * ones; the caller does so only when the fork changes and no frame runs. */
void code_cache_rules(struct code_cache *cache, const struct rules *rules);

/* code_of returns the analysis of `bytes`; `hash` names them, NULL: they are not worth remembering
 * (initcode).  Valid while cache->generation stays the same.  false: larger than the cache. */
bool code_of(struct code_cache *cache, struct bytes bytes, const struct hash32 *hash,
             bool is_traced, struct code *out);
