#include "state/kv_memory.h"

#include "base/check.h"
#include "state/range.h"

#define UNIT_BYTES    16 /* what offsets count in */
#define HEIGHT_MAX    16
#define CLASSES       64 /* of 1 to 32 units, then doubling */
#define CLASSES_EXACT 32
#define OFFSET_NONE   0

/* An entry; its links and its key follow. */
struct entry {
    uint32_t value; /* offset, in units */
    uint32_t value_bytes;
    uint16_t key_bytes;
    uint8_t height;
    uint8_t unused;
};

struct kv_memory {
    size_t capacity; /* units */
    size_t used;     /* units, this header included */
    uint64_t random;
    size_t counts[KV_TABLE_COUNT];
    uint32_t heads[KV_TABLE_COUNT][HEIGHT_MAX];
    uint32_t free[CLASSES]; /* first free stretch of each class; it begins with the next's offset */
};

/* Where an entry is or would be: the links that lead past it at each height. */
struct position {
    uint32_t *links[HEIGHT_MAX];
};

static void *at(const struct kv_memory *kv, uint32_t offset) {
    return (uint8_t *)(uintptr_t)kv + (size_t)offset * UNIT_BYTES;
}

static uint32_t *links_of(struct entry *entry) {
    return (uint32_t *)(void *)(entry + 1);
}

static struct bytes key_of(struct entry *entry) {
    return (struct bytes){(const uint8_t *)(links_of(entry) + entry->height), entry->key_bytes};
}

static size_t entry_bytes(size_t height, size_t key_bytes) {
    return sizeof(struct entry) + height * sizeof(uint32_t) + key_bytes;
}

/* --- room */

/* class_of gives the class of a size and rounds the size up to it. */
static unsigned class_of(size_t bytes, size_t *units) {
    const size_t wanted = bytes == 0 ? 1 : (bytes + UNIT_BYTES - 1) / UNIT_BYTES;
    *units = wanted;
    if (wanted <= CLASSES_EXACT) return (unsigned)wanted - 1;
    unsigned class = CLASSES_EXACT;
    *units = 2 * (size_t)CLASSES_EXACT;
    while (*units < wanted) {
        *units *= 2;
        class ++;
    }
    CHECK(class < CLASSES);
    return class;
}

static uint32_t room_take(struct kv_memory *kv, size_t bytes) {
    size_t units;
    const unsigned class = class_of(bytes, &units);
    const uint32_t first = kv->free[class];
    if (first != OFFSET_NONE) {
        memcpy(&kv->free[class], at(kv, first), sizeof first);
        return first;
    }
    if (kv->capacity - kv->used < units) return OFFSET_NONE;
    const uint32_t offset = (uint32_t)kv->used;
    kv->used += units;
    return offset;
}

static void room_give(struct kv_memory *kv, uint32_t offset, size_t bytes) {
    size_t units;
    const unsigned class = class_of(bytes, &units);
    memcpy(at(kv, offset), &kv->free[class], sizeof offset);
    kv->free[class] = offset;
}

/* --- the lists */

/* find goes to the first entry whose key is not below `key`; NULL past the last. */
static struct entry *find(struct kv_memory *kv, enum kv_table table, struct bytes key,
                          struct position *position) {
    uint32_t *links = kv->heads[table];
    struct entry *next = NULL;
    for (unsigned height = HEIGHT_MAX; height-- > 0;) {
        for (;;) {
            next = links[height] == OFFSET_NONE ? NULL : at(kv, links[height]);
            if (next == NULL || bytes_compare(key_of(next), key) >= 0) break;
            links = links_of(next);
        }
        if (position != NULL) position->links[height] = &links[height];
    }
    return next;
}

static uint8_t random_height(struct kv_memory *kv) {
    kv->random ^= kv->random << 13;
    kv->random ^= kv->random >> 7;
    kv->random ^= kv->random << 17;
    const uint64_t word = kv->random * 0x9e3779b97f4a7c15u >> 32;
    uint8_t height = 1; /* a quarter of the entries of a height reach the next */
    while (height < HEIGHT_MAX && (word >> (2 * (height - 1)) & 3) == 0)
        height++;
    return height;
}

static enum err insert(struct kv_memory *kv, enum kv_table table, struct bytes key,
                       struct bytes value, struct position *position) {
    const uint8_t height = random_height(kv);
    const uint32_t value_offset = room_take(kv, value.size);
    if (value_offset == OFFSET_NONE) return ERR_LIMIT;
    const uint32_t offset = room_take(kv, entry_bytes(height, key.size));
    if (offset == OFFSET_NONE) {
        room_give(kv, value_offset, value.size);
        return ERR_LIMIT;
    }
    struct entry *entry = at(kv, offset);
    *entry = (struct entry){value_offset, (uint32_t)value.size, (uint16_t)key.size, height, 0};
    uint32_t *links = links_of(entry);
    for (unsigned i = 0; i < height; i++) {
        links[i] = *position->links[i];
        *position->links[i] = offset;
    }
    memcpy(links + height, key.data, key.size);
    memcpy(at(kv, value_offset), value.data, value.size);
    kv->counts[table]++;
    return ERR_OK;
}

static enum err replace(struct kv_memory *kv, struct entry *entry, struct bytes value) {
    size_t old_units;
    size_t units;
    if (class_of(entry->value_bytes, &old_units) != class_of(value.size, &units)) {
        const uint32_t offset = room_take(kv, value.size);
        if (offset == OFFSET_NONE) return ERR_LIMIT;
        room_give(kv, entry->value, entry->value_bytes);
        entry->value = offset;
    }
    entry->value_bytes = (uint32_t)value.size;
    memmove(at(kv, entry->value), value.data, value.size);
    return ERR_OK;
}

static void unlink_entry(struct kv_memory *kv, enum kv_table table, struct entry *entry,
                         struct position *position) {
    const uint32_t offset = *position->links[0];
    for (unsigned i = 0; i < entry->height; i++)
        *position->links[i] = links_of(entry)[i];
    room_give(kv, entry->value, entry->value_bytes);
    room_give(kv, offset, entry_bytes(entry->height, entry->key_bytes));
    kv->counts[table]--;
}

enum err kv_memory_put(struct kv_memory *kv, enum kv_table table, struct bytes key,
                       struct bytes value) {
    if (key.size > KV_KEY_BYTES_MAX || value.size > UINT32_MAX) return ERR_LIMIT;
    struct position position;
    struct entry *entry = find(kv, table, key, &position);
    if (entry != NULL && !bytes_equal(key_of(entry), key)) entry = NULL;
    if (value.size == 0) {
        if (entry != NULL) unlink_entry(kv, table, entry, &position);
        return ERR_OK;
    }
    return entry == NULL ? insert(kv, table, key, value, &position) : replace(kv, entry, value);
}

enum err kv_memory_apply(struct kv_memory *kv, const struct kv_write *writes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        TRY(kv_memory_put(kv, writes[i].table, writes[i].key, writes[i].value));
    }
    return ERR_OK;
}

/* --- reading */

static struct bytes value_of(const struct kv_memory *kv, const struct entry *entry) {
    return (struct bytes){at(kv, entry->value), entry->value_bytes};
}

static enum err memory_seek(void *context, enum kv_table table, struct bytes key,
                            struct bytes *key_found, struct bytes *value) {
    struct kv_memory *kv = context;
    struct entry *entry = find(kv, table, key, NULL);
    if (entry == NULL) return ERR_NOT_FOUND;
    *key_found = key_of(entry);
    *value = value_of(kv, entry);
    return ERR_OK;
}

static enum err memory_get(void *context, enum kv_table table, struct bytes key,
                           struct bytes *value) {
    struct kv_memory *kv = context;
    struct entry *entry = find(kv, table, key, NULL);
    if (entry == NULL || !bytes_equal(key_of(entry), key)) return ERR_NOT_FOUND;
    *value = value_of(kv, entry);
    return ERR_OK;
}

struct kv_reader kv_memory_reader(struct kv_memory *kv) {
    return (struct kv_reader){kv, memory_get, memory_seek};
}

struct kv_memory *kv_memory_create(void *memory, size_t bytes) {
    CHECK((uintptr_t)memory % UNIT_BYTES == 0);
    const size_t header = (sizeof(struct kv_memory) + UNIT_BYTES - 1) / UNIT_BYTES;
    if (bytes / UNIT_BYTES <= header || bytes / UNIT_BYTES > UINT32_MAX / 2) return NULL;
    struct kv_memory *kv = memory;
    memset(kv, 0, sizeof *kv);
    kv->capacity = bytes / UNIT_BYTES;
    kv->used = header;
    kv->random = 0x2545f4914f6cdd1d;
    return kv;
}

struct kv_memory *kv_memory_clone(const struct kv_memory *from, void *memory, size_t bytes) {
    CHECK((uintptr_t)memory % UNIT_BYTES == 0);
    if (bytes / UNIT_BYTES < from->used || bytes / UNIT_BYTES > UINT32_MAX / 2) return NULL;
    memcpy(memory, from, from->used * UNIT_BYTES);
    struct kv_memory *kv = memory;
    kv->capacity = bytes / UNIT_BYTES;
    return kv;
}

enum err kv_memory_put_range(struct kv_memory *kv, const struct hash32 *owner,
                             const struct range *range) {
    for (size_t i = 0; i < range->entries_count; i++) {
        const struct range_entry *entry = &range->entries[i];
        const struct range_row row = range_row(owner, &entry->key);
        TRY(kv_memory_put(kv, row.table, (struct bytes){row.key, row.key_bytes}, entry->value));
    }
    return ERR_OK;
}

size_t kv_memory_count(const struct kv_memory *kv, enum kv_table table) {
    return kv->counts[table];
}
