#pragma once
/* Reading request bodies: one call, or a batch of them.
 *
 * Nearly all bodies have one plain form: the four members in any order, an id that is a number or a
 * string without escapes.  Those are read where they stand, without building a tree; only
 * parameters that are there become one (jansson's).  A body with anything else in it is read by
 * jansson as a whole, which also decides what is no JSON; the two ways agree wherever both can
 * read. */
#include <jansson.h>

#include "base/bytes.h"

/* An id whose text is longer is answered as null. */
#define REQUEST_ID_BYTES_MAX 1024

struct method;

/* One call as it was sent, and its answer. */
struct request {
    struct bytes id;             /* JSON text; empty: none was sent */
    struct bytes name;           /* of the method */
    const struct method *method; /* NULL: there is none of that name */
    json_t *params;              /* array; NULL: none.  Owned. */
    const char *fault;           /* why this is no call; NULL: it is one */
    bool is_notification;        /* gets no answer */
    uint8_t *id_memory;          /* malloc'd, when the id had to be written anew */
    /* The answer, once it is there: a whole response object. */
    uint8_t *text;
    size_t text_bytes;
    bool is_text_owned; /* malloc'd for this answer alone */
    bool is_in_runner;  /* or written where the calls ran */
};

enum requests_verdict {
    REQUESTS_READ,
    REQUESTS_MALFORMED,
    REQUESTS_TOO_DEEP,
    REQUESTS_EMPTY_BATCH,
    REQUESTS_TOO_MANY,
};

struct requests {
    bool is_batch;
    size_t count;
    struct request *list;
    struct request single; /* what `list` is when there is room for one only */
    size_t capacity;
    json_t *root; /* of bodies that jansson read; the names are in there */
};

struct requests_limits {
    unsigned depth_max;
    size_t calls_max;
};

/* requests_read reads `body`, which `out` points into until requests_free.  Brackets nested deeper
 * than depth_max and batches of more than calls_max are refused before they cost anything; a call
 * that is JSON and yet no call is not refused but has a `fault`.  Whatever the verdict,
 * requests_free takes it apart.  `out` may not be moved: it may point into itself. */
enum requests_verdict requests_read(struct bytes body, const struct requests_limits *limits,
                                    struct requests *out);
void requests_free(struct requests *requests);
