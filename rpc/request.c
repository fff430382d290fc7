#include "rpc/request.h"

#include <stdlib.h>

#include "base/check.h"
#include "rpc/method.h"

#define BATCH_FIRST 16
/* So many digits fit every integer type on the way. */
#define ID_DIGITS_MAX 15

/* depth_of is how deep brackets nest in a text, strings left out: jansson recurses. */
static unsigned depth_of(struct bytes text) {
    unsigned depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t byte = text.data[i];
        if (in_string) {
            if (byte == '\\') {
                i += 1;
            } else if (byte == '"') {
                in_string = false;
            }
        } else if (byte == '"') {
            in_string = true;
        } else if (byte == '{' || byte == '[') {
            depth += 1;
            if (depth > deepest) deepest = depth;
        } else if ((byte == '}' || byte == ']') && depth > 0) {
            depth -= 1;
        }
    }
    return deepest;
}

/* push makes room for one more request. */
static struct request *push(struct requests *requests) {
    if (requests->count == requests->capacity) {
        const size_t capacity = requests->capacity == 0   ? 1
                                : requests->capacity == 1 ? BATCH_FIRST
                                                          : 2 * requests->capacity;
        if (capacity == 1) {
            requests->list = &requests->single;
        } else {
            struct request *before = requests->list == &requests->single ? NULL : requests->list;
            requests->list = realloc(before, capacity * sizeof *requests->list);
            CHECK(requests->list != NULL);
            if (before == NULL) requests->list[0] = requests->single;
        }
        requests->capacity = capacity;
    }
    struct request *request = &requests->list[requests->count++];
    *request = (struct request){0};
    return request;
}

static void find_method(struct request *request) {
    request->method = rpc_method_find((const char *)request->name.data, request->name.size);
}

void requests_free(struct requests *requests) {
    for (size_t i = 0; i < requests->count; i++) {
        struct request *request = &requests->list[i];
        json_decref(request->params);
        free(request->id_memory);
        if (request->is_text_owned) free(request->text);
    }
    if (requests->list != &requests->single) free(requests->list);
    json_decref(requests->root);
    *requests = (struct requests){0};
}

/* --- the plain form, read where it stands: false means only that it is not the plain form */

struct plain {
    const uint8_t *at, *end;
    unsigned depth_max;
    bool is_depth_known; /* the whole body was looked at and is not too deep */
    struct bytes body;
};

static void skip_space(struct plain *in) {
    while (in->at < in->end &&
           (*in->at == ' ' || *in->at == '\n' || *in->at == '\r' || *in->at == '\t')) {
        in->at++;
    }
}

/* take reads one character, with white space before it. */
static bool take(struct plain *in, uint8_t character) {
    skip_space(in);
    if (in->at == in->end || *in->at != character) return false;
    in->at++;
    return true;
}

/* take_string reads a string of printable ASCII without escapes; *out is what the quotes hold. */
static bool take_string(struct plain *in, struct bytes *out) {
    if (!take(in, '"')) return false;
    const uint8_t *begin = in->at;
    while (in->at < in->end && *in->at >= 0x20 && *in->at < 0x7f && *in->at != '"' &&
           *in->at != '\\') {
        in->at++;
    }
    if (in->at == in->end || *in->at != '"') return false;
    *out = (struct bytes){begin, (size_t)(in->at - begin)};
    in->at++;
    return true;
}

static bool take_word(struct plain *in, struct bytes word) {
    if ((size_t)(in->end - in->at) < word.size || memcmp(in->at, word.data, word.size) != 0) {
        return false;
    }
    in->at += word.size;
    return true;
}

/* take_id reads null, a string, or an integer without sign that is written as it would be written
 * again. */
static bool take_id(struct plain *in, struct bytes *out) {
    skip_space(in);
    const uint8_t *begin = in->at;
    if (in->at == in->end) return false;
    if (*in->at == '"') {
        struct bytes text;
        if (!take_string(in, &text) || text.size + 2 > REQUEST_ID_BYTES_MAX) return false;
    } else if (*in->at == 'n') {
        if (!take_word(in, BYTES_STRING("null"))) return false;
    } else {
        while (in->at < in->end && *in->at >= '0' && *in->at <= '9')
            in->at++;
        const size_t digits = (size_t)(in->at - begin);
        if (digits == 0 || digits > ID_DIGITS_MAX || (begin[0] == '0' && digits > 1)) return false;
        /* what follows must end a number: a point or an exponent would go on with it */
        if (in->at < in->end && (*in->at == '.' || *in->at == 'e' || *in->at == 'E')) return false;
    }
    *out = (struct bytes){begin, (size_t)(in->at - begin)};
    return true;
}

/* take_params reads an array; what is in it becomes a tree. */
static bool take_params(struct plain *in, json_t **out) {
    skip_space(in);
    const uint8_t *begin = in->at;
    if (!take(in, '[')) return false;
    if (take(in, ']')) return true;
    if (!in->is_depth_known && depth_of(in->body) > in->depth_max) return false;
    in->is_depth_known = true;
    json_error_t at;
    *out = json_loadb((const char *)begin, (size_t)(in->end - begin),
                      JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &at);
    if (*out == NULL) return false;
    in->at = begin + at.position;
    return true;
}

enum member { MEMBER_VERSION = 1, MEMBER_ID = 2, MEMBER_METHOD = 4, MEMBER_PARAMS = 8 };

static unsigned member_of(struct bytes key) {
    if (bytes_equal(key, BYTES_STRING("jsonrpc"))) return MEMBER_VERSION;
    if (bytes_equal(key, BYTES_STRING("id"))) return MEMBER_ID;
    if (bytes_equal(key, BYTES_STRING("method"))) return MEMBER_METHOD;
    if (bytes_equal(key, BYTES_STRING("params"))) return MEMBER_PARAMS;
    return 0;
}

static bool take_member(struct plain *in, struct request *out, unsigned *seen) {
    struct bytes key, version;
    if (!take_string(in, &key) || !take(in, ':')) return false;
    const unsigned member = member_of(key);
    if ((*seen & member) != 0) return false;
    *seen |= member;
    switch (member) {
    case MEMBER_VERSION: return take_string(in, &version);
    case MEMBER_ID: return take_id(in, &out->id);
    case MEMBER_METHOD: return take_string(in, &out->name);
    case MEMBER_PARAMS: return take_params(in, &out->params);
    default: return false;
    }
}

static bool take_call(struct plain *in, struct request *out) {
    unsigned seen = 0;
    if (!take(in, '{')) return false;
    do {
        if (!take_member(in, out, &seen)) return false;
    } while (take(in, ','));
    if (!take(in, '}') || (seen & MEMBER_METHOD) == 0) return false;
    out->is_notification = (seen & MEMBER_ID) == 0;
    find_method(out);
    return true;
}

/* read_plain reads a body of plain calls. */
static bool read_plain(struct bytes body, const struct requests_limits *limits,
                       struct requests *out) {
    struct plain in = {body.data, body.data + body.size, limits->depth_max, false, body};
    if (limits->depth_max < 3) return false; /* a batch of calls with parameters is that deep */
    out->is_batch = take(&in, '[');
    do {
        if (out->count == limits->calls_max || !take_call(&in, push(out))) return false;
    } while (out->is_batch && take(&in, ','));
    if (out->is_batch && !take(&in, ']')) return false;
    skip_space(&in);
    return in.at == in.end;
}

/* --- any form */

/* What a well-formed call must have: "method" a string, "params" an array or nothing. */
static const char *fault_of(json_t *call) {
    if (!json_is_object(call)) return "invalid request: not an object";
    if (!json_is_string(json_object_get(call, "method"))) {
        return "invalid request: method is missing";
    }
    json_t *params = json_object_get(call, "params");
    if (params != NULL && !json_is_array(params) && !json_is_null(params)) {
        return "invalid request: params must be an array";
    }
    json_t *id = json_object_get(call, "id");
    if (id != NULL && !json_is_string(id) && !json_is_number(id) && !json_is_null(id)) {
        return "invalid request: id must be a string, a number or null";
    }
    return NULL;
}

static void write_id(struct request *request, json_t *id) {
    char text[REQUEST_ID_BYTES_MAX];
    const size_t size = json_dumpb(id, text, sizeof text, JSON_ENCODE_ANY | JSON_COMPACT);
    request->id = BYTES_STRING("null");
    if (size == 0 || size > sizeof text) return;
    request->id_memory = malloc(size);
    CHECK(request->id_memory != NULL);
    memcpy(request->id_memory, text, size);
    request->id = (struct bytes){request->id_memory, size};
}

static void read_call(struct request *request, json_t *call) {
    request->fault = fault_of(call);
    if (request->fault != NULL) return;
    json_t *name = json_object_get(call, "method");
    json_t *params = json_object_get(call, "params");
    json_t *id = json_object_get(call, "id");
    request->name =
        (struct bytes){(const uint8_t *)json_string_value(name), json_string_length(name)};
    if (json_is_array(params)) request->params = json_incref(params);
    request->is_notification = id == NULL;
    if (id != NULL) write_id(request, id);
    find_method(request);
}

static enum requests_verdict read_any(struct bytes body, const struct requests_limits *limits,
                                      struct requests *out) {
    json_error_t at;
    if (depth_of(body) > limits->depth_max) return REQUESTS_TOO_DEEP;
    out->root = json_loadb((const char *)body.data, body.size,
                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
    if (out->root == NULL) return REQUESTS_MALFORMED;
    out->is_batch = json_is_array(out->root);
    if (!out->is_batch) {
        read_call(push(out), out->root);
        return REQUESTS_READ;
    }
    const size_t count = json_array_size(out->root);
    if (count == 0) return REQUESTS_EMPTY_BATCH;
    if (count > limits->calls_max) return REQUESTS_TOO_MANY;
    for (size_t i = 0; i < count; i++)
        read_call(push(out), json_array_get(out->root, i));
    return REQUESTS_READ;
}

enum requests_verdict requests_read(struct bytes body, const struct requests_limits *limits,
                                    struct requests *out) {
    *out = (struct requests){0};
    if (read_plain(body, limits, out)) return REQUESTS_READ;
    requests_free(out);
    return read_any(body, limits, out);
}
