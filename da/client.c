/* The client: one HTTP request at a time with libcurl, bodies in memory that was reserved at start.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "da/answer.h"
#include "da/base64.h"
#include "da/da.h"
#include "pages/pages.h"

#define REQUEST_BYTES_MAX ((DA_BLOB_BYTES_MAX + 2) / 3 * 4 + 4096u)
#define ANSWER_BYTES_MAX  (48u << 20) /* a whole block of one namespace in base64 */
#define KEEP_BYTES        (256u << 10)
#define TOKEN_BYTES_MAX   1024
#define URL_BYTES_MAX     512
#define CONNECT_MS_MAX    5000
/* What the other side does not acknowledge for so long the kernel gives up: nothing that we have
 * sent arrives later than this. */
#define UNACKED_MS_MAX 10000u

struct da_client {
    CURL *curl;
    struct curl_slist *headers;
    char url[URL_BYTES_MAX];
    uint64_t timeout_ms, submit_timeout_ms;
    uint64_t next_id;
    struct buffer request; /* reserved pages: only what is touched costs memory */
    size_t request_sent;
    uint64_t fence_ms; /* of the request under way */
    bool is_late;      /* its last bytes were held back */
    struct buffer answer;
    struct buffer blob;
    atomic_bool is_aborted;
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
    const struct da_client *client = context;
    return atomic_load(&client->is_aborted) ? 1 : 0;
}

uint64_t da_clock_ms(void) {
    struct timespec now;
    CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* on_send hands out the request's bytes, the last ones only before the fence: a node acts on no
 * half of a request. */
static size_t on_send(char *data, size_t unit, size_t count, void *context) {
    struct da_client *client = context;
    const size_t rest = client->request.size - client->request_sent;
    const size_t room = unit * count;
    const size_t size = rest < room ? rest : room;
    if (size == rest && da_clock_ms() >= client->fence_ms) {
        client->is_late = true;
        return CURL_READFUNC_ABORT;
    }
    memcpy(data, client->request.data + client->request_sent, size);
    client->request_sent += size;
    return size;
}

/* on_rewind: curl found a kept connection dead and sends the request again on a new one. */
static int on_rewind(void *context, curl_off_t offset, int origin) {
    struct da_client *client = context;
    if (origin != SEEK_SET || offset < 0 || (size_t)offset > client->request.size) {
        return CURL_SEEKFUNC_FAIL;
    }
    client->request_sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose) {
    (void)context, (void)purpose;
    const unsigned ms = UNACKED_MS_MAX;
    if (setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms) != 0) {
        return CURL_SOCKOPT_ERROR;
    }
    return CURL_SOCKOPT_OK;
}

/* read_token reads a bearer token.  ERR_NOT_FOUND, ERR_PERMISSION (others may read it), ERR_CONFIG.
 */
static enum err read_token(const char *path, char token[TOKEN_BYTES_MAX]) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == EACCES ? ERR_PERMISSION : ERR_NOT_FOUND;
    enum err err = ERR_PERMISSION;
    struct stat status;
    if (fstat(fd, &status) != 0 || (status.st_mode & 077) != 0) goto done;
    err = ERR_CONFIG;
    const ssize_t got = read(fd, token, TOKEN_BYTES_MAX - 1);
    if (got <= 0) goto done;
    size_t size = 0;
    while (size < (size_t)got && token[size] > ' ' && token[size] <= '~')
        size += 1;
    token[size] = 0;
    if (size > 0) err = ERR_OK;
done:
    (void)close(fd);
    return err;
}

static enum err make_headers(struct da_client *client, const char *token_file) {
    client->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (client->headers == NULL) return ERR_MEMORY;
    struct curl_slist *with_expect = curl_slist_append(client->headers, "Expect:");
    if (with_expect == NULL) return ERR_MEMORY;
    if (token_file == NULL) return ERR_OK;
    char token[TOKEN_BYTES_MAX];
    TRY(read_token(token_file, token));
    char line[TOKEN_BYTES_MAX + 32];
    (void)snprintf(line, sizeof line, "Authorization: Bearer %s", token);
    return curl_slist_append(client->headers, line) == NULL ? ERR_MEMORY : ERR_OK;
}

static enum err set_options(struct da_client *client) {
    bool ok = true;
    ok &= curl_easy_setopt(client->curl, CURLOPT_URL, client->url) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, client->headers) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &client->answer) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_POST, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_READFUNCTION, on_send) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_READDATA, client) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_SEEKFUNCTION, on_rewind) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_SEEKDATA, client) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_SOCKOPTFUNCTION, on_socket) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_XFERINFODATA, client) == CURLE_OK;
    return ok ? ERR_OK : ERR_CONFIG;
}

enum err da_client_create(const struct da_client_config *config, struct da_client **out) {
    CHECK(pthread_once(&curl_once, init_curl) == 0);
    if (strlen(config->url) >= URL_BYTES_MAX) return ERR_CONFIG;
    struct da_client *client = calloc(1, sizeof *client);
    if (client == NULL) return ERR_MEMORY;
    (void)snprintf(client->url, sizeof client->url, "%s", config->url);
    client->timeout_ms = config->timeout_ms;
    client->submit_timeout_ms = config->submit_timeout_ms;
    client->next_id = 1;
    client->request = pages_buffer(REQUEST_BYTES_MAX);
    client->answer = pages_buffer(ANSWER_BYTES_MAX);
    client->blob = pages_buffer(DA_BLOB_BYTES_MAX + 4);
    client->curl = curl_easy_init();
    enum err err = ERR_MEMORY;
    if (client->curl != NULL && client->request.data != NULL && client->answer.data != NULL &&
        client->blob.data != NULL) {
        err = make_headers(client, config->token_file);
    }
    if (err == ERR_OK) err = set_options(client);
    if (err != ERR_OK) {
        da_client_destroy(client);
        return err;
    }
    *out = client;
    return ERR_OK;
}

void da_client_destroy(struct da_client *client) {
    if (client->curl != NULL) curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->headers);
    pages_release(client->request.data, client->request.capacity);
    pages_release(client->answer.data, client->answer.capacity);
    pages_release(client->blob.data, client->blob.capacity);
    free(client);
}

void da_client_abort(struct da_client *client) {
    atomic_store(&client->is_aborted, true);
}

static void add_text(struct buffer *out, const char *text) {
    buffer_append(out, bytes_from_string(text));
}
static void add_number(struct buffer *out, uint64_t number) {
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    add_text(out, text);
}
static void add_base64(struct buffer *out, struct bytes in) {
    add_text(out, "\"");
    da_base64_write(out, in);
    add_text(out, "\"");
}

/* begin starts a request and returns its id; the caller appends the parameters and the end. */
static uint64_t begin(struct da_client *client, const char *method) {
    pages_rewind(&client->request, KEEP_BYTES);
    client->fence_ms = DA_FENCE_NONE;
    const uint64_t id = client->next_id++;
    add_text(&client->request, "{\"jsonrpc\":\"2.0\",\"id\":");
    add_number(&client->request, id);
    add_text(&client->request, ",\"method\":\"");
    add_text(&client->request, method);
    add_text(&client->request, "\",\"params\":[");
    return id;
}

static enum err http_error(long status, char *error) {
    char line[64];
    (void)snprintf(line, sizeof line, "HTTP status %ld", status);
    da_error_write(error, line);
    switch (status) {
    case 401:
    case 403:
    case 404:
    case 429:
    case 503: return ERR_REFUSED;
    default: return ERR_NETWORK; /* whatever was behind it may have happened */
    }
}

/* perform sends the request.  Go's JSON-RPC answers protocol errors with status 500 or 400. */
static enum err perform(struct da_client *client, uint64_t timeout_ms, char *error) {
    add_text(&client->request, "]}");
    if (client->request.overflow) return ERR_LIMIT;
    pages_rewind(&client->answer, KEEP_BYTES);
    const uint64_t connect_ms = timeout_ms < CONNECT_MS_MAX ? timeout_ms : CONNECT_MS_MAX;
    bool ok = true;
    client->request_sent = 0;
    client->is_late = false;
    ok &= curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                           (curl_off_t)client->request.size) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK;
    ok &= curl_easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms) == CURLE_OK;
    CHECK(ok);
    const CURLcode code = curl_easy_perform(client->curl);
    if (code != CURLE_OK) {
        const bool too_long = client->answer.overflow;
        if (client->is_late) {
            da_error_write(error, "the head was read too long ago");
            return ERR_STOPPED;
        }
        da_error_write(error, too_long ? "the answer is too long" : curl_easy_strerror(code));
        if (too_long) return ERR_LIMIT;
        return code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_NETWORK;
    }
    long status = 0;
    CHECK(curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
    return status == 200 ? ERR_OK : http_error(status, error);
}

enum err da_submit(struct da_client *client, const struct da_namespace *ns, struct bytes blob,
                   uint64_t fence_ms, uint64_t *height, char *error) {
    CHECK(blob.size > 0 && blob.size <= DA_BLOB_BYTES_MAX);
    const struct hash32 commitment = da_commitment(ns, blob);
    const uint64_t id = begin(client, "blob.Submit");
    client->fence_ms = fence_ms;
    struct buffer *request = &client->request;
    add_text(request, "[{\"namespace\":");
    add_base64(request, BYTES_OF(ns->bytes));
    add_text(request, ",\"data\":");
    add_base64(request, blob);
    add_text(request, ",\"share_version\":0,\"commitment\":");
    add_base64(request, BYTES_OF(commitment.bytes));
    add_text(request, ",\"index\":-1}],{}");
    TRY(perform(client, client->submit_timeout_ms, error));
    const enum err err = da_answer_submit(buffer_bytes(&client->answer), id, height, error);
    return err == ERR_ENCODING ? ERR_NETWORK : err; /* who knows what it did */
}

enum err da_get(struct da_client *client, uint64_t height, const struct da_namespace *ns,
                const struct hash32 *commitment, struct buffer *out, char *error) {
    const uint64_t id = begin(client, "blob.Get");
    add_number(&client->request, height);
    add_text(&client->request, ",");
    add_base64(&client->request, BYTES_OF(ns->bytes));
    add_text(&client->request, ",");
    add_base64(&client->request, BYTES_OF(commitment->bytes));
    TRY(perform(client, client->timeout_ms, error));
    return da_answer_blob(buffer_bytes(&client->answer), id, ns, commitment, out, error);
}

enum err da_get_all(struct da_client *client, uint64_t height, const struct da_namespace *ns,
                    void *context, enum err (*visit)(void *context, struct bytes blob),
                    char *error) {
    const uint64_t id = begin(client, "blob.GetAll");
    add_number(&client->request, height);
    add_text(&client->request, ",[");
    add_base64(&client->request, BYTES_OF(ns->bytes));
    add_text(&client->request, "]");
    TRY(perform(client, client->timeout_ms, error));
    pages_rewind(&client->blob, KEEP_BYTES);
    return da_answer_blobs(buffer_bytes(&client->answer), id, ns, &client->blob, context, visit,
                           error);
}

enum err da_head(struct da_client *client, uint64_t *height, char *error) {
    const uint64_t id = begin(client, "header.LocalHead");
    TRY(perform(client, client->timeout_ms, error));
    return da_answer_head(buffer_bytes(&client->answer), id, height, error);
}
