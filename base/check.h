#pragma once
/* CHECK: what must be true unless Baton itself has a bug.  It stays on in release builds, because a
 * sequencer that goes on with a broken invariant signs wrong blocks.  Bytes that a client, peer,
 * contract, DA layer or file chose are never CHECKed: they get a verdict or an error. */

/* CHECK aborts the process with file, line and the condition's text when `condition` is false.
 * One condition each, no side effects inside. */
#define CHECK(condition)                                                                           \
    (__builtin_expect(!(condition), 0) ? check_failed(#condition, __FILE__, __LINE__) : (void)0)

/* check_failed prints the failed condition to standard error and aborts.  Any thread. */
_Noreturn void check_failed(const char *condition, const char *file, int line);

#define MUST_USE __attribute__((warn_unused_result))
