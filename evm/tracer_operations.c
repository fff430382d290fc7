/* erc7562Tracer: what ERC-7562's rules for account abstraction ask about each call: instructions,
 * slots, contracts looked at, and the preimages that were hashed. */
#include "base/hex.h"
#include "evm/machine.h"
#include "evm/precompile.h"
#include "evm/tracer_internal.h"

enum slot_use { SLOT_READ, SLOT_WRITE, SLOT_TRANSIENT_READ, SLOT_TRANSIENT_WRITE, SLOT_USES };

static const char *const slot_use_names[SLOT_USES] = {"reads", "writes", "transientReads",
                                                      "transientWrites"};

struct used_slot {
    struct used_slot *next;
    struct hash32 key, value;
    uint64_t count;
};

struct met_address {
    struct met_address *next;
    struct address address;
    uint64_t code_bytes;
    uint8_t opcode;
};

/* A call's part; call_node.more. */
struct operations {
    uint64_t counts[256];
    struct used_slot *slots[SLOT_USES];
    struct met_address *sized, *looked_at;
    struct operations_all *all;
};

struct preimage {
    struct preimage *next;
    struct bytes data;
};

struct operations_all {
    struct call_tree tree;
    struct preimage *preimages;
    bool has_last; /* an instruction before this one, no RETURN or REVERT between */
    uint8_t last;
    struct address last_address; /* its uppermost word, as an address */
};

static void *create(struct tracer *tracer) {
    return tracer_keep(tracer, sizeof(struct operations_all));
}

static void begin(struct tracer *tracer, void *self) {
    ((struct operations_all *)self)->tree.logs_count = tracer->logs_before;
}

static bool is_look(uint8_t opcode) {
    return opcode == OP_EXTCODESIZE || opcode == OP_EXTCODECOPY || opcode == OP_EXTCODEHASH;
}

static bool is_call(uint8_t opcode) {
    return opcode == OP_CALL || opcode == OP_CALLCODE || opcode == OP_DELEGATECALL ||
           opcode == OP_STATICCALL;
}

/* is_ignored: arithmetic and stack instructions, that no rule is about. */
static bool is_ignored(uint8_t opcode) {
    static const uint8_t ignored[] = {OP_POP, OP_ADD, OP_SUB, OP_MUL,   OP_DIV, OP_EQ,
                                      OP_LT,  OP_GT,  OP_SLT, OP_SGT,   OP_SHL, OP_SHR,
                                      OP_AND, OP_OR,  OP_NOT, OP_ISZERO};
    if (opcode >= OP_PUSH0 && opcode < OP_SWAP16) return true;
    return memchr(ignored, opcode, sizeof ignored) != NULL;
}

static struct met_address *find_address(struct met_address *list, const struct address *address) {
    while (list != NULL && !address_equal(&list->address, address))
        list = list->next;
    return list;
}

static struct met_address *add_address(struct tracer *tracer, struct met_address **list,
                                       const struct address *address) {
    struct met_address *met = tracer_keep(tracer, sizeof *met);
    if (met == NULL) return NULL;
    *met = (struct met_address){.next = *list, .address = *address};
    *list = met;
    return met;
}

static void note_size(struct tracer *tracer, struct operations *call, const struct evm_step *step) {
    if (!is_look(step->opcode) && !is_call(step->opcode)) return;
    const struct address address = step_address(step, is_call(step->opcode) ? 1 : 0);
    if (precompile_find(tracer->block->fork, &address) != NULL) return;
    if (find_address(call->sized, &address) != NULL) return;
    struct met_address *met = add_address(tracer, &call->sized, &address);
    if (met == NULL) return;
    met->code_bytes = tracer->host->code(tracer->host->context, &address).size;
    met->opcode = step->opcode;
}

static struct used_slot *find_slot(struct used_slot *list, const struct hash32 *key) {
    while (list != NULL && !hash_equal(&list->key, key))
        list = list->next;
    return list;
}

static void note_slot(struct tracer *tracer, struct operations *call, const struct evm_step *step) {
    enum slot_use use;
    switch (step->opcode) {
    case OP_SLOAD: use = SLOT_READ; break;
    case OP_SSTORE: use = SLOT_WRITE; break;
    case OP_TLOAD: use = SLOT_TRANSIENT_READ; break;
    case OP_TSTORE: use = SLOT_TRANSIENT_WRITE; break;
    default: return;
    }
    const struct hash32 key = u256_to_hash(step_top(step, 0));
    struct used_slot *slot = find_slot(call->slots[use], &key);
    if (use == SLOT_READ && find_slot(call->slots[SLOT_WRITE], &key) != NULL) return;
    if (slot == NULL) {
        slot = tracer_keep(tracer, sizeof *slot);
        if (slot == NULL) return;
        *slot = (struct used_slot){.next = call->slots[use], .key = key};
        call->slots[use] = slot;
        if (use == SLOT_READ) {
            struct u256 value;
            tracer->host->storage(tracer->host->context, &step->address, &key, &value);
            slot->value = u256_to_hash(&value);
        }
    }
    slot->count++;
}

static void note_preimage(struct tracer *tracer, struct operations_all *all,
                          const struct evm_step *step) {
    if (step->opcode != OP_KECCAK256) return;
    const struct bytes data = tracer_range(tracer, step, step_top(step, 0), step_top(step, 1));
    for (const struct preimage *at = all->preimages; at != NULL; at = at->next) {
        if (bytes_equal(at->data, data)) return;
    }
    struct preimage *preimage = tracer_keep(tracer, sizeof *preimage);
    if (preimage == NULL) return;
    *preimage = (struct preimage){.next = all->preimages, .data = data};
    all->preimages = preimage;
}

/* note_after notes what only the instruction behind decides: [OP-051] a size that is only compared
 * with zero is no look at the code; [OP-012] gas that is only handed on is not observed. */
static void note_after(struct tracer *tracer, const struct operations_all *all,
                       struct operations *call, uint8_t opcode) {
    if (is_look(all->last) && !(all->last == OP_EXTCODESIZE && opcode == OP_ISZERO)) {
        (void)add_address(tracer, &call->looked_at, &all->last_address);
    }
    if (all->last == OP_GAS && !is_call(opcode)) call->counts[OP_GAS]++;
}

static void step_seen(struct tracer *tracer, void *self, const struct evm_step *step) {
    struct operations_all *all = self;
    if (tracer->config.with_log) call_tree_log(tracer, &all->tree, step);
    if (tracer->is_full || all->tree.open == NULL || all->tree.open->more == NULL) return;
    struct operations *call = all->tree.open->more;
    const uint8_t opcode = step->opcode;
    if (opcode == OP_RETURN || opcode == OP_REVERT) all->has_last = false;
    if (all->has_last) note_after(tracer, all, call, opcode);
    if (opcode != OP_GAS && !is_ignored(opcode)) call->counts[opcode]++;
    if (step->fault == EVM_SUCCESS) {
        note_size(tracer, call, step);
        note_slot(tracer, call, step);
        note_preimage(tracer, all, step);
    }
    all->has_last = true;
    all->last = opcode;
    if (step->stack_count > 0) all->last_address = step_address(step, 0);
}

static void frame_seen(struct tracer *tracer, void *self, const struct evm_frame_event *event) {
    struct operations_all *all = self;
    call_tree_frame(tracer, &all->tree, event);
    if (!event->is_enter || tracer->is_full || all->tree.open == NULL) return;
    struct operations *call = tracer_keep(tracer, sizeof *call);
    if (call == NULL) return;
    call->all = all;
    all->tree.open->more = call;
}

static void end(struct tracer *tracer, void *self, const struct evm_result *result) {
    call_tree_end(tracer, &((struct operations_all *)self)->tree, result);
}

/* --- writing */

static void write_slots(const struct operations *call, struct json_writer *json) {
    char text[67];
    json_key(json, "accessedSlots");
    json_object_begin(json);
    for (size_t use = 0; use < SLOT_USES; use++) {
        json_key(json, slot_use_names[use]);
        json_object_begin(json);
        for (const struct used_slot *slot = call->slots[use]; slot != NULL; slot = slot->next) {
            json_key(json, hex_string(BYTES_OF(slot->key.bytes), text));
            if (use != SLOT_READ) {
                json_number_u64(json, slot->count);
                continue;
            }
            json_array_begin(json);
            json_hash(json, &slot->value);
            json_array_end(json);
        }
        json_object_end(json);
    }
    json_object_end(json);
}

static void write_opcodes(const struct operations *call, struct json_writer *json) {
    static const char digits[] = "0123456789abcdef";
    json_key(json, "usedOpcodes");
    json_object_begin(json);
    for (size_t opcode = 0; opcode < 256; opcode++) {
        if (call->counts[opcode] == 0) continue;
        char text[] = {'0', 'x', digits[opcode >> 4], digits[opcode & 15], 0};
        if (opcode < 16) {
            text[2] = text[3];
            text[3] = 0;
        }
        json_key(json, text);
        json_number_u64(json, call->counts[opcode]);
    }
    json_object_end(json);
}

static void write_contracts(const struct operations *call, struct json_writer *json) {
    char text[43];
    json_key(json, "contractSize");
    json_object_begin(json);
    for (const struct met_address *at = call->sized; at != NULL; at = at->next) {
        json_key(json, hex_string(BYTES_OF(at->address.bytes), text));
        json_object_begin(json);
        json_key(json, "contractSize");
        json_number_u64(json, at->code_bytes);
        json_key(json, "opcode");
        json_number_u64(json, at->opcode);
        json_object_end(json);
    }
    json_object_end(json);
    json_key(json, "extCodeAccessInfo");
    json_array_begin(json);
    for (const struct met_address *at = call->looked_at; at != NULL; at = at->next)
        json_address(json, &at->address);
    json_array_end(json);
}

static void write_more(const struct call_node *node, struct json_writer *json) {
    const struct operations *call = node->more;
    write_slots(call, json);
    write_opcodes(call, json);
    write_contracts(call, json);
    json_key(json, "outOfGas");
    json_bool(json, node->status == EVM_OUT_OF_GAS || node->status == EVM_CODE_STORE_OUT_OF_GAS);
    if (node->parent != NULL || call->all->preimages == NULL) return;
    json_key(json, "keccak");
    json_array_begin(json);
    for (const struct preimage *at = call->all->preimages; at != NULL; at = at->next)
        json_data(json, at->data);
    json_array_end(json);
}

static void write(struct tracer *tracer, void *self, const struct tracer_place *place,
                  struct json_writer *json) {
    (void)tracer;
    (void)place;
    call_tree_write(&((struct operations_all *)self)->tree, write_more, json);
}

const struct tracer_functions tracer_operations = {.create = create,
                                                   .begin = begin,
                                                   .step = step_seen,
                                                   .frame = frame_seen,
                                                   .end = end,
                                                   .write = write};
