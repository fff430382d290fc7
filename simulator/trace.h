#pragma once
/* What `baton simulate --trace` prints: one line for each thing that happened in a run, in words.
 * The trace hash is made of the same names and numbers (world_trace), not of these lines. */
#include <stdbool.h>
#include <stdint.h>

/* trace_line prints one line on standard output.  What `node`, `a` and `b` stand for depends on
 * `what`; trace.c knows. */
void trace_line(uint64_t now_ms, const char *what, uint64_t node, uint64_t a, uint64_t b);
