#pragma once
/* Completion scripts for shells, out of the tables of commands and settings. */
#include <stddef.h>

/* completion_print is `baton completion bash|zsh|fish`; `commands` are the commands' names. */
int completion_print(int argc, char **argv, const char *const *commands, size_t count);
