#pragma once
/* The sockets of the DA server: HTTP and WebSocket on one port, one thread (libwebsockets). */
#include "da/service.h"

#define DA_TOKEN_BYTES_MAX 1024

struct da_server_config {
    const char *host;
    int port;
    bool has_token;
    char token[DA_TOKEN_BYTES_MAX];
    uint64_t block_time_ms;
};

struct da_server;

/* da_server_create listens.  ERR_ADDRESS_IN_USE, ERR_PERMISSION, ERR_SYSTEM. */
MUST_USE enum err da_server_create(const struct da_server_config *config, struct da_server **out);
/* da_server_run serves until da_server_interrupt. */
void da_server_run(struct da_server *server, struct da_service *service);
/* da_server_interrupt may be called by a signal handler. */
void da_server_interrupt(struct da_server *server);
void da_server_destroy(struct da_server *server);

/* da_server_reply is the service's `reply`; the context is the server. */
void da_server_reply(void *server, struct da_slot slot, struct json_t *answer);
