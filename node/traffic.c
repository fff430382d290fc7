#include "node/traffic.h"

#include <assert.h>

static const char *const NAMES[] = {
    [0] = "unknown",
    [MESSAGE_STATUS] = "status",
    [MESSAGE_PROPOSAL] = "proposal",
    [MESSAGE_VOTE] = "vote",
    [MESSAGE_ITEMS] = "items",
    [MESSAGE_GET_BLOCKS] = "get_blocks",
    [MESSAGE_BLOCKS] = "blocks",
    [MESSAGE_GET_PROPOSAL] = "get_proposal",
    [MESSAGE_HANDOVER] = "handover",
    [MESSAGE_EVIDENCE] = "evidence",
    [MESSAGE_BATCH_RECEIPT] = "batch_receipt",
    [MESSAGE_BATCH_SIGN] = "batch_sign",
    [MESSAGE_ITEMS_HELD] = "items_held",
    [MESSAGE_GET_LIGHT] = "get_light",
    [MESSAGE_LIGHT] = "light",
    [MESSAGE_GET_RANGES] = "get_ranges",
    [MESSAGE_RANGES] = "ranges",
    [MESSAGE_GET_CODES] = "get_codes",
    [MESSAGE_CODES] = "codes",
    [MESSAGE_GET_HEADERS] = "get_headers",
    [MESSAGE_HEADERS] = "headers",
    [MESSAGE_GET_CHAIN] = "get_chain",
    [MESSAGE_CHAIN] = "chain",
};
static_assert(sizeof NAMES / sizeof NAMES[0] == TRAFFIC_KINDS, "each kind has a name");

static unsigned kind_of(struct bytes message) {
    return message.size > 0 && message.data[0] < TRAFFIC_KINDS ? message.data[0] : 0;
}

void traffic_received(struct traffic *traffic, struct bytes message) {
    atomic_fetch_add_explicit(&traffic->received[kind_of(message)], 1, memory_order_relaxed);
}

void traffic_sent(struct traffic *traffic, struct bytes message, uint64_t peers_count) {
    atomic_fetch_add_explicit(&traffic->sent[kind_of(message)], peers_count, memory_order_relaxed);
}

const char *traffic_name(unsigned kind) {
    CHECK(kind < TRAFFIC_KINDS);
    return NAMES[kind];
}
