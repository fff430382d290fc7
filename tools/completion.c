#include "tools/completion.h"

#include <stdio.h>
#include <string.h>

#include "node/settings.h"

static const struct {
    const char *name;
    enum settings_command command;
} WITH_SETTINGS[] = {
    {"node", COMMAND_NODE},
    {"dev", COMMAND_DEV},
    {"init", COMMAND_INIT},
    {"rebuild", COMMAND_REBUILD},
    {"import", COMMAND_IMPORT},
    {"health", COMMAND_HEALTH},
    {"join", (enum settings_command)(COMMAND_JOIN | COMMAND_NODE)},
    {"config", COMMAND_NODE},
};
/* Commands with flags of their own, some beside settings. */
static const struct {
    const char *name;
    const char *flags; /* those that take a value, without "--" */
    const char *words; /* what else may stand there */
} WITH_FLAGS[] = {
    {"testnet",
     "validators duration report kill down-ms block-time-ms load model dir port-base stagger-ms "
     "start-max timeout-ms",
     "--help"},
    {"monitor", "rpc interval-ms", "--once --json --help"},
    {"evidence", "rpc chain-id contract", "verify list show --help"},
    {"simulate", "seed seeds shrink kind nodes model steps without jobs report",
     "--trace --first --help"},
    {"key", "", "new address peer-id --help"},
    {"da", "listen port dir block-time-ms token-file keep-heights chain-id", "--faults --help"},
    {"join", "data l1 contract", ""},
    {"rebuild", "data", ""},
    {"config", "", "check"},
    {"statetest", "fork case jobs", "--json --trace --help"},
    {"blocktest", "fork case jobs", "--json --trace --help"},
    {"vectortest", "fork case jobs", "--json --trace --help"},
    {"t8n",
     "input.alloc input.env input.txs output.basedir output.alloc output.result output.body "
     "state.fork state.chainid state.reward",
     "--trace --help"},
    {"t9n", "input.txs state.fork state.chainid", "--help"},
    {"b11r", "input.header input.txs input.ommers input.withdrawals output.block output.basedir",
     "--help"},
    {"completion", "", "bash zsh fish --help"},
    {"version", "", "--help"},
};
static const size_t WITH_FLAGS_COUNT = sizeof WITH_FLAGS / sizeof WITH_FLAGS[0];

static const size_t WITH_SETTINGS_COUNT = sizeof WITH_SETTINGS / sizeof WITH_SETTINGS[0];

static void print_flag(void *context, const char *flag, bool takes_value) {
    (void)context;
    (void)takes_value;
    printf("--%s ", flag);
}

/* each_flag visits the words of a list. */
static void each_flag(const char *list, void *context,
                      void (*visit)(void *context, const char *flag, bool takes_value)) {
    while (*list != '\0') {
        char flag[32];
        const size_t size = strcspn(list, " ");
        snprintf(flag, sizeof flag, "%.*s", (int)size, list);
        visit(context, flag, true);
        list += size;
        if (*list == ' ') list += 1;
    }
}

/* print_own prints what a command knows beside settings. */
static void print_own(const char *command) {
    for (size_t i = 0; i < WITH_FLAGS_COUNT; i++) {
        if (strcmp(command, WITH_FLAGS[i].name) != 0) continue;
        each_flag(WITH_FLAGS[i].flags, NULL, print_flag);
        printf("%s", WITH_FLAGS[i].words);
    }
}

static bool has_settings(const char *command) {
    for (size_t i = 0; i < WITH_SETTINGS_COUNT; i++) {
        if (strcmp(command, WITH_SETTINGS[i].name) == 0) return true;
    }
    return false;
}

static void print_bash(const char *const *commands, size_t count) {
    puts("_baton() {\n    local current=${COMP_WORDS[COMP_CWORD]} words=''\n"
         "    if [ \"$COMP_CWORD\" = 1 ]; then\n        words=\"");
    for (size_t i = 0; i < count; i++)
        printf("%s ", commands[i]);
    puts("\"\n    else case ${COMP_WORDS[1]} in");
    for (size_t i = 0; i < WITH_SETTINGS_COUNT; i++) {
        printf("        %s) words=\"--config --help ", WITH_SETTINGS[i].name);
        settings_names(WITH_SETTINGS[i].command, NULL, print_flag);
        print_own(WITH_SETTINGS[i].name);
        puts("\" ;;");
    }
    for (size_t i = 0; i < WITH_FLAGS_COUNT; i++) {
        if (has_settings(WITH_FLAGS[i].name)) continue;
        printf("        %s) words=\"", WITH_FLAGS[i].name);
        print_own(WITH_FLAGS[i].name);
        puts("\" ;;");
    }
    puts(
        "    esac; fi\n"
        "    case $current in\n"
        "        -*|[a-z]*|'') mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\") ;;\n"
        "    esac\n"
        "    [ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
        "}\ncomplete -F _baton baton");
}

static void print_fish_flag(void *context, const char *flag, bool takes_value) {
    printf("complete -c baton -n '__fish_seen_subcommand_from %s' -l %s%s\n", (const char *)context,
           flag, takes_value ? " -r" : "");
}

static void print_fish(const char *const *commands, size_t count) {
    for (size_t i = 0; i < count; i++) {
        printf("complete -c baton -n __fish_use_subcommand -f -a %s\n", commands[i]);
    }
    for (size_t i = 0; i < WITH_SETTINGS_COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "%s", WITH_SETTINGS[i].name);
        settings_names(WITH_SETTINGS[i].command, name, print_fish_flag);
    }
    for (size_t i = 0; i < WITH_FLAGS_COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "%s", WITH_FLAGS[i].name);
        each_flag(WITH_FLAGS[i].flags, name, print_fish_flag);
        printf("complete -c baton -n '__fish_seen_subcommand_from %s' -f -a '%s'\n", name,
               WITH_FLAGS[i].words);
    }
}

int completion_print(int argc, char **argv, const char *const *commands, size_t count) {
    const char *shell = argc == 2 ? argv[1] : "";
    if (strcmp(shell, "bash") == 0) {
        print_bash(commands, count);
    } else if (strcmp(shell, "zsh") == 0) {
        puts("autoload -U +X bashcompinit && bashcompinit");
        print_bash(commands, count);
    } else if (strcmp(shell, "fish") == 0) {
        print_fish(commands, count);
    } else {
        const int is_help = strcmp(shell, "--help") == 0;
        fputs("NAME\n  baton completion - print a completion script\n\n"
              "SYNOPSIS\n  baton completion bash|zsh|fish\n\n"
              "DESCRIPTION\n"
              "  bash: source <(baton completion bash)     (in ~/.bashrc)\n"
              "  zsh:  source <(baton completion zsh)      (in ~/.zshrc)\n"
              "  fish: baton completion fish > ~/.config/fish/completions/baton.fish\n",
              is_help ? stdout : stderr);
        return is_help ? 0 : 2;
    }
    return 0;
}
