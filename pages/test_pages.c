/* What is reserved, forgotten and kept. */
#include "pages/pages.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define SIZE ((size_t)1 << 20)

int main(void) {
    uint8_t *pages = pages_reserve(SIZE);
    CHECK(pages != NULL && pages[0] == 0 && pages[SIZE - 1] == 0);
    memset(pages, 0xaa, SIZE);
    pages_forget(pages, 5000, SIZE);
    CHECK(pages[0] == 0xaa && pages[8191] == 0xaa && pages[8192] == 0 && pages[SIZE - 1] == 0);
    pages_forget(pages, SIZE, SIZE);
    pages_forget(pages, 0, 1);
    CHECK(pages[0] == 0 && pages[4096] == 0xaa);
    pages_release(pages, SIZE);
    pages_release(NULL, SIZE);
    CHECK(pages_reserve(SIZE_MAX / 2) == NULL);

    struct buffer buffer = pages_buffer(SIZE);
    CHECK(buffer.data != NULL && buffer.size == 0 && buffer.capacity == SIZE);
    memset(buffer.data, 0xbb, SIZE);
    buffer.size = 4096;
    pages_rewind(&buffer, 4096);
    CHECK(buffer.size == 0 && buffer.data[4096] == 0xbb);
    buffer.size = 4097;
    buffer.overflow = true;
    pages_rewind(&buffer, 4096);
    CHECK(buffer.size == 0 && !buffer.overflow);
    CHECK(buffer.data[4095] == 0xbb && buffer.data[4096] == 0 && buffer.data[SIZE - 1] == 0);
    pages_release(buffer.data, SIZE);
    puts("pages: ok");
    return 0;
}
