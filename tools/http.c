#include "tools/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_KEPT_MAX 256L

struct http {
    CURLM *multi;
    struct curl_slist *headers;
};

enum err http_create(struct http **out) {
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL) return ERR_MEMORY;
    http->multi = curl_multi_init();
    http->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (http->multi == NULL || http->headers == NULL ||
        curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT_MAX) != CURLM_OK) {
        http_destroy(http);
        return ERR_MEMORY;
    }
    *out = http;
    return ERR_OK;
}

void http_destroy(struct http *http) {
    if (http == NULL) return;
    if (http->multi != NULL) curl_multi_cleanup(http->multi);
    curl_slist_free_all(http->headers);
    free(http);
}

static size_t receive(char *data, size_t size, size_t count, void *context) {
    struct http_request *request = context;
    const size_t bytes = size * count;
    if (bytes > request->answer_bytes_max - request->answer_bytes) return 0;
    memcpy(request->answer + request->answer_bytes, data, bytes);
    request->answer_bytes += bytes;
    request->answer[request->answer_bytes] = '\0';
    return bytes;
}

/* prepare makes curl's form of a request; NULL without memory. */
static CURL *prepare(struct http *http, struct http_request *request, uint64_t timeout_ms) {
    CURL *curl = curl_easy_init();
    if (curl == NULL) return NULL;
    bool ok = curl_easy_setopt(curl, CURLOPT_URL, request->url) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_PRIVATE, request) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_WRITEDATA, request) == CURLE_OK;
    if (request->body != NULL) {
        ok &= curl_easy_setopt(curl, CURLOPT_HTTPHEADER, http->headers) == CURLE_OK;
        ok &= curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body) == CURLE_OK;
    }
    if (ok) return curl;
    curl_easy_cleanup(curl);
    return NULL;
}

/* take_finished notes the status of every request that is done. */
static void take_finished(struct http *http) {
    int waiting;
    for (CURLMsg *message = curl_multi_info_read(http->multi, &waiting); message != NULL;
         message = curl_multi_info_read(http->multi, &waiting)) {
        struct http_request *request = NULL;
        if (message->msg != CURLMSG_DONE || message->data.result != CURLE_OK) continue;
        if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request) !=
            CURLE_OK) {
            continue;
        }
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &request->status);
    }
}

void http_run(struct http *http, struct http_request *requests, size_t count, uint64_t timeout_ms) {
    CURL **handles = calloc(count + 1, sizeof *handles);
    for (size_t i = 0; i < count; i++) {
        requests[i].status = 0;
        requests[i].answer_bytes = 0;
        requests[i].answer[0] = '\0';
        if (handles == NULL) continue;
        handles[i] = prepare(http, &requests[i], timeout_ms);
        if (handles[i] != NULL) (void)curl_multi_add_handle(http->multi, handles[i]);
    }
    int running = handles != NULL ? 1 : 0;
    while (running > 0) {
        if (curl_multi_perform(http->multi, &running) != CURLM_OK) break;
        take_finished(http);
        if (running > 0) (void)curl_multi_poll(http->multi, NULL, 0, 100, NULL);
    }
    for (size_t i = 0; i < count && handles != NULL; i++) {
        if (handles[i] == NULL) continue;
        (void)curl_multi_remove_handle(http->multi, handles[i]);
        curl_easy_cleanup(handles[i]);
    }
    free(handles);
}
