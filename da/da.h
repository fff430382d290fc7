#pragma once
/* Data availability: the Celestia node API as a client, a publisher that never loses or doubles a
 * blob knowingly, and a server of the same API that keeps blobs in files (`baton da`).
 *
 * Blobs are opaque bytes here.  Names are Celestia's: namespace, commitment, height. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

#define DA_NAMESPACE_BYTES 29
#define DA_BLOB_BYTES_MAX  (6u << 20)

struct da_namespace {
    uint8_t bytes[DA_NAMESPACE_BYTES];
};

/* da_commitment is the blob's share commitment as celestia-app makes it for share version 0 (shares
 * of 512 bytes, NMT subtree roots, RFC 6962 over them).  `data` is 1..DA_BLOB_BYTES_MAX. */
struct hash32 da_commitment(const struct da_namespace *ns, struct bytes data);

struct da_client_config {
    const char *url;        /* http://host:26658 */
    const char *token_file; /* bearer token, 0600; NULL: none */
    uint64_t timeout_ms;    /* per request; Submit may take longer: submit_timeout_ms */
    uint64_t submit_timeout_ms;
};

struct da_client;
/* da_client_create copies what it needs of `config`.  ERR_CONFIG: the URL is too long; ERR_MEMORY;
 * or what reading the token file gives.  da_client_destroy ends it; no call may be under way. */
MUST_USE enum err da_client_create(const struct da_client_config *config, struct da_client **out);
void da_client_destroy(struct da_client *client);
/* da_client_abort makes the request that is under way, and all later ones, end soon with
 * ERR_NETWORK.  Any thread. */
void da_client_abort(struct da_client *client);

/* da_clock_ms is the clock that fences are by: it goes on while the machine sleeps. */
uint64_t da_clock_ms(void);
#define DA_FENCE_NONE UINT64_MAX

/* All calls block, one thread per client.  `error` (may be NULL, 256 bytes) gets a line for people.
 * ERR_NETWORK / ERR_TIMEOUT: unknown whether it happened.  ERR_REFUSED: the node says no.
 *
 * da_submit hands the last bytes of its request to the system before `fence_ms` or never;
 * ERR_STOPPED: it was too late, and the node got nothing that it could act on. */
MUST_USE enum err da_submit(struct da_client *client, const struct da_namespace *ns,
                            struct bytes blob, uint64_t fence_ms, uint64_t *height, char *error);
/* da_get copies the blob into `out` (buffer overflow: ERR_LIMIT) and checks its commitment. */
MUST_USE enum err da_get(struct da_client *client, uint64_t height, const struct da_namespace *ns,
                         const struct hash32 *commitment, struct buffer *out, char *error);
/* da_get_all visits every blob of the namespace at a height, in order, but for those longer than
 * DA_BLOB_BYTES_MAX; zero blobs is fine. */
MUST_USE enum err da_get_all(struct da_client *client, uint64_t height,
                             const struct da_namespace *ns, void *context,
                             enum err (*visit)(void *context, struct bytes blob), char *error);
MUST_USE enum err da_head(struct da_client *client, uint64_t *height, char *error);

/* The publisher: a thread that takes one blob at a time, in order, and performs da/attempt.h: it
 * scans the namespace from `scan_from` to the head before each try, reports a blob that is there
 * instead of posting it again, and gives up when the turn is over.  Backoff 1 s, doubling to 30 s.
 */
struct da_publication {
    uint64_t id; /* the caller's name of the blob */
    struct bytes blob;
    uint64_t scan_from;             /* where to begin to look */
    uint64_t turn_from, turn_until; /* it may be posted while the DA head is at [from, until) */
    bool is_unclear;                /* a try of this validator may still be on its way */
};
struct da_receipt {
    uint64_t id; /* the caller's name of the blob */
    uint64_t height;
    struct hash32 commitment;
    uint64_t latency_ms;
    bool was_found; /* it was there already: somebody else's, or an earlier try of ours */
};
struct da_publisher_config {
    struct da_client_config client;
    struct da_namespace ns;
    void *context;
    void (*receipt)(void *context, const struct da_receipt *receipt); /* publisher's thread */
    void (*head)(void *context,
                 uint64_t head); /* a new head was seen; the same thread; may be NULL */
};
struct da_publisher_status {
    bool is_reachable;
    uint64_t submissions, failures, bytes, pending;
    uint64_t head;
    char last_error[200];
};
struct da_publisher;
MUST_USE enum err da_publisher_start(const struct da_publisher_config *config,
                                     struct da_publisher **out);
void da_publisher_stop(struct da_publisher *publisher);
/* da_publish hands over a blob (copied).  ERR_LIMIT: one is in work already.  Any thread. */
MUST_USE enum err da_publish(struct da_publisher *publisher,
                             const struct da_publication *publication);
/* da_publish_cancel forgets the blob in work if it is `id`: somebody else published it. */
void da_publish_cancel(struct da_publisher *publisher, uint64_t id);
struct da_publisher_status da_publisher_status(struct da_publisher *publisher);

/* da_server_main is the whole of `baton da`: argv[0] is its name; serves until SIGINT or SIGTERM,
 * returns the exit code. */
int da_server_main(int argc, char **argv);
