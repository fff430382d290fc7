#include "da/answer.h"

#include <jansson.h>
#include <stdio.h>

#include "da/base64.h"

#define HEIGHT_DIGITS_MAX 18
#define VALUES_MAX        (2u << 20) /* a block of 128 MiB of the smallest blobs has fewer */

void da_error_write(char *error, const char *text) {
    if (error != NULL) (void)snprintf(error, DA_ERROR_BYTES, "%s", text);
}

static bool contains(const char *text, const char *part) {
    return strstr(text, part) != NULL;
}

/* error_kind sorts the texts that matter; everything untyped has code 1. */
static enum err error_kind(const char *message) {
    if (contains(message, "blob: not found")) return ERR_NOT_FOUND;
    const bool is_open = contains(message, "timed out") ||
                         contains(message, "already in mempool") ||
                         contains(message, "deadline exceeded") || contains(message, "canceled");
    return is_open ? ERR_TIMEOUT : ERR_REFUSED;
}

/* is_bounded: each value becomes many times its text in memory, so there may not be any number. */
static bool is_bounded(struct bytes body) {
    size_t values = 0;
    for (size_t i = 0; i < body.size; i++) {
        const uint8_t byte = body.data[i];
        values += byte == ',' || byte == '[' || byte == '{';
    }
    return values <= VALUES_MAX;
}

/* open_answer parses a body and finds its result.  On ERR_OK the caller releases *root. */
static enum err open_answer(struct bytes body, uint64_t id, json_t **root, json_t **result,
                            char *error) {
    if (!is_bounded(body)) {
        da_error_write(error, "the answer has too many values");
        return ERR_LIMIT;
    }
    json_t *parsed = json_loadb((const char *)body.data, body.size,
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    enum err err = ERR_ENCODING;
    const json_t *answer_id = json_object_get(parsed, "id");
    if (!json_is_integer(answer_id) || (uint64_t)json_integer_value(answer_id) != id) goto done;
    const json_t *failure = json_object_get(parsed, "error");
    if (failure != NULL && !json_is_null(failure)) {
        const char *message = json_string_value(json_object_get(failure, "message"));
        da_error_write(error, message == NULL ? "an error without a message" : message);
        err = message == NULL ? ERR_REFUSED : error_kind(message);
        goto done;
    }
    json_t *found = json_object_get(parsed, "result");
    if (found == NULL) goto done;
    *root = parsed;
    *result = found;
    return ERR_OK;
done:
    if (err == ERR_ENCODING) da_error_write(error, "the answer is not JSON-RPC");
    json_decref(parsed);
    return err;
}

/* read_height reads a height as a number or as a decimal string. */
static enum err read_height(const json_t *value, uint64_t *height) {
    if (json_is_integer(value)) {
        if (json_integer_value(value) < 0) return ERR_ENCODING;
        *height = (uint64_t)json_integer_value(value);
        return ERR_OK;
    }
    const char *text = json_string_value(value);
    if (text == NULL) return ERR_ENCODING;
    const size_t digits = strlen(text);
    if (digits == 0 || digits > HEIGHT_DIGITS_MAX) return ERR_ENCODING;
    uint64_t parsed = 0;
    for (size_t i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9') return ERR_ENCODING;
        parsed = parsed * 10 + (uint64_t)(text[i] - '0');
    }
    *height = parsed;
    return ERR_OK;
}

static struct bytes text_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) return BYTES_EMPTY;
    return (struct bytes){(const uint8_t *)json_string_value(value), json_string_length(value)};
}

static enum err read_namespace(const json_t *blob, struct da_namespace *ns) {
    return da_base64_read_fixed(text_of(blob, "namespace"), ns->bytes, sizeof ns->bytes);
}

enum err da_answer_submit(struct bytes body, uint64_t id, uint64_t *height, char *error) {
    json_t *root = NULL;
    json_t *result = NULL;
    const enum err opened = open_answer(body, id, &root, &result, error);
    if (opened == ERR_NOT_FOUND) return ERR_REFUSED;
    if (opened != ERR_OK) return opened;
    const enum err err = read_height(result, height);
    if (err != ERR_OK) da_error_write(error, "blob.Submit's result is not a height");
    json_decref(root);
    return err;
}

enum err da_answer_blob(struct bytes body, uint64_t id, const struct da_namespace *ns,
                        const struct hash32 *commitment, struct buffer *out, char *error) {
    json_t *root = NULL;
    json_t *result = NULL;
    TRY(open_answer(body, id, &root, &result, error));
    const size_t start = out->size;
    struct da_namespace found_ns;
    enum err err = json_is_null(result) ? ERR_NOT_FOUND : read_namespace(result, &found_ns);
    if (err == ERR_OK) err = da_base64_read(text_of(result, "data"), out);
    if (err == ERR_OK) {
        const struct bytes data = {out->data + start, out->size - start};
        const bool fits = data.size > 0 && data.size <= DA_BLOB_BYTES_MAX;
        const struct hash32 found = fits ? da_commitment(ns, data) : (struct hash32){{0}};
        const bool is_same =
            memcmp(&found_ns, ns, sizeof found_ns) == 0 && fits && hash_equal(&found, commitment);
        if (!is_same) err = ERR_MISMATCH;
    }
    if (err != ERR_OK) {
        out->size = start;
        da_error_write(error,
                       err == ERR_NOT_FOUND ? "blob: not found" : "not the blob we asked for");
    }
    json_decref(root);
    return err;
}

static enum err visit_one(const json_t *blob, const struct da_namespace *ns, struct buffer *scratch,
                          void *context, enum err (*visit)(void *context, struct bytes blob)) {
    struct da_namespace found;
    TRY(read_namespace(blob, &found));
    if (memcmp(&found, ns, sizeof found) != 0) return ERR_MISMATCH;
    const struct bytes text = text_of(blob, "data");
    /* Anybody may post into a namespace: what is longer than ours are is passed over. */
    if (text.size > da_base64_size(DA_BLOB_BYTES_MAX)) return ERR_OK;
    scratch->size = 0;
    TRY(da_base64_read(text, scratch));
    return visit(context, buffer_bytes(scratch));
}

enum err da_answer_blobs(struct bytes body, uint64_t id, const struct da_namespace *ns,
                         struct buffer *scratch, void *context,
                         enum err (*visit)(void *context, struct bytes blob), char *error) {
    json_t *root = NULL;
    json_t *result = NULL;
    const enum err opened = open_answer(body, id, &root, &result, error);
    if (opened == ERR_NOT_FOUND) return ERR_OK; /* some nodes say so instead of null */
    if (opened != ERR_OK) return opened;
    enum err err = json_is_null(result) || json_is_array(result) ? ERR_OK : ERR_ENCODING;
    for (size_t i = 0; err == ERR_OK && i < json_array_size(result); i++) {
        err = visit_one(json_array_get(result, i), ns, scratch, context, visit);
    }
    if (err == ERR_ENCODING || err == ERR_MISMATCH) {
        da_error_write(error, "blob.GetAll's result is not blobs of the namespace");
    }
    json_decref(root);
    return err;
}

enum err da_answer_head(struct bytes body, uint64_t id, uint64_t *height, char *error) {
    json_t *root = NULL;
    json_t *result = NULL;
    const enum err opened = open_answer(body, id, &root, &result, error);
    if (opened == ERR_NOT_FOUND) return ERR_REFUSED;
    if (opened != ERR_OK) return opened;
    const json_t *header = json_object_get(result, "header");
    const json_t *value = json_object_get(header, "height");
    if (value == NULL) value = json_object_get(result, "height");
    const enum err err = value == NULL ? ERR_ENCODING : read_height(value, height);
    if (err != ERR_OK) da_error_write(error, "the header has no height");
    json_decref(root);
    return err;
}
