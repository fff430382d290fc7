#pragma once
/* A small HTTP client for commands that ask many nodes at once: `baton testnet`, `baton monitor`.
 *
 * A list of requests is performed together, each with one time limit; connections stay open for the
 * next list.  Environment settings of proxies are ignored, as nodes are asked directly.  Answers go
 * into memory of the caller, bounded: a longer one counts as none.  One thread. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HTTP_URL_BYTES 512

struct http;

struct http_request {
    char url[HTTP_URL_BYTES];
    const char *body; /* JSON, sent by POST; NULL: GET */
    char *answer;     /* the caller's, answer_bytes_max and one for the end */
    size_t answer_bytes_max;
    size_t answer_bytes; /* out; `answer` is ended by 0 */
    long status;         /* out: HTTP status; 0: no whole answer came */
};

/* http_create makes a client.  ERR_MEMORY. */
MUST_USE enum err http_create(struct http **out);
/* http_destroy closes its connections; NULL is fine. */
void http_destroy(struct http *http);

/* http_run performs all requests and returns when each has its answer or `timeout_ms` is over. */
void http_run(struct http *http, struct http_request *requests, size_t count, uint64_t timeout_ms);
