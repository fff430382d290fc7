/* Worker threads: tasks with calls that execute code or read many blocks. */
#include <stdlib.h>

#include "pages/pages.h"
#include "rpc/rpc_internal.h"

static struct task *take(struct rpc *rpc) {
    gate_lock(&rpc->queue_gate);
    rpc->workers_idle += 1;
    while (rpc->queue == NULL && !rpc->is_stopping)
        (void)gate_wait(&rpc->queue_gate, GATE_FOREVER);
    rpc->workers_idle -= 1;
    struct task *task = rpc->queue;
    if (task != NULL) {
        rpc->queue = task->next;
        if (rpc->queue == NULL) rpc->queue_end = &rpc->queue;
        rpc->queue_count -= 1;
        task->next = NULL;
    }
    gate_unlock(&rpc->queue_gate);
    return task;
}

static void *worker_main(void *context) {
    struct rpc *rpc = context;
    gate_lock(&rpc->queue_gate);
    const unsigned index = rpc->workers_begun++;
    gate_unlock(&rpc->queue_gate);
    const size_t bytes = rpc_runner_bytes(&rpc->config.limits);
    void *memory = pages_reserve(bytes);
    CHECK(memory != NULL);
    struct runner runner = rpc_runner_over(memory, &rpc->config.limits,
                                           rpc_metrics_counters(rpc, rpc->config.threads + index));
    for (struct task *task = take(rpc); task != NULL; task = take(rpc)) {
        struct service *service = task->service;
        if (!rpc_task_run(task, &runner)) continue;
        rpc_task_own_response(task);
        rpc_service_complete(service, task);
    }
    pages_release(memory, bytes);
    return NULL;
}

/* add_worker starts one more thread when those that are there have enough to do; the lock is held.
 * False: there is none at all. */
static bool add_worker(struct rpc *rpc) {
    if (rpc->workers_count < rpc->config.workers && rpc->queue_count >= rpc->workers_idle &&
        pthread_create(&rpc->workers[rpc->workers_count], NULL, worker_main, rpc) == 0) {
        rpc->workers_count += 1;
    }
    return rpc->workers_count > 0;
}

bool rpc_workers_push(struct rpc *rpc, struct task *task) {
    gate_lock(&rpc->queue_gate);
    const bool fits = rpc->queue_count < rpc->config.limits.workers_queue_max &&
                      !rpc->is_stopping && add_worker(rpc);
    if (fits) {
        task->next = NULL;
        *rpc->queue_end = task;
        rpc->queue_end = &task->next;
        rpc->queue_count += 1;
        gate_wake_one(&rpc->queue_gate);
    }
    gate_unlock(&rpc->queue_gate);
    return fits;
}

void rpc_workers_create(struct rpc *rpc) {
    gate_create(&rpc->queue_gate);
    rpc->queue_end = &rpc->queue;
}

void rpc_workers_stop(struct rpc *rpc) {
    gate_lock(&rpc->queue_gate);
    rpc->is_stopping = true;
    gate_wake(&rpc->queue_gate);
    gate_unlock(&rpc->queue_gate);
    for (unsigned i = 0; i < rpc->workers_count; i++)
        pthread_join(rpc->workers[i], NULL);
}
