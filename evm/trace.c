/* What observers are told (EIP-3155 and call traces), and the names of outcomes. */
#include "evm/machine.h"
#include "evm/opcodes.h"

/* As geth words them. */
static const char *const status_texts[EVM_STATUS_COUNT] = {
    [EVM_SUCCESS] = "success",
    [EVM_REVERT] = "execution reverted",
    [EVM_OUT_OF_GAS] = "out of gas",
    [EVM_INVALID_INSTRUCTION] = "invalid opcode: INVALID",
    [EVM_UNDEFINED_INSTRUCTION] = "invalid opcode",
    [EVM_STACK_OVERFLOW] = "stack limit reached 1024 (1023)",
    [EVM_STACK_UNDERFLOW] = "stack underflow",
    [EVM_BAD_JUMP_DESTINATION] = "invalid jump destination",
    [EVM_STATIC_MODE_VIOLATION] = "write protection",
    [EVM_INVALID_MEMORY_ACCESS] = "return data out of bounds",
    [EVM_CALL_DEPTH_EXCEEDED] = "max call depth exceeded",
    [EVM_CONTRACT_COLLISION] = "contract address collision",
    [EVM_CODE_SIZE_EXCEEDED] = "max code size exceeded",
    [EVM_CODE_PREFIX_EF] = "invalid code: must not begin with 0xef",
    [EVM_INSUFFICIENT_BALANCE] = "insufficient balance for transfer",
    [EVM_PRECOMPILE_FAILURE] = "precompile failed",
    [EVM_NONCE_OVERFLOW] = "nonce uint64 overflow",
    [EVM_CODE_STORE_OUT_OF_GAS] = "contract creation code storage out of gas",
};

const char *evm_status_text(enum evm_status status) {
    CHECK(status < EVM_STATUS_COUNT);
    return status_texts[status];
}

/* tell tells the observer of a step; `fault` is why the instruction will not run, if that is known.
 */
static void tell(struct frame *f, const struct u256 *top, uint64_t pc, int64_t block_gas,
                 enum evm_status fault) {
    struct evm *evm = f->evm;
    const struct evm_tracer *tracer = evm->tracer;
    const uint8_t opcode = pc < f->code_bytes.size ? f->code_bytes.data[pc] : OP_STOP;
    /* Without enough on the stack the instruction fails before it costs anything. */
    const struct opcode_rule *opcode_rule = &evm->rules.opcodes[opcode];
    const bool is_complete = opcode_rule->is_defined && top - f->stack >= opcode_rule->stack_in;
    const int64_t extra = is_complete ? trace_cost(f, top, opcode) : 0;
    if (!opcode_rule->is_defined) fault = EVM_UNDEFINED_INSTRUCTION;
    if (fault == EVM_SUCCESS && extra > f->gas) fault = EVM_OUT_OF_GAS;
    const struct evm_step step = {.pc = pc,
                                  .opcode = opcode,
                                  .gas = (uint64_t)(f->gas + block_gas),
                                  .gas_cost = (uint64_t)(block_gas + extra),
                                  .depth = evm->depth + 1,
                                  .stack = f->stack + 1,
                                  .stack_count = (size_t)(top - f->stack),
                                  .memory = {f->memory, f->memory_bytes},
                                  .return_data = evm->return_data,
                                  .refund = (uint64_t)evm->refund,
                                  .address = f->address,
                                  .fault = fault};
    tracer->step(tracer->context, &step);
    if (tracer->is_stopped == NULL || !*tracer->is_stopped) return;
    evm->error = ERR_LIMIT;
    f->gas = 0; /* nothing but the way out is free */
}

void trace_step(struct frame *f, const struct u256 *top, uint64_t pc, int64_t block_gas) {
    const struct evm_tracer *tracer = f->evm->tracer;
    if (tracer != NULL && tracer->step != NULL) tell(f, top, pc, block_gas, EVM_SUCCESS);
}

static enum evm_status block_fault(const struct frame *f, const struct u256 *top,
                                   struct block_cost cost) {
    const int64_t height = top - f->stack;
    if (cost.stack_need == BLOCK_NEVER) return EVM_STACK_OVERFLOW;
    if (height < cost.stack_need) return EVM_STACK_UNDERFLOW;
    if (height - cost.stack_need > cost.stack_span) return EVM_STACK_OVERFLOW;
    return EVM_OUT_OF_GAS;
}

enum evm_status trace_block_failed(struct frame *f, const struct u256 *top,
                                   const struct instruction *block) {
    const struct block_cost cost = block->cost;
    const enum evm_status fault = block_fault(f, top, cost);
    /* A traced block is one instruction, whose step record follows its block record; the observer
     * hears of the instruction that fails. */
    const struct evm_tracer *tracer = f->evm->tracer;
    if (tracer != NULL && tracer->step != NULL) tell(f, top, block[1].value, cost.gas, fault);
    return fault;
}

void trace_enter(struct evm *evm, unsigned depth, const struct message *message) {
    if (evm->tracer == NULL || evm->tracer->frame == NULL) return;
    const bool is_create = message->kind == FRAME_CREATE;
    /* Who runs DELEGATECALL is the contract itself, though the code will see its caller. */
    const bool is_delegate = message->opcode == OP_DELEGATECALL;
    const struct evm_frame_event event = {.is_enter = true,
                                          .opcode = message->opcode,
                                          .depth = depth + 1,
                                          .from = is_delegate ? message->address : message->caller,
                                          .to =
                                              is_create ? message->address : message->code_address,
                                          .value = message->value,
                                          .data = message->input,
                                          .gas = (uint64_t)message->gas};
    evm->tracer->frame(evm->tracer->context, &event);
}

void trace_leave(struct evm *evm, unsigned depth, enum evm_status status, struct bytes output,
                 int64_t gas_used) {
    if (evm->tracer == NULL || evm->tracer->frame == NULL) return;
    const struct evm_frame_event event = {.is_enter = false,
                                          .depth = depth + 1,
                                          .data = output,
                                          .gas = (uint64_t)gas_used,
                                          .status = status};
    evm->tracer->frame(evm->tracer->context, &event);
}
