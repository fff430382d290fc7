/* Requests to the DA server: any JSON gets an answer, and blocks can be made of whatever passes. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "da/service.h"

#define INPUTS_PER_BLOCK 256

static char dir[] = "/tmp/baton-fuzz-da-XXXXXX";

static void on_reply(void *context, struct da_slot slot, json_t *answer) {
    (void)context;
    CHECK(slot.serial <= 1);
    CHECK(json_object_get(answer, "result") != NULL || json_object_get(answer, "error") != NULL);
    json_decref(answer);
}

static void remove_dir(void) {
    char path[64];
    (void)snprintf(path, sizeof path, "%s/blocks.log", dir);
    (void)unlink(path);
    (void)rmdir(dir);
}

static struct da_service *start(void) {
    CHECK(mkdtemp(dir) != NULL);
    const struct da_service_config config = {.dir = dir,
                                             .chain_id = "fuzz",
                                             .block_time_ms = 1000,
                                             .has_faults = true,
                                             .reply = on_reply};
    struct da_service *service = NULL;
    CHECK(da_service_create(&config, 0, &service) == ERR_OK);
    CHECK(atexit(remove_dir) == 0);
    return service;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct da_service *service;
    static uint64_t inputs_count;
    if (service == NULL) service = start();
    if (++inputs_count % INPUTS_PER_BLOCK == 0) da_service_tick(service, inputs_count);
    json_t *request = json_loadb((const char *)data, size, 0, NULL);
    if (request == NULL) return 0;
    (void)da_service_fault(service, request);
    const struct da_slot slot = {0, 1, 0};
    json_t *answer = NULL;
    unsigned status = 0;
    if (da_service_call(service, request, DA_PERMISSION_ADMIN, slot, &answer, &status) ==
        DA_OUTCOME_ANSWERED) {
        CHECK(answer != NULL && (status == 200 || status == 400 || status == 500));
        json_decref(answer);
    }
    json_decref(request);
    return 0;
}
