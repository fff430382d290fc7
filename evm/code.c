#include "evm/code.h"

#include <assert.h>
#include <string.h>

#include "base/check.h"
#include "evm/opcodes.h"

#define STACK_WORDS 1024

/* The block that is being read. */
struct open_block {
    struct instruction *record;
    uint64_t gas;
    int32_t height; /* against the block's start */
    int32_t need;   /* the deepest word read, as a positive count */
    int32_t peak;   /* the highest the stack gets, at least 0 */
    bool is_empty;
};

struct analysis {
    const struct code_cache *cache;
    struct bytes bytes;
    bool is_traced;
    struct instruction *first;
    struct instruction *next;
    uint32_t *targets;
    struct open_block block;
    /* The handlers of the last two records of the block, HANDLER_NONE where there is none. */
    unsigned last, last_but_one;
    uint32_t jumps; /* the last record that jumps to a constant; each names the one before */
};

static inline void emit(struct analysis *a, unsigned handler, uint64_t value) {
    a->next->handler = a->cache->handlers[handler];
    a->next->value = value;
    a->next++;
    a->last_but_one = a->last;
    a->last = handler;
}

static inline void block_close(struct open_block *block) {
    struct block_cost cost = {.gas = (uint32_t)block->gas, .stack_need = BLOCK_NEVER};
    if (block->need + block->peak <= STACK_WORDS) {
        cost.stack_need = (uint16_t)block->need;
        cost.stack_span = (uint16_t)(STACK_WORDS - block->need - block->peak);
    }
    block->record->cost = cost;
}

static inline void block_open(struct analysis *a) {
    a->block = (struct open_block){.record = a->next, .is_empty = true};
    emit(a, HANDLER_BLOCK, 0);
    a->last = a->last_but_one = HANDLER_NONE;
}

static inline void block_count(struct open_block *block, const struct opcode_rule *rule) {
    block->gas += rule->gas;
    const int32_t need = rule->stack_in - block->height;
    if (need > block->need) block->need = need;
    block->height += rule->stack_out - rule->stack_in;
    if (block->height > block->peak) block->peak = block->height;
    block->is_empty = false;
}

/* Whether a new block must begin after this instruction: control may leave, or the instruction
 * looks at the gas counter. */
static inline bool ends_block(uint8_t opcode) {
    switch (opcode) {
    case OP_STOP:
    case OP_JUMP:
    case OP_JUMPI:
    case OP_GAS:
    case OP_SSTORE:
    case OP_CREATE:
    case OP_CREATE2:
    case OP_CALL:
    case OP_CALLCODE:
    case OP_DELEGATECALL:
    case OP_STATICCALL:
    case OP_RETURN:
    case OP_REVERT:
    case OP_INVALID:
    case OP_SELFDESTRUCT: return true;
    default: return false;
    }
}

/* emit_push emits the constant of a PUSH at `pc`; bytes past the code's end are zeros. */
static void emit_push(struct analysis *a, size_t pc, size_t size) {
    uint8_t word[32] = {0};
    const struct bytes rest = bytes_slice(a->bytes, pc + 1, size);
    if (rest.size != 0) memcpy(word + 32 - size, rest.data, rest.size);
    uint64_t limbs[4];
    for (size_t i = 0; i < 4; i++) {
        memcpy(&limbs[i], word + 24 - 8 * i, 8);
        limbs[i] = __builtin_bswap64(limbs[i]);
    }
    if ((limbs[1] | limbs[2] | limbs[3]) == 0) {
        emit(a, HANDLER_PUSH_SMALL, limbs[0]);
        return;
    }
    emit(a, HANDLER_PUSH_WIDE, 0);
    static_assert(sizeof limbs == 2 * sizeof(struct instruction), "a word fills two records");
    memcpy(a->next, limbs, sizeof limbs);
    a->next += 2;
}

/* The kinds that FUSED_PAIRS name beside opcodes. */
#define OP_PUSH_SMALL HANDLER_PUSH_SMALL

/* fused is what an instruction becomes behind another one; 0: it stays itself. */
static unsigned fused(unsigned first, uint8_t second) {
    switch (first << 8 | second) {
#define X(name, handler, first_name, second_name, change)                                          \
    case OP_##first_name << 8 | OP_##second_name: return HANDLER_##name;
        FUSED_PAIRS(X)
#undef X
    case HANDLER_PUSH_SMALL << 8 | OP_MLOAD: return HANDLER_PUSH_MLOAD;
    case HANDLER_PUSH_SMALL << 8 | OP_MSTORE: return HANDLER_PUSH_MSTORE;
    case HANDLER_PUSH_SMALL << 8 | OP_JUMP: return HANDLER_PUSH_JUMP;
    case HANDLER_PUSH_SMALL << 8 | OP_JUMPI: return HANDLER_PUSH_JUMPI;
    default: return 0;
    }
}

/* emit_opcode emits an instruction, joined to the one before where a handler does both. */
static void emit_opcode(struct analysis *a, uint8_t opcode) {
    unsigned handler = a->is_traced ? 0 : fused(a->last, opcode);
    if (handler == 0) {
        emit(a, opcode, 0);
        return;
    }
    const uint64_t value = a->next[-1].value;
    a->next--;
    a->last = a->last_but_one;
    if (handler == HANDLER_PUSH_JUMPI && a->last == OP_ISZERO) {
        handler = HANDLER_ISZERO_PUSH_JUMPI;
        a->next--;
    }
    emit(a, handler, value);
    a->last = HANDLER_NONE; /* triples are not worth their handlers */
    if (handler != HANDLER_PUSH_JUMP && handler != HANDLER_PUSH_JUMPI &&
        handler != HANDLER_ISZERO_PUSH_JUMPI) {
        return;
    }
    /* The target may not have been read yet: chain the record, resolve when all is read. */
    struct instruction *jump = a->next - 1;
    if (value >= a->bytes.size) {
        jump->value = 0;
        return;
    }
    jump->value = (uint64_t)a->jumps << 32 | value;
    a->jumps = (uint32_t)(jump - a->first);
}

static void resolve_jumps(struct analysis *a) {
    while (a->jumps != 0) {
        struct instruction *jump = a->first + a->jumps;
        const uint32_t target = a->targets[(uint32_t)jump->value];
        a->jumps = (uint32_t)(jump->value >> 32);
        jump->value = target == 0 ? 0 : (uint64_t)(uintptr_t)(a->first + target);
    }
}

/* analyse_one reads the instruction at `pc` and returns where the next one is. */
static size_t analyse_one(struct analysis *a, size_t pc, uint8_t opcode) {
    const struct opcode_rule *rule = &a->cache->rules->opcodes[opcode];
    if (opcode == OP_JUMPDEST) {
        if (!a->block.is_empty) {
            block_close(&a->block);
            block_open(a);
        }
        a->targets[pc] = (uint32_t)(a->block.record - a->first);
    } else if (a->is_traced && !a->block.is_empty) {
        block_close(&a->block);
        block_open(a);
    }
    if (a->is_traced) emit(a, HANDLER_STEP, pc);
    block_count(&a->block, rule);
    size_t next = pc + 1;
    if (!rule->is_defined) {
        emit(a, HANDLER_UNDEFINED, 0);
    } else if (opcode >= OP_PUSH0 && opcode <= OP_PUSH32) {
        const size_t size = (size_t)(opcode - OP_PUSH0);
        emit_push(a, pc, size);
        next += size;
    } else if (opcode == OP_PC) {
        emit(a, HANDLER_PUSH_SMALL, pc);
    } else if (opcode != OP_JUMPDEST) {
        emit_opcode(a, opcode);
    }
    if (!rule->is_defined || ends_block(opcode)) {
        block_close(&a->block);
        block_open(a);
    }
    return next;
}

/* At most: a block, a step and an instruction for each byte, the same for the STOP that every code
 * ends with, the unused first record and one open block. */
static size_t instructions_max(size_t code_bytes, bool is_traced) {
    return (code_bytes + 1) * (is_traced ? 3 : 2) + 2;
}

static bool analyse(struct code_cache *cache, struct bytes bytes, bool is_traced,
                    struct code *out) {
    if (bytes.size >= UINT32_MAX / 8) return false;
    struct arena *arena = &cache->arena;
    const size_t count_max = instructions_max(bytes.size, is_traced);
    uint32_t *targets = arena_array(arena, bytes.size + 1, sizeof *targets);
    struct instruction *first = arena_alloc(arena, count_max * sizeof *first);
    if (targets == NULL || first == NULL) return false;

    struct analysis a = {.cache = cache,
                         .bytes = bytes,
                         .is_traced = is_traced,
                         .first = first,
                         .next = first,
                         .targets = targets};
    emit(&a, HANDLER_UNDEFINED, 0);
    block_open(&a);
    for (size_t pc = 0; pc < bytes.size;)
        pc = analyse_one(&a, pc, bytes.data[pc]);
    (void)analyse_one(&a, bytes.size, OP_STOP);
    block_close(&a.block);
    resolve_jumps(&a);
    CHECK((size_t)(a.next - first) <= count_max);
    arena_release(arena, (size_t)((uint8_t *)a.next - arena->data));
    *out = (struct code){.instructions = first, .targets = targets, .size = bytes.size};
    return true;
}

bool code_cache_create(struct arena *arena, size_t analyses_bytes, const void *const *handlers,
                       struct code_cache *out) {
    struct code_slot *slots = arena_array(arena, CODE_CACHE_SLOTS, sizeof *slots);
    void *memory = arena_alloc(arena, analyses_bytes);
    if (slots == NULL || memory == NULL) return false;
    *out = (struct code_cache){.handlers = handlers,
                               .arena = arena_over(memory, analyses_bytes),
                               .generation = 1,
                               .slots = slots};
    return true;
}

static void forget_all(struct code_cache *cache) {
    cache->generation++;
    cache->slots_used = 0;
    arena_reset(&cache->arena);
}

void code_cache_rules(struct code_cache *cache, const struct rules *rules) {
    cache->rules = rules;
    forget_all(cache);
}

/* find returns the slot of a code, or the empty one where it would go. */
static struct code_slot *find(const struct code_cache *cache, const struct hash32 *hash,
                              bool is_traced) {
    uint64_t index = hash_map_seed(hash, is_traced);
    for (;; index++) {
        struct code_slot *slot = &cache->slots[index % CODE_CACHE_SLOTS];
        if (slot->generation != cache->generation) return slot;
        if (slot->is_traced == is_traced && hash_equal(&slot->hash, hash)) return slot;
    }
}

bool code_of(struct code_cache *cache, struct bytes bytes, const struct hash32 *hash,
             bool is_traced, struct code *out) {
    if (hash != NULL) {
        const struct code_slot *slot = find(cache, hash, is_traced);
        if (slot->generation == cache->generation) {
            *out = slot->code;
            return true;
        }
    }
    if (cache->slots_used >= CODE_CACHE_SLOTS / 2) forget_all(cache);
    if (!analyse(cache, bytes, is_traced, out)) {
        forget_all(cache);
        if (!analyse(cache, bytes, is_traced, out)) return false;
    }
    if (hash != NULL) {
        struct code_slot *slot = find(cache, hash, is_traced);
        *slot = (struct code_slot){
            .hash = *hash, .is_traced = is_traced, .generation = cache->generation, .code = *out};
        cache->slots_used++;
    }
    return true;
}
