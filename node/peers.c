/* Peers: the ones that the settings name with addresses, and the ones that the chain and the
 * contract name by key, which may connect to us. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "node/log.h"
#include "node/node.h"

static struct p2p_peer *find(struct node *node, const struct hash32 *id) {
    for (size_t i = 0; i < node->peers_count; i++) {
        if (hash_equal(&node->peers[i].id, id)) return &node->peers[i];
    }
    return NULL;
}

/* add puts a peer that is not known yet at the end; our own id and a full table are passed over. */
static void add(struct node *node, const struct p2p_peer *peer) {
    if (hash_equal(&peer->id, &node->options.peer_key.public_key)) return;
    if (find(node, &peer->id) != NULL || node->peers_count == P2P_PEERS_MAX) return;
    node->peers[node->peers_count++] = *peer;
}

/* parse_peer reads PEERID@HOST:PORT. */
static enum err parse_peer(const char *text, size_t size, struct p2p_peer *out) {
    const char *at = memchr(text, '@', size);
    if (at == NULL) return ERR_CONFIG;
    const struct bytes id = {(const uint8_t *)text, (size_t)(at - text)};
    if (hex_to_hash(id, &out->id) != ERR_OK) return ERR_CONFIG;
    const char *host = at + 1, *end = text + size, *colon = end;
    while (colon > host && colon[-1] != ':')
        colon -= 1;
    if (colon == host) return ERR_CONFIG;
    const size_t host_bytes = (size_t)(colon - 1 - host);
    char port[8] = "";
    if (host_bytes == 0 || host_bytes >= sizeof out->host || end - colon > 5) return ERR_CONFIG;
    memcpy(out->host, host, host_bytes);
    out->host[host_bytes] = '\0';
    memcpy(port, colon, (size_t)(end - colon));
    char *rest;
    const unsigned long number = strtoul(port, &rest, 10);
    if (*rest != '\0' || port[0] == '\0' || number == 0 || number > 65535) return ERR_CONFIG;
    out->port = (uint16_t)number;
    return ERR_OK;
}

static void add_set(struct node *node, const struct validator_set *set) {
    for (uint32_t i = 0; i < set->count; i++) {
        const struct p2p_peer peer = {.id = set->validators[i].peer_id};
        add(node, &peer);
    }
}

enum err peers_configure(struct node *node, char error[512]) {
    const char *text = node->options.settings->p2p_peers;
    pthread_mutex_lock(&node->peers_lock);
    while (*text != '\0') {
        const size_t size = strcspn(text, ",");
        struct p2p_peer peer = {.port = 0};
        if (parse_peer(text, size, &peer) != ERR_OK) {
            pthread_mutex_unlock(&node->peers_lock);
            snprintf(error, 512, "p2p_peers: \"%.*s\" is not PEERID@HOST:PORT",
                     (int)(size > 200 ? 200 : size), text);
            return ERR_CONFIG;
        }
        add(node, &peer);
        text += size;
        if (*text == ',') text += 1;
    }
    node->peers_configured = node->peers_count;
    add_set(node, &node->config->rollup.validators);
    p2p_set_peers(node->p2p, node->peers, node->peers_count);
    pthread_mutex_unlock(&node->peers_lock);
    return ERR_OK;
}

void peers_registered(struct node *node, const struct l1_view *view) {
    struct validator_set current, next;
    pthread_mutex_lock(&node->status_lock);
    current = node->validators;
    next = node->next_validators;
    pthread_mutex_unlock(&node->status_lock);
    if (node->p2p == NULL) return;
    pthread_mutex_lock(&node->peers_lock);
    node->peers_count = node->peers_configured;
    add_set(node, &current);
    add_set(node, &next);
    for (uint32_t i = 0; i < view->validators_count; i++) {
        const struct p2p_peer peer = {.id = view->validators[i].peer_id};
        add(node, &peer);
    }
    p2p_set_peers(node->p2p, node->peers, node->peers_count);
    pthread_mutex_unlock(&node->peers_lock);
}
