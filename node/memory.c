#include "node/memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include "base/check.h"

#define PAGE_BYTES       4096u /* the least that systems have; a larger page is refused and stays */
#define MAPPED_BYTES_MIN (1 << 20)

void memory_settle(void) {
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
    (void)mallopt(M_TRIM_THRESHOLD, MAPPED_BYTES_MIN);
}

void memory_give_back(const struct stretch *stretches, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const size_t skip = -(uintptr_t)stretches[i].data % PAGE_BYTES;
        if (stretches[i].size < skip + PAGE_BYTES) continue;
        const size_t size = (stretches[i].size - skip) / PAGE_BYTES * PAGE_BYTES;
        (void)madvise(stretches[i].data + skip, size, MADV_DONTNEED);
    }
}
