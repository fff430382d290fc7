/* Log lines: level, form, and that a line that repeats is held back and counted. */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "node/log.h"

static char captured[65536];

/* capture runs `write_lines` with standard error in a file and returns what it wrote. */
static const char *capture(void (*write_lines)(void)) {
    char path[] = "/tmp/baton-log-XXXXXX";
    const int file = mkstemp(path);
    const int terminal = dup(STDERR_FILENO);
    CHECK(file >= 0 && terminal >= 0);
    CHECK(dup2(file, STDERR_FILENO) >= 0);
    write_lines();
    CHECK(dup2(terminal, STDERR_FILENO) >= 0);
    const ssize_t size = pread(file, captured, sizeof captured - 1, 0);
    CHECK(size >= 0);
    captured[size] = '\0';
    close(terminal);
    close(file);
    unlink(path);
    return captured;
}

static size_t lines_count(const char *text) {
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static void write_levels(void) {
    LOG(LOG_ERROR, "room", "an %s", "error");
    LOG(LOG_WARN, "room", "a warning");
    LOG(LOG_INFO, "room", "a fact");
    LOG(LOG_DEBUG, "room", "a detail");
}

static void test_levels(void) {
    CHECK(!log_configure("loud", "text") && !log_configure("info", "xml"));
    CHECK(log_configure("warn", "text"));
    const char *text = capture(write_levels);
    CHECK(lines_count(text) == 2);
    CHECK(strstr(text, "ERROR room      an error\n") != NULL);
    CHECK(strstr(text, "WARN  room      a warning\n") != NULL);
    CHECK(strchr(text, '\033') == NULL); /* colours on terminals only */
    CHECK(text[4] == '-' && text[10] == 'T' && text[19] == '.' && text[23] == 'Z');
    CHECK(log_configure("debug", "text"));
    CHECK(lines_count(capture(write_levels)) == 4);
}

static void write_awkward(void) {
    LOG(LOG_INFO, "room", "quote \" backslash \\ newline \n tab \t bell \a end");
    char longest[4096];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    LOG(LOG_INFO, "room", "%s", longest);
    memset(longest, '"', sizeof longest - 1); /* twice as long when it is escaped */
    LOG(LOG_INFO, "room", "%s ", longest);
}

/* Each line is one JSON object, whatever the message holds. */
static void test_json(void) {
    CHECK(log_configure("info", "json"));
    char *rest = NULL;
    char *text = strdup(capture(write_awkward));
    CHECK(text != NULL && lines_count(text) == 3);
    int index = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        json_error_t error;
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
        CHECK(json_is_object(object) && json_object_size(object) == 4);
        CHECK(strcmp(json_string_value(json_object_get(object, "level")), "info") == 0);
        CHECK(strcmp(json_string_value(json_object_get(object, "room")), "room") == 0);
        CHECK(json_string_length(json_object_get(object, "time")) == 24);
        const char *message = json_string_value(json_object_get(object, "message"));
        CHECK(message != NULL);
        if (index == 0) {
            CHECK(strcmp(message, "quote \" backslash \\ newline \n tab \t bell \a end") == 0);
        }
        json_decref(object);
        index += 1;
    }
    CHECK(index == 3);
    free(text);
}

static void write_repeats(void) {
    for (int i = 0; i < 100; i++) {
        LOG(LOG_INFO, "room", "again %d", i);
        LOG(LOG_INFO, "room", "other %d", i);
    }
}

/* wait_for_second returns in the first tenth of a second of the clock that the limit goes by. */
static void wait_for_second(void) {
    struct timespec now;
    do {
        const struct timespec pause = {0, 5000000};
        nanosleep(&pause, NULL);
        clock_gettime(CLOCK_REALTIME, &now);
    } while (now.tv_nsec > 100000000);
}

static void write_next_second(void) {
    write_repeats();
    const struct timespec pause = {0, 500000000};
    nanosleep(&pause, NULL);
    wait_for_second();
    write_repeats();
}

static void test_repeats(void) {
    CHECK(log_configure("info", "text"));
    wait_for_second();
    const char *text = capture(write_next_second);
    CHECK(lines_count(text) == 4 * LOG_REPEATS_MAX); /* two formats in two seconds */
    CHECK(strstr(text, "again 4\n") != NULL && strstr(text, "again 5\n") == NULL);
    CHECK(strstr(text, "again 0 (95 alike held back)\n") != NULL);
    CHECK(strstr(text, "other 0 (95 alike held back)\n") != NULL);
}

int main(void) {
    test_levels();
    test_json();
    test_repeats();
    puts("node log: ok");
    return 0;
}
