/* callTracer: the tree of calls, nested. */
#include "base/keccak.h"
#include "evm/machine.h"
#include "evm/precompile.h"
#include "evm/tracer_internal.h"

/* --- the tree */

static uint8_t kind_of(const struct tracer *tracer, uint8_t opcode) {
    if (opcode != 0) return opcode;
    return tracer->transaction->is_create ? OP_CREATE : OP_CALL;
}

static void tree_enter(struct tracer *tracer, struct call_tree *tree,
                       const struct evm_frame_event *event) {
    struct call_node *node = tracer_keep(tracer, sizeof *node);
    if (node == NULL) return;
    *node = (struct call_node){.parent = tree->open,
                               .opcode = kind_of(tracer, event->opcode),
                               .from = event->from,
                               .to = event->to,
                               .value = event->value,
                               .has_value = event->opcode != OP_STATICCALL,
                               .gas = event->gas,
                               .input = tracer_keep_bytes(tracer, event->data),
                               .is_precompile =
                                   precompile_find(tracer->block->fork, &event->to) != NULL,
                               .logs_at = tree->logs_count};
    struct call_node *parent = tree->open;
    if (parent == NULL) {
        tree->root = node;
    } else {
        if (parent->first == NULL) parent->first = node;
        if (parent->last != NULL) parent->last->next = node;
        parent->last = node;
        parent->children_count++;
    }
    tree->open = node;
}

static void tree_leave(struct tracer *tracer, struct call_tree *tree,
                       const struct evm_frame_event *event) {
    struct call_node *node = tree->open;
    if (node == NULL) return;
    node->gas_used = event->gas;
    node->status = event->status;
    node->output = tracer_keep_bytes(tracer, event->data);
    tracer_error(tracer, event->status, node->error);
    if (event->status == EVM_PRECOMPILE_FAILURE) {
        tracer_precompile_error(tracer, &node->to, node->input, node->error);
    }
    if (event->status != EVM_SUCCESS) tree->logs_count = node->logs_at;
    tree->open = node->parent;
}

void call_tree_frame(struct tracer *tracer, struct call_tree *tree,
                     const struct evm_frame_event *event) {
    if (tracer->is_full) return;
    if (tracer->config.only_top_call && event->depth > 1) return;
    if (event->is_enter) {
        tree_enter(tracer, tree, event);
    } else {
        tree_leave(tracer, tree, event);
    }
}

void call_tree_log(struct tracer *tracer, struct call_tree *tree, const struct evm_step *step) {
    if (step->opcode < OP_LOG0 || step->opcode > OP_LOG4) return;
    if (step->fault != EVM_SUCCESS || tree->open == NULL || tracer->is_full) return;
    const uint64_t index = tree->logs_count++;
    if (tracer->config.only_top_call && step->depth > 1) return;
    struct call_log *log = tracer_keep(tracer, sizeof *log);
    if (log == NULL) return;
    struct call_node *node = tree->open;
    log->address = step->address;
    log->topics_count = step->opcode - OP_LOG0;
    for (size_t i = 0; i < log->topics_count; i++)
        log->topics[i] = u256_to_hash(step_top(step, 2 + i));
    log->data = tracer_range(tracer, step, step_top(step, 0), step_top(step, 1));
    log->index = index;
    log->position = node->children_count;
    if (node->logs == NULL) node->logs = log;
    if (node->logs_last != NULL) node->logs_last->next = log;
    node->logs_last = log;
}

void call_tree_end(struct tracer *tracer, struct call_tree *tree, const struct evm_result *result) {
    if (tree->root == NULL) return;
    tree->root->gas = tracer->transaction->gas_limit;
    tree->root->gas_used = result->gas_used;
}

/* --- the tracer */

static void *create(struct tracer *tracer) {
    return tracer_keep(tracer, sizeof(struct call_tree));
}

static void begin(struct tracer *tracer, void *self) {
    struct call_tree *tree = self;
    tree->logs_count = tracer->logs_before;
}

static void step_seen(struct tracer *tracer, void *self, const struct evm_step *step) {
    if (tracer->config.with_log) call_tree_log(tracer, self, step);
}

static void frame_seen(struct tracer *tracer, void *self, const struct evm_frame_event *event) {
    call_tree_frame(tracer, self, event);
}

static void end(struct tracer *tracer, void *self, const struct evm_result *result) {
    call_tree_end(tracer, self, result);
}

/* revert_reason reads Error(string): 4 bytes, offset, length, text. */
static bool revert_reason(struct bytes output, struct bytes *reason) {
    static const uint8_t selector[] = {0x08, 0xc3, 0x79, 0xa0};
    if (output.size < 68 || memcmp(output.data, selector, sizeof selector) != 0) return false;
    const struct u256 size = u256_from_be(bytes_slice(output, 36, 32));
    if (!u256_fits_u64(&size) || size.limb[0] > output.size - 68) return false;
    *reason = bytes_slice(output, 68, (size_t)size.limb[0]);
    return true;
}

static void write_logs(const struct call_node *node, struct json_writer *json) {
    json_key(json, "logs");
    json_array_begin(json);
    for (const struct call_log *log = node->logs; log != NULL; log = log->next) {
        json_object_begin(json);
        json_key(json, "address");
        json_address(json, &log->address);
        json_key(json, "topics");
        json_array_begin(json);
        for (size_t i = 0; i < log->topics_count; i++)
            json_hash(json, &log->topics[i]);
        json_array_end(json);
        json_key(json, "data");
        json_data(json, log->data);
        json_key(json, "index");
        json_quantity(json, log->index);
        json_key(json, "position");
        json_quantity(json, log->position);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_error(const struct call_node *node, struct json_writer *json) {
    struct bytes reason;
    if (node->error[0] == 0) return;
    json_key(json, "error");
    json_write_string(json, node->error);
    if (node->status != EVM_REVERT || !revert_reason(node->output, &reason)) return;
    json_key(json, "revertReason");
    json_text(json, reason);
}

/* write_before writes what stands before a node's calls. */
static void write_before(const struct call_node *node, struct json_writer *json) {
    const bool has_failed = node->status != EVM_SUCCESS;
    json_key(json, "from");
    json_address(json, &node->from);
    json_key(json, "gas");
    json_quantity(json, node->gas);
    json_key(json, "gasUsed");
    json_quantity(json, node->gas_used);
    if (!has_failed || !call_is_create(node)) {
        json_key(json, "to");
        json_address(json, &node->to);
    }
    json_key(json, "input");
    json_data(json, node->input);
    if ((!has_failed || node->status == EVM_REVERT) && node->output.size != 0) {
        json_key(json, "output");
        json_data(json, node->output);
    }
    write_error(node, json);
}

static void write_after(const struct call_node *node, bool has_failed, struct json_writer *json) {
    if (node->logs != NULL && !has_failed) write_logs(node, json);
    if (node->has_value) {
        json_key(json, "value");
        json_quantity_u256(json, &node->value);
    }
    json_key(json, "type");
    json_write_string(json, call_name(node));
}

static void open_node(const struct call_node *node, struct json_writer *json) {
    json_object_begin(json);
    write_before(node, json);
    if (node->first == NULL) return;
    json_key(json, "calls");
    json_array_begin(json);
}

/* It walks with the nodes' own links: no recursion as deep as the calls. */
void call_tree_write(const struct call_tree *tree,
                     void (*more)(const struct call_node *node, struct json_writer *json),
                     struct json_writer *json) {
    unsigned failed_depth = 0; /* how many of the open nodes have failed */
    const struct call_node *const root = tree->root;
    if (root == NULL) {
        json_write_null(json);
        return;
    }
    const struct call_node *node = root;
    for (;;) {
        failed_depth += node->status != EVM_SUCCESS;
        open_node(node, json);
        if (node->first != NULL) {
            node = node->first;
            continue;
        }
        for (;;) {
            write_after(node, failed_depth != 0, json);
            if (more != NULL) more(node, json);
            json_object_end(json);
            failed_depth -= node->status != EVM_SUCCESS;
            if (node == root) return;
            if (node->next != NULL) break;
            node = node->parent;
            json_array_end(json);
        }
        node = node->next;
    }
}

static void write(struct tracer *tracer, void *self, const struct tracer_place *place,
                  struct json_writer *json) {
    (void)tracer;
    (void)place;
    call_tree_write(self, NULL, json);
}

const struct tracer_functions tracer_calls = {.create = create,
                                              .begin = begin,
                                              .step = step_seen,
                                              .frame = frame_seen,
                                              .end = end,
                                              .write = write};
