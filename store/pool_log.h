#pragma once
/* The pool's log: what waits to be ordered, kept through the end of the process.
 *
 * Items are appended when the pool takes them, and are with the operating system before anybody
 * hears of it: a kill -9 of all nodes at once loses none.  (Nothing waits for the disk here: what a
 * machine without power forgets, the others hold.)  Of two files one is written to; when it has
 * grown, what the pool still holds is written to the other one and takes its place.  A process that
 * ends in between leaves both, and both are read.
 *
 * A file is "baton pool 1\n" and a generation (8 bytes), then for each item its size (4 bytes), the
 * first 8 bytes of keccak256 of what follows, the kind (1 byte) and the encoding; numbers are
 * big-endian.  Reading ends where a record is not whole.  One thread at a time. */
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#define POOL_LOG_BYTES_MIN  ((uint64_t)8 << 20)   /* never begun anew before this size */
#define POOL_LOG_BYTES_MAX  ((uint64_t)512 << 20) /* more is not read */
#define POOL_LOG_ITEM_BYTES (160u << 10)          /* of one item, at most */

struct pool_log;

/* pool_log_open opens or makes `pool-0` and `pool-1` in `directory` (mode 0600).  A file that is
 * not such a log counts as empty.  `error` (512 bytes) gets a line that names the path.
 * ERR_MEMORY, ERR_PERMISSION, ERR_DISK_FULL, ERR_STORAGE. */
MUST_USE enum err pool_log_open(const char *directory, struct pool_log **out, char *error);
/* pool_log_close hands over what is buffered and closes; NULL is allowed. */
void pool_log_close(struct pool_log *log);

/* pool_log_read visits what was there when the log was opened, older items first; views die with
 * the visit, and an item may come twice.  ERR_STORAGE: a file cannot be read. */
MUST_USE enum err pool_log_read(struct pool_log *log, void *context,
                                void (*visit)(void *context, uint8_t kind, struct bytes encoded));

/* pool_log_next takes the record at the front of `rest`: views of its kind and encoding.  false:
 * there is no whole one.  Pure. */
bool pool_log_next(struct bytes *rest, uint8_t *kind, struct bytes *encoded);

/* pool_log_append takes an item; it is safe once pool_log_flush has returned ERR_OK.  Longer ones
 * than POOL_LOG_ITEM_BYTES are left out.  pool_log_flush: ERR_DISK_FULL, ERR_STORAGE: what came
 * since the last flush is left out. */
void pool_log_append(struct pool_log *log, uint8_t kind, struct bytes encoded);
MUST_USE enum err pool_log_flush(struct pool_log *log);

/* pool_log_is_grown says that the log should begin anew: pool_log_begin, then pool_log_append of
 * all that the pool holds, then pool_log_settle, which lets go of the former file.  Errors as of
 * flush; both files are kept then, and the log has grown again only when it is twice as long. */
bool pool_log_is_grown(const struct pool_log *log);
MUST_USE enum err pool_log_begin(struct pool_log *log);
MUST_USE enum err pool_log_settle(struct pool_log *log);
