/* The small tracers: 4byteTracer, noopTracer, and muxTracer, which is several in one. */
#include "evm/precompile.h"
#include "evm/tracer_internal.h"

/* --- 4byteTracer: which functions are called, with how many bytes of arguments, how often */

struct selector {
    struct selector *next;
    uint8_t bytes[4];
    size_t arguments_bytes;
    uint64_t count;
};

struct selectors {
    struct selector *list;
};

static void *selectors_create(struct tracer *tracer) {
    return tracer_keep(tracer, sizeof(struct selectors));
}

static void selectors_frame(struct tracer *tracer, void *self,
                            const struct evm_frame_event *event) {
    struct selectors *selectors = self;
    if (!event->is_enter || event->data.size < 4 || tracer->is_full) return;
    const bool is_call =
        event->opcode == 0 ? !tracer->transaction->is_create
                           : event->opcode == OP_CALL || event->opcode == OP_CALLCODE ||
                                 event->opcode == OP_DELEGATECALL || event->opcode == OP_STATICCALL;
    if (!is_call || precompile_find(tracer->block->fork, &event->to) != NULL) return;
    const size_t arguments_bytes = event->data.size - 4;
    for (struct selector *at = selectors->list; at != NULL; at = at->next) {
        if (at->arguments_bytes != arguments_bytes || memcmp(at->bytes, event->data.data, 4) != 0) {
            continue;
        }
        at->count++;
        return;
    }
    struct selector *selector = tracer_keep(tracer, sizeof *selector);
    if (selector == NULL) return;
    *selector =
        (struct selector){.next = selectors->list, .arguments_bytes = arguments_bytes, .count = 1};
    memcpy(selector->bytes, event->data.data, 4);
    selectors->list = selector;
}

static void selectors_write(struct tracer *tracer, void *self, const struct tracer_place *place,
                            struct json_writer *json) {
    (void)tracer;
    (void)place;
    json_object_begin(json);
    for (const struct selector *at = ((struct selectors *)self)->list; at != NULL; at = at->next) {
        char key[48];
        struct buffer text = buffer_over((uint8_t *)key, sizeof key - 1);
        struct json_writer digits = json_over(&text);
        json_data(&digits, BYTES_OF(at->bytes)); /* "0x........" in quotes */
        text.size--;
        buffer_append_byte(&text, '-');
        json_number_u64(&digits, at->arguments_bytes);
        key[text.size] = 0;
        json_key(json, key + 1);
        json_number_u64(json, at->count);
    }
    json_object_end(json);
}

const struct tracer_functions tracer_selectors = {
    .create = selectors_create, .frame = selectors_frame, .write = selectors_write};

/* --- noopTracer */

static void *nothing_create(struct tracer *tracer) {
    return tracer;
}

static void nothing_write(struct tracer *tracer, void *self, const struct tracer_place *place,
                          struct json_writer *json) {
    (void)tracer;
    (void)self;
    (void)place;
    json_object_begin(json);
    json_object_end(json);
}

const struct tracer_functions tracer_nothing = {.create = nothing_create, .write = nothing_write};

/* --- muxTracer */

struct mux {
    struct tracer *parts[TRACER_PARTS_MAX];
    size_t count;
};

static void *mux_create(struct tracer *tracer) {
    struct mux *mux = tracer_keep(tracer, sizeof *mux);
    if (mux == NULL) return NULL;
    for (size_t i = 0; i < tracer->config.parts_count && i < TRACER_PARTS_MAX; i++) {
        mux->parts[i] = tracer_create(tracer->arena, &tracer->config.parts[i]);
        if (mux->parts[i] == NULL) return NULL;
        mux->count++;
    }
    return mux;
}

static void mux_begin(struct tracer *tracer, void *self) {
    const struct mux *mux = self;
    for (size_t i = 0; i < mux->count; i++) {
        tracer_begin(mux->parts[i], tracer->host, tracer->block, tracer->transaction,
                     tracer->logs_before);
    }
}

static void mux_step(struct tracer *tracer, void *self, const struct evm_step *step) {
    const struct mux *mux = self;
    for (size_t i = 0; i < mux->count; i++) {
        const struct evm_tracer *part = &mux->parts[i]->observer;
        part->step(part->context, step);
        if (mux->parts[i]->is_full) tracer->is_full = true;
    }
}

static void mux_frame(struct tracer *tracer, void *self, const struct evm_frame_event *event) {
    const struct mux *mux = self;
    for (size_t i = 0; i < mux->count; i++) {
        const struct evm_tracer *part = &mux->parts[i]->observer;
        part->frame(part->context, event);
        if (mux->parts[i]->is_full) tracer->is_full = true;
    }
}

static void mux_end(struct tracer *tracer, void *self, const struct evm_result *result) {
    (void)tracer;
    const struct mux *mux = self;
    for (size_t i = 0; i < mux->count; i++)
        tracer_end(mux->parts[i], result);
}

static void mux_write(struct tracer *tracer, void *self, const struct tracer_place *place,
                      struct json_writer *json) {
    const struct mux *mux = self;
    json_object_begin(json);
    for (size_t i = 0; i < mux->count; i++) {
        json_key(json, tracer_name(mux->parts[i]->config.kind));
        if (tracer_write(mux->parts[i], place, json) != ERR_OK) tracer->is_full = true;
    }
    json_object_end(json);
}

const struct tracer_functions tracer_mux = {.create = mux_create,
                                            .begin = mux_begin,
                                            .step = mux_step,
                                            .frame = mux_frame,
                                            .end = mux_end,
                                            .write = mux_write};
