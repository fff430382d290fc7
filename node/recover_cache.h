#pragma once
/* Remembers who signed what, so that a signature which comes again costs no second recovery.
 *
 * Votes come up to three times: as they are cast, again while a round lasts, and inside the commit
 * of the next block; recovering one takes as long as everything else that is done with it.  An
 * entry holds the whole digest and signature, so a remembered answer is the one that recovering
 * would give; which entry makes room for which depends on bytes that others choose, and costs at
 * most the recovery that it would have cost anyway.  Refusals are not remembered.  Any thread. */
#include "base/err.h"
#include "consensus/signing.h"

struct recover_cache;

/* recover_cache_create remembers up to RECOVER_CACHE_ENTRIES signatures.  ERR_MEMORY. */
#define RECOVER_CACHE_ENTRIES 4096
MUST_USE enum err recover_cache_create(struct recover_cache **out);
/* recover_cache_destroy is called when nobody uses its recoverer any more; NULL is fine. */
void recover_cache_destroy(struct recover_cache *cache);

/* recover_cache_recoverer is the recoverer that asks the cache first and `inner` otherwise. */
struct recoverer recover_cache_recoverer(struct recover_cache *cache, struct recoverer inner);
