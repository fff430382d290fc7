/* Reading bodies: the plain way and jansson's must agree on every body that both can read. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "rpc/method.h"
#include "rpc/request.h"

static const struct requests_limits limits = {.depth_max = 32, .calls_max = 100};

static enum requests_verdict read_text(const char *text, struct requests *out) {
    return requests_read((struct bytes){(const uint8_t *)text, strlen(text)}, &limits, out);
}

static bool is_text(struct bytes bytes, const char *text) {
    return bytes_equal(bytes, (struct bytes){(const uint8_t *)text, strlen(text)});
}

/* Single calls: what is read, and whether jansson had to. */
static void test_calls(void) {
    static const struct {
        const char *body, *id, *name;
        size_t params;
        bool is_plain;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":[]}", "1", "m", 0, true},
        {" {\"method\" : \"m\" ,\n\"id\":\"a/b\"}\r\n", "\"a/b\"", "m", 0, true},
        {"{\"id\":null,\"method\":\"m\",\"params\":null}", "null", "m", 0, false},
        {"{\"id\":0,\"method\":\"m\",\"params\":[ ]}", "0", "m", 0, true},
        {"{\"id\":1,\"method\":\"m\",\"params\":[[\"]\",{\"a\":[1]}],2]}", "1", "m", 2, true},
        {"{\"method\":\"m\",\"params\":[1,2,3]}", "", "m", 3, true},
        {"{\"id\":-1,\"method\":\"m\"}", "-1", "m", 0, false},
        {"{\"id\":1.5,\"method\":\"m\"}", "1.5", "m", 0, false},
        {"{\"id\":1e2,\"method\":\"m\"}", "100.0", "m", 0, false},
        {"{\"id\":1234567890123456789,\"method\":\"m\"}", "1234567890123456789", "m", 0, false},
        {"{\"id\":\"\\u0061\",\"method\":\"m\"}", "\"a\"", "m", 0, false},
        {"{\"id\":1,\"m\\u0065thod\":\"m\\u006d\"}", "1", "mm", 0, false},
        {"{\"id\":1,\"method\":\"m\",\"more\":[{}]}", "1", "m", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct requests requests;
        CHECK(read_text(cases[i].body, &requests) == REQUESTS_READ);
        CHECK(!requests.is_batch && requests.count == 1);
        const struct request *request = &requests.list[0];
        CHECK(request->fault == NULL);
        CHECK(is_text(request->id, cases[i].id));
        CHECK(is_text(request->name, cases[i].name));
        CHECK(request->is_notification == (cases[i].id[0] == '\0'));
        CHECK(json_array_size(request->params) == cases[i].params);
        CHECK((requests.root == NULL) == cases[i].is_plain);
        requests_free(&requests);
    }
}

static void test_refused(void) {
    static const struct {
        const char *body;
        enum requests_verdict verdict;
    } cases[] = {
        {"", REQUESTS_MALFORMED},
        {" ", REQUESTS_MALFORMED},
        {"{\"id\":01,\"method\":\"m\"}", REQUESTS_MALFORMED},
        {"{\"id\":1,\"method\":\"m\"}x", REQUESTS_MALFORMED},
        {"{\"id\":1,\"method\":\"m\",}", REQUESTS_MALFORMED},
        {"{\"id\":1,\"method\":\"m\"", REQUESTS_MALFORMED},
        {"{\"id\":1 \"method\":\"m\"}", REQUESTS_MALFORMED},
        {"{\"id\":1,\"id\":2,\"method\":\"m\"}", REQUESTS_MALFORMED},
        {"{\"id\":nullx,\"method\":\"m\"}", REQUESTS_MALFORMED},
        {"{\"id\":1,\"method\":\"m\",\"params\":[1,]}", REQUESTS_MALFORMED},
        {"{\"id\":1,\"method\":\"m\",\"params\":[\"\\u0000\"]}", REQUESTS_MALFORMED},
        {"{\"id\":1,\"method\":\"a\tb\"}", REQUESTS_MALFORMED},
        {"{\"id\":1,\"method\":\"\xff\"}", REQUESTS_MALFORMED},
        {"[{\"id\":1,\"method\":\"m\"},]", REQUESTS_MALFORMED},
        {"[{\"id\":1,\"method\":\"m\"}", REQUESTS_MALFORMED},
        {"[]", REQUESTS_EMPTY_BATCH},
        {" [ ] ", REQUESTS_EMPTY_BATCH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct requests requests;
        CHECK(read_text(cases[i].body, &requests) == cases[i].verdict);
        requests_free(&requests);
    }
}

/* Calls that are JSON and yet none, alone and among others. */
static void test_faults(void) {
    static const char *const cases[] = {"1",
                                        "\"m\"",
                                        "null",
                                        "{}",
                                        "[1]",
                                        "[[]]",
                                        "{\"id\":1}",
                                        "{\"id\":1,\"method\":2}",
                                        "{\"id\":[],\"method\":\"m\"}",
                                        "{\"id\":true,\"method\":\"m\"}",
                                        "{\"id\":1,\"method\":\"m\",\"params\":{}}"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct requests requests;
        CHECK(read_text(cases[i], &requests) == REQUESTS_READ);
        CHECK(requests.count == 1 && requests.list[0].fault != NULL);
        CHECK(!requests.list[0].is_notification);
        requests_free(&requests);
    }
}

/* A batch as long as allowed, plain or with one call that is not; one longer. */
static void test_batches(void) {
    for (int odd = 0; odd < 2; odd++) {
        for (size_t count = 1; count <= limits.calls_max + 1; count++) {
            char text[8192] = "[";
            size_t at = 1;
            for (size_t i = 0; i < count; i++) {
                at += (size_t)snprintf(text + at, sizeof text - at,
                                       "%s{\"id\":%zu%s,\"method\":\"eth_chainId\"}",
                                       i > 0 ? "," : "", i, odd && i == count / 2 ? ".0" : "");
            }
            strcpy(text + at, "]");
            struct requests requests;
            const enum requests_verdict verdict = read_text(text, &requests);
            CHECK(verdict == (count > limits.calls_max ? REQUESTS_TOO_MANY : REQUESTS_READ));
            if (verdict == REQUESTS_READ) {
                CHECK(requests.is_batch && requests.count == count);
                CHECK(requests.list[count - 1].method != NULL);
                CHECK((requests.root == NULL) == !odd);
            }
            requests_free(&requests);
        }
    }
}

/* Depth counts brackets outside of strings, whichever way the body is read. */
static void test_depth(void) {
    for (size_t depth = 1; depth < 40; depth++) {
        char text[256] = "{\"id\":1,\"method\":\"m\",\"params\":";
        size_t at = strlen(text);
        memset(text + at, '[', depth);
        at += depth;
        text[at++] = '"';
        memset(text + at, '[', 40);
        at += 40;
        text[at++] = '"';
        memset(text + at, ']', depth);
        strcpy(text + at + depth, "}");
        struct requests requests;
        CHECK(read_text(text, &requests) ==
              (depth + 1 > limits.depth_max ? REQUESTS_TOO_DEEP : REQUESTS_READ));
        requests_free(&requests);
    }
}

int main(void) {
    test_calls();
    test_refused();
    test_faults();
    test_batches();
    test_depth();
    puts("request: ok");
    return 0;
}
