#pragma once
/* Analysed code: bytecode turned once into a list of instructions that dispatch follows directly.
 *
 * Each instruction carries the address of its handler and its constant.  A basic block starts with
 * a BLOCK record that holds the constant gas of the whole block and what the block needs of the
 * stack, so that both are checked once per block.  Blocks end where control may leave and after
 * every instruction that can see the gas counter (GAS, SSTORE, calls, creations): what such an
 * instruction sees is therefore exact.  Frequent pairs of instructions become one record, and jumps
 * to constants find their target when the code is analysed.  With an observer every instruction is
 * a block of its own and nothing is joined.
 *
 * Code is read when it is first run, a short run at a time from where control enters (code_decode):
 * hostile code pays in gas for nearly all that is read.  All that a call of unknown code costs is
 * one pass for its jump destinations.
 *
 * What was read is cached by code hash in a fixed stretch of memory.  When it is full, all of it is
 * forgotten; frames that still run notice by the cache's generation and find their code again.  One
 * cache per evm. */
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

/* Pairs of instructions that become one: `second` right behind `first` in the same block.
 *    name       handler    first       second  top's change */
#define FUSED_PAIRS(X)                                                                             \
    X(PUSH_ADD, push_add, PUSH_SMALL, ADD, 0)                                                      \
    X(PUSH_SUB, push_sub, PUSH_SMALL, SUB, 0)                                                      \
    X(PUSH_AND, push_and, PUSH_SMALL, AND, 0)                                                      \
    X(PUSH_EQ, push_eq, PUSH_SMALL, EQ, 0)                                                         \
    X(PUSH_LT, push_lt, PUSH_SMALL, LT, 0)                                                         \
    X(PUSH_GT, push_gt, PUSH_SMALL, GT, 0)                                                         \
    X(PUSH_SHL, push_shl, PUSH_SMALL, SHL, 0)                                                      \
    X(PUSH_SHR, push_shr, PUSH_SMALL, SHR, 0)                                                      \
    X(SWAP1_POP, swap1_pop, SWAP1, POP, -1)                                                        \
    X(SWAP2_POP, swap2_pop, SWAP2, POP, -1)                                                        \
    X(SWAP1_SUB, swap1_sub, SWAP1, SUB, -1)                                                        \
    X(POP_POP, pop_pop, POP, POP, -2)                                                              \
    X(DUP1_ADD, dup1_add, DUP1, ADD, 0)                                                            \
    X(DUP2_ADD, dup2_add, DUP2, ADD, 0)                                                            \
    X(DUP3_ADD, dup3_add, DUP3, ADD, 0)                                                            \
    X(DUP2_XOR, dup2_xor, DUP2, XOR, 0)                                                            \
    X(ISZERO_ISZERO, iszero_iszero, ISZERO, ISZERO, 0)

/* Handlers that no opcode byte names. */
enum special_handler {
    HANDLER_BLOCK = 256,
    HANDLER_STEP,       /* tells the tracer; value is the program counter */
    HANDLER_PUSH_SMALL, /* value */
    HANDLER_PUSH_WIDE,  /* the four limbs are in the two records that follow */
    HANDLER_UNDEFINED,
    HANDLER_CONTINUE, /* what was read ends here; value is where the code goes on */
    HANDLER_GOTO,     /* value is the address of the record to go on at */
    /* Jumps to a constant: value is the address of the target's block, 0: no JUMPDEST there. Before
     * the target is read, value is where it is in the code. */
    HANDLER_PUSH_JUMP,
    HANDLER_PUSH_JUMPI,
    HANDLER_ISZERO_PUSH_JUMPI,
    HANDLER_PUSH_JUMP_FIND,
    HANDLER_PUSH_JUMPI_FIND,
    HANDLER_ISZERO_PUSH_JUMPI_FIND,
    HANDLER_PUSH_MLOAD, /* memory at a constant, value */
    HANDLER_PUSH_MSTORE,
#define X(name, handler, first, second, change) HANDLER_##name,
    FUSED_PAIRS(X)
#undef X
        HANDLER_COUNT,
    HANDLER_NONE /* no instruction yet in this block */
};

/* Where the blocks of JUMPDESTs are that were read already: NULL where not. */
#define CODE_PAGE_BYTES 64
struct code_page {
    struct instruction *blocks[CODE_PAGE_BYTES];
};
struct code_map {
    struct instruction *entry; /* at the code's first byte; NULL: not read yet */
    struct code_page *pages[]; /* one for every CODE_PAGE_BYTES bytes of code; NULL: none read */
};

struct code {
    struct bytes bytes;
    const uint64_t *jumpdests; /* a bit for every byte of code */
    struct code_map *map;
    bool is_traced;
};

/* code_known returns the block of the JUMPDEST at `pc`, which is inside the code; NULL: it was not
 * read yet, or there is none. */
static inline struct instruction *code_known(const struct code *code, uint64_t pc) {
    const struct code_page *page = code->map->pages[pc / CODE_PAGE_BYTES];
    return page == NULL ? NULL : page->blocks[pc % CODE_PAGE_BYTES];
}

/* code_is_jumpdest says whether a jump may go to `pc`. */
static inline bool code_is_jumpdest(const struct code *code, uint64_t pc) {
    return pc < code->bytes.size && (code->jumpdests[pc / 64] >> (pc % 64) & 1) != 0;
}

#define CODE_CACHE_SLOTS 32768 /* power of two; codes kept at once are at most half of it */

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
    uint64_t seed;       /* of the table of slots */
    size_t slots_used;
    struct code_slot *slots;
};

/* code_cache_create takes the slots and `analyses_bytes` for what is read from `arena`. */
bool code_cache_create(struct arena *arena, size_t analyses_bytes, const void *const *handlers,
                       struct code_cache *out);

/* code_cache_rules makes later analyses follow `rules` (which must stay valid) and forgets the old
 * ones; the caller does so only when the fork changes and no frame runs. */
void code_cache_rules(struct code_cache *cache, const struct rules *rules);

/* code_of finds what is known of the code `bytes`, which must stay where they are as long as the
 * result is used; `hash` names them, NULL: they are not worth remembering (initcode).  Valid while
 * cache->generation stays the same.  false: larger than the cache. */
bool code_of(struct code_cache *cache, struct bytes bytes, const struct hash32 *hash,
             bool is_traced, struct code *out);

/* code_decode reads the code from `pc` on and returns the first record, a block's.  `pc` is where
 * an instruction begins.  NULL: the cache is full. */
struct instruction *code_decode(struct code_cache *cache, const struct code *code, uint64_t pc);

/* code_forget empties the cache; its generation changes. */
void code_forget(struct code_cache *cache);
