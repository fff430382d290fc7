#pragma once
/* A Prometheus histogram with fixed buckets; counted by any thread, without locks. */
#include <stdatomic.h>
#include <stdint.h>

#include "base/bytes.h"

#define HISTOGRAM_BUCKETS 12

struct histogram {
    atomic_uint_fast64_t buckets[HISTOGRAM_BUCKETS + 1]; /* not cumulative; the last: above all */
    atomic_uint_fast64_t sum_us;
};

/* histogram_observe counts one duration in microseconds. */
void histogram_observe(struct histogram *histogram, uint64_t microseconds);

/* histogram_write appends the metric in text form, in seconds; `name` with its namespace. */
void histogram_write(struct histogram *histogram, const char *name, const char *help,
                     struct buffer *out);
