#pragma once
/* The flags that a command has of its own, beside or instead of a node's settings.  A table says
 * each flag's name, what its value must be and where it goes; `--name VALUE` and `--name=VALUE` are
 * the same.  An argument that is wrong is answered on standard error, with the flag's name and what
 * it wants. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum flag_kind {
    FLAG_SWITCH,   /* no value, or true or false behind "="; out: bool */
    FLAG_NUMBER,   /* low to high; out: uint64_t */
    FLAG_TEXT,     /* not empty; out: const char *, the argument itself */
    FLAG_ANY_TEXT, /* may be empty; out: as of TEXT */
    FLAG_OTHER,    /* `read` takes it */
};

struct flag {
    const char *name; /* without "--" */
    enum flag_kind kind;
    void *out;
    uint64_t low, high;
    const char *wanted;                         /* OTHER: what the value must be */
    bool (*read)(const char *value, void *out); /* OTHER; false: it is not that */
    bool is_needed;                             /* the command does not work without it */
};

#define FLAGS_MAX 64

/* flag_read_number reads decimal digits, nothing else; false: there is something else, or the
 * number is out of range. */
bool flag_read_number(const char *text, uint64_t low, uint64_t high, uint64_t *out);

/* flags_help_wanted: --help or -h is among argv[1..argc). */
bool flags_help_wanted(int argc, char **argv);

/* flags_read reads argv[first..argc).  *operand takes one argument that is no flag ("-" is none);
 * without `operand` there may be none.  false: it said what is wrong, after "baton COMMAND: ". */
bool flags_read(const char *command, int argc, char **argv, int first, const struct flag *flags,
                size_t flags_count, const char **operand);

/* flags_read_first reads flags up to the first argument that is none, argv[*rest]; argc: there is
 * none.  Else as flags_read. */
bool flags_read_first(const char *command, int argc, char **argv, const struct flag *flags,
                      size_t flags_count, int *rest);

/* flags_rename makes `--alias` mean `--name`, with and without "=".  What it writes into argv lives
 * as long as the process.  ERR_MEMORY. */
MUST_USE enum err flags_rename(int argc, char **argv, const char *alias, const char *name);
