#pragma once
/* Host names to addresses, without making the sockets' thread wait for a name server.
 *
 * A thread of its own asks the system for one slot's name after the other.  Numeric addresses are
 * answered at once.  A slot is one peer's; its answer is for its latest question only. */
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct p2p_resolver;

struct p2p_endpoint {
    struct sockaddr_storage address;
    socklen_t address_bytes;
};

enum p2p_resolver_answer {
    P2P_RESOLVER_PENDING,
    P2P_RESOLVER_FOUND, /* taken: the next call asks anew */
    P2P_RESOLVER_FAILED /* the same */
};

/* p2p_resolver_start starts the thread.  ERR_MEMORY, ERR_SYSTEM. */
MUST_USE enum err p2p_resolver_start(struct p2p_resolver **out);
/* p2p_resolver_stop returns at once; the thread ends by itself when the system has answered. */
void p2p_resolver_stop(struct p2p_resolver *resolver);

/* p2p_resolver_ask asks for the slot's name or takes the answer; it does not wait. */
enum p2p_resolver_answer p2p_resolver_ask(struct p2p_resolver *resolver, size_t slot,
                                          const char *host, uint16_t port,
                                          struct p2p_endpoint *out);
