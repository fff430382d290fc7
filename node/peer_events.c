#include "node/peer_events.h"

#include <string.h>

#include "base/check.h"

void peer_events_create(struct peer_events *events) {
    memset(events->list, 0, sizeof events->list);
    CHECK(pthread_mutex_init(&events->lock, NULL) == 0);
}

void peer_events_destroy(struct peer_events *events) {
    CHECK(pthread_mutex_destroy(&events->lock) == 0);
}

/* is_idle: whoever is forgotten here had nothing to be told. */
static bool is_idle(const struct peer_event *event) {
    return !event->is_used || (!event->is_connected && !event->was_connected);
}

static struct peer_event *find(struct peer_events *events, const struct hash32 *peer) {
    for (size_t i = 0; i < PEER_EVENTS_MAX; i++) {
        struct peer_event *event = &events->list[i];
        if (event->is_used && hash_equal(&event->peer, peer)) return event;
    }
    return NULL;
}

static struct peer_event *make(struct peer_events *events, const struct hash32 *peer) {
    for (size_t i = 0; i < PEER_EVENTS_MAX; i++) {
        struct peer_event *event = &events->list[i];
        if (!is_idle(event)) continue;
        *event = (struct peer_event){.peer = *peer, .is_used = true};
        return event;
    }
    return NULL; /* p2p has not so many */
}

bool peer_events_note(struct peer_events *events, const struct hash32 *peer, bool is_connected) {
    CHECK(pthread_mutex_lock(&events->lock) == 0);
    struct peer_event *event = find(events, peer);
    if (event == NULL && is_connected) event = make(events, peer);
    bool must_call = false;
    if (event != NULL) {
        must_call = !event->is_announced;
        event->is_announced = true;
        event->is_connected = is_connected;
        event->has_left |= !is_connected;
    }
    CHECK(pthread_mutex_unlock(&events->lock) == 0);
    return must_call;
}

void peer_events_unannounce(struct peer_events *events, const struct hash32 *peer) {
    CHECK(pthread_mutex_lock(&events->lock) == 0);
    struct peer_event *event = find(events, peer);
    if (event != NULL) event->is_announced = false;
    CHECK(pthread_mutex_unlock(&events->lock) == 0);
}

struct peer_change peer_events_take(struct peer_events *events, const struct hash32 *peer) {
    struct peer_change change = {false, false};
    CHECK(pthread_mutex_lock(&events->lock) == 0);
    struct peer_event *event = find(events, peer);
    if (event != NULL) {
        change.has_left = event->was_connected && event->has_left;
        change.has_come = event->is_connected && (!event->was_connected || event->has_left);
        event->was_connected = event->is_connected;
        event->has_left = event->is_announced = false;
        event->is_used = event->is_connected;
    }
    CHECK(pthread_mutex_unlock(&events->lock) == 0);
    return change;
}
