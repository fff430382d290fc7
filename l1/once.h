#pragma once
/* Asking L1 once, on the caller's thread: `baton init`, `baton join`, and what a start wants to
 * know (l1_check and l1_read of l1.h). */
#include "l1/reader.h"

/* One question: `ask` puts it to one endpoint, what it finds goes to `context`, and on an error
 * `error` may say more than its text. */
struct l1_question {
    enum err (*ask)(struct l1_reader *reader, int endpoint, void *context,
                    char error[L1_ERROR_BYTES]);
    void *context;
};

/* l1_once puts the question to one endpoint after the other until one answers; `error` is of the
 * last one, with its name before it. */
MUST_USE enum err l1_once(const struct l1_config *config, const struct l1_question *question,
                          char error[256]);
