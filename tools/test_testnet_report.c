/* The arithmetic of a test network's report. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "tools/testnet_report.h"

static char text[1 << 17];

static const char *write(const struct testnet_figures *figures) {
    struct buffer out = buffer_over((uint8_t *)text, sizeof text - 1);
    testnet_report_write(figures, &out);
    CHECK(!out.overflow);
    text[out.size] = '\0';
    return text;
}

static void test_figures(void) {
    static struct testnet_figures figures = {
        .nodes_count = 4,
        .stake_per_node = 1000,
        .duration_ms = 36000,
        .blocks = 30,
        .transactions = 180,
        .rounds_failed = 10,
        .node_failures = 2,
        .decide_seconds_sum = 3.0,
        .decide_count = 120,
        .polls = 200,
        .polls_answered = 199,
        .polls_ready = 150,
    };
    testnet_issue(&figures, "node %d was \"killed\"", 3);
    CHECK(strcmp(write(&figures),
                 "{\"deployment\":{\"num_nodes\":4,\"stake_per_node\":1000,"
                 "\"duration_hours\":0.010000},"
                 "\"metrics\":{\"consensus_rounds_completed\":30,"
                 "\"total_transactions_processed\":180,\"average_consensus_time\":0.025000,"
                 "\"throughput\":5.000000,\"node_failures\":2,\"view_changes\":10},"
                 "\"stability\":{\"uptime_percentage\":99.500000,"
                 "\"consensus_success_rate\":75.000000,\"network_health\":75.000000},"
                 "\"issues\":[\"node 3 was \\\"killed\\\"\"]}") == 0);
}

/* A run that measured nothing divides by nothing. */
static void test_nothing(void) {
    static const struct testnet_figures nothing;
    const char *report = write(&nothing);
    CHECK(strstr(report, "nan") == NULL && strstr(report, "inf") == NULL);
    CHECK(strstr(report, "\"average_consensus_time\":0.000000") != NULL);
    CHECK(strstr(report, "\"throughput\":0.000000") != NULL);
    CHECK(strstr(report, "\"uptime_percentage\":0.000000") != NULL);
    CHECK(strstr(report, "\"issues\":[]}") != NULL);
}

static void test_too_many_issues(void) {
    static struct testnet_figures figures;
    for (int i = 0; i < TESTNET_ISSUES_MAX + 3; i++)
        testnet_issue(&figures, "issue %d", i);
    const char *report = write(&figures);
    CHECK(strstr(report, "\"issue 255\",\"and 3 more\"]}") != NULL);
    CHECK(strstr(report, "issue 256") == NULL);
}

int main(void) {
    test_figures();
    test_nothing();
    test_too_many_issues();
    puts("testnet report: ok");
    return 0;
}
