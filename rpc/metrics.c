/* The room's own metrics: requests and durations by method; unknown methods share one label. */
#include <stdio.h>

#include "rpc/rpc_internal.h"

static const uint64_t BOUNDS_US[RPC_BUCKETS] = {100,   500,    1000,   5000,    10000,
                                                50000, 100000, 200000, 1000000, 5000000};

struct method_counters *rpc_metrics_counters(const struct rpc *rpc, unsigned thread) {
    return rpc->counters + (size_t)thread * (rpc_methods_count() + 1);
}

/* add counts without a locked instruction: one thread writes, others only read. */
static void add(atomic_uint_fast64_t *counter, uint64_t value) {
    const uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + value, memory_order_relaxed);
}

void rpc_metrics_observe(struct method_counters *counters, const struct method *method,
                         uint64_t microseconds, bool is_error) {
    counters += method != NULL ? rpc_method_index(method) : rpc_methods_count();
    unsigned bucket = 0;
    while (bucket < RPC_BUCKETS && microseconds > BOUNDS_US[bucket])
        bucket += 1;
    add(&counters->buckets[bucket], 1);
    add(&counters->sum_us, microseconds);
    if (is_error) add(&counters->errors, 1);
}

/* What one method's counters come to over all threads. */
struct method_sums {
    uint64_t count, errors, sum_us, buckets[RPC_BUCKETS + 1];
};

static struct method_sums sums_of(const struct rpc *rpc, size_t index) {
    struct method_sums sums = {0};
    for (unsigned thread = 0; thread < rpc->config.threads + rpc->config.workers; thread++) {
        const struct method_counters *counters = rpc_metrics_counters(rpc, thread) + index;
        sums.errors += atomic_load(&counters->errors);
        sums.sum_us += atomic_load(&counters->sum_us);
        for (unsigned bucket = 0; bucket <= RPC_BUCKETS; bucket++) {
            const uint64_t count = atomic_load(&counters->buckets[bucket]);
            sums.buckets[bucket] += count;
            sums.count += count;
        }
    }
    return sums;
}

struct page {
    struct buffer *out;
    const char *ns;
};

static void line(struct page *page, const char *name, const char *label, const char *value) {
    char text[256];
    const int size = snprintf(text, sizeof text, "%s_%s%s %s\n", page->ns, name, label, value);
    buffer_append(page->out, (struct bytes){(const uint8_t *)text, (size_t)size});
}

static void head(struct page *page, const char *name, const char *type, const char *help) {
    char text[256];
    const int size = snprintf(text, sizeof text, "# HELP %s_%s %s\n# TYPE %s_%s %s\n", page->ns,
                              name, help, page->ns, name, type);
    buffer_append(page->out, (struct bytes){(const uint8_t *)text, (size_t)size});
}

static const char *name_of(size_t index) {
    return index < rpc_methods_count() ? rpc_method_at(index)->name : "unknown";
}

static void write_counter(struct page *page, const struct rpc *rpc, const char *name,
                          const char *help, bool errors) {
    char label[80], value[32];
    head(page, name, "counter", help);
    for (size_t i = 0; i <= rpc_methods_count(); i++) {
        const struct method_sums sums = sums_of(rpc, i);
        const uint64_t count = errors ? sums.errors : sums.count;
        if (count == 0 && i < rpc_methods_count()) continue; /* seen methods, and unknown */
        snprintf(label, sizeof label, "{method=\"%s\"}", name_of(i));
        snprintf(value, sizeof value, "%llu", (unsigned long long)count);
        line(page, name, label, value);
    }
}

static void write_durations(struct page *page, const struct rpc *rpc) {
    char label[112], value[32];
    head(page, "rpc_request_duration_seconds", "histogram", "Time to answer a call.");
    for (size_t i = 0; i <= rpc_methods_count(); i++) {
        const struct method_sums sums = sums_of(rpc, i);
        uint64_t count = 0;
        if (sums.count == 0 && i < rpc_methods_count()) continue;
        for (unsigned bucket = 0; bucket <= RPC_BUCKETS; bucket++) {
            count += sums.buckets[bucket];
            char bound[16] = "+Inf";
            if (bucket < RPC_BUCKETS) {
                snprintf(bound, sizeof bound, "%g", (double)BOUNDS_US[bucket] / 1e6);
            }
            snprintf(label, sizeof label, "{method=\"%s\",le=\"%s\"}", name_of(i), bound);
            snprintf(value, sizeof value, "%llu", (unsigned long long)count);
            line(page, "rpc_request_duration_seconds_bucket", label, value);
        }
        snprintf(label, sizeof label, "{method=\"%s\"}", name_of(i));
        line(page, "rpc_request_duration_seconds_count", label, value);
        snprintf(value, sizeof value, "%.6f", (double)sums.sum_us / 1e6);
        line(page, "rpc_request_duration_seconds_sum", label, value);
    }
}

void rpc_metrics_write(struct rpc *rpc, struct buffer *out) {
    struct page page = {out, rpc->config.metrics_namespace};
    char value[32];
    write_counter(&page, rpc, "rpc_requests_total", "Calls by method.", false);
    write_counter(&page, rpc, "rpc_errors_total", "Calls that were answered with an error.", true);
    write_durations(&page, rpc);
    head(&page, "rpc_active_connections", "gauge", "Open HTTP and WebSocket connections.");
    snprintf(value, sizeof value, "%llu", (unsigned long long)atomic_load(&rpc->connections));
    line(&page, "rpc_active_connections", "", value);
}
