/* The room's own metrics: requests and durations by method; unknown methods share one label. */
#include <stdio.h>

#include "rpc/rpc_internal.h"

static const uint64_t BOUNDS_US[RPC_BUCKETS] = {100,   500,    1000,   5000,    10000,
                                                50000, 100000, 200000, 1000000, 5000000};

void rpc_metrics_observe(struct rpc *rpc, const struct method *method, uint64_t microseconds,
                         bool is_error) {
    const size_t index = method != NULL ? rpc_method_index(method) : rpc_methods_count();
    struct method_counters *counters = &rpc->counters[index];
    unsigned bucket = 0;
    while (bucket < RPC_BUCKETS && microseconds > BOUNDS_US[bucket])
        bucket += 1;
    atomic_fetch_add_explicit(&counters->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->sum_us, microseconds, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->buckets[bucket], 1, memory_order_relaxed);
    if (!is_error) return;
    atomic_fetch_add_explicit(&counters->errors, 1, memory_order_relaxed);
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
        const struct method_counters *counters = &rpc->counters[i];
        const uint64_t count = atomic_load(errors ? &counters->errors : &counters->count);
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
        const struct method_counters *counters = &rpc->counters[i];
        uint64_t count = 0;
        if (atomic_load(&counters->count) == 0 && i < rpc_methods_count()) continue;
        for (unsigned bucket = 0; bucket <= RPC_BUCKETS; bucket++) {
            count += atomic_load(&counters->buckets[bucket]);
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
        snprintf(value, sizeof value, "%.6f", (double)atomic_load(&counters->sum_us) / 1e6);
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
