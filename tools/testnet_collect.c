/* What a test network did, read from its chain and from its nodes' metrics. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/testnet.h"

#define BATCH_BLOCKS 8
#define ANSWER_BYTES ((size_t)4 << 20) /* eight commits of 128 signatures are 300 KiB */
#define TRIES_MAX    5
#define METRIC       "ande_consensus_decide_seconds"

static uint64_t quantity(const json_t *value) {
    const char *text = json_string_value(value);
    return text == NULL ? 0 : strtoull(text, NULL, 16);
}

/* ask posts `body` to a member and gives the parsed answer; NULL: there is none. */
static json_t *ask(struct testnet *net, uint32_t member, const char *body, char *memory) {
    struct http_request request = {
        .body = body, .answer = memory, .answer_bytes_max = ANSWER_BYTES - 1};
    snprintf(request.url, sizeof request.url, "http://127.0.0.1:%u", net->members[member].rpc_port);
    http_run(net->http, &request, 1, testnet_ask_ms(net));
    return request.status == 200 ? json_loads(memory, 0, NULL) : NULL;
}

/* ask_any asks nodes in turn until one gives a JSON array of `count` answers. */
static json_t *ask_any(struct testnet *net, const char *body, size_t count, char *memory) {
    for (uint32_t try = 0, i = 0; try < TRIES_MAX && i < net->options.validators; i++) {
        if (!net->members[i].is_answering) continue;
        json_t *answer = ask(net, i, body, memory);
        if (json_array_size(answer) == count) return answer;
        json_decref(answer);
        try += 1;
    }
    return NULL;
}

/* count_blocks counts the rounds and transactions of blocks [first, last]. */
static bool count_blocks(struct testnet *net, uint64_t first, uint64_t last, char *memory) {
    char body[BATCH_BLOCKS * 256];
    size_t size = (size_t)snprintf(body, sizeof body, "[");
    for (uint64_t height = first; height <= last; height++) {
        size += (size_t)snprintf(
            body + size, sizeof body - size,
            "%s{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"baton_getCommit\",\"params\":[\"0x%llx\"]"
            "},"
            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"eth_getBlockTransactionCountByNumber\","
            "\"params\":[\"0x%llx\"]}",
            height > first ? "," : "", (unsigned long long)height, (unsigned long long)height);
    }
    snprintf(body + size, sizeof body - size, "]");
    json_t *answers = ask_any(net, body, 2 * (size_t)(last - first + 1), memory);
    if (answers == NULL) return false;
    for (size_t i = 0; i < json_array_size(answers); i++) {
        const json_t *answer = json_array_get(answers, i);
        const json_t *result = json_object_get(answer, "result");
        const bool is_commit = json_integer_value(json_object_get(answer, "id")) == 1;
        if (is_commit) {
            const uint64_t rounds = quantity(json_object_get(result, "round"));
            if (rounds > 0) {
                testnet_issue(&net->figures, "block %llu took %llu rounds",
                              (unsigned long long)quantity(json_object_get(result, "height")),
                              (unsigned long long)rounds + 1);
            }
            net->figures.blocks += json_is_object(result);
            net->figures.rounds_failed += rounds;
        } else {
            net->figures.transactions += quantity(result);
        }
    }
    json_decref(answers);
    return true;
}

/* metric_value reads the sample `name` off a metrics page; 0 when it is not there. */
static double metric_value(const char *page, const char *name) {
    const size_t size = strlen(name);
    for (const char *line = page; line != NULL && *line != '\0';) {
        if (strncmp(line, name, size) == 0 && line[size] == ' ') return strtod(line + size, NULL);
        line = strchr(line, '\n');
        if (line != NULL) line += 1;
    }
    return 0;
}

/* read_metrics reads the sum and the number of a member's decisions; false: no answer. */
static bool read_metrics(struct testnet *net, const struct testnet_member *member, char *memory,
                         double *seconds, uint64_t *count) {
    struct http_request request = {.answer = memory, .answer_bytes_max = ANSWER_BYTES - 1};
    if (!member->is_answering) return false;
    snprintf(request.url, sizeof request.url, "http://127.0.0.1:%u/metrics", member->metrics_port);
    http_run(net->http, &request, 1, testnet_ask_ms(net));
    if (request.status != 200) return false;
    *seconds = metric_value(memory, METRIC "_sum");
    *count = (uint64_t)metric_value(memory, METRIC "_count");
    return true;
}

void testnet_collect_begin(struct testnet *net) {
    char *memory = malloc(ANSWER_BYTES);
    for (uint32_t i = 0; i < net->options.validators && memory != NULL; i++) {
        struct testnet_member *member = &net->members[i];
        if (read_metrics(net, member, memory, &member->decide_seconds_before,
                         &member->decide_count_before)) {
            continue;
        }
        testnet_issue(&net->figures, "node %u did not show its metrics at the beginning", i);
    }
    free(memory);
}

/* add_decisions adds what each node has decided since the measurement began. */
static void add_decisions(struct testnet *net, char *memory) {
    for (uint32_t i = 0; i < net->options.validators; i++) {
        const struct testnet_member *member = &net->members[i];
        double seconds;
        uint64_t count;
        if (!read_metrics(net, member, memory, &seconds, &count)) continue;
        if (count < member->decide_count_before) continue;
        net->figures.decide_seconds_sum += seconds - member->decide_seconds_before;
        net->figures.decide_count += count - member->decide_count_before;
    }
}

/* same_chain compares the block at `height` of all that answer. */
static bool same_chain(struct testnet *net, uint64_t height, char *memory) {
    char body[160], known[80] = "";
    bool is_same = true;
    snprintf(body, sizeof body,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getBlockByNumber\","
             "\"params\":[\"0x%llx\",false]}",
             (unsigned long long)height);
    for (uint32_t i = 0; i < net->options.validators; i++) {
        if (!net->members[i].is_answering) continue;
        json_t *answer = ask(net, i, body, memory);
        const char *hash =
            json_string_value(json_object_get(json_object_get(answer, "result"), "hash"));
        if (hash == NULL) {
            testnet_issue(&net->figures, "node %u does not show block %llu", i,
                          (unsigned long long)height);
        } else if (known[0] == '\0') {
            snprintf(known, sizeof known, "%s", hash);
        } else if (strcmp(known, hash) != 0) {
            testnet_issue(&net->figures, "node %u has another block %llu than others: %s, not %s",
                          i, (unsigned long long)height, hash, known);
            is_same = false;
        }
        json_decref(answer);
    }
    return is_same;
}

bool testnet_collect(struct testnet *net, uint64_t first, uint64_t last) {
    char *memory = malloc(ANSWER_BYTES);
    uint64_t common = last;
    if (memory == NULL) return false;
    for (uint64_t height = first + 1; height <= last; height += BATCH_BLOCKS) {
        const uint64_t end = height + BATCH_BLOCKS - 1 < last ? height + BATCH_BLOCKS - 1 : last;
        if (count_blocks(net, height, end, memory)) continue;
        testnet_issue(&net->figures, "blocks %llu to %llu could not be read from any node",
                      (unsigned long long)height, (unsigned long long)end);
    }
    add_decisions(net, memory);
    for (uint32_t i = 0; i < net->options.validators; i++) {
        const struct testnet_member *member = &net->members[i];
        if (!member->is_answering) {
            testnet_issue(&net->figures, "node %u does not answer at the end", i);
        } else if (member->height + 5 < last) {
            testnet_issue(&net->figures, "node %u is at block %llu of %llu at the end", i,
                          (unsigned long long)member->height, (unsigned long long)last);
        } else if (member->height < common) {
            common = member->height;
        }
    }
    const bool is_same = same_chain(net, common, memory);
    free(memory);
    return is_same;
}
