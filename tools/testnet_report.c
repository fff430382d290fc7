#include "tools/testnet_report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"

void testnet_issue(struct testnet_figures *figures, const char *format, ...) {
    if (figures->issues_count < TESTNET_ISSUES_MAX) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(figures->issues[figures->issues_count], TESTNET_ISSUE_BYTES, format, arguments);
        va_end(arguments);
    }
    figures->issues_count += 1;
}

/* percentage is 0 when there is no whole. */
static double percentage(uint64_t part, uint64_t whole) {
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static void decimal(struct json_writer *json, const char *key, double value) {
    char text[64];
    snprintf(text, sizeof text, "%.6f", value);
    json_key(json, key);
    json_raw(json, bytes_from_string(text));
}

static void whole(struct json_writer *json, const char *key, uint64_t value) {
    json_key(json, key);
    json_number_u64(json, value);
}

static void write_metrics(struct json_writer *json, const struct testnet_figures *figures) {
    const double seconds = (double)figures->duration_ms / 1000;
    const double decide = figures->decide_count == 0
                              ? 0
                              : figures->decide_seconds_sum / (double)figures->decide_count;
    json_key(json, "metrics");
    json_object_begin(json);
    whole(json, "consensus_rounds_completed", figures->blocks);
    whole(json, "total_transactions_processed", figures->transactions);
    decimal(json, "average_consensus_time", decide);
    decimal(json, "throughput", seconds > 0 ? (double)figures->transactions / seconds : 0);
    whole(json, "node_failures", figures->node_failures);
    whole(json, "view_changes", figures->rounds_failed);
    json_object_end(json);
}

void testnet_report_write(const struct testnet_figures *figures, struct buffer *out) {
    struct json_writer json = json_over(out);
    const uint32_t listed =
        figures->issues_count < TESTNET_ISSUES_MAX ? figures->issues_count : TESTNET_ISSUES_MAX;
    json_object_begin(&json);
    json_key(&json, "deployment");
    json_object_begin(&json);
    whole(&json, "num_nodes", figures->nodes_count);
    whole(&json, "stake_per_node", figures->stake_per_node);
    decimal(&json, "duration_hours", (double)figures->duration_ms / 3600000);
    json_object_end(&json);
    write_metrics(&json, figures);
    json_key(&json, "stability");
    json_object_begin(&json);
    decimal(&json, "uptime_percentage", percentage(figures->polls_answered, figures->polls));
    decimal(&json, "consensus_success_rate",
            percentage(figures->blocks, figures->blocks + figures->rounds_failed));
    decimal(&json, "network_health", percentage(figures->polls_ready, figures->polls));
    json_object_end(&json);
    json_key(&json, "issues");
    json_array_begin(&json);
    for (uint32_t i = 0; i < listed; i++)
        json_write_string(&json, figures->issues[i]);
    if (figures->issues_count > listed) {
        char more[64];
        snprintf(more, sizeof more, "and %u more", figures->issues_count - listed);
        json_write_string(&json, more);
    }
    json_array_end(&json);
    json_object_end(&json);
}
