#include "l1/endpoint.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "pages/pages.h"

#define BACKOFF_MS_MIN 1000
#define BACKOFF_MS_MAX 10000
#define KEEP_BYTES     (256u << 10)

struct endpoint {
    char url[L1_URL_BYTES];
    char name[L1_URL_BYTES];
    uint64_t retry_at_ms, backoff_ms;
};

struct l1_endpoints {
    CURL *curl;
    struct curl_slist *headers;
    uint64_t timeout_ms;
    size_t count;
    struct endpoint endpoints[L1_ENDPOINTS_MAX];
    struct buffer request, answer; /* reserved pages */
    struct json_writer writer;
    uint64_t next_id, first_id; /* of the batch */
    uint64_t requests_count;
    struct json_t *root; /* of the last answer; NULL: none */
    atomic_bool is_aborted;
    bool (*is_interrupted)(const void *context); /* NULL: never */
    const void *interrupt_context;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static void init_curl(void) {
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

static size_t on_body(char *data, size_t unit, size_t count, void *context) {
    struct buffer *answer = context;
    buffer_append(answer, (struct bytes){(const uint8_t *)data, unit * count});
    return answer->overflow ? 0 : unit * count; /* 0 ends the transfer */
}

static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up) {
    (void)down_total, (void)down, (void)up_total, (void)up;
    const struct l1_endpoints *endpoints = context;
    if (endpoints->is_interrupted != NULL &&
        endpoints->is_interrupted(endpoints->interrupt_context)) {
        return 1;
    }
    return atomic_load(&endpoints->is_aborted) ? 1 : 0;
}

/* make_name keeps scheme, host and port: keys of providers stand in paths and user parts. */
static void make_name(struct endpoint *endpoint) {
    const char *scheme_end = strstr(endpoint->url, "://");
    const char *host = scheme_end == NULL ? endpoint->url : scheme_end + 3;
    const size_t host_bytes = strcspn(host, "/?#");
    const char *at = memchr(host, '@', host_bytes);
    const char *shown = at == NULL ? host : at + 1;
    (void)snprintf(endpoint->name, sizeof endpoint->name, "%.*s%.*s", (int)(host - endpoint->url),
                   endpoint->url, (int)(host + host_bytes - shown), shown);
}

static enum err set_options(struct l1_endpoints *endpoints) {
    CURL *curl = endpoints->curl;
    bool ok = true;
    ok &= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_HTTPHEADER, endpoints->headers) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_WRITEDATA, &endpoints->answer) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_XFERINFODATA, endpoints) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)endpoints->timeout_ms) == CURLE_OK;
    ok &=
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)endpoints->timeout_ms) == CURLE_OK;
    return ok ? ERR_OK : ERR_SYSTEM;
}

enum err l1_endpoints_create(const struct l1_config *config, struct l1_endpoints **out) {
    CHECK(pthread_once(&curl_once, init_curl) == 0);
    CHECK(config->endpoints_count <= L1_ENDPOINTS_MAX);
    struct l1_endpoints *endpoints = calloc(1, sizeof *endpoints);
    if (endpoints == NULL) return ERR_MEMORY;
    enum err err = config->endpoints_count > 0 ? ERR_OK : ERR_CONFIG;
    endpoints->timeout_ms = config->timeout_ms == 0 ? 5000 : config->timeout_ms;
    endpoints->next_id = 1;
    endpoints->count = config->endpoints_count;
    endpoints->is_interrupted = config->is_interrupted;
    endpoints->interrupt_context = config->interrupt_context;
    for (size_t i = 0; i < endpoints->count; i++) {
        struct endpoint *endpoint = &endpoints->endpoints[i];
        if (strlen(config->endpoints[i]) >= L1_URL_BYTES) err = ERR_CONFIG;
        (void)snprintf(endpoint->url, sizeof endpoint->url, "%s", config->endpoints[i]);
        make_name(endpoint);
        endpoint->backoff_ms = BACKOFF_MS_MIN;
    }
    endpoints->request = pages_buffer(L1_REQUEST_BYTES_MAX);
    endpoints->answer = pages_buffer(L1_ANSWER_BYTES_MAX);
    endpoints->headers = curl_slist_append(NULL, "Content-Type: application/json");
    endpoints->curl = curl_easy_init();
    if (err == ERR_OK && (endpoints->request.data == NULL || endpoints->answer.data == NULL ||
                          endpoints->headers == NULL || endpoints->curl == NULL)) {
        err = ERR_MEMORY;
    }
    if (err == ERR_OK) err = set_options(endpoints);
    if (err != ERR_OK) {
        l1_endpoints_destroy(endpoints);
        return err;
    }
    *out = endpoints;
    return ERR_OK;
}

void l1_endpoints_destroy(struct l1_endpoints *endpoints) {
    if (endpoints->root != NULL) l1_answers_close(endpoints->root);
    if (endpoints->curl != NULL) curl_easy_cleanup(endpoints->curl);
    curl_slist_free_all(endpoints->headers);
    pages_release(endpoints->request.data, endpoints->request.capacity);
    pages_release(endpoints->answer.data, endpoints->answer.capacity);
    free(endpoints);
}

void l1_endpoints_abort(struct l1_endpoints *endpoints) {
    atomic_store(&endpoints->is_aborted, true);
}

int l1_endpoints_choose(const struct l1_endpoints *endpoints, uint64_t now_ms) {
    for (size_t i = 0; i < endpoints->count; i++) {
        if (now_ms >= endpoints->endpoints[i].retry_at_ms) return (int)i;
    }
    return -1;
}

void l1_endpoints_failed(struct l1_endpoints *endpoints, int index, uint64_t now_ms) {
    struct endpoint *endpoint = &endpoints->endpoints[index];
    endpoint->retry_at_ms = now_ms + endpoint->backoff_ms;
    endpoint->backoff_ms *= 2;
    if (endpoint->backoff_ms > BACKOFF_MS_MAX) endpoint->backoff_ms = BACKOFF_MS_MAX;
}

void l1_endpoints_succeeded(struct l1_endpoints *endpoints, int index) {
    endpoints->endpoints[index].backoff_ms = BACKOFF_MS_MIN;
}

const char *l1_endpoints_name(const struct l1_endpoints *endpoints, int index) {
    return endpoints->endpoints[index].name;
}

void l1_batch_begin(struct l1_endpoints *endpoints) {
    if (endpoints->root != NULL) l1_answers_close(endpoints->root);
    endpoints->root = NULL;
    pages_rewind(&endpoints->answer, KEEP_BYTES);
    pages_rewind(&endpoints->request, KEEP_BYTES);
    endpoints->first_id = endpoints->next_id;
    endpoints->writer = json_over(&endpoints->request);
    json_array_begin(&endpoints->writer);
}

struct json_writer *l1_call_begin(struct l1_endpoints *endpoints, const char *method) {
    struct json_writer *json = &endpoints->writer;
    json_object_begin(json);
    json_key(json, "jsonrpc");
    json_write_string(json, "2.0");
    json_key(json, "id");
    json_number_u64(json, endpoints->next_id);
    json_key(json, "method");
    json_write_string(json, method);
    json_key(json, "params");
    json_array_begin(json);
    return json;
}

size_t l1_call_end(struct l1_endpoints *endpoints) {
    json_array_end(&endpoints->writer);
    json_object_end(&endpoints->writer);
    return (size_t)(endpoints->next_id++ - endpoints->first_id);
}

size_t l1_call_contract(struct l1_endpoints *endpoints, const struct address *to, struct bytes data,
                        const struct hash32 *block) {
    struct json_writer *json = l1_call_begin(endpoints, "eth_call");
    json_object_begin(json);
    json_key(json, "to");
    json_address(json, to);
    json_key(json, "data");
    json_data(json, data);
    json_object_end(json);
    json_object_begin(json);
    json_key(json, "blockHash");
    json_hash(json, block);
    json_object_end(json);
    return l1_call_end(endpoints);
}

static enum err transfer(struct l1_endpoints *endpoints, int index, char error[L1_ERROR_BYTES]) {
    CURL *curl = endpoints->curl;
    bool ok = true;
    ok &= curl_easy_setopt(curl, CURLOPT_URL, endpoints->endpoints[index].url) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_POSTFIELDS, endpoints->request.data) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                           (curl_off_t)endpoints->request.size) == CURLE_OK;
    CHECK(ok);
    endpoints->requests_count += 1;
    const CURLcode code = curl_easy_perform(curl);
    if (endpoints->answer.overflow) {
        (void)snprintf(error, L1_ERROR_BYTES, "the answer is longer than %u bytes",
                       L1_ANSWER_BYTES_MAX);
        return ERR_LIMIT;
    }
    if (code != CURLE_OK) {
        (void)snprintf(error, L1_ERROR_BYTES, "%s", curl_easy_strerror(code));
        return code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_NETWORK;
    }
    long status = 0;
    CHECK(curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
    if (status == 200) return ERR_OK;
    (void)snprintf(error, L1_ERROR_BYTES, "HTTP status %ld", status);
    return ERR_REFUSED;
}

enum err l1_batch_send(struct l1_endpoints *endpoints, int index, char error[L1_ERROR_BYTES]) {
    json_array_end(&endpoints->writer);
    if (endpoints->request.overflow) return ERR_LIMIT;
    TRY(transfer(endpoints, index, error));
    const enum err err = l1_answers_open(buffer_bytes(&endpoints->answer), &endpoints->root);
    if (err != ERR_OK) (void)snprintf(error, L1_ERROR_BYTES, "the answer is not JSON");
    return err;
}

enum err l1_batch_result(struct l1_endpoints *endpoints, size_t index, const struct json_t **result,
                         char error[L1_ERROR_BYTES]) {
    CHECK(endpoints->root != NULL);
    const enum err err =
        l1_answer_find(endpoints->root, endpoints->first_id + index, result, error);
    if (err == ERR_ENCODING) {
        (void)snprintf(error, L1_ERROR_BYTES, "the answer is not JSON-RPC to our call");
    }
    return err;
}

uint64_t l1_requests_count(const struct l1_endpoints *endpoints) {
    return endpoints->requests_count;
}
