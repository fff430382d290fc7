#pragma once
/* What a transaction did, told as the tracers of geth's debug methods tell it, in JSON.
 *
 * A tracer watches one transaction: tracer_begin before it runs, tracer_end behind it, then
 * tracer_write.  All that it keeps lies in the
 * arena given to it and must not outlive that; when the arena is full the tracer stops the
 * execution (evm_tracer.is_stopped) and says ERR_LIMIT.  Several tracers of one transaction are the
 * parts of TRACER_MUX.
 *
 * To add a tracer: its functions in a tracer_x.c, its line in TRACERS. */
#include "base/arena.h"
#include "base/json.h"
#include "evm/evm.h"

#define TRACER_PARTS_MAX 8

/*    kind, name in debug_trace* ("" is what geth calls the struct logger), functions */
#define TRACERS(X)                                                                                 \
    X(TRACER_STEPS, "", tracer_steps)                                                              \
    X(TRACER_CALLS, "callTracer", tracer_calls)                                                    \
    X(TRACER_FLAT_CALLS, "flatCallTracer", tracer_flat_calls)                                      \
    X(TRACER_PRESTATE, "prestateTracer", tracer_prestate)                                          \
    X(TRACER_SELECTORS, "4byteTracer", tracer_selectors)                                           \
    X(TRACER_NOTHING, "noopTracer", tracer_nothing)                                                \
    X(TRACER_MUX, "muxTracer", tracer_mux)                                                         \
    X(TRACER_OPERATIONS, "erc7562Tracer", tracer_operations)

enum tracer_kind {
#define X(kind, name, functions) kind,
    TRACERS(X)
#undef X
        TRACER_KIND_COUNT
};

/* Each tracer reads only what geth's tracer of that name reads. */
struct tracer_config {
    enum tracer_kind kind;
    bool disable_storage; /* steps, prestate */
    bool disable_stack;   /* steps */
    bool enable_memory;
    bool enable_return_data;
    uint64_t steps_max; /* 0: all */
    bool only_top_call; /* calls, flat calls */
    bool with_log;      /* calls */
    bool convert_parity_errors;
    bool include_precompiles;
    bool diff_mode; /* prestate */
    bool disable_code;
    bool include_empty;
    const struct tracer_config *parts; /* mux */
    size_t parts_count;
};

/* Where the transaction stands, for tracers that repeat it. */
struct tracer_place {
    bool is_in_block; /* else a call, that no block has */
    struct hash32 block_hash;
    uint64_t block_number;
    struct hash32 transaction_hash;
    uint64_t index;
    uint64_t logs_before; /* in the block */
};

struct tracer;

/* tracer_kind_of finds a tracer by its name; false: there is none. */
bool tracer_kind_of(const char *name, enum tracer_kind *out);
const char *tracer_name(enum tracer_kind kind);

/* tracer_set sets a flag by its name in `tracerConfig`; other names are left alone, as geth leaves
 * them. */
void tracer_set(struct tracer_config *config, const char *name, bool value);

/* tracer_create makes a tracer for one transaction; NULL: the arena is full. */
struct tracer *tracer_create(struct arena *arena, const struct tracer_config *config);

/* tracer_observer is what goes into evm_options; valid as long as the tracer. */
const struct evm_tracer *tracer_observer(struct tracer *tracer);

/* tracer_begin looks at the state before the transaction runs.  host, block and transaction must
 * stay until tracer_end. */
void tracer_begin(struct tracer *tracer, const struct evm_host *host, const struct evm_block *block,
                  const struct transaction *transaction, uint64_t logs_before);

/* tracer_end looks at the state behind it; whether the host has ended the transaction by then makes
 * no difference. */
void tracer_end(struct tracer *tracer, const struct evm_result *result);

/* tracer_write writes one JSON value.  ERR_LIMIT: the arena was too small for the trace. */
MUST_USE enum err tracer_write(struct tracer *tracer, const struct tracer_place *place,
                               struct json_writer *json);
