#pragma once
/* The fields of snapshot messages, which message.c reads and writes like those of all others. */
#include "base/bytes.h"
#include "base/err.h"
#include "sequencer/message.h"

/* message_snapshot_read reads the fields of out->kind.  ERR_ENCODING, ERR_TRUNCATED; ERR_LIMIT: too
 * many pieces. */
MUST_USE enum err message_snapshot_read(struct bytes *in, struct message *out);
/* message_snapshot_write writes them. */
void message_snapshot_write(const struct message *message, struct buffer *out);
