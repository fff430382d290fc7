/* flatCallTracer: the calls in a list, in the fields that Parity's trace_* methods had. */
#include "evm/tracer_internal.h"

struct flat {
    struct call_tree tree;
};

static void *create(struct tracer *tracer) {
    tracer->config.only_top_call = false; /* not a setting of this tracer */
    return tracer_keep(tracer, sizeof(struct flat));
}

/* forget_last takes the call that has just ended out of its parent again. */
static void forget_last(struct call_tree *tree) {
    struct call_node *parent = tree->open;
    struct call_node *before = NULL;
    for (struct call_node *node = parent->first; node != parent->last; node = node->next)
        before = node;
    parent->last = before;
    if (before == NULL) {
        parent->first = NULL;
    } else {
        before->next = NULL;
    }
    parent->children_count--;
}

/* Parity left plain calls of precompiled contracts out. */
static void frame_seen(struct tracer *tracer, void *self, const struct evm_frame_event *event) {
    struct call_tree *tree = &((struct flat *)self)->tree;
    const struct call_node *ended = tree->open;
    call_tree_frame(tracer, tree, event);
    if (event->is_enter || tracer->config.include_precompiles || tracer->is_full) return;
    if (ended == NULL || tree->open == ended || tree->open == NULL || !ended->is_precompile) return;
    if (ended->opcode == OP_CALL || ended->opcode == OP_STATICCALL) forget_last(tree);
}

static void end(struct tracer *tracer, void *self, const struct evm_result *result) {
    call_tree_end(tracer, &((struct flat *)self)->tree, result);
}

static void write_lower(struct json_writer *json, const char *key, const char *name) {
    char text[16];
    size_t size = 0;
    for (; name[size] != 0 && size + 1 < sizeof text; size++)
        text[size] = name[size] >= 'A' && name[size] <= 'Z' ? (char)(name[size] + 32) : name[size];
    text[size] = 0;
    json_key(json, key);
    json_write_string(json, text);
}

static void write_bytes(struct json_writer *json, const char *key, struct bytes data) {
    json_key(json, key);
    json_data(json, data);
}

static void write_address(struct json_writer *json, const char *key,
                          const struct address *address) {
    json_key(json, key);
    json_address(json, address);
}

static void write_value(struct json_writer *json, const char *key, const struct u256 *value) {
    json_key(json, key);
    json_quantity_u256(json, value);
}

static void write_action(const struct call_node *node, struct json_writer *json) {
    json_key(json, "action");
    json_object_begin(json);
    if (node->opcode == OP_SELFDESTRUCT) {
        write_address(json, "address", &node->from);
        write_value(json, "balance", &node->value);
        write_address(json, "refundAddress", &node->to);
        json_object_end(json);
        return;
    }
    const bool is_create = call_is_create(node);
    write_lower(json, is_create ? "creationMethod" : "callType", call_name(node));
    write_address(json, "from", &node->from);
    json_key(json, "gas");
    json_quantity(json, node->gas);
    if (is_create) {
        write_bytes(json, "init", node->input);
    } else {
        write_bytes(json, "input", node->input);
        write_address(json, "to", &node->to);
    }
    write_value(json, "value", &node->value);
    json_object_end(json);
}

static void write_result(const struct call_node *node, struct json_writer *json) {
    if (node->opcode == OP_SELFDESTRUCT) return;
    if (node->status != EVM_SUCCESS && node->status != EVM_REVERT) return;
    json_key(json, "result");
    json_object_begin(json);
    const bool is_create = call_is_create(node);
    if (is_create && node->status == EVM_SUCCESS) write_address(json, "address", &node->to);
    if (is_create) write_bytes(json, "code", node->output);
    json_key(json, "gasUsed");
    json_quantity(json, node->gas_used);
    if (!is_create) write_bytes(json, "output", node->output);
    json_object_end(json);
}

/* parity_error is Parity's word for a failure. */
static const char *parity_error(const struct call_node *node) {
    switch (node->status) {
    case EVM_CODE_STORE_OUT_OF_GAS:
    case EVM_CODE_SIZE_EXCEEDED:
    case EVM_OUT_OF_GAS: return "Out of gas";
    case EVM_BAD_JUMP_DESTINATION: return "Bad jump destination";
    case EVM_REVERT: return "Reverted";
    case EVM_INVALID_MEMORY_ACCESS: return "Out of bounds";
    case EVM_STACK_OVERFLOW: return "Out of stack";
    case EVM_PRECOMPILE_FAILURE: return "Built-in failed";
    case EVM_INVALID_INSTRUCTION:
    case EVM_UNDEFINED_INSTRUCTION: return "Bad instruction";
    case EVM_STACK_UNDERFLOW: return "Stack underflow";
    default: return node->error;
    }
}

/* write_path writes the indexes that lead from the root to the node: path[0..depth). */
static void write_path(const uint32_t *path, size_t depth, struct json_writer *json) {
    json_key(json, "traceAddress");
    json_array_begin(json);
    for (size_t i = 0; i < depth; i++)
        json_number_u64(json, path[i]);
    json_array_end(json);
}

static void write_node(const struct tracer *tracer, const struct call_node *node,
                       const uint32_t *path, size_t depth, const struct tracer_place *place,
                       struct json_writer *json) {
    json_object_begin(json);
    write_action(node, json);
    if (place->is_in_block) {
        json_key(json, "blockHash");
        json_hash(json, &place->block_hash);
    }
    json_key(json, "blockNumber");
    json_number_u64(json, place->block_number);
    if (node->error[0] != 0) {
        json_key(json, "error");
        json_write_string(json,
                          tracer->config.convert_parity_errors ? parity_error(node) : node->error);
    }
    write_result(node, json);
    json_key(json, "subtraces");
    json_number_u64(json, node->children_count);
    write_path(path, depth, json);
    if (place->is_in_block) {
        json_key(json, "transactionHash");
        json_hash(json, &place->transaction_hash);
        json_key(json, "transactionPosition");
        json_number_u64(json, place->index);
    }
    json_key(json, "type");
    json_write_string(json, node->opcode == OP_SELFDESTRUCT ? "suicide"
                            : call_is_create(node)          ? "create"
                                                            : "call");
    json_object_end(json);
}

static void write(struct tracer *tracer, void *self, const struct tracer_place *place,
                  struct json_writer *json) {
    const struct call_node *node = ((struct flat *)self)->tree.root;
    /* A SELFDESTRUCT at the deepest call is one level more. */
    uint32_t *path = tracer_keep(tracer, (EVM_CALL_DEPTH_MAX + 2) * sizeof *path);
    size_t depth = 0;
    if (path == NULL) return;
    json_array_begin(json);
    while (node != NULL) {
        write_node(tracer, node, path, depth, place, json);
        if (node->first != NULL) {
            path[depth++] = 0;
            node = node->first;
            continue;
        }
        while (node != NULL && node->next == NULL) {
            node = node->parent;
            if (node != NULL) depth--;
        }
        if (node == NULL) break;
        path[depth - 1]++;
        node = node->next;
    }
    json_array_end(json);
}

const struct tracer_functions tracer_flat_calls = {
    .create = create, .frame = frame_seen, .end = end, .write = write};
