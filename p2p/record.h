#pragma once
/* Sealing and opening of single records; session.h says what a record is. */
#include "p2p/session.h"

/* p2p_record_seal appends the record of `kind` and `payload` and advances the cipher. */
void p2p_record_seal(struct p2p_cipher *cipher, uint8_t kind, struct bytes payload,
                     struct buffer *out);

/* p2p_record_open opens the record at the front of `data` in place.
 * ERR_TRUNCATED: not whole yet.  ERR_LIMIT: its size is out of range.  ERR_SIGNATURE: it does not
 * authenticate under the cipher's next number.  Outputs and cipher change on ERR_OK only. */
MUST_USE enum err p2p_record_open(struct p2p_cipher *cipher, uint8_t *data, size_t size,
                                  size_t *consumed, struct p2p_record *record);
