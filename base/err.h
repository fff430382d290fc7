#pragma once
/* enum err: what went wrong with our own machine (disk, limit, socket) or with bytes that cannot be
 * read at all.  Somebody's well-formed but unwelcome input is a `verdict` (verdict.h); our own bugs
 * are CHECKs (check.h).  Syscall and library codes are turned into these where they arise. */
#include "base/check.h"

/*    name          text */
#define ERR_LIST(X)                                                                                \
    X(OK, "ok")                                                                                    \
    X(TRUNCATED, "input ends too early")                                                           \
    X(ENCODING, "input is not encoded as it must be")                                              \
    X(LIMIT, "a limit is reached")                                                                 \
    X(MEMORY, "out of memory")                                                                     \
    X(NOT_FOUND, "not found")                                                                      \
    X(EXISTS, "exists already")                                                                    \
    X(STORAGE, "the database failed")                                                              \
    X(DISK_FULL, "the disk or the database's map is full")                                         \
    X(CORRUPT, "stored data is corrupt")                                                           \
    X(MISMATCH, "does not match what was expected")                                                \
    X(SIGNATURE, "signature is not valid")                                                         \
    X(NETWORK, "the network failed")                                                               \
    X(TIMEOUT, "timed out")                                                                        \
    X(REFUSED, "the other side refused")                                                           \
    X(ADDRESS_IN_USE, "address is in use")                                                         \
    X(PERMISSION, "permission is denied or too loose")                                             \
    X(SYSTEM, "the operating system failed")                                                       \
    X(CONFIG, "a setting is wrong")                                                                \
    X(STOPPED, "is shutting down")                                                                 \
    X(UNSUPPORTED, "is not supported")                                                             \
    X(SYNCING, "the state is being downloaded")

enum err {
#define X(name, text) ERR_##name,
    ERR_LIST(X)
#undef X
        ERR_COUNT
};

/* err_name returns the constant's name without its prefix ("TRUNCATED"); static storage. */
const char *err_name(enum err err);

/* err_text returns the sentence part for people ("input ends too early"); static storage. */
const char *err_text(enum err err);

/* TRY passes any error but ERR_OK up to the caller: the only macro that returns. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        const enum err try_err_ = (call);                                                          \
        if (__builtin_expect(try_err_ != ERR_OK, 0)) return try_err_;                              \
    } while (0)
