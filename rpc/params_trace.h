#pragma once
/* Reading what debug_trace* and calls take beyond their transaction. */
#include "rpc/params.h"

#define TRACE_TIMEOUT_MS     5000  /* when the request names none, as geth has it */
#define TRACE_TIMEOUT_MS_MAX 60000 /* what a request may ask for */

/* rpc_param_tracer reads the tracer's name, options, `tracerConfig` and `timeout` of the object at
 * `index` (missing: the struct logger) into *out. */
bool rpc_param_tracer(struct call *call, size_t index, struct rpc_trace *out);

/* rpc_read_block_override reads an object of block overrides (NULL and null: none). */
bool rpc_read_block_override(struct call *call, json_t *object, struct rpc_block_override *out);
