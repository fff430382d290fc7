#include "flags/flags.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

bool flag_read_number(const char *text, uint64_t low, uint64_t high, uint64_t *out) {
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') return false;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < low || value > high) return false;
    *out = value;
    return true;
}

static bool take(const struct flag *flag, const char *value) {
    switch (flag->kind) {
    case FLAG_SWITCH:
        *(bool *)flag->out = value == NULL || strcmp(value, "true") == 0;
        return value == NULL || *(bool *)flag->out || strcmp(value, "false") == 0;
    case FLAG_NUMBER: return flag_read_number(value, flag->low, flag->high, flag->out);
    case FLAG_TEXT: *(const char **)flag->out = value; return value[0] != '\0';
    case FLAG_ANY_TEXT: *(const char **)flag->out = value; return true;
    case FLAG_OTHER: break;
    }
    return flag->read(value, flag->out);
}

static void print_wanted(const struct flag *flag) {
    switch (flag->kind) {
    case FLAG_SWITCH: fputs("true or false", stderr); return;
    case FLAG_NUMBER:
        fprintf(stderr, "a number from %llu to %llu", (unsigned long long)flag->low,
                (unsigned long long)flag->high);
        return;
    case FLAG_TEXT:
    case FLAG_ANY_TEXT: fputs("a text", stderr); return;
    case FLAG_OTHER: break;
    }
    fputs(flag->wanted, stderr);
}

/* find returns the flag that an argument names, up to its end or a "=". */
static const struct flag *find(const char *argument, const struct flag *flags, size_t count) {
    const char *name = argument + 2;
    const size_t size = strcspn(name, "=");
    for (size_t i = 0; i < count; i++) {
        if (strlen(flags[i].name) == size && strncmp(flags[i].name, name, size) == 0) {
            return &flags[i];
        }
    }
    return NULL;
}

bool flags_help_wanted(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    }
    return false;
}

/* read_flag takes the flag at argv[*at], and moves *at to its value where that is an argument of
 * its own; false: it said what is wrong. */
static bool read_flag(const char *command, int argc, char **argv, int *at,
                      const struct flag *flag) {
    const char *equals = strchr(argv[*at], '=');
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (flag->kind != FLAG_SWITCH && value == NULL) {
        if (*at + 1 == argc) {
            fprintf(stderr, "baton %s: --%s: needs a value: ", command, flag->name);
            print_wanted(flag);
            fputc('\n', stderr);
            return false;
        }
        value = argv[++*at];
    }
    if (take(flag, value)) return true;
    fprintf(stderr, "baton %s: --%s: \"%s\" is not ", command, flag->name, value);
    print_wanted(flag);
    fputc('\n', stderr);
    return false;
}

/* read_all reads flags from argv[*at] on, up to the end or to an operand: then argv[*at]. */
static bool read_all(const char *command, int argc, char **argv, int *at, const struct flag *flags,
                     size_t flags_count, bool is_given[FLAGS_MAX]) {
    CHECK(flags_count <= FLAGS_MAX);
    for (; *at < argc; ++*at) {
        const char *argument = argv[*at];
        if (argument[0] != '-' || argument[1] == '\0') return true;
        const bool is_long = argument[1] == '-';
        const struct flag *flag = is_long ? find(argument, flags, flags_count) : NULL;
        if (flag == NULL) {
            fprintf(stderr, "baton %s: %s: unknown flag (see --help)\n", command, argument);
            return false;
        }
        if (!read_flag(command, argc, argv, at, flag)) return false;
        is_given[flag - flags] = true;
    }
    return true;
}

static bool check_needed(const char *command, const struct flag *flags, size_t flags_count,
                         const bool is_given[FLAGS_MAX]) {
    for (size_t i = 0; i < flags_count; i++) {
        if (!flags[i].is_needed || is_given[i]) continue;
        fprintf(stderr, "baton %s: --%s: is needed (see --help)\n", command, flags[i].name);
        return false;
    }
    return true;
}

bool flags_read(const char *command, int argc, char **argv, int first, const struct flag *flags,
                size_t flags_count, const char **operand) {
    bool is_given[FLAGS_MAX] = {false};
    for (int at = first; at < argc; at++) {
        if (!read_all(command, argc, argv, &at, flags, flags_count, is_given)) return false;
        if (at == argc) break;
        if (operand == NULL || *operand != NULL) {
            fprintf(stderr, "baton %s: \"%s\" is one argument too many (see --help)\n", command,
                    argv[at]);
            return false;
        }
        *operand = argv[at];
    }
    return check_needed(command, flags, flags_count, is_given);
}

bool flags_read_first(const char *command, int argc, char **argv, const struct flag *flags,
                      size_t flags_count, int *rest) {
    bool is_given[FLAGS_MAX] = {false};
    *rest = 1;
    return read_all(command, argc, argv, rest, flags, flags_count, is_given) &&
           check_needed(command, flags, flags_count, is_given);
}

enum err flags_rename(int argc, char **argv, const char *alias, const char *name) {
    const size_t size = strlen(alias);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0 || strncmp(argv[i] + 2, alias, size) != 0) continue;
        const char *rest = argv[i] + 2 + size;
        if (*rest != '\0' && *rest != '=') continue;
        const size_t bytes = 2 + strlen(name) + strlen(rest) + 1;
        char *renamed = malloc(bytes);
        if (renamed == NULL) return ERR_MEMORY;
        snprintf(renamed, bytes, "--%s%s", name, rest);
        argv[i] = renamed;
    }
    return ERR_OK;
}
