#include "evm/tracer.h"

#include "base/check.h"
#include "base/keccak.h"
#include "evm/machine.h"
#include "evm/precompile.h"
#include "evm/tracer_internal.h"

static const struct {
    const char *name;
    const struct tracer_functions *functions;
} tracers[TRACER_KIND_COUNT] = {
#define X(kind, name, functions) [kind] = {name, &functions},
    TRACERS(X)
#undef X
};

bool tracer_kind_of(const char *name, enum tracer_kind *out) {
    for (size_t i = 0; i < TRACER_KIND_COUNT; i++) {
        if (strcmp(tracers[i].name, name) != 0) continue;
        *out = (enum tracer_kind)i;
        return true;
    }
    return false;
}

const char *tracer_name(enum tracer_kind kind) {
    CHECK(kind < TRACER_KIND_COUNT);
    return tracers[kind].name;
}

void tracer_set(struct tracer_config *config, const char *name, bool value) {
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"disableStorage", &config->disable_storage},
                 {"onlyTopCall", &config->only_top_call},
                 {"withLog", &config->with_log},
                 {"convertParityErrors", &config->convert_parity_errors},
                 {"includePrecompiles", &config->include_precompiles},
                 {"diffMode", &config->diff_mode},
                 {"disableCode", &config->disable_code},
                 {"includeEmpty", &config->include_empty}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp(flags[i].name, name) == 0) *flags[i].flag = value;
    }
}

static void on_step(void *context, const struct evm_step *step) {
    struct tracer *tracer = context;
    tracer->last = (struct tracer_last){step->opcode, step->gas, step->stack_count};
    if (tracer->functions->step != NULL) tracer->functions->step(tracer, tracer->self, step);
}

static void on_frame(void *context, const struct evm_frame_event *event) {
    struct tracer *tracer = context;
    if (tracer->functions->frame != NULL) tracer->functions->frame(tracer, tracer->self, event);
}

struct tracer *tracer_create(struct arena *arena, const struct tracer_config *config) {
    struct tracer *tracer = arena_alloc_zero(arena, sizeof *tracer);
    if (tracer == NULL) return NULL;
    tracer->functions = tracers[config->kind].functions;
    tracer->config = *config;
    tracer->arena = arena;
    tracer->observer = (struct evm_tracer){
        .context = tracer, .step = on_step, .frame = on_frame, .is_stopped = &tracer->is_full};
    tracer->self = tracer->functions->create(tracer);
    return tracer->self == NULL ? NULL : tracer;
}

const struct evm_tracer *tracer_observer(struct tracer *tracer) {
    return &tracer->observer;
}

void tracer_begin(struct tracer *tracer, const struct evm_host *host, const struct evm_block *block,
                  const struct transaction *transaction, uint64_t logs_before) {
    tracer->host = host;
    tracer->block = block;
    tracer->transaction = transaction;
    tracer->logs_before = logs_before;
    if (tracer->functions->begin != NULL) tracer->functions->begin(tracer, tracer->self);
}

void tracer_end(struct tracer *tracer, const struct evm_result *result) {
    if (tracer->functions->end != NULL) tracer->functions->end(tracer, tracer->self, result);
}

enum err tracer_write(struct tracer *tracer, const struct tracer_place *place,
                      struct json_writer *json) {
    if (tracer->is_full) return ERR_LIMIT;
    tracer->functions->write(tracer, tracer->self, place, json);
    return tracer->is_full || json->out->overflow ? ERR_LIMIT : ERR_OK;
}

void *tracer_keep(struct tracer *tracer, size_t bytes) {
    void *memory = arena_alloc_zero(tracer->arena, bytes);
    if (memory == NULL) tracer->is_full = true;
    return memory;
}

struct bytes tracer_keep_bytes(struct tracer *tracer, struct bytes in) {
    struct bytes out = BYTES_EMPTY;
    if (!arena_copy(tracer->arena, in, &out)) tracer->is_full = true;
    return out;
}

struct bytes tracer_range(struct tracer *tracer, const struct evm_step *step,
                          const struct u256 *offset, const struct u256 *size) {
    const uint64_t from = u256_to_u64_saturated(offset);
    const uint64_t bytes = u256_to_u64_saturated(size);
    if (bytes == 0) return BYTES_EMPTY;
    uint8_t *out = tracer_keep(tracer, bytes);
    if (out == NULL) return BYTES_EMPTY;
    if (from < step->memory.size) {
        const struct bytes there = bytes_slice(step->memory, from, bytes);
        memcpy(out, there.data, there.size);
    }
    return (struct bytes){out, bytes};
}

struct address step_address(const struct evm_step *step, size_t depth) {
    return word_to_address(step_top(step, depth));
}

bool step_creates(struct tracer *tracer, const struct evm_step *step, struct address *out) {
    const struct evm_host *host = tracer->host;
    if (step->opcode == OP_CREATE && step->stack_count >= 3) {
        *out = contract_address_create(&step->address, host->nonce(host->context, &step->address));
        return true;
    }
    if (step->opcode != OP_CREATE2 || step->stack_count < 4) return false;
    const size_t mark = arena_mark(tracer->arena);
    const struct hash32 hash =
        keccak256(tracer_range(tracer, step, step_top(step, 1), step_top(step, 2)));
    const struct hash32 salt = u256_to_hash(step_top(step, 3));
    arena_release(tracer->arena, mark);
    *out = contract_address_create2(&step->address, &salt, &hash);
    return true;
}

/* The gas below which EIP-2200 refuses to store. */
#define SENTRY_GAS 2300

static void append(struct buffer *out, const char *text) {
    buffer_append(out, bytes_from_string(text));
}

static void append_number(struct buffer *out, size_t number, size_t base) {
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    buffer_append(out, (struct bytes){(const uint8_t *)digits + at, sizeof digits - at});
}

void tracer_error(const struct tracer *tracer, enum evm_status status,
                  char out[TRACER_ERROR_BYTES]) {
    const struct tracer_last *last = &tracer->last;
    const enum fork fork = tracer->block->fork;
    struct buffer text = buffer_over((uint8_t *)out, TRACER_ERROR_BYTES - 1);
    if (status != EVM_SUCCESS) append(&text, evm_status_text(status));
    if (status == EVM_UNDEFINED_INSTRUCTION) {
        append(&text, ": opcode 0x");
        append_number(&text, last->opcode, 16);
        append(&text, " not defined");
    } else if (status == EVM_STACK_UNDERFLOW) {
        struct rules rules;
        rules_of(fork, &rules);
        append(&text, " (");
        append_number(&text, last->stack_count, 10);
        append(&text, " <=> ");
        append_number(&text, rules.opcodes[last->opcode].stack_in, 10);
        append(&text, ")");
    } else if (status == EVM_OUT_OF_GAS && last->opcode == OP_SSTORE && last->gas <= SENTRY_GAS &&
               fork >= FORK_ISTANBUL) {
        append(&text, ": not enough gas for reentrancy sentry");
    }
    out[text.size] = 0;
}

void tracer_precompile_error(const struct tracer *tracer, const struct address *contract,
                             struct bytes input, char out[TRACER_ERROR_BYTES]) {
    const struct precompile *found = precompile_find(tracer->block->fork, contract);
    const uint16_t address = found == NULL ? 0 : found->address;
    const char *text = evm_status_text(EVM_PRECOMPILE_FAILURE);
    if (address == 0x08 && input.size % 192 != 0) text = "bad elliptic curve pairing size";
    if (address == 0x09 && input.size == 213) text = "invalid final flag";
    if (address == 0x09 && input.size != 213) text = "invalid input length";
    if (address == 0x0a && input.size != 192) text = "invalid input length";
    const bool is_short =
        (address == 0x0b && input.size != 256) || (address == 0x0d && input.size != 512) ||
        (address == 0x0f && (input.size == 0 || input.size % 384 != 0)) ||
        (address == 0x0c && (input.size == 0 || input.size % 160 != 0)) ||
        (address == 0x0e && (input.size == 0 || input.size % 288 != 0)) ||
        (address == 0x10 && input.size != 64) || (address == 0x11 && input.size != 128);
    if (is_short) text = "invalid input length";
    struct buffer buffer = buffer_over((uint8_t *)out, TRACER_ERROR_BYTES - 1);
    append(&buffer, text);
    out[buffer.size] = 0;
}
