#pragma once
/* Answers of a DA node: bytes that somebody else chose, read strictly where it matters and
 * leniently where nodes are known to differ (null for "no blobs" or `blob: not found`; heights as
 * numbers or as strings, in the header or beside it).
 *
 * Every function takes a whole HTTP body with status 200.  ERR_ENCODING: it is not an answer to our
 * request.  ERR_REFUSED: it holds an error, whose text goes to `error` (DA_ERROR_BYTES, may be
 * NULL). ERR_TIMEOUT: it holds an error that leaves it open whether the blob landed.  ERR_LIMIT: it
 * has more values than we have memory for.  Pure but for malloc. */
#include "base/bytes.h"
#include "base/err.h"
#include "da/da.h"

#define DA_ERROR_BYTES 256

/* da_answer_submit reads blob.Submit's height. */
MUST_USE enum err da_answer_submit(struct bytes body, uint64_t id, uint64_t *height, char *error);

/* da_answer_blob reads blob.Get's blob into `out` and checks namespace and commitment.
 * ERR_NOT_FOUND: the node has none.  ERR_MISMATCH: it is another blob.  ERR_LIMIT: out is too
 * small. */
MUST_USE enum err da_answer_blob(struct bytes body, uint64_t id, const struct da_namespace *ns,
                                 const struct hash32 *commitment, struct buffer *out, char *error);

/* da_answer_blobs visits all blobs of blob.GetAll that are of `ns`; `scratch` holds one at a time.
 * Errors of `visit` are passed on. */
MUST_USE enum err da_answer_blobs(struct bytes body, uint64_t id, const struct da_namespace *ns,
                                  struct buffer *scratch, void *context,
                                  enum err (*visit)(void *context, struct bytes blob), char *error);

/* da_answer_head reads the height of header.LocalHead's header. */
MUST_USE enum err da_answer_head(struct bytes body, uint64_t id, uint64_t *height, char *error);

/* da_error_write puts a line for people into `error` (DA_ERROR_BYTES; NULL: nothing happens). */
void da_error_write(char *error, const char *text);
