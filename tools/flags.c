#include "tools/flags.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    case FLAG_SWITCH: *(bool *)flag->out = true; return true;
    case FLAG_NUMBER: return flag_read_number(value, flag->low, flag->high, flag->out);
    case FLAG_TEXT: *(const char **)flag->out = value; return value[0] != '\0';
    case FLAG_OTHER: break;
    }
    return flag->read(value, flag->out);
}

static void print_wanted(const struct flag *flag) {
    if (flag->kind == FLAG_NUMBER) {
        fprintf(stderr, "a number from %llu to %llu", (unsigned long long)flag->low,
                (unsigned long long)flag->high);
    } else {
        fputs(flag->kind == FLAG_TEXT ? "a text" : flag->wanted, stderr);
    }
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

bool flags_read(const char *command, int argc, char **argv, int first, const struct flag *flags,
                size_t flags_count, const char **operand) {
    for (int i = first; i < argc; i++) {
        const char *argument = argv[i];
        if (argument[0] != '-' || argument[1] == '\0') {
            if (operand == NULL || *operand != NULL) {
                fprintf(stderr, "baton %s: \"%s\" is one argument too many (see --help)\n", command,
                        argument);
                return false;
            }
            *operand = argument;
            continue;
        }
        const bool is_long = argument[1] == '-';
        const struct flag *flag = is_long ? find(argument, flags, flags_count) : NULL;
        const char *equals = strchr(argument, '=');
        if (flag == NULL) {
            fprintf(stderr, "baton %s: %s: unknown flag (see --help)\n", command, argument);
            return false;
        }
        const char *value = equals != NULL ? equals + 1 : NULL;
        if (flag->kind == FLAG_SWITCH && value != NULL) {
            fprintf(stderr, "baton %s: --%s: takes no value\n", command, flag->name);
            return false;
        }
        if (flag->kind != FLAG_SWITCH && value == NULL && i + 1 < argc) value = argv[++i];
        if (flag->kind != FLAG_SWITCH && value == NULL) {
            fprintf(stderr, "baton %s: --%s: needs a value: ", command, flag->name);
            print_wanted(flag);
            fputc('\n', stderr);
            return false;
        }
        if (take(flag, value)) continue;
        fprintf(stderr, "baton %s: --%s: \"%s\" is not ", command, flag->name, value);
        print_wanted(flag);
        fputc('\n', stderr);
        return false;
    }
    return true;
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
