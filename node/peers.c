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

/* parse_port reads 1 to 65535 in plain decimal digits. */
static enum err parse_port(struct bytes text, uint16_t *out) {
    uint32_t port = 0;
    if (text.size == 0 || text.size > 5) return ERR_CONFIG;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return ERR_CONFIG;
        port = port * 10 + (uint32_t)(text.data[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX) return ERR_CONFIG;
    *out = (uint16_t)port;
    return ERR_OK;
}

enum err peer_parse(struct bytes text, struct p2p_peer *out) {
    struct p2p_peer peer = {.port = 0};
    size_t at = 0, colon = text.size;
    while (at < text.size && text.data[at] != '@')
        at += 1;
    if (at == text.size) return ERR_CONFIG;
    if (hex_to_hash(bytes_slice(text, 0, at), &peer.id) != ERR_OK) return ERR_CONFIG;
    while (colon > at && text.data[colon - 1] != ':') /* the last one: IPv6 has others */
        colon -= 1;
    if (colon <= at + 2) return ERR_CONFIG; /* no colon, or no host before it */
    const struct bytes host = bytes_slice(text, at + 1, colon - 2 - at);
    if (host.size >= sizeof peer.host) return ERR_CONFIG;
    memcpy(peer.host, host.data, host.size);
    TRY(parse_port(bytes_slice(text, colon, text.size - colon), &peer.port));
    *out = peer;
    return ERR_OK;
}

/* next_entry takes what is before the next comma off the front of *list; false at the end. */
static bool next_entry(const char **list, struct bytes *out) {
    if (**list == '\0') return false;
    *out = (struct bytes){(const uint8_t *)*list, strcspn(*list, ",")};
    *list += out->size;
    if (**list == ',') *list += 1;
    return true;
}

enum err peers_check(const char *list, char error[512]) {
    struct bytes entry;
    struct p2p_peer peer;
    while (next_entry(&list, &entry)) {
        if (peer_parse(entry, &peer) == ERR_OK) continue;
        snprintf(error, 512, "p2p_peers: \"%.*s\" is not PEERID@HOST:PORT",
                 (int)(entry.size > 200 ? 200 : entry.size), (const char *)entry.data);
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static void add_set(struct node *node, const struct validator_set *set) {
    for (uint32_t i = 0; i < set->count; i++) {
        const struct p2p_peer peer = {.id = set->validators[i].peer_id};
        add(node, &peer);
    }
}

enum err peers_configure(struct node *node, char error[512]) {
    const char *list = node->options.settings->p2p_peers;
    struct bytes entry;
    struct p2p_peer peer;
    TRY(peers_check(list, error));
    pthread_mutex_lock(&node->peers_lock);
    while (next_entry(&list, &entry)) {
        if (peer_parse(entry, &peer) == ERR_OK) add(node, &peer);
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
