#pragma once
/* What the tracers share.  Internal to evm/. */
#include "evm/opcodes.h"
#include "evm/tracer.h"

/* One tracer's functions over its own memory; every one but create and write may be NULL. */
struct tracer_functions {
    /* NULL: no memory */
    void *(*create)(struct tracer *tracer);
    void (*begin)(struct tracer *tracer, void *self);
    void (*step)(struct tracer *tracer, void *self, const struct evm_step *step);
    void (*frame)(struct tracer *tracer, void *self, const struct evm_frame_event *event);
    void (*end)(struct tracer *tracer, void *self, const struct evm_result *result);
    void (*write)(struct tracer *tracer, void *self, const struct tracer_place *place,
                  struct json_writer *json);
};

#define X(kind, name, functions) extern const struct tracer_functions functions;
TRACERS(X)
#undef X

/* The last instruction that was told of, for the wording of errors. */
struct tracer_last {
    uint8_t opcode;
    uint64_t gas;
    size_t stack_count;
};

struct tracer {
    const struct tracer_functions *functions;
    struct tracer_config config;
    struct arena *arena;
    struct evm_tracer observer;
    bool is_full; /* the arena is: what is kept is not all */
    void *self;
    struct tracer_last last;
    /* --- the transaction, from tracer_begin on */
    const struct evm_host *host;
    const struct evm_block *block;
    const struct transaction *transaction;
    uint64_t logs_before;
};

/* tracer_keep is arena_alloc_zero that remembers when there is no more. */
void *tracer_keep(struct tracer *tracer, size_t bytes);
/* tracer_keep_bytes copies `in`; empty when there is no more room. */
struct bytes tracer_keep_bytes(struct tracer *tracer, struct bytes in);

/* tracer_range reads [offset, offset + size) of a step's memory, zeros beyond its end, copied. */
struct bytes tracer_range(struct tracer *tracer, const struct evm_step *step,
                          const struct u256 *offset, const struct u256 *size);

/* tracer_error words a failure as geth does, with what the last instruction tells. */
#define TRACER_ERROR_BYTES 96
void tracer_error(const struct tracer *tracer, enum evm_status status,
                  char out[TRACER_ERROR_BYTES]);

/* tracer_precompile_error words the failure of a precompiled contract. */
void tracer_precompile_error(const struct tracer *tracer, const struct address *contract,
                             struct bytes input, char out[TRACER_ERROR_BYTES]);

/* step_top is the word `depth` below the top of a step's stack; the caller knows that it is there.
 */
static inline const struct u256 *step_top(const struct evm_step *step, size_t depth) {
    return &step->stack[step->stack_count - 1 - depth];
}
/* step_address is that word as an address. */
struct address step_address(const struct evm_step *step, size_t depth);

/* step_creates is the address of the contract that a CREATE or CREATE2 makes; false: it is none, or
 * its stack is short. */
bool step_creates(struct tracer *tracer, const struct evm_step *step, struct address *out);

/* --- calls as a tree (tracer_call.c), which two tracers write */

struct call_log {
    struct call_log *next;
    struct address address;
    size_t topics_count;
    struct hash32 topics[4];
    struct bytes data;
    uint64_t index, position;
};

struct call_node {
    struct call_node *parent, *first, *last, *next; /* children in order */
    size_t children_count;
    struct call_log *logs, *logs_last;
    uint8_t opcode; /* never 0 */
    struct address from, to;
    struct u256 value;
    bool has_value;
    uint64_t gas, gas_used;
    struct bytes input, output;
    enum evm_status status;
    bool is_precompile;
    char error[TRACER_ERROR_BYTES]; /* "": none */
    uint64_t logs_at;               /* the count of logs when it began */
    void *more;                     /* of the tracer whose tree it is */
};

struct call_tree {
    struct call_node *root, *open;
    uint64_t logs_count;
};

/* call_tree_frame and call_tree_log grow the tree; call_tree_end gives the root the transaction's
 * own gas. */
void call_tree_frame(struct tracer *tracer, struct call_tree *tree,
                     const struct evm_frame_event *event);
void call_tree_log(struct tracer *tracer, struct call_tree *tree, const struct evm_step *step);
void call_tree_end(struct tracer *tracer, struct call_tree *tree, const struct evm_result *result);
/* call_tree_write writes the nested objects; `more` (may be NULL) adds fields to each. */
void call_tree_write(const struct call_tree *tree,
                     void (*more)(const struct call_node *node, struct json_writer *json),
                     struct json_writer *json);
/* call_name is "CALL", "CREATE2", "SELFDESTRUCT", ... */
static inline const char *call_name(const struct call_node *node) {
    return opcode_name(node->opcode);
}
static inline bool call_is_create(const struct call_node *node) {
    return node->opcode == OP_CREATE || node->opcode == OP_CREATE2;
}
