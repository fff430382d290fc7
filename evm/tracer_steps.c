/* geth's struct logger, the answer when no tracer is named: every instruction, as it runs. */
#include "base/hex.h"
#include "evm/tracer_internal.h"

/* How much of the arena's rest the text may have; what is left is for the slots seen. */
#define TEXT_PART(rest) ((rest) - (rest) / 4)

struct shown_slot {
    struct shown_slot *next;
    struct hash32 key;
    struct u256 value;
};

struct shown_contract {
    struct shown_contract *next;
    struct address address;
    struct shown_slot *slots;
};

struct steps {
    struct buffer text; /* of the array's elements */
    struct json_writer json;
    uint64_t count;
    struct shown_contract *contracts;
    struct bytes output; /* of the transaction's own frame */
    uint64_t gas_used;
    bool has_failed;
};

static void *create(struct tracer *tracer) {
    struct steps *steps = tracer_keep(tracer, sizeof *steps);
    if (steps == NULL) return NULL;
    const size_t bytes = TEXT_PART(tracer->arena->capacity - tracer->arena->used);
    uint8_t *memory = arena_alloc(tracer->arena, bytes);
    if (memory == NULL) return NULL;
    steps->text = buffer_over(memory, bytes);
    steps->json = json_over(&steps->text);
    json_array_begin(&steps->json);
    return steps;
}

static struct shown_contract *contract_of(struct tracer *tracer, struct steps *steps,
                                          const struct address *address) {
    for (struct shown_contract *at = steps->contracts; at != NULL; at = at->next) {
        if (address_equal(&at->address, address)) return at;
    }
    struct shown_contract *contract = tracer_keep(tracer, sizeof *contract);
    if (contract == NULL) return NULL;
    *contract = (struct shown_contract){.next = steps->contracts, .address = *address};
    steps->contracts = contract;
    return contract;
}

/* note_slot remembers the slot that SLOAD or SSTORE is about, with the value that it has then. */
static struct shown_contract *note_slot(struct tracer *tracer, struct steps *steps,
                                        const struct evm_step *step) {
    const struct hash32 key = u256_to_hash(step_top(step, 0));
    struct shown_contract *contract = contract_of(tracer, steps, &step->address);
    if (contract == NULL) return NULL;
    struct shown_slot *slot = contract->slots;
    while (slot != NULL && !hash_equal(&slot->key, &key))
        slot = slot->next;
    if (slot == NULL) {
        slot = tracer_keep(tracer, sizeof *slot);
        if (slot == NULL) return NULL;
        *slot = (struct shown_slot){.next = contract->slots, .key = key};
        contract->slots = slot;
    }
    if (step->opcode == OP_SSTORE) {
        slot->value = *step_top(step, 1);
    } else {
        tracer->host->storage(tracer->host->context, &step->address, &key, &slot->value);
    }
    return contract;
}

static void write_storage(struct tracer *tracer, struct steps *steps, const struct evm_step *step) {
    struct json_writer *json = &steps->json;
    char text[67];
    if (step->opcode != OP_SLOAD && step->opcode != OP_SSTORE) return;
    if (step->fault != EVM_SUCCESS) return;
    const struct shown_contract *contract = note_slot(tracer, steps, step);
    if (contract == NULL) return;
    json_key(json, "storage");
    json_object_begin(json);
    for (const struct shown_slot *slot = contract->slots; slot != NULL; slot = slot->next) {
        const struct hash32 value = u256_to_hash(&slot->value);
        json_key(json, hex_string(BYTES_OF(slot->key.bytes), text));
        json_hash(json, &value);
    }
    json_object_end(json);
}

static void write_memory(struct json_writer *json, struct bytes memory) {
    if (memory.size == 0) return;
    json_key(json, "memory");
    json_array_begin(json);
    for (size_t at = 0; at < memory.size; at += 32)
        json_data(json, bytes_slice(memory, at, 32));
    json_array_end(json);
}

static void write_stack(struct json_writer *json, const struct evm_step *step) {
    json_key(json, "stack");
    json_array_begin(json);
    for (size_t i = 0; i < step->stack_count; i++)
        json_quantity_u256(json, &step->stack[i]);
    json_array_end(json);
}

static void write_name(struct json_writer *json, uint8_t opcode) {
    const char *name = opcode_name(opcode);
    static const char digits[] = "0123456789abcdef";
    char text[] = "opcode 0x00 not defined";
    text[9] = digits[opcode >> 4];
    text[10] = digits[opcode & 15];
    json_write_string(json, name != NULL ? name : text);
}

static void step_seen(struct tracer *tracer, void *self, const struct evm_step *step) {
    struct steps *steps = self;
    const struct tracer_config *config = &tracer->config;
    struct json_writer *json = &steps->json;
    char error[TRACER_ERROR_BYTES];
    if (config->steps_max != 0 && steps->count == config->steps_max) return;
    steps->count++;
    json_object_begin(json);
    json_key(json, "pc");
    json_number_u64(json, step->pc);
    json_key(json, "op");
    write_name(json, step->opcode);
    json_key(json, "gas");
    json_number_u64(json, step->gas);
    json_key(json, "gasCost");
    json_number_u64(json, step->gas_cost);
    json_key(json, "depth");
    json_number_u64(json, step->depth);
    if (step->fault != EVM_SUCCESS) {
        tracer_error(tracer, step->fault, error);
        json_key(json, "error");
        json_write_string(json, error);
    }
    if (!config->disable_stack) write_stack(json, step);
    if (config->enable_return_data && step->return_data.size != 0) {
        json_key(json, "returnData");
        json_data(json, step->return_data);
    }
    if (config->enable_memory) write_memory(json, step->memory);
    if (!config->disable_storage) write_storage(tracer, steps, step);
    if (step->refund != 0) {
        json_key(json, "refund");
        json_number_u64(json, step->refund);
    }
    json_object_end(json);
    if (steps->text.overflow) tracer->is_full = true;
}

static void frame_seen(struct tracer *tracer, void *self, const struct evm_frame_event *event) {
    struct steps *steps = self;
    if (event->is_enter || event->depth != 1) return;
    steps->output = tracer_keep_bytes(tracer, event->data);
}

static void end(struct tracer *tracer, void *self, const struct evm_result *result) {
    (void)tracer;
    struct steps *steps = self;
    steps->gas_used = result->gas_used;
    steps->has_failed = result->status != EVM_SUCCESS;
}

static void write(struct tracer *tracer, void *self, const struct tracer_place *place,
                  struct json_writer *json) {
    (void)place;
    struct steps *steps = self;
    json_array_end(&steps->json);
    if (steps->text.overflow) tracer->is_full = true;
    json_object_begin(json);
    json_key(json, "gas");
    json_number_u64(json, steps->gas_used);
    json_key(json, "failed");
    json_bool(json, steps->has_failed);
    json_key(json, "returnValue");
    json_data(json, steps->output);
    json_key(json, "structLogs");
    json_raw(json, buffer_bytes(&steps->text));
    json_object_end(json);
}

const struct tracer_functions tracer_steps = {
    .create = create, .step = step_seen, .frame = frame_seen, .end = end, .write = write};
