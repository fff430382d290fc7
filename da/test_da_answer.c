/* Answers of a DA node: what strangers post into our namespace does not keep ours from being found.
 */
#include "da/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "da/base64.h"

static const struct da_namespace NS = {{[19] = 'a', 'n', 's', 'w', 'e', 'r'}};

struct seen {
    size_t count, bytes;
};

static enum err visit(void *context, struct bytes blob) {
    struct seen *seen = context;
    seen->count += 1;
    seen->bytes += blob.size;
    return ERR_OK;
}

static void add_text(struct buffer *out, const char *text) {
    buffer_append(out, bytes_from_string(text));
}

static void add_blob(struct buffer *out, const char *before, struct bytes data) {
    add_text(out, before);
    add_text(out, "{\"namespace\":\"");
    da_base64_write(out, BYTES_OF(NS.bytes));
    add_text(out, "\",\"data\":\"");
    da_base64_write(out, data);
    add_text(out, "\"}");
}

/* A blob that is longer than ours can be is passed over, and the others are visited. */
static void test_long_blob(void) {
    const size_t room_bytes = 4 * (size_t)DA_BLOB_BYTES_MAX;
    uint8_t *data = calloc(1, DA_BLOB_BYTES_MAX + 1), *room = malloc(room_bytes);
    uint8_t *scratch_room = malloc(DA_BLOB_BYTES_MAX + 4);
    CHECK(data != NULL && room != NULL && scratch_room != NULL);
    struct buffer body = buffer_over(room, room_bytes);
    struct buffer scratch = buffer_over(scratch_room, DA_BLOB_BYTES_MAX + 4);
    struct seen seen = {0, 0};
    char error[DA_ERROR_BYTES];
    add_text(&body, "{\"id\":3,\"result\":[");
    add_blob(&body, "", (struct bytes){data, 10});
    add_blob(&body, ",", (struct bytes){data, DA_BLOB_BYTES_MAX + 1});
    add_blob(&body, ",", (struct bytes){data, DA_BLOB_BYTES_MAX});
    add_text(&body, "]}");
    CHECK(!body.overflow);
    CHECK(da_answer_blobs(buffer_bytes(&body), 3, &NS, &scratch, &seen, visit, error) == ERR_OK);
    CHECK(seen.count == 2 && seen.bytes == 10 + DA_BLOB_BYTES_MAX);
    free(data);
    free(room);
    free(scratch_room);
}

/* An answer of nothing but brackets, as long as an answer may be, would take gigabytes. */
static void test_many_values(void) {
    const size_t room_bytes = 48u << 20;
    uint8_t *room = malloc(room_bytes);
    CHECK(room != NULL);
    struct buffer body = buffer_over(room, room_bytes);
    char error[DA_ERROR_BYTES] = "";
    uint64_t height = 0;
    add_text(&body, "{\"id\":3,\"result\":[[]");
    while (body.size + 8 < room_bytes)
        add_text(&body, ",[]");
    add_text(&body, "]}");
    CHECK(!body.overflow);
    CHECK(da_answer_head(buffer_bytes(&body), 3, &height, error) == ERR_LIMIT);
    CHECK(strstr(error, "too many values") != NULL);
    free(room);
}

int main(void) {
    test_long_blob();
    test_many_values();
    (void)puts("da answer: ok");
    return 0;
}
