/* Settings: three spellings, who wins, and that every wrong one is named. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "node/settings.h"

static enum err read_flags(int argc, char **argv, struct settings *out, char error[512]) {
    error[0] = '\0';
    return settings_read(COMMAND_NODE, argc, argv, out, error);
}

static void test_defaults_and_flags(void) {
    struct settings settings;
    char error[512];
    char *none[] = {"node"};
    CHECK(read_flags(1, none, &settings, error) == ERR_OK);
    CHECK(settings.rpc_port == 8545 && settings.ws_port == 8546 && settings.metrics_port == 9090);
    CHECK(strcmp(settings.rpc_host, "127.0.0.1") == 0 && !settings.follow_only);
    char *flags[] = {"node", "--rpc-port", "1", "--data-dir=/x", "--follow-only"};
    CHECK(read_flags(5, flags, &settings, error) == ERR_OK);
    CHECK(settings.rpc_port == 1 && settings.follow_only);
    CHECK(strcmp(settings.data_dir, "/x") == 0);
}

/* Each line: what is wrong, and what the message must name. */
static void test_wrong_flags(void) {
    static const struct {
        const char *flag, *value, *named;
    } wrong[] = {
        {"--rpc-prot", "1", "--rpc-prot"},
        {"--rpc-port", "70000", "--rpc-port"},
        {"--rpc-port", "-1", "--rpc-port"},
        {"--rpc-port", "1x", "--rpc-port"},
        {"--rpc-port", "", "--rpc-port"},
        {"rpc-port", "1", "rpc-port"},
        {"--follow-only=maybe", "", "--follow-only"},
        {"--accounts", "1", "--accounts"},
        {"--log-level", NULL, "--log-level"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct settings settings;
        char error[512], flag[64], value[64];
        char *argv[] = {"node", flag, value};
        snprintf(flag, sizeof flag, "%s", wrong[i].flag);
        snprintf(value, sizeof value, "%s", wrong[i].value != NULL ? wrong[i].value : "");
        CHECK(read_flags(wrong[i].value != NULL ? 3 : 2, argv, &settings, error) == ERR_CONFIG);
        CHECK(strstr(error, wrong[i].named) != NULL);
    }
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK(fclose(file) == 0);
}

static void test_file_and_environment(void) {
    struct settings settings;
    char error[512];
    char path[] = "/tmp/baton-settings-XXXXXX";
    const int fd = mkstemp(path);
    CHECK(fd >= 0);
    close(fd);
    char *argv[] = {"node", "--config", path, "--ws-port", "3"};
    write_file(path,
               "{\"rpc_port\": 1, \"ws_port\": 1, \"metrics_port\": 1, \"follow_only\": true}");
    setenv("BATON_METRICS_PORT", "2", 1);
    setenv("BATON_WS_PORT", "2", 1);
    CHECK(read_flags(5, argv, &settings, error) == ERR_OK);
    CHECK(settings.rpc_port == 1);     /* the file alone */
    CHECK(settings.metrics_port == 2); /* environment over file */
    CHECK(settings.ws_port == 3);      /* flag over both */
    CHECK(settings.follow_only);
    static const char *const wrong[] = {
        "{\"rpc_prot\": 1}",
        "{\"rpc-port\": 1}",
        "{\"rpc_port\": 1.5}",
        "{\"rpc_port\": []}",
        "[]",
        "{\"rpc_port\": 1, \"rpc_port\": 2}",
        "{",
        "{\"rpc_port\": 99999}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_file(path, wrong[i]);
        CHECK(read_flags(5, argv, &settings, error) == ERR_CONFIG);
        CHECK(strstr(error, path) != NULL);
    }
    write_file(path, "{}");
    setenv("BATON_NO_SUCH_THING", "1", 1);
    CHECK(read_flags(5, argv, &settings, error) == ERR_CONFIG);
    CHECK(strstr(error, "BATON_NO_SUCH_THING") != NULL);
    unsetenv("BATON_NO_SUCH_THING");
    setenv("BATON_RPC_PORT", "x", 1);
    CHECK(read_flags(5, argv, &settings, error) == ERR_CONFIG);
    CHECK(strstr(error, "BATON_RPC_PORT") != NULL);
    unlink(path);
}

int main(void) {
    test_defaults_and_flags();
    test_wrong_flags();
    test_file_and_environment();
    puts("node settings: ok");
    return 0;
}
