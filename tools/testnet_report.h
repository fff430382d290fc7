#pragma once
/* The report of `baton testnet`: what was counted during the run, and the arithmetic that makes
 * figures of it.  Nothing here looks at a clock or a node, so that it can be tested. */
#include "base/bytes.h"

#define TESTNET_ISSUES_MAX  256
#define TESTNET_ISSUE_BYTES 224

/* Everything that was measured between the moment when all nodes were ready and the end. */
struct testnet_figures {
    uint32_t nodes_count;
    uint64_t stake_per_node; /* voting power */
    uint64_t duration_ms;
    uint64_t blocks;        /* heights decided */
    uint64_t transactions;  /* in these blocks */
    uint64_t rounds_failed; /* rounds of these heights that decided nothing: the sum of the commits'
                               round numbers */
    uint64_t node_failures; /* processes that ended, killed or not */
    /* From a height's first proposal to its durable commit: of all nodes and blocks. */
    double decide_seconds_sum;
    uint64_t decide_count;
    uint64_t polls, polls_answered, polls_ready; /* one node asked once */
    uint32_t issues_count;                       /* beyond the maximum they are only counted */
    char issues[TESTNET_ISSUES_MAX][TESTNET_ISSUE_BYTES];
};

/* testnet_issue adds a line to the issues. */
void testnet_issue(struct testnet_figures *figures, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* testnet_report_write appends the report as JSON text, one object. */
void testnet_report_write(const struct testnet_figures *figures, struct buffer *out);
