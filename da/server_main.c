/* `baton da`: arguments, start and stop of the DA server. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "da/server_internal.h"
#include "flags/flags.h"
#include "threads/clock.h"

static const char USAGE[] =
    "NAME\n  baton da - serve the Celestia blob API, keeping blobs in files\n\n"
    "SYNOPSIS\n"
    "  baton da [--listen HOST] [--port N] [--dir DIR] [--block-time-ms N]\n"
    "           [--token-file FILE] [--keep-heights N] [--chain-id NAME] [--faults]\n\n"
    "DESCRIPTION\n"
    "  Serves Celestia's node API (blob.*, header.*, node.*) and keeps blobs in DIR/blocks.log.\n"
    "  The DA layer of a local network; SIGINT and SIGTERM end it.\n\n"
    "FLAGS\n"
    "  --listen HOST       IPv4 address to listen on [default: 127.0.0.1]\n"
    "  --port N            port [default: 26658]\n"
    "  --dir DIR           where blobs are kept [default: da]\n"
    "  --block-time-ms N   10 to 600000 [default: 2600]\n"
    "  --token-file FILE   clients must send this bearer token; without it all are let in\n"
    "  --keep-heights N    answer only for the newest N heights; 0: for all [default: 0]\n"
    "  --chain-id NAME     name in headers [default: baton-da]\n"
    "  --faults            allow baton.SetFault, for tests of outages\n\n"
    "EXIT STATUS\n"
    "  0 ended by a signal; 1 it cannot listen or keep blobs; 2 wrong use.\n";

struct options {
    struct da_server_config server;
    struct da_service_config service;
    const char *token_file;
};

static struct da_server *volatile running;

static void on_signal(int number) {
    (void)number;
    if (running != NULL) da_server_interrupt(running);
}

static bool read_chain_id(const char *text, void *out) {
    *(const char **)out = text;
    return text[0] != 0 && strlen(text) <= 64;
}

static bool read_options(int argc, char **argv, struct options *options) {
    uint64_t port = 26658, block_time_ms = 2600;
    const struct flag flags[] = {
        {.name = "listen", .kind = FLAG_TEXT, .out = &options->server.host},
        {.name = "port", .kind = FLAG_NUMBER, .out = &port, .low = 1, .high = 65535},
        {.name = "dir", .kind = FLAG_TEXT, .out = &options->service.dir},
        {.name = "block-time-ms",
         .kind = FLAG_NUMBER,
         .out = &block_time_ms,
         .low = 10,
         .high = 600000},
        {.name = "token-file", .kind = FLAG_TEXT, .out = &options->token_file},
        {.name = "keep-heights",
         .kind = FLAG_NUMBER,
         .out = &options->service.keep_heights,
         .high = UINT64_MAX / 2},
        {.name = "chain-id",
         .kind = FLAG_OTHER,
         .out = &options->service.chain_id,
         .wanted = "a text of 1 to 64 characters",
         .read = read_chain_id},
        {.name = "faults", .kind = FLAG_SWITCH, .out = &options->service.has_faults},
    };
    *options = (struct options){.server = {.host = "127.0.0.1"},
                                .service = {.dir = "da", .chain_id = "baton-da"}};
    if (!flags_read("da", argc, argv, 1, flags, sizeof flags / sizeof flags[0], NULL)) return false;
    options->server.port = (int)port;
    options->server.block_time_ms = options->service.block_time_ms = block_time_ms;
    return true;
}

static const char *read_token(const char *path, char token[DA_TOKEN_BYTES_MAX]) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return "cannot be opened";
    struct stat status;
    const bool is_private = fstat(fd, &status) == 0 && (status.st_mode & 077) == 0;
    const ssize_t got = read(fd, token, DA_TOKEN_BYTES_MAX - 1);
    (void)close(fd);
    if (!is_private) return "others may read it: chmod 600";
    size_t size = 0;
    while (got > 0 && size < (size_t)got && token[size] > ' ' && token[size] <= '~')
        size += 1;
    token[size] = 0;
    return size > 0 ? NULL : "holds no token";
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    CHECK(sigaction(SIGINT, &action, NULL) == 0);
    CHECK(sigaction(SIGTERM, &action, NULL) == 0);
    action.sa_handler = SIG_IGN;
    CHECK(sigaction(SIGPIPE, &action, NULL) == 0);
}

static int serve(struct options *options) {
    struct da_server *server = NULL;
    enum err err = da_server_create(&options->server, &server);
    if (err != ERR_OK) {
        (void)fprintf(stderr, "baton da: cannot listen on %s:%d: %s\n", options->server.host,
                      options->server.port, err_text(err));
        return 1;
    }
    struct da_service *service = NULL;
    options->service.context = server;
    options->service.reply = da_server_reply;
    err = da_service_create(&options->service, unix_ms(), &service);
    if (err != ERR_OK) {
        (void)fprintf(stderr, "baton da: %s: %s\n", options->service.dir,
                      err == ERR_EXISTS ? "another process uses it" : err_text(err));
        da_server_destroy(server);
        return 1;
    }
    running = server;
    catch_signals();
    (void)printf("baton da: listening on %s:%d, a block every %llu ms, head %llu, blobs in %s\n",
                 options->server.host, options->server.port,
                 (unsigned long long)options->server.block_time_ms,
                 (unsigned long long)da_service_head(service), options->service.dir);
    (void)fflush(stdout);
    da_server_run(server, service);
    running = NULL;
    da_server_destroy(server);
    da_service_destroy(service);
    return 0;
}

int da_server_main(int argc, char **argv) {
    struct options options;
    if (flags_help_wanted(argc, argv)) {
        (void)fputs(USAGE, stdout);
        return 0;
    }
    if (!read_options(argc, argv, &options)) return 2;
    if (options.token_file != NULL) {
        const char *why = read_token(options.token_file, options.server.token);
        if (why != NULL) {
            (void)fprintf(stderr, "baton da: %s: %s\n", options.token_file, why);
            return 2;
        }
        options.server.has_token = true;
    }
    return serve(&options);
}
