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

/* At most so many instructions are read at once: what an entry into unknown code costs. */
#define DECODE_INSTRUCTIONS_MAX 48
/* A block, a step and a wide push for each, one block more and the record that goes on. */
#define DECODE_RECORDS_MAX (DECODE_INSTRUCTIONS_MAX * 5 + 8)

struct label {
    uint64_t pc;
    size_t index; /* of its block's record */
};

struct analysis {
    const struct code_cache *cache;
    const struct code *code;
    uint64_t start;
    struct instruction *next;
    struct open_block block;
    bool has_ended; /* control cannot fall through to what follows */
    /* The handlers of the last two records of the block, HANDLER_NONE where there is none. */
    unsigned last, last_but_one;
    size_t labels_count;
    struct label labels[DECODE_INSTRUCTIONS_MAX];
    struct instruction records[DECODE_RECORDS_MAX];
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

/* Whether control never goes on behind this instruction. */
static inline bool is_terminal(uint8_t opcode) {
    return opcode == OP_STOP || opcode == OP_JUMP || opcode == OP_RETURN || opcode == OP_REVERT ||
           opcode == OP_INVALID || opcode == OP_SELFDESTRUCT;
}

/* emit_push emits the constant of a PUSH at `pc`; bytes past the code's end are zeros. */
static void emit_push(struct analysis *a, uint64_t pc, size_t size) {
    uint8_t word[32] = {0};
    const struct bytes rest = bytes_slice(a->code->bytes, pc + 1, size);
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

/* emit_jump makes a jump to a constant: to its target when that was read already. */
static void emit_jump(struct analysis *a, unsigned handler, uint64_t target) {
    if (!code_is_jumpdest(a->code, target)) {
        emit(a, handler, 0);
        return;
    }
    const struct instruction *known = code_known(a->code, target);
    if (known != NULL) {
        emit(a, handler, (uint64_t)(uintptr_t)known);
    } else {
        emit(a, handler + (HANDLER_PUSH_JUMP_FIND - HANDLER_PUSH_JUMP), target);
    }
}

/* emit_opcode emits an instruction, joined to the one before where a handler does both. */
static void emit_opcode(struct analysis *a, uint64_t pc, uint8_t opcode) {
    unsigned handler = a->code->is_traced ? 0 : fused(a->last, opcode);
    if (handler == 0) {
        emit(a, opcode, pc + 1); /* where a call's caller goes on */
        return;
    }
    const uint64_t value = a->next[-1].value;
    a->next--;
    a->last = a->last_but_one;
    if (handler == HANDLER_PUSH_JUMPI && a->last == OP_ISZERO) {
        handler = HANDLER_ISZERO_PUSH_JUMPI;
        a->next--;
    }
    if (handler <= HANDLER_ISZERO_PUSH_JUMPI) {
        emit_jump(a, handler, value);
    } else {
        emit(a, handler, value);
    }
    a->last = HANDLER_NONE; /* triples are not worth their handlers */
}

/* begin_jumpdest starts the block of a JUMPDEST; false: it was read before, control goes there. */
static bool begin_jumpdest(struct analysis *a, uint64_t pc) {
    const struct instruction *known = code_known(a->code, pc);
    if (known != NULL && pc != a->start) {
        emit(a, HANDLER_GOTO, (uint64_t)(uintptr_t)known);
        a->has_ended = true;
        return false;
    }
    if (!a->block.is_empty) {
        block_close(&a->block);
        block_open(a);
    }
    a->labels[a->labels_count++] = (struct label){pc, (size_t)(a->block.record - a->records)};
    return true;
}

/* analyse_one reads the instruction at `pc` and returns where the next one is. */
static uint64_t analyse_one(struct analysis *a, uint64_t pc) {
    const struct bytes bytes = a->code->bytes;
    const bool is_traced = a->code->is_traced;
    const uint8_t opcode = pc < bytes.size ? bytes.data[pc] : OP_STOP;
    const struct opcode_rule *rule = &a->cache->rules->opcodes[opcode];
    if (opcode == OP_JUMPDEST) {
        if (!begin_jumpdest(a, pc)) return pc;
    } else if (is_traced && !a->block.is_empty) {
        block_close(&a->block);
        block_open(a);
    }
    if (is_traced) emit(a, HANDLER_STEP, pc);
    block_count(&a->block, rule);
    uint64_t next = pc + 1;
    if (!rule->is_defined) {
        emit(a, HANDLER_UNDEFINED, 0);
    } else if (opcode >= OP_PUSH0 && opcode <= OP_PUSH32) {
        const size_t size = (size_t)(opcode - OP_PUSH0);
        emit_push(a, pc, size);
        next += size;
    } else if (opcode == OP_PC) {
        emit(a, HANDLER_PUSH_SMALL, pc);
    } else if (opcode != OP_JUMPDEST) {
        emit_opcode(a, pc, opcode);
    }
    a->has_ended = !rule->is_defined || is_terminal(opcode);
    if (!a->has_ended && ends_block(opcode)) {
        block_close(&a->block);
        block_open(a);
    }
    return next;
}

/* keep_labels tells the map where the JUMPDESTs of what was read are. */
static bool keep_labels(struct code_cache *cache, const struct analysis *a,
                        struct instruction *first) {
    struct code_map *map = a->code->map;
    for (size_t i = 0; i < a->labels_count; i++) {
        const uint64_t pc = a->labels[i].pc;
        struct code_page **page = &map->pages[pc / CODE_PAGE_BYTES];
        if (*page == NULL) *page = arena_alloc_zero(&cache->arena, sizeof **page);
        if (*page == NULL) return false;
        (*page)->blocks[pc % CODE_PAGE_BYTES] = first + a->labels[i].index;
    }
    return true;
}

struct instruction *code_decode(struct code_cache *cache, const struct code *code, uint64_t pc) {
    struct analysis a;
    a.cache = cache;
    a.code = code;
    a.start = pc;
    a.next = a.records;
    a.has_ended = false;
    a.labels_count = 0;
    a.last = a.last_but_one = HANDLER_NONE;
    block_open(&a);
    uint64_t at = pc;
    for (int count = 0; !a.has_ended && count < DECODE_INSTRUCTIONS_MAX; count++)
        at = analyse_one(&a, at);
    if (!a.has_ended) emit(&a, HANDLER_CONTINUE, at);
    block_close(&a.block);

    const size_t records_count = (size_t)(a.next - a.records);
    CHECK(records_count <= DECODE_RECORDS_MAX);
    struct instruction *first = arena_alloc(&cache->arena, records_count * sizeof *first);
    if (first == NULL) return NULL;
    memcpy(first, a.records, records_count * sizeof *first);
    if (pc == 0) code->map->entry = first;
    return keep_labels(cache, &a, first) ? first : NULL;
}

/* code_scan makes what must be known before code runs: its jump destinations, an empty map. */
static bool code_scan(struct code_cache *cache, struct bytes bytes, bool is_traced,
                      struct code *out) {
    struct arena *arena = &cache->arena;
    const size_t pages_count = bytes.size / CODE_PAGE_BYTES + 1;
    uint64_t *jumpdests = arena_array(arena, bytes.size / 64 + 1, sizeof *jumpdests);
    struct code_map *map =
        arena_alloc_zero(arena, sizeof *map + pages_count * sizeof map->pages[0]);
    if (jumpdests == NULL || map == NULL) return false;
    for (size_t pc = 0; pc < bytes.size; pc++) {
        const uint8_t opcode = bytes.data[pc];
        if (opcode == OP_JUMPDEST) jumpdests[pc / 64] |= (uint64_t)1 << (pc % 64);
        if (opcode >= OP_PUSH1 && opcode <= OP_PUSH32) pc += (size_t)(opcode - OP_PUSH0);
    }
    *out =
        (struct code){.bytes = bytes, .jumpdests = jumpdests, .map = map, .is_traced = is_traced};
    return true;
}

bool code_cache_create(struct arena *arena, size_t analyses_bytes, const void *const *handlers,
                       struct code_cache *out) {
    struct code_slot *slots = arena_array(arena, CODE_CACHE_SLOTS, sizeof *slots);
    void *memory = arena_alloc(arena, analyses_bytes);
    if (slots == NULL || memory == NULL) return false;
    /* Nobody outside knows where memory was mapped, so that nobody can choose code whose hashes
     * meet in the table.  Only the time of a lookup depends on the seed. */
    *out = (struct code_cache){.handlers = handlers,
                               .arena = arena_over(memory, analyses_bytes),
                               .generation = 1,
                               .seed = (uintptr_t)slots * 0x9e3779b97f4a7c15u,
                               .slots = slots};
    return true;
}

void code_forget(struct code_cache *cache) {
    cache->generation++;
    cache->slots_used = 0;
    arena_reset(&cache->arena);
}

void code_cache_rules(struct code_cache *cache, const struct rules *rules) {
    cache->rules = rules;
    code_forget(cache);
}

/* find returns the slot of a code, or the empty one where it would go. */
static struct code_slot *find(const struct code_cache *cache, const struct hash32 *hash,
                              bool is_traced) {
    uint64_t index = hash_map_seed(hash, cache->seed + is_traced);
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
            out->bytes = bytes; /* the same content, perhaps elsewhere by now */
            return true;
        }
    }
    if (cache->slots_used >= CODE_CACHE_SLOTS / 2) code_forget(cache);
    if (!code_scan(cache, bytes, is_traced, out)) {
        code_forget(cache);
        if (!code_scan(cache, bytes, is_traced, out)) return false;
    }
    if (hash != NULL) {
        struct code_slot *slot = find(cache, hash, is_traced);
        *slot = (struct code_slot){
            .hash = *hash, .is_traced = is_traced, .generation = cache->generation, .code = *out};
        cache->slots_used++;
    }
    return true;
}
