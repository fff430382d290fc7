#pragma once
/* Asking a node for something before there is a chain (baton join): one connection, as a guest
 * under a key made for the occasion, blocking and bounded in time.  The other side's key is proven;
 * when the caller names none, whoever answers is believed to be whom it wanted.  One thread. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

struct p2p_fetch;

/* p2p_fetch_open connects and shakes hands within `timeout_ms`, which also bounds each later wait.
 * `expected` NULL: anybody.  ERR_NETWORK, ERR_TIMEOUT; ERR_SIGNATURE: somebody else answered;
 * ERR_REFUSED: it lets no guests in; ERR_MEMORY.  `error` has one line. */
MUST_USE enum err p2p_fetch_open(const char *host, uint16_t port, const struct hash32 *expected,
                                 uint64_t timeout_ms, struct p2p_fetch **out, char error[256]);
void p2p_fetch_close(struct p2p_fetch *fetch);

/* p2p_fetch_peer is the key of who answered. */
const struct hash32 *p2p_fetch_peer(const struct p2p_fetch *fetch);

/* p2p_fetch_send sends a message of at most 16 KiB. */
MUST_USE enum err p2p_fetch_send(struct p2p_fetch *fetch, struct bytes message);
/* p2p_fetch_receive waits for the next whole message; it lives until the next call. */
MUST_USE enum err p2p_fetch_receive(struct p2p_fetch *fetch, struct bytes *message);
