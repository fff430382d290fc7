/* Dispatch: one function that follows analysed code from handler to handler.
 *
 * Handlers are labels; each ends with a jump to the next instruction's own handler, so that the
 * processor predicts every instruction's successor apart ("threaded code").  The labels' bodies are
 * generated from OPCODES by the kind of each instruction. */
#include "evm/op_frame.h"
#include "evm/op_fused.h"
#include "evm/op_stack.h"
#include "evm/opcodes.h"

#define NEXT() goto *(++at)->handler

/* What a label does, by kind. */
#define DISPATCH_STACK(name, handler, in, out)                                                     \
    label_##name : op_##handler(top);                                                              \
    top += out - in;                                                                               \
    NEXT();
#define DISPATCH_FRAME(name, handler, in, out)                                                     \
    label_##name : status = op_##handler(f, top);                                                  \
    if (__builtin_expect(status != EVM_SUCCESS, 0)) goto fail;                                     \
    top += out - in;                                                                               \
    NEXT();
#define DISPATCH_CONTROL(name, handler, in, out)
#define DISPATCH_PUSH(name, handler, in, out)
#define DISPATCH_BLOCK(name, handler, in, out)

/* Which label an opcode's instruction goes to. */
#define ADDRESS_STACK(name)   &&label_##name
#define ADDRESS_FRAME(name)   &&label_##name
#define ADDRESS_CONTROL(name) &&label_##name
#define ADDRESS_PUSH(name)    &&label_push_small
#define ADDRESS_BLOCK(name)   &&label_block

/* BLOCK_ENTER pays for the block whose record `at` is on and checks the stack's height for it. */
#define BLOCK_ENTER()                                                                              \
    do {                                                                                           \
        const struct block_cost cost = at->cost;                                                   \
        const uint64_t height = (uint64_t)(top - f->stack);                                        \
        f->gas -= cost.gas;                                                                        \
        if (__builtin_expect(f->gas < 0 || height - cost.stack_need > cost.stack_span, 0))         \
            goto block_failed;                                                                     \
        NEXT();                                                                                    \
    } while (0)

/* JUMP_TO goes to the block of the JUMPDEST at the word `target`. */
#define JUMP_TO(target)                                                                            \
    do {                                                                                           \
        const struct u256 *const to = (target);                                                    \
        if (!u256_fits_u64(to) || to->limb[0] >= f->code.bytes.size) goto bad_jump;                \
        at = code_known(&f->code, to->limb[0]);                                                    \
        if (__builtin_expect(at == NULL, 0)) at = frame_find(f, to->limb[0], true);                \
        if (__builtin_expect(at == NULL, 0)) goto bad_jump;                                        \
    } while (0)

/* CALLER_STOPS notes where the caller goes on: the record behind the call's begins a block. */
#define CALLER_STOPS()                                                                             \
    do {                                                                                           \
        f->next = at + 1;                                                                          \
        f->next_pc = at->value;                                                                    \
    } while (0)

/* CONSTANT_JUMP goes to the block whose address `at` carries. */
#define CONSTANT_JUMP()                                                                            \
    do {                                                                                           \
        at = (struct instruction *)(uintptr_t)at->value;                                           \
        if (__builtin_expect(at == NULL, 0)) goto bad_jump;                                        \
    } while (0)

/* FIND reads the code that the record `at` names, and makes the record `known` for the next time,
 * unless reading it made the cache forget the record. */
#define FIND(is_jump, known)                                                                       \
    do {                                                                                           \
        const uint64_t generation = evm->codes.generation;                                         \
        struct instruction *const found = frame_find(f, at->value, is_jump);                       \
        if (__builtin_expect(found == NULL, 0)) goto bad_jump;                                     \
        if (evm->codes.generation == generation) {                                                 \
            at->handler = labels[known];                                                           \
            at->value = (uint64_t)(uintptr_t)found;                                                \
        }                                                                                          \
        at = found;                                                                                \
    } while (0)

/* dispatch runs `evm`; with NULL it only tells the labels' addresses, which no other function can
 * name. */
static enum evm_status dispatch(struct evm *evm, const void *const **handlers) {
    static const void *const labels[HANDLER_COUNT] = {
#define X(code, name, handler, in, out, gas, fork, kind) [code] = ADDRESS_##kind(name),
        OPCODES(X)
#undef X
            [HANDLER_BLOCK] = &&label_block,
        [HANDLER_STEP] = &&label_step,
        [HANDLER_PUSH_SMALL] = &&label_push_small,
        [HANDLER_PUSH_WIDE] = &&label_push_wide,
        [HANDLER_UNDEFINED] = &&label_undefined,
        [HANDLER_CONTINUE] = &&label_continue,
        [HANDLER_GOTO] = &&label_goto,
        [HANDLER_PUSH_JUMP_FIND] = &&label_push_jump_find,
        [HANDLER_PUSH_JUMPI_FIND] = &&label_push_jumpi_find,
        [HANDLER_ISZERO_PUSH_JUMPI_FIND] = &&label_iszero_push_jumpi_find,
        [HANDLER_PUSH_JUMP] = &&label_push_jump,
        [HANDLER_PUSH_JUMPI] = &&label_push_jumpi,
        [HANDLER_ISZERO_PUSH_JUMPI] = &&label_iszero_push_jumpi,
        [HANDLER_PUSH_MLOAD] = &&label_push_mload,
        [HANDLER_PUSH_MSTORE] = &&label_push_mstore,
#define X(name, handler, first, second, change) [HANDLER_##name] = &&label_##name,
        FUSED_PAIRS(X)
#undef X
    };
    if (evm == NULL) {
        *handlers = labels;
        return EVM_SUCCESS;
    }

    struct frame *f;
    struct instruction *at;
    struct u256 *top;
    enum evm_status status;
    struct bytes output;
    struct u256 offset;
    bool runs;
    bool is_taken;

enter: /* the frame on top begins, or goes on behind a call */
    if (evm->error != ERR_OK) return EVM_OUT_OF_GAS;
    f = &evm->frames[evm->depth];
    at = f->next;
    top = f->top;
    goto * at->handler;

label_block:
    BLOCK_ENTER();
label_step:
    trace_step(f, top, at->value, at[-1].cost.gas);
    NEXT();
label_push_small:
    *++top = u256_from_u64(at->value);
    NEXT();
label_push_wide:
    memcpy(++top, at + 1, sizeof *top);
    at += 2;
    NEXT();

#define X(code, name, handler, in, out, gas, fork, kind) DISPATCH_##kind(name, handler, in, out)
    OPCODES(X)
#undef X

#define X(name, handler, first, second, change)                                                    \
    label_##name : op_##handler(top, at->value);                                                   \
    top += change;                                                                                 \
    NEXT();
    FUSED_PAIRS(X)
#undef X
label_push_mload:
    *++top = u256_from_u64(at->value);
    if (!memory_need(f, top, 32)) goto out_of_gas;
    *top = u256_load_be(f->memory + at->value);
    NEXT();
label_push_mstore:
    offset = u256_from_u64(at->value);
    if (!memory_need(f, &offset, 32)) goto out_of_gas;
    u256_store_be(f->memory + at->value, top--);
    NEXT();

label_continue:
    FIND(false, HANDLER_GOTO);
    BLOCK_ENTER();
label_goto:
    at = (struct instruction *)(uintptr_t)at->value;
    BLOCK_ENTER();
label_push_jump_find:
    FIND(true, HANDLER_PUSH_JUMP);
    BLOCK_ENTER();
label_push_jumpi_find:
    is_taken = !u256_is_zero(top--);
    if (is_taken) {
        FIND(true, HANDLER_PUSH_JUMPI);
    } else {
        at++;
    }
    BLOCK_ENTER();
label_iszero_push_jumpi_find:
    is_taken = u256_is_zero(top--);
    if (is_taken) {
        FIND(true, HANDLER_ISZERO_PUSH_JUMPI);
    } else {
        at++;
    }
    BLOCK_ENTER();
label_push_jump:
    CONSTANT_JUMP();
    BLOCK_ENTER();
label_push_jumpi:
    is_taken = !u256_is_zero(top--);
    goto constant_jumpi;
label_iszero_push_jumpi:
    is_taken = u256_is_zero(top--);
constant_jumpi:
    if (is_taken) {
        CONSTANT_JUMP();
    } else {
        at++;
    }
    BLOCK_ENTER();
label_JUMP:
    JUMP_TO(top);
    top -= 1;
    BLOCK_ENTER();
label_JUMPI:
    if (u256_is_zero(&top[-1])) {
        at++;
    } else {
        JUMP_TO(top);
    }
    top -= 2;
    BLOCK_ENTER();
label_CALL:
    CALLER_STOPS();
    status = op_call_any(f, top, OP_CALL, &runs);
    goto started;
label_CALLCODE:
    CALLER_STOPS();
    status = op_call_any(f, top, OP_CALLCODE, &runs);
    goto started;
label_DELEGATECALL:
    CALLER_STOPS();
    status = op_call_any(f, top, OP_DELEGATECALL, &runs);
    goto started;
label_STATICCALL:
    CALLER_STOPS();
    status = op_call_any(f, top, OP_STATICCALL, &runs);
    goto started;
label_CREATE:
    CALLER_STOPS();
    status = op_create_any(f, top, OP_CREATE, &runs);
    goto started;
label_CREATE2:
    CALLER_STOPS();
    status = op_create_any(f, top, OP_CREATE2, &runs);
started:
    if (status != EVM_SUCCESS) goto fail;
    goto enter;

label_STOP:
    status = EVM_SUCCESS;
    output = BYTES_EMPTY;
    goto leave;
label_RETURN:
    status = memory_need_range(f, &top[0], &top[-1], &output) ? EVM_SUCCESS : EVM_OUT_OF_GAS;
    goto leave;
label_REVERT:
    status = memory_need_range(f, &top[0], &top[-1], &output) ? EVM_REVERT : EVM_OUT_OF_GAS;
    goto leave;
label_SELFDESTRUCT:
    status = op_selfdestruct(f, top);
    output = BYTES_EMPTY;
    goto leave;

label_INVALID:
    status = EVM_INVALID_INSTRUCTION;
    goto fail;
label_undefined:
    status = EVM_UNDEFINED_INSTRUCTION;
    goto fail;
out_of_gas:
    status = EVM_OUT_OF_GAS;
    goto fail;
bad_jump:
    status = EVM_BAD_JUMP_DESTINATION;
    goto fail;
block_failed:
    status = trace_block_failed(f, top, at);
fail:
    output = BYTES_EMPTY;
leave:
    status = frame_end(evm, status, output);
    if (evm->depth == 0) return status;
    evm->depth--;
    call_resume(&evm->frames[evm->depth], f, status);
    goto enter;
}

enum evm_status interpret(struct evm *evm) {
    return dispatch(evm, NULL);
}

const void *const *interpret_handlers(void) {
    const void *const *handlers = NULL;
    (void)dispatch(NULL, &handlers);
    return handlers;
}
