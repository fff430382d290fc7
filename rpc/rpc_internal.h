#pragma once
/* What the files of this room share: the server's threads, workers, waiting submissions, counters.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "rpc/rpc.h"
#include "rpc/task.h"
#include "threads/gate.h"

#define RPC_SERVICES_MAX 16
#define RPC_WORKERS_MAX  64
/* Submissions that wait for the sequencer's verdict. */
#define RPC_SUBMITS_MAX       65536
#define RPC_SUBMIT_TIMEOUT_MS 10000
/* Of these, at most so many wait for a block: every block looks each of them up. */
#define RPC_SYNCS_MAX           4096
#define RPC_SYNC_TIMEOUT_MS     5000 /* when the caller names none */
#define RPC_SYNC_TIMEOUT_MS_MAX 60000
/* Memory of one thread that runs calls; address space, pages cost when touched. */
#define RPC_ARENA_BYTES ((size_t)256 << 20)

/* Per-method counters of one thread, which alone writes them; merged when read. */
#define RPC_BUCKETS 10
struct method_counters {
    atomic_uint_fast64_t errors, sum_us;
    atomic_uint_fast64_t buckets[RPC_BUCKETS + 1];
};

/* A finished task or a push message for a service thread. */
struct completion {
    struct completion *next;
    struct task *task;   /* or */
    uint64_t session_id; /* a WebSocket message for this session */
    uint8_t *text;       /* malloc'd with TASK_HEADROOM before it */
    size_t text_bytes;
};

struct lws_context;
struct service {
    struct rpc *rpc;
    unsigned index;
    struct lws_context *context;
    pthread_t thread;
    bool has_thread;
    struct runner runner;
    pthread_mutex_t lock; /* guards completions */
    struct completion *completions, **completions_end;
    struct session *sessions; /* all open ones; this thread only */
    atomic_uint behind_count; /* sessions that wait for a block; counted by this thread */
    uintptr_t read_at;        /* somewhere in the buffer that the library reads into */
    uint64_t session_next;
};

/* One submission that waits; token = generation << 16 | index. */
struct waiting {
    struct task *task;
    size_t index;
    uint64_t generation;
    uint64_t deadline_ms;
    bool is_used;
    bool is_sync;       /* waits for the block, too */
    bool is_admitted;   /* is_sync: the pool has it */
    struct hash32 hash; /* is_sync: of the transaction */
};

struct subscriptions;
struct filters;

struct rpc {
    struct rpc_config config;
    unsigned services_count;
    struct service services[RPC_SERVICES_MAX];
    unsigned workers_count;
    pthread_t workers[RPC_WORKERS_MAX];
    unsigned workers_begun; /* which counters the next worker takes */
    unsigned workers_idle;  /* of the threads; the rest runs a task, or begins */
    struct gate queue_gate; /* guards the workers and their queue; wakes a worker */
    struct task *queue, **queue_end;
    unsigned queue_count;
    bool is_stopping;
    bool is_inline;               /* no workers: service threads run everything */
    pthread_mutex_t waiting_lock; /* guards waiting */
    struct waiting *waiting;
    unsigned waiting_count, syncs_count;
    unsigned waiting_next; /* where the search for a free place begins */
    struct method_counters
        *counters; /* rpc_methods_count() + 1 per thread: the last is "unknown" */
    struct subscriptions *subscriptions;
    struct filters *filters;
    atomic_uint_fast64_t height_known; /* a committed block that reads have seen */
    atomic_uint_fast64_t connections;  /* accepted sockets, also those that asked nothing yet */
    atomic_bool stopping;
};

/* workers.c */
/* rpc_workers_create makes their queue; the threads start when there is work for them. */
void rpc_workers_create(struct rpc *rpc);
void rpc_workers_stop(struct rpc *rpc);
/* False: the queue is full. */
bool rpc_workers_push(struct rpc *rpc, struct task *task);

/* submit.c */
enum err rpc_submit_create(struct rpc *rpc);
void rpc_submit_destroy(struct rpc *rpc);
/* rpc_submit_expire answers what waited too long; called several times a second by the notifier. */
void rpc_submit_expire(struct rpc *rpc);
/* rpc_submit_block answers the calls whose transaction `view` has in a block; `arena` is scratch.
 */
void rpc_submit_block(struct rpc *rpc, struct rpc_view *view, struct arena *arena);

/* server.c */
void rpc_service_complete(struct service *service, struct task *task);
/* Sends text to a WebSocket session: `session_id` names service and session; text is copied. */
void rpc_service_push(struct rpc *rpc, uint64_t session_id, struct bytes text);

/* height.c */
/* rpc_height_wake makes the service threads look after requests that wait for a block: one was
 * committed, or time passed.  Any thread. */
void rpc_height_wake(struct rpc *rpc);
/* rpc_height_go_on answers those whose block is here, and those that waited too long.  Service
 * thread. */
void rpc_height_go_on(struct service *service);

/* metrics.c */
/* Counters of a thread: services first, workers after them. */
struct method_counters *rpc_metrics_counters(const struct rpc *rpc, unsigned thread);
void rpc_metrics_observe(struct method_counters *counters, const struct method *method,
                         uint64_t microseconds, bool is_error);
void rpc_metrics_write(struct rpc *rpc, struct buffer *out);

/* subscribe.c */
enum err rpc_subscriptions_create(struct rpc *rpc);
void rpc_subscriptions_destroy(struct rpc *rpc);
void rpc_subscriptions_session_closed(struct rpc *rpc, uint64_t session_id);
void rpc_subscriptions_block(struct rpc *rpc, uint64_t number);
void rpc_subscriptions_item(struct rpc *rpc, const struct hash32 *hash, struct bytes encoded);

/* filters.c */
enum err rpc_filters_create(struct rpc *rpc);
void rpc_filters_destroy(struct rpc *rpc);
