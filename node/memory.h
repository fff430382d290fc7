#pragma once
/* Memory of the process that has become spare. */
#include "base/arena.h"

/* memory_settle makes malloc give large pieces, such as answers to clients, back when they are
 * freed, instead of learning to keep them.  Once, before threads start. */
void memory_settle(void);

/* memory_give_back gives the whole pages of each stretch back to the system: they are resident no
 * longer, and read as zeros. */
void memory_give_back(const struct stretch *stretches, size_t count);
