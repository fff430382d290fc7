#include "node/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"

#define MESSAGE_BYTES  1024
#define LINE_BYTES_MAX (6 * MESSAGE_BYTES + 256) /* JSON writes some bytes as \u0001 */
#define REPEAT_SLOTS   64

static atomic_int level_max = LOG_INFO;
static atomic_bool is_json;

/* How often a message's format was written in the current second, by the format's address. */
static pthread_mutex_t repeats_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    const char *format;
    time_t second;
    unsigned count;
    unsigned held;
} repeats[REPEAT_SLOTS];

bool log_configure(const char *level, const char *format) {
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(level, levels[i]) != 0) continue;
        if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0) return false;
        atomic_store(&level_max, i);
        atomic_store(&is_json, strcmp(format, "json") == 0);
        return true;
    }
    return false;
}

bool log_enabled(enum log_level level) {
    return (int)level <= atomic_load_explicit(&level_max, memory_order_relaxed);
}

/* may_write counts one line against its format; *held gets how many were held back before it. */
static bool may_write(const char *format, time_t second, unsigned *held) {
    const size_t slot = ((uintptr_t)format >> 3) % REPEAT_SLOTS;
    pthread_mutex_lock(&repeats_lock);
    *held = 0;
    if (repeats[slot].format != format || repeats[slot].second != second) {
        if (repeats[slot].format == format) *held = repeats[slot].held;
        repeats[slot].format = format;
        repeats[slot].second = second;
        repeats[slot].count = 0;
        repeats[slot].held = 0;
    }
    const bool result = repeats[slot].count < LOG_REPEATS_MAX;
    if (result) {
        repeats[slot].count += 1;
    } else {
        repeats[slot].held += 1;
    }
    pthread_mutex_unlock(&repeats_lock);
    return result;
}

static size_t write_json(char *line, const char *time_text, enum log_level level, const char *room,
                         const char *message) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    struct buffer out = buffer_over((uint8_t *)line, LINE_BYTES_MAX - 1);
    struct json_writer json = json_over(&out);
    json_object_begin(&json);
    json_key(&json, "time");
    json_write_string(&json, time_text);
    json_key(&json, "level");
    json_write_string(&json, names[level]);
    json_key(&json, "room");
    json_write_string(&json, room);
    json_key(&json, "message");
    json_write_string(&json, message);
    json_object_end(&json);
    line[out.size] = '\n';
    return out.size + 1;
}

static size_t write_text(char *line, const char *time_text, enum log_level level, const char *room,
                         const char *message) {
    static const char *const names[] = {"ERROR", "WARN ", "INFO ", "DEBUG"};
    static const char *const colours[] = {"\033[31m", "\033[33m", "\033[32m", "\033[90m"};
    const bool coloured = isatty(STDERR_FILENO) == 1;
    const int size = snprintf(line, LINE_BYTES_MAX, "%s %s%s%s %-9s %s\n", time_text,
                              coloured ? colours[level] : "", names[level],
                              coloured ? "\033[0m" : "", room, message);
    return size < LINE_BYTES_MAX ? (size_t)size : LINE_BYTES_MAX - 1;
}

void log_write(enum log_level level, const char *room, const char *format, ...) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    unsigned held;
    if (!may_write(format, now.tv_sec, &held)) return;

    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (held > 0 && size > 0 && (size_t)size < sizeof message - 40) {
        snprintf(message + size, sizeof message - (size_t)size, " (%u alike held back)", held);
    }
    struct tm parts;
    char day[32], time_text[48], line[LINE_BYTES_MAX];
    gmtime_r(&now.tv_sec, &parts);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(time_text, sizeof time_text, "%s.%03ldZ", day, now.tv_nsec / 1000000);
    const size_t bytes = atomic_load(&is_json) ? write_json(line, time_text, level, room, message)
                                               : write_text(line, time_text, level, room, message);
    if (write(STDERR_FILENO, line, bytes) < 0) return; /* nobody is left to tell */
}
