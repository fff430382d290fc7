/* Messages: how calls and creations begin and end. */
#include <string.h>

#include "base/keccak.h"
#include "chain/transaction.h"
#include "evm/machine.h"
#include "evm/opcodes.h"
#include "evm/precompile.h"

static void move_value(struct evm *evm, const struct message *message) {
    const struct evm_host *host = evm->host;
    if (!u256_is_zero(&message->value)) {
        struct u256 balance;
        host->balance(host->context, &message->caller, &balance);
        balance = u256_sub(&balance, &message->value);
        host->set_balance(host->context, &message->caller, &balance);
    }
    account_add_balance(evm, &message->address, &message->value);
}

/* undo takes back what a message did to the world. */
static void undo(struct evm *evm, size_t checkpoint, int64_t refund, size_t logs_mark,
                 struct log_record *logs_last) {
    evm->host->rollback(evm->host->context, checkpoint);
    evm->refund = refund;
    evm->logs_last = logs_last;
    arena_release(&evm->logs, logs_mark);
}

static enum evm_status run_precompile(struct evm *evm, const struct precompile *precompile,
                                      const struct message *message, int64_t *gas_left) {
    *gas_left = 0;
    const uint64_t cost = precompile->gas(message->input);
    if (cost > (uint64_t)message->gas) return EVM_OUT_OF_GAS;
    struct buffer out = buffer_over(evm->return_buffer, evm->return_capacity);
    arena_reset(&evm->scratch);
    const bool is_valid = precompile->run(message->input, &evm->scratch, &out);
    if (out.size > evm->return_peak) evm->return_peak = out.size;
    if (out.overflow) {
        evm->error = ERR_LIMIT;
        return EVM_OUT_OF_GAS;
    }
    if (!is_valid) return EVM_PRECOMPILE_FAILURE;
    evm->return_data = buffer_bytes(&out);
    *gas_left = message->gas - (int64_t)cost;
    return EVM_SUCCESS;
}

/* precompile_at finds the contract at an address as this transaction sees it. */
static const struct precompile *precompile_at(const struct evm *evm,
                                              const struct address *address) {
    for (size_t i = 0; i < evm->moves_count; i++) {
        const struct evm_precompile_move *move = &evm->moves[i];
        if (!address_equal(&move->at, address)) continue;
        return move->is_gone ? NULL : precompile_find(evm->rules.fork, &move->moved);
    }
    return precompile_find(evm->rules.fork, address);
}

/* frame_code finds what is known of the frame's code. */
static bool frame_code(struct frame *f) {
    struct evm *evm = f->evm;
    const struct hash32 *hash = f->has_code_hash ? &f->code_hash : NULL;
    const bool is_traced = evm->tracer != NULL;
    if (!code_of(&evm->codes, f->code_bytes, hash, is_traced, &f->code)) {
        evm->error = ERR_LIMIT;
        return false;
    }
    f->code_generation = evm->codes.generation;
    return true;
}

struct instruction *frame_find(struct frame *f, uint64_t pc, bool is_jump) {
    struct evm *evm = f->evm;
    const bool is_jumpdest = code_is_jumpdest(&f->code, pc);
    if (is_jump && !is_jumpdest) return NULL;
    struct instruction *known = is_jumpdest ? code_known(&f->code, pc) : NULL;
    if (known != NULL) return known;
    struct instruction *found = code_decode(&evm->codes, &f->code, pc);
    if (found != NULL) return found;
    code_forget(&evm->codes);
    if (!frame_code(f)) return NULL;
    found = code_decode(&evm->codes, &f->code, pc);
    if (found == NULL) evm->error = ERR_LIMIT;
    return found;
}

/* frame_push puts a frame for `message` on top; `code` is what it runs. */
static enum message_outcome frame_push(struct evm *evm, unsigned depth,
                                       const struct message *message, struct bytes code,
                                       const struct hash32 *code_hash, size_t checkpoint) {
    CHECK(depth < FRAMES_MAX);
    struct frame *f = &evm->frames[depth];
    f->gas = message->gas;
    f->memory = evm->memory;
    f->stack = evm->stacks;
    if (depth > 0) {
        const struct frame *below = &evm->frames[depth - 1];
        f->memory = below->memory + below->memory_bytes;
        f->stack = below->top;
    }
    f->memory_bytes = 0;
    f->top = f->stack;
    f->evm = evm;
    f->input = message->kind == FRAME_CREATE ? BYTES_EMPTY : message->input;
    f->address = message->address;
    f->caller = message->caller;
    f->value = message->value;
    f->is_static = message->is_static;
    f->has_code_hash = code_hash != NULL;
    if (code_hash != NULL) f->code_hash = *code_hash;
    f->code_bytes = code;
    f->kind = message->kind;
    f->opcode = message->opcode;
    f->output_offset = message->output_offset;
    f->output_bytes = message->output_bytes;
    f->checkpoint = checkpoint;
    f->refund = evm->refund;
    f->logs_mark = arena_mark(&evm->logs);
    f->logs_last = evm->logs_last;
    f->gas_given = message->gas;
    evm->depth = depth;
    if (depth > evm->depth_peak) evm->depth_peak = depth;
    if (!frame_code(f)) return MESSAGE_RUNS;
    f->next = f->code.map->entry != NULL ? f->code.map->entry : frame_find(f, 0, false);
    return MESSAGE_RUNS;
}

static enum message_outcome create_begin(struct evm *evm, unsigned depth,
                                         const struct message *message, enum evm_status *status,
                                         int64_t *gas_left) {
    const struct evm_host *host = evm->host;
    struct hash32 code_hash;
    host->code_hash(host->context, &message->address, &code_hash);
    const bool has_code = !hash_equal(&code_hash, &KECCAK_EMPTY) && !hash_is_zero(&code_hash);
    if (has_code || host->nonce(host->context, &message->address) != 0 ||
        host->has_storage(host->context, &message->address)) { /* EIP-684, EIP-7610 */
        *status = EVM_CONTRACT_COLLISION;
        *gas_left = 0;
        return MESSAGE_DONE;
    }
    const size_t checkpoint = host->checkpoint(host->context);
    host->create_account(host->context, &message->address);
    const int64_t nonce = rule(evm, RULE_CREATE_NONCE);
    if (nonce != 0) host->set_nonce(host->context, &message->address, (uint64_t)nonce);
    move_value(evm, message);
    return frame_push(evm, depth, message, message->input, NULL, checkpoint);
}

enum message_outcome message_begin(struct evm *evm, unsigned depth, const struct message *message,
                                   enum evm_status *status, int64_t *gas_left) {
    const struct evm_host *host = evm->host;
    evm->return_data = BYTES_EMPTY;
    if (message->kind == FRAME_CREATE) {
        return create_begin(evm, depth, message, status, gas_left);
    }
    const size_t checkpoint = host->checkpoint(host->context);
    if (message->moves_value) move_value(evm, message);

    const struct precompile *precompile = precompile_at(evm, &message->code_address);
    if (precompile != NULL) {
        *status = run_precompile(evm, precompile, message, gas_left);
        if (*status != EVM_SUCCESS) host->rollback(host->context, checkpoint);
        return MESSAGE_DONE;
    }
    struct address code_address = message->code_address;
    struct bytes code = host->code(host->context, &code_address);
    struct address target;
    if (delegation_target(evm, code, &target)) {
        /* One step only; a precompile as target has no code (EIP-7702). */
        code_address = target;
        code =
            precompile_at(evm, &target) != NULL ? BYTES_EMPTY : host->code(host->context, &target);
    }
    if (code.size == 0) {
        *status = EVM_SUCCESS;
        *gas_left = message->gas;
        return MESSAGE_DONE;
    }
    struct hash32 code_hash;
    host->code_hash(host->context, &code_address, &code_hash);
    return frame_push(evm, depth, message, code, &code_hash, checkpoint);
}

/* deposit pays for and stores created code; not EVM_SUCCESS: the creation fails. */
static enum evm_status deposit(struct frame *f, struct bytes code) {
    struct evm *evm = f->evm;
    const struct evm_host *host = evm->host;
    if (code.size > (uint64_t)rule(evm, RULE_CODE_BYTES_MAX)) return EVM_CODE_SIZE_EXCEEDED;
    if (rule(evm, RULE_CODE_NO_EF) && code.size != 0 && code.data[0] == 0xef) {
        return EVM_CODE_PREFIX_EF;
    }
    const int64_t cost = 200 * (int64_t)code.size;
    if (f->gas < cost) {
        /* Frontier made an account without code instead. */
        return rule(evm, RULE_CREATE_DEPOSIT_MUST_PAY) ? EVM_CODE_STORE_OUT_OF_GAS : EVM_SUCCESS;
    }
    f->gas -= cost;
    host->set_code(host->context, &f->address, code);
    return EVM_SUCCESS;
}

enum evm_status frame_end(struct evm *evm, enum evm_status status, struct bytes output) {
    struct frame *f = &evm->frames[evm->depth];
    struct bytes created = BYTES_EMPTY; /* code: an output to observers only */
    if (f->kind == FRAME_CREATE && status == EVM_SUCCESS) {
        created = output;
        status = deposit(f, output);
        output = BYTES_EMPTY;
    }
    if (status != EVM_SUCCESS) {
        undo(evm, f->checkpoint, f->refund, f->logs_mark, f->logs_last);
        if (status != EVM_REVERT) {
            f->gas = 0;
            output = BYTES_EMPTY;
        }
    }
    if (output.size > evm->return_capacity) {
        evm->error = ERR_LIMIT;
        output = BYTES_EMPTY;
    }
    if (output.size != 0) memmove(evm->return_buffer, output.data, output.size);
    evm->return_data = (struct bytes){evm->return_buffer, output.size};
    if (output.size > evm->return_peak) evm->return_peak = output.size;
    const struct bytes shown = status == EVM_SUCCESS && created.size != 0 ? created : output;
    trace_leave(evm, evm->depth, status, shown, f->gas_given - f->gas);
    return status;
}

/* result_write puts a call's outcome on the caller's stack and its output into memory. */
static void result_write(struct frame *f, const struct message *message, enum evm_status status,
                         int64_t gas_left) {
    f->gas += gas_left;
    if (message->kind == FRAME_CREATE) {
        *f->top = status == EVM_SUCCESS ? address_to_word(&message->address) : U256_ZERO;
        return;
    }
    *f->top = u256_from_u64(status == EVM_SUCCESS);
    const struct bytes output = bytes_slice(f->evm->return_data, 0, message->output_bytes);
    if (output.size != 0) memcpy(f->memory + message->output_offset, output.data, output.size);
}

void call_resume(struct frame *f, const struct frame *callee, enum evm_status status) {
    const struct message message = {.kind = callee->kind,
                                    .address = callee->address,
                                    .output_offset = callee->output_offset,
                                    .output_bytes = callee->output_bytes};
    result_write(f, &message, status, callee->gas);
    struct evm *evm = f->evm;
    if (f->code_generation == evm->codes.generation) return;
    if (frame_code(f)) f->next = frame_find(f, f->next_pc, false);
}

/* message_start begins a message of `f` or, when it may not even begin, gives its gas back. */
static void message_start(struct frame *f, const struct message *message, bool *runs) {
    struct evm *evm = f->evm;
    enum evm_status status;
    int64_t gas_left = message->gas;
    trace_enter(evm, evm->depth + 1, message);
    *runs = message_begin(evm, evm->depth + 1, message, &status, &gas_left) == MESSAGE_RUNS;
    if (*runs) return;
    trace_leave(evm, evm->depth + 1, status, evm->return_data, message->gas - gas_left);
    result_write(f, message, status, gas_left);
}

static bool can_pay(struct evm *evm, const struct message *message) {
    if (u256_is_zero(&message->value)) return true;
    struct u256 balance;
    evm->host->balance(evm->host->context, &message->caller, &balance);
    return !u256_less(&balance, &message->value);
}

/* refuse answers a message that does not begin: its gas comes back, its result is zero. */
static void refuse(struct frame *f, const struct message *message, enum evm_status status) {
    struct evm *evm = f->evm;
    evm->return_data = BYTES_EMPTY;
    trace_enter(evm, evm->depth + 1, message);
    trace_leave(evm, evm->depth + 1, status, BYTES_EMPTY, 0);
    result_write(f, message, status, message->gas);
}

/* --- calls */

/* The stack arguments of the four calls; those without a value have it as zero. */
struct call_arguments {
    struct u256 gas;
    struct address address;
    bool has_value; /* the instruction takes one */
    struct u256 value;
    const struct u256 *input_offset, *input_size, *output_offset, *output_size;
};

static struct call_arguments call_arguments(const struct u256 *top, uint8_t opcode) {
    const bool has_value = opcode == OP_CALL || opcode == OP_CALLCODE;
    const struct u256 *ranges = has_value ? top - 3 : top - 2;
    return (struct call_arguments){.gas = top[0],
                                   .address = word_to_address(&top[-1]),
                                   .has_value = has_value,
                                   .value = has_value ? top[-2] : U256_ZERO,
                                   .input_offset = ranges,
                                   .input_size = ranges - 1,
                                   .output_offset = ranges - 2,
                                   .output_size = ranges - 3};
}

/* call_new_account_gas: a call that brings an account into being pays for it. */
static int64_t call_new_account_gas(struct evm *evm, const struct call_arguments *arguments) {
    const struct evm_host *host = evm->host;
    const bool is_new =
        rule(evm, RULE_CALL_NEW_IF_EMPTY)
            ? !u256_is_zero(&arguments->value) && host->is_empty(host->context, &arguments->address)
            : !host->exists(host->context, &arguments->address);
    return is_new ? 25000 : 0;
}

/* call_gas is all that a call costs its caller before the callee's gas; memory is paid already. */
static int64_t call_gas(struct evm *evm, const struct call_arguments *arguments, uint8_t opcode) {
    const struct evm_host *host = evm->host;
    int64_t cost = 0;
    if (rule(evm, RULE_ACCESS_LISTS) && !account_warm(evm, &arguments->address)) {
        cost += rule(evm, RULE_ACCOUNT_COLD_GAS);
    }
    if (!u256_is_zero(&arguments->value)) cost += 9000;
    if (opcode == OP_CALL) cost += call_new_account_gas(evm, arguments);
    struct address target;
    if (rule(evm, RULE_DELEGATION) &&
        delegation_target(evm, host->code(host->context, &arguments->address), &target)) {
        const enum rule price =
            account_warm(evm, &target) ? RULE_ACCESS_WARM_GAS : RULE_ACCESS_COLD_GAS;
        cost += rule(evm, price);
    }
    return cost;
}

int64_t call_gas_ahead(struct frame *f, const struct u256 *top, uint8_t opcode) {
    const struct call_arguments arguments = call_arguments(top, opcode);
    return call_gas(f->evm, &arguments, opcode);
}

/* gas_for_callee: what was asked for, at most all but a 64th (EIP-150); before, exactly that. */
static bool gas_for_callee(struct frame *f, const struct u256 *wanted, int64_t *gas) {
    const uint64_t asked = u256_to_u64_saturated(wanted);
    if (rule(f->evm, RULE_CALL_KEEPS_64TH)) {
        const int64_t most = f->gas - f->gas / 64;
        *gas = asked < (uint64_t)most ? (int64_t)asked : most;
    } else {
        if (asked > (uint64_t)f->gas) return false;
        *gas = (int64_t)asked;
    }
    f->gas -= *gas;
    return true;
}

enum evm_status op_call_any(struct frame *f, struct u256 *top, uint8_t opcode, bool *runs) {
    struct evm *evm = f->evm;
    *runs = false;
    const struct call_arguments arguments = call_arguments(top, opcode);
    f->top = top - (arguments.has_value ? 6 : 5);
    const bool sends = !u256_is_zero(&arguments.value);
    if (f->is_static && sends && opcode == OP_CALL) return EVM_STATIC_MODE_VIOLATION;

    struct bytes input;
    struct bytes output;
    /* Growing for the second range does not move memory: the first stays valid. */
    if (!memory_need_range(f, arguments.input_offset, arguments.input_size, &input) ||
        !memory_need_range(f, arguments.output_offset, arguments.output_size, &output) ||
        !gas_use(f, call_gas(evm, &arguments, opcode))) {
        return EVM_OUT_OF_GAS;
    }
    struct message message = {
        .kind = FRAME_CALL,
        .opcode = opcode,
        .is_static = f->is_static || opcode == OP_STATICCALL,
        .moves_value = opcode == OP_CALL || opcode == OP_STATICCALL,
        .caller = opcode == OP_DELEGATECALL ? f->caller : f->address,
        .address = opcode == OP_CALL || opcode == OP_STATICCALL ? arguments.address : f->address,
        .code_address = arguments.address,
        .value = opcode == OP_DELEGATECALL ? f->value : arguments.value,
        .input = input,
        .output_offset = arguments.output_offset->limb[0],
        .output_bytes = output.size};
    if (!gas_for_callee(f, &arguments.gas, &message.gas)) return EVM_OUT_OF_GAS;
    if (sends) message.gas += CALL_STIPEND_GAS;
    if (evm->depth >= EVM_CALL_DEPTH_MAX) {
        refuse(f, &message, EVM_CALL_DEPTH_EXCEEDED);
    } else if (sends && !can_pay(evm, &message)) {
        refuse(f, &message, EVM_INSUFFICIENT_BALANCE);
    } else {
        message_start(f, &message, runs);
    }
    return EVM_SUCCESS;
}

/* --- creations */

/* create_gas charges for initcode: its words (EIP-3860) and, for CREATE2, its hash. */
static bool create_gas(struct frame *f, uint64_t initcode_bytes, uint8_t opcode) {
    int64_t per_word = rule(f->evm, RULE_INITCODE_WORD_GAS);
    if (opcode == OP_CREATE2) per_word += 6;
    return gas_use(f, words_gas(initcode_bytes, per_word));
}

enum evm_status op_create_any(struct frame *f, struct u256 *top, uint8_t opcode, bool *runs) {
    struct evm *evm = f->evm;
    const struct evm_host *host = evm->host;
    *runs = false;
    if (f->is_static) return EVM_STATIC_MODE_VIOLATION;
    struct bytes initcode;
    if (!memory_need_range(f, &top[-1], &top[-2], &initcode)) return EVM_OUT_OF_GAS;
    if (initcode.size > (uint64_t)rule(evm, RULE_INITCODE_BYTES_MAX)) return EVM_OUT_OF_GAS;
    if (!create_gas(f, initcode.size, opcode)) return EVM_OUT_OF_GAS;

    struct message message = {.kind = FRAME_CREATE,
                              .opcode = opcode,
                              .moves_value = true,
                              .caller = f->address,
                              .value = top[0],
                              .input = initcode};
    const struct hash32 salt = opcode == OP_CREATE2 ? u256_to_hash(&top[-3]) : (struct hash32){{0}};
    f->top = top - (opcode == OP_CREATE2 ? 3 : 2);
    message.gas = rule(evm, RULE_CALL_KEEPS_64TH) ? f->gas - f->gas / 64 : f->gas;
    f->gas -= message.gas;
    if (evm->depth >= EVM_CALL_DEPTH_MAX) {
        refuse(f, &message, EVM_CALL_DEPTH_EXCEEDED);
        return EVM_SUCCESS;
    }
    if (!can_pay(evm, &message)) {
        refuse(f, &message, EVM_INSUFFICIENT_BALANCE);
        return EVM_SUCCESS;
    }
    const uint64_t nonce = host->nonce(host->context, &f->address);
    if (nonce == UINT64_MAX) {
        refuse(f, &message, EVM_NONCE_OVERFLOW);
        return EVM_SUCCESS;
    }
    host->set_nonce(host->context, &f->address, nonce + 1);
    if (opcode == OP_CREATE2) {
        const struct hash32 hash = keccak256(initcode);
        message.address = contract_address_create2(&f->address, &salt, &hash);
    } else {
        message.address = contract_address_create(&f->address, nonce);
    }
    if (rule(evm, RULE_ACCESS_LISTS)) (void)host->warm_address(host->context, &message.address);
    message_start(f, &message, runs);
    return EVM_SUCCESS;
}
