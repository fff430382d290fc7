#include "node/histogram.h"

#include <stdio.h>

static const uint64_t BOUNDS_US[HISTOGRAM_BUCKETS] = {
    1000, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 15000000,
};

void histogram_observe(struct histogram *histogram, uint64_t microseconds) {
    unsigned bucket = 0;
    while (bucket < HISTOGRAM_BUCKETS && microseconds > BOUNDS_US[bucket])
        bucket += 1;
    atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, microseconds, memory_order_relaxed);
}

void histogram_write(struct histogram *histogram, const char *name, const char *help,
                     struct buffer *out) {
    char line[320];
    uint64_t count = 0;
    snprintf(line, sizeof line, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
    buffer_append(out, bytes_from_string(line));
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += atomic_load(&histogram->buckets[i]);
        snprintf(line, sizeof line, "%s_bucket{le=\"%g\"} %llu\n", name, (double)BOUNDS_US[i] / 1e6,
                 (unsigned long long)count);
        buffer_append(out, bytes_from_string(line));
    }
    count += atomic_load(&histogram->buckets[HISTOGRAM_BUCKETS]);
    snprintf(line, sizeof line, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", name,
             (unsigned long long)count, name, (double)atomic_load(&histogram->sum_us) / 1e6, name,
             (unsigned long long)count);
    buffer_append(out, bytes_from_string(line));
}
