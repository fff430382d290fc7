#pragma once
/* The running machine: frames, their stacks and memories, and what one transaction carries along.
 * Internal to evm/.
 *
 * Calls do not recurse in C: a call fills the next struct frame and dispatch goes on there; its end
 * hands results to the frame below (call.c).  Stacks and memories of nested frames lie behind each
 * other in two stretches of memory, a callee's right above its caller's: a caller cannot grow while
 * its callee runs. */
#include "base/arena.h"
#include "base/check.h"
#include "evm/code.h"
#include "evm/evm.h"
#include "evm/rules.h"

#define STACK_WORDS_MAX   1024
#define FRAMES_MAX        (EVM_CALL_DEPTH_MAX + 1)
#define MEMORY_OFFSET_MAX ((uint64_t)1 << 37) /* costs 2^55 gas, beyond any gas limit in use */
#define CALL_STIPEND_GAS  2300

/* What the frame was made for: how its end is told to the frame below. */
enum frame_kind { FRAME_CALL, FRAME_CREATE };

struct frame {
    /* --- what instructions use */
    int64_t gas; /* left, the running block's constant part paid; negative only on the way out */
    uint8_t *memory;
    uint64_t memory_bytes;    /* a multiple of 32 */
    struct u256 *stack;       /* the word below the first: stack[1] is the bottom */
    struct u256 *top;         /* saved while a callee runs */
    struct instruction *next; /* where to go on when the callee has ended */
    uint64_t next_pc;         /* the same in the code, should the cache forget it */
    struct evm *evm;
    struct code code;
    uint64_t code_generation; /* of the cache when `code` was made */
    struct bytes input;
    struct address address; /* whose storage and balance */
    struct address caller;
    struct u256 value;
    bool is_static;
    bool has_code_hash;
    struct bytes code_bytes;
    struct hash32 code_hash;
    /* --- what the frame below gets */
    enum frame_kind kind;
    uint8_t opcode;         /* that made it; 0: the transaction */
    uint64_t output_offset; /* in the caller's memory, which has room already */
    uint64_t output_bytes;
    /* --- for undoing */
    size_t checkpoint;
    int64_t refund;
    size_t logs_mark;
    struct log_record *logs_last;
    int64_t gas_given;
};

/* Logs are chained, newest first, in an arena that reverting releases. */
struct log_record {
    struct log_record *previous;
    struct evm_log log;
};

struct evm {
    struct rules rules;
    struct code_cache codes;
    struct frame *frames; /* FRAMES_MAX */
    struct u256 *stacks;
    uint8_t *memory;
    uint64_t memory_capacity;
    uint64_t memory_peak; /* bytes in use at once since evm_spare */
    struct arena logs;
    struct log_record *logs_last;
    struct arena scratch; /* precompiles' working memory */
    uint8_t *return_buffer;
    size_t return_capacity;
    size_t return_peak;       /* likewise */
    unsigned depth_peak;      /* likewise */
    struct bytes return_data; /* of the last call of the frame that runs, in return_buffer */
    enum err error; /* our machine's limits, not the program's fault; ends the execution */

    /* --- the transaction that runs */
    const struct evm_host *host;
    const struct evm_block *block;
    const struct evm_tracer *tracer; /* NULL: none */
    const struct evm_precompile_move *moves;
    size_t moves_count;
    unsigned depth; /* index of the running frame */
    int64_t refund;
    struct address origin;
    struct u256 gas_price;
    const struct hash32 *blob_hashes;
    size_t blob_hashes_count;
};

/* rule reads one number of the fork in force. */
static inline int64_t rule(const struct evm *evm, enum rule which) {
    return evm->rules.value[which];
}

/* interpret runs the frame on top of `evm` and all that it calls, until it ends; the outcome is in
 * the frame's gas, the status, and evm->return_data (output). */
enum evm_status interpret(struct evm *evm);

/* interpret_handlers returns the HANDLER_COUNT addresses that instructions carry. */
const void *const *interpret_handlers(void);

/* --- frames (call.c) */

/* What a message is: filled by CALL, CREATE and the transaction. */
struct message {
    enum frame_kind kind;
    uint8_t opcode;
    bool is_static;
    bool moves_value; /* transfer `value` from caller to address */
    int64_t gas;
    struct address caller;
    struct address address;      /* runs as */
    struct address code_address; /* whose code (calls) */
    struct u256 value;
    struct bytes input; /* calls: call data; creations: initcode */
    uint64_t output_offset, output_bytes;
};

enum message_outcome {
    MESSAGE_RUNS, /* a new frame is on top: interpret it */
    MESSAGE_DONE, /* ended already: status in *status, gas in *gas_left, output in return_data */
};

/* message_begin starts a message: checkpoint, transfer, precompile or frame. */
enum message_outcome message_begin(struct evm *evm, unsigned depth, const struct message *message,
                                   enum evm_status *status, int64_t *gas_left);

/* frame_end ends the frame on top with `status` and its output (in the frame's memory, the return
 * buffer or empty): commits or undoes, stores created code, leaves the output in return_data.
 * Returns the status, which a creation's code deposit may have changed; the frame stays readable.
 */
enum evm_status frame_end(struct evm *evm, enum evm_status status, struct bytes output);

/* The instructions that start messages.  EVM_SUCCESS with *runs: the new frame is on top. */
enum evm_status op_call_any(struct frame *f, struct u256 *top, uint8_t opcode, bool *runs);
enum evm_status op_create_any(struct frame *f, struct u256 *top, uint8_t opcode, bool *runs);
/* call_resume gives the ended callee's outcome to `f`, whose stack top is where the result goes. */
void call_resume(struct frame *f, const struct frame *callee, enum evm_status status);

/* evm_use_fork switches the rules; forgets analyses when the fork is another one. */
void evm_use_fork(struct evm *evm, enum fork fork);

/* frame_find returns the record for `pc` of the frame's code, reading it when it must; for a jump
 * `pc` must be a JUMPDEST, else an instruction begins there.  What was read before may be forgotten
 * (the cache's generation tells).  NULL: no such destination, or (evm->error) no room. */
struct instruction *frame_find(struct frame *f, uint64_t pc, bool is_jump);

/* --- helpers */

/* gas_use pays; false: there was not enough, and the counter is negative. */
/* gas_use pays; false: there was not enough, and the frame ends. */
static inline bool gas_use(struct frame *f, int64_t gas) {
    f->gas -= gas;
    return f->gas >= 0;
}

/* memory_cost: 3 gas a word and a 512th of the words' square (Yellow Paper, appendix H); words are
 * below 2^33, so that nothing overflows. */
static inline uint64_t memory_cost(uint64_t bytes) {
    const uint64_t words = bytes / 32;
    return 3 * words + words * words / 512;
}

/* memory_grow pays for and clears memory up to `end` bytes, which is beyond memory_bytes.  false:
 * not enough gas, or (evm->error) no room. */
bool memory_grow(struct frame *f, uint64_t end);

/* memory_need makes [offset, offset + size) addressable; size 0 needs nothing.  false as above. */
static inline bool memory_need(struct frame *f, const struct u256 *offset, uint64_t size) {
    if (size == 0) return true;
    if (__builtin_expect(!u256_fits_u64(offset) || offset->limb[0] > MEMORY_OFFSET_MAX ||
                             size > MEMORY_OFFSET_MAX,
                         0)) {
        f->gas = -1;
        return false;
    }
    const uint64_t end = offset->limb[0] + size;
    if (__builtin_expect(end <= f->memory_bytes, 1)) return true;
    return memory_grow(f, end);
}

/* memory_need_range is memory_need for a size that is a word; *bytes is the range. */
static inline bool memory_need_range(struct frame *f, const struct u256 *offset,
                                     const struct u256 *size, struct bytes *bytes) {
    const uint64_t size_bytes = u256_to_u64_saturated(size);
    if (!memory_need(f, offset, size_bytes)) return false;
    *bytes =
        size_bytes == 0 ? BYTES_EMPTY : (struct bytes){f->memory + offset->limb[0], size_bytes};
    return true;
}

/* words_gas is `gas_per_word` for every started word of `size` bytes (size within bounds that
 * memory has checked, so that nothing overflows). */
static inline int64_t words_gas(uint64_t size, int64_t gas_per_word) {
    return (int64_t)((size + 31) / 32) * gas_per_word;
}

/* An address is the low 20 bytes of a word. */
/* A word as an address: its low 20 bytes, the others ignored. */
static inline struct address word_to_address(const struct u256 *word) {
    struct address address;
    const uint32_t top = __builtin_bswap32((uint32_t)word->limb[2]);
    const uint64_t middle = __builtin_bswap64(word->limb[1]);
    const uint64_t low = __builtin_bswap64(word->limb[0]);
    memcpy(address.bytes, &top, sizeof top);
    memcpy(address.bytes + 4, &middle, sizeof middle);
    memcpy(address.bytes + 12, &low, sizeof low);
    return address;
}
static inline struct u256 address_to_word(const struct address *address) {
    uint32_t top;
    uint64_t middle;
    uint64_t low;
    memcpy(&top, address->bytes, sizeof top);
    memcpy(&middle, address->bytes + 4, sizeof middle);
    memcpy(&low, address->bytes + 12, sizeof low);
    return (struct u256){
        {__builtin_bswap64(low), __builtin_bswap64(middle), __builtin_bswap32(top), 0}};
}

/* account_warm adds to the accessed accounts; true: it was there, or is a precompile. */
bool account_warm(struct evm *evm, const struct address *address);

/* account_add_balance adds to a balance and touches the account. */
void account_add_balance(struct evm *evm, const struct address *address, const struct u256 *value);

/* delegation_target: the account's code is an EIP-7702 designator; *target is where it points. */
bool delegation_target(const struct evm *evm, struct bytes code, struct address *target);

/* sstore_gas is what storing top[-1] at top[0] costs now, cold access included; refunds are booked.
 */
int64_t sstore_gas(struct frame *f, const struct u256 *top);

/* selfdestruct_gas is what the beneficiary of a SELFDESTRUCT costs; it becomes warm. */
int64_t selfdestruct_gas(struct evm *evm, const struct address *beneficiary,
                         const struct u256 *balance);

/* call_gas_ahead is what a call costs its caller before the callee's gas, memory left out; accounts
 * become warm. */
int64_t call_gas_ahead(struct frame *f, const struct u256 *top, uint8_t opcode);

/* trace_cost is what the instruction will cost beyond its constant part, as far as it gets: for
 * calls the callee's gas too.  Changes nothing. */
int64_t trace_cost(struct frame *f, const struct u256 *top, uint8_t opcode);

/* trace hooks: no-ops without a tracer */
void trace_step(struct frame *f, const struct u256 *top, uint64_t pc, int64_t block_gas);
/* trace_block_failed says why the block at `block` cannot run, after BLOCK_ENTER took its gas. */
enum evm_status trace_block_failed(struct frame *f, const struct u256 *top,
                                   const struct instruction *block);
void trace_enter(struct evm *evm, unsigned depth, const struct message *message);
void trace_leave(struct evm *evm, unsigned depth, enum evm_status status, struct bytes output,
                 int64_t gas_used);
