/* Foreign bytes as trie records, and tables full of them under a trie that is read, changed,
 * hashed, proven and written: whatever they hold, the answer is a result or an error. */
#include "base/check.h"
#include "state/kv_memory.h"
#include "state/trie.h"
#include "state/trie_node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(struct bytes in) {
    struct trie_record record;
    if (trie_record_decode(in, &record) != ERR_OK) return;
    struct trie_branch branch = {.depth = 0};
    for (unsigned i = 0; i < TRIE_CHILDREN; i++) {
        if (record.refs[i].size == 0) continue;
        branch.children[i].kind =
            (record.branches >> i & 1) != 0 ? TRIE_STORED_BRANCH : TRIE_STORED_LEAF;
    }
    uint8_t room[TRIE_RECORD_BYTES_MAX];
    struct buffer out = buffer_over(room, sizeof room);
    CHECK(bytes_equal(trie_record_encode(&branch, record.refs, &out), in));
}

static struct bytes take(struct bytes *in, size_t size) {
    const struct bytes taken = bytes_slice(*in, 0, size);
    *in = bytes_slice(*in, size, in->size);
    return taken;
}

/* take_key reads a key that begins with a few bytes of the input, the rest zero. */
static struct hash32 take_key(struct bytes *in) {
    struct hash32 key = {{0}};
    const struct bytes start = take(in, 3);
    if (start.size != 0) memcpy(key.bytes, start.data, start.size);
    return key;
}

static enum err ignore_write(void *context, const struct kv_write *write) {
    (void)context;
    CHECK(write->key.size >= 1);
    CHECK(write->key.size <= TRIE_KEY_BYTES_MAX);
    return ERR_OK;
}

/* fill puts what the input says into the tables: kind, a short key, a value. */
static void fill(struct kv_memory *kv, struct bytes *in) {
    for (unsigned count = 0; count < 24 && in->size >= 4 && in->data[0] < 128; count++) {
        const bool is_record = take(in, 1).data[0] % 2 == 0;
        const size_t key_bytes = take(in, 1).data[0] % 5;
        const size_t value_bytes = be_read(take(in, 2).data, 2) % 560;
        uint8_t key[1 + 32] = {0};
        const struct bytes start = take(in, key_bytes);
        const size_t offset = is_record ? 1 : 0;
        if (start.size != 0) memcpy(key + offset, start.data, start.size);
        if (is_record) check_record(bytes_slice(*in, 0, value_bytes));
        const struct bytes name = {key, is_record ? 1 + start.size : 32};
        CHECK(kv_memory_put(kv, is_record ? KV_TRIE : KV_ACCOUNTS, name, take(in, value_bytes)) ==
              ERR_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t kv_room[1 << 16] __attribute__((aligned(16)));
    static uint8_t arena_room[1 << 20] __attribute__((aligned(16)));
    struct bytes in = {data, size};
    check_record(in);
    struct kv_memory *kv = kv_memory_create(kv_room, sizeof kv_room);
    CHECK(kv != NULL);
    fill(kv, &in);
    const struct kv_reader reader = kv_memory_reader(kv);
    struct arena arena = arena_over(arena_room, sizeof arena_room);
    struct trie trie;
    trie_begin(&trie, &arena, &reader, NULL, kv_memory_count(kv, KV_ACCOUNTS) == 0);
    enum err err = ERR_OK;
    for (unsigned count = 0; count < 16 && in.size >= 4 && err == ERR_OK; count++) {
        const uint8_t kind = take(&in, 1).data[0] % 4;
        const struct hash32 key = take_key(&in);
        struct hash32 root;
        struct bytes nodes[TRIE_PROOF_NODES_MAX], value;
        size_t nodes_count;
        if (kind == 0) err = trie_set(&trie, &key, BYTES_STRING("value"));
        if (kind == 1) err = trie_set(&trie, &key, BYTES_EMPTY);
        if (kind == 2) err = trie_root(&trie, &root);
        if (kind == 3) err = trie_root(&trie, &root);
        if (kind == 3 && err == ERR_OK) {
            err = trie_prove(&trie, &key, nodes, &nodes_count, &value);
        }
    }
    struct hash32 root;
    if (err == ERR_OK) err = trie_root(&trie, &root);
    if (err == ERR_OK) err = trie_writes(&trie, NULL, ignore_write);
    return 0;
}
