#include "workloads/workload.h"

extern const struct workload workload_evm; /* workload_evm.c */

static const struct workload *const workloads[] = {
    &workload_evm,
};
#define WORKLOADS_COUNT (sizeof workloads / sizeof workloads[0])

const struct workload *workload_by_kind(uint8_t kind) {
    for (size_t i = 0; i < WORKLOADS_COUNT; i++) {
        if (workloads[i]->kind == kind) return workloads[i];
    }
    return NULL;
}
