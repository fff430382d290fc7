#include "base/check.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* run_failing_check fails a CHECK in a child and returns what it wrote to standard error. */
static int run_failing_check(char *text, size_t capacity) {
    int pipe_ends[2];
    CHECK(pipe(pipe_ends) == 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        dup2(pipe_ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        const int two = 2;
        CHECK(two == 3);
        _exit(0);
    }
    close(pipe_ends[1]);
    size_t size = 0;
    ssize_t got;
    while (size < capacity - 1 &&
           (got = read(pipe_ends[0], text + size, capacity - 1 - size)) > 0) {
        size += (size_t)got;
    }
    text[size] = '\0';
    close(pipe_ends[0]);
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

int main(void) {
    char text[512];
    const int status = run_failing_check(text, sizeof text);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGABRT);
    CHECK(strstr(text, "CHECK(two == 3) failed") != NULL);
    CHECK(strstr(text, "test_check.c:") != NULL);
    CHECK(1 + 1 == 2); /* a condition that holds does nothing */
    return 0;
}
