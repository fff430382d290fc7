#pragma once
/* Pages of the system: address space that is reserved at boot, and costs memory only where it is
 * touched.  What is reserved reads as zeros. */
#include "base/bytes.h"

/* pages_reserve reserves `size` bytes; NULL when the system refuses. */
void *pages_reserve(size_t size);
/* pages_forget gives the whole pages of [keep, size) back to the system; they read as zeros again.
 * pages_release gives back all of what was reserved; NULL is fine. */
void pages_forget(void *pages, size_t keep, size_t size);
void pages_release(void *pages, size_t size);

/* pages_buffer is an empty buffer over reserved pages; its data is NULL when the system refuses.
 * pages_rewind empties it, and gives back what lies behind `keep` bytes after more were used. */
struct buffer pages_buffer(size_t size);
void pages_rewind(struct buffer *buffer, size_t keep);
