/* The monitor's table, made of answers that nodes gave. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "tools/monitor_view.h"

static const char ANSWER[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"version\":\"baton\",\"ready\":true,"
    "\"reason\":\"\",\"height\":\"0x78\",\"syncing\":false,\"validator\":true,"
    "\"proposer\":\"0xAb\",\"isProposer\":true,\"rotation\":\"0x1\",\"round\":\"0x2\","
    "\"peers\":\"0x3\",\"poolPending\":\"0x4\",\"poolQueued\":\"0x5\",\"safeBlock\":\"0x6e\","
    "\"finalizedBlock\":\"0x64\",\"transactions\":\"0x1f4\",\"l1\":{\"reachable\":false,"
    "\"headBlock\":\"0x20\","
    "\"originBlock\":\"0x1e\"},\"da\":{\"reachable\":true,\"pendingBatches\":\"0x1\"}}}";

static char text[1 << 16];

static const char *written(const struct monitor_view *view, bool is_screen, unsigned columns,
                           unsigned rows) {
    struct buffer out = buffer_over((uint8_t *)text, sizeof text - 1);
    monitor_write_text(view, is_screen, (struct monitor_size){columns, rows}, &out);
    CHECK(!out.overflow);
    text[out.size] = '\0';
    return text;
}

static void test_urls(void) {
    static struct monitor_view view;
    CHECK(monitor_add_urls(&view, "http://a:1,http://b:2"));
    CHECK(view.count == 2 && strcmp(view.nodes[1].url, "http://b:2") == 0);
    CHECK(!monitor_add_urls(&view, ""));
    CHECK(!monitor_add_urls(&view, "http://c:3,"));
}

static void test_table(void) {
    static struct monitor_view view;
    CHECK(monitor_add_urls(&view, "http://a:1,http://b:2"));
    monitor_take_status(&view.nodes[0], ANSWER, 1000);
    monitor_take_status(&view.nodes[1], "{\"error\":{}}", 1000);
    CHECK(!monitor_all_ready(&view));
    const char *table = written(&view, false, 0, 0);
    CHECK(strstr(table, "1 of 2 nodes ready   block 120   rotation 1") == table);
    CHECK(strstr(table, "proposer 0xAb\n") != NULL);
    CHECK(strstr(table, "a:1                          leads          120      0     2     3"
                        "       4       5      10      2!") != NULL);
    CHECK(strstr(table, "b:2                          DOWN") != NULL);
    CHECK(strchr(table, '\x1b') == NULL);     /* plain */
    CHECK(strstr(table, "a minute") == NULL); /* one look shows no rate */
}

static void test_rate(void) {
    static struct monitor_view view;
    CHECK(monitor_add_urls(&view, "http://a:1"));
    struct monitor_node *node = &view.nodes[0];
    monitor_take_status(node, ANSWER, 1000);
    CHECK(monitor_blocks_per_minute(node) == 0);
    node->looks[0].height = 100;
    for (uint64_t i = 1; i <= 2 * MONITOR_LOOKS_KEPT; i++)
        monitor_take_status(node, ANSWER, 1000 + i * 1000);
    CHECK(node->looks_count == MONITOR_LOOKS_KEPT);
    node->looks[0].height = 90; /* thirty blocks in fifteen seconds */
    CHECK(monitor_blocks_per_minute(node) == 120);
    CHECK(strstr(written(&view, false, 0, 0), "   120.0 blocks a minute   ") != NULL);
    node->looks[0].transactions = 200; /* three hundred */
    CHECK(monitor_transactions_per_second(node) == 20);
    node->looks[0].transactions = 501; /* it has started again */
    CHECK(monitor_transactions_per_second(node) == 0);
}

/* Nothing is written beyond the screen's edges, whatever a node says. */
static void test_screen(void) {
    static struct monitor_view view;
    CHECK(monitor_add_urls(&view, "http://a:1,http://b:2,http://c:3,http://d:4"));
    for (size_t i = 0; i < view.count; i++) {
        monitor_take_status(&view.nodes[i],
                            "{\"result\":{\"height\":\"0x1\",\"ready\":false,"
                            "\"reason\":\"evil \\u001b[2J\\u0007 text\"}}",
                            1000);
    }
    const char *screen = written(&view, true, 30, 6);
    CHECK(strstr(screen, "\x1b[2J") == NULL && strchr(screen, '\a') == NULL);
    unsigned lines = 0;
    for (const char *at = screen; *at != '\0'; at++)
        lines += *at == '\n';
    CHECK(lines <= 5);
    CHECK(strstr(written(&view, true, 200, 40), "evil ?[2J? text") != NULL);
}

static void test_json(void) {
    static struct monitor_view view;
    CHECK(monitor_add_urls(&view, "http://a:1,http://b:2"));
    monitor_take_status(&view.nodes[0], ANSWER, 1000);
    monitor_take_status(&view.nodes[1], "", 1000);
    struct buffer out = buffer_over((uint8_t *)text, sizeof text - 1);
    monitor_write_json(&view, &out);
    CHECK(!out.overflow);
    text[out.size] = '\0';
    CHECK(strstr(text, "{\"height\":120,\"nodes\":[{\"url\":\"http://a:1\",\"answers\":true,") ==
          text);
    CHECK(strstr(text, "{\"url\":\"http://b:2\",\"answers\":false,\"ready\":false,"
                       "\"reason\":\"no answer\"}]}\n") != NULL);
}

int main(void) {
    test_urls();
    test_table();
    test_rate();
    test_screen();
    test_json();
    puts("monitor view: ok");
    return 0;
}
