/* Histograms and message counts, as Prometheus reads them. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "node/histogram.h"
#include "node/traffic.h"

static const char *text_of(struct histogram *histogram) {
    static uint8_t memory[8192];
    struct buffer out = buffer_over(memory, sizeof memory - 1);
    histogram_write(histogram, "x_seconds", "Help.", &out);
    CHECK(!out.overflow);
    memory[out.size] = '\0';
    return (const char *)memory;
}

static void test_buckets(void) {
    static struct histogram histogram;
    const char *text = text_of(&histogram);
    CHECK(strstr(text, "# HELP x_seconds Help.\n# TYPE x_seconds histogram\n") == text);
    CHECK(strstr(text, "x_seconds_bucket{le=\"+Inf\"} 0\n") != NULL);
    histogram_observe(&histogram, 0);
    histogram_observe(&histogram, 1000); /* a bound belongs to its bucket */
    histogram_observe(&histogram, 1001); /* and one more to the next */
    histogram_observe(&histogram, 15000000);
    histogram_observe(&histogram, 15000001); /* above all */
    text = text_of(&histogram);
    CHECK(strstr(text, "x_seconds_bucket{le=\"0.001\"} 2\n") != NULL);
    CHECK(strstr(text, "x_seconds_bucket{le=\"0.005\"} 3\n") != NULL);
    CHECK(strstr(text, "x_seconds_bucket{le=\"5\"} 3\n") != NULL);
    CHECK(strstr(text, "x_seconds_bucket{le=\"15\"} 4\n") != NULL);
    CHECK(strstr(text, "x_seconds_bucket{le=\"+Inf\"} 5\n") != NULL);
    CHECK(strstr(text, "x_seconds_sum 30.002002\n") != NULL);
    CHECK(strstr(text, "x_seconds_count 5\n") != NULL);
}

static void *observe_many(void *context) {
    for (int i = 0; i < 10000; i++)
        histogram_observe(context, 2000);
    return NULL;
}

static void test_threads(void) {
    static struct histogram histogram;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, observe_many, &histogram) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    const char *text = text_of(&histogram);
    CHECK(strstr(text, "x_seconds_bucket{le=\"0.001\"} 0\n") != NULL);
    CHECK(strstr(text, "x_seconds_count 40000\n") != NULL);
    CHECK(strstr(text, "x_seconds_sum 80.000000\n") != NULL);
}

static void test_traffic(void) {
    static struct traffic traffic;
    const uint8_t vote[] = {MESSAGE_VOTE, 1}, stranger[] = {TRAFFIC_KINDS}, last[] = {255};
    traffic_received(&traffic, (struct bytes){vote, sizeof vote});
    traffic_received(&traffic, BYTES_EMPTY);
    traffic_received(&traffic, (struct bytes){stranger, sizeof stranger});
    traffic_received(&traffic, (struct bytes){last, sizeof last});
    traffic_sent(&traffic, (struct bytes){vote, sizeof vote}, 3);
    CHECK(traffic.received[MESSAGE_VOTE] == 1 && traffic.received[0] == 3);
    CHECK(traffic.sent[MESSAGE_VOTE] == 3 && traffic.sent[0] == 0);
    for (unsigned i = 0; i < TRAFFIC_KINDS; i++) { /* labels are names, each its own */
        CHECK(traffic_name(i)[0] != '\0' && strchr(traffic_name(i), '"') == NULL);
        for (unsigned j = 0; j < i; j++)
            CHECK(strcmp(traffic_name(i), traffic_name(j)) != 0);
    }
}

int main(void) {
    test_buckets();
    test_threads();
    test_traffic();
    puts("node histogram: ok");
    return 0;
}
