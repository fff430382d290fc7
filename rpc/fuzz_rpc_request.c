/* Any bytes as a request body, through parsing, dispatch and every light and heavy method, with a
 * backend in memory: an answer or nothing, never a crash.  No sockets and no threads. */
#include <stdlib.h>
#include <sys/mman.h>

#include "rpc/fake_backend.h"
#include "rpc/rpc_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The parts of the server that tasks lean on, without threads. */
static struct rpc *rpc_without_threads(void) {
    static struct rpc rpc;
    static struct fake fake;
    if (rpc.counters != NULL) return &rpc;
    fake_init(&fake, &rpc.config.backend);
    fake.submit_is_silent = true;
    rpc.config.limits = (struct rpc_limits){.response_bytes_max = 1 << 20,
                                            .batch_calls_max = 16,
                                            .subscriptions_max = 4,
                                            .logs_max = 100,
                                            .call_gas_max = 100000,
                                            .json_depth_max = 32};
    rpc.config.threads = 1;
    rpc.counters = calloc(rpc_methods_count() + 1, sizeof *rpc.counters);
    CHECK(rpc.counters != NULL && rpc_submit_create(&rpc) == ERR_OK);
    CHECK(rpc_filters_create(&rpc) == ERR_OK && rpc_subscriptions_create(&rpc) == ERR_OK);
    rpc_workers_create(&rpc);
    rpc.is_inline = true;
    rpc.services[0].rpc = &rpc;
    void *memory = mmap(NULL, rpc_runner_bytes(&rpc.config.limits), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    rpc.services[0].runner = rpc_runner_over(memory, &rpc.config.limits, rpc.counters);
    return &rpc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rpc *rpc = rpc_without_threads();
    struct service *service = &rpc->services[0];
    const bool is_websocket = size > 0 && (data[0] & 1) != 0;
    struct task *task = rpc_task_begin(rpc, service, 5, is_websocket,
                                       bytes_slice((struct bytes){data, size}, 1, size));
    if (task != NULL) {
        if (task->response != NULL) {
            json_t *answer = json_loadb((const char *)task->response, task->response_bytes,
                                        JSON_DECODE_ANY, NULL);
            CHECK(answer != NULL); /* whatever comes in, what goes out is JSON */
            json_decref(answer);
        }
        rpc_task_free(task);
    }
    rpc_subscriptions_session_closed(rpc, 5);
    for (size_t i = 0; i < RPC_SUBMITS_MAX && rpc->waiting_count > 0; i++) {
        if (!rpc->waiting[i].is_used) continue;
        rpc->waiting[i].is_used = false;
        rpc->waiting_count -= 1;
        rpc_task_free(rpc->waiting[i].task);
    }
    return 0;
}
