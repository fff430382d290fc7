#include "pages/pages.h"

#include <sys/mman.h>

#include "base/check.h"

#define PAGE_BYTES 4096u

void *pages_reserve(size_t size) {
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void pages_forget(void *pages, size_t keep, size_t size) {
    const size_t from = (keep + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    const size_t to = (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    if (from < to) CHECK(madvise((uint8_t *)pages + from, to - from, MADV_DONTNEED) == 0);
}

void pages_release(void *pages, size_t size) {
    if (pages != NULL) CHECK(munmap(pages, size) == 0);
}

struct buffer pages_buffer(size_t size) {
    return buffer_over(pages_reserve(size), size);
}

void pages_rewind(struct buffer *buffer, size_t keep) {
    if (buffer->size > keep) pages_forget(buffer->data, keep, buffer->capacity);
    buffer->size = 0;
    buffer->overflow = false;
}
