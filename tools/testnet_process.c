/* The processes of a test network. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "threads/clock.h"
#include "tools/testnet.h"

#define STOP_MS_MAX  20000 /* a node ends itself within 10 s */
#define STOP_AT_ONCE 8
#define WAIT_US      5000

/* become_node is the child's part: it never returns. */
static _Noreturn void become_node(const struct testnet_member *member, pid_t parent) {
    char config[TESTNET_PATH_BYTES + 32], log[TESTNET_PATH_BYTES + 32];
    char name[] = "baton", command[] = "node", flag[] = "--config";
    char *arguments[] = {name, command, flag, config, NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* Ctrl-C is for the one who started us */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1); /* it died before that */
    snprintf(config, sizeof config, "%s/config.json", member->home);
    snprintf(log, sizeof log, "%s/log", member->home);
    const int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(1);
    if (close_range(3, ~0u, 0) != 0) _exit(1);
    execv("/proc/self/exe", arguments);
    _exit(1);
}

enum err testnet_spawn(struct testnet_member *member) {
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child < 0) return ERR_SYSTEM;
    if (child == 0) become_node(member, parent);
    member->pid = child;
    member->start_at_ms = UINT64_MAX;
    return ERR_OK;
}

static uint32_t index_of(const struct testnet *net, pid_t pid) {
    uint32_t index = 0;
    while (index < net->options.validators && net->members[index].pid != pid)
        index += 1;
    return index;
}

/* describe says how a process ended. */
static const char *describe(int how, char out[48]) {
    if (WIFSIGNALED(how)) {
        snprintf(out, 48, "killed by signal %d", WTERMSIG(how));
    } else {
        snprintf(out, 48, "ended with exit code %d", WEXITSTATUS(how));
    }
    return out;
}

/* last_words reads the last line of a node's log, without its time. */
static const char *last_words(const struct testnet_member *member, char out[120]) {
    char path[TESTNET_PATH_BYTES + 32], text[256] = "";
    snprintf(path, sizeof path, "%s/log", member->home);
    FILE *file = fopen(path, "re");
    if (file == NULL) return "";
    while (fgets(text, sizeof text, file) != NULL) {
    }
    fclose(file);
    text[strcspn(text, "\n")] = '\0';
    snprintf(out, 120, "%.119s", text);
    return out;
}

static void ended(struct testnet *net, uint32_t index, uint64_t now_ms) {
    struct testnet_member *member = &net->members[index];
    member->pid = 0;
    member->is_answering = member->is_ready = false;
    member->peers = 0;
    member->decide_seconds_before = 0;
    member->decide_count_before = 0;
    member->failed_ms = now_ms;
    member->start_at_ms = now_ms + net->options.down_ms;
    net->figures.node_failures += 1;
}

void testnet_reap(struct testnet *net, uint64_t now_ms) {
    int how;
    char text[48], words[120];
    for (pid_t pid = waitpid(-1, &how, WNOHANG); pid > 0; pid = waitpid(-1, &how, WNOHANG)) {
        const uint32_t index = index_of(net, pid);
        if (index == net->options.validators) continue;
        testnet_issue(&net->figures, "at %.1f s: node %u %s by itself: %s",
                      testnet_seconds(net, now_ms), index, describe(how, text),
                      last_words(&net->members[index], words));
        ended(net, index, now_ms);
    }
}

void testnet_kill(struct testnet *net, uint32_t index, uint64_t now_ms) {
    struct testnet_member *member = &net->members[index];
    const bool was_leader = address_equal(&member->address, &net->leader);
    if (member->pid == 0 || kill(member->pid, SIGKILL) != 0) return;
    while (waitpid(member->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    ended(net, index, now_ms);
    testnet_issue(&net->figures, "at %.1f s: node %u%s was killed (SIGKILL, by --kill)",
                  testnet_seconds(net, now_ms), index, was_leader ? ", which led," : "");
}

/* collect notes which members have ended; how many still run of those that were asked to end. */
static uint32_t collect(struct testnet *net, const bool *asked) {
    uint32_t running = 0;
    for (uint32_t i = 0; i < net->options.validators; i++) {
        struct testnet_member *member = &net->members[i];
        int how = 0;
        char text[48];
        if (member->pid == 0 || !asked[i]) continue;
        const pid_t pid = waitpid(member->pid, &how, WNOHANG);
        if (pid == 0 || (pid < 0 && errno == EINTR)) {
            running += 1;
            continue;
        }
        member->pid = 0;
        if (pid > 0 && (!WIFEXITED(how) || WEXITSTATUS(how) != 0)) {
            testnet_issue(&net->figures, "node %u: %s when it was stopped", i, describe(how, text));
        }
    }
    return running;
}

/* A node has ten seconds to end itself: a few at a time, so that each gets its share of the
 * machine. */
void testnet_stop(struct testnet *net) {
    bool asked[TESTNET_NODES_MAX] = {false};
    uint32_t next = 0, running = 0;
    uint64_t until_ms = monotonic_ms() + STOP_MS_MAX;
    while (next < net->options.validators || running > 0) {
        for (; next < net->options.validators && running < STOP_AT_ONCE; next++) {
            asked[next] = true;
            if (net->members[next].pid == 0) continue;
            (void)kill(net->members[next].pid, SIGTERM);
            until_ms = monotonic_ms() + STOP_MS_MAX;
            running += 1;
        }
        running = collect(net, asked);
        if (running == 0) continue;
        const bool is_late = monotonic_ms() >= until_ms;
        for (uint32_t i = 0; i < net->options.validators && is_late; i++) {
            if (asked[i] && net->members[i].pid != 0) (void)kill(net->members[i].pid, SIGKILL);
        }
        usleep(WAIT_US);
    }
}

uint64_t testnet_resident_bytes(const struct testnet *net) {
    uint64_t pages = 0;
    for (uint32_t i = 0; i < net->options.validators; i++) {
        char path[48];
        unsigned long long total, resident, shared;
        if (net->members[i].pid == 0) continue;
        snprintf(path, sizeof path, "/proc/%d/statm", (int)net->members[i].pid);
        FILE *file = fopen(path, "re");
        if (file == NULL) continue;
        if (fscanf(file, "%llu %llu %llu", &total, &resident, &shared) == 3) {
            pages += resident - shared;
        }
        fclose(file);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
