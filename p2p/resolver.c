#include "p2p/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p2p/p2p.h"
#include "threads/gate.h"

enum slot_state { SLOT_IDLE, SLOT_WANTED, SLOT_FOUND, SLOT_FAILED };

struct slot {
    enum slot_state state;
    char host[P2P_HOST_BYTES];
    uint16_t port;
    struct p2p_endpoint endpoint;
};

/* The thread may be inside getaddrinfo for long after the owner has gone: whoever leaves last
 * frees. */
struct p2p_resolver {
    struct gate gate; /* guards all below; wakes the thread */
    int owners_count;
    bool is_stopping;
    struct slot slots[P2P_PEERS_MAX];
};

static bool lookup(const char *host, uint16_t port, int flags, struct p2p_endpoint *out) {
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port);
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, service, &hints, &found) != 0) return false;
    const bool fits = found->ai_addrlen <= sizeof out->address;
    if (fits) {
        memcpy(&out->address, found->ai_addr, found->ai_addrlen);
        out->address_bytes = found->ai_addrlen;
    }
    freeaddrinfo(found);
    return fits;
}

/* leave drops one owner; the lock is held and is gone afterwards. */
static void leave(struct p2p_resolver *resolver) {
    resolver->owners_count -= 1;
    const bool is_last = resolver->owners_count == 0;
    gate_unlock(&resolver->gate);
    if (!is_last) return;
    gate_destroy(&resolver->gate);
    free(resolver);
}

static struct slot *wanted_slot(struct p2p_resolver *resolver) {
    for (size_t i = 0; i < P2P_PEERS_MAX; i++) {
        if (resolver->slots[i].state == SLOT_WANTED) return &resolver->slots[i];
    }
    return NULL;
}

static void *resolver_main(void *argument) {
    struct p2p_resolver *resolver = argument;
    gate_lock(&resolver->gate);
    while (!resolver->is_stopping) {
        struct slot *slot = wanted_slot(resolver);
        if (slot == NULL) {
            (void)gate_wait(&resolver->gate, GATE_FOREVER);
            continue;
        }
        struct slot question = *slot;
        gate_unlock(&resolver->gate);
        const bool found = lookup(question.host, question.port, 0, &question.endpoint);
        gate_lock(&resolver->gate);
        if (slot->port != question.port || strcmp(slot->host, question.host) != 0) continue;
        slot->endpoint = question.endpoint;
        slot->state = found ? SLOT_FOUND : SLOT_FAILED;
    }
    leave(resolver);
    return NULL;
}

enum err p2p_resolver_start(struct p2p_resolver **out) {
    struct p2p_resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL) return ERR_MEMORY;
    resolver->owners_count = 2;
    gate_create(&resolver->gate);
    pthread_t thread;
    if (pthread_create(&thread, NULL, resolver_main, resolver) != 0) {
        gate_destroy(&resolver->gate);
        free(resolver);
        return ERR_SYSTEM;
    }
    CHECK(pthread_detach(thread) == 0);
    *out = resolver;
    return ERR_OK;
}

void p2p_resolver_stop(struct p2p_resolver *resolver) {
    gate_lock(&resolver->gate);
    resolver->is_stopping = true;
    gate_wake(&resolver->gate);
    leave(resolver);
}

enum p2p_resolver_answer p2p_resolver_ask(struct p2p_resolver *resolver, size_t index,
                                          const char *host, uint16_t port,
                                          struct p2p_endpoint *out) {
    CHECK(index < P2P_PEERS_MAX);
    if (lookup(host, port, AI_NUMERICHOST, out)) return P2P_RESOLVER_FOUND;
    enum p2p_resolver_answer answer = P2P_RESOLVER_PENDING;
    gate_lock(&resolver->gate);
    struct slot *slot = &resolver->slots[index];
    const bool is_same = slot->port == port && strcmp(slot->host, host) == 0;
    if (is_same && slot->state == SLOT_FOUND) {
        *out = slot->endpoint;
        slot->state = SLOT_IDLE;
        answer = P2P_RESOLVER_FOUND;
    } else if (is_same && slot->state == SLOT_FAILED) {
        slot->state = SLOT_IDLE;
        answer = P2P_RESOLVER_FAILED;
    } else if (!is_same || slot->state == SLOT_IDLE) {
        slot->state = SLOT_WANTED;
        slot->port = port;
        (void)snprintf(slot->host, sizeof slot->host, "%s", host);
        gate_wake(&resolver->gate);
    }
    gate_unlock(&resolver->gate);
    return answer;
}
