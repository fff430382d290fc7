/* `baton monitor`: what several nodes say of themselves, on one screen. */
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "flags/flags.h"
#include "threads/clock.h"
#include "tools/commands.h"
#include "tools/http.h"
#include "tools/monitor_view.h"

#define REFRESH_MS_DEFAULT 1000
#define ASK_MS             2000
#define ANSWER_BYTES       ((size_t)64 << 10)

static const char HELP[] =
    "NAME\n  baton monitor - watch nodes in the terminal\n\n"
    "SYNOPSIS\n"
    "  baton monitor [--rpc URL[,URL ...]] [--interval-ms N] [--once] [--json]\n\n"
    "DESCRIPTION\n"
    "  Asks every node for baton_status and shows, node by node: whether it is ready, its height\n"
    "  and how far it is behind the highest, round, peers, pool, and how far DA and L1 lag;\n"
    "  above them who leads, the rotation and the rate of blocks.  q or Ctrl-C ends it.\n"
    "  Without a terminal (or on one without a cursor, TERM=dumb), or with --once, it prints the\n"
    "  same once, in plain text.\n\n"
    "FLAGS\n"
    "  --rpc URL,URL ...   nodes, up to 128; may be repeated [default: http://127.0.0.1:8545]\n"
    "  --interval-ms N     between two looks, 100 to 60000 [default: 1000]\n"
    "  --once              look once and end\n"
    "  --json              one JSON object for each look, on a line of its own\n\n"
    "EXIT STATUS\n"
    "  0 after q or a signal; with --once 0 when all nodes are ready, 1 when one is not; 2 wrong\n"
    "  use.\n";

struct monitor {
    struct monitor_view view;
    struct http *http;
    struct http_request requests[MONITOR_NODES_MAX];
    uint64_t interval_ms;
    bool is_once, is_json;
};

static volatile sig_atomic_t is_ending, is_resized, is_suspending;

static void on_signal(int number) {
    if (number == SIGWINCH) {
        is_resized = 1;
    } else if (number == SIGTSTP) {
        is_suspending = 1;
    } else {
        is_ending = 1;
    }
}

/* --- the terminal: raw while we run, as it was afterwards */

static struct termios terminal_before;
static bool is_terminal_ours;

static void terminal_begin(void) {
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &terminal_before) != 0) return;
    raw = terminal_before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return;
    is_terminal_ours = true;
    fputs("\x1b[?1049h\x1b[?25l", stdout); /* the other screen, no cursor */
    fflush(stdout);
}

static void terminal_end(void) {
    if (!is_terminal_ours) return;
    fputs("\x1b[?25h\x1b[?1049l", stdout);
    fflush(stdout);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
    is_terminal_ours = false;
}

/* catch_signals has them come only while we wait for a key: nothing happens between a look at the
 * flags and the wait.  `while_waiting` is the mask for that. */
static void catch_signals(sigset_t *while_waiting) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP};
    const struct sigaction action = {.sa_handler = on_signal};
    sigset_t caught;
    sigemptyset(&caught);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        sigaddset(&caught, numbers[i]);
        sigaction(numbers[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &caught, while_waiting);
}

/* suspend gives the terminal back, stops as Ctrl-Z wants it, and takes it again afterwards. */
static void suspend(bool is_screen) {
    struct sigaction ours;
    const struct sigaction stop = {.sa_handler = SIG_DFL};
    sigset_t tstp;
    sigemptyset(&tstp);
    sigaddset(&tstp, SIGTSTP);
    terminal_end();
    sigaction(SIGTSTP, &stop, &ours);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &tstp, NULL); /* stopped here until SIGCONT */
    sigprocmask(SIG_BLOCK, &tstp, NULL);
    sigaction(SIGTSTP, &ours, NULL);
    is_suspending = 0;
    if (is_screen) terminal_begin();
}

/* --- one look */

static void look(struct monitor *monitor) {
    static const char body[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"baton_status\",\"params\":[]}";
    struct monitor_view *view = &monitor->view;
    for (size_t i = 0; i < view->count; i++) {
        struct http_request *request = &monitor->requests[i];
        snprintf(request->url, sizeof request->url, "%s", view->nodes[i].url);
        request->body = body;
    }
    http_run(monitor->http, monitor->requests, view->count, ASK_MS);
    const uint64_t now_ms = monotonic_ms();
    for (size_t i = 0; i < view->count; i++) {
        const struct http_request *request = &monitor->requests[i];
        monitor_take_status(&view->nodes[i], request->status == 200 ? request->answer : "", now_ms);
    }
}

static void show(struct monitor *monitor, bool is_screen) {
    static char text[256 << 10];
    struct monitor_size size = {0, 0};
    struct buffer out = buffer_over((uint8_t *)text, sizeof text);
    if (is_screen) size = monitor_terminal_size(STDOUT_FILENO);
    if (monitor->is_json) {
        monitor_write_json(&monitor->view, &out);
    } else {
        monitor_write_text(&monitor->view, is_screen, size, &out);
    }
    fwrite(out.data, 1, out.size, stdout);
    fflush(stdout);
}

/* wait_key waits for the next look; true: it is time to end. */
static bool wait_key(uint64_t until_ms, bool is_screen, const sigset_t *mask) {
    bool has_keys = is_screen;
    while (!is_ending && !is_resized) {
        if (is_suspending) {
            suspend(is_screen);
            break;
        }
        const uint64_t now_ms = monotonic_ms();
        if (now_ms >= until_ms) break;
        const struct timespec most = {(time_t)((until_ms - now_ms) / 1000),
                                      (long)((until_ms - now_ms) % 1000) * 1000000};
        struct pollfd keys = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN};
        if (ppoll(&keys, 1, &most, mask) <= 0) continue;
        char key = 0;
        const ssize_t got = read(STDIN_FILENO, &key, 1);
        if (got == 1 && (key == 'q' || key == 'Q' || key == 3)) return true;
        if (got <= 0) has_keys = false; /* its other end is closed */
    }
    is_resized = 0;
    return is_ending;
}

static bool has_screen(const struct monitor *monitor) {
    const char *name = getenv("TERM");
    const bool has_cursor = name != NULL && name[0] != '\0' && strcmp(name, "dumb") != 0;
    return has_cursor && !monitor->is_once && !monitor->is_json && isatty(STDIN_FILENO) &&
           isatty(STDOUT_FILENO);
}

static int run(struct monitor *monitor) {
    const bool is_screen = has_screen(monitor);
    sigset_t mask;
    if (!is_screen && !monitor->is_json) monitor->is_once = true;
    catch_signals(&mask);
    if (is_screen) terminal_begin();
    for (;;) {
        const uint64_t began = monotonic_ms();
        look(monitor);
        show(monitor, is_screen);
        if (monitor->is_once || wait_key(began + monitor->interval_ms, is_screen, &mask)) break;
    }
    terminal_end();
    if (!monitor->is_once) return 0;
    return monitor_all_ready(&monitor->view) ? 0 : 1;
}

static bool read_urls(const char *value, void *out) {
    return monitor_add_urls(out, value);
}

static bool read_options(int argc, char **argv, struct monitor *monitor) {
    const struct flag flags[] = {
        {.name = "rpc",
         .kind = FLAG_OTHER,
         .out = &monitor->view,
         .wanted = "a list of at most 128 URLs",
         .read = read_urls},
        {.name = "interval-ms",
         .kind = FLAG_NUMBER,
         .out = &monitor->interval_ms,
         .low = 100,
         .high = 60000},
        {.name = "once", .kind = FLAG_SWITCH, .out = &monitor->is_once},
        {.name = "json", .kind = FLAG_SWITCH, .out = &monitor->is_json},
    };
    monitor->interval_ms = REFRESH_MS_DEFAULT;
    if (!flags_read("monitor", argc, argv, 1, flags, sizeof flags / sizeof flags[0], NULL)) {
        return false;
    }
    return monitor->view.count != 0 || monitor_add_urls(&monitor->view, "http://127.0.0.1:8545");
}

int command_monitor(int argc, char **argv) {
    if (flags_help_wanted(argc, argv)) {
        fputs(HELP, stdout);
        return 0;
    }
    struct monitor *monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL) return 1;
    if (!read_options(argc, argv, monitor)) {
        free(monitor);
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const size_t count = monitor->view.count;
    char *answers = malloc(count * (ANSWER_BYTES + 1));
    int code = 1;
    for (size_t i = 0; i < count && answers != NULL; i++) {
        monitor->requests[i].answer = answers + i * (ANSWER_BYTES + 1);
        monitor->requests[i].answer_bytes_max = ANSWER_BYTES;
    }
    if (answers != NULL && http_create(&monitor->http) == ERR_OK) {
        code = run(monitor);
    } else {
        fputs("baton monitor: a library cannot be initialised\n", stderr);
    }
    http_destroy(monitor->http);
    curl_global_cleanup();
    free(answers);
    free(monitor);
    return code;
}
