#pragma once
/* RIPEMD-160 (Dobbertin, Bosselaers, Preneel, "RIPEMD-160, a strengthened version of RIPEMD",
 * 1996), the hash of the precompiled contract 0x03.  Internal to evm/. */
#include "base/bytes.h"

#define RIPEMD160_BYTES 20

/* ripemd160 writes the hash of `in`. */
void ripemd160(struct bytes in, uint8_t out[RIPEMD160_BYTES]);
