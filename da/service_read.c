/* Reading methods of the DA server: blobs, proofs, headers. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/merkle.h"
#include "da/base64.h"
#include "da/service_internal.h"

/* square_at is NULL when the height's blobs cannot be read. */
static const struct da_square *square_at(struct da_service *service, uint64_t height) {
    const struct da_log_block *block = da_log_block(service->log, height);
    if (block == NULL) return &service->empty_square;
    service->square_used_at = da_service_head(service);
    if (service->square_height == height) return &service->square;
    struct da_square_blob blobs[DA_BLOBS_PER_BLOCK];
    const struct da_log_blob *stored = da_log_blobs(service->log, block);
    service->blobs.size = 0;
    service->blobs.overflow = false;
    if (block->blobs_count > DA_BLOBS_PER_BLOCK) return NULL;
    for (uint32_t i = 0; i < block->blobs_count; i++) {
        const size_t start = service->blobs.size;
        if (da_log_read(service->log, &stored[i], &service->blobs) != ERR_OK) return NULL;
        blobs[i].ns = stored[i].ns;
        blobs[i].data = (struct bytes){service->blobs.data + start, stored[i].size};
    }
    size_t width;
    if (da_square_layout(blobs, block->blobs_count, &width) != ERR_OK) return NULL;
    da_square_build(&service->erasure, blobs, block->blobs_count, width, service->square_memory,
                    &service->square);
    service->square_height = height;
    return &service->square;
}

/* width_of is the width of a block's square, from the log alone. */
static size_t width_of(const struct da_service *service, const struct da_log_block *block) {
    const struct da_log_blob *last = &da_log_blobs(service->log, block)[block->blobs_count - 1];
    const size_t shares = last->share_index + da_shares_count(last->size);
    size_t width = 1;
    while (width * width < shares)
        width *= 2;
    return width;
}

static json_t *blob_json(struct da_service *service, const struct da_log_block *block,
                         const struct da_log_blob *blob) {
    const size_t width = width_of(service, block);
    const size_t index = blob->share_index / width * 2 * width + blob->share_index % width;
    service->blobs.size = 0;
    service->blobs.overflow = false;
    if (da_log_read(service->log, blob, &service->blobs) != ERR_OK) return NULL;
    json_t *ns = da_base64_json(service, BYTES_OF(blob->ns.bytes));
    json_t *data = da_base64_json(service, buffer_bytes(&service->blobs));
    json_t *commitment = da_base64_json(service, BYTES_OF(blob->commitment.bytes));
    return json_pack("{s:o, s:o, s:i, s:o, s:I}", "namespace", ns, "data", data, "share_version", 0,
                     "commitment", commitment, "index", (json_int_t)index);
}

static bool is_withheld(const struct da_service *service) {
    return service->fault == DA_FAULT_WITHHELD && service->fault_uses > 0;
}

static const struct da_log_blob *find_blob(const struct da_service *service,
                                           const struct da_log_block *block,
                                           const struct da_namespace *ns,
                                           const struct hash32 *commitment) {
    if (block == NULL || is_withheld(service)) return NULL;
    const struct da_log_blob *blobs = da_log_blobs(service->log, block);
    for (uint32_t i = 0; i < block->blobs_count; i++) {
        if (da_namespace_compare(&blobs[i].ns, ns) == 0 &&
            hash_equal(&blobs[i].commitment, commitment)) {
            return &blobs[i];
        }
    }
    return NULL;
}

/* call_blob reads (height, namespace, commitment at `commitment_index`) and finds the blob.  False:
 * the call has failed. */
static bool call_blob(struct da_call *call, size_t commitment_index,
                      const struct da_log_block **block, const struct da_log_blob **blob) {
    uint64_t height;
    struct da_namespace ns;
    struct hash32 commitment;
    if (!da_call_height(call, 0, &height)) return false;
    if (!da_call_bytes(call, 1, ns.bytes, sizeof ns.bytes)) return false;
    if (!da_call_bytes(call, commitment_index, commitment.bytes, 32)) return false;
    *block = da_log_block(call->service->log, height);
    *blob = find_blob(call->service, *block, &ns, &commitment);
    return true;
}

json_t *da_method_get(struct da_call *call) {
    const struct da_log_block *block;
    const struct da_log_blob *blob;
    if (!call_blob(call, 2, &block, &blob)) return NULL;
    if (blob == NULL) return da_call_fail(call, DA_CODE_APPLICATION, "blob: not found");
    json_t *found = blob_json(call->service, block, blob);
    return found != NULL ? found
                         : da_call_fail(call, DA_CODE_APPLICATION, "the blob cannot be read");
}

json_t *da_blobs_json(struct da_service *service, uint64_t height, const json_t *namespaces) {
    const struct da_log_block *block = da_log_block(service->log, height);
    if (block == NULL || is_withheld(service)) return json_null();
    const struct da_log_blob *blobs = da_log_blobs(service->log, block);
    json_t *found = json_array();
    for (size_t i = 0; i < json_array_size(namespaces); i++) {
        const json_t *text = json_array_get(namespaces, i);
        struct da_namespace ns;
        const struct bytes base64 = {(const uint8_t *)json_string_value(text),
                                     json_string_length(text)};
        if (da_base64_read_fixed(base64, ns.bytes, sizeof ns.bytes) != ERR_OK) continue;
        for (uint32_t k = 0; k < block->blobs_count; k++) {
            if (da_namespace_compare(&blobs[k].ns, &ns) != 0) continue;
            json_t *blob = blob_json(service, block, &blobs[k]);
            if (blob != NULL) (void)json_array_append_new(found, blob);
        }
    }
    if (json_array_size(found) > 0) return found;
    json_decref(found);
    return json_null();
}

json_t *da_method_get_all(struct da_call *call) {
    uint64_t height;
    const json_t *namespaces = json_array_get(call->params, 1);
    if (!da_call_height(call, 0, &height)) return NULL;
    if (!json_is_array(namespaces) || json_array_size(namespaces) > DA_BLOBS_PER_BLOCK) {
        return da_call_fail(call, DA_CODE_PARAMS, "namespaces must be an array");
    }
    for (size_t i = 0; i < json_array_size(namespaces); i++) {
        const json_t *text = json_array_get(namespaces, i);
        struct da_namespace ns;
        const struct bytes base64 = {(const uint8_t *)json_string_value(text),
                                     json_string_length(text)};
        if (!json_is_string(text) ||
            da_base64_read_fixed(base64, ns.bytes, sizeof ns.bytes) != ERR_OK) {
            return da_call_fail(call, DA_CODE_PARAMS, "a namespace is not base64 of 29 bytes");
        }
    }
    return da_blobs_json(call->service, height, namespaces);
}

static json_t *proof_json(struct da_service *service, const struct da_proof *proof) {
    json_t *json = json_object();
    if (proof->start != 0) {
        (void)json_object_set_new(json, "start", json_integer((json_int_t)proof->start));
    }
    (void)json_object_set_new(json, "end", json_integer((json_int_t)proof->end));
    json_t *nodes = json_array();
    for (size_t i = 0; i < proof->nodes_count; i++) {
        const struct bytes node = BYTES_OF(proof->nodes[i].bytes);
        (void)json_array_append_new(nodes, da_base64_json(service, node));
    }
    (void)json_object_set_new(json, "nodes", nodes);
    (void)json_object_set_new(json, "is_max_namespace_ignored", json_true());
    return json;
}

/* proofs_of proves the namespace in every row that the blob touches. */
static json_t *proofs_of(struct da_service *service, const struct da_log_block *block,
                         const struct da_log_blob *blob) {
    const struct da_square *square = square_at(service, block->height);
    if (square == NULL) return NULL;
    const size_t width = square->width;
    const size_t first = blob->share_index / width;
    const size_t last = (blob->share_index + da_shares_count(blob->size) - 1) / width;
    json_t *proofs = json_array();
    for (size_t row = first; row <= last; row++) {
        size_t start = width;
        size_t end = 0;
        for (size_t column = 0; column < width; column++) {
            const uint8_t *share = square->shares + (row * 2 * width + column) * DA_SHARE_BYTES;
            if (memcmp(share, blob->ns.bytes, DA_NAMESPACE_BYTES) != 0) continue;
            if (start == width) start = column;
            end = column + 1;
        }
        struct da_proof proof;
        da_square_prove(square, row, start, end, &proof);
        (void)json_array_append_new(proofs, proof_json(service, &proof));
    }
    return proofs;
}

json_t *da_method_get_proof(struct da_call *call) {
    const struct da_log_block *block;
    const struct da_log_blob *blob;
    if (!call_blob(call, 2, &block, &blob)) return NULL;
    if (blob == NULL) return da_call_fail(call, DA_CODE_APPLICATION, "blob: not found");
    json_t *proofs = proofs_of(call->service, block, blob);
    return proofs != NULL ? proofs
                          : da_call_fail(call, DA_CODE_APPLICATION, "the block cannot be read");
}

json_t *da_method_included(struct da_call *call) {
    const struct da_log_block *block;
    const struct da_log_blob *blob;
    const json_t *claimed = json_array_get(call->params, 2);
    if (json_is_null(claimed)) {
        return da_call_fail(call, DA_CODE_APPLICATION, "blob: proof cannot be nil");
    }
    if (!call_blob(call, 3, &block, &blob)) return NULL;
    if (blob == NULL) return json_false();
    json_t *proofs = proofs_of(call->service, block, blob);
    const bool is_equal = proofs != NULL && json_equal(proofs, claimed) == 1;
    json_decref(proofs);
    return is_equal ? json_true() : da_call_fail(call, DA_CODE_APPLICATION, "blob: invalid proof");
}

/* --- headers --- */

static const char *hex_upper(const struct hash32 *hash, char text[65]) {
    for (size_t i = 0; i < 32; i++) {
        (void)snprintf(text + 2 * i, 3, "%02X", (unsigned)hash->bytes[i]);
    }
    return text;
}

/* block_hash names a block.  It is made of the fields that vary; a real node hashes CometBFT's
 * header, which has validators and signatures that there are none of here. */
static struct hash32 block_hash(struct da_service *service, uint64_t height,
                                const struct hash32 *data_hash) {
    uint8_t head[16];
    be_write(head, 8, height);
    be_write(head + 8, 8, da_log_time(service->log, height));
    struct sha256 context;
    sha256_init(&context);
    sha256_update(&context, bytes_from_string(service->config.chain_id));
    sha256_update(&context, BYTES_OF(head));
    sha256_update(&context, hash_bytes(data_hash));
    return sha256_final(&context);
}

static json_t *roots_json(struct da_service *service, const struct da_node *roots, size_t count) {
    json_t *json = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(json, da_base64_json(service, BYTES_OF(roots[i].bytes)));
    }
    return json;
}

static void time_text(uint64_t time_ms, char out[64]) {
    const time_t seconds = (time_t)(time_ms / 1000);
    struct tm broken;
    CHECK(gmtime_r(&seconds, &broken) != NULL);
    char date[32];
    CHECK(strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &broken) > 0);
    (void)snprintf(out, 64, "%s.%03u000000Z", date, (unsigned)(time_ms % 1000));
}

json_t *da_header_json(struct da_service *service, uint64_t height) {
    const struct da_square *square = square_at(service, height);
    if (square == NULL) square = &service->empty_square; /* the disk failed; Get says so */
    char number[24], time[64], data_hash[65], hash[65];
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)height);
    time_text(da_log_time(service->log, height), time);
    const struct hash32 own = block_hash(service, height, &square->data_hash);
    (void)hex_upper(&square->data_hash, data_hash);
    (void)hex_upper(&own, hash);
    json_t *rows = roots_json(service, square->row_roots, 2 * square->width);
    json_t *columns = roots_json(service, square->column_roots, 2 * square->width);
    return json_pack("{s:{s:{s:s, s:s}, s:s, s:s, s:s, s:s}, s:{s:[]}, "
                     "s:{s:s, s:i, s:{s:s}, s:[]}, s:{s:o, s:o}}",
                     "header", "version", "block", "11", "app", "6", "chain_id",
                     service->config.chain_id, "height", number, "time", time, "data_hash",
                     data_hash, "validator_set", "validators", "commit", "height", number, "round",
                     0, "block_id", "hash", hash, "signatures", "dah", "row_roots", rows,
                     "column_roots", columns);
}
