#include "p2p/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p2p/p2p.h"

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
    pthread_mutex_t lock;
    pthread_cond_t changed;
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
    CHECK(pthread_mutex_unlock(&resolver->lock) == 0);
    if (!is_last) return;
    CHECK(pthread_cond_destroy(&resolver->changed) == 0);
    CHECK(pthread_mutex_destroy(&resolver->lock) == 0);
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
    CHECK(pthread_mutex_lock(&resolver->lock) == 0);
    while (!resolver->is_stopping) {
        struct slot *slot = wanted_slot(resolver);
        if (slot == NULL) {
            CHECK(pthread_cond_wait(&resolver->changed, &resolver->lock) == 0);
            continue;
        }
        struct slot question = *slot;
        CHECK(pthread_mutex_unlock(&resolver->lock) == 0);
        const bool found = lookup(question.host, question.port, 0, &question.endpoint);
        CHECK(pthread_mutex_lock(&resolver->lock) == 0);
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
    CHECK(pthread_mutex_init(&resolver->lock, NULL) == 0);
    CHECK(pthread_cond_init(&resolver->changed, NULL) == 0);
    pthread_t thread;
    if (pthread_create(&thread, NULL, resolver_main, resolver) != 0) {
        free(resolver);
        return ERR_SYSTEM;
    }
    CHECK(pthread_detach(thread) == 0);
    *out = resolver;
    return ERR_OK;
}

void p2p_resolver_stop(struct p2p_resolver *resolver) {
    CHECK(pthread_mutex_lock(&resolver->lock) == 0);
    resolver->is_stopping = true;
    CHECK(pthread_cond_signal(&resolver->changed) == 0);
    leave(resolver);
}

enum p2p_resolver_answer p2p_resolver_ask(struct p2p_resolver *resolver, size_t index,
                                          const char *host, uint16_t port,
                                          struct p2p_endpoint *out) {
    CHECK(index < P2P_PEERS_MAX);
    if (lookup(host, port, AI_NUMERICHOST, out)) return P2P_RESOLVER_FOUND;
    enum p2p_resolver_answer answer = P2P_RESOLVER_PENDING;
    CHECK(pthread_mutex_lock(&resolver->lock) == 0);
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
        CHECK(pthread_cond_signal(&resolver->changed) == 0);
    }
    CHECK(pthread_mutex_unlock(&resolver->lock) == 0);
    return answer;
}
