#pragma once
/* Log lines to standard error: time, level, room, message, key=value pairs; colours on terminals
 * only, one JSON object a line with --log-format json.  A line that repeats more than
 * LOG_REPEATS_MAX times a second is held back and counted, so that an outage does not fill a disk.
 * Any thread. */
#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

#define LOG_REPEATS_MAX 5

/* log_configure sets level and form from their setting's text; false when either is unknown. */
bool log_configure(const char *level, const char *format);

/* log_write writes one line; `room` is a literal ("p2p").  Prefer the macros, which skip what is
 * below the level without evaluating arguments. */
void log_write(enum log_level level, const char *room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool log_enabled(enum log_level level);

#define LOG(level, room, ...)                                                                      \
    do {                                                                                           \
        if (log_enabled(level)) log_write(level, room, __VA_ARGS__);                               \
    } while (0)
