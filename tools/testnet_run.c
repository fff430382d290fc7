/* The course of a test network: start, measure, stop. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "threads/clock.h"
#include "tools/testnet.h"

#define TURN_MS        100
#define POLL_MS_MIN    1000
#define STATUS_LINE_MS 5000
#define ASK_MS_MIN     5000
#define ASK_MS_A_NODE  100
#define LAST_LOOKS_MAX 10 /* at the end every node is to say where it is */
#define REPORT_BYTES   ((size_t)128 << 10)
#define BEHIND_MAX     2 /* blocks: a node that came back is there again */

static volatile sig_atomic_t signals_caught;

static void on_signal(int number) {
    (void)number;
    signals_caught = signals_caught + 1;
}

static void catch_signals(void) {
    const struct sigaction action = {.sa_handler = on_signal};
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
}

uint64_t testnet_ask_ms(const struct testnet *net) {
    return ASK_MS_MIN + ASK_MS_A_NODE * (uint64_t)net->options.validators;
}

double testnet_seconds(const struct testnet *net, uint64_t now_ms) {
    return net->began_ms == 0 ? 0 : (double)(now_ms - net->began_ms) / 1000;
}

/* --- one turn's questions */

struct http_request *testnet_request(struct testnet *net, uint32_t member,
                                     struct testnet_purpose purpose, const char *method,
                                     const char *params) {
    const size_t at = net->requests_count;
    if (at == TESTNET_REQUESTS_MAX) return NULL;
    struct http_request *request = &net->requests[at];
    snprintf(net->bodies[at], TESTNET_BODY_BYTES,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":[%s]}", method, params);
    snprintf(request->url, sizeof request->url, "http://127.0.0.1:%u",
             net->members[member].rpc_port);
    request->body = net->bodies[at];
    request->answer = net->answers[at];
    request->answer_bytes_max = TESTNET_ANSWER_BYTES;
    net->purposes[at] = purpose;
    net->requests_count += 1;
    return request;
}

static void add_polls(struct testnet *net, uint64_t now_ms, bool is_due) {
    const uint64_t every_ms = POLL_MS_MIN + 20 * (uint64_t)net->options.validators;
    for (uint32_t i = 0; i < net->options.validators; i++) {
        struct testnet_member *member = &net->members[i];
        const bool is_back = member->failed_ms != 0 && member->pid != 0;
        if (!is_due && now_ms < member->poll_at_ms) continue;
        member->poll_at_ms = now_ms + (is_back ? POLL_MS_MIN / 2 : every_ms);
        if (member->pid == 0 && net->began_ms == 0) continue;
        (void)testnet_request(net, i, (struct testnet_purpose){TESTNET_POLL, i}, "baton_status",
                              "");
    }
}

static uint64_t height_max(const struct testnet *net) {
    uint64_t height = 0;
    for (uint32_t i = 0; i < net->options.validators; i++) {
        if (net->members[i].height > height) height = net->members[i].height;
    }
    return height;
}

/* notice_return notes that a node which had failed is at the head again. */
static void notice_return(struct testnet *net, uint32_t index) {
    struct testnet_member *member = &net->members[index];
    const uint64_t now_ms = monotonic_ms();
    if (member->failed_ms == 0 || member->pid == 0 || !member->is_ready) return;
    if (member->height + BEHIND_MAX < height_max(net)) return;
    testnet_issue(&net->figures, "at %.1f s: node %u is at the head again, %.1f s after it failed",
                  testnet_seconds(net, now_ms), index, (double)(now_ms - member->failed_ms) / 1000);
    member->failed_ms = 0;
}

static void take_poll(struct testnet *net, size_t at) {
    const uint32_t index = net->purposes[at].index;
    struct testnet_member *member = &net->members[index];
    json_t *root = json_loads(net->requests[at].answer, 0, NULL);
    const json_t *status = json_object_get(root, "result");
    const char *height = json_string_value(json_object_get(status, "height"));
    const char *peers = json_string_value(json_object_get(status, "peers"));
    member->is_answering = height != NULL && peers != NULL;
    member->is_ready = member->is_answering && json_is_true(json_object_get(status, "ready"));
    if (member->is_answering) {
        member->height = strtoull(height, NULL, 16);
        member->peers = (uint32_t)strtoul(peers, NULL, 16);
        const char *leader = json_string_value(json_object_get(status, "proposer"));
        struct address found;
        if (leader != NULL && hex_to_address(bytes_from_string(leader), &found) == ERR_OK) {
            net->leader = found;
        }
    }
    json_decref(root);
    if (!net->is_measuring) return;
    net->figures.polls += 1;
    net->figures.polls_answered += member->is_answering;
    net->figures.polls_ready += member->is_ready;
    notice_return(net, index);
}

/* perform sends the turn's requests and takes the answers. */
static void perform(struct testnet *net) {
    http_run(net->http, net->requests, net->requests_count, testnet_ask_ms(net));
    for (size_t i = 0; i < net->requests_count; i++) {
        if (net->purposes[i].kind == TESTNET_POLL) {
            take_poll(net, i);
        } else {
            testnet_load_take(net, i);
        }
    }
    net->requests_count = 0;
}

/* --- what people see */

static void status_line(const struct testnet *net, const char *phase, uint64_t elapsed_ms) {
    uint32_t running = 0, ready = 0, links = 0;
    uint64_t lowest = UINT64_MAX;
    const uint32_t count = net->options.validators;
    for (uint32_t i = 0; i < count; i++) {
        const struct testnet_member *member = &net->members[i];
        running += member->pid != 0;
        ready += member->is_ready;
        links += member->peers;
        if (member->is_answering && member->height < lowest) lowest = member->height;
    }
    fprintf(stderr,
            "%s %5.0f s  %u/%u run, %u ready  blocks %llu to %llu  peers %.1f  sent %llu, taken "
            "%llu  failures %llu  memory %.1f GiB\n",
            phase, (double)elapsed_ms / 1000, running, count, ready,
            (unsigned long long)(lowest == UINT64_MAX ? 0 : lowest),
            (unsigned long long)height_max(net), (double)links / count,
            (unsigned long long)net->sent, (unsigned long long)net->accepted,
            (unsigned long long)net->figures.node_failures,
            (double)testnet_resident_bytes(net) / (1 << 30));
}

/* --- starting */

static void start_due(struct testnet *net, uint64_t now_ms) {
    for (uint32_t i = 0; i < net->options.validators; i++) {
        struct testnet_member *member = &net->members[i];
        if (member->pid != 0 || now_ms < member->start_at_ms) continue;
        if (testnet_spawn(member) == ERR_OK) continue;
        testnet_issue(&net->figures, "node %u could not be started: %s", i, strerror(errno));
        member->start_at_ms = now_ms + net->options.down_ms;
    }
}

static bool all_ready(const struct testnet *net) {
    for (uint32_t i = 0; i < net->options.validators; i++) {
        const struct testnet_member *member = &net->members[i];
        if (!member->is_ready || member->height == 0) return false;
        if (member->peers + 1 < net->options.validators) return false;
    }
    return true;
}

static void pause_turn(uint64_t began_ms) {
    const uint64_t now_ms = monotonic_ms();
    if (now_ms < began_ms + TURN_MS) usleep((useconds_t)(began_ms + TURN_MS - now_ms) * 1000);
}

/* start brings all nodes up; false: a signal, a node that ended, or time is over. */
static bool start(struct testnet *net) {
    const uint64_t began_ms = monotonic_ms();
    uint64_t line_at_ms = began_ms + STATUS_LINE_MS;
    for (uint32_t i = 0; i < net->options.validators; i++) {
        net->members[i].start_at_ms = began_ms + i * net->options.stagger_ms;
    }
    for (;;) {
        const uint64_t now_ms = monotonic_ms();
        testnet_reap(net, now_ms);
        if (signals_caught != 0 || net->figures.node_failures != 0) return false;
        start_due(net, now_ms);
        add_polls(net, now_ms, false);
        perform(net);
        if (all_ready(net)) return true;
        if (now_ms >= line_at_ms) {
            status_line(net, "starting", now_ms - began_ms);
            line_at_ms = now_ms + STATUS_LINE_MS;
        }
        if (now_ms - began_ms >= net->options.start_ms_max) {
            testnet_issue(&net->figures, "not all nodes were ready after %.0f s",
                          (double)(now_ms - began_ms) / 1000);
            return false;
        }
        pause_turn(now_ms);
    }
}

/* --- measuring */

/* choose_victim takes whoever leads for every other kill, and any running node else. */
static uint32_t choose_victim(const struct testnet *net) {
    const uint32_t count = net->options.validators;
    const uint32_t from = randombytes_uniform(count);
    uint32_t victim = count;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t index = (from + i) % count;
        const struct testnet_member *member = &net->members[index];
        if (member->pid == 0 || member->failed_ms != 0) continue;
        const bool leads = address_equal(&member->address, &net->leader);
        if (net->kills_done % 2 == 0 && leads) return index;
        if (victim == count) victim = index;
    }
    return victim;
}

static void kill_due(struct testnet *net, uint64_t now_ms) {
    const struct testnet_options *options = &net->options;
    if (net->kills_done == options->kills) return;
    const uint64_t due_ms =
        net->began_ms + options->duration_ms * (net->kills_done + 1) / (options->kills + 2);
    if (now_ms < due_ms) return;
    const uint32_t victim = choose_victim(net);
    if (victim < options->validators) {
        testnet_kill(net, victim, now_ms);
    } else {
        testnet_issue(&net->figures, "at %.1f s: no node was there to be killed",
                      testnet_seconds(net, now_ms));
    }
    net->kills_done += 1;
}

/* measure runs the network for its time, or until a signal. */
static void measure(struct testnet *net) {
    uint64_t line_at_ms = net->began_ms + STATUS_LINE_MS;
    net->load_at_us = monotonic_us();
    for (;;) {
        const uint64_t now_ms = monotonic_ms();
        if (now_ms - net->began_ms >= net->options.duration_ms) return;
        if (signals_caught != 0) {
            testnet_issue(&net->figures, "ended early, after %.1f s, by a signal",
                          testnet_seconds(net, now_ms));
            return;
        }
        testnet_reap(net, now_ms);
        kill_due(net, now_ms);
        start_due(net, now_ms);
        add_polls(net, now_ms, false);
        testnet_load_add(net, monotonic_us());
        perform(net);
        if (now_ms >= line_at_ms) {
            status_line(net, "running", now_ms - net->began_ms);
            line_at_ms = now_ms + STATUS_LINE_MS;
        }
        pause_turn(now_ms);
    }
}

/* poll_all asks every node now, and again those that are too busy to answer. */
static void poll_all(struct testnet *net) {
    bool all_answer = false;
    for (int i = 0; i < LAST_LOOKS_MAX && !all_answer; i++) {
        add_polls(net, monotonic_ms(), true);
        perform(net);
        all_answer = true;
        for (uint32_t j = 0; j < net->options.validators; j++)
            all_answer &= net->members[j].is_answering || net->members[j].pid == 0;
    }
}

static bool write_report(const struct testnet *net) {
    uint8_t *memory = malloc(REPORT_BYTES);
    struct buffer out = buffer_over(memory, memory != NULL ? REPORT_BYTES : 0);
    testnet_report_write(&net->figures, &out);
    buffer_append_byte(&out, '\n');
    FILE *file = net->options.report != NULL ? fopen(net->options.report, "we") : stdout;
    bool is_written = file != NULL && !out.overflow;
    if (is_written) is_written = fwrite(out.data, 1, out.size, file) == out.size;
    if (file != NULL && file != stdout) is_written &= fclose(file) == 0;
    if (!is_written) {
        fprintf(stderr, "baton testnet: report: cannot write \"%s\": %s\n",
                net->options.report != NULL ? net->options.report : "standard output",
                strerror(errno));
    }
    free(memory);
    return is_written;
}

static void print_issues(const struct testnet *net) {
    for (uint32_t i = 0; i < net->figures.issues_count && i < TESTNET_ISSUES_MAX; i++)
        fprintf(stderr, "issue: %s\n", net->figures.issues[i]);
}

int testnet_run(struct testnet *net) {
    bool is_good = false;
    catch_signals();
    net->figures.nodes_count = net->options.validators;
    net->figures.stake_per_node = TESTNET_STAKE;
    if (start(net)) {
        fprintf(stderr, "all %u nodes are ready\n", net->options.validators);
        testnet_collect_begin(net);
        const uint64_t first = height_max(net);
        net->began_ms = monotonic_ms();
        net->is_measuring = true;
        measure(net);
        net->is_measuring = false;
        net->figures.duration_ms = monotonic_ms() - net->began_ms;
        poll_all(net);
        is_good = testnet_collect(net, first, height_max(net)) && net->figures.blocks > 0;
    } else if (signals_caught != 0) {
        testnet_issue(&net->figures, "ended by a signal before all nodes were ready");
    }
    testnet_stop(net);
    print_issues(net);
    if (!write_report(net)) is_good = false;
    if (signals_caught != 0) return 130;
    return is_good ? 0 : 1;
}
