#include <assert.h>

#include "p2p/p2p_internal.h"
#include "pages/pages.h"
#include "threads/clock.h"

struct p2p_link *p2p_link_find(struct p2p *p2p, const struct hash32 *id) {
    for (size_t i = 0; i < P2P_LINKS_MAX; i++) {
        struct p2p_link *link = &p2p->links[i];
        if (link->in_use && hash_equal(&link->peer.id, id)) return link;
    }
    return NULL;
}

static void transfers_release(struct p2p_transfer transfers[P2P_LANE_COUNT]) {
    for (size_t lane = 0; lane < P2P_LANE_COUNT; lane++) {
        pages_release(transfers[lane].data, P2P_MESSAGE_BYTES_MAX);
        transfers[lane] = (struct p2p_transfer){0};
    }
}

void p2p_link_release(struct p2p *p2p, struct p2p_link *link) {
    if (link->dialing != NULL) p2p_connection_close(p2p, link->dialing);
    if (link->open != NULL) p2p_connection_close(p2p, link->open);
    transfers_release(link->sending);
    transfers_release(link->receiving);
    p2p_lock(p2p);
    for (size_t lane = 0; lane < P2P_LANE_COUNT; lane++)
        p2p_lane_destroy(&link->lanes[lane]);
    *link = (struct p2p_link){0};
    p2p_unlock(p2p);
}

/* lane_bytes: strangers that do not read what they asked for are not given the room of a peer. */
static size_t lane_bytes(const struct p2p *p2p, const struct p2p_link *link, size_t lane) {
    const size_t bytes = p2p->config.lane_bytes_max[lane];
    const bool is_guest = link >= p2p->links + P2P_PEERS_MAX;
    return is_guest && bytes > P2P_GUEST_LANE_BYTES ? P2P_GUEST_LANE_BYTES : bytes;
}

/* link_reserve reserves the link's memory; on failure what was reserved waits for the release. */
static enum err link_reserve(const struct p2p *p2p, struct p2p_link *link) {
    for (size_t lane = 0; lane < P2P_LANE_COUNT; lane++) {
        TRY(p2p_lane_create(&link->lanes[lane], lane_bytes(p2p, link, lane)));
        link->sending[lane].data = pages_reserve(P2P_MESSAGE_BYTES_MAX);
        link->receiving[lane].data = pages_reserve(P2P_MESSAGE_BYTES_MAX);
        if (link->sending[lane].data == NULL) return ERR_MEMORY;
        if (link->receiving[lane].data == NULL) return ERR_MEMORY;
    }
    return ERR_OK;
}

/* link_make makes a link in the first free place of [first, end); NULL: no place, or no memory. */
static struct p2p_link *link_make(struct p2p *p2p, const struct p2p_peer *peer, size_t first,
                                  size_t end) {
    struct p2p_link *link = NULL;
    for (size_t i = first; i < end && link == NULL; i++) {
        if (!p2p->links[i].in_use) link = &p2p->links[i];
    }
    if (link == NULL) return NULL;
    p2p_lock(p2p);
    *link = (struct p2p_link){.in_use = true,
                              .peer = *peer,
                              .backoff_ms = P2P_BACKOFF_MS_MIN,
                              .low_turn = P2P_LANE_ITEMS};
    const enum err err = link_reserve(p2p, link);
    p2p_unlock(p2p);
    if (err == ERR_OK) return link;
    p2p_link_release(p2p, link);
    return NULL;
}

static void link_add(struct p2p *p2p, const struct p2p_peer *peer) {
    struct p2p_link *link = link_make(p2p, peer, 0, P2P_PEERS_MAX);
    if (link == NULL) return;
    /* Two that start together shall not both call: the lower key goes first. */
    const bool goes_first = hash_compare(&p2p->config.key.public_key, &peer->id) < 0;
    link->dial_at_ms = monotonic_ms() + (goes_first ? 0 : 2 * P2P_TICK_MS);
}

static size_t guests_of(const struct p2p *p2p, uint64_t origin) {
    size_t count = 0;
    for (size_t i = P2P_PEERS_MAX; i < P2P_LINKS_MAX; i++) {
        const struct p2p_link *link = &p2p->links[i];
        count += link->in_use && link->open != NULL && link->open->origin == origin;
    }
    return count;
}

/* guest_give_up sends the guest away that came last of the origin that has most places, when that
 * has two more than `origin`. */
static bool guest_give_up(struct p2p *p2p, uint64_t origin) {
    size_t crowd = guests_of(p2p, origin) + 2;
    struct p2p_link *last = NULL;
    for (size_t i = P2P_PEERS_MAX; i < P2P_LINKS_MAX; i++) {
        struct p2p_link *link = &p2p->links[i];
        if (!link->in_use || link->open == NULL) continue;
        const size_t count = guests_of(p2p, link->open->origin);
        if (count < crowd) continue;
        if (count == crowd && last != NULL && link->open->opened_ms < last->open->opened_ms) {
            continue;
        }
        crowd = count;
        last = link;
    }
    if (last != NULL) p2p_link_release(p2p, last);
    return last != NULL;
}

struct p2p_link *p2p_guest_admit(struct p2p *p2p, const struct hash32 *id, uint64_t origin) {
    const struct p2p_peer peer = {.id = *id};
    const size_t end = P2P_PEERS_MAX + p2p->config.guests_max;
    struct p2p_link *link = link_make(p2p, &peer, P2P_PEERS_MAX, end);
    if (link == NULL && p2p->config.guests_max > 0 && guest_give_up(p2p, origin)) {
        link = link_make(p2p, &peer, P2P_PEERS_MAX, end);
    }
    if (link != NULL) link->is_guest = true;
    return link;
}

void p2p_guests_reap(struct p2p *p2p) {
    for (size_t i = P2P_PEERS_MAX; i < P2P_LINKS_MAX; i++) {
        struct p2p_link *link = &p2p->links[i];
        if (link->in_use && link->open == NULL) p2p_link_release(p2p, link);
    }
}

void p2p_link_tell(struct p2p *p2p, const struct p2p_link *link, bool is_connected) {
    const struct p2p_events *events = &p2p->config.events;
    atomic_uint_fast32_t *tally =
        link->is_guest ? &p2p->tallies.guests_connected : &p2p->tallies.peers_connected;
    if (is_connected) {
        atomic_fetch_add(tally, 1);
    } else {
        atomic_fetch_sub(tally, 1);
    }
    (link->is_guest ? events->guest_connected : events->connected)(events->context, &link->peer.id,
                                                                   is_connected);
}

static const struct p2p_peer *peer_in(const struct p2p_peer *peers, size_t count,
                                      const struct hash32 *id) {
    for (size_t i = 0; i < count; i++) {
        if (hash_equal(&peers[i].id, id)) return &peers[i];
    }
    return NULL;
}

void p2p_links_apply(struct p2p *p2p) {
    p2p_lock(p2p);
    const bool has_wanted = p2p->has_wanted;
    static_assert(sizeof p2p->wanted < 128u << 10, "fits the thread's stack");
    struct p2p_peer wanted[P2P_PEERS_MAX];
    size_t count = 0;
    if (has_wanted) {
        count = p2p->wanted_count;
        memcpy(wanted, p2p->wanted, count * sizeof *wanted);
        p2p->has_wanted = false;
    }
    p2p_unlock(p2p);
    if (!has_wanted) return;

    for (size_t i = 0; i < P2P_PEERS_MAX; i++) {
        struct p2p_link *link = &p2p->links[i];
        if (!link->in_use) continue;
        const struct p2p_peer *peer = peer_in(wanted, count, &link->peer.id);
        if (peer == NULL) {
            p2p_link_release(p2p, link);
        } else {
            link->peer = *peer; /* a new address counts from the next dial on */
        }
    }
    for (size_t i = P2P_PEERS_MAX; i < P2P_LINKS_MAX; i++) { /* a guest that was named comes anew */
        struct p2p_link *guest = &p2p->links[i];
        if (!guest->in_use || peer_in(wanted, count, &guest->peer.id) == NULL) continue;
        p2p_link_release(p2p, guest);
    }
    for (size_t i = 0; i < count; i++) {
        if (hash_equal(&wanted[i].id, &p2p->config.key.public_key)) continue;
        if (p2p_link_find(p2p, &wanted[i].id) == NULL) link_add(p2p, &wanted[i]);
    }
}

/* is_preferred: when both sides call at once, the call of the lower key stays, for both sides. */
static bool is_preferred(const struct p2p *p2p, const struct p2p_link *link,
                         const struct p2p_connection *connection) {
    const bool we_are_lower = hash_compare(&p2p->config.key.public_key, &link->peer.id) < 0;
    return connection->is_initiator == we_are_lower;
}

bool p2p_link_offer(struct p2p *p2p, struct p2p_link *link, struct p2p_connection *connection) {
    struct p2p_connection *dialing = link->dialing;
    if (dialing != NULL && dialing->state == P2P_CONNECTION_UNPROVED &&
        is_preferred(p2p, link, dialing)) {
        return false; /* the other side has our auth and prefers that call, too */
    }
    struct p2p_connection *open = link->open;
    if (open != NULL && open->is_initiator != connection->is_initiator &&
        monotonic_ms() - open->opened_ms < P2P_TIE_MS && is_preferred(p2p, link, open)) {
        return false;
    }
    /* Otherwise the peer has no connection any more, whatever we still believe. */
    if (dialing != NULL) p2p_connection_close(p2p, dialing);
    if (open != NULL) p2p_connection_close(p2p, open);
    return true;
}

void p2p_link_attach(struct p2p *p2p, struct p2p_link *link, struct p2p_connection *connection) {
    CHECK(link->open == NULL);
    if (link->dialing == connection) link->dialing = NULL;
    connection->state = P2P_CONNECTION_OPEN;
    connection->link = link;
    connection->opened_ms = monotonic_ms();
    link->open = connection;
    for (size_t lane = 0; lane < P2P_LANE_COUNT; lane++) {
        link->sending[lane].size = link->sending[lane].done = 0;
        link->receiving[lane].size = 0;
    }
    p2p_lock(p2p);
    for (size_t lane = 0; lane < P2P_LANE_COUNT; lane++)
        p2p_lane_clear(&link->lanes[lane]);
    link->is_connected = true;
    p2p_unlock(p2p);
    p2p_link_tell(p2p, link, true);
}
